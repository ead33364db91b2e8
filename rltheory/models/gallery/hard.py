"""Instances on which statements about dynamic programming are equalities, or fail when weakened.

Ties are part of these instances: where a tie must be broken, the action wanted has the lower id,
which is how `greedy` breaks ties.  All are exact when `gamma` is an int or `Fraction`.
"""

from __future__ import annotations

from fractions import Fraction

from ...arrays import Real, StateVec, fractions
from .._build import Row, check_size, decimal, discount, is_rational, table
from ..mdp import MDP

F = Fraction


def _values(values: list[Fraction], gamma: Real) -> StateVec:
    out = fractions(values)
    return out if is_rational(gamma) else out.astype(float)


def swap_chain(gamma: Real = 0.9) -> MDP:
    """Two states that swap, reward 0: T v = γ(v(1), v(0)), V = 0.

    ‖Bv‖ = (1 + γ)‖v − V*‖ at v = (1, −1).  With v₀ = (1, −1) and γ = 0.999 the Bellman error of
    anchored value iteration is 0.18082 at k = 10 and 0.01882 at k = 100; plain: 1.979 and 1.809.
    """
    return table([(0, 0, {1: 1}, 0), (1, 0, {0: 1}, 0)], gamma, S=2)


def span_tight(gamma: Real = 0.9, *, bonus: Real = 10) -> MDP:
    """Two states; action a moves to state a and pays `bonus` if a is the current state.

    sp(Tu − Tv) = γ·sp(u − v) for all small u, v, since "stay" is greedy everywhere and δ = 1;
    taken over pairs of equal actions only, δ would be 0.
    """
    r = decimal(bonus)
    return table([(s, a, {a: 1}, r if s == a else 0) for s in (0, 1) for a in (0, 1)], gamma, S=2)


def feinberg_huang(j: int = 6, gamma: Real = 0.9) -> MDP:
    """State 0: action 0 → 1 pays 0, action 1 → 2 pays γ/(1 − γ) − 2^−j; 1 and 2 absorb with 1 and 0.

    Value iteration from 0 keeps choosing action 1 in state 0 for ⌊log((1 − γ)2^−j)/log γ⌋ sweeps
    (γ = 9/10, j = 2, 6, 12, 24: 35, 61, 100, 179), unbounded in j; Howard's method needs one change.

    Source: Feinberg and Huang (2014).
    """
    check_size("feinberg_huang", least=0, j=j)
    g = discount("feinberg_huang", gamma)
    rows = [
        (0, 0, {1: 1}, F(0)),
        (0, 1, {2: 1}, g / (1 - g) - F(1, 2**j)),
        (1, 0, {1: 1}, F(1)),
        (2, 0, {2: 1}, F(0)),
    ]
    return table(rows, gamma, S=3)


def relay(n: int = 5, gamma: Real = 0.9) -> MDP:
    """State 0 absorbs with rewards (0, 1); state i ≥ 1 stays (0) or goes to i − 1 (1), reward 0.

    Howard's method from all zeros: ‖V* − V^{π_k}‖ = γ^k/(1 − γ) for every k < n.
    """
    check_size("relay", n=n)
    rows: list[Row] = [(0, 0, {0: 1}, 0), (0, 1, {0: 1}, 1)]
    for i in range(1, n):
        rows += [(i, 0, {i: 1}, 0), (i, 1, {i - 1: 1}, 0)]
    return table(rows, gamma, S=n)


def ring(n: int = 5, gamma: Real = 0.9) -> MDP:
    """n ≥ 2 states; action 0 stays (reward 0), action 1 goes to s + 1 mod n (reward 1).

    The first Dantzig pivot from all zeros takes Σ(V* − V^π) from n/(1 − γ) to n/(1 − γ) − 1: the
    factor 1 − (1 − γ)/n exactly.
    """
    check_size("ring", least=2, n=n)
    rows: list[Row] = []
    for s in range(n):
        rows += [(s, 0, {s: 1}, 0), (s, 1, {(s + 1) % n: 1}, 1)]
    return table(rows, gamma, S=n)


