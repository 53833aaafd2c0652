"""Laying a sound under a video: the picture is copied packet by packet, only the sound is encoded."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from foleygram.errors import MediaError, OutputError
from foleygram.media.container import frames_of, moving_pictures, open_media, packets_of, picture_of
from foleygram.media.soundtrack import CLOCKS, CONTAINERS, Soundtrack, container_of, encoding_failed, is_failure_of_disk
from foleygram.media.timeline import read_timeline
from foleygram.output import check_output, whole_file
from foleygram.types import Sound

if TYPE_CHECKING:
    from av import Packet, VideoStream
    from av.container import InputContainer, OutputContainer
    from av.container.core import Chapter

EDITABLE = ("mp4", "mov")
"""Containers whose edit list can hide frames that are needed for decoding only."""

NAMES = {
    "h264": "H.264",
    "hevc": "HEVC",
    "av1": "AV1",
    "vp8": "VP8",
    "vp9": "VP9",
    "mpeg1video": "MPEG-1",
    "mpeg2video": "MPEG-2",
    "mpeg4": "MPEG-4",
    "prores": "ProRes",
    "dnxhd": "DNxHD",
    "cfhd": "CineForm",
    "dvvideo": "DV",
    "ffv1": "FFV1",
    "mjpeg": "Motion JPEG",
    "gif": "GIF",
    "png": "PNG",
    "rawvideo": "raw pixels",
}
"""What people call a codec, by FFmpeg's name."""

BRANDS = ("major_brand", "minor_version", "compatible_brands")
"""What an .mp4 says of its own form: no metadata of the film."""

OF_MAKERS = "com."
"""How names begin that makers of phones and cameras give to place, time and device, in Matroska in capitals; .mp4 and .mov hold
them by an option."""

TRIED = 8  # packets; enough for a first frame of any order of decoding, few enough for the memory


def mux(video: Path, audio: Sound, out: Path, force: bool = False) -> None:
    """Writes ``out``: the picture of ``video``, its packets untouched, with ``audio`` as the only sound, both from time 0.

    The container follows the name of ``out`` (.mp4 .m4v .mov .mkv .webm), the codec of the sound follows the container
    (``Soundtrack``). Rotation, colour and metadata of the picture are kept, the shape of its pixels where the container can say
    it (``unkept``), chapters; other sounds, subtitles and data are left out.
    Raises MediaError where ``video`` holds no picture or ``audio`` no sample, OutputError where ``out`` is ``video``, exists
    (without ``force``), cannot hold this picture or cannot be written.
    """
    import av

    video, out = Path(video), Path(out)
    kind = container_of(out)
    check_output(out, force, sources=[video])
    timeline = read_timeline(video)
    zero = timeline.first_stamp
    if zero is None:
        raise OutputError(f"{out}: {video.name} does not say when each frame is shown; convert it to .mp4 first")
    with open_media(video) as source, whole_file(out, force, sources=[video]) as temporary:
        picture = picture_of(source, video)
        try:
            # bitexact: no random number of the file in Matroska, so that the same input gives the same bytes
            options = {"fflags": "+bitexact", **CLOCKS.get(kind, {})}
            if kind in EDITABLE and any(name.lower().startswith(OF_MAKERS) for name in source.metadata):
                options["movflags"] = "use_metadata_tags"  # all names, in a form that fewer programs look for a title in
            with av.open(str(temporary), "w", format=kind, container_options=options) as target:
                try:
                    copy = copied_stream(target, picture)
                    sound = Soundtrack(target, audio)
                    target.metadata.update({name: said for name, said in source.metadata.items() if name not in BRANDS})
                    target.set_chapters(chapters_from(source, kind, zero * picture.time_base, timeline.length))
                    target.start_encoding()
                except (av.FFmpegError, ValueError) as error:
                    if is_failure_of_disk(error):
                        raise
                    raise refusal(video, out, picture) from error
                for packet in needed_packets(source, picture, None if kind in EDITABLE else zero):
                    if packet.is_discard and kind not in EDITABLE:
                        advice = instead(video, out, EDITABLE)
                        raise OutputError(f"{out}: {out.suffix} cannot hide the trimmed parts of {video.name}; {advice}")
                    # Both timestamps move alike, so that the first frame is shown at 0, where the sound begins.
                    if packet.pts is not None:
                        packet.pts -= zero
                    if packet.dts is not None:
                        packet.dts -= zero
                        sound.reach(float(packet.dts * picture.time_base))
                    packet.stream = copy
                    target.mux(packet)
                sound.finish()
        except av.FFmpegError as error:
            raise encoding_failed(out, error) from error
        if not can_be_shown(temporary):  # FFmpeg writes some pictures under a name that no program knows, itself neither
            raise refusal(video, out, picture)


