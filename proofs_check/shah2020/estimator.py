"""The cross estimate: exact without noise, and exactly how much it amplifies noise."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction as F

import numpy as np

from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Eq,
    Leq,
    Mutant,
    NotShown,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.checks.elimination import inverse, rank
from rltheory.operators import anchors_by_volume

from .setting import HALF, ONES, PAPER, THREE, ZERO3, Cross, Table, cross, flat, hard, pivots, table, worst


def quiet(x: Cross) -> Cross:
    """The same cross without noise."""
    return x.with_noise(0 * x.E)


def filled(x: Cross) -> Table:
    """The library's estimate; where W is singular the formula with W⁺ (the library refuses there)."""
    if x.full_rank:
        return x.estimate
    W = x.Q[np.ix_(x.I, x.J)]
    return np.asarray(x.Q[:, list(x.J)] @ table(np.linalg.pinv(W.astype(float))) @ x.Q[list(x.I)])


SINGULAR = Cross(table([[1, 0], [0, 0]]), (1,), (1,), table([[0, 0], [0, 0]]))

cross_exact: Claim[Cross] = Claim(
    statement="no noise, rank W = rank Q = r: Q̄ = CW⁻¹D = Q",
    source=PAPER.at("Section 4, pseudo-skeleton"),
    let=decoded(lambda b: quiet(cross(b))),
    assume=[Assumption("rank W = rank Q = r", lambda x: x.full_rank, SINGULAR)],
    then=Eq(lhs=filled, rhs=lambda x: x.Q),
    tight=Tight(Cross(THREE, (0, 2), (0, 2), ZERO3), within=0),
    mutants=[
        Mutant(
            "one row and one column are always enough",
            lhs=lambda x: np.outer(x.Q[:, x.J[0]], x.Q[x.I[0]]) / x.Q[x.I[0], x.J[0]],
        ),
    ],
    expect=CERTIFIED,
)


def predicted(x: Cross, *, last: bool = True, sign: int = 1) -> list[F]:
    """a f + e b − a F b + (e − aF)Ŵ⁻¹(f − Fb), entry by entry."""
    E, I, J = x.E, list(x.I), list(x.J)
    fresh = inverse((x.Q + E)[np.ix_(I, J)])
    noise = E[np.ix_(I, J)]
    out = []
    for i in range(x.Q.shape[0]):
        for j in range(x.Q.shape[1]):
            a, b, e, f = x.a[i], x.b[:, j], E[i, J], E[I, j]
            value = a @ f + e @ b - sign * (a @ noise @ b)
            if last:
                value += (e - a @ noise) @ fresh @ (f - noise @ b)
            out.append(F(value))
    return out


error_identity: Claim[Cross] = Claim(
    statement="Q̄ − Q = a f + e b − a F b + (e − aF)Ŵ⁻¹(f − Fb), e = E[i, J], f = E[I, j], F = E[I, J]",
    source=PAPER.at("Section 4; derived"),
    let=decoded(cross),
    assume=[],
    then=Eq(lhs=lambda x: x.error.ravel(), rhs=predicted),
    tight=Tight(hard(F(1, 10)), within=0),
    mutants=[
        Mutant("without the last term", rhs=lambda x: predicted(x, last=False)),
        Mutant("+ a F b", rhs=lambda x: predicted(x, sign=-1)),
    ],
    expect=CERTIFIED,
)


# ---- amplification ---------------------------------------------------------------------------
@dataclass(frozen=True, eq=False, repr=False)
class Aimed(Cross):
    """Let the noise be the maximiser at the first entry off the cross, of size η = 10^−k σ/r."""


def aimed(read: Reader) -> Aimed:
    """Random cross, adversarial noise at k = 2, 4, 6."""
    x = cross(read, kind=Aimed)
    i, j = x.outside[0]
    return x.with_noise(worst(x, i, j, x.bound.sigma / x.r / 10 ** (2 * (1 + read.below(3)))))


def deviation(x: Cross, minus: F = F(1)) -> F:
    """| |Q̄ − Q|/η − ((1+α)(1+β) − minus) | at the first entry off the cross."""
    i, j = x.outside[0]
    return abs(abs(x.error[i, j]) / x.eta - (x.both(i, j) - minus))


