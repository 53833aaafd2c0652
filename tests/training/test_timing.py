"""The timing stage: targets, crops, one step, the way through the recipe."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import TIMING

from foleygram.data.manifest import ClipRecord
from foleygram.data.scenes import Event, Scene
from foleygram.errors import DataError, ModelError
from foleygram.media.audio import write_audio
from foleygram.timing.network import Curves
from foleygram.timing.predictor import EnvelopePredictor
from foleygram.training import timing
from foleygram.training.loop import LoopConfig, run
from foleygram.training.timing import (
    TimedClip,
    TimingCrops,
    TimingStage,
    TimingTraining,
    clip_motion,
    clip_targets,
    load_clips,
    mean_targets,
    save,
)
from foleygram.types import Audio

CONFIG = TIMING


def scene(number: int) -> Scene:
    events = tuple(
        Event(time, 0.8, action, duration, 0.5, 0.5, 0.6 if duration else 0.5, 0.5, "modal:metal:1", 0.5, 1.0)
        for time, action, duration in ((0.5, "hit", 0.0), (1.2, "scratch", 0.3))
    )
    return Scene(
        f"clip{number}", "train", number + 1, 2.0, 25.0, 64, 48, "metal", "hit", "stick", "a person hits metal",
        "procedural:metal:7", 1.0, 0.2, 0, 0.0, events,
    )  # fmt: skip


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Three clips with a sound and a scene each: records, scenes, folder."""
    pytest.importorskip("cv2")
    from conftest import click_sound

    folder = tmp_path_factory.mktemp("clips")
    scenes = {f"clip{number}": scene(number) for number in range(3)}
    records = []
    for name in scenes:
        write_audio(folder / f"{name}.wav", click_sound(2.0, [0.5, 1.2]))
        records.append(
            ClipRecord(name, "train", None, folder / f"{name}.wav", "", "metal", "hit", 2.0, ((0.5, 1.0), (1.2, 0.5)))
        )
    return records, scenes, folder


@pytest.fixture(scope="module")
def loaded(clips):
    records, scenes, folder = clips
    return load_clips(records, scenes, None, folder / "cache", 0, CONFIG)


def test_targets(clips):
    records, scenes, _ = clips
    events, level = clip_targets(records[0], scenes["clip0"], CONFIG.rate)
    assert events[:, 0] == pytest.approx([0.5, 1.2]) and events[:, 2].tolist() == [0, 1]
    assert (events[:, 1] <= 0).all() and events[:, 1].max() > -3
    assert level.max() <= 1 and level.argmax() / CONFIG.rate == pytest.approx(0.5, abs=0.75)
    events, _ = clip_targets(records[0], None, CONFIG.rate)
    assert events[:, 2].tolist() == [0, 0]


@pytest.fixture
def blind(monkeypatch):
    """Nothing can be filmed."""

    def refuse(record, *_):
        raise DataError(f"{record.id} is filmed again")

    monkeypatch.setattr(timing, "clip_motion", refuse)


def test_loading_again_reads_the_cache(clips, loaded, blind):
    records, scenes, folder = clips
    again = load_clips(records, scenes, None, folder / "cache", 0, CONFIG)
    assert (again[1].motion == loaded[1].motion).all() and (again[2].level == loaded[2].level).all()
    assert loaded[0].motion.shape[1:] == (2, 24, 32) and loaded[0].motion.dtype == np.int8
    assert loaded[0].track().times == pytest.approx([0.5, 1.2])


def test_films_of_another_kind_are_made_anew(clips, loaded, blind, monkeypatch):
    records, scenes, folder = clips
    monkeypatch.setattr(timing, "FILMS", timing.FILMS + 1)
    with pytest.raises(DataError, match="clip0 is filmed again"):  # those that are kept are not taken
        load_clips(records, scenes, None, folder / "cache", 0, CONFIG)


