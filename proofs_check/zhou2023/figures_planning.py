"""Pictures of planning: `python -m proofs_check.zhou2023.figures_planning DIRECTORY`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import rltheory as rl
from rltheory.models.gallery import wait_and_guess
from rltheory.solvers import BestMarkov, PointBased


def hierarchy(ax: Any, *, longest: int = 16) -> None:
    """Wait and guess: V* against H, below QMDP and above the best Markov policy."""
    horizons = list(range(2, longest + 1))
    models = [wait_and_guess(H=H).float() for H in horizons]
    ax.plot(horizons, [rl.QMDP().run(x).value for x in models], "k--", linewidth=1, label="QMDP")
    ax.plot(horizons, [rl.solve(x).value for x in models], "o-", markersize=4, label="V*")
    few = [(H, x) for H, x in zip(horizons, models, strict=True) if H <= 6]
    ax.plot(
        [H for H, _ in few],
        [BestMarkov().run(x).value for _, x in few],
        "s-",
        markersize=4,
        label="best Markov policy",
    )
    ax.set(xlabel="horizon H", ylabel="value", title="Wait and guess")
    ax.legend(frameon=False)


def random_model(M: int, S: int, A: int, H: int, seed: int = 0) -> Any:
    """A random latent MDP with full support and hidden rewards."""
    rng = np.random.default_rng(seed)
    P, R = rng.dirichlet(np.ones(S), (M, S, A)), rng.random((M, S, A)) / H
    nu = rng.dirichlet(np.ones(S), M)
    return rl.LatentMDP.from_arrays(P, R, weights=np.ones(M) / M, nu=nu, H=H, observe_rewards=False)


def gap(ax: Any, *, trials: int = 2_000) -> None:
    """Certified gap of random models against the number of trials."""
    for shape in ((3, 5, 3, 5), (3, 5, 3, 8), (3, 5, 3, 12)):
        sol = PointBased(tol=1e-6, max_trials=trials).run(random_model(*shape))
        made, lower, upper = np.array([h for h in sol.stats["history"] if h[0] > 0]).T
        ax.loglog(made, upper - lower, label="M, S, A, H = " + ", ".join(map(str, shape)))
    ax.set(xlabel="trials", ylabel="upper − lower bound", title="Certified gap")
    ax.legend(frameon=False, fontsize=8)


def draw(directory: str | Path, *, trials: int = 2_000) -> Path:
    """latent-planning.png; its path."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    hierarchy(left)
    gap(right, trials=trials)
    path = Path(directory) / "latent-planning.png"
    figure.savefig(path, dpi=150)
    return path


if __name__ == "__main__":
    draw(sys.argv[1])
