"""Off-policy evaluation, exactly: every trajectory of a short horizon, and the recursions that avoid them.

Definitions.  A behaviour policy b draws s_0, a_0, r_0, …, s_H; π is evaluated.  ρ_h = π(a_h|s_h)/b(a_h|s_h),
ρ_{0:h} = Π_{k≤h} ρ_k, g the terminal reward.
    IS    ρ_{0:H−1} (Σ_h γ^h r_h + γ^H g(s_H))
    PDIS  Σ_h γ^h ρ_{0:h} r_h + γ^H ρ_{0:H−1} g(s_H)
    DR    X_h = V̂_h(s_h) + ρ_h (r_h + γX_{h+1} − q̂_h(s_h,a_h)),  X_H = g(s_H),  V̂_h(s) = Σ_a π(a|s) q̂_h(s,a)
Each has mean V^π_0(s_0), whatever q̂.  Weighted IS divides a sum of n IS values by the sum of their
ratios, and is biased.  Everything works on float and on exact models; exact models give exact moments.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Real, StateAction, exact_array, float_array
from ..errors import InvalidArgument
from ..models.finite_horizon import FiniteHorizonMDP
from ..models.mdp import MDP
from ..models.policy import Policy
from ..operators.occupancy import state_action_occupancy
from .backward_induction import step_weights

Estimator = Literal["is", "pdis", "dr"]

MAX_TRAJECTORIES = 2_000_000


@dataclass(frozen=True)
class Trajectory:
    """One path of the behaviour policy.

    Attributes
    ----------
    states, actions, rewards
        s_0..s_H, a_0..a_{H−1}, r_0..r_{H−1}.
    final
        Terminal reward g(s_H).
    prob
        Probability under b, given s_0.
    ratios
        ρ_0..ρ_{H−1}.
    """

    states: tuple[int, ...]
    actions: tuple[int, ...]
    rewards: tuple[Real, ...]
    final: Real
    prob: Real
    ratios: tuple[Real, ...]


def trajectories(
    model: FiniteHorizonMDP, b: ArrayLike | Policy, pi: ArrayLike | Policy | None = None, *, start: int = 0
) -> Iterator[Trajectory]:
    """Every trajectory of positive probability under b from `start`, with its ratios for π (b if None).

    Raises
    ------
    InvalidArgument
        If π acts where b never does, if there may be more than two million trajectories, or if `start`
        is not a state.

    Complexity: as many as there are; up to (A·S)^H.
    """
    behave = step_weights(model, b)
    target = behave if pi is None else step_weights(model, pi)
    _check_cover(model, target, behave)
    if not 0 <= start < model.S:
        raise InvalidArgument(f"trajectories: start={start}, states are 0..{model.S - 1}")
    width = max(m.nnz_row for m in map(_Rows, model.stages))
    if width**model.H > MAX_TRAJECTORIES:
        raise InvalidArgument(
            f"trajectories: up to {width}^{model.H}, more than {MAX_TRAJECTORIES}; shorten the horizon"
        )
    rows = [_Rows(m) for m in model.stages]
    one: Real = Fraction(1) if model.is_exact else 1.0

    def walk(h: int, s: int, prob: Any, path: tuple[Any, ...]) -> Iterator[Trajectory]:
        states, actions, rewards, ratios = path
        if h == model.H:
            yield Trajectory(states, actions, rewards, model.terminal_reward[s], prob, ratios)
            return
        m = model.stage(h)
        for k in range(m.state_ptr[s], m.state_ptr[s + 1]):
            w = behave[h][k]
            if w == 0:
                continue
            ratio = target[h][k] / w
            for t, p, r in rows[h if len(rows) > 1 else 0].steps(k):
                step = (*states, t), (*actions, int(m.pair_action[k])), (*rewards, r), (*ratios, ratio)
                yield from walk(h + 1, t, prob * w * p, step)

    yield from walk(0, start, one, ((start,), (), (), ()))


def estimate(
    path: Trajectory,
    kind: Estimator,
    gamma: Real = 1,
    *,
    q_hat: ArrayLike | None = None,
    pi: ArrayLike | None = None,
) -> Real:
    """Value of one estimator on one trajectory.

    Parameters
    ----------
    path
        From `trajectories`.
    kind
        "is", "pdis" or "dr".
    gamma
        Discount of the model.
    q_hat, pi
        (H, S, A) control variate and target probabilities, for "dr".
    """
    value: Any
    discounts: list[Any] = [gamma**h for h in range(len(path.rewards) + 1)]
    cumulative = list(itertools.accumulate(path.ratios, lambda x, y: x * y))
    if kind == "is":
        total = sum(g * r for g, r in zip(discounts, path.rewards, strict=False)) + discounts[-1] * path.final
        return cumulative[-1] * total  # type: ignore[no-any-return]
    if kind == "pdis":
        steps = zip(discounts, cumulative, path.rewards, strict=False)
        value = sum(g * c * r for g, c, r in steps) + discounts[-1] * cumulative[-1] * path.final
        return value  # type: ignore[no-any-return]
    if kind != "dr":
        raise InvalidArgument(f"estimator={kind!r}, use 'is', 'pdis' or 'dr'")
    if q_hat is None or pi is None:
        raise InvalidArgument("estimator='dr' needs q_hat=(H, S, A) and pi=(H, S, A)")
    q, p = np.asarray(q_hat), np.asarray(pi)
    value = path.final
    for h in reversed(range(len(path.rewards))):
        s, a = path.states[h], path.actions[h]
        base = sum(p[h, s, c] * q[h, s, c] for c in range(p.shape[2]) if p[h, s, c] != 0)
        value = base + path.ratios[h] * (path.rewards[h] + gamma * value - q[h, s, a])
    return value  # type: ignore[no-any-return]


def off_policy_moments(
    model: FiniteHorizonMDP,
    pi: ArrayLike | Policy,
    b: ArrayLike | Policy,
    kind: Estimator = "is",
    *,
    q_hat: ArrayLike | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Mean and variance of an estimator from one trajectory, for every start state, by enumeration.

    Parameters
    ----------
    model
        Horizon short enough to enumerate (H ≤ 4 or so).
    pi, b
        Target and behaviour policies; b must be positive wherever π is.
    kind
        "is", "pdis" or "dr".
    q_hat
        (H, S, A) for "dr"; zero if not given (then DR is PDIS).

    Returns
    -------
    (S,) mean and (S,) variance; exact on exact models, rounded sums in doubles.

    Complexity: S·(A·S)^H trajectories at most.
    """
    table = policy_table(model, pi)
    q = np.zeros(table.shape, dtype=table.dtype) if q_hat is None else _numbers(model, q_hat)
    if q.shape != table.shape:
        raise InvalidArgument(f"q_hat: shape={q.shape}, must be {table.shape}")
    mean, var = [], []
    for s in range(model.S):
        first: Any = 0
        second: Any = 0
        seen = list(trajectories(model, b, pi, start=s))
        values = [estimate(x, kind, model.gamma, q_hat=q, pi=table) for x in seen]
        for x, v in zip(seen, values, strict=True):
            first += x.prob * v
        for x, v in zip(seen, values, strict=True):
            second += x.prob * (v - first) * (v - first)
        mean.append(first)
        var.append(second)
    return _numbers(model, mean), _numbers(model, var)


