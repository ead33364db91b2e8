"""Queues and stock: birth–death control, tandem queues, inventory with lost sales."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from ...arrays import Real
from ...errors import InvalidArgument
from .._build import _common, _divide, branches, check_size, combine, decimal, is_rational
from ..mdp import MDP

F = Fraction


def queue(
    n: int = 20,
    gamma: Real = 0.95,
    *,
    arrival: Real = 0.4,
    service: tuple[Real, Real] = (0.3, 0.5),
    admission: Real = 5,
    holding: Real = 0.1,
    fast_cost: Real = 0.5,
) -> MDP:
    """A queue of 0..n customers with control of admission and of the service rate.

    One event a step: an arrival with probability `arrival`, a completed service with probability
    `service[fast]` (if a customer is present), otherwise nothing.  Action 2·admit + fast: an arrival
    is admitted (and pays `admission`) if admit = 1 and there is room; fast service costs `fast_cost`
    a step; every customer present costs `holding` a step.  The reward is the step's expectation.

    Raises
    ------
    InvalidArgument
        If arrival + service exceeds 1, or a probability is negative.

    Source: uniformised birth–death control, Lippman (1975).
    """
    check_size("queue", n=n)
    lam, slow, fast = decimal(arrival), decimal(service[0]), decimal(service[1])
    if min(lam, slow, fast) < 0 or lam + max(slow, fast) > 1:
        raise InvalidArgument(
            f"queue: arrival={arrival}, service={service}; need probabilities with arrival + service ≤ 1"
        )
    s, a = np.repeat(np.arange(n + 1), 4), np.tile(np.arange(4), n + 1)
    admitted = (a >= 2) & (s < n)
    targets = np.stack([np.where(admitted, s + 1, s), np.maximum(s - 1, 0), s], axis=1)
    code = np.where((a % 2 == 1)[:, None], [0, 2, 4], [0, 1, 3])
    hold, cost, gain = -decimal(holding), -decimal(fast_cost), lam * decimal(admission)
    return branches(
        targets,
        [lam, slow, fast, 1 - lam - slow, 1 - lam - fast],
        gamma,
        S=n + 1,
        pair_state=s,
        pair_action=a,
        numerators=combine((hold, s), (cost, a % 2), (gain, admitted)),
        prob_code=code,
        actions=("reject, slow", "reject, fast", "admit, slow", "admit, fast"),
    )


def tandem_queue(
    n: int = 10,
    gamma: Real = 0.99,
    *,
    arrival: Real = 0.2,
    slow: Real = 0.2,
    fast: Real = 0.4,
    holding: Real = 0.1,
    fast_cost: Real = 0.2,
) -> MDP:
    """Two queues in series, each of 0..n customers; action 2·f₁ + f₂ runs server i fast if f_i = 1.

    State x₁(n + 1) + x₂.  One event a step: an arrival at queue 1 (lost when full), a move from
    queue 1 to 2 (blocked when 2 is full), a departure from 2, or nothing.  Costs: `holding` for each
    customer, `fast_cost` for each fast server.  (n + 1)² states, built vectorised.

    Raises
    ------
    InvalidArgument
        If arrival + 2·max(slow, fast) exceeds 1, or a probability is negative.

    Source: the control problem of Rosberg, Varaiya and Walrand (1982), uniformised, finite.
    """
    check_size("tandem_queue", n=n)
    lam, lo, hi = decimal(arrival), decimal(slow), decimal(fast)
    if min(lam, lo, hi) < 0 or lam + 2 * max(lo, hi) > 1:
        raise InvalidArgument(
            f"tandem_queue: arrival={arrival}, slow={slow}, fast={fast}; need probabilities with "
            "arrival + 2·max(slow, fast) ≤ 1"
        )
    S, width = (n + 1) ** 2, n + 1
    s, a = np.repeat(np.arange(S), 4), np.tile(np.arange(4), S)
    x1, x2 = np.divmod(s, width)
    targets = np.stack(
        [
            np.where(x1 < n, s + width, s),
            np.where((x1 > 0) & (x2 < n), s - width + 1, s),
            np.where(x2 > 0, s - 1, s),
            s,
        ],
        axis=1,
    )
    code = np.array([[0, 1, 1, 3], [0, 1, 2, 4], [0, 2, 1, 4], [0, 2, 2, 5]])[a]
    hold, cost = -decimal(holding), -decimal(fast_cost)
    return branches(
        targets,
        [lam, lo, hi, 1 - lam - 2 * lo, 1 - lam - lo - hi, 1 - lam - 2 * hi],
        gamma,
        S=S,
        pair_state=s,
        pair_action=a,
        numerators=combine((hold, x1 + x2), (cost, a // 2 + a % 2)),
        prob_code=code,
        actions=("slow, slow", "slow, fast", "fast, slow", "fast, fast"),
    )


def inventory(
    n: int = 20,
    gamma: Real = 0.95,
    *,
    demand: Sequence[Real] | None = None,
    max_order: int | None = None,
    price: Real = 8,
    fixed: Real = 4,
    unit: Real = 2,
    holding: Real = 1,
) -> MDP:
    """Stock 0..n; order u ≤ min(n − s, max_order), then demand d; unmet demand is lost.

    R(s, u) = price·E min(s + u, d) − (fixed + unit·u)·1{u > 0} − holding·(s + u).  Action ids are
    order quantities; rows are contiguous runs of states.

    Parameters
    ----------
    n
        Capacity.
    gamma
        Discount in [0, 1).
    demand
        Probabilities of demand 0, 1, 2, …; uniform on 0..min(⌈n/2⌉, 50) if not given.
    max_order
        Largest order; n if not given.
    price, fixed, unit, holding
        As in the formula.

    Raises
    ------
    InvalidArgument
        If the demand probabilities are negative or do not sum to one.

    Source: Arrow, Harris and Marschak (1951); `puterman_inventory` is a special case.
    """
    check_size("inventory", n=n, max_order=n if max_order is None else max_order)
    exact = is_rational(gamma)
    D = min((n + 1) // 2, 50)
    law = [F(1, D + 1)] * (D + 1) if demand is None else [decimal(p) for p in demand]
    total = sum(law, F(0))
    if total == 0 or min(law) < 0 or abs(total - 1) > (0 if exact else F(1, 10**12)):
        raise InvalidArgument(f"inventory: demand={demand}, needs probabilities ≥ 0 that sum to 1")
    law = [p / total for p in law]
    most = n if max_order is None else min(max_order, n)
    s = np.repeat(np.arange(n + 1), np.minimum(n - np.arange(n + 1), most) + 1)
    u = np.arange(s.size) - np.searchsorted(s, s)
    y = s + u
    # row of a stock level y after ordering: states y − d for d < y, the rest of the law at 0
    p_num, p_den = _common(law)
    zero = p_num[:1] * 0
    upto = np.concatenate([zero, np.cumsum(p_num)])  # upto[k] = P(d < k)·p_den
    deep = np.minimum(np.arange(n + 1), len(law))  # demands that leave stock: d = 0..deep−1
    counts = np.where(np.arange(n + 1) > len(law) - 1, len(law), np.arange(n + 1) + 1)
    rows = []
    for level in range(n + 1):
        d = int(deep[level])
        row = p_num[:d][::-1]
        rows.append(row if level >= len(law) else np.concatenate([[p_den - upto[d]], row]))
    start = np.concatenate([[0], np.cumsum(counts)])
    level_data = _divide(np.concatenate(rows), p_den, exact)
    level_cols = np.concatenate([np.arange(k - c + 1, k + 1) for k, c in enumerate(counts)])
    indptr = np.concatenate([[0], np.cumsum(counts[y])])
    take = np.arange(indptr[-1]) - np.repeat(indptr[:-1] - start[y], counts[y])
    keep = level_data[take] != 0
    indptr = np.concatenate([[0], np.cumsum(keep)])[indptr]
    sold = [F(0)]
    for k in range(n):  # E min(k + 1, d) = E min(k, d) + P(d > k)
        sold.append(sold[-1] + 1 - F(int(upto[min(k + 1, len(law))]), p_den))
    p, f, c, h = decimal(price), decimal(fixed), decimal(unit), decimal(holding)
    income = [p * q - h * k for k, q in enumerate(sold)]
    nums, den = _common([*income, F(0), *(f + c * k for k in range(1, most + 1))])
    return MDP.from_pairs(
        (level_data[take][keep], level_cols[take][keep], indptr),
        _divide(nums[y] - nums[n + 1 + u], den, exact),
        gamma,
        pair_state=s,
        pair_action=u,
        S=n + 1,
    )
