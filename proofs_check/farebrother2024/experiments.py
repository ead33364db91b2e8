"""Plots of the encodings, shifted-target regression as a negative control, TD with noisy rewards.

Shifted targets are a linear-softmax stand-in for the paper's toy of supervised non-stationarity.  At this
scale neither loss loses plasticity, and HL-Gauss is not better than two-hot: a negative control, not a
reproduction of what deep networks show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rltheory.operators import HLGauss, OneHot, TwoHot, hl_gauss, policy_chain, readout, two_hot
from rltheory.operators.encoding_bias import rounding_bias_bound
from rltheory.operators.encodings import centres
from rltheory.reports.plot import INK, PALETTE, STEEL
from rltheory.solvers import CrossEntropyTD

from .chains import family

Floats = NDArray[np.float64]


def new_axis(ax: Any, width: float = 5.2, height: float = 3.4) -> Any:
    """`ax`, or the axis of a new figure."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").add_subplot()


# ---- E1: bias and fixed points -------------------------------------------------------------
@dataclass(frozen=True)
class BiasCurves:
    """Bias of HL-Gauss against the target, a row for each ρ; bins of width one."""

    rho: tuple[float, ...]
    y: Floats
    bias: Floats

    def plot(self, ax: Any = None) -> Any:
        """A curve for each ρ; bin edges as faint lines."""
        ax = new_axis(ax)
        for i, rho in enumerate(self.rho):
            ax.plot(self.y, self.bias[i], color=PALETTE[i], label=rf"$\rho={rho:g}$")
        for e in range(int(self.y[0]), int(self.y[-1]) + 1):
            ax.axvline(e, color="0.9", linewidth=0.8, zorder=0)
        ax.axhline(0, color=STEEL, linewidth=0.8)
        ax.set(xlabel="target $y$, in bins from the left end", ylabel=r"bias, in bins ($\varsigma$)")
        ax.set(xlim=(self.y[0], self.y[-1]))
        ax.legend(loc="upper right", fontsize=8)
        return ax


def bias_curves(rhos: Sequence[float] = (0.1, 0.3, 0.5, 0.75), m: int = 12) -> BiasCurves:
    """Bias over the left half of m unit bins: pulled inwards at the end, a sawtooth elsewhere."""
    y = np.linspace(0, m / 2, 40 * m + 1)
    rows = [HLGauss(0.0, float(m), m, rho=rho).mean(y) - y for rho in rhos]
    return BiasCurves(tuple(rhos), y, np.array(rows))


@dataclass(frozen=True)
class FixedPointErrors:
    """‖Q − V^π‖ at the fixed points reached from 0 and from 20 on FM(4,2,2,5), and B/(1−γ), for each ρ."""

    rho: Floats
    low: Floats
    high: Floats
    bound: Floats

    def plot(self, ax: Any = None) -> Any:
        """Errors and bound against ρ, logarithmic."""
        ax = new_axis(ax)
        ax.semilogy(self.rho, self.bound, color=INK, linestyle="--", label=r"bound $B/(1-\gamma)$")
        ax.semilogy(self.rho, self.low, color=PALETTE[0], label="fixed point from $Q=0$")
        apart = np.abs(self.high - self.low) > 1e-9
        ax.semilogy(
            self.rho[apart], self.high[apart], ".", color=PALETTE[1], label="another one, from $Q=20$"
        )
        ax.axvline(0.75, color=STEEL, linestyle=":", linewidth=0.9, label=r"recommended $\rho$")
        ax.set(xlabel=r"$\rho=\sigma/\varsigma$", ylabel=r"$\|Q-V^\pi\|_\infty$")
        ax.legend(loc="lower left", fontsize=8)
        return ax


def fixed_point_error(rho: float, start: float) -> float:
    """Error of the fixed point with 51 bins on ±25."""
    x = family(HLGauss(-25.0, 25.0, 51, rho=rho))
    out = CrossEntropyTD(x.still, x.code, start=start).run(x.M.float())
    return float(np.abs(out.Q - x.V.astype(np.float64)).max())


