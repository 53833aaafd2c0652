"""The stages in the paper's order, one function each: recipe in, model folder out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from foleygram.data.classes import CLASSES
from foleygram.data.manifest import ClipRecord
from foleygram.data.shards import open_shards
from foleygram.data.vocabulary import OBJECTS, VERBS
from foleygram.diffusion.conditioner import Conditioner
from foleygram.diffusion.control import ControlNet
from foleygram.diffusion.spectral import SpectralAutoencoder, SpectralAutoencoderConfig
from foleygram.diffusion.transformer import Transformer
from foleygram.errors import DataError, ModelError, RecipeError
from foleygram.finish.memory import MemoryConfig
from foleygram.gram.encoder import GramEncoder
from foleygram.gram.prior import Prior
from foleygram.hub.folder import read_notes, read_tensors, write_atomically, write_tensors
from foleygram.hub.layouts import check_shapes
from foleygram.pipeline import load_predictor
from foleygram.timing.network import TimingConfig
from foleygram.timing.predictor import EnvelopePredictor
from foleygram.training.autoencoder import AutoencoderStage
from foleygram.training.checkpoint import steps_done
from foleygram.training.control import ClipEmbeddings, ControlStage, caption_tokens, fit_projections, point_tokens
from foleygram.training.diffusion import DiffusionStage
from foleygram.training.gram import ClipFeatures, GramStage, embed_clips, export_space
from foleygram.training.latents import Captions, Crops, sound_palettes, text_states
from foleygram.training.loop import FINISHED, LoopConfig, LoopResult, run
from foleygram.training.memory import fit_nothing, keys_of, kind_of, kinds_of, remember
from foleygram.training.pretraining import PretrainingStage
from foleygram.training.prior import fit_prior, rows
from foleygram.training.recipe import Recipe
from foleygram.training.timing import TimingStage, load_clips
from foleygram.training.vocabulary import LEARNS, VocabularyStage
from foleygram.training.workshop import BEFORE, Workshop, forget, forget_words
from foleygram.types import SAMPLE_RATE, Audio
from foleygram.weights import GRAM_FILES, assign, float_state, read_tokenizer


def train_autoencoder(recipe: Recipe, data: Path, out: Path, stop_after: int | None = None) -> LoopResult:
    """Stage 1 (training/autoencoder.py). Raises RecipeError for an autoencoder that is none of the mini's kind."""
    if not isinstance(recipe.model.autoencoder, SpectralAutoencoderConfig):
        raise RecipeError("this stage trains the mini's spectral autoencoder; the paper's is imported (docs/full-scale.md)")
    torch.manual_seed(recipe.seed)
    shop = Workshop(recipe, data, out)
    model = SpectralAutoencoder(recipe.model.autoencoder)
    stage = AutoencoderStage(model, recipe.autoencoder, shop.sounds(shop.train), shop.sounds(shop.valid), recipe.seed, out)
    forget(out, "memory")  # whose details are those of another code
    return run(stage, recipe.autoencoder.loop, out / "training" / "autoencoder", stop_after)


def train_diffusion(recipe: Recipe, data: Path, out: Path, stop_after: int | None = None) -> LoopResult:
    """Stage 2 (training/diffusion.py)."""
    torch.manual_seed(recipe.seed)
    shop = Workshop(recipe, data, out)
    encoder = shop.encoder()
    hop, seconds = recipe.model.autoencoder.hop, recipe.diffusion.seconds
    sets = []
    for records in (shop.train, shop.valid):
        captions = Captions.of(records)
        sets.append((Crops([shop.latents(records)], seconds, hop), captions, shop.captions_as_read(encoder, captions)))
    (train, train_captions, texts), (valid, valid_captions, valid_texts) = sets
    transformer, conditioner = Transformer(recipe.model.transformer), Conditioner(recipe.model.conditioner)
    transformer.initialise()
    if recipe.diffusion.start:
        for module, name in ((transformer, "transformer"), (conditioner, "conditioner")):
            assign(module, Path(recipe.diffusion.start) / f"{name}.safetensors")
    stage = DiffusionStage(
        transformer, conditioner, recipe.diffusion, recipe.seed, out,
        train, train_captions, valid, valid_captions, texts, valid_texts,
    )  # fmt: skip
    return run(stage, recipe.diffusion.loop, out / "training" / "diffusion", stop_after)


