"""Chains, exploration problems and random layered or multi-component families."""

from __future__ import annotations

from fractions import Fraction
from typing import overload

import numpy as np

from ...arrays import Real
from ...errors import InvalidArgument
from ...seeds import generator
from .._build import branches, check_size, decimal, merge_rows, probability
from ..finite_horizon import FiniteHorizonMDP
from ..mdp import MDP
from ..random import dirichlet_rows, distinct_rows

F = Fraction


def river_swim(S: int = 6, gamma: Real = 0.99) -> MDP:
    """Swim left (0) with the stream, or right (1) against it, over states 0..S−1.

    Left always succeeds and pays 5/1000 in state 0.  Right: up 7/20, stay 3/5, down 1/20 in between;
    stay 2/5, up 3/5 in state 0; stay 3/5, down 2/5 in state S−1, where it pays 1.  Start in state 0.

    S = 6: optimal gain 7203/16805; γ = 9/10: V*(0) = 425329947/326053817; γ = 99/100:
    V*(0) = 37.854701140082376, V*(5) = 43.802080896942755.

    Source: Strehl and Littman (2008), in the form with rewards 5/1000 and 1.
    """
    check_size("river_swim", least=2, S=S)
    s = np.arange(S)
    targets = np.stack([np.maximum(s - 1, 0), s, np.minimum(s + 1, S - 1)], axis=1)
    targets = np.repeat(targets, 2, axis=0)
    # palette: 0, 1, interior down/stay/up, left end stay/up, right end down/stay
    probs: list[Real] = [0, 1, F(1, 20), F(3, 5), F(7, 20), F(2, 5)]
    code = np.tile(np.array([[1, 0, 0], [2, 3, 4]]), (S, 1))
    code[1], code[2 * S - 1] = [0, 5, 3], [5, 3, 0]
    pay = np.zeros(2 * S, dtype=np.int64)
    pay[0], pay[-1] = 1, 2
    mu = np.zeros(S, dtype=np.int64)
    mu[0] = 1
    return branches(
        targets,
        probs,
        gamma,
        S=S,
        pair_state=np.repeat(s, 2),
        pair_action=np.tile([0, 1], S),
        rewards=[0, F(5, 1000), 1],
        prob_code=code,
        reward_code=pay,
        mu=mu,
        actions=("left", "right"),
    )


def chain(n: int = 5, gamma: Real = 0.9, *, slip: Real = 0, small: Real = 0.01, big: Real = 1) -> MDP:
    """States 0..n−1: back (0) to state 0 pays `small`, forward (1) pays `big` at the last state.

    With probability `slip` the other action is carried out (and pays).  Start in state 0.

    Source: the "chain" of Dearden, Friedman and Russell (1998), with other rewards.
    """
    check_size("chain", n=n)
    (p,) = probability("chain", slip=slip)
    s = np.arange(n)
    back, forward = np.zeros(n, dtype=np.int64), np.minimum(s + 1, n - 1)
    pay_forward = np.where(s == n - 1, 2, 0)
    targets = np.stack([np.stack([back, forward], 1), np.stack([forward, back], 1)], axis=1)
    pay = np.stack([np.stack([s * 0 + 1, pay_forward], 1), np.stack([pay_forward, s * 0 + 1], 1)], axis=1)
    mu = np.zeros(n, dtype=np.int64)
    mu[0] = 1
    return branches(
        targets.reshape(-1, 2),
        [1 - p, p],
        gamma,
        S=n,
        pair_state=np.repeat(s, 2),
        pair_action=np.tile([0, 1], n),
        rewards=[0, small, big],
        reward_code=pay.reshape(-1, 2),
        mu=mu,
        actions=("back", "forward"),
    )


@overload
def deep_sea(size: int = ..., gamma: None = None, *, seed: int | None = ...) -> FiniteHorizonMDP: ...
@overload
def deep_sea(size: int, gamma: Real, *, seed: int | None = ...) -> MDP: ...
def deep_sea(size: int = 10, gamma: Real | None = None, *, seed: int | None = None) -> FiniteHorizonMDP | MDP:
    """Dive from (0, 0) one row a step; going right costs 1/(100·size), the treasure pays 1.

    State row·size + column; a last, terminal state follows the bottom row.  The treasure is collected
    by going right in the bottom right corner, so only "always right" finds it: undiscounted value
    1 − 1/100 = 99/100 (each of the `size` right moves costs, the last one included).

    Parameters
    ----------
    size
        Rows and columns.
    gamma
        None (default): `FiniteHorizonMDP` with H = size, exact.  Otherwise the discounted `MDP`.
    seed
        If given, which action means "right" is drawn at random in every cell.

    Source: Osband, Van Roy, Russo and Wen (2019), here deterministic.
    """
    check_size("deep_sea", size=size)
    S = size * size
    row, col = np.divmod(np.arange(S), size)
    down = np.where(row == size - 1, S, (row + 1) * size)
    move = np.stack([np.maximum(col - 1, 0), np.minimum(col + 1, size - 1)], axis=1)
    nxt = np.where(row[:, None] == size - 1, S, down[:, None] + move)
    pay = np.stack(
        [np.zeros(S, dtype=np.int64), np.where((row == size - 1) & (col == size - 1), 2, 1)], axis=1
    )
    if seed is not None:
        swap = generator(seed).random(S) < 0.5
        nxt, pay = np.where(swap[:, None], nxt[:, ::-1], nxt), np.where(swap[:, None], pay[:, ::-1], pay)
    mu = np.zeros(S + 1, dtype=np.int64)
    mu[0] = 1
    cost = F(1, 100 * size)
    mdp = branches(
        nxt.reshape(-1, 1),
        [1],
        F(0) if gamma is None else gamma,
        S=S + 1,
        pair_state=np.repeat(np.arange(S), 2),
        pair_action=np.tile([0, 1], S),
        rewards=[0, -cost, 1 - cost],
        reward_code=pay.reshape(-1),
        terminal=[S],
        mu=mu,
    )
    return FiniteHorizonMDP.from_mdp(mdp, size) if gamma is None else mdp


