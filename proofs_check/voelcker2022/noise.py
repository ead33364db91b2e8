"""Random next states: the value-gradient loss is then biased, since its weights depend on the target."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property

from rltheory.checks import CERTIFIED, Claim, Eq, Mutant, Tight, decoded, run_module
from rltheory.solvers import fit_linear_model

from .fits import NODES, PROBS
from .setting import HALF, PAPER, Table, table


@dataclass(frozen=True, eq=False)
class Noisy:
    """Let s' = m + ςx, x ~ N(0, 1), V = ½s²: the model predicts one number."""

    m: F
    spread: F

    @cached_property
    def S(self) -> Table:
        """Next states at the nodes."""
        return table([[self.m + self.spread * x] for x in NODES])

    @cached_property
    def fitted(self) -> F:
        """The library's weighted fit to a constant feature."""
        fit = fit_linear_model(table([[1]] * 5), self.S, self.S, weights=table(PROBS))
        return F(fit.W[0, 0])

    @property
    def closed(self) -> F:
        """m(m² + 3ς²)/(m² + ς²)."""
        return self.m * (self.m**2 + 3 * self.spread**2) / (self.m**2 + self.spread**2)


stochastic_bias: Claim[Noisy] = Claim(
    statement="s' ~ N(m, ς²), V = ½s²: VaGraM predicts E[s'³]/E[s'²] = m(m² + 3ς²)/(m² + ς²), not m",
    source=PAPER.at("derived: the loss presumes deterministic dynamics"),
    let=decoded(
        lambda read: Noisy(F(1 + read.below(16), 4) * (1 if read.below(2) else -1), F(read.below(17), 4)), 6
    ),
    assume=[],
    then=Eq(lhs=lambda x: x.fitted, rhs=lambda x: x.closed),
    tight=Tight(Noisy(HALF, F(1)), within=0),
    mutants=[
        Mutant("unbiased", rhs=lambda x: x.m),
        Mutant(
            "the value-matching point: ŝ² = m² + ς²",
            then=Eq(lambda x: x.fitted**2, lambda x: x.m**2 + x.spread**2),
        ),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
