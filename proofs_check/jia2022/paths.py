"""Identities that hold on every path, whatever the numbers: here on arrays of small integers.

A path gives features ψ_0, …, ψ_n ∈ R^q, weights w_i and increments D_0, …, D_{n−1}.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction as F

from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Mutant, Reader, Tight, decoded, run_module

from .setting import PAPER

Rows = tuple[tuple[F, ...], ...]


def dot(u: tuple[F, ...], v: tuple[F, ...]) -> F:
    """u·v."""
    return sum((a * b for a, b in zip(u, v, strict=True)), F(0))


# ---- traces ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Path:
    """Let p_i be discounted gradients (scalars), D_i increments, dt a step."""

    p: tuple[F, ...]
    D: tuple[F, ...]
    dt: F

    def traced(self, delay: int = 0) -> F:
        """Σ_i (Σ_{j ≤ i − delay} p_j Δ)D_i."""
        return sum(
            (sum(self.p[: max(0, i + 1 - delay)], F(0)) * self.dt * d for i, d in enumerate(self.D)), F(0)
        )

    @property
    def gradient(self) -> F:
        """Σ_j p_j Δ(Σ_{i ≥ j} D_i)."""
        return sum((p * self.dt * sum(self.D[j:], F(0)) for j, p in enumerate(self.p)), F(0))


def path(read: Reader) -> Path:
    """1 to 6 steps."""
    n = 1 + read.below(6)
    p, D = (tuple(read.number(3) for _ in range(n)) for _ in range(2))
    return Path(p, D, read.pick((F(1, 4), F(1, 2), F(1))))


pathwise_ctd1: Claim[Path] = Claim(
    statement="Σ_i(Σ_{j≤i} p_jΔ)D_i = Σ_j p_jΔ(Σ_{i≥j} D_i): with θ frozen, CTD(1) is gradient Monte Carlo",
    source=PAPER.at("CTD(1) and the martingale loss (equality of objectives seen); identity derived"),
    let=decoded(path, 20),
    assume=[],
    then=Eq(lhs=lambda x: x.traced(), rhs=lambda x: x.gradient),
    tight=Tight(Path((F(1), F(2)), (F(3), F(1)), F(1, 2)), within=0),
    mutants=[Mutant("the trace leaves out the current index (j ≤ i − 1)", lhs=lambda x: x.traced(1))],
    expect=CERTIFIED,
)


# ---- least squares ---------------------------------------------------------------------------
@dataclass(frozen=True)
class Features:
    """Let ψ_i = e^{−βt_i}φ_i be features along a path, ψ_n = 0, growth_i = e^{βt_i} > 0, v and u vectors."""

    psi: Rows
    growth: tuple[F, ...]
    v: tuple[F, ...]
    u: tuple[F, ...]

    @property
    def n(self) -> int:
        """Number of steps."""
        return len(self.psi) - 1

    def step(self, i: int) -> tuple[F, ...]:
        """Δψ_i."""
        return tuple(b - a for a, b in zip(self.psi[i], self.psi[i + 1], strict=True))

    def bilinear(self, left: tuple[F, ...], right: tuple[F, ...], *, grown: bool = False) -> F:
        """leftᵀA right, A = −Σψ_i(Δψ_i)ᵀ, with φ_i = e^{βt_i}ψ_i for the first ψ_i if `grown`."""
        return -sum(
            (
                (self.growth[i] if grown else 1) * dot(left, self.psi[i]) * dot(self.step(i), right)
                for i in range(self.n)
            ),
            F(0),
        )

    @property
    def formula(self) -> F:
        """½(v·ψ_0)² + ½Σ(v·Δψ_i)²."""
        return (
            dot(self.v, self.psi[0]) ** 2 + sum((dot(self.v, self.step(i)) ** 2 for i in range(self.n)), F(0))
        ) / 2

    @property
    def formula_grown(self) -> F:
        """½e^{βt_0}(v·ψ_0)² + ½Σ_{i≥1}(e^{βt_i} − e^{βt_{i−1}})(v·ψ_i)² + ½Σe^{βt_i}(v·Δψ_i)²."""
        g = self.growth
        total = g[0] * dot(self.v, self.psi[0]) ** 2
        for i in range(1, self.n):
            total += (g[i] - g[i - 1]) * dot(self.v, self.psi[i]) ** 2
        return (total + sum((g[i] * dot(self.v, self.step(i)) ** 2 for i in range(self.n)), F(0))) / 2


def features(read: Reader) -> Features:
    """q ≤ 2 features on 1 to 5 steps, β ≥ 0."""
    q, n = 1 + read.below(2), 1 + read.below(5)
    psi = [tuple(read.number(3) for _ in range(q)) for _ in range(n)] + [(F(0),) * q]
    growth = [F(1)]
    for _ in range(n):
        growth.append(growth[-1] * (1 + F(read.below(4), 4)))
    v, u = (tuple(read.number(2) for _ in range(q)) for _ in range(2))
    return Features(tuple(psi), tuple(growth), v, u)


def unfinished(read: Reader) -> Features:
    """ψ_n ≠ 0."""
    x = features(read)
    return Features((*x.psi[:-1], tuple(1 + abs(read.number(3)) for _ in x.v)), x.growth, x.v, x.u)


def cut(x: Features) -> Features:
    """The path without its last step: it ends where ψ need not be 0."""
    return replace(x, psi=x.psi[:-1], growth=x.growth[:-1]) if x.n > 1 else x


def falling(x: Features) -> Features:
    """β < 0: weights e^{βt_i} that fall."""
    return replace(x, growth=tuple(1 / g**4 for g in x.growth))


FINE = Features(
    ((F(1), F(2)), (F(2), F(-1)), (F(0), F(0))), (F(1), F(3, 2), F(2)), (F(1), F(1)), (F(1), F(0))
)

clstd_pathwise_psd: Claim[Features] = Claim(
    statement=(
        "on every path, A = −Σψ_iΔψ_iᵀ has symmetric part ½ψ_0ψ_0ᵀ + ½ΣΔψΔψᵀ; with test functions φ_i "
        "½φ_0φ_0ᵀ + ½Σ(e^{βt_i} − e^{βt_{i−1}})ψ_iψ_iᵀ + ½Σe^{βt_i}ΔψΔψᵀ"
    ),
    source=PAPER.at("derived: summation by parts"),
    let=decoded(features, 40),
    assume=[],
    then=Eq(
        lhs=lambda x: [x.bilinear(x.v, x.v), x.bilinear(x.v, x.v, grown=True)],
        rhs=lambda x: [x.formula, x.formula_grown],
    ),
    tight=Tight(FINE, within=0),
    mutants=[
        Mutant("A is symmetric", then=Eq(lambda x: x.bilinear(x.u, x.v), lambda x: x.bilinear(x.v, x.u))),
        Mutant("so it is without ψ_n = 0", let=decoded(unfinished, 40)),
        Mutant(
            "without the ½ψ_0ψ_0ᵀ", rhs=lambda x: [x.formula - dot(x.v, x.psi[0]) ** 2 / 2, x.formula_grown]
        ),
    ],
    expect=CERTIFIED,
)

clstd_pathwise_psd_sign: Claim[Features] = Claim(
    statement="so vᵀAv ≥ 0 on every path, with test functions ψ_i or φ_i (β ≥ 0)",
    source=PAPER.at("derived"),
    let=decoded(features, 40),
    assume=[],
    then=Leq(
        lhs=lambda x: [dot(x.v, x.psi[0]) ** 2 / 2] * 2,
        rhs=lambda x: [x.bilinear(x.v, x.v), x.bilinear(x.v, x.v, grown=True)],
    ),
    tight=Tight(Features(tuple((F(10 - k),) for k in range(11)), (F(1),) * 11, (F(1),), (F(1),)), within=0.1),
    named={"1, 2, 0": Features(((F(1),), (F(2),), (F(0),)), (F(1), F(3, 2), F(9, 4)), (F(1),), (F(1),))},
    mutants=[
        Mutant(
            "vᵀAv ≥ 0 without ψ_n = 0 (ψ = (1, 2): −1)",
            then=Leq(lambda x: 0, lambda x: cut(x).bilinear(x.v, x.v)),
        ),
        Mutant(
            "vᵀAv ≥ 0 with φ_i and β < 0 (ψ = (1, 2, 0), e^{βt_1} = 1/5: −1/5)",
            then=Leq(lambda x: 0, lambda x: falling(x).bilinear(x.v, x.v, grown=True)),
        ),
        Mutant("≥ (v·ψ_0)²", lhs=lambda x: [dot(x.v, x.psi[0]) ** 2] * 2),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
