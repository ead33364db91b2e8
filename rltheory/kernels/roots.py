"""Real roots of rational polynomials: Sturm sequences, isolation, and exact algebraic numbers.

Definitions.  For a square-free p the Sturm sequence is p, p', then minus the remainders; V(x) is its
number of sign changes at x, zeros left out, and V(a) − V(b) the number of roots in (a, b].  Everything
is rational arithmetic (python-flint), so counts, order and equality of roots are decided, not estimated.
"""

from __future__ import annotations

import copyreg
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, total_ordering
from typing import Any

from flint import fmpq, fmpq_poly, fmpz_poly

from .exact import from_fmpq, to_fmpq


def _integers(p: Any) -> tuple[Any, tuple[list[int]]]:
    return fmpz_poly, ([int(c) for c in p.coeffs()],)


def _rationals(p: Any) -> tuple[Any, tuple[list[int], int]]:
    return fmpq_poly, ([int(c) for c in p.numer().coeffs()], int(p.denom()))


copyreg.pickle(fmpz_poly, _integers)  # they cannot be pickled by themselves
copyreg.pickle(fmpq_poly, _rationals)


def primitive(p: Any) -> Any:
    """The integer polynomial with coprime coefficients that is a positive multiple of `p`; 0 for 0."""
    q = p.numer() if isinstance(p, fmpq_poly) else p
    return q if q.degree() < 0 else q // fmpz_poly([abs(q.content())])


def square_free(p: Any) -> Any:
    """p / gcd(p, p'), primitive: the same roots, each once."""
    q = primitive(p)
    return primitive(q // q.gcd(q.derivative())) if q.degree() > 0 else q


def sturm_sequence(p: Any) -> list[Any]:
    """p, p', −rem(p, p'), … up to positive factors, for a square-free integer polynomial of degree ≥ 1."""
    seq = [primitive(p), primitive(p.derivative())]
    while seq[-1].degree() > 0:
        rest = fmpq_poly(seq[-2]) % fmpq_poly(seq[-1])
        seq.append(primitive(-rest))
    return seq


def sign_changes(seq: list[Any], x: fmpq) -> int:
    """V(x): sign changes along the sequence at x, zeros left out."""
    signs = [s for s in (_sign(p(x)) for p in seq) if s]
    return sum(a != b for a, b in zip(signs, signs[1:], strict=False))


def _sign(x: Any) -> int:
    return int(x > 0) - int(x < 0)


def count_roots(p: Any, a: Fraction | int, b: Fraction | int) -> int:
    """Number of distinct real roots of p in (a, b]."""
    q = square_free(p)
    if q.degree() < 1:
        return 0
    seq = sturm_sequence(q)
    return sign_changes(seq, to_fmpq(a)) - sign_changes(seq, to_fmpq(b))


@total_ordering
@dataclass(frozen=True, eq=False)
class AlgebraicNumber:
    """The only root of `polynomial` in (lower, upper], or the rational lower = upper.

    Attributes
    ----------
    polynomial
        Square-free primitive fmpz_poly.
    lower, upper
        Isolating interval, rational.
    """

    polynomial: Any
    lower: Fraction
    upper: Fraction

    @classmethod
    def rational(cls, q: Fraction | int) -> AlgebraicNumber:
        """The rational q."""
        x = Fraction(q)
        return cls(fmpz_poly([-x.numerator, x.denominator]), x, x)

    @cached_property
    def _sturm(self) -> list[Any]:
        return sturm_sequence(self.polynomial)

    @property
    def is_rational(self) -> bool:
        """True when the number is known as a rational."""
        return self.lower == self.upper

    def refine(self, width: Fraction) -> AlgebraicNumber:
        """The same number in an interval no longer than `width`.

        Complexity: log₂((upper − lower)/width) evaluations of the polynomial.
        """
        lo, hi = self.lower, self.upper
        if hi - lo <= width:
            return self
        p = self.polynomial
        right = _sign(p(to_fmpq(hi)))
        if right == 0:
            return AlgebraicNumber.rational(hi)
        while hi - lo > width:
            mid = (lo + hi) / 2
            s = _sign(p(to_fmpq(mid)))
            if s == 0:
                return AlgebraicNumber.rational(mid)
            lo, hi = (lo, mid) if s == right else (mid, hi)
        return AlgebraicNumber(p, lo, hi)

    def minimal(self) -> AlgebraicNumber:
        """The same number with its irreducible polynomial; a rational is recognised as such."""
        if self.is_rational:
            return self
        for p, _ in self.polynomial.factor()[1]:
            if count_roots(p, self.lower, self.upper):
                if p.degree() == 1:
                    c = [int(x) for x in p.coeffs()]
                    return AlgebraicNumber.rational(Fraction(-c[0], c[1]))
                return AlgebraicNumber(p, self.lower, self.upper)
        raise ArithmeticError(f"{self!r}: no factor has the root")  # pragma: no cover

    def compare(self, other: AlgebraicNumber | Fraction | int) -> int:
        """−1, 0 or +1: the order of the two numbers, decided exactly."""
        y = other if isinstance(other, AlgebraicNumber) else AlgebraicNumber.rational(other)
        x = self
        same = primitive(x.polynomial.gcd(y.polynomial))
        while True:
            if x.is_rational and y.is_rational:
                return (x.lower > y.lower) - (x.lower < y.lower)
            if x.upper < y.lower or (x.upper == y.lower and not y.is_rational):
                return -1
            if y.upper < x.lower or (y.upper == x.lower and not x.is_rational):
                return 1
            if same.degree() > 0:
                lo, hi = min(x.lower, y.lower), max(x.upper, y.upper)
                common = _count_closed(same, lo, hi)
                if common and _count_closed(x.polynomial, lo, hi) == _count_closed(y.polynomial, lo, hi) == 1:
                    return 0
            width = max(x.upper - x.lower, y.upper - y.lower) / 4
            x, y = x.refine(width), y.refine(width)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (AlgebraicNumber, Fraction, int)):
            return self.compare(other) == 0
        return NotImplemented

    def __lt__(self, other: AlgebraicNumber | Fraction | int) -> bool:
        return self.compare(other) < 0

    def __hash__(self) -> int:
        x = self.minimal()
        if x.is_rational:
            return hash(x.lower)
        return hash((str(x.polynomial), count_roots(x.polynomial, -_root_bound(x.polynomial), x.upper)))

    def __float__(self) -> float:
        x = self.refine(Fraction(1, 2**80))
        return float((x.lower + x.upper) / 2)

    def digits(self, n: int) -> str:
        """The first n decimals after the point, cut off (not rounded), of a number ≥ 0."""
        x = self
        scale, width = 10**n, Fraction(1, 10**n)
        while int(x.lower * scale) != int(x.upper * scale) and not x.is_rational:
            width /= 16
            x = x.refine(width)
        whole = int(x.upper * scale)
        return f"{whole // scale}.{whole % scale:0{n}d}" if n else str(whole)

    def __repr__(self) -> str:
        if self.is_rational:
            return f"AlgebraicNumber({self.lower})"
        return f"AlgebraicNumber({float(self):.17g}, a root of degree ≤ {self.polynomial.degree()})"


