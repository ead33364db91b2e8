"""Curves: how errors fade, stale early steps, the bias of the mean readout and of fixed points against K."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rltheory.models.gallery.outcomes import outcome_family
from rltheory.models.outcomes import OutcomeMDP
from rltheory.operators.flow import MarginalField, euler, mean_readout, recovery
from rltheory.reports.plot import INK, PALETTE, STEEL
from rltheory.solvers import FlowTD

Floats = NDArray[np.float64]


def new_axis(ax: Any, width: float = 5.2, height: float = 3.4) -> Any:
    """`ax`, or the axis of a new figure."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").add_subplot()


@dataclass(frozen=True)
class Recovery:
    """β_K(c) against K for each c, with its two bounds."""

    K: NDArray[np.int64]
    c: tuple[float, ...]
    beta: Floats

    def plot(self, ax: Any = None) -> Any:
        """Curves, and between which powers they run."""
        from math import gamma

        ax = new_axis(ax)
        for i, c in enumerate(self.c):
            low, high = ((self.K + d) ** -c / gamma(1 - c) for d in (1.0, 0.0))
            ax.fill_between(self.K, low, high, color=PALETTE[i], alpha=0.25, linewidth=0)
            ax.loglog(self.K, self.beta[i], ".", color=PALETTE[i], markersize=4, label=rf"$c={c:g}$")
        ax.set(xlabel="steps left $K$", ylabel=r"what is left of an error, $\beta_K(c)$")
        ax.legend(loc="lower left", fontsize=8)
        return ax


def recovery_curves(cs: Sequence[float] = (0.25, 0.5, 0.75)) -> Recovery:
    """β_K(c) for K up to 256."""
    K = np.unique(np.geomspace(1, 256, 33).astype(np.int64))
    return Recovery(K, tuple(cs), np.array([[recovery(int(k), c) for k in K] for c in cs]))


@dataclass(frozen=True)
class StaleCurves:
    """Share of y − y_old lost when the first m of K steps are stale, for each c."""

    K: int
    c: tuple[float, ...]
    lost: Floats

    def plot(self, ax: Any = None) -> Any:
        """Loss against the stale share; a monolithic critic loses everything at once."""
        ax = new_axis(ax)
        share = np.arange(self.K + 1) / self.K
        for i, c in enumerate(self.c):
            ax.plot(share, self.lost[i], "o-", color=PALETTE[i], markersize=4, label=rf"$c={c:g}$")
        ax.axvspan(0.25, 0.5, color="0.93", zorder=0)
        ax.set(xlabel="share of steps that use the old field", ylabel="share of the old answer left")
        ax.legend(loc="upper left", fontsize=8)
        return ax


def stale_curves(K: int = 8, cs: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0)) -> StaleCurves:
    """(m/K)β_{K−m}(c) for m = 0 … K."""
    return StaleCurves(
        K, tuple(cs), np.array([[m / K * recovery(K - m, c) for m in range(K + 1)] for c in cs])
    )


def run(field: MarginalField, K: int, z: Floats) -> Any:
    """ψ_K at starts z."""
    return euler(field, z, K)


LAWS = {
    "A": MarginalField([-2.0, 0.0, 3.0], [0.2, 0.5, 0.3], 1.0),
    "B": MarginalField([0.0, 1.0], [0.7, 0.3], 0.3),
}
"""The laws of reference: −2, 0, 3 with noise N(0, 1); 0, 1 with noise N(0, .09)."""
STEPS = (2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256, 512)


def bias(field: MarginalField, K: int) -> float:
    """bias_K of the mean readout."""
    return mean_readout(partial(run, field, K), field.s, field.mu0) - field.mean


