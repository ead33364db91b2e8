"""Worst-case search rediscovers tight cases, confirms violations exactly, and stays inside the hypotheses."""

from __future__ import annotations

import dataclasses

import pytest

from proofs_check.agarwal2022 import simulation_lemma
from proofs_check.exact_mdp.operators import contraction, shift
from proofs_check.exact_mdp.value_iteration import action_elimination
from rltheory.checks import Leq, worst_case
from rltheory.errors import InvalidArgument


def test_it_finds_equality_from_random_starts() -> None:
    found = worst_case(contraction, n=400, seed=0)
    assert found.ratio == 1
    assert not found.violates
    assert found.instance.M.is_exact


def test_it_approaches_a_tight_case_that_random_draws_do_not_reach() -> None:
    drawn = max(r for n, r in worst_case(simulation_lemma, n=100, seed=1, starts=0).history)
    evolved = worst_case(simulation_lemma, n=3000, seed=1)
    assert evolved.ratio > 0.97 > drawn + 0.2
    assert not evolved.violates


def test_a_false_constant_is_violated_exactly() -> None:
    sharper = Leq(lhs=contraction.then.lhs, rhs=lambda x: contraction.then.rhs(x) * x.M.gamma)
    found = worst_case(dataclasses.replace(contraction, then=sharper), n=400, seed=0)
    assert found.violates
    assert found.ratio > 1
    assert "VIOLATED" in str(found)


@pytest.mark.parametrize("claim", [simulation_lemma, action_elimination])
def test_hypotheses_are_respected(claim: object) -> None:
    assert not worst_case(claim, n=600, seed=2).violates  # type: ignore[arg-type]


def test_an_equality_has_no_worst_case() -> None:
    with pytest.raises(InvalidArgument, match="equality"):
        worst_case(shift)


def test_the_result_is_neither_true_nor_false() -> None:
    with pytest.raises(TypeError, match="neither"):
        bool(worst_case(contraction, n=100))
