"""NOTICE: every author by name, attribution licences first."""

from pathlib import Path

import pytest

from foleygram.data.credits import Credit, credits_of, notice, picture_lines
from foleygram.errors import DataError

MANIFEST = """path,license,author,tier,sr,family
wood_hit/a.wav,CC-BY-3.0,Ann,A,44100,github:AntumMT/mod-sounds/a
wood_hit/b.wav,CC-BY-3.0,Ann,A,44100,github:AntumMT/mod-sounds/b
wood_hit/c.wav,CC0 (by default),2016 Sam <sam@example.org>,A,44100,deb:sonic-pi-samples/c
metal_footstep/rp_footstep_metal.ogg,CC-BY-3.0,Wuzzy et al. (README),A,44100,github:MultiCraft/repixture/d
thunder/e.wav,CC-BY-3.0,Unused,A,44100,github:x/y/e
"""


def test_authors_of_used_recordings(tmp_path):
    (tmp_path / "manifest.csv").write_text(MANIFEST)
    assert credits_of(tmp_path) == (
        Credit("CC-BY-3.0", "Repixture", "Eelke, changed by Wuzzy", 1),
        Credit("CC-BY-3.0", "mod-sounds (AntumMT)", "Ann", 2),
        Credit("CC0", "Sonic Pi samples", "Sam", 1),
    )


def test_notice_names_attribution_first():
    credits = (Credit("CC-BY-3.0", "A", "Ann", 1), Credit("CC0", "B", "Bob", 2), Credit("MIT", "C", "Cy", 1))
    text = notice(credits, ("CC0-1.0: Dee",))
    assert (
        text.index("Ann")
        < text.index("Cy")
        < text.index("Permission is hereby granted")
        < text.index("Bob")
        < text.index("Dee")
    )


def test_photographs_without_a_list_are_one_line(tmp_path):
    with pytest.raises(DataError, match="manifest.csv: cannot be read"):
        picture_lines(tmp_path)


def test_committed_notice_credits_the_collection():
    text = (Path(__file__).parents[2] / "NOTICE").read_text()
    for name in ("CGEffex", "Benboncan", "Frank Wen", "Kenney", "HerbertBoland", "creativecommons.org/licenses/by/3.0"):
        assert name in text
    assert "@" not in text
