"""The stages of the mini in their order, on a MiniHits of self-made sounds: killed, resumed, and then used."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import CONFIG, tiny_model

import foleygram.training.stages as stages
import foleygram.training.workshop as workshop
from foleygram.data.manifest import read_manifest
from foleygram.diffusion.transformer import Transformer
from foleygram.errors import DataError, ModelError, RecipeError
from foleygram.gram.sound_net import SoundNetConfig
from foleygram.hub.folder import read_tensors, write_tensors
from foleygram.media.audio import read_audio
from foleygram.pipeline import FoleyGRAM
from foleygram.signal.envelope import extract_envelope
from foleygram.training.autoencoder import AutoencoderTraining
from foleygram.training.control import ControlTraining
from foleygram.training.diffusion import DiffusionTraining
from foleygram.training.gram import GramTraining
from foleygram.training.loop import FINISHED, LoopConfig, Stage
from foleygram.training.optimizers import build_optimizers
from foleygram.training.recipe import Recipe
from foleygram.training.vocabulary import LEARNS, VocabularyTraining
from foleygram.training.workshop import BEFORE, Workshop
from foleygram.types import Clip
from tests.training.muon import needs_muon

STAGES = ("autoencoder", "diffusion", "gram", "vocabulary", "control")
LOOP = LoopConfig(steps=4, batch=2, learning_rate=1e-3, ema=0.5, log_every=1, validate_every=2)
MODEL = CONFIG.replace(
    gram=CONFIG.gram.replace(
        audio=SoundNetConfig(channels=(8, 8), width=16, frames=200).model_dump(), colour=True
    ).model_dump(),
    # a quarter of the magnitudes: principal directions take no time
    autoencoder=CONFIG.autoencoder.replace(window=256, step=128).model_dump(),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    pytest.importorskip("cv2")
    from foleygram.data.minihits import prepare_minihits

    folder = tmp_path_factory.mktemp("minihits")
    return prepare_minihits(folder, train=3, validation=2, test=0, seconds=2.0, pictures=False, progress=False)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Recipe:
    towers = tmp_path_factory.mktemp("towers")
    tiny_model().save(towers)
    return Recipe(
        towers=str(towers),
        model=MODEL,
        autoencoder=AutoencoderTraining(loop=LOOP),
        diffusion=DiffusionTraining(
            # which torch has from 2.9 on
            loop=LOOP.replace(optimizer="muon" if hasattr(torch.optim, "Muon") else "adamw"),
            seconds=1.0,
            late_share=0.5,
            late_seconds=(2.0, 0.7),
        ),  # fmt: skip
        gram=GramTraining(loop=LOOP, stored_frames=4, frames=3, crop=100, colour_weight=1.0),
        vocabulary=VocabularyTraining(loop=LOOP.replace(precision="fp32")),
        control=ControlTraining(loop=LOOP, seconds=1.0, late_share=0.5, late_seconds=(2.0, 0.7)),
    )


def train(recipe: Recipe, data: Path, out: Path, stop_after: int | None = None) -> None:
    for stage in STAGES:
        steps = getattr(stages, f"train_{stage}")(recipe, data, out, stop_after).steps
        assert steps == (stop_after or 4)
        if stop_after:
            getattr(stages, f"train_{stage}")(recipe, data, out)


@pytest.fixture(scope="module")
def through(recipe, data, tmp_path_factory) -> Path:
    """A run that nobody disturbed."""
    out = tmp_path_factory.mktemp("run")
    train(recipe, data, out)
    return out


def test_a_run_that_was_killed_ends_with_the_same_weights(recipe, data, through, tmp_path):
    train(recipe, data, tmp_path, stop_after=2)
    for path in through.glob("*.safetensors"):
        ours, theirs = read_tensors(path), read_tensors(tmp_path / path.name)
        assert ours.keys() == theirs.keys()
        for name, tensor in ours.items():
            torch.testing.assert_close(tensor, theirs[name], rtol=1e-3, atol=1e-5, msg=f"{path.name} {name}")


def test_each_stage_leaves_its_log_and_curve(through):
    for stage in STAGES:
        lines = (through / "training" / stage / "log.jsonl").read_text().splitlines()
        assert len([line for line in lines if '"valid_' in line]) == 2 and len(lines) == 6
        assert (through / "training" / stage / "curve.png").stat().st_size > 1000


def test_the_base_is_frozen_while_control_learns(recipe, data, through, tmp_path):
    before = read_tensors(through / "transformer.safetensors")
    stages.train_control(recipe, data, through)  # already at its end: exports again
    after = read_tensors(through / "transformer.safetensors")
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    copied = before["proj_in.weight"].float()
    learned = read_tensors(through / "control_net.safetensors")["proj_in.weight"].float()
    assert torch.allclose(copied, learned, atol=0.05)


def test_later_stages_keep_the_words_that_were_learned(recipe, through):
    towers, own = (read_tensors(folder / "text.safetensors") for folder in (Path(recipe.towers), through))
    learned = [name for name in own if name.startswith(LEARNS["text"])]
    assert learned and not all(torch.equal(own[name], towers[name]) for name in learned)
    assert all(torch.equal(own[name], towers[name]) for name in own if name not in learned)


def test_gram_anew_forgets_the_words(recipe, data, through, tmp_path):
    out = copied(through, tmp_path / "run")
    assert (out / "training" / "vocabulary" / "checkpoint.safetensors").exists()
    (out / "training" / "gram" / "checkpoint.safetensors").unlink()
    stages.train_gram(recipe, data, out)
    towers, own = (read_tensors(folder / "text.safetensors") for folder in (Path(recipe.towers), out))
    assert all(torch.equal(own[name].half(), towers[name].half()) for name in own)
    assert not list((out / "training" / "vocabulary").glob("*.safetensors"))


def test_a_finished_gram_stage_undoes_nothing(recipe, data, through, tmp_path):
    out = copied(through, tmp_path / "run")
    before = {path: path.read_bytes() for path in out.rglob("*.safetensors")}
    result = stages.train_gram(recipe, data, out)
    assert result.finished and result.notes == (FINISHED,)
    assert {path: path.read_bytes() for path in out.rglob("*.safetensors")} == before


def gone_on_with(recipe, start: Path):
    """The GRAM stage at rate 0 from another model's weights: what comes out is what went in."""
    still = recipe.gram.loop.replace(steps=2, learning_rate=0.0)
    return recipe.replace(gram=recipe.gram.replace(start=str(start), loop=still.model_dump()).model_dump(), seed=5)


