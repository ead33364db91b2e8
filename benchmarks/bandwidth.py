"""How near each kernel comes to memory speed, family by family.

Compulsory bytes of a pass over n_z non-zeros: 12·n_z (8 where rows are stored in full or their columns are
consecutive) + 4(N + 1) + 8N + 16S, the model read once and V in and out; 4N more for the first columns.
They are divided by the CPU time of the fastest bundle of calls, and by two read bandwidths of the same
process: STREAM's, of main memory, which targets refer to, and that of an array of the model's size, which is
several times higher where the model stays in cache: 100 % is as fast as merely reading the model.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from . import meter, stream
from .families import Spec, select
from .instance import Instance

TARGETS = {
    "garnet": None,
    "branching": 75,
    "local": 75,
    "inventory": 90,
    "dense": 90,
    "maze": 55,
    "pendulum": 55,
    "queue": 75,
    "tandem": 75,
    "riverswim": 75,
    "dag": None,
    "scc": None,
}
"""Per cent of the read bandwidth of main memory asked for; None where V is gathered at random."""
SWEEPS = ("backup", "gauss_seidel")
IN_CACHE, AT_RANDOM = 0.5, 2.0
"""Nanoseconds a non-zero asked for with everything in cache, and at 10⁶ states with random rows."""


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """One row a kernel and instance."""
    import fnmatch

    sizes = args.size or (["small", "medium", "large"] if args.full else ["small", "medium"])
    rows: list[dict[str, Any]] = []
    for spec in select(args.family, sizes):
        if fnmatch.fnmatch(spec.name, args.instance or "*") and not _twin(spec, rows):
            rows += kernels(spec.build(), spec, args.repeats)
    return {"table": rows, "stream": stream.measure(), "load": meter.load()}


def _twin(spec: Spec, rows: list[dict[str, Any]]) -> bool:
    """True if an instance that differs only by γ was measured."""
    return any(r["instance"].split(" γ")[0] == spec.name.split(" γ")[0] for r in rows)


def kernels(x: Instance, spec: Spec, repeats: int) -> list[dict[str, Any]]:
    """Backup, greedy evaluation sweep, Gauss–Seidel sweep, certificate; and NumPy's or SciPy's product."""
    from .ours import Ours

    ours = Ours("rltheory")
    ours.prepare()
    mdp = ours.load(x)
    out = []
    for name, call, nnz, nbytes in _calls(mdp, x):
        clock = meter.per_call(call, repeats=repeats)
        speed = nbytes / clock["least"] / 1e9
        limit = stream.read(_rounded(nbytes))
        out.append(
            {
                "instance": x.name,
                "kernel": name,
                "ms": clock["least"] * 1e3,
                "ns a non-zero": clock["least"] / nnz * 1e9,
                "GB/s": speed,
                "% of STREAM": 100 * speed / stream.read(),
                "% at its size": 100 * speed / limit,
                "target %": TARGETS[spec.family] or "" if name in SWEEPS else "",
                "target ns": _nanoseconds(x) if name in SWEEPS else "",
            }
        )
    return out


def _nanoseconds(x: Instance) -> float | str:
    if x.backup_bytes < 1 << 20 and x.nnz >= 10_000:
        return IN_CACHE
    return AT_RANDOM if x.S >= 1_000_000 and "garnet" in x.name else ""


def _rounded(nbytes: int) -> int:
    """Working-set sizes are rounded to powers of two, so that few bandwidths are measured."""
    return int(min(stream.DRAM, 2 ** round(np.log2(nbytes))))


def _calls(mdp: Any, x: Instance) -> list[tuple[str, Callable[[], Any], int, int]]:
    from rltheory.kernels import certificate
    from rltheory.operators._arrays import pair_arrays, row_bounds

    pairs = pair_arrays(mdp)
    k, model = pairs.kernels, pairs.model
    V, out = np.random.default_rng(0).random(mdp.S), np.empty(mdp.S)
    arg, q = np.empty(mdp.S, np.uint64), np.empty(mdp.N)
    lower, upper, pick = np.empty(mdp.S), np.empty(mdp.S), np.empty(mdp.S, np.int64)
    order = np.arange(mdp.S, dtype=np.uint64)
    scratch = (q,) if pairs.dense else ()
    k.backup(*model, V, out, arg, *scratch)
    rows = arg.copy()
    width = np.diff(x.indptr)[rows.astype(np.int64)]
    slim = pairs.dense or pairs.runs
    chosen = int(width.sum()), int(width.sum() * (8 if slim else 12) + 12 * mdp.S + 16 * mdp.S)
    known, gamma, done = row_bounds(mdp, pairs), float(mdp.gamma), mdp.terminal

    def enclose() -> None:
        point = V.copy()
        e, size = certificate.backup_error(pairs.longest, gamma, known.smax, np.abs(point).max(), known.rmax)
        lo, hi, short = k.greedy_backup(*model, point, 1e-12, out, pick)
        sub, add, _ = certificate.fixed_point_offsets(
            lo, hi, short, e, size, gamma, known.smin, known.smax, True
        )
        certificate.enclose(out, sub, add, done, point, True, lower, upper)

    P = x.matrix().toarray() if pairs.dense else x.matrix()
    every = x.nnz, x.backup_bytes - (4 * x.nnz - 4 * x.N if pairs.runs else 0)
    full = x.nnz, x.backup_bytes
    return [
        ("backup", lambda: k.backup(*model, V, out, arg, *scratch), *every),
        ("gauss_seidel", lambda: k.gauss_seidel(*model, order, V), *every),
        ("chosen_backup", lambda: k.chosen_backup(*model, rows, V, out), *chosen),
        ("certificate", enclose, *every),
        ("SciPy P @ V", lambda: P @ V, *full),
    ]
