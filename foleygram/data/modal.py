"""Self-made sounds: resonating modes, friction and grains, so that MiniHits needs no recording to be prepared.

A name is ``modal:<material>:<seed>``; ``seed // 100`` is the family (one object), ``seed % 100`` the take.
Stiff bodies ring in modes (decay rising with frequency as in Klatzky et al. 2000); loose ones are heaps of grains.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from foleygram.data.takes import aligned, normalised
from foleygram.errors import DataError
from foleygram.types import SAMPLE_RATE


@dataclass(frozen=True)
class Body:
    """A material's numbers. ``pitch``: lowest mode in Hz (from, to); ``ring``: s to -60 dB of the lowest mode (from, to);
    ``stiff``: spread of the modes; ``click``: share of contact noise; ``band``: Hz of noise and grains; ``grains``: grains
    of a contact (0 for a solid); ``grain``: s of a grain."""

    pitch: tuple[float, float]
    ring: tuple[float, float]
    stiff: float
    click: float
    band: tuple[float, float]
    grains: int
    grain: float


BODIES = {
    "wood": Body((140, 520), (0.05, 0.18), 1.7, 0.5, (300, 5000), 0, 0.004),
    "metal": Body((300, 1500), (0.4, 1.6), 1.5, 0.25, (1500, 14000), 0, 0.002),
    "glass": Body((900, 3000), (0.15, 0.7), 1.8, 0.3, (3000, 16000), 0, 0.002),
    "ceramic": Body((700, 2200), (0.06, 0.3), 1.6, 0.5, (2000, 14000), 0, 0.002),
    "plastic": Body((250, 900), (0.03, 0.1), 1.9, 0.7, (800, 9000), 0, 0.003),
    "rock": Body((500, 1800), (0.02, 0.06), 1.8, 1.0, (800, 12000), 3, 0.003),
    "dirt": Body((60, 130), (0.04, 0.09), 1.5, 0.5, (120, 3500), 25, 0.006),
    "gravel": Body((90, 200), (0.03, 0.06), 1.5, 0.3, (900, 10000), 45, 0.004),
    "leaf": Body((150, 300), (0.02, 0.04), 1.5, 0.2, (2000, 14000), 90, 0.004),
    "grass": Body((90, 200), (0.02, 0.05), 1.5, 0.2, (1200, 9000), 60, 0.007),
    "paper": Body((200, 500), (0.02, 0.05), 1.7, 0.5, (1500, 12000), 25, 0.003),
    "cloth": Body((70, 180), (0.03, 0.07), 1.5, 0.4, (200, 4500), 18, 0.012),
    "water": Body((350, 900), (0.05, 0.12), 1.3, 0.4, (500, 8000), 30, 0.02),
}
USES = tuple(
    (material, action)
    for material in BODIES
    for action in ("hit", "scratch", "step")
    if action != "step" or material in ("wood", "metal", "dirt", "rock", "leaf", "grass", "water", "gravel")
)
FAMILIES = {"train": range(1, 9), "validation": range(20, 22), "test": range(30, 33)}
TAKES = 6


def families(material: str, action: str, split: str) -> dict[str, tuple[str, ...]]:
    """Names of the takes of each self-made family of a split; no family is in two splits."""
    return {
        f"modal:{material}:{action}:{number}": tuple(f"modal:{material}:{number * 100 + take}" for take in range(TAKES))
        for number in FAMILIES[split]
    }


def parse(name: str) -> tuple[str, int]:
    """Material and seed of a name. Raises DataError where it is not ``modal:<material>:<seed>``."""
    _, material, seed = [*name.split(":"), "", ""][:3]
    if material not in BODIES or not seed.isdigit():
        raise DataError(f"'{name}' names no self-made sound; write modal:<material>:<seed> with one of {', '.join(BODIES)}")
    return material, int(seed)


def family_of(name: str) -> str:
    """The object of a self-made sound."""
    material, seed = parse(name)
    return f"modal:{material}:{seed // 100}"


def band_noise(count: int, low: float, high: float, rng: np.random.Generator) -> np.ndarray:
    """Filtered white noise, float64 [sample], unit RMS."""
    noise = sosfilt(butter(2, (low, min(high, 20000)), "bandpass", fs=SAMPLE_RATE, output="sos"), rng.standard_normal(count))
    return noise / (np.sqrt(np.mean(noise**2)) + 1e-9)


def response(body: Body, object_rng: np.random.Generator, take_rng: np.random.Generator) -> np.ndarray:
    """Impulse response of the modes of an object, float64 [sample], peak 1."""
    count = 14
    pitch = np.exp(object_rng.uniform(*np.log(body.pitch)))
    ring = np.exp(object_rng.uniform(*np.log(body.ring)))
    order = np.arange(1, count + 1) ** (body.stiff * object_rng.uniform(0.75, 1.05))
    frequency = pitch * order * object_rng.uniform(0.88, 1.12, count)
    frequency = frequency[frequency < 18000]
    decay = ring * (pitch / frequency) ** object_rng.uniform(0.3, 0.7)
    weight = (
        object_rng.uniform(0.2, 1, len(frequency)) * take_rng.uniform(0.5, 1.2, len(frequency)) * (pitch / frequency) ** 0.35
    )
    time = np.arange(int(min(1.8, 1.1 * decay.max()) * SAMPLE_RATE)) / SAMPLE_RATE
    waves = np.sin(2 * np.pi * frequency[:, None] * time) * np.exp(-6.91 * time / decay[:, None])
    sound = weight @ waves
    return sound / np.abs(sound).max()


def grain_heap(count: int, times: np.ndarray, body: Body, colour: float, rng: np.random.Generator, water: bool) -> np.ndarray:
    """A sum of grains that start at ``times`` (s), float64 [sample]."""
    heap = np.zeros(count)
    low, high = body.band
    for start in np.sort(times):
        at = int(start * SAMPLE_RATE)
        length = min(int(6 * body.grain * rng.uniform(0.5, 1.6) * SAMPLE_RATE) + 8, count - at)
        if length < 8:
            continue
        time = np.arange(length) / SAMPLE_RATE
        frequency = np.exp(rng.uniform(np.log(low), np.log(high))) * colour
        if water:
            wave = np.sin(2 * np.pi * frequency * 0.5 * time * (1 + 4 * time))
        else:
            wave = rng.standard_normal(length) * np.sin(2 * np.pi * frequency * time + rng.uniform(0, 6.28))
        heap[at : at + length] += rng.exponential(1) * wave * np.exp(-6 * time / time[-1]) * np.minimum(1, time / 0.0004)
    return heap


def synthesise(name: str, action: str) -> tuple[np.ndarray, int, float]:
    """A self-made contact as of a take: (float32 [1, sample] at 44.1 kHz, sample of the attack, seconds of contact)."""
    material, seed = parse(name)
    body = BODIES[material]
    mark = zlib.crc32(f"{material}:{action}".encode())
    object_rng = np.random.default_rng([mark, seed // 100])
    rng = np.random.default_rng([mark, seed // 100, seed % 100, 1])
    colour = object_rng.uniform(0.8, 1.25)
    ring = response(body, object_rng, rng)
    if action == "scratch":
        duration = rng.uniform(0.18, 0.7)
        sound = rub(body, material, ring, colour, duration, rng)
    else:
        duration = 0.0
        sound = strike(body, material, ring, colour, rng)
        if action == "step":
            sound = tread(sound, strike(body, material, ring, colour, rng), rng)
    samples, attack = aligned(normalised(sound[None]), action)
    return samples, attack, duration


def strike(body: Body, material: str, ring: np.ndarray, colour: float, rng: np.random.Generator) -> np.ndarray:
    """A hit, float64 [sample]: modes, contact noise and, where the material is loose, a burst of grains."""
    count = max(len(ring), int((0.12 + 0.004 * body.grains) * SAMPLE_RATE))
    time = np.arange(count) / SAMPLE_RATE
    low, high = body.band
    noise = band_noise(count, low * colour, high * colour, rng) * np.exp(-time / rng.uniform(0.002, 0.008))
    sound = 0.35 * body.click * noise * np.minimum(1, time / 0.0003)
    sound[: len(ring)] += ring * (1.0 if body.grains == 0 else 0.5)
    if body.grains:
        times = rng.gamma(1.0, 0.035, max(3, int(body.grains * rng.uniform(0.7, 1.3))))
        times[:3] = (0, 0.0005, 0.001)
        heap = grain_heap(count, times, body, colour, rng, material == "water")
        sound += heap / (np.abs(heap).max() + 1e-9) * (1.0 if body.grains > 10 else 0.4)
    return sound


def rub(body: Body, material: str, ring: np.ndarray, colour: float, duration: float, rng: np.random.Generator) -> np.ndarray:
    """A stroke of ``duration`` s, float64 [sample]: rough friction noise through the modes, and grains."""
    count = int((duration + 0.05) * SAMPLE_RATE) + len(ring) // 3
    time = np.arange(count) / SAMPLE_RATE
    stroke = np.clip(np.minimum(time / 0.005, (duration - time) / 0.08), 0, 1)
    low, high = body.band
    rough = np.abs(band_noise(count, 15, 90, rng)) ** 1.5
    noise = band_noise(count, low * colour, high * colour, rng) * stroke * (0.4 + rough)
    sound = noise * 0.3
    if body.grains < 10:
        sound = sound + 0.7 * fftconvolve(noise, ring[: SAMPLE_RATE // 4] / np.sqrt(np.sum(ring**2)))[:count] * 0.3
    else:
        times = rng.uniform(0, duration, max(4, int(body.grains * 8 * duration)))
        times[:4] = (0, 0.002, 0.004, 0.006)
        heap = grain_heap(count, times, body, colour, rng, material == "water")
        sound = 0.4 * sound + 0.5 * heap / (np.abs(heap).max() + 1e-9) * (0.3 + 0.7 * stroke)
    return sound


def tread(heel: np.ndarray, toe: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A footstep, float64 [sample]: heel with a thud, then the softer toe."""
    gap = int(rng.uniform(0.07, 0.14) * SAMPLE_RATE)
    sound = np.zeros(max(len(heel), gap + len(toe)))
    sound[: len(heel)] += heel
    sound[gap : gap + len(toe)] += rng.uniform(0.25, 0.5) * toe
    time = np.arange(len(sound)) / SAMPLE_RATE
    return sound + 0.5 * np.sin(2 * np.pi * rng.uniform(60, 110) * time) * np.exp(-time / 0.025)
