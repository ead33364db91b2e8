"""Three tools for latent MDPs: the value-difference lemma, the error of guessing the context, pruning."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from math import lcm
from typing import Any

import numpy as np

import rltheory as rl
from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Mutant, Reader, Tight, decoded, run_module
from rltheory.kernels import ball
from rltheory.models.gallery import wait_and_guess
from rltheory.models.latent import LatentMDP
from rltheory.operators import history_tree
from rltheory.solvers import alpha_sets
from rltheory.solvers.latent_alpha import pruned

from .planning import HALF, Rule, histories, read_law, read_model, starts, told
from .setting import PAPER


# ---- 11: value difference ----------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class TwoModels:
    """Let x and y share w, ν and R; π is a policy that is best for x."""

    x: LatentMDP
    y: LatentMDP

    @cached_property
    def pi(self) -> Any:
        """π, defined after everything that either model can show."""
        both = self.x.support | self.y.support
        return alpha_sets(history_tree(self.x, support=both)).policy()

    @cached_property
    def alphas(self) -> tuple[Any, Any]:
        """Alpha vectors of π's nodes in x and in y, by the library."""
        tree = self.pi.tree
        return self.pi.alphas(tree.with_model(self.x)), self.pi.alphas(tree.with_model(self.y))

    @cached_property
    def difference(self) -> list[F]:
        """V^π_m(y)(s) − V^π_m(x)(s) for w_m ν_m(s) > 0."""
        mine, other = self.alphas
        return [F(other[0][self.pi.root[s], m] - mine[0][self.pi.root[s], m]) for m, s in starts(self.x)]

    def walked(self, inside: int, under: str = "x") -> list[F]:
        """E_{π, P_m}[Σ_t (P̃_m − P_m)(·|s_t,a_t)·V(h_t a_t r_t ·)], V from y (inside = 1) or x (0)."""
        tree, V = self.pi.tree, self.alphas[inside]
        law = self.x.P if under == "x" else self.y.P

        def go(m: int, t: int, i: int) -> Any:
            level = self.pi.levels[t]
            s, a = int(level.state[i]), int(level.action[i])
            if t + 1 == len(self.pi.levels):
                return F(0)
            out = F(0)
            for j, c in enumerate(tree.children(s, a)):
                u, k = int(tree.state[c]), int(level.child[i, j])
                if tree.reward[c] not in (None, self.x.R[m, s, a]) or k < 0:
                    continue
                out += (self.y.P[m, s, a, u] - self.x.P[m, s, a, u]) * V[t + 1][k, m]
                if law[m, s, a, u] != 0:
                    out += law[m, s, a, u] * go(m, t + 1, k)
            return out

        return [F(go(m, 0, int(self.pi.root[s]))) for m, s in starts(self.x)]


def read_two(read: Reader) -> TwoModels:
    """A model and new laws for it."""
    x = read_model(read, M=2, S=3, H=3)
    P = [[[read_law(read, x.S) for _ in range(x.A)] for _ in range(x.S)] for _ in range(x.M)]
    return TwoModels(x, x.replace(P=P, normalisation="waive"))


BIASED = TwoModels(wait_and_guess(H=4), wait_and_guess(theta1=HALF, hi=F(3, 4), H=4))

value_difference: Claim[TwoModels] = Claim(
    statement="V^π_m(P̃)(s₁) − V^π_m(P)(s₁) = E_{π,P_m}[Σ_t (P̃_m − P_m)(·|s_t,a_t)·V^{π,P̃}_m(h_t a_t r_t ·)]",
    source=PAPER.at("value difference lemma for LMDPs; derived"),
    let=decoded(read_two, size=220),
    assume=[],
    then=Eq(lhs=lambda x: x.difference, rhs=lambda x: x.walked(1)),
    tight=Tight(BIASED, within=0),
    mutants=[
        Mutant("V^{π,P} inside", rhs=lambda x: x.walked(0)),
        Mutant("expectation under P̃", rhs=lambda x: x.walked(1, "y")),
    ],
    expect=CERTIFIED,
)


