"""Candidate value functions given by functions, and episodes of them.

    dX = b dt + σ dW on [0, T],  t_i = iΔt,  D_i(θ) = e^{−βt_{i+1}}J^θ_{i+1} − e^{−βt_i}J^θ_i + e^{−βt_i}r_iΔt

with J^θ_n = h(X_n) whatever θ: the terminal reward is built into the family.  Episodes are numbered; episode
e of seed s is always the same path (`rltheory.processes`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatVec, float_array, frozen
from ..errors import InvalidArgument
from ..kernels import martingale_learners as kernels
from .martingale_family import ValueFamily

Field: TypeAlias = Callable[[Any, Any], Any]
"""f(t, x) for t (n+1,) and x (m, n+1): an array that broadcasts to x's shape (vectors x have a last axis)."""

ENTRIES = 1 << 18
"""Doubles of a batch of episodes."""
PROBES = 64
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Schedule:
    """Step size of episode e: alpha/(1 + e/half)^power.

    Raises
    ------
    InvalidArgument
        alpha ≤ 0, half ≤ 0 or power < 0.

    Examples
    --------
    >>> Schedule()(np.array([0.0, 1000.0]))
    array([1. , 0.5])
    """

    alpha: float = 1.0
    half: float = 1000.0
    power: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.alpha < math.inf and 0 < self.half < math.inf and 0 <= self.power < math.inf):
            raise InvalidArgument(
                f"Schedule: alpha={self.alpha}, half={self.half}, power={self.power}; finite, > 0, > 0, ≥ 0"
            )

    def __call__(self, episode: ArrayLike) -> FloatVec:
        """Step sizes of these episodes."""
        return np.asarray(self.alpha / (1.0 + np.asarray(episode) / self.half) ** self.power)


def no_reward(t: Any, x: Any) -> Any:
    """r = 0."""
    return 0.0


def no_terminal(x: Any) -> Any:
    """h = 0."""
    return 0.0


def fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """True when an array of this shape broadcasts to the one wanted."""
    try:
        return np.broadcast_shapes(shape, wanted) == wanted
    except ValueError:
        return False


def _check_task(task: LinearCandidate | SmoothCandidate, what: str) -> None:
    if not (math.isfinite(task.T) and task.T > 0):
        raise InvalidArgument(f"{what}: T={task.T}, must be a finite number > 0; it is the horizon")
    if not math.isfinite(task.beta):
        raise InvalidArgument(f"{what}: beta={task.beta}, must be finite; it is a rate")
    if not callable(getattr(task.process, "sample", None)):
        raise InvalidArgument(
            f"{what}: process={task.process!r} has no sample(x0, T, n, paths, seed, first=); see rl.processes"
        )
    for name in ("reward", "terminal"):
        if not callable(getattr(task, name)):
            raise InvalidArgument(f"{what}: {name}={getattr(task, name)!r} is not a function")
    if task.beta < 0 and not task.allow_growth:
        raise InvalidArgument(
            f"{what}: beta={task.beta}, must be ≥ 0; pass allow_growth=True if rewards are to grow"
        )


