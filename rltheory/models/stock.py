"""Stock-augmented decision processes: the state remembers the rescaled sum of the rewards so far.

Definitions.  An augmented state is (s, c); taking a draws (p, s', r) and moves the stock to
c' = (c + r)/γ.  Then γ^t c_t = c_0 + Σ_{i<t} γ^i r_{i+1}, so c_0 + G = γ^H c_H: the law of the final
stock is the law of the return.  x_t = γ^t c_t is the *time-indexed* stock, x_{t+1} = x_t + γ^t r.

The law of (s', r) does not depend on c.  Nothing is enumerated: stocks are made as they are reached.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from ..arrays import Real, StateVec, to_fraction
from ..errors import InvalidArgument, InvalidModel
from ..portable import Portable
from .finite_horizon import FiniteHorizonMDP
from .mdp import MDP
from .outcomes import OutcomeMDP

Stock = Any
"""A number, or a tuple of m numbers for vector rewards."""


class StockMDP(Portable):
    """(s, c) with c' = (c + r)/γ over an `OutcomeMDP`, or over one a step; immutable and lazy.

    Parameters
    ----------
    stages
        The model of every step, or one a step (same states, discount and kind of reward).
    H
        Number of steps; None for an infinite horizon, which needs γ < 1 and a single model.

    Raises
    ------
    InvalidModel
        γ = 1 without a horizon, H < 1, a number of stages that is neither 1 nor H, stages that differ
        in states, discount, number system or reward dimension.

    Examples
    --------
    >>> coin = OutcomeMDP.from_lists([[[(Fraction(1, 2), 0, 1), (Fraction(1, 2), 0, -1)]]], Fraction(1, 2))
    >>> StockMDP(coin).step(0, 0, 0)
    [(Fraction(1, 2), 0, Fraction(2, 1)), (Fraction(1, 2), 0, Fraction(-2, 1))]
    """

    stages: tuple[OutcomeMDP, ...]
    H: int | None

    def __init__(self, stages: OutcomeMDP | Sequence[OutcomeMDP], H: int | None = None) -> None:
        listed = (stages,) if isinstance(stages, OutcomeMDP) else tuple(stages)
        if H is None and len(listed) > 1:
            H = len(listed)
        if H is not None and (isinstance(H, bool) or not isinstance(H, (int, np.integer)) or H < 1):
            raise InvalidModel(f"H={H!r}, the horizon is an integer ≥ 1, or None for an infinite one")
        if not listed or len(listed) not in (1, H or 1):
            raise InvalidModel(f"StockMDP: {len(listed)} stages for H={H}; give 1 or H of them")
        first = listed[0]
        for t, stage in enumerate(listed):
            if (stage.S, stage.gamma, stage.m, stage.is_exact) != (
                first.S,
                first.gamma,
                first.m,
                first.is_exact,
            ):
                raise InvalidModel(
                    f"StockMDP: stage {t} is {stage!r}, stage 0 is {first!r}; all need the same states, "
                    "discount, number system and kind of reward"
                )
        if H is None and first.gamma == 1:
            raise InvalidModel(
                "StockMDP: gamma=1 with an infinite horizon, the return may be infinite; pass H=, or a "
                "model with gamma < 1"
            )
        object.__setattr__(self, "stages", listed)
        object.__setattr__(self, "H", None if H is None else int(H))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"StockMDP is immutable: cannot set {name}; build a new one")

    # ---- the model -----------------------------------------------------------------------
    @property
    def base(self) -> OutcomeMDP:
        """The model of step 0 (of every step, if stationary)."""
        return self.stages[0]

    def stage(self, t: int) -> OutcomeMDP:
        """The model of step t."""
        if t < 0 or (self.H is not None and t >= self.H):
            raise InvalidArgument(f"stage: t={t}, steps are 0..{'∞' if self.H is None else self.H - 1}")
        return self.stages[t if len(self.stages) > 1 else 0]

    @property
    def stationary(self) -> bool:
        """True when one model serves every step."""
        return len(self.stages) == 1

    @property
    def S(self) -> int:
        """Number of states, without the stock."""
        return self.base.S

    @property
    def A(self) -> int:
        """Number of action ids."""
        return max(stage.A for stage in self.stages)

    @property
    def gamma(self) -> Any:
        """Discount in (0, 1]."""
        return self.base.gamma

    @property
    def m(self) -> int | None:
        """Length of the stock vector; None for a scalar stock."""
        return self.base.m

    @property
    def mu(self) -> StateVec:
        """(S,) start law."""
        return self.base.mu

    @property
    def is_exact(self) -> bool:
        """True for a model over the rationals."""
        return self.base.is_exact

    def exact(self) -> StockMDP:
        """The same model over the rationals: every entry is the rational its double stores."""
        return self if self.is_exact else StockMDP([stage.exact() for stage in self.stages], self.H)

    def float(self) -> StockMDP:
        """The model rounded to doubles."""
        return StockMDP([stage.float() for stage in self.stages], self.H) if self.is_exact else self

    def with_horizon(self, H: int | None) -> StockMDP:
        """The stationary model with another horizon."""
        return StockMDP(self.stages, H)

    # ---- the motion ----------------------------------------------------------------------
    def stock(self, c: Stock) -> Stock:
        """`c` checked, in the model's number system; a tuple for vector rewards.

        Raises
        ------
        InvalidArgument
            Not a finite number, or not m of them.
        """
        parts = tuple(c) if isinstance(c, (tuple, list, np.ndarray)) else None
        if (parts is None) != (self.m is None) or (parts is not None and len(parts) != self.m):
            need = "a number" if self.m is None else f"{self.m} numbers, one a component of the reward"
            raise InvalidArgument(f"stock={c!r}, must be {need}")
        out = []
        for x in (c,) if parts is None else parts:
            if isinstance(x, bool) or not isinstance(x, (int, float, Fraction, np.integer, np.floating)):
                raise InvalidArgument(f"stock={c!r}: {x!r} is not a real number; pass int, float or Fraction")
            if not math.isfinite(x):
                raise InvalidArgument(f"stock={c!r}, must be finite")
            out.append(to_fraction(x) if self.is_exact else float(x))
        return out[0] if parts is None else tuple(out)

    def state(self, s: int) -> int:
        """`s` checked to be a state."""
        if isinstance(s, bool) or not isinstance(s, (int, np.integer)) or not 0 <= s < self.S:
            raise InvalidArgument(f"state s={s!r}, states are 0..{self.S - 1}")
        return int(s)

    def step(self, s: int, c: Stock, a: int, t: int = 0) -> list[tuple[Any, int, Stock]]:
        """[(p, s', c')] with c' = (c + r)/γ, one entry an outcome of (s, a) at step t."""
        c, g = self.stock(c), self.gamma
        rows = self.stage(t).outcomes(self.state(s), a)
        if self.m is None:
            return [(p, u, (c + r) / g) for p, u, r in rows]
        return [(p, u, tuple((x + y) / g for x, y in zip(c, r, strict=True))) for p, u, r in rows]

    def reachable(self, s: int, c: Stock, H: int | None = None) -> tuple[tuple[tuple[int, Stock], ...], ...]:
        """The (s', c') that can be reached after t = 0..H steps, sorted; one tuple a t.

        Exact models only merge what is equal; stocks of a float model are lifted first.

        Complexity: grows with the number of distinct stocks, exponential in H for γ < 1 in general.
        """
        H = self.H if H is None else H
        if H is None:
            raise InvalidArgument("reachable: infinite horizon; say how many steps, H=")
        model = self.exact()
        layer = {(model.state(s), model.stock(c))}
        layers = [tuple(layer)]
        for t in range(H):
            lists = model.stage(t).lists
            layer = {(u, d) for x, y in layer for a in lists[x] for _, u, d in model.step(x, y, a, t)}
            layers.append(tuple(sorted(layer)))
        return tuple(layers)

    # ---- ranges --------------------------------------------------------------------------
    @cached_property
    def r_min(self) -> Any:
        """Smallest reward of any step; (m,) for vectors."""
        return np.min([stage.r_min for stage in self.stages], axis=0)

    @cached_property
    def r_max(self) -> Any:
        """Largest reward of any step; (m,) for vectors."""
        return np.max([stage.r_max for stage in self.stages], axis=0)

    def window(self, t: int, low: Stock, high: Stock) -> tuple[Any, Any]:
        """Bounds of x_t = γ^t c_t from initial stocks in [low, high]: low + r_min(1−γ^t)/(1−γ), ….

        In the model's number system; doubles are not widened.
        """
        weight = sum((self.gamma**i for i in range(t)), 0 * self.gamma)
        return low + weight * self.r_min, high + weight * self.r_max

    def spacing(self) -> Any:
        """δ, the largest rational of which every reward is a multiple; a tuple for vectors.

        A double stands for the decimal it prints as.  None where that spacing would be below a
        millionth of the largest reward; 1 if all rewards are 0.
        """
        if self.m is not None:
            return tuple(
                StockMDP([st.component(i) for st in self.stages], self.H).spacing() for i in range(self.m)
            )
        rewards = {r for stage in self.stages for r in stage.reward.tolist()}
        lifted = {abs(r if isinstance(r, Fraction) else Fraction(repr(r))) for r in rewards} - {0}
        if not lifted:
            return Fraction(1)
        bottom = math.lcm(*(r.denominator for r in lifted))
        delta = Fraction(math.gcd(*(int(r * bottom) for r in lifted)), bottom)
        return delta if delta * 10**6 >= max(lifted) else None

    # ---- identity ------------------------------------------------------------------------
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StockMDP):
            return NotImplemented
        return self.stages == other.stages and self.H == other.H

    def __hash__(self) -> int:
        return hash((self.stages, self.H))

    def __repr__(self) -> str:
        steps = "H=∞" if self.H is None else f"H={self.H}"
        varies = "" if self.stationary else ", time-dependent"
        return f"StockMDP({self.base!r}, {steps}{varies})"

    def literal(self) -> str:
        """Python source that rebuilds a small model."""
        return f"StockMDP([{', '.join(stage.literal() for stage in self.stages)}], H={self.H})"


