"""Why a functional K of the return is no objective for dynamic programming: exact counter-examples.

Definitions.  K is *indifferent to mixtures* when K(ν) ≥ K(ν') and K(ξ) ≥ K(ξ') imply
K((1−w)ν + wξ) ≥ K((1−w)ν' + wξ'), and *indifferent to γ* when K(law X) ≥ K(law Y) implies
K(law γX) ≥ K(law γY).  Backward induction over (state, stock) needs both.

For an expected utility U_f the first always holds, and the second holds iff f̃(γx) = a·f̃(x) for some
a > 0, f̃ = f − f(0).  Detector: where f(y) = p f(x) + (1−p) f(z), the number
D = p f(γx) + (1−p) f(γz) − f(γy) must be 0; else a sure y and the lottery (x: p, z: 1−p), which tie,
do not tie when scaled.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..arrays import Real, exact_array
from ..results.law import ReturnLaw

F = Fraction
SLACK = 1e-9
"""Values in doubles are told apart from this relative difference on."""
GRID = tuple(F(k, 4) for k in range(-8, 9))
"""Default points of the γ detector: −2, −1.75, …, 2."""
SCALES = (F(1), F(8), F(1, 8), F(64))
"""The default grid is tried at these scales."""


@dataclass(frozen=True)
class MixtureWitness:
    """K(better) ≥ K(worse), yet mixing both with the same law turns the order around.

    Attributes
    ----------
    better, worse, other
        Laws; `other` is mixed into both with weight `weight`.
    before
        (K(better), K(worse)).
    after
        K of the two mixtures: the first is strictly smaller.
    """

    better: ReturnLaw
    worse: ReturnLaw
    other: ReturnLaw
    weight: Fraction
    before: tuple[Any, Any]
    after: tuple[Any, Any]

    def __str__(self) -> str:
        return (
            f"{_text(self.better)} is at least as good as {_text(self.worse)} ({_num(self.before[0])} ≥ "
            f"{_num(self.before[1])}), but mixed with {_text(self.other)} at weight {self.weight} it is "
            f"worse ({_num(self.after[0])} < {_num(self.after[1])})"
        )


@dataclass(frozen=True)
class GammaWitness:
    """K(better) ≥ K(worse), yet scaled by γ the order is turned around.

    Attributes
    ----------
    better, worse
        Laws, as lists of (value, mass).
    gamma
        The factor.
    before
        (K(better), K(worse)).
    after
        K of the two laws scaled by γ: the first is strictly smaller.
    """

    better: tuple[tuple[Any, Any], ...]
    worse: tuple[tuple[Any, Any], ...]
    gamma: Real
    before: tuple[Any, Any]
    after: tuple[Any, Any]

    def __str__(self) -> str:
        return (
            f"{_text(self.better)} is at least as good as {_text(self.worse)} ({_num(self.before[0])} ≥ "
            f"{_num(self.before[1])}), but with all values times γ={_num(self.gamma)} it is worse "
            f"({_num(self.after[0])} < {_num(self.after[1])})"
        )


def _num(x: Any) -> str:
    if isinstance(x, tuple):
        return f"({', '.join(_num(v) for v in x)})"
    return f"{x:.6g}" if isinstance(x, float) else str(x)


def _text(law: Iterable[tuple[Any, Any]]) -> str:
    """`{−1: 1/2, 1: 1/2}`, or `a sure 3`."""
    pairs = list(law)
    if len(pairs) == 1:
        return f"a sure {_num(pairs[0][0])}"
    return "{" + ", ".join(f"{_num(x)}: {_num(p)}" for x, p in pairs) + "}"


def below(a: Any, b: Any) -> bool:
    """a < b beyond rounding: exactly for rationals, by 1e-9·(1 + |a| + |b|) when a double is involved."""
    if isinstance(a, tuple):
        for x, y in zip(a, b, strict=True):
            if below(x, y) or below(y, x):
                return below(x, y)
        return False
    if isinstance(a, float) or isinstance(b, float):
        return bool(float(a) < float(b) - SLACK * (1 + abs(float(a)) + abs(float(b))))
    return bool(a < b)


# ---- mixtures ----------------------------------------------------------------------------------
def mixture_witness(
    K: Callable[[ReturnLaw], Any],
    *,
    atoms: Sequence[Real] = (-5, -1, 0, 1, 2, 5, 10),
    tries: int = 4_000,
    seed: int = 0,
) -> MixtureWitness | None:
    """A counter-example to indifference to mixtures, or None when the search finds none.

    Parameters
    ----------
    K
        Functional of a `ReturnLaw`; higher is better.  An `Objective` known to fail answers with its
        own witness.
    atoms
        Values of the laws tried.
    tries
        Random pairs tried after the systematic ones.
    seed
        Seed of the random pairs.

    Returns
    -------
    MixtureWitness or None
        Exact laws, re-evaluated; None proves nothing.

    Complexity: about 1 500 + 2·tries evaluations of K.

    Examples
    --------
    >>> print(mixture_witness(lambda law: law.cvar(Fraction(1, 2)), atoms=(-1, 1, 5)))
    a sure -1 is at least as good as {-1: 1/2, 1: 1/2} (-1 ≥ -1), but mixed with a sure 1 ... (-1 < 0)
    """
    known = getattr(K, "triple", None)
    if known is not None:
        found = _mixed(K, *known) or _mixed(K, known[1], known[0], *known[2:])
        if found is not None:
            return found
    points: list[Fraction] = exact_array(list(atoms)).tolist()
    sure = [ReturnLaw.dirac(x) for x in points]
    spread = [
        ReturnLaw([x, y], [p, 1 - p])
        for p in (F(1, 2), F(1, 4), F(3, 4))
        for x, y in itertools.combinations(points, 2)
    ]
    for nu, nu2 in itertools.chain(_certain(K, spread), itertools.permutations(sure, 2)):
        for other in sure:
            for weight in (F(1, 2), F(1, 4)):
                if (found := _mixed(K, nu, nu2, other, weight)) is not None:
                    return found
    rng = random.Random(seed)
    pool = sure + spread
    for _ in range(tries):
        nu, nu2, other = (_law(rng, points) if rng.random() < 0.3 else rng.choice(pool) for _ in range(3))
        weight = F(rng.randint(1, 7), 8)
        found = _mixed(K, nu, nu2, other, weight) or _mixed(K, nu2, nu, other, weight)
        if found is not None:
            return found
    return None


def _law(rng: random.Random, points: Sequence[Fraction]) -> ReturnLaw:
    weights = [rng.randint(1, 9) for _ in range(3)]
    return ReturnLaw(rng.sample(list(points), 3), [F(w, sum(weights)) for w in weights])


def _certain(
    K: Callable[[ReturnLaw], Any], laws: Iterable[ReturnLaw]
) -> Iterator[tuple[ReturnLaw, ReturnLaw]]:
    """Pairs (ν, δ_v), both ways, where v = K(ν) is rational and K(δ_v) = v: ties by certainty equivalents."""
    for nu in laws:
        v = K(nu)
        if isinstance(v, (int, Fraction)) and K(ReturnLaw.dirac(v)) == v:
            yield nu, ReturnLaw.dirac(v)
            yield ReturnLaw.dirac(v), nu


def _mixed(
    K: Callable[[ReturnLaw], Any], nu: ReturnLaw, nu2: ReturnLaw, other: ReturnLaw, weight: Fraction
) -> MixtureWitness | None:
    """The witness, if ν ≥ ν' turns around when both are mixed with `other`."""
    before = K(nu), K(nu2)
    if before[0] < before[1]:
        return None
    after = (
        K(ReturnLaw.mixture([1 - weight, weight], [nu, other])),
        K(ReturnLaw.mixture([1 - weight, weight], [nu2, other])),
    )
    return MixtureWitness(nu, nu2, other, weight, before, after) if below(*after) else None


