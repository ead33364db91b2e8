"""The same families on a grid t_i = iΔ, Δ = T/n: exact expectations of what a learner sees.

With a_i = e^{−βt_i}φ(t_i, ·), a_n = 0 (e^{−βT}h for φ_0), and one-step means P = e^{ΔG}, the increments are

    D_i^θ = e^{−βt_{i+1}}J^θ(t_{i+1}, X_{i+1}) − e^{−βt_i}J^θ(t_i, X_i) + e^{−βt_i} r(t_i, X_i)Δ,

affine in θ with columns D_i^0 (the reward is in it), D_i^1, …, D_i^q.  Everything below is a finite sum over
i of moments of X_{t_i}: rational for rational data when nothing exponential occurs, balls otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from ..errors import InvalidArgument
from ..kernels import ball
from ..kernels.exact import from_fmpq, to_fmpq
from ..operators.diffusion import semigroup_matrix
from ..operators.exponents import exponent_multiple, exponent_sum
from ..operators.time_polynomial import TimePolynomial
from .martingale_family import ValueFamily

Poly = list[Any]


def at_time(f: TimePolynomial, s: fmpq, exps: dict[Any, Any]) -> Poly:
    """Coefficients in x of f(s, ·); exponentials are remembered in `exps`."""
    out: Poly = [fmpq(0)] * (f.degree + 1)
    for (k, j, a, g), c in f.terms.items():
        value = c * s**j
        power = exponent_sum(exponent_multiple(a, s), g)
        if power:
            if power not in exps:
                exps[power] = ball.to_arb(f.value(power)).exp()
            value = exps[power] * value
        out[k] = out[k] + value
    return out


def times(p: Poly, q: Poly) -> Poly:
    """Product."""
    out: Poly = [fmpq(0)] * (len(p) + len(q) - 1)
    for i, u in enumerate(p):
        if isinstance(u, fmpq) and u == 0:
            continue
        for j, v in enumerate(q):
            out[i + j] = out[i + j] + u * v
    return out


def plus(p: Poly, q: Poly, scale: Any = 1) -> Poly:
    """p + scale·q."""
    if len(p) < len(q):
        p = p + [fmpq(0)] * (len(q) - len(p))
    return [u + scale * q[i] if i < len(q) else u for i, u in enumerate(p)]


class Grid:
    """A `ValueFamily` seen at n + 1 times.

    Parameters
    ----------
    family
        The family.
    n
        Number of steps, at least 1.
    """

    def __init__(self, family: ValueFamily, n: int) -> None:
        if not (isinstance(n, (int, np.integer)) and n >= 1):
            raise InvalidArgument(f"Grid: n={n!r}, must be an integer ≥ 1; it counts time steps")
        self.family, self.n = family, int(n)
        self.dt = to_fmpq(family.T) / self.n
        pieces = [family.discount() * f for f in family.columns]
        reward = family.discount() * family.r
        self.a: list[list[Poly]] = []
        self.reward: list[Poly] = []
        self.exps: list[dict[Any, Any]] = []
        for i in range(self.n + 1):
            s, exps = self.dt * i, {}  # type: tuple[fmpq, dict[Any, Any]]
            row = [at_time(f, s, exps) for f in pieces]
            if i == self.n:
                end = family.discount() * family.h
                row = [at_time(end, s, exps), *([fmpq(0)] for _ in range(family.q))]
            self.a.append(row)
            self.reward.append(at_time(reward, s, exps))
            self.exps.append(exps)
        self._steps: list[list[Any]] = []
        self._rows: list[list[list[Any]]] = []

    def sample(self, f: TimePolynomial) -> list[Poly]:
        """f(t_i, ·), i = 0..n."""
        return [at_time(f, self.dt * i, self.exps[i]) for i in range(self.n + 1)]

    def _step(self, degree: int) -> list[list[Any]]:
        """Row k: coefficients of x^k in P x^m, m = 0..degree."""
        if len(self._steps) <= degree:
            mat = semigroup_matrix(self.family.process, from_fmpq(self.dt), degree + 2)
            self._steps = [[mat[k, m] for m in range(degree + 3)] for k in range(degree + 3)]
            self._rows = []
        return self._steps

    def P(self, p: Poly) -> Poly:
        """E[p(X_{i+1}) | X_i = x]."""
        step = self._step(len(p) - 1)
        return [sum((step[k][m] * p[m] for m in range(k, len(p))), fmpq(0)) for k in range(len(p))]

    def _moments(self, degree: int) -> list[list[Any]]:
        step = self._step(degree)
        if not self._rows:
            size, x = len(step), to_fmpq(self.family.x0)
            row: list[Any] = [x**k for k in range(size)]
            self._rows = [row]
            for _ in range(self.n):
                row = [sum((row[k] * step[k][m] for k in range(m + 1)), fmpq(0)) for m in range(size)]
                self._rows.append(row)
        return self._rows

    def mean(self, i: int, p: Poly) -> Any:
        """E p(X_{t_i})."""
        row = self._moments(len(p) - 1)[i]
        return sum((c * row[k] for k, c in enumerate(p)), fmpq(0))

    # ---- increments ----------------------------------------------------------------------
    @cached_property
    def start(self) -> list[list[Poly]]:
        """What D_i subtracts: a_i, less e^{−βt_i}rΔ in column 0; i = 0..n−1."""
        return [[plus(row[0], self.reward[i], -self.dt), *row[1:]] for i, row in enumerate(self.a[: self.n])]

    @cached_property
    def drift(self) -> list[list[Poly]]:
        """E[D_i^k | X_i], i = 0..n−1."""
        return [
            [plus(self.P(after), before, -1) for after, before in zip(self.a[i + 1], row, strict=True)]
            for i, row in enumerate(self.start)
        ]

    def left(self, tests: Sequence[TimePolynomial]) -> NDArray[np.object_]:
        """E Σ_i ξ(t_i, X_i) D_i^k: (p, q + 1)."""
        return self._pair([self.sample(f) for f in tests], self.drift)

    def _pair(self, tests: Sequence[Sequence[Poly]], means: Sequence[Sequence[Poly]]) -> NDArray[np.object_]:
        out = np.empty((len(tests), self.family.q + 1), dtype=object)
        for p, test in enumerate(tests):
            for k in range(self.family.q + 1):
                out[p, k] = sum((self.mean(i, times(test[i], means[i][k])) for i in range(self.n)), fmpq(0))
        return out

    def right(self, tests: Sequence[TimePolynomial]) -> NDArray[np.object_]:
        """E Σ_i ξ(t_{i+1}, X_{i+1}) D_i^k: what anticipating test functions see."""
        out = np.empty((len(tests), self.family.q + 1), dtype=object)
        for p, f in enumerate(tests):
            test = self.sample(f)
            for k in range(self.family.q + 1):
                total: Any = fmpq(0)
                for i in range(self.n):
                    after = self.P(times(test[i + 1], self.a[i + 1][k]))
                    total = total + self.mean(
                        i, plus(after, times(self.P(test[i + 1]), self.start[i][k]), -1)
                    )
                out[p, k] = total
        return out

    def traced(self, lam: Any) -> NDArray[np.object_]:
        """E Σ_i z_i D_i^k for the trace z_i = λ^Δ z_{i−1} + e^{−βt_i}φ(t_i, X_i)Δ."""
        keep = fmpq(1) if lam == 1 else (ball.to_arb(to_fmpq(lam)).log() * ball.to_arb(self.dt)).exp()
        ahead: list[list[Poly]] = [[[fmpq(0)]] * (self.family.q + 1)]
        for i in range(self.n - 1, -1, -1):
            ahead.append(
                [plus(self.drift[i][k], self.P(ahead[-1][k]), keep) for k in range(self.family.q + 1)]
            )
        ahead = ahead[:0:-1]
        tests = [[self.a[i][p] for i in range(self.n)] for p in range(1, self.family.q + 1)]
        return self.dt_times(self._pair(tests, ahead))

    def dt_times(self, values: NDArray[np.object_]) -> NDArray[np.object_]:
        """Δ·values."""
        return np.array([[v * self.dt for v in row] for row in values], dtype=object).reshape(values.shape)

    @cached_property
    def values(self) -> list[Poly]:
        """e^{−βt_i} times the value of the sampled problem: V_i = r̄_iΔ + P V_{i+1}, V_n = e^{−βT}h."""
        out = [self.a[self.n][0]]
        for i in range(self.n - 1, -1, -1):
            out.append(plus(self.P(out[-1]), self.reward[i], self.dt))
        return out[::-1]

    def loss(self) -> NDArray[np.object_]:
        """Normal equations of ML_n: column 0 is ΔE Σ a_p(V_i − a_0), column k is −ΔE Σ a_p a_k."""
        means = [
            [plus(self.values[i], self.a[i][0], -1), *([-c for c in p] for p in self.a[i][1:])]
            for i in range(self.n)
        ]
        tests = [[self.a[i][p] for i in range(self.n)] for p in range(1, self.family.q + 1)]
        return self.dt_times(self._pair(tests, means))

    def square(self, k: int, m: int, weight: TimePolynomial | None = None) -> Any:
        """E Σ_i D_i^k D_i^m, each term times ξ(t_i, X_i)² if `weight` ξ is given."""
        factor = None if weight is None else self.sample(weight * weight)
        total: Any = fmpq(0)
        for i in range(self.n):
            u, v = self.a[i + 1][k], self.a[i + 1][m]
            s, w = self.start[i][k], self.start[i][m]
            p = plus(self.P(times(u, v)), times(s, self.P(v)), -1)
            p = plus(plus(p, times(w, self.P(u)), -1), times(s, w))
            total = total + self.mean(i, p if factor is None else times(p, factor[i]))
        return total

    def square_form(self, weight: TimePolynomial | None = None) -> NDArray[np.object_]:
        """H of E Σ_i (D_i^θ)², each term times ξ(t_i, X_i)² if `weight` ξ is given."""
        q = self.family.q + 1
        H = np.empty((q, q), dtype=object)
        for k in range(q):
            for m in range(k + 1):
                H[k, m] = H[m, k] = self.square(k, m, weight)
        return H

    def gram(self, tests: Sequence[TimePolynomial]) -> NDArray[np.object_]:
        """ΔE Σ_i ξξᵀ."""
        sampled = [self.sample(f) for f in tests]
        G = np.empty((len(tests), len(tests)), dtype=object)
        for p, u in enumerate(sampled):
            for k, v in enumerate(sampled[: p + 1]):
                total = sum((self.mean(i, times(u[i], v[i])) for i in range(self.n)), fmpq(0))
                G[p, k] = G[k, p] = total * self.dt
        return G
