"""Velocity fields: conditional means by Bayes' rule, quadrature of steps, flow TD against plain sweeps."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from rltheory.errors import InvalidArgument, NotConverged
from rltheory.kernels import ball
from rltheory.models.gallery.outcomes import outcome_family
from rltheory.models.outcomes import OutcomeMDP
from rltheory.operators.flow import (
    MarginalField,
    affine_field,
    enclose_mean_readout,
    euler,
    mean_readout,
    recovery,
)
from rltheory.solvers import FlowTD

F = Fraction
LAW = MarginalField([-2.0, 0.0, 3.0], [0.2, 0.5, 0.3], 0.7, 0.4)


@pytest.mark.parametrize("t", [0.0, 0.25, 0.9, 1 - 1e-6])
def test_the_field_is_the_conditional_mean(t: float) -> None:
    z = np.linspace(-3, 4, 29)
    logs = np.log(LAW.probs) + norm.logpdf(z[:, None], t * LAW.atoms + (1 - t) * LAW.mu0, (1 - t) * LAW.s)
    w = np.exp(logs - logs.max(axis=1, keepdims=True))
    expected = (w @ LAW.atoms / w.sum(axis=1) - z) / (1 - t)
    assert np.abs((LAW(t, z) - expected) * (1 - t)).max() < 1e-10


def test_the_field_over_the_rationals_contains_the_doubles() -> None:
    exact, small = MarginalField([F(-2), F(1)], [F(1, 2)] * 2), MarginalField([-2, 1], [0.5, 0.5])
    with ball.precision(100):
        for t in (F(0), F(1, 3), F(7, 8)):
            for z in (F(-1), F(1, 3)):
                v = exact(t, z) if t == 0 else exact(t, ball.to_arb(z))
                assert float(v) == pytest.approx(float(small(float(t), float(z))), rel=1e-12)
    assert euler(exact, F(5), 1) == exact.mean


def test_recovery_is_the_product_and_the_gamma_quotient() -> None:
    for c in (F(0), F(1, 4), F(1, 2), F(1)):
        expected = F(1)
        for n in range(12):
            assert recovery(n, c) == expected
            expected *= 1 - c / (n + 1)
    assert recovery(20_000, 0.3) == pytest.approx(
        recovery(10_000, 0.3) * math.prod(1 - 0.3 / i for i in range(10_001, 20_001)), rel=1e-9
    )
    assert recovery(20_000, 1.0) == 0.0


def test_mean_readout_of_a_step_and_of_a_polynomial() -> None:
    for at in (-1.0, -0.9999, 0.37, 0.999999, 2.0):
        step = mean_readout(lambda z, at=at: np.where(z > at, 1.0, 0.0), 1.0)
        assert step == pytest.approx(norm.sf(at), abs=1e-12)
    assert mean_readout(lambda z: z * z, 2.0, 1.0) == pytest.approx(5.0, abs=1e-12)


@pytest.mark.parametrize("K", [1, 2, 5])
def test_bounds_on_the_mean_readout_hold(K: int) -> None:
    field = MarginalField([F(-2), F(0), F(3)], [F(1, 5), F(1, 2), F(3, 10)], F(1))
    box = enclose_mean_readout(field, K, 200)
    small = MarginalField([-2.0, 0.0, 3.0], [0.2, 0.5, 0.3])
    assert float(box.width) < 0.06
    assert F(mean_readout(lambda z: euler(small, z, K), 1.0)) in box
    z = np.linspace(-6, 6, 400)
    assert (np.diff(euler(small, z, K)) >= -1e-13).all()


def test_early_steps_use_the_other_field() -> None:
    new, old = (lambda t, z: F(1) - z), (lambda t, z: F(0) - z)
    by_hand = F(3)
    for k in range(4):
        by_hand += ((old if k < 2 else new)(F(k, 4), by_hand)) / 4
    assert euler(new, F(3), 4, first=2, early=old) == by_hand


def test_affine_field_minimises_the_loss() -> None:
    y, mu, s2 = 1.3, -0.2, 0.4
    a, b = affine_field(y, mu, s2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    t, wt = np.polynomial.legendre.leggauss(20)
    t, wt = (t + 1) / 2, wt / 2
    z0 = mu + math.sqrt(s2) * nodes
    w = (weights / weights.sum())[:, None] * wt
    Z, U = (1 - t) * z0[:, None] + t * y, (y - z0)[:, None] + 0 * t
    design = np.stack([np.ones_like(Z), Z], axis=-1).reshape(-1, 2)
    root = np.sqrt(w).reshape(-1)
    fit = np.linalg.lstsq(design * root[:, None], (U.reshape(-1)) * root, rcond=None)[0]
    assert fit == pytest.approx([a, b], abs=1e-12)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: euler(lambda t, z: z, 0.0, 0), "K=0"),
        (lambda: euler(lambda t, z: z, 0.0, 2, first=3, early=lambda t, z: z), "first=3"),
        (lambda: euler(lambda t, z: z, 0.0, 2, first=1), "early"),
        (lambda: recovery(-1, 0.5), "n=-1"),
        (lambda: recovery(2, 1.5), "c=1.5"),
        (lambda: MarginalField([0.0, 1.0], [0.5, 0.6]), "sum to 1"),
        (lambda: MarginalField([0.0, 1.0], [1.0]), "shape|\\(n,\\)"),
        (lambda: MarginalField([0.0], [1.0], 0.0), "s=0"),
        (lambda: mean_readout(lambda z: z, 0.0), "s=0"),
        (lambda: affine_field(1.0, 0.0, 0.0), "s2=0"),
        (lambda: FlowTD([0], K=0), "K=0"),
        (lambda: FlowTD([0], K=2, s=0.0), "s=0"),
        (lambda: FlowTD([0], K=2, targets="all"), "targets"),  # type: ignore[arg-type]
    ],
)
def test_refusals(call: Any, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        call()


@pytest.mark.parametrize("K", [2, 3, 4])
def test_the_fixed_point_is_that_of_plain_sweeps(K: int) -> None:
    M = OutcomeMDP.from_lists(
        [[[(0.5, 1, 1.0), (0.5, 0, -1.0)]], [[(0.25, 0, 0.5), (0.75, 1, 0.0)]]], gamma=0.5
    )
    out = FlowTD([0, 0], K, s=0.8, mu0=0.1).run(M)
    V = np.zeros(2)
    for _ in range(60):
        new = []
        for s in range(2):
            y = [(p, r + 0.5 * V[t]) for p, t, r in M.outcomes(s, 0)]
            field = MarginalField([v for _, v in y], [p for p, _ in y], 0.8, 0.1)
            new.append(mean_readout(lambda z, f=field: euler(f, z, K), 0.8, 0.1))
        V = np.array(new)
    assert np.abs(out.V - V).max() < 1e-10
    assert np.abs(out.bias).max() > 1e-4


def test_averaged_targets_are_exact() -> None:
    M = outcome_family(4, 2, 2, 5, 0.9)
    for K in (1, 3):
        out = FlowTD([0, 1, 0, 1], K, targets="averaged").run(M)
        assert (out.V_pi == out.V).all()
    with pytest.raises(InvalidArgument, match="gamma"):
        FlowTD([0, 0, 0, 0], 2).run(M.replace(gamma=1))
    with pytest.raises(NotConverged, match="sweeps"):
        FlowTD([0, 1, 0, 1], 4, max_iter=2).run(M)
