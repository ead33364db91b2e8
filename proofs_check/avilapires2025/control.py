"""Control with projected laws and an exact stock: what categorical atoms cost an optimal policy.

η̂_t(s,c) = Π_C law_a for the action a that maximises K(c + law_a) ("before") or K(c + Π_C law_a) ("after"),
law_a the law of R + γη̂_{t+1}(S', (c+R)/γ).  V̂ = E f(c + η̂_0), V* the exact optimum, Δ the spacing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import rltheory as rl
from rltheory.checks import CERTIFIED, Assumption, Claim, Leq, Mutant, Tight, run_module

from .definitions import HALF, ONE, UTILITIES, ZERO, Exact, F, Outcomes, Utility, expect
from .setting import PAPER, Model, Reader, chain, decoded, model

UPPER = ("|x|", "x₊", "x")
"""Convex, 1-Lipschitz, f(γx) = γf(x)."""
LOWER = ("−|x|", "x₋", "x")
"""Concave, 1-Lipschitz, f(γx) = γf(x)."""
AT_ONE = ("min(x,1)", "−|x−1|", "clip")
"""1-Lipschitz, for γ = 1 only."""


@dataclass(frozen=True)
class Control(Exact):
    """Let M be a model, H a horizon, c0 a stock, f a utility by name, z a grid of spacing delta; s_0 = 0."""

    M: Model
    H: int
    c0: Fraction
    f: str
    delta: Fraction
    z: tuple[Fraction, ...]

    @cached_property
    def utility(self) -> Utility:
        """f."""
        return UTILITIES[self.f]

    @cached_property
    def best(self) -> Fraction:
        """V*: max over history-dependent policies of E f(c₀ + G)."""
        known: dict[tuple[int, int, Fraction], Fraction] = {}

        def at(t: int, s: int, x: Fraction) -> Fraction:
            if t == self.H:
                return self.utility(x)
            if (t, s, x) not in known:
                g = self.M.gamma**t
                known[t, s, x] = max(
                    sum((p * at(t + 1, u, x + g * r) for p, u, r in o), ZERO) for o in self.M.outcomes[s]
                )
            return known[t, s, x]

        return at(0, 0, self.c0)

    def projected(self, after: bool) -> tuple[Fraction, bool]:
        """(V̂, no atom left the grid), laws by the library."""
        known: dict[tuple[int, int, Fraction], rl.ReturnLaw] = {}
        inside = True

        def at(h: int, s: int, c: Fraction) -> rl.ReturnLaw:
            nonlocal inside
            if h == 0:
                return rl.ReturnLaw.dirac(0)
            if (h, s, c) not in known:
                best: rl.ReturnLaw | None = None
                value = ZERO
                for o in self.M.outcomes[s]:
                    p, u, r = zip(*o, strict=True)
                    tails = [at(h - 1, v, (c + x) / self.M.gamma) for v, x in zip(u, r, strict=True)]
                    law = rl.ReturnLaw.backup(p, r, tails, self.M.gamma)
                    inside = inside and bool(self.z[0] <= law.atoms[0] and law.atoms[-1] <= self.z[-1])
                    kept = law.categorical(self.z)
                    v = self.K(kept if after else law, c)
                    if best is None or v > value:
                        best, value = kept, v
                assert best is not None
                known[h, s, c] = best
            return known[h, s, c]

        return self.K(at(self.H, 0, self.c0), self.c0), inside

    def K(self, law: rl.ReturnLaw, c: Fraction) -> Fraction:
        """E f(c + G)."""
        return expect(dict(law), lambda x: self.utility(c + x))

    @cached_property
    def values(self) -> tuple[Fraction, Fraction]:
        """V̂ of both conventions."""
        return self.projected(False)[0], self.projected(True)[0]

    @cached_property
    def inside(self) -> bool:
        """No atom left the grid under either."""
        return self.projected(False)[1] and self.projected(True)[1]

    @cached_property
    def indifferent(self) -> bool:
        """f Lipschitz and homogeneous, or γ = 1."""
        return self.f in (*UPPER, *LOWER) or self.M.gamma == 1

    @cached_property
    def linear(self) -> Fraction:
        """(Δ/2) Σ_{t<H} γ^t."""
        return self.delta / 2 * sum((self.M.gamma**t for t in range(self.H)), ZERO)

    @cached_property
    def root(self) -> Fraction:
        """((Δ/2)√(Σ_{t<H} γ^{2t}))²."""
        return self.delta**2 / 4 * sum((self.M.gamma ** (2 * t) for t in range(self.H)), ZERO)


def control(read: Reader, names: tuple[str, ...] = (*UPPER, "−|x|", "x₋")) -> Control:
    """Small models; coarse grids wide enough for most."""
    M = model(read, S=2, gammas=(HALF, F(3, 4), ONE, ONE))
    H = 1 + read.below(3)
    delta = read.pick((ONE, F(2), F(3, 2), F(3)))
    usable = (*names, *AT_ONE) if M.gamma == 1 and len(names) > 3 else names
    half = 8
    return Control(
        M, H, read.number(3), read.pick(usable), delta, tuple(i * delta for i in range(-half, half + 1))
    )


def convex(read: Reader) -> Control:
    """Convex utilities."""
    return control(read, UPPER)


def upper(read: Reader) -> Control:
    """Mostly convex utilities: there V̂ exceeds V*."""
    return control(read, ("|x|", "|x|", "|x|", "−|x|"))


def concave(read: Reader) -> Control:
    """Concave utilities."""
    return control(read, LOWER)


def cascade(H: int, D: int) -> Control:
    """Laws of equal value that the next projection hurts unequally: the lower side adds up ("before")."""
    v, p = HALF, [ZERO]
    for _ in range(H - 1):
        p.append(v / D)
        v += (1 - p[-1]) / 2
    rows: list[tuple[Outcomes, ...]] = []
    for t, q in enumerate(reversed(p)):
        stop = ((1 - q, H, -HALF), (q, H, D - HALF)) if q else ((ONE, H, -HALF),)
        rows.append((stop,) if t == H - 1 else (stop, ((ONE, t + 1, ZERO),)))
    M = Model((*rows, (((ONE, H, ZERO),),)), ONE)
    near = [F(i) for i in range(-2, 3)]
    return Control(M, H, HALF, "−|x|", ONE, (*near, *[F(D + i) for i in range(-2, 3)]))


def zigzag(H: int, D: int) -> Control:
    """The same under both conventions; H even."""
    v, p = HALF, []
    for _ in range(H // 2):
        p.append(v / D)
        v += (1 - p[-1]) / 2
    rows: list[tuple[Outcomes, ...]] = []
    for t, q in enumerate(reversed(p)):
        stop = ((1 - q, H, ZERO), (q, H, F(D)))
        rows.append((stop, ((ONE, 2 * t + 1, HALF),)))
        rows.append((((ONE, 2 * t + 2 if 2 * t + 2 < H else H, -HALF),),))
    M = Model((*rows, (((ONE, H, ZERO),),)), ONE)
    near = [F(i) for i in range(-2, 3)]
    return Control(M, H, ZERO, "−|x|", ONE, (*near, *[F(D + i) for i in range(-2, 3)]))


INSIDE, SUITABLE = "no atom leaves the grid", "f is 1-Lipschitz, and f(γx) = γf(x) or γ = 1"
GRID = tuple(F(i) for i in range(-6, 7))
HALF_CELL = Control(chain((HALF,), gamma=ONE), 1, -HALF, "−|x|", ONE, GRID)
CURVED = Control(
    Model(
        (
            (((ONE, 1, ZERO),),),
            (((ONE, 2, ONE),), ((F(3, 5), 2, F(2)), (F(2, 5), 2, ZERO))),
            (((ONE, 2, ZERO),),),
        ),
        HALF,
    ),
    2,
    ZERO,
    "min(x,1)",
    F(1, 64),
    tuple(F(i, 64) for i in range(-64, 257)),
)


def inside(reward: int) -> Assumption[Control]:
    """Nothing is clipped; the instance without it earns `reward` beyond the grid."""
    beyond = Control(chain((reward,), gamma=ONE), 1, ZERO, "x", ONE, GRID)
    return Assumption(INSIDE, lambda x: x.inside, fails_without=beyond)


def _squared(x: Fraction) -> Fraction:
    return max(x, ZERO) ** 2


cat_control: Claim[Control] = Claim(
    statement="|V̂ − V*| ≤ (LΔ/2) Σ_{t<H} γ^t, choosing before or after the projection",
    source=PAPER.at("control with categorical laws; derived"),
    let=decoded(control, 80),
    assume=[inside(9), Assumption(SUITABLE, lambda x: x.indifferent, fails_without=CURVED)],
    then=Leq(lhs=lambda x: [abs(v - x.best) for v in x.values], rhs=lambda x: x.linear),
    tight=Tight(
        [Control(chain((HALF,), gamma=ONE), 1, -HALF, "−|x|", ONE, GRID), cascade(16, 10**4)], within=0.001
    ),
    named={"H = 2": cascade(2, 10), "zigzag": zigzag(6, 100)},
    mutants=[
        Mutant("(LΔ/4) Σ γ^t", rhs=lambda x: x.linear / 2),
        Mutant(
            "in quadrature below as well",
            then=Leq(lambda x: [_squared(x.best - v) for v in x.values], lambda x: x.root),
            named_only=True,
        ),
        Mutant(
            "in quadrature below when choosing after the projection",
            then=Leq(lambda x: _squared(x.best - x.values[1]), lambda x: x.root),
            named_only=True,
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)

cat_control_upper: Claim[Control] = Claim(
    statement="V̂ − V* ≤ (LΔ/2)√(Σ_{t<H} γ^{2t}) (squares compared)",
    source=PAPER.at("control with categorical laws; derived"),
    let=decoded(upper, 80),
    assume=[
        inside(-9),
        Assumption(
            "f is 1-Lipschitz",
            lambda x: x.f in (*UPPER, *LOWER, *AT_ONE),
            fails_without=Control(
                chain((-HALF / 2,), gamma=ONE), 1, ZERO, "1{x≥0}", HALF, tuple(i * HALF for i in range(-2, 3))
            ),
        ),
    ],
    then=Leq(lhs=lambda x: [_squared(v - x.best) for v in x.values], rhs=lambda x: x.root),
    tight=Tight(Control(chain((HALF,), gamma=ONE), 1, -HALF, "|x|", ONE, GRID), within=0),
    mutants=[
        Mutant("the last step only", rhs=lambda x: x.delta**2 / 4 * x.M.gamma ** (2 * x.H - 2)),
        Mutant("Δ/4 for Δ/2", rhs=lambda x: x.root / 4),
    ],
    expect=CERTIFIED,
    draws=60,
)

cat_control_convex: Claim[Control] = Claim(
    statement="convex f: V̂ ≥ V*",
    source=PAPER.at("control with categorical laws; derived"),
    let=decoded(convex, 80),
    assume=[
        inside(9),
        Assumption("f is convex", lambda x: x.f in UPPER, fails_without=HALF_CELL),
    ],
    then=Leq(lhs=lambda x: [x.best, x.best], rhs=lambda x: list(x.values)),
    tight=Tight(Control(chain((ONE,), gamma=ONE), 1, ZERO, "|x|", ONE, GRID), within=0),
    named={"half a cell": Control(chain((HALF,), gamma=ONE), 1, -HALF, "|x|", ONE, GRID)},
    mutants=[Mutant("V̂ = V*", then=Leq(lambda x: x.values[0], lambda x: x.best))],
    expect=CERTIFIED,
    draws=60,
)

cat_control_concave: Claim[Control] = Claim(
    statement="concave f: V̂ ≤ V*",
    source=PAPER.at("control with categorical laws; derived"),
    let=decoded(concave, 80),
    assume=[
        inside(-9),
        Assumption("f is concave", lambda x: x.f in LOWER, fails_without=replace(HALF_CELL, f="|x|")),
    ],
    then=Leq(lhs=lambda x: list(x.values), rhs=lambda x: [x.best, x.best]),
    tight=Tight(Control(chain((ONE,), gamma=ONE), 1, ZERO, "x", ONE, GRID), within=0),
    mutants=[Mutant("V̂ ≥ V*", then=Leq(lambda x: x.best, lambda x: x.values[0]))],
    expect=CERTIFIED,
    draws=60,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
