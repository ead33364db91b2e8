"""Check every kernel of a CUDA card against float64 on the CPU, then time them:  python -m benchmarks.gpu

One command on a machine with a card: `pip install rltheory[gpu]`, then

    python -m benchmarks.gpu [--quick] [--out results.json]

First every kernel is compared with its CPU twin on fresh random inputs; a single disagreement ends the
run with status 1 and no timings.  Then each is timed with CUDA events (median of many bursts after a
warm-up, inputs larger than the L2 cache where the instance allows) and set against a device-to-device
copy measured in the same process: bytes are the compulsory ones, each input read and each output
written once.  Without a card: status 2 and the reason.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rltheory.errors import MissingBackend
from rltheory.kernels import batched as cpu_batched
from rltheory.kernels import bellman_csr as cpu_csr
from rltheory.kernels import bellman_dense as cpu_dense
from rltheory.kernels.pick import pick, require_card, simulated

CLOSE = 1e-12
GAMMA = 0.99
LAUNCHES = 10


def garnet(S: int, A: int, b: int, rng: np.random.Generator, *, local: bool) -> tuple[Any, ...]:
    """CSR model: b successors a pair, uniform over all states or within ±2b of the state."""
    N = S * A
    if local:
        start = np.repeat(np.arange(S), A)[:, None] + np.sort(rng.integers(-2 * b, 2 * b, (N, b)), axis=1)
        indices = np.clip(start, 0, S - 1)
    else:
        indices = np.sort(rng.integers(0, S, (N, b)), axis=1)
    data = rng.random((N, b)) + 0.01
    data /= data.sum(axis=1, keepdims=True)
    return (
        data.reshape(-1), indices.reshape(-1).astype(np.uint32), np.arange(0, N * b + 1, b).astype(np.uint64),
        rng.normal(size=N), GAMMA, np.arange(0, N + 1, A).astype(np.uint64),
    )  # fmt: skip


def dense(S: int, A: int, rng: np.random.Generator) -> tuple[Any, ...]:
    P = rng.random((S * A, S))
    P /= P.sum(axis=1, keepdims=True)
    return P, rng.normal(size=S * A), GAMMA, np.arange(0, S * A + 1, A).astype(np.uint64)


def small_models(B: int, S: int, A: int, rng: np.random.Generator) -> tuple[Any, ...]:
    P = rng.random((B, S, A, S))
    P /= P.sum(axis=3, keepdims=True)
    return P, rng.normal(size=(B, S, A)), np.full(B, 0.9)


# ── checks ────────────────────────────────────────────────────────────────────────────────────────────


def gap(a: Any, b: Any) -> float:
    """max|a − b| / max(1, max|a|); infinite on NaN or unlike integers."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype.kind in "iu":
        return 0.0 if np.array_equal(a, b) else float("inf")
    worst = float(np.abs(a - b).max() / max(1.0, np.abs(a).max()))
    return worst if worst == worst else float("inf")


def twins(cpu: Any, card: Any, model: tuple[Any, ...], rng: np.random.Generator) -> dict[str, float]:
    """Worst difference of each kernel of one module; outputs are poisoned with NaN before each run."""
    N, S = model[-3].size, model[-1].size - 1
    V, rows = rng.normal(size=S), (model[-1][1:] - np.uint64(1)).copy()
    nan, weights = np.full(S, np.nan), rng.random(N)
    loop = (V, 1e-8, 1e-13, float(np.abs(model[-3]).max()), 10_000)
    scratch = (np.empty(N),) if cpu is cpu_dense else ()
    calls: dict[str, tuple[Any, ...]] = {
        "q_values": (V, np.full(N, np.nan)),
        "backup": (V, nan, np.full(S, N, dtype=np.uint64), *scratch),
        "chosen_backup": (rows, V, nan),
        "weighted_backup": (weights, V, nan),
        "value_iteration": (*loop, np.empty(0)),
        "modified_policy_iteration": (*loop, 5, np.empty(0)),
    }
    worst = {}
    for name, args in calls.items():
        ours, theirs = [[x.copy() if isinstance(x, np.ndarray) else x for x in args] for _ in range(2)]
        a, b = getattr(cpu, name)(*model, *ours), getattr(card, name)(*model, *theirs)
        loop_name = name.endswith("iteration")
        # A loop may stop a sweep apart when its span is a rounding error from the rule: compare V alone.
        kept = 1 if loop_name else 3 if name == "backup" else len(ours)
        pairs = list(zip(ours[:kept], theirs[:kept])) + ([] if loop_name or a is None else list(zip(a, b)))
        allowed = 1e-8 / CLOSE if loop_name else 1.0
        worst[name] = max(gap(x, y) for x, y in pairs if isinstance(x, np.ndarray | float)) / allowed
    return worst


