"""Free text and reference sounds as trials of a tiny random model: what they make, keep, count and say."""

import json
from pathlib import Path

import numpy as np
import pytest

from foleygram.cli import main
from foleygram.data.manifest import ClipRecord, read_manifest, write_manifest
from foleygram.data.vocabulary import OBJECTS
from foleygram.errors import DataError, OutputError, UsageError
from foleygram.evaluation import evaluate, probe
from foleygram.evaluation.free_text import FRESH, NAMED, against_truths, benchmark_prompts, named_scores, swapped
from foleygram.evaluation.logmel import LogMel
from foleygram.evaluation.materials import IN_TRUTH, RECOGNISED, Heard
from foleygram.evaluation.probe import ProbeCard
from foleygram.evaluation.prompts import PROMPTS, Prompt
from foleygram.evaluation.reference import NEARER, benchmark_reference, guides_of, rank, unheard
from foleygram.evaluation.trials import write_trial
from foleygram.media.audio import read_audio
from foleygram.types import Clip
from tests.evaluation.conftest import material_clips
from tests.finish.test_memory import remembering
from tests.tiny import tiny_model

TWO = tuple(prompt for prompt in PROMPTS if prompt.materials in (("wood",), ("glass",)))


@pytest.fixture(autouse=True)
def no_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("FOLEYGRAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(evaluate, "Aisfx", LogMel)
    monkeypatch.setattr(probe, "Aisfx", LogMel)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return material_clips(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def test_prompts_are_sounded_once_and_judged(manifest, model, tmp_path):
    stages = []
    run = lambda **more: benchmark_prompts(  # noqa: E731
        model, manifest, tmp_path / "out", prompts=TWO, limit=3, seconds=2.0, steps=2,
        on_progress=lambda stage, done, total: stages.append(stage), **more,
    )  # fmt: skip
    report = run()
    free = [each for each in report.results if each.group == "prompts"]
    assert [each.name for each in free] == [
        "knocking on an oak door",
        "clinking a crystal goblet",
        "a mallet thuds against a pine crate",
    ]
    assert [each.materials for each in report.results if each.group == "trained words"] == [("wood",), ("glass",)]
    assert report.score(f"{RECOGNISED}, free text").value == np.mean([each.right for each in free])
    assert report.score(f"{RECOGNISED}, free text").floor == 0.5 and report.score(IN_TRUTH).value == 1.0
    assert all(0 <= each.share <= 1 for each in report.results)
    sounds = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "prompts").glob("*.flac")}
    assert "knocking-on-an-oak-door.flac" in sounds and len(sounds) == 5
    assert read_audio(tmp_path / "out" / "prompts" / "knocking-on-an-oak-door.flac").seconds == 2.0
    assert {"generating prompts", "listening to the training split"} <= set(stages)
    assert run().results == report.results
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "prompts").glob("*.flac")} == sounds
    with pytest.raises(DataError, match="other settings"):
        run(guidance=1.0)
    with pytest.raises(UsageError, match="at least one prompt"):
        benchmark_prompts(model, manifest, tmp_path / "new", limit=0)
    paths = write_trial(report, tmp_path / "out")
    content, text = json.loads(paths[0].read_text()), paths[1].read_text()
    assert content["scores"][0]["name"] == "material recognised, free text" and len(content["results"]) == 11
    assert (
        "| knocking on an oak door | wood |" in text and "### Trained words" in text and "words of no training caption" in text
    )
    with pytest.raises(OutputError, match="exists already"):
        write_trial(report, tmp_path / "out")