def test_another_clip_of_the_same_name_is_filmed(clips, loaded, blind, tiny_video):
    """Neither its motion nor its events are those of the first."""
    records, scenes, folder = clips
    other = scenes | {"clip1": replace(scenes["clip1"], seed=99)}
    with pytest.raises(DataError, match="clip1 is filmed again"):
        load_clips(records, other, None, folder / "cache", 0, CONFIG)
    seen = [replace(record, video=tiny_video) for record in records]
    with pytest.raises(DataError, match="clip0 is filmed again"):
        load_clips(seen, {}, None, folder / "cache", 0, CONFIG)


def test_events_are_those_of_the_clips_as_they_are(clips, loaded, tmp_path):
    """The same names, lengths and onsets, but another sound, and scenes whose second event is a hit."""
    from conftest import click_sound

    records, scenes, folder = clips
    other = []
    for record in records:
        write_audio(tmp_path / record.audio.name, click_sound(2.0, [0.5, 1.5]))
        other.append(replace(record, audio=tmp_path / record.audio.name))
        assert (tmp_path / record.audio.name).stat().st_size == record.audio.stat().st_size
    heard = load_clips(other, scenes, None, folder / "cache", 0, CONFIG)
    assert heard[0].events[1, 1] < loaded[0].events[1, 1] - 20 and (heard[0].motion == loaded[0].motion).all()
    hits = {
        name: replace(scene, events=tuple(replace(event, action="hit") for event in scene.events))
        for name, scene in scenes.items()
    }
    assert loaded[0].events[1, 2] == 1
    assert load_clips(records[:1], hits, None, folder / "cache", 0, CONFIG)[0].events[1, 2] == 0


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    from foleygram.errors import OutputError

    path = tmp_path / "new" / "clip.npy"
    save(path, np.arange(3))
    for error, raised in ((OSError(28, "No space left on device"), OutputError), (KeyboardInterrupt(), KeyboardInterrupt)):

        def fail(place, array, error=error):
            Path(place).write_bytes(b"half")
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(timing.np, "save", fail)
            with pytest.raises(raised):
                save(path, np.arange(4))
    assert [file.name for file in path.parent.iterdir()] == ["clip.npy"] and np.load(path).tolist() == [0, 1, 2]


def test_a_scene_is_filmed_anew_although_there_is_a_video_of_it(clips, loaded, tiny_video):
    """The data set's own videos are the benchmark's films, which are clean and all played alike."""
    records, scenes, folder = clips
    seen = [replace(record, video=tiny_video) for record in records]
    again = load_clips(seen, scenes, None, folder / "cache", 0, CONFIG)
    assert all((first.motion == other.motion).all() for first, other in zip(again, loaded, strict=True))
    filmed = list(clip_motion(seen[0], scenes["clip0"], None, 0, CONFIG.motion))
    shown = list(clip_motion(seen[0], None, None, 0, CONFIG.motion))
    assert [motion.time for motion in filmed] == loaded[0].times.tolist() != [motion.time for motion in shown]


def test_neither_video_nor_scene(clips):
    with pytest.raises(DataError, match="no scene"):
        list(clip_motion(clips[0][0], None, None, 0, CONFIG.motion))


def test_crops_are_pure_and_whole(loaded):
    crops = TimingCrops(loaded, 0, 16, CONFIG.rate)
    for step in range(30):
        motion, times, classes, events = crops.crop(step, 1)
        assert motion.shape == (16, 2, 24, 32) and motion.dtype == np.int8
        assert len(times) == 16 and (np.diff(times) > 0).all() and times[0] == 0
        assert classes.shape == (crops.steps,) and classes.min() >= -1 and (classes >= 0).any()
        assert events.shape == (48, 3) and math.isfinite(events.sum())
    for first, second in zip(crops.crop(3, 1), crops.crop(3, 1), strict=True):
        assert (first == second).all()


