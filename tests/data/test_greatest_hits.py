import json
import shutil

import numpy as np
import pytest

from foleygram.data.greatest_hits import (
    Hit,
    by_hash,
    find_videos,
    plan_chunks,
    prepare_greatest_hits,
    prompt_of,
    read_hits,
    split_videos,
)
from foleygram.data.manifest import read_manifest
from foleygram.errors import DataError, OutputError
from foleygram.media.audio import read_audio, write_audio
from foleygram.media.video import probe, read_frames, write_video

IDS = ("2015-02-16-16-49-06", "2015-03-01-10-00-00-7", "2015-03-01-10-00-00-8")


def hits(*rows):
    return [Hit(seconds, material, action) for seconds, material, action in rows]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([(0, "wood", "hit")], "A person hit once on wood with a wooden stick."),
        ([(0, "wood", "hit"), (1, "wood", "hit")], "A person hit multiple times on wood with a wooden stick."),
        # unknown material or action does not count
        (
            [(0, "wood", "scratch"), (1, "None", "hit"), (2, "wood", "None")],
            "A person scratch once on wood with a wooden stick.",
        ),
        # material and action are chosen each for itself; of equals the earliest
        ([(0, "wood", "hit"), (1, "metal", "scratch")], "A person hit once on wood with a wooden stick."),
        (
            [(0, "dirt", "hit"), (1, "metal", "hit"), (2, "metal", "scratch"), (3, "dirt", "hit"), (4, "metal", "scratch")],
            "A person hit once on metal with a wooden stick.",
        ),
        # the pair need not occur at all
        (
            [(0, "a", "hit"), (1, "a", "hit"), (2, "b", "scratch"), (3, "b", "scratch"), (4, "b", "scratch"), (5, "c", "hit")],
            None,
        ),
    ],
)
def test_prompts(rows, text):
    prompt = prompt_of(hits(*rows))
    if text is None:
        assert (prompt.material, prompt.action) == ("b", "hit") and "multiple times" in prompt.text
    else:
        assert prompt.text == text


def test_no_prompt_without_a_usable_annotation():
    assert prompt_of(hits((0, "None", "None"), (1, "wood", "None"))) is None and prompt_of([]) is None


def test_chunks_are_whole_and_half_open():
    chunks = plan_chunks(hits((0, "wood", "hit"), (9.99, "wood", "hit"), (10, "metal", "hit"), (29.5, "dirt", "hit")), 29.9)
    assert [chunk.number for chunk in chunks] == [0, 1]
    assert [len(chunk.hits) for chunk in chunks] == [2, 1]
    assert chunks[1].hits[0].seconds == 0 and chunks[1].prompt.material == "metal"
    assert len(plan_chunks([], 30.0)) == 3 and plan_chunks([], 9.9) == ()


def test_annotations_are_read_with_their_unknowns(tmp_path):
    path = tmp_path / "x_times.txt"
    path.write_text("2.677438 ceramic hit static\n1.5 None None None\n3 plastic-bag scratch deform\n\n")
    first, second, third = read_hits(path)
    assert (first.seconds, first.material, first.usable) == (1.5, "None", False)
    assert (second.action, third.material) == ("hit", "plastic-bag")
    for wrong in ("abc wood hit", "1.0 wood", "-1 wood hit static", "nan wood hit static"):
        path.write_text(f"0 wood hit static\n{wrong}\n")
        with pytest.raises(DataError, match=":2: not 'seconds"):
            read_hits(path)


def test_paper_split_has_its_counts_and_depends_on_ids_only():
    ids = [f"2015-{number}" for number in range(977)]
    place = split_videos(ids, "paper", None)
    assert place == split_videos(ids[::-1], "paper", None)
    counts = [list(place.values()).count(part) for part in ("train", "validation", "test")]
    assert counts == [732, 49, 196]
    assert by_hash(ids) != sorted(ids)


def write_lists(folder, **lists):
    for name, ids in lists.items():
        (folder / f"{name}.txt").write_text("".join(f"{name_of}\n" for name_of in ids))


def test_official_split_holds_a_twentieth_of_train_out(tmp_path):
    train, test = [f"t{number}" for number in range(40)], ["a", "b"]
    write_lists(tmp_path, train=train, test=test)
    place = split_videos([*train, *test, "unassigned"], "official", tmp_path)
    assert list(place.values()).count("validation") == 2 and list(place.values()).count("train") == 38
    assert place["a"] == "test" and "unassigned" not in place


def test_own_lists_and_their_mistakes(tmp_path):
    write_lists(tmp_path, train=["a"], test=["b"])
    assert split_videos(["a", "b", "c"], tmp_path, None) == {"a": "train", "b": "test"}
    write_lists(tmp_path, validation=["a"])
    with pytest.raises(DataError, match="a is on the lists train and validation"):
        split_videos(["a", "b"], tmp_path, None)
    with pytest.raises(DataError, match="neither official nor paper"):
        split_videos(["a"], tmp_path / "absent", None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, clicks, moving_bar):
    """Three videos: 21 s with its own wav, 11 s with the sound inside, 4 s; a fourth is annotated and has no video."""
    root = tmp_path_factory.mktemp("greatest-hits") / "vis-data"
    root.mkdir()
    for name, seconds in zip(IDS, (21, 11, 4), strict=True):
        sound = clicks(seconds, [1.0, 12.0] if seconds > 12 else [1.0], 48000)
        write_video(root / f"{name}_denoised.mp4", moving_bar(seconds * 6), 6, None if seconds == 21 else sound)
        if seconds == 21:
            write_audio(root / f"{name}_denoised.wav", sound)
    times = {
        IDS[0]: "1.0 wood hit static\n12.0 metal scratch deform\n12.5 None None None\n",
        IDS[1]: "1.0 None None None\n",
        IDS[2]: "1.0 wood hit static\n",
        "2015-09-09-09-09-09": "1.0 wood hit static\n",
    }
    for name, content in times.items():
        (root / f"{name}_times.txt").write_text(content)
    write_lists(root, train=[IDS[0], IDS[2]], test=[IDS[1], "2015-09-09-09-09-09", "2014-not-there"])
    return root.parent


