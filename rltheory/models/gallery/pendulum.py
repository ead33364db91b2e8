"""The swing-up pendulum on a grid of angles and speeds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...arrays import Real
from .._build import _divide, check_size, is_rational, merge_rows
from ..mdp import MDP

GRAVITY, STEP, TOP_SPEED, TOP_TORQUE = 10.0, 0.05, 8.0, 2.0
FINE = 1 << 10
"""Grid cells are split into this many parts a side, so that transition probabilities are rationals."""


def pendulum(angles: int = 15, speeds: int = 15, gamma: Real = 0.95, *, torques: int = 5) -> MDP:
    """Swing a pendulum up: angle θ (0 is upright, period 2π), speed ω in [−8, 8], torque u in [−2, 2].

    ω' = clip(ω + (15 sin θ + 3u)/20, −8, 8), θ' = θ + ω'/20; the reward is −(θ² + ω²/10 + u²/1000) with
    θ in [−π, π).  The point (θ', ω') is replaced by the four grid points around it, with the weights of
    bilinear interpolation rounded to multiples of 2⁻²⁰ (rewards too), so V is defined on the grid and
    the model is rational.  State: angle·speeds + speed; 2-D local, and slow: one step crosses few cells.

    Parameters
    ----------
    angles, speeds
        Grid points in each direction, ≥ 2.
    gamma
        Discount in [0, 1).
    torques
        Equally spaced torques, ≥ 2; the action ids.

    Raises
    ------
    InvalidArgument
        Sizes below two.

    Source: the classical swing-up task (mass 1, length 1, gravity 10, steps of 1/20), interpolated as
    in Munos and Moore (2002).
    """
    check_size("pendulum", least=2, angles=angles, speeds=speeds, torques=torques)
    S = angles * speeds
    theta = (np.arange(angles) / angles * 2 * math.pi + math.pi) % (2 * math.pi) - math.pi
    omega, u = np.linspace(-TOP_SPEED, TOP_SPEED, speeds), np.linspace(-TOP_TORQUE, TOP_TORQUE, torques)
    angle, speed, push = np.meshgrid(theta, omega, u, indexing="ij")
    fast = np.clip(speed + (1.5 * GRAVITY * np.sin(angle) + 3 * push) * STEP, -TOP_SPEED, TOP_SPEED)
    i, x = _cell((np.arange(angles)[:, None, None] + fast * STEP / (2 * math.pi) * angles).reshape(-1))
    j, y = _cell(((fast + TOP_SPEED) / (2 * TOP_SPEED) * (speeds - 1)).reshape(-1))
    left, right, low, high = i % angles * speeds, (i + 1) % angles * speeds, j, np.minimum(j + 1, speeds - 1)
    targets = np.stack([left + low, left + high, right + low, right + high], axis=1)
    weights = np.stack([(FINE - x) * (FINE - y), (FINE - x) * y, x * (FINE - y), x * y], axis=1)
    cost = angle**2 + speed**2 / 10 + push**2 / 1000
    reward = -np.rint(cost.reshape(-1) * FINE**2).astype(np.int64)
    data, indices, indptr = merge_rows(targets, weights)
    exact = is_rational(gamma)
    return MDP.from_pairs(
        (_divide(data, FINE**2, exact), indices, indptr),
        _divide(reward, FINE**2, exact),
        gamma,
        pair_state=np.repeat(np.arange(S), torques),
        pair_action=np.tile(np.arange(torques), S),
        S=S,
        mu=_hanging(angles, speeds),
    )


def _cell(x: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Grid index below x and the rest in parts of `FINE`."""
    parts = np.rint(x * FINE).astype(np.int64)
    return np.floor_divide(parts, FINE), np.mod(parts, FINE)


def _hanging(angles: int, speeds: int) -> NDArray[np.int64]:
    """The start: hanging down, at rest, at the nearest grid point."""
    mu = np.zeros(angles * speeds, dtype=np.int64)
    mu[angles // 2 * speeds + speeds // 2] = 1
    return mu
