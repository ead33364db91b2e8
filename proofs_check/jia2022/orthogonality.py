"""Orthogonality: E∫ξ dM = 0 for every test process ξ makes M a martingale; and where ξ is evaluated.

M_t = e^{−βt}J(t, X_t) + ∫_0^t e^{−βs} r ds for a candidate J with drift residual g: E∫ξ dM = E∫ξe^{−βt}g dt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction as F
from functools import cached_property
from typing import Any

from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Mutant, Reader, Tight, decoded, run_module
from rltheory.operators import TimePolynomial, diffusion
from rltheory.solvers.martingale_grid import Grid

from .characterisation import BLIND, DRIFTLESS, Between, between, sometimes_blind
from .setting import (
    BM_TOY,
    PAPER,
    TINY,
    ZERO,
    Coefficients,
    Setting,
    brownian,
    coefficients,
    in_powers,
    mixed,
    numbers,
    poly,
)


# ---- orthogonality ---------------------------------------------------------------------------
def powers_at(x: Between, values: list[Any]) -> list[Any]:
    """E[X_t^k v(X_t)], k = 0..5."""
    top = len(values) + 5
    row = [mixed(v) for v in diffusion.moments(x.x.diffusion, x.x.x0, x.t, top).balls]
    return [sum((v * row[k + m] for m, v in enumerate(values)), mixed(0)) for k in range(6)]


def drift_at(x: Between) -> list[Any]:
    """Coefficients of E[∫_t^s e^{−βu}g̃ du | X_t = x]."""
    V = diffusion.backward(x.x.diffusion, x.drift, ZERO, x.s)
    return coefficients(V, x.t, x.degree)


orthogonality: Claim[Between] = Claim(
    statement="E[X_t^k (M_s − M_t)] = 0, k ≤ 5, at J; and E[X_t^k ∫_t^s e^{−βu}g̃ du] at J̃",
    source=PAPER.at("orthogonality conditions (seen): M is a martingale iff E∫ξ dM = 0 for all ξ"),
    let=decoded(between),
    assume=[],
    then=Eq(
        lhs=numbers(lambda x: [*powers_at(x, x.move), *(1 + v for v in replace(x, p=(F(0),)).move)]),
        rhs=numbers(lambda x: [*powers_at(x, drift_at(x)), *[1] * (replace(x, p=(F(0),)).degree + 1)]),
        within=TINY,
    ),
    tight=Tight(BLIND, within=0),
    mutants=[
        Mutant(
            "E[X_t^k (M̃_s − M̃_t)] = 0 at every J̃ that is h at T",
            then=Eq(numbers(lambda x: [1 + v for v in powers_at(x, x.move)]), lambda x: [1] * 6, within=TINY),
        ),
    ],
    expect=CERTIFIED,
    draws=80,
)


@dataclass(frozen=True)
class Tested(Between):
    """Let ξ(t, x) = p_1(x), and p_2 be another."""

    one: Coefficients = (F(1),)
    two: Coefficients = (F(0), F(1))

    @cached_property
    def residual(self) -> TimePolynomial:
        """g̃."""
        return self.x.family.drift_residual(self.J) + self.x.reward

    def m(self, test: TimePolynomial) -> Any:
        """E∫ ξ dM̃."""
        return self.x.family.integral(test * self.x.family.discount() * self.residual)

    def solved(self) -> tuple[Any, Any]:
        """Moments of two test functions at the θ of J̃ + θτ that solves the first."""
        fam = self.x.family
        first, second = TimePolynomial.polynomial(self.one), TimePolynomial.polynomial(self.two)
        slope = fam.discount() * fam.drift_residual(self.x.tau)
        a, b = mixed(fam.integral(first * slope)), mixed(fam.integral(second * slope))
        theta = mixed(0) if a == 0 else -mixed(self.m(first)) / a
        return mixed(self.m(first)) + theta * a, mixed(self.m(second)) + theta * b


def tested(read: Reader) -> Tested:
    """Random test functions of degree ≤ 2."""
    x = sometimes_blind(read)
    return Tested(x.x, x.p, x.t, x.s, F(0), poly(read, 2), poly(read, 2))


def squared(x: Tested, test: TimePolynomial) -> Any:
    """E∫ e^{−βt}ξ² dt."""
    return mixed(x.x.family.integral(x.x.family.discount() * test * test))


ALIGNED = Tested(DRIFTLESS, (F(0), F(1)), F(0), F(1, 2), F(0), (F(0), F(-1)), (F(1),))
"""g̃ = −x, ξ = −x."""

orthogonality_converse: Claim[Tested] = Claim(
    statement="(E∫ξ dM̃)² ≤ E∫e^{−βt}ξ²dt · m(g̃), m(g̃) = E∫e^{−βt}g̃²dt > 0 unless g̃ = 0: equality at ξ = g̃",
    source=PAPER.at("orthogonality conditions (seen), converse; inequality derived"),
    let=decoded(tested),
    assume=[],
    then=Leq(
        lhs=numbers(lambda x: mixed(x.m(TimePolynomial.polynomial(x.one))) ** 2),
        rhs=numbers(lambda x: squared(x, TimePolynomial.polynomial(x.one)) * mixed(x.m(x.residual))),
    ),
    tight=Tight(ALIGNED, within=0),
    mutants=[
        Mutant(
            "one scalar test function suffices: the second moment vanishes with the first",
            then=Leq(
                numbers(lambda x: abs(x.solved()[1])),
                numbers(lambda x: abs(x.solved()[0]) * 1000 + mixed(TINY)),
            ),
        ),
        Mutant(
            "constant ξ suffices: m(g̃) ≤ 1000·|m(1)|",
            then=Leq(numbers(lambda x: x.m(x.residual)), numbers(lambda x: 1000 * abs(mixed(x.m(ZERO + 1))))),
        ),
        Mutant(
            "half of it",
            rhs=numbers(lambda x: squared(x, TimePolynomial.polynomial(x.one)) * mixed(x.m(x.residual)) / 2),
        ),
    ],
    expect=CERTIFIED,
    draws=80,
)


# ---- left and right endpoints ----------------------------------------------------------------
@dataclass(frozen=True)
class Sums:
    """Let Σ ξ(t_i)D_i (left) and Σ ξ(t_{i+1})D_i (right) be sums of a rational Brownian instance; ξ = φ_1."""

    x: Setting

    @property
    def xi(self) -> TimePolynomial:
        """ξ."""
        return self.x.family.features[0]

    def sums(self, n: int) -> tuple[Any, Any]:
        """Left and right on n steps."""
        grid = Grid(self.x.alone, n)
        return grid.left([self.xi])[0, 0], grid.right([self.xi])[0, 0]

    @cached_property
    def limits(self) -> list[F]:
        """Constant terms in Δ: the limits."""
        return [in_powers(lambda n, k=k: self.sums(n)[k], self.x.T, 1)[0] for k in (0, 1)]  # type: ignore[misc]

    @cached_property
    def drift(self) -> Any:
        """E∫ ξ e^{−βt}g dt."""
        return self.x.family.integral(self.xi * self.x.g)

    @cached_property
    def covariation(self) -> Any:
        """E∫ e^{−βt}σ² ∂_xξ ∂_xJ^θ dt."""
        return self.x.family.integral(self.x.gamma(self.xi, self.x.candidate))


moment_equals_drift: Claim[Sums] = Claim(
    statement="EΣξ_{t_i}D_i → E∫ξ e^{−βt}g dt; EΣξ_{t_{i+1}}D_i → the same + E∫e^{−βt}σ² ∂_xξ ∂_xJ^θ dt",
    source=PAPER.at("derived: Itô isometry; right endpoints anticipate"),
    let=decoded(lambda read: Sums(brownian(read)), 40),
    assume=[],
    then=Eq(lhs=lambda x: x.limits, rhs=lambda x: [x.drift, x.drift + x.covariation]),
    tight=Tight(Sums(BM_TOY), within=0),
    mutants=[
        Mutant("right-endpoint test functions are also consistent", rhs=lambda x: [x.drift, x.drift]),
        Mutant("half the covariation (Stratonovich)", rhs=lambda x: [x.drift, x.drift + x.covariation / 2]),
    ],
    expect=CERTIFIED,
    draws=60,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