@pytest.mark.parametrize(("share", "rate", "spacing"), [(1.0, 30.0, 2), (0.0, 30.0, 1), (1.0, 15.0, 1)])
def test_crops_with_half_of_the_frames_show_events_where_they_are(monkeypatch, share, rate, spacing):
    """Only films with frames to spare lose some, and a crop has its number of frames then, too."""
    monkeypatch.setattr(timing, "THINNED", share)
    monkeypatch.setattr(timing, "seen_anew", lambda draw, motion: motion)
    maps = np.zeros((90, 2, 4, 6), np.int8)
    shown = np.array([11, 32, 47, 60, 81])  # frames
    maps[shown, 0] = 50
    times = np.arange(90) / rate
    events = np.stack([times[shown], np.zeros(5), np.zeros(5)], axis=1).astype(np.float32)
    crops = TimingCrops([TimedClip(maps, times, events, np.zeros(900, np.float32))], 0, 16, CONFIG.rate)
    seen = 0
    for row in range(20):
        motion, when, marks, grid, _ = crops.stretch(np.random.default_rng(row), 16, 1.1)
        np.testing.assert_allclose(np.diff(when), spacing / rate / 1.1)
        assert len(motion) == 16 and when[-1] < grid[-1] < crops.steps / CONFIG.rate
        moved = np.flatnonzero(motion[1:, 0].any(axis=(1, 2))) + 1
        for frame in moved:
            assert -1e-6 < (when[frame] - marks[:, 0]).min(initial=9, where=when[frame] > marks[:, 0] - 1e-6) < 0.99 * when[1]
        seen += len(moved)
    assert seen > 10


def test_stage_learns_resumes_and_exports(loaded, tmp_path, monkeypatch):
    monkeypatch.setattr("foleygram.training.curve.draw_curve", lambda *_: None)  # slower than all the steps
    pytest.importorskip("accelerate")
    training = TimingTraining(
        frames=16, loop=LoopConfig(steps=6, batch=4, learning_rate=3e-3, log_every=2, validate_every=6, precision="fp32")
    )

    def stage() -> TimingStage:
        torch.manual_seed(0)
        model = EnvelopePredictor(CONFIG)
        model.network.initialise()
        return TimingStage(model, training, loaded, loaded[:1], 0, tmp_path)

    first = stage()
    before = first.forward(*first.batch(0, range(4), 4))[0].item()
    assert math.isfinite(before)
    run(first, training.loop, tmp_path / "log", stop_after=3)
    second = stage()
    result = run(second, training.loop, tmp_path / "log")
    after = second.forward(*second.batch(0, range(4), 4))[0].item()  # of the same batch, since films differ much
    assert result.finished and after < before
    straight = stage()
    run(straight, training.loop, tmp_path / "straight")
    for one, other in zip(second.parameters(), straight.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    assert (tmp_path / "timing.safetensors").exists()


def test_validation_runs_where_the_model_is(loaded, tmp_path, elsewhere):
    model = EnvelopePredictor(CONFIG)
    stage = TimingStage(model, TimingTraining(frames=16), loaded, loaded[:1], 0, tmp_path).to(elsewhere)
    with torch.no_grad():
        assert len(stage.validate()) == len(stage.validation)


def test_start_from_another_model(tmp_path):
    """``timing.start`` takes the weights of a model's predictor, and says what is wrong where it cannot."""
    from tiny import tiny_model

    from foleygram.training.stages import start_of_timing

    torch.manual_seed(0)
    model, other = EnvelopePredictor(CONFIG), tiny_model(timing=True)
    tiny_model().save(tmp_path / "without")
    with pytest.raises(ModelError, match="no timing predictor"):
        start_of_timing(model, str(tmp_path / "without"))
    other.save(tmp_path / "with")
    start_of_timing(model, str(tmp_path / "with"))
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, other.timing.state_dict()[name].float(), rtol=2e-3, atol=1e-4)
    with pytest.raises(ModelError, match="this timing predictor"):
        start_of_timing(EnvelopePredictor(CONFIG.replace(width=CONFIG.width * 2)), str(tmp_path / "with"))


