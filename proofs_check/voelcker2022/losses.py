"""The losses against each other: Taylor, Cauchy–Schwarz, Minkowski; what each of them cannot see."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

from flint import fmpq

from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Mutant, Reader, Tight, decoded, run_module
from rltheory.checks.balls import root
from rltheory.kernels import ball
from rltheory.kernels.exact import to_fmpq
from rltheory.solvers import mse_loss, value_gradient_loss

from .setting import PAPER, Batch, Quadratic, Table, batch, corner, curved, precise, quadratic, table


# ---- Taylor ----------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Step:
    """Let V be quadratic, or log-sum-exp (V None), and move from s by e."""

    V: Quadratic | None
    s: Table
    e: Table

    @property
    def H(self) -> Any:
        """‖M‖₂, or ½: the Hessian diag(p) − pp' of log-sum-exp has norm at most ½."""
        return fmpq(1, 2) if self.V is None else self.V.H

    @property
    @precise
    def rest(self) -> Any:
        """|V(s + e) − V(s) − g·e|."""
        if self.V is not None:
            return to_fmpq(
                abs(self.V(self.s + self.e) - self.V(self.s) - (self.V.gradient(self.s) * self.e).sum())
            )
        p = ball.softmax(self.s)
        return abs(ball.logsumexp(self.s + self.e) - ball.logsumexp(self.s) - ball.dot(p, self.e))

    @property
    def size2(self) -> fmpq:
        """‖e‖²."""
        return to_fmpq((self.e * self.e).sum())

    @precise
    def bound(self, part: fmpq) -> Any:
        """part·H‖e‖²."""
        return part * self.H * self.size2


def steps(read: Reader) -> Step:
    """Quadratics in up to three dimensions, log-sum-exp of up to three numbers."""
    n = 1 + read.below(3)
    s, e = read.numbers(n, most=2, denominator=4), read.numbers(n, most=2, denominator=8)
    if read.below(3) == 0 and n > 1:
        return Step(None, s, e)
    return Step(quadratic(read, n), s, e)


TOP = Step(Quadratic(table([[2, 1], [1, 2]]), table([1, 0])), table([1, -1]), table([F(1, 3), F(1, 3)]))
SOFT = Step(None, table([0, 0]), table([F(1, 100), F(-1, 100)]))

taylor: Claim[Step] = Claim(
    statement="|V(s' + e) − V(s') − g·e| ≤ (H/2)‖e‖²; H = ½ for log-sum-exp",
    source=PAPER.at("the expansion at the observed next state; the constant derived"),
    let=decoded(steps),
    assume=[],
    then=Leq(lhs=lambda x: x.rest, rhs=lambda x: x.bound(fmpq(1, 2))),
    tight=Tight([TOP, SOFT], within=1e-4),
    mutants=[Mutant("(H/4)‖e‖²", rhs=lambda x: x.bound(fmpq(1, 4)))],
    expect=CERTIFIED,
)


# ---- Cauchy–Schwarz and Minkowski ------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Product:
    """Let g be a gradient and e an error."""

    g: Table
    e: Table

    @property
    def square(self) -> F:
        """(g·e)²."""
        return F((self.g * self.e).sum() ** 2)

    @property
    def diagonal(self) -> F:
        """Σ g_j² e_j²."""
        return F(((self.g * self.e) ** 2).sum())

    @property
    def support(self) -> int:
        """‖g‖₀."""
        return int((self.g != 0).sum())


def product(read: Reader) -> Product:
    """Up to four dimensions; products nearly equal one time in two."""
    n = 1 + read.below(4)
    g, e = read.numbers(n), read.numbers(n, most=2, denominator=4)
    if read.below(2):
        e = table([1 / v if v else F(0) for v in g]) * 12 + e / 4
    return Product(g, e)


EQUAL = [Product(table(g), table([F(6) / v for v in g])) for g in ([1, 2, 3], [-1, 2], [5])]
THIN = Product(table([1, 0, 2]), table([2, 7, 1]))

diagonal: Claim[Product] = Claim(
    statement="(g·e)² ≤ n Σ g_j² e_j²",
    source=PAPER.at("the diagonal bound"),
    let=decoded(product),
    assume=[],
    then=Leq(lhs=lambda x: x.square, rhs=lambda x: len(x.g) * x.diagonal),
    tight=Tight(EQUAL, within=0),
    mutants=[
        Mutant("n − 1", rhs=lambda x: (len(x.g) - 1) * x.diagonal),
        Mutant("1", rhs=lambda x: x.diagonal),
    ],
    expect=CERTIFIED,
)

