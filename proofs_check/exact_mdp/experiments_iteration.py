"""Experiments 1 and 3: the race of policy iterations, and value iteration against its anchored form.

1. On `gallery.simple_pi_exponential` Howard's rule needs n + 1 evaluations, Dantzig's and the lowest-index
   rule 2, the highest-index rule 2^n, from all zeros.
3. On `gallery.swap_chain` from v_0 = (1, −1) the iterates are (x_k, −x_k): plain value iteration has the
   Bellman error (1+γ)γ^k, its anchored form (1+γ)|Σ_{i≤k} (−1/γ)^i| / Σ_{i≤k} γ^−2i.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, get_args

from rltheory.checks import PROVED, Claim, Eq, Every, Leq, Mutant, Tight, run_module
from rltheory.reports.plot import PALETTE
from rltheory.results.axes import axes
from rltheory.solvers.policy_iteration import Rule

from .lets import PAPER
from .policy_iteration_variants import FAMILY, Exponential
from .value_iteration_variants import Anchored, anchored_swap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RULES: tuple[Rule, ...] = get_args(Rule)
NEAR_ONE = Fraction(999, 1000)


# ---- 1 -------------------------------------------------------------------------------------
@dataclass(frozen=True)
class PolicyIterationRace:
    """Evaluations against n, by rule.

    Attributes
    ----------
    n
        Numbers of states (the sink not counted).
    counts
        Rule ↦ evaluations, one for each n.
    """

    n: tuple[int, ...]
    counts: Mapping[Rule, tuple[int, ...]]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Evaluations as markers over 2^n and n + 1, on a logarithmic axis."""
        ax = axes(ax, 6.0, 3.8)
        ax.plot(self.n, [2**n for n in self.n], "-", color="0.6", label=r"$2^n$")
        ax.plot(self.n, [n + 1 for n in self.n], "--", color="0.6", label=r"$n+1$")
        for i, (rule, counts) in enumerate(self.counts.items()):
            ax.plot(self.n, counts, "osx^"[i], color=PALETTE[i], mfc="none", label=rule)
        ax.set_yscale("log", base=2)
        ax.set(xlabel="states n", ylabel="policies evaluated", title=r"$\gamma = 1 - 2^{-n}$, from all zeros")
        ax.set_xticks(list(self.n))
        ax.legend(fontsize=8, ncols=2)
        return ax


def policy_iteration_race(n_max: int = 10) -> PolicyIterationRace:
    """Run every rule on the family for n = 1..n_max."""
    ns = tuple(range(1, n_max + 1))
    runs = [Exponential(n).evaluations for n in ns]
    return PolicyIterationRace(ns, {rule: tuple(run[rule] for run in runs) for rule in RULES})


pi_race: Claim[Exponential] = Claim(
    statement="from all zeros Howard's rule needs n + 1 evaluations, Dantzig's 2, the highest-index rule "
    "2^n, the lowest-index rule 2",
    source=PAPER.at("Melekopoglou and Condon 1994 (idea); derived"),
    let=Every("1 ≤ n ≤ 10", 10, FAMILY),
    assume=[],
    then=Eq(lhs=lambda x: [x.evaluations[rule] for rule in RULES], rhs=lambda x: [x.n + 1, 2, 2**x.n, 2]),
    tight=Tight(FAMILY[3], within=0),
    mutants=[
        Mutant("Howard's rule needs 2 as well", rhs=lambda x: [2, 2, 2**x.n, 2]),
        Mutant("Dantzig's rule needs n + 1 as well", rhs=lambda x: [x.n + 1, x.n + 1, 2**x.n, 2]),
    ],
    expect=PROVED,
)


# ---- 3 -------------------------------------------------------------------------------------
def predicted(x: Anchored) -> list[Any]:
    """Bellman errors of the anchored and the plain iterate on the swap chain, in closed form."""
    g, powers = x.M.gamma, range(x.k + 1)
    alternating = abs(sum((-1 / g) ** i for i in powers))
    return [(1 + g) * alternating / sum(g ** (-2 * i) for i in powers), (1 + g) * g**x.k]


