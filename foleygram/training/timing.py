"""The timing stage: from the motion in training clips to events and levels (foleygram/timing).

Loss: the level's mu-law classes against a Gaussian around the true class, as Video2RMS smooths its labels, where silence
stays sharp; whether an onset lies here; and, near onsets, how far it is, how strong and of which kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from foleygram.config import Config, Count, NotNegative
from foleygram.data.manifest import ClipRecord
from foleygram.data.scenes import Scene
from foleygram.errors import DataError
from foleygram.hub.folder import write_tensors
from foleygram.media.audio import read_audio
from foleygram.media.video import stream_frames
from foleygram.output import make_folder, whole_file
from foleygram.signal.envelope import extract_envelope
from foleygram.timing.decoding import SPREAD, read_track
from foleygram.timing.motion import Motion, MotionConfig, motions
from foleygram.timing.network import LEVELS, Curves, TimingConfig, level_classes
from foleygram.timing.predictor import EnvelopePredictor
from foleygram.timing.track import OnsetTrack
from foleygram.training.cache import cached_array, file_mark, key_of, picture_mark
from foleygram.training.loop import LoopConfig, Stage
from foleygram.training.viewpoint import THINNED, fast, seen_anew, thinned

MOST_EVENTS = 48  # of one training crop
FILMS = 3
"""Which way of filming (training/filming.py) a run's cache holds the motion of; another one when films become others."""

NEAR = 4  # steps around an onset that learn its distance, strength and kind


class TimingTraining(Config):
    """``clips``, ``valid_clips``: how many clips are filmed; ``frames``: of one training crop; ``near``, ``level``: weights of
    what is learned at onsets and of the level; ``start``: name or folder of a model whose predictor learning goes on from,
    empty for a start from nothing; ``teachers``: names or folders of models whose predictors' mean is learned in place of what
    the scenes know, so that one network is as steady as several."""

    loop: LoopConfig = LoopConfig(
        steps=900, batch=16, learning_rate=2e-3, warmup=50, decay="cosine", ema=0.99, validate_every=150
    )
    clips: Count = 1000
    valid_clips: Count = 40
    frames: Count = 96
    smoothing: NotNegative = 1.5  # classes, standard deviation of the smoothed label
    level: NotNegative = 0.3
    near: NotNegative = 0.3
    start: str = ""
    teachers: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class TimedClip:
    """A clip to learn from. ``motion``: int8 [frame, 2, short, long] (memory-mapped); ``times``: s [frame]; ``events``:
    float32 [event, 3] of seconds, dB under the loudest, 1 for a scratch; ``level``: float32 [step] relative to the loudest,
    at the predictor's rate."""

    motion: np.ndarray
    times: np.ndarray
    events: np.ndarray
    level: np.ndarray

    def track(self) -> OnsetTrack:
        return OnsetTrack.at(self.events[:, 0])


