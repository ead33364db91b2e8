"""Continuous control tasks on grids: the next state of the dynamics, spread over the grid cell around it.

Definitions.  Each task has axes (sides of a box), one action in an interval, dynamics x' = f(x, a) and a
reward r(x, a).  Grids include both ends of every side.  x' is clamped to the box and replaced by the 2^d
corners of its cell with the weights of multilinear interpolation: these are the transition probabilities,
so the grid model is a finite MDP of its own, always in doubles.  States are row-major, first axis slowest.

Source: the tasks of Shah, Song, Xu and Yang (NeurIPS 2020), with the dynamics of planning code published
earlier by that group; acrobot: Sutton and Barto's, with a smooth reward.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatVec, Real
from ...errors import InvalidArgument
from ..mdp import MDP

BLOCK = 1 << 20
"""Pairs built at a time."""

Point = tuple[FloatVec, ...]
"""One array a coordinate."""


class Task(NamedTuple):
    """A control task: its box, its actions, x' = f(x, a) and r(x, a)."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    action: float
    step: Callable[[Point, FloatVec], Point]
    reward: Callable[[Point, FloatVec], FloatVec]


def inverted_pendulum(states: Sequence[int] = (25, 25), actions: int = 50, gamma: Real = 0.9) -> MDP:
    """Hold a pendulum up: θ' = wrap(θ + hω), ω' = clip(ω + h(sin θ − ω + a)), h = π/10.

    θ ∈ [−π, π] (0 is upright; both ends are grid points), ω ∈ [−10, 10], a ∈ [−1, 1]; the reward is
    e^{cos θ − 1} − a²/10 − 1.

    Parameters
    ----------
    states
        Grid points of each axis, ≥ 2.
    actions
        Equally spaced actions, ≥ 2; the action ids.
    gamma
        Discount in [0, 1).

    Raises
    ------
    InvalidArgument
        Sizes below two, or another number of axes.
    """
    return _grid(_PENDULUM, "inverted_pendulum", states, actions, gamma)


def mountain_car(states: Sequence[int] = (25, 25), actions: int = 50, gamma: Real = 0.9) -> MDP:
    """Climb the hill: v' = clip(v + a/1000 − cos(3x)/400), x' = clip(x + v'); reward 10 at x = ½, else −1.

    x ∈ [−1.2, ½], v ∈ [−0.07, 0.07], a ∈ [−1, 1]; the top is not absorbing.  Arguments as for
    `inverted_pendulum`.
    """
    return _grid(_CAR, "mountain_car", states, actions, gamma)


def double_integrator(states: Sequence[int] = (25, 25), actions: int = 50, gamma: Real = 0.9) -> MDP:
    """Stop at the origin: v' = clip(v + a/10), x' = clip(x + v'/10); reward −(x² + v²)/2.

    x, v ∈ [−3, 3], a ∈ [−1, 1].  Arguments as for `inverted_pendulum`.
    """
    return _grid(_INTEGRATOR, "double_integrator", states, actions, gamma)


def cart_pole(states: Sequence[int] = (7, 7, 7, 7), actions: int = 40, gamma: Real = 0.9) -> MDP:
    """Balance a pole on a cart: axes (θ, θ̇, x, ẋ), force a ∈ [−10, 10], Euler steps of 0.1, all clipped.

    θ ∈ [−π/2, π/2], θ̇ ∈ [−3, 3], x ∈ [−2.4, 2.4], ẋ ∈ [−3.5, 3.5]; cart 1 kg, pole 0.1 kg of half length
    ½ m, g = 9.8; reward cos⁴(15θ), which four or six equally spaced angles see as 0 everywhere.
    Arguments as for `inverted_pendulum`.
    """
    return _grid(_CART, "cart_pole", states, actions, gamma)


def acrobot(states: Sequence[int] = (7, 7, 7, 7), actions: int = 40, gamma: Real = 0.9) -> MDP:
    """Swing two links up: axes (θ1, θ2, θ̇1, θ̇2), torque a ∈ [−10, 10] at the elbow, Euler steps of 0.1.

    Angles in [−π, π] (wrapped), |θ̇1| ≤ 4π, |θ̇2| ≤ 9π (clipped); links of unit mass, length and inertia,
    g = 9.8; reward (−cos θ1 − cos(θ1 + θ2) − 2)/4.  Arguments as for `inverted_pendulum`.
    """
    return _grid(_ACROBOT, "acrobot", states, actions, gamma)


def _wrap(x: FloatVec) -> FloatVec:
    """x modulo 2π in [−π, π)."""
    return np.asarray((x + math.pi) % (2 * math.pi) - math.pi)


def _pendulum_step(x: Point, a: FloatVec) -> Point:
    theta, omega = x
    h = math.pi / 10
    return _wrap(theta + h * omega), omega + h * (np.sin(theta) - omega + a)


def _car_step(x: Point, a: FloatVec) -> Point:
    fast = np.clip(x[1] + 0.001 * a - 0.0025 * np.cos(3 * x[0]), -0.07, 0.07)
    return x[0] + fast, fast


def _integrator_step(x: Point, a: FloatVec) -> Point:
    fast = np.clip(x[1] + 0.1 * a, -3.0, 3.0)
    return x[0] + 0.1 * fast, fast


