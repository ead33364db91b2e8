"""Laws on a grid: the categorical projection Π_C (fixed atoms), the quantile projection Π_Q (fixed masses).

Π_C clips to [z_1, z_m] and splits mass linearly between neighbours, spacing Δ.  Π_Q puts mass 1/m at the
lower quantiles of levels (2i−1)/(2m).  ℓ₂² = ∫ (F − G)²; w_p is the Wasserstein distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, Tight, run_module

from .definitions import (
    HALF,
    ONE,
    ZERO,
    Exact,
    F,
    Law,
    Pairs,
    cramer,
    library,
    mean,
    project,
    quantized,
    w1,
    w2_squared,
    w_inf,
)
from .setting import PAPER, Reader, decoded


@dataclass(frozen=True)
class OnGrid(Exact):
    """Let nu and nu2 be laws and z_1, z_1 + delta, … a grid of m points; `on` masses of a law on the grid."""

    nu: Pairs
    nu2: Pairs
    low: Fraction
    delta: Fraction
    m: int
    on: tuple[Fraction, ...]

    @cached_property
    def grid(self) -> tuple[Fraction, ...]:
        """z."""
        return tuple(self.low + i * self.delta for i in range(self.m))

    @cached_property
    def law(self) -> Law:
        """ν."""
        return dict(self.nu)

    @cached_property
    def other(self) -> Law:
        """ν₂."""
        return dict(self.nu2)

    @cached_property
    def image(self) -> Law:
        """Πν, by the library."""
        return dict(library(self.law).categorical(self.grid))

    @cached_property
    def other_image(self) -> Law:
        """Πν₂, by the library."""
        return dict(library(self.other).categorical(self.grid))

    @cached_property
    def target(self) -> Law:
        """A law on the grid."""
        return {z: p for z, p in zip(self.grid, self.on, strict=True) if p}

    @cached_property
    def rises(self) -> list[Fraction]:
        """ΔF_i: mass strictly inside cell i."""
        return [
            sum((p for x, p in self.nu if a < x < b), ZERO)
            for a, b in zip(self.grid, self.grid[1:], strict=False)
        ]

    def inside(self, k: Pairs) -> bool:
        """Support within the grid."""
        return all(self.grid[0] <= x <= self.grid[-1] for x, _ in k)


def on_grid(read: Reader) -> OnGrid:
    """Grids that cover [−4, 4], and some that do not."""
    low, delta = read.pick(((F(-4), ONE), (F(-4), F(2)), (F(-5), F(5, 3)), (F(-3), F(3, 2)), (F(-4), F(8))))
    m = int(8 / delta) + 2 if low > -5 else 7
    nu, nu2 = read.law(4, 4, 4), read.law(4, 4, 4)
    return OnGrid(nu, nu2, low, delta, m, read.weights(m))


def _dirac(x: Fraction) -> Pairs:
    return ((x, ONE),)


MIDDLE = OnGrid(_dirac(HALF), _dirac(ZERO), ZERO, ONE, 3, (ONE, ZERO, ZERO))
OUTSIDE = OnGrid(_dirac(F(-5)), _dirac(F(1)), F(-3), ONE, 5, (ONE, ZERO, ZERO, ZERO, ZERO))
POINTS = OnGrid(_dirac(ONE), _dirac(F(2)), ZERO, ONE, 3, (ONE, ZERO, ZERO))
COVERS = "z_1 ≤ ν ≤ z_m"

cat_projection: Claim[OnGrid] = Claim(
    statement="ν in the range of the grid: E Πν = E ν, and ℓ₂²(ν,ν') = ℓ₂²(ν,Πν) + ℓ₂²(Πν,ν') for ν' on it",
    source=PAPER.at("categorical projection; recalled, Rowland et al. 2018"),
    let=decoded(on_grid),
    assume=[Assumption(COVERS, lambda x: x.inside(x.nu), fails_without=OUTSIDE)],
    then=Eq(
        lhs=lambda x: [mean(x.image), cramer(x.law, x.target)],
        rhs=lambda x: [mean(x.law), cramer(x.law, project(x.law, x.grid)) + cramer(x.image, x.target)],
    ),
    tight=Tight(MIDDLE, within=0),
    mutants=[
        Mutant("mean kept outside the range", drop=COVERS),
        Mutant(
            "orthogonal in w₂",
            then=Eq(
                lambda x: w2_squared(x.law, x.target),
                lambda x: w2_squared(x.law, x.image) + w2_squared(x.image, x.target),
            ),
        ),
    ],
    expect=CERTIFIED,
)

cat_projection_expansion: Claim[OnGrid] = Claim(
    statement="Π_C does not expand ℓ₂ or w₁",
    source=PAPER.at("categorical projection; ℓ₂ recalled, Rowland et al. 2018; w₁ derived"),
    let=decoded(on_grid),
    assume=[],
    then=Leq(
        lhs=lambda x: [cramer(x.image, x.other_image), w1(x.image, x.other_image)],
        rhs=lambda x: [cramer(x.law, x.other), w1(x.law, x.other)],
    ),
    tight=Tight(POINTS, within=0),
    named={"half a cell": MIDDLE},
    mutants=[
        Mutant(
            "nor w₂",
            then=Leq(lambda x: w2_squared(x.image, x.other_image), lambda x: w2_squared(x.law, x.other)),
        ),
        Mutant(
            "it halves them",
            rhs=lambda x: [cramer(x.law, x.other) / 2, w1(x.law, x.other) / 2],
        ),
    ],
    expect=CERTIFIED,
)

cat_projection_error: Claim[OnGrid] = Claim(
    statement="w₁(Πν,ν) ≤ Δ/2 and ℓ₂²(Πν,ν) ≤ (Δ/4) Σ_i (ΔF_i)² ≤ Δ/4, ΔF_i the rise of F inside cell i",
    source=PAPER.at("categorical projection; constants derived"),
    let=decoded(on_grid),
    assume=[Assumption(COVERS, lambda x: x.inside(x.nu), fails_without=OUTSIDE)],
    then=Leq(
        lhs=lambda x: [
            w1(x.image, x.law),
            cramer(x.image, x.law),
            x.delta / 4 * sum(r * r for r in x.rises),
        ],
        rhs=lambda x: [x.delta / 2, x.delta / 4 * sum(r * r for r in x.rises), x.delta / 4],
    ),
    tight=Tight(MIDDLE, within=0),
    mutants=[
        Mutant("Δ/3 for Δ/2", then=Leq(lambda x: w1(x.image, x.law), lambda x: x.delta / 3)),
        Mutant("Δ/6 for Δ/4", then=Leq(lambda x: cramer(x.image, x.law), lambda x: x.delta / 6)),
        Mutant("outside the range too", drop=COVERS),
    ],
    expect=CERTIFIED,
)


# ---- quantiles -------------------------------------------------------------------------------
@dataclass(frozen=True)
class Quantised(Exact):
    """Let nu and nu2 be laws and m a number of atoms."""

    nu: Pairs
    nu2: Pairs
    m: int

    @cached_property
    def images(self) -> tuple[Law, Law]:
        """Π_Q of both, by the library."""
        a, b = (dict(library(dict(k)).quantized(self.m)) for k in (self.nu, self.nu2))
        return a, b

    @cached_property
    def laws(self) -> tuple[Law, Law]:
        """Both laws."""
        return dict(self.nu), dict(self.nu2)

    @cached_property
    def width(self) -> Fraction:
        """x_n − x_1 of ν."""
        return max(self.laws[0]) - min(self.laws[0])


def quantised(read: Reader) -> Quantised:
    """Laws of up to five atoms; every other time two laws on the same two points."""
    m = 1 + read.below(4)
    if read.below(2):
        p, q = F(1 + read.below(31), 32), F(1 + read.below(31), 32)
        return Quantised(((ZERO, p), (ONE, 1 - p)), ((ZERO, q), (ONE, 1 - q)), m)
    return Quantised(read.law(4, 2, 5), read.law(4, 2, 5), m)


FAIR = Quantised(((F(-1), HALF), (ONE, HALF)), ((ZERO, ONE),), 1)
SHIFT = Quantised(((F(-1), HALF), (ONE, HALF)), ((ZERO, HALF), (F(2), HALF)), 3)

quantile: Claim[Quantised] = Claim(
    statement="Π_Q does not expand w_∞, and w₁(Π_Qν, ν) ≤ range(ν)/(2m)",
    source=PAPER.at("quantile projection; recalled, Dabney et al. 2018"),
    let=decoded(quantised),
    assume=[],
    then=Leq(
        lhs=lambda x: [w_inf(*x.images), w1(x.images[0], x.laws[0])],
        rhs=lambda x: [w_inf(*x.laws), x.width / (2 * x.m)],
    ),
    tight=Tight([FAIR, SHIFT], within=0),
    mutants=[
        Mutant("nor w₁", then=Leq(lambda x: w1(*x.images), lambda x: w1(*x.laws))),
        Mutant("it keeps the mean", then=Eq(lambda x: mean(x.images[0]), lambda x: mean(x.laws[0]))),
        Mutant("4m for 2m", then=Leq(lambda x: w1(x.images[0], x.laws[0]), lambda x: x.width / (4 * x.m))),
    ],
    expect=CERTIFIED,
)

quantile_definition: Claim[Quantised] = Claim(
    statement="Π_Qν has mass 1/m at min{x : F(x) ≥ (2i−1)/(2m)}, i = 1..m",
    source=PAPER.at("quantile projection; definition, lower quantiles on ties"),
    let=decoded(quantised),
    assume=[],
    then=Eq(
        lhs=lambda x: [v for pair in sorted(x.images[0].items()) for v in pair],
        rhs=lambda x: [v for pair in sorted(quantized(x.laws[0], x.m).items()) for v in pair],
    ),
    tight=Tight(FAIR, within=0),
    mutants=[
        Mutant(
            "upper quantiles on ties",
            then=Eq(
                lambda x: mean(x.images[0]),
                lambda x: -mean(quantized({-y: p for y, p in x.laws[0].items()}, x.m)),
            ),
        )
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
