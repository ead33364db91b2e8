"""Learners of latent MDPs against slow implementations, the reference runs, and their own promises."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import rltheory as rl
from rltheory.errors import InvalidArgument
from rltheory.models.gallery.latent import latent_hard, latent_three, wait_and_guess
from rltheory.models.latent import LatentMDP
from rltheory.operators.latent import history_tree
from rltheory.solvers.agents import MVP
from rltheory.solvers.agents.latent import LatentOptimism, _Work, start_optima
from rltheory.solvers.agents.merged import MergedAgent, markov_values
from rltheory.solvers.latent_alpha import AlphaDP, alpha_sets
from rltheory.solvers.latent_belief import BeliefDP
from rltheory.solvers.latent_curve import latent_regret

EASY = wait_and_guess(0.8, 0.2, 0.9, 0.1, 0.5, H=3)
NEEDLES = latent_hard(3, 1, 3, 2, [(0, 0), (0, 1)], 0.1, 1.0)


def random_latent(seed, M=2, S=3, A=2, H=3, *, hidden=False):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.ones(S), size=(M, S, A)) * (rng.random((M, S, A, S)) < 0.7)
    P[..., 0] += P.sum(axis=-1) == 0
    P /= P.sum(axis=-1, keepdims=True)
    R = rng.integers(0, 3, size=(M, S, A)) / (2 * H)
    nu = rng.dirichlet(np.ones(S), size=M)
    return LatentMDP.from_arrays(
        P, R, weights=rng.dirichlet(np.ones(M)), nu=nu, H=H, observe_rewards=not hidden
    )


# ---- plans ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("n", "iota", "ext", "val"),
    [
        (1000, 1, 0.742327762226, 0.8995),
        (10_000, 1, 0.702946067812, 0.7327421514607),
        (100, 1, 0.920710678119, 1.0),
        (1000, 10, 0.920710678119, 1.0),
    ],
)
def test_optimistic_values_of_the_reference(n, iota, ext, val):
    model = wait_and_guess(H=4).float()
    assert LatentOptimism("ext").plan(model, model.P, n, iota).value == pytest.approx(ext, abs=1e-12)
    assert LatentOptimism("val").plan(model, model.P, n, iota).value == pytest.approx(val, abs=1e-12)


def test_without_known_supports_only_clipped_values_stay_below_one():
    model = wait_and_guess(H=4).float()
    for n, value in ((10, 2.193228), (4, 3.0)):
        plan = LatentOptimism("ext", known_support=False).plan(model, model.P, n, 1)
        assert plan.value == pytest.approx(value, abs=1e-6)
        assert LatentOptimism("extc", known_support=False).plan(model, model.P, n, 1).value <= 1 + 1e-12


def by_definition(kind, model, P_hat, N, iota, tree, known):
    """The backups again: best law in the box by enumeration of vertices, bonuses as printed."""

    def context(m, s, a, v):
        x = math.inf if N[m, s, a] == 0 else iota / N[m, s, a]
        p, R = P_hat[m, s, a], model.R[m, s, a]
        if kind in ("val", "hoef"):
            if N[m, s, a] == 0:
                return 1.0
            mean = p @ v
            var = max(0.0, p @ v**2 - mean**2)
            if kind == "hoef":
                return min(1.0, R + mean + math.sqrt(model.S * x))
            return min(1.0, R + mean + max(4 * math.sqrt((p > 0).sum() * var * x), 16 * model.S * x))
        half = np.full(model.S, 1.0) if N[m, s, a] == 0 else 2 * np.sqrt(p * x) + 5 * x
        hi = np.minimum(1.0, p + half) * (model.support[m, s, a] | (not known))
        lo = np.maximum(0.0, p - half) * (model.support[m, s, a] | (not known))
        best = -math.inf
        for order in itertools.permutations(range(model.S)):
            q, left = lo.copy(), 1 - lo.sum()
            for u in order:
                step = min(left, hi[u] - lo[u])
                q[u], left = q[u] + step, left - step
            best = max(best, q @ v)
        return min(1.0, R + best) if kind == "extc" else R + best

    def backup(t, s, a, children):
        out = np.zeros((children.shape[0], model.M))
        for i, choice in enumerate(children):
            for m in range(model.M):
                v = np.zeros(model.S)
                if choice.shape[0]:
                    for u in range(model.S):
                        if tree.slot[m, s, a, u] >= 0:
                            v[u] = choice[tree.slot[m, s, a, u], m]
                out[i, m] = context(m, s, a, v)
        return out

    return backup


@pytest.mark.parametrize("kind", ["ext", "extc", "val", "hoef"])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("hidden", [True, False])
def test_plans_agree_with_sets_built_from_the_definitions(kind, known, hidden):
    for seed in range(3):
        M, S = (2, 3) if seed else (3, 2)
        H = 3 if known else 2
        model = random_latent(seed, M, S, 2, H, hidden=hidden)
        rng = np.random.default_rng(seed + 100)
        N = rng.integers(0, 40, size=model.R.shape)
        drawn = [rng.multinomial(n, p) for n, p in zip(N.reshape(-1), model.P.reshape(-1, S))]
        P_hat = np.array(drawn).reshape(model.P.shape) / np.maximum(N, 1)[..., None]
        every = None if known else np.ones(model.P.shape, dtype=bool)
        tree = history_tree(model, support=every)
        agent = LatentOptimism(kind, known_support=known)
        plan = agent.plan(model, P_hat, N, 0.3)
        slow = alpha_sets(tree, prune="pareto", backup=by_definition(kind, model, P_hat, N, 0.3, tree, known))
        other = sum(slow.best(s, tree.start[s])[0] for s in range(S) if tree.start[s].any())
        assert plan.value == pytest.approx(other, abs=1e-11)
        assert plan.vectors == slow.sizes().sum()
        assert float(plan.policy.value()) == pytest.approx(float(slow.policy().value()), abs=1e-12)


# ---- runs ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("model", "planner", "scale", "total", "plans", "first", "last"),
    [
        (EASY, "ext", 0.02, 3.84, 62, 0.26, 0.113149),
        (EASY, "val", 0.002, 51.22, 103, 0.26, None),
        (EASY, "hoef", 0.02, 40.9, 94, 0.26, None),
        (NEEDLES, "ext", 0.02, 7.45, 57, None, None),
        (NEEDLES, "val", 0.002, 32.65, 120, None, None),
        (NEEDLES, "hoef", 0.02, 34.05, 82, None, None),
    ],
)
def test_reference_runs(model, planner, scale, total, plans, first, last):
    run = LatentOptimism(planner, scale=scale).run(model, 500, seed=0)
    assert run.regret.sum() == pytest.approx(total, abs=1e-9)
    assert run.plans == plans
    if first is not None:
        assert run.gap[0] == pytest.approx(first, abs=1e-12)
    if last is not None:
        assert run.gap[-1] == pytest.approx(last, abs=1e-6)


def slow_run(agent, model, K, seed):
    """A6 line by line: counts per context, snapshots of the first 2^i samples, a plan after such episodes."""
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[0])
    M, S, A, H = model.M, model.S, model.A, model.H
    N, n = np.zeros((M, S, A), dtype=int), np.zeros((M, S, A, S), dtype=int)
    frozen_N, frozen_P = np.zeros((M, S, A)), np.zeros((M, S, A, S))
    optimum = float(BeliefDP().run(model).value)
    iota = agent.scale * 2 * math.log(2 * M * S * A * H * K / agent.delta)

    def draw(p, u):
        total = 0.0
        for i, x in enumerate(p):
            total += x
            if u < total:
                return i
        return len(p) - 1

    plan, plans = agent.plan(model, frozen_P, frozen_N, iota), 1
    regret = []
    for _ in range(K):
        u = rng.random(H + 2)
        m = draw(model.weights, u[0])
        s = draw(model.nu[m], u[1])
        node = plan.policy.start(s)
        regret.append(optimum - float(plan.policy.value()))
        fresh = False
        for t in range(H):
            a = plan.policy.action(node)
            nxt = draw(model.P[m, s, a], u[2 + t])
            N[m, s, a] += 1
            n[m, s, a, nxt] += 1
            if (N[m, s, a] & (N[m, s, a] - 1)) == 0:
                frozen_N[m, s, a], frozen_P[m, s, a], fresh = N[m, s, a], n[m, s, a] / N[m, s, a], True
            if t + 1 < H:
                reward = model.R[m, s, a] if model.observe_rewards else None
                node = plan.policy.step(node, nxt, reward)
            s = nxt
        if fresh:
            plan, plans = agent.plan(model, frozen_P, frozen_N, iota), plans + 1
    return np.array(regret), plans


@pytest.mark.parametrize("planner", ["ext", "val", "hoef"])
@pytest.mark.parametrize("which", ["flips", "rewards", "random", "hidden"])
def test_a_run_is_the_framework_line_by_line(planner, which):
    model = {
        "flips": EASY,
        "rewards": latent_three().float(),
        "random": random_latent(5, 2, 2, 2, 3),
        "hidden": random_latent(6, 3, 2, 2, 2, hidden=True),
    }[which]
    agent = LatentOptimism(planner, scale=0.01)
    run = agent.run(model, 60, seed=3)
    regret, plans = slow_run(agent, model, 60, 3)
    np.testing.assert_allclose(run.regret, regret, atol=1e-12)
    assert run.plans == plans


def test_a_pair_seen_twice_in_an_episode_keeps_the_first_samples():
    """One state, two self-loops' worth of samples an episode: after H = 3 steps N is 2, not 3."""
    model = LatentMDP.from_arrays(
        [[[[0.5, 0.5]], [[0.5, 0.5]]]], [[[0.0], [0.1]]], weights=[1.0], nu=[[1.0, 0.0]], H=3
    )
    run = LatentOptimism(scale=0.1).run(model, 4, seed=0)
    assert run.plans == 5  # every episode refreshes something
    assert (run.regret == 0).all()


