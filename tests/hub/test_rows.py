import torch

from foleygram.hub.rows import rows_in_int8


def test_whole_numbers_use_their_range():
    numbers, scale = rows_in_int8(torch.tensor([[0.5, -1.0, 0.25], [0.0, 0.0, 0.0]]))
    assert numbers.dtype == torch.int8 and numbers.tolist() == [[64, -127, 32], [0, 0, 0]]
    torch.testing.assert_close(scale, torch.tensor([1 / 127, 1.0]))
