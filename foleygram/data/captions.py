"""What the scenes are called: the paper's template (IV-A), and paraphrases for training."""

from __future__ import annotations

VERBS = {"hit": "hit", "scratch": "scratch", "step": "steps"}


def template(material: str, actions: list[str], tool: str) -> str:
    """The test caption: "A person {hit|scratch} {once|multiple times} on {material} with a wooden stick." """
    often = "once" if len(actions) == 1 else "multiple times"
    if "step" in actions:
        return f"A person steps {often} on {material}."
    verb = " and ".join(kind for kind in ("hit", "scratch") if kind in actions)
    return f"A person {verb} {often} on {material} with {'a wooden stick' if tool == 'stick' else 'the hand'}."
