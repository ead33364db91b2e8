"""Deterministic systems with bounded Jacobians: linear ones in rationals, tanh networks in balls.

s' = f(s, a), a = μ(s), reward r(s, a).  A ≥ ‖Df‖, B ≥ ‖Dμ‖, δ ≥ ‖∇r‖ in spectral norms, ρ = γA√(1 + B²).
Q_H is the sum of H rewards from (s, a): Q_H(s, a) = r(s, a) + γ Q_{H−1}(f(s, a), μ(f(s, a))), Q_0 = 0, and
    ∇Q_H = ∇r + γ Dfᵀ [I; Dμ]ᵀ ∇Q_{H−1}(s', μ(s')).
Squares of norms are compared, so that rational systems stay rational.  C = A²max(1, B²) with Frobenius norms.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb, fmpq
from numpy.typing import NDArray

import rltheory as rl
from rltheory.checks import Paper, Reader
from rltheory.checks.balls import at_precision, root
from rltheory.checks.elimination import eliminate
from rltheory.kernels import ball
from rltheory.kernels.exact import to_fmpq

PAPER = Paper(
    key="lipimit",
    authors="Blondé, Strasser, Kalousis",
    title="Lipschitzness Is All You Need To Tame Off-policy Generative Adversarial Imitation Learning",
    year=2022,
    where="Machine Learning, arXiv 2006.16785",
)

Table = NDArray[Any]
BITS = 192
GAMMAS = (F(1, 2), F(3, 5), F(3, 4), F(9, 10))
TRIANGLES = (
    (F(3, 4), F(5, 4)),
    (F(4, 3), F(5, 3)),
    (F(5, 12), F(13, 12)),
    (F(0), F(1)),
    (F(12, 5), F(13, 5)),
)
"""(B, √(1 + B²)), both rational."""

table = rl.exact_array
"""Nested lists as an object array of Fractions."""

precise = at_precision()
"""Decorator: balls of 192 bits."""


@precise
def spectral2(M: Table) -> Any:
    """‖M‖₂² for min(shape) ≤ 2: the larger root of λ² − tλ + d."""
    G = M @ M.T if M.shape[0] <= M.shape[1] else M.T @ M
    if len(G) == 1:
        return to_fmpq(G[0, 0])
    t, d = to_fmpq(G[0, 0] + G[1, 1]), to_fmpq(G[0, 0] * G[1, 1] - G[0, 1] * G[1, 0])
    return (t + root(t * t - 4 * d)) / 2


def frobenius2(M: Table) -> fmpq:
    """‖M‖_F²."""
    return to_fmpq((M * M).sum())


class System:
    """Let f, μ, r have the Jacobian bounds A2 = A², B2 = B², delta2 = δ²; `gamma` and `H` are given."""

    gamma: F
    H: int
    A2: Any
    B2: Any
    delta2: Any
    A2_F: fmpq
    B2_F: fmpq

    def gradient(self, H: int) -> list[Any]:
        """∇Q_H at the instance's point."""
        raise NotImplementedError

    @precise
    def squared(self, H: int) -> Any:
        """‖∇Q_H‖²."""
        return total([g * g for g in self.gradient(H)])

    @property
    @precise
    def rho(self) -> Any:
        """ρ = γA√(1 + B²)."""
        return to_fmpq(self.gamma) * root(self.A2 * (1 + self.B2))

    @property
    @precise
    def narrow(self) -> Any:
        """γA·max(1, B)."""
        return to_fmpq(self.gamma) * root(self.A2 * self.B2 if self.B2 > 1 else self.A2)

    @property
    def C(self) -> fmpq:
        """A²max(1, B²), Frobenius."""
        return self.A2_F * max(fmpq(1), self.B2_F)

    @property
    def gamma2C(self) -> fmpq:
        """γ²C."""
        return to_fmpq(self.gamma) ** 2 * self.C

    @precise
    def bound(self, rate: Any, H: int, shift: int = 0) -> Any:
        """(δ Σ_{k<H} rate^(k+shift))²."""
        return self.delta2 * powers(rate, H, shift) ** 2

    @precise
    def summarised(self, H: int) -> Any:
        """δ² Σ_{k<H} (γ²C)^k: the square of the formula as commonly summarised."""
        return self.delta2 * powers(self.gamma2C, H)


def total(xs: list[Any]) -> Any:
    """Sum of numbers and balls."""
    out: Any = fmpq(0)
    for x in xs:
        out = out + x
    return out


