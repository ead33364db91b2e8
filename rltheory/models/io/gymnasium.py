"""Models from Gymnasium environments that publish their transition table.

The toy-text environments (FrozenLake, Taxi, CliffWalking, and any other with the same attribute)
carry `P[s][a] = [(probability, next state, reward, terminated), …]`.  Blackjack has no table and is
built from its rules.

Terminal transitions.  The model has the environment's states 0..S−1 in their own numbering, and one
more, the last, which is terminal: a transition with `terminated` leads there, so it pays its reward
and nothing follows (no bootstrapped value), whatever the table says about its next state.  γ is the
one you pass, in every state; termination does not change it.  The undiscounted return is
`SSP.from_mdp(model)`.  Time limits (`truncated`) are not part of the table and are ignored: use
`FiniteHorizonMDP.from_mdp(model, H)`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from ...arrays import Real
from ...errors import InvalidArgument, InvalidModel, MissingBackend
from .._build import is_rational
from ..gallery.games import BlackjackRule, blackjack
from ..mdp import MDP


def from_gymnasium(env: Any, gamma: Real, *, max_denominator: int = 10_000, **kwargs: Any) -> MDP:
    """The `MDP` of a Gymnasium environment; the last state is the end of the episode.

    Parameters
    ----------
    env
        An id such as "FrozenLake-v1" (made with `kwargs`), or an environment.
    gamma
        Discount in [0, 1).  An int or `Fraction` gives an exact model: every probability and reward
        is replaced by the simplest rational within 1e-12, which must exist.
    max_denominator
        Largest denominator tried for an exact model.
    kwargs
        Passed to `gymnasium.make`, e.g. map_name="8x8".

    Returns
    -------
    MDP
        CSR with S + 1 states; `mu` is the environment's start law (uniform if it has none), and
        "Blackjack-v1" has the states of `gallery.blackjack`.

    Raises
    ------
    MissingBackend
        Without Gymnasium (only when `env` is an id).
    InvalidArgument
        The environment has no transition table, or does not exist.
    InvalidModel
        The table is not a model; the message names the state and action.
    """
    if isinstance(env, str):
        env = _make(env, kwargs)
    elif kwargs:
        raise InvalidArgument(
            f"from_gymnasium: {sorted(kwargs)} given with an environment; pass its id instead"
        )
    inner = getattr(env, "unwrapped", env)
    table = getattr(inner, "P", None)
    if table is None:
        spec = getattr(env, "spec", None)
        if getattr(spec, "id", "").startswith("Blackjack"):
            return _blackjack(inner, gamma)
        raise InvalidArgument(
            f"from_gymnasium: {type(inner).__name__} has no transition table P; give one that has "
            "(FrozenLake-v1, Taxi, CliffWalking, Blackjack-v1), or build MDP(P, R, gamma)"
        )
    return _from_table(table, getattr(inner, "initial_state_distrib", None), gamma, max_denominator)


def _make(name: str, kwargs: dict[str, Any]) -> Any:
    try:
        import gymnasium
    except ImportError as exc:
        raise MissingBackend("from_gymnasium needs Gymnasium: pip install rltheory[io]") from exc
    try:
        return gymnasium.make(name, **kwargs)
    except gymnasium.error.Error as exc:
        raise InvalidArgument(
            f"from_gymnasium: env={name!r}: {exc}; see gymnasium.registry for the ids"
        ) from exc
    except TypeError as exc:
        raise InvalidArgument(
            f"from_gymnasium: env={name!r} with {kwargs}: {exc}; drop the argument"
        ) from exc


def _blackjack(env: Any, gamma: Real) -> MDP:
    rule: BlackjackRule = "textbook" if env.sab else "plain"
    pays = Fraction(3, 2) if env.natural and not env.sab else Fraction(1)
    return blackjack(rule, natural_pays=pays, exact=is_rational(gamma)).discounted(gamma)


def _from_table(table: Mapping[int, Any], start: Any, gamma: Real, max_denominator: int) -> MDP:
    exact = is_rational(gamma)
    keys = sorted(table)
    S = len(keys)
    if S == 0 or keys != list(range(S)):
        raise InvalidModel(f"P: states {keys[:5]}…, the table must have the keys 0..S−1")
    data: list[Any] = []
    indices, indptr, rewards, ps, pa = [], [0], [], [], []
    for s in range(S):
        for a in sorted(table[s]):
            law: dict[int, Any] = {}
            mean: Any = 0
            for p, t, r, done in table[s][a]:
                if not 0 <= t < S:
                    raise InvalidModel(f"P[{s}][{a}]: moves to state {t}, states are 0..{S - 1}")
                q = _simple(p, exact, max_denominator, f"P[{s}][{a}]: probability")
                to = S if done else int(t)
                law[to] = law.get(to, 0) + q
                mean += q * _simple(r, exact, max_denominator, f"P[{s}][{a}]: reward")
            kept = {t: q for t, q in sorted(law.items()) if q != 0}
            indices += list(kept)
            data += list(kept.values())
            indptr.append(len(data))
            rewards.append(mean)
            ps.append(s)
            pa.append(a)
    mu = None
    if start is not None:
        law_list = [
            _simple(p, exact, max_denominator * S, f"initial_state_distrib[{s}]:")
            for s, p in enumerate(start)
        ]
        mu = np.array([*law_list, 0 * law_list[0]], dtype=object if exact else np.float64)
    else:
        mu = np.array([Fraction(1, S) if exact else 1.0 / S] * S + [Fraction(0) if exact else 0.0])
    kind = object if exact else np.float64
    return MDP.from_pairs(
        (np.array(data, dtype=kind), np.array(indices), np.array(indptr)),
        np.array(rewards, dtype=kind),
        gamma,
        pair_state=ps,
        pair_action=pa,
        S=S + 1,
        mu=mu,
        terminal=[S],
    )


def _simple(x: Any, exact: bool, max_denominator: int, where: str) -> Any:
    """`x` as a double, or the simplest rational within 1e-12 of it."""
    value = float(x)
    if not exact:
        return value
    if not math.isfinite(value):
        raise InvalidModel(f"{where} {value} is not finite; an exact model needs rationals")
    q = Fraction(value).limit_denominator(max_denominator)
    if abs(q - Fraction(value)) > Fraction(1, 10**12) * max(Fraction(1), abs(q)):
        raise InvalidModel(
            f"{where} {value} is no rational of denominator ≤ {max_denominator}; raise "
            "max_denominator, or pass a float gamma"
        )
    return q
