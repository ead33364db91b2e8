"""The regret engine: compiled against Python learners, values recomputed, assumptions refused."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory.errors import InvalidArgument, OptimismLost
from rltheory.kernels import regret as kernel
from rltheory.solvers import (
    EULER,
    MVP,
    PSRL,
    QUCB,
    UCBVI,
    UCRL2,
    BernsteinBonus,
    ExploreThenCommit,
    RandomAgent,
    evaluate_horizon,
    plot_horizons,
    regret_by_horizon,
    regret_table,
)
from rltheory.solvers.regret_engine import record_points
from tests.python_agents import DoublingLearner, HoeffdingLearner, PosteriorLearner, Python, QLearner

RIVER = rl.gallery.river_swim_episodes(4, 10)
AGENTS = [
    UCBVI(scale=0.01), UCBVI("bernstein", scale=0.01), MVP(scale=0.001), MVP(samples="batch", scale=0.001),
    BernsteinBonus(scale=0.3), EULER(scale=0.1), PSRL(), UCRL2(scale=0.1), QUCB(scale=0.05),
    QUCB("bernstein", scale=0.05), ExploreThenCommit(40), RandomAgent(),
]  # fmt: skip


def changing(seed: int = 3) -> rl.FiniteHorizonMDP:
    """Four steps with models of their own, actions missing in places, a spread start."""
    rng = np.random.default_rng(seed)
    stages = []
    for h in range(4):
        pairs = [(s, a) for s in range(3) for a in range(3) if (s + a + h) % 4 != 3]
        rows = rng.dirichlet(np.ones(3), len(pairs))
        rows[::3] = np.eye(3)[rng.integers(3, size=len(rows[::3]))]
        stages.append(
            rl.MDP.from_pairs(
                rows,
                rng.random(len(pairs)),
                0,
                pair_state=np.array([p[0] for p in pairs]),
                pair_action=np.array([p[1] for p in pairs]),
                mu=np.array([0.5, 0.25, 0.25]),
            )
        )
    return rl.FiniteHorizonMDP.from_stages(stages)


@dataclass
class Recorder:
    """Wraps a library agent as a user's, and keeps the policies played."""

    inner: Any
    played: list[Any]

    def learner(self, task: Any, rng: Any) -> Any:
        learner = self.inner.learner(task, rng)
        played = self.played

        class Learner:
            """Forwards."""

            @property
            def upper(self) -> Any:
                return learner.upper

            def policy(self) -> Any:
                pi = learner.policy()
                played.append(pi.copy())
                return pi

            def observe(self, *episode: Any) -> None:
                learner.observe(*episode)

        return Learner()


# ---- two implementations -----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("compiled", "kind"),
    [
        (UCBVI(scale=0.02), HoeffdingLearner),
        (MVP(scale=0.02), DoublingLearner),
        (QUCB(scale=0.02), QLearner),
        (PSRL(), PosteriorLearner),
    ],
    ids=["ch", "mvp", "q", "psrl"],
)
def test_python_learners_agree_to_the_last_bit(compiled: Any, kind: type) -> None:
    a = rl.regret(compiled, RIVER, K=120, seeds=[0, 5], verify=True)
    b = rl.regret(Python(kind, scale=0.02), RIVER, K=120, seeds=[0, 5], verify=True)
    for x, y in [(a.pseudo, b.pseudo), (a.regret, b.regret), (a.realised, b.realised)]:
        assert np.array_equal(x, y)
    assert a.final.min() > 1
    if kind is not PosteriorLearner:
        assert np.array_equal(a.gaps, b.gaps)
        assert np.array_equal(a.least_margin, b.least_margin)
    if kind is DoublingLearner:
        assert (a.plans - b.plans).tolist() in ([0, 0], [0, 1], [1, 0], [1, 1])  # one may be due at the end