# ---- γ -----------------------------------------------------------------------------------------
def gamma_defect(f: Callable[[Any], Any], gamma: Real, grid: Sequence[Any] | None = None) -> Any:
    """max |D|, D = p f(γx) + (1−p) f(γz) − f(γy), over x, y, z of the grid with f(y) = p f(x) + (1−p) f(z).

    Parameters
    ----------
    f
        Utility of a number, or of a tuple for vector returns.
    gamma
        Factor in (0, 1].
    grid
        Points; −2, −1.75, …, 2 if not given.

    Returns
    -------
    Fraction or float
        0 iff U_f is indifferent to γ as far as the grid can tell; in doubles up to rounding.

    Complexity: O(n³) for n points.
    """
    best: Any = 0
    for D, *_ in _triples(f, gamma, GRID if grid is None else grid):
        best = max(best, abs(D))
    return best


def gamma_witness(
    f: Callable[[Any], Any], gamma: Real, grid: Sequence[Any] | None = None
) -> GammaWitness | None:
    """Two lotteries ordered one way by E f and the other way when scaled by γ; None if none is on the grid.

    Parameters
    ----------
    f, gamma, grid
        As for `gamma_defect`; without `grid`, −2..2 in steps of ¼ is tried at the scales 1, 8, ⅛, 64.

    Returns
    -------
    GammaWitness or None
        The pair with the largest |D|, exact when f maps rationals to rationals; None proves nothing,
        except on the grid.

    Examples
    --------
    >>> print(gamma_witness(lambda x: min(x, 1), Fraction(1, 2), grid=[0, 1, 2, 4]))
    a sure 1 is at least as good as a sure 2 (1 ≥ 1), but with all values times γ=1/2 it is worse (1/2 < 1)
    """
    for scale in SCALES if grid is None else (1,):
        points: list[Any] = [scale * x for x in GRID] if grid is None else list(grid)
        worst: tuple[Any, ...] | None = None
        for D, p, x, y, z in _triples(f, gamma, points):
            if worst is None or abs(D) > abs(worst[0]):
                worst = (D, p, x, y, z)
        if worst is not None and (found := _scaled(f, gamma, worst)) is not None:
            return found
    return None