@pytest.fixture(scope="module")
def prepared(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared")
    return out, prepare_greatest_hits(folder, out, "official", short_side=36)


def test_clips_have_sound_picture_prompt_and_onsets(prepared):
    out, report = prepared
    records = read_manifest(report.manifest)
    assert [record.id for record in records] == [f"{IDS[0]}_0", f"{IDS[0]}_1"]
    first, second = records
    assert first.text == "A person hit once on wood with a wooden stick." and first.split == "train"
    assert (second.material, second.action) == ("metal", "scratch")
    assert second.onsets == ((2.0, 1.0), (2.5, 1.0)) and second.family == (IDS[0],)
    sound = read_audio(second.audio, None)
    assert sound.rate == 44100 and sound.samples.shape == (2, 441000)
    loudest = np.abs(sound.mono()).argmax() / 44100
    assert 2.0 <= loudest < 2.05
    info = probe(second.video)
    assert info.seconds == pytest.approx(10) and info.fps == pytest.approx(30) and min(info.width, info.height) == 36
    # the picture is the second 10 s: the grey level goes on rising from where the first clip ended
    early, late = (read_frames(path, times=[5.0]).frames[0, :, -5:, -5:].mean() for path in (first.video, second.video))
    assert late - early == pytest.approx(200 * 60 / 126, abs=4)


def test_what_was_dropped_is_reported_with_its_reason(prepared):
    out, report = prepared
    reasons = {entry.where: entry.reason for entry in report.dropped}
    assert reasons == {
        "2014-not-there": "on a list, but not in the folder",
        "2015-09-09-09-09-09": "its video is not in the folder",
        f"{IDS[1]}_0": "no annotation with both an action and a material",
        IDS[2]: "shorter than 10 s (4.0 s)",
    }
    written = json.loads((out / "report.json").read_text())
    assert written["clips"] == {"train": 2, "validation": 0, "test": 0} and len(written["dropped"]) == 4
    assert written["videos"] == report.videos == 4
    assert (written["source"], written["short_side"]) == ("vis-data", 36)


def test_an_interrupted_run_goes_on_where_it_was(prepared, folder):
    out, report = prepared
    (kept, missing) = (out / "video" / f"{IDS[0]}_{number}.mp4" for number in (0, 1))
    before, content = kept.stat().st_mtime_ns, missing.read_bytes()
    missing.unlink()
    seen = []
    again = prepare_greatest_hits(folder, out, "official", short_side=36, on_video=lambda *place: seen.append(place))
    assert again == report and seen[-1] == (4, 4)
    assert kept.stat().st_mtime_ns == before and missing.read_bytes() == content


def test_a_damaged_video_drops_itself_only(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder / "vis-data", copy)
    (copy / f"{IDS[1]}_denoised.mp4").write_bytes(b"nothing")
    (copy / f"{IDS[1]}_times.txt").write_text("oops\n")
    report = prepare_greatest_hits(copy, tmp_path / "out", "official", short_side=36)
    assert sum(report.clips.values()) == 2
    assert any(entry.where == IDS[1] and "_times.txt:1" in entry.reason for entry in report.dropped)


def test_the_clips_of_another_data_set_are_not_lost(folder, tmp_path):
    (tmp_path / "clips.jsonl").write_text("kept\n")
    with pytest.raises(OutputError, match="another data set"):
        prepare_greatest_hits(folder, tmp_path, "official")
    assert (tmp_path / "clips.jsonl").read_text() == "kept\n"


def test_clips_of_another_size_or_folder_are_not_taken_for_these(prepared, folder, tmp_path):
    out, _ = prepared
    before = (out / "clips.jsonl").read_bytes(), (out / "report.json").read_bytes()
    with pytest.raises(OutputError, match="not of this short_side; choose another --out"):
        prepare_greatest_hits(folder, out, "official", short_side=72)
    other = shutil.copytree(folder / "vis-data", tmp_path / "vis-data-256")
    with pytest.raises(OutputError, match="not of this source and short_side"):
        prepare_greatest_hits(other, out, "official", short_side=72)
    assert before == ((out / "clips.jsonl").read_bytes(), (out / "report.json").read_bytes())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.json").write_text("[")
    with pytest.raises(OutputError, match="not of this source and short_side"):
        prepare_greatest_hits(folder, tmp_path / "out", "official")


def test_a_run_that_stopped_tells_of_what_its_clips_are(folder, tmp_path):
    def stop(*_) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_greatest_hits(folder, tmp_path, "official", 36, stop)
    with pytest.raises(OutputError, match="not of this short_side"):
        prepare_greatest_hits(folder, tmp_path, "official", 72)
    assert prepare_greatest_hits(folder, tmp_path, "official", 36).videos == 4


def test_folders_that_are_none(tmp_path, folder):
    with pytest.raises(DataError, match="no .*_times.txt"):
        find_videos(tmp_path)
    lists = tmp_path / "lists"
    lists.mkdir()
    write_lists(lists, train=["somebody"])
    with pytest.raises(DataError, match="not one clip"):
        prepare_greatest_hits(folder, tmp_path / "out", lists)
