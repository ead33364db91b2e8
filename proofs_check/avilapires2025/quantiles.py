"""Quantile evaluation: η̂ = Π_Q T_π η̂ with m atoms of mass 1/m, lower quantiles of levels (2i−1)/(2m)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Mutant, Tight, run_module

from .definitions import (
    HALF,
    ONE,
    ZERO,
    Exact,
    Law,
    Pairs,
    library,
    mean,
    w1,
    w_inf,
)
from .fixed_points import GAMMAS, backward
from .setting import PAPER, Model, Reader, chain, decoded, layered


@dataclass(frozen=True)
class Quantiles(Exact):
    """Let M be layered with one action a state, eta and eta2 laws of its states, and m a number of atoms."""

    M: Model
    m: int
    eta: tuple[Pairs, ...]
    eta2: tuple[Pairs, ...]

    def image(self, eta: tuple[Pairs, ...]) -> list[Law]:
        """Π_Q T_π η, projected by the library."""
        ahead = self.M.evaluate([dict(k) for k in eta], (0,) * self.M.S)
        return [dict(library(k).quantized(self.m)) for k in ahead]

    def before(self, d: Callable[[Law, Law], Fraction]) -> Fraction:
        """sup_s d(η, η')."""
        return max(d(dict(a), dict(b)) for a, b in zip(self.eta, self.eta2, strict=True))

    def after(self, d: Callable[[Law, Law], Fraction]) -> Fraction:
        """sup_s d of the images."""
        return max(d(a, b) for a, b in zip(self.image(self.eta), self.image(self.eta2), strict=True))

    @cached_property
    def true(self) -> list[Law]:
        """η^π."""
        return backward(self.M)

    @cached_property
    def hat(self) -> list[Law]:
        """η̂, by the library."""
        return backward(self.M, lambda law: law.quantized(self.m))

    @cached_property
    def error(self) -> Fraction:
        """w̄₁(η̂, η^π)."""
        return max(w1(a, b) for a, b in zip(self.hat, self.true, strict=True))

    @cached_property
    def width(self) -> Fraction:
        """R̂: the largest range of T_π η̂."""
        return max(max(k) - min(k) for k in self.M.evaluate(self.hat, (0,) * self.M.S))

    @cached_property
    def spread(self) -> Fraction:
        """(r_max − r_min)/(1−γ)."""
        return (max(self.M.rewards) - min(self.M.rewards)) / (1 - self.M.gamma)


def quantiles(read: Reader) -> Quantiles:
    """Layered models, arbitrary laws."""
    M = layered(read, gammas=GAMMAS)
    m = 1 + read.below(4)
    eta, eta2 = (tuple(read.law(2) for _ in range(M.S)) for _ in range(2))
    return Quantiles(M, m, eta, eta2)


def coins(depth: int, gamma: Fraction = HALF) -> Quantiles:
    """±1 fairly, `depth` times; one atom."""
    M = chain(*[(-1, 1)] * depth, gamma=gamma)
    return Quantiles(M, 1, (((ZERO, ONE),),) * M.S, (((ONE, ONE),),) * M.S)


quantile_contraction: Claim[Quantiles] = Claim(
    statement="w̄_∞(Π_Q T_π η, Π_Q T_π η') ≤ γ w̄_∞(η, η')",
    source=PAPER.at("quantile evaluation; recalled, Dabney et al. 2018"),
    let=decoded(quantiles, 96),
    assume=[],
    then=Leq(lhs=lambda x: x.after(w_inf), rhs=lambda x: x.M.gamma * x.before(w_inf)),
    tight=Tight(coins(2), within=0),
    mutants=[
        Mutant("in w₁", then=Leq(lambda x: x.after(w1), lambda x: x.M.gamma * x.before(w1))),
        Mutant("γ² for γ", rhs=lambda x: x.M.gamma**2 * x.before(w_inf)),
    ],
    expect=CERTIFIED,
)

quantile_fixed_point: Claim[Quantiles] = Claim(
    statement="w̄₁(η̂,η) ≤ R̂/(2m(1−γ)), R̂ = max range of T_π η̂ ≤ (r_max − r_min)/(1−γ)",
    source=PAPER.at("quantile evaluation; constant derived"),
    let=decoded(quantiles, 96),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.error, x.width],
        rhs=lambda x: [x.width / (2 * x.m * (1 - x.M.gamma)), x.spread],
    ),
    tight=Tight(coins(9), within=0.003),
    mutants=[
        Mutant("4m for 2m", rhs=lambda x: [x.width / (4 * x.m * (1 - x.M.gamma)), x.spread]),
        Mutant(
            "the mean is kept",
            then=Eq(lambda x: [mean(k) for k in x.hat], lambda x: [mean(k) for k in x.true]),
        ),
        Mutant(
            "one projection's error: no 1/(1−γ)",
            then=Leq(lambda x: x.error, lambda x: x.width / (2 * x.m)),
        ),
        Mutant("(r_max − r_min) for R̂", then=Leq(lambda x: x.width, lambda x: x.spread * (1 - x.M.gamma))),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
