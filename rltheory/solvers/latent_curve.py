"""Regret of learners of latent MDPs over seeds, as a `RegretCurve`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ..arrays import FloatVec
from ..errors import InvalidArgument
from ..models.latent import LatentMDP
from ..operators.latent import history_tree
from ._latent_rounding import rounding
from ._progress import Progress
from .agents.base import Task
from .agents.latent import LatentRun, check_normalised, optima_within
from .regret_curve import RegretCurve

POINTS = 600
"""About as many episodes are recorded of a long run."""


class LatentAgent(Protocol):
    """What `latent_regret` runs: `LatentOptimism`, `MergedAgent`, or a class of your own with this method."""

    def run(self, lmdp: LatentMDP, K: int, *, seed: int = 0, optima: FloatVec | None = None) -> LatentRun:
        """Play K episodes of the true model; see `LatentOptimism.run`."""


def latent_regret(
    agent: LatentAgent,
    lmdp: LatentMDP,
    *,
    K: int,
    seeds: int | Iterable[int] = 10,
    points: int = POINTS,
    progress: bool = True,
) -> RegretCurve:
    """Σ_k V* − V^{π_k} for every seed; the values are computed from the true model, not sampled.

    Parameters
    ----------
    agent
        Anything with the method `run` of `LatentOptimism`.
    lmdp
        True model with normalised rewards; an exact one is rounded.
    K
        Episodes.
    seeds
        Seeds, or how many (0, 1, …).
    points
        About how many episodes to record, evenly on a logarithmic and a linear axis.
    progress
        Show a bar on a terminal.

    Raises
    ------
    InvalidArgument
        For something else than a latent MDP, K < 1, no points, no seeds or repeated ones, and rewards that
        are not normalised (`normalisation="waive"`).

    Examples
    --------
    >>> from rltheory.models import gallery
    >>> from rltheory.solvers import LatentOptimism
    >>> model = gallery.wait_and_guess(0.8, 0.2, 0.9, 0.1, H=3)
    >>> round(float(latent_regret(LatentOptimism(scale=0.02), model, K=500, seeds=1).final[0]), 10)
    3.84
    """
    if not isinstance(lmdp, LatentMDP):
        raise InvalidArgument(
            f"latent_regret: model is a {type(lmdp).__name__}; need a LatentMDP, or use regret"
        )
    if isinstance(K, bool) or not isinstance(K, (int, np.integer)) or K < 1:
        raise InvalidArgument(f"latent_regret: K={K!r}, must be a number of episodes ≥ 1")
    from .regret_engine import check_seeds

    chosen = tuple(check_seeds(range(seeds) if isinstance(seeds, int) else seeds))
    if isinstance(points, bool) or not isinstance(points, (int, np.integer)) or points < 1:
        raise InvalidArgument(f"regret: points={points!r}, must be a number of episodes ≥ 1 to record")
    check_normalised(lmdp)
    K = int(K)
    model = lmdp.float()
    optima, doubt = optima_within(model)
    mass = model.start.sum(axis=0)
    episodes = recorded(K, points)
    at = episodes - 1
    runs: list[LatentRun] = []
    with Progress(len(chosen), "regret", None if progress else False) as bar:
        for seed in chosen:
            runs.append(agent.run(model, K, seed=seed, optima=optima))
            bar.advance()
    gaps = np.array([r.gap for r in runs])
    lost = gaps < -1e-9
    task = Task(model.S, model.A, model.H, K, 1.0, True, np.ones((1, model.S, model.A), dtype=np.bool_))
    on = mass > 0
    optimum = float(optima.sum())
    paid = np.array([r.paid for r in runs])
    pseudo = np.array([r.regret.cumsum()[at] for r in runs])
    per_episode = doubt + 2 * rounding(history_tree(model)) + 2.0**-52 * optimum
    return RegretCurve(
        agent=agent,
        model=model,
        task=task,
        seeds=chosen,
        episodes=episodes,
        pseudo=pseudo,
        regret=np.array([r.start_regret.cumsum()[at] for r in runs]),
        realised=(optimum - paid).cumsum(axis=1)[:, at],
        gaps=gaps[:, at],
        plans=np.array([r.plans for r in runs], dtype=np.int64),
        least_gap=gaps.min(axis=1),
        least_margin=np.full(len(chosen), np.inf),
        lost=np.where(lost.any(axis=1), lost.argmax(axis=1), -1),
        optimum=optimum,
        largest=float((optima[on] / mass[on]).max()),
        error=episodes * per_episode + episodes * 2.0**-53 * np.abs(pseudo).max(axis=0),
        shift=0.0,
        verified=False,
    )


def of_latent(
    agent: object,
    lmdp: LatentMDP,
    K: int,
    seeds: Iterable[int],
    points: int | Sequence[int] | None,
    progress: bool | None,
    told: Mapping[str, object],
) -> RegretCurve:
    """`regret` of a latent MDP: the options that mean something there, and a refusal of the others."""
    for name, value in told.items():
        if value is not None:
            raise InvalidArgument(
                f"regret: {name}={value!r} says nothing of a latent MDP, whose learner knows R and plans "
                "with total rewards ≤ 1; leave it out"
            )
    if not callable(getattr(agent, "run", None)):
        raise InvalidArgument(
            f"regret: agent is a {type(agent).__name__}, which learns one MDP; use solvers.LatentOptimism(), "
            "or solvers.MergedAgent(agent) to throw the contexts together"
        )
    if points is not None and not isinstance(points, (int, np.integer)):
        raise InvalidArgument("regret: points is a list; give the number of episodes to record")
    runner: Any = agent
    shown = True if progress is None else progress
    return latent_regret(
        runner, lmdp, K=K, seeds=seeds, points=POINTS if points is None else int(points), progress=shown
    )


def recorded(K: int, points: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Episodes 1..K if there are few, else about `points` of them, K among them."""
    if points >= K:
        return np.arange(1, K + 1)
    half = max(2, points // 2)
    spread = np.concatenate([np.linspace(1, K, half), np.geomspace(1, K, half)])
    return np.unique(spread.round().astype(np.int64))