def chapters_from(source: InputContainer, kind: str, start: Fraction, length: Fraction) -> list[Chapter]:
    """The chapters of a film for a container of ``kind``, counted from ``start`` (s) where its picture begins; what lies
    outside its ``length`` (s) is left out."""
    kept = []
    for chapter in sorted(source.chapters(), key=lambda chapter: chapter["start"] * chapter["time_base"]):
        begin, end = (max(chapter[side] * chapter["time_base"] - start, Fraction(0)) for side in ("start", "end"))
        begin, end = round(begin * 1000), round(min(end, length) * 1000)
        if begin < end and (not kept or begin > kept[-1]["start"]):  # a track has one at a time
            named = {"title": "", **chapter["metadata"]}  # .mp4 and .mov would drop one without a title
            kept.append({"id": chapter["id"], "start": begin, "end": end, "time_base": Fraction(1, 1000), "metadata": named})
    if kind in EDITABLE and kept and kept[0]["start"] > 0:  # their chapters are a track, and read as if it began at 0
        kept.insert(0, {**kept[0], "id": -1, "start": 0, "end": kept[0]["start"], "metadata": {"title": ""}})
    return kept


def refusal(video: Path, out: Path, picture: VideoStream) -> OutputError:
    """That the container of ``out`` does not hold the codec of this picture, and which one does."""
    codec = picture.codec_context.codec.canonical_name  # of the codec, not of the library that decodes it
    return OutputError(f"{out}: {out.suffix} cannot hold a picture in {NAMES.get(codec, codec)}; {instead(video, out)}")


def instead(video: Path, out: Path, kinds: tuple[str, ...] = ("mp4", "mov", "matroska")) -> str:
    """What to do where the container of ``out`` does not do: name another of ``kinds`` that holds this picture, first of all
    that of the film itself."""
    for suffix in (video.suffix.lower(), ".mp4", ".mov", ".mkv"):
        kind = CONTAINERS.get(suffix)
        if kind in kinds and kind != container_of(out) and kept_shape(video, kind) is not None:
            return f"end the name with {suffix}"
    return "convert the video to H.264 first"


def can_be_shown(path: Path) -> bool:
    """Whether a frame of the picture can be decoded."""
    try:
        with open_media(path) as container:
            return next(frames_of(container, picture_of(container, path)), None) is not None
    except MediaError:
        return False


def copied_stream(target: OutputContainer, picture: VideoStream) -> VideoStream:
    """A stream of ``target`` for the packets of ``picture``: codec parameters, side data (rotation), pixel shape, metadata.

    Raises ValueError where the container does not hold the codec.
    """
    copy = target.add_stream_from_template(picture, opaque=True)
    copy.metadata.update(picture.metadata)
    if picture.sample_aspect_ratio:  # ProRes, CineForm, VP9 and AV1 do not say it themselves
        copy.codec_context.sample_aspect_ratio = picture.sample_aspect_ratio
    tag, kind = tag_of(picture), target.format.name
    named = kind in EDITABLE or (kind == "matroska" and picture.codec_context.name.startswith("prores"))
    if tag and named and takes_tag(picture, kind, tag):
        # FFmpeg's default calls every ProRes HQ, and HEVC hev1, which Apple's software does not play.
        copy.codec_context.codec_tag = tag
    if kind in EDITABLE and not copy.codec_context.framerate and picture.average_rate:
        copy.codec_context.framerate = picture.average_rate  # in which a time code counts; ProRes does not say it
    return copy


