"""HyGLOW: what minimising MABO.CR's loss implies on the event of Lemma E.1, and the best level."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property

from rltheory.checks import CERTIFIED, Assumption, Claim, Erratum, Leq, Mutant, Tight, run_module

from .setting import PAPER, LawReader, decoded, harmonic
from .transfer import FORTY_SIX, KAPPA


@dataclass(frozen=True)
class Minimised:
    """Let |Ê[w̌Δ̂f]| (|F|, |W|, H), Ê[w̌²] and E[w̌²] (|W|, H) be given; f̂ minimises MABO's loss, f_0 = Q*."""

    level: F
    beta: F
    square: tuple[tuple[F, ...], ...]
    seen_square: tuple[tuple[F, ...], ...]
    seen: tuple[tuple[tuple[F, ...], ...], ...]

    @property
    def H(self) -> int:
        """Layers."""
        return len(self.square[0])

    @property
    def c(self) -> bool:
        """(c) in every layer."""
        pairs = [(q, e) for qs, es in zip(self.seen_square, self.square, strict=True)
                 for q, e in zip(qs, es, strict=True)]  # fmt: skip
        return all(q <= F(3, 2) * e + self.level * self.beta / 9 for q, e in pairs)

    @property
    def star(self) -> bool:
        """|Ê[w̌Δ̂Q*]| ≤ (8/γ)Ê[w̌²] + β in every layer, for every w."""
        pairs = [(m, q) for ms, qs in zip(self.seen[0], self.seen_square, strict=True)
                 for m, q in zip(ms, qs, strict=True)]  # fmt: skip
        return all(m <= 8 / self.level * q + self.beta for m, q in pairs)

    @cached_property
    def chosen(self) -> tuple[tuple[F, ...], ...]:
        """|Ê[w̌Δ̂f̂]| of the first minimiser of max_w Σ_h (|Ê[w̌Δ̂f]| − (8/γ)Ê[w̌²])."""

        def loss(f: tuple[tuple[F, ...], ...]) -> F:
            return max(
                sum((m - 8 / self.level * q for m, q in zip(ms, qs, strict=True)), F(0))
                for ms, qs in zip(f, self.seen_square, strict=True)
            )

        return min(self.seen, key=loss)

    @property
    def left(self) -> list[F]:
        """Σ_h of the largest |E[w̌Δf̂]| that (a) allows, for every w."""
        extra = self.beta / 12
        return [
            sum((m + F(10, 3) / self.level * e + extra for m, e in zip(ms, es, strict=True)), F(0))
            for ms, es in zip(self.chosen, self.square, strict=True)
        ]

    def right(self, kappa: F) -> list[F]:
        """(46/3)/γ·Σ_h E[w̌²] + κβ for every w."""
        return [FORTY_SIX / self.level * sum(es, F(0)) + kappa * self.beta for es in self.square]


def minimised(read: LawReader) -> Minimised:
    """Random numbers on the event, at its edge as often as not."""
    H, nW, nF = 1 + read.below(4), 1 + read.below(3), 1 + read.below(3)
    level, beta = F(1 + read.below(16), 4), F(1 + read.below(16), 16)
    square = [[F(read.below(16), 16) for _ in range(H)] for _ in range(nW)]
    seen_square = [
        [max(F(0), F(3, 2) * e + level * beta / 9 - F(read.below(3), 16)) for e in es] for es in square
    ]
    top = [[8 / level * q + beta for q in qs] for qs in seen_square]
    seen = [[[m * F(4 - read.below(2), 4) for m in ms] for ms in top]]
    for _ in range(nF - 1):
        seen.append([[m * F(read.below(9), 4) for m in ms] for ms in top])
    return Minimised(
        level,
        beta,
        tuple(map(tuple, square)),
        tuple(map(tuple, seen_square)),
        tuple(tuple(map(tuple, f)) for f in seen),
    )


AT_EDGE = Minimised(F(1), F(1), ((F(1),) * 3,), ((F(29, 18),) * 3,), (((8 * F(29, 18) + 1,) * 3,),))

