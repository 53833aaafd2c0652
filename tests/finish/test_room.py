"""Room tone: measured where a recording is quietest, laid under a sound of any length."""

import numpy as np
import pytest

from foleygram.errors import UsageError
from foleygram.finish.room import STEP, WINDOW, heard_room, room_tone, still_room
from foleygram.types import SAMPLE_RATE, Audio


def db(samples):
    return 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)))


def noise(seconds, level_db, seed=0, channels=2):
    white = np.random.default_rng(seed).standard_normal((channels, round(seconds * SAMPLE_RATE)))
    return (white * 10 ** (level_db / 20)).astype(np.float32)


def hum(seconds, hertz, level_db):
    """The same on both channels."""
    wave = (
        np.sqrt(2) * 10 ** (level_db / 20) * np.sin(2 * np.pi * hertz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)
    )
    return np.stack([wave, wave]).astype(np.float32)


def with_hits(room):
    """A second of every two is loud."""
    sound = room.copy()
    for start in range(0, sound.shape[1], 2 * SAMPLE_RATE):
        sound[:, start : start + SAMPLE_RATE] += noise(1, -10, seed=start)[:, : sound.shape[1] - start]
    return Audio(sound, SAMPLE_RATE)


class TestStillRoom:
    @pytest.mark.parametrize("level", [-80, -50])
    def test_has_the_level_that_was_asked_for(self, level):
        tone = still_room(level)
        assert tone.level_db == pytest.approx(level)
        assert db(tone.part(1, 0, 40 * SAMPLE_RATE)) == pytest.approx(level, abs=1.0)

    def test_falls_by_six_db_an_octave_and_has_no_offset(self):
        sound = still_room(-40).part(1, 0, 40 * SAMPLE_RATE)
        power = np.square(np.abs(np.fft.rfft(sound[0])))
        hertz = np.fft.rfftfreq(sound.shape[1], 1 / SAMPLE_RATE)
        octave = [10 * np.log10(power[(hertz >= low) & (hertz < 2 * low)].mean()) for low in (200, 400, 800, 1600)]
        assert np.diff(octave) == pytest.approx([-6, -6, -6], abs=0.8)
        assert abs(sound.mean()) < 1e-2 * sound.std() and not still_room(-40).factor[0].any()

    def test_sides_differ(self):
        left, right = still_room(-40).part(1, 0, 20 * SAMPLE_RATE)
        assert abs(np.corrcoef(left, right)[0, 1]) < 0.2


