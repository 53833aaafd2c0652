"""What the user of ``generate`` should know: before listening, of the request and its guide, and of each result."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from foleygram.finish.room import heard_room
from foleygram.media.mux import unkept
from foleygram.media.soundtrack import LOSSY
from foleygram.media.video import MediaInfo
from foleygram.pipeline import FoleyGRAM
from foleygram.types import Clip, Embeddings
from foleygram.verbs.guide import Guide, is_noisy, too_soft, unheard
from foleygram.verbs.request import Order
from foleygram.verbs.sidecar import Sidecar


def remarks(order: Order, info: MediaInfo, guide: Guide, clip: Clip) -> list[str]:
    """What the user should know before listening."""
    notes = []
    envelope = guide.envelope
    if info.shortfall:
        notes.append(info.shortfall)
    if guide.doubt:
        notes.append(guide.doubt)
    if envelope.values.max() <= 0:
        notes.append("the envelope is silent throughout, so the result is (nearly) silent as well")
    elif envelope.seconds < info.seconds - 0.1:
        notes.append(f"the envelope ends at {envelope.seconds:.2f} s of {info.seconds:.2f} s; the rest is silent")
    if soft := too_soft(envelope):
        notes.append(soft)
    if rest := unheard(guide, info.seconds):
        notes.append(rest)
    if guide.kind in ("sound", "own") and is_noisy(envelope):
        hummed = ", or if it was hummed or tapped say --voice" if guide.kind == "sound" else ""
        notes.append(
            "something sounds throughout the guide, as a room does, and so it will in the result; "
            f"take it away with foleygram envelope --gate-db{hummed}"
        )
    elif order.room is None and clip.audio is not None and (tone := heard_room(clip.audio)):
        notes.append(
            f"between its sounds the reference has the tone of a room ({tone.level_db:.0f} dBFS), the result has none; "
            "lay it under with --room reference"
        )
    given = {"T": order.text, "A": order.audio, "V": order.video_ref}
    unused = [letter for letter, value in given.items() if value is not None and letter not in order.use]
    if unused:
        options = {"T": "--text", "A": "--audio", "V": "--video-ref"}
        notes.append(f"--use {order.use} leaves {' and '.join(options[letter] for letter in unused)} unused")
    return notes + unkept(order.video, order.outs[0][1]) if order.is_video else notes


def remarks_of_model(order: Order, guide: Guide, model: FoleyGRAM, embeddings: Embeddings, strokes: str) -> list[str]:
    """What the model has to say of the request: words that it does not know, whose colours and strokes it takes."""
    notes = []
    text = order.text if "T" in order.use else None
    if text is not None and (unread := model.gram.tokenizer.unread(text)):
        notes.append(f"the text is too long for this model, which does not read '{unread}'; put first what counts")
    if text is not None and model.gram.tokenizer.is_strange(text):
        notes.append("this model knows hardly a word of the text; write it in English")
    if strokes == "memory" and guide.envelope.values.max() > 0:
        kind = model.memory.config.kinds[model.memory.nearest(embeddings, guide.track)]
        sound = "a sound that the model remembers" if len(order.outs) == 1 else "sounds that the model remembers, by turns"
        notes.append(f"the colours and strokes are those of {sound} ({kind})")
    without = strokes == "guide" and embeddings.audio is not None and embeddings.strokes is None
    if without and (order.strokes == "reference" or (order.strokes is None and guide.made_up)):
        notes.append("nothing in the reference dies away, so events keep the guide's shapes; give a recording of single hits")
    return notes


def doubts(order: Order, out: Path, peak: float, same: bool | None, made: Sidecar) -> list[str]:
    """What is wrong with one result."""
    found = []
    if peak > 1 and order.subtype != "FLOAT":
        excess = f"{20 * np.log10(peak):+.1f} dB"
        where = "players clip it there" if out.suffix.lower() in LOSSY else "was clipped there"
        lower = f"foleygram envelope --scale-db {-math.ceil(20 * np.log10(peak)):d}"
        whole = "--format float" if out.suffix.lower() == ".wav" else "a .wav with --format float"
        found.append(f"{out.name} reaches {excess} over full scale and {where}; lower the guide ({lower}) or take {whole}")
    if same is False:
        before, now = order.sidecar.versions, made.versions
        changed = [f"{name} was {old} and is {now.get(name)}" for name, old in before.items() if now.get(name) != old]
        reason = ", ".join(changed) or "the versions are the same, so this machine or this state of the code computes otherwise"
        found.append(f"{out.name} differs from the result of the sidecar: {reason}")
    return found
