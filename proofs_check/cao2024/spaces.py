"""Rules that are best in a Hilbert space: optimality, and two closed forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

from flint import arb

from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Mutant, Reader, Tight, decoded, run_module
from rltheory.kernels import ball
from rltheory.operators import (
    Matern,
    Wiener,
    bayesian_quadrature,
    even_nodes,
    simpson,
    trapezoid,
)
from rltheory.operators._weights import ball_weights

from .setting import BITS, PAPER, TINY, enclosed, matern, table

HALF = F(1, 2)


# ---- optimal -----------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Problem:
    """Let f = α∫k(·, s)ds + Σ c_j k(·, s_j) on [0, T], and w be any weights on the nodes."""

    cov: Matern | Wiener
    nodes: tuple[F, ...]
    T: F
    shift: tuple[F, ...]
    alpha: F
    c: tuple[F, ...]
    s: tuple[F, ...]

    def lift(self, q: F) -> Any:
        """Rational for Wiener, ball for Matérn."""
        return q if isinstance(self.cov, Wiener) else ball.to_arb(q)

    def k(self, a: F, b: F) -> Any:
        """k(a, b)."""
        return self.cov.cov(self.lift(a), self.lift(b))

    def z(self, a: F) -> Any:
        """∫k(a, s)ds."""
        return self.cov.embedding(self.lift(a), self.lift(self.T))

    @cached_property
    @enclosed
    def best(self) -> list[Any]:
        """Bayesian weights: of the library for Wiener (rational), from K⁻¹z in balls for Matérn."""
        if isinstance(self.cov, Wiener):
            return list(bayesian_quadrature(list(self.nodes), self.cov, window=(F(0), self.T)).weights)
        return ball_weights(self.nodes, self.T, self.cov)[0]

    def square(self, w: list[Any]) -> Any:
        """e(w)² from the definition."""
        total = self.cov.variance(self.lift(self.T))
        for i, a in enumerate(self.nodes):
            total = total - 2 * w[i] * self.z(a)
            for j, b in enumerate(self.nodes):
                total = total + w[i] * w[j] * self.k(a, b)
        return total

    def f(self, t: F) -> Any:
        """f(t)."""
        total = self.lift(self.alpha) * self.z(t)
        for c, s in zip(self.c, self.s, strict=True):
            total = total + self.lift(c) * self.k(t, s)
        return total

    @property
    def integral(self) -> Any:
        """∫f."""
        total = self.lift(self.alpha) * self.cov.variance(self.lift(self.T))
        for c, s in zip(self.c, self.s, strict=True):
            total = total + self.lift(c) * self.z(s)
        return total

    @property
    def norm2(self) -> Any:
        """‖f‖²."""
        total = self.lift(self.alpha**2) * self.cov.variance(self.lift(self.T))
        for c, s in zip(self.c, self.s, strict=True):
            total = total + 2 * self.lift(self.alpha * c) * self.z(s)
            for d, r in zip(self.c, self.s, strict=True):
                total = total + self.lift(c * d) * self.k(s, r)
        return total

    def other(self) -> list[Any]:
        """The best weights, shifted."""
        return [w + self.lift(d) for w, d in zip(self.best, self.shift, strict=True)]

    def simpson(self) -> list[F]:
        """Simpson's weights on the ends and the middle where these are nodes, else the trapezoid's."""
        middle = self.T / 2
        if middle not in self.nodes:
            return list(trapezoid(list(self.nodes)).weights)
        share = {F(0): self.T / 6, middle: 2 * self.T / 3, self.T: self.T / 6}
        return [share.get(t, F(0)) for t in self.nodes]

    def error2(self, w: list[Any]) -> Any:
        """(∫f − Σ w_i f(t_i))²."""
        gap = self.integral
        for a, t in zip(w, self.nodes, strict=True):
            gap = gap - a * self.f(t)
        return gap * gap

    @enclosed
    def sides(self) -> tuple[list[Any], list[Any]]:
        """e(best)² ≤ e(w)² for shifted, trapezoidal and Simpson's w; (error of f)² ≤ ‖f‖²e(best)²."""
        e2 = self.square(self.best)
        shifted = self.square(self.other())
        trap = self.square([self.lift(v) for v in trapezoid(list(self.nodes)).weights])
        third = self.square([self.lift(v) for v in self.simpson()])
        return [e2, e2, e2, self.error2(self.best)], [shifted, trap, third, self.norm2 * e2]


