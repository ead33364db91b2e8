"""Diffusions given by functions, approximated: Euler–Maruyama and Milstein.

    Euler–Maruyama   X_{i+1} = X_i + b(t_i, X_i)h + σ(t_i, X_i)ΔW                         order ½
    Milstein         … + (σ(t_i, X_i + σ√h) − σ(t_i, X_i))(ΔW² − h)/(2√h)                 order 1

(strong orders).  The second is the form without derivatives, for scalar or diagonal noise.  Both have a bias
of order h in law, as temporal-difference estimators have: never measure one on the other; see `.exact`.  The
normals are those of the exact samplers: with the same seed and grid, the same noise drives the paths.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ...arrays import Entries, FloatVec, Real, float_array
from ...errors import InvalidArgument, InvalidModel
from ...kernels import normals
from ._sampling import Seed, check_grid, key_of

BLOCK = 1 << 21
"""Normals held at a time."""


@dataclass(frozen=True, eq=False)
class SDE:
    """dX = b(t, X)dt + σ(t, X)dW, simulated approximately.

    Parameters
    ----------
    drift
        b(t, x) for a number t and x (m,) or (m, d): an array of the shape of x (or a number).
    diffusion
        σ(t, x): of the shape of x (in R^d: component j is driven by noise j), or (m, d, noises).
    scheme
        "euler" or "milstein".
    noises
        Brownian motions where σ is a matrix; not given for scalar and diagonal noise.

    Raises
    ------
    InvalidModel
        Unknown scheme, functions that cannot be called, Milstein with a matrix of noises.

    Examples
    --------
    >>> double_well = SDE(lambda t, x: x - x**3, lambda t, x: 0.5, scheme="milstein")
    >>> double_well.sample(1.0, T=1.0, n=10, paths=4, seed=0, substeps=5).shape
    (4, 11)
    """

    drift: Callable[[float, FloatVec], Any]
    diffusion: Callable[[float, FloatVec], Any]
    scheme: Literal["euler", "milstein"] = "euler"
    noises: int | None = None

    def __post_init__(self) -> None:
        if self.scheme not in ("euler", "milstein"):
            raise InvalidModel(f"SDE: scheme={self.scheme!r}; give 'euler' or 'milstein'")
        for name in ("drift", "diffusion"):
            if not callable(getattr(self, name)):
                raise InvalidModel(f"SDE: {name}={getattr(self, name)!r} is not a function of (t, x)")
        if self.noises is not None and (
            isinstance(self.noises, bool) or not isinstance(self.noises, int) or self.noises < 1
        ):
            raise InvalidModel(f"SDE: noises={self.noises!r}, must be an integer ≥ 1 or None")
        if self.noises is not None and self.scheme == "milstein":
            raise InvalidModel(
                "SDE: scheme='milstein' needs scalar or diagonal noise (noises=None), or else Lévy areas; "
                "take 'euler'"
            )

    def sample(
        self, x0: Entries, T: Real, n: int, paths: int, seed: Seed, *, first: int = 0, substeps: int = 1
    ) -> FloatVec:  # fmt: skip
        """(paths, n+1) values, or (paths, n+1, d), at 0, T/n, …, T; approximate.

        Parameters
        ----------
        x0
            A number or (paths,) for a scalar process; (1, d) or (paths, d) for a vector.
        T, n, paths, seed, first
            As for `ScalarDiffusion.sample`.
        substeps
            Steps of the scheme between grid points.

        Raises
        ------
        InvalidArgument
            Bad arguments; functions that return another shape; paths that leave the finite numbers.

        Complexity: O(paths·n·substeps) calls' worth of the two functions, in blocks.
        """
        start = float_array(x0)
        if start.ndim > 2 or (start.ndim == 2 and start.shape[0] not in (1, paths)) or (
            start.ndim == 1 and start.shape != (paths,)
        ):  # fmt: skip
            raise InvalidArgument(
                f"SDE: x0 has shape {start.shape}; give a number, ({paths},), (1, d) or ({paths}, d)"
            )
        if not np.isfinite(start).all():
            raise InvalidArgument("SDE: x0 has entries that are not finite")
        if isinstance(substeps, bool) or not isinstance(substeps, int) or substeps < 1:
            raise InvalidArgument(f"SDE: substeps={substeps!r}, must be an integer ≥ 1")
        d = start.shape[1] if start.ndim == 2 else 0
        if self.noises is not None and not d:
            raise InvalidArgument(f"SDE: noises={self.noises} needs x0 of shape (1, d) or ({paths}, d)")
        width = self.noises or d or 1
        h = check_grid(T, n, paths, first, width * substeps) / substeps
        x = np.broadcast_to(start, (paths, d) if d else (paths,))
        out = np.empty((paths, n + 1, d) if d else (paths, n + 1))
        key = key_of(seed)
        rows = max(1, BLOCK // (n * substeps * width))
        for lo in range(0, paths, rows):
            hi = min(lo + rows, paths)
            z = np.empty((hi - lo, n * substeps * width))
            normals.normals(key, np.uint64(first + lo), 0, z)
            noise = z.reshape(hi - lo, n * substeps, width)
            self._march(
                np.array(x[lo:hi]), noise if d else noise[:, :, 0], h, substeps, out[lo:hi], first + lo
            )
        return out

    def _march(
        self, x: FloatVec, noise: FloatVec, h: float, substeps: int, out: FloatVec, number: int
    ) -> None:
        root = math.sqrt(h)
        out[:, 0] = x
        with np.errstate(over="ignore", invalid="ignore"):
            for i in range(noise.shape[1]):
                t = i * h
                z = noise[:, i]
                drift = self._shaped(self.drift(t, x), x.shape, "drift")
                sigma = self.diffusion(t, x)
                if self.noises is None:
                    sigma = self._shaped(sigma, x.shape, "diffusion")
                    new = x + drift * h + sigma * (root * z)
                    if self.scheme == "milstein":
                        shifted = self._shaped(self.diffusion(t, x + sigma * root), x.shape, "diffusion")
                        new += (shifted - sigma) * (0.5 * root) * (z * z - 1.0)
                else:
                    sigma = self._shaped(sigma, (*x.shape, self.noises), "diffusion")
                    new = x + drift * h + root * np.einsum("mdk,mk->md", sigma, z)
                x = new
                if (i + 1) % substeps == 0:
                    out[:, (i + 1) // substeps] = x
        good = np.isfinite(out).reshape(out.shape[0], out.shape[1], -1).all(axis=2)
        if not good.all():
            p, i = (int(k) for k in np.argwhere(~good)[0])
            raise InvalidArgument(
                f"SDE: path {number + p} is not finite at grid point {i}; its moments explode or it left the "
                "domain of drift or diffusion: take more substeps, or an exact process"
            )

    @staticmethod
    def _shaped(value: Any, shape: tuple[int, ...], what: str) -> FloatVec:
        raw = np.asarray(value)
        if raw.dtype.kind not in "biuf":
            says = "complex" if raw.dtype.kind == "c" else "not a number or an array of numbers"
            raise InvalidArgument(f"SDE: {what}(t, x) is {says}; return real numbers of shape {shape}")
        got = raw.astype(np.float64, copy=False)
        try:
            return np.broadcast_to(got, shape)
        except ValueError:
            raise InvalidArgument(
                f"SDE: {what}(t, x) returned shape {got.shape}, must be {shape} here"
            ) from None
