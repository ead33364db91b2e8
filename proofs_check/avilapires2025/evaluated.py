"""The library's evaluation solvers: their fixed points, and the bounds they report.

A fixed point is checked by one step written from the definitions; a bound against the true laws of layered
models, which are finite.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Mutant, Tight, run_module
from rltheory.results.distributional import DistributionalSolution
from rltheory.solvers.distributional import CategoricalEvaluation, QuantileEvaluation

from .definitions import HALF, ZERO, Exact, F, Law, project, quantized, w1
from .fixed_points import GAMMAS, backward
from .setting import PAPER, Model, Reader, chain, decoded, family, layered, model


@dataclass(frozen=True)
class Projected(Exact):
    """Let M have one action a state; so many atoms, spread over the returns or of equal mass."""

    M: Model
    atoms: int

    @cached_property
    def categorical(self) -> DistributionalSolution:
        """η̂ = Π_C T η̂, in rationals."""
        return CategoricalEvaluation(atoms=self.atoms).run(self.M.library, [0] * self.M.S)

    @cached_property
    def quantile(self) -> DistributionalSolution:
        """η̂ = Π_Q T η̂, in rationals."""
        return QuantileEvaluation(atoms=self.atoms).run(self.M.library, [0] * self.M.S)

    @cached_property
    def grid(self) -> tuple[Fraction, ...]:
        """z."""
        assert self.categorical.grid is not None
        return tuple(self.categorical.grid)

    def laws(self, solution: DistributionalSolution) -> list[Law]:
        """η̂, state by state."""
        return [dict(law) for law in solution.laws]

    def stepped(self, solution: DistributionalSolution) -> list[Law]:
        """T η̂, from the definition."""
        return self.M.evaluate(self.laws(solution), (0,) * self.M.S)

    def masses(self, laws: list[Law]) -> list[Fraction]:
        """Masses at the grid."""
        return [k.get(z, ZERO) for k in laws for z in self.grid]

    def atoms_of(self, laws: list[Law]) -> list[Fraction]:
        """Sorted atoms, repeated by mass."""
        return [x for k in laws for x in sorted(k) for _ in range(int(k[x] * self.atoms))]

    @cached_property
    def true(self) -> list[Law]:
        """η, for layered models."""
        return backward(self.M)

    def errors(self, solution: DistributionalSolution) -> list[Fraction]:
        """w₁(η̂(s), η(s))."""
        return [w1(a, b) for a, b in zip(self.laws(solution), self.true, strict=True)]


def cyclic(read: Reader) -> Projected:
    """Any model; 2 to 6 atoms."""
    return Projected(model(read, A=1, gammas=GAMMAS), 2 + read.below(5))


def forward(read: Reader) -> Projected:
    """Layered models; 2 to 9 atoms."""
    return Projected(layered(read, gammas=GAMMAS), 2 + read.below(8))


def only(M: Model, pi: tuple[int, ...]) -> Model:
    """M with the actions of π alone."""
    return Model(tuple((M.outcomes[s][a],) for s, a in enumerate(pi)), M.gamma)


FM = only(family(3, 2, 2, 3, HALF), (0, 1, 0))

cat_fixed_point_solver: Claim[Projected] = Claim(
    statement="the categorical law returned is Π_C T of itself",
    source=PAPER.at("categorical evaluation; the solver's own fixed point"),
    let=decoded(cyclic),
    assume=[],
    then=Eq(
        lhs=lambda x: x.masses(x.laws(x.categorical)),
        rhs=lambda x: x.masses([project(k, x.grid) for k in x.stepped(x.categorical)]),
    ),
    tight=Tight(Projected(FM, 5), within=0),
    mutants=[Mutant("no projection is needed", rhs=lambda x: x.masses(x.stepped(x.categorical)))],
    expect=CERTIFIED,
    draws=60,
)

quantile_solver: Claim[Projected] = Claim(
    statement="the quantile law returned is Π_Q T of itself",
    source=PAPER.at("quantile evaluation; the solver's own fixed point"),
    let=decoded(cyclic),
    assume=[],
    then=Eq(
        lhs=lambda x: x.atoms_of(x.laws(x.quantile)),
        rhs=lambda x: x.atoms_of([quantized(k, x.atoms) for k in x.stepped(x.quantile)]),
    ),
    tight=Tight(Projected(FM, 3), within=0),
    mutants=[
        Mutant(
            "upper quantiles",
            rhs=lambda x: x.atoms_of(
                [
                    {-y: p for y, p in quantized({-y: p for y, p in k.items()}, x.atoms).items()}
                    for k in x.stepped(x.quantile)
                ]
            ),
        )
    ],
    expect=CERTIFIED,
    draws=60,
)

evaluation_bounds: Claim[Projected] = Claim(
    statement="w₁(η̂(s), η(s)) is at most the error the solvers report",
    source=PAPER.at("categorical and quantile evaluation; bounds derived"),
    let=decoded(forward),
    assume=[],
    then=Leq(
        lhs=lambda x: x.errors(x.categorical) + x.errors(x.quantile),
        rhs=lambda x: [F(e) for e in (*x.categorical.errors, *x.quantile.errors)],
    ),
    tight=Tight(Projected(chain((-1, 1), gamma=F(1, 100)), 2), within=0.05),
    mutants=[
        Mutant(
            "half of it",
            rhs=lambda x: [F(e) / 2 for e in (*x.categorical.errors, *x.quantile.errors)],
        )
    ],
    expect=CERTIFIED,
    draws=60,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
