"""Folders of outputs: names of all systems, everything that can be wrong with a file, reports."""

import dataclasses
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from foleygram.cli.evaluate import in_words
from foleygram.data.manifest import read_manifest, write_manifest
from foleygram.errors import DataError, OutputError, UsageError
from foleygram.evaluation import i3d, judge_rows
from foleygram.evaluation import report as reports
from foleygram.evaluation.evaluate import evaluate_folder, load_report, unused
from foleygram.evaluation.ingestion import ingest
from foleygram.evaluation.logmel import LogMel
from foleygram.evaluation.probe import chosen_judge
from foleygram.evaluation.scores import FEW
from foleygram.evaluation.systems import OutputName, recognise, system_named
from foleygram.evaluation.tables import TABLE_1, TABLE_2
from foleygram.hub import evaluators
from foleygram.media.audio import write_audio
from foleygram.media.video import write_video
from foleygram.types import Audio
from tests.evaluation.conftest import burst_clips, write_sounds, write_truth

COUNT = 5


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """A manifest of eight clips, and its sounds."""
    return write_truth(tmp_path_factory.mktemp("truth"), 8)


def put(folder, name: str, audio: Audio) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, audio, subtype="PCM_16")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return write_sounds(tmp_path_factory.mktemp("outputs"), burst_clips(8)[0][:COUNT])


@pytest.fixture(scope="module")
def run(truth, outputs):
    return evaluate_folder(
        outputs, truth, split="test", limit=COUNT, name="ours", embedder=LogMel(), command="foleygram evaluate"
    )


@pytest.mark.parametrize(
    "path, system, expected",
    [
        ("VAS_val/cls_3/video_00012_sample_2.wav", "SpecVQGAN", OutputName("video_00012", sample=2)),
        ("out/abc_x_CFG4.5_CG50_DPM_Solver_25_useDG_True/sample_3_diff.wav", "Diff-Foley", OutputName("abc_x", sample=3)),
        (
            "logs/2sec_full_generated_sound_1/2015-02-16-16-49-06_denoised_12_to_2015-03-01-00-00-01_denoised_3.wav",
            "CondFoleyGen",
            OutputName("2015-02-16-16-49-06_denoised_12", sample=1, prompt="2015-03-01-00-00-01_denoised_3"),
        ),
        ("gh-gen-text/2015-02-16-16-49-06-1_wood.wav", "SyncFusion", OutputName("2015-02-16-16-49-06-1", prompt="wood")),
        ("gh-gen/2015-02-16-16-49-06.wav", "SyncFusion", OutputName("2015-02-16-16-49-06")),
        ("run/audio_prompt/audio/2015-02-16-16-49-06_4.wav", "Video-Foley", OutputName("2015-02-16-16-49-06", 4)),
        ("mine/name_of_video_0_generated_audio.wav", "Video-Foley", OutputName("name_of_video", 0)),
        ("runs/test_00001.flac", "named by clip", OutputName("test_00001")),
        ("runs/test_00001_take2.wav", "named by clip", OutputName("test_00001", sample=2)),
    ],
)  # fmt: skip
def test_names_of_every_system(path, system, expected):
    assert recognise([path]).name == system
    assert system_named(system.lower()).parse(path) == expected


def test_conditions_and_other_files_are_no_outputs():
    assert system_named("SyncFusion").parse("gh-gen/2015-02-16-16-49-06_cond.wav") is None
    assert system_named("FoleyGRAM").parse("settings.json") is None
    with pytest.raises(UsageError, match="there are SpecVQGAN"):
        system_named("WaveNet")


def test_a_clean_run(run):
    assert run.complete and run.exit_code == 0 and run.findings == ()
    assert (run.system, run.span, run.rates, run.channels) == ("named by clip", 2.0, (44100,), (2,))
    assert "nobody said what" in reports.about(run), "names of files do not tell what a system was given"
    assert len(run.clips) == len(run.players) == COUNT
    assert run.score("onset F1 over truth's at 50 ms").value == 1
    assert run.score("onset recall at 100 ms (corrected)").value == 1
    assert dict(run.versions)["foleygram"]


def test_absent_judges_leave_explained_rows(run):
    for name in ("FAD-C", "FAD-LC", "FAD-VGGish", "CLAP score", "FAVD", "AV-Align"):
        score = run.score(name)
        assert score.value is None and score.interval is None
        assert "put it into" in score.note or "ask for it with pictures" in score.note


