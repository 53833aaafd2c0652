"""Takes are ranked by what agrees with the clip and its moments."""

import numpy as np
import pytest
import torch

from foleygram.errors import UsageError
from foleygram.signal.envelope import extract_envelope
from foleygram.types import Audio, Embeddings
from foleygram.verbs.ranking import Rank, fit, onset_agreement


def test_the_take_with_the_right_moments_wins(clicks):
    right, wrong = clicks(2.0, [0.3, 1.1]), clicks(2.0, [0.6, 1.5])
    envelope = extract_envelope(right)
    assert onset_agreement(right, envelope) == 1.0 and onset_agreement(wrong, envelope) == 0.0


def test_silence_keeps_no_moment(clicks):
    silent = Audio(np.zeros((2, 44100), np.float32), 44100)
    assert onset_agreement(silent, extract_envelope(clicks(1.0, [0.3]))) == 0.0


def test_a_take_fits_picture_and_text_or_the_sound_where_there_is_neither():
    x, y, z = torch.eye(3)[:, None]
    near = torch.nn.functional.normalize(x + 0.5 * y)
    take = Embeddings(audio=x)
    assert fit(take, Embeddings(text=x)) == pytest.approx(0, abs=1e-3)
    assert fit(take, Embeddings(text=y)) == fit(take, Embeddings(audio=y)) == pytest.approx(1)
    assert fit(take, Embeddings(text=y, video=z)) > fit(take, Embeddings(text=near, video=z))
    assert fit(take, Embeddings(text=y, video=near)) < fit(take, Embeddings(text=y)) - 0.1
    assert fit(take, Embeddings(text=y, audio=x)) == pytest.approx(1)  # its sound does not count beside a text


def test_timing_is_set_against_fit():
    ranks = [Rank(0, volume=0.9, onset_f1=0.5), Rank(1, volume=0.1, onset_f1=0.5), Rank(2, volume=0.1, onset_f1=0.1)]
    assert [rank.take for rank in sorted(ranks, key=lambda rank: -rank.score)] == [1, 2, 0]


def test_nothing_to_rank():
    with pytest.raises(UsageError, match="none of them"):
        fit(Embeddings(), Embeddings())
    with pytest.raises(UsageError, match="none of them"):
        fit(Embeddings(), Embeddings(text=torch.eye(3)[:1]))


def test_only_events_within_a_take_are_asked_of_it(clicks):
    envelope = extract_envelope(clicks(2.0, [0.3, 1.1]))
    assert onset_agreement(clicks(0.8, [0.3]), envelope) == 1.0
    assert onset_agreement(clicks(2.0, [0.3]), envelope) == pytest.approx(2 / 3)
