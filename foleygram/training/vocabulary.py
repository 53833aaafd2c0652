"""Stage 4: words that no caption holds. Not in the paper, whose text tower has read far more than ours.

The text side of a finished joint space learns what else is made of each material (data/vocabulary.py): a sentence about such
a thing has to come to lie where the captions of its kind lie. Captions have to stay where they are, so whatever was trained
on their points goes on to serve; what was trained on the states of the tower reads captions by the tower as it was. The
towers of sound and picture, their heads and the table of word pieces stay as they are. What is kept lies between the old
weights and the learned ones, which serves words that nobody taught better than either (WiSE-FT, Wortsman et al. 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from foleygram.config import Config, NotNegative, Positive, Share
from foleygram.data.vocabulary import UNHEARD, asked, request
from foleygram.gram.encoder import GramEncoder
from foleygram.gram.text import Tokens
from foleygram.hub.folder import read_tensors, write_tensors
from foleygram.training.loop import LoopConfig, Stage, Swapped

LEARNS = {"text": "text.encoder.", "heads": "contra_head_t."}
"""Which parameters learn, by the file that they lie in."""


class VocabularyTraining(Config):
    """Numbers of the vocabulary stage."""

    loop: LoopConfig = LoopConfig(
        steps=1400, batch=48, learning_rate=1e-4, warmup=50, decay="linear", weight_decay=0.01, ema=0.99, precision="fp32",
        validate_every=100,
    )  # fmt: skip
    head_share: Positive = 3.0  # learning rate of the head, as a share of the loop's
    plain: Share = 0.3  # share of requests in the sentences of the captions
    known: Share = 0.15  # share of requests with the captions' nouns
    kept_weight: NotNegative = 3.0  # of the distance of captions from where they were
    kind_weight: NotNegative = 0.3  # of telling the kind by the nearest key
    temperature: Positive = 0.07  # of telling the kind
    taken: Share = 0.875  # how far to go from the old weights to the learned ones


class VocabularyStage(Stage):
    """``texts``: captions, ``points`` [caption, dim]: where they lay before; ``kinds``: material and action of each row of
    ``keys`` [kind, dim], where the captions of a kind lie. Rows of a step: ``batch`` requests and as many captions."""

    losses = ("loss", "distance", "moved", "unknown")
    validation = ("valid_material", "valid_moved")

    def __init__(
        self, encoder: GramEncoder, config: VocabularyTraining, seed: int, folder: Path, texts: Sequence[str],
        points: Float[Tensor, "caption dim"], kinds: Sequence[tuple[str, str]], keys: Float[Tensor, "kind dim"],
        valid_texts: Sequence[str], valid_points: Float[Tensor, "validation dim"],
    ):  # fmt: skip
        super().__init__()
        self.encoder, self.config, self.seed, self.folder = encoder, config, seed, folder
        self.texts, self.points, self.kinds = texts, points, kinds
        self.valid_texts, self.valid_points = valid_texts, valid_points
        self.register_buffer("keys", keys, persistent=False)
        self.before: dict[str, Tensor] = {}
        for name, parameter in encoder.named_parameters():
            parameter.requires_grad_(name.startswith(tuple(LEARNS.values())))
            if parameter.requires_grad:
                self.before[name] = parameter.detach().clone()

    def train(self, mode: bool = True) -> VocabularyStage:
        super().train(False)  # sound and picture take no part
        self.encoder.text.train(mode)
        self.encoder.contra_head_t.train(mode)
        return self

    def share_of_rate(self, name: str) -> float:
        return self.config.head_share if ".contra_head_t." in name else 1.0

    def draw(self, step: int, row: int) -> tuple[str, int, int]:
        """A request, the number of its kind, and the number of a caption."""
        draw = np.random.default_rng([self.seed, step, row])
        kind = int(draw.integers(len(self.kinds)))
        said = request(*self.kinds[kind], draw, self.config.plain, self.config.known)
        return said, kind, int(draw.integers(len(self.texts)))

    def batch(self, step: int, rows: range, size: int) -> tuple[Tensor, ...]:
        """Word pieces and their mask, requests before captions, the kinds of the requests, and where the captions lay."""
        said, kinds, captions = zip(*(self.draw(step, row) for row in rows), strict=True)
        tokens = self.tokens([*said, *(self.texts[caption] for caption in captions)])
        return tokens.ids, tokens.mask, torch.tensor(kinds), self.points[list(captions)]

    def tokens(self, texts: Sequence[str]) -> Tokens:
        """Cut to the longest text: padding is half of what the tower would have to do."""
        tokens = self.encoder.tokens(list(texts))
        longest = int(tokens.mask.any(0).sum())
        return Tokens(tokens.ids[:, :longest], tokens.mask[:, :longest])

    def forward(
        self, ids: Int[Tensor, "text token"], mask: Bool[Tensor, "text token"], kinds: Int[Tensor, "request"],
        kept: Float[Tensor, "request dim"],
    ) -> Float[Tensor, "4"]:  # fmt: skip
        points = self.encoder.embed_features(text=self.encoder.text_features(Tokens(ids, mask))).text
        requests, captions = points.split(len(kinds))
        distance = (1 - (requests * self.keys[kinds]).sum(-1)).mean()
        moved = (1 - (captions * kept).sum(-1)).mean()
        unknown = F.cross_entropy(requests @ self.keys.T / self.config.temperature, kinds)
        loss = distance + self.config.kept_weight * moved + self.config.kind_weight * unknown
        return torch.stack([loss, distance, moved, unknown])

    @torch.no_grad()
    def taken(self) -> Swapped:
        """Within the block the encoder has the weights that are kept."""
        learned = {name: parameter for name, parameter in self.encoder.named_parameters() if name in self.before}
        between = {name: self.before[name].to(now).lerp(now, self.config.taken) for name, now in learned.items()}
        return Swapped(learned, between)

    def validate(self) -> Sequence[float]:
        """Share of the things that are not taught whose nearest key is of their material; how far the captions of the
        validation split have moved; with the weights that are kept."""
        actions = {material: [action for known, action in self.kinds if known == material] for material in UNHEARD}
        with self.taken():
            right = [
                self.kinds[nearest][0] == material
                for material, known in actions.items()
                if known
                for nearest in (self.encoder.embed_texts(asked(material, known)) @ self.keys.cpu().T).argmax(-1).tolist()
            ]
            moved = 1 - (self.encoder.embed_texts(self.valid_texts) * self.valid_points).sum(-1).mean()
        return float(np.mean(right)), float(moved)

    def export(self) -> None:
        with self.taken():
            learned = {key: value.half() for key, value in self.encoder.state_dict().items() if key in self.before}
        for name, prefix in LEARNS.items():
            path = self.folder / f"{name}.safetensors"
            write_tensors(path, read_tensors(path) | {key: learned[key] for key in learned if key.startswith(prefix)})
