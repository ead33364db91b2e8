"""Pictures of the learning part: `python -m proofs_check.zhou2023.figures_learning DIRECTORY`."""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure

from .experiments_learning import context_counts, control, horizons, spelling


def main(folder: str) -> None:
    """Write the pictures and print the tables."""
    where = Path(folder)
    first, flat, second, third = horizons(), spelling(), context_counts(), control()
    fig = Figure(figsize=(15, 4), layout="constrained")
    left, middle, right = fig.subplots(1, 3)
    flat.plot(left)
    first.plot(middle)
    first.plot_optimism(right)
    fig.savefig(where / "latent-horizon.png", dpi=100)
    fig = Figure(figsize=(15, 4), layout="constrained")
    left, middle, right = fig.subplots(1, 3)
    second.plot(left)
    second.plot_contexts(middle)
    third.plot(right)
    fig.savefig(where / "latent-contexts.png", dpi=100)
    for name, H, best, mean, error, early in [*flat.table(), *first.table()]:
        sys.stdout.write(f"| {name} | {H} | {best:.6g} | {mean:.1f} ± {error:.1f} | {early:.2f} |\n")
    for M, mean, error, bound, most in second.table():
        sys.stdout.write(f"| {M} | {mean:.1f} ± {error:.1f} | {bound:.1f} | {most:.0f} |\n")
    for name, rate in third.least.items():
        sys.stdout.write(f"| {name} | {rate:.5f} |\n")


if __name__ == "__main__":
    main(sys.argv[1])
