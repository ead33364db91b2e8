"""The control tasks of the low-rank paper: spectra, equal budgets, curves, the phase diagram.

Printed numbers come from a separate program, with its own generator: medians over few seeds are compared
with a tolerance of 30 % (sup) and 20 % (mean), exact quantities to the digits printed.
"""

from __future__ import annotations

import numpy as np
import pytest

import rltheory as rl
from proofs_check.shah2020.experiments import (
    FLAT,
    SHARES,
    TASKS,
    Task,
    against_samples,
    against_sweeps,
    control_task,
    estimate,
    matched_budget,
    median_interval,
    spectra,
    value_iteration,
)
from proofs_check.shah2020.phases import long_run, phase_diagram, regime, two_state_sweep
from rltheory.errors import InvalidArgument
from rltheory.solvers.low_rank import noise_free_sweep

SPECTRA = {  # ranks at SHARES; sup error/range of ranks 4 and 3; range of Q*
    "inverted_pendulum": ((1, 2, 2, 6), 0.0086, 0.0116, 7.91298),
    "mountain_car": ((1, 1, 2, 3), 0.00065, 0.0038, 109.98636),
    "double_integrator": ((1, 1, 2, 3), 1.7e-5, 4.0e-5, 73.09950),
    "cart_pole": ((1, 2, 3, 7), 0.0112, 0.0198, 9.71650),
    "acrobot": ((1, 1, 1, 3), 0.0049, 0.0077, 6.83367),
}
EXACT = {  # value iteration, sup error/range at t = 1, 5, 10, 20, 40, 60
    "inverted_pendulum": (0.8982, 0.560, 0.297, 0.081, 0.008, 0.001),
    "mountain_car": (0.8183, 0.537, 0.317, 0.111, 0.013, 0.002),
    "double_integrator": (0.8770, 0.512, 0.265, 0.074, 0.005, 0.0001),
    "cart_pole": (0.8971, 0.581, 0.340, 0.118, 0.014, 0.002),
    "acrobot": (0.8879, 0.454, 0.255, 0.088, 0.011, 0.001),
}
SAMPLED = {  # N = 4, 40: full sup, mean, then anchors
    "inverted_pendulum": ((0.444, 0.136), (0.157, 0.051), (0.597, 0.207), (0.192, 0.064)),
    "mountain_car": ((0.800, 0.220), (0.057, 0.013), (0.511, 0.126), (0.043, 0.012)),
    "double_integrator": ((0.277, 0.072), (0.097, 0.027), (0.150, 0.067), (0.052, 0.016)),
}


def test_q_star_is_nearly_of_low_rank() -> None:
    out = spectra()
    for name, (ranks, four, three, size) in SPECTRA.items():
        assert tuple(out.rank(name, p) for p in SHARES) == ranks
        digits = 1e-6 if four < 1e-4 else 5e-5
        assert out.truncated[name][4] == pytest.approx(four, abs=digits)
        assert out.truncated[name][3] == pytest.approx(three, abs=5e-5)
        assert out.size[name] == pytest.approx(size, abs=1e-5)
    assert len(out.to_dataframe()) == 5 and len(out.plot().lines) == 5


def test_value_iteration_columns() -> None:
    for name, column in EXACT.items():
        errors = value_iteration(control_task(name), 60)
        got = [errors[t - 1] for t in (1, 5, 10, 20, 40, 60)]
        assert got[0] == pytest.approx(column[0], abs=5.1e-5)
        assert got[1:] == pytest.approx(column[1:], abs=5.1e-4)


def test_anchors_win_at_equal_budget() -> None:
    calls: list[str] = []
    out = matched_budget(
        seeds=lambda name: range(3 if name in FLAT else 1), methods=("full", "anchors", "ALS"),
        progress=calls.append,
    )  # fmt: skip
    soft = matched_budget(FLAT, seeds=lambda _: [0], methods=("soft warm",))
    for name in TASKS:
        assert out.sup(name, "anchors").median < out.sup(name, "full").median
        assert out.mean(name, "anchors").median < out.mean(name, "full").median
    for name in FLAT:
        assert out.mean(name, "anchors").median < soft.mean(name, "soft warm").median
        drawn = {m: out.of(name, m)[0].draws for m in out.methods}
        assert drawn["full"] == 11_250_000 and drawn["anchors"] == 11_970_000
        assert drawn["ALS"] == pytest.approx(1.2e7, rel=0.01)
    assert calls[0] == "inverted_pendulum full" and len(calls) == 13
    assert len(out.to_dataframe()) == len(out.runs) and out.plot().get_yscale() == "log"
    with pytest.raises(InvalidArgument, match="no run of 'soft cold'"):
        out.sup("acrobot", "soft cold")


