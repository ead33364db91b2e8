"""Equality cases of perturbation, average-reward, variance, finite-horizon and shortest-path claims.

Pairs (M, M̂) share states, actions and γ.  Exact when `gamma` (or, without a γ, every parameter) is
an int or `Fraction`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from ...arrays import Real
from ...errors import InvalidArgument
from .._build import Row, check_size, decimal, discount, is_rational, probability, table
from ..finite_horizon import FiniteHorizonMDP
from ..mdp import MDP
from ..ssp import SSP

F = Fraction


def leaving_chain(delta: Real = 0.01, gamma: Real = 0.9) -> MDP:
    """Start in 0: action 0 stays for ever; action 1 leaves to the absorbing state 1 with probability δ.

    State 1 pays 1, all else 0.  With δ = 1, π = stay and π' leaving with probability η: the bounds on
    occupancies and surrogate are tight as η → 0, with ratio (1 − γ)/(1 − γ + γη).

    Source: the equality case of Achiam, Held, Tamar and Abbeel (2017).
    """
    (d,) = probability("leaving_chain", delta=delta)
    rows: list[Row] = [
        (0, 0, {0: 1}, 0),
        (0, 1, {0: 1 - d, 1: d}, 0),
        (1, 0, {1: 1}, 1),
        (1, 1, {1: 1}, 1),
    ]
    return table(rows, gamma, S=2, mu={0: 1}, actions=("stay", "leave"))


def simulation_tight(delta: Real = 0.01, gamma: Real = 0.9) -> tuple[MDP, MDP]:
    """(M, M̂): state 1 pays 1 and falls to the absorbing state 0 (reward 0) with probability δ in M̂,
    never in M.

    ε_P = 2δ, ε_r = 0; V(1) − V̂(1) = γδ/((1 − γ)(1 − γ + γδ)) = γ·ε_P·sp(V̂)/2/(1 − γ).
    """
    (d,) = probability("simulation_tight", delta=delta)
    M = table([(0, 0, {0: 1}, 0), (1, 0, {1: 1}, 1)], gamma, S=2)
    return M, table([(0, 0, {0: 1}, 0), (1, 0, {0: d, 1: 1 - d}, 1)], gamma, S=2)


def policy_loss_tight(eps_r: Real = 0.1, gamma: Real = 0.9, *, slack: Real = 0.001) -> tuple[MDP, MDP]:
    """(M, M̂) where the policy optimal for M̂ loses δ/(1 − γ) in M although sp(V*) = 0.

    M: two states that stay with reward ½; in state 0 action 1 also stays, reward ½ − δ.  M̂: that
    action leads to state 1, whose reward is ½ + ε_r.  δ = (1 − slack)·γε_r/(1 − γ) makes it optimal
    in M̂, so the loss tends to γε_r/(1 − γ)²: the span in the policy-loss bound must be that of V̂*.
    """
    g, e, s = discount("policy_loss_tight", gamma), decimal(eps_r), decimal(slack)
    low, half = F(1, 2) - (1 - s) * g * e / (1 - g), F(1, 2)
    M = table([(0, 0, {0: 1}, half), (0, 1, {0: 1}, low), (1, 0, {1: 1}, half)], gamma, S=2)
    return M, table([(0, 0, {0: 1}, half), (0, 1, {1: 1}, low), (1, 0, {1: 1}, half + e)], gamma, S=2)


def diameter_two_state(delta: Real = 0.1, gamma: Real = 0.9) -> MDP:
    """State 0 pays 0 and moves to 1 with probability δ; state 1 stays (0, reward 1) or returns (1,
    reward 0).

    Diameter 1/δ = sp(h*): equality in sp(h*) ≤ D·(g − min r), with g = 1.

    Source: after Bartlett and Tewari (2009).
    """
    (d,) = probability("diameter_two_state", delta=delta)
    if d == 0:
        raise InvalidArgument("diameter_two_state: delta=0, state 1 is never reached; take 0 < delta ≤ 1")
    return table([(0, 0, {0: 1 - d, 1: d}, 0), (1, 0, {1: 1}, 1), (1, 1, {0: 1}, 0)], gamma, S=2)


def coin(gamma: Real = 0.9, *, where: Literal["action", "transition"] = "action") -> MDP:
    """A fair coin between an absorbing 0 and an absorbing 1: the return of largest variance.

    States 0 (start), 1 (reward 0 for ever), 2 (reward 1 for ever).  where="action": in state 0 action
    0 pays 0 → 1 and action 1 pays 1 → 2; the uniform policy has variance 1/(4(1 − γ)²).
    where="transition": one action with reward 0; variance γ²/(4(1 − γ)²); over H steps (H − 1)²/4.

    Source: Popoviciu's inequality (1935).
    """
    loops = [(1, 0, {1: 1}, 0), (2, 0, {2: 1}, 1)]
    if where == "action":
        return table([(0, 0, {1: 1}, 0), (0, 1, {2: 1}, 1), *loops], gamma, S=3, mu={0: 1})
    if where == "transition":
        return table([(0, 0, {1: F(1, 2), 2: F(1, 2)}, 0), *loops], gamma, S=3, mu={0: 1})
    raise InvalidArgument(f"coin: where={where!r}, must be 'action' or 'transition'")


def slow_switch(gamma: Real = 0.9, *, up: Real = 0.5, down: Real = 0.5) -> MDP:
    """Two states with rewards 0, 1; state 0 is left with probability up·(1 − γ), 1 with down·(1 − γ).

    ‖(I − γP)^−1 √Var_P(V)‖ in units of (1 − γ)^−3/2 tends to 1/(2√2) = 0.3536 for up = down = ½ and
    to 0.371195 for up = 0.535, down = 0.219, as γ → 1 (0.3713 at γ = 0.999): with a = up, b = down it is
    ((1 + b)√a + a√b)/(1 + a + b)².
    """
    g = discount("slow_switch", gamma)
    u, d = probability("slow_switch", up=decimal(up) * (1 - g), down=decimal(down) * (1 - g))
    return table([(0, 0, {0: 1 - u, 1: u}, 0), (1, 0, {0: d, 1: 1 - d}, 1)], gamma, S=2)


def azar_loop(gamma: Real = 0.9, p: Real | None = None) -> MDP:
    """State 0 pays 1 and stays with probability p = (4γ − 1)/(3γ), else ends: V = 1/(1 − γp).

    The plug-in estimate from N samples has RMSE·√N·(1 − γ)^{3/2} → 9/(16√3) as γ → 1.

    Source: Azar, Munos and Kappen (2013).
    """
    g = discount("azar_loop", gamma)
    if p is None and 4 * g < 1:
        raise InvalidArgument(f"azar_loop: gamma={gamma}, the default p needs γ ≥ 1/4; raise gamma or pass p")
    (stay,) = probability("azar_loop", p=(4 * g - 1) / (3 * g) if p is None else p)
    return table([(0, 0, {0: stay, 1: 1 - stay}, 1)], gamma, S=2, terminal=[1], mu={0: 1})


def cash_out(H: int = 3) -> FiniteHorizonMDP:
    """Action 0 stays and pays 3/5, action 1 pays 1 and ends; H steps, exact.

    H = 3: the optimum is 11/5 (stay, stay, cash), the best stationary deterministic policy has 9/5,
    and no stationary mixture reaches 11/5.
    """
    mdp = table([(0, 0, {0: 1}, F(3, 5)), (0, 1, {1: 1}, 1)], F(0), S=2, terminal=[1], mu={0: 1})
    return FiniteHorizonMDP.from_mdp(mdp, H)


def countdown(n: int = 5, *, exact: bool = True) -> SSP:
    """States n..1 step down to the terminal state 0 at reward −1: V*(s) = −s.

    With w(s) = s, ‖Tu − Tv‖_w = max_s((s − 1)/s)·‖u − v‖_w at u − v = w.
    """
    check_size("countdown", n=n)
    gamma: Real = F(0) if exact else 0.0
    return SSP.from_mdp(
        table([(s, 0, {s - 1: 1}, -1) for s in range(1, n + 1)], gamma, S=n + 1, terminal=[0])
    )


def ssp_improper(cost: Real = 1) -> SSP:
    """One state: stay (0) pays 0, go (1) pays −cost and ends.

    Every v ≥ −cost is a fixed point of T; value iteration from 0 stays at 0, from −5 reaches −1; the
    best proper value is −cost.  A solver must refuse or report it.
    """
    gamma: Real = F(0) if is_rational(cost) else 0.0
    return SSP.from_mdp(table([(0, 0, {0: 1}, 0), (0, 1, {1: 1}, -decimal(cost))], gamma, S=2, terminal=[1]))
