"""Error bounds of batched backward induction (`batched.induct_models`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit


@njit(cache=True, error_model="numpy")
def horizon_errors(P: Any, R: Any, gamma: Any, V: Any, bound: Any) -> Any:
    """Rigorous |V_h − exact| ≤ bound[b, h] of what `induct_models` left in V; infinite if not finite.

    By induction: a backup of the computed V_{h+1} is off by at most (S+9)u·(max|R| + γσ‖V_{h+1}‖),
    σ the largest row sum, plus underflow; an error of V_{h+1} counts γσ times.  Rounded upwards.
    """
    B, N, S = P.shape
    U, ETA = 2.0**-53 * (1 + 2.0**-9), 5e-324
    H = V.shape[1] - 1
    for b in range(B):
        smax, rmax = 0.0, 0.0
        for k in range(N):
            total, total1 = 0.0, 0.0
            for t in range(0, S - 1, 2):
                total += P[b, k, t]
                total1 += P[b, k, t + 1]
            if S % 2:
                total += P[b, k, S - 1]
            smax, rmax = max(smax, total + total1), max(rmax, abs(R[b, k]))
        factor = np.nextafter(gamma[b] * np.nextafter(smax * (1 + (S + 4) * U), np.inf), np.inf)
        error = 0.0
        bound[b, H] = 0.0
        for h in range(H - 1, -1, -1):
            norm, check = 0.0, 0.0
            for s in range(S):
                norm = max(norm, abs(V[b, h + 1, s]))
                check += 0.0 * V[b, h, s]
            step = (S + 12) * U * (rmax + factor * norm) + (S + 4) * ETA
            error = np.nextafter(np.nextafter(factor * error, np.inf) + step, np.inf)
            if not (check == 0.0 and np.isfinite(error)):
                error = np.inf
            bound[b, h] = error
