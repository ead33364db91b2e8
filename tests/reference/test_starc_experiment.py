"""The random environments of the STARC paper: a pinned run, printed by a separate program, reproduced."""

from __future__ import annotations

import numpy as np
import pytest

import rltheory as rl
from proofs_check.skalse2024.experiments import (
    LEAST_L1,
    NORMS,
    correlations,
    environment,
    least_l1_metrics,
    one_environment,
)
from rltheory.operators import minimal_representative, potential_shaping

PINNED = {
    9: (0.1377936594, 0.5461622478, 0.4118239029, 0.4009956915, 0.4124712096),
    16: (0.5172742613, 1.2363960642, 1.3871106708, 1.4209318994, 1.4240407902),
}
CORRELATIONS = {
    "rho": 0.943607, "VAL-l2-l2": 0.906707, "VAL-l1-l1": 0.927833, "VAL-l1-l2": 0.923536,
    "VAL-l2-linf": 0.913205, "minimal-l2-l2-l2": 0.904521, "VAL-potential-l2-l2": 0.896036,
    "VAL-potential-l1-w1": 0.889035, "DARD-l2-l2": 0.895140, "EPIC-l2-l2": 0.894022, "EPIC-l1-l1": 0.870968,
    "none-l2-l2": 0.655014,
}  # fmt: skip


def test_first_pair_of_the_pinned_run() -> None:
    row = environment(np.random.default_rng([0, 0]))[0, 0]
    assert np.flatnonzero(row).tolist() == [6, 19, 21]
    assert row[[6, 19, 21]] == pytest.approx([0.3528131269, 0.2716329905, 0.3755538826], abs=1e-10)
    target, d_rho, rows = one_environment(np.random.default_rng([0, 0]))
    for i, printed in PINNED.items():
        names = ("VAL-l2-l2", "EPIC-l2-l2", "DARD-l2-l2")
        ours = (target[i - 1], d_rho[i - 1], *[rows[n][i - 1] for n in names])
        assert ours == pytest.approx(printed, abs=1e-9)
    assert rows["VAL-potential-l1-w1"][15] == pytest.approx(0.0394547103, abs=1e-9)


def test_correlations_of_the_pinned_run() -> None:
    calls: list[tuple[int, int]] = []
    out = correlations(12, progress=lambda k, n: calls.append((k, n)))
    for name, value in CORRELATIONS.items():
        assert out.values[name] == pytest.approx(value, abs=1e-6)
    assert (out.target.mean(), out.d_rho.mean()) == pytest.approx((0.263996, 0.816825), abs=1e-6)
    assert out.values["rho"] > max(v for k, v in out.values.items() if k != "rho")
    assert len(out.target) == 1536 and calls[-1] == (12, 12)


def test_released_variant_keeps_the_order() -> None:
    out = correlations(6, seed=1, variant="A")
    assert out.values["rho"] > out.values["VAL-l2-l2"] > out.values["EPIC-l2-l2"] > out.values["none-l2-l2"]


def test_least_l1_metrics() -> None:
    rng = np.random.default_rng(3)
    mdp = rl.MDP(environment(rng, 8, 2), np.zeros((8, 2)), 0.95)
    R = rng.normal(size=(8, 8, 2, 8))
    moved = 3 * R + np.stack([potential_shaping(rng.normal(size=8), mdp) for _ in range(8)])
    for a, b in zip(R, moved, strict=True):  # the norm is unique, the reward that attains it need not be
        least = [minimal_representative(x, mdp, "l1", redistribute=False)[1] for x in (a, b)]
        assert least[1] == pytest.approx(3 * least[0], rel=1e-9)
    same = least_l1_metrics(np.stack([R, moved], axis=1), np.repeat(R, 16, axis=0), mdp)
    assert sorted(same) == sorted(f"{LEAST_L1}-l1-{m}" for m in NORMS)
    assert max(np.abs(x).max() for x in same.values()) == 0
    apart = least_l1_metrics(np.stack([R, moved], axis=1), np.repeat(-R, 16, axis=0), mdp)
    assert 1.8 < apart[f"{LEAST_L1}-l1-l1"].mean() <= 2 + 1e-9
