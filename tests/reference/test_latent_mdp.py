"""Public reference values of latent MDPs: exact optima, sizes of belief graphs, variances, bounds."""

from __future__ import annotations

from fractions import Fraction as F
from itertools import product

import pytest

import rltheory as rl
from rltheory.solvers import AlphaDP, BeliefDP

HALF, THIRDS = F(1, 2), F(2, 3)
V_STAR = {
    HALF: ("1/2", "11/16", "11/16", "97/128", "97/128", "1633/2048", "1633/2048"),
    THIRDS: ("5/8", "11/16", "47/64", "97/128", "803/1024", "1633/2048", "6667/8192"),
}


@pytest.mark.parametrize("w", [HALF, THIRDS])
def test_wait_and_guess(w: F) -> None:
    for H, text in enumerate(V_STAR[w], start=2):
        x = rl.gallery.wait_and_guess(w=w, H=H)
        assert BeliefDP().run(x).value == F(text) == AlphaDP().run(x).value
        assert float(F(text)) == pytest.approx(BeliefDP().run(x.float()).value, abs=1e-14)


def test_three_contexts() -> None:
    for observe, value, nodes in ((True, F(31, 36), 20), (False, F(439, 576), 31)):
        x = rl.gallery.latent_three(observe)
        assert x.largest_total == 1
        sol = BeliefDP().run(x)
        assert (sol.value, sol.stats["nodes"]) == (value, nodes)
        assert AlphaDP("pareto").run(x).value == value


def test_hard_family() -> None:
    small = rl.gallery.latent_hard(2, 2, 2, 2, [(0, 0), (1, 0)], F(1, 8))
    assert (small.S, small.H, BeliefDP().run(small).value) == (6, 5, F(5, 8))
    assert BeliefDP().run(rl.gallery.latent_hard(3, 2, 3, 4, eps=F(1, 10))).value == F(3, 5)
    assert AlphaDP().run(rl.gallery.latent_hard(3, 1, 3, 6, eps=F(1, 5), rho=HALF)).value == F(7, 20)


def test_eight_patterns() -> None:
    clauses = [[a, 2 * b, 3 * c] for a, b, c in product((1, -1), repeat=3)]
    assert BeliefDP().run(rl.gallery.maxsat_latent(clauses)).value == F(7, 8)


def test_sizes_of_belief_graphs() -> None:
    """The bound of the page: S·C(H − 1 + S²A, S²A) for full support and hidden rewards."""
    import math

    from rltheory.operators.latent import history_tree
    from tests.unit.test_latent_solvers import random_model

    for S, A, H in ((2, 2, 12), (3, 2, 7)):
        x = random_model(2, S, A, H, observe_rewards=False)
        bound = sum(history_tree(x).beliefs)
        most = S * math.comb(H - 1 + S * S * A, S * S * A)
        assert bound <= most + H * 2 * S
        nodes = BeliefDP().run(x).stats["nodes"]
        assert 0.02 * most < nodes < 0.4 * most
