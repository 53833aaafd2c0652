"""The variants of Table I: from a finished run to whole models, by the commands that docs/minihits-benchmark.md gives."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from foleygram.cli import main
from foleygram.data.controls import control_of, onset_track, silence
from foleygram.data.manifest import ClipRecord, read_manifest, write_manifest
from foleygram.errors import DataError, ModelError, RecipeError, UsageError
from foleygram.evaluation.variants import TABLE_1_VARIANTS
from foleygram.hub.folder import read_tensors
from foleygram.media.audio import read_audio, write_audio
from foleygram.media.video import write_video
from foleygram.pipeline import FoleyGRAM
from foleygram.training.guides import guide_latents
from foleygram.training.recipe import read_recipe
from foleygram.training.train import train
from foleygram.types import Clip
from tests.conftest import click_sound
from tests.tiny import CONFIG, tiny_model

SECONDS = 2.0
LOOP = {"steps": 2, "batch": 2, "learning_rate": 1e-2, "precision": "fp32", "log_every": 1, "validate_every": 100, "ema": 0.0}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A finished run: a model folder with the weights of every stage."""
    return tiny_model().save(tmp_path_factory.mktemp("runs") / "base")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Clips of 2 s with picture, sound, words and two onsets."""
    folder = tmp_path_factory.mktemp("data")
    records = []
    for number in range(5):
        name, times = f"c{number}", [0.3 + 0.1 * number, 1.2]
        write_audio(folder / f"{name}.wav", click_sound(SECONDS, times))
        write_video(folder / f"{name}.mp4", [np.full((32, 48, 3), 30 * number + k, np.uint8) for k in range(20)], 10)
        split = "validation" if number > 2 else "train"
        text = "a person hits wood ." if number % 2 else "a person scratches metal ."
        hits = tuple((time, 0.5) for time in times)
        records.append(
            ClipRecord(name, split, folder / f"{name}.mp4", folder / f"{name}.wav", text, "wood", "hit", SECONDS, hits)
        )
    return write_manifest(folder / "clips.jsonl", records)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, base):
    content = {
        "seed": 1,
        "towers": str(base),
        "model": CONFIG.model_dump(mode="json"),
        "gram": {"stored_frames": 3, "frames": 2, "crop": 64, "loop": LOOP},
        "control": {"seconds": 1.0, "modality_dropout": 0.3, "loop": LOOP},
    }
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def tensors(folder, name):
    return read_tensors(folder / f"{name}.safetensors")


def same(first, second, name):
    one, two = tensors(first, name), tensors(second, name)
    return all(torch.equal(one[key].half(), two[key].half()) for key in one)


@pytest.mark.parametrize(
    "name, stages",
    [
        ("no-control", {"control": ("control.guide=none",)}),
        ("onsets", {"control": ("control.guide=onsets",)}),
        ("cosine", {"gram": ("gram.alignment=cosine",), "control": ("gram.alignment=cosine",)}),
        ("unaligned", {"gram": ("gram.alignment=none",), "control": ("gram.alignment=none",)}),
    ],
)
def test_a_variant_is_a_control_stage_on_the_base(name, stages, recipe, data, base, tmp_path):
    out = tmp_path / name
    for stage, changes in stages.items():
        report = train(stage, recipe, data, out, changes=(f"base={base}", *changes))
        assert report.finished
    assert json.loads((out / "training" / "control" / "recipe.json").read_text())["base"] == str(base)
    for frozen in ("transformer", "autoencoder"):
        assert (out / f"{frozen}.safetensors").read_bytes() == (base / f"{frozen}.safetensors").read_bytes()
    assert not same(out, base, "control_net") and not same(out, base, "conditioner")
    assert same(out, base, "heads") == ("gram" not in stages)
    assert same(out, base, "audio") == (name != "cosine")
    assert not (out / "cache").exists() and (base / "cache").is_dir()
    record = read_manifest(data, "validation")[0]
    audio = read_audio(record.audio)
    control = control_of(record, audio, {"no-control": "none", "onsets": "onsets"}.get(name, "envelope"))
    (sound,) = FoleyGRAM.load(out).generate(Clip(audio=audio, text=record.text, seconds=SECONDS), control, steps=2)
    assert sound.seconds == SECONDS and np.isfinite(sound.samples).all()


def test_projections_begin_anew_and_go_on_from_their_own(recipe, data, base, tmp_path):
    changes = (f"base={base}", "control.guide=none", "control.loop.learning_rate=0.0")
    train("control", recipe, data, tmp_path, changes=changes, steps=1)
    begun, taught = tensors(tmp_path, "conditioner"), tensors(base, "conditioner")
    assert not torch.allclose(begun["gram_audio.weight"].float(), taught["gram_audio.weight"], atol=1e-3)
    kept = "start_number_conditioner.time_positional_embedding.1.weight"
    assert torch.allclose(begun[kept].float(), taught[kept], atol=1e-3)
    assert train("control", recipe, data, tmp_path, changes=changes).steps == 2
    again = tensors(tmp_path, "conditioner")
    assert torch.equal(begun["gram_audio.weight"], again["gram_audio.weight"])


def test_heads_of_another_alignment_are_not_borrowed(recipe, data, base, tmp_path):
    with pytest.raises(ModelError, match="train gram"):
        train("control", recipe, data, tmp_path, changes=(f"base={base}", "gram.alignment=cosine"))


def test_a_base_is_another_run(recipe, data, tmp_path):
    with pytest.raises(RecipeError, match="not the folder of another run"):
        train("control", recipe, data, tmp_path, changes=(f"base={tmp_path / 'nowhere'}",))


@pytest.mark.parametrize(
    "change",
    ["control.guide=rhythm", "seed=[1", "control.loop.steps=many", "model.gram.dim=7"],
)
def test_changes_that_a_recipe_cannot_take(recipe, change):
    with pytest.raises(RecipeError, match="--set .*") as caught:
        read_recipe(recipe, (change,))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["control.guide"], "a change is FIELD=VALUE"),
        (["control.gide=none"], "control has no field 'gide'; perhaps guide is meant"),
        (["guide.x.y=1"], "the recipe has no field 'guide'; it has autoencoder, base, control"),
        (["seed.x=1"], "seed has no field 'x'; it has no fields"),
        (["seed=1", "control.guide=none", "seed = 1"], "seed is set twice"),
    ],
)
def test_changes_of_no_field(recipe, changes, told):
    with pytest.raises(UsageError, match="--set .*") as caught:
        read_recipe(recipe, changes)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_fields_that_have_to_agree_are_changed_together(recipe):
    changes = ("model.gram.dim=8", "model.conditioner.embedding_dim=8")
    for order in (changes, changes[::-1]):
        model = read_recipe(recipe, order).model
        assert model.gram.dim == model.conditioner.embedding_dim == 8


def test_a_value_may_hold_an_equals_sign_and_spaces_lie_around_it(recipe):
    assert read_recipe(recipe, (" out = runs/rate=1e-3 ",)).out == "runs/rate=1e-3"


def test_changes_leave_all_else_alone(recipe):
    before, after = read_recipe(recipe), read_recipe(recipe, ("control.guide=onsets", "seed=3"))
    assert (after.control.guide, after.seed) == ("onsets", 3)
    assert after.replace(seed=before.seed, control=before.control) == before


def test_guides(data, base, tmp_path):
    model = FoleyGRAM.load(base).autoencoder
    records = read_manifest(data, "train")
    nothing = guide_latents(model, records, "none", SECONDS, tmp_path)
    onsets = guide_latents(model, records, "onsets", SECONDS, tmp_path)
    assert nothing.shape == onsets.shape and (nothing == nothing[:1]).all()
    assert not (onsets[0] == onsets[1]).all(), "each clip has its own onsets"
    expected = model.encode(torch.from_numpy(onset_track(records[1], SECONDS).as_audio(SECONDS).samples)[None])[0]
    np.testing.assert_allclose(onsets[1], expected.numpy(), atol=2e-2)
    assert not silence(SECONDS).values.any()
    assert not onset_track(ClipRecord("e", "train", None, None, "", "", "", SECONDS, ((SECONDS, 0.5),)), SECONDS).values.any()
    unheard = ClipRecord("x", "train", None, records[0].audio, "", "", "", SECONDS, ())
    with pytest.raises(DataError, match="onsets"):
        guide_latents(model, [unheard], "onsets", SECONDS, tmp_path)
    with pytest.raises(UsageError):
        control_of(records[0], read_audio(records[0].audio), "rhythm")


def test_the_documented_commands_are_taken():
    root = Path(__file__).parents[2]
    lines = re.findall(r"^foleygram train (.*--set.*)$", (root / "docs" / "minihits-benchmark.md").read_text(), re.MULTILINE)
    made = set()
    for line in lines:
        stage, recipe, *options = shlex.split(line)
        changes = [options[place + 1] for place, option in enumerate(options) if option == "--set"]
        changed = read_recipe(root / recipe, changes)
        plain = read_recipe(root / recipe)
        made.add((Path(options[options.index("--out") + 1]).name, stage, changed.control.guide, changed.gram.alignment))
        assert changed.base == "runs/mini" and changed.model == plain.model and changed.control.loop == plain.control.loop
    assert made == {
        ("no-control", "control", "none", "gram"), ("onsets", "control", "onsets", "gram"),
        ("cosine", "gram", "envelope", "cosine"), ("cosine", "control", "envelope", "cosine"),
        ("unaligned", "gram", "envelope", "none"), ("unaligned", "control", "envelope", "none"),
        ("foleygram", "gram", "envelope", "gram"), ("foleygram", "control", "envelope", "gram"),
    }  # fmt: skip
    assert {variant.model for variant in TABLE_1_VARIANTS} - {""} <= {name for name, *_ in made}


def test_changes_from_the_command_line(recipe, data, tmp_path, capsys):
    line = ["train", "control", str(recipe), "--data", str(data), "--out", str(tmp_path / "out")]
    assert main([*line, "--set", "control.guide=rhythm"]) == 1
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and "control.guide" in err
    assert main([*line, "--set", f"base={tmp_path / 'none'}", "--set", "control.guide=none"]) == 1
    assert "not the folder of another run" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
