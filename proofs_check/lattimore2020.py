"""Lattimore, Szepesvári: Bandit Algorithms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from rltheory.checks import SUPPORTED, Assumption, Claim, Mutant, Paper, Rate, Tight, run_module

PAPER = Paper(
    key="lattimore2020",
    authors="Lattimore, Szepesvári",
    title="Bandit Algorithms",
    year=2020,
    where="Cambridge University Press",
)


@dataclass(frozen=True)
class GaussianBandit:
    """Let two arms have unit-variance Gaussian rewards and gap Δ = c·T^(−β)."""

    c: float
    beta: float

    def regret(self, T: float, m: float) -> float:
        """Exact regret of explore-then-commit, m pulls an arm: mΔ + (T − 2m)Δ·Φ(−Δ√(m/2))."""
        gap = float(self.c * T**-self.beta)
        wrong = 0.5 * math.erfc(gap * math.sqrt(m / 2) / math.sqrt(2))
        return m * gap + (T - 2 * m) * gap * wrong


def powers(base: float, first: int, last: int) -> Sequence[float]:
    """base^first, …, base^last."""
    return [base**k for k in range(first, last + 1)]


etc_regret: Claim[GaussianBandit] = Claim(
    statement="explore-then-commit, m = T^(2/3) pulls an arm: R_T ≤ 1.01 T^(2/3) for T ≥ 2¹⁰, gap ≤ 1",
    source=PAPER.at("ch. 6"),
    let=st.builds(GaussianBandit, c=st.floats(0.25, 1), beta=st.floats(0, 0.5)),
    assume=[
        Assumption("gap ≤ 1", lambda x: x.c <= 1, fails_without=GaussianBandit(c=2, beta=0)),
        Assumption("0 ≤ β ≤ 1/2", lambda x: 0 <= x.beta <= 0.5, fails_without=GaussianBandit(c=1, beta=-0.5)),
    ],
    then=Rate(
        lhs=lambda x, T: x.regret(T, m=T ** (2 / 3)),
        rhs=lambda T: 1.01 * T ** (2 / 3),
        over=powers(2, 10, 40),
        resolution=0.01,
    ),
    tight=Tight(GaussianBandit(c=1, beta=0), within=0.02),
    mutants=[
        Mutant("the minimax rate √T", rhs=lambda T: 1.01 * T**0.5),
        Mutant("explore only √T rounds", lhs=lambda x, T: x.regret(T, m=T**0.5)),
    ],
    expect=SUPPORTED,  # a closed form, but in floats: no certify, so never more
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
