import math

import numpy as np
import pytest
import torch

from foleygram.gram.audio import FBANK_MEAN, FBANK_STD, Beats, BeatsConfig, position_bucket, preprocess_audio
from foleygram.signal.mel import FBANK_RATE, fbank
from foleygram.types import Audio

from .golden import BEATS, noise, randomise

FRAME, HOP = 400, 160  # samples of a filter bank frame


def tone(seconds: float, rate: int = FBANK_RATE, channels: int = 1) -> Audio:
    time = np.arange(round(seconds * rate)) / rate
    wave = 0.3 * np.sin(2 * np.pi * (200 + 50 * time) * time)
    return Audio(np.stack([wave] * channels), rate)


def bank_of(audio: Audio, mel: int = 64) -> torch.Tensor:
    """The normalised filter bank of 16 kHz mono, [frame, mel]."""
    return (fbank(torch.from_numpy(audio.mono()) * 2**15, mel) - FBANK_MEAN) / (2 * FBANK_STD)


def test_pad_follows_the_normalisation():
    audio = tone(10)
    bank = bank_of(audio)
    slices = preprocess_audio(audio, BeatsConfig())
    assert slices.shape == (1, 1024, 64) and len(bank) == 998
    torch.testing.assert_close(slices[0, :998], bank)
    assert (slices[0, 998:] == 0).all()


@pytest.mark.parametrize("mel", [64, 128])
def test_bands(mel):
    assert preprocess_audio(tone(1), BeatsConfig(mel=mel)).shape == (1, 1024, mel)


def test_long_sound_gives_the_middle_slice_of_each_part():
    """35 s are 3,498 frames: 4 slices after the pad, of which two parts give the first and the third."""
    audio = tone(35)
    slices = preprocess_audio(audio, BeatsConfig(slices=2))
    bank = bank_of(audio)
    torch.testing.assert_close(slices[0], bank[:1024])
    torch.testing.assert_close(slices[1], bank[2048:3072])


def test_one_slice_of_a_sound_of_several_is_the_middle_one():
    """25 s are 2,498 frames: 3 slices after the pad, the last of them in part a pad; without it there would be 2."""
    audio = tone(25)
    torch.testing.assert_close(preprocess_audio(audio, BeatsConfig())[0], bank_of(audio)[1024:2048])
    last = preprocess_audio(audio, BeatsConfig(slices=3))[2]
    torch.testing.assert_close(last[:450], bank_of(audio)[2048:])
    assert not last[450:].any()


def test_whole_slice_is_followed_by_an_empty_one():
    """As in the reference: L % 1024 == 0 appends 1,024 rows."""
    audio = tone((FRAME + HOP * 1023) / FBANK_RATE)
    assert len(bank_of(audio)) == 1024
    torch.testing.assert_close(preprocess_audio(audio, BeatsConfig())[0], bank_of(audio))
    assert (preprocess_audio(audio, BeatsConfig(slices=2))[1] == 0).all()


def test_short_sound_fills_the_other_slices_with_zeros():
    slices = preprocess_audio(tone(3), BeatsConfig(slices=3))
    assert slices.shape == (3, 1024, 64) and slices[0].any() and not slices[1:].any()


def test_sound_shorter_than_a_frame_is_all_pad():
    assert not preprocess_audio(tone(0.01), BeatsConfig()).any()


def test_channels_and_rate_do_not_matter():
    plain = preprocess_audio(tone(2), BeatsConfig())
    torch.testing.assert_close(preprocess_audio(tone(2, channels=2), BeatsConfig()), plain)
    studio = preprocess_audio(tone(2, rate=44100, channels=2), BeatsConfig())
    assert (studio - plain)[0, :198, 5:20].abs().mean() < 0.05  # the bands of the tone


def test_position_buckets():
    offsets = torch.tensor([0, -1, 1, -79, 79, -80, -799, -800, -5000, 5000])
    # 160 buckets for each direction, the key before the query first; exact below 80, then logarithmic up to 800
    last = 80 + int(math.log(799 / 80) / math.log(10) * 80)
    assert position_bucket(offsets, 320, 800).tolist() == [0, 1, 161, 79, 239, 80, last, 159, 159, 319]


def test_all_layers_share_one_table():
    beats = Beats(BEATS)
    tables = {id(layer.self_attn.relative_attention_bias) for layer in beats.encoder.layers}
    state = beats.state_dict()
    keys = [key for key in state if key.endswith("relative_attention_bias.weight")]
    assert len(tables) == 1 and len(keys) == BEATS.layers
    assert len({state[key].data_ptr() for key in keys}) == BEATS.layers  # safetensors refuses shared memory


def test_zero_tables_and_gates_leave_the_order_to_the_convolution():
    """Without table and without convolution BEATs does not know the order of its tokens."""
    beats = randomise(Beats(BEATS), 1)
    with torch.no_grad():
        beats.encoder.layers[0].self_attn.relative_attention_bias.weight.zero_()
        beats.encoder.pos_conv[0].weight_g.zero_()
        bank = noise(3, 1, 64, 64)
        moments = bank.unflatten(1, (4, 16)).flip(1).flatten(1, 2)
        plain, moved = beats(bank).unflatten(1, (4, 4)), beats(moments).unflatten(1, (4, 4)).flip(1)
    torch.testing.assert_close(plain, moved, rtol=1e-4, atol=1e-5)


def test_tokens_run_through_the_bands_first():
    """A change in the last 16 frames reaches the last 4 tokens most: time is the outer order."""
    beats = Beats(BEATS)
    seen = []
    beats.layer_norm.register_forward_hook(lambda module, given, result: seen.append(given[0]))
    bank = noise(3, 1, 64, 64)
    changed = bank.clone()
    changed[:, 48:] += 1
    beats.eval()(bank), beats(changed)
    assert (seen[0] != seen[1]).any(-1)[0].tolist() == [False] * 12 + [True] * 4


def test_gradient_shrinks_from_layer_to_layer_in_training_only():
    def gradient(decay: float, training: bool) -> torch.Tensor:
        beats = randomise(Beats(BEATS.replace(gradient_decay=decay, layer_drop=0.0)), 1).train(training)
        bank = noise(3, 1, 64, 64).requires_grad_()
        return torch.autograd.grad(beats(bank).square().sum(), bank)[0]

    plain = gradient(1.0, training=True)
    torch.testing.assert_close(gradient(0.5, training=True), plain * 0.5**BEATS.layers)
    torch.testing.assert_close(gradient(0.5, training=False), plain)


def test_layers_are_dropped_in_training_only():
    beats = randomise(Beats(BEATS.replace(layer_drop=0.99)), 1)
    bank = noise(3, 1, 64, 64)
    layers = []
    for layer in beats.encoder.layers:
        layer.register_forward_hook(lambda *_: layers.append(1))
    beats(bank)
    assert len(layers) == BEATS.layers
    beats.train()(bank)
    assert len(layers) < 2 * BEATS.layers


def test_dropout_acts_in_training_only():
    beats = randomise(Beats(BEATS.replace(dropout=0.3, layer_drop=0.0)), 1)
    bank = noise(3, 1, 64, 64)
    assert torch.equal(beats(bank), beats(bank))
    assert not torch.equal(beats.train()(bank), beats(bank))
