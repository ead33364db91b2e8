"""Paths of diffusions as others simulate them; a program of its own, so peers may live elsewhere.

    python paths_peers.py KIND PATHS STEPS REPEATS

KIND is ou, gbm or cir with the parameters of `PARAMETERS`.  Prints {peer: {cpu, mean, var} or {status}} as
JSON: CPU seconds of one call (all threads), best of REPEATS, for all PATHS × (STEPS + 1) doubles, and the
moments of the last column.  Peers that know the exact transition use it; diffrax and torchsde take Euler
steps.  Needs NumPy; Numba, PyTorch, JAX, diffrax and torchsde are tried.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import json  # noqa: E402
import math  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

Call = Callable[[], Any]
PARAMETERS: dict[str, tuple[float, float, float, float]] = {
    "ou": (0.4, 0.8, 0.0, 0.6),  # x0, κ, m, σ
    "gbm": (1.0, 0.05, 0.0, 0.2),  # x0, μ, –, σ
    "cir": (0.4, 2.0, 0.5, 0.6),  # x0, κ, m, σ
}
HORIZON = 1.0


def steps_of(kind: str, n: int) -> tuple[float, ...]:
    """x0 and the numbers of the exact transition."""
    x0, k, m, s = PARAMETERS[kind]
    h = HORIZON / n
    if kind == "ou":
        a = math.exp(-k * h)
        return x0, a, m * (1 - a), s * math.sqrt(-math.expm1(-2 * k * h) / (2 * k))
    if kind == "gbm":
        return x0, (k - s * s / 2) * h, s * math.sqrt(h)
    c = -s * s * math.expm1(-k * h) / (4 * k)
    return x0, 4 * k * m / s**2, math.exp(-k * h) / c, c


def numpy_with(bits: str) -> Callable[[str, int, int], Call]:
    """Columns at a time, time first in memory, the fastest order for NumPy."""

    def make(kind: str, paths: int, n: int) -> Call:
        rng = np.random.Generator(getattr(np.random, bits)(1))
        x0, *p = steps_of(kind, n)

        def call() -> Any:
            if kind == "cir":
                x = np.empty((n + 1, paths))
                x[0] = x0
                for i in range(n):
                    x[i + 1] = rng.noncentral_chisquare(p[0], x[i] * p[1])
                    x[i + 1] *= p[2]
                return x[-1]
            z = rng.standard_normal((n + 1, paths))
            z *= p[-1]
            if kind == "gbm":
                z += p[0]
                z[0] = math.log(x0)
                np.cumsum(z, axis=0, out=z)
                np.exp(z, out=z)
                return z[-1]
            z[0] = x0
            for i in range(n):
                z[i + 1] += p[0] * z[i] + p[1]
            return z[-1]

        return call

    return make


def numba_plain(kind: str, paths: int, n: int) -> Call:
    """Path by path with np.random.normal inside a compiled loop."""
    import numba

    x0, *p = steps_of(kind, n)

    @numba.njit  # type: ignore[untyped-decorator,unused-ignore]
    def loop(a: float, c: float, s: float, out: Any) -> None:
        for k in range(out.shape[0]):
            x = x0
            out[k, 0] = x
            for i in range(1, out.shape[1]):
                x = a * x + c + s * np.random.normal()  # noqa: NPY002
                out[k, i] = x

    @numba.njit  # type: ignore[untyped-decorator,unused-ignore]
    def grow(c: float, s: float, out: Any) -> None:
        for k in range(out.shape[0]):
            x = x0
            out[k, 0] = x
            for i in range(1, out.shape[1]):
                x *= math.exp(c + s * np.random.normal())  # noqa: NPY002
                out[k, i] = x

    def call() -> Any:
        out = np.empty((paths, n + 1))
        (loop if kind == "ou" else grow)(*p, out)
        return out[:, -1]

    if kind == "cir":
        raise NotImplementedError("no noncentral χ²")
    return call


def torch_columns(kind: str, paths: int, n: int) -> Call:
    """One randn, then the recursion in place."""
    import torch

    torch.set_num_threads(1)
    x0, *p = steps_of(kind, n)
    if kind == "cir":
        raise NotImplementedError("no noncentral χ²")

    def call() -> Any:
        z = torch.randn((n + 1, paths), dtype=torch.float64)
        z *= p[-1]
        if kind == "gbm":
            z += p[0]
            z[0] = math.log(x0)
            return torch.cumsum(z, 0).exp_()[-1].numpy()
        z[0] = x0
        for i in range(n):
            z[i + 1] += p[0] * z[i] + p[1]
        return z[-1].numpy()

    return call


def jax_scan(kind: str, paths: int, n: int) -> Call:
    """A compiled scan over the columns of one array of normals."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    x0, *p = steps_of(kind, n)
    if kind == "cir":
        raise NotImplementedError("no noncentral χ²")

    @jax.jit
    def run(key: Any) -> Any:
        z = jax.random.normal(key, (n, paths), dtype=jnp.float64)
        start = jnp.full(paths, x0)
        if kind == "gbm":
            return x0 * jnp.exp(jnp.cumsum(p[0] + p[1] * z, axis=0))

        def step(x: Any, row: Any) -> Any:
            x = p[0] * x + p[1] + p[2] * row
            return x, x

        return jax.lax.scan(step, start, z)[1]

    key = jax.random.key(0)
    return lambda: np.asarray(run(key).block_until_ready()[-1])


