"""Pictures of the encodings, their bias, and where TD with them ends.

`python -m proofs_check.farebrother2024.figures FOLDER` writes them all.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from rltheory.operators import HLGauss, OneHot, TwoHot
from rltheory.reports.plot import INK, PALETTE, STEEL, save

from . import experiments
from .experiments import new_axis


def plateau(ax: Any = None) -> Any:
    """Gradient norms of cross-entropy and of the squared error of the readout, l = (a, 0, 0), y = 1."""
    ax = new_axis(ax)
    a = np.linspace(0, 20, 201)
    w = np.exp(-a) / (1 + 2 * np.exp(-a))
    p = np.stack([1 - 2 * w, w, w])
    Q = p[2] - p[0]
    z = np.array([-1.0, 0.0, 1.0])[:, None]
    ce = np.sqrt(p[0] ** 2 + p[1] ** 2 + (1 - p[2]) ** 2)
    mse = np.abs(Q - 1) * np.sqrt(((p * (z - Q)) ** 2).sum(axis=0))
    ax.semilogy(a, ce, color=PALETTE[0], label="cross-entropy")
    ax.semilogy(a, mse, color=PALETTE[1], label=r"$\frac{1}{2}(Q-y)^2$ through softmax")
    ax.semilogy(a, 2 * 14**0.5 * np.exp(-a), color=STEEL, linestyle=":", label=r"$2\sqrt{14}\,e^{-a}$")
    ax.set(xlabel="confidence $a$ in the wrong atom", ylabel="gradient norm", ylim=(1e-9, 20))
    ax.legend(loc="lower left", fontsize=8)
    return ax


def crossings(ax: Any = None) -> Any:
    """One state, r = 0.07, γ = 0.9, atoms ½ apart: FQ − Q for three encodings; zeros are fixed points."""
    ax = new_axis(ax)
    Q = np.linspace(-0.6, 2.6, 1601)
    y = 0.07 + 0.9 * Q
    ax.axhline(0, color=INK, linewidth=0.8)
    shown = {
        "one-hot": OneHot(-10.0, 10.0, 41),
        r"HL-Gauss, $\rho=0.1$": HLGauss(-10.25, 10.25, 41, rho=0.1),
        r"HL-Gauss, $\rho=0.3$": HLGauss(-10.25, 10.25, 41, rho=0.3),
        "two-hot: $T^\\pi$ itself": TwoHot(-10.0, 10.0, 41),
    }
    for i, (name, code) in enumerate(shown.items()):
        gap = code.mean(y) - Q
        ax.plot(Q, gap, color=PALETTE[i], linewidth=1.3, label=name)
        down = np.flatnonzero((gap[:-1] > 0) & (gap[1:] <= 0))
        size = (9, 6, 5, 5)[i]
        ax.plot(Q[down], 0 * Q[down], "o", color=PALETTE[i], markersize=size, zorder=4 + i)
    ax.set(
        xlabel="$Q$", ylabel="readout of the encoded target, minus $Q$", xlim=(-0.6, 2.6), ylim=(-0.35, 0.62)
    )
    ax.legend(loc="upper right", fontsize=8, ncols=2, title="dots: stable fixed points", title_fontsize=8)
    return ax


def main(folder: str) -> None:
    """Write all pictures as `stop-regressing-*.png`."""
    drawn = {
        "encodings": experiments.Encoded(0.3).plot(),
        "bias": experiments.bias_curves().plot(),
        "fixed-points": experiments.fixed_point_errors().plot(),
        "crossings": crossings(),
        "plateau": plateau(),
        "shifted": experiments.shifted_targets().plot(),
        "noisy": experiments.noisy_td().plot(),
    }
    for name, ax in drawn.items():
        save(ax.figure, Path(folder) / f"stop-regressing-{name}.png", dpi=110)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/_static")
