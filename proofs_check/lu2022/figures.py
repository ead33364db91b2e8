"""Pictures of the multitask page: `python -m proofs_check.lu2022.figures DIRECTORY`."""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure

from .experiments import Sharing, sharing


def draw(out: Sharing) -> Figure:
    """Curves over rounds, finals over tasks, finals over |Φ|."""
    fig = Figure(figsize=(15, 4.2), layout="constrained")
    left, middle, right = fig.subplots(1, 3)
    out.plot(left)
    out.plot_tasks(middle)
    out.plot_sizes(right)
    return fig


def main(folder: str) -> None:
    """Write the picture and print the table."""
    out = sharing()
    draw(out).savefig(Path(folder) / "multitask-sharing.png", dpi=110)
    for learner, M in out.curves:
        mean, error = out.final(learner, M)
        sys.stdout.write(f"| {learner} | {M} | {mean:.2f} ± {error:.2f} |\n")
    for (learner, p), last in out.sizes.items():
        sys.stdout.write(f"| {learner} | |Φ| = {p} | {last.mean():.2f} |\n")


if __name__ == "__main__":
    main(sys.argv[1])
