"""Pictures of the integral-RL page: `python -m proofs_check.cao2024.figures DIRECTORY`."""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure

from .experiments import (
    Costs,
    Orders,
    Reproduction,
    ScalarMap,
    costs,
    linear_benchmark,
    nonlinear_benchmark,
    orders,
    scalar_map,
)


def draw_benchmarks(linear: Reproduction, nonlinear: Reproduction) -> Figure:
    """E1 and E2."""
    fig = Figure(figsize=(10.5, 4), layout="constrained")
    left, right = fig.subplots(1, 2)
    linear.plot(left)
    nonlinear.plot(right)
    return fig


def draw_orders(out: Orders) -> Figure:
    """E3."""
    fig = Figure(figsize=(6.2, 4.4), layout="constrained")
    out.plot(fig.add_subplot())
    return fig


def draw_meshes(paid: Costs, scalar: ScalarMap) -> Figure:
    """E4 and E5."""
    fig = Figure(figsize=(10.5, 4), layout="constrained")
    left, right = fig.subplots(1, 2)
    paid.plot(left)
    scalar.plot(right)
    return fig


def main(folder: str) -> None:
    """Write the pictures."""
    where = Path(folder)
    draw_benchmarks(linear_benchmark(), nonlinear_benchmark()).savefig(
        where / "intrl-benchmarks.png", dpi=110
    )
    draw_orders(orders()).savefig(where / "intrl-orders.png", dpi=110)
    draw_meshes(costs(), scalar_map()).savefig(where / "intrl-meshes.png", dpi=110)


if __name__ == "__main__":
    main(sys.argv[1])