def test_judges_with_weights_of_another_network_leave_explained_rows(truth, outputs, tmp_path, monkeypatch):
    monkeypatch.setenv("FOLEYGRAM_CACHE", str(tmp_path))
    (tmp_path / "evaluators").mkdir()
    for file in (evaluators.MS_CLAP, evaluators.LAION_CLAP, evaluators.VGGISH):
        torch.save({"fc.weight": torch.ones(2, 2)}, evaluators.evaluator_path(file))
    found = evaluate_folder(outputs, truth, split="test", limit=COUNT, embedder=LogMel())
    assert found.score("FAD").value is not None
    for name in ("FAD-C", "FAD-LC", "FAD-VGGish", "CLAP score"):
        assert found.score(name).value is None and "take the checkpoint of this architecture" in found.score(name).note


def test_every_kind_of_trouble_is_named(truth, tmp_path):
    audios = burst_clips(8)[0]
    folder = tmp_path / "bad"
    put(folder, "clip_0.wav", Audio(np.zeros((2, 88200)), 44100))
    put(folder, "clip_1.wav", Audio(np.sign(audios[1].samples), 44100))
    put(folder, "clip_2.flac", Audio(audios[2].samples[:, :44100], 44100))
    put(folder, "clip_2.wav", audios[2])
    soundfile.write(folder / "clip_3.wav", np.full((88200, 2), np.nan), 44100, subtype="FLOAT")
    (folder / "clip_4.wav").write_bytes(b"RIFF but no sound")
    soundfile.write(folder / "clip_6.wav", np.zeros((0, 2)), 44100)
    put(folder, "clip_5.wav", Audio(audios[5].mono()[None, ::2], 22050))
    put(folder, "clip_5_take1.wav", audios[5])
    put(folder, "stranger.wav", audios[0])
    put(folder, "clip_7.wav", audios[7])
    found = ingest(folder, read_manifest(truth))
    kinds = {(finding.kind, finding.name) for finding in found.findings}
    assert kinds >= {
        ("silent", "clip_0.wav"), ("clipped", "clip_1.wav"), ("wrong length", "clip_2.flac"), ("duplicate", "clip_2.wav"),
        ("not a number", "clip_3.wav"), ("unreadable", "clip_4.wav"), ("extra", "clip_5_take1.wav"), ("extra", "stranger.wav"),
        ("unreadable", "clip_6.wav"), ("mixed rates", "bad"), ("mixed channels", "bad"),
    }  # fmt: skip
    assert found.rates == (22050, 44100) and found.channels == (1, 2)
    lost = {finding.name for finding in found.findings if finding.lost}
    assert lost == {"clip_3.wav", "clip_4.wav", "clip_6.wav"}
    assert [output.record.id for output in found.outputs] == ["clip_0", "clip_1", "clip_2", "clip_5", "clip_7"]
    assert found.span == 2.0
    for output in found.outputs:
        assert found.result(output).seconds == found.truth(output).seconds == 2.0


def test_trouble_shows_in_the_exit_code_and_no_clip_is_dropped(truth, outputs):
    found = evaluate_folder(outputs, truth, embedder=LogMel())
    assert found.exit_code == 1
    assert sum(finding.kind == "missing" for finding in found.findings) == 3
    assert len(found.clips) == COUNT
    assert "3 clips without a score" in reports.about(found)


def test_one_clip_is_scored(truth, tmp_path):
    put(tmp_path / "one", "clip_3.wav", burst_clips(8)[0][3])
    found = evaluate_folder(tmp_path / "one", truth, embedder=LogMel())
    assert found.score("FAD").value is None and "here are 1" in found.score("FAD").note
    assert found.score("onset F1 at 50 ms").value == 1
    assert "clip_3" in reports.html([found])


def test_shorter_outputs_bring_the_truth_to_their_length(truth, tmp_path):
    folder = tmp_path / "short"
    for number, audio in enumerate(burst_clips(8)[0][:4]):
        put(folder, f"clip_{number}.wav", Audio(audio.samples[:, : round(1.2 * 44100)], 44100))
    found = ingest(folder, read_manifest(truth))
    assert found.span == pytest.approx(1.2)
    output = found.outputs[0]
    assert found.truth(output).seconds == pytest.approx(1.2)
    assert all(time < 1.2 for time in found.onsets(output))


