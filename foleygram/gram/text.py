"""The text tower: a BERT that loads BERT-base-uncased (full) and all-MiniLM-L6-v2 (mini), and its tokenizer.

Parameter names are those of transformers' BertModel without pooler. Attention is bidirectional: the reference builds its
BERT as a decoder, but its patched mask is not causal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import model_validator
from torch import Tensor, nn

from foleygram.config import Chance, Config, Count, check_heads
from foleygram.errors import ModelError


class BertConfig(Config):
    """Defaults: BERT-base-uncased as GRAM uses it."""

    vocabulary: Count = 30522  # word pieces
    positions: Count = 512  # rows of the position table; at least max_length
    width: Count = 768
    layers: Count = 12
    heads: Count = 12
    hidden: Count = 3072  # of the feed-forward part
    dropout: Chance = 0.1  # training only
    pool: Literal["cls", "mean"] = "cls"  # first token (GRAM), or mean over the text's tokens (MiniLM)
    max_length: Count = 40  # tokens with [CLS] and [SEP]

    @model_validator(mode="after")
    def sizes_fit(self) -> Self:
        check_heads(self.width, self.heads)
        if self.positions < self.max_length:
            raise ValueError(f"positions {self.positions} are fewer than max_length {self.max_length}")
        return self

    @classmethod
    def minilm(cls, layers: int = 6) -> "BertConfig":
        """all-MiniLM-L6-v2, or what :func:`keep_layers` leaves of it."""
        return cls(width=384, layers=layers, hidden=1536, pool="mean")


@dataclass(frozen=True, eq=False)
class Tokens:
    """Tokenized texts. ``ids``: word pieces; ``mask``: True on text, False on padding."""

    ids: Int[Tensor, "batch token"]
    mask: Bool[Tensor, "batch token"]

    def to(self, device: torch.device | str) -> "Tokens":
        return Tokens(self.ids.to(device), self.mask.to(device))


@dataclass(frozen=True, eq=False)
class TextStates:
    """What the text tower gives. ``states``: of every token; ``mask``: as in :class:`Tokens`; ``pooled``: the feature."""

    states: Float[Tensor, "batch token width"]
    mask: Bool[Tensor, "batch token"]
    pooled: Float[Tensor, "batch width"]


class Bert(nn.Module):
    """Post-norm transformer of Devlin et al. (2018), LayerNorm eps 1e-12, exact GELU, no pooler layer."""

    def __init__(self, config: BertConfig):
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.apply(_initialise)

    def forward(self, tokens: Tokens) -> TextStates:
        x = self.embeddings(tokens.ids)
        for layer in self.encoder.layer:
            x = layer(x, tokens.mask)
        return TextStates(x, tokens.mask, self._pool(x, tokens.mask))

    def _pool(self, x: Float[Tensor, "batch token width"], mask: Bool[Tensor, "batch token"]) -> Float[Tensor, "batch width"]:
        if self.config.pool == "cls":
            return x[:, 0]
        weight = mask[..., None].to(x.dtype)
        return (x * weight).sum(1) / weight.sum(1)


class _Embeddings(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocabulary, config.width)
        self.position_embeddings = nn.Embedding(config.positions, config.width)
        self.token_type_embeddings = nn.Embedding(2, config.width)  # row 0 for every token: there is one sentence
        self.LayerNorm = nn.LayerNorm(config.width, eps=1e-12)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, ids: Int[Tensor, "batch token"]) -> Float[Tensor, "batch token width"]:
        place = self.position_embeddings.weight[: ids.shape[1]]
        return self.dropout(self.LayerNorm(self.word_embeddings(ids) + place + self.token_type_embeddings.weight[0]))


class _Layer(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.attention = _Attention(config)
        self.intermediate = nn.Module()
        self.intermediate.dense = nn.Linear(config.width, config.hidden)
        self.output = _Residual(config.hidden, config)

    def forward(self, x: Float[Tensor, "batch token width"], mask: Bool[Tensor, "batch token"]) -> Tensor:
        x = self.attention(x, mask)
        return self.output(F.gelu(self.intermediate.dense(x)), x)


class _Attention(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.self = nn.Module()
        for name in ("query", "key", "value"):
            setattr(self.self, name, nn.Linear(config.width, config.width))
        self.output = _Residual(config.width, config)

    def forward(self, x: Float[Tensor, "batch token width"], mask: Bool[Tensor, "batch token"]) -> Tensor:
        query, key, value = (
            projection(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for projection in (self.self.query, self.self.key, self.self.value)
        )
        mixed = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask[:, None, None], dropout_p=self.dropout if self.training else 0.0
        )
        return self.output(mixed.transpose(1, 2).flatten(2), x)


class _Residual(nn.Module):
    """The second projection of a part, added to the part's input and normalised."""

    def __init__(self, inner: int, config: BertConfig):
        super().__init__()
        self.dense = nn.Linear(inner, config.width)
        self.LayerNorm = nn.LayerNorm(config.width, eps=1e-12)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, inner: Tensor, residual: Float[Tensor, "batch token width"]) -> Float[Tensor, "batch token width"]:
        return self.LayerNorm(self.dropout(self.dense(inner)) + residual)


