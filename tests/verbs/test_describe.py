import json

import pytest
import small
import torch

from foleygram.errors import ModelError
from foleygram.hub.fingerprint import sha256_of
from foleygram.hub.sources import cache_folder, imported_folder
from foleygram.media.codecs import available_codecs
from foleygram.pipeline import FoleyGRAM
from foleygram.verbs.describe import PARTS, describe_model, expected_memory
from foleygram.verbs.doctor import doctor
from foleygram.verbs.importing import import_stable_audio

pytestmark = pytest.mark.usefixtures("own_cache")


def test_the_paper_s_model_component_by_component():
    report = describe_model("full")
    counts = {part.name: part.parameters / 1e6 for part in report.components}
    expected = {
        "vision": 1012.6, "audio": 90.3, "text": 108.9, "heads": 1.51, "conditioner": 1.6, "autoencoder": 156.1,
        "transformer": 1056.9, "control_net": 192.9,
    }  # fmt: skip
    assert tuple(counts) == PARTS
    assert counts == pytest.approx(expected, abs=0.07)
    by_name = {part.name: part for part in report.components}
    assert by_name["transformer"].kind == "Transformer" and "stabilityai/stable-audio-open-1.0" in by_name["transformer"].source
    assert "gated" in by_name["autoencoder"].source and "Community License" in by_name["autoencoder"].licence
    assert "foleygram import gram" in by_name["vision"].source and not by_name["vision"].present
    assert report.memory_gib["fp32"] > report.memory_gib["bf16"] > 7
    content = json.loads(report.as_json())
    assert {"name", "kind", "parameters", "source", "licence", "sha256"} <= content["components"][0].keys()


def test_imported_weights_are_seen_with_their_hash(tmp_path):
    path = tmp_path / "model.safetensors"
    from foleygram.hub.folder import write_tensors

    write_tensors(path, small.stable_audio(small.model()))
    out = tmp_path / "mine"
    import_stable_audio(path, out, small.CONFIG)
    report = describe_model(out)
    by_name = {part.name: part for part in report.components}
    assert by_name["transformer"].present and len(by_name["transformer"].sha256) == 64
    assert by_name["transformer"].notes["sha256"] == sha256_of(path) and not by_name["transformer"].unknown
    assert by_name["control_net"].notes["state"] == "before training"
    assert not by_name["vision"].present and report.folder == str(out)


def test_memory_before_loading():
    full = FoleyGRAM.outline("full")
    fp32, bf16 = (expected_memory(full, "cpu", dtype) for dtype in ("fp32", "bf16"))
    assert 10 < fp32 < 13 and 7 < bf16 < 10
    # a byte for each weight of the large layers, which are nearly all of transformers and towers
    assert 4 < expected_memory(full, "cpu", "int8") < 6


def test_what_cannot_be_known_is_null_with_a_reason():
    parts = {part.name: part for part in describe_model("full").components}
    for part in parts.values():
        assert part.revision is None and part.sha256 is None and part.unknown
    assert "--revision" in parts["transformer"].unknown and "--sha256" in parts["vision"].unknown


def test_a_pinned_file_of_the_hub_is_said_with_its_pins(tmp_path):
    whole = small.CONFIG.model_dump(mode="json")
    pinned = {"kind": "hub", "repo": "a/b", "path": "c", "revision": "v1", "sha256": "0" * 64, "licence": "MIT"}
    (tmp_path / "config.json").write_text(json.dumps(whole | {"weights": {"transformer": pinned}}))
    part = next(part for part in describe_model(tmp_path).components if part.name == "transformer")
    assert (part.revision, part.sha256, part.unknown) == ("v1", "0" * 64, "")


def test_loading_the_full_model_without_weights_says_how_to_get_them():
    with pytest.raises(ModelError, match="vision are absent; .*foleygram import gram") as caught:
        FoleyGRAM.load("full", "cpu", "bf16")
    assert "\n" not in str(caught.value)


def test_doctor_knows_versions_devices_codecs_and_what_is_missing():
    report = doctor()
    assert (
        torch.__version__.startswith(report.versions["torch"]) and report.versions["torch"] and report.devices[0].name == "cpu"
    )
    assert report.memory_gib > 0 and "h264" in report.reads and "aac" in report.writes
    full = next(model for model in report.models if model.name == "full")
    assert {"vision", "transformer"} <= {name for name, _ in full.missing}
    assert "Stability AI Community License" in full.licences
    assert report.verbs["generate --model full"] and "envelope" in report.verbs
    assert json.loads(report.as_json())["python"] == report.python
    assert all("\n" not in line for line in report.lines())


def test_doctor_sees_what_was_imported(tmp_path):
    from foleygram.hub.folder import write_tensors

    write_tensors(imported_folder("full") / "vision.safetensors", {"x": torch.zeros(1)})
    full = next(model for model in doctor().models if model.name == "full")
    assert full.present == ("vision",)


def test_a_dangling_link_in_the_cache_does_not_stop_doctor():
    folder = imported_folder("full")
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "vision.safetensors").symlink_to(folder / "gone")
    assert doctor().imported == ("full (0.0 GiB)",)


def test_without_a_home_the_mini_is_whole_and_doctor_says_what_is_wrong(homeless):
    report = doctor()
    assert report.cache == "" and report.imported == () and "no home folder; set FOLEYGRAM_CACHE" in report.closed
    assert f"cache: {report.closed}" in report.lines()
    models = {model.name: model for model in report.models}
    assert sum(report.closed in line for line in report.lines()) == 2  # of the cache, and once of all parts of the full model
    assert not models["mini"].missing and "no home folder" in dict(models["full"].missing)["transformer"]
    assert all(part.present for part in describe_model("mini", hashes=False).components)
    assert "no home folder" in describe_model("full").components[0].unknown


def test_a_cache_that_may_not_be_entered_does_not_stop_doctor(shut):
    imported_folder("full").mkdir(parents=True)
    shut(imported_folder("full"))
    report = doctor()
    assert not report.closed and report.disk_free_gib > 0
    assert all("Permission denied" in steps for _, steps in report.models[0].missing)
    shut(cache_folder())
    assert "Permission denied" in doctor().closed
    shut(cache_folder().parent)
    assert "Permission denied" in doctor().closed and doctor().disk_free_gib > 0
    assert all("Permission denied" in part.unknown for part in describe_model("full").components)


def test_codecs_are_asked_of_the_library():
    codecs = available_codecs()
    assert set(codecs.reads) | {name.removeprefix("reading ") for name in codecs.lacks} >= {"h264", "aac", "flac"}
    assert codecs.version.count(".") == 2


def test_a_predictor_is_listed_and_missed(tmp_path, monkeypatch):
    from tiny import tiny_model

    from foleygram.hub import sources
    from foleygram.verbs import doctor as module

    folder = tiny_model(timing=True).save(tmp_path / "tiny")
    report = describe_model(folder)
    last = report.components[-1]
    assert (last.name, last.kind, last.present) == ("timing", "EnvelopePredictor", True) and last.parameters > 100
    assert tuple(part.name for part in report.components) == (*PARTS, "timing")
    monkeypatch.setattr(sources, "MODELS", tmp_path)
    (state,) = module.model_states()
    assert "timing" in state.present and not state.missing
    (folder / "timing.safetensors").unlink()
    assert [name for name, _ in module.model_states()[0].missing] == ["timing"]
    tiny_model().save(folder)
    assert not module.model_states()[0].missing