def allowance(x: Cross) -> F:
    """η(1+α)(1+β) r/(σ − rη)."""
    i, j = x.outside[0]
    return F(x.eta * x.both(i, j) * x.r / (x.bound.sigma - x.r * x.eta))


first_order: Claim[Aimed] = Claim(
    statement="sup|Q̄ − Q|/η = (1+α_i)(1+β_j) − 1 up to η(1+α)(1+β)r/(σ−rη), attained by sign patterns",
    source=PAPER.at("amplification constant; derived"),
    let=decoded(aimed),
    assume=[
        Assumption(
            "rη < σ", lambda x: x.full_rank and x.r * x.eta < x.bound.sigma, NotShown("Ŵ may be singular")
        )
    ],
    then=Leq(lhs=deviation, rhs=allowance),
    tight=Tight(hard(F(1, 1000), Aimed), within=0),
    mutants=[
        Mutant(
            "α_i + β_j: noise on W does not count",
            lhs=lambda x: abs(
                abs(x.error[x.outside[0]]) / x.eta - x.alpha[x.outside[0][0]] - x.beta[x.outside[0][1]]
            ),
        ),
        Mutant("(1+α)(1+β) − 2", lhs=lambda x: deviation(x, F(2))),
    ],
    expect=CERTIFIED,
)


def entry(x: Cross, *, factor: int | None = None, shrink: bool = True) -> list[F]:
    """η[(1+α)(1+β) − 1] + η²(1+α)(1+β) r/(σ − rη) off the cross."""
    r = x.r if factor is None else factor
    room = x.bound.sigma - (x.r * x.eta if shrink else 0)
    return [x.eta * (x.both(i, j) - 1) + x.eta**2 * x.both(i, j) * r / room for i, j in x.outside]


def errors(x: Cross) -> list[F]:
    """|Q̄ − Q| off the cross."""
    return [abs(x.error[i, j]) for i, j in x.outside]


entry_bound: Claim[Cross] = Claim(
    statement="rη < σ: |Q̄_ij − Q_ij| ≤ η[(1+α_i)(1+β_j) − 1] + η²(1+α_i)(1+β_j) r/(σ − rη)",
    source=PAPER.at("Section 4; derived"),
    let=decoded(cross),
    assume=[
        Assumption(
            "rη < σ", lambda x: x.full_rank and x.r * x.eta < x.bound.sigma, NotShown("the bound is negative")
        )
    ],
    then=Leq(
        lhs=lambda x: [*errors(x), *errors(x)],
        rhs=lambda x: [*entry(x), *[x.bound.entry_bound(x.eta)[i, j] for i, j in x.outside]],
    ),
    tight=Tight([hard(F(1, 10)), hard(HALF), flat(HALF)], within=0),
    mutants=[
        Mutant("r/σ in place of r/(σ − rη)", then=Leq(errors, lambda x: entry(x, shrink=False))),
        Mutant("without the factor r", then=Leq(errors, lambda x: entry(x, factor=1))),
        Mutant(
            "first order only", then=Leq(errors, lambda x: [x.eta * (x.both(i, j) - 1) for i, j in x.outside])
        ),
    ],
    expect=CERTIFIED,
)


def uniform(x: Cross, c: F | None = None) -> F:
    """c·η, c = 2(1+κ)² − 1 by default, with κ from the library's σ."""
    return (2 * (1 + x.bound.kappa) ** 2 - 1 if c is None else c) * x.eta


def largest(x: Cross) -> F:
    """‖Q̄ − Q‖_∞."""
    return F(np.abs(x.error).max())


