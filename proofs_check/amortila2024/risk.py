"""H2O: from the risk of an offline learner in every round to that of the hybrid mixture.

μ_t = ½(ν + d̄_t); the learner has n tuples a layer in round t and promises
risk_t ≤ Σ_h (a/n)(CC(π*, μ_t, γn) + CC(π_t, μ_t, γn)) + b, with n = 2(t−1), or n = t as the paper writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import rltheory as rl
from rltheory.checks import CERTIFIED, Claim, Leq, Loose, Mutant, Tight, run_module
from rltheory.kernels import ball
from rltheory.operators import clipped_ratio

from .functions import Valued
from .potentials import Hybrid, harmonic_ball, hybrid, one_point
from .setting import BITS, HALF, PAPER, Law, LawReader, decoded, harmonic, table, world


@dataclass(frozen=True)
class Promise:
    """Let layers of (d_t, ν) be given, π* the laws `star`, the learner's promise an equality."""

    layers: tuple[Hybrid, ...]
    star: tuple[Law, ...]
    a: F
    b: F
    printed: bool

    @property
    def T(self) -> int:
        """Rounds."""
        return self.layers[0].T

    @property
    def gamma(self) -> F:
        """γ."""
        return self.layers[0].gamma

    @cached_property
    def covered(self) -> F:
        """C_⋆ = max_h ‖d*_h/ν_h‖_∞."""
        return max(
            x / v for d, layer in zip(self.star, self.layers, strict=True)
            for x, v in zip(d, layer.nu, strict=True) if x
        )  # fmt: skip

    @cached_property
    def cov(self) -> F:
        """C_cov of the policies played."""
        return max(layer.C for layer in self.layers)

    @cached_property
    def risk(self) -> Any:
        """(1/T)(1 + Σ_{t≥2} promise)."""
        total = F(1)
        for t in range(2, self.T + 1):
            n = t if self.printed else 2 * (t - 1)
            level = self.gamma * n
            for d, layer in zip(self.star, self.layers, strict=True):
                mu = list(layer.mu(t))
                cc = F(clipped_ratio(list(d), mu, level).concentrability)
                cc += F(clipped_ratio(list(layer.laws[t - 1]), mu, level).concentrability)
                total += self.a / n * cc
            total += self.b
        return total / self.T

    def bound(self, cov: F) -> Any:
        """(Ha/T)H_T(2C_⋆ + (2+γ)·cov) + b + 1/T."""
        size = 2 * self.covered + (2 + self.gamma) * cov
        return len(self.layers) * self.a / self.T * harmonic(self.T) * size + self.b + F(1, self.T)


@dataclass(frozen=True)
class FarPromise(Promise):
    """One layer, ν = d* a point, d_t another, T beyond listing, n = t: both CC are min{2, γt}."""

    rounds: int = 2

    @property
    def T(self) -> int:
        """Rounds."""
        return self.rounds

    @cached_property
    def risk(self) -> Any:
        """(1 + 2aΣ_{t=2}^T min{2, γt}/t + (T−1)b)/T."""
        left = one_point(self.gamma, self.T).left
        assert isinstance(left, rl.Enclosure)
        return rl.Enclosure(
            *((1 + 2 * self.a * F(e) + (self.T - 1) * self.b) / self.T for e in (left.lower, left.upper))
        )

    def bound(self, cov: F) -> Any:
        """The same bound with H_T in a ball."""
        size = 2 * self.covered + (2 + self.gamma) * cov
        with ball.precision(BITS):
            return rl.Enclosure.ball(
                (ball.to_arb(self.a * size) * harmonic_ball(self.T) + 1) / self.T + ball.to_arb(self.b)
            )


def fresh(T: int) -> Promise:
    """A new pair each round, ν and π* elsewhere, γ = 1."""
    laws = tuple(tuple(F(int(i == t)) for i in range(T + 1)) for t in range(T))
    nu = (F(0),) * T + (F(1),)
    return Promise((Hybrid(laws, nu, F(1)),), (nu,), F(1), F(0), True)