def drift_and_noise(kind: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    _, k, m, s = PARAMETERS[kind]
    if kind == "gbm":
        return lambda x: k * x, lambda x: s * x
    if kind == "ou":
        return lambda x: k * (m - x), lambda x: s + 0 * x
    return lambda x: k * (m - x), lambda x: s * abs(x) ** 0.5


def diffrax_euler(kind: str, paths: int, n: int) -> Call:
    """Euler steps of all paths as one vector, every step saved."""
    import diffrax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    b, s = drift_and_noise(kind)
    h = HORIZON / n

    @jax.jit
    def run(key: Any) -> Any:
        noise = diffrax.UnsafeBrownianPath(shape=(paths,), key=key)
        terms = diffrax.MultiTerm(
            diffrax.ODETerm(lambda t, x, args: b(x)),
            diffrax.WeaklyDiagonalControlTerm(lambda t, x, args: s(x), noise),
        )
        return diffrax.diffeqsolve(
            terms,
            diffrax.Euler(),
            0.0,
            HORIZON,
            h,
            jnp.full(paths, PARAMETERS[kind][0]),
            saveat=diffrax.SaveAt(steps=True),
            max_steps=n + 1,
            adjoint=diffrax.DirectAdjoint(),
            throw=False,
        ).ys

    key = jax.random.key(0)
    return lambda: np.asarray(run(key).block_until_ready())[n - 1]


def torchsde_euler(kind: str, paths: int, n: int) -> Call:
    """`sdeint`, Euler, diagonal noise."""
    import torch
    import torchsde

    torch.set_num_threads(1)
    b, s = drift_and_noise(kind)

    class System(torch.nn.Module):
        noise_type, sde_type = "diagonal", "ito"

        def f(self, t: Any, y: Any) -> Any:
            return b(y)

        def g(self, t: Any, y: Any) -> Any:
            return s(y)

    ts = torch.linspace(0, HORIZON, n + 1, dtype=torch.float64)
    y0 = torch.full((paths, 1), PARAMETERS[kind][0], dtype=torch.float64)

    def call() -> Any:
        with torch.no_grad():
            return torchsde.sdeint(System(), y0, ts, method="euler", dt=HORIZON / n)[-1, :, 0].numpy()

    return call


PEERS: dict[str, Callable[[str, int, int], Call]] = {
    "numpy PCG64": numpy_with("PCG64"),
    "numpy SFC64": numpy_with("SFC64"),
    "numba np.random": numba_plain,
    "torch": torch_columns,
    "jax scan": jax_scan,
    "diffrax Euler": diffrax_euler,
    "torchsde Euler": torchsde_euler,
}


def timed(call: Call, repeats: int) -> dict[str, float]:
    last = np.asarray(call())
    best = math.inf
    for _ in range(repeats):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return {"cpu": best, "mean": float(last.mean()), "var": float(last.var())}


def main(kind: str, paths: int, n: int, repeats: int) -> dict[str, Any]:
    """Every peer."""
    found: dict[str, Any] = {}
    for name, make in PEERS.items():
        try:
            found[name] = timed(make(kind, paths, n), repeats)
        except ImportError as exc:
            found[name] = {"status": f"not installed ({exc.name})"}
        except NotImplementedError as exc:
            found[name] = {"status": str(exc)}
        except Exception as exc:
            found[name] = {"status": f"{type(exc).__name__}: {exc}"[:200]}
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], *(int(a) for a in sys.argv[2:5]))))
