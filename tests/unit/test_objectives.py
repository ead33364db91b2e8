"""Objectives: values against their definitions, conditions, witnesses that are re-checked, refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory import objectives as O
from rltheory.errors import InvalidArgument
from rltheory.results import ReturnLaw

HALF = F(1, 2)
LAW = ReturnLaw([-3, -1, 0, 2, 5], [F(1, 10), F(1, 5), F(1, 10), F(2, 5), F(1, 5)])
TAUS = (F(1, 10), F(1, 4), HALF, F(3, 4), F(9, 10))
UTILITIES: dict[str, Callable[[Any], Any]] = {
    "x₋": lambda x: min(x, 0),
    "|x|": abs,
    "−x²": lambda x: -x * x,
    "√": lambda x: math.copysign(math.sqrt(abs(x)), x),
    "x>0": lambda x: int(x > 0),
    "x≥0": lambda x: int(x >= 0),
    "log-periodic": lambda x: (
        -abs(float(x)) * (1 + 0.15 * math.sin(2 * math.pi * math.log(abs(x)) / math.log(0.8))) if x else 0.0
    ),
    "clip": lambda x: max(-1, min(1, x)),
    "min(x,1)": lambda x: min(x, 1),
    "−|x−1|": lambda x: -abs(x - 1),
    "x≥1": lambda x: int(x >= 1),
    "−e^−x": lambda x: -math.exp(-x),
    "x−x²/8": lambda x: x - x * x / 8,
}
ALL = [
    O.mean(), O.shortfall(), O.surplus(), O.target(), O.mixed_risk(2, F(1, 3)), O.success(),
    O.negative_square(), O.entropic(1), O.entropic(-0.5), O.cvar(F(1, 4)), O.optimistic_cvar(HALF),
    O.quantile(HALF), O.variance(), O.mean_variance(F(1, 3)), O.mean_std(HALF),
    O.lexicographic(O.success(), O.mean()), O.expected_utility(lambda x: max(-1, min(1, x)), name="clip"),
    O.functional(lambda law: -law.wasserstein(ReturnLaw([0, 1], [HALF, HALF])), name="match"),
]  # fmt: skip


def sure(f: Callable[[Any], Any], c: Any = 0) -> Any:
    return sum(p * f(x + c) for x, p in LAW)


@pytest.mark.parametrize("c", [F(0), F(-1), F(3, 2)])
def test_values_are_their_definitions(c: F) -> None:
    assert O.mean()(LAW, c) == sure(lambda x: x, c)
    assert O.shortfall()(LAW, c) == sure(lambda x: min(x, 0), c)
    assert O.surplus()(LAW, c) == sure(lambda x: max(x, 0), c)
    assert O.target()(LAW, c) == -sure(abs, c)
    assert O.mixed_risk(2, 3)(LAW, c) == sure(lambda x: 2 * min(x, 0) + 3 * max(x, 0), c)
    assert O.success()(LAW, c) == sure(lambda x: x >= 0, c)
    assert O.negative_square()(LAW, c) == -sure(lambda x: x * x, c)
    assert O.variance()(LAW, c) == -(sure(lambda x: x * x) - sure(lambda x: x) ** 2)
    assert O.mean_variance(HALF)(LAW, c) == LAW.mean + c - LAW.var / 2
    assert O.mean_std(HALF)(LAW, c) == pytest.approx(float(LAW.mean + c) - math.sqrt(LAW.var) / 2)
    assert O.entropic(2)(LAW, c) == pytest.approx(math.log(sure(lambda x: math.exp(2 * x), c)) / 2)
    assert O.entropic(-2)(LAW, c) == pytest.approx(-math.log(sure(lambda x: math.exp(-2 * x), c)) / 2)
    assert O.lexicographic(O.success(), O.mean())(LAW, c) == (O.success()(LAW, c), LAW.mean + c)
    for tau in TAUS:
        assert O.cvar(tau)(LAW, c) == LAW.cvar(tau) + c
        assert O.quantile(tau)(LAW, c) == LAW.quantile(tau) + c


def test_exact_laws_give_exact_values() -> None:
    for o in ALL:
        value = o(LAW, F(1, 3))
        if o.name.startswith(("entropic", "E x − 1/2·σ")):
            assert isinstance(value, float)
        else:
            assert all(isinstance(v, F | int) for v in (value if isinstance(value, tuple) else (value,)))
            assert o(list(LAW), F(1, 3)) == value


def test_vector_returns() -> None:
    law = [((F(3), F(-4)), HALF), ((F(-1), F(2)), HALF)]
    assert O.homeostasis(1)(law) == F(-7 - 3, 2)
    assert O.homeostasis("max")(law, (F(1), F(1))) == F(-4 - 3, 2)
    assert O.homeostasis(2)(law) == pytest.approx(-(5 + math.sqrt(5)) / 2)
    assert O.constraint(10)(law) == F(3 - 40 - 1, 2)


def test_utilities_on_arrays() -> None:
    x = np.array([-2.0, -0.5, 0.0, 1.5])
    assert O.mixed_risk(2, 3).on(x).tolist() == [-4, -1, 0, 4.5]
    assert O.negative_square().on(x.reshape(2, 2)).tolist() == [[-4, -0.25], [0, -2.25]]
    assert O.target().on(rl.exact_array(x)).tolist() == [-2, F(-1, 2), 0, F(-3, 2)]
    with pytest.raises(InvalidArgument, match="no f"):
        O.cvar(HALF).on(x)


@pytest.mark.parametrize("o", [o for o in ALL if o.slopes is not None], ids=repr)
def test_slopes_say_what_f_is(o: O.Objective) -> None:
    up, down = o.slopes or (0, 0)
    assert o.f is not None
    for x in (F(-3), F(-1, 2), F(0), F(2)):
        assert o.f(x) == (up if x >= 0 else down) * x
    assert o.lipschitz == max(abs(up), abs(down))
    assert o.shape == ("linear" if up == down else "convex" if up > down else "concave")


def test_the_defect_of_gamma_indifference_is_the_printed_one() -> None:
    """max |D| at γ = 0.8 on −2, −1.75, …, 2: f must be γ-homogeneous, up to a factor, or D ≠ 0."""
    printed = {"clip": F(1, 5), "min(x,1)": F(1, 5), "−|x−1|": F(2, 5), "x≥1": 1, "x−x²/8": F(2, 25)}
    for name, f in UTILITIES.items():
        defect = O.gamma_defect(f, F(4, 5))
        if name in printed:
            assert defect == printed[name]
        elif name == "−e^−x":
            assert defect == pytest.approx(0.33183266489, abs=1e-10)
        else:
            assert defect == 0 or (isinstance(defect, float) and defect <= 1e-15)


@pytest.mark.parametrize("gamma", [F(4, 5), HALF, 0.8])
@pytest.mark.parametrize("name", UTILITIES)
def test_gamma_witnesses_are_counter_examples(name: str, gamma: Any) -> None:
    f = UTILITIES[name]
    found = O.gamma_witness(f, gamma)
    fails = name in ("clip", "min(x,1)", "−|x−1|", "x≥1", "−e^−x", "x−x²/8")
    if name == "log-periodic" and gamma == HALF:
        fails = True  # its period is log 0.8
    assert (found is not None) == fails
    if found is not None:
        before = [sum(p * f(x) for x, p in law) for law in (found.better, found.worse)]
        after = [sum(p * f(gamma * x) for x, p in law) for law in (found.better, found.worse)]
        assert before[0] >= before[1]
        assert after[0] < after[1]
        assert all(abs(sum(p for _, p in law) - 1) < 1e-12 for law in (found.better, found.worse))
        if name in ("clip", "min(x,1)", "x≥1") and gamma != 0.8:
            assert all(isinstance(v, F | int) for v in (*found.before, *found.after))


def test_a_kink_far_from_the_first_grid_is_found() -> None:
    assert O.gamma_witness(lambda x: min(x, 100), HALF) is not None
    assert O.gamma_witness(lambda x: min(x, 1), HALF, grid=[-2, -1, 0, 1]) is None
    assert O.gamma_witness(lambda x: min(x[0], 1) + x[1], HALF, [(0, 0), (1, 0), (2, 0), (0, 1)]) is not None


MIXTURES = {
    "cvar": (lambda law: law.cvar(HALF), 5, (-1, 0), [-1, 1], -1),
    "median": (lambda law: law.quantile(HALF), 10, (0, 10), [0, 10], 0),
    "match": (lambda law: -law.wasserstein(ReturnLaw([0, 1], [HALF, HALF])), 1, None, [0], 1),
    "mean−var": (lambda law: law.mean - law.var, 1, (F(1, 4), HALF), [0, 2], 0),
    "mean−std": (lambda law: float(law.mean) - law.std, 1, (0, 1 - math.sqrt(0.5)), [0, 2], 0),
}


@pytest.mark.parametrize("name", MIXTURES)
def test_the_printed_witnesses_of_mixtures(name: str) -> None:
    """½–½ mixtures: a fair law and a sure value tie, and do not tie when mixed with a third law."""
    K, other, after, pair, value = MIXTURES[name]
    fair = ReturnLaw(pair, [F(1, len(pair))] * len(pair))
    one = ReturnLaw.dirac(value)
    assert K(fair) == K(one)
    mixed = [K(ReturnLaw.mixture([HALF, HALF], [law, ReturnLaw.dirac(other)])) for law in (one, fair)]
    if after is not None:
        assert mixed == pytest.approx(list(after), abs=1e-15)
    else:
        assert mixed == [-HALF, 0]
    found = O.mixture_witness(K)
    assert found is not None
    recheck(K, found)


def recheck(K: Callable[[Any], Any], found: O.MixtureWitness) -> None:
    assert K(found.better) >= K(found.worse)
    w = [1 - found.weight, found.weight]
    mixed = [K(ReturnLaw.mixture(w, [law, found.other])) for law in (found.better, found.worse)]
    assert mixed[0] < mixed[1]
    assert 0 < found.weight < 1


def test_every_objective_that_fails_mixtures_has_its_witness() -> None:
    failing = [k(t) for t in TAUS for k in (O.cvar, O.optimistic_cvar, O.quantile)]
    failing += [k(lam) for lam in (F(1, 10), HALF, F(3), 2**0.5 - 1) for k in (O.mean_variance, O.mean_std)]
    for o in [*failing, O.variance()]:
        assert o.conditions(1).mixtures == "fails"
        found = o.conditions(1).mixture_witness
        assert found is not None
        recheck(o, found)
        assert o.outer is not None


def test_the_whole_mass_is_the_mean_or_the_maximum() -> None:
    for o in (O.cvar(1), O.optimistic_cvar(1), O.quantile(1)):
        assert o.conditions(HALF).mixtures == "holds"
        assert O.mixture_witness(o, tries=300) is None
    assert O.cvar(1)(LAW) == LAW.mean
    assert O.quantile(1)(LAW) == 5


def test_expected_utilities_and_their_increasing_transforms_pass_mixtures() -> None:
    for o in (O.target(), O.entropic(1), O.success(), O.lexicographic(O.success(), O.mean())):
        assert o.conditions(1).mixtures == "holds"
        assert O.mixture_witness(o, tries=300) is None


def test_conditions_at_a_discount() -> None:
    assert O.entropic(1).conditions(1).gamma == "holds"
    assert O.entropic(1).conditions(HALF).gamma == "fails"
    assert O.negative_square().gamma_factor(HALF) == F(1, 4)
    assert O.success().gamma_factor(HALF) == 1
    assert O.target().gamma_factor(HALF) == HALF
    clip = O.expected_utility(lambda x: max(-1, min(1, x)), lipschitz=1)
    assert clip.conditions(HALF).gamma == "fails"
    assert clip.conditions(1).gamma == "holds"
    unknown = O.expected_utility(lambda x: 3 * min(x, 0))
    assert unknown.conditions(HALF).gamma == "not refuted"
    assert "none found" in unknown.require(HALF, H=3, what="A1")
    worst = O.functional(lambda law: law.atoms[0])
    assert worst.conditions(HALF).gamma == "not refuted"
    capped = O.functional(lambda law: law.expect(lambda x: min(x, 1)))
    found = capped.conditions(HALF).gamma_witness
    assert found is not None
    laws = [ReturnLaw.from_pairs(law) for law in (found.better, found.worse)]
    assert capped(laws[0]) >= capped(laws[1])
    assert capped(laws[0].scale(HALF)) < capped(laws[1].scale(HALF))


@pytest.mark.parametrize("tau", TAUS)
@pytest.mark.parametrize("law", [LAW, ReturnLaw([-1, F(1, 3)], [F(2, 7), F(5, 7)])], ids=["five", "two"])
def test_outer_problems_give_the_functional(tau: F, law: ReturnLaw) -> None:
    """K(ν) = sup or inf over b of score(b, E f(X − b)); for these b among atoms, means."""

    def scores(o: O.Objective, bs: Any) -> list[Any]:
        assert o.outer is not None
        assert o.outer.inner is not None
        return [o.outer.score(b, o.outer.inner(law, -b)) for b in bs]

    atoms = law.atoms.tolist()
    assert max(scores(O.cvar(tau), atoms)) == law.cvar(tau)
    assert min(scores(O.optimistic_cvar(tau), atoms)) == law.upper_cvar(tau)
    assert max(scores(O.quantile(tau), atoms)) == law.quantile(tau)
    grid = [law.mean + F(k, 7) for k in range(-5, 6)]
    assert max(scores(O.variance(), grid)) == -law.var
    assert max(scores(O.mean_variance(tau), grid)) == law.mean - tau * law.var
    family = O.mean_std(tau).outer
    assert family is not None
    assert family.family is not None
    best = max(
        (lambda outer: outer.score(b, outer.inner(law, -b)))(family.family(d))  # type: ignore[misc]
        for b in grid
        for d in (law.std, law.std / 2, law.std * 2)
    )
    assert best == pytest.approx(O.mean_std(tau)(law), abs=1e-12)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: O.cvar(0), ["cvar: tau=0", "(0, 1]"]),
        (lambda: rl.cvar(1.5), ["tau=1.5"]),
        (lambda: O.quantile(-HALF), ["quantile: tau=-1/2"]),
        (lambda: O.optimistic_cvar(float("nan")), ["nan"]),
        (lambda: O.cvar("0.1"), ["'0.1'", "not a finite real number"]),
        (lambda: O.mixed_risk(-1, 2), ["alpha=-1", "≥ 0"]),
        (lambda: O.entropic(0), ["beta=0", "mean()"]),
        (lambda: O.mean_std(0), ["lam=0", "> 0"]),
        (lambda: O.mean_std(1).outer.family(0), ["d=0", "> 0"]),  # type: ignore[union-attr,misc]
        (lambda: O.constraint(-1), ["lam=-1"]),
        (lambda: O.homeostasis(3), ["norm=3", "'max'"]),  # type: ignore[arg-type]
        (lambda: rl.expected_utility(3), ["f=3", "not callable"]),  # type: ignore[arg-type]
        (lambda: rl.expected_utility(lambda x: float("nan")), ["nan", "finite"]),
        (lambda: rl.expected_utility(abs, slopes=(1, 1)), ["slopes=(1, 1)", "f(-1)=-1"]),
        (lambda: O.functional("cvar"), ["'cvar'", "not callable"]),  # type: ignore[arg-type]
        (lambda: O.lexicographic(O.mean()), ["two or more"]),
        (lambda: O.lexicographic(O.mean(), O.cvar(HALF)), ["expected utilities"]),
        (lambda: O.lexicographic(O.mean(), O.homeostasis()), ["different kinds"]),
        (lambda: O.cvar(HALF).require(1, H=3, what="A1"), ["A1", "not indifferent to mixtures", "StockDP"]),
        (lambda: O.entropic(1).require(HALF, H=3, what="A1"), ["not indifferent to γ=1/2", "time_indexed"]),
        (lambda: O.success().require(HALF, H=None, what="A2"), ["not Lipschitz", "H="]),
        (
            lambda: O.functional(lambda law: law.mean, mixtures=True).require(
                HALF, H=2, what="A1", time_indexed=True
            ),
            ["needs an expected utility"],
        ),
    ],
)
def test_bad_objectives_are_refused(make: Any, says: list[str]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        make()
    for text in says:
        assert text in str(caught.value)


def test_the_table_has_a_row_for_each() -> None:
    rows = {row["objective"]: row for row in O.table()}
    assert rows["CVaR_1/2"]["mixtures"] == "fails"
    assert rows["CVaR_1/2"]["solved by"].startswith("sup")
    assert rows["OCVaR_1/2"]["solved by"].startswith("inf")
    assert rows["−E x²"]["γ"] == "a = 1/4"
    assert rows["−E x²"]["Lipschitz"] == "no"
    assert rows["entropic(1)"]["γ"] == "fails"
    assert len(rows) == 17
