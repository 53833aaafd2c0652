"""What is computed once of the training sounds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import tiny_model

from foleygram.data.manifest import ClipRecord
from foleygram.data.scenes import draw_scene
from foleygram.data.sounds import SoundBank
from foleygram.errors import MediaError
from foleygram.finish.palette import COLOURS, band_centres, palette
from foleygram.media.audio import write_audio
from foleygram.training.latents import (
    Captions,
    Crops,
    clip_sounds,
    frame_features,
    sound_banks,
    sound_latents,
    sound_palettes,
    text_states,
)
from foleygram.types import SAMPLE_RATE, Audio


@pytest.fixture
def model():
    return tiny_model()


def record(name: str, audio, **changes) -> ClipRecord:
    return replace(ClipRecord(name, "train", None, audio, "a person hits metal", "metal", "hit", 1.0, ()), **changes)


def test_palettes_are_levels_of_shares_and_nothing_where_nothing_sounds(tmp_path):
    draw = np.random.default_rng(0)
    sounds = (draw.normal(0, 3000, (3, 2, SAMPLE_RATE // 2)) * np.exp(-np.arange(SAMPLE_RATE // 2) / 4000)).astype(np.int16)
    sounds[1] = 0
    found = sound_palettes(sounds, tmp_path)
    assert found.shape == (3, COLOURS.shades, len(band_centres(SAMPLE_RATE))) and np.isnan(found[1]).all()
    heard = palette(Audio(sounds[0].astype(np.float32) / 32768, SAMPLE_RATE))
    np.testing.assert_allclose(found[0], 10 * np.log10(np.maximum(heard, 1e-9)), atol=0.05)
    sound_palettes(sounds, tmp_path)
    assert len(list(tmp_path.glob("palettes-*.npy"))) == 1
    sounds[1] = sounds[0]
    assert not np.isnan(sound_palettes(sounds, tmp_path)[1]).any(), "another clip between the same ends"


def test_another_sound_of_the_same_length_is_read_again(tmp_path, clicks):
    records = [record(name, tmp_path / f"{name}.wav") for name in "abc"]
    for each in records:
        write_audio(each.audio, clicks(1.0, [0.2]), "PCM_16")
    before, size = np.array(clip_sounds(records, tmp_path / "cache", 1.0)), records[1].audio.stat().st_size
    write_audio(records[1].audio, clicks(1.0, [0.6]), "PCM_16", force=True)
    assert records[1].audio.stat().st_size == size
    after = clip_sounds(records, tmp_path / "cache", 1.0)
    assert (after[[0, 2]] == before[[0, 2]]).all() and (after[1] != before[1]).any()
    (tmp_path / "other").mkdir()  # other data with the same names
    others = [replace(each, audio=tmp_path / "other" / each.audio.name) for each in records]
    for each in others:
        write_audio(each.audio, clicks(1.0, [0.4]), "PCM_16")
    assert (clip_sounds(others, tmp_path / "cache", 1.0)[0] != before[0]).any()
    records[0].audio.unlink()
    with pytest.raises(MediaError):
        clip_sounds(records, tmp_path / "cache", 1.0)


def test_what_is_made_of_sounds_follows_each_of_them(model, tmp_path, clicks):
    """Between the same ends another clip is silent where a few samples are looked at, as clips of hits mostly are."""
    sets = [
        np.stack([np.round(clicks(2.0, times).samples * 32767).astype(np.int16) for times in ([0.3], middle, [1.4])])
        for middle in ([0.8], [1.1])
    ]
    for make in (
        lambda sounds: sound_latents(model.autoencoder, sounds, tmp_path, envelope=False),
        lambda sounds: sound_latents(model.autoencoder, sounds, tmp_path, envelope=True),
        lambda sounds: sound_banks(model.gram, sounds, tmp_path),
    ):
        first, second = (make(sounds) for sounds in sets)
        assert (first[[0, 2]] == second[[0, 2]]).all() and (first[1] != second[1]).any()
    sound_palettes(sets[0], tmp_path)
    sound_palettes(sets[1], tmp_path)
    assert len(list(tmp_path.glob("palettes-*.npy"))) == 2


def test_captions_are_read_by_every_weight_of_the_tower(model, tmp_path):
    captions = Captions.of([record("a", tmp_path / "a.wav"), record("b", tmp_path / "b.wav", text="a stick scratches wood")])
    before = np.array(text_states(model.gram, captions, tmp_path).pooled)
    assert (text_states(model.gram, captions, tmp_path).pooled == before).all()
    assert len(list(tmp_path.glob("captions-*.npy"))) == 1
    model.gram.text.embeddings.word_embeddings.weight[:] += torch.randn_like(model.gram.text.embeddings.word_embeddings.weight)
    assert (text_states(model.gram, captions, tmp_path).pooled != before).any()


def test_frames_are_those_of_the_clip_that_is_there(model, tmp_path, moving_bar):
    from foleygram.media.video import write_video

    clip = record("train_00000", tmp_path / "a.wav", video=tmp_path / "a.mp4")
    write_video(clip.video, moving_bar(6), 6)

    def look(each: ClipRecord) -> np.ndarray:
        return np.array(frame_features(model.gram, [each], 2, {}, None, tmp_path / "cache"))

    before = look(clip)
    assert (look(clip) == before).all() and len(list((tmp_path / "cache").iterdir())) == 1
    write_video(clip.video, [255 - frame for frame in moving_bar(6)], 6, force=True)
    after = look(clip)
    assert (after != before).any()
    weights = next(parameter for name, parameter in model.gram.vision.named_parameters() if "blocks" in name)
    weights += torch.randn_like(weights)  # neither the first nor the last
    assert (look(clip) != after).any()


def test_frames_are_those_of_the_scene_and_are_kept_without_its_photographs(model, tmp_path):
    pytest.importorskip("cv2")
    first, second = (replace(draw_scene("train", index, SoundBank(), {}, 1.0), id="train_00000") for index in range(2))
    clip = record("train_00000", tmp_path / "a.wav")

    def look(scene, textures=None) -> np.ndarray:
        return np.array(frame_features(model.gram, [clip], 1, {clip.id: scene}, textures, tmp_path / "cache"))

    before = look(first, tmp_path)
    assert (look(first) == before).all() and len(list((tmp_path / "cache").iterdir())) == 1
    assert (look(second) != before).any()


def test_a_crop_of_the_whole_clip_is_told_as_generation_tells_it():
    """10 s of the full autoencoder are 216 positions, the last one in part."""
    crops = Crops([np.zeros((1, 2, 216), np.float16)], 10.0, 2048)
    assert crops.positions == 216 and crops.told(crops.draw_start(np.random.default_rng(0))) == (0.0, 10.0)
    part = Crops([np.zeros((1, 2, 216), np.float16)], 5.0, 2048)
    assert part.positions == 108 and part.told(10) == (pytest.approx(0.4644, abs=1e-4), pytest.approx(10.031, abs=1e-3))
