import io
import tarfile

import pytest
import torch
from tiny import CONFIG, tiny_model

from foleygram.data.manifest import ClipRecord
from foleygram.data.shards import open_shards, write_shards
from foleygram.errors import DataError, ModelError
from foleygram.gram.encoder import GramEncoder
from foleygram.hub.folder import read_tensors
from foleygram.training.loop import LoopConfig
from foleygram.training.pretraining import PretrainingConfig, PretrainingStage
from foleygram.training.recipe import Recipe, read_recipe
from foleygram.training.stages import train_pretraining

SIZES = PretrainingConfig(
    loop=LoopConfig(steps=2, batch=2, learning_rate=1e-3, precision="fp32", ema=0.0, log_every=1), frames=2, readers=2
)


@pytest.fixture(scope="module")
def shards(tiny_video, tiny_sound, tmp_path_factory):
    """A small stand-in for a corpus of captioned clips."""
    records = [
        ClipRecord(f"clip{number}", "train", tiny_video, tiny_sound, text, "wood", "hit", 1.0, ())
        for number, text in enumerate(("a person hits wood", "metal once", "a stick"))
    ]
    return write_shards(records, tmp_path_factory.mktemp("shards"), clips=2)[0].parent


def test_towers_learn_from_shards(shards, tmp_path):
    tiny_model().save(tmp_path)
    before = {name: read_tensors(tmp_path / f"{name}.safetensors") for name in ("vision", "audio", "text", "heads")}
    recipe = Recipe(model=CONFIG, pretraining=SIZES)
    result = train_pretraining(recipe, shards, tmp_path)
    assert result.finished and torch.isfinite(torch.tensor(result.last)).all()
    for name, tensors in before.items():
        after = read_tensors(tmp_path / f"{name}.safetensors")
        assert after.keys() == tensors.keys()
        assert any(not torch.equal(after[key], tensors[key]) for key in tensors), name


def test_a_batch_is_a_function_of_its_place_and_parts_join(shards, tmp_path):
    encoder = tiny_model().gram
    stage = PretrainingStage(encoder, SIZES.replace(learn=["audio"]), open_shards(sorted(shards.glob("*.tar"))), 0, tmp_path)
    whole = stage.batch(1, range(2), 2)
    parts = [stage.batch(1, range(row, row + 1), 2) for row in range(2)]
    for column, pieces in zip(whole, zip(*parts, strict=True), strict=True):
        assert torch.equal(column, torch.cat(pieces))
    assert not any(parameter.requires_grad for parameter in encoder.vision.parameters())
    assert all(parameter.requires_grad for parameter in encoder.audio.parameters())


def test_another_clip_takes_the_place_of_one_that_cannot_be_read(shards, tiny_video, tmp_path):
    path = tmp_path / "broken.tar"
    with tarfile.open(path, "w") as tar:
        for name, content in (("whole", tiny_video.read_bytes()), ("torn", bytes(4000))):
            for suffix, part in (("mp4", content), ("txt", name.encode())):
                info = tarfile.TarInfo(f"{name}.{suffix}")
                info.size = len(part)
                tar.addfile(info, io.BytesIO(part))
    sizes = SIZES.replace(learn=["text"])
    stages = [PretrainingStage(tiny_model().gram, sizes, open_shards([path]), 0, tmp_path) for _ in range(2)]
    with pytest.warns(UserWarning, match="broken.tar: torn: ") as said:
        batch = stages[0].batch(0, range(2), 2)
    assert len(said) == 1 and torch.equal(batch[0][0], batch[0][1])
    assert torch.equal(stages[0].batch(0, range(2), 2)[0], batch[0])  # and says nothing more
    with pytest.warns(UserWarning):
        assert torch.equal(torch.cat([stages[1].batch(0, range(row, row + 1), 2)[0] for row in range(2)]), batch[0])
    stages[0].clips = open_shards([path])
    path.write_bytes(b"")
    with pytest.warns(UserWarning), pytest.raises(DataError, match="17 clips in turn cannot be read"):
        stages[0].batch(1, range(2), 2)