@pytest.mark.parametrize(
    ("compiled", "kind"), [(UCBVI(scale=0.01), HoeffdingLearner), (MVP(scale=0.001), DoublingLearner)]
)
def test_few_next_states_are_visited_one_by_one_with_the_same_sums(compiled: Any, kind: type) -> None:
    model = rl.gallery.river_swim_episodes(14, 6)
    a = rl.regret(compiled, model, K=60, seeds=[1])
    b = rl.regret(Python(kind, scale=compiled.scale), model, K=60, seeds=[1])
    assert np.array_equal(a.pseudo, b.pseudo) and np.array_equal(a.gaps, b.gaps)
    learner = compiled.learner(a.task)
    for _ in range(3):
        pi = learner.policy()
        learner.observe(np.zeros(7, dtype=int), pi[:, 0], np.zeros(6))
    seen = int(learner.memory.flags[kernel.SEEN])
    assert 0 < kernel.SPARSE * seen < learner.memory.P.size


@pytest.mark.parametrize("agent", AGENTS[:6], ids=repr)
def test_both_ways_of_summing_agree(agent: Any) -> None:
    model = rl.gallery.river_swim_episodes(14, 6)
    task = rl.regret(agent, model, K=40, seeds=[0]).task
    quick, full = agent.learner(task), agent.learner(task)
    rng = np.random.default_rng(0)
    for _ in range(40):
        pi = quick.policy()
        full.memory.flags[kernel.SEEN] = 0  # as if nothing had been listed: every next state is visited
        assert np.array_equal(pi, full.policy())
        assert np.array_equal(quick.memory.V, full.memory.V)
        states = np.concatenate([[0], rng.integers(0, 14, 6)])
        actions = pi[np.arange(6), states[:-1]]
        for learner in (quick, full):
            learner.observe(states, actions, np.zeros(6))


@pytest.mark.parametrize("agent", AGENTS, ids=repr)
@pytest.mark.parametrize("model", [RIVER, changing()], ids=["river", "changing"])
def test_values_are_those_of_the_policies_played(agent: Any, model: rl.FiniteHorizonMDP) -> None:
    K, played = 90, []
    curve = rl.regret(agent, model, K=K, seeds=[4])
    slow = rl.regret(Recorder(agent, played), model, K=K, seeds=[4])
    exact = model.mu @ rl.solve(model).V[0]
    losses = [exact - model.mu @ evaluate_horizon(model, pi).V[0] for pi in played]
    assert np.abs(np.cumsum(losses) - curve.pseudo[0]).max() < 1e-9
    assert min(losses) > -1e-12
    assert np.abs(slow.pseudo - curve.pseudo).max() <= 2 * curve.error[-1]
    if played[0].ndim == 2:
        assert np.array_equal(slow.realised, curve.realised)


def test_rounding_stays_below_the_bound_given() -> None:
    curve = rl.regret(BernsteinBonus(), rl.gallery.regret_chain(), K=3000, vmax=1, seeds=[0], points=[3000])
    total = Fraction(curve.final[0]) * 60
    assert abs(total - round(total)) / 60 <= curve.error[-1] < 1e-9  # the true regret is a multiple of 1/60


def test_threads_and_order_do_not_matter() -> None:
    a = rl.regret(PSRL(), RIVER, K=50, seeds=range(6), threads=1)
    b = rl.regret(PSRL(), RIVER, K=50, seeds=range(6)[::-1], threads=3)
    assert np.array_equal(a.pseudo, b.pseudo[::-1])


def test_an_error_in_one_run_ends_the_others() -> None:
    begun: list[int] = []

    class Breaks:
        """Fails in its first episode."""

        def learner(self, task: Any, rng: Any) -> Any:
            begun.append(1)
            return self

        def policy(self) -> Any:
            time.sleep(0.05)
            raise ZeroDivisionError("broken")

        def observe(self, *episode: Any) -> None:
            """Nothing."""

    with pytest.raises(ZeroDivisionError, match="broken"):
        rl.regret(Breaks(), RIVER, K=100_000, seeds=range(50), threads=2)
    assert len(begun) < 50


