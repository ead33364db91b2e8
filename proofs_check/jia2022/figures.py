"""Pictures of the martingale page: `python -m proofs_check.jia2022.figures DIRECTORY [RUNS]`."""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure

from .experiments import (
    LIMIT,
    convergence,
    finer_line,
    finer_option,
    finer_wealth,
    sampled_clstd,
    three_learners,
    trace_path,
)


def finer() -> Figure:
    """Experiment 1."""
    fig = Figure(figsize=(12, 3.4), layout="constrained")
    for ax, curve in zip(fig.subplots(1, 3), (finer_line(), finer_option(), finer_wealth()), strict=True):
        curve.plot(ax)
        if curve.truth == 0.2:
            ax.axhline(LIMIT, color="C3", linestyle=":", label="least quadratic variation")
            ax.set_ylim(0.15, 0.85)
        if curve.truth == 0.16:
            ax.plot(curve.n, 0.8 * curve.n**0.5, "k:", linewidth=1, label="0.8 √n")
        ax.legend(fontsize=8)
    return fig


def exact() -> Figure:
    """Experiments 3 and 4."""
    fig = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = fig.subplots(1, 2)
    convergence().plot(left)
    trace_path().plot(right)
    return fig


def learners(runs: int) -> Figure:
    """Experiment 2, and its table on standard output."""
    out = three_learners(runs=runs)
    fig = Figure(figsize=(6, 3.8), layout="constrained")
    out.plot(fig.subplots())
    sys.stdout.write(out.to_dataframe().to_string() + "\n")
    return fig


def main(folder: str, runs: int) -> None:
    """Write the pictures; runs = 0 leaves the learners out."""
    where = Path(folder)
    finer().savefig(where / "martingale-td-finer.png", dpi=100)
    exact().savefig(where / "martingale-td-exact.png", dpi=100)
    sys.stdout.write(f"slopes: {convergence().slopes}\n")
    if not runs:
        return
    learners(runs).savefig(where / "martingale-td-learners.png", dpi=100)
    found = sampled_clstd()
    sys.stdout.write(f"CLSTD of 200 000 episodes: {found.theta} ± {found.std_error}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 24)
