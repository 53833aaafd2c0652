"""What the verb reports."""

import json
from pathlib import Path

import pytest
import yaml
from tiny import CONFIG

from foleygram.cli.train import in_words
from foleygram.errors import DataError, OutputError, UsageError
from foleygram.hub.folder import write_tensors
from foleygram.training.loop import LoopResult
from foleygram.training.train import STAGES, train


@pytest.mark.parametrize(
    ("loss", "known", "words"),
    [(0.25, 0.25, "3 steps in 1 s, loss 0.25, finished"), (float("nan"), None, "3 steps in 1 s, finished")],
)
def test_a_report_is_json_also_where_nothing_was_left_to_train(monkeypatch, tmp_path, loss, known, words):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({"model": CONFIG.model_dump(mode="json")}))
    monkeypatch.setitem(STAGES, "gram", lambda *_, **__: LoopResult(3, 1.0, True, (loss, 1.0)))
    report = train("gram", tmp_path / "tiny.yaml", out=tmp_path)

    def refuse(constant: str):
        raise ValueError(constant)

    assert json.loads(report.as_json(), parse_constant=refuse)["loss"] == known
    assert f"gram: {words}\n" in in_words(report)


def test_a_report_names_the_files_that_are_there(monkeypatch, tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({"model": CONFIG.model_dump(mode="json")}))
    monkeypatch.setitem(STAGES, "memory", lambda *_: LoopResult(0, 0.0, True, (0.0,)))
    report = train("memory", tmp_path / "tiny.yaml", out=tmp_path)
    assert report.log is report.curve is json.loads(report.as_json())["log"] is None
    assert in_words(report) == f"memory: made, nothing is trained\n  {tmp_path}"

    def stage(*_) -> LoopResult:
        (tmp_path / "training" / "gram" / "log.jsonl").touch()
        return LoopResult(3, 1.0, False, (0.5,), ("so it is",))

    monkeypatch.setitem(STAGES, "gram", lambda *_, **__: stage())
    report = train("gram", tmp_path / "tiny.yaml", out=tmp_path)
    assert report.log == tmp_path / "training" / "gram" / "log.jsonl" and report.curve is None
    assert in_words(report).splitlines()[1:] == [f"  {tmp_path}", f"  log {report.log}", "  note: so it is"]


def test_a_second_run_of_a_stage_changes_nothing(monkeypatch, tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({"model": CONFIG.model_dump(mode="json")}))
    (tmp_path / "memory.safetensors").write_bytes(b"kept")
    begun = []

    def stage(*_, **__) -> LoopResult:
        begun.append(1)
        with pytest.raises(OutputError, match="another run is at work there"):
            train("autoencoder", tmp_path / "tiny.yaml", out=tmp_path)
        return LoopResult(3, 1.0, True, (0.5,))

    monkeypatch.setitem(STAGES, "autoencoder", stage)
    assert train("autoencoder", tmp_path / "tiny.yaml", out=tmp_path).finished and begun == [1]
    assert (tmp_path / "memory.safetensors").read_bytes() == b"kept"


def test_a_run_that_goes_on_by_other_numbers_says_so(monkeypatch, tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({"model": CONFIG.model_dump(mode="json")}))
    folder = tmp_path / "training" / "gram"

    def stage(recipe, *_, **__) -> LoopResult:
        write_tensors(folder / "checkpoint.safetensors", {}, {"step": "3"})
        return LoopResult(3, 1.0, True, (0.5,))

    monkeypatch.setitem(STAGES, "gram", stage)

    def notes(*changes: str) -> tuple[str, ...]:
        return train("gram", tmp_path / "tiny.yaml", out=tmp_path, changes=changes).notes

    assert notes() == notes("gram.loop.steps=9", "control.seconds=3") == ()
    assert notes("gram.loop.learning_rate=0.5", "seed=4") == (
        "this run was begun with other numbers: gram.loop.learning_rate, seed changed since",
    )


