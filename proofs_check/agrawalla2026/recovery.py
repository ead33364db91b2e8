"""The last step, and by which factors errors made on the way fade.

ψ_K is the K-step Euler readout, ŷ(t, z) = z + (1−t)v(t, z) the implied target, β_n(c) = Π_{i≤n}(1 − c/i).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb
from hypothesis import strategies as st

from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, NotShown, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.operators.flow import euler, recovery

from .lets import PAPER, Conic, F, conics, cs, exact, precise, real

HALF = F(1, 2)


# ---- the last step -------------------------------------------------------------------------
@dataclass(frozen=True)
class AnyField:
    """Let v(t, z) = a + bt + cz + dtz + ez² be a field, y a number, K steps from z0."""

    K: int
    coefficients: Any
    y: Any
    z0: Any

    def field(self, t: Any, z: Any) -> Any:
        """v."""
        a, b, c, d, e = self.coefficients
        return a + b * t + c * z + d * t * z + e * z * z

    def before(self, k: int) -> Any:
        """z_k, step by step."""
        z = self.z0
        for i in range(k):
            t = F(i, self.K) if isinstance(z, Fraction) else i / self.K
            z = z + self.field(t, z) / self.K
        return z

    def implied(self, k: int) -> Any:
        """ŷ(t_k, z_{K−1})."""
        t, z = F(k, self.K) if isinstance(self.z0, Fraction) else k / self.K, self.before(self.K - 1)
        return z + (1 - t) * self.field(t, z)

    @property
    def dirac(self) -> Any:
        """Readout of (y − z)/(1 − t)."""
        return euler(lambda t, z: (self.y - z) / (1 - t), self.z0, self.K)


@st.composite
def fields(draw: st.DrawFn) -> AnyField:
    """Random fields, quadratic in z, up to 8 steps."""
    K = draw(st.sampled_from((1, 2, 3, 4, 8)))
    coefficients = draw(ck.vectors(5, min_value=-1, max_value=1))
    coefficients[0] += 2  # not the zero field
    return AnyField(K, coefficients, draw(ck.dyadics(-4, 4)), draw(ck.dyadics(-2, 2, denominator=8)))


last_step: Claim[AnyField] = Claim(
    statement="ψ_K = ŷ(t_{K−1}, z_{K−1}) for every field; a Dirac's field reads out y for every K and z_0",
    source=PAPER.at("derived: the readout is the last implied target"),
    let=fields(),
    assume=[],
    then=Eq(
        lhs=lambda x: [euler(x.field, x.z0, x.K), x.dirac],
        rhs=lambda x: [x.implied(x.K - 1), x.y],
    ),
    tight=Tight(AnyField(3, exact(2, 1, HALF, -1, F(1, 3)), F(5), F(1, 4)), within=0),
    mutants=[
        Mutant("at t_K: it returns z_{K−1}", rhs=lambda x: [x.implied(x.K), x.y]),
        Mutant("the Dirac field needs K = ∞", lhs=lambda x: [euler(x.field, x.z0, x.K), x.before(x.K)]),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


# ---- the product ---------------------------------------------------------------------------
def from_step(x: Conic, z: Any) -> Any:
    """Steps j … K−1 from z."""
    for k in range(x.j, x.K):
        t = F(k, x.K) if isinstance(x.c, Fraction) else k / x.K
        z = z + x.field(t, z) / x.K
    return z


NAMED = Conic(8, HALF, F(1), F(0), F(1), 0)

recovery_product: Claim[Conic] = Claim(
    statement="slope −c/(1−t): an error ε in z_k is ε·β_{K−k}(c) in z_K",
    source=PAPER.at("rate K^{−c} recalled from a summary; product derived"),
    let=conics(),
    assume=[],
    then=Eq(
        lhs=lambda x: from_step(x, x.m + x.e) - from_step(x, x.m),
        rhs=lambda x: x.e * recovery(x.K - x.j, x.c),
    ),
    tight=Tight(NAMED, within=0),
    named={"c = 1, one step": Conic(5, F(1), F(1), F(0), F(3), 4)},
    mutants=[
        Mutant("(1 − c/K)^{K−k}", rhs=lambda x: x.e * (1 - x.c / x.K) ** (x.K - x.j)),
        Mutant(
            "an error at k counts K − k − 1 steps", rhs=lambda x: x.e * recovery(max(0, x.K - x.j - 1), x.c)
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Power:
    """Let 0 < c < 1."""

    c: Any

    @cached_property
    def betas(self) -> dict[int, Any]:
        """β_K(c) for K in LONG, multiplied up."""
        return {K: recovery(K, self.c) for K in LONG}

    def beta(self, K: int) -> Any:
        """β_K(c)."""
        return real(self.betas[K])

    def power(self, n: int, more: Any = 0) -> Any:
        """n^{−c−more}/Γ(1−c)."""
        c = real(self.c)
        if isinstance(c, arb):
            return (-(c + real(F(more))) * arb(n).log()).exp() / (1 - c).gamma()
        from math import gamma

        return float(n) ** (-c - float(more)) / gamma(1 - c)


LONG = (1, 2, 4, 8, 16, 64, 256, 1000)

recovery_product_rate: Claim[Power] = Claim(
    statement="(K+1)^{−c}/Γ(1−c) < β_K(c) < K^{−c}/Γ(1−c), 0 < c < 1, K ≥ 1",
    source=PAPER.at("rate O(K^{−c}) recalled from a summary; constants derived from Gautschi's inequality"),
    let=ck.dyadics(1 / 64, 63 / 64).map(Power),
    assume=[Assumption("0 < c < 1", lambda x: 0 < x.c < 1, fails_without=NotShown("β is for 0 ≤ c ≤ 1"))],
    then=Leq(
        lhs=precise(lambda x: [*(x.power(K + 1) for K in LONG), *(x.beta(K) for K in LONG)]),
        rhs=precise(lambda x: [*(x.beta(K) for K in LONG), *(x.power(K) for K in LONG)]),
    ),
    tight=Tight(Power(HALF), within=2e-4),
    named={"c = ¼": Power(F(1, 4)), "c = ¾": Power(F(3, 4))},
    mutants=[
        Mutant(
            "K^{−c−.02}/Γ(1−c), from K = 64 on",
            then=Leq(
                precise(lambda x: [x.beta(K) for K in LONG[5:]]),
                precise(lambda x: [x.power(K, F(1, 50)) for K in LONG[5:]]),
            ),
        ),
        Mutant(
            "K^{−2c}/Γ(1−c)",
            then=Leq(
                precise(lambda x: [x.beta(K) for K in LONG]),
                precise(lambda x: [x.power(K, x.c) for K in LONG]),
            ),
        ),
        Mutant(
            "c = 0 also recovers: β_K ≤ ½ for K ≥ 8",
            then=Leq(lambda x: recovery(8, 0 * x.c), lambda x: HALF),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
    draws=60,
)


# ---- not linear ----------------------------------------------------------------------------
@dataclass(frozen=True)
class Wavy:
    """Let v = y − [(c+a)ζ + (a/ω) sin ωζ]/(1−t), ζ = z − ty: slopes between −c and −(c+2a), over 1−t."""

    K: int
    c: Any
    a: Any
    omega: Any
    y: Any
    z1: Any
    z2: Any

    @property
    def top(self) -> Any:
        """C = c + 2a."""
        return self.c + 2 * self.a

    def field(self, t: Any, z: Any) -> Any:
        """v."""
        zeta = z - real(t * self.y)
        w = real(self.omega)
        wave = (w * zeta).sin() if isinstance(zeta, arb) else np.sin(w * zeta)
        return real(self.y) - (real(self.c + self.a) * zeta + real(self.a) / w * wave) / real(1 - t)

    def readout(self, z: Any) -> Any:
        """ψ_K(z)."""
        return euler(self.field, real(z), self.K)

    @cached_property
    def apart(self) -> Any:
        """|ψ_K(z1) − ψ_K(z2)|."""
        return abs(self.readout(self.z1) - self.readout(self.z2))


@st.composite
def waves(draw: st.DrawFn) -> Wavy:
    """Half of them with C ≤ 2 − c; K < 20."""
    c = draw(cs())
    room = (1 - c) if draw(st.booleans()) else 2.0
    z1 = draw(ck.dyadics(-3, 3, denominator=8))
    step = (draw(st.integers(0, 23)) + 1) / 16
    return Wavy(
        draw(st.integers(1, 19)),
        c,
        room * draw(st.integers(1, 8)) / 8,  # a = 0 is an equality
        draw(st.integers(1, 40)) / 8,
        draw(ck.dyadics(-2, 2, denominator=4)),
        z1,
        z1 + step,
    )


STEEP = Wavy(2, F(7, 8), F(2), F(1, 64), F(1), F(-1, 8), F(1, 8))

FLAT = Wavy(4, HALF, F(-1, 4), F(1, 64), F(1), F(-1, 8), F(1, 8))

recovery_nonlinear: Claim[Wavy] = Claim(
    statement="−C/(1−t) ≤ ∂v/∂z ≤ −c/(1−t), C ≤ 2 − c: |ψ_K(z) − ψ_K(z')| ≤ β_K(c)|z − z'|",
    source=PAPER.at("the one-sided condition recalled; two-sided statement derived"),
    let=waves(),
    assume=[
        Assumption("C ≤ 2 − c", lambda x: x.top <= 2 - x.c, fails_without=STEEP),
        Assumption("c < 1", lambda x: x.c < 1, fails_without=NotShown("for c = 1 both sides are 0")),
        Assumption("c ≥ 0", lambda x: x.c >= 0, fails_without=NotShown("β is for 0 ≤ c ≤ 1")),
        Assumption("slope at most −c/(1−t): a ≥ 0", lambda x: x.a >= 0, fails_without=FLAT),
        Assumption("ω > 0", lambda x: x.omega > 0, fails_without=NotShown("sin ωζ/ω is even in ω")),
    ],
    then=Leq(
        lhs=precise(lambda x: [x.apart]),
        rhs=precise(lambda x: [real(recovery(x.K, x.c) * abs(x.z1 - x.z2))]),
    ),
    tight=Tight(Wavy(4, HALF, F(1, 1000), F(1), F(1), F(-1), F(1)), within=0.01),
    mutants=[
        Mutant("without the upper bound C", drop="C ≤ 2 − c"),
        Mutant("β_{K+1}", rhs=precise(lambda x: [real(recovery(x.K + 1, x.c) * abs(x.z1 - x.z2))])),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Slopes:
    """Let the slope be −g_k/(1−t_k) at step k, c ≤ g_k ≤ C."""

    c: Any
    C: Any
    g: Any

    @property
    def K(self) -> int:
        """Number of steps."""
        return len(self.g)

    @cached_property
    def factor(self) -> Any:
        """|∂ψ_K/∂z| by running two starts."""
        z, w = 0 * self.c, 0 * self.c + 1
        for k, g in enumerate(self.g):
            left = F(self.K - k, self.K) if isinstance(self.c, Fraction) else (self.K - k) / self.K
            z, w = z + (1 - g * z / left) / self.K, w + (1 - g * w / left) / self.K
        return abs(w - z)

    @cached_property
    def bound(self) -> Any:
        """Π_{i=1}^K max(1 − c/i, C/i − 1)."""
        out = 0 * self.c + 1
        for i in range(1, self.K + 1):
            out = out * max(1 - self.c / i, self.C / i - 1)
        return out


@st.composite
def slopes(draw: st.DrawFn) -> Slopes:
    """c ≤ 1, C up to 6, up to six steps."""
    c = draw(cs())
    C = c + draw(st.integers(0, 40)) / 8
    K = draw(st.integers(1, 6))
    u = draw(ck.vectors(K, min_value=0, max_value=1))
    return Slopes(c, C, c + (np.round(u) if draw(st.booleans()) else u) * (C - c))


def worst(c: Fraction, C: Fraction, K: int) -> Slopes:
    """The slope that maximises the factor at every step."""
    return Slopes(c, C, exact(*(c if 1 - c / i >= C / i - 1 else C for i in range(K, 0, -1))))


recovery_nonlinear_factor: Claim[Slopes] = Claim(
    statement="slopes between −c and −C over 1−t: errors grow by at most Π_{i≤K} max(1 − c/i, C/i − 1)",
    source=PAPER.at("derived"),
    let=slopes(),
    assume=[
        Assumption(
            "c ≤ g ≤ C",
            lambda x: bool((x.g >= x.c).all() and (x.g <= x.C).all()),
            fails_without=Slopes(F(1), F(1), exact(5)),
        )
    ],
    then=Leq(lhs=lambda x: x.factor, rhs=lambda x: x.bound),
    tight=Tight([worst(HALF, F(5), 3), worst(F(1, 4), F(7, 2), 6)], within=0),
    named={f"slope −5, {K} steps": Slopes(HALF, F(5), exact(*[5] * K)) for K in (1, 2, 3, 4)},
    mutants=[
        Mutant("β_K(c), whatever C", rhs=lambda x: recovery(x.K, x.c)),
        Mutant("C/(i+1)", rhs=lambda x: later(x)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def later(x: Slopes) -> Any:
    """Π max(1 − c/i, C/(i+1) − 1)."""
    out = 0 * x.c + 1
    for i in range(1, x.K + 1):
        out = out * max(1 - x.c / i, x.C / (i + 1) - 1)
    return out


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
