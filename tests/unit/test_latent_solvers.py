"""Planning in latent MDPs against brute force, against the POMDP, and of the solvers against each other."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rltheory as rl
from rltheory.errors import InvalidArgument, NotConverged
from rltheory.operators.latent import history_tree
from rltheory.results.solution import Status
from rltheory.solvers import (
    AlphaDP,
    BeliefDP,
    BestMarkov,
    BestOpenLoop,
    LatentPlanner,
    Oracle,
    PointBased,
    alpha_sets,
    largest_variance,
    latent_moments,
    qmdp_policy,
    variance_bound,
)
from tests.brute_latent import largest_variance as brute_variance
from tests.brute_latent import latent_models, optimum, policies, pomdp_optimum, returns

FEW = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@FEW
@given(latent_models(H=3))
def test_all_planners_agree_with_the_pomdp(x: rl.LatentMDP) -> None:
    best = pomdp_optimum(x)
    for solver in (BeliefDP(), AlphaDP("lp"), AlphaDP("pareto")):
        sol = solver.run(x)
        assert sol.value == best == sol.policy.value()
        assert sol.status is Status.EXACT
        near = solver.run(x.float())
        assert near.lower <= best <= near.upper
        assert near.error < 1e-9
        assert abs(near.policy.value() - best) < 1e-9
    walk = BeliefDP(memo=False).run(x.float())
    assert walk.lower <= best <= walk.upper


@settings(FEW, max_examples=12)
@given(latent_models(M=2, H=2))
def test_all_history_policies_are_beaten_or_met(x: rl.LatentMDP) -> None:
    assert BeliefDP().run(x).value == optimum(x)


def test_three_steps_of_brute_force() -> None:
    for observe in (True, False):
        x = rl.gallery.latent_three(observe).replace(H=2)
        assert BeliefDP().run(x).value == optimum(x) == AlphaDP("none").run(x).value
    wait = rl.gallery.wait_and_guess(H=3)
    assert optimum(wait) == F(11, 16)


def random_model(M: int, S: int, A: int, H: int, seed: int = 0, **options: Any) -> rl.LatentMDP:
    rng = np.random.default_rng(seed)
    P, R = rng.dirichlet(np.ones(S), (M, S, A)), rng.random((M, S, A)) / H
    nu = rng.dirichlet(np.ones(S), M)
    return rl.LatentMDP.from_arrays(P, R, weights=np.ones(M) / M, nu=nu, H=H, **options)


@pytest.mark.parametrize("shape", [(2, 2, 2, 8), (3, 2, 3, 5), (4, 3, 2, 4)])
def test_doubles_agree(shape: tuple[int, int, int, int]) -> None:
    x = random_model(*shape, observe_rewards=False)
    belief, walk, alpha = BeliefDP().run(x), BeliefDP(memo=False).run(x), AlphaDP("lp").run(x)
    assert belief.value == pytest.approx(walk.value, abs=1e-13)
    assert belief.value == pytest.approx(alpha.value, abs=1e-10)
    assert belief.stats["nodes"] < walk.stats["nodes"]
    exact = BeliefDP(max_nodes=10**7).run(x.replace(H=3).exact())
    near = BeliefDP().run(x.replace(H=3))
    assert near.lower <= exact.value <= near.upper


def test_rounding_bounds_are_needed() -> None:
    """Half of the models would leave the enclosure if it were a point."""
    outside = 0
    for seed in range(10):
        x = random_model(3, 2, 2, 5, seed, observe_rewards=False)
        exact = BeliefDP().run(x.exact())
        near = BeliefDP().run(x)
        assert near.lower <= exact.value <= near.upper
        outside += F(near.value) != exact.value
    assert outside > 3


def test_policies_walk_their_histories() -> None:
    x = rl.gallery.wait_and_guess(H=3)
    pi = BeliefDP().run(x).policy
    assert pi.starts == (0,)
    assert pi.act([0]) == 0
    assert [pi.act([0, F(0), face]) for face in (0, 1)] == [1, 2]
    node = pi.step(pi.start(0), 1, F(0))
    assert pi.action(node) == 2
    assert pi.action(pi.step(node, 2, F(0))) == 0
    with pytest.raises(InvalidArgument, match="cannot follow"):
        pi.step(pi.start(0), 3, F(0))
    with pytest.raises(InvalidArgument, match="no context starts"):
        pi.start(1)
    hidden = BeliefDP().run(x.replace(observe_rewards=False)).policy
    assert hidden.act([0, 1]) == 2
    with pytest.raises(InvalidArgument, match="last one"):
        hidden.step(hidden.step(hidden.step(hidden.start(0), 1), 2), 3)


def test_a_policy_is_evaluated_in_another_model() -> None:
    x = rl.gallery.wait_and_guess(H=4)
    y = rl.gallery.wait_and_guess(theta1=F(1, 2), H=4)
    for solver in (BeliefDP(), AlphaDP()):
        pi = solver.run(x).policy
        tree = pi.tree.with_model(y)
        assert pi.value(tree) <= BeliefDP().run(y).value
        assert pi.value(tree.with_model(x)) == F(11, 16)
    wide = history_tree(x, support=np.ones(x.P.shape, dtype=bool))
    sets = alpha_sets(wide)
    assert sets.policy().value() == F(11, 16)
    with pytest.raises(InvalidArgument, match="successors"):
        history_tree(x).with_model(rl.gallery.latent_three())
    with pytest.raises(InvalidArgument, match="contain every transition"):
        history_tree(x, support=np.zeros(x.P.shape, dtype=bool))


def test_own_backups_give_the_same_sets() -> None:
    """The general product with the linear backup keeps the vectors of the incremental sums, in order."""
    x = random_model(2, 2, 2, 4).replace(observe_rewards=False)
    tree = history_tree(x)

    def backup(t: int, s: int, a: int, children: Any) -> Any:
        f = tree.factor[list(tree.children(s, a))[: children.shape[1]]]
        return tree.R[s, a] + (f * children).sum(axis=1)

    for prune in ("lp", "pareto"):
        plain, own = alpha_sets(tree, prune=prune), alpha_sets(tree, prune=prune, backup=backup)
        for t in range(x.H):
            for s in range(x.S):
                assert plain.alpha[t][s] == pytest.approx(own.alpha[t][s], abs=1e-14)
                assert (plain.action[t][s] == own.action[t][s]).all()
                assert (plain.child[t][s] == own.child[t][s]).all()


def test_refusals() -> None:
    big = random_model(3, 6, 4, 12, observe_rewards=False)
    with pytest.raises(InvalidArgument, match=r"beliefs for .* more than max_nodes=2e\+07; use solvers"):
        BeliefDP().run(big)
    with pytest.raises(InvalidArgument, match="histories"):
        BeliefDP(memo=False).run(big)
    with pytest.raises(InvalidArgument, match="max_vectors=50"):
        AlphaDP("pareto", max_vectors=50).run(random_model(3, 3, 2, 5, observe_rewards=False))
    with pytest.raises(InvalidArgument, match="for doubles"):
        BeliefDP(memo=False).run(rl.gallery.latent_three())
    with pytest.raises(InvalidArgument, match=r"histories of .* more than max_nodes=10;"):
        largest_variance(rl.gallery.latent_three(), max_nodes=10)
    with pytest.raises(InvalidArgument, match="prune='best'"):
        AlphaDP("best")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="max_nodes=0"):
        BeliefDP(max_nodes=0).run(rl.gallery.latent_three())


@pytest.mark.parametrize("law", [[0.5, 0.2], [1.5, -0.5], [float("nan"), 1.0], 1.0, None])
def test_what_is_no_law_over_actions_is_refused(law: Any) -> None:
    for x in (rl.gallery.latent_three(), rl.gallery.latent_three().float()):
        with pytest.raises(InvalidArgument, match="nor a law over actions"):
            latent_moments(x, lambda h: law)


@settings(FEW, max_examples=12)
@given(latent_models(M=2, H=2))
def test_the_largest_variance_is_over_all_policies(x: rl.LatentMDP) -> None:
    most = largest_variance(x)
    assert most == brute_variance(x)
    bound = variance_bound(x)
    assert most <= bound <= variance_bound(x.float()) <= bound + 1e-8
    assert float(most) == pytest.approx(float(largest_variance(x.float())), abs=1e-12)


@FEW
@given(latent_models(), st.randoms(use_true_random=False))
def test_moments_are_those_of_the_law_of_the_total(x: rl.LatentMDP, rng: Any) -> None:
    trees = {s: rng.choice(list(policies(x.replace(H=min(x.H, 2)), s, min(x.H, 2)))) for s in range(x.S)}
    y = x.replace(H=min(x.H, 2))

    def pi(history: tuple[Any, ...]) -> int:
        action, tails = trees[history[0]]
        for k in range(1, len(history), 3):
            action, tails = tails[history[k + 1], history[k + 2]]
        return int(action)

    got = latent_moments(y, pi)
    law = [
        (y.start[m, s] * p, g)
        for m in range(y.M)
        for s in range(y.S)
        if y.start[m, s]
        for g, p in returns(y, m, s, trees[s]).items()
    ]
    mean = sum(p * g for p, g in law)
    assert got.value == mean
    assert got.variance == got.total_variance == sum(p * g * g for p, g in law) - mean**2
    assert got.actions == 0


def test_the_bound_in_doubles_is_that_in_rationals() -> None:
    for x in (rl.gallery.latent_three(), rl.gallery.wait_and_guess(w=F(2, 3), H=4)):
        exact, near = variance_bound(x), variance_bound(x.float())
        assert exact <= near <= float(exact) + 1e-8
    wide = rl.gallery.latent_three().replace(R=-3 * rl.gallery.latent_three().R, normalisation="waive")
    assert variance_bound(wide) <= variance_bound(wide.float()) <= float(variance_bound(wide)) + 1e-7


def test_moments_of_randomised_policies() -> None:
    two = rl.LatentMDP.from_arrays([[[[1], [1]]]], [[[0, F(1)]]], weights=[1], nu=[[1]], H=1)
    got = latent_moments(two, lambda h: [F(1, 4), F(3, 4)])
    assert (got.value, got.actions, got.variance, got.total_variance) == (F(3, 4), F(3, 16), 0, F(3, 16))
    best = BeliefDP().run(rl.gallery.latent_three())
    assert latent_moments(best.model, best.policy).value == F(31, 36)
    with pytest.raises(InvalidArgument, match="action 2"):
        latent_moments(two, lambda h: 2)


@FEW
@given(latent_models())
def test_bounds_are_in_order(x: rl.LatentMDP) -> None:
    hidden, shown = (BeliefDP().run(x.replace(observe_rewards=o)).value for o in (False, True))
    chain = [
        BestOpenLoop().run(x).value,
        BestMarkov().run(x).value,
        hidden,
        shown,
        rl.QMDP().run(x).value,
        Oracle().run(x).value,
    ]
    assert chain == sorted(chain)
    assert qmdp_policy(x).value() <= (shown if x.observe_rewards else hidden)
    table = BestMarkov().run(x).witness
    assert latent_moments(x, lambda h: int(table[len(h) // 3, h[-1]])).value == chain[1]
    actions = BestOpenLoop().run(x).witness
    assert latent_moments(x, lambda h: int(actions[len(h) // 3])).value == chain[0]


@settings(FEW, max_examples=15)
@given(latent_models())
def test_points_enclose_the_optimum(x: rl.LatentMDP) -> None:
    best = BeliefDP().run(x).value
    sol = PointBased(tol=1e-7, max_trials=300).run(x.float())
    assert sol.lower <= best <= sol.upper
    assert sol.gap <= 1e-6
    assert sol.policy.value() == pytest.approx(sol.value, abs=1e-12)


def test_points_keep_their_bounds_when_stopped() -> None:
    x = random_model(3, 3, 3, 6, observe_rewards=False)
    best = BeliefDP().run(x).value
    for trials in (1, 5, 40):
        sol = PointBased(tol=1e-9, max_trials=trials).run(x)
        assert sol.lower <= best <= sol.upper
        assert sol.status is Status.MAX_ITER
        assert sol.policy.value() == pytest.approx(sol.value, abs=1e-12)
    gaps = [h[2] - h[1] for h in sol.stats["history"]]
    assert gaps[-1] < gaps[0] / 4
    with pytest.raises(NotConverged, match="gap"):
        rl.solve(x, PointBased(tol=1e-9, max_trials=5))
    tight = PointBased(tol=1e-9, max_trials=10**6, max_bytes=20_000).run(x)
    assert tight.status is Status.MAX_ITER
    with pytest.raises(InvalidArgument, match="works in doubles"):
        PointBased().run(x.exact())


def test_solve_chooses() -> None:
    assert rl.solve(rl.gallery.wait_and_guess(H=5)).solver == "BeliefDP"
    assert rl.solve(rl.gallery.wait_and_guess(H=5), rl.QMDP()).value == F(7, 8)
    sol = rl.solve(rl.gallery.wait_and_guess(H=24))
    assert sol.solver == "AlphaDP"
    assert "few alpha vectors" in sol.reason
    sol = rl.solve(random_model(2, 2, 2, 40, observe_rewards=False))
    assert (sol.solver, sol.status) == ("PointBased", Status.SOLVED)
    large = random_model(3, 4, 3, 8, observe_rewards=False)
    sol = LatentPlanner(tol=0.05).run(large)
    assert (sol.solver, sol.status) == ("PointBased", Status.SOLVED)
    assert "bounds from both sides" in sol.reason
    with pytest.raises(InvalidArgument, match=r"solve\(lmdp.float\(\)\)"):
        rl.solve(large.exact())