def train_pretraining(recipe: Recipe, data: Path, out: Path, stop_after: int | None = None) -> LoopResult:
    """GRAM with all its towers (training/pretraining.py). ``data``: a folder of tar shards; ``pretraining.start``, or ``out``,
    holds the towers' weights to begin with (foleygram import); ``out`` gets the trained ones."""
    clips = open_shards(sorted(data.glob("*.tar")), recipe.model.seconds)
    if done := finished(out / "training" / "pretraining", recipe.pretraining.loop):
        return done
    torch.manual_seed(recipe.seed)
    encoder = GramEncoder(recipe.model.gram)
    start = Path(recipe.pretraining.start or out)
    start_of_gram(encoder, start)
    if start.resolve() != out.resolve():
        write_atomically(out / "tokenizer.json", (start / "tokenizer.json").read_bytes())
    forget(out)
    forget_words(out)
    stage = PretrainingStage(encoder, recipe.pretraining, clips, recipe.seed, out)
    return run(stage, recipe.pretraining.loop, out / "training" / "pretraining", stop_after)


def finished(folder: Path, loop: LoopConfig) -> LoopResult | None:
    """The result of a stage of the joint space that is at its end: to export it again would undo what later stages taught."""
    done = steps_done(folder)
    return LoopResult(done, 0.0, True, (float("nan"),), (FINISHED,)) if done >= loop.steps else None


def start_of_gram(encoder: GramEncoder, folder: Path) -> None:
    """Loads the weights files of the encoder that lie in ``folder``, towers alone too, and its tokenizer."""
    definition = folder / "tokenizer.json"
    if not definition.exists():
        raise ModelError(f"{definition}: absent; copy the tokenizer.json of the text tower there (bert-base-uncased)")
    encoder.tokenizer = read_tokenizer(definition, encoder.config.text)
    load_parts(encoder, folder, [name for name in GRAM_FILES if (folder / f"{name}.safetensors").exists()])


def load_parts(encoder: GramEncoder, folder: Path, names: Iterable[str]) -> None:
    """Loads the weights files ``names`` of the encoder that lie in ``folder``. Raises ModelError where one is absent or of
    other sizes."""
    kept, state = encoder.state_dict(), {}
    for name in names:
        state |= float_state(read_tensors(folder / f"{name}.safetensors"))
    check_shapes(f"this GRAM encoder ({folder})", kept | state, kept)
    encoder.load_state_dict(kept | state)


def label_of(record: ClipRecord) -> str:
    """What makes two clips alike for the recall on validation."""
    return f"{record.material} {record.action}"


def train_gram(
    recipe: Recipe, data: Path, out: Path, stop_after: int | None = None, textures: Path | None = None
) -> LoopResult:
    """Stage 3 (training/gram.py). ``textures``: photographs for clips whose picture is rendered from their scene."""
    torch.manual_seed(recipe.seed)
    shop, folder = Workshop(recipe, data, out), out / "training" / "gram"
    if done := finished(folder, recipe.gram.loop):
        return done
    if not recipe.gram.start and not steps_done(folder):
        refuse_imported(out / "audio.safetensors")
    encoder = shop.encoder(anew=True)
    if recipe.gram.start:
        load_parts(encoder, Path(recipe.gram.start), ("audio", "heads"))
    forget(out)
    forget_words(out)
    if recipe.gram.alignment == "none":
        return leave_unaligned(encoder, shop.find("audio.safetensors", "gram"), out)
    train, valid = (shop.features(encoder, records, textures) for records in (shop.train, shop.valid))
    stage = GramStage(encoder, recipe.gram, recipe.seed, out, train, valid, [label_of(record) for record in shop.valid])
    result = run(stage, recipe.gram.loop, folder, stop_after)
    if result.finished and encoder.colour is not None:
        shop.trained(encoder, "gram", *GRAM_FILES)  # the averaged weights
        stage.solve_reader()
        stage.export()
    return result


def refuse_imported(path: Path) -> None:
    """Raises RecipeError for weights that were imported, which a stage that begins at random would replace."""
    if path.exists() and "sha256" in read_notes(path):
        raise RecipeError(
            f"{path}: was imported, and this stage begins with weights drawn at random; "
            f"set gram.start={path.parent} to go on with it, or choose another --out"
        )


def leave_unaligned(encoder: GramEncoder, tower: Path, out: Path) -> LoopResult:
    """The control experiment without a joint space: a trained audio tower, frozen picture and text towers, and heads as they
    are drawn at random. Nothing is trained."""
    tensors = {key.removeprefix("audio."): value for key, value in read_tensors(tower).items()}
    check_shapes(f"this recipe's audio tower ({tower})", tensors, encoder.audio.state_dict())
    encoder.audio.load_state_dict(float_state(tensors))
    export_space(encoder, out)
    return LoopResult(0, 0.0, True, (0.0,))


