"""What errors add up to: the same error at every step, a stale field first, and through TD.

Fields go straight from the noise mean m to a target with slope −c/(1−t); β_n(c) = Π_{i≤n}(1 − c/i).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import sup_norm
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.operators.flow import euler, recovery

from .lets import PAPER, STEPS, Conic, F, conic, conics, cs, exact

HALF = F(1, 2)
NAMED = Conic(8, HALF, F(1), F(0), F(1), 0)


def with_error(x: Conic) -> Any:
    """Final error of the field plus e, from the noise mean."""
    v = x.field
    return euler(lambda t, z: v(t, z) + x.e, x.m, x.K) - x.y


def uniform(x: Conic) -> Any:
    """ε β_K/(1−c), ε/K for c = 1."""
    return x.e / x.K if x.c == 1 else x.e * recovery(x.K, x.c) / (1 - x.c)


def final(x: Conic) -> Any:
    """Predict-final: nets that predict y, plus a bias e at every step; the readout is the last prediction."""
    z = x.m
    for k in range(x.K - 1):
        t = F(k + 1, x.K) if isinstance(x.c, Fraction) else (k + 1) / x.K
        z = (1 - t) * x.m + t * predicted(x, z)
    return predicted(x, z) - x.y


def predicted(x: Conic, z: Any) -> Any:
    """f(t, z) = y + e, whatever z: it solves its regression, up to the bias."""
    return x.y + x.e + 0 * z


uniform_error: Claim[Conic] = Claim(
    statement="velocity error ε at every step: final error ε·(1/K)Σ_{n<K}β_n = εβ_K/(1−c), ε/K for c = 1; "
    "predict-final with output bias ε: ε",
    source=PAPER.at("derived: a telescoping sum"),
    let=conics(),
    assume=[],
    then=Eq(
        lhs=lambda x: [with_error(x), x.e * sum(recovery(n, x.c) for n in range(x.K)) / x.K, final(x)],
        rhs=lambda x: [uniform(x), uniform(x), x.e],
    ),
    tight=Tight(NAMED, within=0),
    named={"c = 0": Conic(8, F(0), F(1), F(0), F(1), 0), "c = 1": Conic(8, F(1), F(1), F(0), F(1), 0)},
    mutants=[
        Mutant("ε/K for every c", rhs=lambda x: [x.e / x.K, x.e / x.K, x.e]),
        Mutant("εβ_K", rhs=lambda x: [x.e * recovery(x.K, x.c)] * 2 + [x.e]),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Stale:
    """Let the first j of K steps go straight to y_old, the rest to y, from the noise mean m."""

    K: int
    j: int
    c: Any
    m: Any
    y_old: Any
    y: Any

    @cached_property
    def error(self) -> Any:
        """ψ_K − y."""
        new, old = conic(self.c, self.y, self.m), conic(self.c, self.y_old, self.m)
        return euler(new, self.m, self.K, first=self.j, early=old) - self.y

    @cached_property
    def late(self) -> Any:
        """The same with the last j steps stale."""
        new, old = conic(self.c, self.y, self.m), conic(self.c, self.y_old, self.m)
        return euler(old, self.m, self.K, first=self.K - self.j, early=new) - self.y

    @property
    def formula(self) -> Any:
        """(j/K)(y_old − y)β_{K−j}(c)."""
        share = F(self.j, self.K) if isinstance(self.c, Fraction) else self.j / self.K
        return share * (self.y_old - self.y) * recovery(self.K - self.j, self.c)


@st.composite
def stales(draw: st.DrawFn) -> Stale:
    """0 < j ≤ K, y_old ≠ y."""
    K = draw(st.sampled_from(STEPS))
    y = draw(ck.dyadics(-4, 4, denominator=8))
    move = (draw(st.integers(0, 31)) + 1) / 8
    return Stale(K, draw(st.integers(1, K)), draw(cs()), draw(ck.dyadics(-2, 2, denominator=8)), y + move, y)


SPEC = Stale(8, 4, HALF, F(0), F(0), F(1))

stale: Claim[Stale] = Claim(
    statement="first m of K steps to y_old, from the noise mean: ψ_K − y = (m/K)(y_old − y)β_{K−m}(c)",
    source=PAPER.at("derived; a model of the stale-field experiment, recalled"),
    let=stales(),
    assume=[],
    then=Eq(lhs=lambda x: x.error, rhs=lambda x: x.formula),
    tight=Tight(SPEC, within=0),
    named={"c = 1 forgets": Stale(8, 7, F(1), F(0), F(0), F(1))},
    mutants=[
        Mutant("stale last steps do the same", lhs=lambda x: x.late),
        Mutant("(m/K)(y_old − y)", rhs=lambda x: x.formula if x.j == x.K else x.j * (x.y_old - x.y) / x.K),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def shifted(field: Any, error: Any, t: Any, z: Any) -> Any:
    """A field plus an error."""
    return field(t, z) + error


# ---- TD ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Propagated:
    """Let M be an MDP, pi a policy, delta·u(s) the velocity error in s, |u| ≤ 1; c, K as before, m = 0."""

    M: rl.MDP
    pi: rl.Policy
    u: Any
    delta: Any
    c: Any
    K: int

    @cached_property
    def V(self) -> Any:
        """V^π."""
        return rl.evaluate(self.M, self.pi).V

    @cached_property
    def factor(self) -> Any:
        """β_K/(1−c), 1/K for c = 1."""
        if self.c == 1:
            return F(1, self.K) if isinstance(self.c, Fraction) else 1 / self.K
        return recovery(self.K, self.c) / (1 - self.c)

    @cached_property
    def V_hat(self) -> Any:
        """V^π + (I−γP)^{-1}(errors of the readouts): the value of the model that pays them, too."""
        paid = self.M.replace(R=self.M.R + (self.delta * self.factor * self.u)[:, None])
        return rl.evaluate(paid, self.pi).V

    @cached_property
    def again(self) -> Any:
        """One sweep from V_hat: Euler readouts of the erring fields."""
        y = rl.bellman(self.M, self.pi)(self.V_hat)
        zero = 0 * self.c
        out = []
        for target, error in zip(y, self.delta * self.u, strict=True):
            v = conic(self.c, target, zero)
            out.append(euler(partial(shifted, v, error), zero, self.K))
        return np.array(out)


@st.composite
def propagated(draw: st.DrawFn) -> Propagated:
    """Small models; errors of one sign in half of the draws."""
    M = draw(ck.mdps(S=st.integers(1, 3), A=st.integers(1, 2)))
    u = draw(ck.vectors(M.S, min_value=-1, max_value=1))
    if draw(st.booleans()):
        u = np.ones(M.S)
    delta = (draw(st.integers(0, 15)) + 1) / 16
    return Propagated(M, draw(ck.policies(M.S, M.A)), u, delta, draw(cs()), draw(st.sampled_from(STEPS)))


LOOP = Propagated(
    rl.MDP([[[F(1)]]], exact(1)[:, None], F(9, 10)), rl.Policy(exact(1)[:, None]), exact(1), F(1, 4), HALF, 8
)

td_propagation: Claim[Propagated] = Claim(
    statement="velocity error at most δ: the limit has ‖V̂ − V^π‖ ≤ δβ_K/((1−c)(1−γ)), δ/(K(1−γ)) for c = 1; "
    "and it is a fixed point of the sweeps",
    source=PAPER.at("derived: readout error ε a sweep gives ε/(1−γ)"),
    let=propagated(),
    assume=[
        Assumption("δ ≥ 0", lambda x: x.delta >= 0, fails_without=replace(LOOP, delta=F(-1, 4))),
        Assumption(
            "|u| ≤ 1",
            lambda x: bool((abs(x.u) <= 1).all()),
            fails_without=replace(LOOP, u=exact(2)),
        ),
    ],
    then=Leq(
        lhs=lambda x: [sup_norm(x.V_hat - x.V), sup_norm(x.again - x.V_hat)],
        rhs=lambda x: [x.delta * x.factor / (1 - x.M.gamma), 0 * x.c],
    ),
    tight=Tight(LOOP, within=0),
    mutants=[
        Mutant("1/(1−γ²)", rhs=lambda x: [x.delta * x.factor / (1 - x.M.gamma**2), 0 * x.c]),
        Mutant("no 1/(1−c)", rhs=lambda x: [x.delta * recovery(x.K, x.c) / (1 - x.M.gamma), 0 * x.c]),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
    draws=60,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
