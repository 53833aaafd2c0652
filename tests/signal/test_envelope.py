"""Eq. 5, and envelopes that people write."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foleygram.errors import EnvelopeError, OutputError, UsageError
from foleygram.signal.envelope import (
    envelope_from_hits,
    extract_envelope,
    load_envelope_file,
    read_envelope,
    read_hits,
    write_envelope,
)
from foleygram.types import ENVELOPE_HOP, ENVELOPE_RATE, SAMPLE_RATE, Audio, Envelope


def by_definition(mono: np.ndarray) -> np.ndarray:
    """Eq. 5 word by word, slowly."""
    padded = np.pad(mono.astype(np.float64), 256)
    return np.array([np.sqrt(np.mean(padded[k : k + 512] ** 2)) for k in range(0, len(mono) + 1, ENVELOPE_HOP)])


@pytest.mark.parametrize("count", [1, 127, 128, 129, 255, 256, 257, 511, 512, 513, 44100, 44101])
def test_equals_the_definition(count):
    mono = np.random.default_rng(count).uniform(-1, 1, count).astype(np.float32)
    values = extract_envelope(Audio(mono[None], SAMPLE_RATE)).values
    assert len(values) == 1 + count // 128
    np.testing.assert_allclose(values, by_definition(mono), atol=1e-7)


@pytest.mark.parametrize("level", [1.0, 1e-3, 1e-6])
def test_equals_librosa(level):
    librosa = pytest.importorskip("librosa")
    random = np.random.default_rng(3)
    samples = (level * random.uniform(-1, 1, (2, 100_003)) * np.exp(-np.arange(100_003) / 9000)).astype(np.float32)
    expected = librosa.feature.rms(y=samples.mean(axis=0), frame_length=512, hop_length=128, center=True)[0]
    assert np.abs(extract_envelope(Audio(samples, SAMPLE_RATE)).values - expected).max() < 1e-6


def test_silence_after_noise_is_exactly_silent():
    samples = np.zeros((1, 300_000), np.float32)
    samples[0, :200_000] = np.random.default_rng(0).uniform(-1, 1, 200_000)
    values = extract_envelope(Audio(samples, SAMPLE_RATE)).values
    assert (values[-(100_000 - 512) // 128 :] == 0).all()


@pytest.mark.parametrize("rate", [16000, 48000])
def test_other_rates_give_the_same_steps(rate):
    """A 200 Hz tone of amplitude a has RMS a / sqrt(2), whatever the rate."""
    tone = 0.5 * np.sin(2 * np.pi * 200 * np.arange(rate * 2) / rate)
    envelope = extract_envelope(Audio(tone[None], rate))
    assert len(envelope.values) == 1 + 88200 // 128
    assert envelope.values[100:-100].mean() == pytest.approx(0.5 / np.sqrt(2), rel=5e-3)


def test_sound_without_samples():
    with pytest.raises(EnvelopeError, match="no samples"):
        extract_envelope(Audio(np.zeros((2, 0)), SAMPLE_RATE))
    with pytest.raises(EnvelopeError, match="no sound to follow"):
        extract_envelope(None)


@settings(max_examples=25)
@given(st.floats(0, 1.9), st.floats(0.01, 0.5), st.sampled_from([0.002, 0.004, 0.02]))
def test_a_hit_begins_at_its_time_and_reaches_its_strength(time, strength, attack):
    envelope = envelope_from_hits([(time, strength)], 2.5, attack=attack)
    assert len(envelope.values) == 1 + int(2.5 * SAMPLE_RATE) // 128
    window = 256 / SAMPLE_RATE
    before = envelope.times < time - window
    assert (envelope.values[before] == 0).all()
    peak = int(np.argmax(envelope.values))
    assert time <= envelope.times[peak] <= time + attack + window + 1 / ENVELOPE_RATE
    assert 0.85 * strength < envelope.values[peak] <= strength
    later = envelope.at([time + attack + 0.12 + window])[0]  # one decay time on
    assert later == pytest.approx(strength / np.e, rel=0.08)


def test_hits_equal_eq_5_of_a_sound_of_their_shape():
    """The two routes to one truth: noise shaped like the hits, measured, against the hits drawn."""
    hits = [(0.3, 0.3), (0.36, 0.2), (0.9, 0.1)]
    drawn = envelope_from_hits(hits, 1.2)
    time = np.arange(int(1.2 * SAMPLE_RATE)) / SAMPLE_RATE
    power = np.zeros_like(time)
    for start, strength in hits:
        since = time - start
        shape = np.where(since < 0, 0, np.minimum(since / 0.004, np.exp(-np.maximum(since - 0.004, 0) / 0.12)))
        power += (strength * shape) ** 2
    sign = np.random.default_rng(0).choice([-1.0, 1.0], len(time))  # noise of constant power
    measured = extract_envelope(Audio((np.sqrt(power) * sign)[None], SAMPLE_RATE))
    np.testing.assert_allclose(drawn.values, measured.values, atol=1e-5)


def test_hits_of_hours_need_no_array_of_samples():
    import tracemalloc

    tracemalloc.start()
    envelope = envelope_from_hits([(7199.5, 0.3)], 7200.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert envelope.at([7199.51])[0] > 0.2 and not envelope.at([7199.4])[0]
    assert peak < 250e6 < 8 * 7200 * SAMPLE_RATE


def test_no_hits_are_silence_and_overlaps_add_in_power():
    assert envelope_from_hits([], 1.0).values.max() == 0
    one = envelope_from_hits([(0.5, 0.3)], 1.0).values
    two = envelope_from_hits([(0.5, 0.3), (0.5, 0.4)], 1.0).values
    np.testing.assert_allclose(two, one / 0.3 * 0.5, rtol=1e-5)


@pytest.mark.parametrize(
    ("hit", "expected"),
    [
        ((np.nan, 1), "finite"),
        ((0.5, np.inf), "finite"),
        ((0.5, -1), "at least 0"),
        ((0.5, 1e7), "at least 0"),
        ((0.5,), "(seconds, strength)"),
        ("ab", "(seconds, strength)"),
        ((-0.1, 1), "outside"),
        ((1.1, 1), "outside"),
        ((1.0, 1), "outside"),
        ((0.99999, 1), "outside"),
    ],
)
def test_hits_that_cannot_be(hit, expected):
    with pytest.raises(EnvelopeError, match=expected):
        envelope_from_hits([hit], 1.0)
    for wrong in ({"seconds": 0}, {"seconds": np.nan}, {"seconds": 1, "attack": 0}, {"seconds": 1, "decay": -1}):
        with pytest.raises(UsageError):
            envelope_from_hits([], **wrong)


def test_written_envelope_is_read_back(tmp_path, clicks):
    envelope = extract_envelope(clicks(1.0, [0.2, 0.7]))
    write_envelope(tmp_path / "a.csv", envelope)
    assert (tmp_path / "a.csv").read_text().startswith("seconds,amplitude\n0.0000000,")
    back = read_envelope(tmp_path / "a.csv")
    assert back.values.shape == envelope.values.shape
    assert np.abs(back.values - envelope.values).max() < 1e-5
    loaded = load_envelope_file(tmp_path / "a.csv", 1.0)
    np.testing.assert_array_equal(loaded.values, back.values)


@settings(max_examples=30)
@given(st.integers(1, 4000), st.sampled_from([ENVELOPE_RATE, 100.0, 43.07]))
def test_any_length_survives_the_file(tmp_path_factory, steps, rate):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    envelope = Envelope(np.linspace(0, 0.5, steps + 1), rate)
    write_envelope(path, envelope)
    back = read_envelope(path)
    assert abs(back.seconds - envelope.seconds) < 1 / ENVELOPE_RATE
    np.testing.assert_allclose(back.values, envelope.at(back.times.clip(0, envelope.seconds)), atol=1e-5)


def write(path, text):
    path.write_text(text)
    return path


def test_a_drawn_curve_is_interpolated(tmp_path):
    path = write(tmp_path / "a.csv", "\ufeffseconds;amplitude\r\n0.5; 0\r\n1.0 ;0.4 # the hit\r\n\r\n2.0;0\r\n")
    envelope = read_envelope(path)
    np.testing.assert_allclose(envelope.at([0.25, 0.75, 1.0, 1.5]), [0, 0.2, 0.4, 0.2], atol=2e-3)
    shorter = load_envelope_file(path, 1.0)
    longer = load_envelope_file(path, 3.0)
    assert len(shorter.values) == 1 + 44100 // 128 and len(longer.values) == 1 + 132300 // 128
    assert longer.at([2.5])[0] == 0


def test_lists_of_hits(tmp_path):
    assert read_hits(write(tmp_path / "a.txt", "0.5\n1.25\n")) == [(0.5, 0.1), (1.25, 0.1)]
    assert read_hits(write(tmp_path / "c.txt", "0.5,1\n0.7,0\n")) == [(0.5, 1.0), (0.7, 0.0)]
    assert read_hits(write(tmp_path / "b.txt", "seconds,strength\n1.25,0.4\n0.5,0.1\n")) == [(0.5, 0.1), (1.25, 0.4)]
    loaded = load_envelope_file(tmp_path / "b.txt", 2.0)
    np.testing.assert_array_equal(loaded.values, envelope_from_hits([(0.5, 0.1), (1.25, 0.4)], 2.0).values)
    with pytest.raises(EnvelopeError, match="a.txt: the hit at 1.25 s lies outside the clip of 1 s"):
        load_envelope_file(tmp_path / "a.txt", 1.0)


def test_curves_may_be_louder_than_full_scale(tmp_path):
    assert read_envelope(write(tmp_path / "a.csv", "seconds,amplitude\n0,3\n1,3\n")).values.max() == 3


def test_curve_or_hits(tmp_path):
    """The header tells; without one, two columns with a median step of at most 50 ms are a curve."""
    dense = "\n".join(f"{index * 0.01:.2f},0.2" for index in range(101))
    sparse = "0.1,0.2\n0.5,0.2\n0.9,0.2\n"
    flat = {"curve": 0.2, "hits": 0.0}
    for text, kind in [
        (dense, "curve"),
        (sparse, "hits"),
        ("0.1,0.2\n", "hits"),
        ("seconds,amplitude\n" + sparse, "curve"),
        ("Seconds\tAmplitude\n" + sparse, "curve"),
        ("seconds\n0.1\n", "hits"),
    ]:
        envelope = load_envelope_file(write(tmp_path / "a.csv", text), 1.0)
        # just before the hit at 0.1 s and long after it, only hits are (nearly) silent
        assert envelope.at([0.08])[0] == pytest.approx(flat[kind] if text is dense else 0, abs=1e-3)
        assert (envelope.at([0.45])[0] > 0.15) == (kind == "curve")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "no rows"),
        ("seconds,amplitude\n", "no rows"),
        ("seconds,amplitude\n0,nan\n0.1,0\n", "line 2 holds NaN"),
        ("seconds,amplitude\n0,inf\n", "line 2 holds NaN or infinity"),
        ("seconds,amplitude\n0,0\n0.1,-0.5\n", "line 3 has a negative amplitude"),
        ("seconds,amplitude\n-1,0\n0.1,0.5\n", "line 2 has a negative time"),
        ("seconds,amplitude\n0,0\n0.2,0.1\n0.1,0.1\n", "line 4 does not lie after .* sort"),
        ("seconds,amplitude\n0,0\n0,0.1\n", "line 3 does not lie after"),
        ("seconds,amplitude\n0,0\n0.1\n", "line 3 has 1 column"),
        ("seconds,amplitude\n0,0,0\n", "line 2 has 3 columns; give seconds and one number at most$"),
        ("0;0,5;0,3\n", "line 1 has 5 columns; .* write decimals with a point"),
        ("seconds,amplitude\n0,0.5\n", "at least two rows"),
        ("time,value\n0,0\n", "line 1 is not 'seconds,amplitude'"),
        ("0,0\nabc,0\n", "line 2 is not"),
        ("seconds,strength\n0.1,-1\n", "line 2 has a negative strength"),
        ("seconds,strength\n-0.1,1\n", "line 2 has a negative time"),
        ("seconds,strength\n0.1,1e200\n", "line 2 has a strength above"),
        ("0.1,1\n0,5\n1,0\n1,75\n", "line 2 has a strength above 1, .*; write 0 to 1, decimals with a point"),
        ("seconds,strength\n0.1,0.5\n0.5,127\n", "line 3 has a strength above 1"),
        ("seconds,amplitude\n0,0\n0.1,1e300\n", "line 3 has an amplitude above"),
        ("seconds,amplitude\n0,0\n1e12,0.1\n", "line 3 lies more than a day"),
    ],
)
def test_tables_that_are_wrong(tmp_path, text, expected):
    path = write(tmp_path / "a.csv", text)
    with pytest.raises(EnvelopeError, match=expected) as error:
        load_envelope_file(path, 1.0)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_files_that_are_no_tables(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "bytes.csv").write_bytes(b"\x00\x01\xff\xfe" * 100)
    (tmp_path / "latin.csv").write_bytes("0.5,0.2 # Schl\xe4ge".encode("latin-1"))
    for name, expected in [("missing.csv", "no such file"), ("folder", "is a folder"), ("bytes.csv", "not a text"),
                           ("latin.csv", "not a text")]:  # fmt: skip
        for read in (read_envelope, read_hits):
            with pytest.raises(EnvelopeError, match=expected):
                read(tmp_path / name)


def test_writing_keeps_what_is_there(tmp_path, monkeypatch):
    envelope = Envelope(np.ones(5))
    path = write(tmp_path / "a.csv", "older")
    with pytest.raises(OutputError, match="exists already"):
        write_envelope(path, envelope)
    with pytest.raises(OutputError, match="no folder"):
        write_envelope(tmp_path / "nowhere" / "a.csv", envelope)
    with pytest.raises(OutputError, match="is a folder"):
        write_envelope(tmp_path, envelope, force=True)

    def fail(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        with pytest.raises(OutputError, match="disk is full"):
            write_envelope(path, envelope, force=True)
    assert path.read_text() == "older" and len(list(tmp_path.iterdir())) == 1
    write_envelope(path, envelope, force=True)
    assert read_envelope(path).values.shape == (5,)


def test_a_pause_in_a_curve_makes_no_hits_of_it(tmp_path):
    rows = [f"{k / 100 + (k >= 10)},0.2\n" for k in range(20)]  # 10 ms apart but for a second in the middle
    assert load_envelope_file(write(tmp_path / "a.csv", "".join(rows)), 2.0).at([0.5])[0] == pytest.approx(0.2)


@pytest.mark.parametrize(("rows", "curve"), [(7, False), (8, True)])
def test_a_few_dense_rows_are_a_roll(tmp_path, rows, curve):
    path = write(tmp_path / "a.csv", "".join(f"{k / 100},0.2\n" for k in range(rows)))
    assert (load_envelope_file(path, 0.5).at([0.05])[0] == pytest.approx(0.2, abs=1e-4)) == curve
