"""One case per row of the support table: the CPU kernel and the card's on the same small instance.

Run as a program under NUMBA_ENABLE_CUDASIM=1:  python cases.py [--mutate MODULE OLD NEW] [case ...]
prints {case: worst difference, relative to max(1, ‖·‖), or a message} as JSON.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
GAMMA = 0.75
SPANS = 6


def instance() -> dict[str, Any]:
    """A model with 1 to 3 actions a state, empty columns, one long row, and rows longer than a chunk."""
    rng = np.random.default_rng(7)
    counts = np.array([2, 1, 3, 2, 1, 2, 3])
    S, N = counts.size, int(counts.sum())
    P = rng.random((N, S)) * (rng.random((N, S)) < 0.4)
    P[np.arange(N), rng.integers(0, S, N)] += 0.2
    P[4] = rng.random(S)
    P /= P.sum(axis=1, keepdims=True)
    R = rng.normal(size=N)
    P[3] = P[4]  # a tie: the first greedy pair is wanted
    R[3] = R[4] = 5.0
    at = np.nonzero(P)
    indptr = np.concatenate([[0], np.cumsum((P != 0).sum(axis=1))]).astype(np.uint64)
    ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
    weights = rng.random(N) * (rng.random(N) < 0.7)
    return {
        "csr": (P[at], at[1].astype(np.uint32), indptr, R, GAMMA, ptr),
        "dense": (P, R, GAMMA, ptr),
        "V": rng.normal(size=S),
        "rows": (ptr[1:] - np.uint64(1)).copy(),
        "weights": weights,
    }


def bellman(module: str, function: str) -> Callable[[Any, Any], tuple[list[Any], list[Any]]]:
    """Outputs of both twins: results and every array argument after the call."""
    m = instance()
    lead = m["csr"] if module == "bellman_csr" else m["dense"]
    V, S, N = m["V"], m["V"].size, m["weights"].size
    loop = (V, 1e-2, 1e-14, 5.0, 12)
    last = {
        "q_values": (V, np.full(N, np.nan)),
        "backup": (V, np.full(S, np.nan), np.full(S, N, dtype=np.uint64)),
        "chosen_backup": (m["rows"], V, np.full(S, np.nan)),
        "weighted_backup": (m["weights"], V, np.full(S, np.nan)),
        "value_iteration": (*loop, np.full(SPANS, np.nan)),
        "modified_policy_iteration": (*loop, 0, np.inf, np.full(SPANS, np.nan)),
    }[function]
    if function == "backup" and module == "bellman_dense":
        last = (*last, np.zeros(N))

    def run(cpu: Any, card: Any) -> tuple[list[Any], list[Any]]:
        f, g = getattr(cpu, function), getattr(card, function)
        ours, theirs = called(f, lead, last), called(g, lead, last)
        if function == "backup":
            V[2] = np.nan  # NaN must reach the bounds
            ours += called(f, lead, last)[:2]
            theirs += called(g, lead, last)[:2]
        return ours, theirs

    return run


def called(f: Callable[..., Any], lead: Any, last: Any) -> list[Any]:
    """The results of f and the arrays it may have written (scratch excluded)."""
    args = [x.copy() if isinstance(x, np.ndarray) else x for x in last]
    result = f(*lead, *args)
    kept = args[:3] if f.__name__ == "backup" else args
    results = [] if result is None else list(result)
    return results + [x for x in kept if isinstance(x, np.ndarray)]


def models() -> tuple[Any, Any, Any]:
    """P (B, S, A, S), R (B, S, A), γ (B,): B models of unlike discount."""
    rng = np.random.default_rng(3)
    P = rng.dirichlet(np.ones(3), (3, 3, 2))
    return P, rng.normal(size=(3, 3, 2)), np.array([0.3, 0.6, 0.0])


def solve_models(cpu: Any, card: Any) -> tuple[list[Any], list[Any]]:
    P, R, g = models()
    B, S, A = R.shape
    V, pi, met = np.zeros((B, S)), np.full((B, S), -1), np.zeros(B, dtype=np.int32)
    low, high = np.empty((B, S)), np.empty((B, S))
    flat = P.reshape(B, S * A, S), R.reshape(B, S * A)
    W, rho = np.zeros((B, S)), np.zeros((B, S), dtype=np.int64)
    card.solve_models(*flat, g, 1e-4, V, pi, met)
    cpu.solve_models(*flat, g, 1e-14, W, rho, low, high)
    near = np.abs(V - W).max() <= 2e-4 * max(1.0, np.abs(W).max())
    return [rho, np.ones(B), 1.0], [pi, met, float(near)]


def evaluate_models(cpu: Any, card: Any) -> tuple[list[Any], list[Any]]:
    P, R, g = models()
    pi = np.random.default_rng(5).dirichlet(np.ones(2), (3, 3))
    pi[0, 0] = [0.0, 1.0]
    V, W = np.full((3, 3), np.nan), np.zeros((3, 3))
    card.evaluate_models(P, R, g, pi, V)
    cpu.evaluate_models(P, R, g, pi, W, np.empty((3, 3)), np.empty((3, 3)))
    return [W], [V]


def induct_models(cpu: Any, card: Any) -> tuple[list[Any], list[Any]]:
    """Against NumPy; a CPU kernel of that name must agree, too."""
    P, R, _ = models()
    P[1, :, 1], R[1, :, 1] = P[1, :, 0], R[1, :, 0]  # ties: the lowest action is wanted
    B, S, A = R.shape
    H, g = 3, np.array([1.0, 0.5, 0.9])
    V, pi = np.full((B, H + 1, S), np.nan), np.full((B, H, S), -1)
    V[:, H] = np.arange(S)
    W, rho = V.copy(), pi.copy()
    card.induct_models(P.reshape(B, S * A, S), R.reshape(B, S * A), g, V, pi)
    for h in reversed(range(H)):
        q = R + g[:, None, None] * (P @ W[:, h + 1, None, :, None])[..., 0]
        W[:, h], rho[:, h] = q.max(axis=2), q.argmax(axis=2)
    ours, theirs = [W, rho], [V, pi]
    if hasattr(cpu, "induct_models"):
        X, act = W.copy(), np.zeros_like(rho)
        X[:, :H] = np.nan
        cpu.induct_models(P.reshape(B, S * A, S), R.reshape(B, S * A), g, X, act)
        ours, theirs = [*ours, X, act], [*theirs, V, pi]
    return ours, theirs


def outcomes() -> tuple[Any, ...]:
    """rows, ptr, prob, next_state, reward: ragged lists, a zero probability, rewards that leave a grid."""
    rng = np.random.default_rng(11)
    counts = np.array([3, 1, 2, 5, 4])
    ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
    prob = np.concatenate([rng.dirichlet(np.ones(c)) for c in counts])
    prob[4], prob[5] = 0.0, 1.0
    K = prob.size
    reward = rng.normal(size=K)
    reward[:3], reward[6] = 0.5, 9.0
    rows = np.array([0, 3, 4, 2], dtype=np.uint64)
    return rows, ptr, prob, rng.integers(0, 4, K).astype(np.uint32), reward


def categorical(function: str) -> Callable[[Any, Any], tuple[list[Any], list[Any]]]:
    """Both grids at three discounts, the mixture, the choice of actions."""

    def run(cpu: Any, card: Any) -> tuple[list[Any], list[Any]]:
        rows, ptr, prob, nxt, reward = outcomes()
        m = 17
        laws = np.random.default_rng(2).dirichlet(np.ones(m), 4)
        ours: list[Any] = []
        theirs: list[Any] = []
        for into, module in ((ours, cpu), (theirs, card)):
            f = getattr(module, function)
            for gamma in (0.25, 0.8, 0.97, 1.0):
                out, lost = np.full((4, m), np.nan), np.full(4, np.nan)
                lists = (rows, ptr, prob, nxt, reward, gamma)
                grid = np.linspace(-4.0, 4.0, m)
                if function == "backup_uniform":
                    f(*lists, -4.0, 0.5, laws, out, lost)
                    into += [out, lost]
                elif function == "backup_grid":
                    f(*lists, grid * np.abs(grid), laws, out, lost)
                    into += [out, lost]
                elif function == "mix":
                    f(rows, ptr, prob, nxt, laws, out)
                    into += [out]
                else:
                    state_ptr = np.array([0, 2, 4, 5], dtype=np.uint64)
                    q, arg = np.full(5, np.nan), np.zeros(3, dtype=np.uint64)
                    f(state_ptr, ptr, prob, nxt, reward, gamma, laws @ grid, q, arg)
                    into += [q, arg]
        return ours, theirs

    return run


def quantile(cpu: Any, card: Any) -> tuple[list[Any], list[Any]]:
    """Odd and even numbers of atoms, one atom, and ties of atoms and of levels."""
    rows, ptr, prob, nxt, reward = outcomes()
    even = np.concatenate([np.full(int(b - a), 1.0 / (b - a)) for a, b in zip(ptr, ptr[1:], strict=False)])
    ours: list[Any] = []
    theirs: list[Any] = []
    for m in (1, 4, 9):
        for p, r, digits in ((prob, reward, 9), (even, reward.round(), 0)):
            laws = np.sort(np.random.default_rng(m).normal(size=(4, m)).round(digits) * 2, axis=1)
            for into, module in ((ours, cpu), (theirs, card)):
                out = np.full((4, m), np.nan)
                module.backup(rows, ptr, p, nxt, r, 1.0 if digits == 0 else 0.9, laws, out)
                into.append(out)
    return ours, theirs


def draws(function: str) -> Callable[[Any, Any], tuple[list[Any], list[Any]]]:
    """Far paths and long rows among them, so that every counter word and the slow branches are used."""

    def run(cpu: Any, card: Any) -> tuple[list[Any], list[Any]]:
        ours: list[Any] = []
        theirs: list[Any] = []
        key = np.uint64(0x9D39247E33776D41)
        for into, module in ((ours, cpu), (theirs, card)):
            f = getattr(module, function)
            for first in (np.uint64(0), np.uint64(2**40 + 5)):
                if function in ("normals", "uniforms"):
                    for skip, out in ((1, np.full((3, 302), 7.0)), (0, np.full((2, 5), np.nan))):
                        f(key, first, skip, out)
                        into.append(out)
                elif function == "gammas":
                    for shape in (0.2, 1.0, 7.5):
                        out = np.full((2, 60), np.nan)
                        f(key, first, shape, out)
                        into.append(out)
                else:
                    for degrees, scale in ((0.0, 0.3), (0.7, 0.01), (3.0, 0.002)):
                        out = np.full((3, 20), np.nan)
                        out[:, 0] = (0.5, 1.0, 2.0)
                        f(key, first, 0.9, scale, degrees, out)
                        into.append(out)
        return ours, theirs

    return run


def recursions(function: str) -> Callable[[Any, Any], tuple[list[Any], list[Any]]]:
    """Seven paths: one group of four and the rest."""

    def run(cpu: Any, card: Any) -> tuple[list[Any], list[Any]]:
        rng = np.random.default_rng(4)
        F, L = rng.normal(size=(3, 3)) / 2, np.tril(rng.normal(size=(3, 3)))
        gammas = rng.standard_gamma(1.5, (7, 11))
        lead: tuple[Any, ...] = {
            "affine": (0.9, 0.1, 0.3),
            "exponential": (0.05, 0.2),
            "linear": (F, rng.normal(size=3), L),
            "square_root": (0.9, 0.05, gammas),
        }[function]
        start = rng.normal(size=(7, 12)) if function != "square_root" else rng.random((7, 12))
        ours, theirs = start.copy(), start.copy()
        getattr(cpu, function)(*lead, ours)
        getattr(card, function)(*lead, theirs)
        return [ours], [theirs]

    return run


def cases() -> dict[str, Callable[[Any, Any], tuple[list[Any], list[Any]]]]:
    """Case of each simulated row, by name."""
    from rltheory.kernels.support import SUPPORT

    own = {"solve_models": solve_models, "evaluate_models": evaluate_models, "induct_models": induct_models}
    table = {}
    for row in SUPPORT:
        if row.cuda and not row.needs:
            if row.module == "categorical":
                make = categorical(row.function)
            elif row.module == "quantile":
                make = quantile
            elif row.module == "normals":
                make = draws(row.function)
            elif row.module == "paths":
                make = recursions(row.function)
            else:
                make = own.get(row.function) or bellman(row.module, row.function)
            table[f"{row.module}.{row.function}"] = make
    return table


def difference(a: Any, b: Any) -> float:
    """max|a − b| / max(1, max|a|); infinite for unlike shapes, for NaN in one, for unlike integers."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or (a.dtype.kind in "iu" and not np.array_equal(a, b)):
        return float("inf")
    a, b = a.astype(float), b.astype(float)
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        return float("inf")
    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    return float(np.abs(a - b).max(initial=0.0) / max(1.0, np.abs(a).max(initial=0.0)))


def mutate(name: str, old: str, new: str) -> None:
    """Load module `name` with `old` replaced by `new` in its source."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    assert old in source, f"{name}: nothing to mutate"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    exec(compile(source.replace(old, new), spec.origin, "exec"), module.__dict__)
    parent, _, child = name.rpartition(".")
    setattr(importlib.import_module(parent), child, module)


def main(argv: list[str]) -> None:
    if argv[:1] == ["--mutate"]:
        mutate(*argv[1:4])
        argv = argv[4:]
    found: dict[str, float | str] = {}
    for name, run in cases().items():
        if argv and name not in argv:
            continue
        module = name.partition(".")[0]
        cpu = importlib.import_module(f"rltheory.kernels.{module}")
        card = importlib.import_module(f"rltheory.kernels.gpu.{module}")
        try:
            ours, theirs = run(cpu, card)
            worst = [difference(a, b) for a, b in zip(ours, theirs, strict=True)]
            found[name] = max(worst)
        except Exception as exc:
            found[name] = f"{type(exc).__name__}: {exc}"
    print(json.dumps(found))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(sys.argv[1:])