def test_blocks_do_not_show() -> None:
    long = rl.regret(UCBVI(scale=0.01), RIVER, K=5000, seeds=[1], points=[2047, 2048, 2049])
    assert long.episodes.tolist() == [2047, 2048, 2049, 5000]
    assert (np.diff(long.pseudo[0]) >= 0).all()
    a = rl.regret(ExploreThenCommit(3000), RIVER, K=5000, seeds=[1], points=[3000])
    uniform = rl.regret(RandomAgent(), RIVER, K=3000, seeds=[1])
    assert a.pseudo[0, 0] == pytest.approx(uniform.final[0], abs=1e-9)
    assert a.final[0] - a.pseudo[0, 0] < 1e-9  # 3000 random episodes show the best policy


def test_states_follow_the_stream_of_the_protocol() -> None:
    seen: list[Any] = []

    class Watcher:
        """Plays the least action there is and keeps what it sees."""

        def __init__(self, task: Any) -> None:
            self.task = task

        def policy(self) -> Any:
            allowed = np.broadcast_to(self.task.allowed, (self.task.H, self.task.S, self.task.A))
            return allowed.argmax(axis=2)

        def observe(self, states: Any, actions: Any, rewards: Any) -> None:
            seen.append((states, actions, rewards))

    class Agent:
        """Makes watchers."""

        def learner(self, task: Any, rng: Any) -> Any:
            return Watcher(task)

    model = changing()
    rl.regret(Agent(), model, K=60, seeds=[9])
    first = np.random.SeedSequence(9).spawn(2)[0]
    u = np.random.default_rng(first).random((60, model.H + 1))
    for k, (states, actions, rewards) in enumerate(seen):
        s = int(np.argmax(np.cumsum(model.mu) > u[k, 0]))
        assert states[0] == s
        for h in range(model.H):
            assert rewards[h] == model.R[h, s, actions[h]]
            s = int(np.argmax(np.cumsum(model.P[h, s, actions[h]]) > u[k, h + 1]))
            assert states[h + 1] == s
    assert len({int(s) for states, _, _ in seen for s in states}) == 3


# ---- learners ----------------------------------------------------------------------------------
def test_the_uniform_player() -> None:
    K, N = 400, 4
    model = rl.gallery.needle(N, eps=math.sqrt(N / K), at=1)
    curve = rl.regret(RandomAgent(), model, K=K, vmax=1, seeds=[0])
    assert curve.final[0] == pytest.approx(0.75 * math.sqrt(N * K), rel=1e-12)


@pytest.mark.parametrize("agent", [UCBVI(), UCBVI("bernstein"), MVP(), EULER(), UCRL2()], ids=repr)
def test_published_bonuses_are_optimistic(agent: Any) -> None:
    for model in (RIVER, changing()):
        rl.regret(agent, model, K=60, seeds=range(5), verify=True).require_optimism()


def test_optimism_is_lost_without_a_bonus() -> None:
    curve = rl.regret(UCBVI(scale=0.0), RIVER, K=2000, seeds=range(3), points=[1], verify=True)
    assert (curve.lost >= 0).all()
    with pytest.raises(OptimismLost, match="3 of 3 seeds"):
        curve.require_optimism()
    with pytest.raises(InvalidArgument, match="shows no values"):
        rl.regret(RandomAgent(), RIVER, K=5, seeds=[0]).require_optimism()


def test_refreshes_of_mvp_are_few() -> None:
    for model in (RIVER, changing()):
        for agent in (MVP(scale=0.02), MVP(scale=0.02, samples="batch")):
            curve = rl.regret(agent, model, K=700, seeds=[0])
            assert 5 < curve.plans[0] <= agent.most_plans(curve.task)


