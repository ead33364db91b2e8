"""The claim engine: verdicts are computed, every guard trips when it should, bad claims are refused."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest
from hypothesis import strategies as st

from rltheory import checks as ck
from rltheory.checks import (
    CERTIFIED,
    INCONCLUSIVE,
    PROVED,
    REFUTED,
    SUPPORTED,
    VACUOUS,
    Assumption,
    Claim,
    Eq,
    Every,
    Leq,
    Loose,
    Mutant,
    NotShown,
    Rate,
    Sample,
    Tight,
    strategies,
)
from rltheory.checks.evidence import Evidence, Outcome, compare_eq, compare_leq, interval
from rltheory.results import Enclosure

PAPER = ck.Paper("toy", "Author", "Title", 2000)


@dataclass(frozen=True)
class Num:
    """Let a be a number."""

    a: Any


def nums(lo: int = 1, hi: int = 10_000) -> Any:
    return st.integers(lo, hi).map(lambda k: Num(Fraction(k)))


def square(**change: Any) -> Claim[Num]:
    """a ≤ a² for a ≥ 1, tight at 1."""
    fields: dict[str, Any] = dict(  # noqa: C408
        statement="a ≤ a² for a ≥ 1",
        source=PAPER.at("1"),
        let=nums(),
        assume=[Assumption("a ≥ 1", lambda x: x.a >= 1, fails_without=Num(Fraction(1, 2)))],
        then=Leq(lhs=lambda x: x.a, rhs=lambda x: x.a**2),
        tight=Tight(Num(Fraction(1)), within=0),
        mutants=[Mutant("a² ≤ a", then=Leq(lambda x: x.a**2, lambda x: x.a))],
        expect=CERTIFIED,
    )
    return Claim(**{**fields, **change})


def test_a_true_exact_claim_is_certified() -> None:
    r = square().check()
    assert r.verdict is CERTIFIED and r.as_expected and r.evidence is Evidence.EXACT
    assert r.mutants[0].by == "search" and r.tight_ratio == 1


def test_a_complete_domain_is_proved_and_its_size_is_checked() -> None:
    domain = [Num(Fraction(k)) for k in range(1, 8)]
    assert square(let=Every("1..7", 7, domain), expect=PROVED).check().verdict is PROVED
    r = square(let=Every("1..8", 8, domain), expect=PROVED).check()
    assert r.verdict is VACUOUS and "declares 8" in r.findings[0]
    twice = [Num(Fraction(1))] * 7
    assert square(let=Every("1..7", 7, twice), expect=PROVED).check().verdict is VACUOUS


def test_a_false_claim_is_refuted_with_the_least_counterexample() -> None:
    false = square(then=Leq(lambda x: x.a, lambda x: Fraction(100)), tight=Loose(1.0, "false anyway"))
    r = false.check()
    assert r.verdict is REFUTED and r.counterexample is not None
    assert r.counterexample.literal == "Num(a=101)"
    assert (r.counterexample.lhs, r.counterexample.rhs) == ("101", "100")


def test_a_float_failure_that_exact_arithmetic_denies_is_no_refutation() -> None:
    # the float sides are wrong by 10 %, the certified ones right
    c = square(
        let=st.integers(1, 10_000).map(lambda k: Num(float(k))),
        then=Leq(lambda x: x.a * (1.1 if isinstance(x.a, float) else 1), lambda x: x.a),
        certify=lambda x: Num(Fraction(x.a)),
        mutants=[Mutant("2a ≤ a", lhs=lambda x: 2 * x.a)],
        assume=[],
    )
    assert c.check().verdict is CERTIFIED


def test_float_evidence_never_certifies() -> None:
    c = square(let=st.integers(2, 10_000).map(lambda k: Num(float(k))), tight=Loose(0.6, ""), assume=[])
    r = c.check()
    assert r.verdict is SUPPORTED and r.evidence is Evidence.FLOAT


def test_a_tie_is_not_a_pass() -> None:
    c = square(
        let=st.integers(1, 10_000).map(lambda k: Num(float(k))),
        then=Leq(lambda x: x.a, lambda x: x.a * (1 + 1e-14)),
        mutants=[Mutant("2a", lhs=lambda x: 2 * x.a)],
        tight=Loose(0.5, ""),
        assume=[],
    )
    assert c.check().verdict is INCONCLUSIVE


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"let": nums(1, 20)}, "at least 50"),
        ({"then": Leq(lambda x: 0, lambda x: 0)}, "at least 50"),
        (
            {"let": nums(), "assume": [Assumption("never", lambda x: False, NotShown("test"))]},
            "reject every instance",
        ),
        ({"mutants": [Mutant("still true", rhs=lambda x: x.a**3)]}, "survives"),
        ({"mutants": [Mutant("only at 1", lhs=lambda x: 2 if x.a == 1 else 0, named_only=True)]}, "power 0"),
        ({"tight": Tight(Num(Fraction(3)), within=0.5)}, "not tight"),
        ({"tight": Tight(Num(Fraction(1, 2)), within=1)}, "not admissible"),
        ({"tight": Loose(-1, "beyond one")}, "never reached"),
        ({"assume": [Assumption("a ≥ 1", lambda x: x.a >= 1, Num(Fraction(2)))]}, "breaks nothing"),
        ({"assume": [Assumption("a ≥ 1", lambda x: x.a >= 1, Num(Fraction(-1)))]}, "still holds without"),
    ],
)
def test_every_guard_trips(change: dict[str, Any], finding: str) -> None:
    r = square(**change).check()
    assert r.verdict is VACUOUS, r
    assert any(finding in f for f in r.findings), r.findings


def test_an_equality_whose_tight_case_is_zero_is_vacuous() -> None:
    c = square(
        then=Eq(lambda x: x.a - 1, lambda x: x.a - 1),
        mutants=[Mutant("other", rhs=lambda x: x.a)],
        assume=[],
    )
    assert any("both sides are zero" in f for f in c.check().findings)


@pytest.mark.parametrize("side", [math.nan, math.inf, flint.arb("nan")])
def test_nan_is_inconclusive(side: Any) -> None:
    r = square(
        then=Leq(lambda x: side, lambda x: x.a), mutants=[Mutant("a+1 ≤ a", lhs=lambda x: x.a + 1)]
    ).check()
    assert r.verdict is INCONCLUSIVE and not r.as_expected


def test_an_evaluation_that_raises_is_inconclusive_and_says_where() -> None:
    r = square(then=Leq(lambda x: 1 / (x.a // 10**6), lambda x: x.a)).check()
    assert r.verdict is INCONCLUSIVE
    assert "ZeroDivisionError" in r.findings[0]


def test_a_truth_value_is_no_side() -> None:
    r = square(then=Leq(lambda x: x.a > 0, lambda x: 1)).check()
    assert r.verdict is INCONCLUSIVE and "truth value" in r.findings[0]


def test_a_rate_must_not_survive_a_sharper_exponent() -> None:
    def rate(rhs: Any, **kw: Any) -> Claim[Num]:
        return Claim(
            statement="a·n^(1/2) ≤ 2 n^(1/2) for a ≤ 2",
            source=PAPER.at("rate"),
            let=st.integers(1, 2000).map(lambda k: Num(k / 1000)),
            assume=[],
            then=Rate(
                lhs=lambda x, n: x.a * n**0.5,
                rhs=rhs,
                over=[2.0**k for k in range(4, 40, 4)],
                resolution=0.05,
            ),
            tight=Tight(Num(2.0), within=0.01),
            mutants=[Mutant("half the constant", rhs=lambda n: n**0.5)],
            expect=SUPPORTED,
        )

    assert rate(lambda n: 2.001 * n**0.5).check().verdict is SUPPORTED
    slack = rate(lambda n: 2.001 * 4 * (n / 16) ** 0.6)
    assert any("sharper" in f for f in slack.check().findings)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mutants": []}, "mutants is empty"),
        ({"expect": REFUTED}, "expect"),
        ({"mutants": [Mutant("x", drop="no such assumption")]}, "none of the assumptions"),
        ({"mutants": [Mutant("x", lhs=lambda x: 1), Mutant("x", lhs=lambda x: 2)]}, "share their words"),
    ],
)
def test_a_toothless_claim_cannot_be_built(change: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        square(**change)


@pytest.mark.parametrize("missing", ["tight", "mutants", "expect"])
def test_tight_mutants_and_expect_have_no_default(missing: str) -> None:
    fields = {f.name: getattr(square(), f.name) for f in dataclasses.fields(Claim)}
    del fields[missing]
    with pytest.raises(TypeError, match=missing):
        Claim(**fields)


def test_a_mutant_changes_exactly_one_thing() -> None:
    with pytest.raises(TypeError, match="exactly one"):
        Mutant("two", lhs=lambda x: 1, rhs=lambda x: 2)
    with pytest.raises(TypeError, match="exactly one"):
        Mutant("none")


def test_dropping_an_assumption_is_a_mutant() -> None:
    c = square(
        let=st.integers(1, 10_000).map(lambda k: Num(Fraction(k, 100))),
        mutants=[Mutant("for every a > 0", drop="a ≥ 1")],
    )
    r = c.check()
    assert r.verdict is CERTIFIED and r.mutants[0].by == "search"


def test_a_report_is_neither_true_nor_false() -> None:
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(square().check())


def test_too_small_a_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="n=10"):
        square().check(n=10)


def test_same_seed_same_report() -> None:
    a, b = square().check(seed=3), square().check(seed=3)
    assert (a.best_ratio, a.instances, a.mutants) == (b.best_ratio, b.instances, b.mutants)


@pytest.mark.parametrize(
    ("lhs", "rhs", "outcome"),
    [
        (Fraction(1), Fraction(1), Outcome.HOLDS),
        (0, 0, Outcome.TRIVIAL),
        (Fraction(2), 1, Outcome.FAILS),
        (1.0, 1.0, Outcome.TIES),
        (1.0, 1.0 + 1e-10, Outcome.TIES),
        (1.0, 1.1, Outcome.HOLDS),
        (1.1, 1.0, Outcome.FAILS),
        (math.nan, 1.0, Outcome.UNDEFINED),
        (Enclosure(0, 2), 1, Outcome.TIES),
        (Enclosure(0, 1), 1, Outcome.HOLDS),
        (flint.arb(2).sqrt(), Fraction(3, 2), Outcome.HOLDS),
        (flint.arb(2).sqrt(), flint.arb(2).sqrt(), Outcome.TIES),
        (np.array([0, 0]), np.array([0, 1]), Outcome.HOLDS),
        ([1, 3], [2, 2], Outcome.FAILS),
        ([], [], Outcome.UNDEFINED),
    ],
)
def test_comparisons(lhs: Any, rhs: Any, outcome: Outcome) -> None:
    assert compare_leq(lhs, rhs).outcome is outcome


def test_equality_of_balls_is_never_certain_but_within_a_tolerance() -> None:
    root = flint.arb(2).sqrt()
    assert compare_eq(root, root).outcome is Outcome.TIES
    assert compare_eq(root, root, Fraction(1, 10**9)).outcome is Outcome.HOLDS
    assert compare_eq(root, root + 1, Fraction(1, 10**9)).outcome is Outcome.FAILS


def test_clopper_pearson_covers_its_closed_forms() -> None:
    s = Sample.binomial(0, 10, alpha=0.05)
    assert s.lower == 0 and s.upper == pytest.approx(1 - 0.025 ** (1 / 10))
    assert Sample.binomial(10, 10, alpha=0.05).lower == pytest.approx(0.025 ** (1 / 10))
    with pytest.raises(ValueError, match="successes=11"):
        Sample.binomial(11, 10)


def test_an_interval_keeps_the_rational_a_double_stores() -> None:
    a = interval(0.1)
    assert a is not None and a.lower < Fraction(0.1) < a.upper and a.evidence is Evidence.FLOAT
    b = interval(Fraction(1, 3))
    assert b is not None and b.lower == b.upper == Fraction(1, 3)


def test_lifting_converts_every_field_and_keeps_exact_instances_as_they_are() -> None:
    @dataclass(frozen=True)
    class Pair:
        a: Any
        b: Any

    lifted = strategies.lift_fields(Pair(0.5, np.array([0.25, 1.0])))
    assert lifted.a == Fraction(1, 2) and isinstance(lifted.a, Fraction)
    assert lifted.b.tolist() == [Fraction(1, 4), Fraction(1)] and lifted.b.dtype == object
    assert strategies.lift_fields(lifted) is lifted
    assert strategies.lift_fields(dataclasses.replace(lifted, a=0.5)) is not lifted