def batches(card: Any, rng: np.random.Generator) -> dict[str, float]:
    B, S, A, H = (2, 3, 2, 2) if simulated() else (50, 20, 4, 10)
    P, R, g = small_models(B, S, A, rng)
    flat = P.reshape(B, S * A, S), R.reshape(B, S * A)
    V, W = np.zeros((B, S)), np.zeros((B, S))
    pi, rho, met = np.zeros((B, S), np.int64), np.zeros((B, S), np.int64), np.zeros(B, np.int32)
    low, high = np.empty((B, S)), np.empty((B, S))
    card.solve_models(*flat, g, 1e-9, V, pi, met)
    cpu_batched.solve_models(*flat, g, 1e-9, W, rho, low, high)
    worst = {
        "solve_models": max(gap(W, V) * CLOSE / 3e-9, gap(rho, pi), float("inf") if not met.all() else 0.0)
    }
    rows = rng.dirichlet(np.ones(A), (B, S))
    V[:], W[:] = np.nan, 0.0
    card.evaluate_models(P, R, g, rows, V)
    cpu_batched.evaluate_models(P, R, g, rows, W, low, high)
    worst["evaluate_models"] = gap(W, V)
    X, act = np.full((B, H + 1, S), np.nan), np.zeros((B, H, S), np.int64)
    X[:, H] = 0.0
    Y = X.copy()
    card.induct_models(*flat, g, X, act)
    for h in reversed(range(H)):
        Y[:, h] = (R + g[:, None, None] * (P @ Y[:, h + 1, None, :, None])[..., 0]).max(axis=2)
    worst["induct_models"] = gap(Y, X)
    return worst


def krylov(rng: np.random.Generator) -> dict[str, float]:
    """The CuPy path, where CuPy is installed."""
    import scipy.sparse as sp

    from rltheory.kernels import evaluate as cpu_evaluate

    try:
        card = pick("evaluate", "cuda")
        data, indices, indptr, R, _, _ = garnet(5000, 1, 5, rng, local=True)
        P = sp.csr_array((data, indices.astype(np.int32), indptr.astype(np.int32)), shape=(5000, 5000))
        x = card.solve_discounted(P, R, GAMMA)
    except MissingBackend as exc:
        print(f"evaluate.solve_discounted: not checked ({exc})")
        return {}
    return {"solve_discounted": gap(cpu_evaluate.solve_discounted(P, R, GAMMA), x)}


def check() -> dict[str, float]:
    """Worst difference of every kernel, in units where CLOSE is the limit."""
    rng = np.random.default_rng(time.time_ns())
    n, found = 9 if simulated() else 3001, {}
    for name, cpu, models in (
        ("bellman_csr", cpu_csr, [garnet(n, 4, 10, rng, local=x) for x in (False, True)]),
        ("bellman_dense", cpu_dense, [dense(S, A, rng) for S, A in ((7, 2), (301 if n > 99 else 9, 3))]),
    ):
        card = pick(name, "cuda")
        for i, model in enumerate(models):
            found |= {f"{name}.{k}[{i}]": x for k, x in twins(cpu, card, model, rng).items()}
    found |= {f"batched.{k}": x for k, x in batches(pick("batched", "cuda"), rng).items()}
    return found | {f"evaluate.{k}": x for k, x in krylov(rng).items()}


