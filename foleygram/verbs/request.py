"""What ``generate`` is asked for, and what of it is decided before a model is loaded: names, inputs, outputs, modalities.

Everything that can be refused is refused here, so that nobody loses a render to a name that cannot be written.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import get_args

from foleygram.errors import OutputError, UsageError
from foleygram.limits import ROOM_DB, TAKES, check_range, check_whole
from foleygram.media.container import check_input
from foleygram.media.soundtrack import CONTAINERS
from foleygram.output import check_output
from foleygram.timing.strokes import Whose
from foleygram.timing.track import OnsetEvent, OnsetTrack
from foleygram.types import Envelope, modality_set
from foleygram.verbs.guide import OWN, Guide
from foleygram.verbs.sidecar import Sidecar, Source, find_source, read_sidecar, sidecar_of

FORMATS = {"pcm16": "PCM_16", "pcm24": "PCM_24", "float": "FLOAT"}
"""``--format`` and the sample format of the file."""

SOUNDS = (".wav", ".flac")
STROKES = get_args(Whose)
"""What ``--strokes`` takes: whose strokes the events are."""

REFERENCE, NONE = "reference", "none"
"""What ``--room`` takes besides ``own``, a file and a level."""


@dataclass(frozen=True)
class Request:
    """One call of ``generate``. What is None was not said: it comes from the sidecar ``again``, else from its default.

    ``video``: file to be sounded; ``out``: file to be made, a sound or a video by its name; ``envelope``: an Envelope, a
    file, ``own``, or None for a prediction; ``audio``: reference sound, a file or ``own``; ``video_ref``: file whose picture
    is the reference; ``voice``: the envelope's file is hummed or tapped; ``use``: modalities that condition; ``takes``: how
    many; ``format``: one of ``FORMATS``; ``raw``: the sound as it was decoded, without the model's finish;
    ``strokes``: whose the events are, one of ``STROKES``; where nobody measured the guide's, of a prediction or a list of
    events, by default the reference's, or without one those of a sound that the model remembers, with its colours;
    ``room``: the tone under the result, of the ``reference`` sound, of the film (``own``), of a file, or a level in dBFS;
    ``none``, the default, for none."""

    video: Path | None = None
    out: Path | None = None
    envelope: Envelope | Guide | Path | str | None = None
    text: str | None = None
    audio: Path | str | None = None
    video_ref: Path | None = None
    use: str | None = None
    model: Path | str | None = None
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    takes: int | None = None
    device: str | None = None
    dtype: str | None = None
    format: str | None = None
    force: bool = False
    again: Path | None = None
    voice: bool | None = None
    raw: bool | None = None
    strokes: str | None = None
    room: Path | str | float | None = None


@dataclass(frozen=True)
class Order:
    """A request with nothing left open but what only the model knows. ``outs``: (number of the take from 0, its file);
    ``subtype``: sample format of a sound file, None for a video; ``sidecar``: what it repeats, read from
    the file ``again``, if it is a repetition; ``exact``: whether the result should be that of the sidecar, byte for byte."""

    video: Path
    outs: tuple[tuple[int, Path], ...]
    envelope: Envelope | Guide | Path | str | None
    voice: bool
    text: str | None
    audio: Path | str | None
    video_ref: Path | None
    use: str
    model: Path | str
    seed: int
    steps: int | None
    guidance: float | None
    device: str
    dtype: str
    subtype: str | None
    force: bool
    again: Path | None = None
    sidecar: Sidecar | None = None
    exact: bool = False
    raw: bool = False
    strokes: str | None = None
    room: Path | str | float | None = None

    def may_replace(self, path: Path) -> bool:
        """Whether an existing ``path`` may go: by ``--force``, or as the very sidecar that is being repeated."""
        return self.force or (self.exact and path.exists() and path.samefile(self.again))

    @property
    def is_video(self) -> bool:
        return self.subtype is None

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Every file it reads."""
        envelope = self.envelope.path if isinstance(self.envelope, Guide) else self.envelope
        named = (self.video, envelope, self.audio, self.video_ref, self.room)
        return tuple(Path(path) for path in named if isinstance(path, (str, Path)) and str(path) not in (OWN, REFERENCE))


