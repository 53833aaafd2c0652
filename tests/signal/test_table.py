"""Tables of numbers as people and spreadsheets write them."""

import pytest

from foleygram.errors import EnvelopeError
from foleygram.signal.table import read_table


def read(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text(text)
    return read_table(path)


@pytest.mark.parametrize(
    "text",
    [
        '"0.5","0.3"\n"1.25","0.1"\n', '"0.5";"0.3"\n"1.25";"0.1"\n', '"0.5"\t"0.3"\n"1.25"\t"0.1"\n',
        '"seconds","strength"\r\n"0.5","0.3"\r\n"1.25","0.1"\r\n', '0.5, "0.3"\n "1.25" ,0.1\n', '"0.5" "0.3"\n1.25  "0.1"\n',
        "0.5,0.3\n1.25;0.1\n", '"0.5","0.3",""\n"1.25","0.1",\n',
    ],
)  # fmt: skip
def test_cells_may_stand_in_quotes(tmp_path, text):
    table = read(tmp_path, text)
    assert table.rows.tolist() == [[0.5, 0.3], [1.25, 0.1]]
    assert table.header == (("seconds", "strength") if "strength" in text else ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('0.2,0.1\n"0.5 0.3"\n', "line 2 is not"), ('0.2,0.1\n"0,5";"0,3"\n', "line 2 is not .* decimals with a point"),
        ('0.2,0.1\n"0.5","0.3\n"\n', "line 2 is not"), ('0.2,0.1\n"' + 200_000 * "x" + '"', "line 2 is not"),
    ],
)  # fmt: skip
def test_what_is_no_number_in_quotes_is_named(tmp_path, text, expected):
    with pytest.raises(EnvelopeError, match=expected) as error:
        read(tmp_path, text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["0.5,#REF!", "0.5,0.3#REF!", "0.5;#N/A", "0.5\t#REF!", '"0.5","#REF!"', "0.5, #ref!", "0.5,#DIV/0!"]
)
def test_what_a_spreadsheet_writes_for_an_error_is_no_comment(tmp_path, text):
    with pytest.raises(EnvelopeError, match="line 2 is not"):
        read(tmp_path, f"0.2,0.1\n{text}\n")


def test_names_that_are_none(tmp_path):
    for name, expected in ((".", "is a folder"), ("none.csv", "no such file"), ("x" * 300, "too long")):
        with pytest.raises(EnvelopeError, match=expected):
            read_table(tmp_path / name)


def test_comments(tmp_path):
    text = "# hits\n#words\n  # indented\n0.5,0.3 # the hit\n0.6,0.3 #the hit #2\n0.7,0.3\t# words\n0.8 0.3\t#\n\t#\n"
    table = read(tmp_path, text + "0.9,0.3#loud\n1.0;0.3;#step\n")
    assert table.rows[:, 0].tolist() == [0.5, 0.6, 0.7, 0.8, 0.9, 1.0] and table.lines == [4, 5, 6, 7, 9, 10]