def dr_variance(
    model: FiniteHorizonMDP,
    pi: ArrayLike | Policy,
    b: ArrayLike | Policy,
    q_hat: ArrayLike | None = None,
) -> NDArray[Any]:
    """Var_h(s) of the doubly robust estimator from step h on, by the Jiang–Li recursion.

    Var_h(s) = Σ_a b ρ²γ²(Var_P V_{h+1} + P Var_{h+1}) + Var_{a~b}[ρ(q_h − q̂_h)],  Var_H = 0.

    Parameters
    ----------
    model
        Finite horizon, rewards a function of the pair (expected rewards are used).
    pi, b
        Target and behaviour policies.
    q_hat
        (H, S, A) control variate; zero if not given.

    Returns
    -------
    (H+1, S) variances; exact on exact models, rounded in doubles.

    Complexity: O(H·nnz).

    Source: Jiang–Li 2016, theorem 1.
    """
    behave, target = step_weights(model, b), step_weights(model, pi)
    _check_cover(model, target, behave)
    zero = Fraction(0) if model.is_exact else 0.0
    out = np.full((model.H + 1, model.S), zero, dtype=model.mu.dtype)
    V: NDArray[Any] = model.terminal_reward
    guess = None if q_hat is None else _numbers(model, q_hat)
    for h in reversed(range(model.H)):
        m, w = model.stage(h), behave[h]
        rho = np.array([t / x if x != 0 else zero for t, x in zip(target[h], w, strict=True)], dtype=V.dtype)
        ahead, square = m.P_pairs.dot(V), m.P_pairs.dot(V * V)
        q = m.R_pairs + model.gamma * ahead
        later = model.gamma**2 * (square - ahead * ahead + m.P_pairs.dot(out[h + 1]))
        gap = rho * (q if guess is None else q - guess[h][m.pair_state, m.pair_action])
        start = m.state_ptr[:-1]
        centre = np.add.reduceat(w * gap, start)
        out[h] = np.add.reduceat(w * (rho * rho * later + (gap - centre[m.pair_state]) ** 2), start)
        V = np.add.reduceat(target[h] * q, start)
    return out


def ratio_second_moment(
    model: FiniteHorizonMDP, pi: ArrayLike | Policy, b: ArrayLike | Policy
) -> NDArray[Any]:
    """E_b[(ρ_{0:H−1})²] for every start state, by recursion; (S,).

    Complexity: O(H·nnz).
    """
    behave, target = step_weights(model, b), step_weights(model, pi)
    _check_cover(model, target, behave)
    out: NDArray[Any] = model.mu * 0 + 1
    for h in reversed(range(model.H)):
        m, w = model.stage(h), behave[h]
        square = [t * t / x if x != 0 else 0 * x for t, x in zip(target[h], w, strict=True)]
        out = np.add.reduceat(np.array(square, dtype=out.dtype) * m.P_pairs.dot(out), m.state_ptr[:-1])
    return out