def rare(T: int) -> Promise:
    """The first pair each round, ν has 1/64 of the second, which is that of π*, γ = 1."""
    laws, nu = ((F(1), F(0)),) * T, (F(63, 64), F(1, 64))
    return Promise((Hybrid(laws, nu, F(1)),), ((F(0), F(1)),), F(1), F(0), True)


def promise(read: LawReader) -> Promise:
    """Up to three layers of one length, π* within the support of ν; or `fresh`, or `rare`."""
    kind = read.below(8)
    if kind in (1, 2):
        return (fresh, rare)[kind - 1](8 + read.below(8))
    first = hybrid(read)
    layers, star = [], []
    for h in range(1 + read.below(3)):
        layer = first if h == 0 else hybrid(read)
        laws = (layer.laws * first.T)[: first.T]
        layers.append(Hybrid(laws, layer.nu, first.gamma))
        seen = [v * read.below(4) for v in layer.nu]
        total = sum(seen, F(0))
        star.append(tuple(x / total for x in seen) if total else layer.nu)
    return Promise(
        tuple(layers), tuple(star), F(1 + read.below(8), 2), F(read.below(3), 8), bool(read.below(2))
    )


FAR = FarPromise(
    (Hybrid(((F(1), F(0)),), (F(0), F(1)), F(1, 20)),), ((F(0), F(1)),), F(1), F(0), True, 10**40
)

