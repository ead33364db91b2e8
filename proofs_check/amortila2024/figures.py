"""Pictures of the density-ratio page: `python -m proofs_check.amortila2024.figures DIRECTORY`."""

from __future__ import annotations

import sys
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from rltheory.results.axes import axes

from .experiments import Ablation, Exploration, HybridLearning, ablation, exploration, hybrid_learning
from .potentials import one_point


def tight_potential(ax: Any = None) -> Any:
    """Σ CC/t over (2+γ)C H_T on one point, against T, up to T = 10⁴⁰: the constant is sharp as γ → 0."""
    ax = axes(ax)
    T = [10**k for k in range(1, 41)]
    for k, gamma in enumerate((F(1), F(1, 5), F(1, 20))):
        ratio = []
        for n in T:
            x = one_point(gamma, n)
            right: Any = x.right(2 + gamma)
            ratio.append(float(getattr(x.left, "upper", x.left)) / float(right.upper))
        ax.semilogx([float(n) for n in T], ratio, color=f"C{k}", label=f"γ = {gamma}")
        ax.axhline(2 / (2 + float(gamma)), color=f"C{k}", linestyle=":", linewidth=1)
    ax.set(xlabel="T (closed form)", ylabel="left/right of the hybrid potential", ylim=(0, 1))
    ax.legend(fontsize=8)
    return ax


def draw_exploration(out: Exploration) -> Figure:
    """E1: regret and version space."""
    fig = Figure(figsize=(11, 4), layout="constrained")
    left, right = fig.subplots(1, 2)
    out.plot(left)
    out.plot_space(right)
    return fig


def draw_hybrid(hybrid: HybridLearning, parts: Ablation) -> Figure:
    """E2 left, E3 middle, the tight family right."""
    fig = Figure(figsize=(15, 4.2), layout="constrained")
    left, middle, right = fig.subplots(1, 3)
    hybrid.plot(left)
    parts.plot(middle)
    tight_potential(right)
    return fig


def main(folder: str) -> None:
    """Write the pictures and print the tables."""
    where = Path(folder)
    e1, e2, e3 = exploration(), hybrid_learning(), ablation()
    draw_exploration(e1).savefig(where / "density-ratios-glow.png", dpi=110)
    draw_hybrid(e2, e3).savefig(where / "density-ratios-hybrid.png", dpi=110)
    for name, run in e1.runs.items():
        sys.stdout.write(
            f"| {name} | {run.regret:.1f} | {run.flat_from / run.T:.3f} | {run.surviving[-1]} |\n"
        )
    for name, T in e2.runs:
        low, high = np.min(e2.regrets(name, T)), np.max(e2.regrets(name, T))
        sys.stdout.write(f"| {name} | {T} | {low:.2f} – {high:.2f} |\n")
    for name in e3.runs:
        sys.stdout.write(f"| {name} | {e3.lost(name)} | {e3.mean_regret(name):.0f} |\n")


if __name__ == "__main__":
    main(sys.argv[1])