@dataclass(frozen=True)
class BiasCurves:
    """−bias_K against K for the laws of reference."""

    K: tuple[int, ...]
    bias: dict[str, Floats]

    def plot(self, ax: Any = None) -> Any:
        """Double logarithmic, with slope −1."""
        ax = new_axis(ax)
        for i, (name, values) in enumerate(self.bias.items()):
            ax.loglog(self.K, -values, "o-", color=PALETTE[i], markersize=4, label=f"law {name}")
        K = np.array(self.K, dtype=np.float64)
        ax.loglog(K, 0.2 / K, color=STEEL, linestyle="--", label=r"slope $-1$")
        ax.axvspan(4, 8, color="0.93", zorder=0)
        ax.set(xlabel="Euler steps $K$  ($K=1$: no bias)", ylabel=r"$-\mathrm{bias}_K$ of the mean readout")
        ax.legend(loc="lower left", fontsize=8)
        return ax


def bias_against_steps(steps: Sequence[int] = STEPS) -> BiasCurves:
    """bias_K for both laws."""
    return BiasCurves(tuple(steps), {n: np.array([bias(f, K) for K in steps]) for n, f in LAWS.items()})


@dataclass(frozen=True)
class Readouts:
    """ψ_K against the noise z_0 for several K."""

    z: Floats
    psi: dict[int, Floats]
    mean: float

    def plot(self, ax: Any = None) -> Any:
        """One curve for each K; E Y dashed."""
        ax = new_axis(ax)
        for i, (K, values) in enumerate(self.psi.items()):
            ax.plot(self.z, values, color=PALETTE[i], label=f"$K={K}$")
        ax.axhline(self.mean, color=INK, linestyle="--", linewidth=0.9, label="E Y")
        ax.set(xlabel="noise $z_0$", ylabel=r"readout $\psi_K(z_0)$", xlim=(self.z[0], self.z[-1]))
        ax.legend(loc="upper left", fontsize=8)
        return ax


def readouts(steps: Sequence[int] = (1, 2, 4, 8, 64), field: MarginalField = LAWS["A"]) -> Readouts:
    """ψ_K on a grid of noise."""
    z = np.linspace(-3.2, 3.2, 801)
    return Readouts(z, {K: euler(field, z, K) for K in steps}, float(field.mean))


@dataclass(frozen=True)
class FixedPoints:
    """‖V̂ − V^π‖ against K with sampled targets: one state of random rewards, and FM(4,2,2,5)."""

    K: tuple[int, ...]
    error: dict[str, Floats]

    def plot(self, ax: Any = None) -> Any:
        """Logarithmic in K; zero errors are left out and said so."""
        ax = new_axis(ax)
        for i, (name, values) in enumerate(self.error.items()):
            ax.loglog(self.K, values, "o-", color=PALETTE[i], markersize=4, label=name)
        ax.set_xticks(self.K, [str(k) for k in self.K])
        ax.minorticks_off()
        ax.set(xlabel="Euler steps $K$  ($K=1$, averaged targets: no error)")
        ax.set(ylabel=r"$\|\hat V-V^\pi\|_\infty$")
        ax.legend(loc="upper right", fontsize=8)
        return ax


def one_state(gamma: float = 0.9) -> OutcomeMDP:
    """One state, rewards −2, 0, 3 with probabilities .2, .5, .3."""
    return OutcomeMDP.from_lists([[[(0.2, 0, -2.0), (0.5, 0, 0.0), (0.3, 0, 3.0)]]], gamma=gamma)


def fixed_points(steps: Sequence[int] = (2, 3, 4, 6, 8, 16, 32), s: float = 1.0) -> FixedPoints:
    """Errors of flow TD with sampled targets, γ = 0.9."""
    models: dict[str, tuple[OutcomeMDP, list[int]]] = {
        "one state, random rewards": (one_state(), [0]),
        "FM(4,2,2,5), random next states, too": (outcome_family(4, 2, 2, 5, 0.9), [0, 1, 0, 1]),
    }
    error = {}
    for name, (M, pi) in models.items():
        out = [FlowTD(pi, K, s=s).run(M) for K in steps]
        error[name] = np.array([float(np.abs(x.V - x.V_pi).max()) for x in out])
    return FixedPoints(tuple(steps), error)