def test_the_recipe_of_a_run_that_was_killed_is_known(monkeypatch, tmp_path):
    """It is written before the first step, stays that of the beginning, and is not left by what never began."""
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({"model": CONFIG.model_dump(mode="json")}))
    folder = tmp_path / "training" / "gram"
    rates = lambda: {path.name: json.loads(path.read_text())["gram"]["loop"]["learning_rate"] for path in folder.glob("*.json")}  # noqa: E731

    def killed(*_, **__):
        write_tensors(folder / "checkpoint.safetensors", {}, {"step": "3"})
        raise KeyboardInterrupt

    def refused(*_, **__):
        assert (folder / "recipe.json").exists()
        raise DataError("no clips")

    def run(rate: float) -> None:
        with pytest.raises((KeyboardInterrupt, DataError)):
            train("gram", tmp_path / "tiny.yaml", out=tmp_path, changes=(f"gram.loop.learning_rate={rate}",))

    monkeypatch.setitem(STAGES, "gram", refused)
    run(0.5)
    assert not folder.exists()
    monkeypatch.setitem(STAGES, "gram", killed)
    run(0.5)
    run(0.25)
    assert rates() == {"recipe.json": 0.5, "recipe-3.json": 0.25}


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_anew(monkeypatch, tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({"model": CONFIG.model_dump(mode="json")}))
    path = tmp_path / "training" / "gram" / "recipe.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"seed": 1}')
    monkeypatch.setitem(STAGES, "gram", lambda *_, **__: LoopResult(3, 1.0, True, (0.5,)))
    assert not train("gram", tmp_path / "tiny.yaml", out=tmp_path, changes=("seed=4",)).notes
    assert json.loads(path.read_text())["seed"] == 4


def test_of_many_numbers_that_changed_some_are_named(monkeypatch, tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({"model": CONFIG.model_dump(mode="json")}))

    def stage(*_, **__) -> LoopResult:
        write_tensors(tmp_path / "training" / "gram" / "checkpoint.safetensors", {}, {"step": "3"})
        return LoopResult(3, 1.0, True, (0.5,))

    monkeypatch.setitem(STAGES, "gram", stage)
    sampler = ("eta=0.5", "guidance=9")
    loop = ("learning_rate=0.5", "batch=3", "warmup=1", "ema=0.5")
    changes = (*(f"gram.loop.{each}" for each in loop), *(f"model.sampler.{each}" for each in sampler), "towers=x", "base=y")
    train("gram", tmp_path / "tiny.yaml", out=tmp_path)
    (note,) = train("gram", tmp_path / "tiny.yaml", out=tmp_path, changes=changes).notes
    assert note.endswith("model.sampler.eta, model.sampler.guidance and 2 more changed since"), note
    (note,) = train("gram", tmp_path / "tiny.yaml", out=tmp_path, changes=("towers=x", "base=y")).notes
    assert note.endswith(": towers, base changed since")


def test_what_is_given_goes_to_the_stage(monkeypatch, tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({"model": CONFIG.model_dump(mode="json")}))
    given = []

    def stage(recipe, data, out, steps, **pictures) -> LoopResult:
        given.append((data, out, steps, pictures))
        return LoopResult(3, 1.0, True, (0.5,))

    for name in ("gram", "autoencoder"):
        monkeypatch.setitem(STAGES, name, stage)
    monkeypatch.setattr("torch.set_num_threads", given.append)
    train("gram", tmp_path / "tiny.yaml", Path("my.jsonl"), tmp_path, 7, 2, Path("pictures"))
    train("autoencoder", tmp_path / "tiny.yaml", out=tmp_path, changes=("data=other.jsonl",))
    assert given == [
        2,
        (Path("my.jsonl"), tmp_path, 7, {"textures": Path("pictures")}),
        (Path("other.jsonl"), tmp_path, None, {}),
    ]


@pytest.mark.parametrize(
    ("stage", "options", "told"),
    [
        ("gramm", {}, "there is no stage 'gramm'; take one of autoencoder, diffusion"),
        ("gram", {"steps": 0}, "--steps is at least 1, not 0"),
        ("gram", {"threads": 0}, "--threads is at least 1, not 0"),
        ("autoencoder", {"textures": "pictures"}, "--textures is for gram, control, prior, timing"),
    ],
)
def test_what_no_stage_takes_is_refused(tmp_path, stage, options, told):
    with pytest.raises(UsageError, match=told):
        train(stage, tmp_path / "tiny.yaml", out=tmp_path / "out", **options)
    assert not list(tmp_path.iterdir())


def test_what_is_computed_at_once_takes_no_steps(tmp_path):
    with pytest.raises(UsageError, match="prior takes no steps"):
        train("prior", tmp_path / "tiny.yaml", steps=3)
