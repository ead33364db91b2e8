"""Clipped density ratios: Markov, second moment, transfer of means, and clipped concentrability itself.

w = d/μ (0/0 = 0, x/0 = ∞), w̌ = min{w, γ}, CC = E_d[w̌].
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property

from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, Tight, run_module
from rltheory.operators import ClippedRatio, clipped_ratio

from .setting import HALF, PAPER, Law, LawReader, concentrability, decoded


@dataclass(frozen=True)
class Clipped:
    """Let d and μ be laws, γ > 0 a level, Δ a function."""

    d: Law
    mu: Law
    gamma: F
    delta: tuple[F, ...]

    @cached_property
    def known(self) -> ClippedRatio:
        """CC and its relatives, by the library."""
        return clipped_ratio(list(self.d), list(self.mu), self.gamma)

    @property
    def cc(self) -> F:
        """CC."""
        return F(self.known.concentrability)

    @cached_property
    def by_hand(self) -> tuple[F, F, F, F]:
        """CC, E_μ[w̌²], Pr_d(w > γ), Pr_μ(w > γ) from their definitions."""
        pairs = list(zip(self.d, self.mu, strict=True))
        w = [F(0) if x == 0 else self.gamma if y == 0 else min(x / y, self.gamma) for x, y in pairs]
        over = [(x, y) for x, y in pairs if x > self.gamma * y]
        return (
            concentrability(self.d, self.mu, self.gamma),
            sum((y * c * c for (_, y), c in zip(pairs, w, strict=True)), F(0)),
            sum((x for x, _ in over), F(0)),
            sum((y for _, y in over), F(0)),
        )

    def mean(self, sign: int = 1) -> F:
        """E_d[±Δ]."""
        return sign * sum((x * v for x, v in zip(self.d, self.delta, strict=True)), F(0))

    def transferred(self, sign: int = 1) -> F:
        """E_μ[±Δ·w̌]."""
        return sign * sum(
            (min(x, self.gamma * y) * v for x, y, v in zip(self.d, self.mu, self.delta, strict=True)), F(0)
        )

    @property
    def clipped(self) -> F:
        """Pr_d(w > γ), by the library."""
        return F(self.known.clipped)

    @property
    def kept(self) -> F:
        """γμ(w > γ), by the library."""
        return self.gamma * F(self.known.clipped_mu)

    @cached_property
    def largest(self) -> F:
        """min{γ, ‖w‖_∞}."""
        pairs = zip(self.d, self.mu, strict=True)
        return max(F(0) if x == 0 else self.gamma if y == 0 else min(x / y, self.gamma) for x, y in pairs)

    @cached_property
    def limit(self) -> F:
        """1 + χ²(d‖μ); 10⁶ for ∞."""
        if any(x and not y for x, y in zip(self.d, self.mu, strict=True)):
            return F(10**6)
        chi2 = sum(((x - y) ** 2 / y for x, y in zip(self.d, self.mu, strict=True) if y), F(0))
        return 1 + chi2

    def at(self, gamma: F) -> Clipped:
        """The same laws at another level."""
        return Clipped(self.d, self.mu, gamma, self.delta)


LEVELS = (F(1, 4), HALF, F(1), F(2), F(4), F(16))


def clipped(read: LawReader) -> Clipped:
    """Random laws on 1 to 4 points; Δ in [−2, 1]."""
    n = 1 + read.below(4)
    d = read.law(n)
    mu = d if read.below(6) == 0 else read.law(n)
    delta = tuple((F(1), F(-2), F(0), HALF, F(-1))[read.below(5)] for _ in range(n))
    return Clipped(d, mu, LEVELS[read.below(6)], delta)


ONES = (F(1), F(1))
FAR = Clipped((F(1), F(0)), (F(0), F(1)), F(2), ONES)
ABOVE = Clipped((F(1), F(0)), (HALF, HALF), F(1), ONES)
TWO = Clipped((F(1), F(0)), (HALF, HALF), F(1), (F(2), F(2)))
DOWN = Clipped((F(1), F(0)), (HALF, HALF), F(1), (F(-2), F(-2)))
BELOW = Clipped((HALF, HALF), (F(1, 4), F(3, 4)), F(10), ONES)
PAGE = Clipped((HALF, F(3, 10), F(1, 5)), (F(1, 10), F(3, 5), F(3, 10)), F(2), (F(1),) * 3)

clip_markov: Claim[Clipped] = Claim(
    statement="Pr_d(d/μ > γ) ≤ CC(π, μ, γ)/γ",
    source=PAPER.at("Lemma F.4, with constant 1 for 2 (derived)"),
    let=decoded(clipped, 24),
    assume=[],
    then=Leq(lhs=lambda x: x.clipped, rhs=lambda x: x.by_hand[0] / x.gamma),
    tight=Tight([FAR, ABOVE], within=0),
    named={"the page's": PAGE},
    mutants=[Mutant("constant ½", rhs=lambda x: x.by_hand[0] / x.gamma / 2)],
    expect=CERTIFIED,
)

clip_l2: Claim[Clipped] = Claim(
    statement="E_μ[min{d/μ, γ}²] ≤ CC(π, μ, γ)",
    source=PAPER.at("Lemma F.5, with constant 1 for 2 (derived)"),
    let=decoded(clipped, 24),
    assume=[],
    then=Leq(lhs=lambda x: F(x.known.second_moment), rhs=lambda x: x.by_hand[0]),
    tight=Tight([BELOW], within=0),
    named={"the page's": PAGE},
    mutants=[Mutant("constant 0.9", rhs=lambda x: F(9, 10) * x.by_hand[0])],
    expect=CERTIFIED,
)

clip_transfer: Claim[Clipped] = Claim(
    statement="Δ ≤ 1: E_d[Δ] ≤ E_μ[Δ·min{d/μ, γ}] + Pr_d(d/μ > γ) − γμ(d/μ > γ)",
    source=PAPER.at("Lemma F.3, in a sharper form (derived)"),
    let=decoded(clipped, 24),
    assume=[Assumption("Δ ≤ 1", lambda x: max(x.delta) <= 1, fails_without=TWO)],
    then=Leq(lhs=lambda x: x.mean(), rhs=lambda x: x.transferred() + x.clipped - x.kept),
    tight=Tight([ABOVE, FAR], within=0),
    named={"Δ ≡ −2": DOWN},
    mutants=[
        Mutant("without Pr", rhs=lambda x: x.transferred() - x.kept),
        Mutant(
            "−Δ with factor 1",
            then=Leq(lambda x: x.mean(-1), lambda x: x.transferred(-1) + x.clipped - x.kept),
        ),
    ],
    expect=CERTIFIED,
)

clip_transfer_below: Claim[Clipped] = Claim(
    statement="|Δ| ≤ 2: E_d[−Δ] ≤ E_μ[−Δ·min{d/μ, γ}] + 2(Pr_d(d/μ > γ) − γμ(d/μ > γ))",
    source=PAPER.at("Lemma F.3, lower side (derived: Δ_h f ∈ [−2, 1])"),
    let=decoded(clipped, 24),
    assume=[],
    then=Leq(lhs=lambda x: x.mean(-1), rhs=lambda x: x.transferred(-1) + 2 * (x.clipped - x.kept)),
    tight=Tight(DOWN, within=0),
    mutants=[Mutant("factor 1", rhs=lambda x: x.transferred(-1) + x.clipped - x.kept)],
    expect=CERTIFIED,
)

cc_basic: Claim[Clipped] = Claim(
    statement="CC ≤ min(γ, ‖d/μ‖_∞) and CC ≤ 1 + χ²(d‖μ); CC is nondecreasing in γ",
    source=PAPER.at("Section 4; derived"),
    let=decoded(clipped, 24),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.cc, x.cc, x.at(x.gamma / 2).cc],
        rhs=lambda x: [x.largest, x.limit, x.cc],
    ),
    tight=Tight([FAR, BELOW], within=0),
    named={"the page's": PAGE},
    mutants=[
        Mutant("CC ≤ √γ", then=Leq(lambda x: x.cc**2, lambda x: x.gamma)),
        Mutant("CC ≤ χ²", then=Leq(lambda x: x.cc, lambda x: x.limit - 1)),
    ],
    expect=CERTIFIED,
)

cc_basic_limit: Claim[Clipped] = Claim(
    statement="CC(γ) = E_d[d/μ] = 1 + χ²(d‖μ) once γ ≥ ‖d/μ‖_∞; CC, E_μ[w̌²], Pr_d and Pr_μ(w > γ) at any γ",
    source=PAPER.at("Section 4; derived"),
    let=decoded(clipped, 24),
    assume=[],
    then=Eq(
        lhs=lambda x: [
            x.at(F(10**4)).cc if x.limit < 10**6 else F(10**6),
            x.cc,
            F(x.known.second_moment),
            x.clipped,
            F(x.known.clipped_mu),
        ],
        rhs=lambda x: [x.limit, *x.by_hand],
    ),
    tight=Tight(PAGE, within=0),
    mutants=[
        Mutant("1 + χ² at every level", then=Eq(lambda x: x.cc, lambda x: x.limit)),
        Mutant("χ²", then=Eq(lambda x: x.at(F(10**4)).cc, lambda x: x.limit - 1)),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
