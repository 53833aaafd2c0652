"""Sound in and out: exact samples, exact time."""

import numpy as np
import pytest

from foleygram.errors import MediaError, OutputError, UsageError
from foleygram.media.audio import flac_of, read_audio, stereo_mix, write_audio
from foleygram.signal.resample import resample
from foleygram.types import Audio

from .recordings import record, sound_rates, sound_start


def lag(sound: Audio, reference: Audio) -> int:
    """Samples by which ``sound`` comes later than ``reference``, by the peak of their correlation."""
    size = 1 << (sound.samples.shape[1] + reference.samples.shape[1]).bit_length()
    spectrum = np.fft.rfft(sound.mono(), size) * np.conj(np.fft.rfft(reference.mono(), size))
    peak = int(np.argmax(np.fft.irfft(spectrum)))
    return peak if peak < size // 2 else peak - size


@pytest.mark.parametrize(
    ("name", "subtype", "error"),
    [("a.wav", "FLOAT", 0), ("a.wav", "PCM_24", 2**-23), ("a.flac", "PCM_24", 2**-23), ("a.wav", "PCM_16", 1.5 * 2**-15),
     ("a.FLAC", "PCM_16", 1.5 * 2**-15)],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 2])
def test_written_sound_is_read_back(tmp_path, clicks, name, subtype, error, channels):
    sound = Audio(clicks(0.3, [0.1]).samples[:channels], 44100)
    write_audio(tmp_path / name, sound, subtype)
    back = read_audio(tmp_path / name, rate=None)
    assert back.rate == 44100 and back.samples.shape == sound.samples.shape
    assert np.abs(back.samples - sound.samples).max() <= error + 1e-9
    write_audio(tmp_path / f"b{name}", sound, subtype)
    assert (tmp_path / name).read_bytes() == (tmp_path / f"b{name}").read_bytes()  # the dither too is the same


def test_beyond_full_scale_is_clipped_not_wrapped(tmp_path):
    loud = Audio(np.array([[1.5, -1.5, 1.0, -1.0, 0.5]]), 44100)
    write_audio(tmp_path / "a.wav", loud, "PCM_24")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav").samples, [[1, -1, 1, -1, 0.5]], atol=2**-22)


@pytest.mark.parametrize("rate", [8000, 22050, 48000, 96000])
def test_resampling_keeps_length_and_time(tmp_path, clicks, rate):
    sound = clicks(0.5, [0.2], rate)
    write_audio(tmp_path / "a.wav", sound, "FLOAT")
    back = read_audio(tmp_path / "a.wav")
    assert back.rate == 44100 and abs(back.samples.shape[1] - 22050) <= 1
    envelope = np.abs(back.mono())
    start = np.flatnonzero(envelope > 0.1 * envelope.max())[0] / 44100
    assert start == pytest.approx(0.2, abs=0.002)


@pytest.mark.parametrize("start", [-0.3, -0.05, 0.3, 0.0])
def test_sound_is_aligned_to_the_first_frame(tmp_path, clicks, start):
    """The sound of a track that starts early is cut, of one that starts late preceded by silence: exact in mkv."""
    sound = clicks(1.0, [0.1, 0.5, 0.8])
    first = 10 if start < 0 else 0  # the picture may begin at frame 10, which is 1 s
    path = record(tmp_path / "a.mkv", first=first, sound=[sound], sound_start=start + first / 10)
    assert sound_start(path) == pytest.approx(start, abs=1e-3)
    offset = round(start * 44100)
    expected = sound.samples[:, -offset:] if offset < 0 else np.pad(sound.samples, ((0, 0), (offset, 0)))
    back = read_audio(path)
    assert back.samples.shape == expected.shape
    np.testing.assert_allclose(back.samples, expected, atol=2**-14)


def test_late_aac_in_mp4(tmp_path, clicks):
    sound = clicks(1.0, [0.1, 0.5])
    path = record(tmp_path / "a.mp4", sound=[sound], sound_start=0.3)
    assert abs(lag(read_audio(path), sound) - round(0.3 * 44100)) <= 44  # 1 ms


def test_tracks_are_chosen_by_number(tmp_path, clicks):
    one, two = clicks(0.6, [0.1]), clicks(0.6, [0.4])
    path = record(tmp_path / "a.mkv", sound=[one, two])
    assert len(sound_rates(path)) == 2
    assert lag(read_audio(path, stream=0), one) == 0
    assert lag(read_audio(path, stream=1), two) == 0
    with pytest.raises(UsageError, match="2 sound track"):
        read_audio(path, stream=2)


