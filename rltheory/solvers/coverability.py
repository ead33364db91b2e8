"""Coverability: the least concentrability any one law can offer a class of policies.

Definition.  C_cov = max_h C_h, C_h = inf_μ sup_π ‖d_h^π/μ‖_∞ = Σ_{s,a} sup_π d_h^π(s, a), attained by
μ_h ∝ sup_π d_h^π.  For all policies sup_π d_h^π(s, a) = max_π Pr(s_h = s): one backward pass a state and
layer with that indicator as reward, so C_h = A·Σ_s max_π Pr(s_h = s).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Real, frozen, to_fraction
from ..errors import InvalidArgument
from ..kernels import simplex
from ..models.finite_horizon import FiniteHorizonMDP
from ..models.policy import Policy
from ..operators.coverage import horizon_occupancy

Array = NDArray[Any]
Method = Literal["closed form", "enumeration", "linear program"]
MOST_LAWS = 200_000
"""Enumeration refuses to hold more state laws of one layer than this."""


@dataclass(frozen=True, eq=False)
class Coverability:
    """C_cov and what attains it.

    Attributes
    ----------
    by_step
        (H,) C_h.
    largest
        (H, S, A) sup_π d_h^π(s, a).
    scope
        "all policies" or "n policies": coverability depends on the class.
    method
        How the suprema were found.
    """

    by_step: Array
    largest: Array
    scope: str
    method: str

    @property
    def value(self) -> Real:
        """C_cov = max_h C_h."""
        top: Real = max(self.by_step)
        return top

    @property
    def mu(self) -> Array:
        """(H, S, A) the laws that cover best: μ_h = sup_π d_h^π/C_h."""
        return self.largest / self.by_step[:, None, None]

    def __repr__(self) -> str:
        steps = ", ".join(f"{float(c):.6g}" for c in self.by_step)
        return f"Coverability({float(self.value):.6g} over {self.scope}; by step {steps}; {self.method})"


def coverability_coefficient(
    model: FiniteHorizonMDP,
    policies: Sequence[Policy | ArrayLike] | None = None,
    *,
    method: Method = "closed form",
) -> Coverability:
    """C_cov = max_h Σ_{s,a} sup_{π∈Π} d_h^π(s, a), for all policies or a finite class.

    Parameters
    ----------
    model
        Finite-horizon model with the same actions everywhere, in doubles or rationals.
    policies
        Policies as for `horizon_occupancy`; all policies (history-dependent ones included) if not given.
    method
        "closed form": backward passes, or maxima over the class.  "enumeration": every deterministic
        policy, prefixes with the same state law taken once.  "linear program": min Σν with ν ≥ d^π for
        every π of the class; over all policies its dual, a flow for every pair.  The last two are second
        and third opinions, and exact like the first.

    Returns
    -------
    `Coverability`, in the model's numbers: exact, or with rounding errors of H·S additions.

    Raises
    ------
    InvalidArgument
        An empty class, action sets that differ, an enumeration of more than 200,000 laws.

    Complexity: O(H²·S³A) for all policies, O(|Π|·H·S²A) for a class.

    Source: Xie, Foster, Bai, Jiang, Kakade (2023), Lemma 3.

    Examples
    --------
    >>> from rltheory import gallery
    >>> coverability_coefficient(gallery.noisy_lock((1, 0, 1))).by_step.tolist()
    [Fraction(2, 1), Fraction(19, 5), Fraction(181, 50)]
    """
    if any(stage.N != model.S * model.A for stage in model.stages):
        raise InvalidArgument("coverability: some state lacks some action; give every state the same actions")
    if method not in ("closed form", "enumeration", "linear program"):
        raise InvalidArgument(
            f"coverability: method={method!r}; choose 'closed form', 'enumeration' or 'linear program'"
        )
    if policies is not None:
        top = _of_class(model, policies, method)
        scope = f"{len(policies)} policies"
    else:
        reach = {"closed form": _reach, "enumeration": _enumerate, "linear program": _flows}[method](model)
        top, scope = np.repeat(reach[:, :, None], model.A, axis=2), "all policies"
    return Coverability(frozen(top.sum(axis=(1, 2))), frozen(top), scope, method)


def _of_class(model: FiniteHorizonMDP, policies: Sequence[Any], method: str) -> Array:
    if len(policies) == 0:
        raise InvalidArgument("coverability: the class of policies is empty; give at least one policy")
    d = np.array([horizon_occupancy(model, pi) for pi in policies])
    if method != "linear program":
        return np.asarray(d.max(axis=0))
    n, H, S, A = d.shape
    out = np.empty((H, S, A), dtype=model.mu.dtype)
    for h in range(H):  # the dual: weights y(π, z) ≥ 0 with Σ_π y(π, z) = 1, and ν(z) is the price of row z
        rows = np.kron(np.eye(S * A, dtype=np.int64), np.ones((1, n), dtype=np.int64))
        found = simplex.maximise(rows, np.ones(S * A, dtype=np.int64), d[:, h].reshape(n, -1).T.reshape(-1))
        out[h] = found.y.reshape(S, A)
    return out


def _reach(model: FiniteHorizonMDP) -> Array:
    """max_π Pr(s_h = s) for every layer and state, all indicators of a layer at once."""
    out = np.zeros((model.H, model.S), dtype=model.mu.dtype)
    for h in range(model.H):
        V = np.eye(model.S, dtype=np.int64).astype(model.mu.dtype)
        if model.is_exact:
            V = V * to_fraction(1)
        for k in reversed(range(h)):
            V = np.tensordot(model.P[k], V, axes=(2, 0)).max(axis=1)
        out[h] = (model.mu[:, None] * V).sum(axis=0)
    return out


def _enumerate(model: FiniteHorizonMDP) -> Array:
    """The same by walking through the state laws of all deterministic policies."""
    import itertools

    laws = {tuple(model.mu.tolist())}
    out = [np.array([max(x) for x in zip(*laws, strict=True)], dtype=model.mu.dtype)]
    for h in range(model.H - 1):
        if len(laws) * model.A**model.S > MOST_LAWS:
            raise InvalidArgument(
                f"coverability: enumeration meets {len(laws)}·{model.A}^{model.S} state laws at step "
                f"{h + 1}, at most {MOST_LAWS} are held; use method='closed form'"
            )
        new = set()
        for law in laws:
            for acts in itertools.product(range(model.A), repeat=model.S):
                rows = model.P[h][np.arange(model.S), list(acts)]
                new.add(tuple((np.array(law, dtype=model.mu.dtype)[:, None] * rows).sum(axis=0).tolist()))
        laws = new
        out.append(np.array([max(x) for x in zip(*laws, strict=True)], dtype=model.mu.dtype))
    return np.array(out)


def _flows(model: FiniteHorizonMDP) -> Array:
    """The same by maximising Σ_a d_h(s, a) over flows d_0..d_h, one linear program a layer and state."""
    S, A = model.S, model.A
    out = np.zeros((model.H, S), dtype=model.mu.dtype)
    out[0] = model.mu
    for h in range(1, model.H):
        rows = np.zeros(((h + 1) * S, (h + 1) * S * A), dtype=object)
        right = np.zeros((h + 1) * S, dtype=object)
        right[:S] = model.mu
        for k in range(h + 1):
            for s in range(S):
                rows[k * S + s, (k * S + s) * A : (k * S + s + 1) * A] = 1
                if k:
                    rows[k * S + s, (k - 1) * S * A : k * S * A] = -model.P[k - 1][:, :, s].reshape(-1)
        for s in range(S):
            gain = np.zeros(rows.shape[1], dtype=np.int64)
            gain[(h * S + s) * A : (h * S + s + 1) * A] = 1
            found = simplex.maximise(rows, right, gain)
            out[h, s] = found.x @ gain
    return out