diagonal_sparse: Claim[Product] = Claim(
    statement="(g·e)² ≤ ‖g‖₀ Σ g_j² e_j²",
    source=PAPER.at("derived: the diagonal bound counts the coordinates that V depends on"),
    let=decoded(product),
    assume=[],
    then=Leq(lhs=lambda x: x.square, rhs=lambda x: x.support * x.diagonal),
    tight=Tight([*EQUAL, THIN], within=0),
    mutants=[Mutant("‖g‖₀ − 1", rhs=lambda x: (x.support - 1) * x.diagonal)],
    expect=CERTIFIED,
)


@precise
def chained(x: Batch, *, n: int, part: fmpq) -> Any:
    """(√(n·L_VG) + part·H·√(mean ‖e‖⁴))², multiplied out: equalities are then between rationals."""
    c, first, fourth = part * x.V.H, to_fmpq(n * x.vg), to_fmpq(x.fourth)
    return first if c == 0 else first + c * c * fourth + 2 * c * root(first * fourth)


chain: Claim[Batch] = Claim(
    statement="√L_VAML ≤ √(n·L_VG) + (H/2)√(mean ‖e‖⁴)",
    source=PAPER.at("derived by Minkowski from the expansion and the diagonal bound"),
    let=decoded(batch),
    assume=[],
    then=Leq(lhs=lambda x: x.vaml, rhs=lambda x: chained(x, n=x.n, part=fmpq(1, 2))),
    tight=Tight([corner(1), corner(1, F(3), F(1, 2), F(4)), corner(2), corner(3)], within=0),
    mutants=[
        Mutant("n dropped", rhs=lambda x: chained(x, n=1, part=fmpq(1, 2))),
        Mutant("no second term", rhs=lambda x: chained(x, n=x.n, part=fmpq(0))),
        Mutant("H/4", rhs=lambda x: chained(x, n=x.n, part=fmpq(1, 4))),
    ],
    expect=CERTIFIED,
)


# ---- zero sets -------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Mirrored:
    """Let V = ½‖s‖² and let the model predict −s' in place of s'."""

    S: Table

    @cached_property
    def batch(self) -> Batch:
        """e = −2s'."""
        return Batch(curved(*[1] * self.S.shape[1]), self.S, -2 * self.S)

    @property
    def fourth(self) -> F:
        """4·mean Σ s'_j⁴."""
        return F(4 * (self.S**4).sum() / len(self.S))