def test_batches_use_the_newer_half() -> None:
    learner = MVP(samples="batch").learner(
        rl.solvers.Task(2, 1, 1, 9, 1.0, True, np.ones((1, 2, 1), dtype=bool), np.zeros((1, 2, 1)))
    )
    for nxt in (0, 0, 1, 1, 0, 0, 0):
        learner.policy()
        learner.observe(np.array([0, nxt]), np.array([0]), np.array([0.0]))
    assert learner.memory.N[0, 0] == 2
    assert learner.memory.P[0, :, 0].tolist() == [0, 1]  # samples three and four
    learner.observe(np.array([0, 1]), np.array([0]), np.array([0.0]))
    assert learner.memory.N[0, 0] == 4
    assert learner.memory.P[0, :, 0].tolist() == [0.75, 0.25]


@pytest.mark.parametrize("agent", AGENTS[:-2], ids=repr)
def test_rewards_may_be_learned(agent: Any) -> None:
    known = rl.regret(agent, RIVER, K=300, seeds=[0, 1])
    learned = rl.regret(agent, RIVER, K=300, seeds=[0, 1], rewards="unknown", noise="bernoulli", verify=True)
    assert np.isfinite(learned.pseudo).all()
    assert not np.array_equal(known.pseudo, learned.pseudo)
    slow = rl.regret(Recorder(agent, []), RIVER, K=300, seeds=[0], rewards="unknown")
    fast = rl.regret(agent, RIVER, K=300, seeds=[0], rewards="unknown")
    assert np.array_equal(slow.pseudo, fast.pseudo)


def test_reward_bonuses_are_added() -> None:
    known = rl.regret(UCBVI("bernstein"), RIVER, K=1, seeds=[0])
    assert known.gaps[0, 0] == pytest.approx(10 - known.optimum)
    task = replace(known.task, R=None)
    learner = BernsteinBonus().learner(task)
    for _ in range(50):
        learner.policy()
        learner.observe(np.zeros(11, dtype=int), np.zeros(10, dtype=int), np.full(10, 0.25))
    learner.policy()
    lam, N = BernsteinBonus().log_factor(task), 500
    assert learner.memory.R[0, 0] == 0.25
    last = 0.25 + math.sqrt(lam / (2 * N)) + 10 * lam / N
    assert learner.memory.rows[0, 0, 0] + learner.memory.rows[2, 0, 0] == pytest.approx(last)


def test_posterior_sampling_does_not_look_for_rewards() -> None:
    """One state, arms paying 0.1 and 1: the second is never tried where rewards must be learned."""
    arms = rl.FiniteHorizonMDP([[[1.0], [1.0]]], [[0.1, 1.0]], 1)
    learned = rl.regret(PSRL(), arms, K=200, seeds=[0], rewards="unknown")
    assert learned.final[0] == pytest.approx(180)
    assert rl.regret(PSRL(), arms, K=200, seeds=[0]).final[0] == 0
    for agent in (UCRL2(scale=0.05), BernsteinBonus(scale=0.1)):
        assert rl.regret(agent, arms, K=200, seeds=[0], rewards="unknown").final[0] < 90


def test_a_pooled_model_may_be_learned_by_step() -> None:
    pooled = rl.regret(BernsteinBonus(scale=0.1), RIVER, K=300, seeds=range(3))
    by_step = rl.regret(BernsteinBonus(scale=0.1), RIVER, K=300, seeds=range(3), stationary=False)
    assert pooled.mean[-1] < by_step.mean[-1]


def test_ten_lines_are_an_agent() -> None:
    class Fixed:
        """Always the same action."""

        def __init__(self, task: Any) -> None:
            self.pi = np.ones((task.H, task.S), dtype=int)

        def policy(self) -> Any:
            return self.pi

        def observe(self, states: Any, actions: Any, rewards: Any) -> None:
            assert (actions == 1).all()

    class Right:
        """Swims up."""

        def learner(self, task: Any, rng: Any) -> Fixed:
            return Fixed(task)

    curve = rl.regret(Right(), RIVER, K=20, seeds=range(3))
    best = rl.solve(RIVER.float()).V[0, 0]
    right = evaluate_horizon(RIVER.float(), np.ones(4, dtype=int)).V[0, 0]
    assert curve.final == pytest.approx([20 * (best - right)] * 3, abs=1e-9)
    assert "Right" in repr(curve)