def test_the_hull_loses_nothing_for_ext():
    rng = np.random.default_rng(2)
    for seed in range(4):
        model = random_latent(seed, 2, 3, 2, 4)
        N = rng.integers(1, 60, size=model.R.shape)
        drawn = [rng.multinomial(n, p) for n, p in zip(N.reshape(-1), model.P.reshape(-1, 3))]
        P_hat = np.array(drawn).reshape(model.P.shape) / N[..., None]
        full, hull = (LatentOptimism(prune=p).plan(model, P_hat, N, 0.2) for p in ("pareto", "hull"))
        assert hull.value == pytest.approx(full.value, abs=1e-12)
        assert hull.vectors <= full.vectors
    assert hull.vectors < full.vectors


def test_start_values_and_markov_values():
    model = random_latent(1, 3, 3, 2, 3)
    assert start_optima(model).sum() == pytest.approx(float(BeliefDP().run(model).value), abs=1e-14)
    best = max(
        markov_values(model, np.array(acts).reshape(3, 3)).sum()
        for acts in itertools.product(range(2), repeat=9)
    )
    assert best <= start_optima(model).sum() + 1e-12
    run = LatentOptimism(scale=0.05).run(model, 50, seed=0)
    assert (run.regret >= -1e-12).all()
    assert (run.start_regret >= -1e-12).all()


