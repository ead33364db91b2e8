"""Tabular learners written again in plain Python, through the protocol a user's agent implements.

Every sum runs over next states in order and every bonus is computed as the kernels do it, so curves must
agree to the last bit.  Nothing here calls a kernel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rltheory.solvers import Task

TIE = 1e-12


class Table:
    """Counts and greedy planning shared by the learners."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.n = np.zeros((task.S, task.A))
        self.n3 = np.zeros((task.S, task.A, task.S))
        self.N, self.P = self.n.copy(), self.n3.copy()
        self.upper = np.zeros((task.H + 1, task.S))

    def moments(self, s: int, a: int, V: Any) -> tuple[float, float]:
        """P̂V and 𝕍(P̂, V)."""
        first = second = 0.0
        for y in range(self.task.S):
            first += float(self.P[s, a, y]) * float(V[y])
            second += float(self.P[s, a, y]) * (float(V[y]) * float(V[y]))
        return first, max(0.0, second - first * first)

    def bonus(self, N: float, var: float) -> float:
        """b_h(s, a)."""
        raise NotImplementedError

    def plan(self, scale: float) -> Any:
        """(H, S) greedy policy; fills `upper`."""
        t = self.task
        assert t.R is not None
        pi = np.zeros((t.H, t.S), dtype=np.int64)
        for h in reversed(range(t.H)):
            for s in range(t.S):
                q = []
                for a in range(t.A):
                    N = float(self.N[s, a])
                    if N == 0:
                        q.append(t.vmax)
                        continue
                    mean, var = self.moments(s, a, self.upper[h + 1])
                    q.append(min(t.vmax, float(t.R[0, s, a]) + mean + scale * self.bonus(N, var)))
                self.upper[h, s] = max(q)
                pi[h, s] = next(a for a in range(t.A) if q[a] >= max(q) - TIE)
        return pi


class HoeffdingLearner(Table):
    """UCBVI-CH."""

    def __init__(self, task: Task, scale: float, delta: float) -> None:
        super().__init__(task)
        self.scale = scale
        self.L = math.log(5 * task.S * task.A * task.T / delta)

    def bonus(self, N: float, var: float) -> float:
        return 7.0 * self.task.vmax * self.L / math.sqrt(N)

    def policy(self) -> Any:
        self.N = self.n.copy()
        self.P = self.n3 / np.maximum(self.n, 1)[:, :, None]
        return self.plan(self.scale)

    def observe(self, states: Any, actions: Any, rewards: Any) -> None:
        for s, a, y in zip(states[:-1], actions, states[1:], strict=True):
            self.n[s, a] += 1
            self.n3[s, a, y] += 1


class DoublingLearner(Table):
    """MVP: the model of a pair is refreshed when its count hits a power of two."""

    def __init__(self, task: Task, scale: float, delta: float) -> None:
        super().__init__(task)
        self.scale = scale
        self.lam = math.log(200 * task.S * task.A * task.H**2 * task.K**2 / delta)
        self.plans, self.due, self.pi = 0, True, None

    def bonus(self, N: float, var: float) -> float:
        c1, c3 = 460 / 9, 544 / 9
        return math.sqrt(c1 * c1 * self.lam / N * var) + c3 * self.task.vmax * self.lam / N

    def policy(self) -> Any:
        if self.due:
            self.pi, self.due = self.plan(self.scale), False
            self.plans += 1
        return self.pi

    def observe(self, states: Any, actions: Any, rewards: Any) -> None:
        for s, a, y in zip(states[:-1], actions, states[1:], strict=True):
            self.n[s, a] += 1
            self.n3[s, a, y] += 1
            if math.log2(self.n[s, a]).is_integer():
                self.N[s, a], self.P[s, a], self.due = self.n[s, a], self.n3[s, a] / self.n[s, a], True


class QLearner:
    """Q-learning UCB-H."""

    def __init__(self, task: Task, scale: float, delta: float) -> None:
        self.task, self.scale = task, scale
        self.iota = math.log(task.S * task.A * task.T / delta)
        self.Q = np.full((task.H, task.S, task.A), float(task.vmax))
        self.upper = np.full((task.H + 1, task.S), float(task.vmax))
        self.upper[-1] = 0
        self.n = np.zeros((task.H, task.S, task.A))

    def policy(self) -> Any:
        best = self.Q.max(axis=2, keepdims=True)
        return np.argmax(best - TIE <= self.Q, axis=2)

    def observe(self, states: Any, actions: Any, rewards: Any) -> None:
        t = self.task
        for h in range(t.H):
            s, a, y, r = int(states[h]), int(actions[h]), int(states[h + 1]), float(rewards[h])
            self.n[h, s, a] += 1
            k = float(self.n[h, s, a])
            step = (t.H + 1.0) / (t.H + k)
            b = self.scale * math.sqrt(t.H * t.vmax * t.vmax * self.iota / k)
            new = (1.0 - step) * float(self.Q[h, s, a]) + step * (r + float(self.upper[h + 1, y]) + b)
            self.Q[h, s, a] = new
            self.upper[h, s] = min(t.vmax, float(self.Q[h, s].max()))


class PosteriorLearner:
    """PSRL, one array of gamma variates an episode."""

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self.task, self.rng = task, rng
        self.n3 = np.zeros((task.G, task.S, task.A, task.S))

    def policy(self) -> Any:
        t = self.task
        assert t.R is not None
        draws = np.maximum(self.rng.standard_gamma(1.0 / t.S + self.n3), 1e-300)
        V, pi = np.zeros(t.S), np.zeros((t.H, t.S), dtype=np.int64)
        for h in reversed(range(t.H)):
            g = 0 if t.G == 1 else h
            new = np.zeros(t.S)
            for s in range(t.S):
                q = []
                for a in range(t.A):
                    total = mean = 0.0
                    for z in draws[g, s, a]:
                        total += float(z)
                    for z, v in zip(draws[g, s, a], V, strict=True):
                        mean += float(z) / total * float(v)
                    q.append(float(t.R[g, s, a]) + mean)
                new[s] = max(q)
                pi[h, s] = next(a for a in range(t.A) if q[a] >= max(q) - TIE)
            V = new
        return pi

    def observe(self, states: Any, actions: Any, rewards: Any) -> None:
        for h in range(self.task.H):
            self.n3[0 if self.task.G == 1 else h, states[h], actions[h], states[h + 1]] += 1


@dataclass(frozen=True)
class Python:
    """The learner `kind` as a user's agent."""

    kind: type
    scale: float = 1.0
    delta: float = 0.1

    def learner(self, task: Task, rng: np.random.Generator) -> Any:
        if self.kind is PosteriorLearner:
            return PosteriorLearner(task, rng)
        return self.kind(task, self.scale, self.delta)