# ---- curves ------------------------------------------------------------------------------------
def test_points_recorded() -> None:
    assert record_points(5, None).tolist() == [1, 2, 3, 4, 5]
    long = record_points(10**6, None)
    assert long[0] == 1 and long[-1] == 10**6 and 300 < long.size < 700
    assert record_points(100, [7, 3]).tolist() == [3, 7, 100]
    for n in (1, 2, 3, 4, 10):
        at = record_points(2000, n)
        assert at[-1] == 2000
        assert at.size <= n


@dataclass(frozen=True)
class Shown:
    """Plays action 0, has an array as a parameter and shows it as its values."""

    upper: Any

    def learner(self, task: Any, rng: Any) -> Any:
        return Zeros(self.upper, np.zeros((task.H, task.S), dtype=int))


@dataclass
class Zeros:
    """Its learner."""

    upper: Any
    pi: Any

    def policy(self) -> Any:
        return self.pi

    def observe(self, states: Any, actions: Any, rewards: Any) -> None:
        pass


def test_arrays_may_be_parameters_of_agents() -> None:
    curve = rl.regret(Shown(np.full((10, 4), 10.0)), RIVER, K=3, seeds=[0])
    assert "Shown(upper=array(10, 4))" in repr(curve)
    assert curve.require_optimism() is curve


@pytest.mark.parametrize("upper", [np.full((10, 4), np.nan), np.ones(4), np.ones((10, 1))])
def test_values_of_users_are_checked(upper: Any) -> None:
    with pytest.raises(InvalidArgument, match="upper: "):
        rl.regret(Shown(upper), RIVER, K=3, seeds=[0])


def test_guides_start_at_the_regret_drawn() -> None:
    model = rl.FiniteHorizonMDP(np.ones((2, 2, 2)) / 2, [[0.0, 1.0], [0.5, 0.5]], 1, mu=[0.5, 0.5])
    curve = rl.regret(RandomAgent(), model, K=41, seeds=[0], points=[41])
    assert curve.regret[0, -1] != curve.pseudo[0, -1]
    ax = curve.loglog(what="regret")
    assert ax.lines[1].get_ydata()[0] == pytest.approx(curve.regret[0, 0])


def test_bands_contain_the_mean_and_narrow() -> None:
    few = rl.regret(RandomAgent(), RIVER, K=30, seeds=range(5))
    agent = PSRL()
    curve = rl.regret(agent, RIVER, K=200, seeds=range(40))
    lo, hi = curve.band(0.95, at=[9, 199])
    assert (lo <= curve.mean[[9, 199]]).all() and (curve.mean[[9, 199]] <= hi).all()
    wide = rl.regret(agent, RIVER, K=200, seeds=range(10)).band(0.95, at=[9, 199])
    assert (hi - lo < wide[1] - wide[0]).all()
    near = curve.band(kind="normal", at=[199])
    assert near[0] < curve.mean[-1] < near[1]
    both = curve.band(0.95, at=[9, 199], simultaneous=True)
    assert (both[1] - both[0] > hi - lo).all()
    all_lo, all_hi = curve.band(0.95, simultaneous=True)
    assert (np.diff(all_lo) >= 0).all() and (np.diff(all_hi) >= 0).all()
    assert (all_lo <= curve.mean).all() and (curve.mean <= all_hi).all()
    assert few.band()[0].shape == (30,)
    for bad in ({"level": 1.0}, {"what": "realised"}, {"what": "luck"}, {"kind": "bayes"}):
        with pytest.raises(InvalidArgument):
            curve.band(**bad)  # type: ignore[arg-type]