def howard_three_changes(gamma: Real = Fraction(2, 5)) -> MDP:
    """Two states, 2 and 3 actions: Howard from (0, 0) visits (0,0), (1,1), (1,2), (0,2) at γ = 2/5.

    Three changes are (N − n)·K with K = 1, the bound of the action-elimination argument; without the
    number of actions it would be 2.
    """
    rows = [
        (0, 0, {1: 1}, F(11, 20)),
        (0, 1, {0: 1}, F(13, 20)),
        (1, 0, {0: 1}, F(3, 20)),
        (1, 1, {0: 1}, F(18, 20)),
        (1, 2, {1: 1}, F(17, 20)),
    ]
    return table(rows, gamma, S=2)


def quit_or_go(gamma: Real = 0.9, eta: Real = 0.001) -> MDP:
    """State 0 absorbs with rewards (0, 1); state 1 goes to 0 (0, reward 0) or quits to the terminal
    state 2 (1, reward η).

    From π₀ = (0, 0): ‖a_0‖ = 1, ‖a_1‖ = γ/(1 − γ) − η for a_k = V* − T_{π_k}V*: the factor
    γ/(1 − γ) is approached as η → 0 (for η < γ/(1 − γ)).
    """
    rows: list[Row] = [(0, 0, {0: 1}, 0), (0, 1, {0: 1}, 1), (1, 0, {0: 1}, 0), (1, 1, {2: 1}, decimal(eta))]
    return table(rows, gamma, S=3, terminal=[2])


def simple_pi_exponential(n: int = 4, gamma: Real | None = None) -> MDP:
    """States 1..n and a terminal state 0 on which simple policy iteration visits all 2^n policies.

    Action 0 at i: to i − 1, reward 0.  Action 1 at i: to max(i − 1 − j, 0) with probability 2^−j,
    j = 1..i, to 0 with the remaining 2^−i; reward 2^−i.  Switching always the highest-index
    improvable state, from all zeros, evaluates 2^n policies at γ = 1 − 2^−n (the default) and
    undiscounted (`SSP.from_mdp`); Howard n + 1, Dantzig 2, lowest index 2.

    Source: after Melekopoglou and Condon (1994).
    """
    check_size("simple_pi_exponential", n=n)
    rows: list[Row] = []
    for i in range(1, n + 1):
        law: dict[int, Fraction] = {}
        for j in range(1, i + 1):
            t = max(i - 1 - j, 0)
            law[t] = law.get(t, F(0)) + F(1, 2**j)
        law[0] = law.get(0, F(0)) + F(1, 2**i)
        rows += [(i, 0, {i - 1: 1}, 0), (i, 1, law, F(1, 2**i))]
    return table(rows, 1 - F(1, 2**n) if gamma is None else gamma, S=n + 1, terminal=[0])


def singh_yee(gamma: Real = 0.9, eps: Real = 1, *, eta: Real = 0, for_q: bool = False) -> MDP:
    """State 0: stay (0) pays −2γε + η, go (1) → 1 pays 0; state 1 absorbs with reward 0.

    V* = 0.  For v = (ε, −ε) the actions tie (η = 0) and "stay" loses exactly 2γε/(1 − γ).  With
    `for_q` staying pays −2ε + η and Q = ∓ε ties: the loss is 2ε/(1 − γ).  One modified policy
    iteration step of m sweeps from v takes the error 1 (γ = 0.9, ε = 1) to 0.9, 2.61, 5.5341 and
    11.375109638 for m = 1, 2, 4, 10.

    Source: Singh and Yee (1994); Bertsekas.
    """
    rows: list[Row]
    e = decimal(eps) * (1 if for_q else discount("singh_yee", gamma))
    rows = [(0, 0, {0: 1}, decimal(eta) - 2 * e), (0, 1, {1: 1}, 0), (1, 0, {1: 1}, 0)]
    return table(rows, gamma, S=2)


