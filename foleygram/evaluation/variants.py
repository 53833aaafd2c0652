"""The rows of the benchmark's tables, and the claims that they are there to test.

Table II asks what each modality gives, on one model. The control experiments for Table I ask what temporal control and a
joint space give, on one backbone: each variant is a model trained like the others but for one thing, with the information
of one of the paper's baselines. A third table asks what a silent film gets, whose timing is predicted: not in the paper, whose
envelopes are all of the true sound. A fourth asks whether points of one modality can stand in another's place, which is what
an aligned space promises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from foleygram.data.controls import Control
from foleygram.errors import UsageError
from foleygram.evaluation.tables import TABLE_1, TABLE_2, PaperRow
from foleygram.types import modality_set

Timing = Control | Literal["predicted"]


@dataclass(frozen=True)
class Variant:
    """One row. ``name``: of the row and its folder; ``use``: conditioning modalities; ``control``: known timing; ``model``:
    which of the trained variants, empty for the model itself; ``claim``: what the row is there to show; ``paper``: the
    row of the paper beside it; ``strokes``: the shapes of events are made up, so they become strokes of the reference or of a
    remembered sound, as ``generate`` has it under a prediction or a list; ``room``: the room
    tone of the reference lies under the result; ``as_sound``: the point of the one modality in ``use`` stands in the place of
    the sound's, so the projection of sounds reads it, and nothing else conditions."""

    name: str
    use: str
    control: Timing = "envelope"
    model: str = ""
    claim: str = ""
    paper: PaperRow | None = None
    strokes: bool = False
    room: bool = False
    as_sound: bool = False


TABLE_2_VARIANTS = tuple(Variant(row.label, row.label, claim="what each modality gives", paper=row) for row in TABLE_2)

TABLE_1_VARIANTS = (
    Variant("no timing, V", "V", "none", "no-control", "what SpecVQGAN and Diff-Foley know", TABLE_1[1]),
    Variant("no timing, AVT", "AVT", "none", "no-control", "all but the timing"),
    Variant("onsets, A", "A", "onsets", "onsets", "what SyncFusion knows with an audio prompt", TABLE_1[4]),
    Variant("onsets, T", "T", "onsets", "onsets", "what SyncFusion knows with a text prompt", TABLE_1[3]),
    Variant("envelope, cosine, A", "A", "envelope", "cosine", "what Video-Foley knows with an audio prompt", TABLE_1[6]),
    Variant("envelope, cosine, T", "T", "envelope", "cosine", "what Video-Foley knows with a text prompt", TABLE_1[5]),
    Variant("envelope, cosine, AVT", "AVT", "envelope", "cosine", "GRAM against cosine alignment, all else equal"),
    Variant("envelope, unaligned, AVT", "AVT", "envelope", "unaligned", "what a joint space gives at all"),
    Variant("A", "A", claim="FoleyGRAM beside the rows that know the sound alone"),
    Variant("V", "V", claim="FoleyGRAM beside the rows that know the picture alone"),
    Variant("T", "T", claim="FoleyGRAM beside the rows that know the text alone"),
    Variant("AVT", "AVT", claim="the paper's model", paper=TABLE_1[7]),
)
"""Control experiments on one backbone: each isolates one claim behind Table I. The variants named in ``model`` are to be
trained (docs/minihits-benchmark.md); rows without one are rows of Table II, so with one ``out`` they are generated once.
The systems of Table I themselves are scored with ``evaluate_folder``."""


SILENT_VARIANTS = (
    Variant("V, predicted", "V", "predicted", claim="what SpecVQGAN and Diff-Foley know", strokes=True),
    Variant("VT, predicted", "VT", "predicted", claim="what Video-Foley knows with a text prompt", strokes=True),
    Variant("AV, predicted", "AV", "predicted", claim="what Stable-V2A knows with an audio prompt", strokes=True),
    Variant("A, listed", "A", "onsets", claim="what SyncFusion knows with an audio prompt", strokes=True),
    Variant("AV, predicted, room", "AV", "predicted", claim="the same, its room tone under it", strokes=True, room=True),
    Variant("A, listed, room", "A", "onsets", claim="the same, its room tone under it", strokes=True, room=True),
    Variant("T, listed", "T", "onsets", claim="what SyncFusion knows with a text prompt", strokes=True),
)
"""What a silent film gets: the picture says when, or a list of onsets that somebody made."""

