"""Jack's car rental: values to the printed digits, the policy, and the number of improvements."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import numpy as np

import rltheory as rl
from rltheory.kernels.exact import matmul
from tests.digits import digits

JACK = rl.gallery.jacks_car_rental()


def site(n1: int, n2: int) -> int:
    return 21 * n1 + n2


def row_of(sol: rl.Solution) -> Any:
    """(S,) place of the chosen action among the allowed ones."""
    return sol.pi.actions - JACK.allowed.argmax(axis=1)


def test_jacks_car_rental() -> None:
    never = np.full(441, 5)
    sol = rl.PolicyIteration(rule="howard", pi0=never, tol=1e-12).run(JACK)
    assert sol.evaluations == 5
    printed = {
        (0, 0): "421.4140633965",
        (10, 10): "574.9483239852",
        (20, 20): "636.9896068044",
        (20, 0): "554.9477060361",
        (0, 20): "567.7685087963",
    }
    # V^π to 1e-13: one step of refinement, and the exact residual over 1 − γ
    pairs = JACK.state_ptr[:-1] + row_of(sol)
    P, R, gamma = rl.exact_array(JACK.P_pairs[pairs]), rl.exact_array(JACK.R_pairs[pairs]), F(JACK.gamma)
    V = rl.exact_array(sol.V)
    step = (R + gamma * matmul(P, V) - V).astype(float)
    V = V + rl.exact_array(np.linalg.solve(np.eye(441) - JACK.gamma * JACK.P_pairs[pairs], step))
    error = max(abs(R + gamma * matmul(P, V) - V)) / (1 - gamma * (1 + F(1, 10**12)))
    assert error < F(1, 10**13)
    for (a, b), text in printed.items():
        v = V[site(a, b)]
        assert digits(v - error, text)
        assert digits(v + error, text)
    assert (sol.V.argmin(), sol.V.argmax()) == (site(0, 0), site(20, 20))
    assert sol.pi[site(20, 0)] - 5 == 5
    assert sol.pi[site(0, 20)] - 5 == -4
    gaps = sol.V[:, None] - sol.Q
    gaps[np.arange(441), sol.pi.actions] = np.inf
    s = int(gaps.min(axis=1).argmin())
    assert s == site(19, 15)
    assert abs(gaps[s].min() - 6.777770487e-4) < 1e-12
    assert gaps[s].min() > 2 * 2 * float(sol.error)  # so the policy is unambiguous


def test_jack_never_moves() -> None:
    V = rl.evaluate(JACK, np.full(441, 5)).V
    assert (round(V.min(), 4), round(V.max(), 4)) == (407.1790, 611.4034)
