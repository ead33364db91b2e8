"""The U-maze of the paper on an exact grid, the rate of the limit, and AWR that hurts: data and pictures.

The behaviour of the maze is that of one optimal run in a hundred among uniformly random ones; every
number comes with the certificate of its solver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import rltheory as rl
from rltheory.arrays import sup_norm
from rltheory.checks import CERTIFIED, Claim, Every, Leq, Loose, Mutant, run_module
from rltheory.models import from_counts, mixture_behaviour, sample_counts
from rltheory.reports.plot import INK, PALETTE, STEEL
from rltheory.solvers import awr, greedy_in_support

from .gadgets import Gadget
from .lets import PAPER, Offline, three_states

EXPERT = 0.01
"""Share of optimal runs in the data."""
STEPS = 100
"""Length of a run."""


@dataclass(frozen=True)
class Maze:
    """The U-maze of side n with slip, γ = .95, and the population behaviour of the paper's dataset."""

    n: int = 9
    slip: Fraction = Fraction(1, 4)

    @cached_property
    def M(self) -> rl.MDP:
        """The model, in doubles."""
        return rl.gallery.u_maze(self.n, 0.95, slip=self.slip)

    @cached_property
    def start(self) -> int:
        """The start state, bottom left."""
        return int(np.argmax(self.M.mu))

    @cached_property
    def uniform(self) -> rl.Policy:
        """All four moves alike (one move in the goal)."""
        return rl.Policy(self.M.allowed / self.M.allowed.sum(axis=1)[:, None])

    @cached_property
    def optimum(self) -> rl.Solution:
        """V*."""
        return rl.solve(self.M, rl.PolicyIteration())

    @cached_property
    def expert(self) -> rl.Policy:
        """π*, uniform over optimal moves."""
        return greedy_in_support(self.optimum.Q, self.uniform)

    @cached_property
    def mu(self) -> rl.Policy:
        """μ ∝ .01·d_opt π* + .99·d_uni/4."""
        return mixture_behaviour(self.M, [self.expert, self.uniform], [EXPERT, 1 - EXPERT], STEPS)

    def implicit(self, tau: float) -> rl.Solution:
        """V_τ, Q_τ, π_τ."""
        return rl.ImplicitQ(self.mu, tau).run(self.M)

    def awr(self, tau: float, beta: float) -> rl.Solution:
        """The AWR policy of (Q_τ, V_τ), evaluated."""
        sol = self.implicit(tau)
        return rl.evaluate(self.M, awr(self.M, self.mu, sol.Q, sol.V, beta))

    def greedy(self, tau: float) -> rl.Solution:
        """The greedy policy of Q_τ, evaluated."""
        return rl.evaluate(self.M, greedy_in_support(self.implicit(tau).Q, self.mu))

    def data(self, seed: int) -> tuple[rl.MDP, rl.Policy]:
        """Empirical model and behaviour of one optimal and 99 random runs."""
        rng = np.random.default_rng(seed)
        C = sample_counts(self.M, self.expert, 1, STEPS, rng) + sample_counts(
            self.M, self.uniform, 99, STEPS, rng
        )
        goal = self.M.terminal
        R = np.where(goal[None, None, :] & ~goal[:, None, None], 10.0, 0.0) + np.zeros(C.shape)
        return from_counts(C, R, 0.95, terminal=goal, mu=self.M.mu, states=self.M.states)

    def learned(self, seed: int, tau: float, beta: float) -> float:
        """True value at the start of the AWR policy learned from data; uniform moves where there are none."""
        model, behaviour = self.data(seed)
        sol = rl.ImplicitQ(behaviour, tau).run(model)
        pi = awr(model, behaviour, sol.Q, sol.V, beta).matrix()
        full = np.where(
            (model.terminal & ~self.M.terminal)[:, None], self.uniform.matrix(), _widen(pi, self.M.A)
        )
        return float(rl.evaluate(self.M, rl.Policy(full)).V[self.start])


def _widen(pi: NDArray[np.float64], A: int) -> NDArray[np.float64]:
    return np.hstack([pi, np.zeros((pi.shape[0], A - pi.shape[1]))])


