"""Whole tables: rows, the paper's numbers beside them, answers to its claims, and the document that they fill."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from foleygram.data.manifest import ClipRecord, write_manifest
from foleygram.evaluation.benchmark import BenchmarkRow
from foleygram.evaluation.comparison import compare
from foleygram.evaluation.evaluate import evaluate_folder
from foleygram.evaluation.ingestion import Finding
from foleygram.evaluation.logmel import LogMel
from foleygram.evaluation.results import CLAIMS, VARIANTS, markdown, said, table_report, write_table
from foleygram.evaluation.variants import information
from foleygram.media.audio import write_audio
from foleygram.types import Audio
from tests.evaluation.conftest import burst_clips

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "results.py"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Table I of two rows: AVT is the truth, 'no timing, AVT' comes 150 ms late."""
    folder = tmp_path_factory.mktemp("table")
    records, (audios, onsets) = [], burst_clips(5)
    for number, (audio, times) in enumerate(zip(audios, onsets, strict=True)):
        late = Audio(np.roll(audio.samples, round(0.15 * 44100), axis=1), 44100)
        for name, sound in (("AVT", audio), ("no timing, AVT", late)):
            (folder / name).mkdir(exist_ok=True)
            write_audio(folder / name / f"c{number}.wav", sound)
        path = folder / "AVT" / f"c{number}.wav"
        records.append(ClipRecord(f"c{number}", "test", None, path, "", "wood", "hit", 2.0, tuple((t, 1.0) for t in times)))
    manifest = write_manifest(folder / "clips.jsonl", records)
    variants = {variant.name: variant for variant in VARIANTS[1]}
    rows = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOLEYGRAM_CACHE", str(tmp_path_factory.mktemp("cache")))
        for name in ("no timing, AVT", "AVT"):
            report = evaluate_folder(folder / name, manifest, embedder=LogMel(), system="FoleyGRAM")
            rows.append(BenchmarkRow(variants[name], dataclasses.replace(report, given=information(variants[name]))))
    return table_report(1, rows)


def test_claims_name_rows_that_exist():
    for number, claims in CLAIMS.items():
        names = [variant.name for variant in VARIANTS[number]]
        assert len(set(names)) == len(names)
        assert all({claim.first, claim.second} <= set(names) for claim in claims)


def test_a_claim_is_answered_where_both_rows_are_there(table):
    (answer,) = table.answers
    assert (answer.claim.first, answer.claim.second) == ("AVT", "no timing, AVT")
    told = {difference.score: difference for difference in answer.differences}
    assert told["onset F1 at 50 ms"].verdict == "better" and told["onset F1 at 50 ms"].value > 0.3


def test_the_table_as_text(table):
    text = markdown(table)
    assert "| no timing, AVT | no timing; own sound; own video; own text |" in text
    assert "FoleyGRAM: 235 / 0.072 / 0.7083 / 0.8912" in text
    assert "**AVT against no timing, AVT: what does the envelope buy, all else known?**" in text
    assert "- onset F1 at 50 ms ↑: +" in text and "AVT better" in text
    assert "log-mel 64" in text and "5 clips of 2.00 s" in text
    assert "4 differences, each with 95 %" in text and "- E-L1" not in text
    assert "| FAD-C ↓" not in text, "a judge that is absent has no column"


def test_a_row_that_does_worse_is_named(table):
    late, truth = (row.report for row in table.rows)
    (line,) = [said(each) for each in compare(late, truth) if each.score == "onset F1 at 50 ms"]
    assert line.startswith("onset F1 at 50 ms ↑: -") and line.endswith(f"{late.name} worse")


def test_rows_of_other_lengths_answer_no_claim(table):
    late, truth = table.rows
    short = dataclasses.replace(late, report=dataclasses.replace(late.report, span=1.0))
    found = table_report(1, [short, truth])
    assert found.answers == () and "No two rows of a claim are there." in markdown(found)


def test_a_clip_without_a_score_is_told_under_its_row(table):
    late, truth = table.rows
    lost = dataclasses.replace(truth.report, findings=(Finding("missing", "c7", lost=True),))
    found = table_report(1, [late, dataclasses.replace(truth, report=lost)])
    assert table.complete and "### Files" not in markdown(table)
    assert not found.complete and "### Files\n\n- AVT: missing c7\n" in markdown(found)


def test_the_files_of_a_table(table, tmp_path):
    for row in table.rows:
        (tmp_path / row.variant.name).mkdir()
    (tmp_path / "AVT" / "report.json").write_text("of before")
    paths = write_table(table, tmp_path)
    assert [path.name for path in paths] == ["table1.json", "table1.md", "table1.html"]
    content = json.loads(paths[0].read_text())
    assert content["answers"][0]["claim"]["question"] and content["rows"][1]["report"]["scores"]
    assert (tmp_path / "AVT" / "report.json").read_text().startswith("{")
    assert "what does the envelope buy" in markdown(table) and "no timing, AVT" in paths[2].read_text()


def fill(*arguments):
    return subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_the_document_is_filled_between_its_marks(tmp_path):
    document = tmp_path / "results.md"
    document.write_text("before\n<!-- table 1 -->\nold\n<!-- end of table 1 -->\nafter\n")
    (tmp_path / "table1.md").write_text("## new \\1\n")
    for _ in range(2):  # again, the same
        assert fill(tmp_path, "--document", document).returncode == 0
        assert document.read_text() == "before\n<!-- table 1 -->\n## new \\1\n<!-- end of table 1 -->\nafter\n"
    (tmp_path / "table2.md").write_text("x")
    found = fill(tmp_path, "--document", document)  # table 1 has its place, table 2 has none
    assert found.returncode == 0 and "table 1 filled in" in found.stdout and "no '<!-- table 2 -->'" in found.stdout
    (tmp_path / "table1.md").unlink()
    found = fill(tmp_path, "--document", document)
    assert found.returncode == 1 and "<!-- table 2 -->" in found.stderr and found.stderr.count("\n") == 1
    assert fill(tmp_path / "nothing", "--document", document).returncode == 1


def test_tables_of_two_folders_fill_one_document(tmp_path):
    document = tmp_path / "results.md"
    document.write_text("".join(f"<!-- table {number} -->\n<!-- end of table {number} -->\n" for number in (1, 2)))
    for name, number in (("a", 2), ("b", 1)):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"table{number}.md").write_text(f"of {name}\n")
    assert fill(tmp_path / "a", tmp_path / "b", "--document", document).returncode == 0
    assert document.read_text().split("\n")[1] == "of b" and "of a\n" in document.read_text()


def test_the_document_of_the_project_has_its_marks():
    text = (SCRIPT.parents[1] / "docs" / "results.md").read_text()
    for number in (1, 2, 4):
        assert text.count(f"<!-- table {number} -->") == text.count(f"<!-- end of table {number} -->") == 1