def singh_yee_values(gamma: Real = 0.9, eps: Real = 1) -> StateVec:
    """(2,) the approximate values (ε, −ε) that tie the actions of `singh_yee`."""
    e = decimal(eps)
    return _values([e, -e], gamma)


def williams_baird(gamma: Real = 0.9, eps: Real = 1) -> MDP:
    """`singh_yee`, met by v = `williams_baird_values`: greedy loss = 2γ‖Bv‖/(1 − γ) with ‖Bv‖ = ε.

    Also the equality case of Munos' pointwise bound.

    Source: Williams and Baird (1993).
    """
    return singh_yee(gamma, eps)


def williams_baird_values(gamma: Real = 0.9, eps: Real = 1) -> StateVec:
    """(2,) v = (ε − γε/(1 − γ), −ε/(1 − γ)): Bv = (−ε, ε), and the actions of state 0 tie."""
    g, e = discount("williams_baird_values", gamma), decimal(eps)
    return _values([e - g * e / (1 - g), -e / (1 - g)], gamma)


def avi_api_chain(N: int = 12, gamma: Real = 0.9, eps: Real = 1) -> MDP:
    """States 1..N (index i − 1); 1 absorbs with reward 0; i ≥ 2: stay (0) pays
    −2ε(γ − γ^i)/(1 − γ), left (1) → i − 1 pays 0.

    With v₀ = 0 and errors `avi_api_errors(k)`, approximate value and policy iteration both have π_k
    stay exactly at state k, and lose 2(γ − γ^k)ε/(1 − γ)² there (γ = 9/10, ε = 1, k = 12:
    123.5140927038).  The periodic policy of the last ℓ ≥ 2 policies loses 2(γ − γ^k)ε/(1 − γ).

    Source: Scherrer and Lesner (2012).
    """
    check_size("avi_api_chain", N=N)
    g, e = discount("avi_api_chain", gamma), decimal(eps)
    rows: list[Row] = [(0, 0, {0: 1}, 0)]
    for i in range(2, N + 1):
        rows += [(i - 1, 0, {i - 1: 1}, -2 * e * (g - g**i) / (1 - g)), (i - 1, 1, {i - 2: 1}, 0)]
    return table(rows, gamma, S=N)


def avi_api_errors(k: int, N: int = 12, gamma: Real = 0.9, eps: Real = 1) -> StateVec:
    """(N,) e_k: −ε at state k, +ε at state k + 1 (1-based, as in `avi_api_chain`), 0 elsewhere."""
    check_size("avi_api_errors", k=k, N=N)
    e = decimal(eps)
    return _values([-e if i == k else e if i == k + 1 else F(0) for i in range(1, N + 1)], gamma)


def lower_bound_chain(n: int = 10, gamma: Real = 0.9) -> MDP:
    """i → i − 1 for i = 2..n (index i), reward 0; 1 → terminal 0 with reward 1; one action.

    Every method whose v_k lies in the span of earlier Bellman errors, from v₀ = 0, has
    ‖Bv_k‖ ≥ γ^k/Σ_{i≤k} γ^i·‖v₀ − V*‖ for k < n.  γ = 0.9, k = 3: 0.2119802268 (attained by the best
    such v); anchored value iteration 0.2431993424, plain 0.729.

    Source: Lee and Ryu (2023).
    """
    check_size("lower_bound_chain", n=n)
    return table([(i, 0, {i - 1: 1}, int(i == 1)) for i in range(1, n + 1)], gamma, S=n + 1, terminal=[0])


def two_absorbing(gamma: Real = 0.9) -> MDP:
    """Two absorbing states, reward 0, one action: with ρ = (1, 0) the primal LP optimum is not unique."""
    return table([(0, 0, {0: 1}, 0), (1, 0, {1: 1}, 0)], gamma, S=2)