@pytest.mark.parametrize(("families", "asked"), [(("wood0", "glass1"), True), (("wood0", "wood1", "wood2"), False)])
def test_what_a_model_remembers_is_judged_by_a_probe_that_never_heard_it_too(manifest, tmp_path, families, asked):
    model = remembering()
    model.config = model.config.replace(
        memory=model.config.memory.replace(families=families, kinds=("wood, hit", "glass, hit"))
    )
    report = benchmark_prompts(model, manifest, tmp_path / "out", prompts=TWO, limit=2, seconds=1.0, steps=1)
    names = [score.name for score in report.scores]
    assert (f"{RECOGNISED}, free text, {FRESH}" in names) == (f"{IN_TRUTH}, {FRESH}" in names) == asked
    if asked:
        assert "4 families" in report.score(f"{RECOGNISED}, free text, {FRESH}").note
    named = report.score(NAMED)
    near = [
        model.memory.nearest(model.embed(Clip(text=text))) for text in ("knocking on an oak door", "clinking a crystal goblet")
    ]
    assert named.value == np.mean([near[0] == 0, near[1] == 1]) and named.clips == 2
    silent = benchmark_prompts(model, manifest, tmp_path / "off", prompts=TWO, limit=2, seconds=1.0, steps=1, strokes=False)
    assert not any(FRESH in score.name for score in silent.scores)


def test_prompts_that_name_what_the_vocabulary_teaches_are_told_apart():
    model = remembering()
    model.config = model.config.replace(memory=model.config.memory.replace(kinds=("wood, hit", "glass, hit")))
    taught = Prompt.of(f"tapping {OBJECTS['glass'][0]}", "glass", "hit", "")
    both, known, other = named_scores(model, (*TWO[:2], taught), 0)
    assert (both.clips, known.clips, other.clips) == (3, 1, 2)
    assert both.value == pytest.approx((known.value + 2 * other.value) / 3)
    assert known.value == float(model.memory.nearest(model.embed(Clip(text=taught.text))) == 1)
    assert [score.name for score in named_scores(model, TWO[:2], 0)] == [NAMED]


def test_results_handed_to_other_prompts():
    sounds = [
        Heard(str(place), (right,), said, 0.5) for place, (right, said) in enumerate([("a", "a"), ("b", "a"), ("b", "b")])
    ]
    assert swapped(sounds) == pytest.approx(((1 + 0) + (0 + 1) + (0 + 0)) / 6)
    assert swapped(sounds[:1]) is None


def test_free_text_as_a_part_of_what_true_sounds_get():
    card = ProbeCard("judge", ("a", "b"), 1, 1, 1.0, 1.0, 1)
    truths = [Heard("t", ("a",), said, 0.5) for said in "aaab"] + [Heard("t", ("b",), said, 0.5) for said in "bbaa"]
    free = [Heard("p", ("a",), "a", 0.5), Heard("q", ("a", "b"), "b", 0.5), Heard("r", ("b",), "a", 0.5)]
    score = against_truths(free, truths, card, 0)
    assert (
        score.value == pytest.approx((2 / 3) / ((0.75 + 0.75 + 0.5) / 3))
        and score.interval.low < score.value < score.interval.high
    )
    assert against_truths(free, [], card, 0).value is None


def clip(id, split="test", material="wood", action="hit", family=("f",)):
    return ClipRecord(id, split, None, Path("x.wav"), "", material, action, 1.0, (), family=family)


def test_references_never_trained_and_get_the_timing_of_strangers():
    records = [
        clip("a", "train", family=("f", "g")),
        clip("b", family=("g", "h")),
        clip("c", family=("h",)),
        clip("d", family=()),
    ]
    assert [record.id for record in unheard(records, "test")] == ["c", "d"]
    test = [
        clip("a", family=("1",)), clip("b", family=("1", "2")), clip("c", family=("3",)),
        clip("d", material="glass", family=("4",)), clip("e", material="glass", action="step", family=("5",)),
    ]  # fmt: skip
    for seed in range(5):
        guides = [test[place].id for place in guides_of(test, seed)]
        assert guides[:3] == ["d", "d", "d"], "the same action and another material, where there is one"
        assert guides[3] in "abc" and guides[4] in "abcd"
    with pytest.raises(DataError, match="every other clip is of its family"):
        guides_of(test[:2], 0)


