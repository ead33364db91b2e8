"""Block I: variance of the return, and what sampling costs.

Definitions: G = Σ γ^t r_t under π; σ²(s) the one-step variance of r + γ v^π(s'); Var_P(v)(s) the variance
of v(s') for s' ~ P(·|s).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Loose, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.kernels import ball
from rltheory.kernels.exact import inverse, solve_linear
from rltheory.solvers.off_policy import trajectories
from rltheory.solvers.variance import horizon_variance, return_variance

from .lets import PAPER, Policies, constant, exact, policies


def eye(x: Policies) -> Any:
    """Identity in the number system of the model."""
    return rl.exact_array(np.eye(x.M.S, dtype=np.int64)) if x.M.is_exact else np.eye(x.M.S)


def solve(x: Policies, A: Any, b: Any) -> Any:
    """A⁻¹b in the number system of the model."""
    return solve_linear(A, b) if x.M.is_exact else np.linalg.solve(A, b)


def by_second_moment(x: Policies, power: int = 2) -> Any:
    """E[G²] − (E G)² with E[G²] = Σ_a π [r² + 2γ r Pv + γ^power P E[G²]]: no variance equation used."""
    M, pi = x.M, x.pi.matrix(x.M.A, exact=x.M.is_exact)
    P = rl.transition_matrix(M, x.pi)
    known = (pi * (M.R**2 + 2 * M.gamma * M.R * (M.P @ x.V))).sum(axis=1)
    return solve(x, eye(x) - M.gamma**power * P, known) - x.V**2


def deterministic(M: rl.MDP) -> Policies:
    """The only policy of a one-action model."""
    only = rl.Policy(np.zeros(M.S, dtype=np.int64), 1)
    return Policies(M, only, only)


TWO_STATE = rl.gallery.two_state_chain(gamma=Fraction(9, 10))

sobel: Claim[Policies] = Claim(
    statement="Var(G) = (I − γ²P_π)⁻¹ σ², σ²(s) = Var_{a,s'}[r(s,a) + γ v^π(s')]",
    source=PAPER.at("Sobel 1982, Theorem 1"),
    let=policies(),
    assume=[],
    then=Eq(lhs=lambda x: return_variance(x.M, x.pi).variance, rhs=by_second_moment),
    tight=Tight(deterministic(TWO_STATE), within=0),
    mutants=[
        Mutant(
            "γ for γ²",
            rhs=lambda x: solve(
                x,
                eye(x) - x.M.gamma * rl.transition_matrix(x.M, x.pi),
                return_variance(x.M, x.pi).one_step,
            ),
        ),
        Mutant("second moment discounted by γ", rhs=lambda x: by_second_moment(x, power=1)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@st.composite
def slow(draw: st.DrawFn, /, **kind: Any) -> Policies:
    """Random policies on models that mix slowly: rows moved towards staying put by a power of two."""
    x = draw(policies(**kind))
    lazy = 2.0 ** -draw(st.integers(0, 8))
    P = lazy * x.M.P + (1 - lazy) * np.eye(x.M.S)[:, None, :]
    return Policies(rl.MDP(P, x.M.R, x.M.gamma), x.pi, x.pi2)


def coin(gamma: Any, *, in_action: bool) -> Policies:
    """A fair coin between an absorbing state paying 0 and one paying 1 for ever.

    `in_action`: the policy flips it, and the first reward is already 0 or 1; else the transition does.
    """
    zero, one, half = Fraction(0), Fraction(1), Fraction(1, 2)
    if in_action:
        P = [[[zero, one, zero], [zero, zero, one]], [[zero, one, zero]] * 2, [[zero, zero, one]] * 2]
        M = rl.MDP(P, [[zero, one], [zero, zero], [one, one]], gamma)
        fair = rl.Policy([[half, half]] * 3)
        return Policies(M, fair, fair)
    P = [[[zero, half, half]], [[zero, one, zero]], [[zero, zero, one]]]
    return deterministic(rl.MDP(P, [[zero], [zero], [one]], gamma))


def flip_first(x: Policies) -> Policies:
    """The coin in the policy, at the model's discount."""
    return coin(Fraction(x.M.gamma), in_action=True)


