"""Local Lipschitz constants: what a bound of model error must look like to be used with them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property

from rltheory.checks import CERTIFIED, Claim, Leq, Mutant, Reader, Tight, decoded, run_module
from rltheory.operators import Metric, Transport, local_lipschitz, wasserstein_1, wasserstein_inf

from .setting import HALF, PAPER, Laws, Table, laws, metric, table


# ---- local constants -------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Local(Laws):
    """Let ε = W_∞(p, q)."""

    @cached_property
    def eps(self) -> F:
        """ε."""
        return F(wasserstein_inf(self.p, self.q, self.metric).value)

    @cached_property
    def plan(self) -> Transport:
        """A cheapest coupling supported on D ≤ ε."""
        return wasserstein_1(self.p, self.q, self.metric, within=self.eps)

    def L_at(self, eps: F) -> F:
        """L_ε(V), from the definition."""
        n, D, V = self.metric.n, self.metric.D, self.V
        near = [(i, j) for i in range(n) for j in range(i) if D[i, j] <= eps]
        return max((abs(V[i] - V[j]) / D[i, j] for i, j in near), default=F(0))


def local_laws(read: Reader) -> Local:
    """Random laws, or a law and itself moved one step along a line."""
    if read.below(3) == 0:
        n = 2 + read.below(3)
        w = [read.below(5) for _ in range(n)]
        w[0] += 1
        p = [F(k, sum(w)) for k in w]
        V = table(range(n + 1)) if read.below(2) else read.numbers(n + 1)
        return Local(Metric.line([F(k, 4) for k in range(n + 1)]), table([*p, 0]), table([0, *p]), V)
    x = laws(read)
    return Local(x.metric, x.p, x.q, x.V)


STEP = Local(Metric.line([0, HALF, 1]), table([HALF, HALF, 0]), table([0, HALF, HALF]), table([0, 1, 2]))
FAR_MASS = Local(
    Metric.line([0, F(1, 100), 1]), table([F(99, 100), 0, F(1, 100)]), table([1, 0, 0]), table([0, 0, 100])
)

local: Claim[Local] = Claim(
    statement="ε = W_∞(p, q): |(p − q)V| ≤ L_ε(V)·(least cost of a coupling supported on D ≤ ε) ≤ L_ε(V)·ε",
    source=PAPER.at("derived"),
    let=decoded(local_laws),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.gap, x.L_at(x.eps) * F(x.plan.value)],
        rhs=lambda x: [x.L_at(x.eps) * F(x.plan.value), x.L_at(x.eps) * x.eps],
    ),
    tight=Tight(STEP, within=0),
    named={"a little mass far away": FAR_MASS},
    mutants=[
        Mutant(
            "the same with W₁ for ε: |(p − q)V| ≤ L_{W₁}(V)·W₁",
            then=Leq(lambda x: x.gap, lambda x: x.L_at(x.W1) * x.W1),
        ),
        Mutant("half the cost", rhs=lambda x: [x.L_at(x.eps) * F(x.plan.value) / 2, x.L_at(x.eps) * x.eps]),
    ],
    expect=CERTIFIED,
)


# ---- adversarial perturbations ---------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Perturbed:
    """Let V be a function on a metric space, and let an adversary move the state by at most ε."""

    metric: Metric
    V: Table
    eps: F

    @cached_property
    def change(self) -> F:
        """max |V(s) − V(s')| over D(s, s') ≤ ε."""
        n, D, V = self.metric.n, self.metric.D, self.V
        return max(abs(V[i] - V[j]) for i in range(n) for j in range(n) if D[i, j] <= self.eps)

    @property
    def bound(self) -> F:
        """ε·L_ε(V)."""
        return F(self.eps * local_lipschitz(self.V, self.metric, self.eps))


def perturbed(read: Reader) -> Perturbed:
    """ε is a distance, or any number."""
    n = 2 + read.below(3)
    space = metric(read, n)
    eps = F(read.pick(space.distances.tolist())) if read.below(2) else F(read.below(24), 8)
    return Perturbed(space, read.numbers(n), eps)


adversarial: Claim[Perturbed] = Claim(
    statement="max over D(s, s') ≤ ε of |V(s) − V(s')| ≤ ε·L_ε(V)",
    source=PAPER.at("the adversarial regulariser, in finite form (standard)"),
    let=decoded(perturbed),
    assume=[],
    then=Leq(lhs=lambda x: x.change, rhs=lambda x: x.bound),
    tight=Tight(Perturbed(Metric.line([0, HALF, 2]), table([0, 2, 1]), HALF), within=0),
    mutants=[Mutant("ε/2", rhs=lambda x: x.bound / 2)],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
