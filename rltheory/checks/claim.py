"""The claim: a theorem as *let*, *assume*, *then*, with what makes it tight and what would break it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hypothesis.strategies import SearchStrategy

from .evidence import Comparison, Side, compare_eq, compare_leq
from .source import Source

if TYPE_CHECKING:
    from .report import Report

X = TypeVar("X")


class Verdict(Enum):
    """Computed, never asserted; the first row of the table that applies wins."""

    REFUTED = "refuted"
    VACUOUS = "vacuous"
    INCONCLUSIVE = "inconclusive"
    SUPPORTED = "supported"
    CERTIFIED = "certified"
    PROVED = "proved"


REFUTED, VACUOUS, INCONCLUSIVE = Verdict.REFUTED, Verdict.VACUOUS, Verdict.INCONCLUSIVE
SUPPORTED, CERTIFIED, PROVED = Verdict.SUPPORTED, Verdict.CERTIFIED, Verdict.PROVED


@dataclass(frozen=True)
class Leq(Generic[X]):
    """lhs(x) ≤ rhs(x), componentwise for arrays."""

    lhs: Callable[[X], Side]
    rhs: Callable[[X], Side]

    def __call__(self, x: X) -> Comparison:
        """Compare the two sides at x."""
        return compare_leq(self.lhs(x), self.rhs(x))


@dataclass(frozen=True)
class Eq(Generic[X]):
    """|lhs(x) − rhs(x)| ≤ within, componentwise; `within=0` is meant for exact sides."""

    lhs: Callable[[X], Side]
    rhs: Callable[[X], Side]
    within: Any = 0

    def __call__(self, x: X) -> Comparison:
        """Compare the two sides at x."""
        return compare_eq(self.lhs(x), self.rhs(x), self.within)


@dataclass(frozen=True, kw_only=True)
class Rate(Generic[X]):
    """lhs(x, n) ≤ rhs(n) for every n in `over`: an O(·) with its constant and starting point written down.

    `resolution` is the exponent the check can tell apart: rhs(n)·(n/over[0])^(−resolution) must be
    violated at the tight case, or the rate is not the true one.
    """

    lhs: Callable[[X, Any], Side]
    rhs: Callable[[Any], Side]
    over: Sequence[Any]
    resolution: float

    def __call__(self, x: X) -> Comparison:
        """Compare the two sides at x."""
        return compare_leq([self.lhs(x, n) for n in self.over], [self.rhs(n) for n in self.over])

    def sharper(self) -> Rate[X]:
        """The next better rate, anchored at over[0]."""
        first = float(self.over[0])
        return replace(self, rhs=lambda n: float(self.rhs(n)) * (float(n) / first) ** -self.resolution)


Then = Leq[X] | Eq[X] | Rate[X]


@dataclass(frozen=True)
class NotShown:
    """Why no instance shows that an assumption is needed."""

    reason: str


@dataclass(frozen=True)
class Assumption(Generic[X]):
    """A hypothesis: in words, as a test, and an instance that breaks it alone and the conclusion too."""

    says: str
    holds: Callable[[X], Any]
    fails_without: X | NotShown


@dataclass(frozen=True)
class Tight(Generic[X]):
    """Instances (one, or a list) at which lhs/rhs ≥ 1 − within; for equalities: both sides are not zero."""

    at: X | list[X]
    within: float

    @property
    def instances(self) -> list[X]:
        """The instances as a list."""
        return self.at if isinstance(self.at, list) else [self.at]


@dataclass(frozen=True)
class Loose:
    """No tight instance is known; the search must still reach lhs/rhs ≥ 1 − slack somewhere."""

    slack: float
    reason: str


@dataclass(frozen=True)
class Mutant(Generic[X]):
    """A plausible false version; it must be refuted.

    Give exactly one change: `lhs`, `rhs`, both sides at once as `then`, another domain as `let`, or
    `drop`, the words of an assumption left out.  `named_only` marks a mutant that random search is
    known not to kill: it is tried on the tight and named instances only (or on `let`, the directed
    family that does kill it).
    """

    says: str
    lhs: Callable[..., Side] | None = None
    rhs: Callable[..., Side] | None = None
    then: Then[X] | None = None
    let: SearchStrategy[X] | None = None
    drop: str | None = None
    named_only: bool = False

    def __post_init__(self) -> None:
        given = [f for f in ("lhs", "rhs", "then", "let", "drop") if getattr(self, f) is not None]
        if len(given) != 1:
            raise TypeError(f"Mutant({self.says!r}): exactly one of lhs, rhs, then, let, drop, not {given}")

    def of(self, then: Then[X]) -> Then[X]:
        """The conclusion with this mutant's change."""
        if self.then is not None:
            return self.then
        out: Any = then
        if self.lhs is not None:
            out = replace(out, lhs=self.lhs)
        if self.rhs is not None:
            out = replace(out, rhs=self.rhs)
        conclusion: Then[X] = out
        return conclusion


