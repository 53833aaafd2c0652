"""A training log as a curve one can look at."""

import json
from pathlib import Path

from foleygram.hub.folder import write_atomically


def draw_curve(log: Path, out: Path) -> None:
    """Draws every value of a JSON-lines log over the steps, one panel each; nothing where the log is empty."""
    if not log.exists():
        return
    series: dict[str, list[tuple[int, float]]] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        for name, value in entry.items():
            if name not in ("step", "seconds", "rate"):
                series.setdefault(name, []).append((entry["step"], value))
    if not series:
        return
    import io

    from foleygram.signal.plot import blank_figure

    high = 1.6 * len(series) + 0.7  # inches; margins by hand, since a layout engine takes longer than the drawing
    figure = blank_figure(figsize=(8, high))
    figure.subplots_adjust(left=0.14, right=0.98, bottom=0.55 / high, top=1 - 0.15 / high, hspace=0.12)
    panels = figure.subplots(len(series), sharex=True, squeeze=False)[:, 0]
    for axes, (name, points) in zip(panels, series.items(), strict=True):
        axes.plot(*zip(*points, strict=True), linewidth=1)
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
    axes.set_xlabel("step")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=100)
    write_atomically(out, picture.getvalue())
