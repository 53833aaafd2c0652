"""A scene becomes sound: takes at their times, panned, in a room, at a level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from foleygram.data.scenes import Event, Scene
from foleygram.data.sounds import SoundBank
from foleygram.data.takes import Take
from foleygram.types import SAMPLE_RATE, Audio, sample_count


def compose_scene(scene: Scene, sounds: SoundBank) -> Audio:
    """The sound of a scene: 44.1 kHz stereo, peak between -12 and -3 dBFS. The same scene gives the same samples.

    The attack of every event lies on sample ``sample_count(event.seconds)``. Raises DataError where a sound of the
    scene is not in the bank."""
    rng = np.random.default_rng(scene.seed)
    count = sample_count(scene.seconds)
    mix = np.zeros((2, count))
    colour = Colour.drawn(rng) if scene.split == "train" else None
    for event in scene.events:
        take = sounds.take(event.sound, event.action)
        samples, attack = play(take, event, colour)
        stereo = pan(samples, (event.x - 0.5) * 2 * scene.pan_width) * event.gain
        start = sample_count(event.seconds) - attack
        skip = max(0, -start)
        part = stereo[:, skip : count - start]
        mix[:, start + skip : start + skip + part.shape[1]] += part
    if scene.room:
        mix = in_room(mix, scene.room)
    mix *= 10 ** (rng.uniform(-12, -3) / 20) / max(np.abs(mix).max(), 1e-9)
    # a bed of noise only where a model shall learn to live with it
    if scene.split == "train" and rng.random() < 0.2:
        mix += noise_bed(count, rng)
        mix = np.clip(mix, -0.99, 0.99)
    return Audio(mix.astype(np.float32), SAMPLE_RATE)


@dataclass(frozen=True)
class Colour:
    """A mild equaliser, so that few recordings train like many: ``tilt`` dB up above and down below 1.5 kHz, and a bell of
    ``bell`` dB at ``centre`` Hz."""

    tilt: float
    bell: float
    centre: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Colour:
        """A random one: tilt within 4 dB, bell within 5 dB."""
        return cls(float(rng.uniform(-4, 4)), float(rng.uniform(-5, 5)), float(np.exp(rng.uniform(np.log(200), np.log(8000)))))

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """The filtered [channel, sample]."""
        shelf = 10 ** (self.tilt / 20)
        low = lfilter([0.19], [1, -0.81], samples, axis=-1)  # one pole at 1.5 kHz
        tilted = low / shelf + (samples - low) * shelf
        # the peaking filter of R. Bristow-Johnson's Audio EQ Cookbook, Q = 1
        angle, height = 2 * np.pi * self.centre / SAMPLE_RATE, 10 ** (self.bell / 40)
        alpha, middle = np.sin(angle) / 2, -2 * np.cos(angle)
        return lfilter(
            [1 + alpha * height, middle, 1 - alpha * height], [1 + alpha / height, middle, 1 - alpha / height], tilted
        )


def play(take: Take, event: Event, colour: Colour | None) -> tuple[np.ndarray, int]:
    """A take at the pitch of an event and in the colour of its scene: ([channel, sample], sample of the attack)."""
    samples, attack = take.samples, take.attack
    if event.pitch != 1.0:
        samples = soxr.resample(samples.T, SAMPLE_RATE * event.pitch, SAMPLE_RATE).T
        attack = round(attack / event.pitch)
    return (colour(samples) if colour else samples), attack


def pan(samples: np.ndarray, position: float) -> np.ndarray:
    """Constant-power pan of [channel, sample] to ``position`` -1 (left) .. 1 (right); a stereo recording keeps its width."""
    angle = (np.clip(position, -1, 1) + 1) * np.pi / 4
    gains = np.sqrt(2) * np.array([[np.cos(angle)], [np.sin(angle)]])
    return gains * (samples if samples.shape[0] == 2 else np.repeat(samples, 2, axis=0))


def in_room(mix: np.ndarray, seed: int) -> np.ndarray:
    """[2, sample] with the reverberation of a small room: RT60 0.1-0.6 s, 12-30 dB below the direct sound."""
    rng = np.random.default_rng(seed)
    decay = rng.uniform(0.1, 0.6)
    wet = 10 ** (rng.uniform(-30, -12) / 20)
    time = np.arange(int(decay * SAMPLE_RATE)) / SAMPLE_RATE
    noise = rng.standard_normal((2, len(time))) * np.exp(-6.91 * time / decay)
    noise = sosfilt(
        butter(1, (rng.uniform(150, 400), rng.uniform(3000, 9000)), "bandpass", fs=SAMPLE_RATE, output="sos"), noise
    )
    noise *= np.minimum(1, time / 0.004)
    noise /= np.sqrt(np.sum(noise**2, axis=1, keepdims=True))
    tail = fftconvolve(mix, noise, axes=1)[:, : mix.shape[1]]
    delay = int(rng.uniform(0.004, 0.015) * SAMPLE_RATE)
    wet *= np.sqrt(np.sum(mix**2) / max(np.sum(tail**2), 1e-12))
    result = mix.copy()
    result[:, delay:] += wet * tail[:, : mix.shape[1] - delay]
    return result


def noise_bed(count: int, rng: np.random.Generator) -> np.ndarray:
    """Quiet stereo noise [2, count], -70 to -60 dBFS RMS, darker than white."""
    noise = lfilter([1], [1, -0.9], rng.standard_normal((2, count)), axis=-1)
    return noise / np.sqrt(np.mean(noise**2)) * 10 ** (rng.uniform(-70, -60) / 20)
