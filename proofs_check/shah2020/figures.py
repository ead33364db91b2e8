"""Pictures of the low-rank Q page: `python -m proofs_check.shah2020.figures DIRECTORY [SEEDS [SEEDS_4D]]`."""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure

from .experiments import (
    MatchedBudget,
    SampleCurves,
    Spectra,
    SweepCurves,
    against_samples,
    against_sweeps,
    matched_budget,
    spectra,
)
from .phases import PhaseDiagram, phase_diagram


def draw_spectra(out: Spectra, phases: PhaseDiagram) -> Figure:
    """E1 left, where noise-free iteration repels (E4) middle and right."""
    fig = Figure(figsize=(14, 3.8), layout="constrained")
    left, middle, right = fig.subplots(1, 3)
    out.plot(left)
    phases.plot(middle)
    phases.plot_path(right)
    return fig


def draw_budget(out: MatchedBudget) -> Figure:
    """E2."""
    fig = Figure(figsize=(9, 4), layout="constrained")
    out.plot(fig.add_subplot())
    return fig


def draw_curves(samples: SampleCurves, sweeps: SweepCurves) -> Figure:
    """E3, against samples and against sweeps."""
    fig = Figure(figsize=(11, 4), layout="constrained")
    left, right = fig.subplots(1, 2)
    samples.plot(left)
    sweeps.plot(right)
    return fig


def main(folder: str, flat: int = 9, deep: int = 3) -> None:
    """Write the pictures and print the tables."""

    def seeds(name: str) -> range:
        return range(deep if name in ("cart_pole", "acrobot") else flat)

    def told(what: str) -> None:
        sys.stderr.write(what + "\n")

    where = Path(folder)
    draw_spectra(spectra(), phase_diagram()).savefig(where / "low-rank-spectra.png", dpi=110)
    budget = matched_budget(progress=told)
    draw_budget(budget).savefig(where / "low-rank-budget.png", dpi=110)
    curves = against_samples(seeds=seeds, progress=told), against_sweeps(seeds=seeds)
    draw_curves(*curves).savefig(where / "low-rank-curves.png", dpi=110)
    for table in (budget, curves[0]):
        for task, method, N in dict.fromkeys((r.task, r.method, r.N) for r in table.runs):
            sup, mean = table.sup(task, method, N), table.mean(task, method, N)
            sys.stdout.write(f"| {task} | {method} | {N} | {sup.median:.3f} | {mean.median:.3f} |\n")


if __name__ == "__main__":
    main(sys.argv[1], *[int(x) for x in sys.argv[2:]])
