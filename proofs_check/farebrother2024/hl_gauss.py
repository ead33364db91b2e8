"""HL-Gauss: bias and variance in the interior, bias at the ends.

Bins of width ς, σ = ρς, q = e^{−2π²ρ²}, u = y − (nearest bin centre), α = (v_min − y)/σ, β = (v_max − y)/σ,
o_L = Φ(α), o_R = 1 − Φ(β), B = −(ς/π) ln(1 − q).
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

from flint import arb
from hypothesis import strategies as st

from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, NotShown, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.operators.encoding_bias import (
    rounding_bias,
    rounding_bias_bound,
    rounding_variance,
    rounding_variance_radius,
    truncated_normal_shift,
)

from .lets import (
    PAPER,
    RHOS,
    TINY,
    Target,
    anywhere,
    interior,
    log,
    precise,
    real,
    square,
    wide,
)

QUARTER, RHO, THREE = Fraction(1, 4), Fraction(3, 4), Fraction(3, 10)
RECOMMENDED = wide(RHO, QUARTER)
NARROW = wide(THREE, QUARTER)
AT_THE_END = replace(RECOMMENDED, y=Fraction(81, 2))
ONE = wide(Fraction(1), Fraction(0), m=51)
FIVE = replace(ONE, y=Fraction(41, 2))
PADDED = Assumption[Target](
    "the ends are 15σ away", lambda x: x.padding >= 15, fails_without=replace(RECOMMENDED, y=Fraction(40))
)


IN_RANGE = Assumption[Target](
    "y is in range", lambda x: x.padding >= 0, fails_without=NotShown("the encoding refuses it")
)


def narrower(x: Target) -> Any:
    """σ√2: turns e^{−2π²k²ρ²} into e^{−4π²k²ρ²}."""
    return real(x.sigma) * (arb(2).sqrt() if isinstance(x.y, Fraction) else 2**0.5)


def sheppard(x: Target) -> Any:
    """σ² + ς²/12."""
    return square(real(x.sigma)) + square(real(x.width)) / 12


def doubled(x: Target) -> Any:
    """The variance series with q² for q, its own σ² kept."""
    other = narrower(x)
    return rounding_variance(x.u, x.width, other) - square(real(x.sigma))


def radius_doubled(x: Target) -> Any:
    """More than the radius with q² for q."""
    return rounding_variance_radius(x.width, narrower(x))


hl_interior_bias: Claim[Target] = Claim(
    statement="far from the ends, mean − y = −(ς/π) Σ_k ((−1)^{k+1}/k) e^{−2π²k²ρ²} sin(2πku/ς)",
    source=PAPER.at("derived: Fourier series of the sawtooth"),
    let=interior(),
    assume=[PADDED],
    then=Eq(
        lhs=precise(lambda x: x.bias),
        rhs=precise(lambda x: rounding_bias(x.u, x.width, x.sigma)),
        within=TINY,
    ),
    tight=Tight([NARROW, RECOMMENDED], within=0),
    mutants=[
        Mutant("e^{−4π²k²ρ²}", rhs=precise(lambda x: rounding_bias(x.u, x.width, narrower(x)))),
        Mutant("no bias", rhs=lambda x: 0),
        Mutant("the other sign", rhs=precise(lambda x: -rounding_bias(x.u, x.width, x.sigma))),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

hl_interior_bias_bound: Claim[Target] = Claim(
    statement="far from the ends, |mean − y| ≤ −(ς/π) ln(1 − e^{−2π²ρ²})",
    source=PAPER.at("derived: the series, term by term"),
    let=interior(),
    assume=[PADDED],
    then=Leq(lhs=precise(lambda x: abs(x.bias)), rhs=precise(lambda x: x.B)),
    tight=Tight([wide(Fraction(1), QUARTER), RECOMMENDED], within=1e-5),
    mutants=[
        Mutant("e^{−4π²ρ²}", rhs=precise(lambda x: rounding_bias_bound(x.width, narrower(x)))),
        Mutant("no bias", rhs=lambda x: 0),
        Mutant("ς/2π for ς/π", rhs=precise(lambda x: x.B / 2)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@st.composite
def off_centre(draw: st.DrawFn) -> Target:
    """Targets in the interior that are neither on a centre nor on an edge."""
    x = draw(interior())
    shift = draw(st.integers(1, 15)) / 32 * x.width * draw(st.sampled_from((-1, 1)))
    return replace(x, y=round(x.y / x.width) * x.width + shift)


hl_interior_bias_sign: Claim[Target] = Claim(
    statement="far from the ends the bias pulls towards the nearest centre: (mean − y)·u ≤ 0",
    source=PAPER.at("derived: a Gaussian average of the sawtooth is odd, and positive on half a period"),
    let=off_centre(),
    assume=[PADDED],
    then=Leq(
        lhs=precise(lambda x: [x.bias * real(x.u), abs(x.bias)]),
        rhs=precise(lambda x: [0, real(abs(x.u))]),
    ),
    tight=Tight(wide(Fraction(1, 64), QUARTER), within=1e-9),
    mutants=[
        Mutant("away from it", lhs=precise(lambda x: [-x.bias * real(x.u), abs(x.bias)])),
        Mutant("it moves half-way at most", rhs=precise(lambda x: [0, real(abs(x.u) / 2)])),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def outside(x: Target) -> Any:
    """o_L + o_R."""
    low, high = real(x.y - x.code.v_min) / real(x.sigma), real(x.code.v_max - x.y) / real(x.sigma)
    if isinstance(low, arb):
        return ((low / arb(2).sqrt()).erfc() + (high / arb(2).sqrt()).erfc()) / 2
    return (math.erfc(low / 2**0.5) + math.erfc(high / 2**0.5)) / 2


hl_edge_bias: Claim[Target] = Claim(
    statement="|mean − y| ≤ [B + σ(φ(α)+φ(β)) + (ς/2)(o_L+o_R)]/(1−o_L−o_R) for every y in range",
    source=PAPER.at("derived: rounding is unbiased up to B on the whole line; the rest is left out"),
    let=anywhere(),
    assume=[IN_RANGE],
    then=Leq(lhs=precise(lambda x: abs(x.bias)), rhs=precise(lambda x: x.bound)),
    tight=Tight([RECOMMENDED, wide(Fraction(1, 2), QUARTER)], within=0.01),
    named={"upper end": AT_THE_END, "5σ": FIVE},
    mutants=[
        Mutant("renormalising removes the bias at the ends", rhs=precise(lambda x: x.B)),
        Mutant("not divided by 1−o_L−o_R", rhs=precise(lambda x: x.bound * (1 - outside(x)))),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@st.composite
def padded(draw: st.DrawFn) -> Target:
    """51 bins; targets 8 to 12σ from an end, one in four only 5σ, ρ from ⅛ to 3/2."""
    x = wide(draw(st.sampled_from((*RHOS, 1.25, 1.5))), 0.0, 1.0, 51)
    far = 5.0 if draw(st.integers(0, 3)) == 3 else 8 + draw(st.integers(0, 32)) / 8
    return replace(x, y=(x.code.v_max - far * x.sigma) * draw(st.sampled_from((-1, 1))))


hl_edge_bias_padding: Claim[Target] = Claim(
    statement="8σ from the ends only the interior bias is left: |mean − y| ≤ B + 3·10⁻¹⁴ σ",
    source=PAPER.at("derived from the two-part bound, ρ ≥ 1/8"),
    let=padded(),
    assume=[
        Assumption("8σ of padding", lambda x: x.padding >= 8, fails_without=FIVE),
        Assumption(
            "ρ ≥ 1/8", lambda x: 8 * x.sigma >= x.width, fails_without=NotShown("B/σ grows as ρ falls to 0")
        ),
    ],
    then=Leq(
        lhs=precise(lambda x: abs(x.bias)),
        rhs=precise(lambda x: x.B + real(3 * Fraction(1, 10**14) * x.sigma)),
    ),
    tight=Tight(RECOMMENDED, within=1e-4),
    mutants=[
        Mutant("5σ of padding leave B only at ρ = 1", drop="8σ of padding"),
        Mutant("nothing is left", rhs=precise(lambda x: real(3 * Fraction(1, 10**14) * x.sigma))),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def shift_constant(x: Target) -> Fraction:
    """0.1 for ρ ≥ 3/4, 0.15 for ρ ≥ 1/2, 0.27 for ρ ≥ 3/10."""
    rho = x.code.rho
    return Fraction(1, 10) if rho >= RHO else Fraction(15, 100) if 2 * rho >= 1 else Fraction(27, 100)


def shift(x: Target) -> Any:
    """mean − y minus the shift of the truncated normal."""
    return x.bias - truncated_normal_shift(x.y, x.code.v_min, x.code.v_max, x.sigma)


def end(rho: Fraction) -> Target:
    """y = v_max in 20 unit bins."""
    return replace(wide(rho, 0, m=20), y=Fraction(10))


hl_edge_bias_shift: Claim[Target] = Claim(
    statement="|mean − y − σ(φ(α)−φ(β))/(Φ(β)−Φ(α))| ≤ 0.1ς for ρ ≥ .75, 0.15ς for ρ ≥ .5, 0.27ς for ρ ≥ .3",
    source=PAPER.at("derived: the bias at the ends is that of a truncated normal"),
    let=anywhere((5 / 16, 1 / 2, 3 / 4, 1.0, 2.0)),
    assume=[
        IN_RANGE,
        Assumption("ρ ≥ 3/10", lambda x: x.code.rho >= THREE, fails_without=end(Fraction(1, 8))),
    ],
    then=Leq(
        lhs=precise(lambda x: abs(shift(x))),
        rhs=precise(lambda x: real(shift_constant(x) * x.width)),
    ),
    tight=Tight([end(RHO), end(Fraction(1, 2)), end(THREE)], within=0.1),
    mutants=[
        Mutant("two thirds of it", rhs=precise(lambda x: real(shift_constant(x) * x.width * 2 / 3))),
        Mutant("only the interior bias is left", rhs=precise(lambda x: x.B)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

hl_variance: Claim[Target] = Claim(
    statement="far from the ends, Var = σ² + ς²/12 + 2ς²Σ_k(−1)^k q^{k²}(2ρ²+1/(2π²k²)) cos(2πku/ς) − bias²",
    source=PAPER.at("derived: Poisson summation"),
    let=interior(),
    assume=[PADDED],
    then=Eq(
        lhs=precise(lambda x: x.variance),
        rhs=precise(lambda x: rounding_variance(x.u, x.width, x.sigma)),
        within=TINY,
    ),
    tight=Tight([NARROW, RECOMMENDED], within=0),
    mutants=[
        Mutant("σ²", rhs=precise(lambda x: square(real(x.sigma)))),
        Mutant("σ² + ς²/12", rhs=precise(sheppard)),
        Mutant("exponent doubled", rhs=precise(lambda x: doubled(x))),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

hl_variance_bound: Claim[Target] = Claim(
    statement="far from the ends, |Var − σ² − ς²/12| ≤ ς²(4ρ² + 1/π²) q/(1−q) + B²",
    source=PAPER.at("derived from the series; Sheppard's correction with its error"),
    let=interior(),
    assume=[PADDED],
    then=Leq(
        lhs=precise(lambda x: abs(x.variance - sheppard(x))),
        rhs=precise(lambda x: rounding_variance_radius(x.width, x.sigma)),
    ),
    tight=Tight(wide(RHO, Fraction(0)), within=2e-5),
    mutants=[
        Mutant("around σ²", lhs=precise(lambda x: abs(x.variance - square(real(x.sigma))))),
        Mutant("exponent doubled", rhs=precise(lambda x: radius_doubled(x))),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def entropy(x: Target) -> Any:
    """−Σp log p."""
    return -sum(p * log(p) for p in x.law if p > 0)  # a double may be 0 in the far tail


def gaussian_entropy(x: Target, extra: Any = Fraction(1, 12)) -> Any:
    """½ ln(2πe(ρ² + 1/12))."""
    if isinstance(x.y, Fraction):
        return (2 * arb.pi() * arb(1).exp() * real(x.code.rho**2 + extra)).log() / 2
    return math.log(2 * math.pi * math.e * (x.code.rho**2 + float(extra))) / 2


hl_variance_entropy: Claim[Target] = Claim(
    statement="ρ = 3/4: the entropy of the encoding, the least cross-entropy, is ½ln(2πe(ρ²+1/12)) ± 4·10⁻⁵",
    source=PAPER.at("derived; so the loss never reaches 0"),
    let=interior((0.75,)),
    assume=[
        PADDED,
        Assumption("ρ = 3/4", lambda x: x.code.rho == RHO, fails_without=wide(Fraction(1, 2), Fraction(0))),
    ],
    then=Leq(
        lhs=precise(lambda x: abs(entropy(x) - gaussian_entropy(x))),
        rhs=lambda x: Fraction(4, 10**5),
    ),
    tight=Tight(wide(RHO, Fraction(0)), within=0.3),
    mutants=[
        Mutant("½ln(2πeρ²)", lhs=precise(lambda x: abs(entropy(x) - gaussian_entropy(x, Fraction(0))))),
        Mutant("the loss reaches 0", lhs=precise(entropy)),
        Mutant("± 10⁻⁵", rhs=lambda x: Fraction(1, 10**5)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
