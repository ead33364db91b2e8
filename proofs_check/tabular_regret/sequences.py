"""Sums under the regret proofs: the weights of Q-learning, and pigeonholes.

α_t = (H+1)/(H+t), α_t^i = α_i Π_{j=i+1..t} (1 − α_j): the weight of sample i after t updates.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property, lru_cache
from typing import Any

from flint import arb, fmpq

from rltheory.checks import (
    CERTIFIED,
    PROVED,
    Claim,
    Eq,
    Every,
    Leq,
    Loose,
    Mutant,
    Reader,
    Tight,
    decoded,
    run_module,
)

from .setting import PAPER

SOURCE = PAPER.at("Jin, Allen-Zhu, Bubeck, Jordan (2018), lemma on the weights α_t^i")
LAST = 60


@lru_cache(maxsize=64)
def weights(H: int, last: int, plain: bool = False) -> list[list[fmpq]]:
    """rows[t][i] = α_t^i for 1 ≤ i ≤ t ≤ last, from the definition; α_t = 1/t if `plain`."""
    rows: list[list[fmpq]] = [[]]
    for t in range(1, last + 1):
        step = fmpq(1, t) if plain else fmpq(H + 1, H + t)
        rows.append([w * (1 - step) for w in rows[-1]] + [step])
    return rows


@lru_cache(maxsize=64)
def totals(H: int, last: int, plain: bool) -> list[list[fmpq]]:
    """rows[t][i] = Σ_{s=i..t} α_s^i."""
    rows: list[list[fmpq]] = [[]]
    for row in weights(H, last, plain)[1:]:
        rows.append([c + w for c, w in zip([*rows[-1], fmpq(0)], row, strict=True)])
    return rows


@dataclass(frozen=True)
class Weights:
    """Let H be a horizon and t ≥ 1 a number of visits."""

    H: int
    t: int

    @cached_property
    def row(self) -> list[fmpq]:
        """α_t^1, …, α_t^t."""
        return weights(self.H, max(self.t, LAST))[self.t]

    @cached_property
    def root_sum(self) -> arb:
        """Σ_i α_t^i/√i."""
        return sum((arb(w) / arb(i).sqrt() for i, w in enumerate(self.row, 1)), arb(0))

    def over_root(self, c: Any) -> arb:
        """c/√t."""
        return arb(fmpq(c.numerator, c.denominator)) / arb(self.t).sqrt()

    def columns(self, plain: bool = False) -> list[fmpq]:
        """Σ_{s=i..t} α_s^i for every i ≤ t."""
        return totals(self.H, max(self.t, LAST), plain)[self.t]


GRID = Every("H ≤ 20, t ≤ 60", 20 * LAST, [Weights(H, t) for H in range(1, 21) for t in range(1, LAST + 1)])


alpha_weights: Claim[Weights] = Claim(
    statement="1/√t ≤ Σ_i α_t^i/√i ≤ (H+1)/(H+½)·1/√t ≤ 2/√t",
    source=SOURCE,
    let=GRID,
    assume=[],
    then=Leq(
        lhs=lambda x: [x.over_root(F(1)), x.root_sum, x.over_root(F(2 * x.H + 2, 2 * x.H + 1))],
        rhs=lambda x: [x.root_sum, x.over_root(F(2 * x.H + 2, 2 * x.H + 1)), x.over_root(F(2))],
    ),
    tight=Tight([Weights(1, 1), Weights(1, 1000)], within=0.001),
    mutants=[
        Mutant("1.3/√t above", then=Leq(lambda x: x.root_sum, lambda x: x.over_root(F(13, 10)))),
        Mutant("1.001/√t below", then=Leq(lambda x: x.over_root(F(1001, 1000)), lambda x: x.root_sum)),
        Mutant(
            "(H+1)/(H+0.51) above",
            then=Leq(lambda x: x.root_sum, lambda x: x.over_root(F(100 * x.H + 100, 100 * x.H + 51))),
        ),
    ],
    expect=CERTIFIED,
)


alpha_weights_largest: Claim[Weights] = Claim(
    statement="max_i α_t^i ≤ 2H/t",
    source=SOURCE,
    let=GRID,
    assume=[],
    then=Leq(lhs=lambda x: max(x.row), rhs=lambda x: F(2 * x.H, x.t)),
    tight=Tight(Weights(1, 199), within=0.005),
    mutants=[
        Mutant("1.9H/t", rhs=lambda x: F(19 * x.H, 10 * x.t)),
        Mutant("H/t", rhs=lambda x: F(x.H, x.t)),
    ],
    expect=PROVED,
)


alpha_weights_squares: Claim[Weights] = Claim(
    statement="Σ_i (α_t^i)² ≤ 2H/t",
    source=SOURCE,
    let=GRID,
    assume=[],
    then=Leq(lhs=lambda x: sum((w * w for w in x.row), fmpq(0)), rhs=lambda x: F(2 * x.H, x.t)),
    tight=Loose(slack=0.345, reason="at H = 1 the sum is (2t + 1)/(2(t + 1)) ⅔·2/t, at most ⅔ of the bound"),
    mutants=[
        Mutant("H/t", rhs=lambda x: F(x.H, x.t)),
        Mutant("the first powers", lhs=lambda x: sum(x.row, fmpq(0))),
    ],
    expect=PROVED,
)


alpha_weights_sum: Claim[Weights] = Claim(
    statement="Σ_i α_t^i = 1 and Σ_{s=i..t} α_s^i = 1 + 1/H − tα_t^i/H, so Σ_{s≥i} α_s^i = 1 + 1/H",
    source=SOURCE,
    let=GRID,
    assume=[],
    then=Eq(
        lhs=lambda x: [sum(x.row, fmpq(0)), *x.columns()],
        rhs=lambda x: [F(1), *(1 + fmpq(1, x.H) - x.t * w / x.H for w in x.row)],
    ),
    tight=Tight(Weights(3, 40), within=0),
    mutants=[
        Mutant(
            "1 + 1/(H+1)",
            rhs=lambda x: [F(1), *(1 + fmpq(1, x.H + 1) - x.t * w / x.H for w in x.row)],
        ),
        Mutant("α_t = 1/t", lhs=lambda x: [F(1), *x.columns(plain=True)]),
        Mutant("nothing is left over at t", rhs=lambda x: [F(1), *(1 + fmpq(1, x.H) for _ in x.row)]),
    ],
    expect=PROVED,
)


# ---- pigeonholes -----------------------------------------------------------------------------
PIGEONS = PAPER.at("pigeonhole sums; derived")


@dataclass(frozen=True)
class Sums:
    """Let n ≥ 1."""

    n: int

    @cached_property
    def roots(self) -> arb:
        """Σ_{i≤n} 1/√i."""
        return _roots()[self.n]

    @cached_property
    def harmonic(self) -> arb:
        """Σ_{i≤n} 1/i."""
        return arb(sum((fmpq(1, i) for i in range(1, self.n + 1)), fmpq(0)))

    def above(self, a: str, b: str) -> arb:
        """a√n − b."""
        return arb(a) * arb(self.n).sqrt() - arb(b)

    @property
    def upper_log(self) -> Any:
        """1 + ln n."""
        return 1 if self.n == 1 else 1 + arb(self.n).log()


@lru_cache(maxsize=1)
def _roots() -> list[arb]:
    out = [arb(0)]
    for i in range(1, 401):
        out.append(out[-1] + 1 / arb(i).sqrt())
    return out


pigeonhole: Claim[Sums] = Claim(
    statement="Σ_{i≤n} i^{−1/2} ≤ 2√n − 1 and Σ_{i≤n} 1/i ≤ 1 + ln n",
    source=PIGEONS,
    let=Every("n ≤ 400", 400, [Sums(n) for n in range(1, 401)]),
    assume=[],
    then=Leq(lhs=lambda x: [x.roots, x.harmonic], rhs=lambda x: [x.above("2", "1"), x.upper_log]),
    tight=Tight(Sums(1), within=0),
    mutants=[
        Mutant("1.9√n", then=Leq(lambda x: x.roots, lambda x: x.above("1.9", "0"))),
        Mutant("2√n − 1.4", then=Leq(lambda x: x.roots, lambda x: x.above("2", "1.4"))),
        Mutant("ln n", then=Leq(lambda x: x.harmonic, lambda x: arb(x.n).log())),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class Visits:
    """Let `pairs` be the pairs visited in order, `H` at a time, out of `SA`."""

    SA: int
    H: int
    pairs: tuple[int, ...]

    @property
    def T(self) -> int:
        """KH."""
        return len(self.pairs)

    @cached_property
    def live(self) -> arb:
        """ΣΣ 1/√max(N, 1), N the visits before."""
        n, total = [0] * self.SA, arb(0)
        for i in self.pairs:
            total += 1 / arb(max(n[i], 1)).sqrt()
            n[i] += 1
        return total

    @cached_property
    def frozen(self) -> tuple[arb, int]:
        """The same with N at the start of the episode; visits of pairs that more than double in theirs."""
        n, total, extra = [0] * self.SA, arb(0), 0
        for k in range(0, self.T, self.H):
            episode = self.pairs[k : k + self.H]
            for i in episode:
                total += 1 / arb(max(n[i], 1)).sqrt()
                extra += n[i] + episode.count(i) > 2 * n[i]
            for i in episode:
                n[i] += 1
        return total, extra

    def bound(self, c: arb) -> arb:
        """c√(SA·KH)."""
        return c * arb(self.SA * self.T).sqrt()


def visits(read: Reader) -> Visits:
    """Pairs in runs, uniformly, or one after another."""
    SA, H, K = 1 + read.below(5), 1 + read.below(16), 1 + read.below(8)
    style = read.below(3)
    if style == 0:
        pairs = tuple(read.below(SA) for _ in range(H * K))
    elif style == 1:
        pairs = tuple(i % SA for i in range(H * K))
    else:
        pairs = tuple(i * SA // (H * K) for i in range(H * K))
    return Visits(SA, H, pairs)


ALONE = Visits(1, 1, (0,) * 400)

pigeonhole_run: Claim[Visits] = Claim(
    statement="ΣΣ 1/√max(N_k(s_h, a_h), 1) ≤ 2√(SA·KH) along any run, N the visits before this one",
    source=PIGEONS,
    let=decoded(visits),
    assume=[],
    then=Leq(lhs=lambda x: x.live, rhs=lambda x: x.bound(arb(2))),
    tight=Tight(ALONE, within=0.03),
    mutants=[
        Mutant("1.9√(SA·KH)", rhs=lambda x: x.bound(arb("1.9"))),
        Mutant("2√(KH)", rhs=lambda x: 2 * arb(x.T).sqrt()),
    ],
    named={"every pair once": Visits(4, 4, (0, 1, 2, 3)), "a pair twice": Visits(1, 2, (0, 0))},
    expect=CERTIFIED,
)


pigeonhole_frozen: Claim[Visits] = Claim(
    statement="with N frozen at the start of the episode: ≤ 2√2·√(SA·KH) plus the visits of pairs that more "
    "than double within their episode",
    source=PIGEONS,
    let=decoded(visits),
    assume=[],
    then=Leq(lhs=lambda x: x.frozen[0], rhs=lambda x: x.bound(2 * arb(2).sqrt()) + x.frozen[1]),
    tight=Loose(slack=0.7, reason="√2 pays for a count that doubles within the episode, which few do"),
    mutants=[
        Mutant(
            "√(SA·KH) and no further visits",
            rhs=lambda x: x.bound(arb(1)),
        ),
        Mutant("without the further visits", rhs=lambda x: x.bound(2 * arb(2).sqrt())),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
