"""Scores from class logits, where a judge has classes: inception score and KL divergence of pairs.

Conventions
    Logits are float [clip, class], before softmax; natural logarithms. Which classes they are belongs into the label:
    the field uses PANNs and PaSST (527 classes of AudioSet), here AISFX's heads serve as an offline analogue.

Source: Salimans et al. 2016; the conventions of av-benchmark (10 splits, shuffled with a seed).
"""

from __future__ import annotations

import numpy as np

from foleygram.errors import DataError


def validate(logits: np.ndarray) -> np.ndarray:
    """Float64 [clip, class], finite, at least one clip and two classes; otherwise DataError."""
    logits = np.asarray(logits, dtype=np.float64)
    if logits.ndim != 2 or logits.shape[0] < 1 or logits.shape[1] < 2:
        raise DataError(f"logits are [clip, class] with at least two classes, not {logits.shape}")
    if not np.isfinite(logits).all():
        raise DataError("logits hold NaN or infinite values; look for broken clips")
    return logits


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log probabilities [clip, class]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def inception_score(logits: np.ndarray, *, splits: int = 10, seed: int = 2020) -> tuple[float, float]:
    """Mean and standard deviation over ``splits`` parts of exp(mean KL(p(class | clip) || p(class))), 1..classes.
    Raises DataError for fewer clips than splits."""
    log_p = log_softmax(validate(logits))
    if len(log_p) < splits:
        raise DataError(f"an inception score of {splits} splits needs as many clips, here are {len(log_p)}")
    log_p = log_p[np.random.default_rng(seed).permutation(len(log_p))]
    scores = []
    for part in np.array_split(log_p, splits):
        p = np.exp(part)
        marginal = np.log(np.maximum(p.mean(axis=0), 1e-300))
        scores.append(np.exp((p * (part - marginal)).sum(axis=1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


def paired_kl(truths: np.ndarray, results: np.ndarray) -> np.ndarray:
    """KL(truth || result) of each pair, float64 [clip], nats; its mean is the field's KL."""
    truths, results = log_softmax(validate(truths)), log_softmax(validate(results))
    if truths.shape != results.shape:
        raise DataError(f"truths and results come in equal numbers and classes, not {truths.shape} and {results.shape}")
    return (np.exp(truths) * (truths - results)).sum(axis=1)
