"""Pictures of sounds: the envelope under a film strip, spectrograms under each other."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foleygram.output import whole_bytes
from foleygram.types import Audio, Envelope, Video

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN_SECONDS = 0.005  # one column of a spectrogram
FILM_WIDTH = 11.0  # inches that the time axis takes in a figure 12 inches wide
RANGE_DB = 80.0  # from the loudest point down to black


def blank_figure(**settings: Any) -> Figure:
    """A figure of matplotlib's ``settings``. Without pyplot: no global state, no display."""
    logger = logging.getLogger("matplotlib")
    before = logger.level
    logger.setLevel(logging.ERROR)  # where the home folder cannot be written, it says at length that it makes do with another
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    finally:
        logger.setLevel(before)
    figure = Figure(**settings)
    FigureCanvasAgg(figure)
    return figure


def new_figure(heights: Sequence[float], width: float = 12.0) -> tuple[Figure, list[Axes]]:
    """Panels of ``heights`` (inch) under each other on one time axis."""
    figure = blank_figure(figsize=(width, sum(heights) + 0.8), layout="constrained", dpi=110)
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": list(heights)})
    return figure, list(axes[:, 0])


def save(figure: Figure, path: Path, force: bool) -> None:
    """The figure as PNG, whole or not at all."""
    content = io.BytesIO()
    figure.savefig(content, format="png")
    whole_bytes(path, content.getvalue(), force)


def log_spectrum(audio: Audio) -> tuple[np.ndarray, float]:
    """Decibels below the loudest point, float32 [bin, column of 5 ms], and Hz per bin: Hann windows of 23 ms at most on the
    mean of the channels, centred on their column."""
    hop = max(1, round(COLUMN_SECONDS * audio.rate))
    size = 1 << max(5, int(np.log2(0.0233 * audio.rate)))
    mono = np.pad(audio.mono(), (size // 2, size // 2 + hop))
    frames = np.lib.stride_tricks.sliding_window_view(mono, size)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(size).astype(np.float32), axis=1)).T ** 2
    top = max(float(power.max()), 1e-12)
    return (10 * np.log10(np.maximum(power / top, 10 ** (-RANGE_DB / 10)))).astype(np.float32), audio.rate / size


def show_spectrum(axes: Axes, audio: Audio) -> None:
    """A spectrogram on a mel-like frequency axis."""
    from matplotlib.ticker import FixedLocator, NullLocator

    decibels, hertz = log_spectrum(audio)
    column = max(1, round(COLUMN_SECONDS * audio.rate)) / audio.rate
    times = (np.arange(decibels.shape[1] + 1) - 0.5) * column
    bands = (np.arange(decibels.shape[0] + 1) - 0.5) * hertz
    bands[0] = 0
    axes.pcolormesh(times, bands, decibels, cmap="magma", vmin=-RANGE_DB, vmax=0, rasterized=True, shading="flat")
    axes.set_yscale("symlog", linthresh=1000, linscale=1)
    top = audio.rate / 2
    axes.set_ylim(0, top)
    ticks = [tick for tick in (0, 500, 1000, 2000, 5000, 10000, 20000) if tick <= top]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_yticklabels([f"{tick / 1000:g}" for tick in ticks])
    axes.set_ylabel("kHz")


def mark_onsets(axes: Axes, onsets: Sequence | np.ndarray | None) -> None:
    """Thin lines at onsets: seconds, or (seconds, strength)."""
    if onsets is None:
        return
    for onset in onsets:
        axes.axvline(float(np.atleast_1d(onset)[0]), color="tab:cyan", linewidth=0.8, alpha=0.8)


def film_height(video: Video) -> float:
    """Inches of the film strip in which all frames stand side by side at their true shape, within bounds."""
    height, width = video.frames.shape[2:]
    return float(np.clip(FILM_WIDTH / len(video.frames) * height / width, 0.6, 1.5))


def show_film(axes: Axes, video: Video, strip: float, seconds: float) -> None:
    """Frames side by side in the order of time, evenly, each with its own time. ``strip``: height in inches, which tells
    how many fit; where there are more frames, evenly chosen ones are shown."""
    height, width = video.frames.shape[2:]
    room = max(1, int(FILM_WIDTH / (strip * width / height) + 0.05))
    picked = np.unique(np.linspace(0, len(video.frames) - 1, min(len(video.frames), room)).round().astype(int))
    span = seconds / max(len(picked), FILM_WIDTH / (strip * width / height))  # few tall frames keep their shape
    for place, index in enumerate(picked):
        image = video.frames[index].transpose(1, 2, 0)
        axes.imshow(image, extent=(place * span, (place + 0.98) * span, 0, 1), aspect="auto", interpolation="bilinear")
        label = {"facecolor": "black", "alpha": 0.6, "pad": 1, "linewidth": 0}
        axes.text((place + 0.03) * span, 0.95, f"{video.times[index]:.2f} s", color="white", fontsize=7, va="top", bbox=label)
    axes.set_ylim(0, 1)
    axes.set_axis_off()


def draw_envelope(
    path: Path,
    envelope: Envelope,
    frames: Video | None = None,
    onsets: Sequence | np.ndarray | None = None,
    audio: Audio | None = None,
    force: bool = False,
) -> None:
    """A PNG: film strip, spectrogram in columns of 5 ms, and envelope over one time axis; what is not given is left out.

    ``onsets``: seconds, or (seconds, strength), drawn as lines. Raises OutputError where the file cannot lie.
    """
    strip = [film_height(frames)] if frames is not None else []
    heights = strip + [2.0] * (audio is not None) + [2.2]
    figure, axes = new_figure(heights)
    seconds = max(envelope.seconds, audio.seconds if audio else 0.0, frames.seconds if frames else 0.0, 1e-3)
    rest = list(axes)
    if frames is not None:
        show_film(rest.pop(0), frames, strip[0], seconds)
    if audio is not None:
        show_spectrum(rest[0], audio)
        mark_onsets(rest.pop(0), onsets)
    curve = rest[0]
    curve.fill_between(envelope.times, envelope.values, color="tab:orange", alpha=0.35, linewidth=0)
    curve.plot(envelope.times, envelope.values, color="tab:orange", linewidth=1.0)
    mark_onsets(curve, onsets)
    curve.set_xlim(0, seconds)
    curve.set_ylim(0, max(float(envelope.values.max()) * 1.08, 1e-4))
    curve.set_xlabel("seconds")
    curve.set_ylabel("RMS amplitude")
    save(figure, path, force)