def test_merging_the_contexts_has_linear_regret():
    """No Markov policy of WG with w = ½, H = 5 comes closer than 97/128 − 185/256 = 9/256."""
    model = wait_and_guess(H=5)
    run = MergedAgent(MVP(scale=0.01)).run(model, 300, seed=0)
    assert run.regret.min() >= 9 / 256 - 1e-12
    assert LatentOptimism(scale=0.02).run(model, 3000, seed=0).regret[-1000:].sum() < 9 / 256 * 1000


def test_too_many_vectors_are_refused():
    model = random_latent(0, 3, 3, 2, 4)
    with pytest.raises(InvalidArgument, match="more than max_vectors=5"):
        LatentOptimism("val", max_vectors=5).plan(model, model.P, 1e6, 1.0)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"planner": "ucb"}, "planner='ucb'"),
        ({"delta": 0.0}, "delta=0.0"),
        ({"scale": -1.0}, "scale=-1.0"),
        ({"max_vectors": 0}, "max_vectors=0"),
        ({"planner": "val", "prune": "hull"}, "not convex"),
        ({"prune": "lp"}, "prune='lp'"),
    ],
)
def test_refusals(given, says):
    with pytest.raises(InvalidArgument, match=says):
        LatentOptimism(**given)


def test_curves_are_the_runs():
    curve = latent_regret(LatentOptimism(scale=0.02), EASY, K=500, seeds=[0, 4])
    run = LatentOptimism(scale=0.02).run(EASY, 500, seed=4)
    assert curve.final[0] == pytest.approx(3.84, abs=1e-9)
    np.testing.assert_allclose(curve.pseudo[1], run.regret.cumsum()[curve.episodes - 1], atol=1e-12)
    assert curve.realised[1, -1] == pytest.approx(500 * 0.74 - run.paid.sum(), abs=1e-9)
    assert curve.plans[1] == run.plans
    lo, hi = curve.band(0.95)
    assert (lo <= curve.mean).all()
    assert (curve.mean <= hi).all()
    assert curve.episodes[-1] == 500
    assert latent_regret(LatentOptimism(scale=0.02), EASY, K=2000, seeds=1, points=40).episodes[-1] == 2000
    for given, says in (({"K": 0}, "K=0"), ({"K": 5, "seeds": []}, "no seeds")):
        with pytest.raises(InvalidArgument, match=says):
            latent_regret(LatentOptimism(), EASY, **given)