# ---- 20: guessing the context ------------------------------------------------------------------
@dataclass(frozen=True)
class Explored:
    """Let π explore x for t transitions."""

    x: LatentMDP
    pi: Rule
    t: int

    @cached_property
    def likelihoods(self) -> list[tuple[F, ...]]:
        """(P_m(h))_m for every history h of t transitions."""
        out: dict[Any, list[F]] = {}
        for m in range(self.x.M):
            for s in range(self.x.S):
                if self.x.nu[m, s] != 0:
                    for p, _, h in histories(self.x, self.pi, m, s, self.t):
                        out.setdefault(h, [F(0)] * self.x.M)[m] += self.x.nu[m, s] * p
        return [tuple(v) for v in out.values()]

    @cached_property
    def error(self) -> F:
        """1 − Σ_h max_m w_m P_m(h)."""
        w = self.x.weights
        return F(1 - sum(max(a * b for a, b in zip(w, row, strict=True)) for row in self.likelihoods))

    @cached_property
    def bound(self) -> Any:
        """Σ_{m<m'} √(w_m w_m')·Σ_h √(P_m P_m'), exact where all roots are, else a ball."""
        w, total = self.x.weights, F(0)
        roots = []
        for i, j in itertools.combinations(range(self.x.M), 2):
            for row in self.likelihoods:
                q = w[i] * w[j] * row[i] * row[j]
                if q:
                    roots.append(q)
        plain = [_root(q) for q in roots]
        total = sum((r for r in plain if r is not None), F(0))
        if None not in plain:
            return total
        with ball.precision(192):
            out = ball.to_arb(total)
            for q, r in zip(roots, plain, strict=True):
                if r is None:
                    out += ball.to_arb(q).sqrt()
            return rl.Enclosure.ball(out)


def _root(q: F) -> F | None:
    """√q if it is rational."""
    from math import isqrt

    a, b = isqrt(q.numerator), isqrt(q.denominator)
    return F(a, b) if a * a == q.numerator and b * b == q.denominator else None


def halved(b: Any) -> Any:
    """b/2."""
    return b / 2 if isinstance(b, F) else rl.Enclosure(b.lower / 2, b.upper / 2)


def read_explored(read: Reader) -> Explored:
    """Rewards may show, too."""
    seed = read.below(256)
    x = read_model(read, M=3, S=2, H=3)
    return Explored(x, Rule(x.A, seed), x.H)


def flips(n: int) -> Explored:
    """Wait and guess, n flips."""
    x = wait_and_guess(H=n + 1)
    return Explored(x, told(x, {}), n)


def alike() -> Explored:
    """Two contexts that are the same, w = ½."""
    x = LatentMDP.from_arrays(
        [[[[HALF, HALF]], [[F(1), F(0)]]]] * 2,
        [[[F(0)], [F(1, 2)]]] * 2,
        weights=[HALF] * 2,
        nu=[[F(1), F(0)]] * 2,
        H=2,
    )
    return Explored(x, told(x, {}), 2)