def stock_augmented(
    model: MDP | FiniteHorizonMDP | OutcomeMDP, H: int | None = None, *, gamma: Real | None = None
) -> StockMDP:
    """(s, c) over any model: c' = (c + r)/γ.

    Parameters
    ----------
    model
        An `OutcomeMDP`; an `MDP`, whose reward of a transition is taken as sure (its mean, if it was
        random); or a `FiniteHorizonMDP`, whose terminal reward is paid with the last step.
    H
        Number of steps; None for an infinite horizon (γ < 1), or the model's own.
    gamma
        Discount in (0, 1] instead of the model's.

    Raises
    ------
    InvalidModel, InvalidArgument
        As for `StockMDP`; for an H other than that of a `FiniteHorizonMDP`; for another type of model.

    Examples
    --------
    >>> from rltheory import gallery
    >>> stock_augmented(gallery.two_state_chain(Fraction(1, 2)))
    StockMDP(OutcomeMDP(S=2, A=1, outcomes=4, gamma=1/2, exact), H=∞)
    """
    if isinstance(model, OutcomeMDP):
        return StockMDP(model if gamma is None else model.replace(gamma=gamma), H)
    if isinstance(model, MDP):
        return StockMDP(OutcomeMDP.from_mdp(model, gamma=gamma), H)
    if not isinstance(model, FiniteHorizonMDP):
        raise InvalidArgument(
            f"stock_augmented: model of type {type(model).__name__}, must be an OutcomeMDP, MDP or "
            "FiniteHorizonMDP"
        )
    if H is not None and H != model.H:
        raise InvalidArgument(f"stock_augmented: H={H}, but the model has H={model.H}; leave H out")
    g = model.gamma if gamma is None else gamma
    stages = [OutcomeMDP.from_mdp(stage, gamma=g) for stage in model.stages]
    if (model.terminal_reward != 0).any():
        last = stages[-1]
        ends = OutcomeMDP(
            last.prob,
            last.next_state,
            last.reward + last.gamma * model.terminal_reward[last.next_state],
            last.gamma,
            pair_state=last.pair_state,
            pair_action=last.pair_action,
            outcome_ptr=last.outcome_ptr,
            S=last.S,
            mu=last.mu,
        )  # no terminal states: the last step may pay in them
        stages = [stages[min(t, len(stages) - 1)] for t in range(model.H - 1)] + [ends]
    return StockMDP(stages, model.H)