def clip_targets(record: ClipRecord, scene: Scene | None, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Events [event, 3] and level [step] of a clip (``TimedClip``), from its sound and its known onsets."""
    envelope = extract_envelope(read_audio(record.audio))
    loudest = max(float(envelope.values.max()), 1e-6)
    if scene is not None:
        marks = [(event.seconds, event.action == "scratch") for event in scene.events]
    else:
        marks = [(seconds, record.action == "scratch") for seconds, _ in record.onsets]
    rows = []
    for seconds, scratch in marks:
        first = math.floor(seconds * envelope.rate)
        part = envelope.values[first : first + math.ceil((0.25 if scratch else 0.06) * envelope.rate)]
        level = float(part.max()) / loudest if len(part) else 0.0
        rows.append((seconds, 20 * math.log10(max(level, 1e-3)), float(scratch)))
    # mean power of the fine steps around each coarse one
    fine = max(round(envelope.rate / rate), 1)
    power = np.convolve((envelope.values / loudest) ** 2, np.ones(fine) / fine, mode="same")
    steps = np.arange(0, len(power), envelope.rate / rate)
    level = np.sqrt(np.maximum(np.interp(steps, np.arange(len(power)), power), 0)).astype(np.float32)
    return np.array(rows, np.float32).reshape(-1, 3), level


def landscape(motion: Motion) -> np.ndarray:
    """int8 [2, short, long]; an upright picture is laid on its side, since training turns pictures anyway."""
    maps = np.stack([motion.difference, motion.appearance])
    return maps if maps.shape[1] <= maps.shape[2] else np.ascontiguousarray(maps.transpose(0, 2, 1))


def clip_motion(
    record: ClipRecord, scene: Scene | None, textures: Path | None, seed: int, config: MotionConfig
) -> Iterator[Motion]:
    """The motion of a clip: of its scene, filmed anew even where there is a video of it, which is the benchmark's and clean;
    of its video file where nobody knows a scene. Raises DataError where it has neither, and for photographs in a scene whose
    folder is not told."""
    if scene is not None:
        from foleygram.training.filming import film  # draws: needs OpenCV

        return motions(film(scene, textures, seed, config.rate), config)
    if record.video is None or not record.video.exists():
        raise DataError(f"{record.id}: no video file and no scene to render it from; make the data set with pictures")
    return motions(stream_frames(record.video, short_side=2 * config.short), config)


def load_clips(
    records: Sequence[ClipRecord],
    scenes: Mapping[str, Scene],
    textures: Path | None,
    folder: Path,
    seed: int,
    config: TimingConfig,
) -> list[TimedClip]:
    """Films every clip once and keeps its motion in ``folder``, a file for each clip, so a run that stops goes on there; what
    changed since is filmed again."""
    from foleygram.training.progress import progress_bar

    rate = config.rate
    steps = max(math.ceil(record.seconds * rate) for record in records) + 2

    def row(index: int) -> np.ndarray:
        events, level = clip_targets(records[index], scenes.get(records[index].id), rate)
        packed = np.zeros(2 + steps + 3 * 128, np.float32)
        packed[0], packed[1] = len(level), min(len(events), 128)
        packed[2 : 2 + min(len(level), steps)] = level[:steps]
        packed[2 + steps : 2 + steps + 3 * int(packed[1])] = events[: int(packed[1])].ravel()
        return packed

    heard = [(file_mark(record.audio), scenes.get(record.id) or (record.onsets, record.action)) for record in records]
    key = key_of(heard, rate, steps)
    table = cached_array(folder, "timing-targets", key, len(records), row, "reading sounds")
    home = folder / f"timing-motion-{key_of(config.motion.model_dump_json(), seed, FILMS)}"
    clips = []
    with progress_bar(True, 0, len(records)) as advance:
        for index, record in enumerate(records):
            scene = scenes.get(record.id)
            name = f"{record.id}-{key_of(scene or picture_mark(record, None))}"
            maps, times = home / f"{name}.npy", home / f"{name}.times.npy"
            if not times.exists():
                stream = list(clip_motion(record, scene, textures, seed, config.motion))
                save(maps, np.stack([landscape(motion) for motion in stream]))
                save(times, np.array([motion.time for motion in stream]))
            packed = table[index]
            count = int(packed[1])
            marks = packed[2 + steps : 2 + steps + 3 * count].reshape(count, 3)
            level = packed[2 : 2 + min(int(packed[0]), steps)]
            clips.append(TimedClip(np.load(maps, mmap_mode="r"), np.load(times), np.array(marks), np.array(level)))
            advance(index + 1, 0.0)
    return clips


def save(path: Path, array: np.ndarray) -> None:
    """Writes an array, whole or not at all. Raises OutputError."""
    make_folder(path.parent)
    with whole_file(path, force=True) as temporary:
        np.save(temporary, array)


class TimingCrops:
    """Random stretches of clips, some with half of their frames, seen anew (viewpoint.py), mirrored, sped up, relit: pure
    functions of (seed, step, row)."""

    def __init__(self, clips: Sequence[TimedClip], seed: int, frames: int, rate: float):
        self.clips, self.seed, self.frames, self.rate = clips, seed, frames, rate
        longest = (clip.times[: frames * (2 if fast(clip.times) else 1)] for clip in clips)
        slowest = max(float(times[-1] - times[0]) for times in longest)
        self.steps = math.ceil(min(slowest * 1.2, frames / 11) * rate)

    def stretch(
        self, draw: np.random.Generator, count: int, speed: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """``count`` frames of one clip played at ``speed``: motion, times from 0, events, levels at ``grid`` times."""
        clip = self.clips[draw.integers(len(self.clips))]
        every = 2 if draw.random() < THINNED and fast(clip.times) else 1
        count = min(every * count, len(clip.times))
        first = int(draw.integers(len(clip.times) - count + 1))
        motion, times = np.array(clip.motion[first : first + count]), clip.times[first : first + count]
        if every == 2:
            motion, times = thinned(motion, times)
        motion = seen_anew(draw, motion)
        zero = float(times[0])
        end = float(clip.times[first + count]) if first + count < len(clip.times) else float(times[-1]) + 0.06
        grid = np.arange(math.floor((end - zero) / speed * self.rate)) / self.rate
        level = np.interp(zero + grid * speed, np.arange(len(clip.level)) / self.rate, clip.level, right=0.0)
        inside = (clip.events[:, 0] >= zero) & (clip.events[:, 0] < end)
        events = clip.events[inside].copy()
        events[:, 0] = (events[:, 0] - zero) / speed
        return motion, (times - zero) / speed, events, grid, level

    def crop(self, step: int, row: int) -> tuple[np.ndarray, ...]:
        """motion int8 [frame, 2, short, long], times [frame], level class int64 [step] (-1 beyond the end), events
        [MOST_EVENTS, 3] (filled up with times of -9 s)."""
        draw = np.random.default_rng([self.seed, step, row])
        speed = float(np.exp(draw.uniform(np.log(0.85), np.log(1.2))))
        motion, times, events, grid, level = self.stretch(draw, self.frames, speed)
        if draw.random() < 0.12 and len(times) > 3:  # a cut to another clip
            share = int(draw.integers(len(times) // 4, len(times) * 3 // 4))
            joint = float(times[share])
            other, later, more, _, level_more = self.stretch(draw, len(times) - share, speed)
            other[0, 0] = 0
            motion[share : share + len(other)] = other
            motion, times = motion[: share + len(other)], np.concatenate([times[:share], joint + later])
            # an onset within a frame of the cut is nobody's
            events = np.concatenate([events[events[:, 0] < joint - 0.05], more[more[:, 0] > 0.05] + np.float32([joint, 0, 0])])
            kept = round(joint * self.rate)
            level = np.concatenate([level[:kept], level_more])
        motion = motion.astype(np.int16)
        if draw.random() < 0.5:
            motion = motion[..., ::-1]
        if draw.random() < 0.5:
            motion = motion[..., ::-1, :]
        motion = motion * draw.choice([-1, 1])
        motion[:, 0] = np.clip(np.round(motion[:, 0] * np.exp(draw.uniform(-0.5, 0.5))), -127, 127)
        return (*self.filled(motion.astype(np.int8), times, level), self.filled_events(events))

    def filled(self, motion: np.ndarray, times: np.ndarray, level: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Filled up to the size of all crops: still frames after the end, steps of class -1."""
        short = self.frames - len(times)
        if short > 0:
            motion = np.pad(motion, ((0, short), (0, 0), (0, 0), (0, 0)))
            times = np.concatenate([times, times[-1] + 1 + np.arange(short) * 0.04])
        classes = level_classes(torch.from_numpy(level.astype(np.float32))).numpy()[: self.steps]
        return motion, times.astype(np.float32), np.pad(classes, (0, self.steps - len(classes)), constant_values=-1)

    @staticmethod
    def filled_events(events: np.ndarray) -> np.ndarray:
        events = events[:MOST_EVENTS].astype(np.float32)
        empty = np.tile(np.float32([-9, 0, 0]), (MOST_EVENTS - len(events), 1))
        return np.concatenate([events, empty])


@dataclass(frozen=True, eq=False)
class Targets:
    """What the curves shall be, [batch, step] each but ``level``, chances of classes [batch, step, 64]. ``onset``, ``kind``:
    probabilities; ``offset``: s; ``strength``: dB; ``near``: how much a step learns of these three."""

    level: Tensor
    onset: Tensor
    offset: Tensor
    strength: Tensor
    kind: Tensor
    near: Tensor


def mean_targets(curves: Sequence[Curves]) -> Targets:
    """What several predictors say in the mean; of an onset those say more that are surer of it."""
    onsets = torch.stack([each.onset.sigmoid() for each in curves])
    shares = onsets / onsets.sum(0).clamp(min=1e-6)

    def mean(values: Iterator[Tensor]) -> Tensor:
        return (shares * torch.stack(list(values))).sum(0)

    return Targets(
        torch.stack([each.level.softmax(-1) for each in curves]).mean(0),
        onsets.mean(0),
        mean(each.offset for each in curves),
        mean(each.strength for each in curves),
        mean(each.kind.sigmoid() for each in curves),
        onsets.mean(0),
    )


class TimingStage(Stage):
    """Onsets, their distance and strength, levels and kinds on rendered films."""

    losses = ("loss", "onset", "level", "distance", "strength", "kind")
    validation = ("valid_loss", "valid_f1_50ms", "valid_error_ms")

    def __init__(
        self, model: EnvelopePredictor, config: TimingTraining, train: Sequence[TimedClip], valid: Sequence[TimedClip],
        seed: int, folder: Path, teachers: Sequence[EnvelopePredictor] = (),
    ):  # fmt: skip
        super().__init__()
        self.model, self.config, self.folder = model, config, folder
        self.teachers = tuple(teachers)  # no list of modules: they learn nothing and are not saved
        self.crops = TimingCrops(train, seed, config.frames, model.config.rate)
        self.held_out = TimingCrops(valid, seed + 1, config.frames, model.config.rate)
        self.valid = valid
        classes = torch.arange(LEVELS)
        smooth = torch.exp(-0.5 * ((classes[:, None] - classes[None]) / config.smoothing) ** 2)
        smooth[0, 1:] = smooth[1:, 0] = 0  # silence is silence
        self.register_buffer("labels", smooth / smooth.sum(1, keepdim=True), persistent=False)

    def batch(self, step: int, rows: range, size: int) -> tuple[Tensor, ...]:
        columns = zip(*(self.crops.crop(step, row) for row in rows), strict=True)
        motion, *rest = (torch.from_numpy(np.stack(column)) for column in columns)
        if np.random.default_rng([self.crops.seed, step]).random() < 0.25:
            motion = motion.transpose(-2, -1).contiguous()  # an upright picture
        return motion, *rest

    def forward(self, motion: Tensor, times: Tensor, classes: Tensor, events: Tensor) -> Tensor:
        batch, steps = classes.shape
        grid = (torch.arange(steps, device=times.device) / self.model.config.rate)[None].expand(batch, -1).contiguous()
        mask = (classes >= 0).float()
        if self.teachers:
            with torch.no_grad():
                wanted = mean_targets([each.to(motion.device).network(motion, times, grid, mask) for each in self.teachers])
        else:
            wanted = self.truth(classes, events, grid[0])
        return self.loss(self.model.network(motion, times, grid, mask), wanted, mask)

    def truth(self, classes: Tensor, events: Tensor, grid: Tensor) -> Targets:
        """What the scenes know."""
        rate = self.model.config.rate
        gaps = events[:, None, :, 0] - grid[None, :, None]  # batch, step, event
        distance, place = gaps.abs().min(dim=-1)
        nearest = events.gather(1, place[..., None].expand(-1, -1, 3))
        onset = torch.exp(-0.5 * (distance * rate / SPREAD) ** 2)
        near = (distance * rate <= NEAR).float()
        return Targets(
            self.labels[classes.clamp(min=0)], onset, nearest[..., 0] - grid[None], nearest[..., 1], nearest[..., 2], near
        )

    def loss(self, curves: Curves, wanted: Targets, mask: Tensor) -> Tensor:
        """``losses`` of steps whose ``mask`` is 1."""
        total, near = mask.sum(), wanted.near * mask
        count = near.sum().clamp(min=1)
        level = -(wanted.level * curves.level.log_softmax(-1)).sum(-1)
        onset = F.binary_cross_entropy_with_logits(curves.onset, wanted.onset, reduction="none")
        off = ((curves.offset - wanted.offset).abs() * near).sum() / count * 20  # in units of 50 ms
        strength = F.smooth_l1_loss(curves.strength / 6, wanted.strength / 6, reduction="none")
        kind = F.binary_cross_entropy_with_logits(curves.kind, wanted.kind, reduction="none")
        strength, kind = (strength * near).sum() / count, (kind * near).sum() / count
        level, onset = (level * mask).sum() / total, (onset * mask).sum() / total
        config = self.config
        loss = 20 * onset + config.level * level + config.near * (off + strength + kind)
        return torch.stack([loss, onset, level, off, strength, kind])

    def validate(self) -> Sequence[float]:
        columns = zip(*(self.held_out.crop(0, row) for row in range(16)), strict=True)
        loss = self.forward(*(torch.from_numpy(np.stack(column)).to(self.labels.device) for column in columns))[0].item()
        hits = true = found = 0
        error = 0.0
        config = self.model.config
        for clip in self.valid:
            stream = (Motion(float(time), maps[0], maps[1], False) for time, maps in zip(clip.times, clip.motion, strict=True))
            reading = self.model.look(stream, (len(clip.level) - 1) / config.rate)
            seen = read_track(reading, config.threshold, config.apart, config.peak, config.sure, config.near, config.scratch)
            score = clip.track().agreement(seen)
            hits, true, found = hits + score.hits, true + score.true, found + score.found
            error += score.hits * score.mean_error if score.hits else 0.0
        return loss, 2 * hits / max(true + found, 1), 1000 * error / max(hits, 1)

    def export(self) -> None:
        write_tensors(
            self.folder / "timing.safetensors", {name: value.half() for name, value in self.model.state_dict().items()}
        )
