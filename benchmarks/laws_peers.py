"""Projected distributional backups as others write them; a program of its own, so peers may live elsewhere.

    python laws_peers.py ARRAYS.npz RESULTS.npz REPEATS

`ARRAYS.npz` has prob, next_state, reward (n, b), laws (S, m), gamma, lo, step, kind.  Every peer that can
be imported gives its backup and the CPU seconds of one call, best of REPEATS, one thread, arrays already in
its own format.  Needs NumPy; PyTorch, JAX with RLax and SciPy are tried.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

Call = Callable[[], Any]

WORK = 3e8
"""Most atom-point pairs that a quadratic projection is given."""


def numpy_scatter(x: Any) -> Call:
    """Positions, floors, two weighted bincounts."""
    p, s, r, laws, g, lo, step = parts(x)
    n = p.shape[0]
    m = laws.shape[1]

    def call() -> Any:
        t = np.clip((r[..., None] + (g * (lo + step * np.arange(m)) - lo)) / step, 0, m - 1)
        low = np.minimum(t.astype(np.int64), m - 2)
        up = t - low
        mass = p[..., None] * laws[s]
        at = (low + m * np.arange(n)[:, None, None]).ravel()
        high = mass * up
        out = np.bincount(at, (mass - high).ravel(), n * m)
        out += np.bincount(at + 1, high.ravel(), n * m)
        return out.reshape(n, m)

    return call


def scipy_matrix(x: Any) -> Call:
    """The whole backup as one sparse matrix, made beforehand: 2·n·b·m entries."""
    import scipy.sparse as sp

    p, s, r, laws, g, lo, step = parts(x)
    n, m = p.shape[0], laws.shape[1]
    t = np.clip((r[..., None] + (g * (lo + step * np.arange(m)) - lo)) / step, 0, m - 1)
    low = np.minimum(t.astype(np.int64), m - 2)
    up = t - low
    row = (low + m * np.arange(n)[:, None, None]).ravel()
    col = (m * s[..., None] + np.arange(m)).ravel()
    data = np.concatenate([(p[..., None] * (1 - up)).ravel(), (p[..., None] * up).ravel()])
    A = sp.csr_array(
        (data, (np.concatenate([row, row + 1]), np.concatenate([col, col]))), shape=(n * m, laws.size)
    )
    flat = laws.ravel()
    return lambda: (A @ flat).reshape(n, m)


def torch_scatter(x: Any) -> Call:
    """The categorical DQN target: two index_add_ of the split masses."""
    import torch

    torch.set_num_threads(1)
    p, s, r, laws, g, lo, step = (torch.tensor(v) if isinstance(v, np.ndarray) else v for v in parts(x))
    n, m = p.shape[0], laws.shape[1]
    z = lo + step * torch.arange(m, dtype=torch.float64)
    base = (m * torch.arange(n))[:, None, None]

    def call() -> Any:
        t = ((r[..., None] + g * z - lo) / step).clamp_(0, m - 1)
        low = t.long().clamp_(max=m - 2)
        up = t - low
        mass = p[..., None] * laws[s]
        high = mass * up
        out = torch.zeros(n * m, dtype=torch.float64)
        at = (low + base).view(-1)
        out.index_add_(0, at, (mass - high).view(-1))
        out.index_add_(0, at + 1, high.view(-1))
        return out.view(n, m)

    return call


def rlax_projection(x: Any) -> Call:
    """`rlax.categorical_l2_project` of every outcome, mixed; O(m²) an outcome, so in blocks of states."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    import rlax

    p, s, r, laws, g, lo, step = parts(x)
    n, m = p.shape[0], laws.shape[1]
    z = jnp.asarray(lo + step * np.arange(m))
    if p.size * m * m > WORK:
        raise MemoryError(f"not run: {p.size * m * m:.1e} pairs of an atom and a point a call")
    block = max(1, min(n, 2**27 // (8 * p.shape[1] * m * m)))
    laws_, p_, s_, r_ = (jnp.asarray(v) for v in (laws, p, s, r))
    one = jax.vmap(lambda y, q: rlax.categorical_l2_project(y, q, z))

    @jax.jit
    def some(p: Any, s: Any, r: Any) -> Any:
        out = one((r[..., None] + g * z).reshape(-1, m), laws_[s].reshape(-1, m))
        return (p[..., None] * out.reshape(*p.shape, m)).sum(axis=1)

    def call() -> Any:
        done = [some(p_[i : i + block], s_[i : i + block], r_[i : i + block]) for i in range(0, n, block)]
        return np.concatenate([np.asarray(v) for v in done])

    return call


def jax_scatter(x: Any) -> Call:
    """The two scatters in JAX, compiled."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    p, s, r, laws, g, lo, step = parts(x)
    n, m = p.shape[0], laws.shape[1]
    base = (m * np.arange(n))[:, None, None]

    @jax.jit
    def backup(p: Any, s: Any, r: Any, laws: Any) -> Any:
        t = jnp.clip((r[..., None] + (g * (lo + step * jnp.arange(m)) - lo)) / step, 0, m - 1)
        low = jnp.minimum(t.astype(jnp.int32), m - 2)
        mass = p[..., None] * laws[s]
        high = mass * (t - low)
        at = (low + base).ravel()
        out = jnp.zeros(n * m).at[at].add((mass - high).ravel())
        return out.at[at + 1].add(high.ravel()).reshape(n, m)

    placed = [jnp.asarray(v) for v in (p, s, r, laws)]
    return lambda: np.asarray(backup(*placed))


def numpy_argsort(x: Any) -> Call:
    """Sort the bm moved atoms of a state, cumulate, search the levels."""
    p, s, r, laws, g, _, _ = parts(x)
    n, m = p.shape[0], laws.shape[1]
    levels = (2 * np.arange(m) + 1) / (2 * m) - 1e-13

    def call() -> Any:
        atoms = (r[..., None] + g * laws[s]).reshape(n, -1)
        order = np.argsort(atoms, axis=1)
        mass = np.take_along_axis(np.repeat(p / m, m, axis=1), order, axis=1)
        reached = np.cumsum(mass, axis=1)
        key = (reached + 2 * np.arange(n)[:, None]).ravel()
        at = np.searchsorted(key, (levels + 2 * np.arange(n)[:, None]).ravel())
        return np.take_along_axis(atoms, order, axis=1).ravel()[at].reshape(n, m)

    return call


def torch_sort(x: Any) -> Call:
    """The same with torch.sort and torch.searchsorted."""
    import torch

    torch.set_num_threads(1)
    p, s, r, laws, g, _, _ = (torch.tensor(v) if isinstance(v, np.ndarray) else v for v in parts(x))
    n, m = p.shape[0], laws.shape[1]
    levels = ((2 * torch.arange(m, dtype=torch.float64) + 1) / (2 * m) - 1e-13).expand(n, m).contiguous()

    def call() -> Any:
        atoms, order = (r[..., None] + g * laws[s]).view(n, -1).sort(dim=1)
        mass = (p / m).repeat_interleave(m, dim=1).gather(1, order)
        at = torch.searchsorted(mass.cumsum(1), levels).clamp_(max=p.shape[1] * m - 1)
        return atoms.gather(1, at)

    return call


PEERS: dict[str, dict[str, Callable[[Any], Call]]] = {
    "categorical": {
        "numpy bincount": numpy_scatter,
        "scipy matrix": scipy_matrix,
        "torch index_add": torch_scatter,
        "jax scatter": jax_scatter,
        "rlax projection": rlax_projection,
    },
    "quantile": {"numpy argsort": numpy_argsort, "torch sort": torch_sort},
}


def parts(x: Any) -> tuple[Any, ...]:
    """Arrays and numbers of a job."""
    return (
        x["prob"],
        x["next_state"],
        x["reward"],
        x["laws"],
        float(x["gamma"]),
        float(x["lo"]),
        float(x["step"]),
    )


def clocked(call: Call, repeats: int) -> float:
    """Least CPU seconds of one call; short calls in bundles."""
    start = time.process_time()
    call()
    once = time.process_time() - start
    bundle = max(1, int(0.05 / max(once, 1e-6)))
    best = float("inf")
    for _ in range(max(1, repeats if once < 2 else 1)):
        start = time.process_time()
        for _ in range(bundle):
            call()
        best = min(best, (time.process_time() - start) / bundle)
    return best


def main(argv: list[str]) -> None:
    """Run every peer of the job's kind."""
    x = np.load(argv[0])
    found: dict[str, Any] = {}
    arrays: dict[str, Any] = {}
    for name, make in PEERS[str(x["kind"])].items():
        try:
            call = make(x)
            arrays[name] = np.asarray(call())
            found[name] = {"cpu": clocked(call, int(argv[2]))}
        except ImportError as exc:
            found[name] = {"status": f"not installed ({exc.name})"}
        except Exception as exc:
            found[name] = {"status": f"{type(exc).__name__}: {exc}"[:120]}
    np.savez(argv[1], found=json.dumps(found), **arrays)


if __name__ == "__main__":
    main(sys.argv[1:])
