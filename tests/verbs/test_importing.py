import json
import os
from pathlib import Path

import pytest
import small
import torch

from foleygram.errors import ModelError, OutputError, UsageError
from foleygram.hub.doors import read_checkpoint
from foleygram.hub.fingerprint import sha256_of
from foleygram.hub.folder import read_notes, read_tensors, write_tensors
from foleygram.hub.sources import cache_folder
from foleygram.pipeline import FoleyGRAM
from foleygram.types import Clip, Envelope
from foleygram.verbs import importing
from foleygram.verbs.importing import (
    DIFFUSERS_FILES,
    PASSENGERS,
    START,
    export_gram,
    export_stable_audio,
    find_gram_files,
    import_gram,
    import_stable_audio,
    read_parts,
    stable_audio_files,
)
from foleygram.verbs.towers import import_tower

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def whole():
    return small.model()


@pytest.fixture
def stable_audio(whole, tmp_path):
    path = tmp_path / "model.safetensors"
    write_tensors(path, small.stable_audio(whole))
    return path


def same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def test_both_checkpoints_make_a_model_that_generates(whole, stable_audio, tmp_path):
    out = tmp_path / "model"
    audio = import_stable_audio(stable_audio, out, small.CONFIG)
    assert "before training" in audio.open[0] and audio.folder == out
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("\n".join(small.PIECES))
    checkpoint = small.gram_folder(tmp_path / "gram", small.gram(whole))
    report = import_gram(checkpoint, out, vocabulary, config=small.CONFIG)
    assert not report.open and len(report.ignored) == 7
    model = FoleyGRAM.load(out, "cpu", "fp32")
    same(model.transformer.state_dict(), whole.transformer.state_dict())
    same(model.gram.state_dict(), whole.gram.state_dict())
    same(model.autoencoder.state_dict(), whole.autoencoder.state_dict())
    (sound,) = model.generate(Clip(text="a person hit metal", seconds=0.01), Envelope(torch.ones(5).numpy()))
    assert sound.samples.shape == (2, 441)


def test_the_start_of_training_is_the_frozen_transformer(stable_audio, tmp_path):
    """The ControlNet written on import leaves the output bit for bit, and says in its notes what it is."""
    out = tmp_path / "model"
    import_stable_audio(stable_audio, out, small.CONFIG)
    net, transformer = (read_tensors(out / f"{name}.safetensors") for name in ("control_net", "transformer"))
    assert not net["conv_in.weight"].any() and not net["conv_outs.1.weight"].any()
    assert torch.equal(net["transformer_blocks.1.ff.net.2.weight"], transformer["transformer_blocks.1.ff.net.2.weight"])
    assert read_notes(out / "control_net.safetensors")["state"] == START
    assert "Community License" in read_notes(out / "transformer.safetensors")["licence"]


def test_what_was_trained_is_not_written_over(whole, stable_audio, tmp_path):
    out = tmp_path / "model"
    trained = {name: tensor + 1 for name, tensor in whole.control_net.state_dict().items()}
    write_tensors(out / "control_net.safetensors", trained)
    import_stable_audio(stable_audio, out, small.CONFIG)
    same(read_tensors(out / "control_net.safetensors"), trained)