hyglow: Claim[Minimised] = Claim(
    statement="f̂ of MABO.CR, every w ∈ W: Σ_h |E[w̌_h Δ_h f̂]| ≤ (46/3)/γ^(n)·Σ_h E[w̌_h²] + (71/36)Hβ^(n)",
    source=PAPER.at("Corollary 4.1, through full weights (derived)"),
    let=decoded(minimised, 96),
    assume=[
        Assumption(
            "(c) in every layer",
            lambda x: x.c,
            Minimised(F(1), F(1), ((F(0),),), ((F(10),),), (((F(80),),),)),
        ),
        Assumption(
            "|Ê[w̌Δ̂Q*]| ≤ (8/γ)Ê[w̌²] + β",
            lambda x: x.star,
            Minimised(F(1), F(1), ((F(0),),), ((F(0),),), (((F(10),),),)),
        ),
    ],
    then=Leq(lhs=lambda x: x.left, rhs=lambda x: x.right(KAPPA * x.H)),
    tight=Tight(AT_EDGE, within=0),
    mutants=[
        Mutant("(7/18)Hβ", rhs=lambda x: x.right(F(7, 18) * x.H)),
        Mutant("(71/36)β without H", rhs=lambda x: x.right(KAPPA)),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class Tuned:
    """Let γ ∈ (0, 1] be the best level for T rounds: ℓ is such that (52/3)H_T(2C_⋆ + 3C)/(284Tℓ) = γ²."""

    H: int
    T: int
    star: F
    cov: F
    gamma: F

    @property
    def H_T(self) -> F:
        """1 + … + 1/T."""
        return harmonic(self.T)

    @property
    def X(self) -> F:
        """H_T(2C_⋆ + 3C_cov)/T."""
        return self.H_T * (2 * self.star + 3 * self.cov) / self.T

    @property
    def ell(self) -> F:
        """ln(6|F||W|H/δ)."""
        return F(52, 3) * self.X / (284 * self.gamma**2)

    @property
    def risk(self) -> F:
        """(Ha/T)H_T(2C_⋆ + (2+γ)C_cov) + b with a = 52/(3γ), b = 284Hγℓ."""
        paid = self.H_T * (2 * self.star + (2 + self.gamma) * self.cov) / self.T
        return self.H * F(52, 3) / self.gamma * paid + 284 * self.H * self.gamma * self.ell

    @property
    def epsilon_squared(self) -> F:
        """ε², ε the printed accuracy of this T: T = H⁴(C_cov + C_⋆)ℓ/ε²."""
        return self.H**4 * (self.cov + self.star) * self.ell / self.T

    @property
    def trajectories(self) -> F:
        """N = H²(C_cov + C_⋆)ℓ/ε² as printed."""
        return self.H**2 * (self.cov + self.star) * self.ell / self.epsilon_squared

    def bound_squared(self, c: F) -> F:
        """(2H)²·(52/3)·c·X·ℓ."""
        return 4 * self.H**2 * F(52, 3) * c * self.X * self.ell


def tuned(read: LawReader) -> Tuned:
    """Random sizes."""
    star, cov = 1 + F(read.below(16), 4), 1 + F(read.below(16), 4)
    return Tuned(1 + read.below(6), 1 + read.below(60), star, cov, F(1 + read.below(16), 16))


hyglow_tuned: Claim[Tuned] = Claim(
    statement="a = 52/(3γ), b = 284Hγℓ at the best γ ≤ 1: (risk − 1/T)² ≤ 4H²·(52/3)·284·H_T(2C_⋆+3C_cov)ℓ/T",
    source=PAPER.at("Corollary 4.1, explicit (derived)"),
    let=decoded(tuned, 8),
    assume=[],
    then=Leq(lhs=lambda x: x.risk**2, rhs=lambda x: x.bound_squared(F(284))),
    tight=Tight(Tuned(2, 10, F(1), F(2), F(1)), within=0),
    mutants=[
        Mutant("142 for 284", rhs=lambda x: x.bound_squared(F(142))),
        Mutant("H under the root", rhs=lambda x: x.bound_squared(F(284)) / x.H),
    ],
    expect=CERTIFIED,
)

hyglow_samples = Erratum(
    statement="T ∝ H⁴(C_cov + C_⋆)ln(|F||W|/δ)/ε² rounds, one trajectory each, are N ∝ H²(…)/ε² trajectories",
    source=PAPER.at("Corollary 4.1: N ≥ T cannot hold from H = 2 on, equal factors left out"),
    then=Leq(lhs=lambda x: F(x.T), rhs=lambda x: x.trajectories),
    counterexample=Tuned(2, 10, F(1), F(2), F(1)),
    corrected=hyglow_tuned,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