class TestTone:
    def test_any_part_is_that_of_the_whole(self):
        tone = still_room(-40)
        whole = tone.part(7, 0, 10 * STEP)
        for start, stop in ((0, 1), (STEP - 1, STEP + 1), (777, 5 * STEP), (3 * STEP, 3 * STEP), (9 * STEP, 10 * STEP)):
            assert np.array_equal(tone.part(7, start, stop), whole[:, start:stop])

    def test_is_as_loud_at_the_beginning_and_between_blocks(self):
        tone = room_tone(Audio(noise(20, -40), SAMPLE_RATE))
        parts = np.stack([tone.part(seed, 0, 4 * STEP) for seed in range(400)])
        levels = [db(parts[:, :, start : start + STEP // 4]) for start in range(0, 4 * STEP, STEP // 4)]
        assert np.ptp(levels) < 0.3

    def test_another_seed_is_another_tone(self):
        tone = still_room(-40)
        assert not np.array_equal(tone.part(1, 0, 100), tone.part(2, 0, 100))

    def test_lies_under_a_sound(self):
        sound, tone = Audio(noise(3, -20), SAMPLE_RATE), still_room(-40)
        both = tone.under(sound, 5)
        assert (both.count, both.channels, both.rate) == (sound.count, 2, SAMPLE_RATE)
        whole = both.part(0, both.count)
        assert np.array_equal(whole, sound.samples + tone.part(5, 0, sound.count))
        assert np.array_equal(both.part(1000, 5000), whole[:, 1000:5000])
        assert both.part(sound.count - 10, sound.count + 10).shape == (2, 10)
        assert both.peak == np.abs(whole).max()


class TestRoomTone:
    def test_is_that_of_the_quiet_moments(self):
        recording = with_hits(noise(12, -50) + hum(12, 1000, -45))
        tone = room_tone(recording)
        sound = tone.part(1, 0, 30 * SAMPLE_RATE)
        assert tone.level_db == pytest.approx(db(recording.part(round(1.2 * SAMPLE_RATE), round(1.8 * SAMPLE_RATE))), abs=0.5)
        assert db(sound) == pytest.approx(tone.level_db, abs=0.5)
        power = np.square(np.abs(np.fft.rfft(sound[0])))
        hertz = np.fft.rfftfreq(sound.shape[1], 1 / SAMPLE_RATE)
        near = abs(hertz - 1000) < 3 * SAMPLE_RATE / WINDOW
        assert 10 * np.log10(power[near].sum() / power[~near].sum()) == pytest.approx(5, abs=0.7)  # hum over hiss

    def test_keeps_what_the_channels_have_in_common_and_how_loud_each_is(self):
        common = noise(10, -40, channels=1)
        sides = np.concatenate([common, 0.5 * common + noise(10, -46, seed=3, channels=1)])
        sound = room_tone(Audio(sides, SAMPLE_RATE)).part(1, 0, 30 * SAMPLE_RATE)
        assert np.corrcoef(sound)[0, 1] == pytest.approx(np.corrcoef(sides)[0, 1], abs=0.03)
        assert db(sound[0]) - db(sound[1]) == pytest.approx(db(sides[0]) - db(sides[1]), abs=0.3)

    def test_keeps_which_channel_hears_it_first(self):
        common = noise(10, -40, channels=1)[0]
        sound = room_tone(Audio(np.stack([common, np.roll(common, 5)]), SAMPLE_RATE)).part(1, 0, 10 * SAMPLE_RATE)
        late, early = (np.corrcoef(sound[0], np.roll(sound[1], shift))[0, 1] for shift in (-5, 5))
        assert late > 0.9 and abs(early) < 0.1

    def test_of_one_channel_is_in_the_middle(self):
        left, right = room_tone(Audio(noise(2, -40, channels=1), SAMPLE_RATE)).part(1, 0, SAMPLE_RATE)
        assert left.std() > 1e-3 and np.abs(left - right).max() < 1e-6

    def test_another_rate_is_the_same_room(self):
        slow = Audio(noise(10, -40)[:, ::2], SAMPLE_RATE // 2)
        assert room_tone(slow).level_db == pytest.approx(-40, abs=0.7)

    @pytest.mark.parametrize("samples", [np.zeros((2, 2 * SAMPLE_RATE)), noise(0.1, -40), np.full((2, SAMPLE_RATE), 1e-6)])
    def test_of_silence_or_a_moment_there_is_none(self, samples):
        assert room_tone(Audio(samples.astype(np.float32), SAMPLE_RATE)) is None

    def test_gaps_of_digital_silence_are_no_room(self):
        sound = with_hits(noise(12, -50)).samples
        sound[:, : 4 * SAMPLE_RATE] = 0
        assert room_tone(Audio(sound, SAMPLE_RATE)).level_db == pytest.approx(-50, abs=0.5)

    def test_an_offset_is_no_tone(self):
        tone = room_tone(Audio(noise(5, -50) + np.float32(0.1), SAMPLE_RATE))
        assert tone.level_db == pytest.approx(-50, abs=0.5)


class TestHeardRoom:
    def test_of_hits_in_a_room(self):
        assert heard_room(with_hits(noise(8, -50))).level_db == pytest.approx(-50, abs=0.5)

    def test_is_heard_at_another_rate(self):
        slow = Audio(with_hits(noise(8, -50)).samples[:, ::2], SAMPLE_RATE // 2)
        assert np.array_equal(heard_room(slow).factor, room_tone(slow).factor)

    @pytest.mark.parametrize("level", [-85, -25])
    def test_neither_very_soft_nor_loud(self, level):
        assert heard_room(Audio(noise(4, level), SAMPLE_RATE)) is None

    def test_a_tail_is_no_room(self):
        seconds = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
        tail = Audio((noise(2, -10) * 10 ** (-25 * seconds / 20)).astype(np.float32), SAMPLE_RATE)
        assert room_tone(tail) is not None and -75 < room_tone(tail).level_db < -35
        assert heard_room(tail) is None


def test_a_tone_lies_under_two_channels_at_its_own_rate():
    for sound in (Audio(noise(1, -20), 48_000), Audio(noise(1, -20)[:1], SAMPLE_RATE)):
        with pytest.raises(UsageError, match="resample the sound first"):
            still_room(-40).under(sound, 5)


@pytest.mark.parametrize("seed", [-1, 0.5])
def test_a_tone_is_drawn_by_a_whole_seed(seed):
    with pytest.raises(UsageError, match="seed"):
        still_room(-40).under(Audio(noise(0.1, -20), SAMPLE_RATE), seed)


@pytest.mark.parametrize("level", [float("nan"), 3.0, -101.0])
def test_a_room_that_cannot_be(level):
    with pytest.raises(UsageError, match="level"):
        still_room(level)
