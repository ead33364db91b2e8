"""Random targets: the mean readout of the exact field is biased at every K ≥ 2, of order 1/K.

v* is the exact field of a finite law Y and noise N(μ₀, s²), ψ_K its Euler readout, bias_K = E ψ_K(Z_0) − E Y.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.checks import CERTIFIED, SUPPORTED, Claim, Eq, Every, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.operators.flow import MarginalField, enclose_mean_readout, euler, mean_readout

from .lets import PAPER, F, Law, exact, precise, random_laws, real

TINY = F(1, 10**30)
A = Law(exact(-2, 0, 3), exact(F(1, 5), F(1, 2), F(3, 10)), F(1), F(0), 8, F(1, 2))
B = Law(exact(0, 1), exact(F(7, 10), F(3, 10)), F(3, 10), F(0), 8, F(1, 10))


def readout(x: Law, K: int | None = None, z: Any = None) -> Any:
    """ψ_K(z)."""
    return euler(x.field, real(x.z if z is None else z), x.K if K is None else K)


mean_readout_bias_one_step: Claim[Law] = Claim(
    statement="K = 1: ψ_1(z) = E Y for every z",
    source=PAPER.at("derived: at t = 0 the point says nothing about Y"),
    let=random_laws(),
    assume=[],
    then=Eq(lhs=lambda x: euler(x.field, x.z, 1), rhs=lambda x: x.mean),
    tight=Tight(A, within=0),
    mutants=[
        Mutant("two steps do the same", lhs=precise(lambda x: readout(x, 2))),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

mean_readout_bias_shift: Claim[Law] = Claim(
    statement="ψ_K of Y + 1 is ψ_K of Y, plus 1: the bias does not change",
    source=PAPER.at("derived: z_k moves by t_k"),
    let=random_laws(),
    assume=[],
    then=Eq(
        lhs=precise(lambda x: readout(replace(x, atoms=x.atoms + 1))),
        rhs=precise(lambda x: readout(x) + 1),
        within=TINY,
    ),
    tight=Tight([A, B], within=0),
    mutants=[
        Mutant(
            "2Y, doubled",
            then=Eq(
                precise(lambda x: readout(replace(x, atoms=2 * x.atoms))),
                precise(lambda x: 2 * readout(x)),
                within=TINY,
            ),
        ),
        Mutant("noise moved by 1, too", rhs=precise(lambda x: readout(replace(x, mu0=x.mu0 + 1)) + 1)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

FINE = 4096
"""Bits that tell ψ_K from its limits, which it approaches doubly exponentially."""

mean_readout_bias_monotone: Claim[Law] = Claim(
    statement="ψ_K is nondecreasing, between the least and the largest value of Y",
    source=PAPER.at("derived: ∂v*/∂z ≥ −1/(1−t), so a step has slope ≥ 1 − 1/(K−k) ≥ 0"),
    let=random_laws(steps=(2, 3, 4)),
    assume=[],
    then=Leq(
        lhs=precise(lambda x: [readout(x), real(min(x.atoms)), readout(x)], FINE),
        rhs=precise(lambda x: [readout(x, z=x.z + F(1, 8)), readout(x), real(max(x.atoms))], FINE),
    ),
    tight=Tight(replace(A, K=4, z=F(5)), within=1e-6),
    mutants=[
        Mutant(
            "and never above E Y",
            rhs=precise(lambda x: [readout(x, z=x.z + F(1, 8)), readout(x), real(x.mean)], FINE),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


# ---- the two laws of reference -------------------------------------------------------------
@dataclass(frozen=True)
class Curve:
    """Let Y be a law of reference, low/K ≤ −bias_K ≤ high/K from K = 32 on, printed (K, bias_K)."""

    law: Law
    low: Fraction
    high: Fraction
    printed: tuple[tuple[int, float], ...]

    @cached_property
    def field(self) -> MarginalField:
        """v* in doubles."""
        y, p = self.law.atoms.astype(np.float64), self.law.probs.astype(np.float64)
        return MarginalField(y, p, float(self.law.s), float(self.law.mu0))

    def bias(self, K: int) -> float:
        """bias_K by adaptive quadrature."""
        f = self.field
        return mean_readout(partial(_run, f, K), f.s, f.mu0, tol=1e-11) - f.mean

    @cached_property
    def curve(self) -> list[float]:
        """−bias_K for K in DOUBLING."""
        return [-self.bias(K) for K in DOUBLING]


def _run(field: MarginalField, K: int, z: Any) -> Any:
    return euler(field, z, K)


DOUBLING = (32, 64, 128, 256, 512)
CURVES = [
    Curve(A, F(776, 10**4), F(829, 10**4), ((2, -0.17335033341), (4, -0.03928090655), (8, -0.01301609523))),
    Curve(B, F(133, 1000), F(1371, 10**4), ((2, -0.09196195634), (4, -0.04309066625), (8, -0.01881237910))),
]

mean_readout_bias: Claim[Curve] = Claim(
    statement="(A) .0776/K ≤ −bias_K ≤ .0829/K, (B) .133/K ≤ −bias_K ≤ .1371/K for K = 32, 64, …, 512",
    source=PAPER.at("derived; constants by quadrature"),
    let=Every("the two laws of reference", 2, CURVES),
    assume=[],
    then=Leq(
        lhs=lambda x: [*(float(x.low) / K for K in DOUBLING), *x.curve],
        rhs=lambda x: [*x.curve, *(float(x.high) / K for K in DOUBLING)],
    ),
    tight=Tight(CURVES[0], within=1e-3),
    mutants=[
        Mutant("unbiased for all K", then=Leq(lambda x: x.curve, lambda x: [1e-6] * len(DOUBLING))),
        Mutant(
            "32·high/K²",
            rhs=lambda x: [*x.curve, *(32 * float(x.high) / K**2 for K in DOUBLING)],
        ),
        Mutant(
            "high/K·(32/K)^.05",
            rhs=lambda x: [*x.curve, *(float(x.high) / K * (32 / K) ** 0.05 for K in DOUBLING)],
        ),
    ],
    expect=SUPPORTED,
)


@dataclass(frozen=True)
class Point:
    """Let Y be a law of reference, K steps, printed the bias known."""

    law: Law
    K: int
    printed: Fraction

    @cached_property
    def bias(self) -> Any:
        """bias_K between rational bounds, from ψ_K nondecreasing."""
        x = self.law
        box = enclose_mean_readout(MarginalField(x.atoms, x.probs, x.s, x.mu0), self.K, 1200)
        return rl.Enclosure(box.lower - x.mean, box.upper - x.mean)


POINTS = [Point(c.law, K, Fraction(str(v))) for c in CURVES for K, v in c.printed]

mean_readout_bias_enclosed: Claim[Point] = Claim(
    statement="bias_K of the laws of reference at K = 2, 4, 8 is the value printed, up to .0045; never 0",
    source=PAPER.at("derived: bounds from ψ_K nondecreasing"),
    let=Every("two laws, K = 2, 4, 8", 6, POINTS),
    assume=[],
    then=Eq(lhs=lambda x: x.bias, rhs=lambda x: x.printed, within=F(45, 10**4)),
    tight=Tight(POINTS[2], within=0),
    mutants=[
        Mutant("unbiased for all K", rhs=lambda x: 0),
        Mutant("half of it", rhs=lambda x: x.printed / 2),
    ],
    expect=CERTIFIED,
)


# ---- fixed points --------------------------------------------------------------------------
@dataclass(frozen=True)
class Lines:
    """Let state s go to t(s) with reward r(s, j) of probability p(s, j); γ, K and the noise s."""

    t: Any
    r: Any
    p: Any
    gamma: float
    K: int
    s: float

    @property
    def S(self) -> int:
        """Number of states."""
        return len(self.t)

    def resolvent(self, b: Any) -> Any:
        """(I − γP)^{-1}b."""
        A = np.eye(self.S)
        np.subtract.at(A, (np.arange(self.S), self.t), self.gamma)
        return np.linalg.solve(A, b)

    def mean(self, s: int, shift: float = 0.0) -> float:
        """Mean readout of the exact field of r(s) + shift."""
        y, where = np.unique(self.r[s] + shift, return_inverse=True)
        p = np.bincount(where, weights=self.p[s])
        field = MarginalField(y[p > 0], p[p > 0], self.s)
        return mean_readout(partial(_run, field, self.K), self.s)

    @cached_property
    def V(self) -> Any:
        """V^π."""
        return self.resolvent((self.p * self.r).sum(axis=1))

    @cached_property
    def bias(self) -> Any:
        """bias_K of the rewards."""
        return np.array([self.mean(s) for s in range(self.S)]) - (self.p * self.r).sum(axis=1)

    @cached_property
    def V_hat(self) -> Any:
        """V^π + (I − γP)^{-1} bias_K."""
        return self.V + self.resolvent(self.bias)

    def sweep(self, V: Any) -> Any:
        """Mean readouts of sampled targets r + γV(t)."""
        return np.array([self.mean(s, self.gamma * V[self.t[s]]) for s in range(self.S)])


@st.composite
def lines(draw: st.DrawFn) -> Lines:
    """One to three states; two or three rewards on a grid of quarters."""
    S, n = draw(st.integers(1, 3)), draw(st.integers(2, 3))
    r = np.array([draw(st.integers(-12, 12)) / 4 for _ in range(S * n)]).reshape(S, n)
    p = np.array([draw(ck.laws(n, positive=True)) for _ in range(S)])
    t = np.array([draw(st.integers(0, S - 1)) for _ in range(S)])
    return Lines(t, r, p, draw(st.sampled_from((0.5, 0.75, 0.875))), draw(st.sampled_from((2, 3, 4))), 1.0)


ONE_STATE = Lines(np.array([0]), np.array([[-2.0, 0.0, 3.0]]), np.array([[0.2, 0.5, 0.3]]), 0.9, 2, 1.0)

mean_readout_bias_fixed_point: Claim[Lines] = Claim(
    statement="next states certain, rewards random, sampled targets: V^π + (I−γP)^{-1} bias_K is fixed",
    source=PAPER.at("derived: the bias does not change when the target is shifted"),
    let=lines(),
    assume=[],
    then=Eq(lhs=lambda x: x.sweep(x.V_hat), rhs=lambda x: x.V_hat, within=1e-7),
    tight=Tight(ONE_STATE, within=0),
    mutants=[
        Mutant("V^π is fixed", then=Eq(lambda x: x.sweep(x.V), lambda x: x.V, within=1e-7)),
        Mutant(
            "V^π + bias_K is",
            then=Eq(lambda x: x.sweep(x.V + x.bias), lambda x: x.V + x.bias, within=1e-7),
        ),
    ],
    expect=SUPPORTED,
    draws=50,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
