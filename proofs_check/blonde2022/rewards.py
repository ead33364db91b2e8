"""What reshaping does to the constant: factors that depend on time or on state, and adversarial rewards."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpq

from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, Reader, Tight, decoded, run_module
from rltheory.kernels import ball
from rltheory.kernels.exact import to_fmpq

from .setting import GAMMAS, PAPER, Linear, Table, aligned, frobenius2, linear, precise, table, total


# ---- factors of time -------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Preconditioned:
    """Let r̃_t = κ_t r_t with κ_t = kappa[min(t, T)], T the last index, on a linear system with ρ < 1."""

    system: Linear
    kappa: tuple[F, ...]

    @cached_property
    def squared(self) -> fmpq:
        """‖∇Q̃_0‖²: the first T terms, then κ_T(γJ)^T(I − γJ)⁻¹∇r."""
        x = self.system
        out, g, tail = 0 * x.dr, x.dr, x.limit
        for k in self.kappa[:-1]:
            out = out + k * g
            g, tail = x.gamma * (x.J @ g), x.gamma * (x.J @ tail)
        return frobenius2(out + self.kappa[-1] * tail)

    @property
    @precise
    def weighted(self) -> Any:
        """(δ Σ_k ρ^k κ_k)²."""
        rho, T = self.system.rho, len(self.kappa) - 1
        head = total([to_fmpq(k) * (rho**t if t else fmpq(1)) for t, k in enumerate(self.kappa[:-1])])
        last = to_fmpq(self.kappa[-1]) * (rho**T if T else fmpq(1)) / (1 - rho)
        return self.system.delta2 * (head + last) ** 2

    @precise
    def spare(self, level: F) -> Any:
        """level/(1 − ρ) − Σ_k ρ^k κ_k, summed as Σ_k ρ^k (level − κ_k)."""
        rho, T = self.system.rho, len(self.kappa) - 1
        left = [to_fmpq(level - k) for k in self.kappa]
        head = total([k * (rho**t if t else fmpq(1)) for t, k in enumerate(left[:-1])])
        return head + left[-1] * (rho**T if T else fmpq(1)) / (1 - rho)

    @precise
    def flat(self, level: F) -> Any:
        """(level·δ/(1 − ρ))²."""
        return self.system.delta2 * (to_fmpq(level) / (1 - self.system.rho)) ** 2


def preconditioned(read: Reader) -> Preconditioned:
    """Up to four factors in (0, 1]."""
    kappa = tuple(F(1 + read.below(8), 8) for _ in range(1 + read.below(4)))
    return Preconditioned(linear(read), kappa)


CONSTANT = [Preconditioned(aligned(F(3, 4), k, F(1, 2)), (F(2, 5),)) for k in (0, 2, 3)]

preconditioning: Claim[Preconditioned] = Claim(
    statement="κ_t ∈ (0, 1] of time only: ‖∇Q̃_t‖ ≤ δ Σ_k ρ^k κ_{t+k} ≤ δ sup κ/(1 − ρ)",
    source=PAPER.at("pessimistic reward preconditioning; with ρ derived"),
    let=decoded(preconditioned),
    assume=[
        Assumption(
            "ρ < 1",
            lambda x: bool(x.system.rho < 1),
            fails_without=Preconditioned(
                Linear(table([[0]]), table([[2]]), table([[0]]), table([1]), table([0]), F(9, 10)),
                (F(1), F(1, 2)),
            ),
        )
    ],
    then=Leq(lhs=lambda x: [x.squared, F(0)], rhs=lambda x: [x.weighted, x.spare(max(x.kappa))]),
    tight=Tight(CONSTANT, within=0),
    mutants=[
        Mutant("the last κ for sup κ", rhs=lambda x: [x.weighted, x.spare(x.kappa[-1])]),
        Mutant("inf κ for sup κ", then=Leq(lambda x: x.squared, lambda x: x.flat(min(x.kappa)))),
    ],
    expect=CERTIFIED,
)


# ---- factors of state ------------------------------------------------------------------------
@dataclass(frozen=True)
class Modulated:
    """Let f be constant, κ(s) = ½(1 + sin ωs), r(s) = b + c sin ηs: ∇Q̃ = (κr)' at s."""

    omega: F
    eta: F
    b: F
    c: F
    s: F

    @property
    @precise
    def slope(self) -> Any:
        """|κ'r + κr'| at s."""
        w, e, b, c, s = (ball.to_arb(v) for v in (self.omega, self.eta, self.b, self.c, self.s))
        rise = w / 2 * (w * s).cos() * (b + c * (e * s).sin())
        return abs(rise + (1 + (w * s).sin()) / 2 * c * e * (e * s).cos())

    @property
    def delta(self) -> F:
        """Lip(r)."""
        return abs(self.c) * self.eta

    @property
    def bound(self) -> F:
        """κ̄δ + ‖r‖_∞ Lip κ."""
        return self.delta + (abs(self.b) + abs(self.c)) * self.omega / 2