@dataclass(frozen=True)
class Table:
    """Values at the start of the maze, one row a level τ, with the largest error of a row."""

    tau: tuple[float, ...]
    V: tuple[float, ...]
    greedy: tuple[float, ...]
    awr: tuple[float, ...]
    optimum: float
    error: float
    beta: float

    def __str__(self) -> str:
        head = f"{'τ':>5}  {'V_τ':>14}  {'greedy(Q_τ)':>14}  {f'AWR β={self.beta:g}':>14}\n"
        rows = zip(self.tau, self.V, self.greedy, self.awr, strict=True)
        body = "".join(f"{t:5g}  {v:14.12f}  {g:14.10f}  {a:14.10f}\n" for t, v, g, a in rows)
        return f"{head}{body}V* = {self.optimum:.11f}; all values ± {self.error:.1e}"


def u_maze_table(
    taus: Sequence[float] = (0.5, 0.9, 0.95), beta: float = 10.0, maze: Maze | None = None
) -> Table:
    """V_τ, greedy and AWR values at the start under the population behaviour."""
    x = maze or Maze()
    solutions = [[x.implicit(t), x.greedy(t), x.awr(t, beta)] for t in taus]
    V, greedy, weighted = (tuple(float(row[i].V[x.start]) for row in solutions) for i in range(3))
    worst = max(float(sol.error) for row in [*solutions, [x.optimum]] for sol in row)
    return Table(tuple(taus), V, greedy, weighted, float(x.optimum.V[x.start]), worst, beta)


@dataclass(frozen=True)
class Sampled:
    """(seeds, levels) values at the start of AWR policies learned from 100 runs."""

    tau: tuple[float, ...]
    values: NDArray[np.float64]
    optimum: float
    beta: float

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """Mean over seeds, a number for each level."""
        return np.asarray(self.values.mean(axis=0))

    def plot(self, ax: Any = None) -> Any:
        """Every seed as a dot, means as bars, V* as a line."""
        ax = _axis(ax)
        at = np.arange(len(self.tau))
        ax.bar(at, self.mean, width=0.6, color=PALETTE[5], alpha=0.7, label="mean over seeds")
        for i in at:
            ax.plot(np.full(len(self.values), i), self.values[:, i], ".", color=INK, markersize=4)
        ax.axhline(self.optimum, color=STEEL, linestyle="--", label="$V^*$(start)")
        ax.set_xticks(at, [f"{t:g}" for t in self.tau])
        ax.set(
            xlabel=r"$\tau$", ylabel="value of the learned policy at the start", ylim=(0, 1.35 * self.optimum)
        )
        ax.legend(loc="upper left")
        return ax


def u_maze_sampled(
    taus: Sequence[float] = (0.5, 0.7, 0.9, 0.95),
    seeds: int = 10,
    beta: float = 10.0,
    maze: Maze | None = None,
) -> Sampled:
    """AWR policies learned from one optimal and 99 random runs, evaluated in the true maze."""
    x = maze or Maze()
    values = np.array([[x.learned(seed, tau, beta) for tau in taus] for seed in range(seeds)])
    return Sampled(tuple(taus), values, float(x.optimum.V[x.start]), beta)


@dataclass(frozen=True)
class Slope:
    """‖V*_μ − V_τ‖ against 1 − τ, with the bound δ_τ/(1−γ)."""

    low: NDArray[np.float64]
    gap: NDArray[np.float64]
    bound: NDArray[np.float64]

    @cached_property
    def slopes(self) -> NDArray[np.float64]:
        """Slope of log gap against log(1−τ) between neighbours."""
        return np.asarray(np.diff(np.log(self.gap)) / np.diff(np.log(self.low)))

    def plot(self, ax: Any = None) -> Any:
        """Both curves, log-log."""
        ax = _axis(ax)
        ax.loglog(
            self.low, self.bound, color=PALETTE[1], linestyle="--", label=r"bound $\delta_\tau/(1-\gamma)$"
        )
        ax.loglog(
            self.low, self.gap, "o-", color=PALETTE[0], markersize=4, label=r"$\|V^*_\mu-V_\tau\|_\infty$"
        )
        ax.set(xlabel=r"$1-\tau$", ylabel="distance to the in-support optimum")
        ax.legend(loc="upper left")
        return ax


