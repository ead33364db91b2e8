"""Planning and variance from the definitions, in rationals: what the library is compared with.

A rule maps a history (s_1, a_1, r_1, s_2, …, s_t), r None where rewards are hidden, to a law on actions.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np

import rltheory as rl
from rltheory.checks import Reader
from rltheory.models.latent import LatentMDP
from rltheory.solvers import LatentPlanner

HALF = F(1, 2)
History = tuple[Any, ...]
Law = dict[Any, Any]


# ---- instances -------------------------------------------------------------------------------
def read_law(read: Reader, n: int) -> list[F]:
    """A law on n points with few atoms; byte 0 gives the first point."""
    w = [1] + [0] * (n - 1)
    for _ in range(read.below(4)):
        w[read.below(n)] += 1 + read.below(2)
    shift = read.below(n)
    w = w[-shift:] + w[:-shift] if shift else w
    return [F(k, sum(w)) for k in w]


def read_model(
    read: Reader,
    *,
    M: int = 3,
    S: int = 3,
    A: int = 2,
    H: int = 3,
    least: int = 1,
    hidden: bool | None = None,
) -> LatentMDP:
    """At most M contexts, S states, A actions and H steps; the largest total reward is 1 (or 0)."""
    m, s, a, h = 1 + read.below(M), 1 + read.below(S), 1 + read.below(A), least + read.below(H - least + 1)
    observe = bool(read.below(2)) if hidden is None else not hidden
    weights = read.weights(m)
    nu = [read_law(read, s) for _ in range(m)]
    P = [[[read_law(read, s) for _ in range(a)] for _ in range(s)] for _ in range(m)]
    R = [[[F(read.below(3), 2) for _ in range(a)] for _ in range(s)] for _ in range(m)]
    if read.below(2):
        R = [R[0]] * m
    return LatentMDP.from_arrays(
        P, R, weights=weights, nu=nu, H=h, observe_rewards=observe, normalisation="rescale"
    )


def seen(x: LatentMDP, m: int, s: int, a: int) -> Any:
    """The reward as the policy sees it."""
    return x.R[m, s, a] if x.observe_rewards else None


def starts(x: LatentMDP) -> list[tuple[int, int]]:
    """(m, s) with w_m ν_m(s) > 0."""
    return [(m, s) for m in range(x.M) for s in range(x.S) if x.start[m, s] != 0]


def value(x: LatentMDP) -> F:
    """V* by the library."""
    return F(LatentPlanner().run(x).value)


# ---- planning from the definitions -----------------------------------------------------------
def worth(x: LatentMDP, s: int, b: tuple[Any, ...], left: int, split: bool | None = None) -> Any:
    """W(s, b) with `left` steps to go, by the recursion over all histories; rewards split beliefs or not."""
    split = x.observe_rewards if split is None else split
    if left == 0:
        return F(0)
    best: Any = None
    for a in range(x.A):
        q = sum((p * x.R[m, s, a] for m, p in enumerate(b)), F(0))
        groups = sorted({x.R[m, s, a] for m in range(x.M)}) if split else [None]
        for r, u in itertools.product(groups, range(x.S)):
            new = tuple(
                p * x.P[m, s, a, u] if r is None or x.R[m, s, a] == r else F(0) for m, p in enumerate(b)
            )
            if any(new):
                q += worth(x, u, new, left - 1, split)
        best = q if best is None or q > best else best
    return best


def plan(x: LatentMDP, split: bool | None = None) -> F:
    """V* = Σ_s W_1(s, w∘ν(s))."""
    columns = [(s, tuple(x.start[:, s])) for s in range(x.S)]
    return F(sum((worth(x, s, b, x.H, split) for s, b in columns if any(b)), F(0)))


def pomdp_value(x: LatentMDP) -> F:
    """The POMDP with hidden state (m, s) and observation (s, r): V* by its own belief recursion."""

    def go(b: Law, left: int) -> Any:
        if left == 0:
            return F(0)
        options = []
        for a in range(x.A):
            after: dict[Any, Law] = {}
            for (m, s), p in b.items():
                for u in range(x.S):
                    if x.P[m, s, a, u] != 0:
                        part = after.setdefault((u, seen(x, m, s, a)), {})
                        part[m, u] = part.get((m, u), 0) + p * x.P[m, s, a, u]
            now = sum((p * x.R[m, s, a] for (m, s), p in b.items()), F(0))
            options.append(now + sum(go(part, left - 1) for part in after.values()))
        return max(options)

    first: dict[int, Law] = {}
    for m, s in starts(x):
        first.setdefault(s, {})[m, s] = x.start[m, s]
    return F(sum(go(b, x.H) for b in first.values()))


def redrawn(x: LatentMDP) -> F:
    """The optimum if the context were drawn anew at every step: the MDP of the averages."""
    P = sum(x.weights[m] * x.P[m] for m in range(x.M))
    R = sum(x.weights[m] * x.R[m] for m in range(x.M))
    V = rl.exact_array([0] * x.S)
    for _ in range(x.H):
        V = (R + P.dot(V)).max(axis=1)
    return F((x.start.sum(axis=0) * V).sum())


# ---- policies --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Rule:
    """A history-dependent policy drawn from a seed: deterministic, or with laws of multiples of ¼.

    `fixed` gives the law after some histories; elsewhere `otherwise` is played, or the seed decides.
    """

    A: int
    seed: int
    randomised: bool = False
    fixed: dict[History, tuple[F, ...]] = field(default_factory=dict)
    otherwise: int | None = None

    def law(self, history: History) -> tuple[F, ...]:
        """Probabilities of the actions."""
        if history in self.fixed:
            return self.fixed[history]
        if self.otherwise is not None:
            return tuple(F(int(a == self.otherwise)) for a in range(self.A))
        k = zlib.crc32(repr((self.seed, history)).encode()) >> 3
        out = [F(0)] * self.A
        for _ in range(4 if self.randomised else 1):
            out[k % self.A] += F(1, 4) if self.randomised else 1
            k //= 7
        return tuple(out)

    def __call__(self, history: History) -> Any:
        """The law, or the action where one is sure: what the library takes."""
        law = self.law(history)
        return law if self.randomised else law.index(1)


def told(x: LatentMDP, actions: dict[History, int]) -> Rule:
    """The deterministic rule that plays `actions`, and 0 elsewhere."""
    laws = {h: tuple(F(int(a == b)) for b in range(x.A)) for h, a in actions.items()}
    return Rule(x.A, 0, fixed=laws, otherwise=0)


def histories(x: LatentMDP, pi: Rule, m: int, s: int, left: int) -> Iterator[tuple[F, Any, History]]:
    """(probability, total reward, history) of every trajectory of context m from s, action law included."""

    def go(history: History, s: int, left: int, p: F, got: Any) -> Iterator[tuple[F, Any, History]]:
        if left == 0:
            yield p, got, history
            return
        for a, q in enumerate(pi.law(history)):
            if q == 0:
                continue
            r = x.R[m, s, a]
            for u in range(x.S):
                if x.P[m, s, a, u] != 0:
                    longer = (*history, a, seen(x, m, s, a), u)
                    yield from go(longer, u, left - 1, p * q * x.P[m, s, a, u], got + r)

    yield from go((s,), s, left, F(1), F(0))


def total(x: LatentMDP, pi: Rule) -> Law:
    """Law of the total reward."""
    law: Law = {}
    for m, s in starts(x):
        for p, g, _ in histories(x, pi, m, s, x.H):
            law[g] = law.get(g, F(0)) + x.start[m, s] * p
    return law


def mean(law: Law) -> F:
    """E G."""
    return F(sum(p * g for g, p in law.items()))


def variance(law: Law) -> F:
    """Var G."""
    return F(sum(p * g * g for g, p in law.items())) - mean(law) ** 2


def belief_averaged(x: LatentMDP, pi: Rule) -> F:
    """What Var^π would be with Σ_m b_m V_m/Σ_m b_m in place of the alpha vector."""

    def alpha(m: int, history: History, left: int) -> Any:
        if left == 0:
            return F(0)
        s, out = history[-1], F(0)
        for a, q in enumerate(pi.law(history)):
            if q:
                later = sum(
                    x.P[m, s, a, u] * alpha(m, (*history, a, seen(x, m, s, a), u), left - 1)
                    for u in range(x.S)
                    if x.P[m, s, a, u] != 0
                )
                out += q * (x.R[m, s, a] + later)
        return out

    def average(history: History, b: dict[int, F], left: int) -> Any:
        return sum(p * alpha(m, history, left) for m, p in b.items()) / sum(b.values())

    def go(history: History, b: dict[int, F], left: int) -> Any:
        """E Σ 𝕍 from here on, weighted by b."""
        if left <= 1:
            return F(0)
        s, out = history[-1], F(0)
        for a, q in enumerate(pi.law(history)):
            if q == 0:
                continue
            after: dict[History, dict[int, F]] = {}
            for m, p in b.items():
                for u in range(x.S):
                    if x.P[m, s, a, u] != 0:
                        h = (*history, a, seen(x, m, s, a), u)
                        after.setdefault(h, {})[m] = p * q * x.P[m, s, a, u]
            means = {h: average(h, c, left - 1) for h, c in after.items()}
            for m, p in b.items():
                law = [(c[m] / (p * q), means[h]) for h, c in after.items() if m in c]
                out += p * q * (sum(w * v * v for w, v in law) - sum(w * v for w, v in law) ** 2)
            out += sum(go(h, c, left - 1) for h, c in after.items())
        return out

    first = {s: {m: x.start[m, s] for m in range(x.M) if x.start[m, s] != 0} for s in range(x.S)}
    first = {s: b for s, b in first.items() if b}
    means = {s: average((s,), b, x.H) for s, b in first.items()}
    initial = sum(sum(b.values()) * means[s] ** 2 for s, b in first.items())
    initial -= sum(sum(b.values()) * means[s] for s, b in first.items()) ** 2
    return F(initial + sum(go((s,), b, x.H) for s, b in first.items()))


def trees(x: LatentMDP, s: int, left: int) -> Iterator[dict[History, int]]:
    """All deterministic policies for `left` steps from s, as {history: action}."""

    def go(history: History, s: int, left: int) -> Iterator[dict[History, int]]:
        for a in range(x.A):
            if left == 1:
                yield {history: a}
                continue
            nexts = sorted(
                {(u, seen(x, m, s, a)) for m in range(x.M) for u in range(x.S) if x.P[m, s, a, u] != 0},
                key=lambda o: (o[0], o[1] or 0),
            )
            for tails in itertools.product(*(list(go((*history, a, r, u), u, left - 1)) for u, r in nexts)):
                yield {history: a} | {h: c for tail in tails for h, c in tail.items()}

    yield from go((s,), s, left)


def moments_of_all(x: LatentMDP) -> list[tuple[F, F]]:
    """(E G, E G²) of every deterministic history-dependent policy, distinct ones."""
    parts = []
    for s in sorted({s for _, s in starts(x)}):
        found = set()
        for actions in trees(x, s, x.H):
            pi = told(x, actions)
            rows = [
                (x.start[m, s] * p, g)
                for m in range(x.M)
                if x.start[m, s] != 0
                for p, g, _ in histories(x, pi, m, s, x.H)
            ]
            found.add((sum(p * g for p, g in rows), sum(p * g * g for p, g in rows)))
        parts.append(found)
    return [(F(sum(z for z, _ in c)), F(sum(y for _, y in c))) for c in itertools.product(*parts)]


def far_from(x: LatentMDP, c: F) -> F:
    """max_π E(G − c)², by the recursion over histories with the reward so far of every context."""

    def go(s: int, b: tuple[Any, ...], got: tuple[Any, ...], left: int) -> Any:
        if left == 0:
            return sum(p * (g - c) ** 2 for p, g in zip(b, got, strict=True))
        options = []
        for a in range(x.A):
            more = tuple(g + x.R[m, s, a] for m, g in enumerate(got))
            groups = sorted({x.R[m, s, a] for m in range(x.M)}) if x.observe_rewards else [None]
            q = F(0)
            for r, u in itertools.product(groups, range(x.S)):
                new = tuple(
                    p * x.P[m, s, a, u] if r is None or x.R[m, s, a] == r else F(0) for m, p in enumerate(b)
                )
                if any(new):
                    q += go(u, new, more, left - 1)
            options.append(q)
        return max(options)

    zero = (F(0),) * x.M
    return F(sum(go(s, tuple(x.start[:, s]), zero, x.H) for s in range(x.S) if x.start[:, s].any()))


@dataclass(frozen=True)
class Played:
    """Let x be a latent MDP and π a history-dependent policy."""

    x: LatentMDP
    pi: Rule

    @cached_property
    def law(self) -> Law:
        """Law of the total reward, trajectory by trajectory."""
        return total(self.x, self.pi)

    @cached_property
    def moments(self) -> Any:
        """V^π, Var^π and its parts, by the library."""
        return rl.solvers.latent_moments(self.x, self.pi)


def read_played(read: Reader, *, randomised: bool | None = None, **sizes: Any) -> Played:
    """A model and a rule."""
    mixed = bool(read.below(2)) if randomised is None else randomised
    seed = read.below(256)
    x = read_model(read, **sizes)
    return Played(x, Rule(x.A, seed, mixed))


def one_state(*rewards: int) -> LatentMDP:
    """One state, H = 1: action a pays rewards[a]."""
    n = len(rewards)
    R = [[[F(r) for r in rewards]]]
    return LatentMDP.from_arrays([[[[F(1)]] * n]], R, weights=[F(1)], nu=[[F(1)]], H=1)


def doubled(x: LatentMDP) -> LatentMDP:
    """The same model with rewards 2R, not normalised."""
    return x.replace(R=np.asarray(2 * x.R), normalisation="waive")