def test_the_error_covers_what_the_optimum_may_be_off(monkeypatch):
    curve = latent_regret(LatentOptimism(scale=0.02), EASY, K=50, seeds=1)
    best = BeliefDP().run(EASY.float())
    assert 50 * (best.upper - curve.optimum) <= curve.error[-1] < 1e-10
    pruned = AlphaDP().run(EASY.float())
    monkeypatch.setattr(BeliefDP, "run", refuse)
    wide = latent_regret(LatentOptimism(scale=0.02), EASY, K=50, seeds=1)
    assert wide.error[-1] >= 50 * (pruned.upper - wide.optimum) > curve.error[-1]


def refuse(self, lmdp):
    """What `BeliefDP` does with a model that is too large."""
    raise InvalidArgument("too many beliefs")


def test_regret_of_a_latent_model_goes_to_latent_learners():
    curve = rl.regret(LatentOptimism(scale=0.02), EASY, K=500, seeds=[0])
    assert curve.final[0] == pytest.approx(3.84, abs=1e-9)
    with pytest.raises(InvalidArgument, match="MergedAgent"):
        rl.regret(MVP(), EASY, K=5, seeds=[0])
    with pytest.raises(InvalidArgument, match="vmax=1 says nothing"):
        rl.regret(LatentOptimism(), EASY, K=5, seeds=[0], vmax=1)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"seeds": [0, 0]}, "seed 0 is there twice"),
        ({"seeds": [-1]}, "negative"),
        ({"seeds": [0], "rewards": "unknown"}, "rewards='unknown' says nothing"),
        ({"seeds": [0], "points": 0}, "points=0"),
    ],
)
def test_options_that_would_be_ignored_are_refused(given, says):
    with pytest.raises(InvalidArgument, match=says):
        rl.regret(LatentOptimism(), EASY, K=5, **given)


