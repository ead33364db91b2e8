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

import operator
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Literal

import numba
import numpy as np

from ..arrays import IntVec
from ..errors import InvalidArgument
from ..kernels import regret as kernel
from ..models.finite_horizon import FiniteHorizonMDP
from ..models.latent import LatentMDP
from ._progress import Progress
from .agents.base import Agent
from .regret_curve import RegretCurve
from .regret_play import Run, run
from .regret_setup import Played, prepare

if TYPE_CHECKING:
    from .latent_curve import LatentAgent

POINTS = 600
"""About as many episodes are recorded of a long run."""


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
) -> list[Run]:
    """Every seed; an interruption or an error ends all of them at their next block of episodes."""
    if workers == 1:
        return [run(agent, played, seed, at, verify, advance) for seed in ids]
    lock, stopped = Lock(), Event()

    def step(n: int) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        with lock:
            advance(n)

    with ThreadPoolExecutor(workers) as pool:
        jobs = [pool.submit(run, agent, played, seed, at, verify, step) for seed in ids]
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
    runs: list[Run],
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
