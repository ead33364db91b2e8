"""Monotonicity: K indifferent to mixtures and γ keeps its order under T_π.

η ≥ η' means K(c + η) ≥ K(c + η') pointwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rltheory.checks import CERTIFIED, Assumption, Claim, Leq, Mutant, Tight, run_module
from rltheory.kernels import ball

from .definitions import (
    FACTOR,
    HALF,
    ONE,
    UTILITIES,
    ZERO,
    F,
    Law,
    Pairs,
    cvar,
    expect,
    log_periodic,
    mean,
    mix,
    push,
    quantile,
)
from .setting import PAPER, Reader, decoded, precise
from .structure import COIN, NOTHING, OneStep, one_step

Functional = Callable[[Law], Any]


def mean_minus_std(law: Law) -> Any:
    """E X − std X, a ball."""
    m = mean(law)
    return ball.to_arb(m) - ball.to_arb(expect(law, lambda x: (x - m) ** 2)).sqrt()


def entropic(law: Law) -> Any:
    """−log E e^{−X}, a ball."""
    return -sum((ball.to_arb(p) * (-ball.to_arb(x)).exp() for x, p in law.items()), ball.to_arb(0)).log()


@dataclass(frozen=True)
class Ranked(OneStep):
    """Let also mu_k be a second law of what follows outcome k, and K = U_f for the utility named `f`.

    η takes whichever of ν_k, μ_k has the larger K(c'_k + ·), η' the other.
    """

    mu: tuple[Pairs, ...]
    f: str

    def K(self, law: Law) -> Any:
        """U_f."""
        return expect(law, log_periodic(F(4, 5)) if self.f == "log-periodic" else UTILITIES[self.f])

    def sides(self, K: Functional) -> tuple[Any, Any]:
        """(F T_π η', F T_π η) for the functional K."""
        low, high = [], []
        for p, r, a, b in zip(self.p, self.r, self.nu, self.mu, strict=True):
            x, y = (push(dict(k), (self.c + r) / self.gamma) for k in (a, b))
            if bool(K(x) > K(y)):
                x, y = y, x
            low.append((p, x))
            high.append((p, y))
        return tuple(K(push(mix(part), ZERO, self.gamma)) for part in (low, high))

    def low(self, K: Functional | None = None) -> Any:
        """F T_π η'."""
        return self.sides(K or self.K)[0]

    def high(self, K: Functional | None = None) -> Any:
        """F T_π η."""
        return self.sides(K or self.K)[1]

    @cached_property
    def indifferent(self) -> bool:
        """True when f̃(γx) = a f̃(x) for some a at this γ."""
        return self.gamma == 1 or self.f in FACTOR or (self.f == "log-periodic" and self.gamma == F(4, 5))


def ranked(read: Reader) -> Ranked:
    """One-step instances with two candidate laws for each outcome."""
    x = one_step(read)
    f = read.pick(("x₋", "−|x|", "x₊", "−x²", "1{x>0}", "x³", "min(x,1)"))
    mu = tuple(read.law() for _ in x.p)
    return Ranked(x.p, x.r, x.nu, x.c, x.gamma, mu, f)


def _mutant(says: str, K: Functional) -> Mutant[Ranked]:
    return Mutant(says, then=Leq(precise(lambda x: x.low(K)), precise(lambda x: x.high(K))))


SAME = Ranked((HALF, HALF), (ONE, F(-2)), (COIN, NOTHING), ONE, HALF, (COIN, NOTHING), "−|x|")
CURVED = Ranked(
    (ONE,), (ZERO,), (((ZERO, F(2, 5)), (F(2), F(3, 5))),), ZERO, HALF, (((ONE, ONE),),), "min(x,1)"
)
"""min(x, 1) prefers 1 to {2 w.p. 3/5, 0}, and half of the latter to 1/2."""
HALVED = Ranked((ONE,), (ZERO,), (((F(-9, 10), HALF), (F(2), HALF)),), ZERO, HALF, (NOTHING,), "−|x|")
"""{2, −9/10} fair is worse than 0 for −log E e^{−X}, and better when halved."""
WAVE = Ranked(
    (HALF, HALF),
    (ONE, F(-2)),
    (COIN, NOTHING),
    ONE,
    F(4, 5),
    (((F(3), ONE),), ((ONE, F(1, 3)), (F(2), F(2, 3)))),
    "log-periodic",
)

monotone: Claim[Ranked] = Claim(
    statement="K = U_f indifferent to γ, F η ≥ F η' pointwise ⇒ F T_π η ≥ F T_π η'",
    source=PAPER.at("monotonicity from both indifferences; recalled"),
    let=decoded(ranked, 80),
    assume=[
        Assumption("f̃(γx) = a f̃(x) for some a > 0", lambda x: x.indifferent, fails_without=CURVED),
    ],
    then=Leq(precise(lambda x: x.low()), precise(lambda x: x.high())),
    tight=Tight(
        Ranked((HALF, HALF), (ONE, ONE), (COIN, ((ONE, ONE),)), ONE, HALF, (COIN, ((ONE, ONE),)), "x₊"),
        within=0,
    ),
    named={"equal laws": SAME, "log-periodic at its own γ": WAVE, "better only when halved": HALVED},
    mutants=[
        _mutant("K = CVaR_{1/2}", lambda law: cvar(law, HALF)),
        _mutant("K = median", lambda law: quantile(law, HALF)),
        _mutant("K = mean − std", mean_minus_std),
        _mutant("K = E min(·, 1)", lambda law: expect(law, UTILITIES["min(x,1)"])),
        _mutant("K = −log E e^{−X}", entropic),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