def settle(request: Request) -> Order:
    """Fills in what was not said and checks names. Raises UsageError, MediaError, OutputError."""
    sidecar, exact, take = None, False, 0
    if request.again is not None:
        sidecar = read_sidecar(request.again)
        said = {field.name for field in fields(Request) if getattr(request, field.name) is not None}
        exact = said <= {"again", "out", "force"}
        take = sidecar.take - 1
        request = repeated(request, sidecar)
    if request.video is None:
        raise UsageError("which video is to be sounded? name one: foleygram generate VIDEO -o OUT")
    if request.out is None:
        raise UsageError("where is the result to lie? give -o OUT.mp4 (or .mov .mkv .webm .wav .flac)")
    if request.voice and (request.envelope is None or str(request.envelope) == OWN):
        raise UsageError("--voice says that the file of --envelope was hummed or tapped; give --envelope FILE")
    if request.text is not None and not request.text.strip():
        raise UsageError("--text is empty; write what is to be heard, or leave the option out")
    for option, name in (
        ("-o", request.out),
        ("--envelope", request.envelope),
        ("--audio", request.audio),
        ("--room", request.room),
    ):
        # an empty word in a shell is an empty name, which a path turns into "."
        if name in ("", Path("")):
            raise UsageError(f"{option} is empty; name a file{'' if option == '-o' else ', or leave the option out'}")
    if request.strokes is not None and request.strokes not in STROKES:
        raise UsageError(f"--strokes takes {', '.join(STROKES[:-1])} or {STROKES[-1]}, not '{request.strokes}'")
    takes = None if request.takes is None else check_whole("--takes", request.takes, *TAKES)
    numbers = (take,) if takes is None else tuple(range(takes))
    out = Path(request.out)
    order = Order(
        video=Path(request.video),
        outs=tuple((number, take_name(out, number) if len(numbers) > 1 else out) for number in numbers),
        envelope=request.envelope,
        voice=bool(request.voice),
        text=request.text,
        audio=request.audio,
        video_ref=None if request.video_ref is None else Path(request.video_ref),
        use=decided_use(request),
        model="mini" if request.model is None else request.model,
        seed=request.seed or 0,
        steps=request.steps,
        guidance=request.guidance,
        device=request.device or "auto",
        dtype=request.dtype or "auto",
        subtype=sample_format(out, request.format),
        force=request.force,
        again=request.again,
        sidecar=sidecar,
        exact=exact,
        raw=bool(request.raw),
        strokes=request.strokes,
        room=decided_room(request.room),
    )
    if order.strokes == "reference" and "A" not in order.use:
        raise UsageError("--strokes reference takes them from a reference sound; give --audio FILE, or leave the option out")
    if order.strokes == "memory" and ("A" in order.use or order.raw):
        raise UsageError(
            "--strokes memory goes with neither a reference sound (--audio, an A in --use) nor --raw; leave one of them out"
        )
    if order.room == REFERENCE and "A" not in order.use:
        raise UsageError("--room reference takes it from a reference sound; give --audio FILE, or another --room")
    if "A" in order.use and order.audio is None:
        order = replace(order, audio=OWN)
    for path in (*order.inputs, *(path for _, path in order.outs)):
        check_name(path)
    for path in order.inputs:
        check_input(path)
    for _, path in order.outs:
        for name in (path, sidecar_of(path)):
            check_output(name, order.may_replace(name), sources=order.inputs)
    return order


