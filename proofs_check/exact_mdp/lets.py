"""What the claims of this package let x be: models with values, policies and laws."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import StateVec
from rltheory.checks import Paper
from rltheory.checks import strategies as ck

PAPER = Paper(
    key="exact-mdp",
    authors="Puterman",
    title="Markov Decision Processes: Discrete Stochastic Dynamic Programming; other works named per claim",
    year=1994,
)


def exact(*rows: Any) -> Any:
    """Array of rationals from nested ints and Fractions."""
    return rl.exact_array(np.array(rows if len(rows) > 1 else rows[0], dtype=object))


@dataclass(frozen=True)
class Values:
    """Let M be an MDP and u, v be state values."""

    M: rl.MDP
    u: StateVec
    v: StateVec

    @cached_property
    def Tu(self) -> StateVec:
        """T u."""
        return rl.bellman(self.M)(self.u)

    @cached_property
    def Tv(self) -> StateVec:
        """T v."""
        return rl.bellman(self.M)(self.v)

    @cached_property
    def Bv(self) -> StateVec:
        """B v = T v − v."""
        return self.Tv - self.v

    @cached_property
    def V_star(self) -> StateVec:
        """v*."""
        return rl.solve(self.M).V


@st.composite
def values(draw: st.DrawFn, /, **model: Any) -> Values:
    """Random models with two value vectors in [−8, 8]."""
    M = draw(ck.mdps(**model))
    return Values(M, draw(ck.vectors(M.S)), draw(ck.vectors(M.S)))


@st.composite
def ordered_values(draw: st.DrawFn, /, **model: Any) -> Values:
    """Random models with u ≤ v."""
    x = draw(values(**model))
    return Values(x.M, np.minimum(x.u, x.v), np.maximum(x.u, x.v))


@dataclass(frozen=True)
class Policies:
    """Let M be an MDP and pi, pi2 be stationary policies."""

    M: rl.MDP
    pi: rl.Policy
    pi2: rl.Policy

    @cached_property
    def V(self) -> StateVec:
        """v^π."""
        return rl.evaluate(self.M, self.pi).V

    @cached_property
    def V2(self) -> StateVec:
        """v^π2."""
        return rl.evaluate(self.M, self.pi2).V


@st.composite
def policies(
    draw: st.DrawFn, /, *, deterministic: bool | None = None, positive: bool = False, **model: Any
) -> Policies:
    """Random models with two policies."""
    M = draw(ck.mdps(**model))
    pair = [draw(ck.policies(M.S, M.A, positive=positive, deterministic=deterministic)) for _ in range(2)]
    return Policies(M, *pair)


def swap_chain(gamma: Any = Fraction(9, 10)) -> rl.MDP:
    """Two states that swap for ever, reward 0."""
    return rl.MDP([[[0, 1]], [[1, 0]]], exact([0], [0]), gamma)


def constant(M: rl.MDP, c: Any) -> StateVec:
    """c · 1."""
    return rl.exact_array([c] * M.S)
