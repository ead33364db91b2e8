"""Laws of returns: finitely many atoms, exact or in doubles, with a bound on what was approximated.

Numbers are Fractions when every atom and mass is an int or Fraction, doubles otherwise.  `error`
bounds w₁ between the law reported and the law meant, and every operation here carries it along:
shifts keep it, a scale g multiplies it by |g|, a mixture averages it, a projection adds its own w₁.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Entries, Real, exact_array, frozen, to_fraction
from ..errors import InvalidArgument, MissingBackend
from ..kernels import laws
from ..portable import Portable
from ._law_input import UNIT, check, is_rational, numbers, up
from .axes import axes
from .enclosure import Enclosure

Kind = Literal["exact", "float", "categorical", "quantile"]


@dataclass(frozen=True, repr=False, eq=False)
class ReturnLaw(Portable):
    """Σ_i p_i δ_{x_i}: the law of a return, x_1 < … < x_n, p_i > 0, Σ p_i = 1.

    Equal atoms are merged, zero masses dropped, atoms sorted.  Two laws are equal (and hash alike)
    when atoms and masses are; `error` and `kind` do not count.

    Parameters
    ----------
    atoms, probs
        (n,) values and masses.  Ints and Fractions give an exact law; one double makes all doubles.
    error
        Bound on w₁ to the law meant; 0 for a law that is what it says.
    kind
        "exact", "float", "categorical" (on a grid) or "quantile" (equal masses); by default the
        number system.

    Raises
    ------
    InvalidArgument
        If a mass is negative, a number not finite, masses do not sum to one (exactly in rationals,
        within max(1e-12, n·2⁻⁵²) in doubles), shapes differ, or `error` is negative.

    Examples
    --------
    >>> law = ReturnLaw([0, 3], [Fraction(7, 10), Fraction(3, 10)])
    >>> law.mean, law.quantile(Fraction(7, 10)), law.upper_cvar(Fraction(1, 2))
    (Fraction(9, 10), Fraction(0, 1), Fraction(9, 5))
    """

    atoms: NDArray[Any]
    probs: NDArray[Any]
    error: Real = 0
    kind: Kind | None = None

    def __init__(self, atoms: Entries, probs: Entries, *, error: Real = 0, kind: Kind | None = None) -> None:
        x, p = numbers(atoms, probs)
        check(x, p, error)
        self._set(*laws.merged(x, p), error, kind)

    def _set(self, x: NDArray[Any], p: NDArray[Any], error: Real, kind: Kind | None) -> None:
        for name, value in (
            ("atoms", frozen(x)),
            ("probs", frozen(p)),
            ("error", error),
            ("kind", kind or ("exact" if x.dtype == object else "float")),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def _trusted(
        cls, x: NDArray[Any], p: NDArray[Any], error: Real = 0, kind: Kind | None = None
    ) -> ReturnLaw:
        """Sorted, merged, positive arrays of one number system, taken as they are."""
        law = object.__new__(cls)
        law._set(x, p, error, kind)
        return law

    # ---- constructors ------------------------------------------------------------------------
    @classmethod
    def dirac(cls, x: Real) -> ReturnLaw:
        """δ_x."""
        return cls([x], [1])

    @classmethod
    def from_pairs(
        cls, pairs: Iterable[tuple[Real, Real]], *, error: Real = 0, kind: Kind | None = None
    ) -> ReturnLaw:
        """The law with mass p at x for each (x, p); masses of equal atoms add up."""
        listed = list(pairs)
        return cls([x for x, _ in listed], [p for _, p in listed], error=error, kind=kind)

    @classmethod
    def mixture(cls, weights: Entries, laws_: Sequence[ReturnLaw]) -> ReturnLaw:
        """Σ_k w_k ν_k; its error is Σ_k w_k error_k."""
        zeros: list[Real] = [0] * len(laws_)
        return cls.backup(weights, zeros, laws_, 1)

    @classmethod
    def backup(cls, weights: Entries, rewards: Entries, laws_: Sequence[ReturnLaw], gamma: Real) -> ReturnLaw:
        """Σ_k w_k · law(r_k + γ G_k), G_k ~ ν_k: one distributional Bellman step of a list of outcomes.

        Parameters
        ----------
        weights, rewards
            (K,) probabilities, summing to one, and rewards of the outcomes.
        laws_
            Laws of the return that follows each outcome.
        gamma
            Discount in [0, 1].

        Returns
        -------
        ReturnLaw
            With error Σ_k w_k γ error_k, plus rounding in doubles.

        Complexity: O(n log n) for n atoms in all.
        """
        w, r = numbers(weights, rewards)
        if len(w) != len(laws_) or not len(w):
            raise InvalidArgument(
                f"ReturnLaw.backup: {len(w)} weights for {len(laws_)} laws; give one weight per law"
            )
        exact = w.dtype == object and all(law.is_exact for law in laws_) and is_rational(gamma)
        g: Any = to_fraction(gamma) if exact else float(gamma)
        if not exact:
            w, r = w.astype(float), r.astype(float)
        check(r, w, 0)
        parts = laws_ if exact else [law.floats() for law in laws_]
        x = np.concatenate([rk + g * law.atoms for rk, law in zip(r, parts, strict=True)])
        p = np.concatenate([wk * law.probs for wk, law in zip(w, parts, strict=True)])
        error = g * sum((wk * law.error for wk, law in zip(w, laws_, strict=True)), 0 * g)
        atoms, masses = laws.merged(x, p)
        if not exact:  # places are off by rounding, masses by that of products, of sums and of Σ w
            off = (8 + len(x) - len(atoms)) * UNIT + abs(float(w.sum()) - 1)
            shift = 4 * UNIT * float(abs(x).max())
            error = up(float(error) + shift + off * float(atoms[-1] - atoms[0]))
        return cls._trusted(atoms, masses, error)

    # ---- the law as numbers ------------------------------------------------------------------
    @property
    def is_exact(self) -> bool:
        """True when atoms and masses are Fractions."""
        return bool(self.atoms.dtype == object)

    @cached_property
    def cumulative(self) -> NDArray[Any]:
        """(n,) P(G ≤ x_i); the last is exactly one."""
        return frozen(laws.cumulative(self.probs))

    def floats(self) -> ReturnLaw:
        """The law rounded to doubles; its error counts the rounding."""
        if not self.is_exact:
            return self
        x, p = self.atoms.astype(float), self.probs.astype(float)
        error = (
            float(self.error) + 2 * UNIT * float(abs(x).max()) + 2 * UNIT * len(x) * float(x.max() - x.min())
        )
        return ReturnLaw._trusted(*laws.merged(x, p), up(error), self.kind if self.kind != "exact" else None)

    def _like(self, value: object) -> Any:
        """`value` in this law's number system."""
        return to_fraction(value) if self.is_exact else float(value)  # type: ignore[arg-type]

    @property
    def mean(self) -> Any:
        """E G; within `error` of the mean of the law meant."""
        return (self.atoms * self.probs).sum()

    @property
    def var(self) -> Any:
        """E (G − E G)²."""
        centred = self.atoms - self.mean
        return (self.probs * centred * centred).sum()

    @property
    def std(self) -> float:
        """√var, a double."""
        return math.sqrt(self.var)

    def cdf(self, x: Real | ArrayLike) -> Any:
        """P(G ≤ x), for a number or an array."""
        zero = self._like(0)
        steps = np.concatenate([np.array([zero], dtype=self.probs.dtype), self.cumulative])
        return steps[np.searchsorted(self.atoms, self._many(x), side="right")]

    def quantile(self, tau: Real | ArrayLike) -> Any:
        """min{x : P(G ≤ x) ≥ τ}, the lower τ-quantile, τ ∈ (0, 1]; for a number or an array.

        In doubles a cumulative mass within 1e-13 of τ counts as reaching it.
        """
        return laws.lower_quantile(self.atoms, self.cumulative, self._levels("quantile", tau))

    def cvar(self, tau: Real) -> Any:
        """CVaR_τ: mean of the lowest τ of the mass, τ ∈ (0, 1]; higher is better.

        An atom that straddles τ is taken in part.  Within `error`/τ of the CVaR of the law meant.
        """
        t = self._levels("cvar", tau)
        return laws.tail_integral(self.atoms, self.probs, self.cumulative, t) / t

    def upper_cvar(self, tau: Real) -> Any:
        """Mean of the highest τ of the mass, τ ∈ (0, 1]; within `error`/τ of that of the law meant."""
        t = self._levels("upper_cvar", tau)
        mirror = self.probs[::-1]
        return -laws.tail_integral(-self.atoms[::-1], mirror, laws.cumulative(mirror), t) / t

    def expect(self, f: Callable[[Any], Any]) -> Any:
        """E f(G), f called on each atom; within L·`error` for an L-Lipschitz f.

        Rational when `f` maps Fractions to Fractions (or ints) and the law is exact.
        """
        return sum(p * f(x) for x, p in self)

    def prob(self, event: Callable[[Any], bool]) -> Any:
        """P(G ∈ event), the event a predicate on atoms."""
        return sum((p for x, p in self if event(x)), self._like(0))

    # ---- distances ---------------------------------------------------------------------------
    def wasserstein(self, other: ReturnLaw, p: float = 1) -> Any:
        """w_p = (∫_0^1 |q_F − q_G|^p du)^{1/p}, 1 ≤ p ≤ ∞; `p=math.inf` is the largest quantile gap.

        Rational between exact laws for p = 1 and p = ∞, a double otherwise.
        """
        if not p >= 1:
            raise InvalidArgument(f"wasserstein: p={p}, need 1 ≤ p ≤ inf; p=1 integrates |F − G|")
        a, b = self._both(other)
        pair = (a.atoms, a.probs, b.atoms, b.probs)
        if p == 1:
            return laws.wasserstein_1(*pair)
        mass, gap = laws.coupling(*pair)
        if p == math.inf:
            return gap.max()
        return float((mass * gap**p).sum()) ** (1 / p)

    def cramer(self, other: ReturnLaw) -> Any:
        """ℓ₂² = ∫ (F − G)² dx, the *squared* Cramér distance, rational between exact laws."""
        a, b = self._both(other)
        return laws.cramer_squared(a.atoms, a.probs, b.atoms, b.probs)

    def _both(self, other: ReturnLaw) -> tuple[ReturnLaw, ReturnLaw]:
        if self.is_exact and other.is_exact:
            return self, other
        return self.floats(), other.floats()

    # ---- maps --------------------------------------------------------------------------------
    def shift(self, c: Real) -> ReturnLaw:
        """Law of c + G; the error stays (plus rounding in doubles)."""
        return self._affine(c, 1)

    def scale(self, g: Real) -> ReturnLaw:
        """Law of g·G; the error is multiplied by |g| (plus rounding in doubles)."""
        return self._affine(0, g)

    def _affine(self, c: Real, g: Real) -> ReturnLaw:
        if g < 0:
            return self._mirror()._affine(c, -g)
        law = ReturnLaw.backup([1], [c], [self], g)
        kind = law.kind if self.kind == "exact" else self.kind
        return ReturnLaw._trusted(law.atoms, law.probs, law.error, kind)

    def _mirror(self) -> ReturnLaw:
        return ReturnLaw._trusted(-self.atoms[::-1], self.probs[::-1].copy(), self.error, self.kind)

    def categorical(self, grid: Entries) -> ReturnLaw:
        """Π_C: atoms clipped to [z_1, z_m], mass split linearly between neighbouring grid points.

        Keeps the mean when the grid covers the atoms; the error grows by w₁ between the two laws
        (at most half the widest cell then).

        Parameters
        ----------
        grid
            (m,) strictly increasing points z.
        """
        z, _ = numbers(grid, self.probs)
        if not len(z) or not (z[1:] > z[:-1]).all():
            raise InvalidArgument(
                "categorical: grid is empty or not strictly increasing; give sorted, distinct points"
            )
        law = self if z.dtype == object else self.floats()
        masses = laws.two_hot(z, law.atoms, law.probs)
        return law._projected(*laws.merged(z, masses), "categorical")

    def quantized(self, m: int) -> ReturnLaw:
        """Π_Q: mass 1/m at the lower quantiles of levels (2i−1)/(2m), i = 1..m.

        The error grows by w₁ between the two laws, at most (x_n − x_1)/(2m).
        """
        if m < 1:
            raise InvalidArgument(f"quantized: m={m}, need at least one atom; m=1 keeps the lower median")
        levels = laws.midpoint_levels(m, exact=self.is_exact)
        atoms = laws.lower_quantile(self.atoms, self.cumulative, levels)
        mass: Any = Fraction(1, m) if self.is_exact else 1.0 / m
        probs = np.full(m, mass, dtype=self.probs.dtype)
        return self._projected(*laws.merged(atoms, probs), "quantile")

    def _projected(self, x: NDArray[Any], p: NDArray[Any], kind: Kind) -> ReturnLaw:
        moved = laws.wasserstein_1(self.atoms, self.probs, x, p)
        error = self.error + moved
        if not self.is_exact:
            reach = max(self.atoms[-1], x[-1]) - min(self.atoms[0], x[0])
            error = up(float(error) + 4 * UNIT * (len(x) + len(self.atoms)) * float(reach))
        return ReturnLaw._trusted(x, p, error, kind)

    def enclose(self, K: Callable[[ReturnLaw], Real], lipschitz: Real = 1) -> Enclosure:
        """K(ν) ± L·error: bounds on K of the law meant, for K L-Lipschitz in w₁.

        The mean has L = 1, CVaR_τ has 1/τ, E f has the Lipschitz constant of f.  When K answers in
        doubles the bounds also allow 8(n + 8)·2⁻⁵³ max(|K|, L max|x|) for its own rounding.
        """
        value: Any = K(self)
        radius = lipschitz * self.error
        if is_rational(value) and is_rational(radius):
            return Enclosure(value - radius, value + radius)
        reach = max(abs(float(value)), float(lipschitz) * float(abs(self.atoms).max()))
        wide = up(float(radius) + 8 * (len(self) + 8) * UNIT * reach)
        return Enclosure(
            math.nextafter(float(value) - wide, -math.inf), math.nextafter(float(value) + wide, math.inf)
        )

    # ---- the law as an object ----------------------------------------------------------------
    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return iter(zip(self.atoms.tolist(), self.probs.tolist(), strict=True))

    def __len__(self) -> int:
        return len(self.atoms)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ReturnLaw):
            return NotImplemented
        return np.array_equal(self.atoms, other.atoms) and np.array_equal(self.probs, other.probs)

    def __hash__(self) -> int:
        return hash((tuple(self.atoms.tolist()), tuple(self.probs.tolist())))

    def plot(self, ax: Any = None, **style: Any) -> Any:
        """Bars of the masses on a matplotlib axis (a new figure's by default); returns the axis."""
        ax = axes(ax, 5, 3)
        x, p = self.atoms.astype(float), self.probs.astype(float)
        ax.vlines(x, 0, p, **{"linewidth": 2, **style})
        ax.axvline(float(self.mean), color="0.6", linestyle=":", linewidth=1)
        ax.set(xlabel="return", ylabel="probability", ylim=(0, None))
        return ax

    def to_dataframe(self) -> Any:
        """pandas frame, one row an atom: value, prob, cdf.  Raises `MissingBackend` without pandas."""
        try:
            import pandas as pd
        except ImportError as exc:
            raise MissingBackend("to_dataframe needs pandas: pip install rltheory[io]") from exc
        return pd.DataFrame({"value": self.atoms, "prob": self.probs, "cdf": self.cumulative})

    def __repr__(self) -> str:
        if self.is_exact:
            shown = ", ".join(f"{x}: {p}" for x, p in list(self)[:6])
        else:
            shown = ", ".join(f"{x:.6g}: {p:.4g}" for x, p in list(self)[:6])
        more = f", … {len(self)} atoms" if len(self) > 6 else ""
        return f"ReturnLaw({{{shown}{more}}}, {self.kind}, error={float(self.error):.2g})"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{x}</td><td>{p}</td></tr>" for x, p in list(self)[:20])
        return f"<p>{self!r}</p><table><tr><th>return</th><th>probability</th></tr>{rows}</table>"

    # ---- arguments ---------------------------------------------------------------------------
    def _many(self, x: Any) -> Any:
        if not np.ndim(x):
            return self._like(x)
        return exact_array(x) if self.is_exact else np.asarray(x, dtype=float)

    def _levels(self, name: str, tau: Any) -> Any:
        levels = self._many(tau)
        if not (np.all(levels > 0) and np.all(levels <= 1)):
            raise InvalidArgument(f"{name}: tau={tau}, need 0 < τ ≤ 1; the worst case is `atoms[0]`")
        return levels
