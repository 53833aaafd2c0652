"""A smaller vocabulary for a pretrained text tower: proper names and foreign scripts leave, common words stay.

WordPiece spells every word that is not in its vocabulary with pieces, so a trimmed tower still reads any English text.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from torch import Tensor

from foleygram.errors import ModelError

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def trim_vocabulary(definition: str, embedding: Tensor, words: Collection[str], first: int = 6000) -> tuple[str, Tensor]:
    """``definition``: a WordPiece tokenizer.json; ``embedding`` [piece, width]; ``words``: lower-case words to keep.

    Kept are the special pieces, ASCII continuation pieces, single characters, the ``first`` pieces that are ASCII (the
    vocabulary is sorted by frequency) and ``words``. Returns the new definition and embedding rows, in the old order."""
    content = json.loads(definition)
    if content.get("model", {}).get("type") != "WordPiece":
        raise ModelError("only a WordPiece tokenizer.json can be trimmed; give the one of a BERT")
    pieces = sorted(content["model"]["vocab"].items(), key=lambda item: item[1])
    ordinary = [piece for piece, _ in pieces if piece.isascii() and not piece.startswith("[")]
    keep = {
        *SPECIAL,
        *ordinary[:first],
        *(p for p in ordinary if p.startswith("##") or len(p) == 1),
        *(set(ordinary) & set(words)),
    }
    rows = [index for piece, index in pieces if piece in keep]
    vocabulary = {piece: place for place, (piece, _) in enumerate((p, i) for p, i in pieces if p in keep)}
    content["model"]["vocab"] = vocabulary
    for added in content.get("added_tokens", []):
        added["id"] = vocabulary[added["content"]]
    processor = content.get("post_processor") or {}
    for special in processor.get("special_tokens", {}).values():
        special["ids"] = [vocabulary[token] for token in special["tokens"]]
    content["padding"] = content["truncation"] = None
    return json.dumps(content, ensure_ascii=False), embedding[rows].clone()