def fixed_point_errors(rhos: Sequence[float] | None = None) -> FixedPointErrors:
    """Errors for ρ from 0.05 to 0.9."""
    rho = np.asarray(np.linspace(0.05, 0.9, 35) if rhos is None else rhos)
    low, high = (np.array([fixed_point_error(float(r), start) for r in rho]) for start in (0.0, 20.0))
    width = 50 / 51
    bound = np.array([10 * rounding_bias_bound(width, float(r) * width) for r in rho])
    return FixedPointErrors(rho, low, high, bound)


# ---- E2: shifted targets -------------------------------------------------------------------
SHIFTS = (0.0, 8.0, 16.0, 24.0, 32.0)


@dataclass(frozen=True)
class Regression:
    """256 points in 32 dimensions and a bias column; targets b + sin(2x·w), b moving through SHIFTS.

    Drawn by the legacy generator `RandomState(seed)`, X before w.
    """

    n: int = 256
    d: int = 32
    seed: int = 0
    sweeps: int = 400

    @cached_property
    def data(self) -> tuple[Floats, Floats]:
        """X with its column of ones, and sin(2x·w)."""
        rng = np.random.RandomState(self.seed)
        X = rng.randn(self.n, self.d) / np.sqrt(self.d)
        w = rng.randn(self.d)
        return np.hstack([X, np.ones((self.n, 1))]), np.sin(2 * X @ w)

    @cached_property
    def smoothness(self) -> float:
        """λ_max(X^TX/n)."""
        X, _ = self.data
        return float(np.linalg.eigvalsh(X.T @ X / self.n)[-1])

    def squared(self, step: float) -> list[float]:
        """MSE after each phase of the scalar squared loss, steps step/λ."""
        X, g = self.data
        w, out = np.zeros(X.shape[1]), []
        for b in SHIFTS:
            for _ in range(self.sweeps):
                w -= step / self.smoothness / self.n * (X.T @ (X @ w - b - g))
            out.append(float(np.mean((X @ w - b - g) ** 2)))
        return out

    @property
    def edges(self) -> Floats:
        """91 bins on [−5, 40]."""
        return np.linspace(-5.0, 40.0, 92)

    def encoded(self, kind: str, y: Floats) -> Floats:
        """Two-hot at the bin centres, or HL-Gauss with ρ = 3/4."""
        if kind == "two-hot":
            return two_hot(y, centres(self.edges))
        return hl_gauss(y, self.edges, 0.75 * 45 / 91)

    def classified(self, kind: str, step: float) -> list[float]:
        """MSE of the readout after each phase of cross-entropy, steps step/λ."""
        X, g = self.data
        z = centres(self.edges)
        W, out = np.zeros((X.shape[1], z.size)), []
        for b in SHIFTS:
            P = self.encoded(kind, b + g)
            for _ in range(self.sweeps):
                W -= step / self.smoothness / self.n * (X.T @ (_softmax(X @ W) - P))
            out.append(float(np.mean((readout(_softmax(X @ W), z) - b - g) ** 2)))
        return out


def _softmax(L: Floats) -> Floats:
    w = np.exp(L - L.max(axis=-1, keepdims=True))
    p: Floats = w / w.sum(axis=-1, keepdims=True)
    return p


@dataclass(frozen=True)
class Shifted:
    """MSE at the end of each phase, for each method."""

    mse: dict[str, list[float]]
    floor: float

    def plot(self, ax: Any = None) -> Any:
        """Lines over phases; the least-squares floor dashed."""
        ax = new_axis(ax)
        for i, (name, values) in enumerate(self.mse.items()):
            ax.plot(SHIFTS, values, "o-", color=PALETTE[i], markersize=4, label=name)
        ax.axhline(self.floor, color=STEEL, linestyle=":", label="least squares")
        ax.set(xlabel="shift $b$ of the phase", ylabel="mean squared error at its end", ylim=(0.3, 0.46))
        ax.set_xticks(SHIFTS)
        ax.legend(loc="upper right", fontsize=8, ncols=2)
        return ax


def shifted_targets(problem: Regression | None = None) -> Shifted:
    """Squared loss at step 1/λ, cross-entropy at 2/λ and 4/λ."""
    x = problem or Regression()
    X, g = x.data
    rest = g - X @ np.linalg.lstsq(X, g, rcond=None)[0]
    mse = {"squared, 1/λ": x.squared(1.0)}
    for step in (2.0, 4.0):
        for kind in ("two-hot", "HL-Gauss"):
            mse[f"{kind}, {step:g}/λ"] = x.classified(kind, step)
    return Shifted(mse, float(np.mean(rest**2)))


