"""``foleygram generate``."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from foleygram.cli.options import Device, Dtype, Force, Json, Model, Voice
from foleygram.cli.progress import progress

Video = Annotated[Path | None, typer.Argument(help="The video to be sounded.")]
Out = Annotated[
    Path | None,
    typer.Option("-o", "--out", help="File to write: .mp4 .m4v .mov .mkv .webm with the picture, .wav .flac the sound alone."),
]
Envelope = Annotated[
    str | None,
    typer.Option(
        help="When it sounds: own (the video's sound), a sound or video, a CSV of seconds,amplitude, a list of hits, labels, "
        "markers, MIDI. [default: predicted from the picture]"
    ),
]
Text = Annotated[str | None, typer.Option(help="What it sounds like, in words.")]
Sound = Annotated[str | None, typer.Option("--audio", help="What it sounds like: a reference sound, or own.")]
Picture = Annotated[Path | None, typer.Option("--video-ref", help="What it looks like: another video or picture.")]
Use = Annotated[
    str | None, typer.Option(help="Which of audio, video, text condition: AVT AV AT VT A V T. [default: V and all given]")
]
Seed = Annotated[int | None, typer.Option(help="Same seed and number of threads, same bytes. [default: 0]")]
Steps = Annotated[
    int | None,
    typer.Option(
        help="Sampling steps, 1 to 1000. [default: the model's: the mini's 3 with a reference or remembered sound, else 6]"
    ),
]
Guidance = Annotated[float | None, typer.Option(help="How strictly references are followed, 0 to 20. [default: the model's]")]
Takes = Annotated[int | None, typer.Option(help="Several takes: OUT_take1, OUT_take2, ... [default: 1]")]
Format = Annotated[str | None, typer.Option("--format", help="Of .wav and .flac: pcm16, pcm24 or float. [default: pcm24]")]
Raw = Annotated[
    bool,
    typer.Option(
        "--raw",
        help="As decoded: neither the colours of the reference nor the level of the guide is matched; nothing is "
        "remembered, and it is sampled in as many steps as without a reference.",
    ),
]
Strokes = Annotated[
    str | None,
    typer.Option(
        help="Whose strokes the events become: guide, reference (--audio) or memory (a sound that the model remembers, with "
        "its colours). [default: guide; if the timing is predicted or a list: reference with --audio, else memory]"
    ),
]
Room = Annotated[
    str | None,
    typer.Option(
        help="Room tone under the result: reference (where --audio is quietest), own (the video's sound), a recording of the "
        "room, or a level in dBFS such as -55. [default: none]"
    ),
]
Sidecar = Annotated[
    Path | None,
    typer.Option("--from", help="Make the result of this sidecar (the .json beside it) again; other options change it."),
]


def generate(
    video: Video = None,
    out: Out = None,
    envelope: Envelope = None,
    voice: Voice = False,
    text: Text = None,
    audio: Sound = None,
    video_ref: Picture = None,
    use: Use = None,
    model: Model = None,
    seed: Seed = None,
    steps: Steps = None,
    guidance: Guidance = None,
    takes: Takes = None,
    device: Device = None,
    dtype: Dtype = None,
    sample_format: Format = None,
    raw: Raw = False,
    strokes: Strokes = None,
    room: Room = None,
    force: Force = False,
    again: Sidecar = None,
    json: Json = False,
) -> None:
    """Lay a Foley track under a video.

    The track is exactly as long as the picture, 44.1 kHz stereo. Beside every result lies a .json from which the same bytes
    can be made again.

    foleygram generate clip.mp4 -o clip_foley.mp4 --envelope guide.wav --text "A person hits metal with a wooden stick."
    """
    from foleygram.verbs.request import Request, settle

    request = Request(
        video, out, envelope, text, audio, video_ref, use, model, seed, steps, guidance, takes, device, dtype, sample_format,
        force, again, voice or None, raw or None, strokes, room,
    )  # fmt: skip
    order = settle(request)  # refuses what it can before torch is imported, which takes seconds
    from foleygram.verbs.generation import generate as library

    with progress() as on_progress:
        report = library(order, on_progress, announce)
    typer.echo(report.as_json() if json else in_words(report))


def announce(gib: float) -> None:
    """On standard error, for whoever has too little memory and would rather stop now."""
    with suppress(OSError):  # nobody has to read it
        typer.echo(f"foleygram: will need about {gib:.1f} GiB of memory", err=True)


def in_words(report) -> str:
    """The report as people read it."""
    same = {True: "  (the same bytes as before)", False: "  (not the same bytes as before)", None: ""}
    kinds = {"A": "sound", "V": "picture", "T": "text"}
    sampling = f"{report.steps} steps, guidance {report.guidance:g}, {report.device} {report.dtype}"
    stages = ", ".join(f"{name} {seconds:.2f}" for name, seconds in asdict(report.stages).items())
    lines = [f"{result.path}{same[result.same]}{fit_of(result, report.best)}" for result in report.results]
    room = [f"  room tone: {report.room}"] if report.room else []
    lines += [
        f"  {report.video_seconds:.3f} s, {report.samples} samples at 44.1 kHz, stereo",
        f"  sounds when: {report.envelope}",
        f"  sounds like: {', '.join(kinds[letter] for letter in report.use)} ({report.use})",
        *room,
        f"  model {report.model}, seed {report.seed}, {sampling}",
        f"  seconds: {stages}; in all {report.stages.total:.2f}",
        f"  peak memory: {report.memory / 1e9:.2f} GB (expected: {report.expected_memory / 1e9:.2f})",
        f"  settings: {', '.join(str(result.sidecar) for result in report.results)}",
    ]
    return "\n".join(lines + [f"  note: {note}" for note in report.notes])


def fit_of(result, best) -> str:
    """How one of several takes fits the references and keeps the moments."""
    if result.rank is None:
        return ""
    mark = ", fits best" if result is best else ""
    return f"  (volume with the references {result.rank.volume:.3f}, onsets F1 {result.rank.onset_f1:.2f}{mark})"