def test_gram_goes_on_with_the_weights_it_is_told_to(recipe, data, through, tmp_path):
    stages.train_gram(gone_on_with(recipe, through), data, tmp_path)
    for name in ("audio", "heads"):
        before, after = (read_tensors(folder / f"{name}.safetensors") for folder in (through, tmp_path))
        learned = [key for key in before if not key.startswith("colour.")]  # solved anew at the end
        assert learned and all(torch.equal(before[key].half(), after[key].half()) for key in learned)


def test_gram_does_not_begin_at_random_over_imported_weights(recipe, data, through, tmp_path):
    tensors = read_tensors(through / "audio.safetensors")
    write_tensors(tmp_path / "audio.safetensors", tensors, {"sha256": "0" * 64})
    with pytest.raises(RecipeError, match="gram.start"):
        stages.train_gram(recipe, data, tmp_path)
    stages.train_gram(gone_on_with(recipe, through), data, tmp_path)


def copied(run: Path, out: Path) -> Path:
    for path in (*run.glob("*.*"), *run.glob("training/*/*.safetensors")):
        copy = out / path.relative_to(run)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return out


def test_gram_in_its_own_towers_forgets_the_words_too(recipe, data, through, tmp_path):
    """The paper's recipes have the towers in the run's folder itself."""
    out = copied(through, tmp_path / "run")
    (out / "training" / "gram" / "checkpoint.safetensors").unlink()
    stages.train_gram(recipe.replace(towers=str(out)), data, out)
    towers, own = (read_tensors(folder / "text.safetensors") for folder in (Path(recipe.towers), out))
    assert all(torch.equal(own[name].half(), towers[name].half()) for name in own)


def test_a_control_experiment_has_the_towers_without_the_words(recipe, data, through, tmp_path):
    other = recipe.replace(base=str(through), gram=recipe.gram.replace(alignment="cosine"))
    with pytest.raises(ModelError, match="train gram"):
        stages.train_vocabulary(other, data, tmp_path)
    stages.train_gram(other, data, tmp_path)
    towers, own = (read_tensors(folder / "text.safetensors") for folder in (Path(recipe.towers), tmp_path))
    assert all(torch.equal(own[name].half(), towers[name].half()) for name in own)


