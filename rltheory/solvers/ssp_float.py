"""Stochastic shortest paths in doubles: evaluation, improvement, sweeps, and verified bounds.

A super-solution U ≥ TU, or L ≤ T_πL for a proper π, is a bound (see `solvers.ssp`); U and L are the
values for rewards raised and lowered by ε, with ε the first of 1e-15, 1e-14, …, 1e-6 (times the scale
of V) for which the inequality survives outward rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from numpy.typing import NDArray

from ..arrays import FloatVec, IntVec, sup_norm
from ..kernels import graph
from ..models.mdp import MDP
from .bounds import backup_pairs, enclose_backup, enclose_policy_backup
from .policy_iteration import Rule, switch_float
from .proper import Quotient, improper_state

TIE = 1e-12
DENSE_LIMIT = 300


@dataclass
class Run:
    """Final pairs and values of an iteration, and how it went."""

    rows: IntVec
    V: FloatVec
    changes: int
    hit_limit: bool
    trace: list[tuple[IntVec, FloatVec]]


def mask(mdp: MDP, rows: IntVec) -> NDArray[np.bool_]:
    """(N,) mask of the pairs of a deterministic policy."""
    out = np.zeros(mdp.N, dtype=np.bool_)
    out[rows] = True
    return out


def evaluate_float(mdp: MDP, weights: FloatVec, shift: float) -> FloatVec:
    """Solution of V = R_π + shift + P_πV off the terminal states, 0 at them."""
    live = ~mdp.terminal
    data, indices, indptr = mdp.csr
    owner = np.repeat(np.arange(mdp.N), np.diff(indptr))
    source = mdp.pair_state[owner]
    keep = live[source] & live[indices] & (weights[owner] != 0)
    number = np.cumsum(live) - 1
    n = int(live.sum())
    P = sp.coo_array(
        ((weights[owner] * data)[keep], (number[source[keep]], number[indices[keep]])), shape=(n, n)
    )
    r = np.add.reduceat(weights * mdp.R_pairs, mdp.state_ptr[:-1])[live] + shift
    V = np.zeros(mdp.S)
    try:
        if n <= DENSE_LIMIT:
            V[live] = np.linalg.solve(np.eye(n) - P.toarray(), r) if n else r
        else:
            V[live] = spla.splu(sp.csc_matrix(sp.identity(n) - P)).solve(r)
    except (np.linalg.LinAlgError, RuntimeError):
        V[live] = np.nan
    return V


def iterate(
    mdp: MDP,
    rows: IntVec,
    shift: float,
    tie: float,
    max_iter: int,
    keep_trace: bool = False,
    rule: Rule = "howard",
) -> Run:
    """Policy iteration from proper rows for rewards R + shift; an improper or repeated policy ends it."""
    seen = {rows.tobytes()}
    trace: list[tuple[IntVec, FloatVec]] = []
    changes, hit_limit = 0, False
    R = np.where(mdp.terminal[mdp.pair_state], 0.0, mdp.R_pairs + shift)
    while True:
        V = evaluate_float(mdp, mask(mdp, rows).astype(np.float64), shift)
        if keep_trace:
            trace.append((rows, V))
        q = R + backup_pairs(mdp, V)
        if not np.isfinite(q).all():
            break
        new = switch_float(rule, mdp, rows, q, V, tie)
        if (new == rows).all() or new.tobytes() in seen:
            break
        if improper_state(mdp, mask(mdp, new)) is not None:
            break
        if changes == max_iter:
            hit_limit = True
            break
        seen.add(new.tobytes())
        rows, changes = new, changes + 1
    return Run(rows, V, changes, hit_limit, trace)


def sweep(quo: Quotient, tol: float, max_iter: int) -> Run:
    """Value iteration from 0, then a proper policy among the near-greedy pairs."""
    mdp = quo.model.float()
    V, sweeps = np.zeros(mdp.S), 0
    while True:
        q = mdp.R_pairs + backup_pairs(mdp, V)
        TV = np.where(mdp.terminal, 0.0, np.maximum.reduceat(q, mdp.state_ptr[:-1]))
        sweeps += 1
        residual, V = float(sup_norm(TV - V)), TV
        done = residual <= tol * max(1.0, float(sup_norm(V)))
        if done or sweeps >= max_iter or not np.isfinite(residual):
            break
    q = mdp.R_pairs + backup_pairs(mdp, V)
    slack = 2 * residual + TIE * max(1.0, float(sup_norm(V)))
    indices, indptr = graph.support(*mdp.csr)
    _, rows = graph.attractor(
        indices, indptr, mdp.pair_state, mdp.S, mdp.terminal, q >= V[mdp.pair_state] - slack
    )
    rows = np.where(rows >= 0, rows, quo.proper_rows)
    if improper_state(mdp, mask(mdp, rows)) is not None:
        rows = quo.proper_rows
    return Run(rows, V, sweeps, not done, [])


def optimal_bounds(mdp: MDP, rows: IntVec, V: FloatVec) -> tuple[FloatVec, FloatVec]:
    """Verified (lower, upper) on the optimal V; infinite where no ε up to 1e-6 relative does it."""
    lower = policy_bound(mdp, mask(mdp, rows).astype(np.float64), V, -1)
    upper = np.full(mdp.S, np.inf)
    scale = max(1.0, float(sup_norm(V)))
    for k in range(-15, -5):
        run = iterate(mdp, rows, 10.0**k * scale, 10.0**k / 4, 100)
        U = np.where(mdp.terminal, 0.0, run.V)
        _, hi, defect = enclose_backup(mdp, U, 1.0)
        hi = np.where(mdp.terminal, 0.0, hi + np.nextafter(1.01 * defect * float(sup_norm(U)), np.inf))
        if np.isfinite(hi).all() and (np.nextafter(hi, np.inf) <= U)[~mdp.terminal].all():
            upper = np.minimum(U, np.where(mdp.terminal, 0.0, np.nextafter(hi, np.inf)))
            break
    return lower, upper


def policy_bound(mdp: MDP, weights: FloatVec, V: FloatVec, side: Literal[-1, 1]) -> FloatVec:
    """Verified lower (side −1) or upper (+1) bound on V^π of a proper policy."""
    scale = max(1.0, float(sup_norm(V)))
    for k in range(-15, -5):
        L = np.where(mdp.terminal, 0.0, evaluate_float(mdp, weights, side * 10.0**k * scale))
        lo, hi, defect = enclose_policy_backup(mdp, weights, L, 1.0)
        widen = np.nextafter(1.01 * defect * float(sup_norm(L)), np.inf)
        edge = np.nextafter(lo - widen if side < 0 else hi + widen, side * np.inf)
        good = edge >= L if side < 0 else edge <= L
        if np.isfinite(L).all() and good[~mdp.terminal].all():
            return L
    return np.full(mdp.S, side * np.inf)
