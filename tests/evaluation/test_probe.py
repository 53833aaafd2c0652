"""The probe of materials: it learns what can be told apart, is chosen on the validation split, and says what it is."""

import dataclasses

import numpy as np
import pytest
from scipy.special import log_softmax

from foleygram.data.manifest import ClipRecord, read_manifest, write_manifest
from foleygram.errors import DataError, UsageError
from foleygram.evaluation.embedding_cache import CachedEmbedder
from foleygram.evaluation.evaluate import evaluate_folder
from foleygram.evaluation.logmel import LogMel
from foleygram.evaluation.materials import IN_TRUTH, PART_OF_TRUTH, RECOGNISED
from foleygram.evaluation.probe import PENALTIES, fit, listen, train_probe, varied
from foleygram.evaluation.recognition import benchmark_materials
from foleygram.evaluation.trials import write_trial
from foleygram.media.audio import read_audio, write_audio
from tests.evaluation.conftest import material_clips


@pytest.fixture(autouse=True)
def no_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("FOLEYGRAM_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return material_clips(tmp_path_factory.mktemp("data"))


def swapped_results(manifest, folder, records):
    """Results that have the sound of another material for the first clip and the truth for the others."""
    folder.mkdir()
    other = next(record for record in records if record.material != records[0].material)
    for record, heard in zip(records, (other, *records[1:]), strict=True):
        write_audio(folder / f"{record.id}.flac", read_audio(heard.audio))


def test_the_fit_is_the_minimum():
    rng = np.random.default_rng(0)
    vectors, labels = rng.standard_normal((40, 5)), rng.integers(3, size=40)
    weights, bias = fit(vectors, labels, 3, 0.1)

    def loss(weights, bias):
        found = log_softmax(vectors @ weights + bias, axis=1)
        return -found[np.arange(40), labels].mean() + 0.05 * (weights**2).sum()

    best = loss(weights, bias)
    for _ in range(20):
        assert loss(weights + 0.01 * rng.standard_normal(weights.shape), bias + 0.01 * rng.standard_normal(3)) > best


def test_materials_that_can_be_told_apart_are(manifest, tmp_path):
    stages = set()
    probe = train_probe(
        manifest, embedder=LogMel(), cache=tmp_path / "kept", on_progress=lambda stage, done, total: stages.add(stage)
    )
    assert probe.card.materials == ("glass", "wood") and probe.card.clips == 12 and probe.card.families == 6
    assert probe.card.validated == 4 and probe.card.validation == 1.0
    assert "linear probe on log-mel" in probe.card.label and "never to results" in probe.card.sentence
    assert stages == {"listening to the training split", "listening to the validation split"}
    assert len(list((tmp_path / "kept").rglob("*.npy"))) == 16

    class Deaf(LogMel):
        def embed(self, audio):
            raise AssertionError("what was heard once is kept")

    again = train_probe(manifest, embedder=CachedEmbedder(Deaf(), tmp_path / "kept"))
    np.testing.assert_array_equal(again.weights, probe.weights)


def test_families_that_shall_not_be_heard_are_left_out(manifest):
    probe = train_probe(manifest, embedder=LogMel(), unheard=("wood0", "glass2"))
    assert probe.card.families == 4 and probe.card.clips < 12
    with pytest.raises(DataError, match="names 1 materials"):
        train_probe(manifest, embedder=LogMel(), unheard=("wood0", "wood1", "wood2"))


def test_few_clips_are_of_all_materials_and_families(manifest):
    records = read_manifest(manifest, "train")
    few = varied(records, 6)
    assert {record.material for record in few[:2]} == {"glass", "wood"}
    assert len({record.family for record in few}) == 6
    assert varied(list(reversed(records)), 6)[0].family == few[0].family
    assert len(varied(records, 100)) == len(records)


def test_what_a_probe_cannot_be_fitted_to(manifest, tmp_path):
    records = read_manifest(manifest)
    one = write_manifest(manifest.parent / "one.jsonl", [record for record in records if record.material == "wood"])
    with pytest.raises(DataError, match="needs two at least"):
        train_probe(one, embedder=LogMel())
    with pytest.raises(UsageError, match="at least one clip"):
        train_probe(manifest, clips=0, embedder=LogMel())
    bare = write_manifest(manifest.parent / "bare.jsonl", [record for record in records if record.split == "train"])
    probe = train_probe(bare, embedder=LogMel())
    assert probe.card.validated == 0 and "want of a validation split" in probe.card.sentence


def test_the_rows_of_an_evaluation(manifest, tmp_path):
    records = read_manifest(manifest, "test")
    swapped_results(manifest, tmp_path / "results", records)
    plain = evaluate_folder(tmp_path / "results", manifest, split="test", embedder=LogMel())
    assert plain.score(RECOGNISED).value is None and "--" not in plain.score(RECOGNISED).note
    assert "ask for it with materials" in plain.score(RECOGNISED).note
    probe = train_probe(manifest, embedder=LogMel())
    report = evaluate_folder(tmp_path / "results", manifest, split="test", embedder=LogMel(), probe=probe)
    assert report.score(IN_TRUTH).value == 1.0
    assert report.score(RECOGNISED).value == report.score(PART_OF_TRUTH).value == 5 / 6
    assert report.score(RECOGNISED).floor == 0.5 and "linear probe" in report.score(RECOGNISED).judge
    interval = report.score(PART_OF_TRUTH).interval
    assert interval.low < 5 / 6 < interval.high == 1.0
    other = dataclasses.replace(probe, card=dataclasses.replace(probe.card, judge="somebody"))
    with pytest.raises(DataError, match="train the probe with this judge"):
        evaluate_folder(tmp_path / "results", manifest, split="test", embedder=LogMel(), probe=other)


def test_materials_of_truth_and_folders(manifest, tmp_path):
    records = read_manifest(manifest, "test")
    swapped_results(manifest, tmp_path / "ours", records)
    report = benchmark_materials(manifest, [tmp_path / "ours"], embedder=LogMel(), cache=tmp_path / "kept")
    assert report.score(IN_TRUTH).value == 1.0 and report.score(f"ours: {PART_OF_TRUTH}").value == 5 / 6
    assert report.complete and len(report.results) == 12
    text = report.markdown()
    assert "| wood | 2 of 3 | wood 2, glass 1 |" in text and "fitted to 12 true training clips of 6 families" in text
    paths = write_trial(report, tmp_path / "out")
    assert [path.name for path in paths] == ["materials.json", "materials.md"]
    (tmp_path / "ours" / f"{records[1].id}.flac").unlink()
    assert benchmark_materials(manifest, [tmp_path / "ours"], embedder=LogMel()).missing == (f"ours: {records[1].id}",)


def test_clips_without_a_family_are_their_own(tmp_path):
    records = [ClipRecord(f"c{n}", "train", None, tmp_path / "x.wav", "", "wood", "hit", 1.0, ()) for n in range(3)]
    assert len(varied(records, 3)) == 3


def test_the_penalty_is_the_one_that_the_validation_split_likes_best(manifest, monkeypatch):
    for best in (PENALTIES[1], PENALTIES[-2]):

        def fitted(vectors, labels, classes, penalty, best=best):
            weights, bias = fit(vectors, labels, classes, 0.1)
            return (weights if penalty == best else -weights), bias

        monkeypatch.setattr("foleygram.evaluation.probe.fit", fitted)
        probe = train_probe(manifest, embedder=LogMel())
        assert probe.card.penalty == best and probe.card.validation == 1.0


def test_without_validation_the_middle_penalty_is_taken(manifest):
    records = read_manifest(manifest, "train")
    assert train_probe(write_manifest(manifest.parent / "t.jsonl", records), embedder=LogMel()).card.penalty == 0.3


def test_a_sound_is_heard_for_the_length_of_its_clip(manifest):
    heard = []

    class Counting(LogMel):
        def embed(self, audio):
            heard.append(audio.count)
            return super().embed(audio)

    (record, *_) = read_manifest(manifest, "test")
    listen([dataclasses.replace(record, seconds=1.25)], Counting(), "stage", lambda *_: None)
    assert heard == [55125]


@pytest.mark.parametrize("limit", [0, -1])
def test_materials_of_less_than_one_clip_are_refused(tmp_path, limit):
    with pytest.raises(UsageError, match="at least one clip"):
        benchmark_materials(tmp_path / "clips.jsonl", limit=limit)


def test_two_folders_of_one_name_are_refused(tmp_path):
    with pytest.raises(UsageError, match="two folders of results are named AVT"):
        benchmark_materials(tmp_path / "clips.jsonl", [tmp_path / "a" / "AVT", tmp_path / "b" / "AVT"])
