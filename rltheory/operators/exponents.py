"""Numbers for the exponents q + power·log(1/λ) of time polynomials, because keys of rationals hash slowly.

Each process numbers exponents as it meets them; 0 is the exponent 0.
"""

from __future__ import annotations

import threading

from flint import fmpq

_EXPONENTS: list[tuple[fmpq, fmpq]] = [(fmpq(0), fmpq(0))]
_NUMBERS: dict[tuple[int, int, int, int], int] = {(0, 1, 0, 1): 0}
_SUMS: dict[tuple[int, int], int] = {}
_LOCK = threading.Lock()
_MEMORY = 1 << 18


def exponent(q: fmpq, power: fmpq) -> int:
    """Number of the exponent q + power·log(1/λ)."""
    key = (int(q.p), int(q.q), int(power.p), int(power.q))
    found = _NUMBERS.get(key)
    if found is None:
        with _LOCK:
            found = _NUMBERS.get(key)
            if found is None:
                _EXPONENTS.append((q, power))
                found = _NUMBERS[key] = len(_EXPONENTS) - 1
    return found


def exponent_parts(a: int) -> tuple[fmpq, fmpq]:
    """(q, power) of the exponent of that number."""
    return _EXPONENTS[a]


def exponent_sum(a: int, b: int) -> int:
    """a + b."""
    if not a or not b:
        return a or b
    key = (a, b) if a < b else (b, a)
    found = _SUMS.get(key)
    if found is None:
        if len(_SUMS) >= _MEMORY:
            _SUMS.clear()
        (p, u), (q, v) = _EXPONENTS[a], _EXPONENTS[b]
        found = _SUMS[key] = exponent(p + q, u + v)
    return found


def exponent_multiple(a: int, s: fmpq) -> int:
    """s·a."""
    if not a:
        return 0
    q, power = _EXPONENTS[a]
    return exponent(q * s, power * s)


def exponent_text(a: int) -> str:
    """q, or q + power·log(1/λ)."""
    q, power = _EXPONENTS[a]
    return str(q) if power == 0 else f"{q} + {power}·log(1/λ)"