def _cart_step(x: Point, a: FloatVec) -> Point:
    theta, spin, place, speed = x
    g, cart, pole, half, h = 9.8, 1.0, 0.1, 0.5, 0.1
    push = (a + pole * half * spin**2 * np.sin(theta)) / (pole + cart)
    turn = g * np.sin(theta) - push * np.cos(theta)
    turn = turn / (half * (4 / 3 - pole * np.cos(theta) ** 2 / (pole + cart)))
    slide = push - pole * half * turn * np.cos(theta)
    return theta + h * spin, spin + h * turn, place + h * speed, speed + h * slide


def _acrobot_step(x: Point, a: FloatVec) -> Point:
    t1, t2, w1, w2 = x
    m, link, centre, inertia, g, h = 1.0, 1.0, 0.5, 1.0, 9.8, 0.1
    d1 = m * centre**2 + m * (link**2 + centre**2 + 2 * link * centre * np.cos(t2)) + 2 * inertia
    d2 = m * (centre**2 + link * centre * np.cos(t2)) + inertia
    phi2 = m * centre * g * np.cos(t1 + t2 - math.pi / 2)
    swing = m * link * centre * np.sin(t2)
    phi1 = -swing * w2**2 - 2 * swing * w2 * w1
    phi1 = phi1 + (m * centre + m * link) * g * np.cos(t1 - math.pi / 2) + phi2
    turn2 = (a + d2 / d1 * phi1 - swing * w1**2 - phi2) / (m * centre**2 + inertia - d2**2 / d1)
    turn1 = -(d2 * turn2 + phi1) / d1
    return _wrap(t1 + h * w1), _wrap(t2 + h * w2), w1 + h * turn1, w2 + h * turn2


_PENDULUM = Task(
    (-math.pi, -10.0), (math.pi, 10.0), 1.0, _pendulum_step,
    lambda x, a: np.exp(np.cos(x[0]) - 1) - 0.1 * a**2 - 1,
)  # fmt: skip
_CAR = Task(
    (-1.2, -0.07), (0.5, 0.07), 1.0, _car_step, lambda x, a: np.where(x[0] >= 0.5, 10.0, -1.0) + 0 * a
)
_INTEGRATOR = Task(
    (-3.0, -3.0), (3.0, 3.0), 1.0, _integrator_step, lambda x, a: -0.5 * (x[0] ** 2 + x[1] ** 2) + 0 * a
)
_CART = Task(
    (-math.pi / 2, -3.0, -2.4, -3.5), (math.pi / 2, 3.0, 2.4, 3.5), 10.0, _cart_step,
    lambda x, a: np.cos(15 * x[0]) ** 4 + 0 * a,
)  # fmt: skip
_ACROBOT = Task(
    (-math.pi, -math.pi, -4 * math.pi, -9 * math.pi), (math.pi, math.pi, 4 * math.pi, 9 * math.pi), 10.0,
    _acrobot_step, lambda x, a: (-np.cos(x[0]) - np.cos(x[0] + x[1]) - 2) / 4 + 0 * a,
)  # fmt: skip


def _grid(task: Task, name: str, states: Sequence[int], actions: int, gamma: Real) -> MDP:
    """The finite model of a task: every pair at once, corners of probability 0 left out."""
    sizes, d = [int(n) for n in states], len(task.low)
    if len(sizes) != d or min(*sizes, actions) < 2:
        raise InvalidArgument(
            f"{name}: states={tuple(states)}, actions={actions}; need {d} axes, at least 2 points on each"
        )
    lines = [np.linspace(lo, hi, n) for lo, hi, n in zip(task.low, task.high, sizes, strict=True)]
    choices, S = np.linspace(-task.action, task.action, actions), math.prod(sizes)
    data, indices, counts, R = [], [], [np.zeros(1, dtype=np.int64)], []
    block = max(1, BLOCK // actions)
    for start in range(0, S, block):
        at = np.unravel_index(np.arange(start, min(S, start + block)), sizes)
        x = tuple(np.repeat(line[k], actions) for line, k in zip(lines, at, strict=True))
        a = np.tile(choices, at[0].size)
        index, weight = _corners(task.step(x, a), lines)
        keep = weight > 0
        data.append(weight[keep])
        indices.append(index[keep].astype(np.int32))
        counts.append(keep.sum(axis=1))
        R.append(task.reward(x, a))
    return MDP.from_pairs(
        (np.concatenate(data), np.concatenate(indices), np.cumsum(np.concatenate(counts))),
        np.concatenate(R),
        gamma,
        pair_state=np.repeat(np.arange(S), actions),
        pair_action=np.tile(np.arange(actions), S),
        S=S,
        mu=np.full(S, 1 / S),
    )


def _corners(x: Point, lines: Sequence[FloatVec]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(N, 2^d) states of the corners of the cell around each point, ascending, and their weights."""
    cells, parts = [], []
    for c, line in zip(x, lines, strict=True):
        inside = np.clip(c, line[0], line[-1])
        k = np.clip(np.searchsorted(line, inside, side="right") - 1, 0, line.size - 2)
        cells.append(k)
        parts.append((inside - line[k]) / (line[k + 1] - line[k]))
    index, weight = [], []
    for corner in itertools.product((0, 1), repeat=len(lines)):
        at, w = np.zeros(x[0].size, dtype=np.int64), np.ones(x[0].size)
        for up, k, f, line in zip(corner, cells, parts, lines, strict=True):
            at = at * line.size + k + up
            w = w * (f if up else 1 - f)
        index.append(at)
        weight.append(w)
    return np.stack(index, axis=1), np.stack(weight, axis=1)
