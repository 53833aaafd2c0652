"""Parts of a whole are stood for by the items that GRAM's reference picks."""

import numpy as np
import pytest

from foleygram.errors import UsageError
from foleygram.spread import split_indices


def test_split_indices():
    """np.array_split(range(12), 5) is 3 3 2 2 2; of each part the item at (len + 1) // 2 - 1."""
    np.testing.assert_array_equal(split_indices(12, 5), [1, 4, 6, 8, 10])
    np.testing.assert_array_equal(split_indices(300, 8), [18, 56, 94, 132, 170, 207, 244, 281])
    np.testing.assert_array_equal(split_indices(5, 1), [2])
    np.testing.assert_array_equal(split_indices(3, 8), [0, 0, 0, 1, 1, 1, 2, 2])
    for total, parts in ((0, 1), (1, 0)):
        with pytest.raises(UsageError):
            split_indices(total, parts)