def combination_lock(n: int = 10, A: int = 3, gamma: Real = 0.95, *, seed: int | None = None) -> MDP:
    """n digits: the right action of a state leads on, every other back to state 0; opening pays 1.

    State n (open) is terminal.  V*(s) = γ^(n−1−s).  The right action is 0 without a seed.

    Source: Koenig and Simmons (1993); Whitehead (1991).
    """
    check_size("combination_lock", n=n, A=A)
    right = np.zeros(n, dtype=np.int64) if seed is None else generator(seed).integers(0, A, n)
    nxt = np.zeros((n, A), dtype=np.int64)
    nxt[np.arange(n), right] = np.arange(1, n + 1)
    mu = np.zeros(n + 1, dtype=np.int64)
    mu[0] = 1
    return branches(
        nxt.reshape(-1, 1),
        [1],
        gamma,
        S=n + 1,
        pair_state=np.repeat(np.arange(n), A),
        pair_action=np.tile(np.arange(A), n),
        rewards=[0, 1],
        reward_code=(nxt == n).astype(np.int64).reshape(-1),
        terminal=[n],
        mu=mu,
    )


def layered_dag(
    layers: int = 20, width: int = 10, A: int = 3, gamma: float = 0.99, *, branching: int = 3, seed: int = 0
) -> MDP:
    """layers × width states; layer l moves to `branching` random states of layer l + 1; float CSR.

    The last layer moves to one terminal state.  Laws Dirichlet(1,…,1), rewards uniform on [0, 1];
    backward induction over the layers is exact in one pass.
    """
    check_size("layered_dag", layers=layers, width=width, A=A, branching=branching)
    if branching > width:
        raise InvalidArgument(f"layered_dag: branching={branching} > width={width}; lower branching")
    rng = generator(seed)
    inner, S = (layers - 1) * width * A, layers * width + 1
    layer = np.repeat(np.arange(layers - 1), width * A)
    cols = distinct_rows(rng, inner, branching, width) + ((layer + 1) * width)[:, None]
    data = np.concatenate([dirichlet_rows(rng, inner, branching).reshape(-1), np.ones(width * A)])
    indptr = np.concatenate([np.arange(inner) * branching, inner * branching + np.arange(width * A + 1)])
    return MDP.from_pairs(
        (data, np.concatenate([cols.reshape(-1), np.full(width * A, S - 1)]), indptr),
        rng.random(layers * width * A),
        gamma,
        pair_state=np.repeat(np.arange(S - 1), A),
        pair_action=np.tile(np.arange(A), S - 1),
        S=S,
        terminal=[S - 1],
    )


def multi_scc(
    components: int = 10,
    size: int = 10,
    A: int = 3,
    gamma: float = 0.99,
    *,
    branching: int = 3,
    leak: Real = 0.05,
    seed: int = 0,
) -> MDP:
    """`components` strongly connected blocks of `size` states, block c leaking into later ones.

    A pair of block c moves on a cycle of its block with probability ½(1 − leak), to `branching`
    random states of the block with the rest of 1 − leak, and with probability `leak` to a random
    state of a later block (the last block keeps it).  Rewards uniform on [0, 1]; float CSR.
    """
    check_size("multi_scc", components=components, size=size, A=A, branching=branching)
    if branching > size:
        raise InvalidArgument(f"multi_scc: branching={branching} > size={size}; lower branching")
    (p,) = (float(x) for x in probability("multi_scc", leak=leak))
    rng = generator(seed)
    S = components * size
    N, s = S * A, np.repeat(np.arange(S), A)
    block, place = np.divmod(s, size)
    cycle = block * size + (place + 1) % size
    inside = distinct_rows(rng, N, branching, size) + (block * size)[:, None]
    later = block + 1 + np.floor(rng.random(N) * np.maximum(components - 1 - block, 1)).astype(np.int64)
    out = np.where(block < components - 1, later * size + rng.integers(0, size, N), cycle)
    targets = np.concatenate([cycle[:, None], out[:, None], inside], axis=1)
    weights = np.concatenate(
        [
            np.full((N, 1), 0.5 * (1 - p)),
            np.full((N, 1), p),
            0.5 * (1 - p) * dirichlet_rows(rng, N, branching),
        ],
        axis=1,
    )
    data, indices, indptr = merge_rows(targets, weights)
    return MDP.from_pairs(
        (data, indices, indptr),
        rng.random(N),
        gamma,
        pair_state=s,
        pair_action=np.tile(np.arange(A), S),
        S=S,
    )


def two_cycle(gamma: Real = 0.9, rewards: tuple[Real, Real] = (1, 0)) -> MDP:
    """Two states that alternate, with rewards (1, 0): the periodic chain of relative value iteration.

    Undiscounted value iteration from 0 has differences (1,0), (0,1), (1,0), … for ever; gain ½.
    V = (r₀ + γr₁, r₁ + γr₀)/(1 − γ²).
    """
    r0, r1 = (decimal(r) for r in rewards)
    return branches(
        np.array([[1], [0]]),
        [1],
        gamma,
        S=2,
        pair_state=np.arange(2),
        pair_action=np.zeros(2, dtype=np.int64),
        rewards=[r0, r1],
        reward_code=np.arange(2),
    )