def test_the_vision_tower_has_its_own_rate_also_after_a_kill(shards, tmp_path):
    """With Adam's first step every parameter moves by its rate, whatever the gradient's size."""
    sizes = SIZES.replace(vision_rate=1e-6, loop=SIZES.loop.replace(weight_decay=0.0, steps=3).model_dump())
    recipe = Recipe(model=CONFIG, pretraining=sizes)
    moved = {}
    for run, sessions in (("once", (None,)), ("killed", (1, None))):
        folder = tmp_path / run
        tiny_model().save(folder)
        before = {name: read_tensors(folder / f"{name}.safetensors") for name in ("vision", "audio")}
        for stop_after in sessions:
            train_pretraining(recipe, shards, folder, stop_after)
        after = {name: read_tensors(folder / f"{name}.safetensors") for name in before}
        moved[run] = {
            f"{name}.{key}": after[name][key] - value for name, tensors in before.items() for key, value in tensors.items()
        }
    furthest = {
        name: max(d.abs().max() for key, d in moved["once"].items() if key.startswith(name)) for name in ("vision", "audio")
    }
    assert 0 < furthest["vision"] < 5e-6 and furthest["audio"] > 5e-4
    assert all(torch.equal(moved["once"][key], moved["killed"][key]) for key in moved["once"])


def test_recomputing_the_vision_tower_changes_no_gradient(shards, tmp_path):
    gradients = []
    for saving in (False, True):
        encoder = tiny_model().gram
        sizes = SIZES.replace(gradient_checkpointing=saving)
        stage = PretrainingStage(encoder, sizes, open_shards(sorted(shards.glob("*.tar"))), 0, tmp_path).eval()
        stage(*stage.batch(0, range(2), 2))[0].backward()
        gradients.append([parameter.grad for parameter in encoder.vision.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other)


def test_what_is_to_learn_gets_a_gradient(shards, tmp_path):
    """Else several processes would wait for one: not CLIP's own projection, nor the reader of the colour."""
    model = CONFIG.gram.replace(colour=True)
    encoder = GramEncoder(model, tiny_model().gram.tokenizer)
    stage = PretrainingStage(encoder, SIZES, open_shards(sorted(shards.glob("*.tar"))), 0, tmp_path).eval()
    stage(*stage.batch(0, range(2), 2))[0].backward()
    idle = {name.rpartition(".")[0] for name, parameter in encoder.named_parameters() if parameter.grad is None}
    for name, parameter in stage.named_parameters():
        assert parameter.requires_grad == (parameter.grad is not None), name
    assert idle == {"vision.head", "colour.linear"} and stage.skips
    assert not PretrainingStage(encoder, SIZES.replace(learn=["text"]), stage.clips, 0, tmp_path).skips


def test_what_is_missing_is_said(shards, tmp_path):
    recipe = Recipe(model=CONFIG, pretraining=SIZES)
    with pytest.raises(ModelError, match="tokenizer.json: absent"):
        train_pretraining(recipe, shards, tmp_path)
    tiny_model().save(tmp_path)
    with pytest.raises(DataError, match="no clip with a caption"):
        train_pretraining(recipe, tmp_path, tmp_path)


@pytest.mark.parametrize("name", ["paper", "paper-reference-code"])
def test_recipes_of_the_paper_have_its_numbers(name, pytestconfig):
    recipe = read_recipe(pytestconfig.rootpath / "recipes" / f"{name}.yaml")
    loop = recipe.control.loop
    assert (loop.steps, loop.batch, loop.learning_rate, loop.decay) == (20000, 12, 1e-4, "none")
    assert recipe.control.modality_dropout == 0 and recipe.model.sampler.steps == 150
    assert recipe.model.autoencoder.hop == 2048 and recipe.model.transformer.depth == 24
    clips = recipe.pretraining.loop.steps * recipe.pretraining.loop.batch
    assert clips == pytest.approx(150_000 * (1 if name == "paper" else 5), rel=1e-3)
    assert recipe.pretraining.loss.detach == (name != "paper")
    assert recipe.pretraining.loop.decay == recipe.gram.loop.decay == ("cosine" if name == "paper" else "linear")
    assert recipe.pretraining.vision_rate == (None if name == "paper" else 5e-7)
    assert "vision" in recipe.pretraining.learn
