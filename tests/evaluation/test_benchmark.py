"""The tables as commands, on a tiny random model."""

import dataclasses
import errno
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from foleygram.data.controls import control_of
from foleygram.data.manifest import ClipRecord, write_manifest
from foleygram.errors import DataError, EnvelopeError, OutputError, UsageError
from foleygram.evaluation import benchmark
from foleygram.evaluation.benchmark import (
    SETTINGS,
    Pictures,
    benchmark_minihits,
    clip_of,
    clip_seed,
    fingerprint_of,
    keep_settings,
    timing_of,
)
from foleygram.evaluation.logmel import LogMel
from foleygram.evaluation.variants import (
    SILENT_VARIANTS,
    TABLE_1_VARIANTS,
    Variant,
    chosen_rows,
)
from foleygram.media.audio import read_audio, write_audio
from foleygram.media.video import write_video
from foleygram.output import alone_in
from foleygram.pipeline import FoleyGRAM
from foleygram.timing.network import LEVELS
from foleygram.types import Audio, Video
from tests.evaluation.conftest import burst_clips
from tests.tiny import tiny_model


@pytest.fixture(autouse=True)
def no_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("FOLEYGRAM_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> tuple[ClipRecord, ...]:
    folder = tmp_path_factory.mktemp("truth")
    found = []
    for number, (audio, times) in enumerate(zip(*burst_clips(3), strict=True)):
        write_audio(folder / f"c{number}.wav", audio)
        hits = tuple((time, 0.5) for time in times)
        found.append(
            ClipRecord(f"c{number}", "test", None, folder / f"c{number}.wav", "a person hits metal", "metal", "hit", 2.0, hits)
        )
    return tuple(found)


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def test_generates_scores_and_goes_on_where_it_stood(records, model, tmp_path):
    manifest = write_manifest(tmp_path / "clips.jsonl", records)
    variants = (Variant("AT", "AT", "onsets"),)
    stages = []
    run = lambda **more: benchmark_minihits(  # noqa: E731
        model, manifest, tmp_path / "out", variants=variants, steps=2, embedder=LogMel(),
        on_progress=lambda stage, done, total: stages.append(stage), **more,
    )  # fmt: skip
    (first,) = run()
    assert first.report.name == "AT" and first.report.complete and len(first.report.clips) == 3
    assert first.report.given == ("onset times of the own sound", "own sound", "own text", "as decoded")
    assert {"generating AT", "scoring"} <= set(stages)
    sound = tmp_path / "out" / "AT" / "c1.flac"
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.flac")}
    content = read_audio(sound).samples
    sound.unlink()
    run()
    np.testing.assert_array_equal(read_audio(sound).samples, content)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items() if path != sound)
    with pytest.raises(DataError, match="other settings"):
        run(seed=1)
    write_manifest(manifest, records[::-1])  # the same name and ids
    with pytest.raises(DataError, match="other settings"):
        run()