def modulated(read: Reader) -> Modulated:
    """Frequencies up to 8; c = 0 one time in three."""
    omega, eta = F(1 + read.below(32), 4), F(1 + read.below(16), 4)
    c = F(0) if read.below(3) == 0 else F(read.below(9) - 4, 4)
    return Modulated(omega, eta, F(read.below(9) - 4, 2), c, F(read.below(64), 16))


preconditioning_state: Claim[Modulated] = Claim(
    statement="κ of the state: Lip(κr) ≤ sup κ·δ + ‖r‖_∞·Lip κ, and a constant reward need not stay one",
    source=PAPER.at("derived: the product rule; preconditioning must not depend on the state"),
    let=decoded(modulated, 6),
    assume=[],
    then=Leq(lhs=lambda x: x.slope, rhs=lambda x: x.bound),
    tight=Tight([Modulated(F(w), F(1), F(1), F(0), F(0)) for w in (1, 10)], within=0),
    mutants=[Mutant("sup κ·δ, as for factors of time", rhs=lambda x: x.delta)],
    expect=CERTIFIED,
)


# ---- pessimism -------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Timed:
    """Let a Markov chain P pay r, and κ_t r in step t, for H = len(kappa) steps."""

    P: Table
    r: Table
    gamma: F
    kappa: tuple[F, ...]

    def value(self, kappa: tuple[F, ...]) -> Table:
        """Σ γ^t κ_t P^t r."""
        V = 0 * self.r
        for k in reversed(kappa):
            V = k * self.r + self.gamma * (self.P @ V)
        return np.asarray(V)

    @cached_property
    def shaped(self) -> Table:
        """Q̃."""
        return self.value(self.kappa)

    @cached_property
    def plain(self) -> Table:
        """Q."""
        return self.value((F(1),) * len(self.kappa))


def timed(read: Reader) -> Timed:
    """Three states; half the rewards are made non-negative."""
    P = table([read.weights(3) for _ in range(3)])
    r = read.numbers(3, most=3, denominator=2)
    if read.below(4):
        r = np.abs(r)
    return Timed(P, r, read.pick(GAMMAS), tuple(F(1 + read.below(8), 8) for _ in range(1 + read.below(4))))


SWAP = table([[0, 1, 0], [1, 0, 0], [0, 0, 1]])
preconditioning_pessimism: Claim[Timed] = Claim(
    statement="r ≥ 0, κ_t ∈ (0, 1]: Q̃ ≤ Q",
    source=PAPER.at("pessimistic reward preconditioning"),
    let=decoded(timed),
    assume=[
        Assumption(
            "r ≥ 0",
            lambda x: (x.r >= 0).all(),
            fails_without=Timed(SWAP, table([-1, -1, -1]), F(1, 2), (F(1, 2), F(1))),
        )
    ],
    then=Leq(lhs=lambda x: x.shaped, rhs=lambda x: x.plain),
    tight=Tight(Timed(SWAP, table([1, 2, 3]), F(1, 2), (F(1), F(1))), within=0),
    mutants=[
        Mutant("rewards of any sign", drop="r ≥ 0"),
        Mutant("Q̃ ≤ inf κ·Q", rhs=lambda x: min(x.kappa) * x.plain),
    ],
    expect=CERTIFIED,
)


