"""Block H: the gradient of the softmax policy, and how far it goes.

Definitions: π_θ ∝ e^θ per state, d^π_ρ the normalised occupancy, A^π = q^π − v^π, n states, m actions.
At a rational policy every side is rational (θ = log π enters through derivatives only).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import StateVec
from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck

from .lets import PAPER, exact
from .soft_lets import mostly_first

GAMMA = Fraction(9, 10)


@dataclass(frozen=True)
class Gradient:
    """Let pi be a positive policy, π = softmax(θ); rho and mu are laws, mu positive."""

    M: rl.MDP
    pi: rl.Policy
    rho: StateVec
    mu: StateVec

    @cached_property
    def rows(self) -> Any:
        """(S, A) π(a|s)."""
        return self.pi.matrix(self.M.A, exact=self.M.is_exact)

    @cached_property
    def V(self) -> StateVec:
        """v^π."""
        return rl.evaluate(self.M, self.pi).V

    @cached_property
    def Adv(self) -> Any:
        """(S, A) A^π."""
        return rl.advantage(self.M, self.pi)

    @cached_property
    def horizon(self) -> Any:
        """1/(1−γ)."""
        return 1 / (1 - self.M.gamma)

    @cached_property
    def best(self) -> rl.Solution:
        """v* and an optimal policy."""
        return rl.solve(self.M)

    @cached_property
    def gap(self) -> Any:
        """v*(ρ) − v^π(ρ)."""
        return (self.rho * (self.best.V - self.V)).sum()

    @cached_property
    def d(self) -> StateVec:
        """d^π_μ."""
        return rl.occupancy(self.M, self.pi, self.mu)

    @cached_property
    def d_star(self) -> StateVec:
        """d*_ρ of an optimal policy."""
        return rl.occupancy(self.M, self.best.pi, self.rho)

    def formula(self, law: StateVec, weight: Any = None) -> Any:
        """(S, A) d^π(s)π(a|s)A(s,a)/(1−γ), d^π from a start law; with another weight for A if given."""
        d = rl.occupancy(self.M, self.pi, law)
        return d[:, None] * self.rows * (self.Adv if weight is None else weight) * self.horizon

    @cached_property
    def mismatch(self) -> Any:
        """‖d*_ρ/d^π_μ‖_∞."""
        return (self.d_star / self.d).max()

    @cached_property
    def G(self) -> Any:
        """Σ_s d^π_μ(s) max_a A(s,a)/(1−γ)."""
        return (self.d * self.Adv.max(axis=1)).sum() * self.horizon

    @cached_property
    def least(self) -> Any:
        """min_s π(a*(s)|s)."""
        return self.rows[np.arange(self.M.S), self.best.pi.actions].min()

    @cached_property
    def squared(self) -> Any:
        """‖∇_θ v^π(μ)‖₂²."""
        return (self.formula(self.mu) ** 2).sum()

    def tilted(self, s: int, a: int, u: int) -> Any:
        """v(ρ) after θ(s,a) grows by log u: π(a|s) is multiplied by u, the row renormalised."""
        rows = self.rows.copy()
        rows[s, a] = rows[s, a] * u
        rows[s] = rows[s] / rows[s].sum()
        return (self.rho * rl.evaluate(self.M, rl.Policy(rows)).V).sum()


def by_values(x: Gradient) -> Any:
    """∂v(ρ)/∂θ(s,a) from three values: v is a Möbius function of u = e^{Δθ(s,a)}.

    With Δ(x, y) = (f(x) − f(y))/(x − y), every f(u) = (a + bu)/(c + du) has f'(x) = Δ(x,y)Δ(x,z)/Δ(y,z).
    """
    out = 0 * x.rows
    here = (x.rho * x.V).sum()
    for s in range(x.M.S):
        for a in range(x.M.A):
            two, three = x.tilted(s, a, 2), x.tilted(s, a, 3)
            if three != two:
                out[s, a] = (two - here) * (three - here) / 2 / (three - two)
    return out


DIRAC = np.array([1.0, 0.0])


def drain(gamma: Fraction) -> Gradient:
    """State 0 pays 0 or 1 and moves to the absorbing state 1; start at 0, μ = (1−γ, γ)."""
    M = rl.MDP([[[0, 1]] * 2] * 2, exact([0, 1], [0, 0]), gamma)
    return Gradient(M, mostly_first(2, Fraction(1, 4)), exact([1, 0]), exact([1 - gamma, gamma]))


@st.composite
def gradients(draw: st.DrawFn, most: int = 4) -> Gradient:
    """Random models of at least two actions, positive policies, laws; one in four ends after a step."""
    M = draw(ck.mdps(S=st.integers(1, most), A=st.integers(2, 3)))
    if draw(st.integers(0, 3)) == 3:
        mu = draw(ck.laws(2, positive=True))
        return Gradient(
            drain(Fraction(M.gamma)).M.float(), mostly_first(2, Fraction(1, 4)).float(), DIRAC, mu
        )
    pi = draw(ck.policies(M.S, M.A, positive=True))
    return Gradient(M, pi, draw(ck.laws(M.S)), draw(ck.laws(M.S, positive=True)))


def loops(n: int, m: int) -> Gradient:
    """n states that stay, arm 0 pays 1, the others 0; π, ρ and μ are uniform."""
    P = np.zeros((n, m, n), dtype=np.int64)
    P[np.arange(n), :, np.arange(n)] = 1
    R = np.zeros((n, m), dtype=np.int64)
    R[:, 0] = 1
    M = rl.MDP(rl.exact_array(P), rl.exact_array(R), GAMMA)
    law = rl.uniform(n, exact=True)
    return Gradient(M, rl.Policy(rl.exact_array([[Fraction(1, m)] * m] * n)), law, law)


pg_theorem: Claim[Gradient] = Claim(
    statement="∂v^π(ρ)/∂θ(s,a) = d^π_ρ(s) π(a|s) A^π(s,a)/(1−γ) for π = softmax(θ)",
    source=PAPER.at("Sutton et al. 2000, Theorem 1; softmax form: Agarwal et al. 2021"),
    let=gradients(3),
    assume=[],
    then=Eq(lhs=lambda x: by_values(x).ravel(), rhs=lambda x: x.formula(x.rho).ravel()),
    tight=Tight(loops(2, 3), within=0),
    mutants=[
        Mutant("without 1/(1−γ)", rhs=lambda x: x.formula(x.rho).ravel() / x.horizon),
        Mutant(
            "q for the advantage",
            rhs=lambda x: x.formula(x.rho, x.Adv + x.V[:, None]).ravel(),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


gradient_domination: Claim[Gradient] = Claim(
    statement="v*(ρ) − v^π(ρ) ≤ ‖d*_ρ/d^π_μ‖_∞ G ≤ ‖d*_ρ/μ‖_∞ G/(1−γ), G = Σ_s d^π_μ(s) max_a A^π(s,a)/(1−γ)",
    source=PAPER.at("Agarwal et al. 2021, Lemma 4"),
    let=gradients(),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.gap, x.mismatch * x.G],
        rhs=lambda x: [x.mismatch * x.G, x.horizon * (x.d_star / x.mu).max() * x.G],
    ),
    tight=Tight([loops(2, 3), drain(GAMMA)], within=0),
    mutants=[
        Mutant(
            "G without its 1/(1−γ)",
            then=Leq(lambda x: x.gap, lambda x: x.mismatch * x.G / x.horizon),
        ),
        Mutant(
            "‖d*_ρ/μ‖_∞ G without 1/(1−γ)",
            then=Leq(lambda x: x.gap, lambda x: (x.d_star / x.mu).max() * x.G),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def lojasiewicz_side(x: Gradient, *, states: bool = True, least: bool = True) -> Any:
    """n⁻¹ (min_s π(a*(s)|s) (v* − v^π)(ρ)/‖d*_ρ/d^π_μ‖_∞)², with its factors or without."""
    side = (x.gap / x.mismatch * (x.least if least else 1)) ** 2
    return side / x.M.S if states else side


lojasiewicz: Claim[Gradient] = Claim(
    statement="‖∇_θ v^π(μ)‖₂ ≥ n^{−1/2} ‖d*_ρ/d^π_μ‖_∞^{−1} min_s π(a*(s)|s) (v* − v^π)(ρ), squared",
    source=PAPER.at("Mei et al. 2020, Lemma 8"),
    let=gradients(),
    assume=[],
    then=Leq(lhs=lojasiewicz_side, rhs=lambda x: x.squared),
    tight=Tight(loops(3, 4), within=0.25),
    mutants=[
        Mutant("without min_s π(a*(s)|s)", lhs=lambda x: lojasiewicz_side(x, least=False)),
        Mutant("without n^{−1/2}", lhs=lambda x: lojasiewicz_side(x, states=False), named_only=True),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

lojasiewicz_sharp: Claim[Gradient] = Claim(
    statement="‖∇_θ v^π(μ)‖₂ ≥ √(m/(m−1)) n^{−1/2} "
    "‖d*_ρ/d^π_μ‖_∞^{−1} min_s π(a*(s)|s) (v* − v^π)(ρ), squared",
    source=PAPER.at("Mei et al. 2020, Lemma 8, sharpened by Σ_a π²A² ≥ m/(m−1)·(π(a*)A(a*))²"),
    let=gradients(),
    assume=[],
    then=Leq(
        lhs=lambda x: Fraction(x.M.A, x.M.A - 1) * lojasiewicz_side(x),
        rhs=lambda x: x.squared,
    ),
    tight=Tight([loops(3, 4), loops(1, 2), loops(5, 2)], within=0),
    mutants=[
        Mutant(
            "m for m/(m−1)",
            lhs=lambda x: x.M.A * lojasiewicz_side(x),
        ),
        Mutant(
            "without min_s π(a*(s)|s)",
            lhs=lambda x: Fraction(x.M.A, x.M.A - 1) * lojasiewicz_side(x, least=False),
        ),
        Mutant(
            "without n^{−1/2}",
            lhs=lambda x: Fraction(x.M.A, x.M.A - 1) * lojasiewicz_side(x, states=False),
            named_only=True,
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
