"""A folder of some system's outputs, matched to the true clips; whatever is odd about it is named, nothing is dropped.

Files are matched by a ``manifest.csv`` in the folder (columns ``file,id`` and optionally ``start_s,dur_s,sample_idx,
prompt_kind``), or by the system's file names. Every matched pair is cut to the common span of the whole folder, so that
every clip weighs the same.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from foleygram.data.manifest import ClipRecord
from foleygram.errors import DataError, MediaError
from foleygram.evaluation.systems import SOUND_SUFFIXES, System, recognise
from foleygram.media.audio import read_audio
from foleygram.media.video import read_frames
from foleygram.types import Audio, Video

SILENT = 1e-4  # peak below which a file counts as silent, -80 dBFS
FULL_SCALE = 0.999  # amplitude that counts as clipped
CLIPPED_SHARE = 1e-3  # share of clipped samples that is worth a word
LENGTH_SLACK = 0.05  # s
MANIFEST = "manifest.csv"


@dataclass(frozen=True)
class Finding:
    """``kind``: missing, extra, duplicate, unreadable, not a number, silent, clipped, wrong length, mixed rates or mixed
    channels; ``name``: file or clip; ``detail``: what exactly. ``lost``: the clip has no score because of it."""

    kind: str
    name: str
    detail: str = ""
    lost: bool = False


@dataclass(frozen=True)
class Output:
    """One file for one true clip. ``start``: s of the true clip at which it begins; ``sample``: number of the take."""

    file: Path
    record: ClipRecord
    start: float = 0.0
    sample: int = 0
    prompt: str = ""


@dataclass(frozen=True)
class Ingestion:
    """``outputs``: the files to score, in the order of the truth; ``span``: s that every pair is cut to; ``rates``: Hz that
    occur; ``channels`` that occur."""

    system: System
    outputs: tuple[Output, ...]
    findings: tuple[Finding, ...]
    span: float
    rates: tuple[int, ...]
    channels: tuple[int, ...]

    def result(self, output: Output) -> Audio:
        """The generated sound, cut to the span or filled up with silence."""
        return read_audio(output.file, rate=None).trim(self.span)

    def truth(self, output: Output) -> Audio:
        """The same span of the true sound, at its own rate."""
        return excerpt(read_audio(output.record.audio, rate=None), output.start, self.span)

    def picture(self, output: Output, short_side: int) -> Video:
        """The same span of the picture, all its frames, times from the start of the span. Raises DataError where the clip
        has no video, MediaError where it cannot be read."""
        if output.record.video is None:
            raise DataError(f"{output.record.id}: the true clip has no video")
        video = read_frames(output.record.video, short_side=short_side)
        times = video.times - output.start
        within = (times >= 0) & (times < self.span)
        if not within.any():
            raise DataError(f"{output.record.video}: shows nothing from {output.start:g} s on")
        return Video(video.frames[within], times[within], self.span)

    def onsets(self, output: Output) -> list[float]:
        """The true events within the span, s from its start."""
        return [time - output.start for time, _ in output.record.onsets if output.start <= time < output.start + self.span]


def excerpt(audio: Audio, start: float, seconds: float) -> Audio:
    """``seconds`` of a sound from ``start`` s on."""
    return replace(audio, samples=audio.samples[:, round(start * audio.rate) :]).trim(seconds)


def ingest(
    folder: Path, records: Sequence[ClipRecord], system: System | None = None, left_out: Sequence[ClipRecord] = ()
) -> Ingestion:
    """Matches, reads and checks every file once, holding one at a time. ``system``: by its names where it is not told;
    ``left_out``: further true clips, whose files are neither scored nor a finding.

    Raises DataError for an absent or empty folder and where not a single file matches a true clip."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: is not a folder; give the folder that holds the generated sounds")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SOUND_SUFFIXES and path.is_file())
    if not files:
        raise DataError(f"{folder}: holds no sounds or videos ({', '.join(SOUND_SUFFIXES)}); generate first")
    # The patterns of some systems name folders, and a user may point at any level of them.
    above = "/".join(folder.resolve().parts[-2:])
    names = [f"{above}/{path.relative_to(folder).as_posix()}" for path in files]
    system = system or recognise(names)
    listed = folder / MANIFEST
    every = [*records, *left_out]
    found, findings = _listed(listed, every) if listed.is_file() else _named(files, names, every, system)
    wanted = {record.id for record in records}
    found, doubles = _one_each([output for output in found if output.record.id in wanted])
    findings += doubles
    have = {output.record.id for output in found}
    missing = [
        Finding("missing", record.id, "no output for this clip", lost=True) for record in records if record.id not in have
    ]
    outputs, problems, lengths, rates, channels = _checked(found)
    findings += problems + missing
    if not outputs:
        raise DataError(
            f"{folder}: none of its {len(files)} files can be scored against the {len(records)} true clips "
            f"({_counted(findings)}); name files by clip id or write a {MANIFEST}"
        )
    shortest_truth = min(output.record.seconds - output.start for output in outputs)
    span = min(float(np.median(lengths)), shortest_truth)
    for output, seconds in zip(outputs, lengths, strict=True):
        if abs(seconds - float(np.median(lengths))) > LENGTH_SLACK:
            filled = ", filled with silence" if seconds < span else ""
            detail = f"{seconds:.3f} s where others have {np.median(lengths):.3f} s{filled}"
            findings.append(Finding("wrong length", output.file.name, detail))
    if len(set(rates)) > 1:
        findings.append(Finding("mixed rates", folder.name, f"{sorted(set(rates))} Hz"))
    if len(set(channels)) > 1:
        findings.append(Finding("mixed channels", folder.name, f"{sorted(set(channels))} channels; scores are of their mean"))
    return Ingestion(system, tuple(outputs), tuple(findings), span, tuple(sorted(set(rates))), tuple(sorted(set(channels))))


