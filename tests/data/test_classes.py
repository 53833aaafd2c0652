"""The names of ImageNet's classes, by facts of its list that everybody has."""

import pytest

from foleygram.data.classes import CLASSES, read_classes


def test_they_are_in_the_order_of_the_classifier():
    assert len(CLASSES) == 1000
    known = {398: "abacus", 453: "bookcase", 532: "dining table", 703: "park bench", 760: "refrigerator", 896: "washbasin"}
    known |= {972: "cliff", 999: "toilet tissue"}
    assert {place: CLASSES[place] for place in known} == known


@pytest.mark.parametrize("place", [0, 207, 397, 462, 542, 584, 834, 933, 982])
def test_what_nobody_strikes_has_no_name(place):
    """A tench, a retriever, a puffer; a broom, a drumstick; a hair slide, a suit; a cheeseburger, a groom."""
    assert CLASSES[place] is None


def test_a_dash_within_a_name_is_none(tmp_path):
    (tmp_path / "classes.txt").write_text("- tench\njack-o'-lantern\n")
    assert list(read_classes(tmp_path / "classes.txt")) == [None, "jack-o'-lantern"]
