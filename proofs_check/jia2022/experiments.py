"""Experiments: finer grids, three learners on the same data, the path of CTD(λ), rates, CLSTD from data.

Everything but `three_learners` and `sampled_clstd` is exact: no path is drawn.  The OU instance is
dX = −.8X dt + .6 dW, X_0 = .4, T = 1, β = .3, r = h = x², J^θ = x² + τ(θ1 + θ2x²).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction as F
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rltheory.solvers import (
    CLSTDLearner,
    CTDLearner,
    CTDRoot,
    LearnedValue,
    MartingaleLossLearner,
    MartingaleLossRoot,
    MeanSquareTDRoot,
    ResidualGradientLearner,
)

from .black_scholes import TABLE
from .minimisers import Line, Wealth
from .setting import OU

Array = NDArray[np.float64]
LIMIT = 0.6212168
"""argmin of the quadratic variation of W2."""


# ---- 1: finer is worse -----------------------------------------------------------------------
@dataclass(frozen=True)
class Finer:
    """Minimisers of the mean-square TD error against the number of steps, and the truth they should be."""

    n: Array
    theta: Array
    truth: float
    name: str

    def plot(self, ax: Any) -> None:
        """Curve, truth and the flat line of ML and CTD(0)."""
        ax.plot(self.n, self.theta, "o-", color="C3", markersize=4, label="mean-square TD error")
        ax.axhline(self.truth, color="C0", label="truth = ML = CTD(0)")
        ax.set(xscale="log", xlabel="steps n", ylabel="θ", title=self.name)


def finer_line(ns: Sequence[int] = (2, 4, 8, 16, 32, 64, 128)) -> Finer:
    """W1: X = W, r = 1.3x, J^θ = θxτ."""
    theta = [float(Line(F(13, 10), F(1), F(0), F(1), n).formula) for n in ns]
    return Finer(np.array(ns, float), np.array(theta), 1.3, "reward 1.3 W")


def finer_option() -> Finer:
    """W2: the volatility of an option price, true value .2 (values certified by `mstde_argmin_option`)."""
    return Finer(
        np.array(list(TABLE), float),
        np.array([float(v) for v in TABLE.values()]),
        0.2,
        "volatility of an option",
    )


def finer_wealth(ns: Sequence[int] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)) -> Finer:
    """W3: the rate of mean–variance wealth, true value .16."""
    theta = [float(Wealth(F(2, 5), F(1, 5), F(2), F(1), n).minimiser.mid) for n in ns]
    return Finer(np.array(ns, float), np.array(theta), 0.16, "mean–variance wealth")


# ---- 2: three learners -----------------------------------------------------------------------
@dataclass(frozen=True)
class Learners:
    """θ of learners after some episodes, by name, and what they should reach on this grid.

    Attributes
    ----------
    episodes
        Episodes a run.
    found
        name → `LearnedValue` for each number of episodes.
    exact
        name → θ_n of the population.
    """

    n: int
    episodes: tuple[int, ...]
    found: dict[str, list[LearnedValue]]
    exact: dict[str, Array]

    def to_dataframe(self) -> Any:
        """pandas frame: learner, episodes, mean, standard deviation over runs, exact root."""
        import pandas as pd

        rows = []
        for name, results in self.found.items():
            for count, value in zip(self.episodes, results, strict=True):
                spread = value.runs.std(axis=0, ddof=1)
                rows.append((name, count, *value.theta, *spread, *self.exact[name]))
        columns = ["learner", "episodes", "θ1", "θ2", "sd θ1", "sd θ2", "exact θ1", "exact θ2"]
        return pd.DataFrame(rows, columns=columns)

    def plot(self, ax: Any) -> None:
        """θ2 against episodes with one standard deviation over runs; dashed: exact roots."""
        for k, (name, results) in enumerate(self.found.items()):
            mean = np.array([v.theta[1] for v in results])
            spread = np.array([v.runs[:, 1].std(ddof=1) for v in results])
            ax.errorbar(
                self.episodes, mean, spread, fmt="o-", color=f"C{k}", markersize=4, capsize=3, label=name
            )
            ax.axhline(self.exact[name][1], color=f"C{k}", linestyle="--", linewidth=1)
        ax.set(xscale="log", xlabel="episodes", ylabel="θ2", title=f"same episodes, n = {self.n}")
        ax.legend()


COUNTS = (300, 1000, 3000, 10_000, 30_000, 100_000)


def three_learners(
    episodes: Sequence[int] = COUNTS, *, n: int = 16, runs: int = 24, seed: int = 0
) -> Learners:
    """CTD(0), residual gradient and gradient Monte Carlo on the same OU episodes.

    Steps α = 1/(1 + e/1000) in episode e; θ = 0 first.
    """
    kinds: dict[str, tuple[Any, Any]] = {
        "CTD(0)": (CTDLearner, CTDRoot(n=n)),
        "martingale loss": (MartingaleLossLearner, MartingaleLossRoot(n=n)),
        "residual gradient": (ResidualGradientLearner, MeanSquareTDRoot(n=n)),
    }
    found = {
        name: [learner(n=n, episodes=count, runs=runs, seed=seed).run(OU.family) for count in episodes]
        for name, (learner, _) in kinds.items()
    }
    exact = {name: root.run(OU.family).theta.astype(float) for name, (_, root) in kinds.items()}
    return Learners(n, tuple(episodes), found, exact)


# ---- 3: the path of CTD(λ) -------------------------------------------------------------------
@dataclass(frozen=True)
class TracePath:
    """Roots of CTD(λ), λ from 0 to 1, and their value errors."""

    lam: Array
    theta: Array
    error: Array

    def plot(self, ax: Any) -> None:
        """MSVE against λ."""
        ax.plot(self.lam, self.error * 1e4, ".-")
        ax.axhline(self.error[-1] * 1e4, color="k", linestyle="--", linewidth=1, label="ML")
        ax.set(xlabel="λ", ylabel="10⁴ · MSVE", title="CTD(λ): from CTD(0) to ML")
        ax.legend()


def trace_path(count: int = 20) -> TracePath:
    """The OU instance; λ = k/count, denser near 0; CTD(0) with the weight e^{−βt} that the trace carries."""
    lams = [
        F(0),
        F(1, 10**8),
        F(1, 10**4),
        F(1, 1000),
        F(1, 100),
        *[F(k, count) for k in range(1, count + 1)],
    ]
    theta, error = [], []
    for lam in lams:
        sol = (CTDRoot(lam=lam) if lam else CTDRoot(weighted=True)).run(OU.family)
        theta.append(sol.theta.astype(float))
        error.append(float(OU.family.value_error(sol.balls)))
    return TracePath(np.array([float(v) for v in lams]), np.array(theta), np.array(error))


# ---- 4: rates --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Convergence:
    """‖θ_n − θ‖_∞ against Δ = 1/n, by name; for some θ is what they miss."""

    dt: Array
    errors: dict[str, Array]

    def plot(self, ax: Any) -> None:
        """Log–log."""
        for k, (name, error) in enumerate(self.errors.items()):
            ax.loglog(self.dt[: len(error)], error, "o-", color=f"C{k}", markersize=3, label=name)
        x = self.dt
        ax.loglog(x, 0.7 * x, "k:", linewidth=1)
        ax.loglog(x, 0.15 * x**2, "k:", linewidth=1)
        ax.set(xlabel="Δ", ylabel="distance", title="OU: what refining the grid does")
        ax.legend(fontsize=8)

    def to_dataframe(self) -> Any:
        """pandas frame: Δ and the distances, NaN where there is none."""
        import pandas as pd

        size = len(self.dt)
        padded = {k: np.append(e, [np.nan] * (size - len(e))) for k, e in self.errors.items()}
        return pd.DataFrame({"Δ": self.dt, **padded})

    @property
    def slopes(self) -> dict[str, float]:
        """Slope between the two finest grids."""
        return {k: math.log(e[-2] / e[-1]) / math.log(2) for k, e in self.errors.items()}


def convergence(ns: Sequence[int] = (4, 8, 16, 32, 64, 128, 256, 512)) -> Convergence:
    """CTD(0) and ML to their limits, extrapolated CTD(0), and three that do not go where they should."""

    def roots(make: Any) -> list[Array]:
        return [make(n).run(OU.family).theta.astype(float) for n in ns]

    ctd, ml = (s.run(OU.family).theta.astype(float) for s in (CTDRoot(), MartingaleLossRoot()))
    by = {
        "CTD": roots(lambda n: CTDRoot(n=n)),
        "ML": roots(lambda n: MartingaleLossRoot(n=n)),
        "MS": roots(lambda n: MeanSquareTDRoot(n=n)),
        "right": roots(lambda n: CTDRoot(n=n, endpoint="right")),
    }

    def far(values: Sequence[Array], point: Array) -> Array:
        return np.array([np.abs(v - point).max() for v in values])

    extrapolated = [2 * b - a for a, b in zip(by["CTD"][:-1], by["CTD"][1:], strict=True)]
    return Convergence(
        1 / np.array(ns, float),
        {
            "CTD(0) to its limit": far(by["CTD"], ctd),
            "ML to the projection": far(by["ML"], ml),
            "CTD(0), extrapolated": far(extrapolated, ctd),
            "mean-square TD to the projection": far(by["MS"], ml),
            "right endpoints to CTD(0)": far(by["right"], ctd),
        },
    )


# ---- 5: CLSTD --------------------------------------------------------------------------------
def sampled_clstd(episodes: int = 200_000, *, n: int = 16, seed: int = 0) -> LearnedValue:
    """CLSTD(0) from exact OU episodes; its population root is `CTDRoot(n=n)`."""
    return CLSTDLearner(n=n, episodes=episodes, seed=seed).run(OU.family)