# ---- adversarial rewards ---------------------------------------------------------------------
@dataclass(frozen=True)
class Logits:
    """Let d and e be logits of the discriminator at two states; D = σ(d)."""

    d: F
    e: F

    @staticmethod
    @precise
    def D(x: F) -> Any:
        """σ(x)."""
        return 1 / (1 + (-ball.to_arb(x)).exp())

    @staticmethod
    @precise
    def softplus(x: F) -> Any:
        """log(1 + e^x)."""
        return (1 + ball.to_arb(x).exp()).log()

    @precise
    def reward(self, x: F) -> Any:
        """−log(1 − D)."""
        return -(1 - self.D(x)).log()

    @property
    @precise
    def change(self) -> Any:
        """|r(d) − r(e)|."""
        return abs(self.softplus(self.d) - self.softplus(self.e))

    @property
    @precise
    def change_of_D(self) -> Any:
        """|D(d) − D(e)|."""
        return abs(self.D(self.d) - self.D(self.e))

    @property
    def far(self) -> F:
        """|d − e|."""
        return abs(self.d - self.e)

    @property
    @precise
    def slope(self) -> Any:
        """dr/dd = D'/(1 − D), D' = e^d/(1 + e^d)²."""
        w = ball.to_arb(self.d).exp()
        return w / (1 + w) ** 2 / (1 - self.D(self.d))

    @property
    @precise
    def slope_of_D(self) -> Any:
        """D' = D(1 − D)."""
        return self.D(self.d) * (1 - self.D(self.d))

    @property
    @precise
    def worst_ratio(self) -> Any:
        """1/(1 − D) at the larger logit, times |D(d) − D(e)|."""
        return self.change_of_D / (1 - self.D(max(self.d, self.e)))


def logits(read: Reader) -> Logits:
    """Logits in [−8, 8]."""
    d = F(read.below(129) - 64, 8)
    return Logits(d, d + F(1 + read.below(64), 16) * (1 if read.below(2) else -1))


softplus_reward: Claim[Logits] = Claim(
    statement="r = −log(1 − σ(d)): r = softplus(d) and dr/dd = σ(d)",
    source=PAPER.at("the adversarial reward (form recalled)"),
    let=decoded(logits, 4),
    assume=[],
    then=Eq(
        lhs=lambda x: [x.reward(x.d), x.slope],
        rhs=lambda x: [x.softplus(x.d), x.D(x.d)],
        within=F(1, 10**30),
    ),
    tight=Tight(Logits(F(0), F(1)), within=0),
    mutants=[
        Mutant("dr/dd = dD/dd", rhs=lambda x: [x.softplus(x.d), x.slope_of_D]),
        Mutant("r = log σ(d)", lhs=lambda x: [x.D(x.d).log(), x.slope]),
    ],
    expect=CERTIFIED,
)

softplus_reward_lipschitz: Claim[Logits] = Claim(
    statement=(
        "0 ≤ r; |r(d) − r(e)| ≤ |d − e|, and ≤ |D(d) − D(e)|/(1 − max D): Lip(r) ≤ Lip(d), but a bound "
        "on ‖∇D‖ is none on ‖∇r‖"
    ),
    source=PAPER.at("derived from the adversarial reward"),
    let=decoded(logits, 4),
    assume=[],
    then=Leq(
        lhs=lambda x: [fmpq(0), x.change, x.change], rhs=lambda x: [x.softplus(x.d), x.far, x.worst_ratio]
    ),
    tight=Tight(Logits(F(40), F(41)), within=1e-12),
    mutants=[
        Mutant(
            "Lip(r) ≤ Lip(D): |r(d) − r(e)| ≤ |D(d) − D(e)|",
            then=Leq(lambda x: x.change, lambda x: x.change_of_D),
        ),
        Mutant("half of |d − e|", rhs=lambda x: [x.softplus(x.d), x.far / 2, x.worst_ratio]),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
