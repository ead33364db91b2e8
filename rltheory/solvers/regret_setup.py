"""A model prepared for play: checked, flattened, with V* and the least values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..arrays import FloatVec, IntVec
from ..errors import InvalidArgument
from ..kernels import regret as kernel
from ..models.finite_horizon import FiniteHorizonMDP
from .agents.base import Task

SLACK = 1e-12


@dataclass(frozen=True, eq=False)
class Played:
    """A model prepared for play: the task, the true model in flat arrays, V* and the least values."""

    task: Task
    truth: kernel.Truth
    setup: kernel.Setup
    worst: FloatVec
    shift: float
    noisy: bool

    @property
    def optimum(self) -> float:
        """μ·V*_1."""
        return float(self.truth.start_prob @ self.truth.V_star[0, self.truth.start])

    @property
    def gap(self) -> float:
        """Most regret of one episode: max over s with μ(s) > 0 of V*_1(s) less the least value."""
        at = self.truth.start
        return float((self.truth.V_star[0, at] - self.worst[0, at]).max())


def prepare(
    model: FiniteHorizonMDP,
    *,
    K: int,
    vmax: float | None = None,
    stationary: bool | None = None,
    rewards: Literal["known", "unknown"] = "known",
    noise: Literal["bernoulli"] | None = None,
) -> Played:
    """The task a model sets, with the assumptions of the regret theorems checked; see `regret`."""
    if not isinstance(model, FiniteHorizonMDP):
        raise InvalidArgument(
            f"regret: model is a {type(model).__name__}; regret counts episodes, "
            "use FiniteHorizonMDP.from_mdp(mdp, H=...)"
        )
    if isinstance(K, bool) or not isinstance(K, (int, np.integer)) or K < 1:
        raise InvalidArgument(f"regret: K={K!r}, must be a number of episodes ≥ 1")
    if model.gamma != 1:
        raise InvalidArgument(f"regret: gamma={model.gamma}, the theorems are undiscounted: use gamma=1")
    if any(v != 0 for v in model.terminal_reward):
        raise InvalidArgument("regret: terminal_reward is not 0; pay it in the last step instead")
    if rewards not in ("known", "unknown") or noise not in (None, "bernoulli"):
        raise InvalidArgument(
            f"regret: rewards={rewards!r}, noise={noise!r}; use 'known' or 'unknown', and None or 'bernoulli'"
        )
    if stationary is None:
        stationary = model.stationary
    elif stationary and not model.stationary:
        raise InvalidArgument(
            "regret: stationary=True, but the model changes with the step; pooled counts would mix its steps"
        )
    m = model.float()
    S, A, H = m.S, m.A, m.H
    ptr, nxt, prob, R, allowed = _flat(m)
    shift = -min(0.0, float(R[allowed].min()))
    R = np.where(allowed, R + shift, 0.0)
    top = float(H) if vmax is None else float(vmax)
    _check_rewards(m, R, allowed, ptr, nxt, top, shift, noise)
    G = 1 if stationary else H
    shape = (G, S, A)
    task = Task(
        S,
        A,
        H,
        int(K),
        top,
        bool(stationary),
        np.broadcast_to(allowed.reshape(-1, S, A), shape),
        np.broadcast_to(R.reshape(-1, S, A), shape) if rewards == "known" else None,
    )
    start = np.flatnonzero(m.mu > 0)
    law = m.mu[start]
    cum = np.concatenate([np.cumsum(prob[a:b]) for a, b in zip(ptr[:-1], ptr[1:], strict=True)])
    truth = kernel.Truth(ptr, nxt, prob, cum, R, start, law, np.cumsum(law), np.zeros((H + 1, S)))
    setup = kernel.Setup(
        kernel.UNIFORM, H, S, A, 1, 0, -1, np.zeros(11), np.array(task.allowed.reshape(G, S * A), order="C")
    )
    worst = np.zeros((H + 1, S))
    kernel.optimum(setup, truth, 1.0, truth.V_star)
    kernel.optimum(setup, truth, -1.0, worst)
    return Played(task, truth, setup, worst, shift, noise is not None)


def _flat(m: FiniteHorizonMDP) -> tuple[IntVec, Any, FloatVec, FloatVec, Any]:
    """Rows of all (g, s·A + a): offsets, next states, probabilities; rewards and which rows exist."""
    S, A = m.S, m.A
    counts = np.zeros((len(m.stages), S * A), dtype=np.int64)
    R, allowed = np.zeros((len(m.stages), S * A)), np.zeros((len(m.stages), S * A), dtype=bool)
    nxt, prob = [], []
    for g, stage in enumerate(m.stages):
        data, indices, indptr = stage.csr
        at = stage.pair_state * A + stage.pair_action
        keep = data > 0
        sizes = np.add.reduceat(keep.astype(np.int64), np.asarray(indptr[:-1], dtype=np.int64))
        counts[g, at], R[g, at], allowed[g, at] = sizes, stage.R_pairs, True
        nxt.append(np.asarray(indices)[keep])
        prob.append(np.asarray(data)[keep])
    ptr = np.concatenate([[0], np.cumsum(counts.reshape(-1))])
    return ptr, np.concatenate(nxt).astype(np.uint32), np.concatenate(prob).astype(float), R, allowed


def _check_rewards(
    m: FiniteHorizonMDP,
    R: FloatVec,
    allowed: Any,
    ptr: IntVec,
    nxt: Any,
    vmax: float,
    shift: float,
    noise: str | None,
) -> None:
    """Rewards in [0, 1] for vmax = H; else no path of positive probability pays more than vmax."""
    moved = f" (after adding {shift:.6g} to every step, which changes no regret)" if shift else ""
    if not (math.isfinite(vmax) and 0 < vmax <= m.H):
        raise InvalidArgument(f"regret: vmax={vmax}, must be in (0, H={m.H}]: the largest total reward")
    if vmax == m.H or noise is not None:
        if R.max() > 1 + SLACK:
            g, i = np.unravel_index(int(np.argmax(R)), R.shape)
            s, a = divmod(int(i), m.A)
            raise InvalidArgument(
                f"regret: R[{s}, {a}]={R[g, i]:.6g}{moved}, the theorem assumes rewards in [0, 1]; "
                "divide the rewards by their range"
            )
        if noise is not None and vmax != m.H:
            raise InvalidArgument(
                f"regret: noise={noise!r} with vmax={vmax}: a Bernoulli reward pays 1 in any step; "
                f"use vmax=H={m.H}"
            )
        return
    best = np.zeros(m.S)
    G = R.shape[0]
    rows = ptr.reshape(-1)
    for h in reversed(range(m.H)):
        step = 0 if G == 1 else h
        n = m.S * m.A
        total = np.full(n, -np.inf)
        live = np.flatnonzero(allowed[step])
        lo = rows[step * n : (step + 1) * n][live]
        hi = rows[step * n + 1 : (step + 1) * n + 1][live]
        seen = best[nxt[lo[0] : hi[-1]]]
        total[live] = R[step, live] + np.maximum.reduceat(seen, lo - lo[0])
        best = total.reshape(m.S, m.A).max(axis=1)
    reached = best[np.flatnonzero(m.mu > 0)]
    if reached.max() > vmax * (1 + SLACK):
        raise InvalidArgument(
            f"regret: some episode pays {reached.max():.6g}{moved}, more than vmax={vmax:g}: values would be "
            "clipped below the truth; divide the rewards, or raise vmax"
        )