def train_vocabulary(recipe: Recipe, data: Path, out: Path, stop_after: int | None = None) -> LoopResult:
    """Stage 4 (training/vocabulary.py). What the text side was before lies beside its checkpoint: there a run that goes on
    begins too. Raises DataError where the clips are of no kind that the vocabulary has words for."""
    torch.manual_seed(recipe.seed)
    shop = Workshop(recipe, data, out)
    shop.check_aligned()
    encoder = shop.encoder()
    shop.trained(encoder, "gram", *GRAM_FILES)
    uses = {kind_of(record): (record.material, record.action) for record in shop.train}
    known = [kind for kind in kinds_of(shop.train) if uses[kind][0] in OBJECTS and uses[kind][1] in VERBS]
    if not known:
        raise DataError(
            f"{data}: the vocabulary has words for {', '.join(OBJECTS)}, and no training clip is of these; leave it out"
        )
    forget(out)
    before = out / BEFORE
    if not before.exists():
        state = encoder.state_dict()
        write_tensors(before, {key: state[key] for key in state if key.startswith(tuple(LEARNS.values()))})
    encoder.load_state_dict(encoder.state_dict() | read_tensors(before))
    said, points = [], []
    for records in (shop.train, shop.valid):
        said.append(Captions.of(records))
        features = torch.from_numpy(text_states(encoder, said[-1], shop.cache).pooled.astype(np.float32))
        with torch.no_grad():
            points.append(encoder.embed_features(text=features.to(encoder.contra_temp.device)).text.cpu())
    keys = keys_of(shop.train, said[0], points[0])[[kind in known for kind in kinds_of(shop.train)]]
    stage = VocabularyStage(
        encoder, recipe.vocabulary, recipe.seed, out, said[0].texts, points[0], [uses[kind] for kind in known],
        keys.to(encoder.contra_temp.device), said[1].texts, points[1],
    )  # fmt: skip
    return run(stage, recipe.vocabulary.loop, before.parent, stop_after)


def train_control(
    recipe: Recipe, data: Path, out: Path, stop_after: int | None = None, textures: Path | None = None
) -> LoopResult:
    """Stage 5 (training/control.py)."""
    torch.manual_seed(recipe.seed)
    shop = Workshop(recipe, data, out)
    shop.check_aligned()
    encoder = shop.encoder()
    shop.trained(encoder, "gram", *GRAM_FILES)
    hop, seconds = recipe.model.autoencoder.hop, recipe.control.seconds
    conditioner = shop.conditioner()
    sets, features = [], [shop.features(encoder, records, textures) for records in (shop.train, shop.valid)]
    for records, known in zip((shop.train, shop.valid), features, strict=True):
        crops = Crops([shop.latents(records), shop.guides(records)], seconds, hop)
        sets.append((crops, known.captions, clip_points(encoder, known)))
    if recipe.control.fitted_projections:
        if recipe.control.start:
            tokens = tokens_of_start(Path(recipe.control.start), encoder, recipe, features[0], shop.cache)
        else:
            captions = features[0].captions
            tokens = caption_tokens(conditioner, captions, shop.captions_as_read(encoder, captions).pooled)
        fit_projections(conditioner, sets[0][2], tokens)
    del encoder, features  # from here on only transformer and ControlNet are held
    transformer = shop.trained(Transformer(recipe.model.transformer), "diffusion", "transformer")
    control_net = ControlNet(recipe.model.transformer, recipe.model.control_net)
    control_net.initialise(transformer)
    if recipe.control.start:
        assign(control_net, Path(recipe.control.start) / "control_net.safetensors")
    train, valid = sets
    stage = ControlStage(transformer, control_net, conditioner, recipe.control, recipe.seed, out, *train, *valid)
    return run(stage, recipe.control.loop, out / "training" / "control", stop_after)


def train_prior(
    recipe: Recipe, data: Path, out: Path, stop_after: int | None = None, textures: Path | None = None
) -> LoopResult:
    """Stage 6 (training/prior.py), in closed form from the finished joint space. The run's model then has a prior."""
    shop = Workshop(recipe, data, out)
    shop.check_aligned()
    encoder = shop.encoder()
    shop.trained(encoder, "gram", *GRAM_FILES)
    sets = []
    for records in (shop.train, shop.valid):
        known = shop.features(encoder, records, textures)
        sets.append(rows(clip_points(encoder, known), known.captions))
    prior = Prior(recipe.model.gram.dim)
    fitted = fit_prior(prior, *sets, recipe.prior)
    write_tensors(out / "prior.safetensors", float_state(prior.state_dict(), torch.float16))
    shop.write_config(prior=True)
    return LoopResult(0, 0.0, True, (fitted.both.error,), (fitted.sentence,))


def clip_points(encoder: GramEncoder, features: ClipFeatures) -> ClipEmbeddings:
    """The points of the clips as the control stage draws from them."""
    points = embed_clips(encoder, features)
    return ClipEmbeddings(*(None if side is None else side.numpy() for side in (points.audio, points.video, points.text)))


