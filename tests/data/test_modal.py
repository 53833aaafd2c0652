"""Self-made sounds: one for every use, deterministic, loud at their attack, alike within a family."""

import numpy as np
import pytest

from foleygram.data import modal
from foleygram.data.takes import LOUDNESS, THRESHOLD, level
from foleygram.errors import DataError


@pytest.mark.parametrize(("material", "action"), modal.USES)
def test_every_use_sounds_from_its_attack_on(material, action):
    samples, attack, duration = modal.synthesise(f"modal:{material}:203", action)
    assert samples.shape[0] == 1 and samples.dtype == np.float32
    assert np.isfinite(samples).all() and level(samples, 441).max() == pytest.approx(LOUDNESS, rel=0.05)
    fine = level(samples, 44)
    first = int(np.argmax(fine > THRESHOLD[action] * fine.max()))
    assert abs(first - attack) < (441 if action == "scratch" else 66)
    assert (duration > 0.1) == (action == "scratch")
    assert abs(samples[0, -1]) < 1e-3


def test_same_name_same_samples_and_other_takes_differ():
    first, again, take, family = (
        modal.synthesise(name, "hit")[0] for name in ("modal:wood:301", "modal:wood:301", "modal:wood:302", "modal:wood:401")
    )
    np.testing.assert_array_equal(first, again)
    assert take.shape != first.shape or not np.array_equal(take, first)
    assert family.shape != first.shape or not np.array_equal(family, first)


def test_families_of_splits_are_disjoint():
    names = [
        {modal.family_of(name) for takes in modal.families("wood", "hit", split).values() for name in takes}
        for split in modal.FAMILIES
    ]
    assert all(len(part) >= 2 for part in names)
    assert len(set().union(*names)) == sum(map(len, names))


@pytest.mark.parametrize("name", ["modal:cheese:1", "modal:wood", "modal:wood:x", "wood"])
def test_wrong_names_are_refused(name):
    with pytest.raises(DataError, match="modal:<material>:<seed>"):
        modal.synthesise(name, "hit")