def test_other_weights_are_kept_unless_forced(whole, stable_audio, tmp_path):
    out, vocabulary = tmp_path / "model", tmp_path / "vocab.txt"
    vocabulary.write_text("\n".join(small.PIECES))
    checkpoint = small.gram_folder(tmp_path / "gram", small.gram(whole))
    import_stable_audio(stable_audio, out, small.CONFIG)
    import_gram(checkpoint, out, vocabulary, config=small.CONFIG)
    import_stable_audio(stable_audio, out, small.CONFIG)  # once more the same
    import_gram(checkpoint, out, vocabulary, config=small.CONFIG)
    learned = {name: tensor + 1 for name, tensor in read_tensors(out / "vision.safetensors").items()}
    write_tensors(out / "vision.safetensors", learned)
    (out / "tokenizer.json").write_text("another")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(OutputError, match=r"vision.safetensors: holds other weights and is kept; .*--force"):
        import_gram(checkpoint, out, vocabulary, config=small.CONFIG)
    write_tensors(out / "vision.safetensors", learned, read_notes(out / "audio.safetensors"))
    with pytest.raises(OutputError, match=r"tokenizer.json: is another tokenizer and is kept"):
        import_gram(checkpoint, out, vocabulary, config=small.CONFIG)
    with pytest.raises(OutputError, match="is the folder of the model"):
        import_stable_audio(stable_audio, out, small.CONFIG.replace(name="another"))
    kept = {path.name: path.read_bytes() for path in out.iterdir()}
    assert all(kept[name] == content for name, content in before.items() if name != "vision.safetensors")
    import_gram(checkpoint, out, vocabulary, config=small.CONFIG, force=True)
    assert not (read_tensors(out / "vision.safetensors")["vision.cls_token"] == learned["vision.cls_token"]).all()
    assert (out / "tokenizer.json").read_text() != "another"


def test_export_and_import_lose_nothing(whole, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    whole.save(first)
    exported = export_stable_audio(first, tmp_path / "export.safetensors")
    same(read_tensors(exported), small.stable_audio(whole, foleygram=True))
    report = import_stable_audio(exported, second, small.CONFIG)
    assert not report.open
    for name in ("transformer", "autoencoder", "conditioner", "control_net"):
        same(read_tensors(second / f"{name}.safetensors"), read_tensors(first / f"{name}.safetensors"))


def test_layout_of_diffusers_there_and_back(whole, tmp_path):
    whole.save(tmp_path / "model")
    exported = export_stable_audio(tmp_path / "model", tmp_path / "diffusers", "diffusers")
    assert all((exported / file).is_file() for file in DIFFUSERS_FILES.values())
    parts = read_parts(stable_audio_files(exported))
    same(dict(parts.transformer), whole.transformer.state_dict())
    assert not any(name.startswith("gram_") for name in parts.conditioner)
    import_stable_audio(exported, tmp_path / "again", small.CONFIG)
    same(read_tensors(exported / "foleygram" / "projections.safetensors"), {
        name: tensor for name, tensor in whole.conditioner.state_dict().items() if name.startswith("gram_")
    })  # fmt: skip


def test_a_lightning_checkpoint_is_read(whole, stable_audio, tmp_path):
    torch.save({"state_dict": small.stable_audio(whole)}, tmp_path / "model.ckpt")
    lightning, plain = (read_parts(stable_audio_files(path)) for path in (tmp_path / "model.ckpt", stable_audio))
    same(dict(lightning.transformer), dict(plain.transformer))
    (tmp_path / "folder").mkdir()
    (tmp_path / "model.ckpt").rename(tmp_path / "folder" / "model.ckpt")
    same(dict(read_parts(stable_audio_files(tmp_path / "folder")).autoencoder), whole.autoencoder.state_dict())


def test_without_an_out_the_cache_of_full_is_filled(stable_audio):
    report = import_stable_audio(stable_audio, config=small.CONFIG)
    assert report.folder == cache_folder() / "full" and (report.folder / "transformer.safetensors").is_file()


def test_another_size_is_refused_before_anything_is_written(stable_audio, tmp_path):
    wider = small.CONFIG.replace(transformer=small.CONFIG.transformer.replace(ff_mult=2).model_dump())
    with pytest.raises(ModelError, match="ff.net.0.proj.weight is .512, 64. instead of .256, 64.") as caught:
        import_stable_audio(stable_audio, tmp_path / "model", wider)
    assert "\n" not in str(caught.value) and not (tmp_path / "model").exists()


def test_the_wrong_checkpoint_is_refused(whole, tmp_path, stable_audio):
    torch.save(small.gram(whole), tmp_path / "gram.pt")
    with pytest.raises(ModelError, match="unknown .*take the checkpoint of this architecture"):
        import_stable_audio(tmp_path / "gram.pt", tmp_path / "model", small.CONFIG)
    (tmp_path / "ckpt").mkdir()
    stable_audio.rename(tmp_path / "ckpt" / "model_step_1.safetensors")
    with pytest.raises(ModelError, match="GRAM checkpoint"):
        import_gram(tmp_path / "ckpt" / "model_step_1.safetensors", tmp_path / "model", config=small.CONFIG)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ModelError, match="holds neither"):
        import_stable_audio(tmp_path / "nothing", tmp_path / "model", small.CONFIG)
    with pytest.raises(ModelError, match="no ckpt/model_step"):
        import_gram(tmp_path / "nothing", tmp_path / "model", config=small.CONFIG)
    with pytest.raises(ModelError, match="no such checkpoint"):
        import_gram(tmp_path / "nowhere", tmp_path / "model", config=small.CONFIG)