def test_a_manifest_tells_files_and_starts(truth, tmp_path):
    audio = burst_clips(8)[0][2]
    put(tmp_path, "a.wav", Audio(audio.samples[:, 44100:], 44100))
    put(tmp_path, "b.wav", Audio(audio.samples[:, :44100], 44100))
    (tmp_path / "manifest.csv").write_text(
        "file,id,start_s,prompt_kind\na.wav,clip_2,1.0,audio\nb.wav,clip_2,0,\nc.wav,clip_1,0,\nb.wav,nobody,0,\n"
    )
    found = ingest(tmp_path, read_manifest(truth))
    assert [(output.file.name, output.start, output.prompt) for output in found.outputs] == [
        ("b.wav", 0, ""),
        ("a.wav", 1, "audio"),
    ]
    for output in found.outputs:
        np.testing.assert_allclose(found.result(output).samples, found.truth(output).samples, atol=1e-4)
    assert {finding.kind for finding in found.findings} == {"unreadable", "extra", "missing"}
    (tmp_path / "manifest.csv").write_text("name\nx\n")
    with pytest.raises(DataError, match="file,id"):
        ingest(tmp_path, read_manifest(truth))
    (tmp_path / "manifest.csv").write_bytes(b"file,id\n\xff\xfe,clip_2\n")
    with pytest.raises(DataError, match="UTF-8"):
        ingest(tmp_path, read_manifest(truth))
    (tmp_path / "manifest.csv").write_text("id,file\nclip_2,b.wav\nclip_1\n")
    assert [(one.kind, one.lost) for one in ingest(tmp_path, read_manifest(truth)).findings][:1] == [("unreadable", True)]
    (tmp_path / "manifest.csv").write_text("file,id,start_s\na.wav,clip_2,soon\n")
    with pytest.raises(DataError, match="manifest.csv:2"):
        ingest(tmp_path, read_manifest(truth))


def test_videos_of_chunks_match_their_first_chunk(truth, tmp_path):
    records = [dataclasses.replace(record, id=f"2015-02-16-16-49-0{n}_0") for n, record in enumerate(read_manifest(truth)[:3])]
    for number, audio in enumerate(burst_clips(8)[0][:3]):
        put(tmp_path / "gh-gen", f"2015-02-16-16-49-0{number}.wav", audio)
    found = ingest(tmp_path / "gh-gen", records)
    assert found.system.name == "SyncFusion" and len(found.outputs) == 3


def test_folders_that_cannot_be_scored(truth, tmp_path):
    with pytest.raises(DataError, match="not a folder"):
        ingest(tmp_path / "nowhere", read_manifest(truth))
    with pytest.raises(DataError, match="holds no sounds"):
        ingest(tmp_path, read_manifest(truth))
    put(tmp_path, "stranger.wav", burst_clips(8)[0][0])
    with pytest.raises(DataError, match="none of its 1 files .*1 extra, 8 missing"):
        ingest(tmp_path, read_manifest(truth))
    with pytest.raises(UsageError, match="at least one clip"):
        evaluate_folder(tmp_path, truth, limit=0, embedder=LogMel())


def test_a_cache_that_cannot_be_kept_is_refused_before_anything_is_embedded(truth, outputs, tmp_path, monkeypatch):
    class Deaf(LogMel):
        def embed(self, audio):
            raise AssertionError("embedded before the cache was looked at")

    (tmp_path / "file").touch()

    def refused(cache, message):
        for work in (
            lambda: evaluate_folder(outputs, truth, cache=cache, embedder=Deaf()),
            lambda: chosen_judge(Deaf(), cache),  # of every probe
        ):
            with pytest.raises(OutputError, match=message) as caught:
                work()
            assert ".npy" not in str(caught.value)

    refused(tmp_path / "file" / "cache", "file/cache: cannot be made a folder")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "closed")  # root may write anywhere
    refused(tmp_path / "closed", "closed: embeddings cannot be kept there")


def test_what_a_system_was_given_is_told_by_who_knows(truth, outputs):
    found = evaluate_folder(outputs, truth, limit=3, given=("silent video", "text"), embedder=LogMel())
    assert found.given == ("silent video", "text") and "given: silent video; text" in reports.about(found)
    assert found.findings == (), "clips beyond the limit are no trouble"
    assert evaluate_folder(outputs, truth, limit=3, system="FoleyGRAM", embedder=LogMel()).given[0].startswith("envelope")