def with_simpson(s: Problem, cubic: Callable[[Any], Any]) -> tuple[Any, Any]:
    """|error| of the Bayesian rule and of Simpson's on a function with integral T⁴/4, on three even nodes."""
    with ball.precision(BITS):
        nodes = even_nodes(s.T, 3)
        w = ball_weights(list(nodes), s.T, matern(3, HALF))[0]
        bayes = ball.to_arb(s.T**4 / 4)
        for a, t in zip(w, nodes, strict=True):
            bayes -= a * ball.to_arb(cubic(t))
        other = s.T**4 / 4 - simpson(nodes).integrate([cubic(t) for t in nodes])
        return abs(bayes), abs(other)


@enclosed
def constants(s: Problem) -> tuple[Any, Any]:
    """(e‖1‖, |∫1 − Σw|) for Matérn-½, ‖1‖² = 1 + T/(2ℓ)."""
    cov = matern(0, HALF)
    w, e2 = ball_weights(s.nodes, s.T, cov)
    size = (1 + ball.to_arb(s.T)).sqrt()
    return e2.sqrt() * size, abs(ball.to_arb(s.T) - sum(w, arb(0)))


def problem(read: Reader) -> Problem:
    """Three to six nodes on a grid of [0, T], both ends or not; f a combination of up to three sections."""
    T = read.pick((F(1, 8), F(1, 2), F(1), F(2)))
    inner = sorted({1 + read.below(15) for _ in range(1 + read.below(4))})
    nodes = tuple(F(j, 16) * T for j in [0, *inner, 16])
    covs: tuple[Matern | Wiener, ...] = (
        matern(0, HALF),
        matern(1, HALF),
        matern(2, HALF),
        matern(3, HALF),
        Wiener(1),
        Wiener(HALF),
    )
    shift = tuple(F(read.below(17) - 8, 256) * T for _ in nodes)
    if not any(shift):
        shift = (F(1, 64) * T, *shift[1:])
    m = 1 + read.below(3)
    c = tuple(read.number(2, 2) for _ in range(m))
    s = tuple(F(read.below(33), 32) * T for _ in range(m))
    return Problem(read.pick(covs), nodes, T, shift, read.number(1, 1), c, s)


def extremal() -> Problem:
    """f* = ∫k(·, s)ds − Σ w_i k(·, t_i) for Wiener, offset 1: error e², norm e."""
    nodes = (F(0), F(1, 4), F(3, 4), F(1))
    w = bayesian_quadrature(list(nodes), Wiener(1)).weights
    return Problem(Wiener(1), nodes, F(1), (F(1, 64),) * 4, F(1), tuple(-v for v in w), nodes)