popoviciu: Claim[Policies] = Claim(
    statement="R ∈ [0,1] ⇒ Var(G) ≤ 1/(4(1−γ)²)",
    source=PAPER.at("Popoviciu 1935, applied to 0 ≤ G ≤ 1/(1−γ)"),
    let=slow(),
    assume=[],
    then=Leq(
        lhs=lambda x: return_variance(x.M, x.pi).variance,
        rhs=lambda x: constant(x.M, 1 / (4 * (1 - x.M.gamma) ** 2)),
    ),
    tight=Tight(coin(Fraction(9, 10), in_action=True), within=0),
    mutants=[
        Mutant("1/(4(1−γ²))", rhs=lambda x: constant(x.M, 1 / (4 * (1 - x.M.gamma**2)))),
        Mutant("1/(4(1−γ))", rhs=lambda x: constant(x.M, 1 / (4 * (1 - x.M.gamma)))),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

popoviciu_deterministic: Claim[Policies] = Claim(
    statement="π deterministic, R(s,a) ∈ [0,1] ⇒ Var(G) ≤ γ²/(4(1−γ)²)",
    source=PAPER.at("Popoviciu 1935; the first reward is certain"),
    let=slow(deterministic=True),
    assume=[],
    then=Leq(
        lhs=lambda x: return_variance(x.M, x.pi).variance,
        rhs=lambda x: constant(x.M, x.M.gamma**2 / (4 * (1 - x.M.gamma) ** 2)),
    ),
    tight=Tight(coin(Fraction(9, 10), in_action=False), within=0),
    mutants=[
        Mutant("for stochastic policies too", let=policies().map(flip_first), named_only=True),
        Mutant("γ²/(4(1−γ))", rhs=lambda x: constant(x.M, x.M.gamma**2 / (4 * (1 - x.M.gamma)))),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Chain:
    """Let M have one action, reward in [0,1] and γ > 0."""

    M: rl.MDP

    @cached_property
    def lhs(self) -> Any:
        """‖(I−γP)⁻¹ √Var_P(v)‖: a ball over rationals, a float over doubles."""
        M = self.M
        P = M.P[:, 0, :]
        x = deterministic(M)
        v = x.V
        var = P @ v**2 - (P @ v) ** 2
        if not M.is_exact:
            return np.abs(np.linalg.solve(np.eye(M.S) - M.gamma * P, np.sqrt(np.maximum(var, 0)))).max()
        resolvent = inverse(eye(x) - M.gamma * P)
        return ball.sup_norm([ball.dot(row, ball.sqrt(var)) for row in resolvent])

    def scale(self, c: Fraction) -> Any:
        """c (1−γ)^{−3/2}."""
        return self.root((c if self.M.is_exact else float(c)) ** 2 / (1 - self.M.gamma) ** 3)

    def root(self, x: Any) -> Any:
        """√x as a ball or a float."""
        return ball.sqrt([x])[0] if self.M.is_exact else float(np.sqrt(x))


def leaky(gamma: Any, out: Any, back: Any) -> Chain:
    """Two states of reward 0 and 1, left with probabilities `out` and `back`."""
    return Chain(rl.MDP([[[1 - out, out]], [[back, 1 - back]]], exact([0], [1]), gamma))


NEAR_ONE = Fraction(9999, 10000)
BEST_TWO_STATE = leaky(NEAR_ONE, Fraction(535, 1000) * (1 - NEAR_ONE), Fraction(219, 1000) * (1 - NEAR_ONE))


def chains() -> st.SearchStrategy[Chain]:
    """Random chains, slowly mixing ones included."""
    return slow(A=1).map(lambda x: Chain(x.M))


variance_sum: Claim[Chain] = Claim(
    statement="π deterministic ⇒ ‖(I−γP)⁻¹√Var_P(v^π)‖ ≤ (1/(2γ))√((1+γ)/(1−γ)³)",
    source=PAPER.at("Azar, Munos, Kappen 2013, Lemma 7, with the constant sharpened"),
    let=chains(),
    assume=[],
    then=Leq(
        lhs=lambda x: x.lhs,
        rhs=lambda x: x.root((1 + x.M.gamma) / (1 - x.M.gamma) ** 3 / (4 * x.M.gamma**2)),
    ),
    tight=Loose(0.5, "best known 0.4273/0.7071 of the bound, with seven states"),
    named={"two states, leaving with 0.535(1−γ) and 0.219(1−γ)": BEST_TWO_STATE},
    mutants=[
        Mutant("0.37 (1−γ)^(−3/2)", rhs=lambda x: x.scale(Fraction(37, 100)), named_only=True),
        Mutant("0.3 (1−γ)^(−3/2)", rhs=lambda x: x.scale(Fraction(3, 10))),
        Mutant("1/(1−γ)", rhs=lambda x: 1 / (1 - x.M.gamma)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Horizon:
    """Let pi be followed for H steps from every state."""

    M: rl.FiniteHorizonMDP
    pi: rl.Policy

    @cached_property
    def enumerated(self) -> Any:
        """Var(Σ r_h) per start state, over all trajectories."""
        out = []
        for s in range(self.M.S):
            paths = [(x.prob, sum(x.rewards)) for x in trajectories(self.M, self.pi, start=s)]
            mean = sum(p * g for p, g in paths)
            out.append(sum(p * (g - mean) ** 2 for p, g in paths))
        return np.array(out)

    @cached_property
    def summed(self) -> Any:
        """Σ_h E[Var_{s'~P}(V_{h+1}(s'))], each step's law and value from the definition."""
        P = np.array([self.M.P[h][np.arange(self.M.S), self.pi.actions] for h in range(self.M.H)])
        r = np.array([self.M.R[h][np.arange(self.M.S), self.pi.actions] for h in range(self.M.H)])
        V = [0 * r[0]]
        for h in reversed(range(self.M.H)):
            V.insert(0, r[h] + P[h] @ V[0])
        total, law = 0 * r[0], None
        for h in range(self.M.H):
            step = P[h] @ V[h + 1] ** 2 - (P[h] @ V[h + 1]) ** 2
            total = total + (step if law is None else law @ step)
            law = P[h] if law is None else law @ P[h]
        return total


@st.composite
def horizons(draw: st.DrawFn, deterministic: bool = True) -> Horizon:
    """Random short horizons; in half of them only state 0 moves."""
    M = draw(ck.mdps(S=st.integers(2, 3), A=st.integers(1, 2)))
    if draw(st.booleans()):
        P = np.tile(np.eye(M.S)[:, None, :], (1, M.A, 1))
        P[0] = M.P[0]
        M = rl.MDP(P, M.R, M.gamma)
    pi = draw(ck.policies(M.S, M.A, deterministic=deterministic))
    return Horizon(rl.FiniteHorizonMDP.from_mdp(M, draw(st.integers(2, 4))), pi)


def coin_horizon(H: int, *, in_action: bool) -> Horizon:
    """The coin of `coin` over H steps."""
    x = coin(Fraction(1, 2), in_action=in_action)
    return Horizon(rl.FiniteHorizonMDP.from_mdp(x.M, H), x.pi)


finite_horizon_variance: Claim[Horizon] = Claim(
    statement="π deterministic: Σ_{h<H} E[Var_P V_{h+1}] = Var(Σ_h r_h)",
    source=PAPER.at("law of total variance"),
    let=horizons(),
    assume=[],
    then=Eq(
        lhs=lambda x: np.concatenate([x.summed, horizon_variance(x.M, x.pi).variance[0]]),
        rhs=lambda x: np.tile(x.enumerated, 2),
    ),
    tight=Tight(coin_horizon(3, in_action=False), within=0),
    mutants=[
        Mutant("without the last step", lhs=lambda x: np.tile(shorter(x), 2)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def shorter(x: Horizon) -> Any:
    """The same sum over one step fewer."""
    return Horizon(rl.FiniteHorizonMDP.from_mdp(x.M.stage(0), x.M.H - 1), x.pi).summed


finite_horizon_variance_bound: Claim[Horizon] = Claim(
    statement="π deterministic, R ∈ [0,1] ⇒ Var(Σ_h r_h) ≤ (H−1)²/4",
    source=PAPER.at("Popoviciu 1935; the first reward is certain"),
    let=horizons(),
    assume=[],
    then=Leq(lhs=lambda x: x.enumerated, rhs=lambda x: Fraction((x.M.H - 1) ** 2, 4)),
    tight=Tight([coin_horizon(2, in_action=False), coin_horizon(4, in_action=False)], within=0),
    mutants=[
        Mutant("(H−1)/4", rhs=lambda x: Fraction(x.M.H - 1, 4)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

finite_horizon_variance_stochastic: Claim[Horizon] = Claim(
    statement="π stochastic, R ∈ [0,1] ⇒ Var(Σ_h r_h) ≤ H²/4",
    source=PAPER.at("Popoviciu 1935"),
    let=horizons(deterministic=False),
    assume=[],
    then=Leq(lhs=lambda x: x.enumerated, rhs=lambda x: Fraction(x.M.H**2, 4)),
    tight=Tight([coin_horizon(2, in_action=True), coin_horizon(4, in_action=True)], within=0),
    mutants=[
        Mutant("(H−1)²/4", rhs=lambda x: Fraction((x.M.H - 1) ** 2, 4), named_only=True),
        Mutant("(H−1)/4", rhs=lambda x: Fraction(x.M.H - 1, 4)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
