"""Finite-horizon Markov decision processes.

Definitions.  Steps h = 0..H−1 (the number of steps already taken); at step h the process in s takes
a, receives R_h(s,a) and moves with P_h(·|s,a); after step H−1 it receives g(s) in the final state.
V_H = g and V_h(s) = max_a [R_h(s,a) + γ Σ_s' P_h(s'|s,a) V_{h+1}(s')], with 0 ≤ γ ≤ 1 (1 if not given).

One step of the process is stored as an `MDP` (`stage(h)`), whose own γ plays no part.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Entries, Real, StateVec, exact_array, float_array, fresh, frozen, to_fraction
from ..errors import InvalidModel
from ..portable import Portable
from .mdp import MDP
from .source_text import nested, number
from .validate import number_system


class FiniteHorizonMDP(Portable):
    """H-step MDP, stationary or not, in doubles or in rationals; immutable.

    Parameters
    ----------
    P
        (S, A, S) transition probabilities, or (H, S, A, S) if they change with the step.
    R
        (S, A) expected reward per step, or (H, S, A); (S,) if it depends on the state only; or
        (H, S, A, S) rewards per transition, whose expectation is taken (`stage(h).R_next` keeps them).
    H
        Horizon, at least 1.
    gamma
        Discount in [0, 1]; 1 if not given.
    mu
        (S,) start law; uniform if not given.
    terminal_reward
        (S,) reward of the state reached after the last step; 0 if not given.

    Raises
    ------
    InvalidModel
        As for `MDP` (naming the step for (H, …) arrays); also for H < 1, γ outside [0, 1], arrays
        whose leading size is not H.

    Examples
    --------
    >>> FiniteHorizonMDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], H=3)
    FiniteHorizonMDP(S=2, A=1, H=3, stationary, float)
    """

    S: int
    A: int
    H: int
    gamma: Any
    mu: StateVec
    terminal_reward: StateVec
    stages: tuple[MDP, ...]

    def __init__(
        self,
        P: Entries,
        R: Entries,
        H: int,
        *,
        gamma: Real = 1,
        mu: Entries | None = None,
        terminal_reward: Entries | None = None,
    ) -> None:
        H = _check_horizon(H)
        kernel, reward = fresh(P, part="P"), fresh(R, part="R")
        if kernel.ndim not in (3, 4) or (kernel.ndim == 4 and kernel.shape[0] != H):
            raise InvalidModel(f"P: shape={kernel.shape}, must be (S, A, S), or (H, S, A, S) with H={H}")
        if reward.ndim not in (1, 2, 3, 4) or (reward.ndim > 2 and reward.shape[0] != H):
            raise InvalidModel(
                f"R: shape={reward.shape}, must be (S, A), (S,), (H, S, A) or (H, S, A, S) with H={H}; "
                "repeat (S, A, S) rewards over the steps with np.broadcast_to"
            )
        exact = number_system(kernel, reward)
        if exact:
            kernel, reward = exact_array(kernel), exact_array(reward)
        varies = kernel.ndim == 4 or reward.ndim > 2
        stages = []
        for h in range(H if varies else 1):
            try:
                stages.append(
                    MDP(
                        kernel[h] if kernel.ndim == 4 else kernel,
                        reward[h] if reward.ndim > 2 else reward,
                        gamma=0,
                        mu=mu,
                    )
                )
            except InvalidModel as error:
                raise InvalidModel(f"step h={h}: {error}" if varies else str(error)) from None
        self._fill(stages, H, gamma, terminal_reward)

    @classmethod
    def from_mdp(
        cls,
        mdp: MDP,
        H: int,
        *,
        gamma: Real = 1,
        terminal_reward: Entries | None = None,
    ) -> FiniteHorizonMDP:
        """H steps of a (possibly ragged or sparse) `MDP`; its own discount is dropped."""
        return cls.from_stages([mdp], _check_horizon(H), gamma=gamma, terminal_reward=terminal_reward)

    @classmethod
    def from_stages(
        cls,
        stages: Sequence[MDP],
        H: int | None = None,
        *,
        gamma: Real = 1,
        terminal_reward: Entries | None = None,
    ) -> FiniteHorizonMDP:
        """One `MDP` a step (or a single one for all `H` steps); action sets may change with the step.

        Raises
        ------
        InvalidModel
            Stages of different S or number systems, or a number of stages that is neither 1 nor H.
        """
        if not stages:
            raise InvalidModel("from_stages: no stages; give one MDP a step")
        H = len(stages) if H is None else _check_horizon(H)
        if len(stages) not in (1, H):
            raise InvalidModel(f"from_stages: {len(stages)} stages for H={H}; give 1 or H of them")
        for h, m in enumerate(stages):
            if m.S != stages[0].S or m.is_exact != stages[0].is_exact:
                raise InvalidModel(
                    f"from_stages: stage {h} is {m!r}, stage 0 is {stages[0]!r}; "
                    "all stages need the same states and the same number system"
                )
        self = object.__new__(cls)
        self._fill([m.replace(gamma=0) for m in stages], H, gamma, terminal_reward)
        return self

    def _fill(self, stages: Sequence[MDP], H: int, gamma: Real, terminal_reward: Entries | None) -> None:
        exact, S = stages[0].is_exact, stages[0].S
        if not (math.isfinite(gamma) and 0 <= gamma <= 1):
            raise InvalidModel(f"gamma={gamma} is outside [0, 1]; a finite horizon allows γ = 1 but no more")
        g = np.zeros(S) if terminal_reward is None else fresh(terminal_reward, part="terminal_reward")
        g = exact_array(g) if exact else float_array(g)
        if g.shape != (S,):
            raise InvalidModel(f"terminal_reward: shape={g.shape}, must be ({S},)")
        if not exact and not np.isfinite(g).all():
            s = int(np.argmax(~np.isfinite(g)))
            raise InvalidModel(f"terminal_reward: [{s}]={g[s]}, must be finite")
        self._set(
            S=S,
            A=max(m.A for m in stages),
            H=H,
            gamma=to_fraction(gamma) if exact else float(gamma),
            mu=stages[0].mu,
            terminal_reward=frozen(g),
            stages=tuple(stages),
        )

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"FiniteHorizonMDP is immutable: cannot set {name}; build a new one")

    # ---- views ---------------------------------------------------------------------------
    def stage(self, h: int) -> MDP:
        """One-step model of step h; its gamma is not the discount."""
        if not 0 <= h < self.H:
            raise InvalidModel(f"stage: h={h}, steps are 0..{self.H - 1}")
        return self.stages[h if len(self.stages) > 1 else 0]

    @property
    def stationary(self) -> bool:
        """True when P, R and the action sets do not change with the step."""
        return len(self.stages) == 1

    @cached_property
    def P(self) -> NDArray[Any]:
        """(H, S, A, S) transition probabilities (a view, if stationary); zero rows where not allowed."""
        if self.stationary:
            return np.broadcast_to(self.stages[0].P, (self.H, *self.stages[0].P.shape))
        out = np.zeros((self.H, self.S, self.A, self.S), dtype=self.mu.dtype)
        if self.is_exact:
            out[:] = Fraction(0)
        for h, m in enumerate(self.stages):
            out[h, :, : m.A] = m.P
        return frozen(out)

    @cached_property
    def R(self) -> NDArray[Any]:
        """(H, S, A) expected rewards (a view, if stationary); −inf where not allowed."""
        if self.stationary:
            return np.broadcast_to(self.stages[0].R, (self.H, *self.stages[0].R.shape))
        out = np.full((self.H, self.S, self.A), -np.inf, dtype=self.mu.dtype)
        for h, m in enumerate(self.stages):
            out[h, :, : m.A] = m.R
        return frozen(out)

    # ---- number system -------------------------------------------------------------------
    @property
    def is_exact(self) -> bool:
        """True for a model over the rationals."""
        return self.stages[0].is_exact

    def exact(self) -> FiniteHorizonMDP:
        """The same model over the rationals: every entry is the rational its double stores."""
        return self if self.is_exact else self._convert("exact")

    def float(self) -> FiniteHorizonMDP:
        """The model rounded to doubles."""
        return self._convert("float") if self.is_exact else self

    def _convert(self, to: str) -> FiniteHorizonMDP:
        out = object.__new__(FiniteHorizonMDP)
        stages = [m.exact() if to == "exact" else m.float() for m in self.stages]
        g = exact_array(self.terminal_reward) if to == "exact" else float_array(self.terminal_reward)
        out._fill(stages, self.H, self.gamma, g)
        return out

    # ---- identity ------------------------------------------------------------------------
    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over every number and shape of the model."""
        parts = [m.content_hash for m in self.stages]
        tail = (self.H, str(self.gamma), self.is_exact, [str(g) for g in self.terminal_reward])
        return hashlib.sha256(repr((parts, tail)).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return (
            self.content_hash == other.content_hash if isinstance(other, FiniteHorizonMDP) else NotImplemented
        )

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __repr__(self) -> str:
        kind = "stationary" if self.stationary else "time-dependent"
        discount = "" if self.gamma == 1 else f", gamma={self.gamma}"
        system = "exact" if self.is_exact else "float"
        return f"FiniteHorizonMDP(S={self.S}, A={self.A}, H={self.H}{discount}, {kind}, {system})"

    def literal(self) -> str:
        """Python source that rebuilds a small model."""
        g = nested(self.terminal_reward.tolist())
        stages = ", ".join(m.literal() for m in self.stages)
        discount = "" if self.gamma == 1 else f", gamma={number(self.gamma)}"
        return f"FiniteHorizonMDP.from_stages([{stages}], H={self.H}{discount}, terminal_reward={g})"


def _check_horizon(H: object) -> int:
    if isinstance(H, bool) or not isinstance(H, (int, np.integer)) or H < 1:
        raise InvalidModel(f"H={H!r}, the horizon is an integer ≥ 1 (the number of rewards collected)")
    return int(H)
