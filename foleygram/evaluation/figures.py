"""Pictures for a report, as PNG bytes: distances with their intervals, onset errors, envelopes and spectrograms side by
side."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from foleygram.evaluation.scores import ClipScore, Score
from foleygram.signal.envelope import extract_envelope
from foleygram.signal.plot import new_figure, show_spectrum
from foleygram.types import Audio

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, RED, BLUE = "#222222", "#c0392b", "#2471a3"
COLOURS = (BLUE, "#d35400", "#1e8449", "#7d3c98", "#b7950b", "#17a589", "#884ea0")
REFERENCES = ("FAD of two draws of truth", "FAD of truth at 22.05 kHz", "FAD of truth at 16 kHz")


def png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def bars(name: str, labels: Sequence[str], scores: Sequence[Score | None], references: Sequence[Score] = ()) -> bytes:
    """One score of several runs, with intervals; ``references``: horizontal lines to read it by."""
    figure, (axes,) = new_figure([2.8], width=max(6.0, 1.2 * len(labels) + 3))
    for place, score in enumerate(scores):
        if score is None or score.value is None:
            axes.text(place, 0, "none", ha="center", va="bottom", color=RED)
            continue
        axes.bar(place, score.value, width=0.6, color=BLUE)
        if score.interval is not None:
            low, high = score.value - score.interval.low, score.interval.high - score.value
            axes.errorbar(place, score.value, [[max(0.0, low)], [max(0.0, high)]], color=INK, capsize=4)
    for reference in references:
        if reference.value is not None:
            axes.axhline(reference.value, color=RED, linewidth=0.8, linestyle="--")
            axes.text(len(labels) - 0.4, reference.value, reference.name, fontsize=7, color=RED, va="bottom", ha="left")
    axes.set_xticks(range(len(labels)), [label.replace(", ", ",\n") for label in labels], fontsize=8)
    axes.set_xlim(-0.6, len(labels) + (1.2 if references else -0.4))
    axes.set_title(name)
    return png(figure)


def onset_errors(clips: Sequence[ClipScore], name: str = "result") -> bytes:
    """Histogram of found minus true onset within 100 ms, of results and of the truth's own sound."""
    figure, (axes,) = new_figure([2.5], width=7.0)
    edges = np.arange(-100, 105, 5)
    for side, label, colour in (("truth_onsets", "true sound", "#999999"), ("onsets", name, BLUE)):
        offsets = [1000 * offset for clip in clips for offset in getattr(clip, side)[-1].offsets]
        axes.hist(offsets, edges, histtype="stepfilled" if side == "truth_onsets" else "step", color=colour, label=label)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel("found minus true onset, ms")
    axes.set_ylabel("onsets")
    axes.legend(loc="best", fontsize=8)
    return png(figure)


def clip_pictures(truth: Audio, results: Sequence[tuple[str, Audio]], onsets: Sequence[float] = ()) -> bytes:
    """Envelopes over each other, true events as ticks, and the spectrograms of truth and of every result (name, sound)."""
    figure, (top, *panels) = new_figure([1.2] + [1.5] * (1 + len(results)), width=9.0)
    for place, (name, audio) in enumerate([("truth", truth), *results]):
        envelope = extract_envelope(audio)
        if place == 0:  # an area, which a result that is equal does not hide
            top.fill_between(envelope.times, envelope.values, color="#bbbbbb", linewidth=0, label=name)
        else:
            top.plot(envelope.times, envelope.values, color=COLOURS[(place - 1) % len(COLOURS)], linewidth=0.8, label=name)
        show_spectrum(panels[place], audio)
        panels[place].set_ylabel(f"{name}, kHz", fontsize=8)
    top.vlines(list(onsets), 0, 1, transform=top.get_xaxis_transform(), color=RED, linewidth=0.5)
    top.set_ylabel("envelope")
    top.legend(loc="upper right", fontsize=7)
    panels[-1].set_xlabel("s")
    panels[-1].set_xlim(0, max(audio.seconds for _, audio in [("", truth), *results]))
    return png(figure)
