"""Two runs on the same clips, set against each other."""

import dataclasses

import numpy as np
import pytest

from foleygram.errors import DataError
from foleygram.evaluation.bootstrap import frechet_draws
from foleygram.evaluation.comparison import compare, differences, incomparable
from foleygram.evaluation.evaluate import evaluate_folder, load_report
from foleygram.evaluation.logmel import LogMel
from foleygram.evaluation.report import write_report
from foleygram.types import Audio
from tests.evaluation.conftest import burst_clips, write_sounds, write_truth

CLIPS = 6


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The truth itself, and the truth 80 ms late, swapped in pairs."""
    folder = tmp_path_factory.mktemp("runs")
    manifest = write_truth(folder / "truth", CLIPS)
    audios = burst_clips(CLIPS)[0]
    late = [Audio(np.roll(audios[number ^ 1].samples, round(0.08 * 44100), axis=1), 44100) for number in range(CLIPS)]
    results = write_sounds(folder / "copy", audios), write_sounds(folder / "late", late)
    return [evaluate_folder(result, manifest, embedder=LogMel()) for result in results]


def by_name(found):
    return {difference.score: difference for difference in found}


def test_a_worse_run_is_found_out(runs):
    copy, late = runs
    found = by_name(compare(late, copy))
    assert set(found) >= {"FAD", "nearer to own truth", "onset F1 at 50 ms", "E-L1 (gain-matched)", "envelope correlation"}
    for name in ("nearer to own truth", "onset F1 at 50 ms", "E-L1 (gain-matched)", "envelope correlation"):
        difference = found[name]
        assert difference.verdict == "worse", name
        assert difference.value == pytest.approx(late.score(name).value - copy.score(name).value, abs=1e-9)
        assert difference.interval.low <= difference.value <= difference.interval.high
    assert "late against copy, onset F1 at 50 ms: -" in found["onset F1 at 50 ms"].sentence
    assert found["onset F1 at 50 ms"].sentence.endswith("6 clips: late is worse")


def test_the_other_way_round_is_the_negative(runs):
    copy, late = runs
    there, back = by_name(compare(late, copy)), by_name(compare(copy, late))
    for name, difference in there.items():
        other = back[name]
        assert (other.value, other.interval.low, other.interval.high) == pytest.approx(
            (-difference.value, -difference.interval.high, -difference.interval.low), abs=1e-6
        )
        assert {difference.verdict, other.verdict} in ({"better", "worse"}, {""})


def test_a_run_does_not_differ_from_itself(runs):
    for difference in compare(runs[0], runs[0]):
        assert (difference.value, difference.interval.low, difference.interval.high, difference.verdict) == (0, 0, 0, "")


def test_pairing_narrows_the_interval(runs):
    """Both runs hear the same clips, so what the draws have in common falls out of the difference."""
    _, late = runs
    score = late.score("FAD")
    shifted = dataclasses.replace(score, value=score.value + 1, draws=tuple(d + 1 for d in score.draws))
    other = dataclasses.replace(late, name="other", scores=(shifted, *late.scores[1:]))
    difference = by_name(compare(other, late))["FAD"]
    assert difference.verdict == "worse" and difference.interval.high - difference.interval.low < 1e-6
    own = late.score("FAD").interval
    assert own.high - own.low > 2, "unpaired, a difference of 1 would not show"


def test_whole_sets_are_compared_on_the_same_clips_alone(runs):
    copy, late = runs
    fewer = dataclasses.replace(late, clips=late.clips[:4])
    found = by_name(compare(fewer, copy))
    assert "FAD" not in found and "nearer to own truth" not in found
    assert found["envelope correlation"].clips == 4
    assert "FAD" not in by_name(compare(dataclasses.replace(late, seed=1), copy))
    judged = tuple(dataclasses.replace(score, judge="another") for score in late.scores)
    assert "FAD" not in by_name(compare(dataclasses.replace(late, scores=judged), copy))


def test_a_clip_without_a_score_is_left_out_of_its_mean(runs):
    copy, late = runs
    flat = dataclasses.replace(late.clips[0], envelope=dataclasses.replace(late.clips[0].envelope, correlation=np.nan))
    found = by_name(compare(dataclasses.replace(late, clips=(flat, *late.clips[1:])), copy))
    assert found["envelope correlation"].clips == CLIPS - 1 and np.isfinite(found["envelope correlation"].value)
    assert found["E-L1 (gain-matched)"].clips == CLIPS


def test_runs_that_cannot_be_compared(runs):
    copy, late = runs
    short = dataclasses.replace(late, span=1.0)
    assert "1.00 s of each clip" in incomparable(short, copy)
    strangers = dataclasses.replace(late, clips=tuple(dataclasses.replace(clip, id=clip.id + "x") for clip in late.clips))
    assert "0 clips in common" in incomparable(strangers, copy)
    assert "1 clips in common" in incomparable(dataclasses.replace(late, clips=late.clips[:1]), copy)
    with pytest.raises(DataError, match="same clips"):
        compare(short, copy)
    assert differences([copy, short]) == () and len(differences([copy, late, late])) == 2 * len(compare(late, copy))
    assert {(difference.first, difference.second) for difference in differences([copy, late])} == {("late", "copy")}


def test_differences_survive_the_file(runs, tmp_path):
    copy, late = runs
    again = [load_report(write_report([run], tmp_path / f"{run.name}.json")) for run in (copy, late)]
    before, after = by_name(compare(late, copy)), by_name(compare(again[1], again[0]))
    assert before.keys() == after.keys()
    assert after["FAD"].interval.low == pytest.approx(before["FAD"].interval.low)


def test_draws_are_the_same_clips_for_every_system():
    generator = np.random.default_rng(0)
    truths = [generator.standard_normal((4, 3)) for _ in range(8)]
    near = [truth + 0.1 * generator.standard_normal((4, 3)) for truth in truths]
    scaled = [3 * clip for clip in near]
    one = frechet_draws(near, truths, repeats=20)[1]
    other = frechet_draws(scaled, [3 * truth for truth in truths], repeats=20)[1]
    np.testing.assert_allclose(other, 9 * one, rtol=1e-6)
