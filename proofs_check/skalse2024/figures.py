"""Pictures of the STARC page: `python -m proofs_check.skalse2024.figures DIRECTORY [ENVIRONMENTS]`."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import rltheory as rl
from rltheory.solvers import epic_distance, soundness_constants, starc_distance, worst_case_regret

from .experiments import Correlations, correlations
from .setting import FIRST, rare


def sandwich(ax: Any, *, count: int = 250, seed: int = 0) -> None:
    """Worst-case regret of random pairs against d_ρ, between its two bounds."""
    rng = np.random.default_rng(seed)
    points = []
    for _ in range(count):
        S, A = rng.integers(1, 4), rng.integers(2, 5)
        tau = rng.dirichlet(np.ones(S), (S, A))
        mdp = rl.MDP(tau, np.zeros((S, A)), 0.9)
        R1 = rng.integers(-2, 3, (S, A, S)).astype(float)
        R2 = rng.integers(-2, 3, (S, A, S)) + rng.choice([-1.0, 0.0, 1.0]) * R1
        points.append(
            (
                starc_distance(R1, R2, mdp, norm="range", canon="none"),
                float(worst_case_regret(R1, R2, mdp).regret),
            )
        )
    x, y = np.array(points).T
    ax.plot(x, y, ".", markersize=4)
    line = np.array([0, 2])
    ax.plot(line, line, "k-", linewidth=1, label="d")
    ax.plot(line, line / 2, "k--", linewidth=1, label="d/2")
    ax.set(xlabel="d_ρ(R1, R2)", ylabel="worst-case regret", xlim=(0, 2.02), ylim=(0, 1.03))
    ax.legend(loc="lower right")


def constants(ax: Any, *, count: int = 200, seed: int = 1) -> None:
    """Worst-case regret over VAL-∞-∞ in units of the theorem's U (above) and L (below), and rare states."""
    rng = np.random.default_rng(seed)
    points = []
    for k in range(count):
        if k % 3 == 0:
            eps = Fraction(1, int(rng.integers(2, 400)))
            flip = ("common", "rare")[k % 2]
            x = rare(eps, eps * Fraction(int(rng.integers(1, 9)), 8) / (1 - eps), Fraction(1, 20), flip=flip)
            mdp, R1, R2 = x.W.mdp.float(), x.R1.astype(float), x.R2.astype(float)
        else:
            S, A = rng.integers(1, 4), rng.integers(2, 4)
            mdp = rl.MDP(rng.dirichlet(np.ones(S), (S, A)), np.zeros((S, A)), rng.choice([0.05, 0.5, 0.9]))
            R1, R2 = rng.normal(size=(2, S, A, S))
        L, U = soundness_constants(mdp)
        d = starc_distance(R1, R2, mdp, norm="linf")
        if d < 1e-9:  # one state, two actions: the same order, up to rounding
            continue
        reg = float(worst_case_regret(R1, R2, mdp).regret)
        points.append((float(U) / float(L), reg / (float(L) * d)))
    x, y = np.array(points).T
    ax.loglog(x, y, ".", markersize=4)
    line = np.array([x.min(), x.max()])
    ax.plot(line, line, "k-", linewidth=1, label="U")
    ax.plot(line, 0 * line + 1, "k--", linewidth=1, label="L")
    ax.set(xlabel="U/L of the environment", ylabel="regret / (L·d), d = VAL-∞-∞")
    ax.legend(loc="upper left")


def unsound(ax: Any) -> None:
    """EPIC and d_ρ along R ± drowned in NX: regret stays 1, EPIC falls like 1/N."""
    W = FIRST.W
    mdp, R = W.mdp.float(), FIRST.R1.astype(float)
    X = W.redistribution(FIRST.R2).astype(float)
    N = np.logspace(0, 6, 25)
    pairs = [(R + n * X, -R + n * X) for n in N]
    ax.loglog(N, [epic_distance(*p, mdp) for p in pairs], "C1.-", label="EPIC")
    ax.loglog(N, [starc_distance(*p, mdp, canon="none", norm="range") for p in pairs], "C0-", label="d_ρ")
    ax.loglog(N, [float(worst_case_regret(*p, mdp).regret) for p in pairs], "k--", label="worst-case regret")
    ax.set(xlabel="N", ylabel="distance between R + NX and −R + NX")
    ax.legend()


def both_variants(count: int) -> tuple[Correlations, Correlations]:
    """The experiment, as released (A) and with exact zeros (B)."""
    return correlations(count, variant="A"), correlations(count, variant="B")


def main(folder: str, count: int) -> None:
    """Write the pictures and print the table; count = 0 leaves the experiment out."""
    where = Path(folder)
    fig = Figure(figsize=(13, 3.6), layout="constrained")
    left, middle, right = fig.subplots(1, 3)
    sandwich(left)
    constants(middle)
    unsound(right)
    fig.savefig(where / "starc-regret.png", dpi=100)
    if not count:
        return
    A, B = both_variants(count)
    fig = Figure(figsize=(9, 6), layout="constrained")
    for ax, name, out in zip(fig.subplots(2, 1), ("as released (A)", "exact zeros (B)"), (A, B), strict=True):
        out.plot(ax)
        ax.set_title(f"{name}: {count} environments, {len(out.target)} steps", fontsize=10)
    fig.savefig(where / "starc-correlations.png", dpi=110)
    from .experiments import SHOWN

    for name in SHOWN:
        sys.stdout.write(f"| {name} | {A.values[name]:.3f} | {B.values[name]:.3f} |\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 128)
