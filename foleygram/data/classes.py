"""What the classes of ImageNet are called, of which a published picture tower tells how likely each is (gram/vision.py).

``classes.txt`` has them in the order of the classifier, the first word that WordNet has for each; a dash ahead of what is
hardly struck, rubbed or stepped on for its sound, as one person judged: animals, people, food, what is worn, and what strikes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def read_classes(path: Path) -> Iterator[str | None]:
    """A name a line, None for one behind a dash."""
    for line in path.read_text(encoding="utf-8").splitlines():
        yield None if line.startswith("- ") else line.strip()


CLASSES = tuple(read_classes(Path(__file__).with_name("classes.txt")))
"""The name of each class that can sound, else None."""
