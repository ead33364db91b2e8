"""What the numeric stock solvers share: problem, utility, readings with errors, lattice spacing.

The stock follows c' = (c + r)/γ; x_t = γ^t c_t = c_0 + Σ_{i<t} γ^i r_{i+1} is the same memory without
the division, and c_0 + G = x_H.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatVec, IntVec, Real, float_array, to_fraction
from ..errors import InvalidArgument
from ..models.outcomes import OutcomeMDP
from ..operators.objective import Objective
from ..results.law import ReturnLaw

U = 2.0**-53
"""Unit roundoff of a double."""
SIMPLE = 10_000_000
"""Largest denominator of a rational that a double may stand for."""
SNAP = 1e-9
"""Rewards in doubles within this (of the largest) of a multiple of a given spacing are that multiple."""
ROUNDED = 8 * U
"""Doubles within this, relative to the largest, of a simple fraction stand for it."""


# ---- problem -----------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Stage:
    """Outcome arrays of one time step, rewards numbered by distinct value.

    Attributes
    ----------
    model
        The `OutcomeMDP` of the step.
    grid
        Spacing that its rewards are moved onto, if they are doubles and it was given.
    """

    model: OutcomeMDP
    grid: Fraction | None = None

    @cached_property
    def rewards(self) -> list[Any]:
        """Distinct rewards, ascending, in the model's number system."""
        return sorted(set(self.model.reward.tolist())) if self.model.is_exact else self._numbered[0].tolist()

    @cached_property
    def snapped(self) -> list[Fraction]:
        """The distinct rewards as rationals: multiples of `grid`, or else what they stand for."""
        scale = max(abs(float(r)) for r in self.rewards)
        if self.grid is None or self.model.is_exact:
            return [snapped(r, scale) for r in self.rewards]
        near = [round(to_fraction(r) / self.grid) * self.grid for r in self.rewards]
        close = [
            abs(float(to_fraction(r) - q)) <= SNAP * scale for r, q in zip(self.rewards, near, strict=True)
        ]
        return [q if on else to_fraction(r) for r, q, on in zip(self.rewards, near, close, strict=True)]

    @cached_property
    def kind(self) -> IntVec:
        """(K,) index into `rewards`."""
        if not self.model.is_exact:
            return self._numbered[1].astype(np.int64)
        at = {r: d for d, r in enumerate(self.rewards)}
        return np.array([at[r] for r in self.model.reward.tolist()], dtype=np.int64)

    @cached_property
    def _numbered(self) -> tuple[FloatVec, IntVec]:
        return np.unique(self.model.reward + 0.0, return_inverse=True)  # −0 is 0

    @cached_property
    def prob(self) -> FloatVec:
        """(K,) probabilities in doubles."""
        return float_array(self.model.prob)

    @cached_property
    def arrays(self) -> tuple[Any, ...]:
        """state_ptr, outcome_ptr, prob, next_state: how every kernel call starts."""
        m = self.model
        return m.state_ptr, m.outcome_ptr, self.prob, m.next_state

    @cached_property
    def defect(self) -> float:
        """max over pairs of |Σ p − 1|, rounding included."""
        sums = np.add.reduceat(self.prob, self.model.outcome_ptr[:-1])
        return float(abs(sums - 1).max()) + (self.longest + 2) * U

    @cached_property
    def longest(self) -> int:
        """Largest number of outcomes of a pair."""
        return int(np.diff(self.model.outcome_ptr).max())