def powers(rate: Any, H: int, shift: int = 0) -> Any:
    """Σ_{k<H} rate^(k+shift)."""
    return total([rate ** (k + shift) if k + shift else fmpq(1) for k in range(H)])


@dataclass(frozen=True, eq=False)
class Linear(System):
    """Let f = Ms + Na, μ = Ks, r = c·s + d·a."""

    M: Table
    N: Table
    K: Table
    c: Table
    d: Table
    gamma: F
    H: int = 3

    @property
    def Df(self) -> Table:
        """(M N)."""
        return np.concatenate([self.M, self.N], axis=1)

    @property
    def dr(self) -> Table:
        """∇r."""
        return np.concatenate([self.c, self.d])

    @cached_property
    def A2(self) -> Any:
        """‖Df‖²."""
        return spectral2(self.Df)

    @cached_property
    def B2(self) -> Any:
        """‖K‖²."""
        return spectral2(self.K)

    @property
    def delta2(self) -> fmpq:
        """‖∇r‖²."""
        return frobenius2(self.dr)

    @property
    def A2_F(self) -> fmpq:
        """‖Df‖_F²."""
        return frobenius2(self.Df)

    @property
    def B2_F(self) -> fmpq:
        """‖K‖_F²."""
        return frobenius2(self.K)

    @cached_property
    def J(self) -> Table:
        """Dfᵀ [I Kᵀ]."""
        eye = table(np.eye(len(self.M), dtype=int))
        return np.asarray(self.Df.T @ np.concatenate([eye, self.K.T], axis=1))

    def gradient(self, H: int) -> list[Any]:
        """q_H = ∇r + γJq_{H−1}."""
        q = 0 * self.dr
        for _ in range(H):
            q = self.dr + self.gamma * (self.J @ q)
        return [to_fmpq(v) for v in q]

    @cached_property
    def limit(self) -> Table:
        """∇Q_∞ = (I − γJ)⁻¹∇r, which is the limit when γ·(closed loop) has spectral radius below 1."""
        eye = table(np.eye(len(self.J), dtype=int))
        return eliminate(eye - self.gamma * self.J, self.dr)

    @property
    def limit2(self) -> fmpq:
        """‖∇Q_∞‖²."""
        return frobenius2(self.limit)

    @cached_property
    def loop(self) -> Table:
        """M + NK."""
        return np.asarray(self.M + self.N @ self.K)

    @property
    def value2(self) -> fmpq:
        """‖∇V‖², V(s) = Q_∞(s, μ(s))."""
        n = len(self.M)
        return frobenius2(self.limit[:n] + self.K.T @ self.limit[n:])


@dataclass(frozen=True, eq=False)
class Net(System):
    """Let f = F₂tanh(F₁(s, a)), μ = G₂tanh(G₁s), r = w·tanh(R₁(s, a)); gradients are taken at (s, a) = x."""

    F1: Table
    F2: Table
    G1: Table
    G2: Table
    R1: Table
    w: Table
    x: Table
    gamma: F
    H: int = 3

    @property
    def n(self) -> int:
        """Dimension of s."""
        return len(self.F2)

    @cached_property
    def A2(self) -> Any:
        """‖F₂‖²‖F₁‖² ≥ ‖Df‖²."""
        return spectral2(self.F2) * spectral2(self.F1)

    @cached_property
    def B2(self) -> Any:
        """‖G₂‖²‖G₁‖²."""
        return spectral2(self.G2) * spectral2(self.G1)

    @cached_property
    def delta2(self) -> Any:
        """‖w‖²‖R₁‖²."""
        return frobenius2(self.w) * spectral2(self.R1)

    @property
    def A2_F(self) -> fmpq:
        """‖F₂‖_F²‖F₁‖_F²."""
        return frobenius2(self.F2) * frobenius2(self.F1)

    @property
    def B2_F(self) -> fmpq:
        """‖G₂‖_F²‖G₁‖_F²."""
        return frobenius2(self.G2) * frobenius2(self.G1)

    @precise
    def gradient(self, H: int) -> list[Any]:
        """The recursion along the path from x, in balls."""
        x = [ball.to_arb(v) for v in self.x]
        steps = []
        for _ in range(H):
            f, Df = layer(self.F2, self.F1, x)
            s = f
            a, Dmu = layer(self.G2, self.G1, s)
            _, dr = layer(self.w[None, :], self.R1, x)
            steps.append((Df, Dmu, dr[0]))
            x = s + a
        q: list[Any] = [arb(0)] * len(x)
        for Df, Dmu, dr in reversed(steps):
            n, m = len(Df), len(Dmu)
            inner = [q[i] + total([Dmu[j][i] * q[n + j] for j in range(m)]) for i in range(n)]
            g = ball.to_arb(self.gamma)
            q = [dr[k] + g * total([Df[i][k] * inner[i] for i in range(n)]) for k in range(len(q))]
        return q