def check_name(path: Path) -> None:
    """Raises UsageError for a name that a sidecar cannot hold."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = str(path).encode(errors="surrogateescape").decode(errors="replace")
        raise UsageError(f"{shown}: its name holds bytes that are no text (UTF-8); rename it") from None


def repeated(request: Request, sidecar: Sidecar) -> Request:
    """The request with what it does not say taken from the sidecar it names."""
    again, filled = Path(request.again), {}

    def fill(name: str, value: object) -> None:
        if getattr(request, name) is None:
            filled[name] = value

    if request.video is None:
        filled["video"] = find_source(sidecar.video, again, "VIDEO")
    if request.envelope is None:
        filled["envelope"] = recorded_envelope(sidecar, again, new_video=request.video is not None)
        fill("voice", sidecar.envelope.kind == "voice")
    use = "".join(sorted(set(sidecar.use) | given_modalities(request))) if request.use is None else request.use
    heard, seen, read = (letter in use.upper() for letter in "AVT")  # what is left out need not be there any more
    if request.audio is None and sidecar.audio is not None and heard:
        filled["audio"] = OWN if sidecar.audio == OWN else find_source(sidecar.audio, again, "--audio")
    if request.video_ref is None and sidecar.video_ref is not None and seen:
        filled["video_ref"] = find_source(sidecar.video_ref, again, "--video-ref")
    if request.room is None and sidecar.room is not None and (heard or sidecar.room != REFERENCE):
        named = isinstance(sidecar.room, Source)
        filled["room"] = find_source(sidecar.room, again, "--room") if named else sidecar.room
    fill("out", again.parent / Path(sidecar.result.path).name)
    fill("use", use)
    fill("model", sidecar.model.source if sidecar.model.shipped else again.resolve().parent / sidecar.model.source)
    if read:
        fill("text", sidecar.text)
    for name in ("seed", *sidecar.asked, "device", "dtype", "raw"):
        fill(name, getattr(sidecar, name))
    # what was decided for one guide and its references says nothing of others
    if all(getattr(request, name) is None for name in ("video", "envelope", "audio", "use", "model", "raw")):
        fill("strokes", sidecar.strokes)
    suffix = Path(request.out or filled["out"]).suffix.lower()
    if suffix in SOUNDS and not (suffix == ".flac" and sidecar.format == "float"):
        fill("format", sidecar.format)
    return replace(request, **filled)


def recorded_envelope(sidecar: Sidecar, again: Path, new_video: bool) -> Envelope | Guide | Path | str | None:
    """The envelope of a sidecar; a prediction is made anew for another video."""
    recorded = sidecar.envelope
    if recorded.kind == "own" or (recorded.kind == "predicted" and new_video):
        return OWN if recorded.kind == "own" else None
    if recorded.source is not None:
        return find_source(recorded.source, again, "--envelope")
    if recorded.values is None:
        raise UsageError(f"--from {again}: tells neither values nor file of the envelope; give --envelope")
    track = None if recorded.events is None else OnsetTrack(tuple(OnsetEvent(*event) for event in recorded.events))
    return Guide(Envelope(recorded.values, recorded.rate), recorded.kind, track=track)


def given_modalities(request: Request) -> set[str]:
    """Letters of the modalities that were given by name."""
    given = {"T": request.text, "A": request.audio, "V": request.video_ref}
    return {letter for letter, value in given.items() if value is not None}


def decided_use(request: Request) -> str:
    """``--use``; by default all that was given by name, and the picture."""
    use = modality_set("".join({"V"} | given_modalities(request)) if request.use is None else request.use)
    if "T" in use and request.text is None:
        raise UsageError(f"--use {use} needs a text; give --text, or leave the T out")
    return use


def decided_room(room: Path | str | float | None) -> Path | str | float | None:
    """``--room``: a level (dBFS), ``own``, ``reference``, a file, or None. Raises UsageError for a level out of range."""
    if room is None or str(room) == NONE:
        return None
    if str(room) in (OWN, REFERENCE):
        return str(room)
    try:
        level = float(room)
    except (TypeError, ValueError):
        return Path(room)
    return check_range("--room", level, *ROOM_DB)


def take_name(out: Path, number: int) -> Path:
    """``clip.mp4`` -> ``clip_take1.mp4`` for take 0."""
    return out.with_name(f"{out.stem}_take{number + 1}{out.suffix}")


def sample_format(out: Path, wanted: str | None) -> str | None:
    """Sample format of a sound file, None for a video. Raises OutputError for a name that is neither, UsageError for a
    format that the file cannot have."""
    suffix = out.suffix.lower()
    if wanted is not None and wanted not in FORMATS:
        raise UsageError(f"--format takes {', '.join(FORMATS)}, not '{wanted}'")
    if suffix in CONTAINERS:
        if wanted is not None:
            raise UsageError(f"--format is for .wav and .flac; in {suffix} the codec of the sound follows the container")
        return None
    if suffix not in SOUNDS:
        names = " ".join((*SOUNDS, *CONTAINERS))
        raise OutputError(f"{out}: its name does not say what to write; end it with one of {names}")
    if suffix == ".flac" and wanted == "float":
        raise UsageError("a .flac holds pcm16 or pcm24, not float; choose one of them or a .wav")
    return FORMATS[wanted or "pcm24"]