map_error: Claim[Explored] = Claim(
    statement="1 − Σ_h max_m w_m P_m(h) ≤ Σ_{m<m'} √(w_m w_m') Σ_h √(P_m(h) P_m'(h))",
    source=PAPER.at("derived (Bhattacharyya); likelihood tests for contexts"),
    let=decoded(read_explored, size=160),
    assume=[],
    then=Leq(lhs=lambda x: x.error, rhs=lambda x: x.bound),
    tight=Tight(alike(), within=0),
    named={"one flip": flips(1), "three flips": flips(3), "five flips": flips(5)},
    mutants=[Mutant("half of it", rhs=lambda x: halved(x.bound))],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class Steady(Explored):
    """With a policy that always plays 0, and no rewards seen."""

    @cached_property
    def enumerated(self) -> Any:
        """Σ_h √(P_1 P_2), over all histories."""
        with ball.precision(192):
            out = ball.to_arb(F(0))
            for row in self.likelihoods:
                out += ball.to_arb(row[0] * row[1]).sqrt()
            return rl.Enclosure.ball(out)

    def recursion(self, power: bool = True) -> Any:
        """B_0 = 1; B_t(s) = Σ_s' √(P_1 P_2) B_{t−1}(s'), and the same for the first state."""
        x = self.x
        with ball.precision(192):

            def rooted(q: F) -> Any:
                return ball.to_arb(q).sqrt() if power else ball.to_arb(q)

            B = [ball.to_arb(F(1))] * x.S
            for _ in range(self.t):
                B = [
                    sum(
                        (rooted(x.P[0, s, 0, u] * x.P[1, s, 0, u]) * B[u] for u in range(x.S)),
                        ball.to_arb(F(0)),
                    )
                    for s in range(x.S)
                ]
            first = (ball.to_arb(x.nu[0, s] * x.nu[1, s]).sqrt() * B[s] for s in range(x.S))
            return rl.Enclosure.ball(sum(first, ball.to_arb(F(0))))


def read_steady(read: Reader) -> Steady:
    """Two contexts."""
    x = read_model(read, M=1, S=3, A=1, H=4, hidden=True)
    P = [[[read_law(read, x.S)] for _ in range(x.S)] for _ in range(2)]
    y = LatentMDP.from_arrays(
        P,
        [x.R[0]] * 2,
        weights=[HALF, HALF],
        nu=[x.nu[0]] * 2,
        H=x.H,
        observe_rewards=False,
        normalisation="waive",
    )
    return Steady(y, told(y, {}), y.H)


def steady_flips(n: int) -> Steady:
    """Wait and guess, n flips."""
    return Steady(flips(n).x.replace(observe_rewards=False), flips(n).pi, n)


map_error_recursion: Claim[Steady] = Claim(
    statement="Σ_h √(P_1(h) P_2(h)) = B_t, B_t(s) = Σ_s' √(P_1 P_2)(s'|s) B_{t−1}(s'), to 10⁻³⁰",
    source=PAPER.at("derived"),
    let=decoded(read_steady, size=100),
    assume=[],
    then=Eq(lhs=lambda x: x.enumerated, rhs=lambda x: x.recursion(), within=F(1, 10**30)),
    tight=Tight(steady_flips(3), within=0),
    mutants=[Mutant("without the root", rhs=lambda x: x.recursion(False))],
    expect=CERTIFIED,
)


# ---- 21: pruning -------------------------------------------------------------------------------
Vectors = tuple[tuple[F, ...], ...]
Backup = Callable[[Any, Any], tuple[F, ...]]


@dataclass(frozen=True)
class Sets:
    """Let two sets of alpha vectors be combined by a backup r + f∘α + g∘β, cut off at `top` or at `low`."""

    one: Vectors
    two: Vectors
    f: tuple[F, ...]
    r: F
    top: F
    low: F

    def backed_up(self, one: Vectors, two: Vectors, kind: str) -> Vectors:
        """All pairs; "linear", "capped" (min{top, ·}: monotone) or "floored" (max{low, ·}: convex, too)."""
        cuts = {
            "linear": lambda q: q,
            "capped": lambda q: min(self.top, q),
            "floored": lambda q: max(self.low, q),
        }
        return tuple(
            tuple(cuts[kind](self.r + f * a + (1 - f) * b) for f, a, b in zip(self.f, x, y, strict=True))
            for x, y in itertools.product(one, two)
        )

    def after(self, prune: str, kind: str) -> list[F]:
        """The value at the corners and between them, from pruned sets."""
        vectors = self.backed_up(cut(self.one, prune), cut(self.two, prune), kind)
        pairs = itertools.combinations_with_replacement(range(len(self.f)), 2)
        return [max(v[i] + v[j] for v in vectors) / 2 for i, j in pairs]


def cut(vectors: Vectors, prune: Any) -> Vectors:
    """Pruned by the library, as integers over a common denominator."""
    den = lcm(*(v.denominator for x in vectors for v in x))
    whole = np.array([[int(v * den) for v in x] for x in vectors], dtype=np.int64)
    return tuple(x for x, keep in zip(vectors, pruned(whole, prune), strict=True) if keep)


def read_sets(read: Reader) -> Sets:
    """Two or three contexts, vectors with entries k/20."""
    M = 2 + read.below(2)

    def some() -> Vectors:
        found = [tuple(F(read.below(21), 20) for _ in range(M)) for _ in range(2 + read.below(5))]
        if read.below(4):  # a vector just below a mixture of two others, which are far apart
            found[:2] = [tuple(F(int(m == k)) for m in range(M)) for k in (0, 1)]
            found.append(tuple((a + b) / 2 - F(1, 20) for a, b in zip(found[0], found[1], strict=True)))
        return tuple(found)

    f = tuple(F(read.below(5), 4) for _ in range(M))
    return Sets(some(), some(), f, F(read.below(13), 20), F(1), F(read.below(13), 20))


CAPPED = Sets(
    ((F(1), F(0)), (F(0), F(1)), (F(9, 20), F(9, 20))), ((F(0), F(0)),), (F(1), F(1)), F(3, 5), F(1), F(0)
)


def pairs(x: Sets, kinds: list[tuple[str, str]]) -> list[F]:
    """Values after pruning, for (prune, backup)."""
    return [v for prune, kind in kinds for v in x.after(prune, kind)]


VALID = [
    ("pareto", "linear"),
    ("pareto", "capped"),
    ("pareto", "floored"),
    ("lp", "linear"),
    ("lp", "floored"),
]

pareto_prune: Claim[Sets] = Claim(
    statement="Pareto pruning keeps the optimum of monotone backups, hull pruning that of convex ones",
    source=PAPER.at("derived; alpha-vector pruning"),
    let=decoded(read_sets, size=80),
    assume=[],
    then=Eq(
        lhs=lambda x: pairs(x, VALID),
        rhs=lambda x: pairs(x, [("none", kind) for _, kind in VALID]),
    ),
    tight=Tight(CAPPED, within=0),
    mutants=[
        Mutant(
            "hull pruning is always valid",
            then=Eq(
                lhs=lambda x: pairs(x, [("lp", "capped")]),
                rhs=lambda x: pairs(x, [("none", "capped")]),
            ),
        )
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
