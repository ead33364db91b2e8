"""Pictures: `python -m proofs_check.voelcker2022.figures FOLDER` writes them."""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure

from rltheory.reports.plot import save

from . import experiments


def main(folder: str) -> None:
    """Write `value-gradient-*.png`."""
    where = Path(folder)
    fig = Figure(figsize=(9, 6.2), layout="constrained")
    top, bottom = fig.subfigures(2, 1)
    experiments.phases().plot(top.subplots(1, 3))
    experiments.distractors().plot(bottom.subplots(1, 2))
    save(fig, where / "value-gradient-models.png", dpi=110)
    save(experiments.landscape().plot()[0].figure, where / "value-gradient-landscape.png", dpi=100)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/_static")
