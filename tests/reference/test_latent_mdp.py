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


def test_bounds_of_wait_and_guess() -> None:
    from rltheory.solvers import BestMarkov, BestOpenLoop, Oracle

    markov = {3: F(11, 16), 4: F(11, 16), 5: F(185, 256), 6: F(185, 256)}
    for H in range(2, 9):
        x = rl.gallery.wait_and_guess(H=H)
        assert rl.QMDP().run(x).value == (HALF if H == 2 else F(7, 8))
        assert Oracle().run(x).value == F(7, 8)
        if H in markov:
            assert BestMarkov().run(x).value == markov[H]
    assert BestOpenLoop().run(rl.gallery.wait_and_guess(H=5)).value == HALF
    others = {3: 0.6875, 4: 0.734375, 5: 0.74609375, 6: 0.7548828125}
    for H, value in others.items():
        assert BestMarkov().run(rl.gallery.wait_and_guess(w=THIRDS, H=H)).value == value
    assert rl.QMDP().run(rl.gallery.wait_and_guess(w=THIRDS, H=2)).value == F(5, 8)


def test_bounds_of_three_contexts() -> None:
    from rltheory.solvers import BestMarkov, BestOpenLoop, Oracle

    x = rl.gallery.latent_three()
    solvers = (BestOpenLoop(), BestMarkov(), rl.QMDP(), Oracle())
    values = [F(83, 144), F(53, 72), F(31, 36), F(541, 576)]
    assert [s.run(x).value for s in solvers] == values
    near = [s.run(x.float()) for s in solvers]
    assert all(abs(b.value - float(v)) <= b.error for b, v in zip(near, values, strict=True))


def test_variances() -> None:
    from rltheory.solvers import largest_variance, latent_moments, variance_bound

    for H in (2, 3, 4):
        assert largest_variance(rl.gallery.wait_and_guess(H=H)) == F(1, 4)
    thirds = [largest_variance(rl.gallery.wait_and_guess(w=THIRDS, H=H)) for H in (2, 3, 4)]
    assert thirds == [F(15, 64), F(2279, 9216), F(1, 4)]
    assert variance_bound(rl.gallery.wait_and_guess(w=THIRDS, H=2)) == F(1, 4)
    for observe in (True, False):
        assert largest_variance(rl.gallery.latent_three(observe)) == F(1067, 5184)
    for x in (
        rl.gallery.latent_hard(2, 2, 2, 2, [(0, 0), (1, 0)], F(1, 8)),
        rl.gallery.latent_hard(3, 2, 3, 4, eps=F(1, 10)),
    ):
        assert largest_variance(x) == F(1, 4)
    wait = rl.gallery.wait_and_guess(H=3)
    moments = latent_moments(wait, lambda h: 0 if len(h) == 1 else 1 + h[-1] % 2)
    assert (moments.value, moments.variance, moments.initial) == (F(11, 16), F(55, 256), 0)
    once = latent_moments(rl.gallery.wait_and_guess(H=2), lambda h: 1)
    assert (once.initial, once.transitions, once.total_variance) == (F(9, 64), F(7, 64), F(1, 4))
