"""Soundness and completeness with their constants: L·d ≤ Reg(R1, R2) ≤ U·d for a nontrivial R1.

Any norm n on Im(c): U = K/k, L = k/(2K) with K = max ρ/n, k = min ρ/n.  VAL-∞-∞ with the uniform policy has
explicit constants; d_ρ = ρ(R1/ρ(R1) − R2/ρ(R2)) has U = 1, L = ½, both attained.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np

import rltheory as rl
from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Eq,
    Leq,
    Loose,
    Mutant,
    NotShown,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.checks.elimination import eliminate
from rltheory.kernels import ball
from rltheory.operators import canonicalise
from rltheory.solvers import starc_distance

from .setting import FIRST, OPPOSITE, PAPER, SECOND, Table, Two, World, one_state, rare, two

NONTRIVIAL: Assumption[Any] = Assumption(
    "R1 is not trivial", lambda x: x.sizes[0] > 0, Two(FIRST.W, 0 * FIRST.R1, FIRST.R2)
)


def nontrivial(why: Any) -> Assumption[Any]:
    """The same assumption with another witness."""
    return replace(NONTRIVIAL, fails_without=why)


# ---- hull constants --------------------------------------------------------------------------
def hull(W: World) -> tuple[F, F]:
    """(K², k²) for VAL and the L2 array norm: farthest vertex and nearest facet of the hull of η_i − η_j.

    In coordinates of Im(c): an (S, A) table p stands for the reward p, constant in s', whose array norm is
    √S‖p‖; ⟨η, p⟩ = ⟨d, p⟩, so the coordinates of η are those of d, centred over actions, over √S.
    """

    def centred(d: Table) -> Table:
        return (d - (d.sum(axis=1) / W.A)[:, None]).reshape(-1)

    points = {tuple(centred(d - e)) for d in W.vertices for e in W.vertices}
    free = [s * W.A + a for s in range(W.S) for a in range(W.A - 1)]
    dim = len(free)
    listed = [np.array(p, dtype=object) for p in points if any(p)]
    K = max(F((p * p).sum()) for p in listed) / W.S
    best = None
    for chosen in itertools.combinations(listed, dim):
        normal = facet(chosen, W)
        if normal is None:
            continue
        size = F((normal * normal).sum())
        if all((normal * p).sum() <= 1 for p in listed):
            best = 1 / size if best is None else min(best, 1 / size)
    assert best is not None
    return K, best / W.S


def facet(chosen: tuple[Table, ...], W: World) -> Table | None:
    """The centred table p with ⟨p, x⟩ = 1 at the points chosen, if it is unique."""
    S, A = W.S, W.A
    basis = []
    for s in range(S):
        for a in range(A - 1):
            b = np.full((S, A), F(0), dtype=object)
            b[s, a], b[s, A - 1] = F(1), F(-1)
            basis.append(b.reshape(-1))
    M = np.array([[(b * p).sum() for b in basis] for p in chosen], dtype=object)
    try:
        x = eliminate(M, np.full(len(basis), F(1), dtype=object))
    except ZeroDivisionError:
        return None
    return np.asarray(sum((c * b for c, b in zip(x, basis, strict=True)), 0 * basis[0]))


@dataclass(frozen=True, eq=False)
class Hulled(Two):
    """Let (K², k²) be the hull constants of W."""

    @cached_property
    def constants(self) -> tuple[F, F]:
        """K² and k²."""
        return _remembered(self.W)

    @cached_property
    def c(self) -> Table:
        """A centred (S, A) table: R1's advantage under the uniform policy."""
        return np.asarray(canonicalise(self.R1, self.W.mdp))

    @cached_property
    def squares(self) -> tuple[F, F]:
        """ρ(c)² and ‖c‖²."""
        return F(self.W.rho(self.c)) ** 2, F((self.c * self.c).sum())


_KNOWN: dict[int, tuple[World, tuple[F, F]]] = {}


def _remembered(W: World) -> tuple[F, F]:
    if id(W) not in _KNOWN:
        _KNOWN[id(W)] = (W, hull(W))
    return _KNOWN[id(W)][1]


def hulled(read: Reader) -> Hulled:
    """One state with two to four actions, or two states with two."""
    if read.below(2):
        x = two(read, S=1, A=4)
    else:
        x = two(read, S=2, A=2, least=2)
    return Hulled(x.W, x.R1, x.R2)


