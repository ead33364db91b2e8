"""One seed of a regret run: compiled learners in blocks of episodes, a user's learner episode by episode.

The random streams and what may change when are those of `regret_engine`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import FloatVec, IntVec
from ..errors import InvalidArgument
from ..kernels import regret as kernel
from ..seeds import seed_sequence
from .agents.base import Agent, CompiledLearner, Learner, Task
from .regret_setup import Played

BLOCK = 2048
"""Episodes of one compiled call, between which Ctrl-C and the progress bar are served."""


@dataclass(frozen=True, eq=False)
class Run:
    """What one seed leaves: the rows recorded, totals, plans made, first episode that lost optimism."""

    record: FloatVec
    totals: FloatVec
    plans: int
    lost: int


def streams(seed: int) -> tuple[np.random.Generator, ...]:
    """Generators of states, of the learner and of rewards."""
    return tuple(np.random.default_rng(child) for child in seed_sequence(seed).spawn(3))


def run(
    agent: Agent, played: Played, seed: int, at: IntVec, verify: bool, advance: Callable[[int], None]
) -> Run:
    """Play all episodes of one seed; `advance(n)` is told after every n."""
    rngs = streams(seed)
    learner = agent.learner(played.task, rngs[1])
    if isinstance(learner, CompiledLearner):
        return _run_compiled(learner, played, rngs, at, verify, advance)
    return _run_python(learner, played, rngs, at, verify, advance)


def _totals() -> FloatVec:
    return np.array([0.0, 0.0, 0.0, np.inf, np.inf])


def _run_compiled(
    learner: CompiledLearner,
    played: Played,
    rngs: tuple[np.random.Generator, ...],
    at: IntVec,
    verify: bool,
    advance: Callable[[int], None],
) -> Run:
    task, memory = played.task, learner.memory
    setup = learner.setup._replace(noisy=int(played.noisy))
    totals, record = _totals(), np.empty((4, at.size))
    V_pi = np.zeros((task.H + 1, task.S))
    for first in range(0, task.K, BLOCK):
        last = min(task.K, first + BLOCK)
        kernel.episodes(setup, played.truth, memory, first, last, rngs, at, V_pi, totals, record, verify)
        advance(last - first)
    if setup.kind in (kernel.UNIFORM, kernel.COMMIT, kernel.PSRL):  # they claim no optimism
        totals[kernel.LEAST_GAP] = totals[kernel.LEAST_MARGIN] = np.nan
        memory.flags[kernel.LOST_EPISODE] = -1
        if setup.kind != kernel.PSRL:
            record[3] = np.nan
    return Run(record, totals, learner.plans, int(memory.flags[kernel.LOST_EPISODE]))


def _run_python(
    learner: Learner,
    played: Played,
    rngs: tuple[np.random.Generator, ...],
    at: IntVec,
    verify: bool,
    advance: Callable[[int], None],
) -> Run:
    """The same protocol around a learner in Python."""
    task, truth = played.task, played.truth
    H, S = task.H, task.S
    setup = played.setup._replace(noisy=int(played.noisy))
    totals, record = _totals(), np.empty((4, at.size))
    V_pi, shown = np.zeros((H + 1, S)), None
    states, actions = np.empty(H + 1, dtype=np.int64), np.empty(H, dtype=np.int64)
    paid = np.empty(H)
    lost, point, value, plans = -1, 0, 0.0, 0
    optimum = _at_start(truth, truth.V_star)
    for k in range(task.K):
        pi = check_policy(learner.policy(), task)
        if shown is None or pi.shape != shown.shape or not np.array_equal(pi, shown):
            shown = pi.copy()
            plans += 1
            if pi.ndim == 2:
                kernel.evaluate(setup, truth, pi, False, V_pi)
            else:
                _evaluate_weights(task, truth, pi, V_pi)
            value = _at_start(truth, V_pi)
        gap = math.nan
        upper = getattr(learner, "upper", None)
        if upper is not None:
            high = check_upper(upper, task)
            gap = _at_start(truth, high, less=truth.V_star)
            totals[kernel.LEAST_GAP] = min(totals[kernel.LEAST_GAP], gap)
            least = totals[kernel.LEAST_GAP]
            if verify:
                margin = float((high - truth.V_star[:H]).min())
                totals[kernel.LEAST_MARGIN] = min(totals[kernel.LEAST_MARGIN], margin)
                least = min(least, totals[kernel.LEAST_MARGIN])
            if lost < 0 and least < -1e-9 * max(1.0, task.vmax):
                lost = k
        if pi.ndim == 2:
            kernel.play(setup, truth, pi, False, rngs, states, actions, paid)
        else:
            _play_weights(task, truth, pi, rngs, states, actions, paid, played.noisy)
        earned = 0.0
        for r in paid:
            earned += float(r)
        totals[kernel.PSEUDO] += optimum - value
        totals[kernel.REGRET] += truth.V_star[0, states[0]] - V_pi[0, states[0]]
        totals[kernel.REALISED] += optimum - earned
        learner.observe(states.copy(), actions.copy(), paid.copy())
        if point < at.size and at[point] == k + 1:
            record[:3, point], record[3, point] = totals[:3], gap
            point += 1
        if (k + 1) % 256 == 0 or k + 1 == task.K:
            advance((k % 256) + 1)
    return Run(record, totals, getattr(learner, "plans", plans), lost)


def _at_start(truth: kernel.Truth, V: FloatVec, less: FloatVec | None = None) -> float:
    """μ·V_1 (or μ·(V_1 − less_1)), summed as the kernels do."""
    out = 0.0
    for p, s in zip(truth.start_prob, truth.start, strict=True):
        out += float(p * (V[0, s] if less is None else V[0, s] - less[0, s]))
    return out


def check_policy(pi: Any, task: Task) -> Any:
    """(H, S) allowed action ids, or (H, S, A) laws over allowed actions."""
    x = np.asarray(pi)
    allowed = np.broadcast_to(task.allowed, (task.H, task.S, task.A))
    if x.dtype.kind in "iu" and x.shape == (task.H, task.S):
        x = x.astype(np.int64, copy=False)
        if x.min() >= 0 and x.max() < task.A and np.take_along_axis(allowed, x[..., None], 2).all():
            return np.ascontiguousarray(x)
        inside = np.clip(x, 0, task.A - 1)
        bad = (x != inside) | ~np.take_along_axis(allowed, inside[..., None], 2)[..., 0]
        h, s = (int(v) for v in np.argwhere(bad)[0])
        raise InvalidArgument(f"policy: [h={h}, s={s}]={x[h, s]}, no such action there")
    if x.dtype.kind == "f" and x.shape == (task.H, task.S, task.A):
        wrong = (np.abs(x.sum(axis=2) - 1) > 1e-9) | (x < 0).any(axis=2) | (x * ~allowed != 0).any(axis=2)
        if not wrong.any():
            return x
        h, s = (int(v) for v in np.argwhere(wrong)[0])
        raise InvalidArgument(f"policy: [h={h}, s={s}]={x[h, s]}, must be a law over the allowed actions")
    raise InvalidArgument(
        f"policy: shape={x.shape}, dtype={x.dtype}; must be (H, S)={task.H, task.S} action ids, "
        f"or (H, S, A)={task.H, task.S, task.A} probabilities"
    )


def check_upper(upper: Any, task: Task) -> FloatVec:
    """(H, S) optimistic values, of (H + 1, S) or (H, S) ones without NaN."""
    x = np.asarray(upper, dtype=np.float64)
    if x.shape not in ((task.H, task.S), (task.H + 1, task.S)) or np.isnan(x).any():
        what = "NaN" if x.ndim == 2 and np.isnan(x).any() else f"shape={x.shape}"
        raise InvalidArgument(
            f"upper: {what}; a learner's optimistic values must be {(task.H + 1, task.S)} numbers, "
            "or None where it has none"
        )
    return x[: task.H]


def _row(task: Task, truth: kernel.Truth, h: int, i: int) -> tuple[int, slice]:
    g = 0 if truth.R.shape[0] == 1 else h
    row = g * task.S * task.A + i
    return g, slice(int(truth.ptr[row]), int(truth.ptr[row + 1]))


def _evaluate_weights(task: Task, truth: kernel.Truth, pi: FloatVec, V: FloatVec) -> None:
    for h in reversed(range(task.H)):
        for s in range(task.S):
            total = 0.0
            for a in np.flatnonzero(pi[h, s]):
                i = s * task.A + int(a)
                g, at = _row(task, truth, h, i)
                total += pi[h, s, a] * (truth.R[g, i] + truth.prob[at] @ V[h + 1, truth.nxt[at]])
            V[h, s] = total


def _play_weights(
    task: Task,
    truth: kernel.Truth,
    pi: FloatVec,
    rngs: tuple[np.random.Generator, ...],
    states: IntVec,
    actions: IntVec,
    paid: FloatVec,
    noisy: bool,
) -> None:
    def draw(cum: FloatVec, u: float) -> int:
        return min(int(np.searchsorted(cum, u, side="right")), len(cum) - 1)

    s = int(truth.start[draw(truth.start_cum, rngs[0].random())])
    states[0] = s
    for h in range(task.H):
        options = np.flatnonzero(pi[h, s])
        a = int(options[draw(np.cumsum(pi[h, s, options]), rngs[1].random())])
        i = s * task.A + a
        g, at = _row(task, truth, h, i)
        s = int(truth.nxt[at][draw(truth.cum[at], rngs[0].random())])
        mean = truth.R[g, i]
        paid[h] = float(rngs[2].random() < mean) if noisy else mean
        actions[h], states[h + 1] = a, s
