"""What processes, their operators and martingale policy evaluation refuse, beyond the table of bad input."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

from rltheory.errors import InvalidArgument, InvalidModel
from rltheory.models.processes import (
    CIR,
    GBM,
    OU,
    SDE,
    BrownianMotion,
    ControlledLQ,
    LinearSDE,
    PolynomialDiffusion,
)
from rltheory.operators import TimePolynomial, coordinates, diffusion
from rltheory.operators.time_polynomial import trace_decay
from rltheory.solvers import (
    CLSTDLearner,
    CTDLearner,
    CTDRoot,
    GMMLearner,
    GMMRoot,
    LeastSquaresLearner,
    LinearCandidate,
    MartingaleLossRoot,
    MeanSquareTDRoot,
    Schedule,
    SmoothCandidate,
    ValueFamily,
    time_step_bias,
)

NAN = math.nan
BM = PolynomialDiffusion(0, 0, 1)
t, x, tau = coordinates(1)
FAMILY = ValueFamily(BM, 0, 1, [tau, tau * x], reward=x)


def hat(s: Any, y: Any) -> Any:
    return (1 - s) * y


def line(s: Any, y: Any) -> Any:
    return y


def task(**changes: Any) -> LinearCandidate:
    given: dict[str, Any] = {
        "process": OU(1.0), "x0": 0.4, "T": 1.0, "features": [hat], "reward": line
    }  # fmt: skip
    return LinearCandidate(**(given | changes))


def smooth(value: Any = lambda th, s, y: th[0] * y, start: Any = (1.0,), **changes: Any) -> SmoothCandidate:
    return SmoothCandidate(OU(1.0), 0.4, 1.0, value, start, **changes)


PROCESSES = [
    (lambda: OU(1).mean_at(0.0, -1.0), r"OU: t=-1\.0, must be a time ≥ 0"),
    (lambda: OU(1).variance_at(0.0, -1.0), r"OU: t=-1\.0, must be a time ≥ 0"),
    (lambda: OU(1).variance_at(0.0, NAN), r"OU: t=nan, must be a time ≥ 0"),
    (lambda: OU(1).covariance_at(0.0, -1.0, 2.0), r"OU: s=-1\.0, must be a time ≥ 0"),
    (lambda: OU(1).mean_at(NAN, 1.0), r"OU: x0=nan, must be finite"),
    (lambda: CIR(1, 1, 1).mean_at(-1.0, 1.0), r"CIR: x0=-1\.0, must lie above 0"),
    (lambda: CIR(1, 1, 1).variance_at(-1.0, 1.0), r"CIR: x0=-1\.0, must lie above 0"),
    (lambda: LinearSDE([[-1]]).transition(-1.0), r"LinearSDE: h=-1\.0, must be a time ≥ 0"),
    (lambda: LinearSDE([[-1]]).variance_at([0], NAN), r"LinearSDE: h=nan, must be a time ≥ 0"),
    (lambda: LinearSDE([[-1]]).covariance_at([0], -1.0, 2.0), r"LinearSDE: s=-1\.0, must be a time ≥ 0"),
    (lambda: LinearSDE([[-1]]).mean_at([0, 1], 1.0), r"LinearSDE: x0 has shape \(2,\), must be \(1,\)"),
    (lambda: OU(1).sample(0.0, 1.0, 4, 0, seed=0), r"paths=0, must be an integer ≥ 1"),
    (lambda: OU(1).sample(0.0, 1.0, [0.0, 0.5, 1.0], 2, seed=0), r"n=\[0\.0, 0\.5, 1\.0\], .* equal steps"),  # type: ignore[arg-type]
    (lambda: OU(1).sample(0.0, 1.0, 4, 2, 0, first=2**64 - 1), r"first=18446744073709551615, .* below 2⁶⁴"),
    (lambda: OU(1).sample("a", 1.0, 4, 2, seed=0), r"OU: x0='a' is not a number"),
    (lambda: BrownianMotion(1e308).sample(0.0, 1e308, 4, 2, seed=0), r"BrownianMotion: E X_t at t=1e\+308"),
    (lambda: GBM(0.0, 1e150).sample(1.0, 1e10, 4, 2, seed=0), r"GBM: s2·T with s2=.* not representable"),
    (lambda: SDE(line, lambda s, y: 1j * y).sample(1.0, 1.0, 4, 2, seed=0), r"SDE: diffusion\(t, x\) is com"),
    (lambda: SDE(line, lambda s, y: None).sample(1.0, 1.0, 4, 2, seed=0), r"SDE: diffusion\(t, x\) is not a"),
]
MODELS = [
    (lambda: ControlledLQ(1, 1, 1, 1, beta="a"), r"ControlledLQ: beta='a', must be a finite rate ≥ 0"),  # type: ignore[arg-type]
    (lambda: SDE(line, line, noises=True), r"SDE: noises=True, must be an integer ≥ 1"),
    (lambda: PolynomialDiffusion(0, 0, True), r"PolynomialDiffusion: s0=True is not a finite real number"),
]
OPERATORS = [
    (lambda: diffusion.moments(BM, 0, 1, -2), r"degree=-2, must be an integer in 0\.\.64"),
    (lambda: diffusion.semigroup(BM, 1, -2), r"degree=-2, must be an integer in 0\.\.64"),
    (lambda: diffusion.semigroup(OU(1).polynomial(), 1, -2), r"degree=-2, must be an integer in 0\.\.64"),
    (lambda: diffusion.generator_matrix(BM, 2.5), r"degree=2\.5, must be an integer in 0\.\.64"),  # type: ignore[arg-type]
    (lambda: diffusion.semigroup(BM, math.inf, 2), r"u=inf, must be finite and ≥ 0"),
    (lambda: diffusion.moments(BM, 0, math.inf, 2), r"t=inf, must be finite and ≥ 0"),
    (lambda: diffusion.backward(BM, x, x, -1), r"backward: T=-1, must be finite and > 0"),
    (lambda: diffusion.backward(BM, x, x, 1, lam=0), r"lam=0, must lie in \(0, 1\]"),
    (lambda: diffusion.backward(BM, x, x, 1, lam=2), r"lam=2, must lie in \(0, 1\]"),
    (lambda: diffusion.backward(BM, x, t, 1), r"backward: terminal depends on t"),
    (lambda: trace_decay(0), r"lam=0, must lie in \(0, 1\]"),
    (lambda: trace_decay(F(1, 2)) * trace_decay(F(1, 3)), r"two values of λ"),
    (lambda: trace_decay(F(1, 2)) + trace_decay(F(1, 3)), r"two values of λ"),
    (lambda: x**-1, r"TimePolynomial: power -1, must be an integer ≥ 0"),
    (lambda: x**0.5, r"TimePolynomial: power 0\.5, must be an integer ≥ 0"),  # type: ignore[operator]
]
ROOTS = [
    (lambda: FAMILY.quadratic_variation([1]), r"theta has 1 entries, must have 2"),
    (lambda: FAMILY.value_error([1]), r"theta has 1 entries, must have 2"),
    (lambda: FAMILY.value_error([1, 2, 3]), r"theta has 3 entries, must have 2"),
    (lambda: ValueFamily(BM, 0, math.inf, [tau]), r"ValueFamily: T=inf, must be finite and > 0"),
    (lambda: ValueFamily(BM, 0, 1, [tau], beta=NAN), r"ValueFamily: beta=nan, must be finite"),
    (lambda: ValueFamily(LinearSDE([[1.0]]), 0, 1, [tau]), r"process of type LinearSDE .* LinearCandidate"),  # type: ignore[arg-type]
    (lambda: CTDRoot(n=-1), r"CTDRoot: n=-1, must be an integer ≥ 1"),
    (lambda: CTDRoot(n=True), r"CTDRoot: n=True, must be an integer ≥ 1"),
    (lambda: MartingaleLossRoot(n=0), r"MartingaleLossRoot: n=0, must be an integer ≥ 1"),
    (lambda: MeanSquareTDRoot(n=0), r"MeanSquareTDRoot: n=0, must be an integer ≥ 1"),
    (lambda: GMMRoot([tau, tau * x], n=0), r"GMMRoot: n=0, must be an integer ≥ 1"),
    (lambda: GMMRoot([tau, tau * x], W=[[1, 0], [0, -1]]).run(FAMILY), r"W is not positive definite"),
    (lambda: GMMRoot([tau, tau * x], W=[[1, 2], [2, 1]]).run(FAMILY), r"W is not positive definite"),
    (lambda: CTDRoot().run(task()), r"CTDRoot: needs a ValueFamily, not a LinearCandidate"),  # type: ignore[arg-type]
    (lambda: MartingaleLossRoot().run(task()), r"needs a ValueFamily, not a LinearCandidate"),  # type: ignore[arg-type]
    (lambda: MeanSquareTDRoot(n=4).run(task()), r"needs a ValueFamily, not a LinearCandidate"),  # type: ignore[arg-type]
    (lambda: GMMRoot([tau]).run(task()), r"needs a ValueFamily, not a LinearCandidate"),  # type: ignore[arg-type]
]
LEARNERS = [
    (lambda: Schedule(math.inf), r"Schedule: alpha=inf"),
    (lambda: task(beta=NAN), r"LinearCandidate: beta=nan, must be finite"),
    (lambda: task(features=hat), r"LinearCandidate: features is one function; give a list"),
    (lambda: task(features=[3]), r"LinearCandidate: features\[0\]=3 is not a function"),
    (lambda: task(process=None), r"LinearCandidate: process=None has no sample"),
    (lambda: CTDLearner(4, alpha=0.5), r"alpha=0\.5 is not a function of the episode; .*Schedule"),  # type: ignore[arg-type]
    (lambda: CTDLearner(4, theta0=[NAN]).run(task()), r"CTDLearner: theta0=\[nan\], must be finite"),
    (lambda: CTDLearner(4, seed=-1).run(task()), r"seed=-1, must be an integer ≥ 0"),
    (lambda: CTDLearner([0.0, 0.5, 1.0]), r"CTDLearner: n=\[0\.0, 0\.5, 1\.0\], must be an integer ≥ 1"),  # type: ignore[arg-type]
    (lambda: CTDLearner(4).run(task(reward=lambda s, y: y * NAN)), r"CTDLearner: reward is nan .* finite"),
    (lambda: CLSTDLearner(4).run(task(reward=lambda s, y: y * NAN)), r"CLSTDLearner: reward is nan .*finite"),
    (
        lambda: CLSTDLearner(4).run(task(features=[lambda s, y: np.zeros(3)])),
        r"CLSTDLearner: features\[0\] returned shape \(3,\)",
    ),
    (lambda: CLSTDLearner(4, episodes=1), r"CLSTDLearner: episodes=1, must be an integer ≥ 2"),
    (lambda: GMMLearner(4, [hat], episodes=1), r"GMMLearner: episodes=1, must be an integer ≥ 2"),
    (lambda: LeastSquaresLearner(4, episodes=1), r"LeastSquaresLearner: episodes=1, must be an integer ≥ 2"),
    (
        lambda: CTDLearner(4, episodes=10, runs=1).run(task()).interval(),
        r"interval: one run has no spread; take runs ≥ 2",
    ),
    (
        lambda: CLSTDLearner(4).run(SmoothCandidate(OU(1), 0.4, 1.0, lambda th, s, y: th[0] * y, [1.0])),  # type: ignore[arg-type]
        r"needs a linear family, not a SmoothCandidate",
    ),
    (lambda: CLSTDLearner(4).run(BM), r"needs a linear family, not a PolynomialDiffusion"),  # type: ignore[arg-type]
    (lambda: SmoothCandidate(OU(1), 0.4, 1.0, lambda th, s, y: y, []), r"SmoothCandidate: start is empty"),
    (lambda: SmoothCandidate(OU(1), 0.4, 1.0, 3, [1.0]), r"SmoothCandidate: value=3 is not a function"),  # type: ignore[arg-type]
    (lambda: task(reward=3), r"LinearCandidate: reward=3 is not a function"),
    (lambda: smooth(lower=[0, 1]), r"SmoothCandidate: lower has shape \(2,\), must be \(1,\)"),
    (
        lambda: CTDLearner(4).run(smooth(start=[1.0, 2.0], gradient=lambda th, s, y: [y])),
        r"SmoothCandidate: gradient returned 1 arrays, must be 2",
    ),
    (
        lambda: CTDLearner(4).run(smooth(lambda th, s, y: np.zeros(3))),
        r"value returned shape \(3,\), must be",
    ),
    (lambda: CTDLearner(4).run(smooth(lambda th, s, y: y * NAN)), r"value is not finite at the first θ"),
    (
        lambda: CLSTDLearner(4).run(task(reward=lambda s, y: np.zeros(7))),
        r"reward returned shape \(7,\), must",
    ),
    (lambda: CTDLearner(4, tests=hat), r"CTDLearner: tests is one function; give a list"),  # type: ignore[arg-type]
    (lambda: CLSTDLearner(4, tests=hat), r"CLSTDLearner: tests is one function; give a list"),  # type: ignore[arg-type]
    (lambda: GMMLearner(4, tests=hat), r"GMMLearner: tests is one function; give a list"),  # type: ignore[arg-type]
    (lambda: time_step_bias(CLSTDLearner(4), task(), [], [1.0]), r"time_step_bias: ns is empty"),
    (lambda: time_step_bias(CLSTDLearner(4), task(), [4], [1.0, 2.0]), r"truth has 2 entries, must have 1"),
]


@pytest.mark.parametrize(("make", "says"), [*PROCESSES, *OPERATORS, *ROOTS, *LEARNERS])
def test_bad_requests_are_refused(make: Any, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        make()


@pytest.mark.parametrize(("make", "says"), MODELS)
def test_bad_models_are_refused(make: Any, says: str) -> None:
    with pytest.raises(InvalidModel, match=says):
        make()


def test_what_is_not_refused() -> None:
    """Neighbours of the refusals above: time zero, the last stream, functions of one λ, plain numbers."""
    assert OU(1).variance_at(0.3, 0) == 0.0 == LinearSDE([[-1]]).variance_at([0], 0)[0, 0]
    assert OU(1).sample(0.0, 1.0, 4, 1, 0, first=2**64 - 1).shape == (1, 5)
    assert float((trace_decay(F(1, 2)) * trace_decay(F(1, 2))).at(1, 0)) == 0.25
    assert x**0 == 1 == x * 0 + 1.0
    assert TimePolynomial.constant(0.5) == 0.5 != x
    assert GMMRoot([tau, tau * x], W=[[2, 1], [1, 3]]).run(FAMILY).theta.tolist() == [0, 1]
    assert np.isnan(CTDLearner(4, episodes=10, runs=1).run(task()).std_error).all()