@dataclass(frozen=True, eq=False)
class Problem:
    """Outcome models of all steps (one, or one a step), discount, and horizon (None: infinite)."""

    stages: tuple[Stage, ...]
    gamma: Any
    H: int | None

    @classmethod
    def of(
        cls, models: OutcomeMDP | Iterable[OutcomeMDP], H: int | None, spacing: Real | None = None
    ) -> Problem:
        """Checked: scalar rewards, one γ, γ < 1 where the horizon is infinite.

        With a `spacing` of the discounted rewards over H steps, rewards in doubles are moved onto it.

        Raises
        ------
        InvalidArgument
            Naming what cannot be solved on a stock line, and what to do instead.
        """
        listed = [models] if isinstance(models, OutcomeMDP) else list(models)
        m = listed[0]
        if m.m is not None:
            raise InvalidArgument(
                f"stock: rewards are vectors of m={m.m}, a stock line holds one number; "
                "use solvers.StockInduction, which carries vector stocks, or model.component(i)"
            )
        if H is None and m.gamma == 1:
            raise InvalidArgument(
                "stock: gamma=1 with an infinite horizon has no bounded return; "
                "pass stock_augmented(model, H=...) or a discount below 1"
            )
        if len(listed) > 1 and len(listed) != H:
            raise InvalidArgument(f"stock: {len(listed)} stages for H={H}; give one model, or one a step")
        grid = None
        if spacing is not None and H is not None and spacing > 0:
            grid = decimal(spacing) * snapped(m.gamma, 1.0).denominator ** (H - 1)
        return cls(tuple(Stage(x, grid) for x in listed), m.gamma, H)

    def stage(self, t: int) -> Stage:
        """Stage of step t."""
        return self.stages[t if len(self.stages) > 1 else 0]

    @property
    def S(self) -> int:
        """Number of states."""
        return self.stages[0].model.S

    @property
    def is_exact(self) -> bool:
        """True for models over the rationals."""
        return all(x.model.is_exact for x in self.stages)

    @cached_property
    def rational_gamma(self) -> Fraction:
        """The discount as a rational, simple if it is a double."""
        return snapped(self.gamma, 1.0)

    @cached_property
    def g(self) -> float:
        """The discount, a double."""
        return float(self.gamma)

    def extreme(self, t: int) -> tuple[Any, Any]:
        """Smallest and largest reward of step t."""
        rewards = self.stage(t).rewards
        return rewards[0], rewards[-1]

    @cached_property
    def span(self) -> tuple[Any, Any]:
        """Bounds on the return: Σ γ^t r_min and Σ γ^t r_max; rational for exact models."""
        if self.H is None:
            lo, hi = self.extreme(0)
            return lo / (1 - self.gamma), hi / (1 - self.gamma)
        power, lo, hi = self.gamma**0, 0 * self.gamma, 0 * self.gamma
        for t in range(self.H):
            a, b = self.extreme(t)
            lo, hi, power = lo + power * a, hi + power * b, power * self.gamma
        return lo, hi


# ---- utility -----------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Utility:
    """E f: the utility f, its slopes (a₊, a₋) where f = a₊x₊ + a₋x₋, its Lipschitz constant or None."""

    f: Callable[[Any], Any]
    slopes: tuple[Real, Real] | None = None
    lipschitz: Real | None = None
    convex: bool = False
    continuous: bool = True

    @classmethod
    def of(cls, objective: Objective) -> Utility:
        """The utility of an objective that has one."""
        if objective.f is None:
            raise InvalidArgument(f"{objective.name} has no utility f")
        shape = objective.shape in ("convex", "linear")
        return cls(objective.f, objective.slopes, objective.lipschitz, shape, objective.continuous)

    def on(self, points: NDArray[Any]) -> NDArray[Any]:
        """f at the points, in their number system (doubles where f leaves the rationals)."""
        if self.slopes is not None and points.dtype != object:
            up, down = float(self.slopes[0]), float(self.slopes[1])
            return np.where(points >= 0, up * points, down * points)
        flat = [self.f(x) for x in points.reshape(-1).tolist()]
        if points.dtype == object and all(isinstance(y, (int, Fraction)) for y in flat):
            out = np.empty(len(flat), dtype=object)
            out[:] = flat
        else:
            out = np.array([float(y) for y in flat])
        return out.reshape(points.shape)

    @property
    def L(self) -> float:
        """Lipschitz constant as a double; infinite where there is none."""
        return math.inf if self.lipschitz is None else float(self.lipschitz)


# ---- values over (state, stock) ------------------------------------------------------------------
@dataclass(frozen=True)
class Reading:
    """One value of V*: estimate and rigorous bounds."""

    value: Any
    lower: Any
    upper: Any


@dataclass(frozen=True, eq=False)
class Errors:
    """Where the error bound of an expected utility comes from; it is the sum.

    Attributes
    ----------
    discretisation, residual, tail, rounding
        Interpolation between nodes; unfinished iteration; truncated horizon; floating point, snapped
        rewards and far field.
    """

    discretisation: float = 0.0
    residual: float = 0.0
    tail: float = 0.0
    rounding: float = 0.0

    @property
    def total(self) -> float:
        """The sum, rounded up."""
        x = self.discretisation + self.residual + self.tail + self.rounding
        return x * (1 + 8 * U) if x > 0 else 0.0

    def __str__(self) -> str:
        parts = (
            ("discretisation", self.discretisation),
            ("residual", self.residual),
            ("tail", self.tail),
            ("rounding", self.rounding),
        )
        shown = [f"{name} {x:.3g}" for name, x in parts if x > 0]
        return f"{self.total:.3g}" + (f" ({' + '.join(shown)})" if len(shown) > 1 else "")


