import math

import pytest
import torch

from foleygram.diffusion.conditioner import Conditioner, ConditionerConfig
from foleygram.types import Embeddings

from .golden import CONDITIONER, SECONDS, conditioner, noise, randomise
from .oracles import diffusers


def test_numbers_beyond_the_longest_are_clamped():
    numbers = conditioner().start_number_conditioner
    at = {seconds: numbers(torch.tensor([seconds]))[0] for seconds in (-3.0, *SECONDS)}
    assert torch.equal(at[512.0], at[600.0]) and torch.equal(at[0.0], at[-3.0])
    assert not torch.allclose(at[10.0], at[0.0])


def test_number_is_embedded_with_its_sines_before_its_cosines():
    numbers = conditioner().end_number_conditioner
    positions, linear = numbers.time_positional_embedding
    x = 10 / 512
    angle = 2 * math.pi * x * positions.weights
    expected = linear(torch.cat([torch.tensor([x]), angle.sin(), angle.cos()]))
    torch.testing.assert_close(numbers(torch.tensor([10.0]))[0], expected)


@pytest.mark.oracle
@torch.no_grad()
def test_equals_diffusers():
    _, projection_class, _, _ = diffusers()
    config = CONDITIONER.replace(text_dim=48)
    ours = randomise(Conditioner(config), 11)
    theirs = projection_class(48, config.token_dim, 0, 512)
    mine = {name: tensor for name, tensor in ours.state_dict().items() if not name.startswith("gram_")}
    # the reference fixes the number of frequencies
    theirs.load_state_dict(mine)
    start, total, states = torch.tensor(SECONDS), torch.tensor(SECONDS).flip(0), noise(31, 4, 6, 48)
    mask = torch.arange(6)[None] < torch.tensor([6, 3, 1, 2])[:, None]
    expected = theirs(states, start, total)
    condition = ours.from_text(states, mask, start, total)
    tokens = torch.cat(
        [
            expected.text_hidden_states * mask[..., None],
            expected.seconds_start_hidden_states,
            expected.seconds_end_hidden_states,
        ],
        1,
    )
    torch.testing.assert_close(condition.tokens, tokens, rtol=1e-4, atol=1e-5)
    expected_global = torch.cat([expected.seconds_start_hidden_states, expected.seconds_end_hidden_states], dim=2)[:, 0]
    torch.testing.assert_close(condition.global_vector, expected_global, rtol=1e-4, atol=1e-5)


@pytest.mark.oracle
def test_full_size_has_the_names_of_diffusers_and_three_projections():
    _, projection_class, _, _ = diffusers()
    with torch.device("meta"):
        ours, theirs = Conditioner(ConditionerConfig()), projection_class(768, 768, 0, 512)
    names = {name: tensor.shape for name, tensor in ours.state_dict().items()}
    assert {name: shape for name, shape in names.items() if not name.startswith("gram_")} == {
        name: tensor.shape for name, tensor in theirs.state_dict().items()
    }


def test_each_projection_of_the_paper_has_its_size():
    with torch.device("meta"):
        full = Conditioner(ConditionerConfig())
    for projection in (full.gram_audio, full.gram_video, full.gram_text):
        assert sum(parameter.numel() for parameter in projection.parameters()) == 393_984


def test_tokens_and_global_vector_stand_in_order():
    part = conditioner()
    points = {name: noise(number, 2, 10) for number, name in enumerate(("audio", "video", "text"))}
    start, total = torch.tensor([0.0, 2.0]), torch.tensor([10.0, 5.0])
    condition = part(Embeddings(**points), start, total)
    assert condition.tokens.shape == (2, 5, 64) and condition.global_vector.shape == (2, 128)
    for place, (name, projection) in enumerate(
        (("audio", part.gram_audio), ("video", part.gram_video), ("text", part.gram_text))
    ):
        torch.testing.assert_close(condition.tokens[:, place], projection(points[name]))
    assert torch.equal(condition.tokens[:, 3], part.start_number_conditioner(start))
    assert torch.equal(condition.tokens[:, 4], part.end_number_conditioner(total))
    assert torch.equal(condition.global_vector, condition.tokens[:, 3:].flatten(1))


def test_absent_modality_is_a_zero_token():
    part = conditioner()
    zero = torch.zeros(1)
    some = part(Embeddings(audio=noise(1, 1, 10)), zero, zero + 10)
    assert some.tokens[:, 0].any() and not some.tokens[:, 1:3].any()
    dropped = part(Embeddings(audio=noise(1, 1, 10), video=torch.zeros(1, 10), text=torch.zeros(1, 10)), zero, zero + 10)
    assert torch.equal(some.tokens, dropped.tokens)


def test_dropping_a_row_leaves_its_timing_vector():
    part = conditioner()
    both = part(Embeddings(audio=noise(1, 2, 10)), torch.zeros(2), torch.full((2,), 10.0))
    dropped = both.drop(torch.tensor([True, False]))
    assert not dropped.tokens[0].any() and torch.equal(dropped.tokens[1], both.tokens[1])
    assert torch.equal(dropped.global_vector, both.global_vector)


def test_padding_of_a_text_is_zero_after_its_projection():
    part = randomise(Conditioner(CONDITIONER.replace(text_dim=48)), 11)
    states, zero = noise(31, 2, 6, 48), torch.zeros(2)
    mask = torch.arange(6)[None] < torch.tensor([6, 2])[:, None]
    condition = part.from_text(states, mask, zero, zero + 10)
    torch.testing.assert_close(condition.tokens[0, :6], part.text_projection(states[0]))
    torch.testing.assert_close(condition.tokens[1, :2], part.text_projection(states[1, :2]))
    assert not condition.tokens[1, 2:6].any() and condition.tokens.shape == (2, 8, 64)
