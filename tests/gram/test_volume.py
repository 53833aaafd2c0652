import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from foleygram.gram.volume import gram_matrix, pairwise_volume, volume

DIM = 8
seeds = st.integers(0, 2**31 - 1)
counts = st.integers(1, 5)  # closed forms and the factorisation


def unit_vectors(seed: int, count: int, *batch: int, dtype=torch.float32) -> list[torch.Tensor]:
    stream = torch.Generator().manual_seed(seed)
    return [F.normalize(torch.randn(*batch, DIM, generator=stream, dtype=dtype), dim=-1) for _ in range(count)]


@settings(max_examples=50, deadline=None)
@given(seeds, counts)
def test_unit_vectors_span_between_0_and_1(seed, count):
    result = volume(*unit_vectors(seed, count, 4))
    assert result.shape == (4,)
    assert (result >= 0).all() and (result <= 1 + 1e-6).all()


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(2, 5))
def test_equal_vectors_span_nothing(seed, count):
    side = unit_vectors(seed, 1, 4)[0]
    assert volume(*[side] * count).max() < 2e-3  # fp32 leaves about 1e-7 of the determinant


@settings(max_examples=30, deadline=None)
@given(seeds, counts)
def test_orthonormal_vectors_span_1(seed, count):
    frame = torch.linalg.qr(torch.randn(DIM, DIM, generator=torch.Generator().manual_seed(seed))).Q
    torch.testing.assert_close(volume(*frame[:count]), torch.tensor(1.0))


@settings(max_examples=30, deadline=None)
@given(seeds, counts, st.data())
def test_rotation_and_order_do_not_matter(seed, count, data):
    sides = unit_vectors(seed, count, 3, dtype=torch.float64)
    rotation = torch.linalg.qr(torch.randn(DIM, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))).Q
    order = data.draw(st.permutations(range(count)))
    expected = volume(*sides)
    torch.testing.assert_close(volume(*[side @ rotation for side in sides]), expected)
    torch.testing.assert_close(volume(*[sides[index] for index in order]), expected)


@settings(max_examples=30, deadline=None)
@given(seeds, counts, st.floats(0.1, 10))
def test_volume_scales_with_each_side(seed, count, factor):
    sides = unit_vectors(seed, count, 3, dtype=torch.float64)
    torch.testing.assert_close(volume(factor * sides[0], *sides[1:], eps=0), factor * volume(*sides, eps=0))


@settings(max_examples=30, deadline=None)
@given(seeds, counts)
def test_closed_forms_equal_the_determinant(seed, count):
    """Eq. 2 in float64 through a factorisation, whatever the norms of the sides."""
    sides = [3 * side for side in unit_vectors(seed, count, 4, dtype=torch.float64)]
    torch.testing.assert_close(volume(*sides, eps=0), torch.linalg.det(gram_matrix(*sides)).abs().sqrt(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("norm", [1.0, 2.5])
def test_pairwise_volume_is_the_volume_of_every_pair(norm):
    text, (video, audio) = norm * unit_vectors(1, 1, 5)[0], unit_vectors(2, 2, 7)
    expected = torch.stack([torch.stack([volume(t, v, a) for v, a in zip(video, audio, strict=True)]) for t in text])
    torch.testing.assert_close(pairwise_volume(text, video, audio), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_gradient_is_finite_where_all_agree(count):
    side = unit_vectors(3, 1, 4)[0]
    sides = [side.clone().requires_grad_() for _ in range(count)]
    volume(*sides).sum().backward()
    assert all(torch.isfinite(side.grad).all() for side in sides)


def test_pairwise_gradient_is_finite_where_all_agree():
    sides = [unit_vectors(3, 1, 4)[0].requires_grad_() for _ in range(3)]
    pairwise_volume(*sides).sum().backward()
    assert all(torch.isfinite(side.grad).all() for side in sides)


def test_without_floor_equal_vectors_give_exactly_the_reference():
    side = torch.eye(DIM)[0]
    assert volume(side, side, side, eps=0) == 0
    assert volume(side, side, side) == pytest.approx(1e-4)


def test_autocast_does_not_lower_the_precision():
    text, video, audio = unit_vectors(4, 3, 6)
    expected, pairwise = volume(text, video, audio), pairwise_volume(text, video, audio)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(volume(text, video, audio), expected)
        assert torch.equal(pairwise_volume(text, video, audio), pairwise)
        assert volume(text.bfloat16(), video, audio).dtype == torch.float32


def test_rounding_leaves_no_volume_that_is_none():
    """Some determinants of dependent vectors come out below 0."""
    sides = unit_vectors(5, 2, 200)
    assert torch.isfinite(volume(sides[0], sides[1], sides[0], eps=0)).all()
    assert torch.isfinite(pairwise_volume(sides[0], sides[1], sides[1], eps=0)).all()
