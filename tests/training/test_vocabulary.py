"""The vocabulary stage: new words come to the keys, captions stay, and nothing else of the model moves."""

import numpy as np
import pytest
import torch
from tiny import tiny_model

from foleygram.data.vocabulary import OBJECTS, asked
from foleygram.hub.folder import read_tensors
from foleygram.training.loop import LoopConfig, run
from foleygram.training.vocabulary import LEARNS, VocabularyStage, VocabularyTraining

CAPTIONS = ("A person hits wood.", "A person hits metal.", "Someone scratches glass.")
KINDS = (("wood", "hit"), ("metal", "hit"), ("glass", "scratch"))


@pytest.fixture
def folder(tmp_path):
    return tiny_model().save(tmp_path / "run")


def stage_of(folder, **changes) -> VocabularyStage:
    encoder = tiny_model().gram
    with torch.no_grad():
        points = encoder.embed_features(text=encoder.text_features(encoder.tokens(list(CAPTIONS)))).text
    keys = torch.linalg.qr(torch.randn(points.shape[1], len(KINDS), generator=torch.Generator().manual_seed(0)))[0].T
    config = VocabularyTraining(loop=LoopConfig(steps=30, batch=6, learning_rate=3e-3, ema=0.9, precision="fp32"), **changes)
    return VocabularyStage(encoder, config, 0, folder, CAPTIONS, points, KINDS, keys, CAPTIONS, points)


def test_a_step_is_a_function_of_its_number(folder):
    stage = stage_of(folder)
    whole, again = stage.batch(3, range(6), 6), stage.batch(3, range(6), 6)
    assert all(torch.equal(one, other) for one, other in zip(whole, again, strict=True))
    ids, mask, kinds, kept = stage.batch(3, range(2, 4), 6)
    assert ids.shape[0] == mask.shape[0] == 4 and torch.equal(kinds, whole[2][2:4]) and torch.equal(kept, whole[3][2:4])
    assert mask.any(0).all(), "padding that no text needs"
    assert not all(torch.equal(one, other) for one, other in zip(stage.batch(4, range(6), 6)[2:], whole[2:], strict=True))


def test_values_are_what_they_are_called(folder):
    stage = stage_of(folder, kept_weight=2.0, kind_weight=0.5, temperature=0.1).eval()
    ids, mask, kinds, kept = stage.batch(0, range(4), 4)
    with torch.no_grad():
        assert float(stage(ids, mask, kinds, kept)[2]) == pytest.approx(0, abs=1e-5), "captions lie where they lay"
        stage.encoder.contra_head_t.linear.weight += torch.randn(stage.encoder.contra_head_t.linear.weight.shape)
        loss, distance, moved, unknown = stage(ids, mask, kinds, kept).tolist()
        points = stage.encoder.embed_texts([*(stage.draw(0, row)[0] for row in range(4))])
        captions = stage.encoder.embed_texts([stage.texts[stage.draw(0, row)[2]] for row in range(4)])
    assert moved == pytest.approx(float((1 - (captions * kept).sum(-1)).mean()), abs=1e-5) and moved > 0.01
    assert distance == pytest.approx(float((1 - (points * stage.keys[kinds]).sum(-1)).mean()), abs=1e-5)
    logits = (points @ stage.keys.T / 0.1).log_softmax(-1)
    assert unknown == pytest.approx(float(-logits[torch.arange(4), kinds].mean()), rel=1e-4)
    assert loss == pytest.approx(distance + 2 * moved + 0.5 * unknown, rel=1e-4)


def test_it_learns_and_moves_only_the_side_of_the_text(folder):
    stage = stage_of(folder, kept_weight=0.0, taken=1.0)
    before = {name: tensor.clone() for name, tensor in stage.encoder.state_dict().items()}
    files = {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}
    kept = read_tensors(folder / "text.safetensors")
    things = [f"hitting {name}" for name in OBJECTS["wood"][:20]]
    near = lambda: float((stage.eval().encoder.embed_texts(things) @ stage.keys.T).mean())  # noqa: E731
    far = near()
    run(stage, stage.config.loop, folder / "training" / "vocabulary")
    assert near() > far + 0.1
    after = stage.encoder.state_dict()
    learns = tuple(LEARNS.values())
    assert not all(torch.equal(before[name], after[name]) for name in before if name.startswith(LEARNS["text"]))
    assert all(torch.equal(before[name], after[name]) for name in before if not name.startswith(learns))
    changed = {path.name for path in folder.glob("*.safetensors") if path.read_bytes() != files[path.name]}
    assert changed == {"text.safetensors", "heads.safetensors"}
    table = "text.embeddings.word_embeddings.weight"
    assert torch.equal(read_tensors(folder / "text.safetensors")[table], kept[table])


def test_what_is_kept_lies_between(folder):
    stage = stage_of(folder, taken=0.25)
    name = "contra_head_t.linear.weight"
    weight = stage.encoder.contra_head_t.linear.weight
    before = weight.detach().clone()
    with torch.no_grad():
        weight += 4.0
    with stage.taken():
        torch.testing.assert_close(weight.data, before + 1.0)
    torch.testing.assert_close(weight.data, before + 4.0)
    stage.export()
    torch.testing.assert_close(read_tensors(folder / "heads.safetensors")[name].float(), before + 1.0, rtol=0, atol=1e-3)


def test_validation_tells_things_that_are_not_taught_and_how_far_captions_moved(folder):
    stage = stage_of(folder, taken=0.5).eval()
    stage.valid_texts, stage.valid_points = CAPTIONS[:1], stage.valid_points[:1]
    uses = {"wood": ("hit",), "metal": ("hit",), "glass": ("scratch",)}
    known = [(material, prompt) for material, actions in uses.items() for prompt in asked(material, actions)]
    right, moved = stage.validate()
    near = (stage.encoder.embed_texts([prompt for _, prompt in known]) @ stage.keys.T).argmax(-1).tolist()
    assert right == pytest.approx(
        np.mean([KINDS[place][0] == material for place, (material, _) in zip(near, known, strict=True)])
    )
    assert 0 < right < 1 and moved == pytest.approx(0, abs=1e-5)
    weight = stage.encoder.contra_head_t.linear.weight
    with torch.no_grad():
        weight.copy_(-3 * weight)  # half-way: upside down
    assert stage.validate()[1] == pytest.approx(2, abs=1e-4)
    with torch.no_grad():
        weight.copy_(weight / 3)  # half-way: nothing, if it is not looked at where it is kept
    with stage.taken():
        assert weight.abs().max() < 1e-6


def test_only_text_and_its_head_are_in_training_mode(folder):
    stage = stage_of(folder)
    stage.train()
    encoder = stage.encoder
    assert encoder.text.training and encoder.contra_head_t.training
    assert not (encoder.audio.training or encoder.vision.training or encoder.contra_head_v.training)
    assert stage.share_of_rate("encoder.contra_head_t.linear.weight") == 3.0
    assert stage.share_of_rate("encoder.text.encoder.layer.0.output.dense.bias") == 1.0
    assert np.all([p.requires_grad == n.startswith(tuple(LEARNS.values())) for n, p in encoder.named_parameters()])
