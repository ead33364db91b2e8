"""Orthogonality conditions E∫ξ dM^θ = 0 with any test functions, and CTD(λ) as λ → 0.

A(ξ) = −E∫ξ e^{−βt}((∂_t + L − β)φ)ᵀdt, b(ξ) = E∫ξ e^{−βt}((∂_t + L − β)φ_0 + r)dt, m = b − Aθ.  *Realisable*
instances have the reward r = −(∂_t + L − β)J^{θ°}: the truth is J^{θ°}.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np

from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Eq,
    Every,
    Leq,
    Mutant,
    NotShown,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.errors import InvalidArgument
from rltheory.kernels import ball
from rltheory.operators import TimePolynomial
from rltheory.solvers import CTDRoot, GMMRoot, MartingaleLossRoot, ValueFamily

from .setting import (
    OU,
    PAPER,
    TINY,
    Coefficients,
    Setting,
    mixed,
    numbers,
    setting,
)


@dataclass(frozen=True)
class Realised:
    """Let θ° = x.theta be the truth, tests ξ polynomials, W = diag(weights), λ ∈ (0, 1]."""

    x: Setting
    tests: tuple[Coefficients, ...]
    weights: Coefficients
    lam: F
    misfit: F = F(0)

    @cached_property
    def family(self) -> ValueFamily:
        """With the reward −(∂_t + L − β)J^{θ°} (+ misfit·x²)."""
        f = self.x.family
        reward = -f.drift_residual(self.x.candidate) + TimePolynomial.polynomial([0, 0, self.misfit])
        return ValueFamily(f.process, f.x0, f.T, f.features, reward, f.terminal, f.beta)

    @cached_property
    def functions(self) -> list[TimePolynomial]:
        """ξ."""
        return [TimePolynomial.polynomial(c) for c in self.tests]

    @cached_property
    def roots(self) -> list[list[Any]]:
        """CTD(0) with ξ, with φ, CTD(λ), GMM with W and with the inverse Gram matrix, ML."""
        q, over = self.family.q, [*self.functions, *self.family.features[:1]]
        W = np.diag([w + 1 for w in self.weights[: len(over)]])
        solvers: list[Any] = [
            CTDRoot(tests=self.functions[:q]), CTDRoot(), CTDRoot(lam=self.lam), GMMRoot(over, W=W),
            GMMRoot(over, W="gram"), MartingaleLossRoot(),
        ]  # fmt: skip
        return [[mixed(v) for v in s.run(self.family).balls] for s in solvers]

    @property
    def determined(self) -> bool:
        """True when no A is singular."""
        try:
            return bool(self.roots)
        except InvalidArgument:
            return False


def realised(read: Reader) -> Realised:
    """Two features, two tests."""
    x = setting(read, feature_degree=1)
    features = ((1, (F(1), read.number(1))), (2, (read.number(1), F(2))))
    x = replace(x, features=features, theta=tuple(v + F(1, 2) for v in x.theta))
    tests = ((F(1), read.number(1)), (read.number(1), F(1), read.number(1)))
    return Realised(
        x, tests, tuple(abs(read.number(2)) for _ in range(3)), read.pick((F(1), F(1, 2), F(1, 4)))
    )


def misfitted(read: Reader) -> Realised:
    """A reward outside the family."""
    return replace(realised(read), misfit=F(1))


REALISED = Realised(OU, ((F(1),), (F(0), F(0), F(1))), (F(1), F(2), F(0)), F(1, 2))

any_test_function_realisable: Claim[Realised] = Claim(
    statement="truth J^{θ°} in the family: CTD(0) with any ξ, CTD(λ), GMM with any W and ML all return θ°",
    source=PAPER.at("orthogonality conditions, any test function (seen)"),
    let=decoded(realised, 50),
    assume=[
        Assumption(
            "A(ξ) is not singular", lambda x: x.determined, NotShown("then there is no root to return")
        )
    ],
    then=Eq(
        lhs=numbers(lambda x: [v for root in x.roots for v in root]),
        rhs=numbers(lambda x: list(x.x.theta) * len(x.roots)),
        within=TINY,
    ),
    tight=Tight(REALISED, within=0),
    mutants=[
        Mutant("so they do off the model", let=decoded(misfitted, 50)),
        Mutant(
            "CTD(0) = ML off the model",
            then=Eq(
                numbers(lambda x: replace(x, misfit=F(1)).roots[1]),
                numbers(lambda x: replace(x, misfit=F(1)).roots[-1]),
                within=TINY,
            ),
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- λ → 0 -----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Trace:
    """Let λ = 10^{−k} in the OU instance, c = log(1/λ); both sides use ξ = e^{−βt}φ."""

    k: int

    @property
    def lam(self) -> F:
        """λ."""
        return F(1, 10**self.k)

    @property
    def c(self) -> Any:
        """log(1/λ)."""
        return self.k * mixed(ball.to_arb(10)).log()

    @cached_property
    def gap(self) -> list[Any]:
        """θ_CTD(λ) − θ_CTD(0)."""
        traced = CTDRoot(lam=self.lam).run(OU.family).balls
        return [mixed(a) - mixed(b) for a, b in zip(traced, CTD0.balls, strict=True)]


CTD0 = CTDRoot(weighted=True).run(OU.family)


def slope_at_zero(x: Setting, theta: list[Any], A: Any) -> list[Any]:
    """−A⁻¹{E∫[ḡ·𝒜ξ + Γ(ξ, ḡ)]dt + (ξḡ)(0, x0)}, ḡ = e^{−βt}g^θ, ξ = e^{−βt}φ."""
    fam = x.family
    g = fam.discount() * fam.residual(theta)
    inner = []
    for f in fam.features:
        xi = fam.discount() * f
        moved = mixed(fam.integral(g * x.A(xi) + x.gamma(xi, g)))
        inner.append(-moved - mixed((xi * g).at(0, x.x0)))
    return list(ball.solve_linear(A, inner))


KS = [Trace(k) for k in (4, 6, 8, 12, 16, 24, 32, 48, 64)]


def worst(values: list[Any]) -> Any:
    """Largest absolute value."""
    return ball.sup_norm(np.array(values, dtype=object))


lambda_to_zero: Claim[Trace] = Claim(
    statement="OU: ‖θ_CTD(λ) − θ_CTD(0)‖_∞ ≤ .383/log(1/λ) for λ ≤ 1e-4",
    source=PAPER.at("CTD(λ) between CTD(0) and ML (seen); rate derived"),
    let=Every("λ = 1e-4, …, 1e-64", len(KS), KS),
    assume=[],
    then=Leq(lhs=numbers(lambda x: worst(x.gap)), rhs=numbers(lambda x: mixed(F(383, 1000)) / x.c)),
    tight=Tight(KS[-1], within=0.02),
    mutants=[
        Mutant("O(λ)", rhs=lambda x: 1000 * x.lam),
        Mutant(
            "order 1.1 in log(1/λ), the same at 1e-4",
            rhs=numbers(
                lambda x: mixed(F(383, 1000)) / KS[0].c * ((KS[0].c / x.c).log() * mixed(F(11, 10))).exp()
            ),
        ),
    ],
    expect=CERTIFIED,
)

lambda_to_zero_limit: Claim[Trace] = Claim(
    statement=(
        "OU: log(1/λ)·(θ_CTD(λ) − θ_CTD(0)) is within .98/log(1/λ) of "
        "−A⁻¹{E∫[ḡ·𝒜ξ + Γ(ξ, ḡ)]dt + (ξḡ)(0, x0)}"
    ),
    source=PAPER.at("derived: cλ^{t−s} tends to a point mass; one integration by parts"),
    let=Every("λ = 1e-4, …, 1e-64", len(KS), KS),
    assume=[],
    then=Leq(
        lhs=numbers(
            lambda x: worst(
                [x.c * v - w for v, w in zip(x.gap, slope_at_zero(OU, CTD0.balls, CTD0.A), strict=True)]
            )
        ),
        rhs=numbers(lambda x: mixed(F(98, 100)) / x.c),
    ),
    tight=Tight(KS[-1], within=0.01),
    mutants=[
        Mutant(
            "without the boundary term (ξḡ)(0, x0)",
            lhs=numbers(
                lambda x: worst(
                    [
                        x.c * v - w
                        for v, w in zip(
                            x.gap, slope_at_zero(replace(OU, x0=F(0)), CTD0.balls, CTD0.A), strict=True
                        )
                    ]
                )
            ),
        ),
        Mutant("it tends to 0", lhs=numbers(lambda x: worst([x.c * v for v in x.gap]))),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
