"""Learning in a latent MDP whose context is revealed after the episode: optimism over alpha vectors.

The framework (A6).  Counts N_m(s,a), n_m(s,a,s') of every context.  Each episode plays the last plan; then
the context m is told and all H steps are counted, the last one too.  A pair is *refreshed* when its count is
a power of two: P̂_m(·|s,a) and its N are what they were at that moment, and the policy is planned anew after
the episode.  With ι = scale·2 ln(2MSAHK/δ) the planners are

    ext    every context moves to its best law in the box |p − P̂| ≤ 2√(P̂ι/N) + 5ι/N, anew in every history
    extc   the same, values clipped at 1
    val    R + P̂·v + max{4√(|supp P̂|·𝕍(P̂, v)ι/N), 16Sι/N}, clipped at 1
    hoef   R + P̂·v + √(Sι/N), clipped at 1: the bonus of a horizon-dependent analysis

over sets of alpha vectors with Pareto pruning (`kernels.optimism`).

Randomness: `SeedSequence(seed).spawn(2)[0]` gives H + 2 uniforms an episode: the context, s_1, …, s_{H+1}.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatVec, IntVec
from ...errors import InvalidArgument
from ...kernels import optimism as kernels
from ...models.latent import LatentMDP
from ...models.validate import ROW_TOL
from ...operators.latent import HistoryTree, history_tree
from ...results.latent import LatentPolicy, Level
from ...seeds import seed_sequence
from .base import check_delta, check_scale

Planner = Literal["ext", "extc", "val", "hoef"]
MODES = {"ext": kernels.EXT, "extc": kernels.EXTC, "val": kernels.VAL, "hoef": kernels.HOEF}
POOL = 4096
UNSEEN = 1e-12
"""Weight of a first state never seen: enough to choose an action by, too little to count."""


@dataclass(frozen=True, eq=False)
class LatentPlan:
    """An optimistic plan.

    Attributes
    ----------
    value
        Σ_s max_α w∘ν(s)·α of the optimistic vectors: at least V* where the true model is in the box.
    policy
        The policy that attains it, as a graph; `policy.value()` is what it is truly worth.
    vectors
        Alpha vectors kept in all.
    """

    value: float
    policy: LatentPolicy
    vectors: int


@dataclass(frozen=True, eq=False)
class LatentRun:
    """One run of a learner.

    Attributes
    ----------
    regret
        (K,) V* − V^{π_k} of every episode, computed, not sampled.
    start_regret
        (K,) the same given the start state drawn.
    gap
        (K,) V_opt − V* of every episode's plan; NaN where the agent has no optimistic value.
    paid
        (K,) rewards collected.
    plans
        Number of plans, the one after the last episode included.
    contexts
        (K,) contexts drawn.
    """

    regret: FloatVec
    start_regret: FloatVec
    gap: FloatVec
    paid: FloatVec
    plans: int
    contexts: IntVec


@dataclass(frozen=True)
class LatentOptimism:
    """Model-based optimism for latent MDPs, context told in hindsight; R is known.

    Parameters
    ----------
    planner
        "ext" (history-wise extension of optimism over models), "extc" (clipped: for unknown supports), "val"
        (optimism of values), "hoef" (baseline).
    delta
        Probability with which the confidence boxes may fail, in (0, 1).
    scale
        Multiplies ι.  1 is the published constant, with which the optimistic value is 1 for thousands of
        episodes; experiments take ≪ 1, and every plot should say so.
    known_support
        True if the learner is told which transitions are possible.
    known_start
        False if w and ν must be learned, too: frequencies of (context, first state) stand for w∘ν, anew every
        episode.  That costs at most 2Σ_k ‖ŵ∘ν̂ − w∘ν‖₁ more; the optimistic value is that of the frequencies.
    prune
        "hull" keeps, where two contexts are possible, only vectors that are best at some belief: for longer
        horizons.  It loses nothing for "ext", whose backup is convex, and is refused for the others.
    max_vectors
        Refuse a plan with more candidates than this for one pair.

    Raises
    ------
    InvalidArgument
        For parameters out of range.

    Notes
    -----
    Without hindsight no learner does with polynomially many episodes in general; this one is told the
    context.

    Source: Zhou, Wang and Du (2023), the framework and both planners; "ext" relaxes the joint maximisation
    over models and policies, which no dynamic program computes, to a fresh model in every history.
    """

    planner: Planner = "ext"
    delta: float = 0.1
    scale: float = 1.0
    known_support: bool = True
    known_start: bool = True
    prune: Literal["pareto", "hull"] = "pareto"
    max_vectors: int = 200_000

    def __post_init__(self) -> None:
        if self.planner not in MODES:
            raise InvalidArgument(f"LatentOptimism: planner={self.planner!r}, must be one of {list(MODES)}")
        check_delta("LatentOptimism", self.delta)
        check_scale("LatentOptimism", scale=self.scale)
        if self.prune not in ("pareto", "hull") or (self.prune == "hull" and self.planner != "ext"):
            raise InvalidArgument(
                f"LatentOptimism: prune={self.prune!r} with planner={self.planner!r}; the hull is for "
                "'ext' only (other backups are not convex), use 'pareto'"
            )
        if self.max_vectors < 1:
            raise InvalidArgument(f"LatentOptimism: max_vectors={self.max_vectors}, must be ≥ 1")

    def iota(self, lmdp: LatentMDP, K: int) -> float:
        """ι = scale·2 ln(2MSAHK/δ)."""
        return self.scale * 2 * math.log(2 * lmdp.M * lmdp.S * lmdp.A * lmdp.H * K / self.delta)

    def plan(self, lmdp: LatentMDP, P_hat: NDArray[Any], N: NDArray[Any] | float, iota: float) -> LatentPlan:
        """The plan from estimates P̂ (M, S, A, S) and sample sizes N (M, S, A), or one N for all.

        Raises
        ------
        InvalidArgument
            More candidates than `max_vectors`; estimates of other shapes, out of range or NaN.
        """
        P_hat, n = np.asarray(P_hat), np.asarray(N, dtype=np.float64)
        if P_hat.shape != lmdp.P.shape or n.shape not in ((), lmdp.R.shape):
            raise InvalidArgument(
                f"plan: P_hat of shape {P_hat.shape}, N of shape {n.shape}; must be {lmdp.P.shape}, and a "
                f"number or {lmdp.R.shape}"
            )
        if not (
            (P_hat >= 0).all() and (P_hat <= 1 + ROW_TOL).all() and (n >= 0).all() and np.isfinite(n).all()
        ):
            raise InvalidArgument("plan: P_hat must lie in [0, 1] and N be finite and ≥ 0; an entry does not")
        if not 0 <= iota < math.inf:
            raise InvalidArgument(f"plan: iota={iota}, must be finite and ≥ 0; use agent.iota(lmdp, K)")
        work = _Work(self, lmdp, iota)
        visits = np.broadcast_to(n, (lmdp.M, lmdp.S, lmdp.A))
        work.visits[...] = visits.transpose(1, 2, 0).reshape(work.visits.shape)
        m, s, a, u = np.nonzero(work.tree.slot >= 0)
        work.prob[work.tree.ptr[s * lmdp.A + a] + work.tree.slot[m, s, a, u], m] = np.asarray(P_hat)[
            m, s, a, u
        ]
        value = work.plan()
        return LatentPlan(value, work.policy(), int(work.pool.size.sum()))

    def run(self, lmdp: LatentMDP, K: int, *, seed: int = 0, optima: FloatVec | None = None) -> LatentRun:
        """Play K episodes.

        Parameters
        ----------
        lmdp
            The true model, in doubles (an exact one is rounded).
        K, seed
            Episodes; seed of the stream.
        optima
            (S,) `start_optima(lmdp)`, if known.
        """
        check_episodes("LatentOptimism", K)
        check_normalised(lmdp)
        work = _Work(self, lmdp.float(), self.iota(lmdp, K))
        return work.run(K, seed, start_optima(lmdp) if optima is None else optima)


def check_episodes(who: str, K: object) -> None:
    """K is an integer ≥ 1."""
    if isinstance(K, bool) or not isinstance(K, (int, np.integer)) or K < 1:
        raise InvalidArgument(f"{who}: K={K!r}, must be a number of episodes ≥ 1")


def check_normalised(lmdp: LatentMDP) -> None:
    """Rewards ≥ 0 whose totals are at most 1: values are clipped at 1, regret is at most V* an episode."""
    if (lmdp.R < 0).any() or lmdp.largest_total > 1 + ROW_TOL:
        low, top = float(lmdp.R.min()), float(lmdp.largest_total)
        raise InvalidArgument(
            f"regret: least reward {low:.6g}, largest total {top:.6g}; the theorems assume rewards ≥ 0 that "
            "add up to at most 1: build the model with normalisation='require' or 'rescale'"
        )


def start_optima(lmdp: LatentMDP) -> FloatVec:
    """(S,) w∘ν(s)·V*(s) as doubles, V* = Σ_s of them; by beliefs, or, if those are many, by alphas."""
    return optima_within(lmdp)[0]


def optima_within(lmdp: LatentMDP) -> tuple[FloatVec, float]:
    """`start_optima` and a bound on the error of their sum, pruning and rounding included."""
    from ..latent_alpha import AlphaDP
    from ..latent_belief import BeliefDP

    model = lmdp.float()
    try:
        sol = BeliefDP().run(model)
    except InvalidArgument:
        sol = AlphaDP().run(model)
    out: FloatVec = (model.start.T * sol.alpha).sum(axis=1)
    total = float(out.sum())
    return out, max(float(sol.upper) - total, total - float(sol.lower), 0.0)


def anywhere(tree: HistoryTree) -> NDArray[np.uint8]:
    """(H, M, S): where contexts can be when any of them may start anywhere."""
    lmdp = tree.lmdp
    out = np.ones((lmdp.H, lmdp.M, lmdp.S), dtype=np.uint8)
    edges = (tree.slot >= 0).any(axis=2)
    for t in range(1, lmdp.H):
        out[t] = (out[t - 1][:, :, None].astype(bool) & edges).any(axis=1)
    return out


class _Work:
    """Arrays of a learner and its calls of the kernels."""

    def __init__(self, agent: LatentOptimism, lmdp: LatentMDP, iota: float) -> None:
        model = lmdp.float()
        self.agent, self.lmdp, self.iota, self.mode = agent, model, iota, MODES[agent.planner]
        every = None if agent.known_support else np.ones((model.M, model.S, model.A, model.S), dtype=np.bool_)
        self.tree: HistoryTree = history_tree(model, support=every)
        mask = np.zeros(self.tree.factor.shape, dtype=np.uint8)
        m, s, a, u = np.nonzero(self.tree.slot >= 0)
        mask[self.tree.ptr[s * model.A + a] + self.tree.slot[m, s, a, u], m] = 1
        pairs = model.S * model.A
        self.flat = kernels.Tree(
            np.array(self.tree.ptr),
            np.array(self.tree.state),
            np.array(self.tree.slot),
            mask,
            np.array(self.tree.seen, dtype=np.uint8),
            np.array(self.tree.R).reshape(pairs, model.M),
            np.array(self.tree.start),
            np.array(self.tree.factor),
            np.array(model.P),
            np.cumsum(model.weights),
            np.cumsum(model.nu, axis=1),
        )
        self.visits, self.prob = np.zeros((pairs, model.M)), np.zeros(mask.shape)
        self.lo, self.hi = np.zeros(mask.shape), np.zeros(mask.shape)
        self.best = np.zeros(model.S)
        self.pool = self.new_pool(POOL)
        if not agent.known_start:
            self.flat.seen[...] = anywhere(self.tree)
            none = np.zeros(0, dtype=np.int64)
            self.guess_start(none, none)

    def new_pool(self, cap: int) -> kernels.Pool:
        lmdp = self.lmdp

        def table() -> NDArray[np.int64]:
            return np.zeros((lmdp.H + 1, lmdp.S), np.int64)

        return kernels.Pool(
            alpha=np.zeros((cap, lmdp.M)),
            action=np.zeros(cap, np.int64),
            child=np.zeros((cap, self.tree.width), np.int64),
            first=table(),
            size=table(),
            value=np.zeros((cap, lmdp.M)),
            used=np.zeros(cap, np.uint8),
            root=np.zeros(lmdp.S, np.int64),
        )

    def plan(self) -> float:
        """Fill the pool; the optimistic value."""
        failed = np.zeros(4)
        while True:
            limit = float(self.agent.max_vectors)
            status = kernels.plan(
                *(self.mode, self.iota, self.flat, self.prob, self.visits),
                *(self.lo, self.hi, self.pool, limit, int(self.agent.prune == "hull"), failed),
            )
            if status == kernels.DONE:
                break
            if status == kernels.TOO_MANY:
                t, s, a = (int(x) for x in failed[:3])
                raise InvalidArgument(
                    f"LatentOptimism: {failed[3]:.3g} candidates at step {t + 1} for (s={s}, a={a}), more "
                    f"than max_vectors={self.agent.max_vectors}; use prune='hull', or raise it"
                )
            self.pool = self.new_pool(4 * self.pool.alpha.shape[0])
        kernels.settle(self.flat, self.pool, self.best)
        return float(self.best.sum())

    def guess_start(self, contexts: IntVec, starts: IntVec) -> None:
        """Put the frequencies of (s_1, m) where w∘ν stands; any context is as likely where s was not seen."""
        M = self.lmdp.M
        seen = np.bincount(starts * M + contexts, minlength=self.lmdp.S * M).reshape(-1, M)
        guess = seen / max(1, len(starts))
        guess[seen.sum(axis=1) == 0] = UNSEEN / M
        self.flat.start[...] = guess

    def start_values(self) -> FloatVec:
        """(S,) w∘ν(s)·V^π(s) of the policy, in the true model."""
        root = self.pool.root
        out = np.zeros(self.lmdp.S)
        on = np.flatnonzero(root >= 0)
        out[on] = (self.tree.start[on] * self.pool.value[root[on]]).sum(axis=1)
        return out

    def policy(self) -> LatentPolicy:
        """The policy in the pool as a graph."""
        pool, lmdp = self.pool, self.lmdp
        states = np.full(pool.alpha.shape[0], -1, dtype=np.int64)
        for t in range(lmdp.H):
            for s in range(lmdp.S):
                states[pool.first[t, s] : pool.first[t, s] + pool.size[t, s]] = s
        nodes = {int(i): n for n, i in enumerate(sorted(set(pool.root[pool.root >= 0].tolist())))}
        root = np.array([nodes[int(i)] if i >= 0 else -1 for i in pool.root], dtype=np.int64)
        levels = []
        for t in range(lmdp.H):
            at = np.array(list(nodes), dtype=np.int64)
            below: dict[int, int] = {}
            child = np.full((at.size, self.tree.width if t + 1 < lmdp.H else 0), -1, dtype=np.int64)
            for row, i in enumerate(at.tolist()):
                for j in range(child.shape[1]):
                    if pool.child[i, j] >= 0:
                        child[row, j] = below.setdefault(int(pool.child[i, j]), len(below))
            levels.append(Level(states[at], pool.action[at].copy(), child))
            nodes = below
        return LatentPolicy(self.tree, root, tuple(levels))

    def run(self, K: int, seed: int, stars: FloatVec) -> LatentRun:
        lmdp = self.lmdp
        rng = np.random.default_rng(seed_sequence(seed).spawn(2)[0])
        U = rng.random((K, lmdp.H + 2))
        counts = np.zeros(self.visits.shape, np.int64)
        moves = np.zeros(self.prob.shape, np.int64)
        contexts, starts, paid = np.zeros(K, np.int64), np.zeros(K, np.int64), np.zeros(K)
        regret, gap, at_start = np.empty(K), np.empty(K), np.empty(K)
        mass, optimum = lmdp.start.sum(axis=0), stars.sum()
        told = self.agent.known_start
        k, plans, fresh = 0, 0, True
        while fresh:
            value, plans = self.plan(), plans + 1
            while k < K:
                own = self.start_values()
                end = int(
                    kernels.play(
                        *(self.flat, self.pool, U if told else U[: k + 1], k, counts, moves),
                        *(self.visits, self.prob, contexts, starts, paid),
                    )
                )
                fresh, done = end > 0, abs(end)
                regret[k:done], gap[k:done] = optimum - own.sum(), value - optimum
                s = starts[k:done]
                at_start[k:done] = (stars[s] - own[s]) / mass[s]
                k = done
                if not told:
                    self.guess_start(contexts[:k], starts[:k])
                if fresh:
                    break
                kernels.settle(self.flat, self.pool, self.best)
                value = float(self.best.sum())
            if k == K:
                plans += fresh  # the plan after the last episode is counted, and not made
                break
        return LatentRun(regret, at_start, gap, paid, plans, contexts)
