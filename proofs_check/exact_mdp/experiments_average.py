"""Experiment 5: Puterman's two-state example as γ crosses its Blackwell threshold 10/11.

In state 0 action 0 pays 5 and leaves with probability ½, action 1 pays 10 and leaves; state 1 pays −1 for
ever.  With ρ = (1−γ)/γ the value of action 0 is (1+ρ)(−1/ρ + 12 − 24ρ + 48ρ² − …) for ρ < ½; the first
terms are the asymptote drawn.  Action 1 is optimal for γ ≤ 10/11 and action 0 for γ ≥ 10/11.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

import rltheory as rl
from rltheory.checks import PROVED, Claim, Eq, Every, Leq, Mutant, Tight, run_module
from rltheory.reports.plot import PALETTE
from rltheory.results.axes import axes
from rltheory.solvers import policy_laurent

from .lets import PAPER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

THRESHOLD = Fraction(10, 11)
STAY, LEAVE = np.array([0, 0]), np.array([1, 0])


@dataclass(frozen=True)
class Crossing:
    """Let gamma be the discount of Puterman's two-state example; values are those of state 0."""

    gamma: Fraction

    @cached_property
    def M(self) -> rl.MDP:
        """The model."""
        return rl.gallery.puterman_two_state(self.gamma)

    @cached_property
    def V_star(self) -> Any:
        """v*_γ(0) by policy iteration."""
        return rl.solve(self.M).V[0]

    @cached_property
    def values(self) -> list[Any]:
        """v_γ(0) of action 0 and of action 1."""
        return [rl.evaluate(self.M, d).V[0] for d in (STAY, LEAVE)]

    @property
    def optimal(self) -> list[int]:
        """1 for each of the two actions that attains v*."""
        return [int(v == self.V_star) for v in self.values]

    @property
    def rho(self) -> Fraction:
        """(1−γ)/γ."""
        return (1 - self.gamma) / self.gamma

    def asymptote(self, terms: int) -> Any:
        """(1+ρ) Σ_{k=−1}^{terms} ρ^k y_k of action 0, from the library's Laurent terms."""
        y = policy_laurent(self.M, STAY, terms)[:, 0]
        return (1 + self.rho) * sum(c * self.rho ** (k - 1) for k, c in enumerate(y))

    @property
    def closed_forms(self) -> list[Any]:
        """(5 − γ/(2(1−γ)))/(1 − γ/2) and 10 − γ/(1−γ)."""
        g = self.gamma
        return [(5 - g / (2 * (1 - g))) / (1 - g / 2), 10 - g / (1 - g)]

    @property
    def remainder(self) -> Any:
        """48ρ²(1+ρ)/(1+2ρ): what the terms up to −24ρ leave out."""
        return 48 * self.rho**2 * (1 + self.rho) / (1 + 2 * self.rho)


@dataclass(frozen=True)
class PutermanCrossing:
    """Values in state 0 against γ.

    Attributes
    ----------
    points
        The discounts, each with its values.
    """

    points: tuple[Crossing, ...]

    def plot(self, ax: Axes | None = None) -> Axes:
        """v* coloured by its action, both actions' values, the threshold, and the Laurent asymptote."""
        ax = axes(ax, 6.4, 4.0)
        gammas = np.array([float(x.gamma) for x in self.points])
        for a, name in ((1, "action 1 (leave)"), (0, "action 0 (stay, ½)")):
            ax.plot(gammas, [float(x.values[a]) for x in self.points], color=PALETTE[a], lw=0.8, alpha=0.6)
            best = np.array([float(x.V_star) if x.optimal[a] else np.nan for x in self.points])
            ax.plot(gammas, best, color=PALETTE[a], lw=2.6, label=f"v*, {name} optimal")
        for terms, style in ((0, ":"), (1, "--")):
            label = "(1+ρ)(−1/ρ + 12)" if terms == 0 else "(1+ρ)(−1/ρ + 12 − 24ρ)"
            ax.plot(gammas, [float(x.asymptote(terms)) for x in self.points], "k" + style, lw=1, label=label)
        ax.axvline(float(THRESHOLD), color="0.5", lw=0.8)
        ax.annotate(
            "γ = 10/11", (float(THRESHOLD), 10), xytext=(6, 8), textcoords="offset points", fontsize=9
        )
        ax.set(xlabel="discount γ", ylabel="value of state 0", ylim=(-25, 14))
        ax.set_title("Puterman's two-state example")
        ax.legend(fontsize=8, loc="lower left")
        return ax


def puterman_crossing(
    start: Fraction = Fraction(7, 10), stop: Fraction = Fraction(97, 100), n: int = 271
) -> PutermanCrossing:
    """Solve the example exactly at n discounts from `start` to `stop`, and at 10/11."""
    grid = {start + (stop - start) * Fraction(i, n - 1) for i in range(n)} | {THRESHOLD}
    return PutermanCrossing(tuple(Crossing(g) for g in sorted(grid)))


GRID = [Crossing(Fraction(k, 220)) for k in range(147, 220)]  # 2/3 < γ < 1, with 10/11 = 200/220

puterman_threshold: Claim[Crossing] = Claim(
    statement="v*_γ(0) = max of the two closed forms; action 0 is optimal iff γ ≥ 10/11, action 1 iff "
    "γ ≤ 10/11; the Laurent terms up to −24ρ leave 48ρ²(1+ρ)/(1+2ρ)",
    source=PAPER.at("Example 3.1.1 and §10.1; closed forms derived"),
    let=Every("γ = k/220, k = 147..219", 73, GRID),
    assume=[],
    then=Eq(
        lhs=lambda x: [x.V_star, *x.values, *x.optimal, x.values[0] - x.asymptote(1)],
        rhs=lambda x: [
            max(x.closed_forms),
            *x.closed_forms,
            int(x.gamma >= THRESHOLD),
            int(x.gamma <= THRESHOLD),
            x.remainder,
        ],
    ),
    tight=Tight([Crossing(Fraction(19, 20)), Crossing(Fraction(9, 10))], within=0),
    mutants=[
        Mutant(
            "the gain-optimal action 1 is optimal near γ = 1", then=Eq(lambda x: x.optimal[1], lambda x: 1)
        ),
        Mutant("two Laurent terms suffice", then=Eq(lambda x: x.values[0], lambda x: x.asymptote(0))),
        Mutant(
            "the asymptote lies below the value", then=Leq(lambda x: x.asymptote(0), lambda x: x.values[0])
        ),
    ],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