def test_captions_are_read_by_the_tower_that_the_base_knows(recipe, data, through):
    shop = Workshop(recipe, data, through)
    encoder, captions = shop.encoder(), stages.Captions.of(shop.train)
    published = tiny_model().gram
    published.load_state_dict(published.state_dict() | read_tensors(Path(recipe.towers) / "text.safetensors"))
    with torch.no_grad():
        wanted = published.text(published.tokens(list(captions.texts))).pooled
        taught = encoder.text(encoder.tokens(list(captions.texts))).pooled
    read = torch.from_numpy(shop.captions_as_read(encoder, captions).pooled.copy()).float()
    torch.testing.assert_close(read, wanted, atol=2e-3, rtol=0)
    assert not torch.allclose(taught, wanted, atol=2e-3, rtol=0)


def test_a_mistake_takes_nothing_away(recipe, data, through, tmp_path):
    out = copied(through, tmp_path / "run")
    (out / "memory.safetensors").write_bytes(b"kept")
    for stage in (stages.train_autoencoder, stages.train_gram, stages.train_vocabulary):
        with pytest.raises(DataError):
            stage(recipe, tmp_path / "nothing.jsonl", out)
    assert (out / "memory.safetensors").exists() and (out / BEFORE).exists()


def test_clips_of_unknown_kinds_are_left_out_or_told(recipe, data, through, tmp_path, monkeypatch):
    out = copied(through, tmp_path / "run")
    (out / BEFORE.with_name("checkpoint.safetensors")).unlink()
    begun = []
    monkeypatch.setattr(stages, "run", lambda stage, *_: begun.append(stage))
    records = read_manifest(data, "train")
    for material, action in ((records[0].material, "both"), ("drywall", "hit"), ("wood, oak", "hit")):
        strange = [replace(record, material=material, action=action) for record in records]
        monkeypatch.setattr(workshop, "read_manifest", lambda *_, strange=strange: [*strange, *records])
        stages.train_vocabulary(recipe, data, out)
        assert set(begun[-1].kinds) == {(record.material, record.action) for record in records}
        assert len(begun[-1].keys) == len(begun[-1].kinds)
        monkeypatch.setattr(workshop, "read_manifest", lambda *_, strange=strange: strange)
        with pytest.raises(DataError, match="no training clip is of these"):
            stages.train_vocabulary(recipe, data, out)


