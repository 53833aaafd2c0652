"""Media of every awkward kind, written with PyAV directly."""

from fractions import Fraction

import numpy as np
import pytest


def record(
    path,
    codec="libx264",
    container=None,
    times=None,
    count=12,
    rate=Fraction(10),
    size=(48, 64),
    rotation=None,
    first=0,
    sound=(),
    sound_start=0.0,
    pixels="yuv420p",
    options=None,
    aspect=None,
):
    """Writes ``count`` grey frames, the level rising, at ``rate`` fps from frame number ``first`` on, or at ``times`` (s);
    ``sound``: one Audio per track, beginning at ``sound_start`` s. Tracks of mkv are PCM, so exact to the sample;
    ``aspect``: width of a pixel over its height. Skips the test where PyAV has no such encoder."""
    import av

    if codec not in av.codec.codecs_available:
        pytest.skip(f"no encoder {codec}")
    rate = Fraction(rate)
    with av.open(str(path), "w", format=container) as output:
        picture = output.add_stream(codec, rate=rate, options=options or {})
        picture.height, picture.width = size
        picture.pix_fmt = pixels
        picture.codec_context.thread_count = 1
        if aspect is not None:
            picture.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            picture.set_display_rotation(rotation)
        if times is not None:
            picture.codec_context.time_base = Fraction(1, 90000)
            count = len(times)
        tracks = [output.add_stream("pcm_s16le" if output.format.name == "matroska" else "aac", rate=s.rate) for s in sound]
        for track, audio in zip(tracks, sound, strict=True):
            track.layout = {1: "mono", 2: "stereo", 6: "5.1"}[audio.channels]
        for index in range(count):
            grey = np.full((*size, 3), 20 + index * 200 // count, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            if times is None:
                frame.pts, frame.time_base = index + first, 1 / rate
            else:
                frame.pts, frame.time_base = round(times[index] * 90000), Fraction(1, 90000)
            output.mux(picture.encode(frame))
        output.mux(picture.encode(None))
        for track, audio in zip(tracks, sound, strict=True):
            steps = np.round(audio.samples.T * 32767).astype(np.int16)
            for start in range(0, len(steps), 1024):
                part = np.ascontiguousarray(steps[start : start + 1024]).reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(part, format="s16", layout=track.layout.name)
                frame.sample_rate, frame.time_base = audio.rate, Fraction(1, audio.rate)
                frame.pts = round(sound_start * audio.rate) + start
                output.mux(track.encode(frame))
            output.mux(track.encode(None))
    return path


def shifted(source, path, seconds):
    """A copy whose timestamps all begin ``seconds`` before 0: an mp4 hides what lies there by its edit list."""
    import av

    with av.open(str(source)) as original, av.open(str(path), "w") as copy:
        stream = original.streams.video[0]
        target = copy.add_stream_from_template(stream, opaque=True)
        delay = round(seconds / stream.time_base)
        for packet in original.demux(stream):
            if packet.size:
                packet.pts -= delay
                packet.dts -= delay
                packet.stream = target
                copy.mux(packet)
    return path


def sound_rates(path):
    """Hz of each sound track."""
    import av

    with av.open(str(path)) as container:
        return [track.codec_context.sample_rate for track in container.streams.audio]


def sound_start(path):
    """When the first sound track begins, seconds after the first frame."""
    import av

    def first(kind):
        with av.open(str(path)) as container:
            return next(container.decode(**{kind: 0})).time

    return first("audio") - first("video")


def picture_packets(path):
    """The bytes of every packet of the picture."""
    import av

    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]
