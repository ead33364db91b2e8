"""What a model error does to values: an identity, its two consequences, and errors along an iteration."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property

import numpy as np

import rltheory as rl
from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Eq,
    Leq,
    Mutant,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.checks.elimination import eliminate

from .setting import HALF, PAPER, Table, table

GAMMAS = (HALF, F(3, 4), F(9, 10), F(1, 4))


@dataclass(frozen=True, eq=False)
class Chains:
    """Let P and P̂ be chains of a fixed policy with the same r and γ; μ is a law on states."""

    P: Table
    P_hat: Table
    r: Table
    gamma: F
    mu: Table

    def _value(self, P: Table) -> Table:
        """Values by the library."""
        n = len(self.r)
        mdp = rl.MDP(P[:, None, :], self.r[:, None], self.gamma)
        return rl.evaluate(mdp, rl.Policy([0] * n, 1)).V

    @cached_property
    def V(self) -> Table:
        """V^π."""
        return self._value(self.P)

    @cached_property
    def V_hat(self) -> Table:
        """V̂^π."""
        return self._value(self.P_hat)

    @property
    def gap(self) -> Table:
        """V^π − V̂^π."""
        return np.asarray(self.V - self.V_hat)

    def error(self, V: Table) -> Table:
        """(P − P̂)V."""
        return np.asarray((self.P - self.P_hat) @ V)

    def resolved(self, P: Table, x: Table) -> Table:
        """γ(I − γP)⁻¹x, by elimination."""
        eye = table(np.eye(len(x), dtype=int))
        return eliminate(eye - self.gamma * P, self.gamma * x)

    @property
    def horizon(self) -> F:
        """γ/(1−γ)."""
        return self.gamma / (1 - self.gamma)

    def square(self, x: Table) -> F:
        """‖x‖²_{2,μ}."""
        return F((self.mu * x * x).sum())

    @property
    def stationary(self) -> bool:
        """μP = μ."""
        return bool((self.mu @ self.P == self.mu).all())


def stationary_law(P: Table) -> Table:
    """μ with μP = μ, for P > 0, by elimination."""
    n = len(P)
    A = (table(np.eye(n, dtype=int)) - P).T
    A[n - 1] = F(1)
    return eliminate(A, table([0] * (n - 1) + [1]))


def chains(read: Reader) -> Chains:
    """Up to four states; rows shared by all states one time in four; μ stationary three times in four."""
    n, gamma, kind = 2 + read.below(3), read.pick(GAMMAS), read.below(4)
    P, P_hat = (table([read.weights(n) for _ in range(n)]) for _ in range(2))
    if kind == 0:
        P, P_hat = table([P[0]] * n), table([P_hat[0]] * n)
    mu = stationary_law(P) if read.below(4) else table(read.weights(n))
    return Chains(P, P_hat, read.numbers(n), gamma, mu)


def mixing(eps: F = F(1, 10), gamma: F = F(9, 10)) -> Chains:
    """Rows (½ + ε, ½ − ε) against (½, ½), r = (1, 0): (P − P̂)V̂ = ε everywhere."""
    up = [HALF + eps, HALF - eps]
    return Chains(table([up, up]), table([[HALF, HALF]] * 2), table([1, 0]), gamma, table(up))


UNSEEN = Chains(table([[0, 1], [0, 1]]), table([[0, 1], [1, 0]]), table([1, 0]), F(9, 10), table([1, 0]))
"""μ = δ₀ sees no error: the models differ at state 1 only."""

value_error_identity: Claim[Chains] = Claim(
    statement="V^π − V̂^π = γ(I − γP)⁻¹(P − P̂)V̂^π = γ(I − γP̂)⁻¹(P − P̂)V^π",
    source=PAPER.at("standard (value-aware model learning)"),
    let=decoded(chains),
    assume=[],
    then=Eq(
        lhs=lambda x: [*x.gap, *x.gap],
        rhs=lambda x: [*x.resolved(x.P, x.error(x.V_hat)), *x.resolved(x.P_hat, x.error(x.V))],
    ),
    tight=Tight(mixing(), within=0),
    mutants=[
        Mutant(
            "γ(I − γP)⁻¹(P − P̂)V^π",
            rhs=lambda x: [*x.resolved(x.P, x.error(x.V)), *x.resolved(x.P_hat, x.error(x.V))],
        )
    ],
    expect=CERTIFIED,
)

value_error_identity_sup: Claim[Chains] = Claim(
    statement="‖V^π − V̂^π‖ ≤ γ/(1−γ)·‖(P − P̂)V̂^π‖",
    source=PAPER.at("standard, from the identity"),
    let=decoded(chains),
    assume=[],
    then=Leq(lhs=lambda x: rl.sup_norm(x.gap), rhs=lambda x: x.horizon * rl.sup_norm(x.error(x.V_hat))),
    tight=Tight([mixing(), mixing(F(1, 4), HALF)], within=0),
    mutants=[Mutant("γ for γ/(1−γ)", rhs=lambda x: x.gamma * rl.sup_norm(x.error(x.V_hat)))],
    expect=CERTIFIED,
)

value_error_identity_stationary: Claim[Chains] = Claim(
    statement="μ stationary under P: ‖V^π − V̂^π‖_{2,μ} ≤ γ/(1−γ)·√L_VAML(V̂^π)",
    source=PAPER.at("standard, from the identity and Jensen's inequality; compared as squares"),
    let=decoded(chains),
    assume=[Assumption("μP = μ", lambda x: x.stationary, fails_without=UNSEEN)],
    then=Leq(lhs=lambda x: x.square(x.gap), rhs=lambda x: x.horizon**2 * x.square(x.error(x.V_hat))),
    tight=Tight([mixing(), mixing(F(1, 4), HALF)], within=0),
    mutants=[
        Mutant("any μ", drop="μP = μ"),
        Mutant("γ for γ/(1−γ)", rhs=lambda x: x.gamma**2 * x.square(x.error(x.V_hat))),
    ],
    expect=CERTIFIED,
)


# ---- iteration -------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Iteration:
    """Let V_{k+1} = r + γP̂_kV_k, k < K, from V₀, and let the truth be P."""

    P: Table
    models: tuple[Table, ...]
    r: Table
    gamma: F
    V0: Table

    @cached_property
    def path(self) -> list[Table]:
        """V_0, …, V_K."""
        out = [self.V0]
        for P_hat in self.models:
            out.append(np.asarray(self.r + self.gamma * (P_hat @ out[-1])))
        return out

    @cached_property
    def V(self) -> Table:
        """V^π, by elimination."""
        return eliminate(table(np.eye(len(self.r), dtype=int)) - self.gamma * self.P, self.r)

    def distance(self, k: int) -> F:
        """‖V_k − V^π‖."""
        return F(rl.sup_norm(self.path[k] - self.V))

    @cached_property
    def eps(self) -> list[F]:
        """ε_k = ‖(P − P̂_k)V_k‖."""
        return [F(rl.sup_norm((self.P - M) @ V)) for M, V in zip(self.models, self.path[:-1], strict=True)]

    def bound(self, shift: int = 0) -> F:
        """γ^K‖V_0 − V^π‖ + Σ γ^{K−k+shift} ε_k."""
        K, g = len(self.models), self.gamma
        return g**K * self.distance(0) + sum((g ** (K - k + shift) * e for k, e in enumerate(self.eps)), F(0))


def iteration(read: Reader) -> Iteration:
    """Up to four sweeps; models are near the truth, or one near-tight model throughout."""
    n, K, gamma = 2 + read.below(2), 1 + read.below(4), read.pick(GAMMAS)
    if read.below(3) == 0:
        x = mixing(F(1 + read.below(7), 16), gamma)
        V0 = x.V + table([0, 0]) + F(read.below(3), 8)
        return Iteration(x.P, (x.P_hat,) * K, x.r, gamma, V0)
    P = table([read.weights(n) for _ in range(n)])
    models = tuple((P + table([read.weights(n) for _ in range(n)])) / 2 for _ in range(K))
    return Iteration(P, models, read.numbers(n), gamma, read.numbers(n))


def steady(K: int, eps: F = F(1, 10), gamma: F = F(9, 10)) -> Iteration:
    """One model throughout, V_0 = V^π."""
    x = mixing(eps, gamma)
    return Iteration(x.P, (x.P_hat,) * K, x.r, gamma, x.V)


itervaml_propagation: Claim[Iteration] = Claim(
    statement="‖V_K − V^π‖ ≤ γ^K‖V_0 − V^π‖ + Σ_{k<K} γ^{K−k} ε_k, ε_k = ‖(P − P̂_k)V_k‖",
    source=PAPER.at("standard (iterative value-aware model learning)"),
    let=decoded(iteration),
    assume=[],
    then=Leq(lhs=lambda x: x.distance(len(x.models)), rhs=lambda x: x.bound()),
    tight=Tight([steady(1), steady(4), steady(3, F(1, 4), HALF)], within=0),
    mutants=[
        Mutant("γ^{K−k+1}", rhs=lambda x: x.bound(1)),
        Mutant("no start", rhs=lambda x: x.bound() - x.gamma ** len(x.models) * x.distance(0)),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
