"""The paper's numbers, as printed, with what is known to be wrong with them; they stand beside ours in every table.

Sources: FoleyGRAM, Tables I and II; the FAVD of the baselines from the project page of Stable-V2A (same group, same test
set), because Table I repeats its CLAP column there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MISPRINT = "Table I prints the CLAP score here; this is the number of the Stable-V2A page"
SWAPPED = "Table I and the Stable-V2A page swap the labels (Audio) and (Text); the page is the plausible one"

MARKS = {MISPRINT: "*", SWAPPED: "†"}
"""By which a row points to its notes: behind the number, behind the label."""


@dataclass(frozen=True)
class PaperRow:
    """One row. ``printed_label`` and ``label``: what the paper calls it and what it most likely is; ``favd``: the number to
    use, ``printed_favd`` the printed one; None where there is none. Lower is better but for ``clap``."""

    label: str
    printed_label: str
    fad_c: float
    fad_lc: float
    clap: float
    favd: float | None
    printed_favd: float
    notes: tuple[str, ...] = ()

    @property
    def misprinted(self) -> bool:
        return self.favd != self.printed_favd

    @property
    def marked_label(self) -> str:
        """``label``, with its mark where it is not the printed one."""
        return self.label + (MARKS[SWAPPED] if SWAPPED in self.notes else "")


def footnotes(rows: Iterable[PaperRow]) -> list[str]:
    """The notes of these rows, each once and behind its mark."""
    return [f"{MARKS[note]} {note}." for note in dict.fromkeys(note for row in rows for note in row.notes)]


TABLE_1 = (
    PaperRow("SpecVQGAN", "SpecVQGAN", 1001, 0.7102, 0.1418, 6.5136, 0.1418, (MISPRINT,)),
    PaperRow("Diff-Foley", "Diff-Foley", 654, 0.4690, 0.3733, 4.6186, 0.3733, (MISPRINT,)),
    PaperRow("CondFoleyGen", "CondFoleyGen", 650, 0.4883, 0.4879, 6.4814, 0.4879, (MISPRINT,)),
    PaperRow("SyncFusion, text", "SyncFusion (Audio)", 591, 0.4365, 0.5154, 4.3020, 0.5154, (MISPRINT, SWAPPED)),
    PaperRow("SyncFusion, audio", "SyncFusion (Text)", 542, 0.2793, 0.6621, 3.2825, 0.6621, (MISPRINT, SWAPPED)),
    PaperRow("Video-Foley, text", "Video-Foley (Audio)", 644, 0.4997, 0.3680, 4.9106, 0.3680, (MISPRINT, SWAPPED)),
    PaperRow("Video-Foley, audio", "Video-Foley (Text)", 435, 0.1671, 0.6779, 2.2070, 0.6779, (MISPRINT, SWAPPED)),
    PaperRow("FoleyGRAM", "FoleyGRAM (Ours)", 235, 0.0720, 0.7083, 0.8912, 0.8912),
)
"""Table I: Greatest Hits, 196 videos. FoleyGRAM was given true envelope, sound, picture and text; SpecVQGAN and
Diff-Foley the silent picture alone."""

TABLE_2 = (
    PaperRow("AVT", "AVT", 235, 0.072, 0.7083, 0.8912, 0.8912),
    PaperRow("AV", "AV", 238, 0.074, 0.7007, 0.9309, 0.9309),
    PaperRow("AT", "AT", 287, 0.093, 0.6814, 0.9978, 0.9978),
    PaperRow("VT", "VT", 269, 0.119, 0.6623, 1.1739, 1.1739),
    PaperRow("A", "A", 325, 0.135, 0.6155, 1.6513, 1.6513),
    PaperRow("V", "V", 271, 0.122, 0.6543, 1.2003, 1.2003),
    PaperRow("T", "T", 1069, 0.797, 0.1962, 6.1288, 6.1288),
)
"""Table II: the conditionings of FoleyGRAM, all with the true envelope."""
