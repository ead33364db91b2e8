"""Combination locks of finite horizon, whose code must be dialled without a miss."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from ...arrays import Real
from ...errors import InvalidArgument
from .._build import decimal, is_rational
from ..finite_horizon import FiniteHorizonMDP

F = Fraction
NINE_TENTHS, THREE_TENTHS = F(9, 10), F(3, 10)


def noisy_lock(
    code: Sequence[int] = (1, 0, 1, 1), *, keep: Real = NINE_TENTHS, consolation: Real = THREE_TENTHS
) -> FiniteHorizonMDP:
    """States 0 (good), 1 (bad), two actions: in good, action code[h] stays good with probability `keep`.

    The other action leads to bad, where everything stays.  The last step pays 1 in good for the right
    action and `consolation` in bad for action 0.  Exact when both numbers are rational.

    V* = keep^(H−1) + (1 − keep^(H−1))·consolation with the defaults (H = 3: 0.867), C_cov over all
    policies 2(1 + keep) for H ≥ 2.

    Source: Amortila, Foster, Jiang, Sekhari, Xie (2024) ask for such instances; this one is ours.
    """
    if len(code) < 1 or any(c not in (0, 1) for c in code):
        raise InvalidArgument(f"noisy_lock: code={tuple(code)}, must be a nonempty tuple of 0s and 1s")
    q, c = decimal(keep), decimal(consolation)
    if not (0 <= q <= 1 and 0 <= c <= 1):
        raise InvalidArgument(f"noisy_lock: keep={keep}, consolation={consolation}, must lie in [0, 1]")
    H = len(code)
    P = np.full((H, 2, 2, 2), F(0), dtype=object)
    R = np.full((H, 2, 2), F(0), dtype=object)
    for h, right in enumerate(code):
        P[h, 0, right] = [q, 1 - q]
        P[h, 0, 1 - right] = [F(0), F(1)]
        P[h, 1, :] = [F(0), F(1)]
    R[H - 1, 0, code[-1]] = F(1)
    R[H - 1, 1, 0] = c
    model = FiniteHorizonMDP(P, R, H, mu=[F(1), F(0)])
    return model if is_rational(keep) and is_rational(consolation) else model.float()


def noisy_locks(H: int = 4, **options: Real) -> list[FiniteHorizonMDP]:
    """`noisy_lock` for all 2^H codes in lexicographic order."""
    if not isinstance(H, int) or not 1 <= H <= 12:
        raise InvalidArgument(f"noisy_locks: H={H}, must be in 1..12 (there are 2^H locks)")
    return [noisy_lock(code, **options) for code in itertools.product((0, 1), repeat=H)]