@dataclass(frozen=True, eq=False)
class LinearCandidate:
    """J^θ = φ_0 + Σ_k θ_k φ_k by functions, on any process that samples.

    Parameters
    ----------
    process
        Anything with `.sample(x0, T, n, paths, seed, first=)`: `rltheory.processes`, or your own.
    x0, T
        Start and horizon.
    features
        φ_k(t, x), each 0 at T.
    reward, terminal
        r(t, x) per unit of time; h(x).
    beta
        Discount rate.
    base
        φ_0(t, x), equal to h at T; h at every time if not given.
    allow_growth
        Accept β < 0.

    Raises
    ------
    InvalidArgument
        T ≤ 0, β < 0, no features; from learners: features that do not vanish at T, φ_0(T, ·) ≠ h.

    Examples
    --------
    >>> from rltheory.models.processes import BrownianMotion
    >>> task = LinearCandidate(BrownianMotion(), 0.0, 1.0, [lambda t, x: (1 - t) * x], lambda t, x: 1.3 * x)
    >>> task.q
    1
    """

    process: Any
    x0: Any
    T: float
    features: Sequence[Field]
    reward: Field = no_reward
    terminal: Callable[[Any], Any] = no_terminal
    beta: float = 0.0
    base: Field | None = None
    allow_growth: bool = False

    def __post_init__(self) -> None:
        if callable(self.features):
            raise InvalidArgument("LinearCandidate: features is one function; give a list of functions")
        object.__setattr__(self, "features", tuple(self.features))
        if not self.features:
            raise InvalidArgument("LinearCandidate: features is empty; give at least one")
        for k, f in enumerate(self.features):
            if not callable(f):
                raise InvalidArgument(f"LinearCandidate: features[{k}]={f!r} is not a function of (t, x)")
        _check_task(self, "LinearCandidate")

    @property
    def q(self) -> int:
        """Number of features."""
        return len(self.features)

    @classmethod
    def of(cls, family: ValueFamily | LinearCandidate) -> LinearCandidate:
        """A `ValueFamily` as functions in doubles; a candidate as it is."""
        if isinstance(family, LinearCandidate):
            return family
        if not isinstance(family, ValueFamily):
            raise InvalidArgument(
                f"needs a linear family, not a {type(family).__name__}; give a LinearCandidate or ValueFamily"
            )
        h = family.h
        return cls(
            family.process, float(family.x0), float(family.T), list(family.features), family.r,
            lambda x: h(0.0, x), float(family.beta), family.phi0, family.allow_growth,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class SmoothCandidate:
    """J^θ(t, x) by a function that is smooth in θ, for a few parameters.

    Parameters
    ----------
    process, x0, T, reward, terminal, beta, allow_growth
        As for `LinearCandidate`.
    value
        J(θ, t, x); θ[k] is an array that broadcasts against x.  Not called at T: there J = h.
    start
        (q,) first θ.
    gradient
        (t, x) → q arrays ∂J/∂θ_k; central differences if not given.
    lower, upper
        (q,) box θ is kept in; unbounded if not given.

    Raises
    ------
    InvalidArgument
        T ≤ 0, β < 0, start outside the box.
    """

    process: Any
    x0: Any
    T: float
    value: Callable[[Any, Any, Any], Any]
    start: Any
    reward: Field = no_reward
    terminal: Callable[[Any], Any] = no_terminal
    beta: float = 0.0
    gradient: Callable[[Any, Any, Any], Sequence[Any]] | None = None
    lower: Any = None
    upper: Any = None
    allow_growth: bool = False

    def __post_init__(self) -> None:
        _check_task(self, "SmoothCandidate")
        if not callable(self.value):
            raise InvalidArgument(f"SmoothCandidate: value={self.value!r} is not a function of (θ, t, x)")
        start = np.atleast_1d(float_array(self.start))
        if not start.size:
            raise InvalidArgument("SmoothCandidate: start is empty; give the first θ")
        for name, default in (("lower", -np.inf), ("upper", np.inf)):
            given = getattr(self, name)
            box = np.full(start.shape, default) if given is None else float_array(given)
            if not fits(box.shape, start.shape):
                raise InvalidArgument(
                    f"SmoothCandidate: {name} has shape {box.shape}, must be {start.shape} as start has"
                )
            object.__setattr__(self, name, frozen(np.broadcast_to(box, start.shape).copy()))
        if not ((self.lower <= start) & (start <= self.upper)).all():
            raise InvalidArgument(f"SmoothCandidate: start={start} is outside [{self.lower}, {self.upper}]")
        object.__setattr__(self, "start", frozen(start))

    @property
    def q(self) -> int:
        """Number of parameters."""
        return int(self.start.size)

    def slope(self, theta: FloatVec, t: Any, x: Any) -> list[Any]:
        """∂J/∂θ_k at θ (q, …)."""
        if self.gradient is not None:
            given = list(self.gradient(theta, t, x))
            if len(given) != self.q:
                raise InvalidArgument(
                    f"SmoothCandidate: gradient returned {len(given)} arrays, must be {self.q}, one each"
                )
            return given
        out = []
        for k in range(self.q):
            h = 6e-6 * np.maximum(1.0, np.abs(theta[k]))
            up, down = theta.copy(), theta.copy()
            up[k] += h
            down[k] -= h
            out.append((self.value(up, t, x) - self.value(down, t, x)) / (2.0 * h))
        return out


@dataclass(frozen=True, eq=False)
class Episodes:
    """m episodes on a grid: times (n+1,), discounts e^{−βt_i}, states x (m, n+1, …), rewards, ends h(X_n)."""

    t: FloatVec
    discount: FloatVec
    x: FloatVec
    reward: FloatVec
    end: FloatVec

    @property
    def dt(self) -> float:
        """Δt."""
        return float(self.t[1])


def episodes(task: LinearCandidate | SmoothCandidate, n: int, count: int, seed: Any, first: int) -> Episodes:
    """Episodes first … first + count − 1."""
    x = task.process.sample(task.x0, task.T, n, count, seed, first=first)
    t = float_array(np.arange(n + 1) * (float(task.T) / n))
    shape = x.shape[:2]
    paid, last = float_array(task.reward(t[:-1], x[:, :-1])), float_array(task.terminal(x[:, -1]))
    for name, got, want in (("reward", paid.shape, (shape[0], n)), ("terminal", last.shape, shape[:1])):
        if not fits(got, want):
            raise InvalidArgument(f"{type(task).__name__}: {name} returned shape {got}, must be {want} here")
    reward = np.ascontiguousarray(np.broadcast_to(paid, (shape[0], n)))
    end = np.broadcast_to(last, shape[:1])
    return Episodes(t, float_array(np.exp(-float(task.beta) * t)), x, reward, end)


@dataclass(frozen=True, eq=False)
class LinearEpisodes:
    """Features φ (m, n, q), ψ = e^{−βt}φ with a last row of 0, Δψ (m, n, q), D at θ = 0 (m, n)."""

    path: Episodes
    phi: FloatVec
    psi: FloatVec
    dpsi: FloatVec
    D: FloatVec


def linear_episodes(task: LinearCandidate, path: Episodes) -> LinearEpisodes:
    """The arrays of a linear family on these episodes."""
    m, n = path.reward.shape
    phi = np.empty((m, n, task.q))
    inner = path.x[:, :-1]
    for k, f in enumerate(task.features):
        phi[:, :, k] = f(path.t[:-1], inner)
    level = np.empty((m, n + 1))
    level[:, :-1] = _base(task, path, inner)
    level[:, -1] = path.end
    psi, dpsi, D = np.empty((m, n + 1, task.q)), np.empty((m, n, task.q)), np.empty((m, n))
    kernels.increments(phi, level, path.reward, path.discount, path.dt, psi, dpsi, D)
    return LinearEpisodes(path, phi, psi, dpsi, D)


def _base(task: LinearCandidate, path: Episodes, inner: FloatVec) -> Any:
    return task.terminal(inner) if task.base is None else task.base(path.t[:-1], inner)


def chosen_tests(
    tests: Sequence[Field] | None, weighted: bool, batch: LinearEpisodes, q: int | None, what: str
) -> FloatVec:
    """ξ (m, n or more, p): the features or the functions given, with e^{−βt} if weighted."""
    if tests is None:
        return batch.psi if weighted else batch.phi
    if q is not None and len(tests) != q:
        raise InvalidArgument(f"{what}: {len(tests)} tests for {q} features; GMMLearner takes another number")
    path = batch.path
    m, n = path.reward.shape
    out = np.empty((m, n, len(tests)))
    for k, f in enumerate(tests):
        out[:, :, k] = f(path.t[:-1], path.x[:, :-1])
    return out * path.discount[:-1, None] if weighted else out


def check_tests(tests: Any, what: str) -> None:
    """Refuse a function where a list of them is meant."""
    if callable(tests):
        raise InvalidArgument(f"{what}: tests is one function; give a list of functions of (t, x)")


def check_ends(task: LinearCandidate, n: int, seed: Any, what: str) -> None:
    """Refuse values that are not finite, features that do not vanish at T and a φ_0 that is not h there.

    On 64 paths.
    """
    path = episodes(task, n, PROBES, seed, 0)
    last, T = path.x[:, -1:], path.t[-1:]
    inner, times = path.x[:, :-1], path.t[:-1]
    for name, value in (("reward", path.reward), ("terminal", path.end)):
        if not np.isfinite(value).all():
            bad = value.reshape(-1)[int(np.argmin(np.isfinite(value)))]
            raise InvalidArgument(f"{what}: {name} is {bad} on some paths, must be finite")
    for k, f in enumerate(task.features):
        if not fits(shape := np.shape(f(times, inner)), (PROBES, n)):
            raise InvalidArgument(
                f"{what}: features[{k}] returned shape {shape}, must be (paths, times): ({PROBES}, {n})"
            )
        end = float(np.abs(f(T, last)).max())
        size = max(1.0, float(np.abs(f(times, inner)).max()))
        if not end <= TOLERANCE * size:
            raise InvalidArgument(
                f"{what}: features[{k}] is {end:.3g} at T={task.T}, must be 0; multiply it by T − t"
            )
    if task.base is not None:
        off = float(np.abs(task.base(T, last)[..., 0] - path.end).max())
        if not off <= TOLERANCE * max(1.0, float(np.abs(path.end).max())):
            raise InvalidArgument(f"{what}: base differs by {off:.3g} from the terminal reward at T={task.T}")


def named_seed(seed: Any) -> Any:
    """The seed itself, or a number drawn from a `Generator`: what a run can be repeated by."""
    return int(seed.integers(1 << 63)) if isinstance(seed, np.random.Generator) else seed


def batches(first: int, count: int, n: int, q: int) -> Iterator[tuple[int, int]]:
    """(first episode, number) of pieces that fit a batch."""
    size = max(1, ENTRIES // ((n + 1) * (3 * q + 4)))
    return ((first + lo, min(size, count - lo)) for lo in range(0, count, size))


def check_counts(what: str, n: int, episodes_: int, runs: int = 1, *, least: int = 1) -> None:
    """Refuse n < 1, fewer than `least` episodes, runs < 1."""
    for name, value, low in (("n", n, 1), ("episodes", episodes_, least), ("runs", runs, 1)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
            raise InvalidArgument(f"{what}: {name}={value!r}, must be an integer ≥ {low}")
