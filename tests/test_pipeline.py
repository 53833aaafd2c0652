import json
from itertools import combinations

import numpy as np
import pytest
import torch
from tiny import CONFIG, TIMING, tiny_model

from foleygram.errors import EnvelopeError, ModelError, UsageError
from foleygram.hub.folder import read_tensors, write_tensors
from foleygram.limits import SEEDS
from foleygram.pipeline import FoleyGRAM, take_seed
from foleygram.timing.motion import motions
from foleygram.types import Audio, Clip, Envelope, Video, sample_count

SUBSETS = ["".join(letters) for size in (1, 2, 3) for letters in combinations("AVT", size)]


@pytest.fixture(scope="module")
def model() -> FoleyGRAM:
    return tiny_model().place("cpu", "fp32")


@pytest.fixture(scope="module")
def clip() -> Clip:
    random = np.random.default_rng(0)
    video = Video(random.integers(0, 256, (4, 3, 32, 48), dtype=np.uint8), np.arange(4) / 4, 1.0)
    sound = Audio(random.uniform(-0.3, 0.3, (2, 44100)), 44100)
    return Clip(video, sound, "a person hits metal .", 1.0)


@pytest.fixture(scope="module")
def envelope() -> Envelope:
    return Envelope(np.abs(np.sin(np.arange(345) / 20)) * 0.2)


def test_a_take_is_stereo_at_44_khz_and_exactly_as_long_as_the_clip(model, clip, envelope):
    for seconds in (1.0, 0.7331, 0.01):
        (take,) = model.generate(Clip(clip.video, text=clip.text, seconds=seconds), envelope)
        assert take.samples.shape == (2, sample_count(seconds)) and take.rate == 44100
        assert take.samples.any()


def test_the_same_seed_gives_the_same_bytes(model, clip, envelope):
    first, again, other = (model.generate(clip, envelope, seed=seed)[0].samples for seed in (5, 5, 6))
    assert first.tobytes() == again.tobytes()
    assert np.abs(first - other).max() > 1e-3


def test_take_k_is_the_same_however_many_there_are(model, clip, envelope):
    three = model.generate(clip, envelope, seed=5, takes=3)
    five = model.generate(clip, envelope, seed=5, takes=5)
    (alone,) = model.generate(clip, envelope, seed=5, takes=[2])
    assert [take.samples.tobytes() for take in three] == [take.samples.tobytes() for take in five[:3]]
    assert alone.samples.tobytes() == three[2].samples.tobytes()
    assert len({take.samples.tobytes() for take in five}) == 5


def test_neighbouring_seeds_share_no_take():
    assert len({take_seed(seed, take) for seed in range(20) for take in range(20)}) == 400


def test_every_subset_of_modalities_conditions_in_its_own_way(model, clip, envelope):
    assert len(SUBSETS) == 7
    results = {use: model.generate(clip, envelope, use=use)[0].samples for use in SUBSETS}
    for first, second in combinations(SUBSETS, 2):
        assert np.abs(results[first] - results[second]).max() > 1e-4, f"{first} and {second} sound alike"
    everything = model.generate(clip, envelope)[0].samples
    assert everything.tobytes() == results["AVT"].tobytes()


def test_in_the_place_of_an_absent_sound_stands_the_one_to_be_expected(model, clip, envelope, tmp_path):
    guessing = tiny_model(prior=True).place("cpu", "fp32")
    guessing.load_state_dict(model.state_dict(), strict=False)  # all but the prior
    known = model.embed(clip)
    for use in SUBSETS:
        points = known.only(use)
        plain, guessed = model.condition(points, 1.0), guessing.condition(points, 1.0)
        if "A" in use:
            assert torch.equal(plain.tokens, guessed.tokens)
            continue
        assert not plain.tokens[:, 0].any() and torch.equal(plain.tokens[:, 1:], guessed.tokens[:, 1:])
        expected = guessing.conditioner.gram_audio(guessing.prior(points))
        torch.testing.assert_close(guessed.tokens[:, 0], expected)
    back = FoleyGRAM.load(guessing.save(tmp_path), dtype="fp32")
    one, two = (each.generate(clip, envelope, use="T", seed=3)[0].samples for each in (guessing, back))
    assert one.tobytes() == two.tobytes()
    assert np.abs(one - model.generate(clip, envelope, use="T", seed=3)[0].samples).max() > 1e-4


def test_the_envelope_steers(model, clip, envelope):
    half = Envelope(envelope.values / 2)
    assert np.abs(model.generate(clip, envelope)[0].samples - model.generate(clip, half)[0].samples).max() > 1e-3


def test_an_absent_modality_is_named(model, clip, envelope):
    with pytest.raises(UsageError, match=r"--use VT needs a text \(--text\)"):
        model.generate(Clip(clip.video, seconds=1.0), envelope, use="VT")


