"""Regret of an agent on a finite-horizon model, over many seeds; values of the policies played are computed.

    pseudo-regret   Σ_k μ·(V*_1 − V^{π_k}_1)
    regret          Σ_k V*_1(s_1^k) − V^{π_k}_1(s_1^k)       the start states as drawn
    realised        Σ_k μ·V*_1 − (rewards paid in episode k)

Protocol, the same for compiled and for a user's learners: models, counts and policy change between
episodes only.  `SeedSequence(seed).spawn(3)`: the first child gives H + 1 uniforms an episode, u_0 for
s_1 and u_h for s_{h+1}, by inverse distribution function; the second belongs to the learner (and draws
the actions of random policies, one uniform a step); the third draws rewards, where they are random.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Literal

import numba
import numpy as np

from ..arrays import FloatVec, IntVec
from ..errors import InvalidArgument
from ..kernels import regret as kernel
from ..models.finite_horizon import FiniteHorizonMDP
from ..models.latent import LatentMDP
from ._progress import Progress
from .agents.base import Agent, CompiledLearner, Learner, Task
from .regret_curve import RegretCurve

if TYPE_CHECKING:
    from .latent_curve import LatentAgent

BLOCK = 2048
"""Episodes of one compiled call, between which Ctrl-C and the progress bar are served."""
POINTS = 600
"""About as many episodes are recorded of a long run."""
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


def regret(
    agent: Agent | LatentAgent,
    model: FiniteHorizonMDP | LatentMDP,
    *,
    K: int,
    seeds: Iterable[int] = range(50),
    vmax: float | None = None,
    stationary: bool | None = None,
    rewards: Literal["known", "unknown"] = "known",
    noise: Literal["bernoulli"] | None = None,
    points: int | Sequence[int] | None = None,
    verify: bool = False,
    threads: int | None = None,
    progress: bool | None = None,
) -> RegretCurve:
    """Σ_k μ·(V*_1 − V^{π_k}_1) over K episodes, one curve a seed.

    Parameters
    ----------
    agent
        A library agent (`rl.UCBVI()`, `rl.solvers.MVP()`, …), run compiled, or your own (see `Agent`); for a
        latent MDP `rl.solvers.LatentOptimism()` or a `LatentAgent` of yours.
    model
        Undiscounted, without terminal reward.  Negative rewards are shifted by a constant, which
        changes no regret; the curve records it.
    K
        Episodes; K enters every log factor.
    seeds
        Distinct integers, one run each.
    vmax
        Largest total reward: H if not given (rewards in [0, 1]); 1 for horizon-free statements.
    stationary
        Whether learners share one model between steps; as the model if not given.
    rewards
        "known", or "unknown": learned, with the bonus each agent states for them.
    noise
        "bernoulli" draws rewards in {0, 1} with the model's means; None pays the mean.
    points
        Episodes to record, or about how many; all if K ≤ 1000.
    verify
        Compare V̄_h(s) with V*_h(s) for every h and s after every plan (else only over the start law).
    threads
        Seeds run at once; Numba's number of threads if not given.
    progress
        Show a bar; on a terminal, for long runs, if not given.

    Returns
    -------
    RegretCurve
        Values are those of the policies played, exact up to rounding (`curve.error`).

    Raises
    ------
    InvalidArgument
        No seeds, repeated ones, other things than integers; K < 1; discounting, terminal reward; rewards that
        break the normalisation of the theorems, named with the first offending pair; points outside 1..K;
        a learner's policy or values V̄ that are none.

    Notes
    -----
    Complexity: O(H·S²A) an episode that replans, O(H·nnz) one whose policy changed.

    Examples
    --------
    >>> import rltheory as rl
    >>> model = rl.gallery.regret_chain()
    >>> curve = regret(rl.solvers.BernsteinBonus(), model, K=2000, vmax=1, seeds=[0])
    >>> round(float(curve.final[0]), 6)
    109.533333
    """
    if isinstance(model, LatentMDP):
        from .latent_curve import of_latent

        told: dict[str, object] = {
            "vmax": vmax,
            "stationary": stationary,
            "noise": noise,
            "verify": verify or None,
        }
        told["rewards"] = None if rewards == "known" else rewards
        return of_latent(agent, model, K, seeds, points, progress, told)
    if not isinstance(agent, Agent):
        raise InvalidArgument(
            f"regret: agent is a {type(agent).__name__} without learner(task, rng); see rl.solvers.Agent"
        )
    played = prepare(model, K=K, vmax=vmax, stationary=stationary, rewards=rewards, noise=noise)
    ids = check_seeds(seeds)
    at = record_points(played.task.K, points)
    workers = min(len(ids), numba.config.NUMBA_NUM_THREADS if threads is None else max(1, int(threads)))
    with Progress(len(ids) * played.task.K, f"regret of {type(agent).__name__}", progress) as bar:
        runs = _run_all(agent, played, ids, at, verify, workers, bar.advance)
    return _curve(agent, model, played, ids, at, runs, verify)


def _run_all(
    agent: Agent,
    played: Played,
    ids: list[int],
    at: IntVec,
    verify: bool,
    workers: int,
    advance: Callable[[int], None],
) -> list[_Run]:
    """Every seed; an interruption or an error ends all of them at their next block of episodes."""
    if workers == 1:
        return [_run(agent, played, seed, at, verify, advance) for seed in ids]
    lock, stopped = Lock(), Event()

    def step(n: int) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        with lock:
            advance(n)

    with ThreadPoolExecutor(workers) as pool:
        jobs = [pool.submit(_run, agent, played, seed, at, verify, step) for seed in ids]
        try:
            return [job.result() for job in jobs]
        except BaseException:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _curve(
    agent: Agent,
    model: FiniteHorizonMDP,
    played: Played,
    ids: list[int],
    at: IntVec,
    runs: list[_Run],
    verify: bool,
) -> RegretCurve:
    task, truth = played.task, played.truth
    stacked = np.stack([run.record for run in runs])
    wide = int(np.diff(truth.ptr).max()) + 2
    unit = 2.0**-53
    per_episode = 4 * (wide * task.H + truth.start.size + 1) * unit * float(truth.V_star.max())
    error = at * per_episode + at * unit * np.abs(stacked[:, 0]).max(axis=0)
    return RegretCurve(
        agent=agent,
        model=model,
        task=task,
        seeds=tuple(ids),
        episodes=at,
        pseudo=stacked[:, 0],
        regret=stacked[:, 1],
        realised=stacked[:, 2],
        gaps=stacked[:, 3],
        plans=np.array([run.plans for run in runs]),
        least_gap=np.array([run.totals[kernel.LEAST_GAP] for run in runs]),
        least_margin=np.array([run.totals[kernel.LEAST_MARGIN] for run in runs]),
        lost=np.array([run.lost for run in runs]),
        optimum=played.optimum - played.shift * task.H,
        largest=played.gap,
        error=error,
        shift=played.shift,
        verified=verify,
    )


@dataclass(frozen=True, eq=False)
class _Run:
    record: FloatVec
    totals: FloatVec
    plans: int
    lost: int


def check_seeds(seeds: Iterable[int]) -> list[int]:
    """At least one seed, distinct integers ≥ 0."""
    try:
        given = list(seeds)
        ids = [operator.index(s) for s in given]
    except TypeError:
        raise InvalidArgument(f"regret: seeds={seeds!r}, must be distinct integers; use range(50)") from None
    if not ids:
        raise InvalidArgument("regret: no seeds; a curve needs at least one run, use seeds=range(50)")
    if len(set(ids)) < len(ids):
        twice = next(s for i, s in enumerate(ids) if s in ids[:i])
        raise InvalidArgument(f"regret: seed {twice} is there twice; repeated runs would narrow the bands")
    if min(ids) < 0:
        raise InvalidArgument(f"regret: seed {min(ids)} is negative; use integers ≥ 0")
    return ids


def record_points(K: int, points: int | Sequence[int] | None) -> IntVec:
    """Episodes (1-based, increasing, the last is K) after which the regret is recorded."""
    if points is None or isinstance(points, (int, np.integer)):
        n = POINTS if points is None else int(points)
        if n < 1:
            raise InvalidArgument(f"regret: points={points}, must be at least 1")
        if (points is None and K <= 1000) or n >= K:
            return np.arange(1, K + 1)
        if n == 1:
            return np.array([K])
        third = max(1, n // 3)
        several = [np.geomspace(1, K, third), np.linspace(1, K, n - third + 1)[1:]]
        return np.unique(np.rint(np.concatenate(several)).astype(np.int64))
    at = np.unique(np.asarray(points, dtype=np.int64))
    if at.size == 0 or at[0] < 1 or at[-1] > K:
        raise InvalidArgument(f"regret: points={list(points)[:5]}…, must lie in 1..K={K}")
    return at if at[-1] == K else np.append(at, K)


def streams(seed: int) -> tuple[np.random.Generator, ...]:
    """Generators of states, of the learner and of rewards."""
    return tuple(np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3))


def _run(
    agent: Agent, played: Played, seed: int, at: IntVec, verify: bool, advance: Callable[[int], None]
) -> _Run:
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
) -> _Run:
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
    return _Run(record, totals, learner.plans, int(memory.flags[kernel.LOST_EPISODE]))


def _run_python(
    learner: Learner,
    played: Played,
    rngs: tuple[np.random.Generator, ...],
    at: IntVec,
    verify: bool,
    advance: Callable[[int], None],
) -> _Run:
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
    return _Run(record, totals, getattr(learner, "plans", plans), lost)


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


def regret_by_horizon(
    agent: Agent,
    family: Callable[[int], FiniteHorizonMDP],
    horizons: Sequence[int],
    *,
    K: int,
    **options: Any,
) -> list[RegretCurve]:
    """One curve a horizon, on `family(H)`; for `plot_horizons`, where a horizon-free regret is flat.

    Parameters
    ----------
    family
        H ↦ model.
    horizons
        Values of H.
    K, options
        As for `regret`.
    """
    if not list(horizons):
        raise InvalidArgument("regret_by_horizon: no horizons; give at least one")
    return [regret(agent, family(H), K=K, **options) for H in horizons]
