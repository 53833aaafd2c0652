"""Where an envelope comes from: recordings as they are followed."""

from pathlib import Path

import numpy as np
import pytest

from foleygram.errors import EnvelopeError, UsageError
from foleygram.media.audio import write_audio
from foleygram.media.video import write_video
from foleygram.signal.envelope import extract_envelope, write_envelope
from foleygram.timing.track import OnsetTrack
from foleygram.types import Audio, Envelope
from foleygram.verbs.guide import Guide, as_heard, is_noisy, is_table, read_file, read_guide, too_soft, unheard

TIMES = [0.3, 0.9, 1.5]


def shifted(sound, *offsets):
    return Audio(0.5 * sound.samples + np.array(offsets, np.float32)[:, None], sound.rate)


@pytest.mark.parametrize("offset", [0.2, -0.01])
@pytest.mark.parametrize("voice", [False, True])
def test_an_offset_of_a_recording_is_no_sound(tmp_path, clicks, offset, voice):
    sound = clicks(2.0, TIMES)
    write_audio(tmp_path / "a.wav", shifted(sound, offset), "FLOAT")
    guide = read_file(tmp_path / "a.wav", voice=voice)
    events = OnsetTrack.from_envelope(guide.envelope).events
    assert [event.seconds for event in events] == pytest.approx(TIMES, abs=0.02)
    assert {event.kind for event in events} == {"hit"}
    write_audio(tmp_path / "b.wav", shifted(sound, 0), "FLOAT")
    plain = read_file(tmp_path / "b.wav", voice=voice).envelope.values
    np.testing.assert_allclose(guide.envelope.values, plain, atol=1e-3 * plain.max())


def test_nor_is_that_of_the_clip_s_own_sound(tmp_path, clicks, moving_bar):
    write_video(tmp_path / "a.mp4", moving_bar(20), 10, shifted(clicks(2.0, TIMES), 0.2))
    for guide in (read_guide("own", tmp_path / "a.mp4", 2.0), read_file(tmp_path / "a.mp4")):
        values = guide.envelope.at(np.array([0.1, 0.7, 1.3, 1.9]))
        assert values.max() < 0.02 * guide.envelope.values.max()


def test_an_offset_does_not_hide_a_channel_that_is_upside_down(clicks):
    left = clicks(2.0, TIMES).samples[0]
    twisted = Audio(np.stack([left, -left]) * 0.5 + 0.2, 44100)
    np.testing.assert_allclose(as_heard(twisted).mono(), 0.5 * left, atol=1e-3)


def test_what_has_no_offset_stays_as_it_is(clicks):
    rate, seconds = 44100, np.arange(44100) / 44100
    impulses, padded = np.zeros(rate), np.zeros(rate)
    impulses[[9000, 20000, 31000]] = 1
    padded[10000:20000] = 0.1 * np.sin(2 * np.pi * 50 * seconds[:10000])
    thump = np.exp(-seconds[:13230] / 0.1) * np.sin(2 * np.pi * 2.5 * seconds[:13230])
    low = 0.5 * np.sin(2 * np.pi * 7 * seconds)
    noise = np.random.default_rng(0).normal(0, 0.1, rate)
    for samples in (impulses, padded, low, noise - noise.mean(), np.zeros(rate), np.zeros(0), thump - thump.mean()):
        sound = Audio(samples[None], rate)
        assert as_heard(sound) is sound
    sound = clicks(2.0, TIMES)
    assert as_heard(sound) is sound


def test_where_a_recording_rests_at_two_levels_both_stay(clicks):
    """What is taken away from one would be put into the other."""
    dither = np.random.default_rng(0).integers(-1, 2, 44100) / 32768
    samples = np.concatenate([0.5 * clicks(2.0, TIMES).samples[0] + 0.02, dither])
    sound = Audio(samples[None], 44100)
    assert as_heard(sound) is sound


def test_short_and_one_sided_sounds_have_no_offset():
    seconds = np.arange(44100) / 44100
    tap = (np.sin(2 * np.pi * 60 * seconds) * np.exp(-seconds / 0.01))[:2646]
    half = np.sin(np.pi * seconds[:882] / 0.02)
    train = np.zeros(44100)
    train[::1764] = 1
    for samples in (tap, half, train):
        sound = Audio(samples[None], 44100)
        assert as_heard(sound) is sound


def rests(level: float, blocks: int, spread: float = 0.01) -> np.ndarray:
    """So many blocks of 50 ms around a level."""
    return np.random.default_rng(0).normal(level, spread, blocks * 2205)


def test_a_moment_tells_no_offset():
    for blocks, told in ((9, False), (10, True)):
        sound = Audio(rests(0.1, blocks)[None], 44100)
        assert (as_heard(sound) is not sound) == told


def test_an_offset_that_is_none_to_speak_of_stays():
    for level, told in ((2e-4, False), (4e-3, True)):
        rest = np.random.default_rng(0).normal(level, 1e-6, 44100)
        rest[20000] = 1.0
        sound = Audio(rest[None], 44100)
        assert (as_heard(sound) is not sound) == told


@pytest.mark.parametrize("spread", [0.01, 0.05])
def test_what_wanders_rests_nowhere(spread):
    """No level is that of half of its blocks."""
    samples = np.concatenate([rests(level, 1, spread) for level in np.linspace(0.02, 0.2, 30)])
    sound = Audio(samples[None], 44100)
    assert as_heard(sound) is sound


@pytest.mark.parametrize(
    ("content", "told"), [(b"0.5\n", True), (b"\xef\xbb\xbf0.5", True), (b"RIFF\0\0", False), (b" \n", False)]
)
def test_a_text_is_told_from_a_recording(tmp_path, content, told):
    (tmp_path / "a").write_bytes(content)
    assert is_table(tmp_path / "a") == told


