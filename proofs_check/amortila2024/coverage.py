"""Coverability: the reachability identity, rank, ratios from one reference law."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpq_mat

import rltheory as rl
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, NotShown, Tight, run_module
from rltheory.kernels import exact as ex
from rltheory.operators import density_ratio
from rltheory.solvers import coverability_coefficient

from .setting import (
    HALF,
    PAPER,
    Law,
    LawReader,
    Table,
    World,
    chain_of_three,
    decoded,
    lock,
    mean_law,
    table,
    world,
)

XIE = "Xie, Foster, Bai, Jiang, Kakade 2023, Lemma 3"


# ---- reachability ----------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Covered(World):
    """Let Π be every `step`-th deterministic policy."""

    step: int = 1

    def __repr__(self) -> str:
        return super().__repr__()[:-1] + f", step={self.step})"

    @cached_property
    def kept(self) -> list[Table]:
        """Π."""
        return self.policies[:: self.step]

    @cached_property
    def chosen(self) -> list[Table]:
        """d^π over Π, pushed forward here."""
        return [self.occupancy(pi) for pi in self.kept]

    def c(self, method: Any, *, whole: bool) -> list[F]:
        """C_h by the library."""
        found = coverability_coefficient(self.model, None if whole else self.kept, method=method)
        return [F(c) for c in found.by_step]

    @cached_property
    def all_policies(self) -> list[F]:
        """C_h over all policies by backward passes."""
        return self.c("closed form", whole=True)

    @cached_property
    def of_class(self) -> list[F]:
        """C_h over Π by maxima."""
        return self.c("closed form", whole=False)

    @cached_property
    def programs(self) -> list[F]:
        """C_h over all policies by flows, and over Π (if small) by its linear program."""
        some = self.c("linear program", whole=False) if len(self.kept) <= 16 else self.of_class
        return self.c("linear program", whole=True) + some

    @cached_property
    def enumerated(self) -> list[F]:
        """Σ max over all policies (twice) and over Π, from the occupancies pushed forward here."""
        every, some = (
            np.array(d).max(axis=0).sum(axis=(1, 2)).tolist() for d in (self.occupancies, self.chosen)
        )
        return [*every, *some]

    @cached_property
    def first_actions(self) -> F:
        """Σ_s d1(s)·(number of different actions that Π takes in s at layer 1)."""
        return sum(
            (p * len({int(pi[0, s]) for pi in self.kept}) for s, p in enumerate(self.d1.tolist())), F(0)
        )

    @cached_property
    def within_class(self) -> list[F]:
        """min over μ ∈ {d^π} of sup_π ‖d_h^π/μ‖_∞; 10⁶ stands for ∞."""
        big = F(10**6)
        out = []
        for h in range(self.shape[0]):
            worst = [max(min(big, density_ratio(d[h], m[h]).max()) for d in self.chosen) for m in self.chosen]
            out.append(F(min(worst)))
        return out

    @cached_property
    def best_law(self) -> list[F]:
        """sup_π ‖d_h^π/μ_h‖_∞ at the library's μ."""
        mu = coverability_coefficient(self.model, self.kept).mu
        return [F(max(density_ratio(d[h], mu[h]).max() for d in self.chosen)) for h in range(self.shape[0])]


def covered(read: LawReader) -> Covered:
    """Random models and classes."""
    W = world(read)
    return Covered(W.P, W.R, W.d1, 1 + read.below(6))


def whole(W: World, step: int = 1) -> Covered:
    """W with every `step`-th policy."""
    return Covered(W.P, W.R, W.d1, step)


LOCK = whole(lock(1, 0))
FULL = whole(
    World(table([[[[1, 0], [0, 1]]] * 2] * 2), table(np.zeros((2, 2, 2), dtype=int)), table([HALF, HALF]))
)
"""Both states reachable for certain at layer 2: C_2 = SA = 4."""

