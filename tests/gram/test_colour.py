"""The colour of a sound, and the reader that tells it from a point."""

import math

import torch

from foleygram.gram.colour import DEPTH, NATS, ColourReader, colour


def test_a_gain_is_no_colour_and_an_equaliser_is():
    torch.manual_seed(0)
    bank = 0.2 * torch.randn(2, 60, 16)
    torch.testing.assert_close(colour(bank + 0.3), colour(bank), atol=1e-5, rtol=0)
    tilt = torch.linspace(-0.2, 0.2, 16)
    change = colour(bank + tilt) - colour(bank)
    torch.testing.assert_close(change[:, :16], tilt.expand(2, -1), atol=1e-5, rtol=0)


def test_what_lies_80_db_under_the_loudest_moment_is_silence():
    bank = torch.full((1, 50, 8), -10.0)
    bank[:, :5] = 0.0
    top = math.log(8) / NATS
    torch.testing.assert_close(colour(bank)[:, 16:], torch.full((1, 8), 0.1 * -top + 0.9 * -DEPTH), atol=1e-4, rtol=0)


def test_the_reader_is_solved_where_gradients_have_not_come_to():
    draw = torch.Generator().manual_seed(0)
    points = torch.nn.functional.normalize(torch.randn(400, 12, generator=draw), dim=-1)
    colours = 3 + points @ torch.randn(12, 24, generator=draw)
    torch.manual_seed(0)
    reader = ColourReader(12, 8)
    reader.fit(colours)
    with torch.no_grad():
        before = reader.error(points, colours)
        reader.solve(points[:300], colours[:300])
    assert before > 0.5 and reader.error(points[300:], colours[300:]) < 1e-4
    torch.testing.assert_close(reader(points[300:]), colours[300:], atol=0.05, rtol=0)


def test_the_second_curve_is_that_of_the_loudest_moments():
    """Two of forty frames are a twentieth; how soft the others are does not matter to it."""
    attack, ring = torch.linspace(-0.3, 0.3, 8), torch.linspace(0.5, -0.5, 8)
    bank = (ring - 2).repeat(1, 40, 1)
    bank[:, [7, 20]] = attack
    torch.testing.assert_close(colour(bank)[0, 8:16], attack, atol=1e-5, rtol=0)
    torch.testing.assert_close(colour(bank[:, 7:8])[0, 8:16], attack, atol=1e-5, rtol=0)


def test_a_band_that_never_changes_can_be_read():
    reader = ColourReader(4, 1)
    colours = torch.tensor([[0.5, 1.0, -2.0]]).repeat(20, 1)
    reader.fit(colours)
    points = torch.nn.functional.normalize(torch.randn(20, 4), dim=-1)
    reader.solve(points, colours)
    torch.testing.assert_close(reader(points), colours)
