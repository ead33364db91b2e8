"""Random search steered towards equality: draws from a strategy, keeps what is new, shrinks what fails."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis.errors import HypothesisWarning, Unsatisfiable
from hypothesis.strategies import SearchStrategy

from .evidence import Comparison, Outcome

X = TypeVar("X")


class _Hit(Exception):
    """Raised inside a search when an instance is hit; Hypothesis then shrinks it."""


@dataclass
class SearchResult(Generic[X]):
    """Distinct admissible instances in order of drawing, and the (shrunk) hit, if any."""

    pool: list[X] = field(default_factory=list)
    hit: X | None = None
    draws: int = 0
    unsatisfiable: bool = False


def search(
    strategy: SearchStrategy[X],
    *,
    admits: Callable[[X], bool],
    evaluate: Callable[[X], Comparison],
    confirm: Callable[[X], bool],
    key: Callable[[X], str],
    n: int,
    seed: int,
    shrink: bool,
    steer: bool = True,
) -> SearchResult[X]:
    """Draw up to `n` admissible instances; stop at the first whose comparison fails and is confirmed.

    Instances on which every component is 0 ≤ 0 are drawn but neither kept nor used for steering.
    """
    out: SearchResult[X] = SearchResult()
    seen: set[str] = set()
    frozen = False

    def examine(x: X) -> None:
        nonlocal frozen
        hypothesis.assume(admits(x))
        comparison = evaluate(x)
        if not frozen:
            out.draws += 1
        if comparison.outcome is Outcome.FAILS and confirm(x):
            frozen = True
            out.hit = x
            raise _Hit
        if frozen or comparison.outcome is Outcome.TRIVIAL:
            return
        k = key(x)
        if k not in seen:
            seen.add(k)
            out.pool.append(x)
        if steer:
            score = comparison.ratio if not math.isnan(comparison.ratio) else -comparison.slack
            if math.isfinite(score):
                hypothesis.target(max(-1e300, min(1e300, score)))

    phases = [Phase.generate, Phase.target] + ([Phase.shrink] if shrink else [])
    runner: Any = settings(
        max_examples=n,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=Verbosity.quiet,
    )(hypothesis.seed(seed)(given(strategy)(examine)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HypothesisWarning)
        try:
            runner()
        except _Hit:
            pass
        except Unsatisfiable:
            out.unsatisfiable = True
    return out
