"""What is optimised: a functional K of the law of stock + return, and the conditions it meets.

Definitions.  For a stock c and a return G, K(law(c + G)) is maximised; an expected utility is
U_f(ν) = E_ν f, f̃ = f − f(0).  Conditions (see `witnesses` for the first two):

mixtures   K(ν) ≥ K(ν'), K(ξ) ≥ K(ξ')  ⇒  K((1−w)ν + wξ) ≥ K((1−w)ν' + wξ')
γ          K(law X) ≥ K(law Y)  ⇒  K(law γX) ≥ K(law γY);  for U_f: f̃(γx) = a·f̃(x) for some a > 0
Lipschitz  |K(ν) − K(ν')| ≤ L·w₁(ν, ν')

The first two make backward induction over (state, stock) optimal among all history-dependent policies
for a finite horizon; an infinite one needs the third as well.  Those that fail the first may still be a
supremum or infimum of expected utilities (`Outer`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays import Real
from ..errors import InvalidArgument
from ..results.law import ReturnLaw
from .witnesses import GammaWitness, MixtureWitness, gamma_witness, mixture_witness, scaling_witness

Verdict = Literal["holds", "fails", "not refuted"]
Factor = Callable[[Real], "Real | None"]
"""γ ↦ a with f̃(γx) = a·f̃(x) for all x, or None where there is none."""


def never(gamma: Real) -> Real | None:
    """No factor but at γ = 1."""
    return 1 if gamma == 1 else None


def linear(gamma: Real) -> Real | None:
    """a = γ: positively homogeneous utilities."""
    return gamma


@dataclass(frozen=True, eq=False)
class Outer:
    """K(ν) = sup_b or inf_b of score(b, E_ν f(· − b)): one stock problem per b, with initial stock −b.

    Attributes
    ----------
    kind
        "sup": a deterministic policy for the best b is optimal; "inf": the optimum may need one coin at
        time 0, between two policies.
    inner
        The expected utility solved; None where it depends on a further parameter (`family`).
    score
        (b, value) ↦ number, non-decreasing in value.
    gain
        |score(b, v) − score(b, v')| ≤ gain·|v − v'|; None if there is no such number.
    family
        d > 0 ↦ the `Outer` of that parameter; K is the supremum over d as well.
    """

    kind: Literal["sup", "inf"]
    inner: Objective | None
    score: Callable[[Any, Any], Any]
    gain: Real | None = 1
    family: Callable[[Any], Outer] | None = None


@dataclass(frozen=True)
class Conditions:
    """Which conditions an objective meets at a discount, with a witness where one fails.

    Attributes
    ----------
    mixtures, gamma
        "holds", "fails" (the witness says how), or "not refuted": the search for a witness found none,
        which proves nothing.
    lipschitz
        The constant L, or None.
    mixture_witness, gamma_witness
        Counter-examples, where known.
    """

    mixtures: Verdict
    gamma: Verdict
    lipschitz: Real | None
    mixture_witness: MixtureWitness | None = None
    gamma_witness: GammaWitness | None = None


@dataclass(frozen=True, eq=False)
class Objective:
    """A functional K of laws (higher is better), evaluated exactly on exact laws.

    Use the constructors of `rltheory.objectives`; this is what they fill.

    Attributes
    ----------
    name
        As printed.
    K
        Value of a law: a `ReturnLaw`, or for vector returns any iterable of (tuple, mass).
    f
        The utility where K(ν) is E_ν f, or an increasing function of it; else None.
    lipschitz
        L with respect to w₁ (for vectors, under the norm of the objective); None if there is none.
    factor
        γ ↦ a with f̃(γx) = a f̃(x); None when nobody knows.  For a K that is not an expected utility any
        number says that K is indifferent to γ.
    slopes
        (a₊, a₋) where f(x) = a₊x for x ≥ 0 and a₋x for x < 0.
    mixtures
        Whether K is indifferent to mixtures; None when nobody knows.
    outer
        How K is a supremum or infimum of expected utilities, where it is.
    m
        Length of the vectors it takes; None for numbers, 0 for any vector.
    shape
        "convex", "concave", "linear" utilities; None for others.
    continuous
        False for indicators: no grid of stocks has an error bound then.
    monotone_of
        True where K is an increasing function of E f, but not E f itself.
    triple
        (better, worse, other, weight) that shows that mixtures fail.
    """

    name: str
    K: Callable[[Any], Any]
    f: Callable[[Any], Any] | None = None
    lipschitz: Real | None = None
    factor: Factor | None = None
    slopes: tuple[Any, Any] | None = None
    mixtures: bool | None = None
    outer: Outer | None = None
    m: int | None = None
    shape: Literal["convex", "concave", "linear"] | None = None
    continuous: bool = True
    monotone_of: bool = False
    triple: tuple[ReturnLaw, ReturnLaw, ReturnLaw, Fraction] | None = field(default=None, repr=False)

    # ---- values --------------------------------------------------------------------------
    @property
    def is_expected_utility(self) -> bool:
        """True when K(ν) = E_ν f."""
        return self.f is not None and not self.monotone_of

    def __call__(self, law: Any, stock: Any = 0) -> Any:
        """K(law(stock + G)), G ~ law; exact on exact laws where K is rational.

        Parameters
        ----------
        law
            A `ReturnLaw`, or an iterable of (value, mass); values are tuples for vector returns.
        stock
            A number, or a tuple.
        """
        if isinstance(stock, tuple) or stock != 0:
            if isinstance(law, ReturnLaw) and not self.is_expected_utility:
                return self.K(law.shift(stock))
            law = [(shifted(x, stock), p) for x, p in law]
        if self.is_expected_utility or self.m is not None or isinstance(law, ReturnLaw):
            return self.K(law)
        return self.K(ReturnLaw.from_pairs(law))

    def on(self, points: NDArray[Any]) -> NDArray[Any]:
        """f at each point of an array, in its number system.

        Raises
        ------
        InvalidArgument
            For objectives without a utility.
        """
        if self.f is None:
            raise InvalidArgument(f"{self.name}: is no expected utility, it has no f; see its `outer`")
        if self.slopes is not None:
            zero = 0 * points
            up, down = np.maximum(points, zero), np.minimum(points, zero)
            return np.asarray(up * self.slopes[0] + down * self.slopes[1])
        values = [self.f(x) for x in points.reshape(-1).tolist()]
        out = np.empty(len(values), dtype=points.dtype)
        out[:] = values
        return out.reshape(points.shape)

    # ---- conditions ----------------------------------------------------------------------
    def gamma_factor(self, gamma: Real) -> Any:
        """a with f̃(γx) = a·f̃(x); None when there is none, or nobody knows one."""
        return 1 if gamma == 1 else None if self.factor is None else self.factor(gamma)

    def conditions(self, gamma: Real, *, searching: bool = True) -> Conditions:
        """The conditions at discount γ; `searching=False` does not look for missing witnesses.

        Complexity: a fraction of a second where a witness must be searched, remembered afterwards.
        """
        return _conditions(self, gamma, searching)

    def require(self, gamma: Real, *, H: int | None, what: str, time_indexed: bool = False) -> str:
        """Refuse an objective that (state, stock) recursions do not optimise; say what was relied upon.

        Parameters
        ----------
        gamma
            Discount.
        H
            Horizon; None for an infinite one.
        what
            Name of the solver, for the message.
        time_indexed
            True for solvers that use K_t(ν) = E f(γ^t ·) at time t, which need no indifference to γ.

        Returns
        -------
        str
            One sentence: the conditions that hold, and those only not refuted.

        Raises
        ------
        InvalidArgument
            Naming the condition, with a witness and the way out.
        """
        found = self.conditions(gamma)
        if found.mixtures == "fails":
            raise InvalidArgument(
                f"{what}: objective {self.name} is not indifferent to mixtures: {found.mixture_witness}; "
                f"{self._way_out()}, or pass unchecked=True to see it fail"
            )
        if time_indexed and self.f is None:
            raise InvalidArgument(
                f"{what}: time_indexed=True needs an expected utility, {self.name} has no f; "
                "use time_indexed=False"
            )
        if found.gamma == "fails" and not time_indexed:
            ways = (
                "use a finite horizon with time_indexed=True"
                if self.f is not None
                else "use γ = 1, or an expected utility with f̃(γx) = a f̃(x)"
            )
            raise InvalidArgument(
                f"{what}: objective {self.name} is not indifferent to γ={gamma}: {found.gamma_witness}; "
                f"{ways}, or pass unchecked=True to see it fail"
            )
        if H is None and self.lipschitz is None:
            raise InvalidArgument(
                f"{what}: objective {self.name} is not Lipschitz, and an infinite horizon needs it: returns "
                "far in the future must not matter; give a horizon H=, or pass unchecked=True to see it fail"
            )
        weak = [n for n, v in (("mixtures", found.mixtures), ("γ", found.gamma)) if v == "not refuted"]
        weak = weak[:1] if time_indexed and weak[:1] == ["mixtures"] else [] if time_indexed else weak
        said = "expected utility" if self.is_expected_utility else "indifferent to mixtures"
        if weak:
            return f"{said}; indifference to {' and '.join(weak)} was searched for a witness, none found"
        return (
            f"{said}, {'used with its scale at each step' if time_indexed else f'indifferent to γ={gamma}'}"
        )

    def _way_out(self) -> str:
        if self.outer is None:
            return "optimise an expected utility instead"
        bound = "a supremum" if self.outer.kind == "sup" else "an infimum"
        return f"it is {bound} of expected utilities: use StockDP, which searches over the initial stock"

    def named(self, name: str) -> Objective:
        """The same objective under another name."""
        return replace(self, name=name)

    def __repr__(self) -> str:
        return f"Objective({self.name})"


def shifted(x: Any, c: Any) -> Any:
    """x + c, by component for tuples."""
    return tuple(u + v for u, v in zip(x, c, strict=True)) if isinstance(x, tuple) else x + c


def expectation(f: Callable[[Any], Any]) -> Callable[[Iterable[tuple[Any, Any]]], Any]:
    """ν ↦ E_ν f over an iterable of (value, mass)."""

    def K(law: Iterable[tuple[Any, Any]]) -> Any:
        return sum(p * f(x) for x, p in law)

    return K


@lru_cache(maxsize=256)
def _conditions(objective: Objective, gamma: Real, searching: bool) -> Conditions:
    mixtures: Verdict = "holds" if objective.mixtures else "not refuted"
    mixed = scaled = None
    if objective.mixtures is False or (objective.mixtures is None and searching and objective.m is None):
        mixed = mixture_witness(objective)
        mixtures = "fails" if objective.mixtures is False or mixed is not None else "not refuted"
    known = objective.factor is not None
    a = objective.gamma_factor(gamma)
    verdict: Verdict = "holds" if a is not None else "fails" if known else "not refuted"
    if a is None and searching:
        if objective.f is not None:
            scaled = gamma_witness(objective.f, gamma, _vectors(objective))
        elif objective.m is None:
            scaled = scaling_witness(objective, gamma)
        verdict = "fails" if known or scaled is not None else "not refuted"
    return Conditions(mixtures, verdict, objective.lipschitz, mixed, scaled)


def _vectors(objective: Objective) -> list[tuple[Fraction, ...]] | None:
    """Points for utilities of vectors: a grid on the axes and diagonals; None for numbers."""
    if objective.m is None:
        return None
    m = objective.m or 2
    line = [Fraction(k, 2) for k in (-4, -3, -2, -1, 1, 2, 3, 4)]
    axes = [tuple(x if i == j else Fraction(0) for j in range(m)) for i in range(m) for x in line]
    return [(Fraction(0),) * m, *axes, *[(x,) * m for x in line], *[(x, *(-x,) * (m - 1)) for x in line]]
