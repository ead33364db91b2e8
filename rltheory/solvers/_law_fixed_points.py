"""Fixed points of Π T_π: sweeps in doubles, linear algebra in rationals."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidArgument
from ..kernels import exact as rational
from ..kernels import laws as flat
from ..kernels.pick import Device
from ..models.outcomes import OutcomeMDP
from ..models.policy import Policy
from ..operators.distributional import CategoricalStep, QuantileStep
from ..operators.outcome_chain import Chain
from ..results.solution import Status
from ._law_card import CardStep

UNKNOWNS = 600
"""Largest S·(m−1) of a rational categorical fixed point."""
ROUNDS = 60
"""Most tries at the atom each quantile comes from."""
BURST = 64
"""Most backups between two looks at the distance."""
LOST = 1e-9
"""Mass a law from a card may lack: without mass anything is a fixed point."""
FLOOR = 64 * 2.0**-53
"""Relative distance of two iterates that rounding may keep up."""


def mean_values(m: OutcomeMDP, pi: Policy | None) -> NDArray[Any]:
    """V^π in doubles, where the sweeps start."""
    from .evaluation import evaluate

    assert pi is not None
    V = evaluate(m.to_mdp(), pi).V
    return np.where(np.isfinite(V.astype(float)), V.astype(float), 0.0)


def sweep(
    step: CategoricalStep | QuantileStep,
    start: NDArray[Any],
    tol: float,
    max_iter: int,
    distance: Callable[[NDArray[Any], NDArray[Any]], float],
    device: Device = "cpu",
) -> tuple[NDArray[Any], int, float, Status]:
    """(η, backups, distance of the last two, how it ended); see the stopping rule of `distributional`.

    Laws found on a card are backed up once more on the CPU: the distance reported is never the card's word.
    """
    if device == "cuda":
        rows, n, _, how = _iterate(CardStep(step), step, start, tol, max_iter, distance)
        back = step(rows).laws
        left = distance(rows, back)
        goal = tol * (1 - float(step.chain.gamma)) / float(step.chain.gamma)
        mass = isinstance(step, CategoricalStep) and np.abs(rows.sum(axis=1) - 1).max()
        if how is Status.SOLVED and not (left <= 2 * goal and mass <= LOST):
            how = Status.STALLED
        return back, n + 1, left, how
    return _iterate(None, step, start, tol, max_iter, distance)


def _iterate(
    card: CardStep | None,
    step: CategoricalStep | QuantileStep,
    start: NDArray[Any],
    tol: float,
    max_iter: int,
    distance: Callable[[NDArray[Any], NDArray[Any]], float],
) -> tuple[NDArray[Any], int, float, Status]:
    gamma = float(step.chain.gamma)
    scale = float(np.abs(step.chain.reward).max()) / (1 - gamma) + float(np.abs(start).max())
    floor = FLOOR * scale * start.shape[1]
    goal = tol * (1 - gamma) / gamma
    backup: Any = step if card is None else card
    host: Any = np.asarray if card is None else card.host
    start = np.ascontiguousarray(start)
    old, new = (start, np.empty_like(start)) if card is None else card.buffers(start)
    n, left, burst, best, tries = 0, math.inf, 1, math.inf, 0
    while n < max_iter:
        for _ in range(min(burst, max_iter - n)):
            backup(old, new)
            old, new = new, old
            n += 1
        left = distance(host(old), host(new))
        if left <= goal:
            return host(old), n, left, Status.SOLVED
        tries = tries + 1 if left >= 0.99 * best else 0
        if math.isnan(left) or (tries >= 5 and left <= floor):
            return host(old), n, left, Status.STALLED
        best = min(best, left)
        ahead = math.log(left / goal) / -math.log(gamma) if goal > 0 else BURST
        burst = max(1, min(BURST, math.ceil(ahead / 4)))
    return host(old), n, left, Status.MAX_ITER


def categorical_exact(chain: Chain, grid: NDArray[Any]) -> NDArray[Any]:
    """The rational fixed point of Π_C T_π: one linear solve, the last mass of each state eliminated.

    Raises
    ------
    InvalidArgument
        Beyond `UNKNOWNS`.
    """
    S, m = chain.lists, len(grid)
    n = S * (m - 1)
    if n > UNKNOWNS:
        raise InvalidArgument(
            f"rational categorical laws: S(m−1)={n} unknowns, at most {UNKNOWNS}; use model.float(), fewer "
            "atoms, or a horizon H"
        )
    zero, one = Fraction(0), Fraction(1)
    full = np.full((n, S * m), zero, dtype=object)
    for s in range(S):
        for k in chain.entries(s):
            at = int(chain.next_state[k]) * m
            for j in range(m):
                y = np.array([chain.reward[k] + chain.gamma * grid[j]], dtype=object)
                split = flat.two_hot(grid, y, np.array([chain.prob[k]], dtype=object))
                full[s * (m - 1) : (s + 1) * (m - 1), at + j] += split[:-1]
    last = full[:, m - 1 :: m]  # columns of the eliminated masses, 1 − Σ others
    system = np.full((n, n), zero, dtype=object)
    for t in range(S):
        block = full[:, t * m : t * m + m - 1] - last[:, t : t + 1]
        system[:, t * (m - 1) : (t + 1) * (m - 1)] = -block
    system[np.arange(n), np.arange(n)] += one
    found = rational.solve_linear(system, last.sum(axis=1)).reshape(S, m - 1)
    return np.hstack([found, (one - found.sum(axis=1))[:, None]])


def quantile_exact(step: QuantileStep, guess: NDArray[np.float64]) -> tuple[NDArray[Any], bool]:
    """(rational rows, whether they are the fixed point): each atom is r + γ·(another atom), up to its cycle.

    The atom that realises each quantile is read off a guess; the closed form is accepted when one exact
    backup returns it, else its own choice is followed.
    """
    from ..arrays import exact_array

    rows: NDArray[Any] = exact_array(guess)
    for _ in range(ROUNDS):
        source = _sources(step, rows)
        solved = _follow(source, step.chain.gamma, rows.shape)
        back = step(solved).laws
        if (back == solved).all():
            return solved, True
        rows = back
    return rows, False


def _sources(step: QuantileStep, rows: NDArray[Any]) -> list[tuple[int, Any]]:
    """For every (s, i), flattened: (flat index of the atom it comes from, reward on the way)."""
    c, m = step.chain, rows.shape[1]
    levels = flat.midpoint_levels(m, exact=True)
    out: list[tuple[int, Any]] = []
    for s in range(c.lists):
        entries = [
            (
                c.reward[k] + c.gamma * rows[int(c.next_state[k]), j],
                c.prob[k] / m,
                int(c.next_state[k]) * m + j,
                c.reward[k],
            )
            for k in c.entries(s)
            for j in range(m)
        ]
        entries.sort(key=lambda e: e[0])
        cum, at = Fraction(0), 0
        for level in levels:
            while cum < level and at < len(entries):
                cum += entries[at][1]
                at += 1
            out.append(entries[at - 1][2:])
    return out


def _follow(source: list[tuple[int, Any]], gamma: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """θ_a = r_a + γ θ_{source(a)}: closed form on cycles, then along the paths that lead to them."""
    value: list[Any] = [None] * len(source)
    for a in range(len(source)):
        path: list[int] = []
        seen: dict[int, int] = {}
        b = a
        while value[b] is None and b not in seen:
            seen[b] = len(path)
            path.append(b)
            b = source[b][0]
        if value[b] is None:
            cycle = path[seen[b] :]
            total = sum((gamma**t * source[c][1] for t, c in enumerate(cycle)), Fraction(0))
            value[b] = total / (1 - gamma ** len(cycle))
        for c in reversed(path):
            if value[c] is None:
                value[c] = source[c][1] + gamma * value[source[c][0]]
    out = np.empty(len(source), dtype=object)
    out[:] = value
    return np.sort(out.reshape(shape), axis=1)