@pytest.mark.parametrize("R", [3 * EASY.float().R, EASY.float().R - 0.2])
def test_rewards_that_are_not_normalised_are_refused(R):
    """Values clipped at 1 would lie below the truth, and an episode could lose more than V*."""
    model = EASY.float().replace(R=R, normalisation="waive")
    for agent in (LatentOptimism("val"), MergedAgent(MVP())):
        with pytest.raises(InvalidArgument, match="largest total"):
            agent.run(model, 5)
        with pytest.raises(InvalidArgument, match="largest total"):
            rl.regret(agent, model, K=5, seeds=[0])


@pytest.mark.parametrize("K", [0, -3, 2.5, True])
def test_numbers_of_episodes(K):
    for agent in (LatentOptimism(), MergedAgent(MVP())):
        with pytest.raises(InvalidArgument, match=f"{type(agent).__name__}: K={K}"):
            agent.run(EASY, K)


def test_estimates_are_checked():
    P = EASY.float().P
    for args in (
        (P[0], 1.0, 1.0),
        (P, np.ones(3), 1.0),
        (P, -1.0, 1.0),
        (P, np.nan, 1.0),
        (P * np.nan, 1.0, 1.0),
    ):
        with pytest.raises(InvalidArgument, match="plan: P_hat"):
            LatentOptimism().plan(EASY, *args)
    for iota in (-1.0, np.nan, np.inf):
        with pytest.raises(InvalidArgument, match="plan: iota"):
            LatentOptimism().plan(EASY, P, 1.0, iota)


def test_optima_of_long_words_come_from_alpha_vectors():
    model = latent_hard(18, 1, 3, 2, [(0, 0), (0, 1)], 0.1, 1.0)
    with pytest.raises(InvalidArgument, match="beliefs"):
        BeliefDP().run(model)
    assert start_optima(model).sum() == pytest.approx(0.6, abs=1e-12)


def test_weights_and_first_states_can_be_learned():
    """At every plan the entries chosen by frequencies lose at most 2‖ŵ∘ν̂ − w∘ν‖₁ of optimistic value."""
    model = random_latent(3, 2, 3, 2, 3)
    agent = LatentOptimism(scale=0.02, known_start=False)
    run = agent.run(model, 400, seed=1)
    assert (run.regret >= -1e-12).all()
    rng = np.random.default_rng(0)
    work = _Work(agent, model, 0.2)
    work.visits[...] = 200
    for m, s, a, u in np.argwhere(work.tree.slot >= 0):
        work.prob[work.tree.ptr[s * model.A + a] + work.tree.slot[m, s, a, u], m] = model.P[m, s, a, u]
    for n in (1, 5, 50, 5000):
        m = rng.choice(2, size=n, p=model.weights)
        s = np.array([rng.choice(3, p=model.nu[c]) for c in m])
        work.guess_start(m, s)
        assert work.flat.start.sum() == pytest.approx(1, abs=1e-11)
        work.plan()
        chosen = (work.tree.start * work.pool.alpha[work.pool.root]).sum()
        best = sum(
            (work.pool.alpha[f : f + k] @ work.tree.start[i]).max()
            for i, (f, k) in enumerate(zip(work.pool.first[0], work.pool.size[0]))
        )
        assert best - 2 * np.abs(work.flat.start - work.tree.start).sum() <= chosen + 1e-9 <= best + 2e-9
    assert best - chosen < 0.02
    flips = LatentOptimism(scale=0.02, known_start=False).run(EASY, 3000, seed=0)
    assert flips.regret[-500:].sum() < 5
    told = LatentOptimism(scale=0.02).run(EASY, 3000, seed=0)
    assert (flips.contexts == told.contexts).all()