cme_general: Claim[Cross] = Claim(
    statement="η ≤ σ/(2r): ‖Q̄ − Q‖_∞ ≤ (2(1+κ)² − 1)η (below the recalled 6√2κ + 2(1+√5)κ²)",
    source=PAPER.at("Proposition on the matrix estimator; smaller constant derived"),
    let=decoded(cross),
    assume=[
        Assumption("η ≤ σ/(2r)", lambda x: x.full_rank and 2 * x.r * x.eta <= x.bound.sigma, flat(F(9, 10))),
    ],
    then=Leq(
        lhs=lambda x: [largest(x), 2 * (1 + x.bound.kappa) ** 2 - 1],
        rhs=lambda x: [uniform(x), F(848, 100) * x.bound.kappa + F(647, 100) * x.bound.kappa**2],
    ),
    tight=Tight(flat(HALF), within=0),
    mutants=[
        Mutant(
            "2(1+κ)² − 2",
            then=Leq(largest, lambda x: uniform(x, 2 * (1 + x.bound.kappa) ** 2 - 2)),
            named_only=True,
        ),
        Mutant("c_me = κ", then=Leq(largest, lambda x: uniform(x, x.bound.kappa))),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True, eq=False, repr=False)
class Positive(Cross):
    """Let r = 1 and 0 < m0 ≤ Q ≤ M."""

    @property
    def ratio(self) -> F:
        """M/m0."""
        return F(self.Q.max() / self.Q.min())


def positive(read: Reader) -> Positive:
    """fgᵀ with entries 1..4 a factor, anchors (0, 0), η ≤ m0/2, random or adversarial noise."""
    f, g = ([1 + read.below(4) for _ in range(n)] for n in (2 + read.below(3), 2 + read.below(3)))
    Q = table(np.outer(f, g))
    eta = Q.min() * F(1 + read.below(8), 16)
    E = np.full(Q.shape, F(0), dtype=object)
    if read.below(2):
        E[0], E[:, 0], E[0, 0] = eta, eta, -eta
    else:
        E[0] = table([F(read.below(17) - 8, 8) * eta for _ in g])
        E[1:, 0] = table([F(read.below(17) - 8, 8) * eta for _ in f[1:]])
    return Positive(Q, (0,), (0,), E)


def rank_one(x: Positive) -> list[F]:
    """7(M/m0)η and η(3M+η)/(m0−η)."""
    M, m0 = x.Q.max(), x.Q.min()
    return [7 * x.ratio * x.eta, x.eta * (3 * M + x.eta) / (m0 - x.eta)]


cme_rank1: Claim[Positive] = Claim(
    statement="r = 1, 0 < m0 ≤ Q ≤ M, η ≤ m0/2: ‖Q̄ − Q‖_∞ ≤ η(3M+η)/(m0−η) ≤ 7(M/m0)η",
    source=PAPER.at("Section 4, rank one"),
    let=decoded(positive, 40),
    assume=[
        Assumption("η ≤ m0/2", lambda x: 2 * x.eta <= x.Q.min(), flat(F(9, 10), Positive)),
    ],
    then=Leq(lhs=lambda x: [largest(x)] * 2, rhs=rank_one),
    tight=Tight(flat(HALF, Positive), within=0),
    mutants=[
        Mutant("6.9(M/m0)", then=Leq(largest, lambda x: F(69, 10) * x.ratio * x.eta)),
        Mutant("3(M/m0)", then=Leq(largest, lambda x: 3 * x.ratio * x.eta)),
    ],
    expect=CERTIFIED,
)


# ---- anchors of large volume -----------------------------------------------------------------
@dataclass(frozen=True, eq=False, repr=False)
class Voluminous(Cross):
    """Let I, J maximise |det W| among r×r submatrices."""

    @property
    def c_star(self) -> F:
        """Largest (1+α_i)(1+β_j) − 1."""
        return F((1 + self.alpha.max()) * (1 + self.beta.max()) - 1)


def voluminous(read: Reader) -> Voluminous:
    """Rank ≤ 2, up to 5×5, sometimes with one direction scaled down to 1e-6."""
    r = 1 + read.below(2)
    n, m = r + 1 + read.below(3), r + 1 + read.below(2)
    left, right = read.numbers(n, r), read.numbers(r, m)
    left[0, 0] += 5
    right[0, 0] += 5
    if r == 2:
        left[1, 1] += 5
        right[1, 1] += 5
        if read.below(2):
            left[:, 1] = left[:, 1] / 10**6
    Q = left @ right
    r = rank(Q)
    I, J = anchors_by_volume(Q, r, exhaustive=True)
    return Voluminous(Q, tuple(I.tolist()), tuple(J.tolist()), 0 * Q)


def careless(read: Reader) -> Voluminous:
    """The same matrices with the anchors of least |det W| > 0."""
    x = voluminous(read)
    n, m = x.Q.shape
    sizes = {}
    for I in itertools.combinations(range(n), x.r):
        for J in itertools.combinations(range(m), x.r):
            W = x.Q[np.ix_(I, J)]
            det = W[0, 0] if x.r == 1 else W[0, 0] * W[1, 1] - W[0, 1] * W[1, 0]
            if det:
                sizes[I, J] = abs(det)
    I, J = min(sizes, key=lambda k: sizes[k])
    return Voluminous(x.Q, I, J, 0 * x.Q)


max_volume: Claim[Voluminous] = Claim(
    statement="|det W| maximal: |a|, |b| ≤ 1, α, β ≤ r and c* ≤ r² + 2r, whatever the conditioning",
    source=PAPER.at("choice of anchors; derived (Cramer)"),
    let=decoded(voluminous),
    assume=[],
    then=Leq(
        lhs=lambda x: [np.abs(x.a).max(), np.abs(x.b).max(), x.c_star],
        rhs=lambda x: [F(1), F(1), F(x.r**2 + 2 * x.r)],
    ),
    tight=Tight([pivots(r, Voluminous) for r in (1, 2, 3)], within=0),
    mutants=[
        Mutant("r² + r", then=Leq(lambda x: x.c_star, lambda x: F(x.r**2 + x.r))),
        Mutant(
            "for any anchors",
            let=decoded(careless),
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- approximate rank ------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Approximate:
    """Let Q = Q_r + Δ, |Δ| ≤ ζ, x the cross of Q_r, E the noise of the observations."""

    x: Cross
    Delta: Table

    @property
    def zeta(self) -> F:
        """‖Δ‖_∞."""
        return F(np.abs(self.Delta).max())

    @property
    def error(self) -> F:
        """‖Q̄ − Q‖_∞."""
        x = self.x
        seen = x.with_noise(x.E + self.Delta)
        return F(np.abs(seen.estimate - x.Q - self.Delta).max())

    def bound(self, on_zeta: F, plus: int = 1) -> F:
        """c_me η + on_zeta·ζ + plus·ζ."""
        return uniform(self.x) + on_zeta * self.zeta + plus * self.zeta

    @property
    def c(self) -> F:
        """2(1+κ)² − 1."""
        return 2 * (1 + self.x.bound.kappa) ** 2 - 1


def approximate(read: Reader) -> Approximate:
    """η and ζ together below σ/(2r); or no noise, and Δ as bad as the worst noise for one entry."""
    x = cross(read)
    room = x.bound.sigma / (2 * x.r)
    if read.below(2):
        i, j = x.outside[read.below(len(x.outside))]
        Delta = worst(x, i, j, room * F(9, 10))
        Delta[i, j] = -room * F(9, 10)
        return Approximate(x.with_noise(0 * x.E), Delta)
    E = x.E * (room / 3 / x.eta) if x.eta else x.E
    Delta = table([[F(read.below(17) - 8, 8) for _ in row] for row in x.Q]) * (room / 2)
    return Approximate(x.with_noise(E), Delta)


DENTED = Approximate(Cross(ONES, (0,), (0,), 0 * ONES), table([[-HALF, HALF], [HALF, -HALF]]))

approx_rank: Claim[Approximate] = Claim(
    statement="Q = Q_r + Δ, ‖Δ‖_∞ ≤ ζ, η + ζ ≤ σ/(2r): ‖Q̄ − Q‖_∞ ≤ c_me(η + ζ) + ζ",
    source=PAPER.at("additive error for approximate rank; constants derived"),
    let=decoded(approximate, 128),
    assume=[
        Assumption(
            "η + ζ ≤ σ/(2r)",
            lambda x: x.x.full_rank and 2 * x.x.r * (x.x.eta + x.zeta) <= x.x.bound.sigma,
            Approximate(Cross(ONES, (0,), (0,), 0 * ONES), table([[F(-9, 10), F(9, 10)], [F(9, 10), 0]])),
        )
    ],
    then=Leq(lhs=lambda x: x.error, rhs=lambda x: x.bound(x.c)),
    tight=Tight(DENTED, within=0),
    mutants=[
        Mutant("ζ is not amplified: c_me η + 2ζ", rhs=lambda x: x.bound(F(1))),
        Mutant("without the last ζ", rhs=lambda x: x.bound(x.c, 0), named_only=True),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
