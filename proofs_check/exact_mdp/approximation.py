"""Block E, second part: what approximate values cost the policy that is greedy for them.

Definitions.  The loss of π is ‖v* − v^π‖; π is greedy for v when T_π v = T v; B v = T v − v.  Ties go to the
lowest action, which is part of every tight case.  Iterations with errors: `approximate_iteration`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

import rltheory as rl
from rltheory import gallery
from rltheory.arrays import StateAction, StateVec, span, sup_norm
from rltheory.checks import CERTIFIED, Claim, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.kernels.exact import inverse

from .lets import PAPER, exact

GAMMA = Fraction(9, 10)
SIZES = (1 / 64, 1 / 4, 1.0, 4.0)
"""Sizes ε of the errors drawn."""


# ---- one greedy step ---------------------------------------------------------------------
@dataclass(frozen=True)
class Guess:
    """Let v = v* + e be a guess at v*, and pi greedy for v."""

    M: rl.MDP
    e: StateVec

    @cached_property
    def star(self) -> StateVec:
        """v*."""
        return rl.solve(self.M).V

    @cached_property
    def v(self) -> StateVec:
        """v* + e."""
        return self.star + self.e

    @cached_property
    def pi(self) -> rl.Policy:
        """Greedy for v."""
        return rl.greedy(self.M, self.v)

    @cached_property
    def lost(self) -> StateVec:
        """v* − v^π."""
        return self.star - rl.evaluate(self.M, self.pi).V

    @cached_property
    def loss(self) -> Any:
        """‖v* − v^π‖."""
        return sup_norm(self.lost)

    @cached_property
    def Bv(self) -> StateVec:
        """T v − v."""
        return rl.bellman(self.M)(self.v) - self.v

    def horizon(self, size: Any) -> Any:
        """γ·size/(1−γ)."""
        return self.M.gamma * size / (1 - self.M.gamma)


def two_ways(stay: float, reward: float, gamma: float) -> rl.MDP:
    """State 0 stays (action 0) for `stay` or moves to the absorbing state 1 for 0, which pays `reward`."""
    return rl.MDP([[[1, 0], [0, 1]], [[0, 1], [0, 1]]], [[stay, 0], [reward, reward]], gamma)


@st.composite
def traps(draw: st.DrawFn) -> rl.MDP:
    """Random `two_ways`: staying looks as good as leaving, but is not."""
    number = ck.dyadics(-2, 0)
    return two_ways(draw(number), draw(number), draw(ck.discounts(positive=True)))


def models() -> st.SearchStrategy[rl.MDP]:
    """Small random models, half of them traps."""
    return st.one_of(ck.mdps(S=st.integers(2, 4), A=st.integers(2, 3)), traps())


@st.composite
def vertex(draw: st.DrawFn, /, S: int, sizes: Sequence[float] = SIZES) -> NDArray[Any]:
    """(S,) errors ±ε (now and then 0): a vertex of the cube, where errors hurt most."""
    eps = draw(st.sampled_from(sizes))
    signs = st.sampled_from([-1.0, 1.0, -1.0, 1.0, 0.0])
    return eps * np.array(draw(st.lists(signs, min_size=S, max_size=S)))


@st.composite
def guesses(draw: st.DrawFn, /, *, sizes: Sequence[float] = SIZES) -> Guess:
    """Random models with errors at the vertices of a cube."""
    M = draw(models())
    return Guess(M, draw(vertex(M.S, sizes)))


def singh_yee(gamma: Fraction = GAMMA, eps: Fraction = Fraction(1)) -> Guess:
    """v* = 0, v = (ε, −ε): staying ties and is taken."""
    return Guess(gallery.singh_yee(gamma, eps), gallery.singh_yee_values(gamma, eps))


greedy_loss: Claim[Guess] = Claim(
    statement="π greedy for v ⇒ ‖v* − v^π‖ ≤ γ·sp(v − v*)/(1−γ) ≤ 2γ‖v − v*‖/(1−γ)",
    source=PAPER.at("Singh, Yee 1994; Bertsekas, Tsitsiklis 1996, Proposition 6.1; span form derived"),
    let=guesses(),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.loss, x.loss],
        rhs=lambda x: [x.horizon(span(x.e)), x.horizon(2 * sup_norm(x.e))],
    ),
    tight=Tight([singh_yee(), singh_yee(Fraction(1, 2), Fraction(1, 3))], within=0),
    mutants=[
        Mutant("γε/(1−γ)", then=Leq(lambda x: x.loss, lambda x: x.horizon(sup_norm(x.e))), named_only=True),
        Mutant("2γε, no horizon", then=Leq(lambda x: x.loss, lambda x: 2 * x.M.gamma * sup_norm(x.e))),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class GuessQ:
    """Let Q = Q* + E be a guess at Q*, and pi greedy for Q: the first maximiser of Q(s, ·)."""

    M: rl.MDP
    E: StateAction

    @cached_property
    def loss(self) -> Any:
        """‖v* − v^π‖."""
        star = rl.solve(self.M).V
        Q = rl.q_values(self.M, star) + self.E
        return sup_norm(star - rl.evaluate(self.M, np.array([int(np.argmax(row)) for row in Q])).V)

    @cached_property
    def eps(self) -> Any:
        """‖Q − Q*‖."""
        return sup_norm(self.E)


@st.composite
def guesses_q(draw: st.DrawFn) -> GuessQ:
    """Random models with errors of Q at the vertices of a cube."""
    M = draw(models())
    return GuessQ(M, draw(vertex(M.S * M.A)).reshape(M.S, M.A))


def singh_yee_q(gamma: Fraction = GAMMA, eps: Fraction = Fraction(1)) -> GuessQ:
    """Staying pays −2ε; Q(0, ·) = −ε for both actions, so staying ties and is taken."""
    M = rl.MDP([[[1, 0], [0, 1]], [[0, 1], [0, 1]]], exact([-2 * eps, 0], [0, 0]), gamma)
    return GuessQ(M, exact([eps, -eps], [0, 0]))


greedy_loss_q: Claim[GuessQ] = Claim(
    statement="π greedy for Q ⇒ ‖v* − v^π‖ ≤ 2‖Q − Q*‖/(1−γ)",
    source=PAPER.at("Singh, Yee 1994, form for action values"),
    let=guesses_q(),
    assume=[],
    then=Leq(lhs=lambda x: x.loss, rhs=lambda x: 2 * x.eps / (1 - x.M.gamma)),
    tight=Tight([singh_yee_q(), singh_yee_q(Fraction(1, 2), Fraction(1, 3))], within=0),
    mutants=[
        Mutant("2γε/(1−γ), as for v", rhs=lambda x: 2 * x.M.gamma * x.eps / (1 - x.M.gamma), named_only=True),
        Mutant("ε/(1−γ)", rhs=lambda x: x.eps / (1 - x.M.gamma), named_only=True),
        Mutant("2ε, no horizon", rhs=lambda x: 2 * x.eps),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Residual(Guess):
    """Let also rho and mu be laws, mu positive."""

    rho: StateVec
    mu: StateVec

    @cached_property
    def best(self) -> rl.Policy:
        """An optimal policy."""
        return rl.solve(self.M).pi

    def resolvent(self, pi: rl.Policy) -> Any:
        """(I − γP_π)^{-1}."""
        P = rl.transition_matrix(self.M, pi)
        if self.M.is_exact:
            return inverse(rl.exact_array(np.eye(self.M.S, dtype=np.int64)) - self.M.gamma * P)
        return np.linalg.inv(np.eye(self.M.S) - self.M.gamma * P)

    def munos(self, second: int = 1) -> StateVec:
        """[(I−γP_{π*})^{-1} − (I−γP_π)^{-1}] B v."""
        out: StateVec = (self.resolvent(self.best) - second * self.resolvent(self.pi)).dot(self.Bv)
        return out

    @cached_property
    def concentration(self) -> Any:
        """C = max over π*, π of ‖d_ρ/μ‖, d normalised."""
        return max((rl.occupancy(self.M, p, self.rho) / self.mu).max() for p in (self.best, self.pi))

    @cached_property
    def mean_loss(self) -> Any:
        """ρ·(v* − v^π)."""
        return (self.rho * self.lost).sum()

    @cached_property
    def mean_residual(self) -> Any:
        """C·Σ μ|Bv|."""
        return self.concentration * (self.mu * abs(self.Bv)).sum()


@st.composite
def residuals(draw: st.DrawFn, /, *, sizes: Sequence[float] = SIZES) -> Residual:
    """Random guesses with a start law and a positive law."""
    x = draw(guesses(sizes=sizes))
    return Residual(x.M, x.e, draw(ck.laws(x.M.S)), draw(ck.laws(x.M.S, positive=True)))


def williams_baird(gamma: Fraction = GAMMA, eps: Fraction = Fraction(1)) -> Residual:
    """B v = (−ε, ε), and the actions of state 0 tie; v* = 0."""
    M, v = gallery.williams_baird(gamma, eps), gallery.williams_baird_values(gamma, eps)
    return Residual(M, v, exact([1, 0]), rl.uniform(2, exact=True))


def fork(gamma: Fraction = GAMMA, eps: Fraction = Fraction(1)) -> Residual:
    """State 0 goes to 1 (pays 0 for ever) or to 2 (pays 2ε for ever); v makes them tie with B v = (0, −ε, ε).

    The two policies meet only in state 0, where B v = 0, so nothing is lost in the weighted bound.
    """
    rows = [[[0, 1, 0], [0, 0, 1]], [[0, 1, 0]] * 2, [[0, 0, 1]] * 2]
    M = rl.MDP(rows, exact([0, 0], [0, 0], [2 * eps, 2 * eps]), gamma)
    level = eps / (1 - gamma)
    star = 2 * level
    mu = exact([(1 - gamma) / (1 + gamma), gamma / (1 + gamma), gamma / (1 + gamma)])
    return Residual(M, exact([gamma * (level - star), level, level - star]), exact([1, 0, 0]), mu)


residual_greedy_loss: Claim[Residual] = Claim(
    statement="π greedy for v ⇒ ‖v* − v^π‖ ≤ γ·sp(B v)/(1−γ) ≤ 2γ‖B v‖/(1−γ)",
    source=PAPER.at("Williams, Baird 1993"),
    let=residuals(),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.loss, x.loss],
        rhs=lambda x: [x.horizon(span(x.Bv)), x.horizon(2 * sup_norm(x.Bv))],
    ),
    tight=Tight([williams_baird(), williams_baird(Fraction(1, 2), Fraction(1, 3))], within=0),
    mutants=[
        Mutant("γ‖Bv‖/(1−γ)", lhs=lambda x: [x.loss, 2 * x.loss], named_only=True),
        Mutant("½γ·sp(Bv)/(1−γ)", then=Leq(lambda x: x.loss, lambda x: x.horizon(span(x.Bv) / 2))),
        Mutant("2γ‖Bv‖, no horizon", then=Leq(lambda x: x.loss, lambda x: 2 * x.M.gamma * sup_norm(x.Bv))),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

residual_loss_pointwise: Claim[Residual] = Claim(
    statement="π greedy for v ⇒ v* − v^π ≤ [(I−γP_{π*})^{-1} − (I−γP_π)^{-1}] B v in every state",
    source=PAPER.at("Munos 2003, pointwise form for the greedy policy"),
    # rationals from the start, and large errors: where π = π* both sides are 0 and say nothing
    let=residuals(sizes=(1.0, 4.0, 16.0)).map(ck.lift_fields),
    assume=[],
    then=Leq(lhs=lambda x: x.lost, rhs=lambda x: x.munos()),
    tight=Tight([williams_baird(), fork()], within=0),
    mutants=[Mutant("without the second inverse", rhs=lambda x: x.munos(second=0))],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

residual_loss_pointwise_weighted: Claim[Residual] = Claim(
    statement="ρ·(v* − v^π) ≤ C·Σ μ|B v|/(1−γ), C = max of ‖d_ρ/μ‖ over π* and π: half of the usual 2C/(1−γ)",
    source=PAPER.at("after Munos 2003; |d* − d^π| ≤ max(d*, d^π) ≤ Cμ saves the factor 2"),
    let=residuals(),
    assume=[],
    then=Leq(lhs=lambda x: x.mean_loss, rhs=lambda x: x.mean_residual / (1 - x.M.gamma)),
    tight=Tight([fork(), fork(Fraction(1, 2), Fraction(1, 3))], within=0),
    mutants=[
        Mutant("half of it", rhs=lambda x: x.mean_residual / (2 * (1 - x.M.gamma)), named_only=True),
        Mutant("no horizon", rhs=lambda x: x.mean_residual),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
