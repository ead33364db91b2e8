"""Episodes and tuples drawn from a finite-horizon model, kept as counts."""

from __future__ import annotations

import numpy as np

from ..arrays import FloatVec, IntVec, float_array
from ..errors import InvalidArgument
from ..models.finite_horizon import FiniteHorizonMDP

SLACK = 1e-12


def check_rewards(model: FiniteHorizonMDP) -> None:
    """Refuse models whose total reward can leave [0, 1] on some trajectory of positive probability."""
    high, low = np.zeros(model.S), np.zeros(model.S)
    for h in reversed(range(model.H)):
        P, R = np.asarray(model.P[h], dtype=np.float64), np.asarray(model.R[h], dtype=np.float64)
        top = np.where(P > 0, high, -np.inf).max(axis=2) if h < model.H - 1 else 0.0
        bottom = np.where(P > 0, low, np.inf).min(axis=2) if h < model.H - 1 else 0.0
        high, low = (R + top).max(axis=1), (R + bottom).min(axis=1)
    start = np.asarray(model.mu, dtype=np.float64) > 0
    if not (high[start].max() <= 1 + SLACK and low[start].min() >= -SLACK):
        raise InvalidArgument(
            f"rewards: a trajectory pays between {low[start].min():.6g} and {high[start].max():.6g}, totals "
            "must lie in [0, 1]; shift and divide the rewards, the thresholds hold for no others"
        )
    if model.gamma != 1 or np.asarray(model.terminal_reward, dtype=np.float64).any():
        raise InvalidArgument("rewards: gamma must be 1 and nothing may be paid after the last step")


class EpisodeCounts:
    """Counts N[h, s, a, s'] of trajectories and tuples drawn from a model."""

    def __init__(self, model: FiniteHorizonMDP, rng: np.random.Generator) -> None:
        self.P = np.array(model.P, dtype=np.float64)
        self.R = np.array(model.R, dtype=np.float64)
        self.mu = float_array(model.mu)
        self.N = np.zeros(self.P.shape)
        self.starts = np.zeros(model.S)
        self.rng = rng

    def play(self, pi: IntVec, times: int) -> None:
        """Add `times` trajectories of a deterministic policy: one multinomial a layer and state."""
        here = self.rng.multinomial(times, self.mu / self.mu.sum())
        self.starts += here
        for h in range(self.P.shape[0]):
            after = np.zeros_like(here)
            for s in np.flatnonzero(here):
                moved = self.rng.multinomial(here[s], self.P[h, s, pi[h, s]])
                self.N[h, s, pi[h, s]] += moved
                after += moved
            here = after

    def tuples(self, nu: FloatVec, T: int) -> IntVec:
        """(T, H, 3) independent (s, a, s') of every layer from the laws nu (H, S, A)."""
        H, S, A = nu.shape
        out = np.empty((T, H, 3), dtype=np.int64)
        for h in range(H):
            pair = self.rng.choice(S * A, size=T, p=nu[h].reshape(-1) / nu[h].sum())
            s, a = pair // A, pair % A
            u = self.rng.random(T)
            nxt = (np.cumsum(self.P[h, s, a], axis=1) <= u[:, None]).sum(axis=1)
            out[:, h] = np.stack([s, a, np.minimum(nxt, S - 1)], axis=1)
        return out

    def add(self, one: IntVec) -> None:
        """Add one tuple a layer, (H, 3)."""
        self.N[np.arange(one.shape[0]), one[:, 0], one[:, 1], one[:, 2]] += 1
