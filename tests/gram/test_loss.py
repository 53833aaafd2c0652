import math

import pytest
import torch
import torch.nn.functional as F

from foleygram.gram.loss import CosineLossConfig, GramLossConfig, cosine_loss, gathered, gram_loss
from foleygram.gram.volume import volume

BATCH, DIM = 6, 16


@pytest.fixture
def sides() -> list[torch.Tensor]:
    return [F.normalize(torch.randn(BATCH, DIM), dim=-1) for _ in range(3)]


def all_volumes(text, video, audio, eps=0.0):
    """[text, pair], one determinant after the other."""
    return torch.stack([volume(row.expand_as(video), video, audio, eps=eps) for row in text])


def test_loss_is_the_cross_entropy_of_equations_3_and_4(sides):
    volumes, temperature = all_volumes(*sides), 0.07
    weight = torch.exp(-volumes / temperature)
    av2t = -(weight.diagonal() / weight.sum(0)).log().mean()
    t2av = -(weight.diagonal() / weight.sum(1)).log().mean()
    torch.testing.assert_close(gram_loss(*sides, temperature), (av2t + t2av) / 2, rtol=1e-4, atol=1e-5)


def test_reference_options_reproduce_the_published_code(sides):
    """Value and gradient against the operations of ispamm/GRAM, written down here: operands named *_all are gathered
    without gradient, label smoothing 0.1, temperature learned directly."""
    text, video, audio = [side.requires_grad_() for side in sides]
    temperature = torch.tensor(0.07, requires_grad=True)
    ours = gram_loss(text, video, audio, temperature, GramLossConfig.reference())
    our_gradients = torch.autograd.grad(ours, [text, video, audio, temperature])

    text_all, video_all, audio_all = text.detach(), video.detach(), audio.detach()
    t2av = all_volumes(text, video_all, audio_all) / temperature
    av2t = all_volumes(text_all, video, audio).T / temperature
    match = torch.arange(BATCH)
    theirs = (F.cross_entropy(-t2av, match, label_smoothing=0.1) + F.cross_entropy(-av2t, match, label_smoothing=0.1)) / 2
    their_gradients = torch.autograd.grad(theirs, [text, video, audio, temperature])

    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    for our_gradient, their_gradient in zip(our_gradients, their_gradients, strict=True):
        torch.testing.assert_close(our_gradient, their_gradient, rtol=1e-4, atol=1e-5)


def test_detached_side_gets_no_gradient():
    side = torch.randn(BATCH, DIM, requires_grad=True)
    assert gathered(side, detach=False) is side
    assert not gathered(side, detach=True).requires_grad


def test_detaching_changes_the_gradient_but_not_the_value(sides):
    text = sides[0].requires_grad_()
    pure, detached = gram_loss(*sides), gram_loss(*sides, config=GramLossConfig(detach=True))
    torch.testing.assert_close(pure, detached)
    assert not torch.allclose(torch.autograd.grad(pure, text)[0], torch.autograd.grad(detached, text)[0])


def test_detaching_leaves_each_cosine_half_of_its_gradient(sides):
    """Each direction of a pair then moves its own side alone, and a cosine is the same both ways."""
    text = sides[0].requires_grad_()
    rows, columns = text @ sides[1].T, sides[1] @ text.detach().T
    match = torch.arange(BATCH)
    video = (F.cross_entropy(rows / 0.1, match) + F.cross_entropy(columns / 0.1, match)) / 2
    audio = F.cross_entropy(text @ sides[2].T / 0.1, match) / 2
    ours = cosine_loss(*sides, 0.1, CosineLossConfig(detach=True))
    expected = torch.autograd.grad((video + audio) / 2, text)[0]
    torch.testing.assert_close(torch.autograd.grad(ours, text)[0], expected)


def test_under_a_floor_above_every_volume_all_clips_are_alike(sides):
    assert gram_loss(*sides, config=GramLossConfig(eps=2.0)) == pytest.approx(math.log(BATCH), rel=1e-5)


@pytest.mark.parametrize("loss", [gram_loss, cosine_loss])
def test_aligned_clips_beat_shuffled_ones(loss, sides):
    text, video, audio = [F.normalize(sides[0] + 0.1 * torch.randn(BATCH, DIM), dim=-1) for _ in range(3)]
    assert loss(text, video, audio, 0.05) < 0.1 < math.log(BATCH) < loss(text.roll(1, dims=0), video, audio, 0.05)


def test_equal_video_and_audio_leave_the_volume_blind_to_the_text(sides):
    """A limit of GRAM itself: two equal sides span nothing, whatever the third one is, so every text fits equally well."""
    text, video, _ = sides
    assert gram_loss(text, video, video) == pytest.approx(math.log(BATCH), abs=1e-2)


def test_gradient_is_finite_when_everything_agrees(sides):
    equal = [sides[0].detach().clone().requires_grad_() for _ in range(3)]
    gram_loss(*equal).backward()
    assert all(torch.isfinite(side.grad).all() for side in equal)


@pytest.mark.parametrize("loss", [gram_loss, cosine_loss])
def test_temperature_is_learned(loss, sides):
    temperature = torch.tensor(0.07, requires_grad=True)
    loss(*sides, temperature).backward()
    assert temperature.grad.abs() > 0


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("pairs", ["anchor", "all"])
def test_cosine_loss_is_the_mean_info_nce_of_its_pairs(sides, pairs, smoothing):
    text, video, audio = sides
    match, losses = torch.arange(BATCH), []
    for left, right in [(text, video), (text, audio), (video, audio)][: 2 if pairs == "anchor" else 3]:
        for scores in (left @ right.T, right @ left.T):
            losses.append(F.cross_entropy(scores / 0.1, match, label_smoothing=smoothing))
    ours = cosine_loss(text, video, audio, 0.1, CosineLossConfig(pairs=pairs, label_smoothing=smoothing))
    torch.testing.assert_close(ours, torch.stack(losses).mean())


@pytest.mark.parametrize("loss", [gram_loss, cosine_loss])
def test_autocast_does_not_lower_the_precision(loss, sides):
    expected = loss(*sides)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(loss(*sides), expected)
