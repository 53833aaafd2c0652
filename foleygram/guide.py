"""The guide track: where an envelope comes from (section III-B2), and what the verb ``envelope`` shows of it.

The paper takes the envelope from the true sound. Here it may come from any sound or video, from a text file of amplitudes
or hits, from the clip's own sound, from Python, or be predicted from the picture.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from foleygram.errors import EnvelopeError, OutputError
from foleygram.media.audio import read_audio
from foleygram.media.container import check_input
from foleygram.media.video import probe, read_frames, stream_frames
from foleygram.output import check_output
from foleygram.signal.envelope import extract_envelope, is_curve, load_envelope_file, write_envelope
from foleygram.signal.onsets import envelope_onsets
from foleygram.signal.table import read_table
from foleygram.types import Envelope

if TYPE_CHECKING:
    from foleygram.timing.predictor import EnvelopePredictor

OWN = "own"
"""The value of ``--envelope`` and ``--audio`` that stands for the clip's own sound."""

CHOICES = (
    "give --envelope own (the clip's own sound) or --envelope FILE (a sound or video to follow, a CSV of seconds,amplitude, "
    "or a list of hits)"
)
TAIL = 1.5  # s that the envelope of a list of hits goes on after the last one, where no clip says how long it is
FILM_FRAMES = 12

Kind = Literal["own", "sound", "table", "predicted", "given"]


@dataclass(frozen=True, eq=False)
class Guide:
    """An envelope and its origin. ``path``: the file it was taken from, None where there is none; ``story``: what a
    predictor has to say; ``onsets``: its events (s, strength), None where nobody named them."""

    envelope: Envelope
    kind: Kind
    path: Path | None = None
    story: str = ""
    onsets: tuple[tuple[float, float], ...] | None = None

    @property
    def label(self) -> str:
        """The origin in words."""
        return {
            "own": "the clip's own sound",
            "sound": f"the sound of {self.path}",
            "table": f"{self.path}",
            "predicted": f"predicted from the picture{self.story and ': ' + self.story}",
            "given": "given by the caller",
        }[self.kind]


def is_table(path: Path) -> bool:
    """Whether a file is a text, to be read as amplitudes or hits, rather than a sound or video."""
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return True
    with path.open("rb") as file:
        head = file.read(4096)
    try:
        return b"\0" not in head and bool(head.decode("utf-8-sig").strip())
    except UnicodeDecodeError:
        return False


def read_guide(
    source: Guide | Envelope | str | Path | None, video: Path | None, seconds: float, predictor: EnvelopePredictor | None = None
) -> Guide:
    """The guide of a clip of ``seconds``. ``predictor``: of the model that is in use.

    ``source``: an Envelope, a Guide as it is, ``own`` for the sound of ``video``, the name of a sound, video or text file, or
    None for a prediction from the picture. Raises EnvelopeError, MediaError."""
    if isinstance(source, Guide):
        return source
    if isinstance(source, Envelope):
        return Guide(source, "given")
    if source is None:
        return predict_guide(video, seconds, predictor)
    if str(source) == OWN:
        if video is None or not probe(video).has_audio:
            raise EnvelopeError(f"{video}: has no sound of its own to take the envelope from; give --envelope FILE")
        return Guide(extract_envelope(read_audio(video)), "own", video)
    path = Path(source)
    check_input(path)
    if is_table(path):
        return Guide(load_envelope_file(path, seconds), "table", path)
    return Guide(extract_envelope(read_audio(path)), "sound", path)


def predict_guide(video: Path | None, seconds: float, predictor: EnvelopePredictor | None) -> Guide:
    """The guide that the picture suggests. Raises EnvelopeError that names the choices where the model has no predictor."""
    if video is None or predictor is None:
        raise EnvelopeError(f"{video}: nothing says when it should sound, and this model predicts no envelope; {CHOICES}")
    side = 2 * predictor.config.motion.short  # pixels, as in training
    prediction = predictor.read(stream_frames(video, short_side=side), seconds)
    return Guide(prediction.envelope, "predicted", None, prediction.describe(), tuple(prediction.track.hits))


@dataclass(frozen=True)
class EnvelopeReport:
    """What ``envelope`` found. ``onsets``: (s, linear amplitude); ``table``, ``picture``: the files it wrote."""

    file: Path
    origin: str
    seconds: float
    steps: int
    rate: float
    peak: float
    onsets: tuple[tuple[float, float], ...]
    table: Path | None
    picture: Path | None

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2, default=str)


def envelope(
    file: Path, table: Path | None = None, picture: Path | None = None, force: bool = False, model: str | Path = "mini"
) -> EnvelopeReport:
    """Takes the envelope (Eq. 5) of a sound, a video or a text file, and writes it as CSV and as a drawing. ``model``: what
    predicts the envelope of a video without sound.

    Raises MediaError, EnvelopeError, and OutputError before any work for a file that could not be written."""
    file = Path(file)
    for path, suffix in ((table, ".csv"), (picture, ".png")):
        if path is not None:
            if path.suffix.lower() != suffix:
                raise OutputError(f"{path}: is written as {suffix[1:].upper()}; end the name with {suffix}")
            check_output(path, force, sources=[file])
    check_input(file)
    sound = frames = None
    if is_table(file):
        rows = read_table(file)
        last = max(float(rows.rows[:, 0].max()), 0.0)
        guide = Guide(load_envelope_file(file, last if is_curve(rows) and last > 0 else last + TAIL), "table", file)
    else:
        info = probe(file)
        if info.has_video:
            frames = read_frames(file, count=FILM_FRAMES, short_side=120) if picture is not None else None
        if info.has_audio:
            sound = read_audio(file)
            guide = Guide(extract_envelope(sound), "sound", file)
        else:
            from foleygram.pipeline import FoleyGRAM

            guide = predict_guide(file, info.seconds, FoleyGRAM.load(model).timing)
    onsets = tuple(envelope_onsets(guide.envelope)) if guide.onsets is None else guide.onsets
    if table is not None:
        write_envelope(table, guide.envelope, force)
    if picture is not None:
        from foleygram.signal.plot import draw_envelope

        draw_envelope(picture, guide.envelope, frames=frames, onsets=onsets, audio=sound, force=force)
    values = guide.envelope.values
    return EnvelopeReport(
        file, guide.label, guide.envelope.seconds, len(values), guide.envelope.rate, float(values.max()), onsets, table, picture
    )
