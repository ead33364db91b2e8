"""Block B, continued: Gauss–Seidel and anchored value iteration.

Definitions: a Gauss–Seidel sweep GS replaces v(s) by max_a [R + γPv](s, a) in place, state by state in
a given order.  Anchored iterates are v_k = β_k v_0 + (1 − β_k) T v_{k−1}, β_k = 1/Σ_{i≤k} γ^−2i; v̂ is the
fixed point of T with min for max.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import StateVec, sup_norm
from rltheory.checks import CERTIFIED, Assumption, Claim, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck

from .lets import PAPER, exact, swap_chain

GAMMA = Fraction(9, 10)
SWAP = swap_chain(GAMMA)
STAY = rl.gallery.span_tight(GAMMA)  # v* = (100, 100)


@dataclass(frozen=True)
class Ordered:
    """Let M be an MDP, u and v values, k sweeps to make, and states updated in `order`."""

    M: rl.MDP
    u: StateVec
    v: StateVec
    k: int
    order: tuple[int, ...]

    @cached_property
    def V_star(self) -> StateVec:
        """v*."""
        return rl.solve(self.M).V

    @cached_property
    def Tv(self) -> StateVec:
        """T v."""
        return rl.bellman(self.M)(self.v)

    def sweep(self, w: StateVec) -> StateVec:
        """GS w."""
        w = w.copy()
        for s in self.order:
            w[s] = (self.M.R[s] + self.M.gamma * (self.M.P[s] @ w)).max()
        return w

    @cached_property
    def jacobi(self) -> StateVec:
        """T^k v."""
        T, w = rl.bellman(self.M), self.v
        for _ in range(self.k):
            w = T(w)
        return w

    @cached_property
    def gauss_seidel(self) -> StateVec:
        """GS^k v."""
        w = self.v
        for _ in range(self.k):
            w = self.sweep(w)
        return w


def moved_below(M: rl.MDP, v: StateVec) -> Any:
    """v moved down by a constant (a multiple of 1/64) until v ≤ Tv."""
    drop = min((rl.bellman(M)(v) - v).min() / (1 - M.gamma), 0)
    return v + np.floor(drop * 64 - 1e-6) / 64


@st.composite
def ordered(draw: st.DrawFn, /, *, below: bool = False, **model: Any) -> Ordered:
    """Random models, values and orders; v ≤ Tv if asked."""
    M = draw(ck.mdps(S=st.integers(1, 5), A=st.integers(1, 3), **model))
    u, v = draw(ck.vectors(M.S)), draw(ck.vectors(M.S))
    v = moved_below(M, v) if below else v
    order = tuple(draw(st.permutations(range(M.S))))
    return Ordered(M, u, v, draw(st.integers(1, 4)), order)


def pair(M: rl.MDP, v: Any, k: int = 1) -> Ordered:
    """A two-state instance with u = v* = (v*(0), v*(0))."""
    return Ordered(M, rl.solve(M).V, exact(v), k, (0, 1))


gauss_seidel: Claim[Ordered] = Claim(
    statement="‖GS u − GS v‖ ≤ γ‖u − v‖, and ‖GS v − v*‖ ≤ γ‖v − v*‖, GS v* = v*",
    source=PAPER.at("Section 6.3.3"),
    let=ordered(),
    assume=[],
    then=Leq(
        lhs=lambda x: [
            sup_norm(x.sweep(x.u) - x.sweep(x.v)),
            sup_norm(x.sweep(x.v) - x.V_star),
            sup_norm(x.sweep(x.V_star) - x.V_star),
        ],
        rhs=lambda x: [x.M.gamma * sup_norm(x.u - x.v), x.M.gamma * sup_norm(x.v - x.V_star), 0 * x.M.gamma],
    ),
    tight=Tight(pair(SWAP, [1, 1]), within=0),  # the state updated first moves by γ only
    mutants=[
        Mutant(
            "γ², as every state uses values that are already new",
            rhs=lambda x: [
                x.M.gamma**2 * sup_norm(x.u - x.v),
                x.M.gamma * sup_norm(x.v - x.V_star),
                0 * x.M.gamma,
            ],
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def from_below(fails_without: Ordered) -> Assumption[Ordered]:
    """v ≤ T v."""
    return Assumption("v ≤ Tv", lambda x: bool((x.v <= x.Tv).all()), fails_without=fails_without)


MIXED = st.one_of(ordered(), ordered(below=True), ordered(rows="dense"))

gauss_seidel_monotone: Claim[Ordered] = Claim(
    statement="v ≤ Tv ⇒ T^k v ≤ GS^k v ≤ v*",
    source=PAPER.at("Section 6.3.3"),
    let=MIXED,
    assume=[from_below(pair(SWAP, [1, 1]))],
    then=Leq(
        lhs=lambda x: np.concatenate([x.jacobi, x.gauss_seidel]),
        rhs=lambda x: np.concatenate([x.gauss_seidel, x.V_star]),
    ),
    tight=Tight(pair(STAY, [100, 100]), within=0),
    mutants=[
        Mutant(
            "GS is no better than T",
            then=Leq(lhs=lambda x: x.gauss_seidel, rhs=lambda x: x.jacobi),
        ),
        Mutant("for every v", drop="v ≤ Tv"),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

# v = (1, −1) averages to v* = 0 at once under T; the state updated second no longer sees the 1
COIN = rl.MDP([[[Fraction(1, 2)] * 2]] * 2, exact([0], [0]), GAMMA)

gauss_seidel_error: Claim[Ordered] = Claim(
    statement="v ≤ Tv ⇒ ‖GS^k v − v*‖ ≤ ‖T^k v − v*‖",
    source=PAPER.at("Section 6.3.3"),
    let=MIXED,
    assume=[from_below(pair(COIN, [1, -1]))],
    then=Leq(lhs=lambda x: sup_norm(x.gauss_seidel - x.V_star), rhs=lambda x: sup_norm(x.jacobi - x.V_star)),
    tight=Tight(pair(SWAP, [-1, -1]), within=0),
    mutants=[Mutant("for every v", drop="v ≤ Tv")],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Anchored:
    """Let k anchored backups start from v."""

    M: rl.MDP
    v: StateVec
    k: int

    def residual(self, w: StateVec) -> Any:
        """‖T w − w‖."""
        return sup_norm(rl.bellman(self.M)(w) - w)

    @cached_property
    def iterate(self) -> StateVec:
        """v_k."""
        T, w, total, g = rl.bellman(self.M), self.v, 1, self.M.gamma
        for i in range(1, self.k + 1):
            total = total + g ** (-2 * i)
            w = self.v / total + (1 - 1 / total) * T(w)
        return w

    @cached_property
    def error(self) -> Any:
        """‖T v_k − v_k‖."""
        return self.residual(self.iterate)

    @cached_property
    def plain_error(self) -> Any:
        """‖T w − w‖ for w = T^k v_0, without the anchor."""
        T, w = rl.bellman(self.M), self.v
        for _ in range(self.k):
            w = T(w)
        return self.residual(w)

    @cached_property
    def radius(self) -> Any:
        """max(‖v_0 − v*‖, ‖v_0 − v̂‖)."""
        V_hat = -rl.solve(self.M.replace(R=-self.M.R)).V
        return max(sup_norm(self.v - rl.solve(self.M).V), sup_norm(self.v - V_hat))

    def bound(self, middle: int = 2) -> Any:
        """(γ⁻¹ − γ)(1 + middle·γ − γ^(k+1))/(γ^−(k+1) − γ^(k+1))·radius."""
        g, n = self.M.gamma, self.k + 1
        return (1 / g - g) * (1 + middle * g - g**n) / (g**-n - g**n) * self.radius


@st.composite
def anchored(draw: st.DrawFn, /) -> Anchored:
    """Random models and starts."""
    M = draw(ck.mdps(S=st.integers(1, 5), A=st.integers(1, 3)))
    return Anchored(M, draw(ck.vectors(M.S)), draw(st.integers(0, 8)))


@st.composite
def at_vertices(draw: st.DrawFn, /) -> Anchored:
    """Chains of point masses started at the vertices of a box, where iterates oscillate most."""
    M = draw(ck.mdps(S=st.integers(2, 4), A=st.integers(1, 2), rows="deterministic"))
    e = draw(st.tuples(*[st.integers(-1, 1)] * M.S))
    v = draw(st.sampled_from([1.0, 8.0, 64.0])) * np.array(e)
    return Anchored(M, v, draw(st.sampled_from([0, 0, 1, 2, 4, 8])))


def anchored_swap(k: int, gamma: Any = Fraction(999, 1000)) -> Anchored:
    """The swap chain without rewards from v_0 = (1, −1)."""
    return Anchored(swap_chain(gamma), exact([1, -1]), k)


anchored_vi: Claim[Anchored] = Claim(
    statement="‖T v_k − v_k‖ ≤ (γ⁻¹ − γ)(1 + 2γ − γ^(k+1))/(γ^−(k+1) − γ^(k+1))·max(‖v_0 − v*‖, ‖v_0 − v̂‖)",
    source=PAPER.at("Lee and Ryu 2023; constant re-identified numerically"),
    let=st.one_of(anchored(), at_vertices()),
    assume=[],
    then=Leq(lhs=lambda x: x.error, rhs=lambda x: x.bound()),
    tight=Tight(anchored_swap(0), within=0),
    mutants=[
        Mutant("1 + γ − γ^(k+1) for 1 + 2γ − γ^(k+1)", rhs=lambda x: x.bound(middle=1)),
        Mutant("plain value iteration obeys it", lhs=lambda x: x.plain_error),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
    named={f"swap chain, k = {k}": anchored_swap(k) for k in (1, 10, 100)},
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