cov_reach: Claim[Covered] = Claim(
    statement="inf_μ sup_π ‖d_h^π/μ‖_∞ = Σ_{s,a} sup_π d_h^π(s, a), over all policies and over a class",
    source=PAPER.at(f"Section 2; {XIE}"),
    let=decoded(covered, 160),
    assume=[],
    then=Eq(
        lhs=lambda x: x.all_policies + x.of_class + x.programs + x.best_law,
        rhs=lambda x: x.enumerated * 2 + x.enumerated[x.shape[0] :],
    ),
    tight=Tight([LOCK, FULL, whole(chain_of_three(), 37)], within=0),
    mutants=[
        Mutant("C_h ≤ S", then=Leq(lambda x: x.all_policies, lambda x: F(x.shape[1]))),
        Mutant(
            "sup of the sum: 1",
            then=Eq(
                lambda x: x.of_class,
                lambda x: [max(F(d[h].sum()) for d in x.chosen) for h in range(x.shape[0])],
            ),
        ),
        Mutant(
            "μ among the d^π only",
            then=Eq(lambda x: x.of_class, lambda x: x.within_class),
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)

cov_reach_first: Claim[Covered] = Claim(
    statement="C_1 over a class is Σ_s d1(s)·(number of first actions in s); A over all policies",
    source=PAPER.at(f"derived from {XIE}"),
    let=decoded(covered, 160),
    assume=[],
    then=Eq(lhs=lambda x: [x.of_class[0], x.all_policies[0]], rhs=lambda x: [x.first_actions, F(x.shape[2])]),
    tight=Tight([LOCK, FULL], within=0),
    mutants=[
        Mutant(
            "the number of policies",
            then=Eq(lambda x: x.of_class[0], lambda x: F(len(x.kept))),
        ),
        Mutant("A for every class", then=Eq(lambda x: x.of_class[0], lambda x: F(x.shape[2]))),
    ],
    expect=CERTIFIED,
    draws=60,
)

cov_reach_bounds: Claim[Covered] = Claim(
    statement="A ≤ C_h ≤ SA over all policies (C_1 = A), 1 ≤ C_h ≤ min(|Π|, SA) over a class",
    source=PAPER.at(f"derived from {XIE}"),
    let=decoded(covered, 160),
    assume=[],
    then=Leq(
        lhs=lambda x: [
            *[F(x.shape[2])] * x.shape[0],
            *x.all_policies,
            *[F(1)] * x.shape[0],
            *x.of_class,
            x.all_policies[0],
        ],
        rhs=lambda x: [
            *x.all_policies,
            *[F(x.shape[1] * x.shape[2])] * x.shape[0],
            *x.of_class,
            *[F(min(len(x.kept), x.shape[1] * x.shape[2]))] * x.shape[0],
            F(x.shape[2]),
        ],
    ),
    tight=Tight([LOCK, FULL], within=0),
    mutants=[
        Mutant("C_h ≤ S", then=Leq(lambda x: x.all_policies, lambda x: F(x.shape[1]))),
        Mutant("C_1 = 1 over all policies", then=Leq(lambda x: x.all_policies[0], lambda x: F(1))),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- rank ------------------------------------------------------------------------------------
def rank(rows: list[Table]) -> int:
    """Rank over the rationals."""
    mat = ex.to_fmpq_mat(np.array([r.reshape(-1) for r in rows]))
    return int(fmpq_mat(mat).rank())


@dataclass(frozen=True, eq=False)
class Ranked(Covered):
    """C_h and the rank of (d_h^π(s, a))_{π,(s,a)}."""

    @cached_property
    def ranks(self) -> list[int]:
        """Rank of each layer."""
        return [rank([d[h] for d in self.chosen]) for h in range(self.shape[0])]

    @cached_property
    def cs(self) -> list[F]:
        """C_h over Π, by the library."""
        return self.c("closed form", whole=False)


def ranked(read: LawReader) -> Ranked:
    """Random models and classes."""
    x = covered(read)
    return Ranked(x.P, x.R, x.d1, x.step)


APART = Ranked(table([[[[1, 0], [0, 1]]] * 2] * 2), table(np.zeros((2, 2, 2), dtype=int)), table([1, 0]), 1)
"""One state, then two: the supports of both actions are apart at layer 1."""

cov_rank: Claim[Ranked] = Claim(
    statement="C_h ≤ rank (d_h^π(s, a))_{π,(s,a)}",
    source=PAPER.at("Section 2 (low-rank examples); derived with a barycentric spanner"),
    let=decoded(ranked, 160),
    assume=[],
    then=Leq(lhs=lambda x: x.cs, rhs=lambda x: x.ranks),
    tight=Tight([APART], within=0),
    mutants=[
        Mutant("≤ rank − ½", rhs=lambda x: [r - HALF for r in x.ranks]),
        Mutant("≥ rank", then=Leq(lambda x: x.ranks, lambda x: x.cs)),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- ratios from one reference ---------------------------------------------------------------
@dataclass(frozen=True)
class Reference:
    """Let d_1, …, d_t be laws, t the last, and ν a law positive where they are."""

    laws: tuple[Law, ...]
    nu: Law

    @cached_property
    def where(self) -> list[int]:
        """Points of the last law."""
        return [i for i, p in enumerate(self.laws[-1]) if p > 0]

    @cached_property
    def from_reference(self) -> list[F]:
        """(d_s/ν)/(d_t/ν) for all s, where d_t > 0."""
        w = [density_ratio(np.array(d, dtype=object), np.array(self.nu, dtype=object)) for d in self.laws]
        return [x[i] / w[-1][i] for x in w for i in self.where]

    @cached_property
    def direct(self) -> list[F]:
        """d_s/d_t."""
        last = np.array(self.laws[-1], dtype=object)
        return [density_ratio(np.array(d, dtype=object), last)[i] for d in self.laws for i in self.where]

    @cached_property
    def mixture(self) -> list[F]:
        """1/mean_s(d_s/d_t)."""
        n = len(self.where)
        columns = [self.direct[k::n] for k in range(n)]
        return [len(c) / sum(c, F(0)) for c in columns]

    def over_mean(self, laws: tuple[Law, ...]) -> list[F]:
        """d_t over the mean of `laws`, where d_t > 0; 10⁶ for ∞."""
        m = mean_law(laws)
        return [self.laws[-1][i] / m[i] if m[i] else F(10**6) for i in self.where]


def reference(read: LawReader) -> Reference:
    """Random laws on 2 to 4 points."""
    n, t = 2 + read.below(3), 2 + read.below(4)
    laws = tuple(read.law(n) for _ in range(t))
    spread = [1 + read.below(4) for _ in range(n)]
    return Reference(laws, tuple(F(k, sum(spread)) for k in spread))


POINTS = Reference(((F(1), F(0)), (F(0), F(1)), (HALF, HALF)), (F(1, 4), F(3, 4)))

ratio_from_reference: Claim[Reference] = Claim(
    statement="w^π/w^π' = d^π/d^π' for w = d/ν; 1/mean_{s≤t}(d^(s)/d^(t)) = d^(t)/d̄^(t+1), where d^(t) > 0",
    source=PAPER.at("Section B.2 and the proof of Theorem 3.2 (E.5)"),
    let=decoded(reference),
    assume=[],
    then=Eq(
        lhs=lambda x: x.from_reference + x.mixture,
        rhs=lambda x: x.direct + x.over_mean(x.laws),
    ),
    tight=Tight(POINTS, within=0),
    mutants=[
        Mutant(
            "the mixture leaves round t out", then=Eq(lambda x: x.mixture, lambda x: x.over_mean(x.laws[:-1]))
        ),
        Mutant(
            "mean of 1/w for 1/mean of w",
            then=Eq(
                lambda x: x.mixture,
                lambda x: [
                    sum((1 / w if w else F(10**6) for w in x.direct[k :: len(x.where)]), F(0)) / len(x.laws)
                    for k in range(len(x.where))
                ],
            ),
        ),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class Inverse:
    """Let z, z' > 0 and γ > 0."""

    z: F
    y: F
    gamma: F

    @property
    def change(self) -> F:
        """|min{1/z, γ} − min{1/z', γ}|, by the library's clipping."""
        a, b = rl.operators.clip_ratio(np.array([1 / self.z, 1 / self.y], dtype=object), self.gamma)
        return abs(F(a) - F(b))


def inverse(read: LawReader) -> Inverse:
    """z near 1/γ or anywhere."""
    gamma = F(1 + read.below(12), 4)
    z = 1 / gamma + F(read.below(9), 64) if read.below(2) else F(1 + read.below(64), 16)
    return Inverse(z, z + F(1 + read.below(32), 64), gamma)


ratio_from_reference_lipschitz: Claim[Inverse] = Claim(
    statement="z ↦ min{1/z, γ} is γ²-Lipschitz on (0, ∞)",
    source=PAPER.at("proof of Theorem 3.2 (E.5)"),
    let=decoded(inverse, 12),
    assume=[Assumption("z ≠ z'", lambda x: x.z != x.y, NotShown("both sides are 0 without it"))],
    then=Leq(lhs=lambda x: x.change, rhs=lambda x: x.gamma**2 * abs(x.z - x.y)),
    tight=Tight(Inverse(HALF, HALF + F(1, 10**6), F(2)), within=1e-5),
    mutants=[Mutant("γ-Lipschitz", rhs=lambda x: x.gamma * abs(x.z - x.y))],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