def test_surround_is_mixed_to_stereo(tmp_path, clicks):
    six = np.zeros((6, 4410), np.float32)
    six[0] = 0.5  # front left
    six[3] = 0.5  # low frequency: left out
    path = record(tmp_path / "a.mkv", sound=[Audio(six, 44100)])
    left, right = read_audio(path).samples.mean(axis=1)
    assert left == pytest.approx(0.5 / (1 + 2 * np.sqrt(0.5)), abs=1e-3) and right == pytest.approx(0, abs=1e-4)


def test_stereo_mix_never_clips_and_is_symmetric():
    for names in (["FL", "FR", "FC", "LFE", "BL", "BR"], ["FL", "FR", "FC"], ["FL", "FR", "BL", "BR", "SL", "SR", "BC"]):
        weights = stereo_mix(names)
        assert weights.sum(axis=1) == pytest.approx([1, 1])
    np.testing.assert_allclose(stereo_mix(["NONE"] * 4), np.full((2, 4), 0.25))


def test_a_pause_in_the_track_stays_a_pause(tmp_path, clicks):
    """Timestamps that jump by more than 50 ms mean silence, not a splice."""
    import av

    path = tmp_path / "a.mkv"
    part = clicks(0.4, [0.0])
    steps = np.round(part.samples.T * 32767).astype(np.int16).reshape(1, -1)
    with av.open(str(path), "w") as output:
        track = output.add_stream("pcm_s16le", rate=44100)
        track.layout = "stereo"
        for start in (0, 44100):
            frame = av.AudioFrame.from_ndarray(steps, format="s16", layout="stereo")
            frame.sample_rate, frame.pts = 44100, start
            output.mux(track.encode(frame))
        output.mux(track.encode(None))
    back = read_audio(path).samples
    assert back.shape[1] == 44100 + part.samples.shape[1]
    np.testing.assert_allclose(back[:, 44100:], part.samples, atol=2**-14)


def test_a_flac_in_the_memory_is_the_sound_within_a_step_cut_off_at_full_scale(tmp_path, clicks):
    sound = Audio(3 * clicks(0.3, [0.1]).samples, 44100)
    (tmp_path / "a.flac").write_bytes(flac_of(sound))
    back = read_audio(tmp_path / "a.flac")
    assert back.rate == 44100 and sound.peak > 1
    np.testing.assert_allclose(back.samples, sound.samples.clip(-1, 1), atol=1.1 * 2**-15)


def test_wrong_calls(tmp_path, tiny_sound, clicks):
    sound = clicks(0.1, [0])
    with pytest.raises(UsageError, match="PCM_16, PCM_24, FLOAT"):
        write_audio(tmp_path / "a.wav", sound, "PCM_8")
    with pytest.raises(UsageError, match="not FLOAT"):
        write_audio(tmp_path / "a.flac", sound, "FLOAT")
    with pytest.raises(OutputError, match=".wav or .flac"):
        write_audio(tmp_path / "a.mp3", sound)
    with pytest.raises(MediaError, match="no samples"):
        write_audio(tmp_path / "a.wav", Audio(np.zeros((2, 0)), 44100))
    with pytest.raises(UsageError, match="positive"):
        read_audio(tiny_sound, rate=0)
    assert list(tmp_path.iterdir()) == []


def test_nan_in_a_file_is_named_with_the_file(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.wav", np.array([0, np.nan, 0.5], np.float32), 44100, subtype="FLOAT")
    with pytest.raises(MediaError, match="a.wav: .*NaN"):
        read_audio(tmp_path / "a.wav")


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_a_wav_of_more_than_4_gb_is_refused(tmp_path, subtype):
    class Endless:
        rate, channels, count = 44100, 2, 2**32 // 4

        def part(self, start: int, stop: int):
            raise AssertionError("written though it cannot be kept")

    with pytest.raises(OutputError, match="too large"):
        write_audio(tmp_path / "a.wav", Endless(), subtype)
    assert not list(tmp_path.iterdir())


def test_a_sound_knows_the_lowest_rate_that_it_had(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "low.wav", np.zeros((800, 1), np.float32), 8000)
    sound = read_audio(tmp_path / "low.wav")
    assert (sound.rate, sound.lowest_rate) == (44100, 8000)
    assert {part.lowest_rate for part in (sound.stereo(), sound.centred(), sound.loudest(0.05), sound.trim(1.0))} == {8000}
    assert resample(resample(Audio(np.zeros((1, 480), np.float32), 48000), 16000), 44100).lowest_rate == 16000
    assert read_audio(tmp_path / "low.wav", rate=None).lowest_rate == 8000
