"""Procedural surfaces: a seamless-enough picture of every material that has no photograph, made of noise.

Every maker takes a generator and a side in pixels and returns float32 RGB [side, side, 3] in 0..255.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

from foleygram.data.noise import cells, folds, gloss, grid_axes, noise, pick, ramp, relief, tinted
from foleygram.data.opencv import cv2
from foleygram.errors import DataError

Maker = Callable[[np.random.Generator, int], np.ndarray]


def _wood(rng, side):
    grain = noise(rng, side, 14, 5, stretch=14)
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (noise(rng, side, 3, 3, stretch=6) * rng.uniform(5, 11)))
    field = 0.55 * grain + 0.45 * rings.astype(np.float32)
    dark, light = [((88, 55, 30), (170, 118, 70)), ((122, 84, 48), (208, 165, 112)), ((60, 38, 26), (120, 80, 52))][
        int(rng.integers(3))
    ]
    image = ramp(field, dark, light)
    boards = int(rng.integers(1, 6))
    for k in range(boards):
        rows = slice(k * side // boards, (k + 1) * side // boards)
        image[rows] = np.roll(image[rows], int(rng.integers(side)), axis=1) * rng.uniform(0.85, 1.12)
        if boards > 1:
            image[rows.start : rows.start + max(side // 128, 1)] *= 0.45
    return image


def _metal(rng, side):
    base = pick(rng, (150, 152, 156), (120, 124, 130), (176, 172, 164), (150, 118, 74))
    image = tinted(base, noise(rng, side, 60, 3, stretch=40), 0.35) + 70 * gloss(rng, side, 1.0)
    kind = rng.random()
    if kind < 0.3:  # rust
        rust = np.clip((noise(rng, side, 4, 5) - 0.5) * 5, 0, 1)[..., None]
        image = image * (1 - rust) + rust * ramp(noise(rng, side, 24, 3), (84, 44, 26), (160, 92, 50))
    elif kind < 0.55:  # tread plate
        x, y = grid_axes(side)
        bumps = np.maximum(np.sin(40 * (x + y)) * np.sin(20 * (x - y)), 0) ** 3
        image = image * relief(bumps.astype(np.float32), 1.1)
    return image


def _glass(rng, side):
    base = pick(rng, (150, 184, 180), (120, 160, 172), (176, 192, 190), (84, 110, 110))
    x, y = grid_axes(side)
    image = tinted(base, (0.6 * x + 0.4 * y) * 0.7 + 0.3 * noise(rng, side, 2, 2), 0.5)
    return image + 110 * gloss(rng, side, 1.0) + 30 * gloss(rng, side, 1.0) * np.float32([0.6, 0.9, 1])


def _plastic(rng, side):
    base = pick(rng, (190, 40, 38), (40, 84, 170), (226, 190, 40), (50, 130, 70), (225, 225, 222), (40, 42, 46), (210, 110, 40))
    fine = noise(rng, side, side // 4, 1)
    image = tinted(base, noise(rng, side, 2, 2), 0.25) * relief(fine, 0.05) + 60 * gloss(rng, side, 1.0)
    if rng.random() < 0.4:
        x, _ = grid_axes(side)
        image = image * relief(np.abs(np.sin(x * np.pi * rng.integers(6, 16))).astype(np.float32) ** 0.3, 0.5)
    return image


def _plastic_bag(rng, side):
    base = pick(rng, (214, 216, 220), (226, 226, 230), (50, 50, 54), (80, 130, 190), (206, 200, 140), (190, 60, 60))
    shade = folds(rng, side, int(rng.integers(7, 12)), 0.5)
    image = 0.85 * tinted(base, noise(rng, side, 3, 2), 0.3) * shade
    return image + 150 * np.clip(shade - 1.28, 0, 0.5) * 2  # creases shine


def _leather(rng, side):
    base = pick(rng, (96, 56, 34), (52, 36, 30), (36, 36, 38), (150, 96, 56), (110, 32, 30))
    labels, height = cells(rng, side, side // 6)
    wrinkles = (1 - np.abs(2 * noise(rng, side, 3, 3) - 1)) ** 10
    shade = relief(height, 0.14) * relief(wrinkles, rng.uniform(0, 0.12))
    return tinted(base, noise(rng, side, 4, 3), 0.5) * shade + 35 * gloss(rng, side, 1.0)


def _cloth(rng, side):
    first = pick(rng, (60, 74, 110), (150, 60, 60), (196, 188, 172), (70, 90, 70), (110, 100, 120), (200, 160, 120))
    x, y = grid_axes(side)
    threads = side / rng.uniform(3.0, 5.0)
    weave = (np.sin(2 * np.pi * threads * x) * np.sin(2 * np.pi * threads * y)).astype(np.float32)
    image = tinted(first, noise(rng, side, 5, 4), 0.3) * (1 + 0.12 * weave[..., None])
    if rng.random() < 0.4:
        second = np.float32(pick(rng, (230, 226, 214), (40, 40, 50), (180, 60, 50)))
        mask = (np.sin(2 * np.pi * rng.integers(3, 9) * x) > 0.4) | (np.sin(2 * np.pi * rng.integers(3, 9) * y) > 0.4)
        image = np.where(mask[..., None], 0.5 * image + 0.5 * second, image)
    return image * relief(noise(rng, side, 3, 2, stretch=0.6), rng.uniform(0, 2.2))


def _carpet(rng, side):
    base = pick(rng, (120, 110, 100), (90, 60, 56), (70, 84, 110), (160, 146, 126), (80, 96, 80))
    fibre = noise(rng, side, side // 2, 1)
    return tinted(base, fibre, 0.9) * (0.8 + 0.4 * noise(rng, side, 5, 3)[..., None])


def _paper(rng, side):
    base = pick(rng, (238, 236, 230), (226, 214, 188), (184, 146, 100), (232, 232, 238))
    image = tinted(base, noise(rng, side, side // 3, 1), 0.05)
    if rng.random() < 0.5:
        image = image * (1 + rng.uniform(0.3, 1.0) * (folds(rng, side, int(rng.integers(3, 9)), 0.25) - 1))
    if base[2] > 180 and rng.random() < 0.55:  # print
        rows = int(rng.integers(14, 26))
        for row in range(rows):
            y = int((row + 0.5) * side / rows)
            end = int(side * rng.uniform(0.55, 0.95))
            words = rng.random(end // 5) < 0.82
            for k in np.flatnonzero(words):
                image[y : y + max(side // 110, 2), 5 * k + 3 : 5 * k + 7] *= 0.5
    return image


def _cardboard(rng, side):
    x, y = grid_axes(side)
    flutes = np.sin(2 * np.pi * rng.uniform(24, 40) * y).astype(np.float32)
    return tinted((184, 142, 98), noise(rng, side, 30, 4, stretch=4), 0.25) * (1 + 0.05 * flutes[..., None])


def _ceramic(rng, side):
    base = pick(rng, (236, 232, 224), (90, 130, 170), (196, 110, 76), (120, 150, 130), (240, 240, 244))
    image = tinted(base, noise(rng, side, 2, 2), 0.18) + 70 * gloss(rng, side, 1.0)
    if rng.random() < 0.5:
        specks = np.clip((noise(rng, side, side // 5, 1) - 0.82) * 12, 0, 1)[..., None]
        image = image * (1 - 0.6 * specks)
    if rng.random() < 0.5:
        x, y = grid_axes(side)
        ring = np.abs(np.hypot(x - 0.5, y - 0.5) - rng.uniform(0.25, 0.42)) < 0.015
        image = np.where(ring[..., None], image * np.float32([0.45, 0.5, 0.8]), image)
    return image


def _tile(rng, side):
    base = np.float32(pick(rng, (214, 208, 196), (150, 160, 166), (120, 70, 52), (236, 236, 234), (90, 130, 140)))
    count = int(rng.integers(3, 7))
    step = side / count
    x, y = np.meshgrid(np.arange(side) % step, np.arange(side) % step)
    near = np.minimum(np.minimum(x, step - x), np.minimum(y, step - y)).astype(np.float32)
    shades = cv2.resize(
        rng.uniform(0.9, 1.08, (count, count)).astype(np.float32), (side, side), interpolation=cv2.INTER_NEAREST
    )
    image = base * shades[..., None] * (0.85 + 0.3 * noise(rng, side, 6, 4)[..., None])
    grout = np.clip(1.5 - near / (side / 110), 0, 1)[..., None]
    image = image * relief(np.clip(near / (side / 60), 0, 1), 0.12)
    return image * (1 - grout) + grout * rng.uniform(60, 170) + 30 * gloss(rng, side, 1.0)


def _brick(rng, side):
    rows = int(rng.integers(6, 10))
    high, wide = side / rows, 2 * side / rows
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    row = np.floor(y / high)
    x = x + (row % 2) * wide / 2
    number = (row * 97 + np.floor(x / wide)).astype(int)
    px, py = x % wide, y % high
    near = np.minimum(np.minimum(px, wide - px), np.minimum(py, high - py))
    shades = rng.uniform(0.75, 1.2, number.max() + 1)[number][..., None]
    base = np.float32(pick(rng, (160, 82, 60), (140, 70, 56), (180, 130, 96), (120, 110, 106)))
    image = base * shades * (0.7 + 0.6 * noise(rng, side, 24, 4)[..., None])
    mortar = np.clip(1.6 - near / (side / 90), 0, 1)[..., None]
    return (image * (1 - mortar) + mortar * np.float32((176, 170, 160))) * relief(np.clip(near / (side / 50), 0, 1), 0.25)


def _concrete(rng, side):
    base = pick(rng, (150, 148, 142), (120, 120, 120), (176, 172, 164))
    pits = np.clip((noise(rng, side, side // 6, 1) - 0.78) * 8, 0, 1)[..., None]
    return tinted(base, noise(rng, side, 4, 6), 0.45) * (1 - 0.4 * pits) * relief(noise(rng, side, 40, 3), 0.25)


def _rock(rng, side):
    ridges = 1 - np.abs(2 * noise(rng, side, 4, 5) - 1)
    base = pick(rng, (128, 120, 110), (104, 106, 112), (150, 128, 104))
    return tinted(base, noise(rng, side, 10, 5), 0.6) * relief(ridges, 1.1) * relief(noise(rng, side, 12, 4), 0.8)


def _gravel(rng, side):
    labels, height = cells(rng, side, int(rng.integers(18, 34)))
    shades = rng.uniform(0.55, 1.25, (labels.max() + 1, 1)) * rng.normal(1, 0.05, (labels.max() + 1, 3))
    base = np.float32(pick(rng, (146, 140, 132), (160, 140, 116), (116, 116, 122)))
    image = base * shades[labels] * (0.35 + 0.65 * np.sqrt(height)[..., None])
    return (
        image * relief(cv2.GaussianBlur(np.sqrt(height), (0, 0), 1.2), 0.35) * (0.85 + 0.3 * noise(rng, side, 60, 2)[..., None])
    )


def _sand(rng, side):
    x, y = grid_axes(side)
    waves = np.sin(2 * np.pi * (9 * y + 1.5 * noise(rng, side, 3, 3))).astype(np.float32)
    base = pick(rng, (212, 184, 138), (190, 166, 128), (222, 204, 170))
    image = tinted(base, noise(rng, side, side // 2, 1), 0.35) * relief(waves, rng.uniform(0, 0.12))
    return image * relief(noise(rng, side, 6, 4), 0.9)


def _dirt(rng, side):
    base = pick(rng, (104, 76, 52), (84, 64, 48), (132, 100, 70))
    return tinted(base, noise(rng, side, 8, 6), 0.8) * relief(noise(rng, side, 20, 4), 1.0)


def _grass(rng, side):
    image = np.ascontiguousarray(ramp(noise(rng, side, 10, 4), (30, 44, 16), (70, 96, 36)))
    dry = rng.uniform(0, 0.4)
    for _ in range(side * 10):
        x, y = rng.uniform(0, side, 2)
        angle, length = rng.normal(-np.pi / 2, 0.6), side * rng.uniform(0.03, 0.09)
        colour = np.float32((96, 140, 50)) * rng.uniform(0.45, 1.35)
        if rng.random() < dry:
            colour = np.float32((170, 156, 90)) * rng.uniform(0.6, 1.2)
        end = (int(x + np.cos(angle) * length), int(y + np.sin(angle) * length))
        cv2.line(image, (int(x), int(y)), end, tuple(map(float, colour)), max(side // 200, 1))
    return image


def _leaf(rng, side):
    image = np.ascontiguousarray(_dirt(rng, side) * 0.6)
    fresh = rng.random() < 0.3
    for _ in range(260):
        x, y = rng.uniform(-0.05, 1.05, 2) * side
        long, angle = side * rng.uniform(0.05, 0.11), rng.uniform(0, 360)
        colour = np.float32((84, 120, 44) if fresh else (168, 106, 48)) * rng.uniform(0.5, 1.35) * rng.normal(1, 0.08, 3)
        size = (int(long), int(long * rng.uniform(0.3, 0.6)))
        middle = (int(x), int(y))
        cv2.ellipse(image, (middle[0] + 2, middle[1] + 3), size, angle, 0, 360, tuple(map(float, colour * 0.3)), -1)
        cv2.ellipse(image, middle, size, angle, 0, 360, tuple(map(float, colour)), -1, cv2.LINE_AA)
        reach = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))]) * long
        ends = [tuple(int(v) for v in np.array(middle) + sign * reach) for sign in (-1, 1)]
        cv2.line(image, ends[0], ends[1], tuple(map(float, colour * 0.7)), 1)
    return image


def _snow(rng, side):
    image = tinted((232, 238, 246), noise(rng, side, 3, 4), 0.14) * relief(noise(rng, side, 8, 5), 0.5)
    return image * relief(noise(rng, side, side // 2, 1), 0.05)


def _ice(rng, side):
    cracks = np.clip(1 - np.abs(2 * noise(rng, side, 3, 4) - 1) * 30, 0, 1)[..., None]
    return tinted((176, 206, 222), noise(rng, side, 4, 4), 0.35) + 60 * cracks + 60 * gloss(rng, side, 1.0)


def _water(rng, side):
    base = pick(rng, (50, 96, 110), (40, 80, 120), (90, 130, 130), (60, 84, 72))
    waves = noise(rng, side, 7, 3, stretch=2.2)
    ridges = 1 - np.abs(2 * waves - 1)
    caustics = rng.uniform(10, 110) * (ridges ** rng.uniform(6, 14))[..., None]
    return tinted(base, waves, 0.6) * relief(waves, 1.5) + caustics + 40 * gloss(rng, side, 1.0)


def _drywall(rng, side):
    base = pick(rng, (222, 218, 208), (206, 210, 212), (216, 206, 186), (190, 200, 186))
    return tinted(base, noise(rng, side, 3, 3), 0.08) * relief(noise(rng, side, side // 6, 2), 0.14)


def _drumskin(rng, side):
    x, y = grid_axes(side)
    radius = np.hypot(x - 0.5, y - 0.5)
    worn = np.exp(-((radius / 0.22) ** 2)) * noise(rng, side, 8, 4)
    base = pick(rng, (236, 232, 222), (222, 206, 176), (40, 40, 42))
    return tinted(base, noise(rng, side, side // 3, 1), 0.08) * (1 - 0.35 * worn[..., None]) + 20 * gloss(rng, side, 1.0)


def _rubber(rng, side):
    x, y = grid_axes(side)
    studs = (np.sin(2 * np.pi * 14 * x) * np.sin(2 * np.pi * 14 * y)).astype(np.float32)
    base = pick(rng, (44, 44, 46), (60, 58, 56), (120, 44, 40))
    return tinted(base, noise(rng, side, side // 3, 1), 0.3) * relief(np.clip(studs, 0, 0.6), rng.uniform(0, 0.6))


def _flesh(rng, side):
    base = pick(rng, (222, 176, 150), (190, 134, 104), (150, 90, 62), (196, 92, 86))
    return tinted(base, noise(rng, side, 4, 4), 0.25) * relief(1 - np.abs(2 * noise(rng, side, 24, 3) - 1), 0.12)


def _fruit(rng, side):
    base = pick(rng, (222, 130, 40), (70, 110, 46), (190, 40, 36), (216, 190, 70))
    return tinted(base, noise(rng, side, 4, 3, stretch=0.3), 0.5) * relief(noise(rng, side, side // 5, 1), 0.15)


def _shell(rng, side):
    x, y = grid_axes(side)
    ribs = np.sin(2 * np.pi * 9 * (x + 0.15 * noise(rng, side, 3, 2))).astype(np.float32)
    return tinted((226, 206, 184), noise(rng, side, 6, 4), 0.3) * relief(ribs, 0.15)


_MAKERS: dict[str, Maker] = {
    "bone": lambda rng, side: tinted((226, 216, 190), noise(rng, side, 8, 5), 0.35),
    "brick": _brick,
    "cardboard": _cardboard,
    "carpet": _carpet,
    "ceramic": _ceramic,
    "ceramic-chip": _ceramic,
    "cloth": _cloth,
    "concrete": _concrete,
    "dirt": _dirt,
    "drumskin": _drumskin,
    "drywall": _drywall,
    "flesh": _flesh,
    "fruit": _fruit,
    "generic": _concrete,
    "glass": _glass,
    "grass": _grass,
    "gravel": _gravel,
    "hard-surface": _concrete,
    "ice": _ice,
    "leaf": _leaf,
    "leather": _leather,
    "metal": _metal,
    "paper": _paper,
    "plastic": _plastic,
    "plastic-bag": _plastic_bag,
    "rock": _rock,
    "rubber": _rubber,
    "sand": _sand,
    "shell": _shell,
    "snow": _snow,
    "soft": _cloth,
    "tile": _tile,
    "unlabelled": _concrete,
    "water": _water,
    "wood": _wood,
}

MATERIALS = tuple(_MAKERS)
"""Every material that can be painted."""


def canonical(material: str) -> str:
    """``plastic_bag`` and ``Plastic bag`` are ``plastic-bag``."""
    return material.strip().lower().replace("_", "-").replace(" ", "-")


def surface(material: str, seed: int, side: int) -> np.ndarray:
    """A picture of the material, uint8 RGB [side, side, 3]; the same arguments give the same bytes.

    Raises DataError for a material that has no maker."""
    name = canonical(material)
    if name not in _MAKERS:
        raise DataError(f"there is no procedural surface '{material}'; known are: {', '.join(MATERIALS)}")
    if side < 32:
        raise DataError(f"a surface is at least 32 pixels wide, not {side}")
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    image = _MAKERS[name](rng, side)
    return np.clip(image, 0, 255).astype(np.uint8)