def layer(outer: Table, inner: Table, x: list[Any]) -> tuple[list[Any], list[list[Any]]]:
    """outer·tanh(inner·x) and its Jacobian."""
    O, W = ([[ball.to_arb(v) for v in row] for row in T] for T in (outer, inner))
    h = [total([w * v for w, v in zip(row, x, strict=True)]).tanh() for row in W]
    value = [total([o * t for o, t in zip(row, h, strict=True)]) for row in O]
    slope = [[o * (1 - t * t) for o, t in zip(row, h, strict=True)] for row in O]
    jac = [[total([a * W[k][j] for k, a in enumerate(row)]) for j in range(len(x))] for row in slope]
    return value, jac


# ---- instances -------------------------------------------------------------------------------
def aligned(A: F = F(1), kind: int = 0, gamma: F = F(3, 5), *, delta: F = F(1), H: int = 3) -> Linear:
    """v = (1, B)/√(1 + B²), f = A v·(s, a), μ = Bs, r = δ v·(s, a): the bounds are equalities."""
    B, h = TRIANGLES[kind]
    v = (1 / h, B / h)
    return Linear(
        table([[A * v[0]]]),
        table([[A * v[1]]]),
        table([[B]]),
        table([delta * v[0]]),
        table([delta * v[1]]),
        gamma,
        H,
    )


def scalar(c: F = F(1), gamma: F = F(3, 5), H: int = 2) -> Linear:
    """f = cs, μ = 0, r = s."""
    return Linear(table([[c]]), table([[0]]), table([[0]]), table([1]), table([0]), gamma, H)


def turning(gamma: F = F(3, 5), p: int = 3, q: int = 4, h: int = 5) -> Linear:
    """f = r = (ps + qa)/h with p² + q² = h², μ = s: A = B = C = δ = 1, closed loop (p + q)s/h."""
    return Linear(
        table([[F(p, h)]]), table([[F(q, h)]]), table([[1]]), table([F(p, h)]), table([F(q, h)]), gamma
    )


def linear(read: Reader) -> Linear:
    """Dimensions 1 and 2; ρ is scaled to at most 15/16 of 1 (one time in four it is left as drawn)."""
    if read.below(5) == 0:
        return aligned(F(1 + read.below(16), 16), read.below(5), read.pick(GAMMAS), H=1 + read.below(4))
    n, m, gamma, H = 1 + read.below(2), 1 + read.below(2), read.pick(GAMMAS), 1 + read.below(4)
    M, N, K = (read.numbers(*shape, most=2, denominator=2) for shape in ((n, n), (n, m), (m, n)))
    x = Linear(M, N, K, read.numbers(n), read.numbers(m), gamma, H)
    part = F(1 + read.below(15), 16)
    size = float(x.rho)
    if size == 0 or read.below(4) == 0:
        return x
    shrink = F(float(part) / size).limit_denominator(256) * F(63, 64)
    return Linear(M * shrink, N * shrink, K, x.c, x.d, gamma, H)


def net(read: Reader) -> Net:
    """One or two states, one action, two hidden units."""
    n, H = 1 + read.below(2), 1 + read.below(3)
    F1, R1 = read.numbers(2, n + 1, most=2, denominator=2), read.numbers(2, n + 1, most=2, denominator=2)
    F2, w = read.numbers(n, 2, most=2, denominator=2), read.numbers(2, most=2, denominator=2)
    G1, G2 = read.numbers(2, n, most=2, denominator=2), read.numbers(1, 2, most=2, denominator=2)
    x = read.numbers(n + 1, most=1, denominator=8)
    return Net(F1, F2, G1, G2, R1, w, x, read.pick(GAMMAS), H)


def system(read: Reader) -> System:
    """A linear system, or a network one time in three."""
    return net(read) if read.below(3) == 2 else linear(read)