def _named(
    files: list[Path], names: list[str], records: Sequence[ClipRecord], system: System
) -> tuple[list[Output], list[Finding]]:
    by_id = {record.id: record for record in records}
    found, findings = [], []
    for file, name in zip(files, names, strict=True):
        parsed = system.parse(name)
        if parsed is None:
            findings.append(Finding("extra", file.name, f"is not named as {system.name} names its outputs"))
            continue
        # Our manifests call the chunks of a video id_chunk; a name may also be a clip's id as it stands.
        candidates = (file.stem, f"{parsed.id}_{parsed.chunk}", parsed.id)
        record = next((by_id[key] for key in candidates if key in by_id), None)
        if record is None and parsed.chunk < 0:
            # A video without chunk number is its first chunk.
            record = by_id.get(f"{parsed.id}_0")
        if record is None:
            findings.append(Finding("extra", file.name, f"there is no true clip '{parsed.id}'"))
            continue
        found.append(Output(file, record, 0.0, max(parsed.sample, 0), parsed.prompt))
    return found, findings


def _listed(listed: Path, records: Sequence[ClipRecord]) -> tuple[list[Output], list[Finding]]:
    by_id = {record.id: record for record in records}
    found, findings = [], []
    try:
        with listed.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines, restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{listed}: cannot be read as CSV in UTF-8 ({error}); write it again") from error
    if not rows or not {"file", "id"} <= set(rows[0]):
        raise DataError(f"{listed}: needs a header with at least the columns file,id")
    for number, row in enumerate(rows, 2):
        try:
            start, sample = float(row.get("start_s") or 0), int(row.get("sample_idx") or 0)
        except ValueError as error:
            raise DataError(f"{listed}:{number}: {error}; start_s and sample_idx are numbers") from error
        record = by_id.get(row["id"])
        if record is None or not 0 <= start < record.seconds:
            detail = f"there is no true clip '{row['id']}'" if record is None else f"start_s {start} lies outside of the clip"
            findings.append(Finding("extra", row["file"], detail))
        elif not (listed.parent / row["file"]).is_file():
            findings.append(Finding("unreadable", row["file"], "the manifest names it, but there is no such file", lost=True))
        else:
            found.append(Output(listed.parent / row["file"], record, start, sample, row.get("prompt_kind") or ""))
    return found, findings


def _one_each(found: list[Output]) -> tuple[list[Output], list[Finding]]:
    """The first take of each clip, in the order of clip, start and take."""
    chosen: dict[tuple[str, float], Output] = {}
    findings = []
    for output in sorted(found, key=lambda output: (output.record.id, output.start, output.sample, output.file.as_posix())):
        first = chosen.setdefault((output.record.id, output.start), output)
        if first is not output and first.sample == output.sample:
            findings.append(Finding("duplicate", output.file.name, f"{first.file.name} is for the same clip and is scored"))
        elif first is not output:
            findings.append(Finding("extra", output.file.name, f"take {output.sample}; {first.file.name} is scored"))
    return list(chosen.values()), findings


def _checked(found: list[Output]) -> tuple[list[Output], list[Finding], list[float], list[int], list[int]]:
    outputs, findings, lengths, rates, channels = [], [], [], [], []
    for output in found:
        name = output.file.name
        try:
            audio = read_audio(output.file, rate=None)
        except MediaError as error:
            kind = "not a number" if "NaN" in str(error) else "unreadable"
            findings.append(Finding(kind, name, str(error), lost=True))
            continue
        if audio.samples.shape[1] == 0:
            findings.append(Finding("unreadable", name, "holds no sample", lost=True))
            continue
        peak = float(np.abs(audio.samples).max())
        clipped = float((np.abs(audio.samples) >= FULL_SCALE).mean())
        if peak < SILENT:
            findings.append(Finding("silent", name, f"peak {peak:.2g}"))
        if clipped > CLIPPED_SHARE:
            findings.append(Finding("clipped", name, f"{clipped:.1%} of its samples at full scale"))
        outputs.append(output)
        lengths.append(audio.seconds)
        rates.append(audio.rate)
        channels.append(audio.channels)
    return outputs, findings, lengths, rates, channels


def _counted(findings: list[Finding]) -> str:
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding.kind] = counts.get(finding.kind, 0) + 1
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())
