"""Pictures: `python -m proofs_check.zheng2023.figures FOLDER` writes them."""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure

from rltheory.reports.plot import save

from . import experiments


def main(folder: str) -> None:
    """Write `lipschitz-models.png`."""
    fig = Figure(figsize=(13, 3.5), layout="constrained")
    left, middle, right = fig.subplots(1, 3)
    experiments.scatter().plot(left)
    experiments.capped_iteration().plot(middle)
    experiments.smoothing_curve().plot(right)
    save(fig, Path(folder) / "lipschitz-models.png", dpi=110)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/_static")
