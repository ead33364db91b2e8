"""Indifference to γ: exactly the utilities with f̃(γx) = a f̃(x), and a = γ when f is Lipschitz.

K is indifferent to γ when K(law X) ≥ K(law Y) gives K(law γX) ≥ K(law γY);  f̃ = f − f(0).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from flint import arb

from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, NotShown, Tight, run_module
from rltheory.kernels import ball
from rltheory.operators import objectives

from .definitions import (
    FACTOR,
    HALF,
    ONE,
    UTILITIES,
    ZERO,
    Exact,
    F,
    Pairs,
    Utility,
    dirac,
    expect,
    library,
    log_periodic,
    mix,
    push,
)
from .setting import PAPER, Reader, decoded, precise


def _at(x: Any) -> Pairs:
    return ((F(x), ONE),)


def _fair(*xs: Any) -> Pairs:
    return tuple((F(x), F(1, len(xs))) for x in xs)


TINY = F(1, 2**180)


@dataclass(frozen=True)
class Scaled(Exact):
    """Let nu and nu2 be laws, ordered by U_f; f is named, or a kink with slopes (down, up)."""

    f: str
    gamma: Fraction
    nu: Pairs
    nu2: Pairs
    down: Fraction = ONE
    up: Fraction = ONE

    @cached_property
    def utility(self) -> Utility:
        """f."""
        if self.f == "log-periodic":
            return log_periodic(self.gamma)
        if self.f == "kink":
            return lambda x: self.down * x if x < 0 else self.up * x
        return UTILITIES[self.f]

    def sides(self, f: Utility | None = None) -> tuple[Any, Any]:
        """U_f of γ times the lesser law, of γ times the greater (by the library where rational)."""
        u = f or self.utility
        x, y = dict(self.nu), dict(self.nu2)
        if x == y:
            return ONE, ONE
        if bool(expect(x, u) > expect(y, u)):
            x, y = y, x
        low = expect(push(x, ZERO, self.gamma), u)
        if isinstance(low, arb):
            return low, expect(push(y, ZERO, self.gamma), u)
        return low, objectives.expected_utility(u)(library(y).scale(self.gamma))

    @cached_property
    def factor(self) -> Any:
        """a with f̃(γx) = a f̃(x), or None."""
        if self.f in ("kink", "log-periodic"):
            return self.gamma
        return FACTOR[self.f](self.gamma) if self.f in FACTOR else None


GAMMAS = (HALF, F(3, 4), F(4, 5), F(1, 3))


def scaled(read: Reader) -> Scaled:
    """Kinks of any slopes, powers, indicators at 0, the log-periodic utility, and some that fail."""
    f = read.pick(("kink", "kink", "−x²", "x³", "1{x>0}", "1{x≥0}", "log-periodic", "min(x,1)", "−|x−1|"))
    gamma, down, up = read.pick(GAMMAS), read.number(), read.number()
    if f == "log-periodic":  # ±x tie under an even utility: keep to one sign, and powers of γ apart
        nu, nu2 = (tuple((abs(x), p) for x, p in read.law(4)) for _ in range(2))
        return Scaled(f, gamma, _merge(nu), _merge(nu2))
    return Scaled(f, gamma, read.law(), read.law(), down, up)


def _merge(k: Pairs) -> Pairs:
    return tuple(sorted(mix((p, dirac(x)) for x, p in k).items()))


def _bad(name: str) -> Mutant[Scaled]:
    f = UTILITIES[name]
    return Mutant(f"f = {name}", then=Leq(precise(lambda x: x.sides(f)[0]), precise(lambda x: x.sides(f)[1])))


TWO_FIFTHS = (((ZERO, F(2, 5)), (F(2), F(3, 5))), _at(1))
HOMOGENEOUS = "f̃(γx) = a f̃(x) for all x, some a > 0"

gamma_iff: Claim[Scaled] = Claim(
    statement="f̃(γx) = a f̃(x), a > 0: U_f(law X) ≥ U_f(law Y) ⇒ U_f(law γX) ≥ U_f(law γY)",
    source=PAPER.at("indifference to γ; derived"),
    let=decoded(scaled),
    assume=[
        Assumption(
            HOMOGENEOUS, lambda x: x.factor is not None, fails_without=Scaled("min(x,1)", HALF, *TWO_FIFTHS)
        )
    ],
    then=Leq(precise(lambda x: x.sides()[0]), precise(lambda x: x.sides()[1])),
    tight=Tight(Scaled("kink", HALF, _at(1), _fair(0, 2)), within=0),
    mutants=[
        *[_bad(name) for name in ("clip", "min(x,1)", "−|x−1|", "x−x²/8", "−e^−x", "1{x≥1}")],
        Mutant("any utility", drop=HOMOGENEOUS),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class Six(Exact):
    """Let f take the values at (x, y, z) given by f, and at (γx, γy, γz) given by g; f(y) lies between."""

    f: tuple[Fraction, Fraction, Fraction]
    g: tuple[Fraction, Fraction, Fraction]

    @cached_property
    def p(self) -> Fraction:
        """f(y) = p f(x) + (1−p) f(z)."""
        x, y, z = self.f
        return (y - z) / (x - z)

    @cached_property
    def D(self) -> Fraction:
        """p f(γx) + (1−p) f(γz) − f(γy)."""
        return self.p * self.g[0] + (1 - self.p) * self.g[2] - self.g[1]

    def shifted(self, side: int) -> Fraction:
        """p moved by min(p, 1 − p, |D|/(2|f(γx) − f(γz)|)); the lottery loses before scaling if side = 1."""
        (x, _, z), (gx, _, gz) = self.f, self.g
        size = min([self.p, 1 - self.p, *([abs(self.D / (gx - gz)) / 2] if gx != gz else [])])
        return self.p - side * (1 if x > z else -1) * size

    @cached_property
    def moved(self) -> Fraction:
        """p moved so that the order before scaling is the wrong one."""
        return self.shifted(1 if self.D > 0 else -1)

    def gaps(self, sign: int = 1) -> list[Fraction]:
        """By how much the moved lottery beats y after scaling and loses before; reversed for D < 0."""
        (x, y, z), (gx, gy, gz) = self.f, self.g
        side = (1 if self.D > 0 else -1) * sign
        p = self.shifted(side)
        return [side * sign * (p * gx + (1 - p) * gz - gy), side * sign * (y - p * x - (1 - p) * z)]


def six(read: Reader) -> Six:
    """f(x) = 0, f(z) ≠ 0, f(y) strictly between; any values at the scaled points."""
    top, p = read.number() or ONE, F(1 + read.below(7), 8)
    g = (read.number(), read.number(), read.number())
    return Six((ZERO, (1 - p) * top, top), g)


gamma_iff_converse: Claim[Six] = Claim(
    statement="D ≠ 0: moving p makes a lottery worse than y, its γ-multiple better than γy by |D|/2",
    source=PAPER.at("indifference to γ, the other direction; derived"),
    let=decoded(six),
    assume=[
        Assumption(
            "f(y) lies strictly between f(x) and f(z)",
            lambda x: 0 < x.p < 1,
            fails_without=NotShown("then no lottery of x and z ties with y"),
        )
    ],
    then=Leq(lambda x: [abs(x.D) / 2, ZERO], lambda x: x.gaps()),
    tight=Tight(Six((ZERO, HALF, ONE), (ZERO, ZERO, ONE)), within=0),
    mutants=[
        Mutant("p moved the other way", rhs=lambda x: x.gaps(-1)),
        Mutant("better by |D|", lhs=lambda x: [abs(x.D), ZERO]),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class Point(Exact):
    """Let f be named (or a kink) with discount gamma; x ≠ 0 a point, t > 0 a factor."""

    f: str
    gamma: Fraction
    x: Fraction
    t: Fraction
    down: Fraction = ONE
    up: Fraction = ONE

    def at(self, x: Fraction) -> Any:
        """f̃(x), a ball."""
        u = Scaled(self.f, self.gamma, (), (), self.down, self.up).utility
        return ball.to_arb(u(x)) - ball.to_arb(u(ZERO))

    @cached_property
    def homogeneous(self) -> bool:
        """One ratio f̃(γ^{n+1}x)/f̃(γ^n x) for n = 0, ±1, ±4, ±16."""
        first, next_ = self.at(self.x), self.at(self.gamma * self.x)
        return all(
            (self.at(self.x * self.gamma ** (n + 1)) * first).overlaps(
                self.at(self.x * self.gamma**n) * next_
            )
            for n in (-16, -4, -1, 1, 4, 16)
        )

    @cached_property
    def lipschitz(self) -> bool:
        """|f̃(γ^n x)| ≤ 8 γ^n |x| for |n| ≤ 64."""
        return all(
            bool(abs(self.at(self.x * self.gamma**n)) <= ball.to_arb(8 * self.gamma**n * abs(self.x)))
            for n in (-64, -32, -16, -8, -4, 0, 4, 8, 16, 32, 64)
        )


def points(read: Reader) -> Point:
    """Lipschitz and other utilities."""
    f = read.pick(
        ("kink", "log-periodic", "log-periodic", "−x²", "x³", "sign(x)√|x|", "1{x>0}", "kink", "clip")
    )
    return Point(
        f,
        read.pick(GAMMAS),
        read.number(4) or ONE,
        read.pick((HALF, F(2, 3), F(3), F(3, 2))),
        read.number() or ONE,
        read.number() or ONE,
    )


def _precisely(holds: Callable[[Point], bool]) -> Callable[[Point], bool]:
    def evaluate(x: Point) -> bool:
        with ball.precision(256):
            return holds(x)

    return evaluate


gamma_iff_exponent: Claim[Point] = Claim(
    statement="f̃(γ·) = a f̃ and f Lipschitz ⇒ f̃(γx) = γ f̃(x)",
    source=PAPER.at("indifference to γ, a = γ; derived"),
    let=decoded(points),
    assume=[
        Assumption(
            "f̃(γ^{n+1}x)/f̃(γ^n x) is one number for n = 0, ±1, ±4, ±16",
            _precisely(lambda x: x.homogeneous),
            fails_without=Point("clip", HALF, F(3, 2), HALF),
        ),
        Assumption(
            "|f̃(γ^n x)| ≤ 8γ^n|x|, |n| ≤ 64",
            _precisely(lambda x: x.lipschitz),
            fails_without=Point("−x²", HALF, ONE, HALF),
        ),
    ],
    then=Eq(
        precise(lambda x: x.at(x.gamma * x.x)),
        precise(lambda x: ball.to_arb(x.gamma) * x.at(x.x)),
        within=TINY,
    ),
    tight=Tight([Point("log-periodic", F(4, 5), F(3, 2), HALF), Point("kink", HALF, ONE, HALF)], within=0),
    mutants=[
        Mutant(
            "f is positively homogeneous",
            then=Eq(
                precise(lambda x: x.at(x.t * x.x)),
                precise(lambda x: ball.to_arb(x.t) * x.at(x.x)),
                within=TINY,
            ),
        ),
        Mutant("a = γ without Lipschitz", drop="|f̃(γ^n x)| ≤ 8γ^n|x|, |n| ≤ 64"),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class Wave(Exact):
    """Let u ≠ v be points at which the log-periodic utility of gamma is read."""

    gamma: Fraction
    u: Fraction
    v: Fraction

    @cached_property
    def rise(self) -> Any:
        """|f(u) − f(v)|."""
        f = log_periodic(self.gamma)
        return abs(f(self.u) - f(self.v))

    def bound(self, L: Callable[[Any], Any]) -> Any:
        """L|u − v|, L a function of k = 2π/ln γ."""
        k = 2 * arb.pi() / ball.to_arb(self.gamma).log()
        return (1 + ball.to_arb(F(3, 20)) * L(k)) * ball.to_arb(abs(self.u - self.v))


def waves(read: Reader) -> Wave:
    """Points of either sign, near or far."""
    u = F(1 + read.below(64), 16)
    near = u * (1 + F(1, 2 ** (1 + read.below(8))))
    return Wave(read.pick(GAMMAS), u, read.pick((near, -u, read.number() + F(1, 7))))


STEEP = F(895556, 10**6)
"""Where the slope of the log-periodic utility of γ = 4/5 is largest."""

gamma_iff_wave: Claim[Wave] = Claim(
    statement="f(x) = −|x|(1 + .15 sin(2π ln|x|/ln γ)) is Lipschitz with 1 + .15√(1 + (2π/ln γ)²)",
    source=PAPER.at("indifference to γ; the log-periodic utility, derived"),
    let=decoded(waves),
    assume=[],
    then=Leq(precise(lambda x: x.rise), precise(lambda x: x.bound(lambda k: (1 + k * k).sqrt()))),
    tight=Tight(Wave(F(4, 5), STEEP, STEEP * (1 + F(1, 10**5))), within=1e-4),
    mutants=[
        Mutant("1 + .15·2π/ln γ", rhs=precise(lambda x: x.bound(abs)), named_only=True),
        Mutant("1.15: the sine moves slowly", rhs=precise(lambda x: x.bound(lambda k: arb(1)))),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
