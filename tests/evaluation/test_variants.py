"""Rows and claims of the tables."""

import pytest

from foleygram.errors import UsageError
from foleygram.evaluation.results import CLAIMS, VARIANTS
from foleygram.evaluation.variants import SILENT_VARIANTS, TABLE_1_VARIANTS, TABLE_2_VARIANTS, chosen_rows, information


def test_tables_are_the_papers():
    assert [variant.use for variant in TABLE_2_VARIANTS] == ["AVT", "AV", "AT", "VT", "A", "V", "T"]
    assert all(variant.control == "envelope" for variant in TABLE_2_VARIANTS)
    assert TABLE_1_VARIANTS[-1].paper.label == "FoleyGRAM"
    assert information(TABLE_1_VARIANTS[0]) == ("no timing", "own video")
    assert len({variant.name for variant in TABLE_1_VARIANTS}) == len(TABLE_1_VARIANTS)


@pytest.mark.parametrize("number", VARIANTS)
def test_claims_are_of_rows_that_are_there(number):
    names = [variant.name for variant in VARIANTS[number]]
    assert len(set(names)) == len(names)
    assert {name for claim in CLAIMS[number] for name in (claim.first, claim.second)} <= set(names)


def test_silent_films_need_no_other_model():
    assert all(variant.strokes and not variant.model for variant in SILENT_VARIANTS)


def test_a_room_tone_is_information():
    (listed,) = chosen_rows(SILENT_VARIANTS, ["A, listed, room"])
    assert information(listed) == ("onset times of the own sound", "own sound", "room tone of the own sound")


def test_rows_of_one_name_are_one_row():
    """With one --out the sounds of a row that stands in two tables are made once."""
    rows = {}
    for table in VARIANTS.values():
        for row in table:
            if row.name in rows:
                other = rows[row.name]
                assert (row.use, row.control, row.model, row.strokes, row.room, row.as_sound) == (
                    other.use, other.control, other.model, other.strokes, other.room, other.as_sound,
                )  # fmt: skip
            rows[row.name] = row


def test_points_are_exchanged_one_at_a_time():
    exchanged = [row for row in VARIANTS[4] if row.as_sound]
    assert exchanged and all(row.use in ("T", "V") and row.control == "envelope" for row in exchanged)
    assert information(exchanged[0]) == ("envelope of the own sound", "own text, read as a sound")
    assert {row.model for row in VARIANTS[4]} == {"", "cosine", "unaligned"}


def test_rows_are_chosen_by_name():
    assert [row.name for row in chosen_rows(TABLE_2_VARIANTS, ["T", "AV"])] == ["AV", "T"]
    assert chosen_rows(TABLE_2_VARIANTS, []) == TABLE_2_VARIANTS
    with pytest.raises(UsageError, match="no row 'X'; the table has: AVT; AV; "):
        chosen_rows(TABLE_2_VARIANTS, ["X"])
