"""Regret of optimising the wrong reward: the range of returns, worst-case regret, equality of orders.

Definitions.  J_R(π) = Σ_t γ^t E R_t from the start law; ρ(R) = max_π J_R − min_π J_R, a seminorm that
vanishes exactly on the rewards under which all policies tie (*trivial* rewards);
    Reg(R1, R2) = max{J_1(π1) − J_1(π2) : J_2(π2) ≥ J_2(π1)} / ρ(R1),   0 if R1 is trivial.

Duality.  Reg(R1, R2) ρ(R1) = min_{λ≥0} ρ(R1 − λR2): a convex piecewise linear function of one variable,
each of whose values is two policy optimisations.  Cutting planes: the optimal pair at λ gives the line
α − λβ with α = J_1(π) − J_1(π'), β = J_2(π) − J_2(π'); the two lines nearest the minimum, one falling and
one rising, meet at the next λ.  At the minimum the two pairs, mixed so that Σwβ = 0, are a worst case:
both sides of the identity are exhibited.  Exact models stop at equality, floats at bounds that meet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Real, StateAction
from ..errors import InvalidArgument, NotConverged
from ..models.mdp import MDP
from ..models.policy import Policy
from ..operators.bellman import q_values
from ..operators.occupancy import state_action_occupancy
from ..operators.shaping import dynamics, rewards
from ..results.enclosure import Enclosure, Exactish
from .choice import Portfolio
from .evaluation import evaluate
from .portfolio import solve

TRIVIAL = 1e-9
"""In doubles R is taken for trivial where ρ(R) ≤ TRIVIAL·max|R|."""
LIMIT = 200
FINE = 1e-13


class Extremes(NamedTuple):
    """Best and worst policies of one reward with enclosures of their returns."""

    best: Policy
    worst: Policy
    high: Exactish
    low: Exactish

    @property
    def range(self) -> Exactish:
        """ρ: high − low."""
        return minus(self.high, self.low)


@dataclass(frozen=True)
class WorstCaseRegret:
    """Reg(R1, R2) with the policies that attain it and the dual multiplier that proves it.

    Attributes
    ----------
    regret
        A `Fraction` for exact models, else an `Enclosure`: the lower end is attained by `pi1`, `pi2`,
        the upper one proved by `multiplier`.
    multiplier
        λ with ρ(R1 − λR2) = Reg·ρ(R1); None where R1 is trivial.
    range1, range2
        ρ(R1) and ρ(R2).
    pi1, pi2
        Stochastic policies with J_2(π2) ≥ J_2(π1) and J_1(π1) − J_1(π2) = Reg·ρ(R1).
    evaluations
        Values of ρ computed.
    """

    regret: Exactish
    multiplier: Real | None
    range1: Exactish
    range2: Exactish
    pi1: Policy
    pi2: Policy
    evaluations: int

    def __repr__(self) -> str:
        return f"WorstCaseRegret(regret={self.regret}, multiplier={self.multiplier})"


def reward_extremes(R: ArrayLike, mdp: MDP) -> Extremes:
    """Policies of largest and smallest return under R, with enclosures of both returns.

    Parameters
    ----------
    R
        (S, A, S) reward.
    mdp
        Supplies P, γ and the start law; its own rewards are not used.

    Complexity: two solves.
    """
    return _extremes(_single(R, mdp, "R"), mdp)


def reward_range(R: ArrayLike, mdp: MDP) -> Exactish:
    """ρ(R) = max_π J_R(π) − min_π J_R(π): a `Fraction` for an exact model, else an `Enclosure`.

    Examples
    --------
    >>> from rltheory import MDP
    >>> m = MDP([[[1.0], [1.0]]], [[0.0, 0.0]], gamma=0.5)
    >>> round(float(reward_range([[[1.0], [0.0]]], m)), 12)
    2.0
    """
    return reward_extremes(R, mdp).range


def worst_case_regret(R1: ArrayLike, R2: ArrayLike, mdp: MDP, *, tol: float = 1e-9) -> WorstCaseRegret:
    """Reg(R1, R2): the most a policy can lose under R1, in units of ρ(R1), while not losing under R2.

    Parameters
    ----------
    R1, R2
        (S, A, S) rewards: the one that counts, the one optimised.
    mdp
        Supplies P, γ and the start law.
    tol
        Width asked of the bounds for models in doubles.

    Returns
    -------
    WorstCaseRegret
        Exact for exact models.  R1 trivial gives 0, R2 trivial (R1 not) gives 1.

    Raises
    ------
    InvalidArgument, InvalidModel
        As for `rewards` and `dynamics`.
    NotConverged
        If the bounds do not meet to `tol` after 200 values of ρ.

    Complexity: two solves a cut; at most a few dozen cuts in practice.

    Source: duality of the linear program over pairs of occupancy measures (the notion of worst-case
    regret: Skalse et al. 2024, Definition 6).
    """
    a, b = _single(R1, mdp, "R1"), _single(R2, mdp, "R2")
    one, two = _extremes(a, mdp), _extremes(b, mdp)
    zero = mdp.gamma * 0
    if is_trivial(one.range, R1):
        return WorstCaseRegret(_zero(mdp), None, one.range, two.range, one.best, one.best, 2)
    if is_trivial(two.range, R2):
        number = Fraction(1) if mdp.is_exact else Enclosure(1.0, 1.0)
        return WorstCaseRegret(number, zero, one.range, two.range, one.best, one.worst, 2)
    return _cut(a, b, one, two, mdp, tol)


class _Line(NamedTuple):
    """A pair of policies as a line in λ: α − λβ, with enclosures."""

    up: Policy
    down: Policy
    alpha: Exactish
    beta: Exactish


def _cut(
    a: StateAction, b: StateAction, one: Extremes, two: Extremes, mdp: MDP, tol: float
) -> WorstCaseRegret:
    """Cutting planes on λ ↦ ρ(a − λb), between λ = 0 and 2ρ(a)/ρ(b), where the slope is not negative."""
    unit1, unit2 = middle(one.range), middle(two.range)
    a, b = a / unit1, b / unit2
    scale1 = divide(one.range, unit1)
    left = _line(one.best, one.worst, a, b, mdp)
    lam: Real = mdp.gamma * 0
    upper = _upper(scale1)
    if not _positive(left.beta):
        return _answer(lam, one, two, left, left, unit1, unit2, scale1, upper, mdp, 2)
    right = _line(two.worst, two.best, a, b, mdp)
    for evaluations in range(3, LIMIT):
        slope = middle(left.beta) - middle(right.beta)
        trial = (middle(left.alpha) - middle(right.alpha)) / slope
        trial = max(trial, mdp.gamma * 0)
        model = middle(left.alpha) - trial * middle(left.beta)
        at = _extremes(a - trial * b, mdp)
        if _upper(at.range) < upper or evaluations == 3:
            upper, lam = _upper(at.range), trial
        line = _line(at.best, at.worst, a, b, mdp)
        above = middle(line.alpha) - trial * middle(line.beta) - model
        if above <= (0 if mdp.is_exact else 0.1 * tol):
            return _answer(lam, one, two, left, right, unit1, unit2, scale1, upper, mdp, evaluations)
        if _positive(line.beta):
            left = line
        else:
            right = line
    raise NotConverged(
        f"worst_case_regret: {LIMIT} cuts, upper bound {float(upper)}; use mdp.exact(), or raise tol={tol}"
    )


def _answer(
    lam: Real, one: Extremes, two: Extremes, left: _Line, right: _Line, unit1: Real, unit2: Real,
    scale1: Exactish, upper: Real, mdp: MDP, evaluations: int,
) -> WorstCaseRegret:  # fmt: skip
    """Mix the two pairs so that J_2 does not fall, for certain; bound the regret from both sides."""
    if not _positive(left.beta):
        weight, gain = (mdp.gamma * 0 + 1), _lower(left.alpha)
    else:
        up, fall = _upper(left.beta), -_upper(right.beta)
        weight = fall / (fall + up) if fall > 0 else mdp.gamma * 0
        if not mdp.is_exact:
            weight *= 1 - 4e-16
        gain = weight * _lower(left.alpha) + (1 - weight) * _lower(right.alpha)
    pi1 = _mix(left.up, right.up, weight, mdp)
    pi2 = _mix(left.down, right.down, weight, mdp)
    if mdp.is_exact:
        regret: Exactish = Fraction(gain)
    else:
        low = np.nextafter(np.nextafter(gain, -np.inf) / _upper(scale1), -np.inf)
        high = np.nextafter(upper / _lower(scale1), np.inf)
        regret = Enclosure(max(0.0, float(low)), min(1.0, float(high)))
    return WorstCaseRegret(regret, lam * unit1 / unit2, one.range, two.range, pi1, pi2, evaluations)


def _mix(p: Policy, q: Policy, weight: Real, mdp: MDP) -> Policy:
    """The policy whose occupancy is weight·d^p + (1 − weight)·d^q."""
    if weight == 1 or p is q:
        return p
    if weight == 0:
        return q
    d = weight * state_action_occupancy(mdp, p) + (1 - weight) * state_action_occupancy(mdp, q)
    mass = d.sum(axis=1)
    table = np.where((mass > 0)[:, None], d / np.where(mass > 0, mass, 1)[:, None], p.matrix(mdp.A))
    if not mdp.is_exact:
        table /= table.sum(axis=1, keepdims=True)
    return Policy(table)


def _extremes(r: StateAction, mdp: MDP) -> Extremes:
    """Both ends of the returns under (S, A) rewards r."""
    ends = []
    for sign in (1, -1):
        model = _with_reward(mdp, sign * r)
        sol = solve(model) if mdp.is_exact else Portfolio(tol=FINE).run(model)
        ends.append((sol.pi, expected(sol, mdp)))
    (best, high), (worst, low) = ends
    return Extremes(best, worst, high, minus(_zero(mdp), low))


def _line(up: Policy, down: Policy, a: StateAction, b: StateAction, mdp: MDP) -> _Line:
    sides = []
    for r in (a, b):
        model = _with_reward(mdp, r)
        sides.append(minus(expected(evaluate(model, up), mdp), expected(evaluate(model, down), mdp)))
    return _Line(up, down, *sides)


def _with_reward(mdp: MDP, r: StateAction) -> MDP:
    """The model with (S, A) rewards r."""
    return mdp.replace(R=np.ascontiguousarray(r).reshape(mdp.N))


def expected(sol: Any, mdp: MDP) -> Exactish:
    """Σ μ(s) V(s) of a solution: exact, or enclosed with the rounding of the sum."""
    if mdp.is_exact:
        return Fraction(sum((m * v for m, v in zip(mdp.mu, sol.V, strict=True)), Fraction(0)))
    slack = (mdp.S + 2) * 2.0**-52 * float(np.abs(mdp.mu) @ np.maximum(np.abs(sol.lower), np.abs(sol.upper)))
    low, high = float(mdp.mu @ sol.lower) - slack, float(mdp.mu @ sol.upper) + slack
    return Enclosure(np.nextafter(low, -np.inf), np.nextafter(high, np.inf))


def minus(x: Exactish, y: Exactish) -> Exactish:
    """x − y, outward for enclosures."""
    if isinstance(x, Enclosure) and isinstance(y, Enclosure):
        low, high = float(x.lower) - float(y.upper), float(x.upper) - float(y.lower)
        return Enclosure(math.nextafter(low, -math.inf), math.nextafter(high, math.inf))
    return x - y  # type: ignore[operator]


def divide(x: Exactish, y: Real) -> Exactish:
    """x / y for y > 0, outward for enclosures."""
    if isinstance(x, Enclosure):
        low, high = float(x.lower) / float(y), float(x.upper) / float(y)
        return Enclosure(math.nextafter(low, -math.inf), math.nextafter(high, math.inf))
    return x / Fraction(y)


def _zero(mdp: MDP) -> Exactish:
    return Fraction(0) if mdp.is_exact else Enclosure(0.0, 0.0)


def _single(R: ArrayLike, mdp: MDP, name: str) -> StateAction:
    """(S, A) expected rewards of one (S, A, S) reward."""
    arr = rewards(R, mdp, name)
    if arr.ndim != 3:
        raise InvalidArgument(f"{name}: shape={arr.shape}, one (S, A, S) reward at a time")
    return np.asarray((dynamics(mdp) * arr).sum(axis=-1))


def middle(x: Exactish) -> Any:
    """The number itself, or the middle of its enclosure."""
    return x.mid if isinstance(x, Enclosure) else x


def is_trivial(size: Exactish, R: ArrayLike) -> bool:
    """ρ(R) = 0 exactly, or in doubles ρ(R) ≤ 1e-9·max|R|."""
    if not isinstance(size, Enclosure):
        return bool(size == 0)
    largest = float(np.abs(np.asarray(R, dtype=np.float64)).max())
    return bool(largest == 0 or size.upper <= TRIVIAL * largest)


def _upper(x: Exactish) -> Any:
    return x.upper if isinstance(x, Enclosure) else x


def _lower(x: Exactish) -> Any:
    return x.lower if isinstance(x, Enclosure) else x


def _positive(x: Exactish) -> bool:
    return bool(_upper(x) > 0)


@dataclass(frozen=True)
class PolicyOrder:
    """Whether two rewards order all policies alike, and the proof.

    Attributes
    ----------
    same
        True: J_1(π) ≤ J_1(π') exactly where J_2(π) ≤ J_2(π').
    scale
        λ > 0 with ρ(R1 − λR2) = 0, where `same` and neither is trivial; else None.
    pi, pi_other
        Where not `same`: J_`liked`(π) > J_`liked`(π'), while the other reward does not put π first.
    liked
        1 or 2: the reward that prefers π.
    distance
        ρ(R1/ρ(R1) − R2/ρ(R2)), zero exactly where `same` (1 if only one is trivial).
    """

    same: bool
    scale: Real | None
    pi: Policy | None
    pi_other: Policy | None
    liked: int | None
    distance: Exactish

    def __bool__(self) -> bool:
        raise TypeError("PolicyOrder: ask for .same")


def same_policy_order(R1: ArrayLike, R2: ArrayLike, mdp: MDP) -> PolicyOrder:
    """Do R1 and R2 order all policies alike?  Decided in rationals, with a certificate either way.

    Yes exactly if both are trivial or ρ(R1/ρ(R1) − R2/ρ(R2)) = 0; if not, the worst case of Reg(R1, R2)
    or of Reg(R2, R1) is a pair of policies on which they disagree.  Models in doubles are decided for
    the doubles they store (`mdp.exact()`), and so are the rewards.

    Raises
    ------
    InvalidArgument, InvalidModel
        As for `worst_case_regret`.

    Complexity: four exact solves if the orders agree; else those of `worst_case_regret`.

    Source: Skalse & Abate 2023 (characterisation of equal policy orders); here through the range ρ, which
    needs no reachability of states.
    """
    exact = mdp if mdp.is_exact else mdp.exact()
    one, two = (reward_extremes(R, exact) for R in (R1, R2))
    if one.range == 0 or two.range == 0:
        if one.range == two.range:
            return PolicyOrder(True, None, None, None, None, Fraction(0))
        liked, ends = (1, one) if one.range != 0 else (2, two)
        return PolicyOrder(False, None, ends.best, ends.worst, liked, Fraction(1))
    A, B = rewards(R1, exact), rewards(R2, exact)
    distance = reward_range(A / one.range - B / two.range, exact)
    if distance == 0:
        return PolicyOrder(True, Fraction(one.range / two.range), None, None, None, distance)  # type: ignore[operator]
    forth = worst_case_regret(A, B, exact)
    if forth.regret > 0:  # type: ignore[operator]
        return PolicyOrder(False, None, forth.pi1, forth.pi2, 1, distance)
    back = worst_case_regret(B, A, exact)
    return PolicyOrder(False, None, back.pi1, back.pi2, 2, distance)


def optimal_regret(R1: ArrayLike, R2: ArrayLike, mdp: MDP) -> Exactish:
    """max over the policies optimal for R2 of [max J_1 − J_1(π)] / ρ(R1); never above `worst_case_regret`.

    The policies optimal for R2 are those that use only actions of zero advantage (in every state, which
    suffices where all states are reachable): the worst of them solves the model restricted to these
    actions.  For models in doubles advantages within 1e-9·max(1, |V|) of 0 count as zero, and the result
    is an `Enclosure` for the set so chosen.

    Returns
    -------
    `Fraction` or `Enclosure`; 0 where R1 is trivial.
    """
    a, b = _single(R1, mdp, "R1"), _single(R2, mdp, "R2")
    one = _extremes(a, mdp)
    if is_trivial(one.range, R1):
        return _zero(mdp)
    second = _with_reward(mdp, b)
    V = solve(second).V
    gaps: NDArray[Any] = V[:, None] - q_values(second, V)
    slack = 0 if mdp.is_exact else 1e-9 * max(1.0, float(np.abs(V).max()))
    face = _with_reward(mdp, -a).restrict(gaps <= slack)
    worst = expected(solve(face), mdp)
    lost = minus(one.high, minus(_zero(mdp), worst))
    if isinstance(lost, Enclosure) and isinstance(one.range, Enclosure):
        low = max(0.0, float(lost.lower)) / float(one.range.upper)
        high = float(lost.upper) / float(one.range.lower)
        return Enclosure(math.nextafter(low, -math.inf), math.nextafter(high, math.inf))
    return lost / one.range  # type: ignore[operator]