def keep_layers(state: dict[str, Tensor], layers: Sequence[int]) -> dict[str, Tensor]:
    """State of a shorter :class:`Bert`: the named layers in the given order, counted from 0, all else as it was.

    For MiniLM the last layer should stay: of 50 synonyms of Foley materials in 6 phrasings, none of them used to choose the
    layers, the nearest of 21 materials was right for 44 % with layers 0 1 2 3, 61 % with 0 1 4 5, 63 % with all six.
    Raises ModelError for a layer that the state does not have."""
    prefix = "encoder.layer."
    kept = {key: value for key, value in state.items() if not key.startswith(prefix)}
    for new, old in enumerate(layers):
        names = [key for key in state if key.startswith(f"{prefix}{old}.")]
        if not names:
            raise ModelError(f"these weights have no layer {old}; name layers that the checkpoint holds")
        kept |= {key.replace(f"{prefix}{old}.", f"{prefix}{new}.", 1): state[key] for key in names}
    return kept


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)


class Tokenizer:
    """Texts to word pieces: lower case, [CLS] ... [SEP], cut and padded to ``config.max_length``.

    ``definition``: the content of a ``tokenizer.json`` (library tokenizers) or of a ``vocab.txt``, one piece a line.
    Raises ModelError where it is neither, or has another number of pieces than the tower."""

    def __init__(self, definition: str, config: BertConfig):
        import tokenizers

        if definition.lstrip().startswith("{"):
            try:
                self._tokenizer = tokenizers.Tokenizer.from_str(definition)
            except Exception as error:  # the library raises bare Exception for a malformed file
                raise ModelError(f"not a tokenizer.json ({error}); restore the file from its source") from error
        else:
            self._tokenizer = _uncased_word_piece(definition)
        size = self._tokenizer.get_vocab_size()
        if size != config.vocabulary:
            raise ModelError(
                f"the tokenizer has {size} word pieces, the text tower {config.vocabulary}; take the file of this tower"
            )
        padding = self._tokenizer.token_to_id("[PAD]")
        self._tokenizer.enable_truncation(config.max_length)
        self._tokenizer.enable_padding(length=config.max_length, pad_id=padding, pad_token="[PAD]")

    @property
    def content(self) -> str:
        """The ``tokenizer.json`` of this tokenizer."""
        return self._tokenizer.to_str()

    def __call__(self, texts: list[str]) -> Tokens:
        """``ids`` and ``mask`` [text, max_length]; a text that is too long loses its end."""
        encoded = self._tokenizer.encode_batch(texts)
        ids = torch.tensor([entry.ids for entry in encoded])
        return Tokens(ids, torch.tensor([entry.attention_mask for entry in encoded], dtype=torch.bool))

    def is_strange(self, text: str) -> bool:
        """Whether most of its words are unknown, as in another script; signs without letters do not count."""
        encoded = self._tokenizer.encode(text)
        written = [
            piece for piece, (start, end) in zip(encoded.tokens, encoded.offsets, strict=True) if has_letter(text[start:end])
        ]
        return 2 * written.count("[UNK]") > len(written)

    def unread(self, text: str) -> str:
        """The end of a text that is too long, which nobody reads; empty where all of it is read."""
        entry = self._tokenizer.encode(text)
        return text[max(end for _, end in entry.offsets) :].strip() if entry.overflowing else ""


def has_letter(text: str) -> bool:
    """Whether a text holds a letter of any script."""
    return any(sign.isalpha() for sign in text)


def _uncased_word_piece(vocabulary: str):
    """The tokenizer of BERT-base-uncased from its word pieces."""
    from tokenizers import Tokenizer as Pieces
    from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

    ids = {piece: number for number, piece in enumerate(vocabulary.splitlines())}
    missing = [piece for piece in ("[PAD]", "[UNK]", "[CLS]", "[SEP]") if piece not in ids]
    if missing:
        raise ModelError(f"the vocabulary lacks {' '.join(missing)}; it is not a BERT vocab.txt, restore it from its source")
    tokenizer = Pieces(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    return tokenizer
