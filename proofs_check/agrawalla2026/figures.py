"""Pictures: errors that fade, stale steps, readouts of a random target, their bias, and where TD ends.

`python -m proofs_check.agrawalla2026.figures FOLDER` writes them all.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from rltheory.operators.flow import MarginalField, affine_field, euler
from rltheory.reports.plot import INK, PALETTE, STEEL, save

from . import experiments
from .experiments import LAWS, new_axis


def flow(K: int = 64, field: MarginalField = LAWS["A"], ax: Any = None) -> Any:
    """Paths of K Euler steps from 41 quantiles of the noise to the law of Y."""
    from scipy.special import ndtri

    ax = new_axis(ax)
    z = ndtri((np.arange(41) + 0.5) / 41) * field.s + field.mu0
    path, t = [z], np.arange(K + 1) / K
    for k in range(K):
        path.append(path[-1] + field(t[k], path[-1]) / K)
    ax.plot(t, np.array(path), color=PALETTE[0], linewidth=0.7)
    for y, p in zip(field.atoms, field.probs, strict=True):
        ax.plot([1.0], [y], "o", color=PALETTE[1], markersize=4 + 14 * p, clip_on=False, zorder=5)
    ax.set(xlabel="time $t$", ylabel="$z_t$", xlim=(0, 1), title=f"{K} steps; dots: the law of Y")
    return ax


def collapse(ax: Any = None) -> Any:
    """Slope b and final error of the affine field fitted to a Dirac at 1, against the width of the noise."""
    ax = new_axis(ax)
    s = np.geomspace(1e-2, 10, 120)
    fits = [affine_field(1.0, 0.0, float(v) ** 2) for v in s]
    ax.semilogx(s, [b for _, b in fits], color=PALETTE[0], label="slope $b$")
    start = [ended(a, b) for a, b in fits]
    ax.semilogx(s, start, color=PALETTE[1], label="final error from $z_0=0$, $K=8$")
    ax.axhline(-1.5, color=STEEL, linestyle=":", linewidth=0.9, label="$-3/2$")
    ax.axhline(0, color=INK, linewidth=0.6)
    ax.set(xlabel="noise $s$ (target 1, mean 0)", ylim=(-1.7, 0.4))
    ax.legend(loc="lower left", fontsize=8)
    return ax


def ended(a: float, b: float) -> float:
    """ψ_8(0) − 1 of the field a + bz."""
    return float(euler(lambda t, z: a + b * z, 0.0, 8)) - 1


def parabola(ax: Any = None) -> Any:
    """Mean readouts of v = (−4+4s)z + s against the frozen feature s for K = 1, 2, 3."""
    ax = new_axis(ax)
    s = np.linspace(-1, 1, 201)
    for i, K in enumerate((1, 2, 3)):
        ax.plot(s, euler(lambda t, z: (-4 + 4 * s) * z + s, 0 * s, K), color=PALETTE[i], label=f"$K={K}$")
    ax.plot(s, s**2, ":", color=INK, linewidth=2, label="$s^2$")
    ax.set(xlabel="frozen feature $s$", ylabel="mean readout", ylim=(-1.6, 2.2))
    ax.legend(loc="upper center", fontsize=8)
    return ax


def main(folder: str) -> None:
    """Write all pictures as `flow-td-*.png`."""
    drawn = {
        "recovery": experiments.recovery_curves().plot(),
        "stale": experiments.stale_curves().plot(),
        "flow": flow(),
        "readouts": experiments.readouts().plot(),
        "bias": experiments.bias_against_steps().plot(),
        "fixed-points": experiments.fixed_points().plot(),
        "collapse": collapse(),
        "parabola": parabola(),
    }
    for name, ax in drawn.items():
        save(ax.figure, Path(folder) / f"flow-td-{name}.png", dpi=110)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/_static")