def test_ranks_among_other_families():
    records = [
        clip("a", family=("1",)),
        clip("b", family=("1",)),
        clip("c", family=("2",)),
        clip("d", material="glass", family=("3",)),
    ]
    truths = np.eye(4)
    truths[1] = [0.9, 0.1, 0, 0]
    results = np.array([[1, 0, 0.5, 0.0], [0, 0, 0.1, 1]])  # of a and of c
    scores, found = rank(records, [0, 2], [3, 3, 3, 0], results, truths, "judge", 0)
    named = {score.name: score for score in scores}
    assert [each.share for each in found] == [1.0, 2 / 3] and [each.alike for each in found] == [1.0, 1.0]
    assert named[NEARER].value == pytest.approx(5 / 6) and named[NEARER].clips == 2
    assert named[f"{NEARER}, another true clip"].value == 1.0 and named[f"{NEARER}, another true clip"].clips == 1
    assert named[f"{NEARER} than to the guide's sound"].value == 0.5
    assert named[f"{NEARER}, shuffled"].value < named[NEARER].value


def test_references_are_sounded_once_and_ranked(manifest, model, tmp_path):
    run = lambda **more: benchmark_reference(model, manifest, tmp_path / "out", limit=3, steps=2, **more)  # noqa: E731
    report = run()
    assert len(report.results) == 3 and {each.material for each in report.results} == {"wood", "glass"}
    for each in report.results:
        assert each.guide.startswith("glass" if each.material == "wood" else "wood") and 0 <= each.share <= 1
        assert (tmp_path / "out" / "reference" / f"{each.id}.flac").is_file()
    assert report.score(NEARER).clips == 3 and report.score(f"{NEARER}, another true clip").value is None
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "reference").iterdir()}
    assert run().results == report.results
    assert {path: path.stat().st_mtime_ns for path in times if path.suffix == ".flac"}.items() <= times.items()
    with pytest.raises(DataError, match="other settings"):
        run(seed=1)
    with pytest.raises(UsageError, match="at least one reference"):
        benchmark_reference(model, manifest, tmp_path / "new", limit=0)
    train = [record for record in read_manifest(manifest) if record.split == "train"]
    with pytest.raises(DataError, match="three at least"):
        benchmark_reference(model, write_manifest(manifest.parent / "train.jsonl", train), tmp_path / "new")


def test_from_the_command_line(manifest, tmp_path, capsys):
    def foleygram(*arguments):
        return main([str(argument) for argument in arguments]), *capsys.readouterr()

    folder, out = tiny_model().save(tmp_path / "model"), tmp_path / "scores"
    common = ("--model", folder, "--steps", 2, "-o", out)
    code, text, err = foleygram("benchmark", "prompts", manifest, *common, "--limit", 1)
    assert (code, err) == (0, "") and "## Free text" in text and (out / "prompts.md").is_file()
    code, text, err = foleygram("benchmark", "prompts", manifest, *common, "--limit", 1)
    assert code == 1 and "exists already" in err and not text
    code, text, err = foleygram("benchmark", "reference", manifest, *common, "--limit", 2, "--json")
    assert (code, err) == (0, "") and len(json.loads(text)["results"]) == 2 and (out / "reference.json").is_file()
    code, text, err = foleygram("benchmark", "materials", manifest, out / "reference", "-o", out)
    assert code == 1 and "reference: material recognised, part of the truth's" in text and "### Missing" in text
    line = ("benchmark", "minihits", manifest, "-o", out, "--model", folder, "--steps", 2, "--row", "A", "--limit", 3)
    assert foleygram(*line, "--materials")[0] == 0
    row = json.loads((out / "A" / "report.json").read_text())
    assert next(score for score in row["scores"] if score["name"] == IN_TRUTH)["value"] == 1.0
    code, text, err = foleygram("evaluate", out / "A", "--truth", manifest, "--split", "test", "--limit", 3, "--materials")
    assert (code, err) == (0, "") and "material recognised in the truth" in text
