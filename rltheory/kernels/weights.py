"""Weights of the pairs under a policy, checked as they are filled in; for `small`."""

from __future__ import annotations

from typing import Any

from ._jit import njit


@njit(cache=True, error_model="numpy")
def pair_weights(state_ptr: Any, pair_action: Any, pi: Any, weights: Any) -> Any:
    """(N,) probabilities of the pairs from pi (S, A') rows; False if a disallowed action has weight."""
    A = pi.shape[1]
    for s in range(pi.shape[0]):
        left = 0
        for a in range(A):
            if pi[s, a] != 0.0:
                left += 1
        for k in range(state_ptr[s], state_ptr[s + 1]):
            a = pair_action[k]
            w = pi[s, a] if a < A else 0.0
            weights[k] = w
            if w != 0.0:
                left -= 1
        if left != 0:
            return False
    return True


@njit(cache=True, error_model="numpy")
def point_weights(state_ptr: Any, pair_action: Any, actions: Any, weights: Any) -> Any:
    """(N,) one-hot weights of actions (S,); False if an action is not allowed."""
    for s in range(actions.size):
        found = False
        for k in range(state_ptr[s], state_ptr[s + 1]):
            hit = pair_action[k] == actions[s]
            weights[k] = 1.0 if hit else 0.0
            found = found or hit
        if not found:
            return False
    return True
