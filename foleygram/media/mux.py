"""Laying a sound under a video: the picture is copied packet by packet, only the sound is encoded."""

from __future__ import annotations

from pathlib import Path

from foleygram.errors import OutputError
from foleygram.media.container import open_media, packets_of, picture_of
from foleygram.media.output import whole_file
from foleygram.media.soundtrack import Soundtrack, container_of
from foleygram.media.timeline import read_timeline
from foleygram.media.video import encoding_failed
from foleygram.types import Audio


def mux(video: Path, audio: Audio, out: Path, force: bool = False) -> None:
    """Writes ``out``: the picture of ``video``, its packets untouched, with ``audio`` as the only sound, both from time 0.

    The container follows the name of ``out`` (.mp4 .m4v .mov .mkv .webm), the codec of the sound follows the container
    (``Soundtrack``). Rotation, colour and metadata of the picture are kept; other sounds, subtitles and data are left out.
    Raises MediaError where ``video`` holds no picture or ``audio`` no sample, OutputError where ``out`` is ``video``, exists
    (without ``force``), cannot hold this picture or cannot be written.
    """
    import av

    video, out = Path(video), Path(out)
    kind = container_of(out)
    timeline = read_timeline(video)
    zero = int(timeline.ticks[0])
    with open_media(video) as source, whole_file(out, force, sources=[video]) as temporary:
        picture = picture_of(source, video)
        try:
            with av.open(str(temporary), "w", format=kind) as target:
                try:
                    copy = target.add_stream_from_template(picture, opaque=True)
                except ValueError as error:
                    raise OutputError(
                        f"{out}: {out.suffix} does not hold a {picture.codec_context.name} picture; end the name with .mkv"
                    ) from error
                sound = Soundtrack(target, audio)
                target.metadata.update(source.metadata)
                copy.metadata.update(picture.metadata)
                for packet in packets_of(source, picture):
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
