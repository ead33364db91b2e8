"""The estimators that the cross replaces: nuclear norm, soft-impute, ALS; spectra of Lipschitz kernels."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rltheory.checks import (
    CERTIFIED,
    SUPPORTED,
    Claim,
    Eq,
    Every,
    Leq,
    Loose,
    Mutant,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.operators import cross_estimate
from rltheory.solvers import alternating_least_squares, nuclear_norm_completion
from rltheory.solvers import soft_impute as impute

from .setting import HALF, PAPER


# ---- nuclear norm on a cross -----------------------------------------------------------------
@dataclass(frozen=True)
class Arms:
    """Let fgᵀ be seen on row i = 0 and column j = 0; unitary maps reduce it to [[w, a], [b, ·]].

    w = f_0 g_0, a = |f_0|‖g_{−0}‖, b = ‖f_{−0}‖|g_0|, hidden entry ab/w; norms of the rests are Pythagorean.
    """

    f0: F
    g0: F
    f: F
    g: F
    x: F

    @property
    def w(self) -> F:
        """f_0 g_0."""
        return self.f0 * self.g0

    @property
    def hidden(self) -> F:
        """‖f_{−0}‖‖g_{−0}‖, the true value of the block."""
        return self.f * self.g

    def square(self, x: F) -> F:
        """Squared nuclear norm of [[w, a], [b, x]]."""
        a, b = self.f0 * self.g, self.f * self.g0
        return self.w**2 + a**2 + b**2 + x**2 + 2 * abs(self.w * x - a * b)

    @property
    def best(self) -> F:
        """clip(ab/w, ±|w|)."""
        return min(max(self.hidden, -abs(self.w)), abs(self.w))

    @property
    def leverage(self) -> F:
        """leverage(0) of f plus leverage(0) of g."""
        return self.f0**2 / (self.f0**2 + self.f**2) + self.g0**2 / (self.g0**2 + self.g**2)


def arms(read: Reader) -> Arms:
    """Positive rationals; x anywhere, sometimes the minimiser."""
    f0, g0, f, g = (F(1 + read.below(8), 2) for _ in range(4))
    out = Arms(f0, g0, f, g, F(read.below(41) - 20, 4))
    return Arms(f0, g0, f, g, out.best) if read.below(4) == 0 else out


SHORT = Arms(F(1), F(1), F(2), F(1), F(1))

nuclear_cross: Claim[Arms] = Claim(
    statement="minimum nuclear norm fills the block with min(1, |f_0 g_0|/(‖f'‖‖g'‖)) of the truth",
    source=PAPER.at("comparison with nuclear norm minimisation; closed form derived"),
    let=decoded(arms, 8),
    assume=[],
    then=Leq(lhs=lambda x: x.square(x.best), rhs=lambda x: x.square(x.x)),
    tight=Tight(SHORT, within=0),
    mutants=[
        Mutant("it fills in the truth", lhs=lambda x: x.square(x.hidden)),
        Mutant("it fills in zero", lhs=lambda x: x.square(F(0))),
    ],
    expect=CERTIFIED,
)


nuclear_cross_recovery: Claim[Arms] = Claim(
    statement="the block is recovered ⟺ leverage(i) + leverage(j) ≥ 1",
    source=PAPER.at("comparison with nuclear norm minimisation; derived"),
    let=decoded(arms, 8),
    assume=[],
    then=Eq(lhs=lambda x: 1 + int(x.best == x.hidden), rhs=lambda x: 1 + int(x.leverage >= 1)),
    tight=Tight(SHORT, within=0),
    mutants=[
        Mutant("⟺ f_i g_j ≠ 0", rhs=lambda x: 1 + int(x.w != 0)),
        Mutant("⟺ leverages sum to ½", rhs=lambda x: 1 + int(x.leverage >= HALF)),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True, eq=False)
class Seen:
    """Let fgᵀ be seen on row 0 and column 0."""

    f: tuple[float, ...]
    g: tuple[float, ...]

    @property
    def Q(self) -> NDArray[np.float64]:
        """fgᵀ."""
        return np.outer(self.f, self.g)

    @cached_property
    def filled(self) -> NDArray[np.float64]:
        """By the conic solver."""
        mask = np.zeros(self.Q.shape, dtype=np.bool_)
        mask[0], mask[:, 0] = True, True
        return nuclear_norm_completion(self.Q, mask)

    @property
    def share(self) -> float:
        """min(1, |f_0 g_0|/(‖f'‖‖g'‖))."""
        rest = float(np.linalg.norm(self.f[1:]) * np.linalg.norm(self.g[1:]))
        return min(1.0, abs(self.f[0] * self.g[0]) / rest)


def incoherent(read: Reader) -> Seen:
    """First entries no larger than the rests."""
    f, g = (tuple(float(1 + read.below(4)) for _ in range(3)) for _ in range(2))
    return Seen((1.0, *f[1:]), (1.0, *g[1:]))


EVEN = Seen((1.0, 1.0, 1.0), (1.0, 1.0))
SEEN = [Seen((1.0, a, b), (1.0, c)) for a in (1.0, 2.0) for b in (1.0, 1.5) for c in (1.0, 2.0, 3.0)]

nuclear_cross_solver: Claim[Seen] = Claim(
    statement="a conic solver fills in the closed form; the cross formula is exact",
    source=PAPER.at("comparison with nuclear norm minimisation"),
    let=Every("f = (1, a, b), g = (1, c)", len(SEEN), SEEN),
    assume=[],
    then=Eq(
        lhs=lambda x: [x.filled[1, 1], cross_estimate(x.Q[:, [0]], x.Q[[0]], [0], [0])[1, 1]],
        rhs=lambda x: [x.share * x.Q[1, 1], x.Q[1, 1]],
        within=2e-5,
    ),
    tight=Tight(EVEN, within=0),
    mutants=[Mutant("the solver is exact, too", lhs=lambda x: [x.filled[1, 1], x.filled[1, 1]])],
    expect=SUPPORTED,
)


# ---- soft-impute and ALS ---------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Partial:
    """Let X be seen on a mask."""

    X: tuple[tuple[int, ...], ...]
    mask: tuple[tuple[int, ...], ...]
    lam: float

    @property
    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """X and Ω."""
        return np.array(self.X, dtype=np.float64), np.array(self.mask, dtype=np.bool_)

    @cached_property
    def run(self) -> tuple[NDArray[np.float64], tuple[float, ...]]:
        """Soft-impute to 1e-14."""
        out = impute(*self.arrays, self.lam, max_iter=20_000, tol=1e-15)
        return out.Z, out.objectives

    def dual(self, lam: float) -> tuple[float, float, float]:
        """‖G‖, ⟨G, Z⟩, ‖Z‖_* for G = P_Ω(X − Z)/λ."""
        X, mask = self.arrays
        Z = self.run[0]
        G = np.where(mask, X - Z, 0.0) / lam
        return (
            float(np.linalg.norm(G, 2)),
            float((G * Z).sum()),
            float(np.linalg.svd(Z, compute_uv=False).sum()),
        )


def partial(read: Reader) -> Partial:
    """4×3 integers, most entries seen."""
    X = tuple(tuple(read.below(9) - 4 for _ in range(3)) for _ in range(4))
    mask = tuple(tuple(int(read.below(4) > 0) for _ in range(3)) for _ in range(4))
    X = ((5, *X[0][1:]), *X[1:])
    mask = ((1, *mask[0][1:]), *mask[1:])
    return Partial(X, mask, (0.5, 1.0, 1.5)[read.below(3)])


PRINTED = Partial(((4, 2, 0), (2, 0, 0), (0, 0, 3)), ((1, 1, 1), (1, 0, 1), (1, 1, 1)), 0.5)

soft_impute: Claim[Partial] = Claim(
    statement="soft-impute ends with ‖G‖ ≤ 1, ⟨G, Z⟩ = ‖Z‖_*, G = P_Ω(X − Z)/λ; its objective never rises",
    source=PAPER.at("baseline; Mazumder, Hastie and Tibshirani 2010"),
    let=decoded(partial, 32),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.dual(x.lam)[0], x.dual(x.lam)[2], *x.run[1][1:]],
        rhs=lambda x: [1 + 1e-6, x.dual(x.lam)[1] + 1e-6, *[v * (1 + 1e-7) for v in x.run[1][:-1]]],
    ),
    tight=Tight(PRINTED, within=1e-5),
    named={"printed": PRINTED},
    mutants=[Mutant("a fixed point for λ/2", then=Leq(lambda x: x.dual(x.lam / 2)[0], lambda x: 1 + 1e-6))],
    expect=SUPPORTED,
    draws=60,
)


@dataclass(frozen=True, eq=False)
class Halved(Partial):
    """Let U, W be the factors of ridge ALS after a few sweeps, rank 2."""

    @cached_property
    def trace(self) -> tuple[float, ...]:
        """Objectives after every half-step."""
        return alternating_least_squares(*self.arrays, 2, ridge=self.lam / 50, sweeps=6, seed=3)[0].objectives

    @cached_property
    def overshoot(self) -> tuple[float, float]:
        """Objective before a half-step, and after one extrapolated by the factor 2.5."""
        X, mask = self.arrays
        ridge = self.lam / 50

        def objective(U: NDArray[np.float64], W: NDArray[np.float64]) -> float:
            gap = np.where(mask, X - U @ W.T, 0.0)
            return float(0.5 * (gap**2).sum() + 0.5 * ridge * ((U**2).sum() + (W**2).sum()))

        _, U, W = alternating_least_squares(X, mask, 2, ridge=ridge, sweeps=1, seed=3)
        _, V, _ = alternating_least_squares(X, mask, 2, ridge=ridge, sweeps=1, U0=U, W0=W)
        return objective(U, W), objective(U + 2.5 * (V - U), W)


def halved(read: Reader) -> Halved:
    """The same data."""
    x = partial(read)
    return Halved(x.X, x.mask, x.lam)


als: Claim[Halved] = Claim(
    statement="the objective of ridge ALS never rises over an exact half-step",
    source=PAPER.at("baseline"),
    let=decoded(halved, 32),
    assume=[],
    then=Leq(lhs=lambda x: x.trace[1:], rhs=lambda x: [v * (1 + 1e-7) for v in x.trace[:-1]]),
    tight=Loose(0.01, "near convergence"),
    mutants=[
        Mutant(
            "nor over one extrapolated by 2.5",
            then=Leq(lambda x: x.overshoot[1], lambda x: x.overshoot[0]),
        )
    ],
    expect=SUPPORTED,
    draws=60,
)


# ---- spectra ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class Kernel:
    """Let K(s, a) = |s − a|^(1/1) or a 1-Lipschitz wave, on n cell centres of [0, 1], and r be a rank."""

    n: int
    r: int
    wave: int

    @cached_property
    def tail(self) -> float:
        """Frobenius tail beyond rank r, over n."""
        x = (np.arange(self.n) + 0.5) / self.n
        gap = np.abs(x[:, None] - x[None, :])
        K = gap if self.wave == 0 else np.sin(2 * np.pi * self.wave * gap) / (2 * np.pi * self.wave)
        sigma = np.linalg.svd(K, compute_uv=False)
        return float(np.sqrt((sigma[self.r :] ** 2).sum()) / self.n)


def kernel(read: Reader) -> Kernel:
    """Up to 120 cells."""
    return Kernel(20 + read.below(100), 1 + read.below(30) % 19, read.below(3))


spectral: Claim[Kernel] = Claim(
    statement="an L-Lipschitz kernel on [0,1]²: Frobenius tail beyond rank r is at most n·L/(2r)",
    source=PAPER.at("Q* is approximately low rank; derived"),
    let=decoded(kernel, 3),
    assume=[],
    then=Leq(lhs=lambda x: x.tail, rhs=lambda x: 0.5 / x.r),
    tight=Loose(0.58, "2.34 for |s − a| at r = 1"),
    named={"|s − a|, r = 1": Kernel(400, 1, 0), "r = 24": Kernel(400, 24, 0)},
    mutants=[
        Mutant("½/r²", rhs=lambda x: 0.5 / x.r**2),
    ],
    expect=SUPPORTED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
