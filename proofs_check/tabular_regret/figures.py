"""Pictures of the page: `python -m proofs_check.tabular_regret.figures DIRECTORY`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import rltheory as rl
from rltheory.solvers import MVP, PSRL, UCBVI, BernsteinBonus

from .experiments import horizon_scaling, river


def scaling(seeds: int = 10) -> Figure:
    """Regret against H, and its log–log growth on RiverSwim."""
    fig = Figure(figsize=(10, 4), layout="constrained")
    left, right = fig.subplots(1, 2)
    horizon_scaling(range(seeds)).plot(left)
    left.set_ylim(0.02, 600)
    left.legend(frameon=False, fontsize=8, loc="lower left")
    left.set_title("sticky MDP, total reward ≤ 1, K = 3000", fontsize=10)
    river(range(seeds)).plot(right)
    right.set_title("RiverSwim, S = 4, H = 10", fontsize=10)
    return fig


def theorem(seeds: int = 400) -> Figure:
    """The theorem with its constants over measured regret; a band; learning without randomness."""
    fig = Figure(figsize=(10, 4), layout="constrained")
    left, middle, right = fig.subplots(1, 3)
    model = rl.gallery.river_swim_episodes(4, 10)
    rl.regret(UCBVI(), model, K=5000, seeds=range(5), progress=False).plot(left, bound=True, log=True)
    left.set_title("UCBVI as published", fontsize=10)
    for agent in (BernsteinBonus(scale=0.3), PSRL()):
        rl.regret(agent, model, K=2000, seeds=range(seeds), progress=False).plot(middle, simultaneous=True)
    middle.set_title(f"means of {seeds} seeds, 95 % bands", fontsize=10)
    chain = rl.gallery.regret_chain()
    for late in (UCBVI(scale=0.02), MVP(scale=0.02), BernsteinBonus()):
        rl.regret(late, chain, K=16000, vmax=1, seeds=[0], progress=False).plot(right, band=None)
    right.set_title("deterministic chain", fontsize=10)
    for ax in (left, middle, right):
        ax.legend(frameon=False, fontsize=8)
    return fig


def main(directory: str) -> None:
    """Write both."""
    out = Path(directory)
    np.seterr(all="raise", under="ignore")
    scaling().savefig(out / "regret-scaling.png", dpi=130)
    theorem().savefig(out / "regret-theorem.png", dpi=130)


if __name__ == "__main__":
    main(sys.argv[1])
