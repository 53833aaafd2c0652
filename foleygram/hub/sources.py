"""Where weights come from: a file beside the config, a repository of the hub, or the user, who is told how.

The only importer of huggingface_hub. What was fetched once is found again without a network.
"""

from __future__ import annotations

import errno
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field

from foleygram.config import Config
from foleygram.errors import ModelError
from foleygram.hub.fingerprint import check_sha256, sha256_of

MODELS = Path(__file__).parent.parent / "models"
"""The registry of shipped models is this folder."""

MODEL_FILES = ("config.json", "*.safetensors", "tokenizer.json", "README.md")

T = TypeVar("T")


class FileSource(Config):
    """A file of the model folder itself."""

    kind: Literal["file"]
    licence: str
    origin: str = ""  # where its weights were learned
    sha256: str | None = None


def inside(path: str) -> str:
    """Refuses a path that leaves the repository."""
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError("a path inside of the repository, without ..")
    return path


class HubSource(Config):
    """A file of a repository on the Hugging Face hub; fetched when the folder has no file of its own."""

    kind: Literal["hub"]
    repo: str  # user/name
    path: Annotated[str, AfterValidator(inside)]
    revision: str = "main"  # branch, tag or commit
    gated: bool = False  # its licence is to be accepted on the hub first
    licence: str
    origin: str = ""
    sha256: str | None = None


class SuppliedSource(Config):
    """A file that nobody may or does distribute for us: the user brings or makes it."""

    kind: Literal["supply"]
    steps: str  # how, in one line
    licence: str
    origin: str = ""
    sha256: str | None = None


WeightsSource = Annotated[FileSource | HubSource | SuppliedSource, Field(discriminator="kind")]


class WeightsSources(Config):
    """The source of each weights file of a model folder; absent: a file of the folder about which nothing is known."""

    vision: WeightsSource | None = None
    audio: WeightsSource | None = None
    text: WeightsSource | None = None
    heads: WeightsSource | None = None
    conditioner: WeightsSource | None = None
    autoencoder: WeightsSource | None = None
    transformer: WeightsSource | None = None
    control_net: WeightsSource | None = None
    prior: WeightsSource | None = None
    timing: WeightsSource | None = None
    memory: WeightsSource | None = None


def cache_folder() -> Path:
    """Where imported models lie: ``$FOLEYGRAM_CACHE``, or ``foleygram`` in the user's cache folder. Raises ModelError where the
    user has no home."""
    chosen = os.environ.get("FOLEYGRAM_CACHE")
    try:
        if chosen:
            return Path(chosen).expanduser()
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "foleygram"
    except RuntimeError as error:  # no HOME, and a user whom the system does not know
        raise ModelError(
            "the cache has no place, as this user has no home folder; set FOLEYGRAM_CACHE to a folder for weights"
        ) from error


def closed_cache(name: str = "") -> str:
    """Why nobody can tell what lies in the cache, or in its folder ``name``, and what to do; empty where it can be told, and
    where there is no such folder."""
    try:
        place = cache_folder() / name
        os.stat(os.path.join(place, "."))  # the dot asks for the right to enter, not only to see that it is there
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except ModelError as error:
        return str(error)
    except OSError as error:
        return (
            f"the cache {place} cannot be looked into ({error.strerror}); correct its permissions, or set FOLEYGRAM_CACHE to "
            "another folder"
        )
    return ""


def imported_folder(model: str) -> Path:
    """The folder in the cache that completes a shipped model without weights of its own, such as ``full``."""
    return cache_folder() / model


def local_weights(folder: Path, name: str) -> Path | None:
    """``<name>.safetensors`` (or another file with a suffix) of a model folder, or of what was imported for a shipped one. A
    cache that cannot be looked into holds nothing (``unseen`` says why)."""
    file = name if "." in name else f"{name}.safetensors"
    if (folder / file).is_file():
        return folder / file
    if folder.parent != MODELS or unseen(folder):
        return None
    imported = imported_folder(folder.name) / file
    return imported if os.path.isfile(imported) else None  # nor does a link into a folder that may not be entered


def unseen(folder: Path) -> str:
    """Why nobody can tell what was imported for a shipped model, and what to do; empty where it can be told, and for any other
    folder, to which nothing is imported."""
    return closed_cache(folder.name) if folder.parent == MODELS else ""


def present_weights(folder: Path, name: str, source: WeightsSource | None) -> tuple[Path | None, str]:
    """The weights file of a component where it is on this machine, else None and why nobody can tell (as ``unseen``)."""
    local = local_weights(folder, name)
    closed = "" if local else unseen(folder)
    if local is None and isinstance(source, HubSource) and not closed:
        return cached_file(source), ""
    return local, closed


