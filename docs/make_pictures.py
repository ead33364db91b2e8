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

    for name, fig in stock_pictures().items():
        keep(fig, f"stock-{name}.png")

    mdp = rl.gallery.river_swim(S=6, gamma=0.95)
    runs = [
        rl.ValueIteration(tol=1e-8),
        rl.ValueIteration(tol=1e-8, sweep="gauss-seidel"),
        rl.solvers.AnchoredValueIteration(tol=1e-3),
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


def stock_pictures() -> dict[str, Any]:
    """Optimal laws of returns: values over the stock, errors against atoms, CVaR and targets."""
    import rltheory as rl
    from rltheory import objectives as ob
    from rltheory.reports import plot

    m = rl.stock_augmented(rl.gallery.outcome_family(3, 2, 2, 3, gamma=Fraction(1, 2)))
    exact = rl.StockDP(ob.target(), spacing=Fraction(1, 16)).run(m)
    lines = []
    for atoms in (7, 24):
        sol = rl.StockDP(ob.target(), representation="grid", atoms=atoms).run(m)
        c = np.linspace(-2.5, 4.5, 400)
        read = [sol.enclosure(0, float(x)) for x in c]
        y = np.array([sol.value(0, float(x)) for x in c])
        low, high = np.array([e.lower for e in read]), np.array([e.upper for e in read])
        lines.append(plot.Curve(f"grid of {atoms} nodes, with its bounds", c, y, low, high))
    inside = [(float(x), float(v)) for x, v in zip(exact.stocks, exact.V[0], strict=True) if -2.5 <= x <= 4.5]
    x, v = (np.array(z) for z in zip(*inside, strict=True))
    values = plot.curves(
        [*lines, plot.Curve("exact", x, v, kind="bound")],
        x="stock c",
        y="largest −E|c + G|",
        title="FM(3,2,2,3), γ = ½, infinite horizon",
    )

    sizes = np.unique(np.geomspace(5, 1500, 22).astype(int)) | 1
    errors: dict[str, list[tuple[float, float]]] = {"grid": [], "time": []}
    stocks = [Fraction(k, 16) for k in range(-24, 25)]
    for atoms in sizes.tolist():
        for name in ("grid", "time"):
            sol = rl.StockDP(ob.target(), representation=name, atoms=atoms + 1, stocks=(-2, 2)).run(m)
            off = max(abs(float(exact.value(s, k)) - sol.value(s, k)) for s in range(3) for k in stocks)
            errors[name].append((off, sol.error))
    found = [
        plot.Curve(f"{name}: {what}", sizes + 1, np.array([e[i] for e in errors[name]]))
        for name in errors
        for i, what in enumerate(("error", "its bound"))
    ]
    atoms_picture = plot.curves(
        found, x="atoms", y="error of −E|c + G|", xlog=True, ylog=True, title="Error and bound against atoms"
    )

    chain = rl.stock_augmented(rl.gallery.gambler_chain(), H=6)
    levels = np.linspace(0.05, 1, 60)
    tuned = [Fraction(k, 20) for k in (5, 10, 15, 18, 20)]
    laws = {t: rl.StockDP(rl.cvar(t)).run(chain).law(0) for t in tuned}
    best = np.array(
        [float(rl.StockDP(rl.cvar(Fraction(round(1000 * t), 1000))).run(chain).value(0)) for t in levels]
    )
    cvar = plot.curves(
        [
            *(
                plot.Curve(
                    f"tuned to {float(t):g}", levels, np.array([float(law.cvar(Fraction(u))) for u in levels])
                )
                for t, law in laws.items()
            ),
            plot.Curve("optimum at each τ", levels, best, kind="bound"),
        ],
        x="τ",
        y="CVaR of the return",
        title="Gambler's chain: CVaR of policies tuned to one level",
    )

    grid = rl.stock_augmented(rl.gallery.slippery_grid(1.0), H=8)
    sol = rl.StockDP(ob.target()).run(grid)
    goals = (-12, -8, -4, 0)
    points = np.linspace(-22, 4, 1000)
    targets = plot.curves(
        [plot.Curve(f"aim at {g}", points, sol.law(0, -g).cdf(points)) for g in goals],
        x="return",
        y="probability of at most this",
        title="Slippery grid: one solution, four initial stocks",
    )
    return {"values": values, "atoms": atoms_picture, "cvar": cvar, "targets": targets}


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
