"""Worst-case search: the instance that brings lhs/rhs of an inequality nearest to (or past) one.

Multi-start evolution (CMA-ES) over the float fields of a claim's instances, seeded by the best random
draws.  A model becomes a vector by the logits of its transition rows and its rewards, a stochastic
policy by its logits, arrays and floats by themselves; everything else stays as drawn.  The winner is
rounded to dyadic numbers and re-evaluated through the claim's `certify`.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidArgument
from ..models import MDP, Policy
from ..results.axes import axes
from ..seeds import generator
from .claim import Claim, Eq, Every
from .evidence import Comparison, Outcome
from .literal import fingerprint, literal
from .search import search

X = TypeVar("X")
Floats = NDArray[np.float64]

GRID = 1 << 20
"""Probabilities of the reported instance are multiples of 1/GRID."""


@dataclass(frozen=True)
class WorstCase(Generic[X]):
    """The best instance found, exactly re-evaluated.

    Attributes
    ----------
    ratio
        lhs/rhs at the instance, after exact re-evaluation.
    instance
        The instance in its certified form; `literal` is it as Python source.
    violates
        True when the claim fails there: a counter-example.
    history
        (evaluations, best ratio so far) pairs.
    """

    ratio: float
    instance: X
    violates: bool
    history: tuple[tuple[int, float], ...]
    seed: int
    claim: str

    @property
    def literal(self) -> str:
        """The instance as one pasteable line."""
        return literal(self.instance)

    def __bool__(self) -> bool:
        raise TypeError("a WorstCase is neither true nor false; look at .ratio and .violates")

    def __str__(self) -> str:
        end = "VIOLATED" if self.violates else "holds"
        return (
            f"worst case of “{self.claim}”: lhs/rhs = {self.ratio:.9g} ({end}) "
            f"after {self.history[-1][0]} evaluations, "
            f"seed {self.seed}\n  at {self.literal}"
        )

    def plot(self, ax: Any = None) -> Any:
        """Best ratio against evaluations, on a matplotlib axis (a new one if none is given)."""
        ax = axes(ax, 5.0, 3.2)
        n, r = zip(*self.history, strict=True)
        ax.step(n, r, where="post")
        ax.axhline(1.0, color="0.5", linestyle="--", linewidth=0.8)
        ax.set(xlabel="evaluations", ylabel="largest lhs/rhs", xscale="log")
        return ax


@dataclass(frozen=True)
class _Part:
    size: int
    encode: Callable[[], Floats]
    decode: Callable[[Floats], Any]


def _logits(P: Any) -> Floats:
    return np.log(np.maximum(np.asarray(P, dtype=np.float64), 1e-4))


def _softmax(z: Floats) -> Floats:
    w = np.exp(z - z.max(axis=-1, keepdims=True))
    w[w < 1e-5] = 0.0
    p: Floats = w / w.sum(axis=-1, keepdims=True)
    return p


def _part(x: Any) -> _Part | None:
    if isinstance(x, MDP) and x.is_uniform and not x.terminal.any():
        return _mdp_part(x.float())
    if isinstance(x, Policy) and not x.is_deterministic:
        pi = x.float().matrix()
        return _Part(pi.size, lambda: _logits(pi).ravel(), lambda z: Policy(_softmax(z.reshape(pi.shape))))
    if isinstance(x, np.ndarray) and x.dtype.kind in "fO" and x.size:
        arr = x.astype(np.float64)
        if arr.ndim == 1 and (arr >= 0).all() and abs(arr.sum() - 1) < 1e-12:  # a law stays a law
            return _Part(arr.size, lambda: _logits(arr), _softmax)
        return _Part(arr.size, arr.ravel, lambda z: z.reshape(arr.shape).copy())
    if isinstance(x, float):
        return _Part(1, lambda: np.array([x]), lambda z: float(z[0]))
    return None


def _mdp_part(m: MDP) -> _Part:
    n = m.S * m.A * m.S
    low, high = float(m.R.min()), float(m.R.max())
    low, high = min(0.0, low), max(1.0, high)

    def encode() -> Floats:
        unit = np.clip((m.R.ravel() - low) / (high - low), 0.01, 0.99)
        return np.concatenate([_logits(m.P).ravel(), np.log(unit / (1 - unit))])

    def decode(z: Floats) -> MDP:
        unit = 1 / (1 + np.exp(-np.clip(z[n:], -40, 40)))
        unit = np.where(unit < 0.01, 0.0, np.where(unit > 0.99, 1.0, unit))
        return MDP(
            _softmax(z[:n].reshape(m.S, m.A, m.S)),
            (low + unit * (high - low)).reshape(m.S, m.A),
            m.gamma,
            mu=m.mu,
        )

    return _Part(n + m.S * m.A, encode, decode)


class _Adapter(Generic[X]):
    """An instance as a vector of its float fields."""

    def __init__(self, x: X) -> None:
        if not dataclasses.is_dataclass(x) or isinstance(x, type):
            raise InvalidArgument(
                f"worst_case: instance of type {type(x).__name__} is not a dataclass; it has no fields"
            )
        self.x = x
        self.parts: list[tuple[str, _Part]] = []
        for f in dataclasses.fields(x):
            part = _part(getattr(x, f.name)) if f.init else None
            if part is not None:
                self.parts.append((f.name, part))
        self.size = sum(p.size for _, p in self.parts)
        models = [name for name, _ in self.parts if isinstance(getattr(x, name), MDP)]
        self.shared: dict[str, str] = {}
        for i, name in enumerate(models):
            for first in models[:i]:
                if np.array_equal(getattr(x, name).R, getattr(x, first).R):
                    self.shared.setdefault(name, first)

    def encode(self) -> Floats:
        return np.concatenate([p.encode() for _, p in self.parts])

    def decode(self, z: Floats) -> X:
        at = 0
        values: dict[str, Any] = {}
        for name, p in self.parts:
            values[name] = p.decode(z[at : at + p.size])
            at += p.size
        for name, first in self.shared.items():
            values[name] = values[name].replace(R=values[first].R)
        return dataclasses.replace(self.x, **values)  # type: ignore[type-var]


def snap(x: Any, grid: int = GRID) -> Any:
    """`x` with every probability row and number rounded to a multiple of 1/grid (rows still sum to one)."""
    if isinstance(x, (MDP, Policy)) and x.is_exact and not (isinstance(x, Policy) and x.is_deterministic):
        return snap(x.float(), grid).exact()
    if isinstance(x, MDP):
        if not x.is_uniform or x.terminal.any():
            return x
        rows = np.array([_snap_row(r, grid) for r in x.P.reshape(-1, x.S)])
        mu = None if (x.mu == x.mu[0]).all() else _snap_row(x.mu, grid)
        return MDP(rows.reshape(x.P.shape), np.round(x.R * grid) / grid, x.gamma, mu=mu)
    if isinstance(x, Policy) and not x.is_deterministic:
        return Policy(np.array([_snap_row(r, grid) for r in x.matrix()]))
    if isinstance(x, np.ndarray) and x.dtype.kind == "f":
        law = x.ndim == 1 and bool((x >= 0).all()) and abs(x.sum() - 1) < 1e-12
        return _snap_row(x, grid) if law else np.round(x * grid) / grid
    if isinstance(x, float):
        return round(x * grid) / grid
    if dataclasses.is_dataclass(x) and not isinstance(x, type):
        return dataclasses.replace(
            x, **{f.name: snap(getattr(x, f.name), grid) for f in dataclasses.fields(x) if f.init}
        )
    return x


def _snap_row(p: Floats, grid: int) -> Floats:
    k = np.floor(p * grid + 0.5)
    k[int(np.argmax(p))] += grid - k.sum()
    row: Floats = k / grid
    return row


def worst_case(
    claim: Claim[X], n: int = 5_000, *, seed: int = 0, starts: int = 4, id: str = ""
) -> WorstCase[X]:
    """Maximise lhs/rhs of an inequality over its admissible instances.

    Parameters
    ----------
    claim
        An inequality (`Leq` or `Rate`); dataclass instances.
    n
        Evaluations in all: a tenth goes to random draws, the rest to evolution from the `starts` best.
    seed
        Seeds draws and evolution.

    Raises
    ------
    InvalidArgument
        For an equality (its ratio means nothing), or when no draw is admissible.

    Notes
    -----
    A claim over `Every` instance of a finite domain is enumerated instead.
    """
    if isinstance(claim.then, Eq):
        raise InvalidArgument("worst_case: the claim is an equality, lhs/rhs means nothing; use check()")
    then, history, best = claim.then, [], -math.inf
    count = 0
    champions: list[X] = []

    def value(x: X) -> tuple[float, Comparison | None]:
        nonlocal count, best
        count += 1
        try:
            if not claim.admits(x):
                return -math.inf, None
            c = then(x)
        except Exception:  # outside the theorem's domain anything may raise: not admissible
            return -math.inf, None
        score = (
            c.ratio
            if c.outcome not in (Outcome.UNDEFINED, Outcome.TRIVIAL) and not math.isnan(c.ratio)
            else -math.inf
        )
        if score > best:
            best = score
            champions.append(x)
            history.append((count, score))
        return score, c

    if isinstance(claim.let, Every):
        pool = list(claim.let.instances)
        for x in pool:
            value(x)
    else:
        found = search(
            claim.let,
            admits=claim.admits,
            evaluate=then,
            confirm=lambda _: False,
            key=fingerprint,
            n=max(50, n // 10),
            seed=seed,
            shrink=False,
        )
        scored = sorted(((value(x)[0], i) for i, x in enumerate(found.pool)), reverse=True)
        tops = [found.pool[i] for r, i in scored[:starts] if r > -math.inf]
        for k, x in enumerate(tops):
            _evolve(x, value, max(0, (n - count) // max(1, len(tops) - k)), seed + k)
    if not champions:
        raise InvalidArgument(
            "worst_case: no admissible instance with rhs > 0 was drawn; raise n or aim `let`"
        )
    return _conclude(claim, champions[-20:], tuple(history), count, seed, id)


def _evolve(x: X, value: Callable[[X], tuple[float, Any]], budget: int, seed: int) -> None:
    import cma

    try:
        adapter = _Adapter(x)
    except InvalidArgument:
        return
    if adapter.size == 0 or budget < 20:
        return
    options = {"seed": seed + 1, "verbose": -9, "maxfevals": budget, "tolflatfitness": 50}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if adapter.size == 1:  # CMA-ES needs two coordinates
            rng = generator(seed)
            z0 = adapter.encode()
            for k in range(budget):
                value(adapter.decode(z0 + rng.normal(size=1) * 10.0 ** (-6 * k / budget)))
            return
        es = cma.CMAEvolutionStrategy(adapter.encode(), 0.8, options)
        while not es.stop():
            zs = es.ask()
            scores = [value(adapter.decode(np.asarray(z)))[0] for z in zs]
            es.tell(zs, [-s if s > -math.inf else 1e9 for s in scores])


def _conclude(
    claim: Claim[X],
    champions: list[X],
    history: tuple[tuple[int, float], ...],
    count: int,
    seed: int,
    id: str,
) -> WorstCase[X]:
    for x in reversed(champions):
        for rounded in (True, False):
            try:
                y = snap(x) if rounded else x
                z = y if claim.certify is None else claim.certify(y)
                c = claim.then(z) if claim.admits(z) else None
            except Exception:  # the exact form may leave the domain where the floats did not
                continue
            if c is not None and not math.isnan(c.ratio):
                end = ((count, c.ratio),) if history[-1][0] != count else ()
                failed = c.outcome is Outcome.FAILS
                return WorstCase(c.ratio, z, failed, (*history, *end), seed, id or claim.statement)
    raise InvalidArgument("worst_case: the best instances are not admissible in exact arithmetic; raise n")
