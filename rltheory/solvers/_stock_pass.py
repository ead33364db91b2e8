"""One backward pass over x_t = γ^t c_t on nodes lo_t + jδ, and the forward push of its policy.

V_H(x) = f(x), V_t(s, x) = max_a Σ_k p_k V_{t+1}(s'_k, x + γ^t r_k).  The nodes of step t+1 are those of
step t moved by γ^t r_min, so that outcome k moves every node by the same (offset_k + weight_k)·δ ≥ 0:
interpolation is a fixed pair of weights per reward, and absent (weight 0) on a lattice.

Rounding to nodes is a mean-zero noise of variance w(1−w)δ² a step, so with the largest squared noise

    N_t(s) = max_a Σ_k p_k [w_k(1−w_k)δ² + N_{t+1}(s'_k)],  N_{H−1} = 0,
    |V̂_0 − V*|(s) ≤ L·√N_0(s) ≤ (L/2)·√(Σ_{t=1}^{H−1} δ²),

the last step being evaluated at exact points.  The law pushed forward is that of the policy which
keeps its stock rounded at random; w₁ to it obeys the same bound with L = 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatVec, IntVec, float_array, to_fraction
from ..errors import InvalidArgument
from ..kernels import stock as kernels
from ..results.law import ReturnLaw
from ._progress import Progress
from ._stock_model import Errors, Problem, Stage, U, Utility

NEGLIGIBLE = 1e-18
"""Masses of a law in doubles up to this are dropped, and counted in its error."""


@dataclass(frozen=True, eq=False)
class Rung:
    """Step t → t+1: where each distinct reward sends a node.

    Attributes
    ----------
    low, size
        Position of node 0 at step t, and number of nodes.
    offset, weight
        (D,) nodes moved, relative to the nodes of step t+1.
    """

    low: Any
    size: int
    offset: IntVec
    weight: FloatVec


@dataclass(frozen=True, eq=False)
class Ladder:
    """The nodes of all steps.

    Attributes
    ----------
    rungs
        One a step; the last one's targets are the points where f is evaluated.
    delta
        Spacing.
    tail
        Added to x_H before f: the midpoint of what an infinite horizon still pays.
    exact
        True on a lattice: positions are Fractions, all weights zero.
    first
        Step of the model at which the ladder starts.
    """

    problem: Problem
    rungs: tuple[Rung, ...]
    delta: Any
    tail: Any
    exact: bool
    first: int

    @classmethod
    def build(
        cls,
        problem: Problem,
        H: int,
        low: Any,
        size: int,
        delta: Any,
        *,
        exact: bool,
        tail: Any = 0,
        first: int = 0,
    ) -> Ladder:
        """Steps first..H−1 from `size` nodes, the lowest at `low`; windows grow with the range of rewards."""
        rungs = []
        gamma: Any = problem.rational_gamma if exact else problem.g
        power: Any = gamma**first
        for t in range(first, H):
            stage = problem.stage(t)
            rewards: list[Any] = stage.snapped if exact else [float(r) for r in stage.rewards]
            moves = [power * (r - rewards[0]) / delta for r in rewards]
            if exact:
                offset, weight = np.array([int(x) for x in moves], dtype=np.int64), np.zeros(len(moves))
            else:
                offset, weight = _split(np.array(moves))
            rungs.append(Rung(low, size, offset, weight))
            low, size = low + power * rewards[0], size + int((offset + (weight > 0)).max())
            power *= gamma
        return cls(problem, tuple(rungs), delta, tail, exact, first)

    @property
    def H(self) -> int:
        """Number of steps."""
        return len(self.rungs)

    def stage(self, t: int) -> Stage:
        """Stage of the t-th step of the ladder."""
        return self.problem.stage(self.first + t)

    @cached_property
    def noise(self) -> FloatVec:
        """(S,) √N_0."""
        N = np.zeros(self.problem.S)
        for t in range(self.H - 2, -1, -1):
            stage, w = self.stage(t), self.rungs[t].weight
            m = stage.model
            q = stage.prob * ((w * (1 - w))[stage.kind] + N[m.next_state])
            N = np.maximum.reduceat(np.add.reduceat(q, m.outcome_ptr[:-1]), m.state_ptr[:-1])
        out: FloatVec = np.sqrt(N) * float(self.delta) * (1 + (self.H + 8) * 64 * U)
        return out

    @property
    def a_priori(self) -> float:
        """½·√(Σ_{t=1}^{H−1} δ²)."""
        return 0.0 if self.exact else 0.5 * math.sqrt(self.H - 1) * float(self.delta)

    @cached_property
    def work(self) -> int:
        """Stock nodes times outcomes, over all steps."""
        return sum(r.size * self.stage(t).model.K for t, r in enumerate(self.rungs))

    @cached_property
    def widest(self) -> int:
        """Most nodes of any step."""
        return max(r.size for r in self.rungs)

    @cached_property
    def reach(self) -> float:
        """Largest |x| of any node or end point, plus the rewards paid in absolute value."""
        ends = [abs(float(r.low)) + (r.size + 1) * float(self.delta) for r in self.rungs]
        lo, hi = self.ends[[0, -1]]
        paid = sum(
            self.problem.g ** (self.first + t) * max(abs(float(x)) for x in self.stage(t).rewards)
            for t in range(self.H)
        )
        return max(*ends, abs(float(lo)), abs(float(hi))) + paid

    def power(self, t: int) -> Any:
        """γ^t, t counted from step 0 of the model."""
        return (self.problem.rational_gamma if self.exact else self.problem.g) ** t

    def positions(self, t: int) -> NDArray[Any]:
        """(n_t,) nodes of step t."""
        r = self.rungs[t]
        return _spread(r.low, self.delta, np.arange(r.size), self.exact)

    @cached_property
    def ends(self) -> NDArray[Any]:
        """Points at which f is evaluated: on a lattice its nodes, otherwise the (D·n) exact positions."""
        r, t = self.rungs[-1], self.H - 1
        if self.exact:
            low = r.low + self.power(self.first + t) * self.stage(t).snapped[0] + self.tail
            return _spread(low, self.delta, np.arange(r.size + int(r.offset.max())), True)
        moved = self.power(self.first + t) * np.array([float(x) for x in self.stage(t).rewards])
        points: NDArray[Any] = self.positions(t)[None, :] + moved[:, None] + float(self.tail)
        return points.reshape(-1)

    def per_reward(self, values: NDArray[Any]) -> NDArray[Any]:
        """(D, n) values at `ends`, per distinct reward and node."""
        r = self.rungs[-1]
        if not self.exact:
            return values.reshape(-1, r.size)
        return np.stack([values[o : o + r.size] for o in r.offset])


def backward(
    ladder: Ladder, utility: Utility, *, rational: bool, progress: bool | None = None, label: str = "stock"
) -> Pass:
    """Values at step 0 and the actions of every step.

    `rational` asks for integers over common denominators (Fractions out); the lattice must be exact, the
    probabilities and f rational.
    """
    smooth = not rational and utility.lipschitz is not None
    ends = utility.on(float_array(ladder.ends) if smooth else ladder.ends)
    if rational and ends.dtype != object:
        raise InvalidArgument("stock: f leaves the rationals (it returned a float); use exact=False")
    with Progress(ladder.work, label, progress) as bar:
        if rational:
            return _backward_rational(ladder, utility, ends, bar)
        return _backward_float(ladder, utility, float_array(ends), bar)


def _backward_float(ladder: Ladder, utility: Utility, ends: FloatVec, bar: Progress) -> Pass:
    S, H = ladder.problem.S, ladder.H
    acts: list[NDArray[np.uint16]] = []
    V = np.empty((S, ladder.rungs[-1].size))
    for t in range(H - 1, -1, -1):
        stage, rung = ladder.stage(t), ladder.rungs[t]
        act = np.empty((S, rung.size), dtype=np.uint16)
        if t == H - 1:
            kernels.last_backup(*_without_next(stage), stage.kind, ladder.per_reward(ends), V, act)
        else:
            W, V = V, np.empty((S, rung.size))
            moves = rung.offset[stage.kind], rung.weight[stage.kind]
            kernels.shift_backup(*stage.arrays, *moves, W, V, act)
        acts.append(act)
        bar.advance(rung.size * stage.model.K)
    steepest = (
        float(abs(np.diff(ends)).max()) / float(ladder.delta) if ladder.exact and ends.size > 1 else 0.0
    )
    return Pass(ladder, utility, V, tuple(reversed(acts)), float(abs(ends).max()), False, steepest)


def _backward_rational(ladder: Ladder, utility: Utility, ends: NDArray[Any], bar: Progress) -> Pass:
    """The same in integers: values of step t carry the factor F·Π_{i≥t} D_i."""
    H = ladder.H
    factor = math.lcm(*(to_fraction(y).denominator for y in ends.tolist()))
    whole = np.array([int(to_fraction(y) * factor) for y in ends.tolist()] + [None], dtype=object)[:-1]
    acts: list[NDArray[np.uint16]] = []
    W: Any = None
    for t in range(H - 1, -1, -1):
        stage, rung = ladder.stage(t), ladder.rungs[t]
        weights, common = integer_weights(stage.model.prob)
        factor *= common
        m = stage.model
        V = np.empty((m.S, rung.size), dtype=object)
        act = np.zeros((m.S, rung.size), dtype=np.uint16)
        for s in range(m.S):
            for a in range(m.state_ptr[s], m.state_ptr[s + 1]):
                q: Any = 0
                for k in range(m.outcome_ptr[a], m.outcome_ptr[a + 1]):
                    o = int(rung.offset[stage.kind[k]])
                    source = whole if W is None else W[m.next_state[k]]
                    q = q + weights[k] * source[o : o + rung.size]
                if a == m.state_ptr[s]:
                    V[s] = q
                else:
                    better = q > V[s]
                    V[s] = np.where(better, q, V[s])
                    act[s][better.astype(bool)] = a - m.state_ptr[s]
        W = V
        acts.append(act)
        bar.advance(rung.size * m.K)
    values = np.empty(W.shape, dtype=object)
    values.reshape(-1)[:] = [Fraction(int(v), factor) for v in W.reshape(-1)]
    return Pass(ladder, utility, values, tuple(reversed(acts)), 0.0, True)


@dataclass(frozen=True, eq=False)
class Pass:
    """V_0 at the nodes of step 0 and the actions (positions in the state) of all steps."""

    ladder: Ladder
    utility: Utility
    values: NDArray[Any]
    acts: tuple[NDArray[np.uint16], ...]
    largest: float
    rational: bool
    steepest: float = 0.0

    def errors(self, snap: float = 0.0, tail: float = 0.0, s: int | None = None) -> Errors:
        """|V̂_0 − V*| at nodes, of one state or of all.

        `snap` is what each reward was moved by, `tail` what the return may still differ by.  A utility
        without a Lipschitz constant is taken to be at most twice as steep as between two neighbouring
        nodes; one with jumps is bounded for the moved rewards.
        """
        if self.rational and snap == 0:
            return Errors()
        lad, L = self.ladder, self.utility.L
        noise = float(lad.noise.max() if s is None else lad.noise[s])
        H, problem = lad.H, lad.problem
        slack = max((s.longest + 8) * U + s.defect for s in problem.stages)
        grown = self.largest * (1 + 2 * slack) ** H
        rounding = H * slack * grown + 8 * U * grown
        moved = snap * (float(H) if problem.g == 1 else (1 - problem.g**H) / (1 - problem.g))
        moved += (H + 2) * 16 * U * lad.reach
        if math.isfinite(L):
            return Errors(L * noise, 0.0, L * tail, rounding + L * (moved + 4 * U * lad.reach))
        bend = 2 * self.steepest * (moved + 4 * U * lad.reach) if self.utility.continuous else 0.0
        return Errors(noise and math.inf, 0.0, tail and math.inf, rounding + bend)

    def push(self, s: int, j: int, tail: float = 0.0) -> ReturnLaw:
        """Law of x_H − x_0 from node j of state s under the stored actions."""
        lad = self.ladder
        start = lad.positions(0)[j]
        if self.rational:
            atoms, probs = _push_rational(self, s, j)
            return ReturnLaw([x - start for x in atoms], probs)
        return push_law(lad, s, j, lambda t, mass: self.acts[t], tail)


Actions = Callable[[int, FloatVec], NDArray[np.uint16]]
"""(t, mass (S, n_t)) ↦ (S, n_t) action positions, right at least where there is mass."""


def push_law(lad: Ladder, s: int, j: int, actions: Actions, tail: float = 0.0) -> ReturnLaw:
    """Law of x_H − x_0 from node j of state s, in doubles.

    Its error counts rounding to nodes, `tail`, masses let go and floating point.

    Complexity: nodes with mass times outcomes, per step.
    """
    mass = _pushed(lad, s, j, actions)
    start = lad.positions(0)[j]
    ends = float_array(lad.ends - start if lad.exact else lad.ends - float(start))
    keep = mass > NEGLIGIBLE
    total = mass[keep].sum()
    reach = float(abs(ends).max()) + abs(float(start))
    slack = 2 * lad.H * (4 + max(x.longest for x in lad.problem.stages)) * U
    dropped = 2 * (abs(total - 1) + NEGLIGIBLE * len(mass))
    error = float(lad.noise[s]) + tail + (slack + dropped) * reach + (lad.H + 2) * 16 * U * reach
    return ReturnLaw(ends[keep], mass[keep] / total, error=error, kind="float")


def _pushed(lad: Ladder, s: int, j: int, actions: Actions) -> FloatVec:
    """Mass at every point of `ends`."""
    mass = np.zeros((lad.problem.S, lad.rungs[0].size))
    mass[s, j] = 1.0
    for t in range(lad.H - 1):
        stage, rung = lad.stage(t), lad.rungs[t]
        out = np.zeros((lad.problem.S, lad.rungs[t + 1].size))
        moves = rung.offset[stage.kind], rung.weight[stage.kind]
        kernels.shift_push(*stage.arrays, *moves, actions(t, mass), mass, out)
        mass = out
    stage, rung = lad.stage(lad.H - 1), lad.rungs[-1]
    last = np.zeros((len(stage.rewards), rung.size))
    kernels.last_push(*_without_next(stage), stage.kind, actions(lad.H - 1, mass), mass, last)
    if not lad.exact:
        return last.reshape(-1)
    ends = np.zeros(rung.size + int(rung.offset.max()))
    for d, o in enumerate(rung.offset):
        ends[o : o + rung.size] += last[d]
    return ends


def _push_rational(done: Pass, s: int, j: int) -> tuple[list[Fraction], list[Fraction]]:
    lad = done.ladder
    mass: dict[tuple[int, int], int] = {(s, j): 1}
    factor = 1
    for t, rung in enumerate(lad.rungs):
        stage = lad.stage(t)
        m, (weights, common) = stage.model, integer_weights(stage.model.prob)
        factor *= common
        new: dict[tuple[int, int], int] = {}
        for (x, i), p in mass.items():
            a = int(m.state_ptr[x]) + int(done.acts[t][x, i])
            for k in range(m.outcome_ptr[a], m.outcome_ptr[a + 1]):
                key = (0 if t == lad.H - 1 else int(m.next_state[k]), i + int(rung.offset[stage.kind[k]]))
                new[key] = new.get(key, 0) + p * weights[k]
        mass = new
    ends = lad.ends
    return [ends[i] for _, i in mass], [Fraction(p, factor) for p in mass.values()]


def integer_weights(prob: NDArray[Any]) -> tuple[list[int], int]:
    """Probabilities as integers over one common denominator."""
    exact = [to_fraction(p) for p in prob.tolist()]
    common = math.lcm(*(p.denominator for p in exact))
    return [int(p * common) for p in exact], common


def _without_next(stage: Stage) -> tuple[Any, ...]:
    return stage.arrays[:3]


def _split(moves: FloatVec) -> tuple[IntVec, FloatVec]:
    """Whole nodes and remaining fraction of each move; a fraction within rounding of 0 or 1 is none."""
    near = np.rint(moves)
    on = abs(moves - near) <= 8 * U * np.maximum(1.0, abs(moves))
    offset = np.where(on, near, np.floor(moves))
    return offset.astype(np.int64), np.where(on, 0.0, moves - offset)


def _spread(low: Any, delta: Any, index: IntVec, exact: bool) -> NDArray[Any]:
    if not exact:
        return float(low) + float(delta) * index
    out = np.empty(index.size, dtype=object)
    out[:] = [low + delta * int(i) for i in index]
    return out
