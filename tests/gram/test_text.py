import json

import pytest
import torch

from foleygram.errors import ModelError
from foleygram.gram.text import Bert, BertConfig, Tokenizer, Tokens, keep_layers

from .golden import BERT, padded_tokens, randomise

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "person", "hits", "wood", "##en", "cafe", ".", "stick"]
SMALL = BERT.replace(vocabulary=len(PIECES), max_length=8)


@pytest.fixture
def bert() -> Bert:
    return randomise(Bert(BERT), 1)


@torch.no_grad()
@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_equals_transformers(pool):
    transformers = pytest.importorskip("transformers")
    ours, tokens = randomise(Bert(BERT.replace(pool=pool)), 1), padded_tokens()
    theirs = transformers.BertModel(
        transformers.BertConfig(
            vocab_size=BERT.vocabulary, max_position_embeddings=BERT.positions, hidden_size=BERT.width,
            num_hidden_layers=BERT.layers, num_attention_heads=BERT.heads, intermediate_size=BERT.hidden,
        ),
        add_pooling_layer=False,
    ).eval()  # fmt: skip
    theirs.load_state_dict(ours.state_dict())
    expected = theirs(input_ids=tokens.ids, attention_mask=tokens.mask.long()).last_hidden_state
    result = ours(tokens)
    torch.testing.assert_close(result.states, expected, rtol=1e-4, atol=1e-5)
    if pool == "cls":
        pooled = expected[:, 0]
    else:
        pooled = torch.stack([row[mask].mean(0) for row, mask in zip(expected, tokens.mask, strict=True)])
    torch.testing.assert_close(result.pooled, pooled, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_padding_does_not_matter(pool):
    bert = randomise(Bert(BERT.replace(pool=pool)), 1)
    padded = padded_tokens()
    alone = bert(Tokens(padded.ids[1:2, :7], padded.mask[1:2, :7]))
    torch.testing.assert_close(bert(padded).pooled[1:2], alone.pooled, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_attention_looks_both_ways(bert):
    """A decoder's [CLS] would not see what follows it."""
    tokens = padded_tokens()
    other = tokens.ids.clone()
    other[0, -1] = (other[0, -1] + 1) % BERT.vocabulary
    assert not torch.allclose(bert(tokens).pooled[0], bert(Tokens(other, tokens.mask)).pooled[0])


def test_dropout_acts_in_training_only(bert):
    tokens = padded_tokens()
    assert torch.equal(bert(tokens).pooled, bert(tokens).pooled)
    assert not torch.equal(bert.train()(tokens).pooled, bert(tokens).pooled)


def test_kept_layers_are_renumbered_and_nothing_else_changes(bert):
    short = Bert(BERT.replace(layers=2))
    short.load_state_dict(keep_layers(bert.state_dict(), (0, 2)))
    bert.encoder.layer = bert.encoder.layer[::2]
    tokens = padded_tokens()
    assert torch.equal(short.eval()(tokens).states, bert(tokens).states)


def test_layer_that_is_not_there_is_named(bert):
    with pytest.raises(ModelError, match="no layer 3"):
        keep_layers(bert.state_dict(), (0, 3))


def test_minilm_shapes():
    with torch.device("meta"):
        small = Bert(BertConfig.minilm(layers=4))
    assert sum(parameter.numel() for parameter in small.parameters()) == 19_016_448
    assert small.embeddings.word_embeddings.weight.shape == (30522, 384)
    assert small.encoder.layer[3].intermediate.dense.weight.shape == (1536, 384)


def test_tokens_of_a_vocabulary():
    tokens = Tokenizer("\n".join(PIECES) + "\n", SMALL)(["A person hits Wooden.", "", "café xyz"])
    assert tokens.ids.tolist() == [[2, 5, 6, 7, 8, 9, 11, 3], [2, 3, 0, 0, 0, 0, 0, 0], [2, 10, 1, 3, 0, 0, 0, 0]]
    assert tokens.mask.sum(1).tolist() == [8, 2, 4] and tokens.mask.dtype == torch.bool


def test_long_text_loses_its_end_but_keeps_the_separator():
    tokens = Tokenizer("\n".join(PIECES), SMALL)(["wood " * 50])
    assert tokens.ids.tolist() == [[2, 8, 8, 8, 8, 8, 8, 3]]


def test_the_end_that_nobody_reads_is_told():
    tokenizer = Tokenizer("\n".join(PIECES), SMALL)
    assert tokenizer.unread("a person hits wooden wood") == ""
    assert tokenizer.unread("a Person hits wooden wood, a stick hits.") == ", a stick hits."
    assert tokenizer.unread("") == ""


def test_another_script_is_strange():
    tokenizer = Tokenizer("\n".join(PIECES), SMALL)
    for text in ("шаги", "a шаги по", "日本語"):
        assert tokenizer.is_strange(text)
    for text in ("a person hits шаги", "wood 🌧️ 👣", "木 wood", "wooden", "🔨", ""):
        assert not tokenizer.is_strange(text)


def test_tokenizer_round_trip_through_its_content():
    tokenizer = Tokenizer("\n".join(PIECES), SMALL)
    again = Tokenizer(tokenizer.content, SMALL)
    text = ["a wooden stick hits a cafe"]
    assert json.loads(again.content)["model"]["type"] == "WordPiece"
    assert torch.equal(again(text).ids, tokenizer(text).ids)


def test_tokenizer_must_fit_the_tower():
    with pytest.raises(ModelError, match="13 word pieces, the text tower 200"):
        Tokenizer("\n".join(PIECES), BERT)


def test_file_that_is_no_vocabulary_is_named_as_such():
    with pytest.raises(ModelError, match=r"lacks \[PAD\]"):
        Tokenizer("a\nb\n", SMALL)
    with pytest.raises(ModelError, match="not a tokenizer.json"):
        Tokenizer('{"version": 1}', SMALL)
