"""CLAP score: the cosine between the embeddings of a result and of its truth, and what makes such a cosine readable.

Conventions
    One vector for each clip, float [clip, dim], clip i of both sides belonging together. Sounds of one domain are close
    to each other anyway, so the score is printed beside that of shuffled pairs. Level matters to CLAP: nothing is
    normalised here.

The paper's score is between sounds. Where it leaves the checkpoint open, the label of the judge names it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foleygram.evaluation.bootstrap import Interval, mean_interval
from foleygram.evaluation.similarity import validate


@dataclass(frozen=True)
class ClapScore:
    """``value``: mean cosine of the pairs, -1..1; ``shuffled``: mean over all wrong pairs; ``first``: share of results
    whose own truth has the largest cosine of all (R@1)."""

    value: float
    interval: Interval
    shuffled: float
    first: float
    clips: int


def clap_score(results: np.ndarray, truths: np.ndarray, *, seed: int = 0) -> ClapScore:
    """The score of at least three clips. Raises DataError for other shapes or NaN."""
    results, truths = validate(results, truths)
    cosines = results @ truths.T
    own = np.diag(cosines)
    count = len(own)
    wrong = (cosines.sum() - own.sum()) / (count * (count - 1))
    first = (cosines.argmax(axis=1) == np.arange(count)).mean()
    return ClapScore(float(own.mean()), mean_interval(own, seed=seed), float(wrong), float(first), count)