def random_predictor(seed: int) -> EnvelopePredictor:
    torch.manual_seed(seed)
    model = EnvelopePredictor(CONFIG)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def test_who_is_taught_by_itself_has_nothing_to_learn(loaded, tmp_path):
    """Every loss is least where the curves are the teacher's; by another one there is something to learn."""

    def pull(model: EnvelopePredictor, teacher: EnvelopePredictor) -> float:
        stage = TimingStage(model, TimingTraining(frames=16), loaded, loaded[:1], 0, tmp_path, [teacher])
        assert [name for name, _ in stage.named_parameters() if not name.startswith("model.")] == []  # it is not trained
        loss = stage.forward(*stage.batch(0, range(4), 4))[0]
        return max(float(part.abs().max()) for part in torch.autograd.grad(loss, list(model.parameters()), allow_unused=True))

    model, same = random_predictor(0), random_predictor(0)
    assert pull(model, same) < 1e-4 < 1e-2 < pull(model, random_predictor(1))


def test_of_several_teachers_the_mean_is_learned(loaded, tmp_path):
    """Of an onset those say more that are surer of it."""
    low, high = (
        Curves(torch.zeros(1, 2, 64), torch.full((1, 2), onset), *(torch.full((1, 2), value) for _ in range(3)))
        for onset, value in ((-20.0, -3.0), (2.0, 1.0))
    )
    high.level[..., 5] = 2.0
    wanted = mean_targets([low, high])
    sure = torch.tensor(2.0).sigmoid()
    torch.testing.assert_close(wanted.onset, (sure / 2).expand(1, 2))
    torch.testing.assert_close(wanted.near, wanted.onset)
    for value, expected in ((wanted.offset, 1.0), (wanted.strength, 1.0), (wanted.kind, torch.tensor(1.0).sigmoid())):
        torch.testing.assert_close(value, torch.as_tensor(expected).expand(1, 2))
    torch.testing.assert_close(wanted.level, (low.level.softmax(-1) + high.level.softmax(-1)) / 2)


def test_teachers_are_predictors_that_look_at_films_in_the_same_way(tmp_path):
    from tiny import tiny_model

    from foleygram.training.stages import teachers_of_timing

    tiny_model().save(tmp_path / "without")
    tiny_model(timing=True).save(tmp_path / "with")
    with pytest.raises(ModelError, match="timing.teachers .*no timing predictor"):
        teachers_of_timing(random_predictor(0), [str(tmp_path / "with"), str(tmp_path / "without")])
    (teacher,) = teachers_of_timing(random_predictor(0), [str(tmp_path / "with")])
    assert teacher.config == CONFIG
    with pytest.raises(ModelError, match="a rate of its own"):
        teachers_of_timing(EnvelopePredictor(CONFIG.replace(rate=CONFIG.rate / 2)), [str(tmp_path / "with")])


def test_films_of_one_seed_are_one_film(clips):
    """Every film of a scene is one of many, and the same one again for the same seed."""
    from foleygram.training.filming import film, shutter

    _, scenes, _ = clips
    first, again = (list(film(scenes["clip0"], None, 4, 31.0)) for _ in range(2))
    assert [time for time, _ in first] == [time for time, _ in again]
    assert all((one == other).all() for (_, one), (_, other) in zip(first, again, strict=True))
    rng = np.random.default_rng(0)
    drawn = [shutter(15.0, rng) for _ in range(200)]
    long = [pair for pair in drawn if pair[0] is not None]
    assert 80 < len(long) < 160 and all(0.3 / 15 <= exposure <= 1 / 15 and abs(late) <= exposure / 2 for exposure, late in long)
    assert all(late == 0 for exposure, late in drawn if exposure is None) and shutter(60.0, rng) == (None, 0.0)


def test_some_films_are_as_the_benchmark_has_them(monkeypatch):
    pytest.importorskip("cv2")
    from itertools import islice

    from foleygram.data.render import render_frames
    from foleygram.training import filming

    one = scene(0)
    usual = [frame.transpose(2, 0, 1) for frame in islice(render_frames(one, None), 2)]

    def is_usual(seed: int) -> bool:
        film = list(islice(filming.film(one, None, seed, 31.0), 2))
        same = all(np.array_equal(seen, frame) for (_, seen), frame in zip(film, usual, strict=True))
        return same and [time for time, _ in film] == [0, 1 / one.fps]

    seeds = [seed for seed in range(14, 26) if is_usual(seed)]
    assert 1 <= len(seeds) <= 6
    assert len(list(filming.film(one, None, seeds[0], 31.0))) == len(list(render_frames(one, None)))
    monkeypatch.setattr(filming, "USUAL", 0.0)
    assert not any(map(is_usual, seeds))


