"""A MiniHits scene: everything that decides one clip, before any sound or picture is made.

The scene is the ground truth: onsets, materials, actions and the envelope follow from it exactly, because the program
placed every event (design of the open benchmark, ``docs/minihits.md``). The same seed gives the same scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foleygram.data import captions
from foleygram.data.manifest import SPLITS
from foleygram.errors import DataError

if TYPE_CHECKING:
    from foleygram.data.sounds import SoundBank

ACTIONS = ("hit", "scratch", "step")
TOOLS = {"hit": ("stick", "hand"), "scratch": ("stick", "hand"), "step": ("foot",)}
KIND_WEIGHTS = {"real": 0.6, "borrowed": 0.2, "modal": 0.2}  # how often a training scene takes which kind of sound
GAP = 0.12  # s, the least time between two contacts


@dataclass(frozen=True)
class Event:
    """One contact. ``seconds``: time of the attack; ``strength``: 0..1; ``duration``: s of contact (0 for a hit or
    step, length of the stroke for a scratch); ``x, y``: place on the surface, 0..1 of the frame (y grows downwards);
    ``x_end, y_end``: where a scratch ends; ``sound``: path of the recording relative to the sound folder and number of
    the take in it (``path#k``), or ``modal:<material>:<seed>`` for a synthesised one; ``gain``: linear; ``pitch``:
    resampling ratio (1 = as recorded)."""

    seconds: float
    strength: float
    action: str
    duration: float
    x: float
    y: float
    x_end: float
    y_end: float
    sound: str
    gain: float
    pitch: float


@dataclass(frozen=True)
class Scene:
    """One clip of the benchmark. ``texture``: path of a photograph relative to the texture folder, or
    ``procedural:<material>:<seed>``; ``shake``: camera shake in pixels of a 256-wide frame; ``light``: depth 0..1 of
    slow light changes; ``room``: seed of the room's impulse response, 0 = dry; ``pan_width``: 0..1."""

    id: str
    split: str  # train | validation | test
    seed: int
    seconds: float
    fps: float
    width: int
    height: int
    material: str
    action: str
    tool: str
    caption: str
    texture: str
    shake: float
    light: float
    room: int
    pan_width: float
    events: tuple[Event, ...]


def draw_times(seconds: float, rng: np.random.Generator, action: str) -> list[float]:
    """Rising times of contacts, s. The intervals imitate Greatest Hits (median 0.6 s, a quarter of it as deviation):
    mostly a steady hand, sometimes sparse, sometimes a single contact, sometimes bursts."""
    kind = rng.choice(["steady", "irregular", "sparse", "bursts", "accelerating", "few"], p=[0.38, 0.22, 0.12, 0.1, 0.08, 0.1])
    first = rng.uniform(0.3, 2.0)
    middle = float(np.clip(rng.lognormal(np.log(0.68), 0.3), 0.35, 1.6)) * (1.25 if action == "scratch" else 1.0)
    times = [first]
    limit = int(rng.integers(1, 4)) if kind == "few" else int(rng.integers(6, 15))
    while len(times) < limit:
        part = (times[-1] - first) / max(seconds - first, 0.1)
        if kind == "steady":
            step = middle * rng.lognormal(0, 0.1) * (2 if rng.random() < 0.06 else 1)
        elif kind == "irregular":
            step = middle * rng.lognormal(0, 0.5)
        elif kind == "sparse":
            step = rng.uniform(1.0, 3.2)
        elif kind == "bursts":
            step = rng.uniform(0.18, 0.32) if rng.random() < 0.6 else rng.uniform(0.8, 2.0)
        elif kind == "accelerating":
            step = max(0.2, 1.3 * (1 - 0.85 * part)) * rng.lognormal(0, 0.08)
        else:
            step = rng.uniform(0.4, 4.0)
        times.append(times[-1] + max(step, GAP))
    return [time for time in times if time < seconds - 0.25] or [min(first, 0.5 * seconds)]


def draw_scene(
    split: str,
    index: int,
    bank: SoundBank,
    textures: dict[str, dict[str, tuple[str, ...]]],
    seconds: float = 10.0,
    seed: int = 0,
) -> Scene:
    """Scene ``index`` of a split. ``textures``: paths by split and material. The same arguments give the same scene.

    Materials and actions take turns, so every split is balanced; the rest is random. Raises DataError where the bank
    has no sound for the split."""
    uses = sorted(
        (material, action) for part, material, action in bank.shelves if part == split and bank.shelves[part, material, action]
    )
    if not uses:
        raise DataError(f"the sounds have no family for the {split} split; add recordings or prepare without --sounds")
    number = SPLITS.index(split)
    # hits twice, as in Greatest Hits; each round of uses in a new order
    rounds = [use for use in uses for _ in range(2 if use[1] == "hit" else 1)]
    turn, place = divmod(index, len(rounds))
    order = np.random.default_rng([seed, number, 7, turn]).permutation(len(rounds))
    material, action = rounds[order[place]]
    rng = np.random.default_rng([seed, number, index])
    events = draw_events(split, material, action, bank, seconds, rng)
    main = "scratch" if all(event.action == "scratch" for event in events) else "step" if action == "step" else "hit"
    tool = str(rng.choice(TOOLS[main], p=[0.8, 0.2] if main != "step" else [1.0]))
    photographs = textures.get(split, {}).get(material, ())
    if photographs and (split == "test" or rng.random() < 0.9):
        texture = str(rng.choice(photographs))
    else:
        texture = f"procedural:{material}:{int(rng.integers(1, 10000)) + 10000 * number}"
    fps = float(rng.choice([15.0, 24.0, 25.0, 30.0]))
    return Scene(
        id=f"{split}_{index:05d}",
        split=split,
        seed=int(rng.integers(1, 2**31)),
        seconds=seconds,
        fps=fps,
        width=256,
        height=192,
        material=material,
        action=main,
        tool=tool,
        caption=captions.template(material, [event.action for event in events], tool),
        texture=texture,
        shake=round(float(rng.uniform(0, 2.5)) if rng.random() < 0.6 else 0.0, 3),
        light=round(float(rng.uniform(0, 0.4)), 3),
        room=int(rng.integers(1, 2**31)) if rng.random() < 0.5 else 0,
        pan_width=round(float(rng.uniform(0, 0.8)), 3),
        events=events,
    )


def draw_events(
    split: str, material: str, action: str, bank: SoundBank, seconds: float, rng: np.random.Generator
) -> tuple[Event, ...]:
    """The contacts of a scene: one or two objects struck repeatedly, strengths that wander, places that jitter."""
    shelves = bank.shelves
    actions = [action]
    if action == "hit" and shelves.get((split, material, "scratch")) and rng.random() < 0.3:
        actions.append("scratch")
    objects = {kind: draw_objects(shelves[split, material, kind], rng) for kind in actions}
    wide, mild = (0.8, 1.25), (0.94, 1.06)
    pitch = float(np.exp(rng.uniform(*np.log(wide if split == "train" else mild))))
    share = rng.uniform(0.2, 0.6)
    wander = rng.uniform(0.35, 0.95)
    spread = rng.uniform(0.03, 0.15)
    home = rng.uniform((0.25, 0.3), (0.75, 0.75))
    roam = rng.uniform(0.01, 0.12)
    events: list[Event] = []
    free = 0.0
    for time in draw_times(seconds, rng, action):
        kind = "scratch" if len(actions) == 2 and rng.random() < share else action
        if time < free:
            continue
        names = objects[kind]
        name = str(names[int(rng.integers(len(names)))])
        last = events[-1].sound if events else ""
        if name == last and len(names) > 1:
            name = str(rng.choice([other for other in names if other != last]))
        wander = float(np.clip(wander + rng.normal(0, spread), 0.15, 1.0))
        strength = float(np.clip(wander + rng.normal(0, 0.06), 0.1, 1.0))
        ratio = round(pitch * float(np.exp(rng.normal(0, 0.012))) * (1 + 0.02 * (strength - 0.6)), 3)
        if split != "train":
            ratio = min(max(ratio, mild[0]), mild[1])
        duration = round(bank.take(name, kind).duration / ratio, 4) if kind == "scratch" else 0.0
        if time + duration > seconds - 0.05 and events:
            continue
        if kind == "step":
            side = 1 if len(events) % 2 else -1
            x, y = np.clip(home + (0.12 * side, rng.normal(0, 0.02)), 0.15, 0.85)
        else:
            home = np.clip(home + rng.normal(0, roam, 2), (0.2, 0.25), (0.8, 0.8))
            x, y = home
        x_end, y_end = x, y
        if kind == "scratch":
            angle, length = rng.uniform(0, 2 * np.pi), np.clip(duration * rng.uniform(0.3, 0.7), 0.06, 0.4)
            x_end, y_end = np.clip((x + length * np.cos(angle), y + length * np.sin(angle)), (0.12, 0.2), (0.88, 0.85))
        gain = 10 ** ((18 * (strength - 1) + rng.normal(0, 0.7)) / 20)
        places = [round(float(place), 4) for place in (x, y, x_end, y_end)]
        events.append(Event(round(time, 4), round(strength, 4), kind, duration, *places, name, round(float(gain), 5), ratio))
        free = time + duration + GAP
    return tuple(events)


def draw_objects(shelf: dict[str, tuple[str, ...]], rng: np.random.Generator) -> tuple[str, ...]:
    """Takes of the one or two objects (families) of a scene: mostly recordings of this very action, else borrowed or
    self-made ones where the shelf has them."""
    groups: dict[str, list[str]] = {}
    for family in sorted(shelf):
        groups.setdefault(family.split(":")[0] if family.startswith(("borrowed:", "modal:")) else "real", []).append(family)
    kinds = sorted(groups)
    weights = np.array([KIND_WEIGHTS[kind] for kind in kinds])
    group = groups[kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]]
    count = 2 if len(group) > 1 and rng.random() < 0.2 else 1
    chosen = rng.permutation(len(group))[:count]
    return tuple(name for place in chosen for name in shelf[group[int(place)]])
