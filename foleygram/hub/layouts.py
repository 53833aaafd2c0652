"""Foreign key maps: how the same tensors are called elsewhere, in both directions and without loss.

Stable Audio Open comes in the layout of stable-audio-tools (one file, fused projections) or of diffusers (our names);
GRAM comes as one pickle with VAST's prefixes. Nothing is dropped silently: what a map does not know must be on a named
list of ignorable keys, else it is listed and refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from foleygram.errors import ModelError

TRANSFORMER = "model.model."
CONTROL_NET = "model.controlnet."
AUTOENCODER = "pretransform.model."
CONDITIONER = "conditioner.conditioners."
INVERSE_FREQUENCIES = "transformer.rotary_pos_emb.inv_freq"

GRAM_PREFIXES = {"vision_encoder.visual.": "vision.", "audio_encoder.": "audio.", "multimodal_encoder.bert.": "text."}
GRAM_HEADS = tuple(f"contra_head_{letter}.linear.weight" for letter in "tva")

GRAM_PASSENGERS = {
    "CLIP text tower": r"vision_encoder\.(text\..*|logit_scale)",
    "masked-language head": r"multimodal_encoder\.cls\..*",
    "cross-attention": r"multimodal_encoder\.bert\..*\.crossattention\..*",
    "depth and subtitle heads": r"contra_head_(s|d|va|vs|vas)\..*",
    "matching head": r"itm_head\..*",
    "inputs of the matching head": r"(vision|audio|depth|subtitle)_(frame_embedding|type_embeddings)|hidden_trans_\w+\..*",
    "computed positions": r"multimodal_encoder\.bert\.embeddings\.(position_ids|token_type_ids)",
}
"""What a GRAM checkpoint carries besides the encoder; FoleyGRAM does not use it."""

Shape = Literal["same", "column", "flat"]


@dataclass(frozen=True)
class Entry:
    """One foreign key and ours. Several of ours: the foreign tensor holds them one above the other. ``shape``: the
    foreign one is a ``column`` [n, 1] where ours is [n], or ``flat`` [n] where ours is [1, n, 1]."""

    theirs: str
    ours: tuple[str, ...]
    shape: Shape = "same"


def transformer_entries(depth: int, control_net: bool = False) -> Iterator[Entry]:
    """stable-audio-tools' DiffusionTransformer, or stable-audio-controlnet's copy of its first ``depth`` blocks."""
    yield Entry("timestep_features.weight", ("time_proj.weight",), "column")
    for theirs, ours, biased in (
        ("to_timestep_embed", "timestep_proj", True),
        ("to_global_embed", "global_proj", False),
        ("to_cond_embed", "cross_attention_proj", False),
    ):
        for layer in (0, 2):
            for leaf in ("weight", "bias") if biased else ("weight",):
                yield Entry(f"{theirs}.{layer}.{leaf}", (f"{ours}.{layer}.{leaf}",))
    yield Entry("preprocess_conv.weight", ("preprocess_conv.weight",))
    yield Entry("transformer.project_in.weight", ("proj_in.weight",))
    if control_net:
        yield Entry("conv_in.weight", ("conv_in.weight",))
        for block in range(depth):
            yield Entry(f"conv_outs.{block}.weight", (f"conv_outs.{block}.weight",))
    else:
        yield Entry("transformer.project_out.weight", ("proj_out.weight",))
        yield Entry("postprocess_conv.weight", ("postprocess_conv.weight",))
    for block in range(depth):
        theirs, ours = f"transformer.layers.{block}", f"transformer_blocks.{block}"
        for number, norm in enumerate(("pre_norm", "cross_attend_norm", "ff_norm"), 1):
            yield Entry(f"{theirs}.{norm}.gamma", (f"{ours}.norm{number}.weight",))
            yield Entry(f"{theirs}.{norm}.beta", (f"{ours}.norm{number}.bias",))
        yield Entry(f"{theirs}.self_attn.to_qkv.weight", tuple(f"{ours}.attn1.to_{part}.weight" for part in "qkv"))
        yield Entry(f"{theirs}.cross_attn.to_q.weight", (f"{ours}.attn2.to_q.weight",))
        yield Entry(f"{theirs}.cross_attn.to_kv.weight", tuple(f"{ours}.attn2.to_{part}.weight" for part in "kv"))
        yield Entry(f"{theirs}.self_attn.to_out.weight", (f"{ours}.attn1.to_out.0.weight",))
        yield Entry(f"{theirs}.cross_attn.to_out.weight", (f"{ours}.attn2.to_out.0.weight",))
        for leaf in ("weight", "bias"):
            yield Entry(f"{theirs}.ff.ff.0.proj.{leaf}", (f"{ours}.ff.net.0.proj.{leaf}",))
            yield Entry(f"{theirs}.ff.ff.2.{leaf}", (f"{ours}.ff.net.2.{leaf}",))


def oobleck_entries(blocks: int) -> Iterator[Entry]:
    """The autoencoder of stable-audio-tools; ``blocks``: strides of each half."""

    def conv(theirs: str, ours: str, bias: bool = True) -> Iterator[Entry]:
        for leaf in ("weight_g", "weight_v", "bias") if bias else ("weight_g", "weight_v"):
            yield Entry(f"{theirs}.{leaf}", (f"{ours}.{leaf}",))

    def snake(theirs: str, ours: str) -> Iterator[Entry]:
        for leaf in ("alpha", "beta"):
            yield Entry(f"{theirs}.{leaf}", (f"{ours}.{leaf}",), "flat")

    def unit(theirs: str, ours: str) -> Iterator[Entry]:
        yield from snake(f"{theirs}.layers.0", f"{ours}.snake1")
        yield from conv(f"{theirs}.layers.1", f"{ours}.conv1")
        yield from snake(f"{theirs}.layers.2", f"{ours}.snake2")
        yield from conv(f"{theirs}.layers.3", f"{ours}.conv2")

    for half in ("encoder", "decoder"):
        yield from conv(f"{half}.layers.0", f"{half}.conv1")
        for block in range(blocks):
            theirs, ours = f"{half}.layers.{block + 1}.layers", f"{half}.block.{block}"
            if half == "encoder":
                for number in range(3):
                    yield from unit(f"{theirs}.{number}", f"{ours}.res_unit{number + 1}")
                yield from snake(f"{theirs}.3", f"{ours}.snake1")
                yield from conv(f"{theirs}.4", f"{ours}.conv1")
            else:
                yield from snake(f"{theirs}.0", f"{ours}.snake1")
                yield from conv(f"{theirs}.1", f"{ours}.conv_t1")
                for number in range(3):
                    yield from unit(f"{theirs}.{number + 2}", f"{ours}.res_unit{number + 1}")
        yield from snake(f"{half}.layers.{blocks + 1}", f"{half}.snake1")
        yield from conv(f"{half}.layers.{blocks + 2}", f"{half}.conv2", bias=half == "encoder")


def conditioner_entries(gram: bool) -> Iterator[Entry]:
    """The number conditioners, and with ``gram`` FoleyGRAM's three projections beside them."""
    for theirs, ours in (("seconds_start", "start_number_conditioner"), ("seconds_total", "end_number_conditioner")):
        for leaf in ("0.weights", "1.weight", "1.bias"):
            yield Entry(f"{theirs}.embedder.embedding.{leaf}", (f"{ours}.time_positional_embedding.{leaf}",))
    for modality in ("audio", "video", "text") if gram else ():
        for leaf in ("weight", "bias"):
            yield Entry(f"gram_{modality}.proj_out.{leaf}", (f"gram_{modality}.{leaf}",))