def times(gamma: Real, x: Any) -> Any:
    """γx, by component for tuples."""
    return tuple(gamma * v for v in x) if isinstance(x, tuple) else gamma * x


def _triples(f: Callable[[Any], Any], gamma: Real, grid: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """(D, p, x, y, z) for all triples with f(y) between f(x) < f(z), or f(y) = f(x) (then z is no matter)."""
    rows = sorted(((f(x), f(times(gamma, x)), x) for x in grid), key=lambda row: row[0])
    for i, (fx, gx, x) in enumerate(rows):
        for j in range(i, len(rows)):
            fy, gy, y = rows[j]
            if fy == fx:
                if j > i:
                    yield gx - gy, 1, x, y, x
                continue
            for k in range(j + 1, len(rows)):
                fz, gz, z = rows[k]
                if fz != fy:
                    p = (fz - fy) / (fz - fx) if isinstance(fz - fx, float) else F(fz - fy) / F(fz - fx)
                    yield p * gx + (1 - p) * gz - gy, p, x, y, z


def _scaled(f: Callable[[Any], Any], gamma: Real, worst: tuple[Any, ...]) -> GammaWitness | None:
    D, p, x, y, z = worst
    sure: tuple[tuple[Any, Any], ...] = ((y, F(1)),)
    lottery: tuple[tuple[Any, Any], ...] = ((x, p), (z, 1 - p))
    if p in (0, 1):
        lottery = ((x if p else z, F(1)),)
    better, worse = (lottery, sure) if D < 0 else (sure, lottery)
    after = [sum(q * f(times(gamma, v)) for v, q in law) for law in (better, worse)]
    if not below(after[0], after[1]):
        return None
    if isinstance(p, float) and len(lottery) == 2:  # doubles: a strict order, by a small change of p
        step = 1e-7 if (f(x) - f(z) > 0) == (better is lottery) else -1e-7
        q = min(max(p + step, 0.0), 1.0)
        lottery = ((x, q), (z, 1 - q))
        better, worse = (lottery, sure) if D < 0 else (sure, lottery)
        after = [sum(q * f(times(gamma, v)) for v, q in law) for law in (better, worse)]
    before = [sum(q * f(v) for v, q in law) for law in (better, worse)]
    if before[0] < before[1] or not after[0] < after[1] or not all(map(math.isfinite, (*before, *after))):
        return None
    return GammaWitness(better, worse, gamma, (before[0], before[1]), (after[0], after[1]))


def scaling_witness(
    K: Callable[[ReturnLaw], Any],
    gamma: Real,
    *,
    atoms: Sequence[Real] = GRID,
    tries: int = 2_000,
    seed: int = 0,
) -> GammaWitness | None:
    """As `gamma_witness`, for any functional K of a law: random pairs of laws on `atoms`."""
    if gamma == 1:
        return None
    rng = random.Random(seed)
    points: list[Fraction] = exact_array(list(atoms)).tolist()
    for _ in range(tries):
        nu, nu2 = (
            _law(rng, points) if rng.random() < 0.7 else ReturnLaw.dirac(rng.choice(points)) for _ in range(2)
        )
        values, scaled = [K(nu), K(nu2)], [K(nu.scale(gamma)), K(nu2.scale(gamma))]
        for i, j in ((0, 1), (1, 0)):
            if values[i] >= values[j] and below(scaled[i], scaled[j]):
                laws = (nu, nu2)
                return GammaWitness(
                    tuple(laws[i]), tuple(laws[j]), gamma, (values[i], values[j]), (scaled[i], scaled[j])
                )
    return None
