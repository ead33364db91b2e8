"""Negative control: one MDP learned from the episodes of all contexts of a latent MDP, thrown together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatVec
from ...errors import InvalidArgument
from ...models.latent import LatentMDP
from ...seeds import seed_sequence
from .base import Agent, Task
from .latent import LatentRun, check_episodes, check_normalised, start_optima


@dataclass(frozen=True)
class MergedAgent:
    """Negative control: a learner of one MDP, told nothing of contexts.

    Its regret is linear whenever no Markov policy is optimal: it cannot even represent one that is.

    Parameters
    ----------
    agent
        Any agent for episodes of H steps, such as `MVP()`.
    """

    agent: Agent

    def run(self, lmdp: LatentMDP, K: int, *, seed: int = 0, optima: FloatVec | None = None) -> LatentRun:
        """Play K episodes; see `LatentOptimism.run`."""
        check_episodes("MergedAgent", K)
        check_normalised(lmdp)
        model = lmdp.float()
        M, S, A, H = model.M, model.S, model.A, model.H
        stars = start_optima(lmdp) if optima is None else optima
        mass = model.start.sum(axis=0)
        same = not (model.R - model.R[0]).any()
        allowed = np.ones((1, S, A), dtype=np.bool_)
        task = Task(S, A, H, K, 1.0, True, allowed, model.R[:1] if same else None)
        children = seed_sequence(seed).spawn(2)
        learner = self.agent.learner(task, np.random.default_rng(children[1]))
        U = np.random.default_rng(children[0]).random((K, H + 2))
        regret, at_start, paid = np.empty(K), np.empty(K), np.empty(K)
        contexts = np.empty(K, dtype=np.int64)
        cum_w, cum_nu, cum = (np.cumsum(x, axis=-1) for x in (model.weights, model.nu, model.P))
        known: dict[bytes, FloatVec] = {}
        states, actions, rewards = np.zeros(H + 1, np.int64), np.zeros(H, np.int64), np.zeros(H)
        for e in range(K):
            pi = np.array(learner.policy())
            if pi.shape != (H, S) or pi.dtype.kind not in "iu" or pi.min() < 0 or pi.max() >= A:
                raise InvalidArgument(
                    f"MergedAgent: {type(self.agent).__name__} plays policies of shape {pi.shape}, "
                    f"{pi.dtype}; need one action 0..{A - 1} a step and state, {(H, S)}"
                )
            key = pi.tobytes()
            if key not in known:
                known[key] = stars - markov_values(model, pi)
            m = contexts[e] = min(int(np.searchsorted(cum_w, U[e, 0], side="right")), M - 1)
            s = min(int(np.searchsorted(cum_nu[m], U[e, 1], side="right")), S - 1)
            states[0] = s
            for t in range(H):
                a = actions[t] = pi[t, s]
                rewards[t] = model.R[m, s, a]
                s = min(int(np.searchsorted(cum[m, s, a], U[e, 2 + t], side="right")), S - 1)
                states[t + 1] = s
            learner.observe(states.copy(), actions.copy(), rewards.copy())
            regret[e], at_start[e] = known[key].sum(), known[key][states[0]] / mass[states[0]]
            paid[e] = rewards.sum()
        plans = int(getattr(learner, "plans", 0))
        return LatentRun(regret, at_start, np.full(K, np.nan), paid, plans, contexts)


def markov_values(lmdp: LatentMDP, pi: NDArray[Any]) -> NDArray[Any]:
    """(S,) w∘ν(s)·V^π(s) of a (H, S) table of actions by step and state, the same in every context."""
    m, s = np.arange(lmdp.M)[:, None], np.arange(lmdp.S)[None, :]
    V: Any = 0 * lmdp.nu
    for t in reversed(range(lmdp.H)):
        a = np.asarray(pi)[t][None, :]
        V = lmdp.R[m, s, a] + (lmdp.P[m, s, a] * V[:, None, :]).sum(axis=2)
    return np.asarray((lmdp.start * V).sum(axis=0))
