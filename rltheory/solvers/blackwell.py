"""Blackwell optimality: the exact threshold γ_B and every policy optimal for all γ near 1.

Definitions.  V^π_s(γ) = N_s(γ)/D(γ) with D = det(I − γP_π) > 0 on (0, 1), deg N_s < S, deg D ≤ S.  π is
Blackwell optimal when it is optimal for all γ in some (γ₀, 1); γ_B is the least such γ₀.

Advantages.  With A(s,a) = R(s,a)·D + γ ΣP(s'|s,a)N_s' − N_s, π is optimal at γ iff no A(s,a)(γ) is
positive.  So a Blackwell-optimal π (found by lexicographic policy iteration on its Laurent terms) gives

    γ_B = the largest root in (0, 1) at which some A(s,a) changes sign; 0 if there is none,

a policy is Blackwell optimal iff A(s, π(s)) ≡ 0 in every state, and all of them share V(γ), hence γ_B.
Only N − S polynomials occur, and their roots are separated exactly (Sturm).

Pairs.  Independently, and for few policies: the roots of all N^π_s D^π' − N^π'_s D^π cut (0, 1) into
intervals on which the set of optimal policies is constant; it is found at one rational point of each,
from 1 downwards, until no single policy is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from flint import fmpq, fmpq_mat, fmpq_poly

from ..arrays import IntVec, StateVec
from ..errors import InvalidArgument
from ..kernels import exact as ex
from ..kernels.roots import AlgebraicNumber, isolate_all, largest_sign_change
from ..models.mdp import MDP
from ..models.policy import Policy
from ..operators.policy import policy_rows, rows_policy
from ..portable import Portable
from ..results.enclosure import Enclosure
from .average_reward import AverageReward
from .bounds import stochastic

PAIRWISE_LIMIT = 512


@dataclass(frozen=True, repr=False, eq=False)
class BlackwellSolution(Portable):
    """γ_B and the policies that are optimal for every γ in (γ_B, 1).

    Attributes
    ----------
    threshold
        γ_B, an exact algebraic number in [0, 1).
    pi
        One Blackwell-optimal policy (lowest action ids).
    actions
        Per state, the action ids that Blackwell-optimal policies use.
    every
        Blackwell-optimal policies as (S,) tuples, if they were enumerated; else None, and every choice
        from `actions` is one.
    critical
        (s, a) whose advantage changes sign at γ_B; None if γ_B = 0 or pairs of policies were compared.
    numerators, denominator
        V_s(γ) = numerators[s](γ)/denominator(γ) of every Blackwell-optimal policy (fmpq_poly).
    mdp, solver
        The model solved, over the rationals, and the method.
    """

    threshold: AlgebraicNumber
    pi: Policy
    actions: tuple[tuple[int, ...], ...]
    every: frozenset[tuple[int, ...]] | None
    critical: tuple[int, int] | None
    numerators: tuple[Any, ...]
    denominator: Any
    mdp: MDP
    solver: str
    info: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def count(self) -> int:
        """Number of Blackwell-optimal deterministic policies."""
        return len(self.every) if self.every is not None else int(np.prod([len(a) for a in self.actions]))

    def policies(self) -> Iterator[Policy]:
        """Every Blackwell-optimal deterministic policy."""
        rows = product(*self.actions) if self.every is None else sorted(self.every)
        return (Policy(np.array(d), A=self.mdp.A) for d in rows)

    def V(self, gamma: Fraction | int) -> StateVec:
        """(S,) value of the Blackwell-optimal policies at a rational γ in [0, 1), exactly; V* above γ_B."""
        if not 0 <= gamma < 1:
            raise InvalidArgument(f"gamma={gamma}, must be in [0, 1); at 1 only gain and bias are left")
        x = ex.to_fmpq(Fraction(gamma))
        return ex.from_fmpq_list(n(x) / self.denominator(x) for n in self.numerators)

    def enclosure(self, width: Fraction = Fraction(1, 2**60)) -> Enclosure:
        """Rational bounds on γ_B at most `width` apart."""
        x = self.threshold.refine(width)
        return Enclosure(x.lower, x.upper)

    def __repr__(self) -> str:
        return (
            f"BlackwellSolution(threshold={self.threshold.refine(Fraction(1, 2**60))!r}, pi={self.pi!r}, "
            f"count={self.count}, {self.solver})"
        )


@dataclass(frozen=True)
class Blackwell:
    """The Blackwell threshold and all Blackwell-optimal policies, exactly.

    Parameters
    ----------
    method
        "advantages" (N − S polynomials) or "pairs" (all pairs of policies; at most 512 policies).

    Returns from `run`
    ------------------
    `BlackwellSolution`.  A model in doubles is lifted to the rationals it stores, rows divided by their
    sums: the answer is exact for that model (and may jump with the last bit of the data).

    Raises
    ------
    InvalidArgument
        Unknown method; more than 512 policies with "pairs".

    Complexity: advantages: lexicographic policy iteration, one characteristic polynomial, N − S Sturm
    sequences of degree ≤ S + 1.  Pairs: m^{2S}·S polynomials of degree < 2S.

    Source: Blackwell 1962; Hordijk, Dekker and Kallenberg 1985 (finitely many switches).

    Examples
    --------
    >>> from fractions import Fraction
    >>> from rltheory import gallery
    >>> Blackwell().run(gallery.puterman_two_state(Fraction(9, 10))).threshold
    AlgebraicNumber(10/11)
    """

    method: Literal["advantages", "pairs"] = "advantages"

    def __post_init__(self) -> None:
        if self.method not in ("advantages", "pairs"):
            raise InvalidArgument(f"Blackwell: method={self.method!r}, use 'advantages' or 'pairs'")

    def run(self, mdp: MDP) -> BlackwellSolution:
        """γ_B and the Blackwell-optimal policies of `mdp`; its discount is ignored."""
        model = stochastic(mdp.exact())
        return _by_advantages(model) if self.method == "advantages" else _by_pairs(model)


def rational_value(mdp: MDP, rows: IntVec) -> tuple[list[Any], Any]:
    """(N, D) with V^π_s(γ) = N_s(γ)/D(γ) for the policy that uses pair `rows[s]` in state s.

    D(γ) = γ^S χ(1/γ) for the characteristic polynomial χ of P_π; N = D·Σ γ^k P^k R, cut at degree S − 1.
    Common factors are divided out, D(0) > 0.

    Complexity: O(S³).
    """
    S, one = mdp.S, fmpq(1)
    P, R = ex.policy_system(mdp.rational, [[(int(k), one)] for k in rows])
    D = fmpq_poly(list(reversed(P.charpoly().coeffs())))
    moments, x = [], R
    for _ in range(S):
        moments.append(x.entries())
        x = P * x
    head = D.coeffs()[:S]
    N = []
    for s in range(S):
        series = fmpq_poly([m[s] for m in moments])
        N.append(_truncated(series * fmpq_poly(head), S))
    common = D
    for p in N:
        common = common.gcd(p)
    if common.degree() > 0:
        N, D = [p // common for p in N], D // common
    scale = D(fmpq(0))
    return [p * (1 / scale) for p in N], D * (1 / scale)


def _truncated(p: Any, n: int) -> Any:
    return fmpq_poly(p.coeffs()[:n])


def advantage_numerators(mdp: MDP, rows: IntVec) -> tuple[list[Any], list[Any], Any]:
    """A(s,a) = R(s,a)·D + γ ΣP(s'|s,a)N_s' − N_s over the N pairs, with (N, D) of `rational_value`.

    Positive, zero or negative at γ ∈ (0, 1) as the discounted advantage of the pair is.
    """
    N, D = rational_value(mdp, rows)
    m, x = mdp.rational, fmpq_poly([0, 1])
    out = []
    for k in range(mdp.N):
        later = fmpq_poly([0])
        for j in range(m.indptr[k], m.indptr[k + 1]):
            later += N[m.indices[j]] * m.data[j]
        out.append(D * m.R[k] + x * later - N[int(mdp.pair_state[k])])
    return out, N, D


def _by_advantages(mdp: MDP) -> BlackwellSolution:
    pi = AverageReward(criterion="blackwell").run(mdp).pi
    adv, N, D = advantage_numerators(mdp, policy_rows(mdp, pi))
    zero = np.array([p.degree() < 0 for p in adv], dtype=np.bool_)
    best, critical = AlgebraicNumber.rational(0), None
    for k in np.flatnonzero(~zero):
        root = largest_sign_change(adv[k], 0, 1)
        if root is not None and root > best:
            best, critical = root, (int(mdp.pair_state[k]), int(mdp.pair_action[k]))
    actions = tuple(
        tuple(int(a) for a in mdp.pair_action[i:j][zero[i:j]])
        for i, j in zip(mdp.state_ptr[:-1], mdp.state_ptr[1:], strict=True)
    )
    first = Policy(np.array([a[0] for a in actions]), A=mdp.A)
    return BlackwellSolution(
        best.minimal(), first, actions, None, critical, tuple(N), D, mdp, "Blackwell(advantages)"
    )


def _by_pairs(mdp: MDP) -> BlackwellSolution:
    counts = np.diff(mdp.state_ptr)
    if np.prod(counts.astype(float)) > PAIRWISE_LIMIT:
        raise InvalidArgument(
            f"Blackwell: method='pairs' with {np.prod(counts.astype(float)):.3g} policies, at most "
            f"{PAIRWISE_LIMIT}; use method='advantages'"
        )
    every = [np.array(r) for r in product(*(range(i, j) for i, j in _blocks(mdp)))]
    values = [_by_cramer(mdp, rows) for rows in every]
    cuts = isolate_all(_differences(values), 0, 1)
    left = set(range(len(every)))
    threshold, top = AlgebraicNumber.rational(0), None
    for i, x in enumerate(reversed(_points(cuts))):
        left &= _optimal_at(values, x)
        if not left:
            threshold = cuts[len(cuts) - i]
            break
        top = _optimal_at(values, x) if top is None else top
    assert top is not None
    chosen = frozenset(tuple(int(a) for a in mdp.pair_action[every[k]]) for k in top)
    actions = tuple(tuple(sorted({d[s] for d in chosen})) for s in range(mdp.S))
    first = min(top)
    N, D = values[first]
    return BlackwellSolution(
        threshold.minimal(),
        rows_policy(mdp, every[first]),
        actions,
        chosen,
        None,
        tuple(N),
        D,
        mdp,
        "Blackwell(pairs)",
    )


def _blocks(mdp: MDP) -> list[tuple[int, int]]:
    return [(int(i), int(j)) for i, j in zip(mdp.state_ptr[:-1], mdp.state_ptr[1:], strict=True)]


def _by_cramer(mdp: MDP, rows: IntVec) -> tuple[list[Any], Any]:
    """(N, D) by Cramer's rule: determinants at γ = 0..S, interpolated."""
    S = mdp.S
    P, R = ex.policy_system(mdp.rational, [[(int(k), fmpq(1))] for k in rows])
    samples = []
    for g in range(S + 1):
        M = ex.identity(S) - P * fmpq(g)
        dets = [M.det()]
        for s in range(S):
            column = fmpq_mat(S, S, M.entries())
            for t in range(S):
                column[t, s] = R[t, 0]
            dets.append(column.det())
        samples.append(dets)
    vandermonde = fmpq_mat(S + 1, S + 1, [fmpq(g) ** k for g in range(S + 1) for k in range(S + 1)])
    coefficients = vandermonde.solve(fmpq_mat(S + 1, S + 1, [d for row in samples for d in row]))
    polynomials = [fmpq_poly([coefficients[k, j] for k in range(S + 1)]) for j in range(S + 1)]
    return polynomials[1:], polynomials[0]


def _differences(values: list[tuple[list[Any], Any]]) -> Iterator[Any]:
    """Nonzero N^π_s D^π' − N^π'_s D^π over all states and pairs of policies."""
    for i, (N, D) in enumerate(values):
        for M, E in values[:i]:
            for n, m in zip(N, M, strict=True):
                p = n * E - m * D
                if p.degree() >= 0:
                    yield p


def _points(cuts: list[AlgebraicNumber]) -> list[fmpq]:
    """One rational point in each interval of (0, 1) between consecutive roots, increasing."""
    ends = [AlgebraicNumber.rational(0), *cuts, AlgebraicNumber.rational(1)]
    out = []
    for x, y in zip(ends, ends[1:], strict=False):
        while x.upper >= y.lower:
            width = max(x.upper - x.lower, y.upper - y.lower) / 2
            x, y = x.refine(width), y.refine(width)
        out.append(ex.to_fmpq((x.upper + y.lower) / 2))
    return out


def _optimal_at(values: list[tuple[list[Any], Any]], x: fmpq) -> set[int]:
    """Policies whose value is largest in every state at γ = x."""
    table = [[n(x) / D(x) for n in N] for N, D in values]
    top = [max(column) for column in zip(*table, strict=True)]
    return {k for k, v in enumerate(table) if v == top}