def test_coverage_of_the_bands() -> None:
    model = rl.gallery.needle(2, eps=0.25)
    truth = rl.regret(PSRL(), model, K=20, vmax=1, seeds=range(4000), points=[20]).mean[-1]
    outside = 0
    for block in range(100):
        curve = rl.regret(PSRL(), model, K=20, vmax=1, seeds=range(5000 + 20 * block, 5020 + 20 * block))
        lo, hi = curve.band(0.9, at=[-1])
        outside += not lo[0] <= truth <= hi[0]
    assert outside <= 10


def test_pictures_and_tables() -> None:
    curve = rl.regret(UCBVI(scale=0.02), RIVER, K=50, seeds=range(3))
    ax = curve.plot(bound=True)
    assert [line.get_linestyle() for line in ax.lines] == ["-", "--", ":"]
    assert "vacuous" in ax.get_legend().get_texts()[1].get_text()
    low = curve.plot(bound=lambda K: 1.5 * K, band=None)
    assert len(low.lines) == 2 and low.get_yscale() == "linear"
    assert curve.loglog().get_xscale() == "log"
    one = rl.regret(UCBVI(scale=0.02), RIVER, K=50, seeds=[0])
    assert one.plot(kind="normal").collections == [] or len(one.plot(kind="normal").collections) == 0
    frame = curve.to_dataframe()
    assert len(frame) == 150 and set(frame.columns) >= {"seed", "episode", "pseudo", "regret", "realised"}
    table = regret_table([curve, one])
    assert table.to_dataframe()["seeds"].tolist() == [3, 1]
    assert "UCBVI(scale=0.02)" in repr(table) and "<table" in curve._repr_html_()
    groups = [
        regret_by_horizon(a, rl.gallery.sticky, (4, 8), K=50, vmax=1, seeds=range(3))
        for a in (BernsteinBonus(), PSRL())
    ]
    assert len(plot_horizons(groups).get_legend_handles_labels()[0]) == 2


def test_negative_rewards_are_shifted() -> None:
    curve = rl.regret(UCBVI(), rl.gallery.deep_sea(5), K=30, seeds=[0])
    assert curve.shift == pytest.approx(1 / 500)
    assert curve.optimum == pytest.approx(0.99)
    stage = RIVER.float().stage(0)
    lower = rl.FiniteHorizonMDP(stage.P, stage.R - 0.25, 10, mu=stage.mu)
    a, b = (rl.regret(BernsteinBonus(), m, K=200, seeds=[0]) for m in (lower, RIVER))
    assert a.shift == 0.25
    assert np.array_equal(a.regret, b.regret)
    assert a.optimum == pytest.approx(b.optimum - 2.5)


