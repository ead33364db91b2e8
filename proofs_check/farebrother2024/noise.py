"""Random targets, nearness of encodings, and scale.

The minimiser of E[CE(enc(Y), ·)] is E enc(Y); TV is total variation; φ, Φ the normal density and law.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb
from hypothesis import strategies as st

import rltheory as rl
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, NotShown, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.operators import HLGauss, OneHot, TwoHot, readout
from rltheory.operators.encoding_bias import hl_gauss_bias_bound

from .lets import PAPER, TINY, log, precise, real
from .loss import exact, norm2, softmax

HALF, THIRD, SLACK = Fraction(1, 2), Fraction(1, 3), Fraction(1, 100)


@dataclass(frozen=True)
class Noisy:
    """Let Y take values y with probabilities p in the range of an HL-Gauss encoding, q > 0 be a law."""

    code: HLGauss
    y: Any
    p: Any
    q: Any

    @cached_property
    def mean(self) -> Any:
        """E Y."""
        return (self.p * self.y).sum()

    @cached_property
    def rows(self) -> Any:
        """enc(y) of each value."""
        return self.code.encode(self.y)

    @cached_property
    def best(self) -> Any:
        """E enc(Y)."""
        return real(self.p) @ self.rows

    def loss(self, q: Any) -> Any:
        """E[CE(enc(Y), q)]."""
        logs = [log(real(v)) for v in q]
        rows = zip(self.p, self.rows, strict=True)
        return -sum(real(w) * sum(real(a) * b for a, b in zip(row, logs, strict=True)) for w, row in rows)

    def on(self, kind: Any) -> Any:
        """Another encoding with m atoms on the same range."""
        return kind(self.code.v_min, self.code.v_max, self.code.m)

    def readout(self, code: Any) -> Any:
        """Readout of E enc(Y)."""
        return (self.p * readout(code.encode(self.y), code.points)).sum()

    @property
    def spread(self) -> Any:
        """E(Y − EY)²."""
        return (self.p * (self.y - self.mean) ** 2).sum()

    def covariance(self, code: Any) -> Any:
        """E‖enc(Y)‖² − ‖E enc(Y)‖²."""
        rows = code.encode(self.y)
        return (self.p * (rows * rows).sum(axis=1)).sum() - ((self.p @ rows) ** 2).sum()

    @cached_property
    def covariance_hl(self) -> Any:
        """The same for HL-Gauss."""
        return sum(real(w) * norm2(row) for w, row in zip(self.p, self.rows, strict=True)) - norm2(self.best)


@st.composite
def noisy(draw: st.DrawFn) -> Noisy:
    """Up to four values in the range of 3 to 6 bins (with two, E enc(Y) can be rational, and q hit it)."""
    m = draw(st.integers(3, 6))
    code = HLGauss(-m / 2, m / 2, m, rho=draw(st.sampled_from((0.25, 0.5, 0.75, 1.0))))
    n = draw(st.integers(1, 4))
    y = m / 2 * draw(ck.vectors(n, min_value=-1, max_value=1))
    return Noisy(code, y, draw(ck.laws(n)), draw(ck.laws(m, positive=True)))


def code(m: int, rho: Any = Fraction(3, 4)) -> HLGauss:
    """m unit bins around 0."""
    return HLGauss(Fraction(-m, 2), Fraction(m, 2), m, rho=rho)


NEAR = Noisy(code(2), exact(Fraction(1, 2), Fraction(-1, 2)), exact(HALF, HALF), exact(HALF, HALF))
SKEW = Noisy(code(3), exact(1, -1), exact(THIRD, 1 - THIRD), exact(THIRD, THIRD, THIRD))

noisy_targets: Claim[Noisy] = Claim(
    statement="E[CE(enc(Y), q)] ≥ entropy of E enc(Y): E enc(Y) is the minimiser under random targets",
    source=PAPER.at("derived: Gibbs' inequality"),
    let=noisy(),
    assume=[],
    then=Leq(
        lhs=precise(lambda x: -sum(real(a) * log(real(a)) for a in x.best)),
        rhs=precise(lambda x: x.loss(x.q)),
    ),
    tight=Tight(replace(NEAR, q=exact(Fraction(501, 1000), Fraction(499, 1000))), within=1e-4),
    mutants=[
        Mutant("the minimiser is enc(EY)", lhs=precise(lambda x: x.loss(x.code.encode(x.mean)))),
        Mutant("and no law comes within 0.01 of it", lhs=precise(lambda x: entropy(x) + real(SLACK))),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def entropy(x: Noisy) -> Any:
    """Entropy of E enc(Y)."""
    return -sum(real(a) * log(real(a)) for a in x.best)


MIDDLE = Noisy(code(3), exact(Fraction(3, 4)), exact(1), exact(THIRD, THIRD, THIRD))


def bounds(x: Noisy) -> Any:
    """Σp(y)·(two-part bound at y)."""
    each = [hl_gauss_bias_bound(v, x.code.edges, x.code.sigma) for v in x.y]
    return sum(real(w) * b for w, b in zip(x.p, each, strict=True))


noisy_targets_readout: Claim[Noisy] = Claim(
    statement="readout of E enc(Y): E Y for two-hot; within the bias bound for HL-Gauss, ς/2 for one-hot",
    source=PAPER.at("derived from the bias of each encoding"),
    let=noisy(),
    assume=[],
    then=Leq(
        lhs=precise(
            lambda x: [
                abs(x.readout(x.on(TwoHot)) - x.mean),
                abs(readout(x.best, x.code.points) - real(x.mean)),
                abs(x.readout(x.on(OneHot)) - x.mean),
            ]
        ),
        rhs=precise(lambda x: [0, bounds(x), x.on(OneHot).spacing / 2]),
    ),
    tight=Tight(MIDDLE, within=0),
    mutants=[
        Mutant("one-hot: ς/4", rhs=precise(lambda x: [0, bounds(x), x.on(OneHot).spacing / 4])),
        Mutant("HL-Gauss has the mean", rhs=precise(lambda x: [0, 0, x.on(OneHot).spacing / 2])),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

CORNERS = Noisy(
    code(3), exact(Fraction(-3, 2), 0, Fraction(3, 2)), exact(THIRD, THIRD, THIRD), exact(THIRD, THIRD, THIRD)
)

noisy_targets_covariance: Claim[Noisy] = Claim(
    statement="tr Cov of the gradient noise: E‖enc(Y)‖² − ‖E enc(Y)‖² ≤ 1 − 1/m, any encoding, any noise",
    source=PAPER.at("derived: ‖enc‖² ≤ 1, ‖E enc‖² ≥ 1/m"),
    let=noisy(),
    assume=[],
    then=Leq(
        lhs=precise(lambda x: [x.covariance(x.on(OneHot)), x.covariance(x.on(TwoHot)), x.covariance_hl]),
        rhs=lambda x: [1 - Fraction(1, x.code.m)] * 3,
    ),
    tight=Tight(CORNERS, within=0),
    mutants=[
        Mutant("1 − 2/m", rhs=lambda x: [1 - Fraction(2, x.code.m)] * 3),
        Mutant("squared loss, too: Var(Y)", lhs=lambda x: [x.spread] * 3),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Three:
    """Let y1 ≤ y2 ≤ y3 be targets of an HL-Gauss encoding."""

    code: HLGauss
    y1: Any
    y2: Any
    y3: Any

    def tv(self, code: Any, a: Any, b: Any) -> Any:
        """TV of two encoded targets."""
        return sum(abs(code.encode(a) - code.encode(b))) / 2

    @property
    def two_hot(self) -> TwoHot:
        """Two-hot on m atoms of the same range."""
        return TwoHot(self.code.v_min, self.code.v_max, self.code.m)

    @property
    def apart(self) -> Any:
        """y2 − y1."""
        return self.y2 - self.y1

    @property
    def cap(self) -> Any:
        """2Φ(|y1 − y2|/(2σ)) − 1."""
        d = real(self.apart) / (2 * real(self.code.sigma))
        return (d / arb(2).sqrt()).erf() if isinstance(d, arb) else math.erf(d / 2**0.5)


@st.composite
def three(draw: st.DrawFn) -> Three:
    """Targets anywhere in 2 to 8 bins, no two mirror images in an edge (the bound is an equality there)."""
    m = draw(st.integers(2, 8))
    code = HLGauss(-m / 2, m / 2, m, rho=draw(st.sampled_from((0.25, 0.5, 0.75, 1.0, 2.0))))
    ks = sorted(draw(st.lists(st.integers(0, 32 * m - 1), min_size=3, max_size=3, unique=True)))
    y1, y2, y3 = (code.v_min + (k + f) / 32 for k, f in zip(ks, (1 / 8, 1 / 4, 1 / 8), strict=True))
    return Three(code, y1, y2, y3)


CENTRAL = Three(code(81), Fraction(1, 4), Fraction(3, 4) + Fraction(1, 1000), Fraction(1))
FAR = Three(code(8), Fraction(-4), Fraction(-4) + Fraction(16, 7), Fraction(0))


def ordered(wrong: Three) -> Assumption[Three]:
    """y ≤ y' ≤ y''."""
    return Assumption("y ≤ y' ≤ y''", lambda x: x.y1 <= x.y2 <= x.y3, fails_without=wrong)


