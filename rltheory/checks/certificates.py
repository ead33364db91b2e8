"""Verdicts and solutions as JSON that an independent program can re-check (see `verifier`).

Numbers are rational strings "p/q".  A claim's record holds every counted instance with both sides as
intervals, the mutants' killing sides, and every exact `Solution` its properties computed, as a model
with a value function: the verifier then checks the Bellman equations themselves.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import exact_array, to_fraction
from ..errors import InvalidArgument
from ..models import MDP
from ..results.solution import Solution
from .claim import Claim, Eq, Every
from .evidence import Comparison, Outcome
from .literal import literal, to_json
from .report import MutantReport, Report

FORMAT = "rltheory-certificate-1"


def claim_record(
    claim: Claim[Any],
    id: str,
    results: list[tuple[Any, Comparison]],
    mutants: list[MutantReport],
    seed: int,
) -> dict[str, Any]:
    """The evidence of one claim as plain JSON data."""
    equality = isinstance(claim.then, Eq)
    instances = []
    for x, c in results:
        if c.outcome is Outcome.TRIVIAL and not isinstance(claim.let, Every):
            continue
        sides = [[_pair(a), _pair(b)] for a, b in c.sides if a is not None and b is not None]
        instances.append(
            {
                "instance": literal(x),
                "data": to_json(x),
                "sides": sides,
                "evidence": c.evidence.name.lower(),
                "solutions": [r for sol in _solutions(x) if (r := _bellman_record(sol)) is not None],
            }
        )
    return {
        "format": FORMAT,
        "kind": "claim",
        "id": id,
        "statement": claim.statement,
        "source": str(claim.source),
        "relation": "eq" if equality else "leq",
        "within": to_json(claim.then.within) if isinstance(claim.then, Eq) else "0/1",
        "domain": {"description": claim.let.domain, "size": claim.let.size}
        if isinstance(claim.let, Every)
        else None,
        "seed": seed,
        "instances": instances,
        "mutants": [
            {
                "says": m.says,
                "killed_by": m.by,
                "witness": m.witness,
                "lhs": m.lhs,
                "rhs": m.rhs,
                "relation": m.relation,
            }
            for m in mutants
        ],
    }


def save_report(report: Report, path: str | Path) -> Path:
    """Write a recorded report as a certificate (atomically); `check(..., record=True)` makes one.

    Raises
    ------
    InvalidArgument
        If the report was made without `record=True`.
    """
    if report.record is None:
        raise InvalidArgument(f"save_report: {report.id} has no record; run check(..., record=True)")
    return write_json({**report.record, "verdict": report.verdict.value, "summary": report.summary()}, path)


def solution_record(sol: Solution) -> dict[str, Any]:
    """Rational bounds L ≤ V* ≤ U with L ≤ TL and TU ≤ U, which prove themselves by monotonicity.

    The solver's bounds are widened by the least constant that makes the two inequalities hold exactly.
    """
    mdp = sol.mdp.exact()
    lower, upper = exact_array(sol.lower), exact_array(sol.upper)
    policy = None if sol.info.get("optimal", True) else sol.pi
    for sign, bound in ((-1, lower), (1, upper)):
        for _ in range(4):
            excess = max(sign * (t - b) for t, b in zip(_backup(mdp, bound, policy), bound, strict=True))
            if excess <= 0:
                break
            bound += sign * excess / (1 - mdp.gamma) * Fraction(257, 256)
        else:
            raise InvalidArgument(
                "solution_record: the bounds cannot be made self-certifying; solve mdp.exact()"
            )
    return {
        "format": FORMAT,
        "kind": "solution",
        "solver": sol.solver,
        "statement": "lower ≤ V ≤ upper, V = optimal value"
        if policy is None
        else "lower ≤ V ≤ upper, V = value of policy",
        "model": to_json(mdp),
        "policy": None if policy is None else to_json(policy),
        "lower": to_json(lower),
        "upper": to_json(upper),
    }


def save_solution(sol: Solution, path: str | Path) -> Path:
    """Write a self-proving enclosure of a solution (atomically)."""
    return write_json(solution_record(sol), path)


def write_json(data: dict[str, Any], path: str | Path) -> Path:
    """Write JSON to `path` through a temporary file: a killed run leaves the old file or the new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, tmp = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as f:
            json.dump(data, f, ensure_ascii=False)
            os.fchmod(f.fileno(), 0o666 & ~_umask())
        os.replace(tmp, path)
    except BaseException:
        Path(tmp).unlink(missing_ok=True)
        raise
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _pair(a: Any) -> list[str]:
    return [f"{a.lower.numerator}/{a.lower.denominator}", f"{a.upper.numerator}/{a.upper.denominator}"]


def _solutions(x: Any) -> Iterator[Solution]:
    for value in getattr(x, "__dict__", {}).values():
        for v in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(v, Solution) and isinstance(v.mdp, MDP) and v.mdp.is_exact and v.error == 0:
                yield v


def _backup(mdp: MDP, V: Any, policy: Any = None) -> list[Fraction]:
    data, indices, indptr = mdp.csr
    q = [
        mdp.R_pairs[k]
        + mdp.gamma * sum((data[j] * V[indices[j]] for j in range(indptr[k], indptr[k + 1])), Fraction(0))
        for k in range(mdp.N)
    ]
    out: list[Fraction] = []
    for s in range(mdp.S):
        ks = range(int(mdp.state_ptr[s]), int(mdp.state_ptr[s + 1]))
        if policy is None:
            out.append(max(q[k] for k in ks))
        elif policy.is_deterministic:
            out.append(next(q[k] for k in ks if mdp.pair_action[k] == policy[s]))
        else:
            out.append(sum((to_fraction(policy[s, mdp.pair_action[k]]) * q[k] for k in ks), Fraction(0)))
    return out


def _bellman_record(sol: Solution) -> dict[str, Any] | None:
    V = list(sol.V)
    if _backup(sol.mdp, V) == V:
        return {"model": to_json(sol.mdp), "policy": None, "V": to_json(np.array(V, dtype=object))}
    if _backup(sol.mdp, V, sol.pi) == V:
        return {"model": to_json(sol.mdp), "policy": to_json(sol.pi), "V": to_json(np.array(V, dtype=object))}
    return None
