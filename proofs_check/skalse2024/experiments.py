"""How well distances between rewards foretell regret, on the random environments of the paper.

One environment: S = 32, A = 4, γ = .95, uniform μ, eight reward pairs; R_i = R1 + (i/16)(R2 − R1) for
i = 1..16.  Target of a step: mean of (J_1(π1*) − J_1(πi*))/ρ(R1) and (J_i(πi*) − J_i(π1*))/ρ(R_i), evaluated
up to rounding (denominator 0 → 1).  Reported: correlation of each metric c-n-m with the target over steps.

`variant="A"` keeps next-state weights of e^−20, as the released code did: rewards that live on such
transitions only are near trivial, and normalising blows their noise up.  `variant="B"` makes these
probabilities exactly 0 and redraws rewards whose mean is 0 everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import rltheory as rl
from rltheory.operators import canonicalise
from rltheory.operators.canonical import minimal_representative
from rltheory.results.axes import axes
from rltheory.solvers import evaluate_batch, reward_norm, solve_batch

Array = NDArray[np.float64]
Rng = np.random.Generator
Variant = Literal["A", "B"]
STEPS, PAIRS, TINY = 16, 8, -20.0
LEAST_L1 = "minimal-l1-potential"
CANONS = ("none", "EPIC", "DARD", "minimal-potential", "VAL-potential", "VAL", "minimal-l2")
NORMS = ("l1", "l2", "linf", "w1", "w2", "winf")
SHOWN = (
    "rho", "VAL-l2-l2", "VAL-l1-l1", "VAL-l1-l2", "VAL-l2-linf", "minimal-l2-l2-l2", "VAL-potential-l2-l2",
    "VAL-potential-l1-w1", "DARD-l2-l2", "EPIC-l2-l2", "EPIC-l1-l1", "none-l2-l2", "VAL-0-l2",
)  # fmt: skip


@dataclass(frozen=True)
class Correlations:
    """Pearson correlation with the target per metric "c-n-m" (n = 0: not normalised) and for d_ρ ("rho")."""

    values: dict[str, float]
    target: Array
    d_rho: Array
    rows: dict[str, Array]

    def best(self, count: int = 10) -> list[tuple[str, float]]:
        """The metrics with the largest correlation."""
        return sorted(self.values.items(), key=lambda kv: -kv[1])[:count]

    def to_dataframe(self) -> Any:
        """pandas frame: canonicalisation, normalisation, metric, correlation."""
        import pandas as pd

        split = [(k, *k.rsplit("-", 2)) if k != "rho" else (k, "any", "range", "range") for k in self.values]
        out = pd.DataFrame(split, columns=["name", "canon", "norm", "metric"])
        out["correlation"] = list(self.values.values())
        return out.sort_values("correlation", ascending=False)

    def plot(self, ax: Any = None) -> Any:
        """One column a canonicalisation, a dot a pair of norms, grey where nothing was normalised."""
        ax = axes(ax, 7, 4)
        shown = [c for c in (*CANONS, LEAST_L1) if any(n.startswith(f"{c}-") for n in self.values)]
        for k, canon in enumerate((*shown, "rho")):
            named = [(n, v) for n, v in self.values.items() if n.rsplit("-", 2)[0] == canon or n == canon]
            for j, (name, value) in enumerate(named):
                raw = "-0-" in name
                ax.plot(k + ((j + 0.5) / len(named) - 0.5) * 0.5, value, ".", color="0.7" if raw else f"C{k}")
        ax.set_xticks(range(len(shown) + 1), [*shown, "d_ρ"], rotation=20)
        ax.set(ylabel="correlation with regret", ylim=(min(0.0, *self.values.values()), 1))
        ax.grid(axis="y", alpha=0.3)
        return ax


def environment(rng: np.random.Generator, S: int = 32, A: int = 4, *, variant: Variant = "B") -> Array:
    """τ: softmax of normal logits above a threshold; below it weight e^−20 (A) or 0 (B)."""
    Z = rng.standard_normal((S, A, S))
    threshold = 1.0 if S < 50 else 1.5 if S < 100 else 1.8
    if variant == "A":
        W = np.exp(np.where(threshold < Z, Z, TINY))
    else:
        W = np.where(threshold < Z, np.exp(Z), 0.0)
        W[W.sum(axis=-1) == 0] = 1.0
    return np.asarray(W / W.sum(axis=-1, keepdims=True))


def random_reward(rng: Rng, tau: Array, gamma: float, *, variant: Variant) -> Array:
    """Normal entries, then by chance: sparse, scaled, moved, shaped."""
    S, A, _ = tau.shape
    R = rng.standard_normal((S, A, S))
    if rng.random() > 0.8:
        level = 3.0 if S < 50 else 3.5 if S < 100 else 3.8
        while True:
            sparse = np.where(level < R, R, 0.0)
            if (sparse != 0).any() and (variant == "A" or (tau * sparse).sum(axis=-1).any()):
                break
            R = rng.standard_normal((S, A, S))
        R = sparse
    if rng.random() > 0.3:
        R = R * (10 * rng.random())
    if rng.random() > 0.7:
        R = R + 10 * rng.random()
    if rng.random() > 0.5:
        phi = np.asarray(rng.standard_normal(S) * (10 * rng.random()) + rng.random())
        R = R + gamma * phi[None, None, :] - phi[:, None, None]
    return np.asarray(R)


def returns(mdp: rl.MDP, R: Array) -> tuple[Array, Array, NDArray[np.int64]]:
    """(best, worst) returns and optimal policies of a batch of rewards, each scaled by its largest entry."""
    P = mdp.P
    r = (P * R).sum(axis=-1)
    size = np.abs(r).max(axis=(1, 2))
    unit = r / np.where(size > 0, size, 1.0)[:, None, None]
    both = np.concatenate([unit, -unit])
    out = solve_batch(np.broadcast_to(P, (len(both), *P.shape)), both, float(mdp.gamma), 1e-13)
    J = out.V @ mdp.mu
    n = len(R)
    return J[:n] * size, -J[n:] * size, np.asarray(out.pi[:n])


def of_policies(mdp: rl.MDP, R: Array, pi: NDArray[np.int64]) -> Array:
    """J of policy i under reward i."""
    P = mdp.P
    r = (P * R).sum(axis=-1)
    size = np.abs(r).max(axis=(1, 2))
    unit = r / np.where(size > 0, size, 1.0)[:, None, None]
    V = evaluate_batch(np.broadcast_to(P, (len(R), *P.shape)), unit, float(mdp.gamma), pi, 1e-13).V
    return np.asarray((V @ mdp.mu) * size)


def one_environment(
    rng: np.random.Generator,
    S: int = 32,
    A: int = 4,
    gamma: float = 0.95,
    *,
    variant: Variant = "B",
    least_l1: bool = False,
) -> tuple[Array, Array, dict[str, Array]]:
    """(target, d_ρ, every metric) over the 128 steps of one environment."""
    tau = environment(rng, S, A, variant=variant)
    mdp = rl.MDP(tau, np.zeros((S, A)), gamma)
    pairs = [[random_reward(rng, tau, gamma, variant=variant) for _ in range(2)] for _ in range(PAIRS)]
    ends = np.array(pairs)
    part = (np.arange(1, STEPS + 1) / STEPS)[None, :, None, None, None]
    steps = (ends[:, None, 0] + part * (ends[:, None, 1] - ends[:, None, 0])).reshape(-1, S, A, S)
    first = np.repeat(ends[:, 0], STEPS, axis=0)
    high, low, pi = returns(mdp, np.concatenate([ends[:, 0], steps]))
    rho = np.where(high - low > 0, high - low, 1.0)
    rho1, rho_i = np.repeat(rho[:PAIRS], STEPS), rho[PAIRS:]
    lost = np.repeat(high[:PAIRS], STEPS) - of_policies(mdp, first, pi[PAIRS:])
    back = high[PAIRS:] - of_policies(mdp, steps, np.repeat(pi[:PAIRS], STEPS, axis=0))
    target = (lost / rho1 + back / rho_i) / 2
    rows: dict[str, Array] = {}
    gap_high, gap_low, _ = returns(
        mdp, first / rho1[:, None, None, None] - steps / rho_i[:, None, None, None]
    )
    d_rho = gap_high - gap_low
    for canon in CANONS:
        c1, c2 = (canonicalise(ends[:, k], mdp, canon) for k in (0, 1))  # type: ignore[arg-type]
        ci = (c1[:, None] + part * (c2[:, None] - c1[:, None])).reshape(-1, S, A, S)
        for norm in (*NORMS, None):
            a, b = (c / _size(c, mdp, norm)[:, None, None, None] if norm else c for c in (c1, ci))
            gap = np.repeat(a, STEPS, axis=0) - b
            for m in NORMS:
                rows[f"{canon}-{norm or 0}-{m}"] = reward_norm(gap, mdp, m)  # type: ignore[arg-type]
    if least_l1:
        rows |= least_l1_metrics(ends, steps, mdp)
    return target, d_rho, rows


def least_l1_metrics(ends: Array, steps: Array, mdp: rl.MDP) -> dict[str, Array]:
    """The metrics of least ℓ₁ norm over shapings: not linear in R, so every step has its own LP."""
    found = np.array(
        [minimal_representative(R, mdp, "l1", redistribute=False)[0] for R in (*ends[:, 0], *steps)]
    )
    found = found / _size(found, mdp, "l1")[:, None, None, None]
    gap = np.repeat(found[:PAIRS], STEPS, axis=0) - found[PAIRS:]
    return {f"{LEAST_L1}-l1-{m}": reward_norm(gap, mdp, m) for m in NORMS}  # type: ignore[arg-type]


def _size(c: Array, mdp: rl.MDP, norm: Any) -> Array:
    size = reward_norm(c, mdp, norm)
    return np.where(size > 0, size, 1.0)


def environments(
    seed: int, count: int, *, variant: Variant = "B", least_l1: bool = False
) -> Iterator[tuple[Array, Array, dict[str, Array]]]:
    """Environment e of replicate `seed` uses default_rng([seed, e])."""
    for e in range(count):
        yield one_environment(np.random.default_rng([seed, e]), variant=variant, least_l1=least_l1)


def correlations(
    count: int = 12,
    seed: int = 0,
    *,
    variant: Variant = "B",
    least_l1: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> Correlations:
    """The experiment over `count` environments of 128 steps each (the paper's: 128 environments and more).

    `least_l1` adds the six metrics whose canonical reward is the shaping of least ℓ₁ norm: 136 LPs, about
    3 s, an environment.
    """
    targets, ranges, all_rows = [], [], []
    runs = environments(seed, count, variant=variant, least_l1=least_l1)
    for k, (target, d_rho, rows) in enumerate(runs, 1):
        targets.append(target)
        ranges.append(d_rho)
        all_rows.append(rows)
        if progress is not None:
            progress(k, count)
    target, d_rho = np.concatenate(targets), np.concatenate(ranges)
    rows = {name: np.concatenate([r[name] for r in all_rows]) for name in all_rows[0]}
    values = {name: float(np.corrcoef(x, target)[0, 1]) for name, x in rows.items()}
    values["rho"] = float(np.corrcoef(d_rho, target)[0, 1])
    return Correlations(values, target, d_rho, rows)