zero_set: Claim[Mirrored] = Claim(
    statement="V = ½‖s‖², ŝ = −s': L_VAML = 0 and L_VG = 4·mean Σ s'_j⁴",
    source=PAPER.at("spurious minima of the value-aware loss; instance derived"),
    let=decoded(lambda read: Mirrored(read.numbers(1 + read.below(3), 1 + read.below(3), denominator=2))),
    assume=[],
    then=Eq(lhs=lambda x: [x.batch.vaml, x.batch.vg], rhs=lambda x: [F(0), x.fourth]),
    tight=Tight(Mirrored(table([[1, 2]])), within=0),
    mutants=[
        Mutant("L_VAML = 0 only if e = 0", then=Eq(lambda x: x.batch.vaml, lambda x: x.batch.mse)),
        Mutant("L_VG = 2·mean Σ s'_j⁴", rhs=lambda x: [F(0), x.fourth / 2]),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True, eq=False)
class Blind:
    """Let g be gradients and e errors, often of disjoint support; b₂·s is another value."""

    g: Table
    e: Table
    b2: Table

    @property
    def vg(self) -> F:
        """L_VG."""
        return F(value_gradient_loss(self.g, self.e))

    @property
    def touched(self) -> int:
        """Number of (i, j) with g_ij e_ij ≠ 0."""
        return sum(1 for g, e in zip(self.g.reshape(-1), self.e.reshape(-1), strict=True) if g and e)

    @property
    def linear_elsewhere(self) -> F:
        """L_VAML for the linear value b₂·s."""
        return F(((self.e * self.b2).sum(axis=1) ** 2).sum() / len(self.e))


def blind(read: Reader) -> Blind:
    """Sparse gradients and errors, disjoint supports one time in two."""
    N, n = 1 + read.below(2), 1 + read.below(3)
    g, e = read.numbers(N, n, most=1), read.numbers(N, n, most=1)
    if read.below(2):
        e = table([[F(0) if a else v for a, v in zip(r, s, strict=True)] for r, s in zip(g, e, strict=True)])
    return Blind(g, e, read.numbers(n))


zero_set_iff: Claim[Blind] = Claim(
    statement="L_VG = 0 exactly if e_j = 0 wherever g_j ≠ 0",
    source=PAPER.at("derived"),
    let=decoded(blind),
    assume=[],
    then=Eq(lhs=lambda x: 1 + int(x.vg > 0), rhs=lambda x: 1 + int(x.touched > 0)),
    tight=Tight(Blind(table([[1, 0]]), table([[0, 1]]), table([0, 1])), within=0),
    mutants=[
        Mutant("exactly if e = 0", rhs=lambda x: 1 + int((x.e != 0).any())),
        Mutant(
            "L_VG = 0 makes L_VAML 0 for another V",
            then=Leq(lambda x: x.linear_elsewhere if x.vg == 0 else F(0), lambda x: F(0)),
        ),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True, eq=False)
class Orthogonal:
    """Let e be orthogonal to g."""

    g: Table
    e: Table

    @cached_property
    def losses(self) -> list[F]:
        """L_lin, L_MSE."""
        b = self.e - (self.g * self.e).sum() / (self.g * self.g).sum() * self.g
        return [F((self.g * b).sum() ** 2), F(mse_loss(b))]


zero_set_linear: Claim[Orthogonal] = Claim(
    statement="L_lin = 0 for every e ⟂ g",
    source=PAPER.at("derived: the first-order loss is blind across g"),
    let=decoded(lambda read: Orthogonal(read.numbers(3) + table([0, 0, 9]), read.numbers(3))),
    assume=[],
    then=Eq(lhs=lambda x: 1 + x.losses[0], rhs=lambda x: F(1)),
    tight=Tight(Orthogonal(table([1, 1]), table([1, 0])), within=0),
    mutants=[Mutant("so is L_MSE", lhs=lambda x: 1 + x.losses[1])],
    expect=CERTIFIED,
)


# ---- coordinates -----------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Moved:
    """Let s → Us carry states and errors, and V with them: V_U(s) = V(U⁻¹s)."""

    batch: Batch
    U: Table
    inverse: Table

    @cached_property
    def image(self) -> Batch:
        """The transported batch."""
        x, A = self.batch, self.inverse
        return Batch(Quadratic(A.T @ x.V.M @ A, A.T @ x.V.b), x.S @ self.U.T, x.E @ self.U.T)

    def losses(self, x: Batch, names: str) -> list[F]:
        """The named losses."""
        return [F(getattr(x, name)) for name in names.split()]


def rotation(t: F) -> Table:
    """Rational rotation with half-angle tangent t."""
    c, s = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    return table([[c, -s], [s, c]])


def flat_batch(read: Reader) -> Batch:
    """Two dimensions."""
    V = quadratic(read, 2)
    N = 1 + read.below(2)
    return Batch(V, read.numbers(N, 2, most=3, denominator=2), read.numbers(N, 2, most=2, denominator=4))


def rotated(read: Reader) -> Moved:
    """By a rational angle, reflected one time in two."""
    x, U = flat_batch(read), rotation(F(1 + read.below(8), 9))
    U = U @ table([[1, 0], [0, -1]]) if read.below(2) else U
    return Moved(x, U, U.T)


AXIS = Moved(Batch(curved(1, 1), table([[1, 0]]), table([[0, 1]])), rotation(F(1, 3)), rotation(F(1, 3)).T)

coordinates: Claim[Moved] = Claim(
    statement="L_VAML, L_lin and L_MSE do not change under s → Us, U orthogonal, V transported",
    source=PAPER.at("scaling is axis-aligned"),
    let=decoded(rotated),
    assume=[],
    then=Eq(
        lhs=lambda x: x.losses(x.image, "vaml linear mse"), rhs=lambda x: x.losses(x.batch, "vaml linear mse")
    ),
    tight=Tight(AXIS, within=0),
    mutants=[
        Mutant(
            "neither does L_VG", then=Eq(lambda x: x.losses(x.image, "vg"), lambda x: x.losses(x.batch, "vg"))
        )
    ],
    expect=CERTIFIED,
)


def rescaled(read: Reader) -> Moved:
    """Coordinates swapped, with signs and scales."""
    a, b = (F(1 + read.below(6), 2) * (1 if read.below(2) else -1) for _ in range(2))
    U, A = table([[a, 0], [0, b]]), table([[1 / a, 0], [0, 1 / b]])
    swap = table([[0, 1], [1, 0]])
    return Moved(flat_batch(read), U @ swap, swap @ A) if read.below(2) else Moved(flat_batch(read), U, A)


coordinates_rescaling: Claim[Moved] = Claim(
    statement="L_VG does not change under signed permutations and scaling of each coordinate, V transported",
    source=PAPER.at("derived: value gradients carry the units"),
    let=decoded(rescaled),
    assume=[],
    then=Eq(
        lhs=lambda x: x.losses(x.image, "vg vaml linear"), rhs=lambda x: x.losses(x.batch, "vg vaml linear")
    ),
    tight=Tight(Moved(corner(2), table([[2, 0], [0, 3]]), table([[F(1, 2), 0], [0, F(1, 3)]])), within=0),
    mutants=[
        Mutant(
            "neither does L_MSE",
            then=Eq(lambda x: x.losses(x.image, "mse"), lambda x: x.losses(x.batch, "mse")),
        )
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
