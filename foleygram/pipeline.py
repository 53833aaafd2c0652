"""FoleyGRAM: the sentence of the paper as code. Clip -> Embeddings -> Condition; Envelope -> control latent;
noise -> latent under both; latent -> Audio.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Discriminator, Tag, model_validator
from torch import nn

from foleygram.config import Config, Positive, read_json
from foleygram.device import DTYPES, INT8, arithmetic, pick_device
from foleygram.diffusion.autoencoder import OobleckAutoencoder, OobleckConfig
from foleygram.diffusion.conditioner import Conditioner, ConditionerConfig
from foleygram.diffusion.control import ControlNet, ControlNetConfig
from foleygram.diffusion.sampler import Denoiser, SamplerConfig, guided, sample, takes_noise
from foleygram.diffusion.spectral import SpectralAutoencoder, SpectralAutoencoderConfig
from foleygram.diffusion.transformer import Transformer, TransformerConfig
from foleygram.errors import EnvelopeError, UsageError
from foleygram.finish.matching import FinishConfig, Pieces, finished
from foleygram.finish.memory import Memory, MemoryConfig
from foleygram.finish.palette import PARTIALS, palette
from foleygram.finish.tint import tint, tinted
from foleygram.gram.encoder import GramConfig, GramEncoder
from foleygram.gram.prior import Prior
from foleygram.gram.text import Tokenizer
from foleygram.hub.folder import write_atomically, write_json, write_tensors
from foleygram.hub.sources import WeightsSources, find_weights, local_weights
from foleygram.limits import SEEDS, TAKES, check_whole
from foleygram.quantisation import int8_weights, to_int8
from foleygram.signal.resample import resample
from foleygram.timing.network import TimingConfig
from foleygram.timing.predictor import EnvelopePredictor
from foleygram.timing.strokes import Strokes, Whose, sound_strokes, with_strokes
from foleygram.timing.track import Kind, OnsetTrack
from foleygram.types import Audio, Clip, Condition, Embeddings, Envelope, sample_count
from foleygram.weights import GRAM_FILES, assign, find_folder, float_state, read_tokenizer, unloaded, weights_files
from foleygram.windows import MARGIN, Film, synthesise_long

LEEWAY = 0.5
"""s by which a clip may be longer than the training window and still be made at once."""


def autoencoder_kind(value: Any) -> str:
    """Which autoencoder a config means; the mini's needs no name."""
    return value.get("kind", "spectral") if isinstance(value, dict) else getattr(value, "kind", "spectral")


AutoencoderConfig = Annotated[
    Annotated[SpectralAutoencoderConfig, Tag("spectral")] | Annotated[OobleckConfig, Tag("oobleck")],
    Discriminator(autoencoder_kind),
]


def build_autoencoder(config: SpectralAutoencoderConfig | OobleckConfig) -> SpectralAutoencoder | OobleckAutoencoder:
    """The autoencoder of a config: spectral (mini) or Oobleck (the paper's)."""
    return OobleckAutoencoder(config) if isinstance(config, OobleckConfig) else SpectralAutoencoder(config)


class FoleyGRAMConfig(Config):
    """Numbers of a whole model; the defaults are the paper's scale where a part has one."""

    name: str = "foleygram"
    seconds: Positive = 10.0  # the training window
    gram: GramConfig
    autoencoder: AutoencoderConfig
    transformer: TransformerConfig
    control_net: ControlNetConfig
    conditioner: ConditionerConfig
    sampler: SamplerConfig = SamplerConfig()
    few_step_sampler: SamplerConfig | None = None  # in its place where the finish has measured colours to give; None: the same
    prior: bool = False  # guesses the point of an absent sound from text and picture
    timing: TimingConfig | None = None  # predicts the envelope of a silent picture
    memory: MemoryConfig | None = None  # lends a sound of its kind to a text or picture alone
    finish: FinishConfig | None = None  # colour and level of the decoded sound; None: as it was decoded (the paper)
    weights: WeightsSources = WeightsSources()

    @model_validator(mode="after")
    def classes_agree(self) -> FoleyGRAMConfig:
        known = 0 if self.memory is None else self.memory.classes
        if known not in (0, self.gram.vision.classes):
            raise ValueError(f"memory knows {known} classes by name, which the picture tower does not tell")
        return self

    @model_validator(mode="after")
    def widths_agree(self) -> FoleyGRAMConfig:
        transformer = self.transformer
        for one, other, widths in (
            ("autoencoder.latent_dim", "transformer.latent_dim", (self.autoencoder.latent_dim, transformer.latent_dim)),
            ("gram.dim", "conditioner.embedding_dim", (self.gram.dim, self.conditioner.embedding_dim)),
            ("conditioner.token_dim", "transformer.cross_dim", (self.conditioner.token_dim, transformer.cross_dim)),
            ("twice conditioner.token_dim", "transformer.global_dim", (2 * self.conditioner.token_dim, transformer.global_dim)),
        ):
            if widths[0] != widths[1]:
                raise ValueError(f"{one} is {widths[0]} and {other} {widths[1]}, which are the same thing")
        if self.control_net.depth > transformer.depth:
            raise ValueError(
                f"control_net copies {self.control_net.depth} blocks of a transformer that has {transformer.depth}"
            )
        return self