@dataclass(frozen=True)
class Every(Generic[X]):
    """A complete finite domain: its description, its size, and all its instances."""

    domain: str
    size: int
    instances: Iterable[X]


@dataclass(frozen=True, kw_only=True)
class Claim(Generic[X]):
    """A theorem: *let* x be such, *assume* this, *then* that.

    Attributes
    ----------
    statement
        As printed, in Unicode.
    source
        `PAPER.at("Theorem 3")`.
    let
        A Hypothesis strategy of instances, or `Every` instance of a finite domain.
    assume
        Hypotheses beyond what `let` builds in.
    then
        The conclusion.
    tight
        `Tight(at, within)` or `Loose(slack, reason)`.
    mutants
        False versions that the check must refute; never empty.
    expect
        PROVED, CERTIFIED or SUPPORTED: what the check is expected to show.
    certify
        Lifts an instance into exact or enclosed arithmetic; everything reported is evaluated there.
    named
        Named instances: must satisfy the claim, and are tried against every mutant.
    draws
        Cap on the number of random instances, for claims whose instances are slow.
    """

    statement: str
    source: Source
    let: SearchStrategy[X] | Every[X]
    assume: Sequence[Assumption[X]]
    then: Then[X]
    tight: Tight[X] | Loose
    mutants: Sequence[Mutant[X]]
    expect: Verdict
    certify: Callable[[X], X] | None = None
    named: Mapping[str, X] = field(default_factory=lambda: MappingProxyType({}))
    draws: int | None = None

    def __post_init__(self) -> None:
        if not self.mutants:
            raise TypeError(
                f"Claim {self.statement!r}: mutants is empty; a check that nothing can fail is not a check"
            )
        if self.expect not in (SUPPORTED, CERTIFIED, PROVED):
            raise TypeError(
                f"Claim {self.statement!r}: expect={self.expect}; expect SUPPORTED, CERTIFIED or PROVED"
            )
        if len({m.says for m in self.mutants}) != len(self.mutants):
            raise TypeError(f"Claim {self.statement!r}: two mutants share their words; name them apart")
        words = {a.says for a in self.assume}
        for m in self.mutants:
            if m.drop is not None and m.drop not in words:
                raise TypeError(
                    f"Mutant({m.says!r}): drop={m.drop!r} is none of the assumptions {sorted(words)}"
                )

    def admits(self, x: X) -> bool:
        """True when every assumption holds at x."""
        return all(bool(a.holds(x)) for a in self.assume)

    def admissible(self) -> SearchStrategy[X]:
        """The theorem's hypotheses as a Hypothesis strategy, for use in `@given`."""
        from hypothesis import strategies as st

        base = st.sampled_from(list(self.let.instances)) if isinstance(self.let, Every) else self.let
        return base.filter(self.admits) if self.assume else base

    def check(self, n: int = 100, seed: int = 0, *, record: bool = False) -> Report:
        """Run the check; see `rltheory.checks.check`."""
        from .check import check

        return check(self, n=n, seed=seed, record=record)


@dataclass(frozen=True, kw_only=True)
class Erratum(Generic[X]):
    """A false statement of the literature: the counterexample refutes `then` and satisfies `corrected`.

    `known_as` says in which form it is met: "printed", or for example "commonly summarised".
    """

    statement: str
    source: Source
    then: Then[X]
    counterexample: X
    corrected: Claim[X]
    known_as: str = "printed"
