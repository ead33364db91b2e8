"""Draw the pictures of the documentation into _static/."""

from __future__ import annotations

import dataclasses
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
OUT = Path(__file__).resolve().parent / "_static"


def main() -> None:
    """All pictures; a few seconds."""
    import rltheory as rl
    from proofs_check.exact_mdp.operators import contraction
    from rltheory.checks import worst_case
    from rltheory.reports import plot

    def keep(fig: object, name: str) -> None:
        plot.save(fig, OUT / name, dpi=110)  # type: ignore[arg-type]

    lake = rl.solve(rl.gallery.frozen_lake("8x8", gamma=0.99))
    keep(plot.policy(lake, title="FrozenLake 8×8, γ = 0.99: V* and an optimal policy"), "frozen-lake.png")

    walls = [(r, 4) for r in range(8) if r != 2] + [(5, c) for c in range(5, 9)]
    room = rl.gallery.gridworld(8, 10, gamma=0.95, slip=Fraction(1, 5), walls=walls)
    keep(plot.policy(rl.solve(room), title="A room with walls and slip, γ = 0.95"), "room.png")

    cars = rl.gallery.jacks_car_rental(gamma=0.9)
    table = dataclasses.replace(
        plot.coordinates(cars.states), axes=("cars at the first place", "cars at the second place")
    )
    keep(plot.action_map(cars, rl.solve(cars).pi, table, title="Jack's car rental: cars to move"), "jack.png")

    cards = rl.gallery.blackjack(exact=False)
    keep(plot.policy(rl.solve(cards), title="Blackjack: when to hit"), "blackjack.png")

    river = rl.solve(rl.gallery.river_swim(S=12, gamma=0.999))
    keep(plot.enclosure(river), "river-swim-bounds.png")

    found = worst_case(contraction, n=1_500, seed=0)
    n, best = zip(*found.history, strict=True)
    keep(
        plot.worst_case_progress(n, best, title="‖Tu − Tv‖ ≤ γ‖u − v‖: nearest to equality"), "worst-case.png"
    )

    for name, data in experiments().items():
        keep(data.plot().figure, f"exact-mdp-{name}.png")

    mdp = rl.gallery.river_swim(S=6, gamma=0.95)
    runs = [
        rl.ValueIteration(tol=1e-8),
        rl.ValueIteration(tol=1e-8, sweep="gauss-seidel"),
        rl.AnchoredValueIteration(tol=1e-3),
    ]
    done = [rl.solve(mdp, r, throw=False) for r in runs]
    k = np.arange(1, 1 + max(len(s.residuals) for s in done))
    first = done[0].residuals[0]
    bound = plot.Curve("γᵏ", k, first * 0.95 ** (k - 1.0), kind="bound")
    names = ["value iteration", "Gauss–Seidel", "anchored"]
    drawn = [
        plot.Curve(name, np.arange(1, 1 + len(s.residuals)), np.array(s.residuals))
        for name, s in zip(names, done, strict=True)
    ]
    keep(
        plot.curves(
            [*drawn, bound], x="sweep", y="span of the residual", ylog=True, title="RiverSwim, γ = 0.95"
        ),
        "residuals.png",
    )


def experiments() -> dict[str, Any]:
    """The experiments of the exact theory."""
    from proofs_check.exact_mdp import (
        experiments_approximation,
        experiments_average,
        experiments_iteration,
        experiments_sampling,
    )

    return {
        "race": experiments_iteration.policy_iteration_race(),
        "anchored": experiments_iteration.anchored_race(),
        "loss": experiments_approximation.loss_curves(),
        "azar": experiments_sampling.azar_scaling(),
        "puterman": experiments_average.puterman_crossing(),
    }


if __name__ == "__main__":
    main()
