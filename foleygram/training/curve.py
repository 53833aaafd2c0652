"""A training log as a curve one can look at."""

import json
from pathlib import Path

from foleygram.hub.folder import write_atomically


def draw_curve(log: Path, out: Path) -> None:
    """Draws every value of a JSON-lines log over the steps, one panel each; nothing where the log is empty."""
    if not log.exists():
        return
    series: dict[str, list[tuple[int, float]]] = {}
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        for name, value in entry.items():
            if name not in ("step", "seconds", "rate"):
                series.setdefault(name, []).append((entry["step"], value))
    if not series:
        return
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.2 * len(series)), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (name, points) in zip(figure.subplots(len(series), squeeze=False)[:, 0], series.items(), strict=True):
        axes.plot(*zip(*points, strict=True), linewidth=1)
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
    axes.set_xlabel("step")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=100)
    write_atomically(out, picture.getvalue())
