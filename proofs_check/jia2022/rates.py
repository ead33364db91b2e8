"""What time discretisation costs: θ_n → θ at order Δ = T/n, with its constant; and when it costs nothing.

On a grid m_n(θ) = m(θ) + c(θ)Δ + O(Δ²), c = −½E∫[ḡ·𝒜ξ + Γ(ξ, ḡ) + ξ·𝒜r̄]dt, ḡ = e^{−βt}g^θ, r̄ = e^{−βt}r,
for smooth test functions ξ(t, X_t); so (θ_n − θ)/Δ → A⁻¹c.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cache, cached_property
from typing import Any

import numpy as np
from flint import arb

from rltheory.checks import (
    CERTIFIED,
    Claim,
    Eq,
    Every,
    Leq,
    Mutant,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.kernels import ball
from rltheory.operators import TimePolynomial
from rltheory.solvers import CTDRoot, MartingaleLossRoot
from rltheory.solvers.martingale_grid import Grid

from .setting import (
    BM_TOY,
    OU,
    PAPER,
    Feature,
    Setting,
    brownian,
    in_powers,
    mixed,
    numbers,
    poly,
)


# ---- the coefficient -------------------------------------------------------------------------
@dataclass(frozen=True)
class Moment:
    """Let ξ be a test function on a rational instance."""

    x: Setting
    test: Feature

    @cached_property
    def xi(self) -> TimePolynomial:
        """ξ."""
        return self.x.function(self.test)

    @cached_property
    def series(self) -> list[F]:
        """Constant and linear coefficient in Δ of m_n(θ)."""
        return in_powers(lambda n: Grid(self.x.alone, n).left([self.xi])[0, 0], self.x.T, 2)

    def coefficient(self, *, gamma: bool = True, reward: bool = True) -> Any:
        """c(θ)."""
        x = self.x
        inside = x.g * x.A(self.xi)
        if gamma:
            inside = inside + x.gamma(self.xi, x.g)
        if reward:
            inside = inside + self.xi * x.A(x.reward)
        return -mixed(x.family.integral(inside)) / 2

    @property
    def limit(self) -> Any:
        """m(θ)."""
        return self.x.family.moment(self.xi, self.x.theta)


def moment(read: Reader) -> Moment:
    """Brownian; ξ = τ^j p(x)."""
    return Moment(brownian(read), (read.below(3), poly(read, 2)))


discretisation_rate_coefficient: Claim[Moment] = Claim(
    statement="m_n(θ) = m(θ) − ½Δ·E∫[ḡ·𝒜ξ + Γ(ξ, ḡ) + ξ·𝒜r̄]dt + O(Δ²)",
    source=PAPER.at("convergence of discretised conditions (seen); order and coefficient derived"),
    let=decoded(moment, 40),
    assume=[],
    then=Eq(lhs=lambda x: x.series, rhs=numbers(lambda x: [x.limit, x.coefficient()])),
    tight=Tight(Moment(BM_TOY, (1, (F(1), F(1)))), within=0),
    mutants=[
        Mutant("without Γ(ξ, ḡ)", rhs=numbers(lambda x: [x.limit, x.coefficient(gamma=False)])),
        Mutant("without ξ·𝒜r̄", rhs=numbers(lambda x: [x.limit, x.coefficient(reward=False)])),
        Mutant("order 2", rhs=numbers(lambda x: [x.limit, 0])),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- the OU instance -------------------------------------------------------------------------
SOLVERS: dict[str, Callable[[int | None], Any]] = {
    "CTD(0)": lambda n: CTDRoot(n=n),
    "CTD(1/2)": lambda n: CTDRoot(lam=F(1, 2), n=n),
    "ML": lambda n: MartingaleLossRoot(n=n),
    "right": lambda n: CTDRoot(endpoint="right", n=n),
}


@cache
def root(name: str, n: int | None) -> tuple[Any, ...]:
    """θ_n of a solver on the OU instance."""
    return tuple(mixed(v) for v in SOLVERS[name](n).run(OU.family).balls)


@dataclass(frozen=True)
class Grids:
    """Let θ_n be the root on n steps of the OU instance."""

    name: str
    n: int

    @property
    def error(self) -> Any:
        """‖θ_n − θ‖_∞."""
        pairs = zip(root(self.name, self.n), root(self.name, None), strict=True)
        return ball.sup_norm(np.array([a - b for a, b in pairs], dtype=object))

    @property
    def extrapolated(self) -> Any:
        """‖2θ_{2n} − θ_n − θ‖_∞."""
        three = zip(root(self.name, 2 * self.n), root(self.name, self.n), root(self.name, None), strict=True)
        return ball.sup_norm(np.array([2 * a - b - c for a, b, c in three], dtype=object))


CONSTANTS = {"CTD(0)": F(2842, 10000), "CTD(1/2)": F(548, 1000), "ML": F(5572, 10000)}
RICHARDSON = {"CTD(0)": (F(1231, 10000), 16), "ML": (F(213, 10000), 64)}
NS = (16, 32, 64, 128, 256, 512, 1024)
GRIDS = [Grids(name, n) for name in CONSTANTS for n in NS]
PAIRS = [Grids(name, n) for name, (_, least) in RICHARDSON.items() for n in NS[:-1] if n >= least]


def power(x: Grids, order: F, start: int = 16) -> Any:
    """start^−1·(start/n)^order in place of 1/n."""
    return mixed(F(1, start)) * (ball.to_arb(F(start, x.n)).log() * mixed(order)).exp()


discretisation_rate: Claim[Grids] = Claim(
    statement="OU: ‖θ_n − θ‖_∞ ≤ .2842/n for CTD(0), .548/n for CTD(½), .5572/n for ML, n ≥ 16",
    source=PAPER.at("convergence of discretised conditions (seen); order and constants derived"),
    let=Every("three solvers, n = 16, 32, …, 1024", len(GRIDS), GRIDS),
    assume=[],
    then=Leq(lhs=numbers(lambda x: x.error), rhs=lambda x: CONSTANTS[x.name] / x.n),
    tight=Tight([Grids("CTD(1/2)", 1024), Grids("ML", 1024)], within=0.0005),
    mutants=[
        Mutant("order 1.05", rhs=numbers(lambda x: mixed(CONSTANTS[x.name]) * power(x, F(21, 20)))),
        Mutant("order 2", rhs=numbers(lambda x: mixed(CONSTANTS[x.name]) * power(x, F(2)))),
        Mutant(
            "the order is ½: ‖θ_n − θ‖_∞ ≥ .2842/(4√n)",
            then=Leq(numbers(lambda x: mixed(F(2842, 40000)) / arb(x.n).sqrt()), numbers(lambda x: x.error)),
        ),
    ],
    expect=CERTIFIED,
)

discretisation_rate_richardson: Claim[Grids] = Claim(
    statement="OU: ‖2θ_{2n} − θ_n − θ‖_∞ ≤ .1231/n² for CTD(0), n ≥ 16; .0213/n² for ML, n ≥ 64",
    source=PAPER.at("derived"),
    let=Every("two solvers, n up to 512", len(PAIRS), PAIRS),
    assume=[],
    then=Leq(lhs=numbers(lambda x: x.extrapolated), rhs=lambda x: RICHARDSON[x.name][0] / x.n**2),
    tight=Tight([Grids("CTD(0)", 512), Grids("ML", 512)], within=0.06),
    mutants=[
        Mutant(
            "order 2.05",
            rhs=numbers(
                lambda x: mixed(RICHARDSON[x.name][0] / 16) * power(x, F(41, 20), RICHARDSON[x.name][1])
                * (16 * mixed(F(1, RICHARDSON[x.name][1])))
            ),
        ),
        Mutant(
            "order 3",
            rhs=numbers(
                lambda x: mixed(RICHARDSON[x.name][0] / RICHARDSON[x.name][1])
                * power(x, F(3), RICHARDSON[x.name][1])
            ),
        ),
    ],
    expect=CERTIFIED,
)  # fmt: skip


# ---- right endpoints -------------------------------------------------------------------------
RIGHTS = [Grids("right", n) for n in NS[:-2]]

right_point: Claim[Grids] = Claim(
    statement=(
        "OU, test functions at the right endpoint: ‖θ_n − θ'‖_∞ ≤ 2.6/n, θ' the root with the covariation "
        "added, (.53889, −2.68106)"
    ),
    source=PAPER.at("derived"),
    let=Every("n = 16, 32, …, 256", len(RIGHTS), RIGHTS),
    assume=[],
    then=Leq(
        lhs=numbers(lambda x: [x.error, abs(root("right", None)[0] - mixed(F(53889, 100000))),
                               abs(root("right", None)[1] + mixed(F(268106, 100000)))]),
        rhs=lambda x: [F(26, 10) / x.n, F(1, 100000), F(1, 100000)],
    ),
    tight=Tight(RIGHTS[-1], within=0.1),
    mutants=[
        Mutant(
            "right-endpoint test functions are also consistent: 2.6/n from the root of CTD(0)",
            lhs=numbers(
                lambda x: ball.sup_norm(
                    np.array([a - b for a, b in zip(root("right", x.n), root("CTD(0)", None), strict=True)])
                )
            ),
        )
    ],
    expect=CERTIFIED,
)  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