def test_clips_seen_in_training_are_counted(truth, outputs, tmp_path):
    (tmp_path / "seen.txt").write_text("clip_1\nother\n")
    found = evaluate_folder(outputs, truth, limit=COUNT, seen=tmp_path / "seen.txt", embedder=LogMel())
    assert found.seen == ("clip_1",)
    assert "1 of the true clips were in its training data" in reports.about(found)
    with pytest.raises(DataError, match="one id a line"):
        evaluate_folder(outputs, truth, seen=tmp_path / "none.txt", embedder=LogMel())


def test_a_distance_of_few_clips_says_so(run):
    assert "5 clips are few" in reports.markdown([run]) and "5 clips are few" in in_words([run])
    many = dataclasses.replace(run, scores=tuple(dataclasses.replace(score, clips=FEW) for score in run.scores))
    assert "are few" not in reports.html([many]) + in_words([many])
    assert "5 clips are few" in reports.html([many, dataclasses.replace(run, name="fewer")])


def test_another_draw_of_truth_is_long_enough_and_not_scored(truth, outputs):
    records = list(read_manifest(truth))
    records[6] = dataclasses.replace(records[6], seconds=1.0)
    scored = ingest(outputs, records[:3]).outputs
    assert [record.id for record in unused(records, scored, 2.0)] == ["clip_3", "clip_4", "clip_5", "clip_7"]


def test_reports_can_be_read_again_and_stand_side_by_side(run, tmp_path):
    reports.write_report([run], tmp_path / "run.json")
    again = load_report(tmp_path / "run.json")
    assert again.scores == run.scores and again.findings == run.findings and again.versions == run.versions
    own = run.score("FAD")
    draws = tuple(value + 1e6 for value in own.draws)
    higher = dataclasses.replace(own, value=own.value + 1e6, draws=draws)
    worse = dataclasses.replace(run, name="worse", scores=(higher, *run.scores[1:]))
    text = reports.markdown([again, worse])
    assert "| ours | worse |" in text
    assert re.search(r"\| FAD ↓ \|.*\*\*worse\*\*", text)
    assert not re.search(r"\| KAD ↓ \|.*\*\*", text)
    assert "| FAD | worse | +1e+06 [+1e+06, +1e+06] | worse |" in text
    assert "| envelope correlation | worse | +0 [+0, +0] | no difference shown |" in text
    assert "1001" in text and "printed: 0.1418" in text
    assert "foleygram evaluate" in text and "torch" in text


def test_the_page_holds_everything_inside(run, tmp_path):
    path = reports.write_report([run], tmp_path / "run.html")
    page = path.read_text()
    assert page.count("data:audio/flac;base64,") == 2 * reports.PLAYED
    assert page.count("data:image/png;base64,") == reports.PLAYED + len(reports.FIGURES) + 1
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "clip_" in page and "Table II" in page and "<s>0.1418</s>" in page
    with pytest.raises(OutputError, match="exists"):
        reports.write_report([run], path)


def test_worst_middle_and_best_are_played(run):
    shares = (0.5, 0.1, 0.9, 0.3, 0.7)
    ranked = tuple(dataclasses.replace(clip, share=share) for clip, share in zip(run.clips, shares, strict=True))
    ranked = dataclasses.replace(run, clips=ranked)
    assert reports.played([ranked]) == ["clip_1", "clip_0", "clip_2"]
    assert reports.played([ranked] * (reports.MANY + 1)) == ["clip_0"], "a page of many runs can still be mailed"
    assert reports.played([dataclasses.replace(run, clips=())]) == []


def test_what_is_said_of_a_clip_that_is_played(run):
    (clip, *rest), (player, *others) = run.clips, run.players
    scored = tuple(SimpleNamespace(f1=f1) for f1 in (0.25, 0.5, 0.75))  # at 25, 50 and 100 ms
    for share, told in ((0.5, "nearer to its truth than to 50% of the others, "), (np.nan, "")):
        other = dataclasses.replace(run, clips=(dataclasses.replace(clip, share=share, onsets=scored), *rest))
        assert f"<small>{told}onset F1 0.50 at 50 ms</small>" in reports.clip_section([other], clip.id)
    moved = dataclasses.replace(run, players=(dataclasses.replace(player, result="moved.wav"), *others))
    section = reports.clip_section([moved], clip.id)
    assert "cannot be played" in section and "moved.wav" in section


