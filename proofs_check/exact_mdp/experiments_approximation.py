"""Experiment 2: the price of errors against k, and what remembering the last policies saves.

On `gallery.avi_api_chain` approximate value iteration and approximate policy iteration both lose
2(γ−γ^k)ε/(1−γ)² after k steps; the loop of the last two (or more) policies loses 2(γ−γ^k)ε/(1−γ).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import rltheory as rl
from rltheory.arrays import sup_norm
from rltheory.checks import PROVED, Claim, Eq, Every, Mutant, Tight, run_module
from rltheory.reports.plot import PALETTE
from rltheory.results.axes import axes

from .approximate_iteration import Iteration, chain, loop_value
from .lets import PAPER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAMMA = Fraction(9, 10)


@dataclass(frozen=True)
class LossCurves:
    """Losses of AVI, API and the loops of AVI, for k = 1..K, in rationals.

    Attributes
    ----------
    gamma, eps
        Discount and size of the errors.
    avi, api
        (K,) loss ‖v* − v^{π_k}‖.
    loops
        ℓ ↦ losses for k = ℓ..K.
    """

    gamma: Fraction
    eps: Fraction
    avi: tuple[Fraction, ...]
    api: tuple[Fraction, ...]
    loops: Mapping[int, tuple[Fraction, ...]]

    def curve(self, k: int, horizons: int) -> Fraction:
        """2(γ−γ^k)ε/(1−γ)^horizons."""
        g = self.gamma
        return 2 * (g - g**k) * self.eps / (1 - g) ** horizons

    def plot(self, ax: Axes | None = None) -> Axes:
        """Losses as markers over the two curves, against k, on a logarithmic axis."""
        ax = axes(ax, 6.0, 3.8)
        ks = range(2, len(self.avi) + 1)
        for horizons, style in ((2, "-"), (1, "--")):
            label = r"$2(\gamma-\gamma^k)\varepsilon/(1-\gamma)" + ("^2$" if horizons == 2 else "$")
            ax.plot(ks, [float(self.curve(k, horizons)) for k in ks], style, color="0.6", label=label)
        ax.plot(ks, [float(x) for x in self.avi[1:]], "o", color=PALETTE[0], label="AVI (loop of 1)")
        ax.plot(ks, [float(x) for x in self.api[1:]], "x", color=PALETTE[4], label="API")
        for i, (ell, losses) in enumerate(self.loops.items()):
            shown = {k: float(x) for k, x in enumerate(losses, ell) if k >= 2}
            colour, mark = PALETTE[1 + i % 3], "s^vD"[i % 4]
            ax.plot(list(shown), list(shown.values()), mark, color=colour, mfc="none", label=f"loop of {ell}")
        ax.set(xlabel="steps k", ylabel="loss", yscale="log", title=f"errors ±{self.eps}, γ = {self.gamma}")
        ax.legend(fontsize=8, ncols=2)
        return ax


def loss_curves(
    K: int = 24, gamma: Fraction = GAMMA, eps: Fraction = Fraction(1), loops: Sequence[int] = (2, 5)
) -> LossCurves:
    """Run AVI and API for K steps on the chain with K states; the loops of length ℓ = 1 are AVI itself."""
    x = chain(K, gamma, eps)

    def lost(k: int, ell: int) -> Fraction:
        loss: Fraction = sup_norm(x.star - loop_value(x.M, x.avi[k - ell : k][::-1]))
        return loss

    found = {ell: tuple(lost(k, ell) for k in range(ell, K + 1)) for ell in loops}
    return LossCurves(gamma, eps, tuple(x.L_avi), tuple(x.L_api), found)


@dataclass(frozen=True)
class Step:
    """Let the chain be stopped after k steps."""

    gamma: Fraction
    k: int

    @cached_property
    def x(self) -> Iteration:
        """The chain with k states and k steps."""
        return chain(self.k, self.gamma)

    @cached_property
    def at_k(self) -> Any:
        """Loss in state k itself of π_k, for AVI and API; π_k is the only one that stays there."""
        return [
            -rl.evaluate(self.x.M, self.x.policies(scheme)[-1]).V[self.k - 1] for scheme in ("avi", "api")
        ]

    @cached_property
    def losses(self) -> list[Any]:
        """AVI and API in the worst state and in state k, then every loop of ℓ = 2..k."""
        return [self.x.L_avi[-1], self.x.L_api[-1], *self.at_k, *self.x.L_loops[1:]]

    def formula(self, loops: int = 1) -> list[Any]:
        """The same numbers in closed form."""
        g, k = self.gamma, self.k
        top = 2 * (g - g**k) * self.x.eps
        return [top / (1 - g) ** 2] * 4 + [top / (1 - g) ** loops] * (k - 1)


def steps() -> Iterator[Step]:
    """k = 2..12 at three discounts."""
    return (Step(g, k) for g in (Fraction(1, 2), GAMMA, Fraction(99, 100)) for k in range(2, 13))


loss_curves_exact: Claim[Step] = Claim(
    statement="on the chain AVI and API lose exactly 2(γ−γ^k)ε/(1−γ)² at state k, every loop of ℓ ≥ 2 "
    "policies 2(γ−γ^k)ε/(1−γ)",
    source=PAPER.at("Scherrer, Lesner 2012 (arXiv 1211.6898)"),
    let=Every("k = 2..12, γ ∈ {1/2, 9/10, 99/100}", 33, list(steps())),
    assume=[],
    then=Eq(lhs=lambda x: x.losses, rhs=lambda x: x.formula()),
    tight=Tight(Step(GAMMA, 12), within=0),
    mutants=[
        Mutant("loops are as bad as one policy", rhs=lambda x: x.formula(loops=2)),
        Mutant("loops lose no horizon", rhs=lambda x: x.formula(loops=0)),
    ],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
