"""Filter banks against Kaldi, librosa and numbers kept here."""

import numpy as np
import pytest
import torch

from foleygram.errors import UsageError
from foleygram.signal.mel import fbank, mel_filters


def waveform(count: int) -> torch.Tensor:
    """A chirp with a decaying click over faint noise, float32 [sample] at 16 kHz, scaled by 2^15. The noise is that of an
    old linear congruence, the same in every version of every library. (Without noise, bands far from the chirp would
    hold nothing but the rounding of float32.)"""
    time = np.arange(count) / 16000
    chirp = 0.3 * np.sin(2 * np.pi * (100 * time + 1500 * time**2))
    click = 0.5 * np.exp(-(((time - 0.05) * 60) ** 2)) * np.sin(2 * np.pi * 3000 * time)
    state, noise = 1, []
    for _ in range(count):
        state = (1103515245 * state + 12345) % 2**31
        noise.append(state / 2**30 - 1)
    return torch.tensor((chirp + click + 0.01 * np.array(noise)) * 2**15, dtype=torch.float32)


# From kaldi-native-fbank 1.23.0 (see test_equals_kaldi): frame 3 of waveform(16000), every eighth of 64 bands.
GOLDEN = [13.9945, 18.6789, 14.7375, 14.8123, 14.1764, 18.1975, 17.7669, 18.6317]


def test_golden():
    np.testing.assert_allclose(fbank(waveform(16000))[3, ::8], GOLDEN, atol=2e-3)


@pytest.mark.oracle
@pytest.mark.parametrize("mel_bins", [23, 64, 80])
@pytest.mark.parametrize(("rate", "count"), [(16000, 400), (16000, 559), (16000, 560), (16000, 20017), (44100, 30000)])
def test_equals_kaldi(mel_bins, rate, count):
    kaldi = pytest.importorskip("kaldi_native_fbank")
    options = kaldi.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = rate
    options.mel_opts.num_bins = mel_bins
    reference = kaldi.OnlineFbank(options)
    reference.accept_waveform(rate, waveform(count).tolist())
    reference.input_finished()
    expected = np.stack([reference.get_frame(index) for index in range(reference.num_frames_ready)])
    ours = fbank(waveform(count), mel_bins, rate)
    assert ours.shape == expected.shape == (1 + (count - int(rate * 0.025)) // (rate // 100), mel_bins)
    # Kaldi computes in float32 too: bands far below the loudest of their frame carry the rounding of both.
    np.testing.assert_allclose(ours, expected, atol=5e-3)
    assert np.abs(ours.numpy() - expected).mean() < 5e-5


def test_ten_seconds_are_998_frames_and_batches_are_rows():
    assert fbank(torch.zeros(160_000)).shape == (998, 64)
    assert fbank(torch.zeros(2, 3, 399)).shape == (2, 3, 0, 64)
    batch = torch.stack([waveform(2000), waveform(2000) * 0.1])
    torch.testing.assert_close(fbank(batch)[1], fbank(batch[1]))
    assert fbank(torch.zeros(400)).unique().item() == pytest.approx(np.log(np.finfo(np.float32).eps))
    with pytest.raises(UsageError):
        fbank(torch.zeros(400), 0)


@pytest.mark.parametrize(
    ("rate", "n_fft", "bins", "low", "high"),
    [(44100, 2048, 128, 0, 22050), (48000, 1024, 64, 50, 14000), (16000, 400, 80, 0, 8000), (22050, 1024, 40, 125, 7500)],
)
@pytest.mark.parametrize("htk", [True, False])
@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.filterwarnings("ignore:Empty filters")
def test_filters_equal_librosa(rate, n_fft, bins, low, high, htk, norm):
    librosa = pytest.importorskip("librosa")
    expected = librosa.filters.mel(
        sr=rate, n_fft=n_fft, n_mels=bins, fmin=low, fmax=high, htk=htk, norm="slaney" if norm else None
    )
    ours = mel_filters(rate, n_fft, bins, low, high, htk, norm)
    assert ours.dtype == np.float32 and ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, atol=1e-7 if norm else 1e-6)


def test_impossible_bands():
    for low, high, bins in [(0, 9000, 10), (500, 500, 10), (-1, 500, 10), (0, 500, 0)]:
        with pytest.raises(UsageError, match="mel bands"):
            mel_filters(16000, 512, bins, low, high, True, False)