# ---- E3: TD with noisy rewards -------------------------------------------------------------
@dataclass(frozen=True)
class NoisyTD:
    """‖Q_k − V^π‖ against updates, averaged over seeds, for each method."""

    at: NDArray[np.int64]
    error: dict[str, Floats]

    def plot(self, ax: Any = None) -> Any:
        """Errors against updates, double logarithmic."""
        ax = new_axis(ax)
        for i, (name, values) in enumerate(self.error.items()):
            ax.loglog(self.at, values, color=PALETTE[i], label=name)
        ax.set(xlabel="sampled updates of every state", ylabel=r"$\|Q-V^\pi\|_\infty$, mean over seeds")
        ax.legend(loc="lower left", fontsize=8)
        return ax


def noisy_td(updates: int = 10_000, noise: float = 4.0, seeds: int = 3) -> NoisyTD:
    """Sampled TD on FM(4,2,2,5) with rewards ± U(−noise, noise): squared loss, and cross-entropy on logits.

    Every update draws one transition in every state.  Steps: 0.05 for the squared loss and 2 for the logits
    of cross-entropy, divided by √(1 + k/1000).
    """
    chain = policy_chain(family(None).M.float(), np.zeros(4, dtype=np.int64))
    V = family(None).V.astype(np.float64)
    top = 10 * (2 + noise)
    at = np.unique(np.geomspace(1, updates, 120).astype(np.int64))
    codes: dict[str, Any] = {
        "cross-entropy, HL-Gauss": HLGauss(-top, top, 101),
        "cross-entropy, two-hot": TwoHot(-top, top, 101),
        "cross-entropy, one-hot": OneHot(-top, top, 101),
    }
    error = {name: np.zeros(at.size) for name in ("squared loss", *codes)}
    for seed in range(seeds):
        for name in error:
            error[name] += _sampled(chain, V, codes.get(name), at, noise, seed) / seeds
    return NoisyTD(at, error)


def _sampled(chain: Any, V: Floats, code: Any, at: NDArray[np.int64], noise: float, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    S, ptr = chain.S, chain.outcome_ptr
    cum = [np.cumsum(chain.prob[ptr[s] : ptr[s + 1]])[:-1] for s in range(S)]
    Q, logits, out = np.zeros(S), None if code is None else np.zeros((S, code.m)), []
    wanted = set(at.tolist())
    for k in range(1, int(at[-1]) + 1):
        j = np.array([ptr[s] + np.searchsorted(cum[s], rng.random()) for s in range(S)])
        y = chain.reward[j] + noise * rng.uniform(-1, 1, S) + chain.gamma * Q[chain.next_state[j]]
        slow = np.sqrt(1 + k / 1000)
        if logits is None:
            Q = Q + 0.05 / slow * (y - Q)
        else:
            logits -= 2.0 / slow * (_softmax(logits) - code.encode(y))
            Q = _softmax(logits) @ code.points
        if k in wanted:
            out.append(float(np.abs(Q - V).max()))
    return np.array(out)


@dataclass(frozen=True)
class Encoded:
    """One target under every encoding."""

    y: float

    def plot(self, ax: Any = None) -> Any:
        """Bars of two-hot, one-hot and HL-Gauss on the same range."""
        ax = new_axis(ax)
        hl = HLGauss(-4.0, 4.0, 16, rho=0.75)
        for i, (name, code) in enumerate(
            {"HL-Gauss": hl, "two-hot": TwoHot(-4.0, 4.0, 17), "one-hot": OneHot(-4.0, 4.0, 17)}.items()
        ):
            p = code.encode(self.y)
            label = f"{name}: mean {float(readout(p, code.points)):.4f}"
            ax.bar(code.points, p, width=(0.44, 0.14, 0.05)[i], color=PALETTE[i], alpha=0.75, label=label)
        ax.axvline(self.y, color=INK, linewidth=0.9, linestyle="--")
        ax.set(xlabel="value", ylabel="probability", xlim=(-2.2, 2.8), title=f"target {self.y:g}")
        ax.legend(loc="upper left", fontsize=8)
        return ax