@pytest.mark.parametrize("named", [True, False], ids=["in the recipe", "not in the recipe"])
def test_verb(clips, tmp_path, monkeypatch, named):
    """``train timing`` from a recipe file to a predictor in the model of the run, which later stages leave there."""
    import json

    import yaml

    pytest.importorskip("accelerate")
    from dataclasses import asdict

    from tiny import CONFIG as TINY
    from tiny import tiny_model

    from foleygram.data.manifest import write_manifest
    from foleygram.pipeline import FoleyGRAM
    from foleygram.training import stages
    from foleygram.training.recipe import read_recipe
    from foleygram.training.train import train
    from foleygram.training.workshop import Workshop

    monkeypatch.setattr("foleygram.training.curve.draw_curve", lambda *_: None)
    monkeypatch.setattr(stages, "TimingConfig", lambda: CONFIG)  # the default is not tiny
    records, scenes, folder = clips
    split = [replace(record, split="validation" if record.id == "clip2" else "train") for record in records]
    data = write_manifest(folder / "clips.jsonl", split)
    Path(folder / "scenes.jsonl").write_text("".join(json.dumps(asdict(scene)) + "\n" for scene in scenes.values()))
    recipe = {
        "model": {**TINY.model_dump(mode="json"), "timing": CONFIG.model_dump(mode="json") if named else None},
        "timing": {"frames": 16, "loop": {"steps": 1, "batch": 2, "precision": "fp32"}},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    run_folder = tmp_path / "run"
    tiny_model().save(run_folder)  # what the other stages made
    content = read_recipe(tmp_path / "recipe.yaml")
    Workshop(content, data, run_folder)
    assert FoleyGRAM.load(run_folder, "cpu", "fp32").timing is None  # a model before the predictor is trained
    report = train("timing", tmp_path / "recipe.yaml", data, run_folder)
    assert report.steps == 1
    Workshop(content, data, run_folder)
    assert FoleyGRAM.load(run_folder, "cpu", "fp32").config.timing == CONFIG
    tiny_model().save(tmp_path / "without")
    monkeypatch.setattr(stages, "load_clips", None)  # who cannot teach is told before an hour of filming
    with pytest.raises(ModelError, match="timing.teachers"):
        changes = [f"timing.teachers=[{tmp_path / 'without'}]"]
        train("timing", tmp_path / "recipe.yaml", data, tmp_path / "other", changes=changes)


@pytest.mark.parametrize("rate", [100.0, 37.5])
def test_levels_lie_where_they_are_at_any_rate(tmp_path, rate):
    sound = np.zeros((1, 10 * 44100), np.float32)
    sound[0, 9 * 44100 : 9 * 44100 + 2000] = 0.5
    write_audio(tmp_path / "late.wav", Audio(sound, 44100))
    record = ClipRecord("late", "train", None, tmp_path / "late.wav", "", "metal", "hit", 10.0, ((9.0, 1.0),))
    level = clip_targets(record, None, rate)[1]
    assert len(level) == pytest.approx(10 * rate, abs=2)
    assert level.argmax() / rate == pytest.approx(9.02, abs=0.05)


def test_a_clip_of_one_frame_is_never_cut(loaded):
    still = [replace(loaded[0], motion=loaded[0].motion[:1], times=loaded[0].times[:1])]
    for step in range(60):  # an eighth of the crops are cut to another clip
        motion = TimingCrops(still, 0, 16, CONFIG.rate).crop(step, 0)[0]
        assert len(motion) == 16 and not motion[1:].any()  # filled up