def weighted_is_mean(
    model: FiniteHorizonMDP, pi: ArrayLike | Policy, b: ArrayLike | Policy, n: int, *, start: int = 0
) -> Real:
    """E[Σ_i ρ^i G^i / Σ_i ρ^i] over n independent trajectories from `start`; 0 where all ratios vanish.

    Trajectories with equal (ρ, G) are merged, then all multisets of size n are enumerated.

    Raises
    ------
    InvalidArgument
        If n < 1 or there are too many multisets.
    """
    if n < 1:
        raise InvalidArgument(f"weighted_is_mean: n={n}, need at least one sample")
    merged: dict[tuple[Any, Any], Any] = {}
    for x in trajectories(model, b, pi, start=start):
        key = (_product(x.ratios), estimate(x, "is", model.gamma))
        merged[key] = merged.get(key, 0) + x.prob
    atoms = [(ratio, value, p) for (ratio, value), p in merged.items()]
    from math import comb, factorial

    if comb(len(atoms) + n - 1, n) > MAX_TRAJECTORIES:
        raise InvalidArgument(f"weighted_is_mean: {len(atoms)} atoms and n={n} are too many to enumerate")
    total: Any = Fraction(0) if model.is_exact else 0.0
    for chosen in itertools.combinations_with_replacement(range(len(atoms)), n):
        ways, prob = factorial(n), atoms[0][2] * 0 + 1
        for i in chosen:
            prob *= atoms[i][2]
        for _, group in itertools.groupby(chosen):
            ways //= factorial(len(list(group)))
        weight = sum(atoms[i][0] for i in chosen)
        if weight != 0:
            total += ways * prob * sum(atoms[i][1] for i in chosen) / weight
    return total  # type: ignore[no-any-return]


def marginal_ratio(
    mdp: MDP, pi: ArrayLike | Policy, b: ArrayLike | Policy, mu: ArrayLike | None = None
) -> StateAction:
    """w(s,a) = d^π_μ(s,a)/d^b_μ(s,a), the ratio of discounted state-action occupancies; (S, A).

    0 where d^π vanishes.  J(π) = Σ d^b w R/(1−γ) with normalised occupancies.

    Raises
    ------
    InvalidArgument
        If π visits a pair that b never does.

    Complexity: two S × S solves.
    """
    d_pi, d_b = state_action_occupancy(mdp, pi, mu), state_action_occupancy(mdp, b, mu)
    bad = (d_pi != 0) & (d_b == 0)
    if bad.any():
        s, a = (int(i) for i in np.argwhere(bad)[0])
        raise InvalidArgument(
            f"marginal_ratio: pi visits (s={s}, a={a}), b never does; the ratio is infinite"
        )
    safe = np.where(d_b == 0, d_b * 0 + 1, d_b)
    out: StateAction = d_pi / safe
    return out


def policy_table(model: FiniteHorizonMDP, pi: ArrayLike | Policy) -> NDArray[Any]:
    """(H, S, A) probabilities π_h(a|s) in the model's number system."""
    out = np.zeros((model.H, model.S, model.A), dtype=model.mu.dtype)
    if model.is_exact:
        out[:] = Fraction(0)
    for h, w in enumerate(step_weights(model, pi)):
        m = model.stage(h)
        out[h, m.pair_state, m.pair_action] = w
    return out


class _Rows:
    """Successors of the pairs of one step: (state, probability, reward)."""

    def __init__(self, mdp: MDP) -> None:
        self.mdp = mdp
        self.data, self.indices, self.indptr = mdp.csr

    @property
    def nnz_row(self) -> int:
        """Most (action, successor) combinations of a state."""
        counts = np.add.reduceat(np.diff(self.indptr), self.mdp.state_ptr[:-1])
        return int(counts.max())

    def steps(self, k: int) -> Iterator[tuple[int, Any, Any]]:
        """Positive-probability successors of pair k."""
        m = self.mdp
        for j in range(self.indptr[k], self.indptr[k + 1]):
            t, p = int(self.indices[j]), self.data[j]
            if p != 0:
                r = m.R_pairs[k] if m.R_entries is None else m.R_entries[j]
                yield t, p, r


def _check_cover(model: FiniteHorizonMDP, target: list[NDArray[Any]], behave: list[NDArray[Any]]) -> None:
    for h, (t, w) in enumerate(zip(target, behave, strict=True)):
        bad = np.asarray((t != 0) & (w == 0), dtype=np.bool_)
        if bad.any():
            k, m = int(np.argmax(bad)), model.stage(h)
            raise InvalidArgument(
                f"b: at step {h}, b(a={m.pair_action[k]}|s={m.pair_state[k]})=0, pi takes it with {t[k]}; "
                "the behaviour policy must cover the target"
            )


def _numbers(model: FiniteHorizonMDP, x: ArrayLike) -> NDArray[Any]:
    return exact_array(x) if model.is_exact else float_array(x)


def _product(x: tuple[Any, ...]) -> Any:
    out: Any = 1
    for v in x:
        out *= v
    return out
