"""Random models meant to hurt, and their exact optimal values by an independent route."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from flint import fmpq, fmpq_mat

from rltheory import MDP

GAMMAS = (0.0, 0.3, 0.7, 0.9, 0.99, 0.999, 0.9999, 1 - 1e-6)


def wild_model(rng: np.random.Generator, gammas: tuple[float, ...] = GAMMAS) -> MDP:
    """A float MDP, S ≤ 6: ties, absorbing and terminal states, tiny probabilities, mixed magnitudes."""
    S = int(rng.integers(1, 7))
    terminal = [s for s in range(S) if rng.random() < 0.1]
    ids = [np.flatnonzero(rng.random(4) < 0.6) for _ in range(S)]
    ids = [a if a.size else np.array([int(rng.integers(4))]) for a in ids]
    uniform = rng.random() < 0.4
    if uniform:
        ids = [np.arange(max(a.size for a in ids))] * S
    kind = rng.integers(4)
    rows, rewards, states, actions = [], [], [], []
    for s in range(S):
        for a in ids[s]:
            if s in terminal:
                row, reward = np.eye(S)[s], 0.0
            else:
                row, reward = _row(rng, S, s), _reward(rng, kind)
            if rows and rng.random() < 0.15 and states[-1] == s:
                row, reward = rows[-1], rewards[-1]
            rows.append(row)
            rewards.append(reward)
            states.append(s)
            actions.append(int(a))
    gamma = float(rng.choice(gammas))
    if uniform and rng.random() < 0.7:
        A = ids[0].size
        return MDP(np.reshape(rows, (S, A, S)), np.reshape(rewards, (S, A)), gamma, terminal=terminal)
    return MDP.from_pairs(
        np.array(rows), rewards, gamma, pair_state=states, pair_action=actions, terminal=terminal
    )


def _row(rng: np.random.Generator, S: int, s: int) -> np.ndarray:
    what = rng.random()
    if what < 0.15:
        return np.eye(S)[s]
    if what < 0.35:
        return np.eye(S)[rng.integers(S)]
    row = rng.dirichlet(np.full(S, rng.choice([0.2, 1.0, 5.0])))
    if what < 0.5:
        row[rng.random(S) < 0.5] = 0
    if what > 0.85:
        row *= 10.0 ** rng.integers(-15, 1, S)
    if row.sum() < 1e-200:
        return np.eye(S)[s]
    return row / row.sum()


def _reward(rng: np.random.Generator, kind: int) -> float:
    if kind == 0:
        return float(rng.random())
    if kind == 1:
        return float(rng.integers(-2, 3))
    if kind == 2:
        return float(rng.normal() * 10.0 ** rng.uniform(-8, 8))
    return float(rng.choice([0.0, 1.0, -1e-8, 1e8, 0.1]))


def exact_optimum(mdp: MDP, guess: np.ndarray | None = None) -> tuple[list[fmpq], list[int]]:
    """V* of the rational model of `mdp` and an optimal pair per state: policy iteration from scratch.

    Independent of the library's solvers and kernels: one `fmpq_mat` solve a policy, starting from the
    pair indices `guess`, and Bellman's equation checked exactly.
    """
    P, R, gamma, ptr = rational_parts(mdp)
    S = mdp.S
    rows = [int(k) for k in (mdp.state_ptr[:-1] if guess is None else guess)]
    while True:
        V = exact_chain([P[k] for k in rows], [R[k] for k in rows], gamma)
        better = False
        for s in range(S):
            value = [R[k] + gamma * sum(p * v for p, v in zip(P[k], V)) for k in range(ptr[s], ptr[s + 1])]
            best = max(value)
            if best > V[s]:
                rows[s], better = ptr[s] + value.index(best), True
        if not better:
            return V, rows


def exact_value(mdp: MDP, table: np.ndarray) -> list[fmpq]:
    """V^π of the rational model for an (S, A) table of probabilities (each the rational it stores)."""
    P, R, gamma, ptr = rational_parts(mdp)
    rows, rewards = [], []
    for s in range(mdp.S):
        row, r = [fmpq(0)] * mdp.S, fmpq(0)
        for k in range(ptr[s], ptr[s + 1]):
            w = to_q(table[s, mdp.pair_action[k]])
            row = [x + w * p for x, p in zip(row, P[k])]
            r += w * R[k]
        rows.append(row)
        rewards.append(r)
    return exact_chain(rows, rewards, gamma)


def exact_chain(rows: list[list[fmpq]], rewards: list[fmpq], gamma: fmpq) -> list[fmpq]:
    """(I − γP)⁻¹R in rationals."""
    n = len(rows)
    M = fmpq_mat(n, n, [fmpq(int(i == j)) - gamma * rows[i][j] for i in range(n) for j in range(n)])
    return list(M.solve(fmpq_mat(n, 1, rewards)).entries())


def rational_parts(mdp: MDP) -> tuple[list[list[fmpq]], list[fmpq], fmpq, list[int]]:
    """P over pairs, R, γ, state_ptr as rationals."""
    P = [[to_q(x) for x in row] for row in mdp.P_pairs.tolist()]
    return P, [to_q(x) for x in mdp.R_pairs.tolist()], to_q(mdp.gamma), mdp.state_ptr.tolist()


def to_q(x: object) -> fmpq:
    """The rational a double stores."""
    q = Fraction(x) if isinstance(x, Fraction) else Fraction(float(x))  # type: ignore[arg-type]
    return fmpq(q.numerator, q.denominator)


def inside(V: list[fmpq], lower: np.ndarray, upper: np.ndarray) -> bool:
    """lower ≤ V ≤ upper, compared as rationals (infinite bounds hold, NaN never does)."""
    for v, a, b in zip(V, lower.tolist(), upper.tolist()):
        if not (a == -np.inf or (np.isfinite(a) and to_q(a) <= v)):
            return False
        if not (b == np.inf or (np.isfinite(b) and v <= to_q(b))):
            return False
    return True
