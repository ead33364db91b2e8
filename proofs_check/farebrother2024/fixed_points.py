"""Where tabular cross-entropy TD converges, population form.

F = readout ∘ E ∘ enc ∘ (r + γ·) on a chain of outcomes (a policy is fixed), V^π its value.  The fixed points
of F come between rational bounds from `CrossEntropyTD`; V^π comes from a linear solve.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import StateVec, sup_norm, to_fraction
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, NotShown, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.models.outcomes import OutcomeMDP
from rltheory.operators import HLGauss, OneHot, TwoHot, c51, readout
from rltheory.operators.encoding_bias import rounding_slope

from .chains import Chain, chains, family, hl, models, reach
from .lets import PAPER, biggest, precise, real

F = Fraction


# ---- two-hot and C51 -----------------------------------------------------------------------
@dataclass(frozen=True)
class Laws(Chain):
    """Let code be two-hot and P a law on its atoms in every state."""

    P: Any

    @cached_property
    def means(self) -> StateVec:
        """Readouts of P."""
        return readout(self.P, self.code.points)

    @cached_property
    def c51(self) -> StateVec:
        """Readouts after the C51 backup: r + γz with the weights of P(s'), projected."""
        M, z = self.M, self.code.points
        rows = [
            c51(r + M.gamma * z, self.P[t], z, clip=True) for r, t in zip(M.reward, M.next_state, strict=True)
        ]
        means = [p * readout(row, z) for p, row in zip(M.prob, rows, strict=True)]
        return np.add.reduceat(np.array(means), M.outcome_ptr[:-1])

    def T(self, Q: StateVec) -> StateVec:
        """T^πQ, written out."""
        y = self.M.prob * (self.M.reward + self.M.gamma * Q[self.M.next_state])
        return np.add.reduceat(y, self.M.outcome_ptr[:-1])


@st.composite
def two_hot_chains(draw: st.DrawFn) -> Laws:
    """Two-hot of 2 to 6 atoms; one range in four is a quarter of the values."""
    M = draw(models())
    top = reach(M) * (0.25 if draw(st.integers(0, 3)) == 3 else 1.0)
    code = TwoHot(-top, top, draw(st.integers(2, 6)), clip=True)
    return Laws(M, code, 0.0, np.array([draw(ck.laws(code.m)) for _ in range(M.S)]))


def uniform_laws(x: Chain) -> Laws:
    """The same with uniform laws."""
    return Laws(x.M, x.code, x.start, np.array([[F(1, x.code.m)] * x.code.m] * x.M.S))


SHORT = uniform_laws(family(TwoHot(F(-3), F(3), 51, clip=True)))

td_fixed_points: Claim[Laws] = Claim(
    statement="targets in range: two-hot has F = T^π, so its fixed point is V^π; C51 moves means by T^π",
    source=PAPER.at("derived: both encodings keep the mean"),
    let=two_hot_chains(),
    assume=[Assumption("targets in range", lambda x: x.in_range, fails_without=SHORT)],
    then=Eq(
        lhs=lambda x: np.concatenate([x.F(x.V), x.F(x.means), x.c51]),
        rhs=lambda x: np.concatenate([x.V, x.T(x.means), x.T(x.means)]),
    ),
    tight=Tight(uniform_laws(family(TwoHot(F(-20), F(20), 51, clip=True))), within=0),
    mutants=[
        Mutant("clipping is harmless", drop="targets in range"),
        Mutant(
            "one-hot keeps the mean, too",
            lhs=lambda x: np.concatenate([x.F(x.V, one_hot(x)), x.F(x.means, one_hot(x)), x.c51]),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def one_hot(x: Chain) -> OneHot:
    """One-hot on the same atoms."""
    return OneHot(x.code.v_min, x.code.v_max, x.code.m, clip=True)


# ---- HL-Gauss ------------------------------------------------------------------------------
def one_state(rho: Fraction) -> Chain:
    """γ = ½, 81 unit bins, a reward that puts the target a quarter of a bin off its centre."""
    code = HLGauss(F(-81, 2), F(81, 2), 81, rho=rho)
    y = F(1, 4)
    Q = to_fraction(float(code.float().mean(0.25)))
    return Chain(OutcomeMDP.from_lists([[[(F(1), 0, y - Q / 2)]]], gamma=F(1, 2)), code, Q)


CUT = family(replace(hl(F(3, 4), 3), clip=True))

td_fixed_points_hl: Claim[Chain] = Claim(
    statement="targets in range: every fixed point of HL-Gauss has ‖Q − V^π‖ ≤ B'/(1−γ), B' the bias bound",
    source=PAPER.at("derived: F = T^π + bias"),
    let=chains(clip=True),
    assume=[Assumption("targets in range", lambda x: x.in_range, fails_without=CUT)],
    then=Leq(lhs=precise(lambda x: [x.error]), rhs=precise(lambda x: [x.bias_bound * real(x.horizon)])),
    tight=Tight(one_state(F(3, 4)), within=1e-4),
    named={
        f"FM, ρ = {rho} from {start}": family(hl(rho), start)
        for rho in (F(1, 10), F(1, 2))
        for start in (0, 20)
    },
    mutants=[
        Mutant("without 1/(1−γ)", rhs=precise(lambda x: [x.bias_bound])),
        Mutant("HL-Gauss is exact", rhs=lambda x: [F(1, 10**6)]),
        Mutant("clipping is harmless", drop="targets in range"),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
    draws=60,
)


# ---- one-hot -------------------------------------------------------------------------------
@st.composite
def one_hot_chains(draw: st.DrawFn) -> Chain:
    """One-hot of 3 to 17 atoms."""
    M = draw(models())
    code = OneHot(-reach(M), reach(M), draw(st.sampled_from((3, 5, 9, 17))))
    return Chain(M, code, draw(st.sampled_from(("low", "high"))))


HALFWAY = Chain(OutcomeMDP.from_lists([[[(F(1), 0, F(1, 2))]]], gamma=F(1, 2)), OneHot(F(-2), F(2), 5), F(0))

td_fixed_points_one_hot: Claim[Chain] = Claim(
    statement="targets in range: every fixed point of the nearest-atom encoding has ‖Q − V^π‖ ≤ (ς/2)/(1−γ)",
    source=PAPER.at("derived: F = T^π ± ς/2"),
    let=one_hot_chains(),
    assume=[
        Assumption(
            "targets in range",
            lambda x: x.in_range,
            fails_without=family(OneHot(F(-3), F(3), 51, clip=True)),
        )
    ],
    then=Leq(lhs=lambda x: x.error, rhs=lambda x: x.code.spacing / 2 * x.horizon),
    tight=Tight(HALFWAY, within=0),
    named={f"FM from {start}": family(OneHot(F(-20), F(20), 51), start) for start in (0, 20)},
    mutants=[
        Mutant("(ς/4)/(1−γ)", rhs=lambda x: x.code.spacing / 4 * x.horizon),
        Mutant("there is one fixed point", then=Leq(lambda x: x.gap, lambda x: 0)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


# ---- order and uniqueness ------------------------------------------------------------------
@dataclass(frozen=True)
class Two(Chain):
    """Let Q1 ≤ Q2 be values."""

    Q1: Any
    Q2: Any

    @cached_property
    def change(self) -> Any:
        """FQ2 − FQ1."""
        return self.F(self.Q2) - self.F(self.Q1)

    @property
    def apart(self) -> Any:
        """γ‖Q2 − Q1‖."""
        return self.M.gamma * sup_norm(self.Q2 - self.Q1)

    @cached_property
    def slope(self) -> Any:
        """1 + 2Σe^{−2π²k²ρ²}."""
        return rounding_slope(self.code.rho)

    @property
    def padded(self) -> bool:
        """16σ between every target and the ends."""
        y = [self.M.reward + self.M.gamma * Q[self.M.next_state] for Q in (self.Q1, self.Q2)]
        room = min(min(self.code.v_max - v.max(), v.min() - self.code.v_min) for v in y)
        return bool(room >= 16 * self.code.sigma)


@st.composite
def two_values(draw: st.DrawFn) -> Two:
    """64 bins, three times the values wide; Q1 and Q2 a little or far apart."""
    M = draw(models())
    top = reach(M)
    code = HLGauss(-4 * top, 4 * top, 64, rho=draw(st.sampled_from((0.25, 5 / 16, 0.5, 0.75))))
    Q1 = top / 2 * draw(ck.vectors(M.S, min_value=-1, max_value=1))
    size = draw(st.sampled_from((1 / 64, 1 / 4, 1.0)))
    Q2 = Q1 + size * (1 / 64 + draw(ck.vectors(M.S, min_value=0, max_value=1)))
    return Two(M, code, draw(st.sampled_from(("low", "high"))), Q1, Q2)


def at_an_edge(rho: Fraction) -> Two:
    """One state whose two targets lie around a bin edge."""
    M = OutcomeMDP.from_lists([[[(F(1), 0, F(0))]]], gamma=F(1, 2))
    small = F(1, 1000)
    ends = [rl.exact_array([1 - small]), rl.exact_array([1 + small])]
    return Two(M, HLGauss(F(-81, 2), F(81, 2), 81, rho=rho), "low", *ends)


def family_two(rho: Fraction) -> Two:
    """FM with two values."""
    x = family(hl(rho))
    zero = rl.exact_array([F(0)] * 4)
    return Two(x.M, hl(rho), "low", zero, zero + 1)


FALLING = replace(at_an_edge(F(1)), Q1=rl.exact_array([F(1)]), Q2=rl.exact_array([F(0)]))

td_fixed_points_order: Claim[Two] = Claim(
    statement="F preserves order: Q1 ≤ Q2 ⇒ FQ1 ≤ FQ2",
    source=PAPER.at("derived: a truncated normal grows with its mean; readouts of bins are increasing"),
    let=two_values(),
    assume=[
        Assumption("Q1 ≤ Q2", lambda x: bool((x.Q1 <= x.Q2).all()), fails_without=FALLING),
    ],
    then=Leq(lhs=precise(lambda x: x.F(x.Q1)), rhs=precise(lambda x: x.F(x.Q2))),
    tight=Tight(at_an_edge(F(10)), within=0.01),
    mutants=[
        Mutant(
            "and grows by γ(Q2 − Q1) at least",
            then=Leq(precise(lambda x: [real(x.apart)]), precise(lambda x: [biggest(x.change)])),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

td_fixed_points_unique: Claim[Two] = Claim(
    statement="range padded: ‖FQ1 − FQ2‖ ≤ γ(1 + 2Σ_k e^{−2π²k²ρ²})‖Q1 − Q2‖; one fixed point if below 1",
    source=PAPER.at("derived: the steepest slope of the readout is at bin edges"),
    let=two_values(),
    assume=[
        Assumption(
            "16σ of padding", lambda x: x.padded, fails_without=NotShown("near an end the slope is smaller")
        )
    ],
    then=Leq(
        lhs=precise(lambda x: [biggest(abs(x.change))]),
        rhs=precise(lambda x: [real(x.apart) * x.slope]),
    ),
    tight=Tight([at_an_edge(F(1, 4)), at_an_edge(F(1, 2))], within=1e-4),
    named={"FM, ρ = .1": family_two(F(1, 10)), "FM, ρ = .2": family_two(F(1, 5))},
    mutants=[
        Mutant("F contracts by γ for every ρ", rhs=precise(lambda x: [real(x.apart)])),
        Mutant("one fixed point for every ρ", then=Leq(lambda x: [x.gap], lambda x: [0]), named_only=True),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