def test_a_checkpoint_of_another_hash_is_not_read(whole, stable_audio, tmp_path):
    right = sha256_of(stable_audio)
    import_stable_audio(stable_audio, tmp_path / "right", small.CONFIG, sha256=right.upper())
    assert read_notes(tmp_path / "right" / "autoencoder.safetensors")["sha256"] == right
    checkpoint = small.gram_folder(tmp_path / "gram", small.gram(whole))
    torch.save({}, tmp_path / "eva.pt")
    wrong, out = "0" * 64, tmp_path / "wrong"
    for attempt in (
        lambda: import_stable_audio(stable_audio, out, small.CONFIG, sha256=wrong),
        lambda: import_gram(checkpoint, out, config=small.CONFIG, sha256=wrong),
        lambda: import_tower("eva", tmp_path / "eva.pt", out, small.CONFIG, sha256=wrong),
    ):
        with pytest.raises(ModelError, match="instead of 000000000000"):
            attempt()
    assert not out.exists()
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        import_stable_audio(stable_audio, out, small.CONFIG, sha256="abc")


def test_what_may_not_be_read_or_looked_up_is_one_line(tmp_path, monkeypatch, shut):
    monkeypatch.chdir(tmp_path)
    torch.save({}, tmp_path / "eva.pt")
    shut(tmp_path / "eva.pt")
    shut(Path("closed"))
    for attempt in (
        lambda: import_stable_audio(tmp_path / "eva.pt", tmp_path / "out", small.CONFIG),
        lambda: import_stable_audio("closed/x", tmp_path / "out", small.CONFIG),  # it could be a repository
        lambda: import_stable_audio("closed/x", tmp_path / "out", small.CONFIG, sha256="0" * 64),
        lambda: import_gram(tmp_path / "eva.pt", tmp_path / "out", config=small.CONFIG),
        lambda: import_gram("closed/x", tmp_path / "out", config=small.CONFIG),
        lambda: import_tower("eva", tmp_path / "eva.pt", tmp_path / "out", small.CONFIG),
        lambda: import_tower("eva", "closed/x", tmp_path / "out", small.CONFIG),
    ):
        with pytest.raises(ModelError, match="cannot be read .Permission denied.|no such checkpoint"):
            attempt()


def test_a_revision_of_the_hub_is_fetched_and_noted(whole, tmp_path, monkeypatch):
    whole.save(tmp_path / "model")
    commit = "c" * 40
    exported = export_stable_audio(tmp_path / "model", tmp_path / "snapshots" / commit, "diffusers")
    asked = []

    def fetch(source):
        asked.append((source.repo, source.revision))
        return exported / source.path

    monkeypatch.setattr(importing, "fetch_file", fetch)
    import_stable_audio("hub", tmp_path / "out", small.CONFIG, revision="v1.1")
    assert set(asked) == {(importing.STABLE_AUDIO, "v1.1")}
    notes = read_notes(tmp_path / "out" / "autoencoder.safetensors")
    assert notes["revision"] == commit and notes["sha256"] == sha256_of(exported / DIFFUSERS_FILES["autoencoder"])
    with pytest.raises(UsageError, match="one file"):
        import_stable_audio("hub", tmp_path / "out", small.CONFIG, sha256="0" * 64)
    with pytest.raises(UsageError, match="--revision is for the hub"):
        import_stable_audio(exported, tmp_path / "out", small.CONFIG, revision="v1")


