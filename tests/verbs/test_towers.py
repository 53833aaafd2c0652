import json

import pytest
import small
import torch

from foleygram.errors import ModelError
from foleygram.gram.text import Tokenizer
from foleygram.gram.vision import _LITE0_CONVS, EfficientNetConfig, EfficientNetLite0
from foleygram.hub.folder import read_tensors, write_tensors
from foleygram.verbs.towers import import_efficientnet_lite0, import_minilm, import_tower

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def whole():
    return small.model()


def part(whole, name):
    return {key: value for key, value in whole.gram.state_dict().items() if key.startswith(f"{name}.")}


def test_eva_as_published(whole, tmp_path):
    state = {f"visual.{key.removeprefix('vision.')}": value.half() for key, value in part(whole, "vision").items()}
    torch.save(state | {"text.ln.weight": torch.zeros(2), "logit_scale": torch.zeros(())}, tmp_path / "eva.pt")
    report = import_tower("eva", tmp_path / "eva.pt", tmp_path / "model", small.CONFIG)
    assert report.ignored == ("other parts of the checkpoint (2)",)
    read = read_tensors(tmp_path / "model" / "vision.safetensors")
    assert read.keys() == part(whole, "vision").keys() and read["vision.norm.weight"].dtype == torch.float32


def test_beats_as_published(whole, tmp_path):
    state = {key.removeprefix("audio."): value for key, value in part(whole, "audio").items()}
    torch.save({"cfg": {"encoder_layers": 2}, "model": state}, tmp_path / "beats.pt")
    import_tower("beats", tmp_path / "beats.pt", tmp_path / "model", small.CONFIG)
    read = read_tensors(tmp_path / "model" / "audio.safetensors")
    assert all(torch.equal(read[key], value) for key, value in part(whole, "audio").items())


def test_bert_as_published(whole, tmp_path):
    state = {f"bert.{key.removeprefix('text.')}": value for key, value in part(whole, "text").items()}
    state = {
        key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for key, value in state.items()
    }
    state |= {"cls.predictions.bias": torch.zeros(2), "bert.pooler.dense.bias": torch.zeros(2)}
    write_tensors(tmp_path / "bert.safetensors", state)
    import_tower("bert", tmp_path / "bert.safetensors", tmp_path / "model", small.CONFIG)
    assert read_tensors(tmp_path / "model" / "text.safetensors").keys() == part(whole, "text").keys()


def test_another_tower_is_refused(whole, tmp_path):
    torch.save({key.removeprefix("text."): value for key, value in part(whole, "text").items()}, tmp_path / "bert.pt")
    with pytest.raises(ModelError, match="not the tensors of the tower beats"):
        import_tower("beats", tmp_path / "bert.pt", tmp_path / "model", small.CONFIG)


def published_lite0() -> dict[str, torch.Tensor]:
    """The names of ml-illustrated's port, with batch norms that change nothing."""
    ours = EfficientNetLite0(EfficientNetConfig()).state_dict()
    state = {"_fc.weight": torch.randn(1000, 1280), "_fc.bias": torch.randn(1000)}
    for conv, (name, norm) in _LITE0_CONVS.items():
        if f"{name}.weight" in ours:
            weight, bias = ours[f"{name}.weight"], ours[f"{name}.bias"]
            state[f"{conv}.weight"] = weight
            state |= {
                f"{norm}.weight": torch.ones_like(bias),
                f"{norm}.bias": bias,
                f"{norm}.running_mean": torch.zeros_like(bias),
            }
            state[f"{norm}.running_var"] = torch.full_like(bias, 1 - 1e-3)
    return state


def test_efficientnet_becomes_the_vision_tower(tmp_path):
    state = published_lite0()
    torch.save(state, tmp_path / "lite0.pth")
    import_efficientnet_lite0(tmp_path / "lite0.pth", tmp_path / "model")
    read = read_tensors(tmp_path / "model" / "vision.safetensors")
    torch.testing.assert_close(read["vision.stem.weight"].float(), state["_conv_stem.weight"], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(read["vision.classifier.bias"].float(), state["_fc.bias"], rtol=1e-3, atol=1e-4)
    half_a_step = state["_fc.weight"].abs().amax(1, keepdim=True) / 254  # they lie in 8 bits, rounded to 16 before
    assert ((read["vision.classifier.weight"] - state["_fc.weight"]).abs() <= 1.2 * half_a_step).all()
    del state["_bn0.running_var"]
    torch.save(state, tmp_path / "lite0.pth")
    with pytest.raises(ModelError, match="no _bn0.running_var"):
        import_efficientnet_lite0(tmp_path / "lite0.pth", tmp_path / "model")


def test_minilm_becomes_the_text_tower(tmp_path):
    from foleygram.gram.text import Bert, BertConfig

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "wood", "metal", "##al", "löffel", "zebra"]
    config = BertConfig.minilm(6).replace(vocabulary=len(pieces))
    state = Bert(config).state_dict() | {"pooler.dense.weight": torch.zeros(2, 2)}
    folder = tmp_path / "minilm"
    write_tensors(folder / "model.safetensors", state)
    (folder / "tokenizer.json").write_text(Tokenizer("\n".join(pieces), config).content)
    import_minilm(folder, tmp_path / "model", words=["zebra"])
    read = read_tensors(tmp_path / "model" / "text.safetensors")
    definition = (tmp_path / "model" / "tokenizer.json").read_text()
    kept = json.loads(definition)["model"]["vocab"]
    assert "löffel" not in kept and "zebra" in kept
    table = read["text.embeddings.word_embeddings.weight"]
    old = state["embeddings.word_embeddings.weight"]
    zebra = old[pieces.index("zebra")]
    assert len(table) == len(kept)
    torch.testing.assert_close(table[kept["zebra"]], zebra, atol=zebra.abs().max().item() / 240, rtol=0)
    assert read["text.embeddings.position_embeddings.weight"].shape == (64, 384)
    assert "text.encoder.layer.3.output.dense.bias" in read and not any("layer.4" in key or "pooler" in key for key in read)
    write_tensors(folder / "model.safetensors", {"x": torch.zeros(1)})
    with pytest.raises(ModelError, match="not the tensors of MiniLM"):
        import_minilm(folder, tmp_path / "model")
