"""Instances as text: one pasteable line, and a fingerprint that tells distinct instances apart."""

from __future__ import annotations

import dataclasses
import hashlib
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np

from ..arrays import to_fraction


def literal(x: Any) -> str:
    """Python source that rebuilds `x`: dataclasses, models, policies, arrays, numbers, containers."""
    if hasattr(x, "literal"):
        return str(x.literal())
    if isinstance(x, Fraction):
        return str(x.numerator) if x.denominator == 1 else f"Fraction({x.numerator}, {x.denominator})"
    if isinstance(x, np.ndarray):
        body = literal(x.tolist())
        return f"np.array({body}, dtype=object)" if x.dtype == object else f"np.array({body})"
    if isinstance(x, (list, tuple)):
        inner = ", ".join(literal(v) for v in x)
        return f"[{inner}]" if isinstance(x, list) else f"({inner},)" if len(x) == 1 else f"({inner})"
    if isinstance(x, dict):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in x.items()) + "}"
    if dataclasses.is_dataclass(x) and not isinstance(x, type):
        fields = [f for f in dataclasses.fields(x) if f.init]
        return f"{type(x).__name__}({', '.join(f'{f.name}={literal(getattr(x, f.name))}' for f in fields)})"
    if isinstance(x, np.generic):
        return repr(x.item())
    if isinstance(x, Enum):
        return str(x)
    return repr(x)


def fingerprint(x: Any) -> str:
    """A digest equal for equal instances; used to count distinct ones."""
    return hashlib.sha256(literal(x).encode()).hexdigest()[:16]


def to_json(x: Any) -> Any:
    """Plain JSON data with every number a rational string "p/q"; models as their pair arrays."""
    if isinstance(x, bool) or x is None or isinstance(x, str):
        return x
    if isinstance(x, (int, float, Fraction, np.integer, np.floating)):
        if isinstance(x, (float, np.floating)) and not np.isfinite(x):
            return str(float(x))
        q = to_fraction(x)
        return f"{q.numerator}/{q.denominator}"
    if type(x).__name__ == "MDP":
        data, indices, indptr = x.csr
        return {
            "model": "mdp",
            "S": x.S,
            "gamma": to_json(x.gamma),
            "pair_state": [int(s) for s in x.pair_state],
            "pair_action": [int(a) for a in x.pair_action],
            "R": to_json(x.R_pairs),
            "rows": [
                [[int(t), to_json(p)] for t, p in zip(indices[i:j], data[i:j], strict=True)]
                for i, j in zip(indptr[:-1], indptr[1:], strict=True)
            ],
        }
    if type(x).__name__ == "Policy":
        return to_json(np.asarray(x))
    if isinstance(x, np.ndarray):
        return [to_json(v) for v in x.tolist()]
    if isinstance(x, (list, tuple)):
        return [to_json(v) for v in x]
    if isinstance(x, dict):
        return {str(k): to_json(v) for k, v in x.items()}
    if dataclasses.is_dataclass(x) and not isinstance(x, type):
        return {f.name: to_json(getattr(x, f.name)) for f in dataclasses.fields(x) if f.init}
    return literal(x)
