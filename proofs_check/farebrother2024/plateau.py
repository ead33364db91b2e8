"""Cross-entropy against the squared error of the readout: plateaus, convexity, one bounding the other.

p̂ = softmax(l), Q = Σp̂_i z_i, R = z_m − z_1.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

from rltheory.checks import CERTIFIED, Assumption, Claim, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck

from .lets import PAPER, grids, log, precise, real, square
from .loss import EVEN, HALF, LAW, Step, cross_entropy, exact, norm2, product, softmax, steps


@dataclass(frozen=True)
class Wrong:
    """Let z = (−1, 0, 1), y = 1 and l = (a, 0, 0): wrong, and the surer the larger a."""

    a: Any

    @cached_property
    def logits(self) -> Any:
        """Logits."""
        return exact(self.a, 0, 0) if isinstance(self.a, Fraction) else np.array([self.a, 0.0, 0.0])

    @cached_property
    def p_hat(self) -> Any:
        """softmax(l)."""
        return softmax(self.logits)

    @cached_property
    def ce(self) -> Any:
        """‖∂CE/∂l‖²."""
        return norm2(
            self.p_hat - real(exact(0, 0, 1) if self.logits.dtype == object else np.array([0.0, 0.0, 1.0]))
        )

    @cached_property
    def mse(self) -> Any:
        """‖∂½(Q−1)²/∂l‖², p̂_i(z_i − Q)(Q − 1) summed in squares."""
        z = (-1, 0, 1)
        Q = product(self.p_hat, z)
        return sum(square((Q - 1) * p * (s - Q)) for p, s in zip(self.p_hat, z, strict=True))


def e_minus(a: Any, k: int = 2) -> Any:
    """e^{−ka}."""
    return (-k * real(a)).exp() if isinstance(a, Fraction) else float(np.exp(-k * a))


plateau: Claim[Wrong] = Claim(
    statement="z = (−1,0,1), y = 1, l = (a,0,0): ‖∂½(Q−y)²‖ ≤ 2√14·e^{−a} vanishes, ‖∂CE‖² ≥ 2 − 6e^{−a}",
    source=PAPER.at("derived; squared loss through a softmax against cross-entropy"),
    let=ck.dyadics(0, 32, denominator=16).map(Wrong),
    assume=[],
    then=Leq(
        lhs=precise(lambda x: [x.mse, 2 - 6 * e_minus(x.a, 1)]),
        rhs=precise(lambda x: [56 * e_minus(x.a), x.ce]),
    ),
    tight=Tight([Wrong(Fraction(20)), Wrong(Fraction(12))], within=1e-4),
    named={f"a = {a}": Wrong(Fraction(a)) for a in (2, 5, 10)},
    mutants=[
        Mutant(
            "cross-entropy has the plateau, too",
            lhs=precise(lambda x: [x.ce, 2 - 6 * e_minus(x.a, 1)]),
        ),
        Mutant("2√13", rhs=precise(lambda x: [52 * e_minus(x.a), x.ce])),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def through_softmax(x: Step, l: Any) -> Any:
    """½(Q − y)² at logits l."""
    return square(x.Q(l) - real(x.y)) / 2


def middle(f: Any, x: Step) -> list[Any]:
    """[f(l + v/2), (f(l) + f(l+v))/2]: convexity along v."""
    return [f(x.l + x.v / 2), (f(x.l) + f(x.l + x.v)) / 2]


WORSE = Step(exact(-1, 0, 1), exact(0, 0, 1), exact(2, 0, 0), exact(2, 0, 0), Fraction(1))

plateau_convex: Claim[Step] = Claim(
    statement="CE is convex along every step: CE(l + v/2) ≤ (CE(l) + CE(l+v))/2",
    source=PAPER.at("derived; squared loss through a softmax is not convex"),
    let=steps(),
    assume=[LAW],
    then=Leq(
        lhs=precise(lambda x: middle(lambda l: cross_entropy(x.p, l), x)[0]),
        rhs=precise(lambda x: middle(lambda l: cross_entropy(x.p, l), x)[1]),
    ),
    tight=Tight(EVEN, within=1e-3),
    named={"confident and wrong": WORSE},
    mutants=[
        Mutant(
            "½(Q − y)² is convex in the logits",
            then=Leq(
                precise(lambda x: middle(lambda l: through_softmax(x, l), x)[0]),
                precise(lambda x: middle(lambda l: through_softmax(x, l), x)[1]),
            ),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class TwoLaws:
    """Let p and q = p̂ > 0 be laws on atoms z."""

    z: Any
    p: Any
    q: Any

    @cached_property
    def divergence(self) -> Any:
        """KL(p‖q)."""
        pairs = [(a, b) for a, b in zip(self.p, self.q, strict=True) if a != 0]
        return sum(real(a) * log(real(a) / real(b)) for a, b in pairs)

    @cached_property
    def error(self) -> Any:
        """(Σq_i z_i − Σp_i z_i)²."""
        return ((self.q - self.p) * self.z).sum() ** 2

    @property
    def R2(self) -> Any:
        """R²."""
        return (self.z[-1] - self.z[0]) ** 2


@st.composite
def two_laws(draw: st.DrawFn) -> TwoLaws:
    """Two laws on up to five atoms, every other time close to each other."""
    z = draw(grids(2, 5))
    p, q = draw(ck.laws(z.size)), draw(ck.laws(z.size, positive=True))
    if draw(st.booleans()):
        p = q + (p - q) / 16
    return TwoLaws(z, p, q)


def two_point(eps: Fraction) -> TwoLaws:
    """p = ½ ± ε, p̂ = (½, ½)."""
    return TwoLaws(exact(0, 1), exact(HALF + eps, HALF - eps), exact(HALF, HALF))


CROSSED = TwoLaws(
    exact(0, 9, 1), exact(HALF, HALF, 0), exact(Fraction(3, 8), Fraction(9, 16), Fraction(1, 16))
)

ce_controls_mse: Claim[TwoLaws] = Claim(
    statement="(Q − Σp_i z_i)² ≤ (R²/2) KL(p‖p̂)",
    source=PAPER.at("derived from Pinsker's inequality"),
    let=two_laws(),
    assume=[
        Assumption(
            "z is increasing",
            lambda x: bool((x.z[1:] > x.z[:-1]).all()),
            fails_without=CROSSED,
        ),
    ],
    then=Leq(lhs=lambda x: x.error, rhs=precise(lambda x: real(x.R2) / 2 * x.divergence)),
    tight=Tight(two_point(Fraction(1, 1000)), within=1e-6),
    mutants=[Mutant("R²/4", rhs=precise(lambda x: real(x.R2) / 4 * x.divergence))],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