def find_weights(folder: Path, name: str, source: WeightsSource | None) -> Path:
    """The weights file of a component. Raises ModelError that says how to get it where it is nowhere."""
    local = local_weights(folder, name)
    if local is not None:
        if isinstance(source, FileSource) and source.sha256 is not None:
            check_sha256(local, source.sha256)
        return local
    if closed := unseen(folder):  # there may be others in it than the hub has
        raise ModelError(f"{folder.name}: the weights of {name} are not in the package, and {closed}")
    if isinstance(source, HubSource):
        return fetch_file(source)
    if isinstance(source, SuppliedSource):
        raise ModelError(f"{folder.name}: the weights of {name} are absent; {source.steps}")
    return folder / f"{name}.safetensors"  # whoever opens it says that it is absent


def fetch_file(source: HubSource) -> Path:
    """A file of the hub, from the cache where it lies there. A new one is kept only with the right hash: that of ``source``,
    else the one that the hub itself states."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    where = {"repo_id": source.repo, "filename": source.path, "revision": source.revision}
    try:
        path = Path(explained(source.repo, lambda: hf_hub_download(**where, local_files_only=True), LocalEntryNotFoundError))
    except LocalEntryNotFoundError:
        path = Path(explained(source.repo, lambda: hf_hub_download(**where)))
        refuse_wrong_hash(source, path, sha256_of(path) if source.sha256 or stated_hash(path) else None)
    else:
        refuse_wrong_hash(source, path, stated_hash(path))  # its content was compared when it was fetched
    return path


def stated_hash(path: Path) -> str | None:
    """What the hub says is the sha256 of a large file: in its cache this is the name of the file behind the link."""
    name = path.resolve().name
    return name if re.fullmatch("[0-9a-f]{64}", name) else None


def refuse_wrong_hash(source: HubSource, path: Path, found: str | None) -> None:
    """Removes a file from the cache that is not the one that was asked for. Raises ModelError."""
    wanted = source.sha256 or stated_hash(path)
    if found is None or found == wanted:
        return
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    raise ModelError(
        f"{source.repo}/{source.path}: its sha256 is {found[:12]}... instead of {wanted[:12]}...; it was "
        "removed, fetch it again or correct the revision in the config"
    )


def cached_file(source: HubSource) -> Path | None:
    """Where the file lies if it was fetched before."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(source.repo, source.path, revision=source.revision)
    return Path(path) if isinstance(path, str) else None


def commit_of(path: Path) -> str | None:
    """The commit that a file of the hub's cache belongs to, None of another file."""
    return next((part for part in path.parts if re.fullmatch("[0-9a-f]{40}", part)), None)


def fetch_folder(repo: str) -> Path:
    """A model folder on the hub, ``user/name`` or ``user/name@revision``; without network the one in the cache."""
    from huggingface_hub import snapshot_download

    name, _, revision = repo.partition("@")
    return Path(explained(name, lambda: snapshot_download(name, revision=revision or None, allow_patterns=list(MODEL_FILES))))


def is_repository(source: str) -> bool:
    """Whether it has the form of ``user/name`` on the hub."""
    return re.fullmatch(r"[\w][\w.-]*/[\w][\w.-]*(@[\w./-]+)?", source) is not None


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Without the client's own lines about each attempt: what counts is said once, by ``explained``."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def explained(repo: str, fetch: Callable[[], T], *passing: type[Exception]) -> T:
    """Runs ``fetch`` and turns each failure of the hub but ``passing`` into one line that says what to do."""
    from huggingface_hub import errors

    try:
        with quiet_hub():
            return fetch()
    except passing:
        raise
    except errors.GatedRepoError as error:
        raise ModelError(
            f"{repo}: its licence is to be accepted first; open the repository's page on the hub, accept, create a read token, "
            "run: hf auth login"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(
            f"{repo}: no folder here, and no such repository on the hub or a private one; check the name, or: hf auth login"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(f"{repo}: has no such revision; check what stands behind the @ or in the config") from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise ModelError(
            f"{repo}: no folder here and not in the cache, and the hub cannot be reached; connect once, or give a folder "
            "(foleygram import)"
        ) from error
    except errors.EntryNotFoundError as error:
        raise ModelError(f"{repo}: lacks a file of a foleygram model; check the name of the repository") from error
    except errors.HFValidationError as error:
        raise ModelError(f"{repo}: not the name of a repository; it has the form user/name") from error
    except errors.HfHubHTTPError as error:
        status = getattr(getattr(error, "response", None), "status_code", "no answer")
        raise ModelError(f"{repo}: the hub refused ({status}); try again later, or give a folder") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ModelError(
                f"{repo}: the disk is full; free some space or set HF_HOME to a larger disk, and repeat"
            ) from error
        raise ModelError(
            f"{repo}: cannot be fetched ({error.strerror or error}); check the network and the cache folder"
        ) from error
    except Exception as error:
        # the clients below the hub have their own names for a broken line
        if type(error).__module__.partition(".")[0] in (
            "httpx",
            "httpx2",
            "httpcore",
            "httpcore2",
            "requests",
            "urllib3",
            "hf_xet",
        ):
            raise ModelError(
                f"{repo}: the hub cannot be reached ({type(error).__name__}); connect, or give a folder"
            ) from error
        raise