@dataclass(frozen=True, eq=False)
class StableAudioParts:
    """The parts of a Stable Audio checkpoint under our names; ``control_net`` and GRAM projections (in ``conditioner``)
    only where a FoleyGRAM was exported."""

    transformer: Mapping[str, Tensor]
    autoencoder: Mapping[str, Tensor]
    conditioner: Mapping[str, Tensor]
    control_net: Mapping[str, Tensor] | None = None


def from_stable_audio(state: Mapping[str, Tensor]) -> StableAudioParts:
    """From the layout of stable-audio-tools. Raises ModelError that lists what is missing and what is not known."""
    pieces = {prefix: {} for prefix in (TRANSFORMER, CONTROL_NET, AUTOENCODER, CONDITIONER)}
    stray = []
    for key, tensor in state.items():
        prefix = next((prefix for prefix in pieces if key.startswith(prefix)), None)
        if prefix is None:
            stray.append(key)
        else:
            pieces[prefix][_old_weight_norm(key.removeprefix(prefix))] = tensor
    refuse(f"a Stable Audio checkpoint ({TRANSFORMER}..., {AUTOENCODER}..., {CONDITIONER}...)", [], stray, [])
    networks = {}
    for prefix in (TRANSFORMER, CONTROL_NET):
        piece = pieces[prefix]
        if prefix == CONTROL_NET:
            piece.pop("transformer.project_out.weight", None)  # the reference builds both and never uses them
            piece.pop("postprocess_conv.weight", None)
        piece.pop(INVERSE_FREQUENCIES, None)  # computed
        depth = count_of(piece, r"transformer\.layers\.(\d+)\.")
        networks[prefix] = (
            forward(piece, transformer_entries(depth, prefix == CONTROL_NET), "Stable Audio")
            if piece or prefix == TRANSFORMER
            else None
        )
    blocks = count_of(pieces[AUTOENCODER], r"encoder\.layers\.(\d+)\.layers\.")
    gram = any(key.startswith("gram_") for key in pieces[CONDITIONER])
    return StableAudioParts(
        networks[TRANSFORMER],
        forward(pieces[AUTOENCODER], oobleck_entries(max(0, blocks - 1)), "Stable Audio"),
        forward(pieces[CONDITIONER], conditioner_entries(gram), "Stable Audio"),
        networks[CONTROL_NET],
    )


