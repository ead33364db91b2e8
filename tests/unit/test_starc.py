"""STARC, EPIC, DARD and worst-case regret against definitions computed the slow way."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linprog

import rltheory as rl
from rltheory.errors import InvalidArgument, InvalidModel
from rltheory.operators import canonicalise, explain_reward, minimal_representative, potential_shaping
from rltheory.operators.shaping import (
    is_trivial_reward,
    mean_reward,
    project_redistribution,
    trivial_basis,
    trivial_dimension,
)
from rltheory.solvers import (
    dard_distance,
    epic_distance,
    optimal_regret,
    reward_range,
    same_policy_order,
    soundness_constants,
    starc_distance,
    worst_case_regret,
)
from rltheory.solvers.starc import UnreachableStates, reachable_states, reward_norm

H = Fraction(1, 2)


def exact(x: Any) -> NDArray[Any]:
    return rl.exact_array(np.array(x, dtype=np.float64))


def environment(P: Any, gamma: Any, mu: Any = None) -> rl.MDP:
    P = exact(P) if isinstance(gamma, Fraction) else np.asarray(P, dtype=np.float64)
    zero = exact(np.zeros(P.shape[:2])) if isinstance(gamma, Fraction) else np.zeros(P.shape[:2])
    return rl.MDP(P, zero, gamma=gamma, mu=mu)


W1 = environment([[[0.5, 0.5], [1, 0]], [[0.25, 0.75], [0, 1]]], H)
R1, R2 = exact([[[1, 3], [0, 2]], [[2, -2], [1, -1]]]), exact([[[2, 0], [1, 1]], [[4, 4], [0, 1]]])
W2 = environment(np.ones((1, 4, 1)), H)
Q1, Q2 = exact([0, 1, 1, 0]).reshape(1, 4, 1), exact([1, 1, 2, 0]).reshape(1, 4, 1)


def third() -> tuple[rl.MDP, NDArray[Any], NDArray[Any]]:
    g = np.random.default_rng(3)
    tau, mu = g.dirichlet(np.ones(3), (3, 2)), g.dirichlet(np.ones(3))
    A, B = g.normal(size=(3, 2, 3)), g.normal(size=(3, 2, 3))
    return environment(tau, 0.9, mu), A, B


def returns(mdp: rl.MDP, R: NDArray[Any]) -> list[Any]:
    """J of every deterministic policy, by solving its linear system from the definition."""
    out = []
    r = (mdp.P * R).sum(axis=-1)
    for acts in itertools.product(range(mdp.A), repeat=mdp.S):
        C = np.array([mdp.P[s, a] for s, a in enumerate(acts)])
        b = np.array([r[s, a] for s, a in enumerate(acts)])
        V = np.linalg.solve(np.eye(mdp.S) - float(mdp.gamma) * C.astype(float), b.astype(float))
        out.append(float(np.asarray(mdp.mu, dtype=float) @ V))
    return out


def lp_regret(mdp: rl.MDP, A: NDArray[Any], B: NDArray[Any]) -> float:
    """Reg(A, B) by the linear program over pairs of occupancy measures."""
    S, n = mdp.S, mdp.S * mdp.A
    P = np.asarray(mdp.P, dtype=float).reshape(n, S)
    flow = np.repeat(np.eye(S), mdp.A, axis=1) - float(mdp.gamma) * P.T
    a, b = ((np.asarray(mdp.P, float) * np.asarray(R, float)).sum(-1).ravel() for R in (A, B))
    spread = max(returns(mdp, A)) - min(returns(mdp, A))
    zero = np.zeros_like(flow)
    mu = np.asarray(mdp.mu, dtype=float)
    out = linprog(
        np.concatenate([-a, a]), np.concatenate([b, -b])[None], [0.0],
        np.block([[flow, zero], [zero, flow]]), np.concatenate([mu, mu]), method="highs",
    )  # fmt: skip
    return float(-out.fun / spread)


def slow_epic(mdp: rl.MDP, R: NDArray[Any], canon: str) -> NDArray[Any]:
    """C(R) entry by entry from the definition, uniform coverage."""
    S, A, g, P = mdp.S, mdp.A, float(mdp.gamma), np.asarray(mdp.P, dtype=float)
    out = np.zeros((S, A, S))
    for s, a, t in itertools.product(range(S), range(A), range(S)):
        total = R[s, a, t]
        for b in range(A):
            if canon == "EPIC":
                for x in range(S):
                    total += (g * R[t, b, x] - R[s, b, x]) / (A * S)
                    total -= g * sum(R[y, b, x] for y in range(S)) / (A * S * S)
            else:
                for x in range(S):
                    total += (g * P[t, b, x] * R[t, b, x] - P[s, b, x] * R[s, b, x]) / A
                    total -= g * P[s, b, x] * sum(P[t, b, y] * R[x, b, y] for y in range(S)) / A
        out[s, a, t] = total
    return out


def test_first_instance_of_the_paper_spec() -> None:
    assert (reward_range(R1, W1), reward_range(R2, W1)) == (Fraction(11, 7), Fraction(24, 7))
    forth, back = worst_case_regret(R1, R2, W1), worst_case_regret(R2, R1, W1)
    assert (forth.regret, forth.multiplier) == (Fraction(42, 55), Fraction(1, 6))
    assert (back.regret, back.multiplier) == (Fraction(7, 8), Fraction(3, 4))
    assert starc_distance(R1, R2, W1, norm="range") == Fraction(133, 110)
    assert starc_distance(R1, R2, W1, norm="linf") == Fraction(4, 5)
    assert [row[0] for row in canonicalise(R1, W1)[:, 0]] == [Fraction(7, 11), Fraction(2, 11)]
    assert float(starc_distance(R1, R2, W1)) == pytest.approx(1.041194900416, abs=1e-12)
    assert float(starc_distance(R1, R2, W1, canon="minimal-l2")) == pytest.approx(0.969195454086, abs=1e-12)
    assert float(starc_distance(R1, R2, W1, canon="DARD")) == pytest.approx(1.588221724165, abs=1e-12)
    assert epic_distance(R1, R2, W1) == pytest.approx(0.793205070249, abs=1e-12)


def test_both_ends_of_the_sandwich() -> None:
    assert worst_case_regret(Q1, Q2, W2).regret == 1
    assert worst_case_regret(Q2, Q1, W2).regret == H
    assert starc_distance(Q1, Q2, W2, norm="range", canon="none") == 1
    assert worst_case_regret(Q1, -Q1, W2).regret == 1
    assert starc_distance(Q1, -Q1, W2, norm="range") == 2


def test_third_instance_in_doubles() -> None:
    mdp, A, B = third()
    assert reward_range(A, mdp).mid == pytest.approx(10.113924843121, abs=1e-11)
    forth, back = worst_case_regret(A, B, mdp), worst_case_regret(B, A, mdp)
    assert forth.regret.width < 1e-10 and float(forth.regret) == pytest.approx(0.991901950551, abs=1e-12)
    assert float(back.regret) == pytest.approx(0.812344475107, abs=1e-12)
    assert starc_distance(A, B, mdp, norm="range") == pytest.approx(1.251369074637, abs=1e-11)
    assert starc_distance(A, B, mdp) == pytest.approx(1.202672399270, abs=1e-12)
    assert epic_distance(A, B, mdp) == pytest.approx(0.819366241863, abs=1e-12)
    assert starc_distance(A, B, mdp, canon="DARD") == pytest.approx(1.637384375800, abs=1e-12)


def small(draw: Any) -> tuple[rl.MDP, NDArray[Any], NDArray[Any]]:
    S, A = draw(st.integers(1, 3)), draw(st.integers(2, 3))
    g = np.random.default_rng(draw(st.integers(0, 2**32)))
    weight = g.integers(0, 5, (S, A, S)) + (np.arange(S) == 0)
    P = exact(weight) / exact(weight.sum(axis=-1))[..., None]
    zero = exact(np.zeros((S, A)))
    mdp = rl.MDP(P, zero, gamma=Fraction(draw(st.integers(1, 9)), 10))
    return mdp, exact(g.integers(-3, 4, (S, A, S))), exact(g.integers(-3, 4, (S, A, S)))


instances = st.composite(small)()


@settings(max_examples=60, deadline=None)
@given(instances)
def test_regret_is_proved_from_both_sides_and_agrees_with_the_lp(x: Any) -> None:
    mdp, A, B = x
    worst = worst_case_regret(A, B, mdp)
    size = reward_range(A, mdp)
    J = returns(mdp, A)
    assert float(size) == pytest.approx(max(J) - min(J), abs=1e-9)
    if size == 0:
        assert worst.regret == 0
        return
    assert float(worst.regret) == pytest.approx(lp_regret(mdp, A, B), abs=1e-7)
    assert reward_range(A - worst.multiplier * B, mdp) == worst.regret * size  # the dual value, exactly

    def J_exact(R: NDArray[Any], pi: rl.Policy) -> Any:
        d = rl.state_action_occupancy(mdp, pi, normalised=False)
        return (d * (mdp.P * R).sum(axis=-1)).sum()

    assert J_exact(A, worst.pi1) - J_exact(A, worst.pi2) == worst.regret * size  # the primal value, exactly
    assert J_exact(B, worst.pi2) >= J_exact(B, worst.pi1)
    floats = worst_case_regret(A.astype(float), B.astype(float), mdp.float())
    assert abs(float(floats.regret) - float(worst.regret)) < 1e-8
    d = starc_distance(A, B, mdp, norm="range", canon="none")
    assert d / 2 <= worst.regret <= d
    opt = optimal_regret(A, B, mdp)
    assert 0 <= opt <= worst.regret


@settings(max_examples=60, deadline=None)
@given(instances, st.integers(0, 2**32))
def test_orders_are_decided_with_a_certificate(x: Any, seed: int) -> None:
    mdp, A, B = x
    g = np.random.default_rng(seed)
    N = trivial_basis(mdp)
    noise = sum((int(c) * b for c, b in zip(g.integers(-2, 3, len(N)), N, strict=True)), 0 * A)
    same = same_policy_order(A, 3 * A + noise, mdp)
    assert same.same and (reward_range(A, mdp) == 0 or same.scale == Fraction(1, 3))
    order = same_policy_order(A, B, mdp)
    orders = [np.sign(np.subtract.outer(j, j).round(9)) for j in (returns(mdp, A), returns(mdp, B))]
    if order.same:
        assert (orders[0] == orders[1]).all()
    else:
        gaps = []
        for R in (A, B):
            d = [rl.state_action_occupancy(mdp, p) for p in (order.pi, order.pi_other)]
            gaps.append(((d[0] - d[1]) * (mdp.P * R).sum(axis=-1)).sum())
        liked, other = gaps if order.liked == 1 else gaps[::-1]
        assert liked > 0 >= other


@settings(max_examples=40, deadline=None)
@given(instances, st.integers(0, 2**32), st.sampled_from(["VAL", "minimal-l2"]))
def test_canonical_rewards_are_one_per_class(x: Any, seed: int, canon: Any) -> None:
    mdp, A, B = x
    g = np.random.default_rng(seed)
    N = trivial_basis(mdp)
    noise = sum((int(c) * b for c, b in zip(g.integers(-2, 3, len(N)), N, strict=True)), 0 * A)
    c = canonicalise(A, mdp, canon)
    assert (canonicalise(A + noise, mdp, canon) == c).all()
    assert (canonicalise(c, mdp, canon) == c).all()
    assert (canonicalise(2 * A - B, mdp, canon) == 2 * c - canonicalise(B, mdp, canon)).all()
    gap = explain_reward(A, c, mdp)
    assert (gap.residual == 0).all() and (gap.scale == 1 or not (c != 0).any())
    if canon == "minimal-l2":
        assert all((c * b).sum() == 0 for b in N)
    close = canonicalise(A.astype(float), mdp.float(), canon)
    assert np.abs(close - c.astype(float)).max() < 1e-9


@settings(max_examples=40, deadline=None)
@given(instances)
def test_constants_bracket_regret(x: Any) -> None:
    mdp, A, B = x
    L, U = soundness_constants(mdp)
    assert L > 0
    d = starc_distance(A, B, mdp, norm="linf")
    if reward_range(A, mdp) != 0:
        assert L * d <= worst_case_regret(A, B, mdp).regret <= U * d
    assert soundness_constants(mdp.float())[1] == pytest.approx(float(U), rel=1e-9)


def test_constants_of_the_first_instance() -> None:
    assert soundness_constants(W1) == (Fraction(5, 44), Fraction(22, 5))
    P = np.zeros((2, 2, 2))
    P[..., 0] = 1
    assert soundness_constants(environment(P, 0.9, np.array([1.0, 0.0]))) == (0.0, np.inf)


def test_membership_is_decided() -> None:
    shaped = potential_shaping(exact([2, 7]), W1) + project_redistribution(R1, W1)
    assert is_trivial_reward(shaped, W1) and not is_trivial_reward(R1, W1)
    off = shaped.copy()
    off[0, 0, 0] += Fraction(1, 10**30)
    assert not is_trivial_reward(off, W1)
    assert is_trivial_reward(shaped.astype(float), W1.float())
    assert not is_trivial_reward(R1.astype(float), W1.float())


def test_trivial_space_has_the_dimension_stated() -> None:
    N = trivial_basis(W1)
    assert len(N) == trivial_dimension(W1) == 2 * 2 * 1 + 2
    rows = N.reshape(len(N), -1).astype(float)
    assert np.linalg.matrix_rank(rows) == len(N)
    assert all(reward_range(b, W1) == 0 for b in N)


def test_parts_of_a_decomposition_add_up() -> None:
    d = explain_reward(R1, R2, W1)
    assert (d.scale * R2 + potential_shaping(d.Phi, W1) + d.X + d.residual == R1).all()
    assert (mean_reward(d.X, W1) == 0).all() and d.residual_norm > 0.1
    X = project_redistribution(R1, W1)
    assert (mean_reward(X, W1) == 0).all()
    d = explain_reward(3 * R2 + potential_shaping(exact([3, 5]), W1) + X, R2, W1)
    assert d.scale == 3 and d.residual_norm == 0
    assert explain_reward(X, X, W1).scale == 0


@pytest.mark.parametrize("canon", ["EPIC", "DARD"])
def test_epic_and_dard_from_their_definitions(canon: Any) -> None:
    mdp, A, B = third()
    slow = [slow_epic(mdp, R, canon) for R in (A, B)]
    fast = canonicalise(np.stack([A, B]), mdp, canon)
    assert np.abs(fast - np.stack(slow)).max() < 1e-12
    rho = np.corrcoef(slow[0].ravel(), slow[1].ravel())[0, 1]
    quick = epic_distance(A, B, mdp) if canon == "EPIC" else dard_distance(A, B, mdp)
    assert quick == pytest.approx(np.sqrt((1 - rho) / 2), abs=1e-12)


def test_minimal_potential_and_lp_representatives() -> None:
    mdp, A, _ = third()
    c = canonicalise(A, mdp, "minimal-potential")
    for s in range(3):
        assert abs((c * potential_shaping(np.eye(3)[s], mdp)).sum()) < 1e-12
    l2 = float(np.sqrt((canonicalise(A, mdp, "minimal-l2") ** 2).sum()))
    rep, size = minimal_representative(A, mdp, "linf")
    assert np.abs(rep).max() == pytest.approx(size, abs=1e-8)
    assert size <= np.abs(canonicalise(A, mdp, "minimal-l2")).max() + 1e-9
    assert size >= l2 / np.sqrt(A.size) - 1e-9
    assert explain_reward(A - rep, np.zeros_like(A), mdp).residual_norm < 1e-7
    rep1, size1 = minimal_representative(A, mdp, "l1", redistribute=False)
    assert np.abs(rep1).sum() == pytest.approx(size1, abs=1e-7) and size1 <= np.abs(c).sum() + 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_least_l1_shaping_against_the_primal_lp(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mdp = rl.MDP(rng.dirichlet(np.ones(4), (4, 2)), np.zeros((4, 2)), 0.8)
    R = rng.normal(size=(4, 2, 4)) * 10.0 ** rng.integers(-3, 4)
    rep, size = minimal_representative(R, mdp, "l1", redistribute=False)
    moves = np.stack([potential_shaping(e, mdp).ravel() for e in np.eye(4)], axis=1)
    phi, *_ = np.linalg.lstsq(moves, (rep - R).ravel(), rcond=None)
    assert np.abs(R.ravel() + moves @ phi - rep.ravel()).max() < 1e-9 * np.abs(R).max()
    n = R.size  # min Σt with −t ≤ R + shaping ≤ t
    G = np.block([[moves, -np.eye(n)], [-moves, -np.eye(n)]])
    b = np.concatenate([-R.ravel(), R.ravel()])
    primal = linprog(np.r_[np.zeros(4), np.ones(n)], G, b, bounds=(None, None))
    assert size == pytest.approx(primal.fun, rel=1e-9) == pytest.approx(np.abs(rep).sum(), rel=1e-9)


def test_batches_agree_with_one_at_a_time() -> None:
    mdp, A, B = third()
    pairs = np.stack([A, 2 * B, np.zeros_like(A)]), np.stack([B, A, B])
    for canon in ("VAL", "minimal-l2", "VAL-potential", "minimal-potential", "EPIC", "DARD", "none"):
        for norm in ("l1", "l2", "linf", "w1", "w2", "winf", "range", None):
            many = starc_distance(*pairs, mdp, canon=canon, norm=norm)
            one = [starc_distance(a, b, mdp, canon=canon, norm=norm) for a, b in zip(*pairs, strict=True)]
            assert np.abs(many - one).max() < 1e-9


def test_exact_distances_contain_the_doubles() -> None:
    f1, f2 = R1.astype(float), R2.astype(float)
    for norm in ("l1", "l2", "linf", "w1", "w2", "winf", "range"):
        d = starc_distance(R1, R2, W1, norm=norm)
        assert float(d) == pytest.approx(starc_distance(f1, f2, W1.float(), norm=norm), abs=1e-9)
    assert starc_distance(R1, R2, W1, norm="l1", metric="linf") == starc_distance(
        R2, R1, W1, norm="l1", metric="linf"
    )


def test_trivial_rewards_have_documented_distances() -> None:
    zero = 0 * R1
    assert starc_distance(zero, zero, W1, norm="range") == 0
    assert starc_distance(zero, R1, W1, norm="range") == 1
    shaped = potential_shaping(exact([1, 7]), W1)
    assert starc_distance(shaped, R1, W1, norm="linf") == 1
    assert starc_distance(shaped.astype(float), R1.astype(float), W1.float()) == pytest.approx(1, abs=1e-12)
    assert worst_case_regret(zero, R1, W1).regret == 0 and worst_case_regret(R1, zero, W1).regret == 1
    mdp, A, _ = third()
    assert worst_case_regret(0 * A, A, mdp).regret.upper == 0
    assert worst_case_regret(A, 0 * A, mdp).regret.lower == 1
    assert worst_case_regret(potential_shaping(np.array([1.0, 5.0, 2.0]), mdp), A, mdp).regret.upper == 0
    assert optimal_regret(0 * A, A, mdp).upper == 0
    assert epic_distance(zero, R1, W1) == 0.5 and epic_distance(shaped, shaped, W1) == 0
    assert same_policy_order(zero, shaped, W1).same and not same_policy_order(zero, R1, W1).same


def test_unreachable_states_are_reported() -> None:
    P = np.zeros((2, 2, 2))
    P[..., 0] = 1
    mdp = environment(P, 0.9, np.array([1.0, 0.0]))
    assert reachable_states(mdp).tolist() == [True, False]
    A, B = np.zeros((2, 2, 2)), np.zeros((2, 2, 2))
    A[0, 0] = B[0, 0] = 1
    A[1, 0], B[1, 1] = 5, 5
    with pytest.warns(UnreachableStates, match="state 1 is unreachable"):
        assert starc_distance(A, B, mdp) == pytest.approx(1.9611613514, abs=1e-9)
    assert worst_case_regret(A, B, mdp).regret.upper < 1e-9
    assert starc_distance(A, B, mdp, norm="range") < 1e-9


def test_bad_input_is_refused_with_the_remedy() -> None:
    mdp, A, B = third()
    with pytest.raises(InvalidArgument, match="broadcast"):
        starc_distance(A[..., 0], B, mdp)
    bad = A.copy()
    bad[1, 0, 2] = np.nan
    with pytest.raises(InvalidArgument, match=r"R2\[1, 0, 2\]=nan"):
        starc_distance(A, bad, mdp)
    with pytest.raises(InvalidArgument, match="norm='l3'"):
        starc_distance(A, B, mdp, norm="l3")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="canon='best'"):
        canonicalise(A, mdp, "best")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="full support"):
        epic_distance(A, B, mdp, D_A=[1.0, 0.0])
    with pytest.raises(InvalidModel, match="row 0 sums to"):
        canonicalise(A, mdp, pi=np.full((3, 2), 0.4))
    with pytest.raises(InvalidModel, match="gamma=0"):
        canonicalise(A, environment(mdp.P, 0.0))
    ragged = rl.MDP.from_pairs(
        np.eye(2)[[0, 1, 1]], np.zeros(3), 0.5, pair_state=[0, 0, 1], pair_action=[0, 1, 0]
    )
    with pytest.raises(InvalidModel, match="action 1 is not allowed in state 1"):
        canonicalise(np.zeros((2, 2, 2)), ragged)
    with pytest.raises(TypeError, match=r"ask for \.same"):
        bool(same_policy_order(R1, R2, W1))
    assert reward_norm(A, mdp, "l1") == pytest.approx(np.abs(A).sum())