def tokens_of_start(folder: Path, encoder: GramEncoder, recipe: Recipe, features: ClipFeatures, cache: Path) -> ClipEmbeddings:
    """What the model in ``folder`` hears and reads of the clips. Its towers of sound and text and its heads go through the
    encoder, which is then spent; the vision tower is frozen, so the features of frames are its own too."""
    towers = {key: value for key, value in encoder.state_dict().items() if key.startswith(GRAM_FILES["vision"])}
    state = {}
    for name in ("audio", "text", "heads"):
        state |= float_state(read_tensors(folder / f"{name}.safetensors"))
    check_shapes(f"this GRAM encoder ({folder})", towers | state, encoder.state_dict())
    encoder.load_state_dict(towers | state)
    conditioner = Conditioner(recipe.model.conditioner)
    assign(conditioner, folder / "conditioner.safetensors")
    read = replace(features, texts=text_states(encoder, features.captions, cache).pooled)
    return point_tokens(conditioner, clip_points(encoder, read))


def predictor_in(source: str, option: str) -> EnvelopePredictor:
    """The predictor of another model, which ``option`` names. Raises ModelError where it has none."""
    other = load_predictor(source, "cpu")
    if other is None:
        raise ModelError(f"{option} {source}: has no timing predictor; name another model, or leave {option} out")
    return other


def teachers_of_timing(model: EnvelopePredictor, sources: Sequence[str]) -> list[EnvelopePredictor]:
    """Predictors to be learned from. Raises ModelError where there is none or one that looks at films in another way."""
    teachers = [predictor_in(source, "timing.teachers") for source in sources]
    for source, teacher in zip(sources, teachers, strict=True):
        if (teacher.config.motion, teacher.config.rate) != (model.config.motion, model.config.rate):
            raise ModelError(
                f"timing.teachers {source}: has motion maps or a rate of its own; name a model with those of this one"
            )
    return teachers


def start_of_timing(model: EnvelopePredictor, source: str) -> None:
    """Loads the weights of another model's predictor. Raises ModelError where it has none or one of another size."""
    other = predictor_in(source, "timing.start")
    check_shapes(f"this timing predictor ({source})", other.state_dict(), model.state_dict())
    model.load_state_dict(other.state_dict())


def train_timing(
    recipe: Recipe, data: Path, out: Path, stop_after: int | None = None, textures: Path | None = None
) -> LoopResult:
    """The predictor of envelopes from pictures (training/timing.py); needs no other stage. The run's model then has it."""
    torch.manual_seed(recipe.seed)
    shop = Workshop(recipe, data, out)
    model = EnvelopePredictor(recipe.model.timing or TimingConfig())
    model.network.initialise()
    if recipe.timing.start:
        start_of_timing(model, recipe.timing.start)
    teachers = teachers_of_timing(model, recipe.timing.teachers)
    chosen = shop.train[: recipe.timing.clips], shop.valid[: recipe.timing.valid_clips]
    train, valid = (load_clips(records, shop.scenes, textures, shop.cache, recipe.seed, model.config) for records in chosen)
    stage = TimingStage(model, recipe.timing, train, valid, recipe.seed, out, teachers)
    try:
        return run(stage, recipe.timing.loop, out / "training" / "timing", stop_after)
    finally:  # after Ctrl-C too, what was learned is exported
        shop.write_config(model.config)


def train_memory(recipe: Recipe, data: Path, out: Path, stop_after: int | None = None) -> LoopResult:
    """What the model remembers (training/memory.py), from its finished joint space and autoencoder. The run's model then has
    it; nothing is trained, and nothing looks at the pictures."""
    shop = Workshop(recipe, data, out)
    shop.check_aligned()
    encoder, autoencoder, sounds = shop.encoder(), shop.autoencoder(), shop.sounds(shop.train)
    shop.trained(encoder, "gram", *GRAM_FILES)
    features = shop.features(encoder, shop.train, None, pictures=False)
    points = clip_points(encoder, features)

    def sound(place: int) -> Audio:
        return Audio(sounds[place].astype(np.float32) / 32768, SAMPLE_RATE)

    room = (recipe.model.memory or MemoryConfig()).sounds
    palettes = sound_palettes(sounds, shop.cache)
    embed = encoder.embed_texts if recipe.model.gram.vision.classes == len(CLASSES) else None
    memory = remember(shop.train, features.captions, points, sound, autoencoder, palettes, room, recipe.memory.without, embed)
    write_tensors(out / "memory.safetensors", float_state(memory.state_dict(), torch.float16))
    shop.write_config(memory=memory.config)
    idle = fit_nothing(recipe.memory.without, shop.train)
    notes = (f"no recording of these clips is named like {', '.join(idle)} (memory.without)",) if idle else ()
    return LoopResult(0, 0.0, True, (0.0,), notes)