def test_a_full_disk_leaves_no_half_file(stable_audio, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="disk is full.*free some space"):
        import_stable_audio(stable_audio, tmp_path / "model", small.CONFIG)
    assert list((tmp_path / "model").iterdir()) == []


def test_gram_settings_are_those_of_hps(whole, tmp_path):
    checkpoint = small.gram_folder(tmp_path / "gram", small.gram(whole), audio_melbins=32, max_caption_len=12)
    report = import_gram(checkpoint, tmp_path / "model", config=small.CONFIG)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["gram"]["audio"]["mel"] == 32 and config["gram"]["text"]["max_length"] == 12
    assert "tokenizer" in report.open[0] and "audio.mel 32, text.max_length 12" in report.open[1]
    notes = read_notes(tmp_path / "model" / "audio.safetensors")
    assert notes["sha256"] == sha256_of(checkpoint / "ckpt" / "model_step_1000.pt")


def test_gram_without_settings_says_what_was_assumed(whole, tmp_path):
    checkpoint = small.gram_folder(tmp_path / "gram", small.gram(whole, extra=False))
    (checkpoint / "log" / "hps.json").unlink()
    report = import_gram(checkpoint, tmp_path / "model", config=small.CONFIG)
    assert any("64 mel bands" in line for line in report.open) and report.ignored == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"vision_encoder_type": "swin"}, "vision_encoder_type is swin"), ({"contra_dim": 99}, "instead of .99, 32.")],
)
def test_gram_of_other_towers_or_sizes_is_refused(whole, tmp_path, settings, message):
    checkpoint = small.gram_folder(tmp_path / "gram", small.gram(whole), **settings)
    with pytest.raises(ModelError, match=message):
        import_gram(checkpoint, tmp_path / "model", config=small.CONFIG)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "no model_cfg"),
        ('{"model_cfg": [1]}', "no model_cfg"),
        ('{"model_cfg": {"audio_melbins": "many"}}', "mel: .*integer"),
    ],
)
def test_gram_settings_that_are_none(whole, tmp_path, content, message):
    checkpoint = small.gram_folder(tmp_path / "gram", small.gram(whole))
    (checkpoint / "log" / "hps.json").write_text(content)
    with pytest.raises(ModelError, match=message):
        import_gram(checkpoint, tmp_path / "model", config=small.CONFIG)


def test_gram_with_its_passengers_comes_back_whole(whole, tmp_path):
    state = small.gram(whole)
    import_gram(small.gram_folder(tmp_path / "gram", state), tmp_path / "model", None, True, small.CONFIG)
    exported = read_checkpoint(export_gram(tmp_path / "model", tmp_path / "gram.safetensors"))
    assert exported.keys() == state.keys()
    # made for 3 frames instead of the 4 of the checkpoint
    assert exported["vision_frame_embedding"][0, :, 0].tolist() == [0, 1, 2]
    same({k: v for k, v in exported.items() if "frame" not in k}, {k: v for k, v in state.items() if "frame" not in k})
    assert (tmp_path / "model" / PASSENGERS).is_file()


def test_gram_file_is_the_last_step(whole, tmp_path):
    checkpoint = small.gram_folder(tmp_path / "gram", small.gram(whole))
    file, settings = find_gram_files(checkpoint)
    assert file.name == "model_step_1000.pt" and settings == checkpoint / "log" / "hps.json"
    assert find_gram_files(file) == (file, settings)
    later = checkpoint / "checkpoint-7" / "pytorch_model.bin"
    later.parent.mkdir()
    later.write_bytes(b"")
    assert find_gram_files(checkpoint)[0] == later