def tag_of(picture: VideoStream) -> str | None:
    """The four letters by which .mp4 and .mov name the flavour of a codec; None for other containers and for no letters."""
    if "mp4" not in picture.container.format.name.split(","):
        return None
    try:
        tag = picture.codec_context.codec_tag
    except UnicodeDecodeError:
        return None
    return tag if tag.isprintable() else None


def takes_tag(picture: VideoStream, kind: str, tag: str) -> bool:
    """Whether a container of ``kind`` accepts the tag for this codec: .mp4 and .mov know different ones."""
    import av

    try:
        with av.open(BytesIO(), "w", format=kind) as target:
            target.add_stream_from_template(picture, opaque=True).codec_context.codec_tag = tag
            target.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def needed_packets(source: InputContainer, picture: VideoStream, zero: int | None = None) -> Iterator[Packet]:
    """The packets up to the last that is shown. A trimmed video hides frames (edit list): those before and between are
    needed to decode the others, those at the end would come to light again. ``zero``: time stamp of the first frame; of a film
    that begins in the middle of a group what lies before its first key frame, or refers to that, is left out."""
    hidden: list[Packet] = []
    whole = zero is None
    for packet in packets_of(source, picture):
        if not whole and packet.pts is not None and packet.pts < zero:
            whole = packet.is_keyframe  # the first frame that is shown needs it
            if not whole:
                continue
        hidden.append(packet)
        if not packet.is_discard:
            yield from hidden
            hidden.clear()


def kept_shape(video: Path, kind: str) -> Fraction | None:
    """Width of a pixel over its height, as a container of ``kind`` (FFmpeg's name) keeps it for this picture; None where not
    one frame can be read back from it. Copies a few packets in the memory."""
    import av

    content = BytesIO()
    try:
        with open_media(video) as source, av.open(content, "w", format=kind) as target:
            picture = picture_of(source, video)
            copy, zero = copied_stream(target, picture), None
            for packet in islice(packets_of(source, picture), TRIED):
                zero = packet.dts if zero is None else zero
                if zero is not None and packet.dts is not None and packet.pts is not None:
                    packet.dts, packet.pts = packet.dts - zero, packet.pts - zero  # so that none is hidden
                packet.stream = copy
                target.mux(packet)
        content.seek(0)
        with av.open(content) as back:
            picture = picture_of(back, video)
            return None if next(frames_of(back, picture), None) is None else picture.sample_aspect_ratio or Fraction(1)
    except (av.FFmpegError, ValueError, MediaError):
        return None


def unkept(video: Path, out: Path) -> list[str]:
    """What ``mux`` does not keep of a film, one line each. Raises MediaError, and OutputError for the name of another kind."""
    video, out = Path(video), Path(out)
    kind, notes = container_of(out), []
    with open_media(video) as source:
        shape = picture_of(source, video).sample_aspect_ratio or Fraction(1)
        sounds, subtitles = len(source.streams.audio) - 1, len(source.streams.subtitles)
        pictures = len(moving_pictures(source)) - 1
    absent = [f"{pictures} further picture{'s' if pictures > 1 else ''}"] if pictures > 0 else []
    absent += [f"{sounds} further sound track{'s' if sounds > 1 else ''}"] if sounds > 0 else []
    absent += ["subtitles"] if subtitles else []
    if absent:
        notes.append(f"left out of {out.name}: {', '.join(absent)}")
    if kind not in EDITABLE and kept_shape(video, kind) not in (None, shape):
        other = next((name for name in (".mp4", ".mov") if kept_shape(video, CONTAINERS[name]) == shape), None)
        notes.append(
            f"the film's pixels are {shape.numerator}:{shape.denominator} wide, which the {out.suffix} does not say, so that it"
            f" looks squeezed or stretched; {f'end the name with {other}' if other else 'convert the video to H.264 first'}"
        )
    return notes