bq_optimal: Claim[Problem] = Claim(
    statement="e(w_BQ) ≤ e(w) for all w on the same nodes; |∫f − Σ w_i f(t_i)| ≤ ‖f‖_H e(w)",
    source=PAPER.at("theorem on the optimality of Bayesian quadrature"),
    let=decoded(problem, 50),
    assume=[],
    then=Leq(lhs=lambda s: s.sides()[0], rhs=lambda s: s.sides()[1]),
    tight=Tight(extremal(), within=0),
    mutants=[
        Mutant(
            "better than Simpson's on every function",
            then=Leq(
                lhs=lambda s: with_simpson(s, lambda t: t**3)[0],
                rhs=lambda s: with_simpson(s, lambda t: t**3)[1],
            ),
        ),
        Mutant("constants attain e", then=Leq(lhs=lambda s: constants(s)[0], rhs=lambda s: constants(s)[1])),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- closed forms ------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Mesh:
    """Let a = t_0 < … < t_{N−1} = b be rational, a ≥ 0, and the covariance be c + min(t, t')."""

    nodes: tuple[F, ...]
    c: F

    @cached_property
    def trap(self) -> list[F]:
        """Trapezoidal weights and Σ(t_{i+1} − t_i)³/12."""
        t = self.nodes
        w = [F(0)] * len(t)
        for i in range(len(t) - 1):
            w[i] += (t[i + 1] - t[i]) / 2
            w[i + 1] += (t[i + 1] - t[i]) / 2
        return [*w, sum(((b - a) ** 3 / 12 for a, b in zip(t, t[1:], strict=False)), F(0))]

    def bayes(self) -> list[Any]:
        """Bayesian weights and e² of the library."""
        out = bayesian_quadrature(list(self.nodes), Wiener(self.c))
        return [*out.weights, out.variance]

    def without(self, i: int) -> list[Any]:
        """Weights on the same window without one node, a zero in its place."""
        kept = [t for j, t in enumerate(self.nodes) if j != i % len(self.nodes)]
        window = (self.nodes[0], self.nodes[-1])
        w = list(bayesian_quadrature(kept, Wiener(self.c), window=window).weights)
        w.insert(i % len(self.nodes), F(0))
        return w

    def wrong_embedding(self) -> list[Any]:
        """K⁻¹z with z_i = t_iT − t_i²/2 although the window starts at a > 0."""
        from rltheory.kernels.exact import solve_linear

        t, T = self.nodes, self.nodes[-1] - self.nodes[0]
        K = table([[self.c + min(a, b) for b in t] for a in t])
        return list(solve_linear(K, table([(self.c * T + a * T - a * a / 2) for a in t])))


def mesh(read: Reader) -> Mesh:
    """Uneven nodes, the window anywhere right of 0."""
    t = [F(read.below(5), 4)]
    for _ in range(2 + read.below(4)):
        t.append(t[-1] + F(1 + read.below(8), 8))
    return Mesh(tuple(t), F(1 + read.below(8), 4))


wiener_trapezoid: Claim[Mesh] = Claim(
    statement="k = c + min(t, t'), c > 0, nodes at both ends: w_BQ is trapezoidal, e² = Σ(t_{i+1} − t_i)³/12",
    source=PAPER.at("section 4, Bayesian quadrature and the trapezoid"),
    let=decoded(mesh, 12),
    assume=[],
    then=Eq(lhs=lambda s: s.bayes(), rhs=lambda s: s.trap),
    tight=Tight(Mesh((F(1), F(5, 4), F(7, 4), F(2)), F(1)), within=0),
    named={"from 0": Mesh((F(0), F(1, 4), F(3, 4), F(1)), F(1))},
    mutants=[
        Mutant(
            "without the last node", then=Eq(lhs=lambda s: s.without(-1), rhs=lambda s: [*s.trap[:-2], 0])
        ),
        Mutant(
            "without the first node", then=Eq(lhs=lambda s: s.without(0), rhs=lambda s: [0, *s.trap[1:-1]])
        ),
        Mutant(
            "z of a window from 0 used on [a, b]",
            then=Eq(lhs=lambda s: s.wrong_embedding(), rhs=lambda s: s.trap[:-1]),
        ),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True, eq=False)
class Even:
    """Let N evenly spaced nodes cover [0, T], k = Matérn-½ of lengthscale ℓ."""

    N: int
    T: F
    ell: F

    @cached_property
    @enclosed
    def solved(self) -> list[Any]:
        """w = K⁻¹z and e²."""
        w, e2 = ball_weights([F(i, self.N - 1) * self.T for i in range(self.N)], self.T, matern(0, self.ell))
        return [*w, e2]

    @property
    @enclosed
    def closed(self) -> list[Any]:
        """The trapezoid shrunk by 2ℓ tanh(h/2ℓ)/h, and (N − 1)(2ℓh − 4ℓ² tanh(h/2ℓ))."""
        h, ell = ball.to_arb(self.T / (self.N - 1)), ball.to_arb(self.ell)
        t = (h / (2 * ell)).tanh()
        w = [ell * t * (1 if i in (0, self.N - 1) else 2) for i in range(self.N)]
        return [*w, (self.N - 1) * (2 * ell * h - 4 * ell * ell * t)]

    @property
    @enclosed
    def defect(self) -> arb:
        """1 − Σw/T."""
        return 1 - sum(self.solved[:-1], arb(0)) / ball.to_arb(self.T)

    def bound(self, share: F = F(1, 12)) -> F:
        """share·h²/ℓ²."""
        return share * (self.T / (self.N - 1)) ** 2 / self.ell**2


def even(read: Reader) -> Even:
    """Up to twelve nodes."""
    return Even(2 + read.below(11), F(1 + read.below(16), 8), F(1 + read.below(16), 8))


matern12_shrunk_trapezoid: Claim[Even] = Claim(
    statement="Matérn-½, even nodes: w_BQ = [2ℓ tanh(h/2ℓ)/h]·w_trap, e² = (N − 1)(2ℓh − 4ℓ² tanh(h/2ℓ))",
    source=PAPER.at("derived"),
    let=decoded(even, 3),
    assume=[],
    then=Eq(lhs=lambda s: s.solved, rhs=lambda s: s.closed, within=TINY),
    tight=Tight(Even(9, F(1), HALF), within=0),
    mutants=[
        Mutant(
            "the weights sum to T",
            then=Eq(lhs=enclosed(lambda s: sum(s.solved[:-1], arb(0))), rhs=lambda s: s.T, within=TINY),
        )
    ],
    expect=CERTIFIED,
)

matern12_shrunk_trapezoid_defect: Claim[Even] = Claim(
    statement="… so constants are never integrated exactly: 0 < 1 − Σw/T ≤ h²/(12ℓ²)",
    source=PAPER.at("derived"),
    let=decoded(even, 3),
    assume=[],
    then=Leq(lhs=lambda s: [0, s.defect], rhs=lambda s: [s.defect, s.bound()]),
    tight=Tight(Even(33, F(1, 8), F(1)), within=1e-5),
    mutants=[Mutant("h²/(24ℓ²)", rhs=lambda s: [s.defect, s.bound(F(1, 24))])],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