def to_stable_audio(parts: StableAudioParts) -> dict[str, Tensor]:
    """Back to the layout of stable-audio-tools, with the inverse frequencies that its transformer keeps."""
    state: dict[str, Tensor] = {}
    for prefix, part in ((TRANSFORMER, parts.transformer), (CONTROL_NET, parts.control_net)):
        if part is None:
            continue
        depth = count_of(part, r"transformer_blocks\.(\d+)\.")
        state |= _prefixed(prefix, backward(part, transformer_entries(depth, prefix == CONTROL_NET)))
        state[prefix + INVERSE_FREQUENCIES] = inverse_frequencies()
    blocks = count_of(parts.autoencoder, r"encoder\.block\.(\d+)\.")
    state |= _prefixed(AUTOENCODER, backward(parts.autoencoder, oobleck_entries(blocks)))
    gram = any(key.startswith("gram_") for key in parts.conditioner)
    return state | _prefixed(CONDITIONER, backward(parts.conditioner, conditioner_entries(gram)))


def inverse_frequencies(dim: int = 32) -> Tensor:
    """Of the rotary positions: half of a head of 64."""
    return 1.0 / (10000 ** (torch.arange(0, dim, 2).float() / dim))


def forward(state: Mapping[str, Tensor], entries: Iterable[Entry], what: str) -> dict[str, Tensor]:
    """Foreign tensors under our names. Raises ModelError for missing and unknown keys."""
    entries = list(entries)
    known = {entry.theirs for entry in entries}
    refuse(what, sorted(known - state.keys()), sorted(state.keys() - known), [])
    ours: dict[str, Tensor] = {}
    for entry in entries:
        tensor = state[entry.theirs]
        if tensor.shape[0] % len(entry.ours):
            refuse(what, [], [], [f"{entry.theirs} is {tuple(tensor.shape)}, which is not {len(entry.ours)} parts"])
        if entry.shape == "column":
            tensor = tensor.reshape(-1)
        elif entry.shape == "flat":
            tensor = tensor.reshape(1, -1, 1)
        ours.update(zip(entry.ours, tensor.chunk(len(entry.ours)), strict=True))
    return ours


def backward(state: Mapping[str, Tensor], entries: Iterable[Entry]) -> dict[str, Tensor]:
    """Our tensors under foreign names: the inverse of :func:`forward`."""
    entries = list(entries)
    known = {name for entry in entries for name in entry.ours}
    refuse("the parts to export", sorted(known - state.keys()), sorted(state.keys() - known), [])
    theirs: dict[str, Tensor] = {}
    for entry in entries:
        tensor = torch.cat([state[name] for name in entry.ours]) if len(entry.ours) > 1 else state[entry.ours[0]]
        theirs[entry.theirs] = {"same": tensor, "column": tensor.reshape(-1, 1), "flat": tensor.reshape(-1)}[entry.shape]
    return theirs


@dataclass(frozen=True, eq=False)
class GramParts:
    """``encoder``: tensors under our names; ``passengers``: the rest under its own names, on the list of ignorables."""

    encoder: Mapping[str, Tensor]
    passengers: Mapping[str, Tensor]

    def ignored(self) -> tuple[str, ...]:
        """Names of the groups that were left behind, with their number of tensors."""
        counts = {name: sum(bool(re.fullmatch(rule, key)) for key in self.passengers) for name, rule in GRAM_PASSENGERS.items()}
        return tuple(f"{name} ({count})" for name, count in counts.items() if count)