@pytest.mark.parametrize(
    ("option", "wrong"),
    [
        ("seed", -1), ("seed", SEEDS[1] + 1), ("steps", 0), ("steps", 1001), ("guidance", -0.1), ("guidance", 20.5),
        ("guidance", float("nan")), ("takes", 0), ("takes", 65), ("takes", [64]), ("use", "VV"), ("use", ""), ("use", "X"),
        ("steps", 2.5), ("seed", 1.5), ("takes", 1.5), ("takes", ["a"]), ("takes", "a"),
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(model, clip, envelope, option, wrong):
    with pytest.raises(UsageError):
        model.generate(clip, envelope, **{option: wrong})


def test_without_an_envelope_it_says_where_to_get_one(model, clip):
    with pytest.raises(EnvelopeError, match="extract one"):
        model.generate(clip, None)


def test_progress_counts_the_steps_of_all_takes(model, clip, envelope):
    told = []
    model.generate(clip, envelope, takes=2, steps=4, on_step=lambda done, total: told.append((done, total)))
    assert told == [(done, 8) for done in range(1, 9)]


def test_saved_and_loaded_it_is_the_same_model(model, clip, envelope, tmp_path):
    folder = model.save(tmp_path / "tiny")
    loaded = FoleyGRAM.load(folder, "cpu", "fp32")
    assert loaded.config == model.config == CONFIG
    before, after = model.state_dict(), loaded.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    takes = [each.generate(clip, envelope, seed=3)[0].samples.tobytes() for each in (model, loaded)]
    assert takes[0] == takes[1]
    assert FoleyGRAM.from_pretrained == FoleyGRAM.load


def test_a_model_with_a_predictor_keeps_it(tmp_path):
    model = tiny_model(timing=True).place("cpu", "fp32")
    folder = model.save(tmp_path / "tiny")
    loaded = FoleyGRAM.from_pretrained(folder, "cpu", "fp32")
    assert loaded.config.timing == TIMING and (folder / "timing.safetensors").exists()
    random = np.random.default_rng(0)
    frames = [(k / 15, random.integers(0, 256, (3, 24, 32), dtype=np.uint8)) for k in range(20)]
    values = [each.timing.look(motions(iter(frames), TIMING.motion), 1.2).onset for each in (model, loaded)]
    assert (values[0] == values[1]).all() and values[0].any()
    (folder / "timing.safetensors").unlink()
    with pytest.raises(ModelError, match="timing.safetensors: this weights file is absent"):
        FoleyGRAM.load(folder)


def test_saved_in_half_precision_it_is_half_the_size(model, tmp_path):
    whole, half = (model.save(tmp_path / dtype, dtype).glob("*.safetensors") for dtype in ("fp32", "fp16"))
    assert sum(path.stat().st_size for path in half) < 0.6 * sum(path.stat().st_size for path in whole)
    loaded = FoleyGRAM.load(tmp_path / "fp16", "cpu", "fp32")
    assert all(value.dtype == torch.float32 for value in loaded.state_dict().values() if value.is_floating_point())


def test_bf16_is_near_to_fp32(clip, envelope):
    model = tiny_model()
    exact, rough = (model.place("cpu", dtype).generate(clip, envelope)[0].samples for dtype in ("fp32", "bf16"))
    assert model.gram.contra_temp.dtype == torch.float32 and model.transformer.proj_in.weight.dtype == torch.bfloat16
    # magnitudes, since a hair's difference in one of them may turn the phase that is integrated over all
    one, two = (model.autoencoder.magnitudes(torch.from_numpy(sound)[None]).flatten().numpy() for sound in (exact, rough))
    assert np.corrcoef(one, two)[0, 1] > 0.95


@pytest.mark.parametrize(("device", "dtype"), [("gpu", "auto"), ("cuda:99", "auto"), ("cpu", "fp8")])
def test_unknown_devices_and_types_are_refused(model, device, dtype):
    with pytest.raises(UsageError, match="--de|--dt"):
        tiny_model().place(device, dtype)


def test_a_model_that_is_none_is_refused(model, tmp_path):
    with pytest.raises(ModelError, match="no such model; shipped"):
        FoleyGRAM.load("nonsense")
    with pytest.raises(ModelError, match="config.json"):
        FoleyGRAM.load(tmp_path)
    folder = model.save(tmp_path / "tiny")
    weights = read_tensors(folder / "conditioner.safetensors")
    name = sorted(weights)[0]

    def refused(tensors, match):
        write_tensors(folder / "conditioner.safetensors", tensors)
        with pytest.raises(ModelError, match=match):
            FoleyGRAM.load(folder)

    refused({key: value for key, value in weights.items() if key != name}, f"missing {name}")
    refused({**weights, "odd": weights[name].clone()}, "unexpected odd")
    refused({**weights, name: weights[name][..., :1].clone()}, "the config says")
    (folder / "conditioner.safetensors").write_bytes(b"not tensors")
    with pytest.raises(ModelError, match="not a whole safetensors"):
        FoleyGRAM.load(folder)
    (folder / "conditioner.safetensors").unlink()
    with pytest.raises(ModelError, match="absent"):
        FoleyGRAM.load(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "odd": 1}))
    with pytest.raises(ModelError, match="odd"):
        FoleyGRAM.load(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match="not JSON"):
        FoleyGRAM.load(folder)
    (folder / "config.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="not JSON"):
        FoleyGRAM.load(folder)
    model.save(folder)
    for changed, message in (
        ({"transformer": config["transformer"] | {"embed_dim": -5}}, "transformer.embed_dim: .*export the model again"),
        ({"autoencoder": config["autoencoder"] | {"hidden": 2**62}}, "describes no model .*export the model again"),
        ({"seconds": float("nan")}, "seconds: .*finite"),
        ({"weights": {"vision": {"kind": "hub", "repo": "a/b", "path": "../x", "licence": ""}}}, "vision.hub.path: .*without"),
    ):
        (folder / "config.json").write_text(json.dumps(config | changed))
        with pytest.raises(ModelError, match=message) as caught:
            FoleyGRAM.load(folder)
        assert "\n" not in str(caught.value)
