"""What makes a function the value: a partial differential equation, a martingale, orthogonality to the past.

J(t, x) = E[∫_t^T e^{−β(s−t)} r ds + e^{−β(T−t)} h(X_T) | X_t = x];
M_t = e^{−βt}J(t, X_t) + ∫_0^t e^{−βs} r ds.
A perturbation J̃ = J + τp(x) keeps J̃(T, ·) = h.  Expectations along the process come from matrix exponentials
(`discounted_to_come`, `carried`); the equation for J is solved in closed form by the library.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction as F
from functools import cached_property
from typing import Any

from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Mutant, Reader, Tight, decoded, run_module
from rltheory.models.processes import PolynomialDiffusion
from rltheory.operators import TimePolynomial, diffusion, exponential

from .setting import (
    BM_TOY,
    OU,
    PAPER,
    SIZES,
    TINY,
    ZERO,
    Coefficients,
    Setting,
    carried,
    coefficients,
    discounted_to_come,
    law,
    mixed,
    numbers,
    poly,
    setting,
)

DEGREE = 4


# ---- the equation ----------------------------------------------------------------------------
@dataclass(frozen=True)
class Valued:
    """Let X be a polynomial diffusion, r and h polynomials of degree ≤ 4, 0 ≤ t < T."""

    process: tuple[F, F, F, F, F]
    T: F
    beta: F
    r: Coefficients
    h: Coefficients
    t: F

    @property
    def diffusion(self) -> PolynomialDiffusion:
        """X."""
        return PolynomialDiffusion(*self.process)

    @cached_property
    def J(self) -> list[Any]:
        """Coefficients of J(t, ·) from the semigroup."""
        return discounted_to_come(self.diffusion, self.r, self.h, self.beta, self.T - self.t, DEGREE)

    def solution(self, beta: F | None = None, double: bool = False) -> list[Any]:
        """Coefficients at t of the solution of ∂_tV + LV − βV + r = 0, V(T) = h; `double`: σ² for ½σ²."""
        b0, b1, *s = self.process
        process = PolynomialDiffusion(b0, b1, *(2 * v for v in s)) if double else self.diffusion
        r, h = TimePolynomial.polynomial(self.r), TimePolynomial.polynomial(self.h)
        V = diffusion.backward(process, r, h, self.T, self.beta if beta is None else beta)
        return coefficients(V, self.t, DEGREE)


def valued(read: Reader) -> Valued:
    """Any of the six kinds of process."""
    process, _ = law(read, read.below(6))
    T, beta = read.pick((F(1), F(1, 2), F(2))), read.pick((F(1, 4), F(0), F(1, 2)))
    return Valued(
        process, T, beta, poly(read, read.below(5)), poly(read, read.below(5)), T * F(read.below(4), 4)
    )


CUBIC = Valued(OU.process, F(1), F(3, 10), (F(0), F(0), F(1)), (F(0), F(0), F(1), F(1)), F(1, 4))

feynman_kac: Claim[Valued] = Claim(
    statement="∂_tJ + LJ − βJ + r = 0 and J(T, ·) = h",
    source=PAPER.at("the value as a solution of the Feynman–Kac equation (recalled)"),
    let=decoded(valued, 40),
    assume=[],
    then=Eq(lhs=numbers(lambda x: x.J), rhs=numbers(lambda x: x.solution()), within=TINY),
    tight=Tight(CUBIC, within=0),
    mutants=[
        Mutant("the sign of β flipped", rhs=numbers(lambda x: x.solution(beta=-x.beta))),
        Mutant("σ² in place of ½σ²", rhs=numbers(lambda x: x.solution(double=True))),
    ],
    expect=CERTIFIED,
)


# ---- the martingale --------------------------------------------------------------------------
@dataclass(frozen=True)
class Between:
    """Let J̃ = J + τp(x) + c·e^{βt}, 0 ≤ t < s ≤ T."""

    x: Setting
    p: Coefficients
    t: F
    s: F
    c: F = F(0)

    @cached_property
    def J(self) -> TimePolynomial:
        """J̃."""
        shift = exponential(self.x.beta) * self.c if self.c else ZERO
        return self.x.family.J + self.x.tau * TimePolynomial.polynomial(self.p) + shift

    @property
    def degree(self) -> int:
        """Of polynomials in x."""
        return max(self.J.degree, self.x.reward.degree)

    def discounted(self, t: F) -> list[Any]:
        """Coefficients of e^{−βt}J̃(t, ·)."""
        return coefficients(self.x.family.discount() * self.J, t, self.degree)

    @cached_property
    def reward(self) -> list[Any]:
        """Coefficients of E[∫_t^s e^{−βu} r du | X_t = x]."""
        r, beta = self.x.r, self.x.beta
        paid = discounted_to_come(self.x.diffusion, r, (F(0),), beta, self.s - self.t, self.degree)
        now = mixed(exponential(-beta * self.t, 0).at_time(1).number()) if beta else mixed(1)
        return [now * v for v in paid]

    @cached_property
    def move(self) -> list[Any]:
        """Coefficients of E[M̃_s − M̃_t | X_t = x]."""
        after = carried(self.x.diffusion, self.discounted(self.s), self.s - self.t)
        now = self.discounted(self.t)
        return [a + r - b for a, r, b in zip(after, self.reward, now, strict=True)]

    @cached_property
    def drift(self) -> TimePolynomial:
        """e^{−βt}g̃."""
        return self.x.family.discount() * (self.x.family.drift_residual(self.J) + self.x.reward)

    @property
    def size(self) -> Any:
        """E∫ g̃² e^{−βt}dt, zero only if g̃ = 0."""
        g = self.x.family.drift_residual(self.J) + self.x.reward
        return self.x.family.integral(self.x.family.discount() * g * g)

    def mean_move(self) -> Any:
        """Σ over four times of |E M̃_s − M̃_0|."""
        fam, total = self.x.family, mixed(0)
        for k in (1, 2, 3, 4):
            drift = fam.mean(self.drift).integral(0, self.x.T * F(k, 4)).number()
            total = total + abs(mixed(drift))
        return total


def between(read: Reader) -> Between:
    """Any process, any p of degree ≤ 2, p ≠ 0."""
    x = setting(read, q=1)
    a = read.below(4)
    b = a + 1 + read.below(4 - a)
    p = list(poly(read, 2))
    p[0] += 3
    return Between(x, tuple(p), x.T * F(a, 4), x.T * F(b, 4))


def unperturbed(read: Reader) -> Between:
    """p = 0."""
    return replace(between(read), p=(F(0),))


def shifted(read: Reader) -> Between:
    """J + c·e^{βt}: the terminal condition is given up."""
    return replace(unperturbed(read), c=1 + abs(read.number(2)))


DRIFTLESS = replace(BM_TOY, process=(F(0), F(0), F(1), F(0), F(0)), features=((1, (F(1),)),), theta=(F(0),))
BLIND = Between(DRIFTLESS, (F(0), F(1)), F(0), F(1, 2))
"""J̃ = J + (T − t)x for a driftless Brownian motion from 0."""

characterisation: Claim[Between] = Claim(
    statement="s ↦ e^{−βs}J(s, X_s) + ∫_t^s e^{−βu} r du, started at any (t, x), is a martingale",
    source=PAPER.at(
        "martingale characterisation (seen): J is the value iff M is a martingale, given J(T, ·) = h"
    ),
    let=decoded(unperturbed),
    assume=[],
    then=Eq(
        lhs=numbers(lambda x: [a + b for a, b in zip(x.move, x.discounted(x.t), strict=True)]),
        rhs=numbers(lambda x: x.discounted(x.t)),
        within=TINY,
    ),
    tight=Tight(Between(OU, (F(0),), F(1, 4), F(3, 4)), within=0),
    mutants=[
        Mutant("so it is for every function that is h at T", let=decoded(between)),
        Mutant(
            "E[M_s | X_t] is M_t without the rewards between",
            lhs=numbers(lambda x: carried(x.x.diffusion, x.discounted(x.s), x.s - x.t)),
        ),
    ],
    expect=CERTIFIED,
)


def sometimes_blind(read: Reader) -> Between:
    """One in six is J + c·τx for a driftless Brownian motion from 0: E M̃_s is constant from there."""
    x = between(read)
    if read.below(6):
        return x
    still = (F(0), F(0), read.pick(SIZES), F(0), F(0))
    return replace(x, x=replace(x.x, process=still, x0=F(0), beta=F(0)), p=(F(0), 1 + abs(read.number(2))))


def to_the_end(read: Reader) -> Between:
    """s = T."""
    x = sometimes_blind(read)
    return replace(x, s=x.x.T)


def ended(read: Reader) -> Between:
    """J + c·e^{βt}, s = T."""
    x = shifted(read)
    return replace(x, s=x.x.T)


characterisation_converse: Claim[Between] = Claim(
    statement=(
        "J̃(T, ·) = h: E[M̃_T | X_t = x] − M̃_t = e^{−βt}(J − J̃)(t, x), so M̃ is a martingale only if J̃ = J"
    ),
    source=PAPER.at("martingale characterisation (seen), converse; identity derived"),
    let=decoded(to_the_end),
    assume=[],
    then=Eq(
        lhs=numbers(lambda x: x.move),
        rhs=numbers(lambda x: coefficients(x.x.family.discount() * (x.x.family.J - x.J), x.t, x.degree)),
        within=TINY,
    ),
    tight=Tight(Between(OU, (F(0), F(1)), F(1, 4), F(1)), within=0),
    named={"blind from its start": replace(BLIND, s=F(1))},
    mutants=[
        Mutant("the terminal condition may be dropped (J + c·e^{βt})", let=decoded(ended)),
        Mutant(
            "E M̃_s constant in s from the single start x0 suffices: E∫g̃² ≤ 1000·Σ|E M̃_s − M̃_0|",
            then=Leq(numbers(lambda x: x.size), numbers(lambda x: 1000 * x.mean_move())),
        ),
        Mutant(
            "J̃ − J for J − J̃",
            rhs=numbers(lambda x: coefficients(x.x.family.discount() * (x.J - x.x.family.J), x.t, x.degree)),
        ),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