def test_runs_that_are_not_compared_say_why(run):
    short = dataclasses.replace(run, name="short", span=1.0)
    assert "- not compared: " in reports.markdown([run, short]) and "1.00 s of each clip" in reports.markdown([run, short])
    assert "not compared: " not in reports.markdown([run, dataclasses.replace(run, name="again")])


def test_the_name_of_a_report_may_be_in_capitals(run, tmp_path):
    assert reports.write_report([run], tmp_path / "RUN.MD").read_text().startswith("# Evaluation of ours\n")


def test_rounding_noise_is_no_value():
    assert [reports.plain(value) for value in (-3e-12, 1e-9, 0.00012345)] == ["0", "0", "0.0001234"]


@pytest.mark.parametrize("name, count", [("run.txt", 1), ("run.json", 2), ("run.html", 0)])
def test_reports_of_other_kinds_are_refused(run, tmp_path, name, count):
    with pytest.raises(UsageError):
        reports.write_report([run] * count, tmp_path / name)


def test_other_json_is_no_report(tmp_path):
    (tmp_path / "x.json").write_text('{"clips": 3}')
    with pytest.raises(DataError, match="not a report"):
        load_report(tmp_path / "x.json")
    with pytest.raises(DataError, match="cannot be read"):
        load_report(tmp_path / "y.json")


def test_the_papers_misprints_are_marked():
    assert [row.label for row in TABLE_1 if not row.misprinted] == ["FoleyGRAM"]
    assert all(row.printed_favd == row.clap for row in TABLE_1 if row.misprinted)
    assert not any(row.misprinted for row in TABLE_2)
    best = min(TABLE_1, key=lambda row: row.favd)
    assert best.label == "FoleyGRAM"
    assert TABLE_2[0].fad_c == TABLE_1[-1].fad_c and json.dumps(TABLE_2[-1].clap) == "0.1962"


class Eyes:
    """A judge of pictures that sees the mean colour of every 24 frames at 25 frames/s."""

    card = dataclasses.replace(LogMel().card, name="eyes", weights="1" * 64)

    def embed(self, video):
        frames = i3d.at_25_fps(video)
        count = (len(frames) - 1) // i3d.STACK
        return frames[: count * i3d.STACK].reshape(count, i3d.STACK, 3, -1).mean(axis=(1, 3)).astype(np.float32)


class OneWindow(LogMel):
    """One window a clip."""

    def embed(self, audio):
        return super().embed(audio).mean(axis=0, keepdims=True)


def test_judges_that_are_there_fill_their_rows(truth, outputs, tmp_path, monkeypatch):
    records = []
    for number, record in enumerate(read_manifest(truth)[:COUNT]):
        path = tmp_path / f"{record.id}.mp4"
        write_video(path, [np.full((32, 48, 3), 255 if 10 <= k < 14 else 40 * number, np.uint8) for k in range(50)], 25)
        records.append(dataclasses.replace(record, video=path))
    manifest = write_manifest(tmp_path / "clips.jsonl", records)
    monkeypatch.setattr(judge_rows, "PAPER_JUDGES", (("FAD-C", LogMel),))
    monkeypatch.setattr(judge_rows, "I3d", Eyes)
    monkeypatch.setattr(judge_rows, "Vggish", LogMel)
    monkeypatch.setattr(judge_rows, "LaionClap", lambda whole: OneWindow())
    found = evaluate_folder(outputs, manifest, pictures=True, embedder=LogMel())
    assert found.score("FAD-C").value == pytest.approx(0, abs=0.01)
    assert 0 <= found.score("FAD-C / |x|^2").value < 1e-3
    assert found.score("CLAP score").value == pytest.approx(1, abs=1e-6) and found.score("CLAP score").floor < 1
    assert found.score("CLAP retrieval R@1").value == 1
    assert (
        found.score("FAVD").value == pytest.approx(0, abs=0.01) and found.score("FAVD").judge == "eyes #11111111 + log-mel 64"
    )
    assert found.score("FAVD, picture alone").value == pytest.approx(0, abs=1e-6)
    assert 0 <= found.score("AV-Align").value <= 1


def test_each_note_of_the_paper_is_found_by_its_mark():
    lines = reports.paper_markdown("Table I", TABLE_1)
    assert any("SyncFusion, text†" in line and "\\*" in line for line in lines)
    assert [line[:2] for line in lines[-3:-1]] == ["\\*", "† "] and "swap the labels" in lines[-2]
    assert not any("†" in line or "*" in line for line in reports.paper_markdown("Table II", TABLE_2))