def _count_closed(p: Any, lo: Fraction, hi: Fraction) -> int:
    return count_roots(p, lo, hi) + int(p(to_fmpq(lo)) == 0)


def _root_bound(p: Any) -> int:
    """An integer beyond every real root (Cauchy)."""
    c = [abs(int(x)) for x in p.coeffs()]
    return 1 + -(-max(c) // c[-1])


def isolate(p: Any, a: Fraction | int, b: Fraction | int) -> list[AlgebraicNumber]:
    """The distinct real roots of p in the open interval (a, b), in increasing order.

    Parameters
    ----------
    p
        fmpq_poly or fmpz_poly, not zero.
    a, b
        Rational ends.

    Raises
    ------
    ValueError
        If p is the zero polynomial.

    Complexity: one Sturm sequence, and about (number of roots)·log(1/separation) evaluations of it.
    """
    q = square_free(p)
    if q.degree() < 0:
        raise ValueError("isolate: p is the zero polynomial, every number is a root")
    for end in (Fraction(a), Fraction(b)):
        while q.degree() > 0 and q(to_fmpq(end)) == 0:
            q = primitive(q // fmpz_poly([-end.numerator, end.denominator]))
    if q.degree() < 1:
        return []
    seq = sturm_sequence(q)
    out = []
    lo, hi = to_fmpq(a), to_fmpq(b)
    todo = [(lo, hi, sign_changes(seq, lo), sign_changes(seq, hi))]
    while todo:
        lo, hi, v_lo, v_hi = todo.pop()
        if v_lo - v_hi == 1:
            out.append(AlgebraicNumber(q, from_fmpq(lo), from_fmpq(hi)))
        elif v_lo - v_hi > 1:
            mid = _split(q, lo, hi)
            v_mid = sign_changes(seq, mid)
            todo += [(mid, hi, v_mid, v_hi), (lo, mid, v_lo, v_mid)]
    return sorted(out, key=lambda x: x.lower)


def _split(p: Any, lo: fmpq, hi: fmpq) -> fmpq:
    """A point strictly between that is no root of p, the middle if possible."""
    n = p.degree() + 3
    for k in sorted(range(1, n), key=lambda k: abs(2 * k - n)):
        x = lo + (hi - lo) * fmpq(k, n)
        if p(x) != 0:
            return x
    raise ArithmeticError("more roots than the degree allows")  # pragma: no cover


def largest_sign_change(p: Any, a: Fraction | int, b: Fraction | int) -> AlgebraicNumber | None:
    """The largest root of p in (a, b) at which p changes sign (odd multiplicity), or None.

    Complexity: a square-free factorisation and one Sturm sequence a factor.
    """
    best: AlgebraicNumber | None = None
    for q, multiplicity in primitive(p).factor_squarefree()[1]:
        if multiplicity % 2 == 0 or q.degree() < 1:
            continue
        roots = isolate(q, a, b)
        if roots and (best is None or roots[-1] > best):
            best = roots[-1]
    return best


def isolate_all(polynomials: Iterable[Any], a: Fraction | int, b: Fraction | int) -> list[AlgebraicNumber]:
    """All distinct roots in (a, b) of the given nonzero polynomials, increasing, in disjoint intervals.

    Complexity: factorisation into irreducibles, and one Sturm sequence for each distinct factor.
    """
    factors = {str(q): q for p in polynomials for q, _ in primitive(p).factor()[1]}
    roots = sorted(x.minimal() for q in factors.values() for x in isolate(q, a, b))
    for i in range(len(roots) - 1):
        while roots[i].upper >= roots[i + 1].lower:
            width = max(x.upper - x.lower for x in roots[i : i + 2]) / 4
            roots[i], roots[i + 1] = roots[i].refine(width), roots[i + 1].refine(width)
    return roots