SWAPPED = Three(code(8), Fraction(1), Fraction(0), Fraction(2))

ordinal: Claim[Three] = Claim(
    statement="TV(hl(y), hl(y')) ≤ 2Φ(|y−y'|/(2σ)) − 1, in the interior and at the ends",
    source=PAPER.at("derived: data processing; a truncated normal is less dispersed than the normal"),
    let=three(),
    assume=[ordered(SWAPPED)],
    then=Leq(lhs=precise(lambda x: x.tv(x.code, x.y1, x.y2)), rhs=precise(lambda x: x.cap)),
    tight=Tight(CENTRAL, within=1e-4),
    mutants=[
        Mutant("|y−y'|/(4σ)", rhs=precise(lambda x: real(x.apart / (4 * x.code.sigma)))),
        Mutant("two-hot, too", lhs=lambda x: x.tv(x.two_hot, x.y1, x.y2)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

ordinal_increasing: Claim[Three] = Claim(
    statement="y ≤ y' ≤ y'': TV(hl(y), hl(y')) ≤ TV(hl(y), hl(y''))",
    source=PAPER.at("derived: monotone likelihood ratios"),
    let=three(),
    assume=[ordered(Three(code(8), Fraction(0), Fraction(1), Fraction(1, 2)))],
    then=Leq(
        lhs=precise(lambda x: x.tv(x.code, x.y1, x.y2)),
        rhs=precise(lambda x: x.tv(x.code, x.y1, x.y3)),
    ),
    tight=Tight(Three(code(8), Fraction(0), Fraction(1), Fraction(1) + Fraction(1, 10**6)), within=1e-5),
    mutants=[
        Mutant(
            "it grows by a tenth",
            rhs=precise(lambda x: real(Fraction(9, 10)) * x.tv(x.code, x.y1, x.y3)),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

ordinal_two_hot: Claim[Three] = Claim(
    statement="two-hot: TV ≤ |y−y'|/ς, and TV = 1 from |y−y'| = 2ς on",
    source=PAPER.at("derived"),
    let=three(),
    assume=[ordered(SWAPPED)],
    then=Leq(
        lhs=lambda x: [x.tv(x.two_hot, x.y1, x.y2), int(x.apart >= 2 * x.two_hot.spacing)],
        rhs=lambda x: [x.apart / x.two_hot.spacing, x.tv(x.two_hot, x.y1, x.y2)],
    ),
    tight=Tight(FAR, within=0),
    named={"one cell": Three(code(2), Fraction(0), Fraction(1, 2), Fraction(1))},
    mutants=[
        Mutant(
            "TV = 1 from ς on",
            lhs=lambda x: [x.tv(x.two_hot, x.y1, x.y2), int(x.apart >= x.two_hot.spacing)],
        ),
        Mutant(
            "TV ≤ |y−y'|/(2ς)",
            rhs=lambda x: [x.apart / (2 * x.two_hot.spacing), x.tv(x.two_hot, x.y1, x.y2)],
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Affine:
    """Let y be targets of an HL-Gauss encoding, X features, a > 0 and b numbers."""

    code: HLGauss
    y: Any
    X: Any
    a: Any
    b: Any

    def scaled(self, code: Any) -> Any:
        """The range moved along y ↦ ay + b; σ = ρς moves with it."""
        return replace(code, v_min=self.a * code.v_min + self.b, v_max=self.a * code.v_max + self.b)

    @property
    def two_hot(self) -> TwoHot:
        """Two-hot on the same range."""
        return TwoHot(self.code.v_min, self.code.v_max, self.code.m)

    @property
    def image(self) -> Any:
        """ay + b."""
        return self.a * self.y + self.b

    def logits(self, P: Any, sweeps: int = 2) -> Any:
        """Logits after gradient steps of size 1 from zero on target laws P."""
        X, W = real(self.X), np.zeros((self.X.shape[1], P.shape[1]))
        if P.dtype == object:
            W = rl.exact_array(W)
        W = real(W)
        for _ in range(sweeps):
            L = X @ W
            W = W - X.T @ (np.array([softmax(l) for l in L]) - real(P)) / len(P)
        return X @ W


@st.composite
def affine_maps(draw: st.DrawFn) -> Affine:
    """Two targets in 2 to 4 bins; scales 1/4 to 8, shifts up to 4."""
    m = draw(st.integers(2, 4))
    code = HLGauss(-m / 2, m / 2, m, rho=draw(st.sampled_from((0.25, 0.75, 1.0))))
    y = m / 2 * draw(ck.vectors(2, min_value=-1, max_value=1))
    X = draw(ck.vectors(2, min_value=-1, max_value=1))[:, None]
    return Affine(code, y, X, draw(st.sampled_from((0.25, 0.5, 2.0, 8.0))), draw(ck.dyadics(-4, 4)))


TWICE = Affine(code(3), exact(Fraction(1, 3), -1), exact(1, HALF)[:, None], Fraction(2), Fraction(5))

affine: Claim[Affine] = Claim(
    statement="y ↦ ay + b with bins and σ scaled alike leaves p, and the logits of CE descent, as they are",
    source=PAPER.at("derived"),
    let=affine_maps(),
    assume=[Assumption("a > 0", lambda x: x.a > 0, fails_without=NotShown("the range would be reversed"))],
    then=Eq(
        lhs=precise(lambda x: both(x, x.scaled(x.code), x.scaled(x.two_hot), x.image)),
        rhs=precise(
            lambda x: [
                *flat(x.code.encode(x.y)),
                *flat(x.two_hot.encode(x.y)),
                *flat(x.logits(x.code.encode(x.y))),
            ]
        ),
        within=TINY,
    ),
    tight=Tight(TWICE, within=0),
    mutants=[
        Mutant(
            "σ not scaled",
            lhs=precise(lambda x: both(x, unscaled(x), x.scaled(x.two_hot), x.image)),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
    draws=60,
)


def flat(a: Any) -> list[Any]:
    """Entries in a row."""
    return list(np.asarray(a).reshape(-1))


def unscaled(x: Affine) -> HLGauss:
    """The moved bins with the old σ."""
    moved: HLGauss = x.scaled(x.code)
    return replace(moved, rho=x.code.rho / x.a)


def both(x: Affine, hl: HLGauss, two: TwoHot, y: Any) -> list[Any]:
    """HL-Gauss and two-hot laws of the targets, and the logits after descent on the first."""
    P = hl.encode(y)
    return [*flat(P), *flat(two.encode(y)), *flat(x.logits(P))]


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
