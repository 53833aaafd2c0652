"""The envelope predictor: the frames of a silent picture in, the envelope of the sound that belongs under it out.

Any length in constant memory: frames are reduced to small motion maps as they come, the network sees overlapping windows
of them, and only a handful of numbers a step are kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from foleygram.errors import MediaError, UsageError
from foleygram.timing.decoding import Reading, read_track, render
from foleygram.timing.motion import Motion, motions
from foleygram.timing.network import LEVELS, TimingConfig, TimingNetwork, level_values
from foleygram.timing.track import Kind, OnsetTrack
from foleygram.types import Envelope

HOLD = 0.5
"""s after which a frame that stays on show (a still, a gap in a file of changing rate) counts as repeated."""

HELD_STEP = 0.1  # s between its repetitions
ALWAYS = {"hit": math.inf, "scratch": -math.inf}  # probability of a scratch from which an event is one


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a picture says about its sound. ``track``: the events, empty where nothing was seen to sound; ``envelope``: the
    curve made of them; ``frames``: how many frames were looked at; ``cuts``: s at which the film cuts."""

    track: OnsetTrack
    envelope: Envelope
    frames: int
    cuts: tuple[float, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether no event was found."""
        return not len(self.track)

    def describe(self) -> str:
        """One line for people."""
        seen = f"{self.frames} frame{'s' * (self.frames != 1)}"
        if self.silent:
            return f"no event found in {seen}: the predicted envelope is silent; place events by hand"
        hits = sum(event.kind == "hit" for event in self.track.events)
        counts = ((hits, "hit", "hits"), (len(self.track) - hits, "scratch", "scratches"))
        parts = [f"{count} {many if count > 1 else one}" for count, one, many in counts if count]
        return f"{' and '.join(parts)} predicted from {seen}, the first at {self.track.times[0]:.2f} s"


def held(stream: Iterable[Motion], seconds: float) -> Iterator[Motion]:
    """Repeats frames that stand longer than ``HOLD``, without motion, so that time goes on between them."""
    last: Motion | None = None
    for motion in stream:
        if last is not None and motion.time - last.time > HOLD:
            yield from repeats(last, motion.time - HELD_STEP / 2)
        if motion.time > seconds + HOLD:
            return
        yield motion
        last = motion


def repeats(motion: Motion, end: float) -> Iterator[Motion]:
    """A frame that stays on show until ``end`` s, as still ones after it."""
    still = replace(motion, difference=np.zeros_like(motion.difference), cut=False)
    for k in range(1, math.ceil((end - motion.time) / HELD_STEP)):
        yield replace(still, time=motion.time + k * HELD_STEP)


class EnvelopePredictor(nn.Module):
    """``predict``: frames to an Envelope; ``read``: to that, the events and more."""

    def __init__(self, config: TimingConfig):
        super().__init__()
        self.config = config
        self.network = TimingNetwork(config)

    def predict(self, frames: Iterable[tuple[float, np.ndarray]], seconds: float) -> Envelope:
        """The envelope of ``seconds`` of sound at 344.53 steps/s; see ``read``."""
        return self.read(frames, seconds).envelope

    def read(
        self,
        frames: Iterable[tuple[float, np.ndarray]],
        seconds: float,
        threshold: float | None = None,
        kind: Kind | None = None,
    ) -> Prediction:
        """Looks at all frames once, in constant memory. ``frames``: (presentation time in s from the first frame, uint8 RGB
        [3, height, width] of one size), times rising; ``seconds``: length of the sound, silent where the picture has ended;
        ``threshold``: confidence above 0, at most 1, from which an onset counts, the model's by default; ``kind``: of all
        events, where somebody has said it.

        Raises MediaError without a frame or for frames of changing size, UsageError for a length or threshold that is none."""
        if not (math.isfinite(seconds) and seconds > 0):
            raise UsageError(f"a sound lasts longer than 0 s, not {seconds}")
        threshold = self.config.threshold if threshold is None else threshold
        if not 0 < threshold <= 1:
            raise UsageError(f"a threshold of confidence lies above 0 and at most at 1, not at {threshold}")
        seen = Seen()
        reading = self.look(seen.count(motions(iter(frames), self.config.motion)), seconds)
        if not seen.frames:
            raise MediaError("the picture has no frame; give a video with at least one")
        config = self.config
        scratch = config.scratch if kind is None else ALWAYS[kind]
        track = read_track(reading, threshold, config.apart, config.peak, config.sure, config.near, scratch)
        return Prediction(track, render(track, reading, self.config.peak), seen.frames, tuple(seen.cuts))

    @torch.no_grad()
    def look(self, stream: Iterable[Motion], seconds: float) -> Reading:
        """The network's results over the whole film, window by window."""
        config = self.config
        steps = math.ceil(seconds * config.rate) + 1
        results = np.zeros((5, steps), np.float32)
        results[3] = -60.0
        kept: list[Motion] = []
        start = 0.0  # of the window whose results are still to come
        for motion in held(stream, seconds):
            while kept and motion.time > start + config.window + config.margin:
                self.fill(results, kept, start, start + config.window)
                start += config.window
                kept = [older for older in kept if older.time >= start - config.margin]
            kept.append(motion)
        while kept and start < seconds:
            self.fill(results, kept, start, min(start + config.window, kept[-1].time + 0.25))
            start += config.window
        return Reading(*results, rate=config.rate, seconds=seconds)

    def fill(self, results: np.ndarray, kept: list[Motion], start: float, end: float) -> None:
        """Writes the results of the steps in ``start`` .. ``end`` (s)."""
        if len(kept) < 2:
            return
        rate, margin = self.config.rate, self.config.margin
        first, last = math.ceil(start * rate - 1e-9), min(math.ceil(end * rate - 1e-9), results.shape[1])
        if last <= first:
            return
        device = self.network.heads.weight.device
        low = max(first - round(margin * rate), 0)
        high = max(min(last + round(margin * rate), math.ceil((kept[-1].time + 0.25) * rate)), last)
        zero = kept[0].time
        # hours into a film fp32 does not tell the steps apart; from the window's start it does
        grid = (torch.arange(low, high, dtype=torch.float64) / rate - zero).to(device, torch.float32)
        times = torch.tensor([motion.time - zero for motion in kept], device=device, dtype=torch.float32)
        maps = np.stack([np.stack([motion.difference, motion.appearance]) for motion in kept])
        curves = self.network(torch.from_numpy(maps).to(device)[None], times[None], grid[None])
        chance = curves.level[0].softmax(-1).cpu().numpy()
        values = level_values().numpy()
        index = chance @ np.arange(LEVELS)  # the mean class: the mean loudness, not the mean amplitude
        rows = (
            np.interp(index, np.arange(LEVELS), values), curves.onset[0].sigmoid().cpu().numpy(),
            curves.offset[0].cpu().numpy(), curves.strength[0].cpu().numpy(), curves.kind[0].sigmoid().cpu().numpy(),
        )  # fmt: skip
        for row, values in zip(results, rows, strict=True):
            row[first:last] = values[first - low : last - low]


class Seen:
    """Counts frames and cuts as they pass."""

    def __init__(self):
        self.frames = 0
        self.cuts: list[float] = []

    def count(self, stream: Iterable[Motion]) -> Iterator[Motion]:
        for motion in stream:
            self.frames += 1
            if motion.cut:
                self.cuts.append(motion.time)
            yield motion