h2o_risk: Claim[Promise] = Claim(
    statement="risk_t ≤ Σ_h (a/n)(CC(π*) + CC(π_t)) + b: Risk ≤ (Ha/T)H_T(2C_⋆ + (2+γ)C_cov) + b + 1/T",
    source=PAPER.at("Theorem 4.1 and Lemma F.6; constants derived"),
    let=decoded(promise, 240),
    assume=[],
    then=Leq(lhs=lambda x: x.risk, rhs=lambda x: x.bound(x.cov)),
    tight=Tight(FAR, within=0.06),
    named={"a new pair each round": fresh(20)},
    mutants=[
        Mutant("without C_cov", rhs=lambda x: x.bound(F(0))),
        Mutant(
            "without C_⋆",
            then=Leq(lambda x: x.risk, lambda x: x.bound(x.cov - 2 * x.covered / (2 + x.gamma))),
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- the bases -------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Fitted(Valued):
    """Let μ_h be the laws w (H, S, A) of the data, normalised, and γn a level."""

    level: F

    def __repr__(self) -> str:
        return super().__repr__()[:-1] + f", {self.level!r})"

    @cached_property
    def mu(self) -> Any:
        """μ_h."""
        return self.w / self.w.sum(axis=(1, 2))[:, None, None]

    @cached_property
    def cc(self) -> tuple[F, F]:
        """Σ_h CC of π* and of π_f."""
        laws = [self.occupancy(self.best[1]), self.occupancy(self.pi_f)]
        both = [
            sum((F(clipped_ratio(d[h], self.mu[h], self.level).concentrability) for h in range(len(d))), F(0))
            for d in laws
        ]
        return both[0], both[1]

    @cached_property
    def squares(self) -> F:
        """Σ_h E_{μ_h}[Δ_h²]."""
        return F((self.mu * self.error**2).sum())

    @cached_property
    def transferred(self) -> F:
        """Σ_h E_μ[−Δ w̌*] + E_μ[Δ w̌_f]."""
        star, f = self.occupancy(self.best[1]), self.occupancy(self.pi_f)
        total = F(0)
        for d, sign in ((star, -1), (f, 1)):
            for x, m, e in zip(d.reshape(-1), self.mu.reshape(-1), self.error.reshape(-1), strict=True):
                total += sign * e * min(x, self.level * m)
        return total

    @property
    def loss(self) -> F:
        """J(π*) − J(π_f)."""
        return self.best[0] - self.J_f

    def squared_bound(self, tail: F) -> F:
        """Σ_h [(½ + 2·tail)CC(π*) + (½ + tail)CC(π_f)]/(γn) + γnΣ_h E_μ[Δ²]."""
        star, f = self.cc
        return ((HALF + 2 * tail) * star + (HALF + tail) * f) / self.level + self.level * self.squares


def fitted(read: LawReader) -> Fitted:
    """Random laws of data, pairs left out as often as not."""
    W = world(read)
    H, S, A = W.shape
    f = table([[[read.share(4) for _ in range(A)] for _ in range(S)] for _ in range(H)])
    w = [
        [[F(read.below(5)) if read.below(2) else F(0) for _ in range(A)] for _ in range(S)] for _ in range(H)
    ]
    for layer in w:
        layer[-1][-1] += 1
    return Fitted(W.P, W.R, W.d1, f, table(w), F(1 + read.below(12), 4) * (1, 8, 64)[read.below(3)])


def unseen() -> Fitted:
    """One step, state 0 alone reached, data elsewhere, the wrong action thought better by 1."""
    P = table([[[[1, 0], [1, 0]], [[1, 0], [1, 0]]]])
    R, f = table([[[0, 1], [0, 0]]]), table([[[1, 0], [0, 0]]])
    return Fitted(P, R, table([1, 0]), f, table([[[0, 0], [1, 0]]]), F(1))


def known(level: int) -> Fitted:
    """One step, one state, two actions seen alike, |Δ| = ½: nothing is clipped from level 2 on."""
    P, R, f = table([[[[1], [1]]]]), table([[[0, 1]]]), table([[[1, 1]]]) / 2
    return Fitted(P, R, table([1]), f, table([[[1, 1]]]), F(level))


h2o_risk_transfer: Claim[Fitted] = Claim(
    statement="J(π*) − J(π_f) ≤ Σ_h E_μ[−Δ_h w̌*] + E_μ[Δ_h w̌_f] + (2CC(π*) + CC(π_f))/(γn)",
    source=PAPER.at("Section 4 (base algorithms), with Δ_h f ∈ [−2, 1] (derived)"),
    let=decoded(fitted, 240),
    assume=[],
    then=Leq(lhs=lambda x: x.loss, rhs=lambda x: x.transferred + (2 * x.cc[0] + x.cc[1]) / x.level),
    tight=Tight(known(10**4), within=0.001),
    named={"unseen": unseen()},
    mutants=[
        Mutant("nothing for clipping", rhs=lambda x: x.transferred),
        Mutant("nothing for the data", rhs=lambda x: (2 * x.cc[0] + x.cc[1]) / x.level / 4),
    ],
    expect=CERTIFIED,
    draws=60,
)

h2o_risk_squares: Claim[Fitted] = Claim(
    statement="least squares: J(π*) − J(π_f) ≤ Σ_h (5/(2γn))CC(π*) + (3/(2γn))CC(π_f) + γnΣ_h E_μ[(Δ_h f)²]",
    source=PAPER.at("Section 4 (FQI and MLE as bases): a = 5/(2γ) (derived)"),
    let=decoded(fitted, 240),
    assume=[],
    then=Leq(lhs=lambda x: x.loss, rhs=lambda x: x.squared_bound(F(1))),
    tight=Loose(
        0.66,
        "squares count pairs that one of the two policies avoids, and clipping is paid where there is none",
    ),
    named={"unseen": unseen(), "known": known(6), "far": known(10**4)},
    mutants=[
        Mutant("without the squares", rhs=lambda x: x.squared_bound(F(1)) - x.level * x.squares),
        Mutant("a = 1/4", rhs=lambda x: x.squared_bound(F(-1, 4))),
    ],
    expect=CERTIFIED,
    draws=60,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