def take_seed(seed: int, take: int) -> int:
    """The seed of take k: a hash, so that neighbouring seeds share no take."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{take}".encode()).digest()[:7], "big")


class FoleyGRAM(nn.Module):
    """A whole model. ``load``, ``save``, ``embed``, ``generate``."""

    def __init__(self, config: FoleyGRAMConfig, tokenizer: Tokenizer | None = None):
        super().__init__()
        self.config = config
        self.gram = GramEncoder(config.gram, tokenizer)
        self.conditioner = Conditioner(config.conditioner)
        self.autoencoder = build_autoencoder(config.autoencoder)
        self.transformer = Transformer(config.transformer)
        self.control_net = ControlNet(config.transformer, config.control_net)
        self.prior = Prior(config.gram.dim) if config.prior else None
        self.timing = None if config.timing is None else EnvelopePredictor(config.timing)
        remembers = config.memory is not None
        self.memory = Memory(config.memory, config.gram.dim, config.autoencoder.rate) if remembers else None
        self.working_device: torch.device | None = None  # with offload: where a part is while it works

    def components(self) -> dict[str, nn.Module]:
        """Parts by the name of their weights file, besides the GRAM encoder; ``prior``, ``timing`` and ``memory`` where the
        config has them."""
        parts = {
            "conditioner": self.conditioner,
            "autoencoder": self.autoencoder,
            "transformer": self.transformer,
            "control_net": self.control_net,
        }
        more = {"prior": self.prior, "timing": self.timing, "memory": self.memory}
        return parts | {name: part for name, part in more.items() if part is not None}

    @classmethod
    def load(cls, source: str | Path, device: str = "auto", dtype: str = "auto", offload: bool = False) -> FoleyGRAM:
        """A shipped model by name (``mini``), a model folder, or ``user/repository`` on the hub.

        ``device``: auto, cpu, cuda, cuda:N, mps; ``dtype``: auto, fp32, bf16, fp16, int8; ``offload``: see :meth:`place`.
        Built on the meta device, loaded strictly, moved. Raises ModelError, and UsageError for another device or dtype."""
        arithmetic(pick_device(device), dtype)  # refuses what is none before anything is built
        return cls.outline(source).fill(source, device, dtype, offload)

    @classmethod
    def outline(cls, source: str | Path) -> FoleyGRAM:
        """A ``source`` of ``load`` on the meta device: names and shapes, no weights. Raises ModelError."""
        config = read_json(FoleyGRAMConfig, find_folder(source) / "config.json")
        return unloaded(config.name, lambda: cls(config))

    def fill(self, source: str | Path, device: str = "auto", dtype: str = "auto", offload: bool = False) -> FoleyGRAM:
        """Reads the weights of an outline; see :meth:`load`."""
        kind = arithmetic(pick_device(device), dtype)
        folder = find_folder(source)
        files = weights_files(folder, self.config)
        if dtype == INT8:
            self.shrink()
        tokenizer = local_weights(folder, "tokenizer.json")
        if tokenizer is not None:
            self.gram.tokenizer = read_tokenizer(tokenizer, self.config.gram.text)
        for name, part in self.components().items():
            assign(part, files[name], dtype=kind if name in HALVED else torch.float32)
        assign(self.gram, *(files[name] for name in GRAM_FILES))
        return self.eval().requires_grad_(False).place(device, dtype, offload)

    from_pretrained = load

    def save(self, folder: str | Path, dtype: Literal["fp32", "fp16", "bf16"] = "fp32") -> Path:
        """Writes a model folder that ``load`` reads. Raises UsageError for a model in int8 and another dtype."""
        if dtype not in DTYPES:
            raise UsageError(f"weights are saved as {', '.join(DTYPES)}, not '{dtype}'")
        if self.dtype == INT8:
            raise UsageError("weights in int8 are rounded and not saved; load the model with --dtype fp32, bf16 or fp16")
        folder = Path(folder)
        kind = DTYPES[dtype]
        for name, part in self.components().items():
            write_tensors(folder / f"{name}.safetensors", float_state(part.state_dict(), kind))
        state = self.gram.state_dict()
        for name, prefixes in GRAM_FILES.items():
            tensors = {key: value for key, value in state.items() if key.startswith(prefixes)}
            write_tensors(folder / f"{name}.safetensors", float_state(tensors, kind))
        if self.gram.tokenizer is not None:
            write_atomically(folder / "tokenizer.json", self.gram.tokenizer.content.encode())
        write_json(folder / "config.json", self.config.model_dump(mode="json"))
        return folder

    def place(self, device: str = "auto", dtype: str = "auto", offload: bool = False) -> FoleyGRAM:
        """Moves to a device and chooses the arithmetic of the transformers; encoder and autoencoder stay in fp32. int8: the
        large layers of transformers and encoder keep their weights in 8 bits (quantisation.py), the arithmetic is that of auto.

        ``offload``: the large parts wait in the memory of the CPU and are on the device only while they work, so that it
        has to hold the transformers or the encoder, not both."""
        where = pick_device(device)
        kind = arithmetic(where, dtype)
        if dtype == INT8:
            self.shrink()
        self.working_device = where if offload else None
        for small in (self.conditioner, self.prior, self.timing, self.memory):
            if small is not None:
                small.to(where, torch.float32)
        for part in (self.gram, self.autoencoder, self.transformer, self.control_net):
            halved = part is self.transformer or part is self.control_net
            part.to("cpu" if offload else where, kind if halved else torch.float32)
        return self

    def shrink(self) -> None:
        """The large layers of transformers and towers to 8 bits, where they are not yet."""
        for part in (self.transformer, self.control_net, self.gram.vision, self.gram.audio, self.gram.text):
            to_int8(part)

    @contextmanager
    def in_use(self, *parts: nn.Module) -> Iterator[None]:
        """With offload: within the block the parts are on the working device."""
        if self.working_device is None:
            yield
            return
        try:
            for part in parts:
                part.to(self.working_device)
            yield
        finally:
            for part in parts:
                part.to("cpu")

    @property
    def device(self) -> torch.device:
        return self.working_device or self.transformer.preprocess_conv.weight.device

    @property
    def precision(self) -> torch.dtype:
        """The arithmetic of the transformers, whatever their weights are stored in."""
        return self.transformer.preprocess_conv.weight.dtype

    @property
    def dtype(self) -> str:
        """What ``--dtype`` would have to say: fp32, bf16, fp16 or int8."""
        if int8_weights(self):
            return INT8
        return next(name for name, kind in DTYPES.items() if kind == self.precision)

    def embed(self, clip: Clip) -> Embeddings:
        """Points of the clip in the GRAM space (section III-A), batch 1; a channel that is upside down is turned."""
        if clip.audio is not None:
            clip = replace(clip, audio=clip.audio.in_phase())
        with self.in_use(self.gram):
            return self.gram.embed(clip)

    @torch.no_grad()
    def references(self, clip: Clip) -> Embeddings:
        """What conditions a sound: the points of :meth:`embed`, the strokes of the sound, where it has some, and where the
        model has a ``finish`` what that takes over, palette, partials, detail and tint; of the loudest ``config.seconds`` of a
        long one."""
        points = self.embed(clip)
        if points.audio is None:
            return points
        sound = resample(clip.audio.in_phase().stereo().loudest(self.config.seconds), self.config.autoencoder.rate)
        strokes = sound_strokes(sound)
        sound = sound.centred()  # an offset is no sound
        if strokes is not None:
            points = replace(points, strokes=torch.from_numpy(strokes.levels.astype(np.float32))[None].to(self.device))
        colours = None if self.config.finish is None else palette(sound)
        if colours is None:  # silence has none
            return points
        points = replace(points, palette=torch.from_numpy(colours)[None].to(self.device))
        lines = palette(sound, PARTIALS)
        if lines is not None:
            points = replace(points, partials=torch.from_numpy(lines)[None].to(self.device))
        if not isinstance(self.autoencoder, SpectralAutoencoder):
            return points
        with self.in_use(self.autoencoder):
            latent = self.autoencoder.encode(torch.from_numpy(sound.samples)[None].to(self.device))
            means = tint(latent, sound, self.autoencoder)
            return replace(points, detail=self.autoencoder.detail(latent), tint=None if means is None else means[None])

    @contextmanager
    def sampling(self, denoise: Denoiser, envelope: Envelope, points: Sequence[Embeddings], raw: bool) -> Iterator[Denoiser]:
        """The networks at work, and their denoiser, with the tint of the reference sound where it was measured and the model
        has a ``finish``; ``points``: of the clip, or of each of its windows. ``raw``: unchanged."""
        wanted = [embeddings.tint for embeddings in points if embeddings.tint is not None]
        share = 0.0 if raw or not wanted or self.config.finish is None else self.config.finish.tint
        if not share:
            with self.in_use(self.transformer, self.control_net):
                yield denoise
            return
        with self.in_use(self.transformer, self.control_net, self.autoencoder):
            yield tinted(denoise, self.autoencoder, torch.cat(wanted).nanmean(0), envelope, share)

    def detailed(self, latent: torch.Tensor, points: Sequence[Embeddings]) -> torch.Tensor:
        """The latent [1, latent_dim, length] with the detail of the reference sound, where it was measured and the model has a
        ``finish``; ``points``: of the clip, or of each of its windows."""
        wanted = [embeddings.detail for embeddings in points if embeddings.detail is not None]
        if not wanted or self.config.finish is None:
            return latent
        with self.in_use(self.autoencoder):
            return self.autoencoder.with_detail(latent, torch.cat(wanted).mean(0, keepdim=True), self.config.finish.detail)

    def kind_said(self, text: str | None) -> Kind | None:
        """What is done according to a text, as far as the memory knows: ``hit``, which steps are too, or ``scratch``, whatever
        the picture looks like. None without a text or a memory, where it says neither or both, and for a text that the model
        cannot read."""
        if text is None or self.memory is None or self.gram.tokenizer is None or self.gram.tokenizer.is_strange(text):
            return None
        return self.memory.kind_said(self.embed(Clip(text=text)).text[0])

    def recalled(self, embeddings: Embeddings, take: int = 0, track: OnsetTrack | None = None) -> Embeddings:
        """With a sound that the model remembers in the place of an absent one, another for each ``take``; unchanged where there
        is one, or no memory. ``track``: events of the guide, which tell hits from scratches where no text does."""
        if self.memory is None or embeddings.audio is not None or not embeddings.modalities:
            return embeddings
        return self.memory.recall(embeddings, take, track)

    @staticmethod
    def struck(envelope: Envelope, embeddings: Embeddings, track: OnsetTrack | None = None, take: int = 0) -> Envelope:
        """The guide in the strokes of the reference sound, where that has some; each ``take`` begins with another one.
        ``track``: its events, where they are known."""
        if embeddings.strokes is None:
            return envelope
        return with_strokes(envelope, Strokes(embeddings.strokes[0].cpu().numpy()), track, take)

    def whose_strokes(self, embeddings: Embeddings, raw: bool = False) -> Whose:
        """Whose strokes events of made-up shapes become: the reference's, where that has some, or without one those of a sound
        that the model remembers, unless nothing is finished (``raw``)."""
        if embeddings.audio is None:
            return "guide" if self.memory is None or raw else "memory"
        return "guide" if embeddings.strokes is None else "reference"

    def played(
        self, embeddings: Embeddings, envelope: Envelope, whose: Whose, take: int = 0, track: OnsetTrack | None = None
    ) -> tuple[Embeddings, Envelope]:
        """What conditions one take, and its guide, where the events become strokes of ``whose``."""
        known = self.recalled(embeddings, take, track) if whose == "memory" else embeddings
        return known, envelope if whose == "guide" else self.struck(envelope, known, track, take)

    def sampler_for(self, embeddings: Embeddings, raw: bool = False) -> SamplerConfig:
        """How this is sampled when nobody says otherwise: in few steps where colours are measured, since the finish gives
        what few steps without new noise lack. ``raw``: nothing is finished. Ours, docs/decisions.md."""
        painted = not raw and self.config.finish is not None and embeddings.palette is not None
        return (self.config.few_step_sampler if painted else None) or self.config.sampler

    def condition(self, embeddings: Embeddings, seconds: float) -> Condition:
        """Embeddings and duration to the condition of the transformers, in their arithmetic. In the place of an absent sound
        stands the one to be expected, where the model has a prior."""
        device = self.device
        if self.prior is not None and embeddings.audio is None:
            embeddings = replace(embeddings, audio=self.prior(embeddings))
        condition = self.conditioner(embeddings, torch.zeros(1, device=device), torch.full((1,), seconds, device=device))
        kind = self.precision
        return Condition(condition.tokens.to(kind), condition.global_vector.to(kind))

    def encode_envelope(self, envelope: Envelope, seconds: float) -> torch.Tensor:
        """The control latent [1, latent_dim, length] (section III-B2). Where the guide still sounds at the end of the clip, its
        latent knows no end: an edge there would be answered with an attack."""
        rate = self.config.autoencoder.rate
        length = self.autoencoder.length(sample_count(seconds, rate))
        curve = envelope.held(np.arange((length + MARGIN) * self.autoencoder.hop) / rate, seconds)
        with self.in_use(self.autoencoder):
            latent = self.autoencoder.encode(torch.from_numpy(np.stack([curve, curve]))[None].to(self.device))
        return latent[..., :length].to(self.precision)

    @torch.no_grad()
    def generate(
        self,
        clip: Clip,
        envelope: Envelope,
        use: str | None = None,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        takes: int | Iterable[int] = 1,
        on_step: Callable[[int, int], None] | None = None,
        raw: bool = False,
        strokes: bool = False,
        track: OnsetTrack | None = None,
    ) -> tuple[Audio, ...]:
        """One sound for each take, 44.1 kHz stereo, exactly ``sample_count(clip.seconds)`` samples.

        ``use``: which modalities of the clip condition (Table II), all that it has by default; ``steps`` 1..1000 and
        ``guidance`` 0..20 default to the model's; ``takes``: how many, or which numbers. A take depends on its seed
        and number only: take k is the same alone and among others. ``raw``: neither colour nor level is matched
        (finish/matching.py). ``strokes``: the shapes of the envelope's events are made up; they become strokes of the reference
        sound, or, without one, of a sound that the model remembers and takes for the reference (not with ``raw``);
        ``track``: those events, where they are known. Raises UsageError, EnvelopeError."""
        numbers = self.take_numbers(takes)
        seed = check_whole("--seed", seed, *SEEDS)
        self.config.sampler.chosen(steps, guidance)  # refuses what cannot be, before anything is embedded
        if not isinstance(clip, Clip):
            raise UsageError("generate needs a Clip; read one from a file with read_clip, or make one")
        if not isinstance(envelope, Envelope):
            raise EnvelopeError("generate needs an Envelope; extract one from a sound, or make one from hits or a CSV")
        embeddings = self.references(clip)
        embeddings = embeddings.only(use if use is not None else embeddings.modalities)
        whose = self.whose_strokes(embeddings, raw) if strokes else "guide"
        results = []
        for index, number in enumerate(numbers):
            report = (
                None
                if on_step is None
                else lambda done, total, index=index: on_step(index * total + done, len(numbers) * total)
            )
            known, guide = self.played(embeddings, envelope, whose, number, track)
            sampler = self.sampler_for(known, raw).chosen(steps, guidance)
            results.append(self.synthesise(known, guide, clip.seconds, sampler, take_seed(seed, number), report, raw=raw))
        return tuple(results)

    def synthesise(
        self,
        embeddings: Embeddings,
        envelope: Envelope,
        seconds: float,
        sampler: SamplerConfig,
        seed: int,
        on_step: Callable[[int, int], None] | None = None,
        film: Film | None = None,
        raw: bool = False,
    ) -> Audio:
        """From points and envelope to the sound of one take.

        Clips longer than the training window are made of windows (windows.py), for which ``film`` tells cuts and points."""
        if seconds > self.config.seconds + LEEWAY:
            film = film or Film(lambda start, end: embeddings)
            return next(synthesise_long(self, film, envelope, seconds, sampler, [seed], on_step, raw=raw))
        condition = self.condition(embeddings, seconds)
        control = self.encode_envelope(envelope, seconds)
        denoise = guided(self.transformer, self.control_net, condition, control, sampler)
        with self.sampling(denoise, envelope, [embeddings], raw) as steered:
            latent = sample(steered, takes_noise(tuple(control.shape[1:]), [seed]), sampler, on_step, self.device)
        latent = latent if raw else self.detailed(latent, [embeddings])
        with self.in_use(self.autoencoder):
            sound = self.autoencoder.decode(latent, seed=seed)[0].float().cpu().numpy()
        pieces = [sound] if raw else list(self.finish(lambda: [sound], envelope, [embeddings]))
        return Audio(np.concatenate(pieces, axis=1), self.config.autoencoder.rate).trim(seconds)

    def finish(self, pieces: Pieces, envelope: Envelope, points: Sequence[Embeddings]) -> Iterable[np.ndarray]:
        """Decoded pieces with the colours of the reference sound and the level of the guide, where the model's config has a
        ``finish``; ``points``: of the clip, or of each of its windows. The colours are the measured ones where they have them,
        else one is read off the sound's point."""
        config, rate, bank = self.config.finish, self.config.autoencoder.rate, self.config.gram.audio
        if config is None:
            return pieces()

        def mean_of(measured: Literal["palette", "partials"]) -> np.ndarray | None:
            known = [getattr(embeddings, measured) for embeddings in points if getattr(embeddings, measured) is not None]
            return torch.cat(known).mean(0).cpu().numpy() if known else None

        colours = mean_of("palette")
        if colours is not None:
            return finished(pieces, rate, envelope, colours, mean_of("partials"), None, bank, config)
        colour = None
        sounds = [embeddings.audio for embeddings in points if embeddings.audio is not None]
        if bank.rate == rate and sounds and self.gram.colour is not None:
            with self.in_use(self.gram):
                colour = self.gram.colour(torch.cat(sounds))[:, : bank.mel].mean(0).cpu().numpy()
        return finished(pieces, rate, envelope, None, None, colour, bank, config)

    @staticmethod
    def take_numbers(takes: int | Iterable[int]) -> list[int]:
        if hasattr(takes, "__index__") and not np.ndim(takes) or not isinstance(takes, Iterable):  # a 0-d array is both
            return list(range(check_whole("--takes", takes, *TAKES)))
        numbers = [check_whole("take", number, 0, TAKES[1] - 1) for number in takes]
        if not numbers:
            raise UsageError("there is no take to make; give how many, or the number of one at least")
        return numbers


HALVED = ("transformer", "control_net")
"""Components that run in the chosen arithmetic; the others keep fp32."""

SHRUNK = (*HALVED, "vision", "audio", "text")
"""Components with 8-bit weights under int8."""


def load_predictor(source: str | Path, device: str = "auto") -> EnvelopePredictor | None:
    """The timing predictor of a model alone, ``source`` as for ``FoleyGRAM.load``; None where it has none. Raises
    ModelError."""
    where = pick_device(device)
    folder = find_folder(source)
    config = read_json(FoleyGRAMConfig, folder / "config.json")
    if config.timing is None:
        return None
    predictor = unloaded(config.name, lambda: EnvelopePredictor(config.timing))
    assign(predictor, find_weights(folder, "timing", config.weights.timing))
    return predictor.eval().requires_grad_(False).to(where)
