"""Hashes of files and of whole models."""

import pytest
from tiny import tiny_model

from foleygram.errors import ModelError, UsageError
from foleygram.hub import sources
from foleygram.hub.fingerprint import check_sha256, fingerprint, sha256_of
from foleygram.hub.sources import imported_folder
from foleygram.pipeline import FoleyGRAM
from foleygram.weights import deciding_files

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_hash_of_a_file(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_of(tmp_path / "x") == ABC
    assert check_sha256(tmp_path / "x", ABC.upper()) == ABC
    with pytest.raises(ModelError, match="nothing of it was read"):
        check_sha256(tmp_path / "x", "0" * 64)
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        check_sha256(tmp_path / "x", "abc")


def test_a_file_that_may_not_be_read_has_no_hash(tmp_path, shut):
    (tmp_path / "x").write_bytes(b"abc")
    with pytest.raises(ModelError, match="no such checkpoint"):
        check_sha256(tmp_path / "y", None)
    shut(tmp_path / "x")
    with pytest.raises(ModelError, match="x: cannot be read .Permission denied.; check its name and permissions"):
        check_sha256(tmp_path / "x", None)
    shut(tmp_path)
    with pytest.raises(ModelError, match="y: cannot be read .Permission denied."):
        check_sha256(tmp_path / "y", None)


def test_names_and_contents_count_and_places_do_not(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name in ("a", "b"):
            (tmp_path / folder / name).write_text(name)
    one, two = tmp_path / "one", tmp_path / "two"
    whole = fingerprint([one / "a", one / "b"])
    assert fingerprint([two / "b", one / "a"]) == whole != fingerprint([one / "a"])
    (two / "b").write_text("c")
    assert fingerprint([one / "a", two / "b"]) != whole
    with pytest.raises(ModelError, match="cannot be read"):
        fingerprint([one / "absent"])


def test_imported_weights_count_for_a_shipped_model(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MODELS", tmp_path)
    folder = tiny_model().save(tmp_path / "small")
    outline = FoleyGRAM.outline(folder)
    whole = fingerprint(deciding_files(folder, outline.config))
    cache = imported_folder("small")
    cache.mkdir(parents=True)
    (folder / "vision.safetensors").rename(cache / "vision.safetensors")
    assert fingerprint(deciding_files(folder, outline.config)) == whole
    with (cache / "vision.safetensors").open("ab") as file:
        file.write(b"!")
    assert fingerprint(deciding_files(folder, outline.config)) != whole
