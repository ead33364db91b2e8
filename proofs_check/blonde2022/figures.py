"""Pictures: `python -m proofs_check.blonde2022.figures FOLDER` writes them."""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure

from rltheory.reports.plot import save

from . import experiments


def main(folder: str) -> None:
    """Write `lipschitz-imitation.png`."""
    fig = Figure(figsize=(10, 6.6), layout="constrained")
    (a, b), (c, d) = fig.subplots(2, 2)
    experiments.ratios().plot(a)
    experiments.quotients().plot(b)
    experiments.preconditioning_sweep().plot(c)
    experiments.pendulum().plot(d)
    save(fig, Path(folder) / "lipschitz-imitation.png", dpi=110)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/_static")