def test_a_run_by_the_name_of_a_model_keeps_its_own_towers(recipe, data, through, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = copied(through, Path("mini"))
    before = (out / "text.safetensors").read_bytes()
    Workshop(recipe, data, out).encoder()
    assert read_tensors(out / "text.safetensors").keys() == read_tensors(through / "text.safetensors").keys()
    assert (out / "text.safetensors").read_bytes() == before


def test_a_run_remembers_and_keeps_it(recipe, data, through, tmp_path, monkeypatch):
    for path in through.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert FoleyGRAM.load(tmp_path).memory is None
    monkeypatch.setattr("foleygram.training.workshop.frame_features", None)  # nothing looks at the pictures
    typo = recipe.replace(memory=recipe.memory.replace(without=("*/no such recording",)))
    assert "is named like */no such recording" in stages.train_memory(typo, data, tmp_path).notes[0]
    made = stages.train_memory(recipe, data, tmp_path)
    assert made.finished and not made.notes
    model = FoleyGRAM.load(tmp_path, dtype="fp32")
    assert set(model.config.memory.kinds) == {f"{r.material}, {r.action}" for r in read_manifest(data, "train")}
    assert model.config.memory.classes == 0  # EVA tells none
    found = model.recalled(model.references(Clip(text="a person hits wood", seconds=1.0)))
    assert found.audio.norm() == pytest.approx(1, abs=1e-2) and found.palette.isfinite().all()
    assert found.strokes.amax(-1).eq(0).all()
    Workshop(recipe, data, tmp_path)
    assert FoleyGRAM.load(tmp_path).config.memory == model.config.memory
    stages.train_vocabulary(recipe, data, tmp_path)  # the texts lie elsewhere then
    assert FoleyGRAM.load(tmp_path).memory is None


def test_a_run_gets_a_prior_and_keeps_it(recipe, data, through, tmp_path):
    out = copied(through, tmp_path / "run")
    assert FoleyGRAM.load(out).prior is None
    made = stages.train_prior(recipe, data, out)
    assert made.finished and made.notes[0].startswith("of how sounds of validation differ it knows")
    model = FoleyGRAM.load(out, dtype="fp32")
    known = model.references(Clip(text="a person hits wood", seconds=1.0))
    assert model.condition(known, 1.0).tokens[:, 0].any()
    stages.train_control(recipe, data, out)  # a later stage, whose recipe knows nothing of it
    assert FoleyGRAM.load(out).config.prior
    stages.train_vocabulary(recipe, data, out)  # the texts lie elsewhere then
    assert not FoleyGRAM.load(out).config.prior


def test_many_texts_have_the_points_of_single_ones(recipe, through):
    encoder, texts = FoleyGRAM.load(through, dtype="fp32").gram, [f"hitting {k}" for k in range(70)]
    points = encoder.embed_texts(texts)
    assert points.shape == (70, recipe.model.gram.dim)
    for place in (0, 63, 64, 69):
        torch.testing.assert_close(points[place : place + 1], encoder.embed(Clip(text=texts[place])).text)


def test_the_base_goes_on_from_a_model(recipe, data, through, tmp_path, monkeypatch):
    (tmp_path / "autoencoder.safetensors").write_bytes((through / "autoencoder.safetensors").read_bytes())
    begun = []
    monkeypatch.setattr(stages, "run", lambda stage, *_: begun.append(stage))
    stages.train_diffusion(recipe.replace(diffusion=recipe.diffusion.replace(start=str(through))), data, tmp_path)
    for part, name in ((begun[0].transformer, "transformer"), (begun[0].conditioner, "conditioner")):
        for key, tensor in read_tensors(through / f"{name}.safetensors").items():
            torch.testing.assert_close(part.state_dict()[key], tensor.float())


def test_control_goes_on_from_a_model_of_another_space(recipe, data, through, tmp_path, monkeypatch):
    out = tmp_path / "run"
    out.mkdir()
    for name in ("autoencoder", "transformer", "conditioner"):
        (out / f"{name}.safetensors").write_bytes((through / f"{name}.safetensors").read_bytes())
    control = recipe.control.replace(start=str(through), fitted_projections=True)
    other = recipe.replace(seed=1, control=control)
    stages.train_gram(other, data, out)
    begun = []
    monkeypatch.setattr(stages, "run", lambda stage, *_: begun.append(stage))
    stages.train_control(other, data, out)
    former = FoleyGRAM.load(through, dtype="fp32")
    for key, value in begun[0].control_net.state_dict().items():
        torch.testing.assert_close(value, former.control_net.state_dict()[key])
    shop = Workshop(other, data, out)
    features = shop.features(former.gram, shop.train, None)
    points = stages.embed_clips(former.gram, features)
    wanted = former.conditioner.gram_audio(points.audio)
    token = begun[0].conditioner.gram_audio(torch.from_numpy(begun[0].train_set[2].audio))
    torch.testing.assert_close(token, wanted, atol=0.05 * float(wanted.std()), rtol=0)


def test_the_run_folder_is_a_model(through, data):
    model = FoleyGRAM.load(through)
    sound = read_audio(data.parent / "audio" / "validation_00000.flac", 44100)
    clip = Clip(text="A person hits wood once.", audio=sound, seconds=2.0)
    (take,) = model.generate(clip, extract_envelope(sound), use="AT", steps=2)
    assert take.samples.shape == (2, 88200) and bool((abs(take.samples) > 0).any())


def test_a_stage_says_which_one_comes_before_it(recipe, data, tmp_path):
    with pytest.raises(ModelError, match="train autoencoder"):
        stages.train_diffusion(recipe, data, tmp_path)


@needs_muon
def test_muon_takes_the_matrices_of_the_blocks_and_only_them(monkeypatch):
    class Blocks(Stage):
        def __init__(self):
            super().__init__()
            self.transformer = Transformer(MODEL.transformer)

        def hidden_blocks(self):
            return list(self.transformer.transformer_blocks)

    stage, config = Blocks(), LOOP.replace(optimizer="muon")
    names = dict(stage.named_parameters())
    adamw, muon = build_optimizers(stage, names, config)
    inside = {parameter for group in muon.param_groups for parameter in group["params"]}
    for name, parameter in names.items():
        assert (parameter in inside) == ("transformer_blocks" in name and parameter.ndim == 2), name
    assert sum(len(group["params"]) for group in adamw.param_groups) + len(inside) == len(names)
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(RecipeError, match="adamw"):
        build_optimizers(stage, names, config)
