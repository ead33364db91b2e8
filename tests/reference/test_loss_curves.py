"""Experiment on the chain of approximate value iteration: the figures of Scherrer and Lesner's example."""

from __future__ import annotations

from fractions import Fraction as F

from proofs_check.exact_mdp.approximate_iteration import chain
from proofs_check.exact_mdp.experiments_approximation import loss_curves


def test_curves_are_the_closed_forms_and_are_drawn() -> None:
    curves = loss_curves(K=12, gamma=F(9, 10), eps=F(1), loops=(2, 5))
    assert round(float(curves.avi[11]), 10) == round(float(curves.api[11]), 10) == 123.5140927038
    assert float(curves.loops[2][-1]) == float(curves.loops[5][-1]) == 12.35140927038
    assert curves.avi == tuple(curves.curve(k, 2) for k in range(1, 13))
    ax = curves.plot()
    assert len(ax.lines) == 6 and ax.get_yscale() == "log"
    assert list(ax.lines[-1].get_xdata()) == list(range(5, 13))


def test_bound_for_loops_of_two() -> None:
    assert round(float(chain(12).loop_bounds()[1]), 3) == 65.007