# ── timings ───────────────────────────────────────────────────────────────────────────────────────────


def median_ms(launch: Callable[[], Any], repeats: int) -> tuple[float, float, float]:
    """(median, 10 %, 90 %) of CUDA-event times in ms a launch, LAUNCHES at a time, after a warm-up.

    Launches queue up, so the host's share is hidden as long as a kernel takes longer than its launch.
    """
    from numba import cuda

    for _ in range(5):
        launch()
    times = []
    for _ in range(repeats):
        start, stop = cuda.event(), cuda.event()
        start.record()
        for _ in range(LAUNCHES):
            launch()
        stop.record()
        stop.synchronize()
        times.append(cuda.event_elapsed_time(start, stop) / LAUNCHES)
    cuts = statistics.quantiles(times, n=10)
    return statistics.median(times), cuts[0], cuts[-1]


def copy_bandwidth(repeats: int) -> float:
    """Bytes a second of a 1 GiB device-to-device copy, read and written."""
    from numba import cuda

    a = cuda.to_device(np.random.default_rng(0).random(1 << 27))
    b = cuda.device_array_like(a)
    return 2 * a.nbytes / (median_ms(lambda: b.copy_to_device(a), repeats)[0] / 1e3)


def timings(quick: bool) -> list[dict[str, Any]]:
    """Rows of the table: kernel, instance, time, compulsory bytes."""
    from numba import cuda

    from rltheory.kernels.gpu import _loops, _sweeps, batched
    from rltheory.kernels.gpu._device import THREADS, Board

    rng = np.random.default_rng(1)
    repeats = 30 if quick else 200
    rows: list[dict[str, Any]] = []

    def row(kernel: str, instance: str, launch: Callable[[], Any], nbytes: int) -> None:
        ms, fast, slow = median_ms(launch, repeats)
        rows.append(
            {"kernel": kernel, "instance": instance, "ms": ms, "p10": fast, "p90": slow, "bytes": nbytes}
        )

    rule = _loops.rule_of(0.0, -1.0, -1.0, 0.0, -1.0)
    S = 20_000 if quick else 250_000
    for local in (True, False):
        model = garnet(S, 4, 10, rng, local=local)
        data, indices, indptr, R, gamma, ptr = [cuda.to_device(x) if np.ndim(x) else x for x in model]
        V, out = cuda.to_device(rng.normal(size=S)), cuda.device_array(S)
        arg, q, board = cuda.to_device(np.zeros(S, np.uint64)), cuda.device_array(4 * S), Board(S)
        args = (data, indices, indptr, R, gamma)
        blocks, outs = board.blocks, board.outputs
        base = model[0].nbytes + model[1].nbytes + model[2].nbytes + model[3].nbytes
        name = f"garnet {'local' if local else 'random'} S={S} nnz={model[0].size}"

        def backup(args: Any = args, ptr: Any = ptr, V: Any = V, out: Any = out, arg: Any = arg, outs: Any = outs, blocks: int = blocks) -> None:  # noqa: E501 # fmt: skip
            _sweeps.csr_backup[blocks, THREADS](*args, ptr, V, out, arg, rule, *outs)

        def chosen(args: Any = args, rows: Any = arg, V: Any = V, out: Any = out, outs: Any = outs, blocks: int = blocks) -> None:  # noqa: E501 # fmt: skip
            _sweeps.csr_chosen[blocks, THREADS](*args, rows, V, out, rule, *outs)

        def pairs(args: Any = args, V: Any = V, q: Any = q, blocks: int = blocks) -> None:
            _sweeps.csr_q[blocks, THREADS](*args, V, q)

        row("bellman_csr.backup", name, backup, base + model[5].nbytes + 4 * 8 * S)
        row("bellman_csr.q_values", name, pairs, base + 8 * S + 32 * S)
        row("bellman_csr.chosen_backup", name, chosen, S * (10 * 12 + 8 * 2 + 8 + 4 * 8))
    n = 500 if quick else 5000
    P, R, gamma, ptr = [cuda.to_device(x) if np.ndim(x) else x for x in dense(n, 4, rng)]
    V, out, q = cuda.to_device(rng.normal(size=n)), cuda.device_array(n), cuda.device_array(4 * n)
    arg, board = cuda.to_device(np.zeros(n, np.uint64)), Board(n)
    from rltheory.kernels.gpu.bellman_dense import _dots

    def dense_backup() -> None:
        _dots(P, R, gamma, V, q, board)
        _sweeps.maximise[board.blocks, THREADS](q, ptr, V, out, arg, rule, *board.outputs)

    row("bellman_dense.backup", f"dense S={n} A=4", dense_backup, 8 * 4 * n * n)
    B, s, A, H = (512 if quick else 4096), 20, 4, 100
    small, r, g = small_models(B, s, A, rng)
    Pd, Rd, gd = (
        cuda.to_device(small.reshape(B, s * A, s)),
        cuda.to_device(r.reshape(B, s * A)),
        cuda.to_device(g),
    )
    X, acts = cuda.to_device(np.zeros((B, H + 1, s))), cuda.device_array((B, H, s), dtype=np.int64)

    def induct() -> None:
        batched.induct_models(Pd, Rd, gd, X, acts)

    nbytes = small.nbytes + r.nbytes
    row("batched.induct_models", f"{B} models S=20 A=4 H=100", induct, nbytes + 16 * B * H * s)
    zero, values = cuda.to_device(np.zeros((B, s))), cuda.to_device(np.zeros((B, s)))
    pis, met = cuda.device_array((B, s), dtype=np.int64), cuda.device_array(B, dtype=np.int32)

    def solve() -> None:
        values.copy_to_device(zero)
        batched.solve_models(Pd, Rd, gd, 1e-9, values, pis, met)

    row("batched.solve_models", f"{B} models S=20 A=4 γ=.9 tol=1e-9", solve, nbytes + 40 * B * s)
    full, rd = cuda.to_device(small), cuda.to_device(r)
    uniform = cuda.to_device(np.full((B, s, A), 1.0 / A))

    def evaluate() -> None:
        batched.evaluate_models(full, rd, gd, uniform, values)

    row("batched.evaluate_models", f"{B} models S=20 A=4", evaluate, nbytes + r.nbytes + 8 * B * s)
    return rows


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small instances, few repeats")
    parser.add_argument("--out", type=Path, help="also write the numbers as JSON")
    args = parser.parse_args(argv)
    try:
        require_card()
    except MissingBackend as exc:
        print(f"benchmarks.gpu: {exc}", file=sys.stderr)
        return 2
    found = check()
    print(f"{'kernel':<44} {'difference / limit':>18}")
    for name, worst in found.items():
        print(f"{name:<44} {worst / CLOSE:>18.2g}{'' if worst <= CLOSE else '   WRONG'}")
    wrong = [name for name, worst in found.items() if not worst <= CLOSE]
    result: dict[str, Any] = {"differences": found, "limit": CLOSE}
    if wrong:
        print(f"wrong: {', '.join(wrong)}; nothing was timed", file=sys.stderr)
    elif simulated():
        print("NUMBA_ENABLE_CUDASIM=1 simulates a card: checked, not timed")
    else:
        from numba import cuda

        name = cuda.get_current_device().name
        result["card"] = name.decode() if isinstance(name, bytes) else str(name)
        result["copy"] = copy_bandwidth(30 if args.quick else 100)
        result["rows"] = timings(args.quick)
        print(f"\n{result['card']}: copy {result['copy'] / 1e9:.0f} GB/s, read and written")
        print(f"{'kernel':<28} {'instance':<40} {'median ms':>10} {'GB/s':>8} {'of copy':>8}")
        for r in result["rows"]:
            rate = r["bytes"] / (r["ms"] / 1e3)
            r["of_copy"] = rate / result["copy"]
            numbers = f"{r['ms']:>10.4f} {rate / 1e9:>8.0f} {r['of_copy']:>8.0%}"
            print(f"{r['kernel']:<28} {r['instance']:<40} {numbers}")
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
