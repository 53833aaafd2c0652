"""NOTICE credits those whom the weights and the benchmark are owed to."""

from pathlib import Path


def test_authors_are_named_without_their_addresses():
    text = (Path(__file__).parents[1] / "NOTICE").read_text()
    for name in ("CGEffex", "Benboncan", "Frank Wen", "Kenney", "HerbertBoland", "creativecommons.org/licenses/by/3.0"):
        assert name in text
    assert "@" not in text
