import errno
import hashlib
import logging

import huggingface_hub
import pytest
from huggingface_hub import errors

from foleygram.errors import ModelError
from foleygram.hub import sources
from foleygram.hub.fingerprint import sha256_of
from foleygram.hub.folder import write_tensors
from foleygram.hub.sources import (
    FileSource,
    HubSource,
    SuppliedSource,
    cache_folder,
    closed_cache,
    explained,
    fetch_file,
    fetch_folder,
    find_weights,
    imported_folder,
    is_repository,
    local_weights,
    unseen,
)
from foleygram.weights import find_folder

SOURCE = HubSource(kind="hub", repo="maker/model", path="vae/model.safetensors", licence="MIT", gated=True)


class Answer:
    """What the hub's client keeps of an answer."""

    status_code = 401
    headers: dict[str, str] = {}
    request = None


def failure(kind: type[Exception]) -> Exception:
    """An exception of the hub's client as it raises it."""
    error = kind.__new__(kind)
    Exception.__init__(error, "long\nexplanation")
    error.response = Answer()
    return error


@pytest.fixture
def hub(monkeypatch):
    """Lets the hub's client raise, or give a file, when it is asked beyond its cache."""

    def answers(result):
        def give(*_, local_files_only: bool = False, **__):
            if local_files_only:
                raise failure(errors.LocalEntryNotFoundError)
            if isinstance(result, Exception):
                raise result
            return str(result)

        monkeypatch.setattr(huggingface_hub, "hf_hub_download", give)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", give)

    return answers


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (failure(errors.GatedRepoError), "accept.*hf auth login"),
        (failure(errors.RepositoryNotFoundError), "no such repository"),
        (failure(errors.RevisionNotFoundError), "no such revision"),
        (failure(errors.LocalEntryNotFoundError), "cannot be reached"),
        (failure(errors.OfflineModeIsEnabled), "cannot be reached"),
        (failure(errors.RemoteEntryNotFoundError), "lacks a file"),
        (failure(errors.HfHubHTTPError), "refused .401."),
        (failure(errors.HFValidationError), "form user/name"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk is full"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "cannot be fetched"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_failure_of_the_hub_is_one_line(hub, error, message):
    hub(error)
    for fetch in (lambda: fetch_file(SOURCE), lambda: fetch_folder("maker/model")):
        with pytest.raises(ModelError, match=message) as caught:
            fetch()
        assert "\n" not in str(caught.value) and str(caught.value).startswith("maker/model")


def test_a_defect_of_ours_is_not_hidden(hub):
    hub(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        fetch_file(SOURCE)


def test_the_right_hash_passes_and_a_wrong_one_leaves_nothing(hub, tmp_path):
    blob, link = tmp_path / "blobs" / "x", tmp_path / "snapshots" / "model.safetensors"
    for folder in (blob.parent, link.parent):
        folder.mkdir()
    blob.write_bytes(b"weights")
    link.symlink_to(blob)
    hub(link)
    right = sha256_of(blob)
    assert fetch_file(SOURCE.replace(sha256=right)) == link
    with pytest.raises(ModelError, match="sha256 is .* instead of 0000.*removed"):
        fetch_file(SOURCE.replace(sha256="0" * 64))
    assert not blob.exists() and not link.is_symlink()


def test_what_the_hub_states_is_compared_even_without_a_hash_of_ours(hub, tmp_path):
    """In the hub's cache a large file is named by the sha256 that the hub states."""
    (tmp_path / "blobs").mkdir()
    for content, kept in ((b"weights", True), (b"changed", False)):
        blob, link = tmp_path / "blobs" / hashlib.sha256(b"weights").hexdigest(), tmp_path / "model.safetensors"
        blob.write_bytes(content)
        link.unlink(missing_ok=True)
        link.symlink_to(blob)
        hub(link)
        if kept:
            assert fetch_file(SOURCE) == link
        else:
            with pytest.raises(ModelError, match="removed, fetch it again"):
                fetch_file(SOURCE)
        assert blob.exists() == kept


def test_a_cached_file_of_another_hash_than_asked_for_is_refused(monkeypatch, tmp_path):
    blob = tmp_path / ("1" * 64)
    blob.write_bytes(b"weights")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda **asked: str(blob))
    assert fetch_file(SOURCE) == blob
    with pytest.raises(ModelError, match="1111.* instead of 0000"):
        fetch_file(SOURCE.replace(sha256="0" * 64))


def test_a_file_of_the_folder_has_the_hash_that_its_config_says(tmp_path):
    (tmp_path / "vision.safetensors").write_bytes(b"abc")
    source = FileSource(kind="file", licence="MIT", sha256=sha256_of(tmp_path / "vision.safetensors"))
    assert find_weights(tmp_path, "vision", source) == tmp_path / "vision.safetensors"
    with pytest.raises(ModelError, match="its sha256 is .* instead of 0000"):
        find_weights(tmp_path, "vision", source.replace(sha256="0" * 64))


def test_the_attempts_of_the_hub_s_client_are_not_told(hub, caplog):
    def fetch():
        logging.getLogger("huggingface_hub.utils").warning("Retrying in 1s")
        raise failure(errors.OfflineModeIsEnabled)

    with pytest.raises(ModelError):
        explained("a/b", fetch)
    assert not caplog.records


def test_the_cache_comes_before_the_network(monkeypatch, tmp_path):
    monkeypatch.setattr(
        huggingface_hub, "hf_hub_download", lambda **asked: str(tmp_path) if asked["local_files_only"] else 1 / 0
    )
    assert fetch_file(SOURCE) == tmp_path


def test_no_network_at_all_is_one_line(tmp_path, monkeypatch):
    """The real client with an empty cache, told to stay offline."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(ModelError, match="maker/model: .*(cache|reached)"):
        fetch_file(SOURCE)
    with pytest.raises(ModelError, match="maker/model: .*(cache|reached)"):
        find_folder("maker/model")


def test_weights_are_looked_for_in_the_folder_then_in_the_cache_then_on_the_hub(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MODELS", tmp_path / "models")
    folder = tmp_path / "models" / "full"
    folder.mkdir(parents=True)
    hub(tmp_path / "fetched")
    assert find_weights(folder, "vae", SOURCE) == tmp_path / "fetched"
    import torch

    write_tensors(imported_folder("full") / "vae.safetensors", {"x": torch.zeros(1)})
    assert find_weights(folder, "vae", SOURCE) == cache_folder() / "full" / "vae.safetensors"
    namesake = tmp_path / "full"
    namesake.mkdir()
    assert find_weights(namesake, "vae", SOURCE) == tmp_path / "fetched"  # not what was imported for the shipped one
    write_tensors(folder / "vae.safetensors", {"x": torch.zeros(1)})
    assert find_weights(folder, "vae", SOURCE) == folder / "vae.safetensors"


def shipped(tmp_path, monkeypatch, name="full"):
    """The folder of a model that comes with the package, with one file of weights."""
    monkeypatch.setattr(sources, "MODELS", tmp_path / "models")
    folder = tmp_path / "models" / name
    folder.mkdir(parents=True)
    (folder / "heads.safetensors").touch()
    return folder


def test_without_a_home_only_what_lies_in_the_package_is_found(hub, tmp_path, monkeypatch, homeless):
    folder = shipped(tmp_path, monkeypatch)
    hub(tmp_path / "fetched")
    assert find_weights(folder, "heads", SOURCE) == local_weights(folder, "heads") == folder / "heads.safetensors"
    assert local_weights(folder, "vae") is None
    for ask in (lambda: find_weights(folder, "vae", SOURCE), cache_folder):
        with pytest.raises(ModelError, match="no home folder; set FOLEYGRAM_CACHE"):
            ask()
    assert find_weights(tmp_path, "vae", SOURCE) == tmp_path / "fetched"  # a folder of one's own needs no cache
    monkeypatch.setenv("FOLEYGRAM_CACHE", "~/cache")
    with pytest.raises(ModelError, match="no home folder"):
        cache_folder()


def test_a_cache_that_may_not_be_entered_holds_nothing_and_says_so(hub, tmp_path, monkeypatch, shut):
    folder = shipped(tmp_path, monkeypatch)
    hub(tmp_path / "fetched")
    imported_folder("full").mkdir(parents=True)
    (imported_folder("full") / "vae.safetensors").touch()
    assert not closed_cache() and not unseen(folder) and local_weights(folder, "vae")
    shut(imported_folder("full"))
    assert not closed_cache() and local_weights(folder, "vae") is None
    assert local_weights(folder, "heads") == folder / "heads.safetensors"
    assert "cache/full cannot be looked into (Permission denied)" in unseen(folder) and not unseen(tmp_path / "full")
    with pytest.raises(ModelError, match="full: the weights of vae are not in the package, and the cache .*FOLEYGRAM_CACHE"):
        find_weights(folder, "vae", SOURCE)  # those of the hub may be others
    shut(cache_folder())
    assert "(Permission denied)" in closed_cache()


def test_a_cache_that_is_a_file_holds_nothing(tmp_path, monkeypatch):
    folder = shipped(tmp_path, monkeypatch)
    cache_folder().touch()
    assert not closed_cache() and local_weights(folder, "vae") is None


def test_weights_that_nobody_gives_away_come_with_their_steps(tmp_path):
    source = SuppliedSource(kind="supply", licence="none", steps="bake them at 200 degrees")
    with pytest.raises(ModelError, match="weights of vision are absent; bake them"):
        find_weights(tmp_path, "vision", source)
    assert find_weights(tmp_path, "vision", FileSource(kind="file", licence="MIT")) == tmp_path / "vision.safetensors"


@pytest.mark.parametrize(
    ("text", "fits"),
    [("user/repo", True), ("user/repo@v1.0", True), ("mini", False), ("/tmp/x", False), ("a/b/c", False), ("../x", False)],
)
def test_form_of_a_repository(text, fits):
    assert is_repository(text) == fits


def test_a_folder_is_never_looked_for_on_the_hub(hub, tmp_path, monkeypatch):
    hub(ZeroDivisionError())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    with pytest.raises(ModelError, match="runs/mine: no such model"):
        find_folder("runs/mine")