def from_gram(state: Mapping[str, Tensor]) -> GramParts:
    """From the pickle of ispamm/GRAM or TXH-mercury/VAST, with the renaming that its own loader does.

    Raises ModelError that lists unknown keys and missing heads."""
    encoder: dict[str, Tensor] = {}
    passengers: dict[str, Tensor] = {}
    unknown = []
    for foreign, tensor in state.items():
        key = gram_key(foreign)
        tensor = tensor.float() if tensor.is_floating_point() else tensor
        prefix = next((prefix for prefix in GRAM_PREFIXES if key.startswith(prefix)), None)
        if any(re.fullmatch(rule, key) for rule in GRAM_PASSENGERS.values()):
            passengers[key] = tensor
        elif prefix is not None:
            encoder[GRAM_PREFIXES[prefix] + key.removeprefix(prefix)] = tensor
        elif key in GRAM_HEADS or key == "contra_temp":
            encoder[key] = tensor
        else:
            unknown.append(foreign)
    missing = [key for key in (*GRAM_HEADS, "contra_temp") if key not in encoder]
    missing += [f"{prefix}..." for prefix, ours in GRAM_PREFIXES.items() if not any(key.startswith(ours) for key in encoder)]
    refuse("a GRAM checkpoint", missing, unknown, [])
    return GramParts(encoder, passengers)


def to_gram(parts: GramParts) -> dict[str, Tensor]:
    """Back to GRAM's names."""
    state = dict(parts.passengers)
    for key, tensor in parts.encoder.items():
        theirs = next((theirs for theirs, ours in GRAM_PREFIXES.items() if key.startswith(ours)), None)
        state[key if theirs is None else theirs + key.removeprefix(GRAM_PREFIXES[theirs])] = tensor
    return state


def gram_key(key: str) -> str:
    """The renaming of GRAM's own loader: no ``module.``, then the first rule that fits."""
    key = key.replace("module.", "")
    for old, new in (("video", "vision"), ("evaclip_model", "vision_encoder"), ("clip_model", "vision_encoder")):
        if old in key:
            return key.replace(old, new)
    return key


def stretched_frames(embedding: Tensor, frames: int) -> Tensor:
    """A frame embedding [1, n, width] for another number of frames: nearest neighbour, as GRAM's loader does it."""
    if embedding.shape[1] == frames:
        return embedding
    return torch.nn.functional.interpolate(embedding.float().mT, frames, mode="nearest").mT.contiguous()


def resized_positions(embedding: Tensor, places: int) -> Tensor:
    """EVA's positions [1, 1 + n * n, width] for another resolution: bilinear on the grid, as GRAM's loader does it; the
    class token keeps its own. ``places``: 1 + m * m."""
    if embedding.shape[1] == places:
        return embedding
    old, new = (round((count - 1) ** 0.5) for count in (embedding.shape[1], places))
    if old * old + 1 != embedding.shape[1] or new * new + 1 != places:
        raise ModelError(
            f"the checkpoint has {embedding.shape[1]} picture positions, which is not a square grid and one; take another"
        )
    grid = embedding[:, 1:].float().mT.unflatten(-1, (old, old))
    grid = torch.nn.functional.interpolate(grid, (new, new), mode="bilinear", align_corners=False)
    return torch.cat([embedding[:, :1].float(), grid.flatten(2).mT], dim=1)


def check_shapes(what: str, state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Names and shapes of a whole component. Raises ModelError that lists missing, unexpected and differing tensors."""
    wrong = [
        f"{key} is {tuple(state[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in expected
        if key in state and state[key].shape != expected[key].shape
    ]
    refuse(what, sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys()), wrong)


def refuse(what: str, missing: list[str], unknown: list[str], wrong: list[str]) -> None:
    """Raises ModelError where any of the lists holds something: one line, at most four of each."""
    complaints = []
    for label, keys in (("missing", missing), ("unknown", unknown), ("", wrong)):
        if keys:
            more = f" and {len(keys) - 4} more" if len(keys) > 4 else ""
            complaints.append(f"{label} {', '.join(keys[:4])}{more}".strip())
    if complaints:
        raise ModelError(f"not the tensors of {what}: {'; '.join(complaints)}; take the checkpoint of this architecture")


def count_of(state: Iterable[str], pattern: str) -> int:
    """One more than the highest number that ``pattern`` finds at the start of a key; 0 without any."""
    found = [int(match[1]) for match in (re.match(pattern, key) for key in state) if match]
    return max(found, default=-1) + 1


def _old_weight_norm(key: str) -> str:
    """Newer versions of torch call the two parts of a weight norm differently."""
    return key.replace("parametrizations.weight.original0", "weight_g").replace("parametrizations.weight.original1", "weight_v")


def _prefixed(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + key: tensor for key, tensor in state.items()}
