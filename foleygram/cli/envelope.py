"""``foleygram envelope``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foleygram.cli.options import Force, Json, Model, Voice

SHOWN = 24  # onsets that are printed
LISTED = ".csv the curve; .txt Audacity labels, .rpp Reaper markers, .mid MIDI, .json: its events; .html: a page to edit them."

File = Annotated[Path, typer.Argument(help="A sound, video, CSV of seconds,amplitude, or events: hits, labels, markers, MIDI.")]
Out = Annotated[Path | None, typer.Option("-o", "--out", help=f"File to write. {LISTED}")]
Events = Annotated[bool, typer.Option("--events", help="Write a .csv of events: seconds,strength,kind,duration.")]
Picture = Annotated[Path | None, typer.Option(help="PNG to draw: film, spectrogram, envelope, onsets.")]
Predict = Annotated[bool, typer.Option("--predict", help="From the picture, although the video has a sound.")]
Kind = Annotated[str | None, typer.Option(help="What all predicted events are, hit or scratch. [default: as each looks]")]
Film = Annotated[Path | None, typer.Option(help="The video it belongs to: its length, frames and film strip.")]
Seconds = Annotated[float | None, typer.Option(help="Length of the clip, s.")]
Snap = Annotated[bool, typer.Option("--snap", help="Onsets to the nearest frame of the video.")]
SnapFps = Annotated[float | None, typer.Option(help="Onsets to the nearest frame at this rate.")]
ShiftMs = Annotated[float, typer.Option(help="Later by so many ms, earlier where negative.")]
ShiftFrames = Annotated[float, typer.Option(help="Later by so many frames, earlier where negative.")]
GateDb = Annotated[float | None, typer.Option(help="Silent below this level; 0 dB is full scale.")]
Strokes = Annotated[
    Path | None, typer.Option(help="A sound or video: events take the shapes of those in it, one after the other.")
]
AttackMs = Annotated[float, typer.Option(help="No rise is faster.")]
DecayMs = Annotated[float, typer.Option(help="No fall is faster.")]
SmoothMs = Annotated[float, typer.Option(help="Mean power over so many ms.")]
ScaleDb = Annotated[float, typer.Option(help="Louder by so many dB.")]
Mute = Annotated[list[str] | None, typer.Option(help="Silent from A to B: 1.5-2.25 or 1:02-1:04; may be repeated.")]
Mix = Annotated[Path | None, typer.Option(help="Another file like the first, laid over the result.")]
Weight = Annotated[float | None, typer.Option(help="Factor of its amplitudes. [default: 1]")]
MixAs = Annotated[str | None, typer.Option(help="power, loudest or product (shapes the first). [default: power]")]


def envelope(
    file: File,
    out: Out = None,
    events: Events = False,
    picture: Picture = None,
    predict: Predict = False,
    kind: Kind = None,
    voice: Voice = False,
    film: Film = None,
    seconds: Seconds = None,
    snap: Snap = False,
    snap_fps: SnapFps = None,
    shift_ms: ShiftMs = 0.0,
    shift_frames: ShiftFrames = 0.0,
    gate_db: GateDb = None,
    strokes: Strokes = None,
    attack_ms: AttackMs = 0.0,
    decay_ms: DecayMs = 0.0,
    smooth_ms: SmoothMs = 0.0,
    scale_db: ScaleDb = 0.0,
    mute: Mute = None,
    mix: Mix = None,
    weight: Weight = None,
    mix_as: MixAs = None,
    force: Force = False,
    model: Model = None,
    json: Json = False,
) -> None:
    """Extract, predict, edit, convert and draw the envelope that steers a track.

    Edits are done in this order: snap, shift, gate, strokes, attack and decay, smooth, scale, mute, mix. What it writes can be
    edited and given to generate --envelope. That of a video without sound is predicted by the model.
    """
    from foleygram.verbs.shaping import EnvelopeRequest
    from foleygram.verbs.shaping import envelope as library

    request = EnvelopeRequest(
        file, out, events, picture, force, model or "mini", predict, voice, film, seconds, snap, snap_fps, shift_ms,
        shift_frames, gate_db, attack_ms, decay_ms, smooth_ms, scale_db, tuple(mute or ()), mix, weight, mix_as,
        strokes, kind,
    )  # fmt: skip
    report = library(request)
    typer.echo(report.as_json() if json else in_words(report))


def in_words(report) -> str:
    """The report as people read it."""
    times = ", ".join(f"{seconds:.3f}" for seconds, _ in report.onsets[:SHOWN])
    more = f" and {len(report.onsets) - SHOWN} more" if len(report.onsets) > SHOWN else ""
    lines = [
        f"{report.origin}: {report.seconds:.3f} s, {report.steps} steps of {1000 / report.rate:.2f} ms, peak {report.peak:.4f}",
        f"  {len(report.onsets)} onsets (s): {times}{more}" if report.onsets else "  no onsets",
    ]
    lines += [f"  {', '.join(report.edits)}"] if report.edits else []
    lines += [f"  written to {path}" for path in (report.out, report.picture) if path is not None]
    return "\n".join(lines + [f"  note: {note}" for note in report.notes])