EVEN, OUTER = (
    one_state([1, 1, -2], [0, 0, 1], gamma=F(7, 10)),
    one_state([1, -1, 0], [0, 0, 1], gamma=F(7, 10)),
)

hull_constants: Claim[Hulled] = Claim(
    statement="k‖c‖₂ ≤ ρ(c) ≤ K‖c‖₂ on Im(VAL): K farthest vertex, k nearest facet of hull{η_i − η_j}",
    source=PAPER.at("constants; derived"),
    let=decoded(hulled),
    assume=[Assumption("c ≠ 0", lambda x: bool((x.c != 0).any()), NotShown("0 ≤ 0 holds"))],
    then=Leq(
        lhs=lambda x: [x.constants[1] * x.squares[1], x.squares[0]],
        rhs=lambda x: [x.squares[0], x.constants[0] * x.squares[1]],
    ),
    tight=Tight([Hulled(p.W, p.R1, p.R2) for p in (EVEN, OUTER)], within=0),
    mutants=[
        Mutant("k larger by 1 %", lhs=lambda x: [F(10201, 10000) * x.constants[1] * x.squares[1], F(0)]),
        Mutant(
            "K smaller by 1 %",
            rhs=lambda x: [x.squares[0] + 1, F(9801, 10000) * x.constants[0] * x.squares[1]],
        ),
    ],
    expect=CERTIFIED,
    draws=70,
)


def squared_distance(x: Two) -> F | rl.Enclosure:
    """VAL-2-2 squared, 2 − 2⟨c1, c2⟩/√(‖c1‖²‖c2‖²): rational where the root is, else enclosed."""
    c1, c2 = (np.asarray(canonicalise(R, x.W.mdp)) for R in (x.R1, x.R2))
    q1, q2, inner = (F((a * b).sum()) for a, b in ((c1, c1), (c2, c2), (c1, c2)))
    if not q1 or not q2:
        return F(0) if q1 == q2 else F(1)
    q = q1 * q2
    roots = math.isqrt(q.numerator), math.isqrt(q.denominator)
    if roots[0] ** 2 == q.numerator and roots[1] ** 2 == q.denominator:
        return 2 - 2 * inner / F(*roots)
    with ball.precision(192):
        size = ball.sqrt(np.array([q], dtype=object))[0]
        return rl.Enclosure.ball(2 - 2 * ball.to_arb(inner) / size)


def scaled(x: Hulled, factor: F) -> F | rl.Enclosure:
    """factor·d²."""
    d = squared_distance(x)
    return rl.Enclosure(factor * d.lower, factor * d.upper) if isinstance(d, rl.Enclosure) else factor * d


def U2(x: Hulled) -> F:
    """(K/k)²."""
    return x.constants[0] / x.constants[1]


TWO_ACTIONS = Hulled(*(getattr(one_state([1, 0], [0, 1]), f) for f in ("W", "R1", "R2")))


def close(read: Reader) -> Hulled:
    """Half of the time R2 is within 10⁻⁵ of R1."""
    x = hulled(read)
    return Hulled(x.W, x.R1, x.R1 + F(1, 10**5) * x.R2) if read.below(2) else x