@dataclass(frozen=True)
class AnchoredRace:
    """Bellman errors against k on the swap chain, v_0 = (1, −1).

    Attributes
    ----------
    gamma
        Discount.
    k
        Numbers of backups.
    plain, anchored, bound
        ‖T v_k − v_k‖ of value iteration, of its anchored form, and the theorem for the latter.
    """

    gamma: Fraction
    k: tuple[int, ...]
    plain: tuple[Fraction, ...]
    anchored: tuple[Fraction, ...]
    bound: tuple[Fraction, ...]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Errors against k with the theorem drawn on them; both axes logarithmic."""
        ax = axes(ax, 6.0, 3.8)
        ks = [k + 1 for k in self.k]
        ax.plot(ks, [float(e) for e in self.bound], "--", color="0.6", label="theorem (anchored)")
        ax.plot(ks, [float(e) for e in self.plain], "-", color=PALETTE[0], label="plain")
        for first, mark in ((0, "o"), (1, "v")):
            errors = [float(e) for e in self.anchored[first::2]]
            label = f"anchored, k {'odd' if first else 'even'}"
            ax.plot(ks[first::2], errors, mark, ms=3, color=PALETTE[1], label=label)
        ax.set(xlabel="k + 1", ylabel=r"$\|Tv_k - v_k\|$", xscale="log", yscale="log")
        ax.set_title(f"swap chain, γ = {self.gamma}")
        ax.legend(fontsize=8)
        return ax


def anchored_race(k_max: int = 100, gamma: Fraction = NEAR_ONE) -> AnchoredRace:
    """Run both iterations for k = 0..k_max backups, in rationals."""
    runs = [anchored_swap(k, gamma) for k in range(k_max + 1)]
    return AnchoredRace(
        gamma,
        tuple(range(k_max + 1)),
        tuple(x.plain_error for x in runs),
        tuple(x.error for x in runs),
        tuple(x.bound() for x in runs),
    )


SWAPS = [anchored_swap(k, NEAR_ONE) for k in range(61)]

anchored_vi_swap: Claim[Anchored] = Claim(
    statement="swap chain, v_0 = (1, −1), γ = 999/1000: the Bellman error is "
    "(1+γ)|Σ_{i≤k} (−1/γ)^i|/Σ_{i≤k} γ^−2i anchored, (1+γ)γ^k plain",
    source=PAPER.at("derived"),
    let=Every("k = 0..60", 61, SWAPS),
    assume=[],
    then=Eq(lhs=lambda x: [x.error, x.plain_error], rhs=predicted),
    tight=Tight(anchored_swap(100), within=0),
    mutants=[
        Mutant("the anchor changes nothing", lhs=lambda x: [x.plain_error] * 2),
        Mutant(
            "plain value iteration obeys the anchored bound",
            then=Leq(lambda x: x.plain_error, lambda x: x.bound()),
        ),
    ],
    expect=PROVED,
)

PRINTED = {10: [Fraction("0.18082"), Fraction("0.18263")], 100: [Fraction("0.01882"), Fraction("0.02070")]}

anchored_vi_printed: Claim[Anchored] = Claim(
    statement="γ = 999/1000: error and bound are 0.18082 ≤ 0.18263 at k = 10, 0.01882 ≤ 0.02070 at k = 100",
    source=PAPER.at("computed"),
    let=Every("k ∈ {10, 100}", 2, [anchored_swap(k) for k in PRINTED]),
    assume=[],
    then=Eq(lhs=lambda x: [x.error, x.bound()], rhs=lambda x: PRINTED[x.k], within=Fraction(1, 200_000)),
    tight=Tight(anchored_swap(10), within=0),
    mutants=[Mutant("1 + γ − γ^(k+1) in the bound", lhs=lambda x: [x.error, x.bound(middle=1)])],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
