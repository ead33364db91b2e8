"""Value, anchored and modified policy iteration: their own rules, in rationals where equality is claimed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp

import rltheory as rl
from rltheory import MDP, Status
from rltheory.errors import InvalidArgument
from rltheory.kernels import pace
from rltheory.models.random import garnet
from rltheory.operators._arrays import pair_arrays, read_only
from rltheory.solvers.base import optimal_bounds, policy_bounds
from tests.instances import exact_optimum, inside, to_q, wild_model
from tests.registry import SOLVERS

F = Fraction


def T(mdp: MDP, V: list) -> list:
    """TV in plain Python."""
    return [
        max(mdp.R[s, a] + mdp.gamma * sum(mdp.P[s, a, t] * V[t] for t in range(mdp.S)) for a in range(mdp.A))
        for s in range(mdp.S)
    ]


def test_exact_value_iteration_returns_the_macqueen_porteus_bounds() -> None:
    mdp = garnet(1, 4, 3, 3, F(9, 10))
    sol = rl.solve(mdp, rl.ValueIteration(max_iter=7), throw=False)
    V = [F(0)] * 4
    for _ in range(7):
        V = T(mdp, V)
    TV = T(mdp, V)
    B = [x - v for x, v in zip(TV, V)]
    lower, upper = ([x + 9 * c for x in TV] for c in (min(B), max(B)))
    own = policy_bounds(mdp, sol.pi, sol.V).lower  # the greedy policy's value is a lower bound, too
    assert sol.upper.tolist() == upper
    assert sol.lower.tolist() == [max(x, y) for x, y in zip(lower, own)]
    assert sol.status is Status.MAX_ITER
    assert sol.iterations == 7
    assert len(sol.residuals) == 7
    assert inside(
        exact_optimum(mdp.float())[0], optimal_bounds(mdp.float(), V).lower, np.array(upper, float) + 1e-12
    )


def test_bounds_use_the_right_modulus_when_rows_are_off_one() -> None:
    """`MDP.exact` keeps rows of 1 ± 1e-12; with negative and positive residuals all four cases matter."""
    e = 2.0**-41
    for sign in (1, -1):
        P = np.array([[[0.5 + e, 0.5], [0.5, 0.5 - e]], [[0.25 + e, 0.75], [1.0, 0.0]]])
        mdp = MDP(P, sign * np.array([[1.0, 1.0], [1.0, 2.0]]), 1 - 2.0**-30)
        V = exact_optimum(mdp)[0]
        centre = np.array([float(F(int(v.p), int(v.q))) for v in V])
        for shift in (0.0, 1e6, -1e6, centre[0], -centre[0]):
            for model in (mdp, mdp.exact()):
                low, high = optimal_bounds(model, centre + shift)
                for v, a, b in zip(V, low, high):
                    assert to_q(a) <= v <= to_q(b)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_loops_report_bounds_that_hold_up_to_rounding(n: int) -> None:
    """V + γ/(1−γ)·[lo, hi] contains V* after any number of Jacobi, Gauss–Seidel or greedy steps."""
    rng = np.random.default_rng(n)
    for _ in range(60):
        mdp = wild_model(rng, (0.5, 0.9))
        V_star = np.array([float(F(int(v.p), int(v.q))) for v in exact_optimum(mdp)[0]])
        scale = float(np.abs(V_star).max()) + float(np.abs(mdp.R_pairs).max()) + 1e-300
        pairs = pair_arrays(mdp)
        order = read_only(rng.permutation(mdp.S).astype(np.uint32))
        factor = mdp.gamma / (1 - mdp.gamma)
        for V0 in (np.zeros(mdp.S), V_star + scale, V_star - scale, rng.normal(size=mdp.S) * scale):
            for gs in (True, False):
                V, rest = V0.copy(), (1e-300, 0.0, 0.0, n, np.empty(0))
                if gs:
                    _, _, lo, hi = pairs.kernels.gauss_seidel_iteration(*pairs.model, order, V, *rest)
                else:
                    _, _, lo, hi = pairs.kernels.value_iteration(*pairs.model, V, *rest)
                assert (V + factor * lo <= V_star + 1e-9 * scale).all()
                assert (V_star <= V + factor * hi + 1e-9 * scale).all()


@pytest.mark.parametrize("shift", [2.0**30, -(2.0**30)])
@pytest.mark.parametrize("optimal", [0, 1])
def test_each_modulus_is_tight_somewhere(optimal: int, shift: float) -> None:
    """One state, rows of 1 − e and 1 + e: from V* + shift the bound is V* itself, by one modulus only."""
    e = 2.0**-41
    R = np.full(2, -1.0)
    R[optimal] = 1.0
    mdp = MDP([[[1 - e], [1 + e]]], [R], 0.5)
    (V,), _ = exact_optimum(mdp)
    point = np.array([2.0 + shift])
    for model in (mdp, mdp.exact()):
        low, high = optimal_bounds(model, point)
        assert to_q(low[0]) <= V <= to_q(high[0])
        if (shift > 0) == (optimal == 0):
            assert float(high[0]) - float(F(int(V.p), int(V.q))) <= 1e-15 * 16 * abs(shift)
        else:
            assert float(F(int(V.p), int(V.q))) - float(low[0]) <= 1e-15 * 16 * abs(shift)


@pytest.mark.parametrize("sweep", ["jacobi", "gauss-seidel"])
def test_stops_by_span_not_by_norm(sweep: str) -> None:
    """A constant residual is known exactly: one state, any γ, a handful of sweeps."""
    mdp = MDP([[[1.0]]], [[1.0]], 0.999999)
    sol = rl.solve(mdp, rl.ValueIteration(sweep=sweep, tol=1e-7))
    assert abs(sol.V[0] - 1e6) < 1
    assert sol.iterations <= (2 if sweep == "jacobi" else 16)


def test_feinberg_huang_needs_more_sweeps_with_the_rewards() -> None:
    """Feinberg and Huang 2014: VI from 0 keeps the wrong action for ⌊log((1−γ)2^−j)/log γ⌋ sweeps."""
    for j, sweeps in ((2, 35), (6, 61), (12, 100), (24, 179)):
        mdp = rl.gallery.feinberg_huang(j, gamma=F(9, 10))
        V = np.array([F(0)] * 3, dtype=object)
        B = rl.bellman(mdp)
        n = 0
        while rl.greedy(mdp, V)[0] == 1:
            V, n = B(V), n + 1
        assert n == sweeps


def test_gauss_seidel_order_and_start() -> None:
    """Along a chain the right order needs one sweep, the wrong one as many as states."""
    n = 12
    P = np.zeros((n, 1, n))
    P[np.arange(1, n), 0, np.arange(n - 1)] = 1
    P[0, 0, 0] = 1
    R = np.ones((n, 1))
    R[0] = 0
    mdp = MDP(P, R, 0.9, terminal=[0])
    right = rl.solve(mdp, rl.ValueIteration(sweep="gauss-seidel"))
    wrong = rl.solve(mdp, rl.ValueIteration(sweep="gauss-seidel", order=range(n - 1, -1, -1)))
    assert right.iterations == 2
    assert n - 1 <= wrong.iterations <= n + 1
    assert np.allclose(right.V, wrong.V, atol=1e-7)
    warm = rl.solve(mdp, rl.ValueIteration(V0=right.V))
    assert warm.iterations == 1


def test_gauss_seidel_from_below_is_between_value_iteration_and_the_optimum() -> None:
    mdp = garnet(4, 4, 2, 3, F(9, 10))
    V = [F(0)] * 4
    for n in range(1, 5):
        V = T(mdp, V)
        gs = rl.solve(mdp, rl.ValueIteration(sweep="gauss-seidel", max_iter=n, tol=1e-30), throw=False)
        assert gs.status is Status.MAX_ITER
        assert (gs.upper >= V).all()


@pytest.mark.parametrize("sweep", ["jacobi", "gauss-seidel"])
@pytest.mark.parametrize("exact", [False, True])
def test_elimination_drops_only_suboptimal_actions(sweep: str, exact: bool) -> None:
    rng = np.random.default_rng(11)
    dropped = 0
    for i in range(12 if exact else 150):
        mdp = wild_model(rng, (0.0, 0.5, 0.9, 0.99))
        V, _ = exact_optimum(mdp)
        solver = rl.ValueIteration(sweep=sweep, eliminate=True, max_iter=20 if exact else 10_000)
        sol = rl.solve(mdp.exact() if exact else mdp, solver, throw=False)
        mask = sol.info["eliminated"]
        assert not (mask & ~mdp.allowed).any()
        Q = rl.q_values(mdp.exact(), [F(int(v.p), int(v.q)) for v in V])
        for s, a in np.argwhere(mask):
            assert to_q(Q[s, a]) < V[s], (i, s, a)
        dropped += int(mask.sum())
        assert inside(V, sol.lower, sol.upper) if not exact else True
    assert dropped > (10 if exact else 300)


def test_anchored_iterates_and_rate() -> None:
    """Exact iterates against the definition; the rate of Lee and Ryu where plain VI does not move."""
    mdp = rl.gallery.swap_chain(gamma=F(9, 10))
    v0 = [F(1), F(-1)]
    sol = rl.solve(mdp, rl.solvers.AnchoredValueIteration(V0=v0, max_iter=6), throw=False)
    V, errors = list(v0), [float(max(abs(x - v) for x, v in zip(T(mdp, v0), v0)))]
    for k in range(1, 6):
        beta = 1 / sum(mdp.gamma ** (-2 * i) for i in range(k + 1))
        V = [beta * a + (1 - beta) * t for a, t in zip(v0, T(mdp, V))]
        errors.append(float(max(abs(x - v) for x, v in zip(T(mdp, V), V))))
    assert sol.residuals == tuple(errors)
    slow = rl.gallery.swap_chain(gamma=0.999)
    anchored = rl.solvers.AnchoredValueIteration(V0=[1.0, -1.0], max_iter=101, tol=1e-15)
    run = rl.solve(slow, anchored, throw=False)
    assert abs(run.residuals[0] - 1.999) < 1e-12
    assert abs(run.residuals[10] - 0.18082) < 1e-5  # bound 0.18263; plain VI 1.979
    assert abs(run.residuals[100] - 0.01882) < 1e-5  # bound 0.02070; plain VI 1.809
    zero = rl.solve(garnet(1, 3, 2, 2, 0.0), rl.solvers.AnchoredValueIteration())
    assert zero.status is Status.SOLVED


def test_modified_policy_iteration_step_by_definition() -> None:
    mdp = garnet(7, 4, 3, 2, F(4, 5))
    m, V = 3, [F(0)] * 4
    for _ in range(3):
        pi = rl.greedy(mdp, V)
        V = T(mdp, V)
        for _ in range(m):
            V = rl.bellman(mdp, pi)(V).tolist()
    sol = rl.solve(mdp, rl.ModifiedPolicyIteration(sweeps=m, max_iter=3, tol=1e-30), throw=False)
    low, high = optimal_bounds(mdp, V)
    assert sol.upper.tolist() == high.tolist()
    assert (sol.lower >= low).all()
    assert (sol.iterations, sol.evaluations, sol.backups) == (3, 9, 12)


def test_modified_policy_iteration_needs_few_greedy_steps() -> None:
    mdp = rl.gallery.river_swim(S=30, gamma=0.999)
    mpi, vi = rl.solve(mdp, rl.ModifiedPolicyIteration()), rl.solve(mdp, rl.ValueIteration())
    assert mpi.iterations < vi.iterations / 5
    assert np.allclose(mpi.V, vi.V, atol=2e-6)
    assert mpi.pi == vi.pi


@pytest.mark.parametrize("layout", ["csr", "dense", "runs", "exact"])
def test_modified_policy_iteration_stops_after_its_sweeps(layout: str) -> None:
    make = {
        "csr": lambda: rl.gallery.tandem_queue(n=12, gamma=0.999).float(),
        "dense": lambda: rl.gallery.random_mdp(S=150, A=4, gamma=0.9999, seed=0, support=150),
        "runs": lambda: rl.gallery.inventory(n=150, gamma=0.999, demand=[1 / 20] * 20),
        "exact": lambda: garnet(7, 4, 3, 2, F(999, 1000)),
    }
    mdp = make[layout]()
    if not mdp.is_exact:
        assert pair_arrays(mdp).kernels.__name__.endswith(layout)
    free = rl.solve(mdp, rl.ModifiedPolicyIteration())
    assert free.status.ok and free.evaluations > 3
    for most in (1, 3, free.evaluations // 3):
        solver = rl.ModifiedPolicyIteration(max_sweeps=most)
        cut = rl.solve(mdp, solver, throw=False)
        assert cut.status is Status.MAX_ITER and most <= cut.evaluations < free.evaluations
        assert cut.evaluations == most or layout == "runs"  # direct evaluation is counted in sweeps
        assert (cut.lower <= free.upper).all() and (free.lower <= cut.upper).all()
    enough = rl.solve(mdp, rl.ModifiedPolicyIteration(max_sweeps=free.evaluations + 1))
    assert enough.status is free.status and (enough.V == free.V).all()
    fixed = rl.ModifiedPolicyIteration(sweeps=5, max_sweeps=1)  # only "adaptive" counts them
    assert rl.solve(mdp, fixed).evaluations > 1


def walk(S: int, *, jumps: float) -> MDP:
    """Steps of up to 10 to either side, two actions that differ by one state, jumps anywhere now and then."""
    s = np.arange(S)
    near = np.abs(s[:, None, None] - s + np.array([0, 1])[:, None]) <= 10
    P = (1 - jumps) * near / near.sum(axis=2, keepdims=True) + jumps / S
    R = np.stack([np.linspace(0, 1, S), np.cos(np.linspace(0, 9, S))], axis=1)
    if jumps:
        return MDP(P, R, 0.9999)
    pairs = {"pair_state": np.repeat(s, 2), "pair_action": np.tile([0, 1], S), "S": S}
    return MDP.from_pairs(sp.csr_array(P.reshape(-1, S)), R.ravel(), 0.9999, **pairs)


@pytest.mark.parametrize("layout", ["csr", "dense", "runs"])
def test_sweeps_that_will_not_do_are_not_made(layout: str) -> None:
    """The pace of a policy tells after a few of the 400 sweeps allowed, where over 1200 are needed."""
    make = {
        "csr": lambda: rl.gallery.random_garnet(S=400, A=3, branching=3, gamma=0.9999, window=10, seed=0),
        "dense": lambda: walk(150, jumps=0.001),
        "runs": lambda: walk(150, jumps=0.0),
    }
    mdp = make[layout]()
    assert pair_arrays(mdp).kernels.__name__.endswith(layout)
    free = rl.solve(mdp, rl.ModifiedPolicyIteration())
    cut = rl.solve(mdp, rl.ModifiedPolicyIteration(max_sweeps=400, give_up=True), throw=False)
    assert cut.status is Status.MAX_ITER and cut.evaluations < 60 < 1200 < free.evaluations
    assert (cut.lower <= free.upper).all() and (free.lower <= cut.upper).all()
    ample = rl.ModifiedPolicyIteration(max_sweeps=100 * free.evaluations, give_up=True)
    assert rl.solve(mdp, ample).evaluations == free.evaluations


@pytest.mark.parametrize("factor", [0.5, 0.9, 0.999])
def test_sweeps_left_at_a_pace(factor: float) -> None:
    left = pace.sweeps_left(3.0, 3.0 * factor**pace.EARLY, 1e-9)
    assert 3.0 * factor ** (pace.EARLY + left) == pytest.approx(1e-9, rel=1e-6)
    assert pace.sweeps_left(1.0, 1e-10, 1e-9) == 0.0
    assert pace.sweeps_left(1.0, 1.0, 1e-9) == np.inf


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rl.ValueIteration(tol=0), "tol=0, must be a positive"),
        (lambda: rl.ValueIteration(tol=float("nan")), "tol=nan"),
        (lambda: rl.ValueIteration(max_iter=0), "max_iter=0"),
        (lambda: rl.ValueIteration(sweep="sor"), "sweep='sor'"),
        (lambda: rl.ValueIteration(order=[0, 1]), "order: only used by"),
        (lambda: rl.ModifiedPolicyIteration(sweeps=0), "sweeps=0.*ValueIteration"),
        (lambda: rl.ModifiedPolicyIteration(give_up=True), "give_up=True: needs max_sweeps"),
        (lambda: rl.ModifiedPolicyIteration(max_sweeps=0), "max_sweeps=0, must be an integer ≥ 1 or None"),
        (lambda: rl.solvers.AnchoredValueIteration(tol=-1), "tol=-1"),
        (lambda: _run(rl.ValueIteration(V0=[0.0])), r"V: shape=\(1,\)"),
        (lambda: _run(rl.ValueIteration(V0=[np.nan] * 3)), "V0: not finite"),
        (lambda: _run(rl.ValueIteration(sweep="gauss-seidel", order=[0, 0, 1])), "permutation"),
    ],
)
def test_refusals(make: object, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        make()


def _run(solver: object) -> object:
    return rl.solve(garnet(1, 3, 2, 2, 0.9), solver)


def test_overflowing_values_fail_loudly() -> None:
    mdp = MDP([[[1.0, 0.0]], [[0.0, 1.0]]], [[1e307], [-1.0]], 0.999)
    for entry in SOLVERS:
        sol = rl.solve(mdp, entry.factory(), throw=False)
        assert sol.status is Status.FAILED, entry.name
        assert sol.error == np.inf
        assert not np.isnan(sol.lower).any()
        with pytest.raises(rl.errors.NotConverged, match="exact"):
            sol.raise_if_failed()
