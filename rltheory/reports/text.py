"""Numbers and small tables as plain text.

A number is printed with the digits its error justifies and no more: for an enclosure [l, u] of width w
the digits of the midpoint down to the decade of w, then "± w/2" rounded up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from typing import Any

from ..results import Enclosure

LONG = 24
"""Longest p/q, in characters, that is printed in full."""


def decimal(x: Any, digits: int = 10) -> str:
    """`x` with `digits` significant decimals, correctly rounded for a `Fraction`."""
    if isinstance(x, int):
        return str(x)
    if not isinstance(x, Fraction):
        return f"{float(x):.{digits}g}"
    context = Context(prec=digits, Emax=MAX_EMAX, Emin=MIN_EMIN)
    value = context.divide(Decimal(x.numerator), Decimal(x.denominator))
    return f"{value.normalize(context):.{digits}g}"


def number(x: Any) -> str:
    """One line for a value of any kind: exact rational, enclosure, float.

    Examples
    --------
    >>> number(Fraction(1, 3)), number(Enclosure(0.49, 0.51))
    ('1/3', '0.50 ± 1.1e-02')
    """
    if isinstance(x, Enclosure):
        if x.width == 0:
            return number(x.lower)
        return _with_radius(x)
    if isinstance(x, Fraction):
        short = str(x)
        if len(short) <= LONG:
            return short
        return f"{decimal(x, 15)}… (exact, {len(str(x.denominator))}-digit denominator)"
    return decimal(x)


def _with_radius(x: Enclosure) -> str:
    mid, radius = float(x.mid), rounded_up(x.radius)
    if not (math.isfinite(mid) and math.isfinite(radius)):
        return f"[{decimal(x.lower)}, {decimal(x.upper)}]"
    places = max(0, -math.floor(math.log10(radius)))
    text = f"{mid:.{places}f}" if places <= 17 else repr(mid)
    # The printed midpoint is itself rounded: the printed radius must cover that, too.
    radius = rounded_up(float(abs(Fraction(text) - Fraction(x.mid)) + Fraction(x.radius)))
    return f"{text} ± {radius:.1e}"


def rounded_up(r: float) -> float:
    """`r` rounded up to two significant digits: what an error bound may be printed as."""
    if r <= 0 or not math.isfinite(r):
        return r
    rounded = float(f"{r:.1e}")
    if rounded >= r:
        return rounded
    scale = 10.0 ** (math.floor(math.log10(r)) - 1)
    return float(f"{rounded + scale:.1e}")


def count(n: int, noun: str) -> str:
    """`n` with its noun, in the plural unless n is 1.

    Examples
    --------
    >>> count(1, "instance"), count(12_000, "instance")
    ('1 instance', '12,000 instances')
    """
    plural = noun[:-1] + "ies" if noun.endswith("y") and noun[-2:-1] not in "aeou" else noun + "s"
    return f"{n:,} {noun if n == 1 else plural}"


def seconds(t: float) -> str:
    """A duration as a person would say it.

    Examples
    --------
    >>> seconds(0.0042), seconds(83.4)
    ('4.2 ms', '1 min 23 s')
    """
    if t < 1:
        return f"{t * 1e3:.2g} ms" if t < 0.01 else f"{t * 1e3:.0f} ms"
    if t < 60:
        return f"{t:.1f} s"
    minutes, rest = divmod(round(t), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def columns(header: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[int] = ()) -> str:
    """Aligned plain-text columns under a ruled header; columns in `right` are flush right."""
    table = [[str(c) for c in row] for row in rows]
    widths = [max([len(h), *(len(r[j]) for r in table)]) for j, h in enumerate(header)]

    def line(cells: Sequence[str]) -> str:
        parts = [c.rjust(w) if j in right else c.ljust(w) for j, (c, w) in enumerate(zip(cells, widths))]
        return "  ".join(parts).rstrip()

    return "\n".join([line(header), "  ".join("─" * w for w in widths), *(line(r) for r in table)])
