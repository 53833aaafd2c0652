import numpy as np
import pytest

from foleygram.errors import UsageError
from foleygram.limits import GUIDANCE, TAKES, check_range, check_whole


@pytest.mark.parametrize("value", [1, 64, np.int16(3), np.array(2)])
def test_whole_numbers_of_any_kind_are_ints(value):
    found = check_whole("--takes", value, *TAKES)
    assert type(found) is int and found == value


@pytest.mark.parametrize("value", [0, 65, -1, 2.0, "3", None, np.float32(2), np.array([1, 2])])
def test_what_is_none_or_lies_beyond_is_refused(value):
    with pytest.raises(UsageError, match="--takes takes a whole number from 1 to 64, not "):
        check_whole("--takes", value, *TAKES)


def test_a_range_holds_its_ends():
    assert check_range("--guidance", 0.0, *GUIDANCE) == 0 and check_range("--guidance", 20, *GUIDANCE) == 20
    for value in (-0.001, 20.001, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="--guidance takes a number from 0 to 20, not "):
            check_range("--guidance", value, *GUIDANCE)
