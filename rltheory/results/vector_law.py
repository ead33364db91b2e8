"""Laws of vector returns: finitely many atoms in R^m."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..arrays import Real
from ..errors import InvalidArgument
from ..portable import Portable
from .law import ReturnLaw


@dataclass(frozen=True, repr=False)
class VectorLaw(Portable):
    """Σ_i p_i δ_{x_i}, x_i ∈ R^m: sorted distinct atoms, positive masses that sum to one.

    Attributes
    ----------
    atoms
        Tuples of m numbers, ascending.
    probs
        Masses, in the same order.
    error
        Bound on each coordinate's w₁ to the law meant; 0 in rationals.
    """

    atoms: tuple[tuple[Any, ...], ...]
    probs: tuple[Any, ...]
    error: Real = 0

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[tuple[Any, ...], Any]], *, error: Real = 0) -> VectorLaw:
        """The law with mass p at x for each (x, p); masses of equal atoms add up.

        Raises
        ------
        InvalidArgument
            A negative mass, or masses that do not sum to one (exactly, or within 1e-9 in doubles).
        """
        law: dict[tuple[Any, ...], Any] = {}
        for x, p in pairs:
            if p < 0:
                raise InvalidArgument(f"VectorLaw: mass {p} at {x}, must be ≥ 0")
            if p:
                law[x] = law.get(x, 0) + p
        total = sum(law.values())
        if abs(total - 1) > (1e-9 if isinstance(total, float) else 0):
            raise InvalidArgument(f"VectorLaw: masses sum to {total}, must be 1; divide them by their sum")
        items = sorted(law.items())
        return cls(tuple(x for x, _ in items), tuple(p for _, p in items), error)

    @property
    def m(self) -> int:
        """Length of the atoms."""
        return len(self.atoms[0])

    @property
    def is_exact(self) -> bool:
        """True when the masses are rationals."""
        return all(isinstance(p, (int, Fraction)) for p in self.probs)

    @property
    def mean(self) -> tuple[Any, ...]:
        """E X, by coordinate."""
        return tuple(sum(p * x[i] for x, p in self) for i in range(self.m))

    def marginal(self, i: int) -> ReturnLaw:
        """Law of coordinate i."""
        if not 0 <= i < self.m:
            raise InvalidArgument(f"marginal: i={i}, coordinates are 0..{self.m - 1}")
        return ReturnLaw.from_pairs(((x[i], p) for x, p in self), error=self.error)

    def expect(self, f: Callable[[tuple[Any, ...]], Any]) -> Any:
        """E f(X), f called on each atom."""
        return sum(p * f(x) for x, p in self)

    def shift(self, c: tuple[Any, ...]) -> VectorLaw:
        """Law of c + X."""
        return VectorLaw.from_pairs(
            ((tuple(u + v for u, v in zip(x, c, strict=True)), p) for x, p in self), error=self.error
        )

    def __iter__(self) -> Iterator[tuple[tuple[Any, ...], Any]]:
        return iter(zip(self.atoms, self.probs, strict=True))

    def __len__(self) -> int:
        return len(self.atoms)

    def __repr__(self) -> str:
        shown = ", ".join(f"({', '.join(map(str, x))}): {p}" for x, p in list(self)[:6])
        more = f", … {len(self)} atoms" if len(self) > 6 else ""
        return f"VectorLaw({{{shown}{more}}}, error={float(self.error):.2g})"
