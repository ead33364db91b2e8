"""Grids without bias: no running reward and the truth in the family; and one bias in closed form.

With r = 0 the process e^{−βt}J(t, X_t) is a martingale along the points of every grid.  For linear–quadratic
control without end the sampled problem is solved by p_Δ = wΔ/(1 − e^{−ηΔ}) instead of p = w/η.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction as F
from functools import cached_property
from typing import Any

from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Eq,
    Leq,
    Mutant,
    NotShown,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.errors import InvalidArgument
from rltheory.kernels import ball
from rltheory.models.processes import PolynomialDiffusion
from rltheory.operators import TimePolynomial, diffusion, exponential
from rltheory.operators.time_polynomial import precise
from rltheory.solvers import CTDRoot, GMMRoot, MartingaleLossRoot, ValueFamily
from rltheory.solvers.martingale_grid import Grid

from .setting import BM_TOY, PAPER, TINY, Setting, mixed, numbers, plain, setting


# ---- no reward, no bias ----------------------------------------------------------------------
@dataclass(frozen=True)
class Unpaid:
    """Let φ_1 = J − h, so that θ° = (1, 0) whatever r is; φ_2 = τx; n steps."""

    x: Setting
    n: int

    @cached_property
    def family(self) -> ValueFamily:
        """The family."""
        f = self.x.family
        _, x = f.J - self.x.end, TimePolynomial.polynomial([0, 1])
        return ValueFamily(
            f.process, f.x0, f.T, [f.J - self.x.end, self.x.tau * x], f.reward, f.terminal, f.beta
        )

    @cached_property
    def roots(self) -> list[Any]:
        """CTD(0), CTD(½), ML and GMM with three tests, on n steps."""
        tests = [*self.family.features, self.x.tau**2]
        solvers: list[Any] = [
            CTDRoot(n=self.n), CTDRoot(lam=F(1, 2), n=self.n), MartingaleLossRoot(n=self.n),
            GMMRoot(tests, n=self.n),
        ]  # fmt: skip
        return [mixed(v) for s in solvers for v in s.run(self.family).balls]

    @property
    def determined(self) -> bool:
        """True when no system is singular."""
        try:
            return bool(self.roots)
        except InvalidArgument:
            return False

    @property
    def surprise(self) -> Any:
        """E[D_0^{θ°} | X_0 = x0]."""
        with precise():
            f = self.family
            alone = ValueFamily(
                f.process, f.x0, f.T, [self.x.tau], f.reward, f.terminal, f.beta, base=f.candidate([1, 0])
            )
            grid = Grid(alone, self.n)
            return grid.mean(0, grid.drift[0][0])


def unpaid(read: Reader) -> Unpaid:
    """r = 0, h of degree 2, any process."""
    x = setting(read, q=1, feature_degree=1)
    h = (x.h[0], x.h[1], 1 + abs(x.h[2]))
    return Unpaid(replace(x, r=(F(0),), h=h), 2 + read.below(4))


def paid(read: Reader) -> Unpaid:
    """r = x² + 1."""
    x = unpaid(read)
    return replace(x, x=replace(x.x, r=(F(1), F(0), F(1))))


def decaying(kappa: F, beta: F, n: int) -> Unpaid:
    """OU with mean 0, h = x: J = e^{−(κ+β)τ}x and φ_1 = (e^{−(κ+β)τ} − 1)x."""
    x = Setting(
        (F(0), -kappa, F(9, 25), F(0), F(0)),
        F(2, 5),
        F(1),
        beta,
        (F(0),),
        (F(0), F(1)),
        ((1, (F(1),)),),
        (F(0),),
    )
    return Unpaid(x, n)


@dataclass(frozen=True)
class Forgetful(Unpaid):
    """The OU case of `decaying` with β left out: φ_1 = (e^{−κτ} − 1)x."""

    @cached_property
    def family(self) -> ValueFamily:
        """The family."""
        f, x = self.x.family, TimePolynomial.polynomial([0, 1])
        kappa = -self.x.process[1]
        phi = [(exponential(kappa, -kappa * self.x.T) - 1) * x, self.x.tau * x]
        return ValueFamily(f.process, f.x0, f.T, phi, f.reward, f.terminal, f.beta)


def forgetful(read: Reader) -> Unpaid:
    """β > 0."""
    x = decaying(F(1 + read.below(4), 4), F(1 + read.below(4), 4), 2 + read.below(4))
    return Forgetful(x.x, x.n)


DETERMINED = Assumption[Unpaid](
    "A is not singular", lambda x: x.determined, NotShown("there is no root then")
)
TOY = Unpaid(
    replace(BM_TOY, x0=F(1), r=(F(0),), h=(F(0), F(0), F(1)), features=((1, (F(1),)),), theta=(F(0),)), 3
)

no_reward_no_bias: Claim[Unpaid] = Claim(
    statement="r = 0, truth in the family: CTD(0), CTD(λ), ML and GMM on any grid return θ° exactly",
    source=PAPER.at("derived: M at the grid points is a martingale on every grid"),
    let=decoded(unpaid, 40),
    assume=[DETERMINED],
    then=Eq(
        lhs=numbers(lambda x: [*x.roots, 1 + x.surprise]),
        rhs=lambda x: [F(1), F(0)] * 4 + [F(1)],
        within=TINY,
    ),
    tight=Tight([decaying(F(4, 5), F(3, 10), 2), TOY], within=0),
    mutants=[
        Mutant("so they do with a reward", let=decoded(paid, 40)),
        Mutant("φ_1 = (e^{−κτ} − 1)x for OU with h = x: β may be left out of it", let=decoded(forgetful, 4)),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Squared:
    """Let X = x0 + W, r = x², h = 0, J^θ = θ(τx² + τ²/2), θ° = 1, on n steps."""

    x0: F
    n: int

    @cached_property
    def surprises(self) -> list[Any]:
        """Coefficients of 1, x, x² in E[D_i^{θ°} | X_i = x] for all i."""
        x = Setting(
            (F(0), F(0), F(1), F(0), F(0)),
            self.x0,
            F(1),
            F(0),
            (F(0), F(0), F(1)),
            (F(0),),
            ((1, (F(0), F(0), F(1))),),
            (F(1),),
        )
        f = x.family
        truth = ValueFamily(f.process, f.x0, f.T, [x.tau], f.reward, base=f.J)
        return [plain(c) for row in Grid(truth, self.n).drift for c in (*row[0], 0, 0)[:3]]


no_reward_no_bias_toy: Claim[Squared] = Claim(
    statement="with r = x² on a Brownian motion E[D_i | F_{t_i}] = −½Δ² ≠ 0 at the truth, whatever the path",
    source=PAPER.at("derived"),
    let=decoded(lambda read: Squared(read.number(3, 8), 1 + read.below(8)), 4),
    assume=[],
    then=Eq(lhs=lambda x: x.surprises, rhs=lambda x: [-F(1, 2 * x.n**2), F(0), F(0)] * x.n),
    tight=Tight(Squared(F(0), 4), within=0),
    mutants=[
        Mutant("E[D_i | F_{t_i}] = 0", rhs=lambda x: [F(0)] * (3 * x.n)),
        Mutant("−Δ²", rhs=lambda x: [-F(1, x.n**2), F(0), F(0)] * x.n),
    ],
    expect=CERTIFIED,
)


# ---- infinite horizon ------------------------------------------------------------------------
@dataclass(frozen=True)
class Linear:
    """Let dX = aX dt + cX dW, running cost wx² for ever, discount β, sampled every Δ."""

    a: F
    c: F
    beta: F
    w: F
    dt: F

    @property
    def eta(self) -> F:
        """β − 2a − c²."""
        return self.beta - 2 * self.a - self.c**2

    @property
    def fixed(self) -> Any:
        """p with p = wΔ + e^{−βΔ}E[X_Δ²]p, X_0 = 1."""
        step = diffusion.semigroup_matrix(PolynomialDiffusion(0, self.a, 0, 0, self.c**2), self.dt, 2)
        return mixed(self.w * self.dt) / (1 - (-ball.to_arb(self.beta * self.dt)).exp() * step[2, 2])

    @property
    def formula(self) -> Any:
        """wΔ/(1 − e^{−ηΔ})."""
        return mixed(self.w * self.dt) / (-(-ball.to_arb(self.eta * self.dt)).expm1())

    def expansion(self, order: int, first: F = F(1, 2)) -> F:
        """(w/η)(1 + ηΔ/2 + η²Δ²/12) up to an order."""
        z = self.eta * self.dt
        return self.w / self.eta * (1 + first * z + (z**2 / 12 if order == 2 else 0))


def linear(read: Reader) -> Linear:
    """η ≠ 0, positive or not."""
    x = Linear(
        read.number(1, 4),
        F(1 + read.below(4), 4),
        F(1 + read.below(4), 2),
        F(1 + read.below(3)),
        F(1, 1 + read.below(16)),
    )
    return x if x.eta else replace(x, beta=x.beta + 1)


POSITIVE = Assumption[Linear]("η > 0", lambda x: x.eta > 0, Linear(F(1), F(1), F(1), F(1), F(1, 4)))

infinite_horizon_bias: Claim[Linear] = Claim(
    statement="p_Δ = wΔ/(1 − e^{−ηΔ}), and p(1 + ηΔ/2) ≤ p_Δ ≤ p(1 + ηΔ/2 + η²Δ²/12), p = w/η, η > 0",
    source=PAPER.at("linear-quadratic example; derived"),
    let=decoded(linear, 8),
    assume=[POSITIVE],
    then=Leq(
        lhs=numbers(
            lambda x: [
                mixed(x.expansion(1)),
                x.fixed,
                x.fixed - x.formula - mixed(TINY),
                x.formula - x.fixed - mixed(TINY),
            ]
        ),
        rhs=numbers(lambda x: [x.fixed, mixed(x.expansion(2)), 0, 0]),
    ),
    tight=Tight(Linear(F(-1, 2), F(1, 2), F(1, 2), F(1), F(1, 64)), within=1e-4),
    mutants=[
        Mutant("bias ηΔ", lhs=numbers(lambda x: [mixed(x.expansion(1, F(1))), mixed(0), mixed(0), mixed(0)])),
        Mutant("p_Δ is finite and positive for η ≤ 0 too", drop="η > 0"),
        Mutant("no bias", rhs=numbers(lambda x: [x.fixed, mixed(x.w / x.eta), 0, 0])),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
