"""Whom sounds and photographs are owed to: the text of NOTICE, made from the manifests of the collections.

``foleygram prepare minihits`` writes it beside the clips. Recordings are not part of this package, but its weights were made
with them, so the package's own NOTICE names their authors too, those of CC-BY and MIT works first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from foleygram.data.listing import read_listing
from foleygram.data.sounds import Recording, read_recordings

NAMES = (
    # where the manifest only points to a list, the list's own words (source, part of the path, author)
    ("openclonk", "Liquids-Splash", "CGEffex"),
    ("openclonk", "Wood-WoodHit", "HerbertBoland"),
    ("openclonk", "LightMetalHit1", "Erdie"),
    ("openclonk", "LightMetalHit2", "kibibu"),
    ("openclonk", "DullMetalHit", "adcbicycle"),
    ("openclonk", "Rockfall", "ala"),
    ("openclonk", "Objects-Clonk", "Stickinthemud"),
    ("openclonk", "HingeCreak", "cmusounddesign"),
    ("repixture", "footstep_metal", "Eelke, changed by Wuzzy"),
    ("repixture", "place_crystal", "firb, changed by Wuzzy"),
    ("repixture", "(dug|fall)_crystal|dug_glass", "kelsey_w, changed by Wuzzy"),
    ("repixture", "dig_wood", "Cheney777, changed by Wuzzy"),
    ("repixture", "place_fuzzy", "Little Robot Sound Factory (www.littlerobotsoundfactory.com)"),
    ("repixture", "shears_cut", "SmartWentCody"),
    ("repixture", "tool_breaks", "JustInvoke"),
    ("repixture", "ingot", "timgormly, changed by Wuzzy"),
    ("minetest", "chest", "Sevin7, Percy Duke, kingsamas"),
    ("minetest", "doors_door_close", "bennstir"),
    ("minetest", "fencegate_close", "BarkersPinhead, rivernile7"),
)
FALLBACK = {
    "openclonk": "RedWolf Design GmbH, the OpenClonk Team and contributors",
    "repixture": "Wuzzy, Kaadmy and contributors",
    "minetest": "the Minetest Game contributors",
}
PROJECTS = {
    "openclonk": "OpenClonk",
    "repixture": "Repixture",
    "minetest": "Minetest Game",
    "mod-sounds": "mod-sounds (AntumMT)",
    "kenney": "kenney.nl",
    "fluid-soundfont": "Fluid (R3) soundfont",
    "sonic-pi": "Sonic Pi samples",
    "freedink": "FreeDink",
    "ufoai": "UFO: Alien Invasion",
    "hydrogen": "Hydrogen drum kits",
}
LINKS = {
    "CC-BY-3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC0": "https://creativecommons.org/publicdomain/zero/1.0/",
}
MIT = """Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions: The above copyright notice and
this permission notice shall be included in all copies or substantial portions of the Software. THE SOFTWARE IS
PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT
HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."""


@dataclass(frozen=True, order=True)
class Credit:
    """An author's share: ``licence`` (SPDX-like), ``project`` that published it, ``author``, ``recordings`` used."""

    licence: str
    project: str
    author: str
    recordings: int


def credits_of(folder: Path) -> tuple[Credit, ...]:
    """Authors and licences of the recordings that MiniHits uses from ``folder``. Raises DataError as ``read_recordings``."""
    seen: dict[tuple[str, str, str], set[str]] = {}
    for recording in read_recordings(folder):
        source = next((key for key in PROJECTS if key in recording.family), "")
        project = PROJECTS.get(source, recording.family.rsplit("/", 1)[0])
        licence = "CC0" if recording.licence.startswith("CC0") else recording.licence
        seen.setdefault((licence, project, author_of(recording, source)), set()).add(recording.path)
    return tuple(sorted(Credit(*key, len(paths)) for key, paths in seen.items()))


def author_of(recording: Recording, source: str) -> str:
    """The author by name; a mail address, a year and a bare pointer to a list are no name."""
    for key, part, name in NAMES:
        if key == source and re.search(part, recording.path):
            return name
    name = re.sub(r"\s*<[^>]*>|^\d{4}\s+|^[;\s]+", "", recording.author).strip()
    return FALLBACK.get(source, name) if not name or "README" in name or "authors.txt" in name else name


def notice(credits: tuple[Credit, ...], pictures: tuple[str, ...] = ()) -> str:
    """The text of NOTICE beside a set of clips. ``pictures``: lines that credit photographs."""
    lines = [
        "Clips composed by foleygram prepare minihits. Whoever passes them on, or what was",
        "made with them, names these authors.",
        "",
    ]
    if credits:
        lines += ["Recordings, cut, changed in pitch and level and mixed:", ""]
    for licence in sorted({credit.licence for credit in credits}, key=lambda name: (name == "CC0", name)):
        chosen = [credit for credit in credits if credit.licence == licence]
        lines.append(
            f"{licence}{f' ({LINKS[licence]})' if licence in LINKS else ''}"
            + ("" if licence not in ("CC0", "public-domain") else ", with thanks")
        )
        for project in sorted({credit.project for credit in chosen}):
            authors = [credit.author for credit in chosen if credit.project == project]
            lines.append(f"  {project}: {'; '.join(authors)}")
        if licence == "MIT":
            lines += [f"    {line}" for line in MIT.splitlines()]
        lines.append("")
    if pictures:
        lines += ["Photographs of surfaces, cut and lit:", *(f"  {line}" for line in pictures), ""]
    return "\n".join(lines)


def picture_lines(folder: Path) -> tuple[str, ...]:
    """Licence and authors of the photographs of a texture folder, a line each licence. Raises DataError as ``read_listing``."""
    authors: dict[str, set[str]] = {}
    for row in read_listing(folder):
        authors.setdefault(row.get("licence") or "licence unknown", set()).add(row.get("author") or "author unknown")
    return tuple(f"{licence}: {'; '.join(sorted(names))}" for licence, names in sorted(authors.items()))
