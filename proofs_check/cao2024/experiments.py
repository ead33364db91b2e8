"""The experiments: both benchmarks against the published figures, orders, realised cost, coarse meshes.

Errors of the linear benchmark are ‖P̂ − P*‖_F, of the nonlinear one ‖ω̂ − (½, 0, 1)‖₂; T = .1 throughout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

import rltheory as rl
from rltheory.kernels import ball, lq
from rltheory.operators import Matern
from rltheory.results.axes import axes
from rltheory.solvers import QuadratureIteration, solve_riccati

from .meshes import limit, realised
from .orders import MATERN, NONLINEAR_MATERN, NONLINEAR_TRAPEZOID, TRAPEZOID, nonlinear_error
from .setting import third_order

Array = NDArray[np.float64]
NAMES = ("1/2", "3/2", "5/2", "7/2")


def learned_error(
    N: int, rule: Any, nugget: float = 0.0, tol: float = 1e-13, model: Any = None, best: Any = None
) -> float:
    """‖P̂ − P*‖_F of the third-order benchmark after the stop at `tol`, in doubles."""
    model = model or third_order().model.float()
    best = solve_riccati(model).X if best is None else best
    out = QuadratureIteration(0.1, N, rule, nugget, tol=tol, max_iter=60).run(model)
    return float(np.linalg.norm(out.P - best))


@dataclass(frozen=True, eq=False)
class Reproduction:
    """E1 or E2: by N, the published errors and ours with and without the nugget of 1e-8."""

    title: str
    N: tuple[int, ...]
    curves: dict[str, Array]

    def to_dataframe(self) -> Any:
        """pandas frame: one row an N."""
        import pandas as pd

        return pd.DataFrame({"N": self.N} | self.curves)

    def plot(self, ax: Any = None) -> Any:
        """Errors over N − 1; published as circles."""
        ax = axes(ax)
        x = np.array(self.N) - 1
        circle = {"mfc": "none", "marker": "o", "ls": ""}
        style: dict[str, dict[str, Any]] = {
            "trapezoid, published": circle | {"color": "C0"},
            "trapezoid": {"color": "C0"},
            "Matérn-7/2, published": circle | {"color": "C3"},
            "Matérn-7/2, nugget 1e-8": {"color": "C3"},
            "Matérn-7/2, no nugget": {"color": "C3", "ls": "--"},
        }
        for name, values in self.curves.items():
            ax.loglog(x, values, label=name, **style[name])
        ax.set_xticks([4, 6, 8, 10, 14], ["4", "6", "8", "10", "14"])
        ax.minorticks_off()
        ax.set(xlabel="N − 1", title=self.title)
        ax.legend(fontsize=8)
        return ax


def linear_benchmark() -> Reproduction:
    """E1: stop at 1e-3 as published; to convergence without nugget."""
    N = tuple(range(5, 16))
    smooth = Matern(3.5, 0.3)
    model = third_order().model.float()
    best = solve_riccati(model).X

    def with_rule(rule: Any, nugget: float, tol: float) -> Array:
        return np.array([learned_error(n, rule, nugget, tol, model, best) for n in N])

    return Reproduction(
        "linear benchmark: ‖P̂ − P*‖",
        N,
        {
            "trapezoid, published": np.array([TRAPEZOID[n] for n in N]),
            "trapezoid": with_rule("trapezoid", 0.0, 1e-3),
            "Matérn-7/2, published": np.array([MATERN[n] for n in N]),
            "Matérn-7/2, nugget 1e-8": np.array(
                [learned_error(n, smooth, 1e-8, 1e-3, model, best) for n in N]
            ),
            "Matérn-7/2, no nugget": np.array([learned_error(n, smooth, 0.0, 1e-13, model, best) for n in N]),
        },
    )


def nonlinear_benchmark() -> Reproduction:
    """E2: from data, 20 windows an iteration."""
    N = tuple(NONLINEAR_MATERN)
    return Reproduction(
        "nonlinear benchmark: ‖ω̂ − ω*‖",
        N,
        {
            "trapezoid, published": np.array([NONLINEAR_TRAPEZOID[n] for n in N]),
            "trapezoid": np.array([nonlinear_error(n, False, 0.0) for n in N]),
            "Matérn-7/2, published": np.array([NONLINEAR_MATERN[n] for n in N]),
            "Matérn-7/2, nugget 1e-8": np.array([nonlinear_error(n, True, 1e-8) for n in N]),
            "Matérn-7/2, no nugget": np.array([nonlinear_error(n, True, 0.0) for n in N]),
        },
    )


@dataclass(frozen=True, eq=False)
class Orders:
    """E3: errors of the limit by x = N − 1; slopes are fitted on x ≥ 8, with twice their standard error."""

    x: Array
    errors: dict[str, Array]

    def slope(self, name: str) -> tuple[float, float]:
        """(slope, twice its standard error) of log error on log x for x ≥ 8 and errors above 1e-12."""
        keep = (self.x >= 8) & (self.errors[name] > 1e-12)
        u, v = np.log(self.x[keep]), np.log(self.errors[name][keep])
        u = u - u.mean()
        slope = float(u @ v / (u @ u))
        rest = v - v.mean() - slope * u
        return -slope, 2 * math.sqrt(float(rest @ rest) / max(len(u) - 2, 1) / float(u @ u))

    def to_dataframe(self) -> Any:
        """pandas frame: one row a rule."""
        import pandas as pd

        rows = [dict(zip(("rule", "slope", "±"), (k, *self.slope(k)), strict=True)) for k in self.errors]
        return pd.DataFrame(rows)

    def plot(self, ax: Any = None) -> Any:
        """Log–log."""
        ax = axes(ax)
        for name, values in self.errors.items():
            slope, band = self.slope(name)
            dashed = "nugget" in name
            ax.loglog(
                self.x,
                np.maximum(values, 1e-14),
                "k:" if dashed else ".-",
                label=f"{name}: {slope:.2f} ± {band:.2f}",
            )
        ax.axhspan(1e-14, 1e-12, color="0.9")
        ax.set_xticks([4, 8, 16, 32, 64], ["4", "8", "16", "32", "64"])
        ax.minorticks_off()
        ax.set(
            xlabel="N − 1",
            ylabel="limit of ‖P̂ − P*‖",
            title="orders fitted from N − 1 = 8 on",
            ylim=(3e-14, 2e-2),
        )
        ax.legend(fontsize=7)
        return ax


def orders(x: Sequence[int] = (3, 4, 6, 8, 11, 16, 22, 32, 45, 64)) -> Orders:
    """E3: the trapezoid, four Matérn rules (ℓ = .3, no nugget), and Matérn-7/2 with the published nugget."""
    model = third_order().model.float()
    best = solve_riccati(model).X
    rules: dict[str, tuple[Any, float]] = {"trapezoid": ("trapezoid", 0.0)}
    rules |= {f"Matérn-{n}": (Matern(p + 0.5, 0.3), 0.0) for p, n in enumerate(NAMES)}
    rules["Matérn-7/2, nugget 1e-8"] = (Matern(3.5, 0.3), 1e-8)
    errors = {
        name: np.array([learned_error(n + 1, rule, nugget, 1e-13, model, best) for n in x])
        for name, (rule, nugget) in rules.items()
    }
    return Orders(np.array(x, dtype=np.float64), errors)


@dataclass(frozen=True, eq=False)
class Costs:
    """E4: what the plots call J − J* (the learned value) and the cost that is really paid, by h."""

    h: Array
    learned: Array
    realised: Array

    def plot(self, ax: Any = None) -> Any:
        """Log–log, with the proved constants."""
        ax = axes(ax)
        ax.loglog(self.h, self.learned, "C0.-", label="tr(P̂ − P*): the learned value")
        ax.loglog(self.h, self.realised, "C2.-", label="tr(J(K̂) − P*): the cost paid")
        ax.loglog(self.h, 0.42361 * self.h**4, "k:", label=".42361 h⁴")
        ax.set(xlabel="h", title="trapezoid, linear benchmark")
        ax.legend(fontsize=8)
        return ax


def costs(n: Sequence[int] = (10, 14, 20, 28, 40, 56, 80, 112, 160)) -> Costs:
    """E4: fixed points of the trapezoid at h = 1/n, in balls."""
    learned, paid = [], []
    for k in n:
        with ball.precision(256):
            D = limit(k)
            learned.append(float((D[0, 0] + D[1, 1] + D[2, 2]).mid()))
            paid.append(float(realised(k).mid()))
    return Costs(1 / np.array(n, dtype=np.float64), np.array(learned), np.array(paid))


@dataclass(frozen=True, eq=False)
class ScalarMap:
    """E5: both fixed-point gains of the scalar map by h, the critical h and the a-priori bound √(r/q)/|b|."""

    h: Array
    low: Array
    high: Array
    critical: float
    bound: float
    best: float

    def plot(self, ax: Any = None) -> Any:
        """Attracting and repelling fixed points."""
        ax = axes(ax)
        ax.plot(self.h, self.low, "C0", label="attracting")
        ax.plot(self.h, self.high, "C3--", label="repelling")
        ax.axhline(self.best, color="0.6", lw=0.8)
        ax.axvline(self.critical, color="k", ls=":", label=f"last h with a fixed point: {self.critical:.6f}")
        ax.axvline(self.bound, color="0.6", ls=":", label=f"√(r/q)/|b| = {self.bound:g}")
        ax.set(xlabel="h", ylabel="gain", title="ẋ = x/2 + u, q = 2, r = ½", ylim=(2.4, 12))
        ax.legend(fontsize=8, framealpha=1)
        return ax


def scalar_step(k: float, h: float, a: float = 0.5, b: float = 1.0, q: float = 2.0, r: float = 0.5) -> float:
    """k⁺ = (b/r)(q + rk²)(h/2)coth((bk − a)h)."""
    return b / r * (q + r * k * k) * h / 2 / math.tanh((b * k - a) * h)


def scalar_fixed_points(h: float) -> tuple[float, float] | None:
    """(attracting, repelling) gains, or None where there is none."""
    grid = 0.5 + np.geomspace(1e-3, 400.0, 4000)
    gap = np.array([scalar_step(float(k), h) - k for k in grid])
    signs = np.flatnonzero(np.sign(gap[1:]) != np.sign(gap[:-1]))
    if len(signs) < 2:
        return None
    first, second = (
        brentq(lambda k: scalar_step(k, h) - k, grid[i], grid[i + 1], xtol=1e-13, rtol=1e-14)
        for i in signs[:2]
    )
    return float(first), float(second)


def critical_step(a: float = 0.5) -> float:
    """The largest h with a fixed point, q = 2, r = ½: max over v of 2v tanh(v − ah) − v² equals h²b²q/r."""

    def excess(h: float) -> float:
        v = np.linspace(max(a * h, 0.0), 2.0, 4001)
        for _ in range(3):
            theta = 2 * v * np.tanh(v - a * h) - v * v
            i = int(np.argmax(theta))
            v = np.linspace(v[max(i - 1, 0)], v[min(i + 1, len(v) - 1)], 4001)
        return float(theta.max()) - 4 * h * h

    return float(brentq(excess, 0.1, 0.5, xtol=1e-12))


def scalar_map(points: int = 60) -> ScalarMap:
    """E5: a = ½, b = 1, q = 2, r = ½."""
    critical = critical_step()
    h = critical * (1 - np.linspace(0.95, 0.001, points) ** 2)
    pairs = [scalar_fixed_points(float(v)) for v in h]
    low, high = (np.array([p[i] if p else math.nan for p in pairs]) for i in (0, 1))
    best = float(solve_riccati(rl.gallery.scalar_lqr()).X[0, 0] / 0.5)
    return ScalarMap(h, low, high, critical, 0.5, best)


def third_order_survives(h: float, *, from_optimum: bool, max_iter: int = 20_000) -> bool:
    """Whether trapezoidal IntRL of the third-order benchmark keeps stability and converges, in doubles."""
    model = third_order().model.float()
    K0 = model.gain(solve_riccati(model).X) if from_optimum else None
    out = QuadratureIteration(h, 2, K0=K0, tol=1e-8, max_iter=max_iter).run(model)
    return out.ending == "solved"


@dataclass(frozen=True, eq=False)
class Looseness:
    """The bound by ‖Θ⁺‖ against the true error, linear benchmark, trapezoid, N = 5."""

    singular_values: Array
    bound: float
    error: float


def looseness() -> Looseness:
    """One evaluation of the optimal gain from ten windows: ‖Θ⁺‖‖δΞ‖ and ‖ω̂ − ω‖."""
    from rltheory.operators import trapezoid
    from rltheory.solvers._integral_data import linear_windows

    model = third_order().model.float()
    best = solve_riccati(model).X
    K = model.gain(best)
    F, M = model.closed_loop(K), model.cost(K)
    M, x = (M + M.T) / 2, np.array([2.0, -2.0, 3.0])
    Theta, Xi, _ = linear_windows(F, M, x, trapezoid(np.linspace(0, 0.1, 5)), 0.1, 10)
    _, true, _ = linear_windows(F, M, x, None, 0.1, 10)
    sigma: Array = np.asarray(np.linalg.svd(Theta, compute_uv=False), dtype=np.float64)
    deltas = Xi - true
    out = QuadratureIteration(0.1, 5, K0=K, max_iter=1).run(model)
    gap = lq.to_array(lq.ball_matrix(out.P - best))[np.triu_indices(3)]
    return Looseness(sigma, float(np.linalg.norm(deltas) / sigma[-1]), float(np.linalg.norm(gap)))