def test_digital_silence_around_an_offset_stays_silent():
    samples = np.zeros(44100)
    samples[10000:40000] = 0.3 + np.random.default_rng(0).normal(0, 0.01, 30000)
    heard = as_heard(Audio(samples[None], 44100)).samples[0]
    assert not heard[:10000].any() and not heard[40000:].any() and abs(heard[10000:40000].mean()) < 1e-3


@pytest.mark.parametrize(
    ("seconds", "times", "film", "told"),
    [
        (4.0, [1.0, 3.0], 2.4, True), (4.0, [1.0, 2.42], 2.4, True), (4.0, [1.0, 2.0], 2.4, False), (4.0, [], 2.4, False),
        (2.48, [1.0, 2.44], 2.4, False), (2.4, [1.0], 2.4, False), (1.0, [0.5], 2.4, False),
    ],
)  # fmt: skip
def test_what_sounds_after_the_film_is_told(tmp_path, clicks, seconds, times, film, told):
    write_audio(tmp_path / "a.wav", clicks(seconds, times))
    envelope = read_file(tmp_path / "a.wav").envelope
    write_envelope(tmp_path / "a.csv", envelope)
    expected = f"the guide lasts {seconds:.2f} s, the film {film:.2f} s; the rest of it is not heard" if told else ""
    assert not unheard(Guide(envelope, "own"), film)
    for source in (tmp_path / "a.wav", tmp_path / "a.csv", envelope):
        assert unheard(read_guide(source, None, film), film) == expected


def test_neither_the_last_window_of_the_film_nor_what_is_faint_is_a_loss():
    samples = np.zeros(4 * 44100, np.float32)
    samples[: round(2.4 * 44100)] = 0.5 * np.tile([1, -1], round(1.2 * 44100))
    for faint, told in ((0.0, False), (2e-4, False), (2e-3, True)):
        rest = np.where(samples == 0, faint * np.tile([1, -1], 2 * 44100), samples)
        guide = Guide(extract_envelope(Audio(rest[None], 44100)), "given")
        assert bool(unheard(guide, 2.4)) == told


def test_a_constant_guide_is_heard_to_its_end():
    assert unheard(Guide(Envelope(np.full(1000, 0.1)), "given"), 1.0)
    assert not unheard(Guide(Envelope(np.zeros(1000)), "given"), 1.0)


@pytest.mark.parametrize(
    ("rows", "seconds"),
    [
        ("0.5\n2.0\n", 3.5), ("seconds,amplitude\n0,0.1\n2,0.1\n", 2.0),
        ("seconds,strength,kind,duration\n1.5,0.1,hit,0\n1,0.1,scratch,2\n", 4.5),
    ],
)  # fmt: skip
def test_without_a_clip_a_list_lasts_until_its_events_have_faded(tmp_path, rows, seconds):
    (tmp_path / "a.csv").write_text(rows)
    assert read_file(tmp_path / "a.csv").envelope.seconds == pytest.approx(seconds, abs=0.003)


@pytest.mark.parametrize("rows", ["0.5\n90000\n", "seconds,kind\n90000,hit\n"])
def test_a_list_of_more_than_a_day_is_refused(tmp_path, rows):
    (tmp_path / "a.csv").write_text(rows)
    with pytest.raises(EnvelopeError, match="a.csv: (lasts 90001.5 s, more than a day|line 2: .* of 0 to 86400 s, not 90000)"):
        read_file(tmp_path / "a.csv")


def test_what_sounds_throughout_is_noise():
    values = np.full(100, 0.0)
    values[40:50] = 0.5
    for floor, noisy in ((0.5 * 10 ** (-40 / 20), True), (0.5 * 10 ** (-50 / 20), False), (0.0, False)):
        assert is_noisy(Envelope(np.maximum(values, floor))) == noisy
    assert not is_noisy(Envelope(np.zeros(100)))


@pytest.mark.parametrize("kind", ["sound", "voice", "table"])
def test_a_guide_out_of_a_file_names_it(kind):
    with pytest.raises(UsageError, match="path"):
        Guide(Envelope(np.ones(10), 100.0), kind)


def test_a_shortened_film_has_no_frames_that_cannot_be_decoded(tmp_path, moving_bar):
    from tiny import tiny_model

    write_video(tmp_path / "a.mp4", moving_bar(45), 15)
    for seconds in (1.0, 3.0):
        assert not read_guide(None, tmp_path / "a.mp4", seconds, tiny_model(timing=True).timing).doubt


@pytest.mark.parametrize("level, told", [(0.1, ""), (0.0, ""), (1e-4, "--scale-db 60"), (1e-6, "--scale-db 60")])
def test_a_guide_that_is_hardly_heard_is_told(level, told):
    note = too_soft(Envelope(np.array([0.0, level, 0.0], np.float32), 100.0))
    assert (told in note) if told else not note


def test_of_a_list_only_events_that_come_too_late_are_told():
    track = OnsetTrack.at([0.5, 2.6])
    guide = Guide(track.to_envelope(4.1), "table", Path("hits.csv"), track=track)
    assert not unheard(guide, 3.0) and "1 of its events" in unheard(guide, 2.0)
    assert "1 of its events" in unheard(guide, 2.6)  # at the very end


def test_the_events_of_a_list_are_made_up_and_a_curve_is_not():
    curve, track = Envelope(np.ones(100)), OnsetTrack.at([0.1])
    assert Guide(curve, "predicted").made_up and Guide(curve, "table", Path("hits.csv"), track=track).made_up
    assert not Guide(curve, "table", Path("curve.csv")).made_up and not Guide(curve, "own").made_up