# ---- refusals ----------------------------------------------------------------------------------
BIG = rl.FiniteHorizonMDP(np.ones((2, 1, 2)) / 2, [[0.5], [1.5]], H=3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: UCBVI(delta=0), r"delta=0 is outside \(0, 1\)"),
        (lambda: MVP(delta=1.5), r"delta=1.5 is outside"),
        (lambda: EULER(scale=-1), "scale=-1"),
        (lambda: QUCB("freedman"), "bonus='freedman'"),  # type: ignore[arg-type]
        (lambda: UCBVI("freedman"), "bonus='freedman'"),  # type: ignore[arg-type]
        (lambda: MVP(samples="none"), "samples='none'"),  # type: ignore[arg-type]
        (lambda: PSRL(alpha=0), "alpha=0"),
        (lambda: ExploreThenCommit(-1), "explore=-1"),
        (lambda: rl.regret(UCBVI(), RIVER, K=10, seeds=[]), "no seeds"),
        (lambda: rl.regret(UCBVI(), RIVER, K=10, seeds=[1, 2, 1]), "seed 1 is there twice"),
        (lambda: rl.regret(UCBVI(), RIVER, K=10, seeds=[-1]), "negative"),
        (lambda: rl.regret(UCBVI(), RIVER, K=10, seeds=3), r"seeds=3, .* use range\(50\)"),  # type: ignore[arg-type]
        (lambda: rl.regret(UCBVI(), RIVER, K=10, seeds=[0.5]), "distinct integers"),  # type: ignore[list-item]
        (lambda: rl.regret(UCBVI(), RIVER, K=5, seeds=[0]).bound(0), "bound: K=0"),
        (lambda: rl.regret(UCBVI(), RIVER, K=5, seeds=[0]).band(at=[]), "at is empty"),
        (lambda: rl.regret(UCBVI(), RIVER, K=0), "K=0"),
        (lambda: rl.regret(UCBVI(), RIVER, K=5, points=[9]), "1..K=5"),
        (lambda: rl.regret(UCBVI(), RIVER, K=5, points=0), "points=0"),
        (lambda: rl.regret(UCBVI(), RIVER, K=5, vmax=11), "vmax=11"),
        (lambda: rl.regret(UCBVI(), RIVER, K=5, vmax=1), "some episode pays 7, more than vmax=1"),
        (lambda: rl.regret(UCBVI(), BIG, K=5), r"R\[1, 0\]=1.5, the theorem assumes rewards in \[0, 1\]"),
        (
            lambda: rl.regret(UCBVI(), rl.gallery.sticky(), K=5, vmax=1, noise="bernoulli"),
            "noise='bernoulli'",
        ),
        (lambda: rl.regret(UCBVI(), changing(), K=5, stationary=True), "changes with the step"),
        (lambda: rl.regret(UCBVI(), rl.gallery.river_swim(4), K=5), "FiniteHorizonMDP.from_mdp"),  # type: ignore[arg-type]
        (lambda: rl.regret("UCBVI", RIVER, K=5), r"learner\(task, rng\)"),  # type: ignore[arg-type]
        (lambda: rl.regret(QUCB("bernstein"), rl.gallery.sticky(), K=5, vmax=1), "vmax=1"),
        (lambda: rl.regret(UCBVI(), rl.gallery.sticky(), K=5, vmax=1, seeds=[0]).bound(), "vmax=1"),
        (lambda: rl.regret(PSRL(), RIVER, K=5, seeds=[0]).bound(), "no theorem with explicit constants"),
        (lambda: rl.gallery.needle(2, at=2), "at=2"),
        (lambda: regret_by_horizon(PSRL(), rl.gallery.sticky, [], K=5), "no horizons"),
        (lambda: plot_horizons([[]]), "empty group"),
    ],
)
def test_what_breaks_an_assumption_is_refused(call: Any, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        call()


def test_discounting_and_terminal_rewards_are_refused() -> None:
    P, R = np.ones((2, 1, 2)) / 2, np.zeros((2, 1))
    with pytest.raises(InvalidArgument, match=r"gamma=0.9, the theorems are undiscounted"):
        rl.regret(PSRL(), rl.FiniteHorizonMDP(P, R, H=2, gamma=0.9), K=5)
    with pytest.raises(InvalidArgument, match="terminal_reward is not 0"):
        rl.regret(PSRL(), rl.FiniteHorizonMDP(P, R, H=2, terminal_reward=[0, 1]), K=5)


@pytest.mark.parametrize(
    ("pi", "words"),
    [
        (np.zeros((10, 3), dtype=int), "shape="),
        (np.full((10, 4), 2), r"\[h=0, s=0\]=2, no such action"),
        (np.full((10, 4, 2), 0.4), r"\[h=0, s=0\]"),
        (np.zeros((10, 4)), "dtype=float64"),
    ],
)
def test_policies_of_users_are_checked(pi: Any, words: str) -> None:
    class Bad:
        """Plays what it is given."""

        def learner(self, task: Any, rng: Any) -> Any:
            return self

        def policy(self) -> Any:
            return pi

        def observe(self, *episode: Any) -> None:
            """Nothing."""

    with pytest.raises(InvalidArgument, match=words):
        rl.regret(Bad(), RIVER, K=2, seeds=[0])
