"""Regret over episodes, seeds and horizons: curves with bands that hold, theorems drawn over them.

Bands.  The regret after k episodes is a bounded number, 0 ≤ Reg_k ≤ k·(max V*_1 − min V_1), one a
seed; its mean over seeds is enclosed by a confidence sequence (betting), so the number of seeds may be
decided while looking.  `kind="normal"` is the usual mean ± z·s/√n, narrower and only approximate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..arrays import FloatVec, IntVec
from ..errors import InvalidArgument, OptimismLost
from ..operators.confidence import confidence_sequence
from ..results.axes import axes
from .agents.base import Task

What = Literal["pseudo", "regret", "realised"]
Kind = Literal["confidence-sequence", "normal"]
DRAWN = 60
"""Episodes at which a band is computed for a plot."""


@dataclass(frozen=True, eq=False, repr=False)
class RegretCurve:
    """Cumulative regret of one agent on one model: a row a seed, a column a recorded episode.

    Attributes
    ----------
    agent, model, task, seeds
        What was run; `task` has S, A, H, K, vmax.
    episodes
        (n,) recorded episodes, 1-based; the last is K.
    pseudo, regret, realised
        (seeds, n) Σ μ·(V*_1 − V^{π_k}_1); the same at the start states drawn; V* less rewards paid.
    gaps
        (seeds, n) μ·(V̄_1 − V*_1) of the learner's values in that episode; NaN where it has none.
    plans
        (seeds,) number of plans.
    least_gap, least_margin
        (seeds,) least μ·(V̄_1 − V*_1) over all episodes; with `verify`, least V̄_h(s) − V*_h(s).
    lost
        (seeds,) first episode (0-based) in which V̄ fell below V* by more than 1e-9·vmax; −1 if none.
    optimum
        μ·V*_1.
    largest
        Most regret of an episode from any start state.
    error
        (n,) bound on the rounding error of `pseudo` and `regret`.
    shift
        Constant added to every reward to make them nonnegative.
    verified
        Whether `least_margin` covers every h and s.
    """

    agent: object
    model: object
    task: Task
    seeds: tuple[int, ...]
    episodes: IntVec
    pseudo: FloatVec
    regret: FloatVec
    realised: FloatVec
    gaps: FloatVec
    plans: IntVec
    least_gap: FloatVec
    least_margin: FloatVec
    lost: IntVec
    optimum: float
    largest: float
    error: FloatVec
    shift: float
    verified: bool

    # ---- numbers -------------------------------------------------------------------------
    @property
    def K(self) -> int:
        """Episodes."""
        return self.task.K

    @property
    def final(self) -> FloatVec:
        """(seeds,) pseudo-regret after K episodes."""
        out: FloatVec = self.pseudo[:, -1]
        return out

    @property
    def mean(self) -> FloatVec:
        """(n,) mean pseudo-regret over seeds."""
        out: FloatVec = self.pseudo.mean(axis=0)
        return out

    @property
    def standard_error(self) -> FloatVec:
        """(n,) s/√seeds of the pseudo-regret; NaN for one seed."""
        n = len(self.seeds)
        if n == 1:
            return np.full(self.episodes.size, np.nan)
        out: FloatVec = self.pseudo.std(axis=0, ddof=1) / math.sqrt(n)
        return out

    def band(
        self,
        level: float = 0.95,
        *,
        what: What = "pseudo",
        kind: Kind = "confidence-sequence",
        at: Sequence[int] | IntVec | None = None,
        simultaneous: bool = False,
    ) -> tuple[FloatVec, FloatVec]:
        """Lower and upper ends around the expected regret at each recorded episode.

        Parameters
        ----------
        level
            Coverage at each episode (at all of them together if `simultaneous`), for any number of seeds.
        what
            Which regret; "realised" only with kind="normal" (it is not bounded below by 0).
        kind
            "confidence-sequence" (holds for every number of seeds) or "normal" (approximate).
        at
            Indices into `episodes`; all if not given.
        simultaneous
            Divide 1 − level by the number of episodes asked for; as the expected regret does not decrease,
            every lower end then also serves later episodes, every upper end earlier ones.

        Raises
        ------
        InvalidArgument
            A level outside (0, 1); a confidence sequence for realised regret; "normal" with one seed.
        """
        if not 0 < level < 1:
            raise InvalidArgument(f"band: level={level} is outside (0, 1); use 0.95")
        index = np.arange(self.episodes.size) if at is None else np.asarray(at)
        if index.size == 0:
            raise InvalidArgument("band: at is empty; give indices into `episodes`, or leave it out")
        x = self.values(what)[:, index]
        alpha = (1 - level) / (index.size if simultaneous else 1)
        if kind == "normal":
            if len(self.seeds) < 2:
                raise InvalidArgument(
                    "band: one seed has no spread; run more, or use the confidence sequence"
                )
            from scipy.special import ndtri

            half = -ndtri(alpha / 2) * x.std(axis=0, ddof=1) / math.sqrt(len(self.seeds))
            return x.mean(axis=0) - half, x.mean(axis=0) + half
        if kind != "confidence-sequence" or what == "realised":
            raise InvalidArgument(
                f"band: kind={kind!r} of what={what!r}; use 'confidence-sequence' for pseudo or regret, "
                "or 'normal'"
            )
        top = np.maximum(self.largest * self.episodes[index], 1e-300) * (1 + 1e-9)
        scaled = np.clip(x / top, 0.0, 1.0)
        below, above = confidence_sequence(scaled, lower=0.0, upper=1.0, alpha=alpha, method="betting")
        lo, hi = below[-1] * top, above[-1] * top
        if simultaneous and (np.diff(index % self.episodes.size) > 0).all():
            lo, hi = np.maximum.accumulate(lo), np.minimum.accumulate(hi[::-1])[::-1]
        return lo, hi

    def values(self, what: What = "pseudo") -> FloatVec:
        """(seeds, n) one of the three regrets."""
        if what not in ("pseudo", "regret", "realised"):
            raise InvalidArgument(f"what={what!r}; use 'pseudo', 'regret' or 'realised'")
        out: FloatVec = getattr(self, what)
        return out

    def bound(self, K: int | None = None) -> float:
        """The agent's own published theorem after K episodes, with its constants.

        Raises
        ------
        InvalidArgument
            If the agent's paper states no constants, or its normalisation is another one.
        """
        theorem = getattr(self.agent, "bound", None)
        if theorem is None:
            raise InvalidArgument(
                f"bound: {type(self.agent).__name__} has no theorem with explicit constants; "
                "pass bound=lambda K: ..."
            )
        from dataclasses import replace

        if K is not None and not K >= 1:
            raise InvalidArgument(f"bound: K={K}, must be a number of episodes ≥ 1")
        return float(theorem(self.task if K is None else replace(self.task, K=K)))

    def require_optimism(self) -> RegretCurve:
        """`self`, or `OptimismLost` naming the first seed whose V̄ fell below V*.

        Raises
        ------
        OptimismLost
            V̄ < V* − 1e-9·vmax in some episode; with probability ≤ δ that happens at c = 1.
        InvalidArgument
            The agent has no optimistic values.
        """
        if np.isnan(self.least_gap).any() or np.isinf(self.least_gap).any():
            raise InvalidArgument(
                f"require_optimism: {type(self.agent).__name__} shows no values V̄; set `upper` in its learner"
            )
        bad = np.flatnonzero(self.lost >= 0)
        if bad.size:
            i = int(bad[0])
            least = min(float(self.least_gap[i]), float(self.least_margin[i]))
            raise OptimismLost(
                f"{type(self.agent).__name__}: seed {self.seeds[i]}, episode {int(self.lost[i])}: V̄ − V* "
                f"fell to {least:.3g}; {bad.size} of {len(self.seeds)} seeds; raise scale, or lower delta"
            )
        return self

    # ---- pictures ------------------------------------------------------------------------
    def plot(
        self,
        ax: Any = None,
        *,
        band: float | None = 0.95,
        bound: Callable[[float], float] | bool | None = None,
        what: What = "pseudo",
        kind: Kind = "confidence-sequence",
        simultaneous: bool = False,
        label: str | None = None,
        log: bool = False,
    ) -> Any:
        """Mean regret against episodes, its band, and a theorem dashed over it; the Axes drawn on.

        Parameters
        ----------
        ax
            Matplotlib axes; a new figure if not given.
        band
            Level of the band, or None.
        bound
            K ↦ bound, or True for the agent's own theorem; where it exceeds the regret of the worst
            policies, k·`largest`, that line is drawn too and the legend says "vacuous".
        what, kind, simultaneous
            As for `band`.
        log
            Logarithmic axes.
        """
        ax = axes(ax, 6.4, 4.2)
        x, y = self.episodes, self.values(what).mean(axis=0)
        name = label or _label(self.agent)
        (line,) = ax.plot(x, y, label=name, linewidth=1.6)
        if band is not None and not (kind == "normal" and len(self.seeds) < 2):
            at = _thin(self.episodes, log)
            lo, hi = self.band(band, what=what, kind=kind, at=at, simultaneous=simultaneous)
            ax.fill_between(x[at], lo, hi, color=line.get_color(), alpha=0.18, linewidth=0)
        if bound is not None and bound is not False:
            f = self.bound if bound is True else bound
            theorem, trivial = np.array([f(int(n)) for n in x]), self.largest * x
            vacuous = bool((theorem >= trivial).all())
            said = ("theorem" if bound is True else "bound") + (" (vacuous here)" if vacuous else "")
            ax.plot(x, theorem, "k--", linewidth=1.3, label=said)
            if vacuous:
                ax.plot(x, trivial, "k:", linewidth=1, label="worst policy in every episode")
        if log or (bound not in (None, False) and vacuous):
            ax.set_yscale("log")
        if log:
            ax.set_xscale("log")
        ax.set(xlabel="episode", ylabel=_REGRETS[what])
        ax.legend(frameon=False)
        return ax

    def loglog(self, ax: Any = None, **options: Any) -> Any:
        """`plot` on logarithmic axes, with lines of slope ½ and 1 through the first recorded mean."""
        ax = self.plot(ax, log=True, **options)
        x, y = self.episodes.astype(float), self.values(options.get("what", "pseudo")).mean(axis=0)
        positive = np.flatnonzero(y > 0)
        if positive.size:
            i = positive[0]
            for slope, style in ((0.5, "--"), (1.0, ":")):
                line = y[i] * (x / x[i]) ** slope
                ax.plot(x, line, style, color="0.6", linewidth=1, label=f"slope {slope:g}")
        ax.legend(frameon=False)
        return ax

    def to_dataframe(self) -> Any:
        """pandas frame, a row a seed and recorded episode."""
        import pandas as pd

        n, k = self.pseudo.shape
        return pd.DataFrame(
            {
                "agent": _label(self.agent),
                "H": self.task.H,
                "seed": np.repeat(self.seeds, k),
                "episode": np.tile(self.episodes, n),
                "pseudo": self.pseudo.reshape(-1),
                "regret": self.regret.reshape(-1),
                "realised": self.realised.reshape(-1),
                "optimism": self.gaps.reshape(-1),
            }
        )

    def __repr__(self) -> str:
        spread = "" if len(self.seeds) == 1 else f" ± {self.standard_error[-1]:.2g}"
        return (
            f"RegretCurve({_label(self.agent)}, H={self.task.H}, K={self.K}, {len(self.seeds)} seeds: "
            f"{self.mean[-1]:.6g}{spread} of at most {self.largest * self.K:.4g}, "
            f"plans {self.plans.mean():.4g}, error ≤ {self.error[-1]:.1e})"
        )

    def _repr_html_(self) -> str:
        return regret_table([self])._repr_html_()


_REGRETS = {"pseudo": "pseudo-regret", "regret": "regret", "realised": "V* less rewards paid"}


def _label(agent: object) -> str:
    """Class and the fields that differ from their defaults."""
    import dataclasses

    if not dataclasses.is_dataclass(agent):
        return type(agent).__name__
    told = []
    for f in dataclasses.fields(agent):
        value = getattr(agent, f.name)
        if isinstance(value, np.ndarray):
            told.append(f"{f.name}=array{value.shape}")
        elif not (value is f.default or np.all(value == f.default)):
            told.append(f"{f.name}={value!r}")
    return type(agent).__name__ + (f"({', '.join(told)})" if told else "")


def _thin(episodes: IntVec, log: bool) -> IntVec:
    """Indices of at most `DRAWN` recorded episodes, evenly spread on the axis."""
    n = episodes.size
    if n <= DRAWN:
        return np.arange(n)
    x = np.log(episodes) if log else episodes.astype(float)
    index: IntVec = np.unique(np.searchsorted(x, np.linspace(x[0], x[-1], DRAWN)).clip(0, n - 1))
    return index


@dataclass(frozen=True)
class RegretTable:
    """Final regrets side by side."""

    rows: tuple[dict[str, Any], ...]

    def to_dataframe(self) -> Any:
        """pandas frame, a row a curve."""
        import pandas as pd

        return pd.DataFrame(list(self.rows))

    def __repr__(self) -> str:
        return str(self.to_dataframe().to_string(index=False))

    def _repr_html_(self) -> str:
        return str(self.to_dataframe().to_html(index=False))


def regret_table(curves: Sequence[RegretCurve], *, level: float = 0.95) -> RegretTable:
    """Agent, H, K, seeds, mean final pseudo-regret with band, share of the worst, plans, optimism."""
    rows = []
    for c in curves:
        lo, hi = c.band(level, at=[-1])
        rows.append(
            {
                "agent": _label(c.agent),
                "H": c.task.H,
                "K": c.K,
                "seeds": len(c.seeds),
                "regret": float(c.mean[-1]),
                "lower": float(lo[0]),
                "upper": float(hi[0]),
                "of worst": float(c.mean[-1]) / (c.largest * c.K) if c.largest > 0 else 0.0,
                "plans": float(c.plans.mean()),
                "optimism lost": int((c.lost >= 0).sum()),
            }
        )
    return RegretTable(tuple(rows))


def plot_horizons(
    groups: Sequence[Sequence[RegretCurve]],
    ax: Any = None,
    *,
    band: float | None = 0.95,
    kind: Kind = "normal",
    per_vmax: bool = True,
) -> Any:
    """Final regret against H on log axes, a line a group: flat where regret does not grow with the horizon.

    Parameters
    ----------
    groups
        Curves of one agent at several horizons each (see `regret_by_horizon`).
    band
        Level of the error bars, or None.
    kind
        As for `RegretCurve.band`.
    per_vmax
        Divide by vmax, so that the two normalisations compare.
    """
    ax = axes(ax, 6.4, 4.2)
    for curves in groups:
        if not curves:
            raise InvalidArgument("plot_horizons: an empty group; give curves at one horizon or more")
        ordered = sorted(curves, key=lambda c: c.task.H)
        scale = np.array([c.task.vmax if per_vmax else 1.0 for c in ordered])
        H = [c.task.H for c in ordered]
        y = np.array([c.mean[-1] for c in ordered]) / scale
        several = all(len(c.seeds) > 1 for c in ordered) or kind != "normal"
        if band is not None and several:
            ends = np.array([[e[0] for e in c.band(band, kind=kind, at=[-1])] for c in ordered])
            err = np.abs(ends.T / scale - y)
            ax.errorbar(H, y, yerr=err, marker="o", markersize=4, capsize=2, label=_label(ordered[0].agent))
        else:
            ax.plot(H, y, "o-", markersize=4, label=_label(ordered[0].agent))
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set(xlabel="horizon H", ylabel="final pseudo-regret" + (" / vmax" if per_vmax else ""))
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return ax