def limit_slope(x: Offline | None = None, decades: Sequence[int] = range(1, 13)) -> Slope:
    """The gap at 1 − τ = 10^−k in rationals, rounded once."""
    base = x or three_states()
    rows = []
    for k in decades:
        y = Offline(base.M, base.mu, 1 - Fraction(1, 10**k))
        rows.append((10.0**-k, float(sup_norm(y.best.V - y.V)), float(y.delta / (1 - y.M.gamma))))
    return Slope(*np.array(rows).T)


@dataclass(frozen=True)
class Hurt:
    """V^{AWR_β}(0) on G(p, b, m) against β, a row for each level τ."""

    beta: NDArray[np.float64]
    tau: tuple[float, ...]
    awr: NDArray[np.float64]
    V: tuple[float, ...]
    behaviour: float

    def plot(self, ax: Any = None) -> Any:
        """A curve for each level, the behaviour as a line."""
        ax = _axis(ax)
        for i, (tau, row) in enumerate(zip(self.tau, self.awr, strict=True)):
            low = 1 - tau
            name = rf"$\tau={tau:g}$" if low > 0.05 else rf"$1-\tau=10^{{{np.log10(low):.0f}}}$"
            ax.plot(self.beta, row, "--" if i % 2 else "-", color=PALETTE[i], linewidth=2 - i % 2, label=name)
        ax.axhline(self.behaviour, color=STEEL, linestyle=":", label=r"behaviour $\mu$")
        ax.set(xlabel=r"inverse temperature $\beta$", ylabel="value of the AWR policy in state 0")
        ax.set_ylim(bottom=0)
        ax.legend(loc="upper left")
        return ax


def awr_hurts(
    p: float = 1e-3, b: float = 0.45, m: float = 0.5, taus: Sequence[float] = (0.5, 0.9, 0.9999, 0.99999)
) -> Hurt:
    """The gadget's AWR values for β from 0 to 1.6·log(1/p), in doubles."""
    beta = np.linspace(0, 1.6 * np.log(1 / p), 81)
    at = [[Gadget(p, b, m, tau, float(x), 0.99) for x in beta] for tau in taus]
    values = np.array([[x.awr_formula() for x in row] for row in at])
    return Hurt(
        beta, tuple(taus), values, tuple(float(row[0].v0) for row in at), float(at[0][0].behaviour_formula)
    )


def _axis(ax: Any) -> Any:
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(5.0, 3.4), layout="constrained").add_subplot()


def mazes() -> list[Maze]:
    """Sides 8 to 11, three slips."""
    return [Maze(n, slip) for n in range(8, 12) for slip in (Fraction(1, 8), Fraction(1, 4), Fraction(3, 8))]


u_maze_signal: Claim[Maze] = Claim(
    statement="U-maze, AWR at β = 10: τ = .9 earns at least five times what τ = .5 (one step) earns",
    source=PAPER.at("the toy maze of the paper, recalled; grids and numbers are ours"),
    let=Every("U-mazes of side 8 to 11 with slip 1/8, 1/4, 3/8", 12, mazes()),
    assume=[],
    then=Leq(lhs=lambda x: _five_times(x.awr(0.5, 10), x.start), rhs=lambda x: x.awr(0.9, 10).value(x.start)),
    tight=Loose(
        0.05, "an experiment: the factor grows with the way, from 5.2 at side 8; at side 7 it is 2.4"
    ),
    mutants=[
        Mutant(
            "greedy extraction shows it as well",
            then=Leq(lambda x: _five_times(x.greedy(0.5), x.start), lambda x: x.greedy(0.9).value(x.start)),
        ),
    ],
    expect=CERTIFIED,
)


def _five_times(sol: rl.Solution, s: int) -> rl.Enclosure:
    box = sol.value(s)
    return rl.Enclosure(5 * Fraction(box.lower), 5 * Fraction(box.upper))


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