EXCHANGE_VARIANTS = (
    *(
        Variant(f"envelope, {model}, {letter} as sound", letter, model=model, claim=claim, as_sound=True)
        for model in ("unaligned", "cosine")
        for letter, claim in (("T", "a text read as a sound"), ("V", "a picture read as a sound"))
    ),
    Variant("envelope, unaligned, A", "A", model="unaligned", claim="the sound in its own place"),
    Variant("envelope, cosine, A", "A", model="cosine", claim="the sound in its own place"),
    Variant("A", "A", claim="the sound in its own place"),
    Variant("T as sound", "T", claim="a text read as a sound", as_sound=True),
    Variant("V as sound", "V", claim="a picture read as a sound", as_sound=True),
)
"""What alignment is for: the projection that learned to read sounds is given texts or pictures. Of the models of Table I, whose
rows of the sound alone are two of these."""


@dataclass(frozen=True)
class Claim:
    """Whether ``first`` beats ``second``, both names of variants, and the ``question`` that this answers."""

    first: str
    second: str
    question: str


TABLE_1_CLAIMS = (
    Claim("AVT", "envelope, cosine, AVT", "does GRAM beat cosine alignment?"),
    Claim("A", "envelope, cosine, A", "does GRAM beat cosine alignment, with the sound alone?"),
    Claim("T", "envelope, cosine, T", "does GRAM beat cosine alignment, with the text alone?"),
    Claim("AVT", "envelope, unaligned, AVT", "does a joint space beat towers that were never aligned?"),
    Claim("AVT", "no timing, AVT", "what does the envelope buy, all else known?"),
    Claim("V", "no timing, V", "what does the envelope buy, with the picture alone?"),
    Claim("A", "onsets, A", "what does the envelope buy beyond onsets, with the sound?"),
    Claim("T", "onsets, T", "what does the envelope buy beyond onsets, with the text?"),
)
TABLE_2_CLAIMS = (
    *(Claim("AVT", row.label, "are all three modalities best?") for row in TABLE_2[1:]),
    Claim("AV", "A", "does the picture add to the sound?"),
    Claim("AT", "A", "does the text add to the sound?"),
    Claim("VT", "V", "does the text add to the picture?"),
    Claim("VT", "T", "does the picture add to the text?"),
)
"""What the paper's text reads from its tables, as pairs of rows."""

SILENT_CLAIMS = (
    Claim("VT, predicted", "V, predicted", "does a text help a silent film?"),
    Claim("AV, predicted", "V, predicted", "does a reference sound help a silent film?"),
    Claim("AV, predicted, room", "AV, predicted", "what does the room tone of the reference buy?"),
    Claim("A, listed", "AV, predicted", "what do true onsets buy, with a reference sound?"),
)

EXCHANGE_CLAIMS = (
    *(
        Claim(f"{first}{letter} as sound", f"{second}{letter} as sound", f"{question}, where {what} is read as a sound?")
        for letter, what in (("T", "a text"), ("V", "a picture"))
        for first, second, question in (
            ("", "envelope, cosine, ", "does GRAM beat cosine alignment"),
            ("", "envelope, unaligned, ", "does a joint space by GRAM help"),
            ("envelope, cosine, ", "envelope, unaligned, ", "does a joint space by cosine help"),
        )
    ),
    Claim("T as sound", "A", "what does a text lack of its sound?"),
    Claim("V as sound", "A", "what does a picture lack of its sound?"),
)


def chosen_rows(variants: Sequence[Variant], names: Sequence[str]) -> tuple[Variant, ...]:
    """The variants of these names, in the order of the table; all without a name. Raises UsageError that lists the names."""
    unknown = [name for name in names if name not in {variant.name for variant in variants}]
    if unknown:
        there = "; ".join(variant.name for variant in variants)
        raise UsageError(f"there is no row '{unknown[0]}'; the table has: {there}")
    return tuple(variant for variant in variants if not names or variant.name in names)


def information(variant: Variant) -> tuple[str, ...]:
    """What a variant knows of each clip, in words."""
    timing = {
        "envelope": "envelope of the own sound", "onsets": "onset times of the own sound", "none": "no timing",
        "predicted": "timing predicted from the own video",
    }  # fmt: skip
    names = {"A": "own sound", "V": "own video", "T": "own text"}
    place = ", read as a sound" if variant.as_sound else ""
    room = ("room tone of the own sound",) if variant.room else ()
    return (timing[variant.control], *(names[letter] + place for letter in modality_set(variant.use)), *room)