sound_complete: Claim[Hulled] = Claim(
    statement="VAL-2-2: L·d ≤ Reg ≤ U·d with U = K/k, L = k/(2K) (R1 nontrivial; squares compared)",
    source=PAPER.at("Theorems on soundness and completeness; constants derived"),
    let=decoded(close),
    assume=[nontrivial(Hulled(TWO_ACTIONS.W, 0 * TWO_ACTIONS.R1, TWO_ACTIONS.R2))],
    then=Leq(lhs=lambda x: [scaled(x, 1 / U2(x) / 4), x.reg**2], rhs=lambda x: [x.reg**2, scaled(x, U2(x))]),
    tight=Tight(TWO_ACTIONS, within=0),
    mutants=[
        Mutant("L without the factor ½", lhs=lambda x: [scaled(x, 1 / U2(x)), F(0)]),
        Mutant(
            "complete with L = 1/100 for d = √‖s1 − s2‖₂, which is not admissible",
            then=Leq(lambda x: scaled(x, F(1, 10**8)), lambda x: x.reg**4),
        ),
        Mutant("U = K/(2k)", rhs=lambda x: [x.reg**2, scaled(x, U2(x) / 4)]),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- explicit constants ----------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Visited(Two):
    """Let d_min be the least occupancy Σ_a d^π(s, a) of a state under the uniform policy."""

    @cached_property
    def d_min(self) -> F:
        """min_s d(s)."""
        return F(min(self.W.occupancy(self.W.uniform).sum(axis=1)))

    @cached_property
    def d(self) -> F:
        """VAL-∞-∞, by the library."""
        return F(starc_distance(self.R1, self.R2, self.W.mdp, norm="linf"))

    @property
    def U(self) -> F:
        """2(A−1)/(A(1−γ)² d_min)."""
        A = self.W.A
        return 2 * (A - 1) / (A * (1 - self.W.gamma) ** 2 * self.d_min)

    @property
    def L(self) -> F:
        """(1−γ)² d_min A/(4(A−1))."""
        return 1 / (2 * self.U)


def visited(read: Reader) -> Visited:
    """Random pairs, and members of the rare-state family."""
    if read.below(3) == 0:
        eps = F(1, 2 + read.below(60))
        x = rare(
            eps,
            eps * F(read.below(5), 4) / (1 - eps),
            F(1, 2 + read.below(30)),
            flip=("common", "rare")[read.below(2)],
        )
    else:
        x = two(read, S=3)
    return Visited(x.W, x.R1, x.R2)


def as_visited(x: Two) -> Visited:
    """The same pair."""
    return Visited(x.W, x.R1, x.R2)


TIGHT_U = as_visited(rare(F(1, 1000), F(1, 10**6), F(1, 100)))
TIGHT_L = as_visited(one_state([1, -1], [-1, 1], gamma=F(1, 100)))
RARE_COMMON, RARE_RARE = (
    as_visited(rare(F(1, 100), F(1, 1000), F(9, 10))),
    as_visited(rare(F(1, 100), F(1), F(9, 10), flip="rare")),
)

explicit_val: Claim[Visited] = Claim(
    statement="VAL-∞-∞, uniform π0: Reg ≤ 2(A−1)/(A(1−γ)²d_min)·d and Reg ≥ (1−γ)²d_min·A/(4(A−1))·d",
    source=PAPER.at("soundness and completeness; constants derived"),
    let=decoded(visited),
    assume=[nontrivial(as_visited(Two(FIRST.W, 0 * FIRST.R1, FIRST.R2)))],
    then=Leq(lhs=lambda x: [x.reg, x.L * x.d], rhs=lambda x: [x.U * x.d, x.reg]),
    tight=Tight([TIGHT_U, TIGHT_L], within=0.02),
    named={"rare, common flipped": RARE_COMMON, "rare flipped": RARE_RARE},
    mutants=[
        Mutant("U = 1/(1−γ), without d_min", rhs=lambda x: [x.d / (1 - x.W.gamma), x.reg]),
        Mutant("L = ½, without d_min", lhs=lambda x: [F(0), x.d / 2]),
        Mutant("U halved", rhs=lambda x: [x.U * x.d / 2, x.reg]),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Rare:
    """Let R2 flip the common state in the rare-state family, 0 < c ≤ ε/(1−ε)."""

    eps: F
    part: F
    gamma: F

    @property
    def c(self) -> F:
        """part·ε/(1−ε)."""
        return self.part * self.eps / (1 - self.eps)

    @cached_property
    def x(self) -> Visited:
        """The pair."""
        return as_visited(rare(self.eps, self.c, self.gamma))


explicit_val_family: Claim[Rare] = Claim(
    statement="rare-state family: Reg/d = (1−ε)/(ε + (1−ε)c) for 0 < c ≤ ε/(1−ε), any γ",
    source=PAPER.at("soundness and completeness; family derived"),
    let=decoded(lambda b: Rare(F(1, 2 + b.below(100)), F(1 + b.below(8), 8), F(1 + b.below(9), 10)), 6),
    assume=[],
    then=Eq(
        lhs=lambda x: x.x.reg / x.x.d,
        rhs=lambda x: (1 - x.eps) / (x.eps + (1 - x.eps) * x.c),
    ),
    tight=Tight(Rare(F(1, 100), F(1, 8), F(9, 10)), within=0),
    mutants=[
        Mutant("it depends on γ", rhs=lambda x: (1 - x.gamma * x.eps) / (x.eps + (1 - x.eps) * x.c)),
        Mutant("c plays no part", rhs=lambda x: (1 - x.eps) / x.eps),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- the ρ-metric ----------------------------------------------------------------------------
rho_metric: Claim[Two] = Claim(
    statement="½ d_ρ ≤ Reg(R1, R2) ≤ d_ρ, d_ρ = ρ(R1/ρ(R1) − R2/ρ(R2))",
    source=PAPER.at("STARC with n = m = ρ; derived"),
    let=decoded(two),
    assume=[nontrivial(Two(FIRST.W, 0 * FIRST.R1, FIRST.R2))],
    then=Leq(lhs=lambda x: [x.d_rho / 2, x.reg], rhs=lambda x: [x.reg, x.d_rho]),
    tight=Tight([SECOND, SECOND.swapped, OPPOSITE], within=0),
    named={"first": FIRST},
    mutants=[
        Mutant("U = .99", rhs=lambda x: [x.reg, F(99, 100) * x.d_rho]),
        Mutant("L = .51", lhs=lambda x: [F(51, 100) * x.d_rho, F(0)]),
        Mutant("L = 1", lhs=lambda x: [x.d_rho, F(0)]),
    ],
    expect=CERTIFIED,
    draws=60,
)


def four_actions(read: Reader) -> Two:
    """One state, four actions, small integers."""
    r1, r2 = ([read.below(4) for _ in range(4)] for _ in range(2))
    return one_state(r1, r2)


asymmetry: Claim[Two] = Claim(
    statement="Reg(R1, R2) ≤ 2 Reg(R2, R1) for nontrivial rewards",
    source=PAPER.at("worst-case regret is not symmetric; derived"),
    let=decoded(four_actions, 8) | decoded(two),
    assume=[
        Assumption(
            "R1 and R2 are not trivial", lambda x: min(x.sizes) > 0, Two(FIRST.W, FIRST.R1, 0 * FIRST.R2)
        )
    ],
    then=Leq(lhs=lambda x: x.reg, rhs=lambda x: 2 * x.swapped.reg),
    tight=Tight(SECOND, within=0),
    mutants=[
        Mutant("symmetric", then=Eq(lambda x: x.reg, lambda x: x.swapped.reg)),
        Mutant("constant 1.9", rhs=lambda x: F(19, 10) * x.swapped.reg, named_only=True),
    ],
    expect=CERTIFIED,
    draws=60,
)


def three_actions(read: Reader) -> Two:
    """One state, three actions, small integers."""
    r1, r2 = ([read.below(6) for _ in range(3)] for _ in range(2))
    return one_state(r1, r2)


asymmetry_hexagon: Claim[Two] = Claim(
    statement="one state, three actions: Reg(R1, R2) = Reg(R2, R1), as the ball of ρ is a hexagon",
    source=PAPER.at("worst-case regret is not symmetric; derived"),
    let=decoded(three_actions, 6),
    assume=[
        Assumption(
            "R1 and R2 are not trivial",
            lambda x: min(x.sizes) > 0,
            one_state([0, 1, 2], [0, 0, 0]),
        )
    ],
    then=Eq(lhs=lambda x: 1 + x.reg, rhs=lambda x: 1 + x.swapped.reg),
    tight=Tight(one_state([0, 1, 3], [0, 2, 3]), within=0),
    mutants=[Mutant("and with four actions", let=decoded(four_actions, 8))],
    expect=CERTIFIED,
    draws=60,
)


bilipschitz: Claim[Visited] = Claim(
    statement="(L1/U2)d1 ≤ d2 ≤ (U1/L2)d1 for sound and complete d1, d2; here d_ρ and VAL-∞-∞",
    source=PAPER.at("Corollary: sound and complete metrics are bilipschitz equivalent"),
    let=decoded(visited),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.d_rho / (2 * x.U), x.d, x.d_rho / 2],
        rhs=lambda x: [x.d, x.d_rho / x.L, 2 * x.d_rho / 2],
    ),
    tight=Loose(0.51, "each side loses a factor 2: d1 = d2 = d_ρ gives ½d ≤ d ≤ 2d"),
    named={"first": as_visited(FIRST)},
    mutants=[Mutant("d_ρ ≤ VAL-∞-∞", then=Leq(lambda x: x.d_rho, lambda x: x.d))],
    expect=CERTIFIED,
    draws=60,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
