"""Reading a sidecar and finding its files again; by the command line: generation/test_cli_sidecar.py."""

from importlib.metadata import PackageNotFoundError

import pytest

from foleygram.errors import MediaError, OutputError, UsageError
from foleygram.verbs import sidecar
from foleygram.verbs.sidecar import (
    EnvelopeSource,
    ModelSource,
    Sidecar,
    Source,
    find_source,
    read_sidecar,
    reserved_sidecar,
    sidecar_of,
    source_of,
)


def made() -> Sidecar:
    source = Source(path="clip.mp4", sha256="")
    return Sidecar(
        result=source, video=source, seconds=1.0, samples=44100, use="V", envelope=EnvelopeSource(kind="own"),
        model=ModelSource(source="mini", shipped=True, sha256=""), seed=3, take=1, steps=4, guidance=2.0, device="cpu",
        dtype="fp32", threads=1, versions={},
    )  # fmt: skip


def test_a_file_is_taken_from_its_place_before_one_beside_the_sidecar(tmp_path):
    films = tmp_path / "films"
    films.mkdir()
    (films / "clip.mp4").write_bytes(b"film")
    (tmp_path / "clip.mp4").write_bytes(b"another film of that name")
    source = source_of(films / "clip.mp4", tmp_path)
    assert source.path == "films/clip.mp4"
    assert find_source(source, tmp_path / "a.wav.json", "--video") == films / "clip.mp4"
    (films / "clip.mp4").rename(tmp_path / "clip.mp4")
    (films / "clip.mp4").mkdir()  # no file
    assert find_source(source, tmp_path / "a.wav.json", "--video") == tmp_path / "clip.mp4"
    (tmp_path / "clip.mp4").unlink()
    with pytest.raises(MediaError, match="is gone.*--video"):
        find_source(source, tmp_path / "a.wav.json", "--video")


def test_a_link_to_a_sidecar_names_what_lies_beside_the_sidecar_itself(tmp_path):
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "clip.mp4").write_bytes(b"film")
    (tmp_path / "films" / "a.wav.json").touch()
    (tmp_path / "link.json").symlink_to(tmp_path / "films" / "a.wav.json")
    source = source_of(tmp_path / "films" / "clip.mp4", tmp_path / "films")
    assert find_source(source, tmp_path / "link.json", "VIDEO") == tmp_path / "films" / "clip.mp4"


def test_a_source_on_another_drive_has_its_whole_name(tmp_path, monkeypatch):
    def relpath(path, start):
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    (tmp_path / "clip.mp4").write_bytes(b"film")
    monkeypatch.setattr(sidecar.os.path, "relpath", relpath)
    assert source_of(tmp_path / "clip.mp4", tmp_path / "films").path == (tmp_path / "clip.mp4").resolve().as_posix()


def test_a_source_that_may_not_be_read_is_told(tmp_path, shut):
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "clip.mp4").write_bytes(b"a film")
    source = source_of(tmp_path / "films" / "clip.mp4", tmp_path)
    shut(tmp_path / "films" / "clip.mp4")
    with pytest.raises(MediaError, match=r"clip\.mp4: cannot be read \(Permission denied\).*name another with --video"):
        find_source(source, tmp_path / "a.wav.json", "--video")
    shut(tmp_path / "films")
    with pytest.raises(MediaError, match=r"clip\.mp4: cannot be read \(Permission denied\).*name another with --video"):
        find_source(source, tmp_path / "a.wav.json", "--video")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read"),
        ("no", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("\udcff", "is not JSON"),
        ("[]", "is not a sidecar of foleygram"),
        ('{"kind": "foleygram result"}', "is not a sidecar of foleygram .*result"),
    ],
)
def test_what_is_no_sidecar_is_told(tmp_path, content, told):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(UsageError, match=f"--from .*{told}"):
        read_sidecar(tmp_path / "a.json")


def test_a_sidecar_is_read_as_it_was_written_and_kept_without_force(tmp_path):
    path = sidecar_of(tmp_path / "a.b.wav")
    assert path == tmp_path / "a.b.wav.json"
    with reserved_sidecar(path, made().replace(seed=1), force=False) as write:
        assert not path.exists()
        write(made())
    assert read_sidecar(path) == made() and path.read_text().endswith("}\n")
    with pytest.raises(OutputError, match="exists already"), reserved_sidecar(path, made(), force=False):
        pass
    assert read_sidecar(path) == made()


def test_there_is_room_for_the_name_and_hash_of_the_result(tmp_path):
    with reserved_sidecar(tmp_path / "a.json", made(), force=False) as write:
        (temporary,) = tmp_path.iterdir()
        named = made().replace(result=Source(path="x" * 255, sha256="0" * 64).model_dump())
        reserved = temporary.stat().st_size
        write(named)
    assert reserved > (tmp_path / "a.json").stat().st_size and read_sidecar(tmp_path / "a.json") == named


def test_a_library_that_is_not_installed_as_a_package_is_unknown(monkeypatch):
    def version(name: str) -> str:
        if name == "foleygram":
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(sidecar, "version", version)
    assert (sidecar.versions()["foleygram"], sidecar.versions()["torch"]) == ("unknown", "1.0")
