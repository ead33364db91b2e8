"""Solvers of V* enrolled in every shared test: one line each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import rltheory as rl
from rltheory.solvers import (
    BandedPolicyIteration,
    GaussSeidel,
    InexactPolicyIteration,
    SmallDense,
    Topological,
)


class Entry(NamedTuple):
    """A solver of discounted models and the accuracy, relative to max(1, ‖V‖), it must certify."""

    name: str
    factory: Callable[[], Any]
    tolerance: float
    exact: bool  # ends with error zero on rational models


SOLVERS = [
    Entry("value-iteration", lambda: rl.ValueIteration(), 1e-8, False),
    Entry("value-iteration-eliminating", lambda: rl.ValueIteration(eliminate=True), 1e-8, False),
    Entry("gauss-seidel", lambda: rl.ValueIteration(sweep="gauss-seidel"), 1e-8, False),
    Entry("anchored", lambda: rl.solvers.AnchoredValueIteration(), 1e-8, False),
    Entry("modified-pi", lambda: rl.ModifiedPolicyIteration(), 1e-8, False),
    Entry("modified-pi-3", lambda: rl.ModifiedPolicyIteration(sweeps=3), 1e-8, False),
    Entry("linear-program", lambda: rl.LinearProgram(), 1e-8, True),
    Entry("howard", lambda: rl.PolicyIteration(), 1e-8, True),
    Entry("dantzig", lambda: rl.PolicyIteration(rule="dantzig"), 1e-8, True),
    Entry("simple-highest", lambda: rl.PolicyIteration(rule="simple-highest"), 1e-8, True),
    Entry("simple-lowest", lambda: rl.PolicyIteration(rule="simple-lowest"), 1e-8, True),
    Entry("small-dense", lambda: SmallDense(), 1e-8, True),
    Entry("sweeps", lambda: GaussSeidel(), 1e-8, False),
    Entry("topological", lambda: Topological(), 1e-8, False),
    Entry("banded-pi", lambda: BandedPolicyIteration(), 1e-8, False),
    Entry("inexact-pi", lambda: InexactPolicyIteration(), 1e-8, False),
]
