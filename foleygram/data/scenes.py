"""A MiniHits scene: everything that decides one clip, before any sound or picture is made.

The scene is the ground truth: onsets, materials, actions and the envelope follow from it exactly, because the program
placed every event (design of the open benchmark, ``docs/minihits.md``). The same seed gives the same scene.
"""

from dataclasses import dataclass

ACTIONS = ("hit", "scratch", "step")
TOOLS = {"hit": ("stick", "hand"), "scratch": ("stick", "hand"), "step": ("foot",)}


@dataclass(frozen=True)
class Event:
    """One contact. ``seconds``: time of the attack; ``strength``: 0..1; ``duration``: s of contact (0 for a hit or
    step, length of the stroke for a scratch); ``x, y``: place on the surface, 0..1 of the frame (y grows downwards);
    ``x_end, y_end``: where a scratch ends; ``sound``: path of the recording relative to the sound folder, or
    ``modal:<material>:<seed>`` for a synthesised one; ``gain``: linear; ``pitch``: resampling ratio (1 = as recorded)."""

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