class StockValues(Protocol):
    """sup_π E f(c + G^π) over states and stocks, with the policy that attains it."""

    @property
    def errors(self) -> Errors:
        """Error bound at nodes, and its parts."""
        ...

    def nodes(self) -> NDArray[Any]:
        """(n,) stocks whose values were computed, ascending."""
        ...

    def table(self) -> NDArray[Any]:
        """(S, n) values at the nodes."""
        ...

    def read(self, s: int, stock: Real) -> Reading:
        """V*(s, c) at any stock served."""
        ...

    def action(self, s: int, stock: Real, t: int = 0) -> int:
        """Action id of the policy in state s with stock c_t at step t."""
        ...

    def law(self, s: int, stock: Real) -> ReturnLaw:
        """Law of the return of the policy from (s, c_0)."""
        ...


def bounded(value: Any, error: float, *, convex: float = 0.0) -> Reading:
    """value ± error; an error part `convex` that can only overestimate does not count upwards."""
    if error == 0:
        return Reading(value, value, value)
    v = float(value)
    return Reading(
        v,
        math.nextafter(v - error, -math.inf),
        math.nextafter(v + max(error - convex, 0.0), math.inf),
    )


# ---- lattices ------------------------------------------------------------------------------------
def snapped(r: Any, scale: float) -> Fraction:
    """`r` as a rational: itself; for a double a simple fraction within rounding, or a short decimal."""
    if not isinstance(r, float):
        return to_fraction(r)
    for largest in (10, 1_000):
        q = Fraction(r).limit_denominator(largest)
        if abs(float(Fraction(r) - q)) <= ROUNDED * scale:
            return q
    q = Fraction(repr(float(r)))
    return q if q.denominator <= SIMPLE else Fraction(r)


def decimal(c: Real) -> Fraction:
    """A stock as a rational; a double stands for the decimal it prints as, half an ulp away at most."""
    return Fraction(repr(float(c))) if isinstance(c, (float, np.floating)) else to_fraction(c)


def common_step(values: Iterable[Fraction]) -> Fraction:
    """Largest δ > 0 of which all values are integer multiples; 1 if all are zero."""
    num, den = 0, 1
    for v in values:
        new = math.lcm(den, v.denominator)
        num = math.gcd(num * (new // den), abs(v.numerator) * (new // v.denominator))
        den = new
    return Fraction(num, den) if num else Fraction(1)


def lattice_step(problem: Problem, spacing: Real | None = None) -> tuple[Fraction, float] | None:
    """(δ, snap): all γ^t r lie in δZ for t < H, after moving rewards by at most `snap`; None if they do not.

    A given spacing must divide every γ^t r to 1e−9.

    Raises
    ------
    InvalidArgument
        If a spacing is given of which some reward is no multiple.
    """
    if problem.H is None:
        return None
    given = decimal(spacing) if spacing is not None else None
    gamma = problem.rational_gamma
    if isinstance(problem.gamma, float) and (
        abs(float(gamma) - problem.gamma) > 4 * U or gamma.denominator > SIMPLE
    ):
        return None
    snap, steps = 0.0, []
    for stage in problem.stages:
        for r, q in zip(stage.rewards, stage.snapped, strict=True):
            snap = max(snap, abs(float(to_fraction(r) - q)))
            steps.append(q)
    if not problem.is_exact and any(q.denominator > SIMPLE for q in steps):
        return None
    delta = common_step(steps) / gamma.denominator ** (problem.H - 1)
    if given is None:
        return delta, snap
    if given <= 0 or (delta / given).denominator != 1:
        bad = next((q for q in steps if (q / given).denominator != 1), delta)
        raise InvalidArgument(
            f"spacing={spacing}: the discounted reward {bad} is no multiple of it; "
            f"leave spacing=None (δ={delta} fits) or use StockDP(representation='time')"
        )
    return given, snap
