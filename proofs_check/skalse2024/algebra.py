"""Rewards up to shaping and redistribution: dimensions, canonical forms, policy orders.

N is the span of shapings γΦ(s') − Φ(s) and redistributions (mean 0 under τ).  VAL with a policy π0 maps R
to its advantage A^{π0}(s, a), the same for every s'.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np

import rltheory as rl
from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Mutant, Reader, Tight, decoded, run_module
from rltheory.checks.elimination import eliminate, rank
from rltheory.operators import canonicalise, trivial_basis, trivial_dimension
from rltheory.solvers import same_policy_order

from .setting import FIRST, HALF, OPPOSITE, PAPER, Table, Two, World, law, one_state, table, two, world

SKALSE_ABATE = "Section 2, after Skalse and Abate 2023"


# ---- the trivial space -----------------------------------------------------------------------
def flat(rewards: list[Table] | Table) -> Table:
    """Rewards as rows."""
    return np.array([np.asarray(R).reshape(-1) for R in rewards], dtype=object)


def nullity(W: World) -> int:
    """dim{R : J_R is constant}: S²A minus the rank of the differences of η = d·τ."""
    eta = [(d[..., None] * W.tau).reshape(-1) for d in W.vertices]
    gaps = [e - eta[0] for e in eta[1:]]
    return W.tau.size - (rank(np.array(gaps, dtype=object)) if gaps else 0)


trivial_space: Claim[World] = Claim(
    statement="dim{R : all policies have one return} = SA(S−1) + S = dim span(shapings, redistributions)",
    source=PAPER.at(SKALSE_ABATE),
    let=decoded(lambda b: world(b, S=3, A=2)),
    assume=[],
    then=Eq(
        lhs=lambda W: [nullity(W), rank(flat(trivial_basis(W.mdp)))],
        rhs=lambda W: [trivial_dimension(W.mdp), W.S * W.A * (W.S - 1) + W.S],
    ),
    tight=Tight(FIRST.W, within=0),
    mutants=[
        Mutant(
            "constant potentials act trivially: one dimension fewer",
            rhs=lambda W: [trivial_dimension(W.mdp) - 1, W.S * W.A * (W.S - 1) + W.S - 1],
        )
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True, eq=False)
class Moved(Two):
    """Let R1 be a reward, Φ = R2(·, 0, 0) a potential and X the redistribution made from R2."""

    def moved(self, gamma: F | None = None) -> Table:
        """R1 + γΦ(s') − Φ(s) + X."""
        W, phi = self.W, self.R2[:, 0, 0]
        g = W.gamma if gamma is None else gamma
        shape = np.broadcast_to((g * phi[None, :] - phi[:, None])[:, None, :], W.tau.shape)
        return np.asarray(self.R1 + shape + W.redistribution(self.R2))

    def gaps(self, R: Table) -> list[F]:
        """J(π) − J(π_0) over deterministic π."""
        J = self.W.returns(R)
        return [j - J[0] for j in J]


def moved(read: Reader) -> Moved:
    """Random rewards and potentials."""
    W = world(read, S=3, A=2)
    return Moved(W, read.numbers(*W.tau.shape), read.numbers(*W.tau.shape))


NUDGED = Moved(FIRST.W, FIRST.R1, FIRST.R2)

trivial_space_members: Claim[Moved] = Claim(
    statement="shaping and redistribution change the return of every policy by one constant",
    source=PAPER.at(SKALSE_ABATE),
    let=decoded(moved),
    assume=[],
    then=Eq(lhs=lambda x: x.gaps(x.moved()), rhs=lambda x: x.gaps(x.R1)),
    tight=Tight(NUDGED, within=0),
    mutants=[
        Mutant("shaping with another discount", lhs=lambda x: x.gaps(x.moved(x.W.gamma / 2))),
        Mutant("shaping without a discount", lhs=lambda x: x.gaps(x.moved(F(1)))),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- canonical forms -------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Levelled(Moved):
    """Let pi0 be a policy besides."""

    pi0: Table

    @cached_property
    def c(self) -> Table:
        """VAL(R1), by the library."""
        return canonicalise(self.R1, self.W.mdp, "VAL", pi=rl.Policy(self.pi0))

    def advantage(self, R: Table) -> Table:
        """A^{π0}(s, a) of R, constant in s', from V by elimination."""
        W = self.W
        r = W.mean(R)
        C, b = (self.pi0[..., None] * W.tau).sum(axis=1), (self.pi0 * r).sum(axis=1)
        V = eliminate(table(np.eye(W.S, dtype=int)) - W.gamma * C, b)
        adv = r + W.gamma * (W.tau @ V) - V[:, None]
        return np.asarray(np.broadcast_to(adv[..., None], W.tau.shape))

    def relative(self, R: Table) -> list[F]:
        """J_R(π) − J_R(π0)."""
        d0 = self.W.occupancy(self.pi0)
        return [self.W.J(R, d) - self.W.J(R, d0) for d in self.W.vertices]


def levelled(read: Reader) -> Levelled:
    """Random π0."""
    x = moved(read)
    pi0 = table([law(read, x.W.A) for _ in range(x.W.S)])
    return Levelled(x.W, x.R1, x.R2, pi0)


LEVEL = Levelled(FIRST.W, FIRST.R1, FIRST.R2, FIRST.W.uniform)

val_canonical: Claim[Levelled] = Claim(
    statement=(
        "VAL(R) is the advantage of π0: J_{c(R)}(π) = J_R(π) − J_R(π0), c∘c = c, c(R + n) = c(R) for n ∈ N"
    ),
    source=PAPER.at("Definition of value-adjusted levelling"),
    let=decoded(levelled),
    assume=[],
    then=Eq(
        lhs=lambda x: [
            *x.c.ravel(),
            *x.W.returns(x.c),
            *canonicalise(x.c, x.W.mdp, pi=rl.Policy(x.pi0)).ravel(),
            *canonicalise(x.moved(), x.W.mdp, pi=rl.Policy(x.pi0)).ravel(),
        ],
        rhs=lambda x: [*x.advantage(x.R1).ravel(), *x.relative(x.R1), *x.c.ravel(), *x.c.ravel()],
    ),
    tight=Tight(LEVEL, within=0),
    mutants=[
        Mutant(
            "with the value of another reward",
            then=Eq(
                lambda x: x.W.returns(x.R1 + x.advantage(x.R2) - x.R2),
                lambda x: x.relative(x.R1),
            ),
        ),
        Mutant(
            "VAL-potential does as well: it forgets redistributions",
            then=Eq(
                lambda x: canonicalise(x.moved(), x.W.mdp, "VAL-potential").ravel(),
                lambda x: canonicalise(x.R1, x.W.mdp, "VAL-potential").ravel(),
            ),
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)


def image_rank(W: World, canon: Any) -> int:
    """Rank of a canonicalisation as a linear map."""
    n = W.tau.size
    units = table(np.eye(n, dtype=int)).reshape(n, *W.tau.shape)
    return rank(flat(canonicalise(units, W.mdp, canon)))


val_canonical_rank: Claim[World] = Claim(
    statement="VAL has rank S(A−1) (its kernel is N); VAL-potential has rank S²A − S",
    source=PAPER.at("Definition of value-adjusted levelling"),
    let=decoded(lambda b: world(b, S=3, A=2)),
    assume=[],
    then=Eq(
        lhs=lambda W: [image_rank(W, "VAL"), image_rank(W, "VAL-potential")],
        rhs=lambda W: [W.S * (W.A - 1), W.S * W.S * W.A - W.S],
    ),
    tight=Tight(FIRST.W, within=0),
    mutants=[Mutant("VAL-potential has the rank of VAL", rhs=lambda W: [W.S * (W.A - 1)] * 2)],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True, eq=False)
class Projected(Moved):
    """Let R1 + n, n ∈ N, compete with the minimal representative of R1."""

    exactly: bool = False

    @cached_property
    def c(self) -> Table:
        """Minimal-L2 representative, by the library."""
        return canonicalise(self.R1, self.W.mdp, "minimal-l2")

    @property
    def rival(self) -> Table:
        """R1 + n, or the representative itself."""
        return self.c if self.exactly else self.moved()

    @cached_property
    def unweighted(self) -> Table:
        """The same least squares without the weights 1/Σ τ²."""
        W = self.W
        r = W.mean(self.R1)
        M = (W.gamma * W.tau - table(np.eye(W.S, dtype=int))[:, None, :]).reshape(-1, W.S)
        phi = eliminate(M.T @ M, -(M.T @ r.reshape(-1)))
        left = r + (M @ phi).reshape(r.shape)
        return np.asarray((left / (W.tau * W.tau).sum(axis=-1))[..., None] * W.tau)


def square(R: Table) -> F:
    """‖R‖₂²."""
    return F((R * R).sum())


def projected(read: Reader) -> Projected:
    """Random rivals; sometimes the representative itself."""
    x = moved(read)
    return Projected(x.W, x.R1, x.R2, read.below(4) == 0)


minimal_l2: Claim[Projected] = Claim(
    statement="‖c(R)‖₂ ≤ ‖R + n‖₂ for n ∈ N, c(R)(s, a, ·) = r'(s, a) τ/Στ², r' the weighted residual",
    source=PAPER.at("minimal canonicalisation; closed form derived"),
    let=decoded(projected),
    assume=[],
    then=Leq(lhs=lambda x: square(x.c), rhs=lambda x: square(x.rival)),
    tight=Tight(Projected(FIRST.W, FIRST.R1, FIRST.R2, True), within=0),
    mutants=[Mutant("unweighted least squares", lhs=lambda x: square(x.unweighted))],
    expect=CERTIFIED,
)


minimal_l2_projection: Claim[Projected] = Claim(
    statement="c(R) ⊥ N, and c(R + n) = c(R)",
    source=PAPER.at("minimal canonicalisation; closed form derived"),
    let=decoded(projected),
    assume=[],
    then=Eq(
        lhs=lambda x: [
            F((x.c * x.moved()).sum()),
            *canonicalise(x.moved(), x.W.mdp, "minimal-l2").ravel(),
        ],
        rhs=lambda x: [F((x.c * x.R1).sum()), *x.c.ravel()],
    ),
    tight=Tight(Projected(FIRST.W, FIRST.R1, FIRST.R2), within=0),
    mutants=[
        Mutant(
            "the unweighted residual is orthogonal to N",
            then=Eq(lambda x: F((x.unweighted * x.moved()).sum()), lambda x: F((x.unweighted * x.R1).sum())),
        )
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Shifts:
    """Let one state have three actions with rewards x and y; N = constants; k is a shift."""

    x: tuple[int, int, int]
    y: tuple[int, int, int]
    k: F

    @staticmethod
    def midrange(x: tuple[int, ...]) -> F:
        """(max + min)/2."""
        return F(max(x) + min(x), 2)

    def size(self, k: F) -> F:
        """‖x + k‖_∞."""
        return max(abs(v + k) for v in self.x)

    def spread(self, w: F) -> F:
        """L1 norm of the first two entries moved by −w."""
        return abs(self.x[0] - w) + abs(self.x[1] - w)


def shifts(read: Reader) -> Shifts:
    """Small integers."""
    x, y = (tuple(read.below(7) - 3 for _ in range(3)) for _ in range(2))
    return Shifts(x, y, F(read.below(25) - 12, 4))  # type: ignore[arg-type]


UNITS = Shifts((1, 0, 0), (0, 1, 0), -HALF)

minimal_nonlinear: Claim[Shifts] = Claim(
    statement="L∞-minimal representatives subtract the midrange: not linear, so minimal is not yet canonical",
    source=PAPER.at("minimal canonicalisation; derived"),
    let=decoded(shifts, 16),
    assume=[],
    then=Leq(lhs=lambda x: x.size(-x.midrange(x.x)), rhs=lambda x: x.size(x.k)),
    tight=Tight(UNITS, within=0),
    mutants=[
        Mutant(
            "minimal implies linear",
            then=Eq(
                lambda x: x.midrange(x.x) + x.midrange(x.y),
                lambda x: x.midrange((x.x[0] + x.y[0], x.x[1] + x.y[1], x.x[2] + x.y[2])),
            ),
        )
    ],
    expect=CERTIFIED,
)


minimal_nonlinear_l1: Claim[Shifts] = Claim(
    statement="one state, two actions, L1: every shift between the two values is minimal",
    source=PAPER.at("minimal canonicalisation; derived"),
    let=decoded(shifts, 16),
    assume=[],
    then=Eq(
        lhs=lambda x: [x.spread(F(x.x[0])), x.spread(F(x.x[1])), x.spread(F(x.x[0] + x.x[1], 2))],
        rhs=lambda x: [F(abs(x.x[0] - x.x[1]))] * 3,
    ),
    tight=Tight(UNITS, within=0),
    mutants=[Mutant("every shift is minimal", lhs=lambda x: [x.spread(-x.k)] * 3)],
    expect=CERTIFIED,
)


# ---- policy orders ---------------------------------------------------------------------------
def parallel(x: Two, *, any_sign: bool = False) -> int:
    """2 if the advantages of the uniform policy are positive multiples of each other (or both 0), else 1."""
    level = Levelled(x.W, x.R1, x.R2, x.W.uniform)
    a, b = level.advantage(x.R1).ravel(), level.advantage(x.R2).ravel()
    if not (a != 0).any() or not (b != 0).any():
        return 2 if (a == b).all() else 1
    k = int(np.argmax(a != 0))
    lam = b[k] / a[k]
    return 2 if (b == lam * a).all() and (lam > 0 or (any_sign and lam < 0)) else 1


def signs(x: Two) -> int:
    """2 if all deterministic policies are ordered alike, else 1."""
    A, B = x.W.returns(x.R1), x.W.returns(x.R2)
    n = range(len(A))
    return 2 if all((A[i] > A[j]) == (B[i] > B[j]) for i in n for j in n) else 1


policy_order: Claim[Two] = Claim(
    statement="R1 and R2 order all policies alike ⟺ c(R1) = λc(R2), λ > 0, or both are trivial",
    source=PAPER.at("Proposition on policy orders, after Skalse and Abate 2023"),
    let=decoded(two),
    assume=[],
    then=Eq(lhs=lambda x: 1 + int(same_policy_order(x.R1, x.R2, x.W.mdp).same), rhs=parallel),
    tight=Tight(Two(FIRST.W, FIRST.R1, 3 * FIRST.R1 + FIRST.W.shaping(table([1, 4]))), within=0),
    named={"stochastic policies decide": one_state([0, 1, 3], [0, 2, 3]), "opposite": OPPOSITE},
    mutants=[
        Mutant("λ < 0 is allowed", rhs=lambda x: parallel(x, any_sign=True)),
        Mutant("comparing deterministic policies is enough", rhs=signs),
    ],
    expect=CERTIFIED,
    draws=60,
)


def disagreement(x: Two) -> list[F]:
    """[1 + other(π) − other(π'), 1 − (liked(π) − liked(π'))] of the certificate; −1 if there is none."""
    out = same_policy_order(x.R1, x.R2, x.W.mdp)
    if out.same or out.pi is None or out.pi_other is None:
        return [F(-1), F(-1)]
    d = [x.W.occupancy(p.matrix(x.W.A)) for p in (out.pi, out.pi_other)]
    one, two_ = (x.W.J(R, d[0]) - x.W.J(R, d[1]) for R in (x.R1, x.R2))
    liked, other = (one, two_) if out.liked == 1 else (two_, one)
    return [other + 1, 1 - liked]


policy_order_certificate: Claim[Two] = Claim(
    statement="where orders differ, two policies are exhibited that one reward ranks, the other does not",
    source=PAPER.at("worst-case regret, Definition 6"),
    let=decoded(two),
    assume=[],
    then=Leq(lhs=lambda x: disagreement(x), rhs=lambda x: [F(1), F(1)]),
    tight=Tight(FIRST, within=0),
    mutants=[Mutant("both rank them alike", rhs=lambda x: [F(1), F(-1, 10)])],
    expect=CERTIFIED,
    draws=60,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
