"""Typical of a material is what judges tell who have missed the object."""

import numpy as np
import pytest

from foleygram.training import typicality as module
from foleygram.training.typicality import FOLDS, colours, fold_of, judged, typicality

SHADES, BANDS = 2, 8


def palettes_of(*loud: int, seed: int = 0) -> np.ndarray:
    """dB; each with one band above noise."""
    draw = np.random.default_rng(seed)
    rows = draw.normal(-30, 2, (len(loud), SHADES, BANDS))
    rows[np.arange(len(loud)), :, list(loud)] = -1
    return rows.astype(np.float16)


def test_colours_are_levels_under_the_loudest_band_by_twos():
    rows = np.full((3, 1, 4), -90.0)
    rows[:, 0, :2] = [[-10, -20], [-10, -30], [-10, -10]]
    read = colours(rows)
    level = np.array([(0 - 10) / 2, (0 - 20) / 2, 0])
    np.testing.assert_allclose(read[:, 0], (level - level.mean()) / (level.std() + 1e-3))
    np.testing.assert_array_equal(read[:, 1], 0)  # all of them below what is told apart
    np.testing.assert_allclose(colours(rows + 5), read, atol=1e-9)


def test_a_sound_like_others_of_its_material_is_typical_and_one_like_another_material_is_not():
    loud = (1,) * 12 + (6,) * 13
    materials = ["wood"] * 12 + ["metal"] * 12 + ["wood"]
    found = typicality(colours(palettes_of(*loud)), materials, [{f"object {place}"} for place in range(25)])
    assert found[:24].min() > 0 > found[24] and found.argmin() == 24


@pytest.fixture
def missed(monkeypatch):
    """What each judge has missed."""
    asked = []
    monkeypatch.setattr(
        module, "judged", lambda alike, wanted, missed: asked.append(missed.copy()) or judged(alike, wanted, missed)
    )
    return asked


def test_nobody_is_judged_by_who_heard_the_only_object(missed):
    families = [{"the gong"}, {"the gong"}, *({f"object {place}"} for place in range(30))]
    typicality(colours(palettes_of(*(1, 6) * 16)), ["wood", "metal"] * 16, families)
    assert all(each[0] == each[1] for each in missed)
    assert sum(each.astype(int) for each in missed).tolist() == [1] * 32 and len(missed) > 5


def test_a_mixture_is_judged_by_those_who_missed_one_of_its_recordings(missed, monkeypatch):
    names = [f"object {place}" for place in range(100)]
    one = names[0]
    other = next(name for name in names if fold_of(name) != fold_of(one))
    read, materials = colours(palettes_of(1, 6, 1, 6)), ["wood", "metal", "wood", "metal"]
    found = typicality(read, materials, [{one, other}, {one}, {other}, {names[7]}])
    own = [each for each in missed if each[0]]
    assert len(own) == 2 and len({fold_of(name) for name in names}) == FOLDS
    assert all(each[1] or each[2] for each in own)
    wanted = (np.eye(2)[[1, 0, 1, 0]] - 0.5) / np.sqrt(2)
    seen = np.mean([judged(read @ read.T, wanted, each)[0] for each in own], axis=0)
    assert found[0] == pytest.approx(seen[1] - seen[0])


def test_few_clips_of_a_material_weigh_as_much_as_many():
    loud = (1,) * 24 + (6,) * 6 + (3,)  # the last one is neither
    materials = ["wood"] * 24 + ["metal"] * 6 + ["wood"]
    found = typicality(colours(palettes_of(*loud)), materials, [{f"object {place}"} for place in range(31)])
    assert abs(found[-1]) < found[:30].min()


def test_who_is_judged_by_nobody_comes_last():
    alone = typicality(colours(palettes_of(1, 6)), ["wood", "metal"], [{"a"}, {"a"}])
    assert np.isneginf(alone).all()
    assert typicality(np.zeros((4, 5)), ["wood", "metal"] * 2, [{f"object {place}"} for place in range(4)]).tolist() == [0] * 4


def test_ridge_regression_is_the_closed_form():
    draw = np.random.default_rng(3)
    read, wanted, held = draw.normal(size=(9, 4)), draw.normal(size=(9, 2)), np.arange(9) < 3
    known = read[3:]
    strength = module.RIDGE * (known**2).sum(1).mean()
    weights = np.linalg.solve(known.T @ known + strength * np.eye(4), known.T @ wanted[3:])
    np.testing.assert_allclose(judged(read @ read.T, wanted, held), read[:3] @ weights)


def test_one_material_alone_has_nothing_to_be_told_from():
    assert typicality(colours(palettes_of(1, 2)), ["wood", "wood"], [{"a"}, {"b"}]).tolist() == [0, 0]
