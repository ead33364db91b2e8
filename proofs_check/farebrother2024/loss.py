"""The loss: cross-entropy has bounded gradients and curvature, and so has the readout.

p̂ = softmax(l), Q = Σp̂_i z_i, CE(p, p̂) = −Σp_i log p̂_i, R = z_m − z_1.  Derivatives enter as their definition:
differences of the loss along a step v.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.checks import CERTIFIED, Assumption, Claim, Leq, Mutant, NotShown, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.kernels import ball

from .lets import PAPER, biggest, grids, log, precise, real, square

HALF = Fraction(1, 2)


def softmax(l: Any) -> Any:
    """p̂, in doubles or as balls."""
    if l.dtype == object:
        return ball.softmax(l)
    w = np.exp(l - l.max())
    return w / w.sum()


def log_softmax(l: Any) -> Any:
    """log p̂ = l − log Σe^l."""
    if l.dtype == object:
        return real(l) - ball.logsumexp(l)
    return l - l.max() - np.log(np.exp(l - l.max()).sum())


def cross_entropy(p: Any, l: Any) -> Any:
    """−Σp_i log p̂_i; atoms without mass drop out."""
    logs = log_softmax(l)
    return -sum(real(a) * b for a, b in zip(p, logs, strict=True) if a != 0)


def norm2(v: Any) -> Any:
    """‖v‖₂²."""
    return sum(square(real(a)) for a in np.asarray(v).reshape(-1))


def product(p: Any, q: Any) -> Any:
    """Σp_i q_i of numbers and balls."""
    return sum(real(a) * real(b) for a, b in zip(p, q, strict=True))


@dataclass(frozen=True)
class Step:
    """Let z be atoms, p a target law, l logits, v a step, y a number."""

    z: Any
    p: Any
    l: Any
    v: Any
    y: Any

    @cached_property
    def p_hat(self) -> Any:
        """softmax(l)."""
        return softmax(self.l)

    @cached_property
    def gradient(self) -> Any:
        """p̂ − p."""
        return self.p_hat - real(self.p)

    @cached_property
    def rest(self) -> Any:
        """CE(l + v) − CE(l) − ⟨p̂ − p, v⟩."""
        change = cross_entropy(self.p, self.l + self.v) - cross_entropy(self.p, self.l)
        return change - product(self.gradient, self.v)

    def Q(self, l: Any) -> Any:
        """Readout at logits l."""
        return product(softmax(l), self.z)

    @property
    def R(self) -> Any:
        """z_m − z_1."""
        return self.z[-1] - self.z[0]


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """Logits in [−8, 8], steps of every size from 1/64 to 8."""
    z = draw(grids(2, 5))
    m = z.size
    size = draw(st.sampled_from((1 / 64, 1 / 4, 1.0)))
    scale = draw(st.sampled_from((0.0, 1 / 8, 1.0)))
    l, v = scale * draw(ck.vectors(m)), size * draw(ck.vectors(m))
    if (v == v[0]).all():  # a constant does nothing: both sides of convexity would agree
        v[0] += size
    return Step(z, draw(ck.laws(m)), l, v, draw(ck.dyadics(-8, 8)))


def exact(*values: Any) -> Any:
    """Array of rationals."""
    return rl.exact_array(list(values))


SMALL = Fraction(1, 64)
EVEN = Step(exact(-1, 1), exact(HALF, HALF), exact(0, 0), exact(SMALL, -SMALL), Fraction(0))
APART = Step(exact(-1, 1), exact(1, 0), exact(-20, 20), exact(1, 0), Fraction(0))

LAW = Assumption[Step](
    "p is a law",
    lambda x: bool((x.p >= 0).all()) and abs(x.p.sum() - 1) <= (0 if x.p.dtype == object else 1e-12),
    fails_without=Step(EVEN.z, exact(-5, 3), exact(0, 1), exact(-1, 1), Fraction(0)),
)
SORTED = Assumption[Step](
    "z is increasing",
    lambda x: bool((x.z[1:] > x.z[:-1]).all()),
    fails_without=Step(exact(0, 9, 1), exact(1, 0, 0), exact(0, 0, -9), exact(SMALL, -SMALL, 0), Fraction(0)),
)

ce_gradient: Claim[Step] = Claim(
    statement="CE is convex in the logits with gradient p̂ − p and curvature at most ½: "
    "0 ≤ CE(l+v) − CE(l) − ⟨p̂−p, v⟩ ≤ ¼‖v‖²",
    source=PAPER.at("cross-entropy loss; known for HL, Imani and White 2018"),
    let=steps(),
    assume=[LAW],
    then=Leq(
        lhs=precise(lambda x: [-x.rest, x.rest]),
        rhs=precise(lambda x: [0, norm2(x.v) / 4]),
    ),
    tight=Tight(EVEN, within=1e-4),
    mutants=[
        Mutant("curvature at most ¼", rhs=precise(lambda x: [0, norm2(x.v) / 8])),
        Mutant("gradient p̂", lhs=precise(lambda x: [s * (x.rest - product(x.p, x.v)) for s in (-1, 1)])),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

ce_gradient_norm: Claim[Step] = Claim(
    statement="‖∂CE/∂l‖₁ ≤ 2 and ‖∂CE/∂l‖₂² ≤ 2, whatever the target",
    source=PAPER.at("cross-entropy loss; known for HL, Imani and White 2018"),
    let=steps(),
    assume=[LAW],
    then=Leq(lhs=precise(lambda x: [sum(abs(x.gradient)), norm2(x.gradient)]), rhs=lambda x: [2, 2]),
    tight=Tight(APART, within=1e-8),
    mutants=[
        Mutant("‖·‖₂ ≤ 1", rhs=lambda x: [2, 1]),
        Mutant(
            "squared loss on a scalar head, too",
            lhs=precise(lambda x: [abs(real(x.y) - x.Q(x.l)), square(real(x.y) - x.Q(x.l))]),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Descent:
    """Let X (n, d) be features, P (n, m) target laws, W (d, m) weights, share·4/B² the step, z atoms."""

    X: Any
    P: Any
    W: Any
    z: Any
    share: Any

    @cached_property
    def B2(self) -> Any:
        """max ‖x‖²."""
        return max((self.X * self.X).sum(axis=1))

    def loss(self, W: Any) -> Any:
        """Mean cross-entropy."""
        return sum(cross_entropy(p, x) for p, x in zip(self.P, self.logits(W), strict=True)) / len(self.P)

    def logits(self, W: Any) -> Any:
        """XW."""
        return real(self.X) @ real(W)

    @cached_property
    def gradients(self) -> list[Any]:
        """x(p̂ − p)^T of each example."""
        rows = zip(real(self.X), real(self.P), self.logits(self.W), strict=True)
        return [np.outer(x, softmax(l) - p) for x, p, l in rows]

    @cached_property
    def after(self) -> Any:
        """W − α·(mean gradient), α = share·4/B²."""
        alpha = real(4 * self.share / self.B2)
        return real(self.W) - alpha * (sum(self.gradients) / len(self.P))

    @cached_property
    def floor(self) -> Any:
        """Mean entropy of the targets: no loss is lower."""
        flat = [a for a in self.P.reshape(-1) if a != 0]
        return -sum(real(a) * log(real(a)) for a in flat) / len(self.P)


@st.composite
def descents(draw: st.DrawFn) -> Descent:
    """One to three examples, one or two features, two or three atoms; steps up to twice 4/B²."""
    n, d, m = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(2, 3))
    if even := draw(st.booleans()):  # one example with target (½, ½): the largest curvature
        n, d, m = 1, 1, 2
    X = draw(ck.vectors(n * d)).reshape(n, d)
    X[0, 0] = X[0, 0] or 1.0
    P = np.array([[0.5, 0.5] if even else draw(ck.laws(m)) for _ in range(n)])
    scale = draw(st.sampled_from((0.0, 1 / 64, 1 / 8)))
    W = scale * draw(ck.vectors(d * m)).reshape(d, m)
    W[0] += np.arange(m) / 128  # not at a minimum
    return Descent(X, P, W, np.arange(float(m)), draw(st.sampled_from((1 / 4, 3 / 4, 1.0, 5 / 4, 2.0))))


def near_the_minimum(share: Any) -> Descent:
    """One example, p = (½, ½), logits a little apart."""
    small = Fraction(1, 100)
    return Descent(
        exact(1)[:, None], exact(HALF, HALF)[None, :], exact(small, -small)[None, :], exact(0, 1), share
    )


def laws(x: Descent) -> bool:
    """Every row of P is a law."""
    tol = 0 if x.P.dtype == object else 1e-12
    return bool((x.P >= 0).all() and (abs(x.P.sum(axis=1) - 1) <= tol).all())


ce_gradient_descent: Claim[Descent] = Claim(
    statement="features ‖x‖ ≤ B: every gradient has ‖·‖ ≤ √2 B, and gradient descent on the mean loss with a "
    "step up to 4/B² never raises it",
    source=PAPER.at("derived: the loss is B²/2-smooth in the weights"),
    let=descents(),
    assume=[
        Assumption("targets are laws", laws, fails_without=NotShown("then the loss is no cross-entropy")),
        Assumption("step ≥ 0", lambda x: x.share >= 0, fails_without=near_the_minimum(Fraction(-1, 4))),
        Assumption("step ≤ 4/B²", lambda x: x.share <= 1, fails_without=near_the_minimum(Fraction(5, 4))),
    ],
    then=Leq(
        lhs=precise(lambda x: [x.loss(x.after) - x.floor, *map(norm2, x.gradients)]),
        rhs=precise(lambda x: [x.loss(x.W) - x.floor, *[real(2 * x.B2)] * len(x.P)]),
    ),
    tight=Tight(near_the_minimum(Fraction(1)), within=1e-3),
    mutants=[
        Mutant("steps up to 8/B²", drop="step ≤ 4/B²"),
        Mutant(
            "the loss halves",
            rhs=precise(lambda x: [(x.loss(x.W) - x.floor) / 2, *[real(2 * x.B2)] * len(x.P)]),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
    draws=60,
)

readout_lipschitz: Claim[Step] = Claim(
    statement="|Q(l+v) − Q(l)| ≤ R/(2√2)·‖v‖₂",
    source=PAPER.at("derived: a_i = p̂_i(z_i − Q) sums to 0 and Σ|a_i| ≤ R/2"),
    let=steps(),
    assume=[SORTED],
    then=Leq(
        lhs=precise(lambda x: square(x.Q(x.l + x.v) - x.Q(x.l))),
        rhs=precise(lambda x: square(real(x.R)) / 8 * norm2(x.v)),
    ),
    tight=Tight(EVEN, within=1e-3),
    mutants=[
        Mutant("R/4", rhs=precise(lambda x: square(real(x.R)) / 16 * norm2(x.v))),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def scalar(x: Descent) -> Any:
    """|w·x| after twelve gradient steps of the squared loss on targets Σp_i z_i, same step size, from 0."""
    X, y = real(x.X), real(x.P) @ real(x.z)
    w = 0 * X[0]
    for _ in range(12):
        w = w - real(4 * x.share / x.B2) * (X.T @ (X @ w - y)) / len(y)
    return biggest(abs(X @ w))


def readouts(x: Descent) -> Any:
    """Largest |Q| after the step."""
    return biggest([abs(product(softmax(l), x.z)) for l in x.logits(x.after)])


readout_lipschitz_range: Claim[Descent] = Claim(
    statement="readouts stay in range after a step of any size; the scalar head of the squared loss does not",
    source=PAPER.at("derived: a mean of atoms"),
    let=descents(),
    assume=[],
    then=Leq(lhs=precise(lambda x: [readouts(x)]), rhs=lambda x: [max(abs(x.z))]),
    tight=Tight(
        Descent(exact(1)[:, None], exact(0, 1)[None, :], exact(-30, 30)[None, :], exact(0, 1), Fraction(2)),
        within=1e-9,
    ),
    mutants=[
        Mutant("so does a scalar head at the same step", lhs=precise(lambda x: [scalar(x)])),
        Mutant("the middle half of the range", rhs=lambda x: [max(abs(x.z)) / 2]),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
    draws=60,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
