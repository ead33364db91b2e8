"""Laws, distances, projections and utilities, written from their definitions in rationals.

A law is a dictionary from values to masses.  The library's own laws, operators and solvers are the other
side of every claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from fractions import Fraction
from typing import Any, TypeAlias

from flint import arb

import rltheory as rl
from rltheory.kernels import ball

F = Fraction
ZERO, ONE, HALF = F(0), F(1), F(1, 2)
BITS = 256
"""Working precision of sides with sines, exponentials and roots."""

Law: TypeAlias = dict[Fraction, Fraction]
"""Value ↦ mass."""
Pairs: TypeAlias = tuple[tuple[Fraction, Fraction], ...]
"""A law as a hashable list of (value, mass)."""
Outcomes: TypeAlias = tuple[tuple[Fraction, int, Fraction], ...]
"""(p, s', r) of one state and action."""
Utility: TypeAlias = Callable[[Any], Any]


def _lifted(x: Any) -> Any:
    return tuple(map(_lifted, x)) if isinstance(x, tuple) else Fraction(x)


class Exact:
    """A dataclass whose rational fields, numbers and tuples of them, may be given as integers."""

    def __post_init__(self) -> None:
        for f in fields(self):  # type: ignore[arg-type]
            if "Fraction" in str(f.type) or "Pairs" in str(f.type):
                object.__setattr__(self, f.name, _lifted(getattr(self, f.name)))


# ---- laws, from the definitions --------------------------------------------------------------
def mix(parts: Iterable[tuple[Fraction, Law]], shift: Fraction = ZERO, scale: Fraction = ONE) -> Law:
    """Σ_k w_k law(shift + scale·X_k)."""
    out: Law = {}
    for w, law in parts:
        for x, p in law.items():
            y = shift + scale * x
            out[y] = out.get(y, ZERO) + w * p
    return out


def push(law: Law, shift: Fraction, scale: Fraction = ONE) -> Law:
    """Law of shift + scale·X."""
    return mix([(ONE, law)], shift, scale)


def dirac(x: Any) -> Law:
    """δ_x."""
    return {F(x): ONE}


def library(law: Law) -> rl.ReturnLaw:
    """The same law as the library's object."""
    return rl.ReturnLaw.from_pairs(law.items())


def definition(law: rl.ReturnLaw) -> Law:
    """The library's law as a dictionary."""
    return dict(law)


def mean(law: Law) -> Fraction:
    """E X."""
    return sum((x * p for x, p in law.items()), ZERO)


def expect(law: Law, f: Utility) -> Any:
    """E f(X): rational, or a ball where f gives balls."""
    values = [(f(x), p) for x, p in law.items()]
    if any(isinstance(v, arb) for v, _ in values):
        return sum((ball.to_arb(v) * ball.to_arb(p) for v, p in values), arb(0))
    return sum((v * p for v, p in values), ZERO)


def cdf(law: Law, x: Fraction) -> Fraction:
    """P(X ≤ x)."""
    return sum((p for y, p in law.items() if y <= x), ZERO)


def quantile(law: Law, tau: Fraction) -> Fraction:
    """min{x : P(X ≤ x) ≥ τ}."""
    total = ZERO
    for x in sorted(law):
        total += law[x]
        if total >= tau:
            return x
    return max(law)


def cvar(law: Law, tau: Fraction) -> Fraction:
    """Mean of the lowest τ of the mass: max_b b + E (X − b)₋/τ over the atoms b."""
    return max(b + sum((p * min(x - b, ZERO) for x, p in law.items()), ZERO) / tau for b in law)


def cells(a: Law, b: Law) -> Iterator[tuple[Fraction, Fraction]]:
    """(F_a − F_b, width) between consecutive atoms of both laws."""
    points = sorted({*a, *b})
    gap = ZERO
    for x, y in zip(points, points[1:], strict=False):
        gap += a.get(x, ZERO) - b.get(x, ZERO)
        yield gap, y - x


def w1(a: Law, b: Law) -> Fraction:
    """w₁ = ∫ |F_a − F_b|."""
    return sum((abs(g) * w for g, w in cells(a, b)), ZERO)


def cramer(a: Law, b: Law) -> Fraction:
    """ℓ₂² = ∫ (F_a − F_b)²."""
    return sum((g * g * w for g, w in cells(a, b)), ZERO)


def coupled(a: Law, b: Law) -> Iterator[tuple[Fraction, Fraction]]:
    """(mass, |q_a − q_b|) of the increasing rearrangement of both laws."""
    left, right = sorted(a.items(), reverse=True), sorted(b.items(), reverse=True)
    (x, p), (y, q) = left.pop(), right.pop()
    while True:
        m = min(p, q)
        if m > 0:
            yield m, abs(x - y)
        p, q = p - m, q - m
        if p == 0:
            if not left:
                return
            x, p = left.pop()
        if q == 0:
            if not right:
                return
            y, q = right.pop()


def w2_squared(a: Law, b: Law) -> Fraction:
    """w₂²."""
    return sum((m * d * d for m, d in coupled(a, b)), ZERO)


def w_inf(a: Law, b: Law) -> Fraction:
    """w_∞."""
    return max(d for _, d in coupled(a, b))


def project(law: Law, grid: tuple[Fraction, ...]) -> Law:
    """Π_C: clip to [z_1, z_m], split the mass linearly between the two neighbours."""
    out: Law = {}
    for x, p in law.items():
        x = min(max(x, grid[0]), grid[-1])
        i = max((j for j, z in enumerate(grid) if z <= x), default=0)
        up = ZERO if grid[i] == x else (x - grid[i]) / (grid[i + 1] - grid[i])
        for z, w in ((grid[i], 1 - up), (grid[min(i + 1, len(grid) - 1)], up)):
            if w:
                out[z] = out.get(z, ZERO) + w * p
    return out


def quantized(law: Law, m: int) -> Law:
    """Π_Q: mass 1/m at each lower quantile of level (2i−1)/(2m)."""
    return mix([(F(1, m), dirac(quantile(law, F(2 * i + 1, 2 * m)))) for i in range(m)])


# ---- utilities -------------------------------------------------------------------------------
def log_periodic(gamma: Fraction) -> Utility:
    """f(x) = −|x|(1 + 0.15 sin(2π ln|x|/ln γ)), f(0) = 0: f(γx) = γ f(x) for this γ, and f is not linear.

    f(γ^j u) is computed as γ^j f(u) with u in (γ, 1], so equal values come from equal balls.
    """

    def f(x: Fraction) -> Any:
        if x == 0:
            return arb(0)
        u, factor = abs(F(x)), ONE
        while u <= gamma:
            u, factor = u / gamma, factor * gamma
        while u > 1:
            u, factor = u * gamma, factor / gamma
        phase = 2 * arb.pi() * ball.to_arb(u).log() / ball.to_arb(gamma).log()
        wave = phase.sin() * ball.to_arb(F(3, 20)) if u != 1 else arb(0)
        return -ball.to_arb(u * factor) * (1 + wave)

    return f


def kinked(down: Fraction, up: Fraction) -> Utility:
    """a₋x₋ + a₊x₊."""
    return lambda x: down * x if x < 0 else up * x


UTILITIES: dict[str, Utility] = {
    "x": lambda x: x,
    "x₋": lambda x: min(x, ZERO),
    "x₊": lambda x: max(x, ZERO),
    "|x|": abs,
    "−|x|": lambda x: -abs(x),
    "−x²": lambda x: -x * x,
    "x³": lambda x: x**3,
    "1{x>0}": lambda x: int(x > 0),
    "1{x≥0}": lambda x: int(x >= 0),
    "1{x≥1}": lambda x: int(x >= 1),
    "clip": lambda x: min(max(x, -ONE), ONE),
    "min(x,1)": lambda x: min(x, ONE),
    "−|x−1|": lambda x: -abs(x - 1),
    "x−x²/8": lambda x: x - x * x / 8,
    "−e^−x": lambda x: -(-ball.to_arb(x)).exp(),
    "sign(x)√|x|": lambda x: (1 if x > 0 else -1) * ball.to_arb(abs(x)).nonnegative_part().sqrt(),
}
"""Utilities by name; rational unless they cannot be."""

FACTOR: dict[str, Callable[[Any], Any]] = {
    "x": lambda g: g,
    "x₋": lambda g: g,
    "x₊": lambda g: g,
    "−|x|": lambda g: g,
    "−x²": lambda g: g * g,
    "x³": lambda g: g**3,
    "1{x>0}": lambda g: 1,
    "1{x≥0}": lambda g: 1,
    "sign(x)√|x|": lambda g: ball.to_arb(g).sqrt(),
}
"""a with f̃(γx) = a f̃(x), for the utilities that have one at every γ."""

LIPSCHITZ = ("x", "x₋", "x₊", "−|x|")
"""1-Lipschitz utilities with f(γx) = γ f(x) at every γ."""