@pytest.mark.parametrize("name", FLAT)
def test_cold_soft_impute_loses_too(name: str) -> None:
    mdp = getattr(rl.gallery, name)((15, 15), 20)
    small = Task(name, mdp, rl.q_values(mdp, rl.solve(mdp).V), 40)
    assert estimate(small, "anchors", 45, 0).mean < estimate(small, "soft cold", 48, 0).mean


def test_error_against_samples() -> None:
    out = against_samples(FLAT, (4, 40), seeds=lambda _: range(5))
    for name, (sup, mean, sup_anchors, mean_anchors) in SAMPLED.items():
        for method, s, m in (("full", sup, mean), ("anchors", sup_anchors, mean_anchors)):
            for N, x, y in zip((4, 40), s, m, strict=True):
                assert out.sup(name, method, N).median == pytest.approx(x, rel=0.30), (name, method, N)
                assert out.mean(name, method, N).median == pytest.approx(y, rel=0.20), (name, method, N)
        assert len(out.reference[name]) == 5
    assert out.plot().get_xscale() == "log"


def test_anchors_follow_value_iteration_then_flatten() -> None:
    out = against_sweeps(FLAT, seeds=lambda _: range(3))
    for name in FLAT:
        band = out.band(name, "anchors")
        for t in range(10):
            assert abs(band[t].median - out.reference[name][t]) < 0.07
        assert band[-1].median > 3 * out.reference[name][-1]
    assert len(out.plot().lines) == 7


def test_median_intervals_cover_as_stated() -> None:
    nine = median_interval([9, 1, 8, 2, 7, 3, 6, 4, 5])
    assert nine == (2, 5, 8, 1 - 20 / 512)
    assert median_interval([3, 1, 2]) == (1, 2, 3, 0.75)
    rng = np.random.default_rng(0)
    hits = sum(
        c.low <= 1 <= c.high for c in (median_interval(2.0 ** rng.normal(size=9)) for _ in range(4000))
    )
    assert hits / 4000 == pytest.approx(nine.coverage, abs=0.012)  # four standard errors


def test_phase_diagram_of_the_two_states() -> None:
    out = phase_diagram(60)
    g, p = np.meshgrid(out.gammas, out.products)
    assert out.growth == pytest.approx(g * p / (1 + g * 2e-4), rel=1e-6)
    for gamma, what in ((0.12, "converges"), (0.1245, "converges"), (0.13, "cycle of 2"), (0.2, "explodes"),
                        (0.8, "explodes")):  # fmt: skip
        assert regime(long_run([gamma])[0]) == what
    assert sorted(long_run([0.13])[0, -2:]) == pytest.approx([-1.998659, 4.456588], abs=1e-6)
    for gamma in (0.5, 0.9):
        assert regime(long_run([gamma])[0]) == "wrong fixed point"
        assert long_run([gamma])[0, -1] == pytest.approx(-2, abs=1e-9)
        assert out.regime(gamma) == "wrong fixed point"
    assert len(out.plot().lines) == 2 and len(out.to_dataframe()) == 3600
    assert out.plot_path().get_xlabel().startswith("γ")


def test_two_state_sweep_is_the_iteration_of_the_library() -> None:
    F, G, gamma = 4.0, 2.0, 0.3
    Q = np.outer([1, F], [1, 1 / G])
    P = np.array([[[1.0, 0], [0, 1]], [[1, 0], [1, 0]]])
    mdp = rl.MDP(P, Q - gamma * (P @ Q.max(axis=1)), gamma=gamma)
    for V in np.random.default_rng(1).normal([1, F], 0.2, (20, 2)):
        ours = two_state_sweep(*(np.array([x]) for x in (*V, gamma, F, G)))
        assert np.concatenate(ours) == pytest.approx(
            noise_free_sweep(mdp, V, [0], [1]).max(axis=1), rel=1e-12
        )
