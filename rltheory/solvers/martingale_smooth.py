"""The learners of `.martingale_learners` for families that are smooth in θ, all runs side by side.

θ is (q, runs, 1) against times (n+1,) and states (runs, n+1): one call of J an episode where θ is frozen
during it, two a step where it is not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..arrays import FloatVec
from ..errors import InvalidArgument, NotConverged
from .martingale_data import PROBES, Episodes, SmoothCandidate, episodes, fits, named_seed
from .martingale_estimate import LearnedValue, of_runs


@dataclass(frozen=True)
class Rule:
    """Which update, and how."""

    kind: Literal["ctd", "monte carlo", "residual"]
    lam: float = 0.0
    online: bool = False
    weighted: bool = False


def run_smooth(learner: Any, task: Any, rule: Rule) -> LearnedValue:
    """All runs at once; run r sees the episodes it sees in a linear family."""
    learner = replace(learner, seed=named_seed(learner.seed))
    what, E, R, n = type(learner).__name__, learner.episodes, learner.runs, learner.n
    if learner.theta0 is not None:
        raise InvalidArgument(f"{what}: theta0 is for linear families; SmoothCandidate has start=")
    check_value(task, n, learner.seed, what)
    theta = np.repeat(task.start[:, None, None], R, axis=1)
    total = np.zeros_like(theta)
    kept = min(E - 1, math.ceil(E * (1 - learner.average))) if learner.average else E - 1
    block = max(1, min(E, PROBES * 8))
    low, high = task.lower[:, None, None], task.upper[:, None, None]
    alpha = learner.alpha(np.arange(E))
    for lo in range(0, E, block):
        count = min(block, E - lo)
        parts = [episodes(task, n, count, learner.seed, r * E + lo) for r in range(R)]
        for e in range(count):
            path = Episodes(
                parts[0].t, parts[0].discount, np.stack([p.x[e] for p in parts]),
                np.stack([p.reward[e] for p in parts]), np.array([p.end[e] for p in parts]),
            )  # fmt: skip
            with np.errstate(over="ignore", invalid="ignore"):
                if rule.online:
                    theta = online(task, path, theta, rule, float(alpha[lo + e]), low, high)
                else:
                    theta = theta + alpha[lo + e] * offline(task, path, theta, rule)
                    theta = np.clip(theta, low, high)
            if lo + e >= kept:
                total += theta
        if not np.isfinite(theta).all():
            raise NotConverged(
                f"{what}: θ is not finite after {lo + count} episodes; take a smaller alpha than "
                f"{learner.alpha}, or bounds in SmoothCandidate"
            )
    return of_runs((total[:, :, 0] / (E - kept)).T.copy(), n, E * R, learner.seed)


def check_value(task: SmoothCandidate, n: int, seed: Any, what: str) -> None:
    """Refuse a J that has another shape than its paths, or is not finite at the first θ."""
    path = episodes(task, n, PROBES, seed, 0)
    theta = np.repeat(task.start[:, None, None], PROBES, axis=1)
    value = np.asarray(task.value(theta, path.t[:-1], path.x[:, :-1]))
    if not fits(value.shape, (PROBES, n)):
        raise InvalidArgument(
            f"{what}: value returned shape {value.shape}, must be (paths, times): ({PROBES}, {n})"
        )
    if not np.isfinite(value).all():
        raise InvalidArgument(f"{what}: value is not finite at the first θ, {task.start}; change start")


def increments(task: SmoothCandidate, path: Episodes, theta: FloatVec) -> tuple[FloatVec, FloatVec]:
    """D (runs, n) at θ, and ψ (q, runs, n+1) with a last column of 0."""
    inner, t = path.x[:, :-1], path.t[:-1]
    R, n = path.reward.shape
    level = np.empty((R, n + 1))
    level[:, :-1] = task.value(theta, t, inner)
    level[:, -1] = path.end
    psi = np.zeros((task.q, R, n + 1))
    for k, slope in enumerate(task.slope(theta, t, inner)):
        psi[k, :, :-1] = slope
    psi *= path.discount
    D = np.diff(level * path.discount, axis=1) + path.reward * (path.discount[:-1] * path.dt)
    return D, psi


def offline(task: SmoothCandidate, path: Episodes, theta: FloatVec, rule: Rule) -> FloatVec:
    """(q, runs, 1) sum of the increments of one episode at frozen θ."""
    D, psi = increments(task, path, theta)
    if rule.kind == "residual":
        step = -(D * np.diff(psi, axis=2)).sum(axis=2)
    elif rule.kind == "monte carlo":
        ahead = np.cumsum(D[:, ::-1], axis=1)[:, ::-1]
        step = (psi[:, :, :-1] * ahead).sum(axis=2) * path.dt
    elif rule.lam > 0:
        decay, z, step = rule.lam**path.dt, np.zeros(psi.shape[:2]), np.zeros(psi.shape[:2])
        for i in range(D.shape[1]):
            z = decay * z + psi[:, :, i] * path.dt
            step += z * D[:, i]
    else:
        tests = psi if rule.weighted else psi / path.discount
        step = (tests[:, :, :-1] * D).sum(axis=2)
    return np.asarray(step[:, :, None])


def online(
    task: SmoothCandidate, path: Episodes, theta: FloatVec, rule: Rule, alpha: float, low: Any, high: Any
) -> FloatVec:
    """θ after one episode of CTD with a change at every step."""
    n = path.reward.shape[1]
    z = np.zeros_like(theta)
    decay = rule.lam**path.dt if rule.lam > 0 else 0.0
    for i in range(n):
        t, x, beta = path.t[i : i + 1], path.x[:, i : i + 1], path.discount
        here = task.value(theta, t, x)
        if i + 1 < n:
            ahead = task.value(theta, path.t[i + 1 : i + 2], path.x[:, i + 1 : i + 2])
        else:
            ahead = path.end[:, None]
        D = beta[i + 1] * ahead - beta[i] * here + path.reward[:, i : i + 1] * (beta[i] * path.dt)
        slope = np.stack([np.broadcast_to(s, theta.shape[1:]) for s in task.slope(theta, t, x)])
        if rule.lam > 0:
            z = decay * z + slope * (beta[i] * path.dt)
        else:
            z = slope * (beta[i] if rule.weighted else 1.0)
        theta = np.clip(theta + alpha * z * D, low, high)
    return theta
