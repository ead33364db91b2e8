"""What an agent of `regret` is: a frozen value that makes learners; a learner plays policies and observes.

A user's own agent needs one method, its learner two:

    class MyAgent:
        def learner(self, task, rng): ...            # a fresh learner for one run
    class MyLearner:
        def policy(self): ...                        # (H, S) actions or (H, S, A) probabilities
        def observe(self, states, actions, rewards): ...    # one episode: H + 1 states, H actions, rewards

An optional attribute `upper`, (H+1, S) or (H, S), holds the learner's optimistic values V̄; `regret`
then compares them with V* in every episode.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ...arrays import BoolVec, FloatVec, IntVec, inside
from ...errors import InvalidArgument
from ...kernels import regret as kernel


@dataclass(frozen=True, eq=False)
class Task:
    """What a learner is told before the first episode.

    Attributes
    ----------
    S, A, H, K
        States, actions, steps an episode, episodes.
    vmax
        Largest total reward of an episode: H (rewards in [0, 1]), or 1 (their sum at most 1), or between.
    stationary
        True if one model serves all steps; counts then carry no step.
    allowed
        (G, S, A) which actions exist, G = 1 if stationary, else H.
    R
        (G, S, A) rewards, or None when they must be learned.
    """

    S: int
    A: int
    H: int
    K: int
    vmax: float
    stationary: bool
    allowed: BoolVec
    R: FloatVec | None = None

    @property
    def T(self) -> int:
        """Steps in all, KH."""
        return self.K * self.H

    @property
    def G(self) -> int:
        """Number of models to learn: 1, or H if the model changes with the step."""
        return 1 if self.stationary else self.H


@runtime_checkable
class Learner(Protocol):
    """One run of an agent."""

    def policy(self) -> NDArray[Any]:
        """(H, S) actions, or (H, S, A) probabilities, of the next episode."""

    def observe(self, states: IntVec, actions: IntVec, rewards: FloatVec) -> None:
        """States (H + 1,), actions (H,) and rewards (H,) of the episode just played."""


@runtime_checkable
class Agent(Protocol):
    """Makes learners; all its parameters are fields, so that a run can be repeated."""

    def learner(self, task: Task, rng: np.random.Generator) -> Learner:
        """A fresh learner; `rng` is its own stream of randomness."""


def check_delta(who: str, delta: float) -> None:
    """0 < δ < 1."""
    if not inside(delta, 0, 1):
        raise InvalidArgument(
            f"{who}: delta={delta!r} is outside (0, 1); the bound holds with probability 1 − delta, use 0.1"
        )


def check_scale(who: str, **values: float) -> None:
    """Multipliers of bonuses are finite and ≥ 0."""
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise InvalidArgument(
                f"{who}: {name}={value}, must be finite and ≥ 0; 1 is the published algorithm"
            )


class CompiledLearner:
    """A library agent's learner: the compiled rules over arrays one may look at.

    Parameters
    ----------
    kind
        Kind of learner, from `rltheory.kernels.regret`.
    task, rng
        As for `Agent.learner`.
    numbers
        c, λ, δ, α, c₁, c₂, c₃ and the numerator of UCBVI-BF's third term.
    explore
        Episodes played uniformly at first (explore-then-commit).
    """

    def __init__(
        self,
        kind: int,
        task: Task,
        rng: np.random.Generator | None,
        *,
        scale: float = 1.0,
        log: float = 0.0,
        delta: float = 0.5,
        alpha: float = 1.0,
        c1: float = 0.0,
        c2: float = 0.0,
        c3: float = 0.0,
        third: float = 0.0,
        explore: int = -1,
        noisy: bool = False,
    ) -> None:
        S, A, H, SA = task.S, task.A, task.H, task.S * task.A
        value_based = kind in (kernel.Q_HOEFFDING, kernel.Q_BERNSTEIN)
        G = H if value_based else task.G
        self.task, self.rng = task, np.random.default_rng() if rng is None else rng
        self.setup = kernel.Setup(
            kind,
            H,
            S,
            A,
            int(task.R is not None),
            int(noisy),
            explore,
            np.array([scale, log, task.vmax, delta, alpha, c1, c2, c3, third, 0.0, 0.0]),
            np.array(np.broadcast_to(task.allowed.reshape(-1, SA), (G, SA)), order="C"),
        )
        cube = (1, 1, 1) if value_based else (G, S, SA)
        second = cube if kind == kernel.MVP_BATCH else (1, 1, 1)
        Q, V = np.full((H, SA), float(task.vmax)), np.zeros((H + 1, S))
        Q[~np.broadcast_to(self.setup.allowed, (H, SA))] = -np.inf
        if value_based:
            V[:H] = task.vmax
        R = np.zeros((G, SA)) if task.R is None else np.broadcast_to(task.R.reshape(-1, SA), (G, SA)).copy()
        pi = np.argmax(np.broadcast_to(self.setup.allowed, (H, SA)).reshape(H, S, A), axis=2)
        self.memory = kernel.Memory(
            *(np.zeros((G, SA)), np.zeros(cube), np.zeros((G, SA)), np.zeros((G, SA)), np.zeros((H, S))),
            *(np.zeros((G, SA)), np.zeros(cube), R, np.zeros((G, SA))),
            *(np.zeros((G, SA)), np.zeros(second), np.zeros((G, SA)), np.zeros((G, SA))),
            *(V, np.zeros((H + 1, S)), Q, pi.astype(np.int64), np.zeros((10, G, SA))),
            *(np.zeros((cube[0], cube[2], cube[1]), dtype=np.uint32), np.zeros((G, SA), dtype=np.int64)),
            np.array([1, 1, 0, 0, -1, 0]),
        )
        self.episode = 0

    @cached_property
    def _uniform(self) -> FloatVec:
        allowed = np.broadcast_to(self.setup.allowed, (self.task.H, self.task.S * self.task.A))
        weights = allowed.reshape(self.task.H, self.task.S, self.task.A).astype(np.float64)
        law: FloatVec = weights / weights.sum(axis=2, keepdims=True)
        return law

    @property
    def upper(self) -> FloatVec:
        """(H+1, S) values V̄ of the last plan."""
        V: FloatVec = self.memory.V
        return V

    @property
    def plans(self) -> int:
        """Number of times a policy was planned, one due after the last episode included."""
        doubling = (kernel.MVP, kernel.MVP_BATCH, kernel.UCRL2)
        due = self.setup.kind in doubling and self.memory.flags[kernel.REPLAN]
        return int(self.memory.flags[kernel.PLANS]) + int(due)

    def policy(self) -> NDArray[Any]:
        """(H, S) actions of the next episode; (H, S, A) where they are drawn uniformly."""
        if kernel.plan(self.setup, self.memory, self.episode, self.rng):
            return self._uniform
        pi: IntVec = self.memory.pi
        return pi

    def observe(self, states: IntVec, actions: IntVec, rewards: FloatVec) -> None:
        """Count one episode."""
        kernel.observe(
            self.setup,
            self.memory,
            np.asarray(states, dtype=np.int64),
            np.asarray(actions, dtype=np.int64),
            np.asarray(rewards, dtype=np.float64),
        )
        self.episode += 1
