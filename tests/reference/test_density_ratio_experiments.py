"""The experiments of the density-ratio page: exploration, hybrid learning, ablation."""

from __future__ import annotations

import numpy as np
import pytest

from proofs_check.amortila2024.experiments import ablation, exploration, hybrid_learning
from proofs_check.amortila2024.figures import draw_exploration, draw_hybrid
from proofs_check.amortila2024.potentials import one_point


def test_exploration_stops_paying() -> None:
    out = exploration()
    table = out.to_dataframe().set_index("run")
    assert not table["Q* lost"].any()
    assert (table["|F^(T)|"] == 2).all()
    assert table["regret"].to_numpy()[:4] == pytest.approx([158130.2, 201816.4, 328734.7, 7682.8], abs=0.05)
    assert 55 < table["regret"].iloc[5] < 75
    assert 80 < table["regret"].iloc[4] < 95
    assert len(draw_exploration(out).axes) == 2


def test_hybrid_learning_and_its_burn_in() -> None:
    out = hybrid_learning(Ts=(500,), seeds=range(5))
    assert out.concentrability == pytest.approx(1.88, abs=0.005)
    assert max(out.regrets("HyGLOW, penalty × 0.02", 500)) < 4.5
    assert max(out.regrets("H2O with MLE", 500)) < 4.5
    assert max(out.regrets("ν without π*, × 0.02", 500)) < 10
    assert min(out.regrets("HyGLOW, as published", 500)) > 150
    assert len(draw_hybrid(out, ablation(range(2))).axes) == 4


def test_ablation() -> None:
    out = ablation()
    assert [out.lost(v) for v in out.runs] == [0, 0, 5, 20, 0, 0]
    means = [out.mean_regret(v) for v in ("as published", "no clipping", "level 1", "level 10")]
    assert means == pytest.approx([415, 429, 7844, 1198], abs=0.6)


@pytest.mark.parametrize(("gamma", "ratio"), [((1, 5), 0.72), ((1, 20), 0.65)])
def test_the_hybrid_potential_at_ten_thousand_rounds(gamma: tuple[int, int], ratio: float) -> None:
    from fractions import Fraction

    x = one_point(Fraction(*gamma), 10**4)
    right = x.right(2 + x.gamma)
    assert float(x.left.upper) / float(right.upper) == pytest.approx(ratio, abs=0.006)  # type: ignore[union-attr]
    assert np.isfinite(float(right.upper))  # type: ignore[union-attr]