def test_folders_of_others_are_left_alone(records, model, tmp_path):
    manifest = write_manifest(tmp_path / "clips.jsonl", records)
    (tmp_path / "out" / "A").mkdir(parents=True)
    (tmp_path / "out" / "A" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty"):
        benchmark_minihits(model, manifest, tmp_path / "out", variants=[Variant("A", "A")], embedder=LogMel())


def test_where_no_level_is_known_the_sound_stays_as_it_was_decoded(records, model, tmp_path, monkeypatch):
    class Enough(Exception):
        pass

    kept = []

    def keep(used, records, pictures, folder, settings, on_progress):
        kept.append(settings.raw)
        raise Enough

    monkeypatch.setattr(benchmark, "generate_set", keep)
    manifest = write_manifest(tmp_path / "clips.jsonl", records)
    rows = (
        Variant("a", "A"),
        Variant("b", "A", "none"),
        Variant("c", "A", "onsets"),
        Variant("d", "A", "onsets", strokes=True),
    )
    for row, raw in ((rows[0], False), (rows[0], True), (rows[1], False), (rows[2], False), (rows[3], False)):
        with pytest.raises(Enough):
            benchmark_minihits(model, manifest, tmp_path / "out", variants=[row], raw=raw)
    with pytest.raises(Enough):
        benchmark_minihits(model, manifest, tmp_path / "out", variants=[Variant("e", "T", as_sound=True)])
    assert kept == [False, True, True, True, False, True]


@dataclasses.dataclass(frozen=True)
class Seeded:
    seed: int


def test_settings_are_written_once(tmp_path):
    keep_settings(tmp_path / "A", Seeded(0))
    path = tmp_path / "A" / SETTINGS
    before = path.stat()
    keep_settings(tmp_path / "A", Seeded(0))
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    with pytest.raises(DataError, match="other settings .seed.; choose"):
        keep_settings(tmp_path / "A", Seeded(1))
    assert json.loads(path.read_text()) == {"seed": 0}


@dataclasses.dataclass(frozen=True)
class Longer(Seeded):
    quiet: bool = False


def test_settings_of_before_have_the_usual_value_of_what_is_new(tmp_path):
    keep_settings(tmp_path / "A", Seeded(0))
    keep_settings(tmp_path / "A", Longer(0))
    with pytest.raises(DataError, match="other settings .quiet."):
        keep_settings(tmp_path / "A", Longer(0, quiet=True))


def test_two_benchmarks_do_not_share_a_folder(records, model, tmp_path):
    manifest = write_manifest(tmp_path / "clips.jsonl", records)
    with alone_in(tmp_path / "out"), pytest.raises(OutputError, match="another run is at work there"):
        benchmark_minihits(model, manifest, tmp_path / "out", variants=[Variant("A", "A")], steps=2, embedder=LogMel())


def test_nothing_is_made_where_the_detector_of_onsets_lacks_its_library(records, model, tmp_path, monkeypatch):
    manifest = write_manifest(tmp_path / "clips.jsonl", records)
    monkeypatch.setattr("foleygram.signal.onsets.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="needs librosa; install it with: pip install 'foleygram.eval.'"):
        benchmark_minihits(model, manifest, tmp_path / "out", variants=[Variant("A", "A")], steps=2, embedder=LogMel())
    assert not (tmp_path / "out").exists()


def test_nothing_is_made_where_embeddings_cannot_be_kept(records, model, tmp_path):
    manifest = write_manifest(tmp_path / "clips.jsonl", records)
    (tmp_path / "file").write_text("mine")
    variants = [Variant("A", "A")]
    with pytest.raises(OutputError):
        benchmark_minihits(model, manifest, tmp_path / "out", variants=variants, cache=tmp_path / "file", embedder=LogMel())
    assert not (tmp_path / "out").exists()


def test_settings_that_cannot_be_kept_are_one_line(tmp_path, monkeypatch):
    def full(self, content):
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        patch.setattr(Path, "write_text", lambda self, text, **more: full(self, text.encode()))
        with pytest.raises(OutputError, match="the disk is full"):
            keep_settings(tmp_path / "A", Seeded(0))
    assert not list((tmp_path / "A").iterdir())
    keep_settings(tmp_path / "A", Seeded(0))
    (tmp_path / "A" / SETTINGS).write_bytes(b"\xff\xfe half of it")
    with pytest.raises(DataError, match="other settings"):
        keep_settings(tmp_path / "A", Seeded(0))
    monkeypatch.setattr(Path, "is_file", lambda self: (_ for _ in ()).throw(PermissionError(errno.EACCES, "Permission denied")))
    with pytest.raises(DataError, match="cannot be read .Permission denied.; choose another folder"):
        keep_settings(tmp_path / "A", Seeded(0))


def test_a_model_is_shown_as_many_frames_as_it_sees(records, model, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(benchmark, "clip_frames", lambda record, count, *more: asked.append(count) or three_frames())
    manifest = write_manifest(tmp_path / "clips.jsonl", records[:1])
    benchmark_minihits(model, manifest, tmp_path / "out", variants=[Variant("V", "V")], steps=2, embedder=LogMel())
    assert asked == [model.config.gram.vision.frames] == [3]


def three_frames() -> Video:
    return Video(np.zeros((3, 3, 32, 32), np.uint8), np.arange(3.0), 3.0)


def test_what_a_variant_needs_is_asked_for(records, model, tmp_path):
    manifest = write_manifest(tmp_path / "clips.jsonl", records)
    with pytest.raises(UsageError, match="need the models cosine, no-control, onsets, unaligned"):
        benchmark_minihits(model, manifest, tmp_path / "out", variants=TABLE_1_VARIANTS, embedder=LogMel())
    nothing = Pictures({}, None)
    with pytest.raises(DataError, match="no video file and no scene"):
        clip_of(records[0], "V", nothing, 8)
    with pytest.raises(DataError, match="no text"):
        clip_of(dataclasses.replace(records[0], text=""), "AT", nothing, 8)
    assert clip_of(records[0], "T", nothing, 8).modalities == "T"
    with pytest.raises(UsageError):
        control_of(records[0], burst_clips(1)[0][0], "rhythm")


def test_timing_that_a_variant_knows(records):
    audio = read_audio(records[0].audio)
    own, onsets, none = (control_of(records[0], audio, control) for control in ("envelope", "onsets", "none"))
    assert not none.values.any()
    assert onsets.values.max() < own.values.max() or onsets.values.max() > 0
    assert len(own.values) == len(onsets.values) == len(none.values)
    peaks = [onsets.times[onsets.values > 0][0], records[0].onsets[0][0]]
    assert peaks[0] == pytest.approx(peaks[1], abs=0.01)


def test_seeds_depend_on_run_and_clip_alone():
    assert clip_seed(0, "a") == clip_seed(0, "a") != clip_seed(1, "a") != clip_seed(1, "b")


def test_a_fingerprint_notices_one_weight():
    model, other = tiny_model(), tiny_model()
    assert fingerprint_of(model) == fingerprint_of(other)
    next(other.transformer.parameters()).data.view(-1)[0] += 1e-3
    assert fingerprint_of(model) != fingerprint_of(other)


def test_a_fingerprint_notices_another_sampler():
    model, other = tiny_model(), tiny_model()
    other.config = other.config.replace(few_step_sampler=model.config.sampler.replace(steps=2).model_dump())
    assert fingerprint_of(model) != fingerprint_of(other)


def scraping(model: FoleyGRAM) -> FoleyGRAM:
    """With a predictor to which any moment may be an onset, and that of a scratch."""
    with torch.no_grad():
        model.timing.network.heads.weight[LEVELS] *= 0.1
        model.timing.network.heads.bias[LEVELS], model.timing.network.heads.bias[LEVELS + 3] = 2.0, 20.0
    return model


def test_a_silent_film_is_timed_by_its_picture_and_played_in_strokes(records, tmp_path, monkeypatch):
    """As generate does it: the guide is the prediction, and its events are handed on to become strokes."""
    model = tiny_model(timing=True)
    frames = np.random.default_rng(0).integers(0, 255, (20, 48, 64, 3), dtype=np.uint8)
    write_video(tmp_path / "c0.mp4", frames, 10.0)
    filmed = dataclasses.replace(records[0], video=tmp_path / "c0.mp4")
    heard = []
    whole = type(model).generate
    monkeypatch.setattr(type(model), "generate", lambda *args, **more: heard.append((args[2], more)) or whole(*args, **more))
    manifest = write_manifest(tmp_path / "clips.jsonl", [filmed])
    (row,) = benchmark_minihits(model, manifest, tmp_path / "out", variants=SILENT_VARIANTS[:1], steps=2, embedder=LogMel())
    ((envelope, asked),) = heard
    expected, track = timing_of(model, filmed, "predicted")
    np.testing.assert_array_equal(envelope.values, expected.values)
    assert envelope.seconds == pytest.approx(filmed.seconds, abs=0.01)
    assert asked["strokes"] and not asked["raw"] and asked["track"].events == track.events
    assert row.report.given == ("timing predicted from the own video", "own video")
    monkeypatch.setattr(type(model), "kind_said", lambda _, text: "hit" if text == filmed.text else None)
    kinds = [
        {event.kind for event in timing_of(scraping(model), filmed, "predicted", told)[1].events} for told in (True, False)
    ]
    assert kinds == [{"hit"}, {"scratch"}]
    with pytest.raises(DataError, match="no video file to predict"):
        timing_of(model, records[0], "predicted")
    with pytest.raises(EnvelopeError):
        timing_of(tiny_model(), filmed, "predicted")


def test_a_row_in_its_room_has_the_tone_of_the_reference_under_it(records, tmp_path):
    hiss = (1e-2 * np.random.default_rng(0).standard_normal((2, 88200))).astype(np.float32)
    write_audio(tmp_path / "hiss.flac", Audio(hiss, 44100))
    manifest = write_manifest(tmp_path / "clips.jsonl", [dataclasses.replace(records[0], audio=tmp_path / "hiss.flac")])
    rows = chosen_rows(SILENT_VARIANTS, ["A, listed", "A, listed, room"])
    in_room, dry = (
        benchmark_minihits(tiny_model(), manifest, tmp_path / "out", variants=[row], steps=2, embedder=LogMel())[0]
        for row in sorted(rows, key=lambda row: not row.room)
    )
    assert in_room.report.given == (*dry.report.given, "room tone of the own sound")
    sounds = [read_audio(tmp_path / "out" / row.variant.name / f"{records[0].id}.flac").samples for row in (in_room, dry)]
    assert (sounds[0] - sounds[1]).std() == pytest.approx(1e-2, rel=0.1)


def test_a_text_stands_in_the_place_of_the_sound(records, tmp_path):
    """The projection of sounds reads it, that of texts does not, and no prior guesses a sound beside it."""
    manifest = write_manifest(tmp_path / "clips.jsonl", records[:1])
    row = Variant("T as sound", "T", as_sound=True)

    def made(name: str, change: str = "", use: Variant = row) -> np.ndarray:
        model = tiny_model(prior=True)
        with torch.no_grad():
            model.prior.load_state_dict({key: torch.randn_like(value) for key, value in model.prior.state_dict().items()})
            if change:
                getattr(model.conditioner, change).weight.mul_(-3)
        (found,) = benchmark_minihits(model, manifest, tmp_path / name, variants=[use], steps=2, embedder=LogMel())
        assert found.report.given[1] == ("own text, read as a sound" if use.as_sound else "own text")
        return read_audio(tmp_path / name / use.name / f"{records[0].id}.flac").samples

    whole = made("as it is")
    np.testing.assert_array_equal(made("text", "gram_text"), whole)
    assert np.abs(made("audio", "gram_audio") - whole).max() > 1e-3
    assert np.abs(made("in its own place", use=Variant("T", "T")) - whole).max() > 1e-3
    settings = json.loads((tmp_path / "as it is" / row.name / SETTINGS).read_text())
    assert settings["as_sound"] and settings["raw"]  # nothing is finished that no sound is known of
