"""One radius for all tasks: the joint optimum over heads, and why play is optimistic on the event."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np

import rltheory as rl
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, Tight, run_module

from .setting import PAPER, Logged, UnitReader, Vector, decoded, dot, logged, root, solve, table


# ---- the shared radius -----------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Joint:
    """Let heads be known up to Σ_i ‖w_i − ŵ_i‖²_{A_i} ≤ r² = c²Σu_i² after some logs; actions are 0.

    d holds directions d_i; u_i² = φ_iᵀA_i⁻¹φ_i, by the library.
    """

    x: Logged
    c: F
    d: tuple[Vector, ...]

    @cached_property
    def rows(self) -> list[list[F]]:
        """φ_i."""
        return [list(self.x.phi[0, s, 0]) for s in self.x.contexts]

    @cached_property
    def known(self) -> tuple[list[F], list[F]]:
        """φ_i·ŵ_i and u_i²."""
        mu, u2 = self.x.confidence.widths(0, self.x.contexts)
        return [F(v) for v in mu[:, 0]], [F(v) for v in u2[:, 0]]

    @property
    def u2(self) -> list[F]:
        """u_i²."""
        return self.known[1]

    @property
    def squared_radius(self) -> F:
        """r²."""
        return self.c**2 * sum(self.u2, F(0))

    @cached_property
    def maximiser(self) -> list[list[F]]:
        """w_i = ŵ_i + c·A_i⁻¹φ_i."""
        designs, heads = self.x.confidence.design[0], self.x.confidence.heads[0]
        return [
            [F(h) + self.c * v for h, v in zip(head, solve(A, row), strict=True)]
            for A, head, row in zip(designs, heads, self.rows, strict=True)
        ]

    def spread(self, ws: Any) -> F:
        """Σ_i ‖w_i − ŵ_i‖²_{A_i}."""
        total = F(0)
        for A, head, w in zip(self.x.confidence.design[0], self.x.confidence.heads[0], ws, strict=True):
            e = np.array([F(a) - F(b) for a, b in zip(w, head, strict=True)], dtype=object)
            total += F(e @ A @ e)
        return total

    def value(self, ws: Any) -> F:
        """Σ_i φ_i·w_i."""
        return sum((dot(r, w) for r, w in zip(self.rows, ws, strict=True)), F(0))

    @cached_property
    def moved(self) -> list[list[F]]:
        """ŵ_i + d_i."""
        heads = self.x.confidence.heads[0]
        return [
            [F(h) + v for h, v in zip(head, d, strict=True)] for head, d in zip(heads, self.d, strict=True)
        ]

    @property
    def in_design(self) -> F:
        """Σφ_iᵀA_iφ_i."""
        designs = self.x.confidence.design[0]
        return sum(
            (dot(r, A @ np.array(r, dtype=object)) for r, A in zip(self.rows, designs, strict=True)), F(0)
        )

    @property
    def gain(self) -> F:
        """(Σφ_i·d_i)²."""
        return sum((dot(r, d) for r, d in zip(self.rows, self.d, strict=True)), F(0)) ** 2

    @cached_property
    def cross(self) -> Any:
        """2Σ_{i<j} u_i u_j, so (Σu)² = Σu² + cross."""
        parts = [root(4 * a * b) for a, b in itertools.combinations(self.u2, 2)]
        if all(isinstance(v, F) for v in parts):
            return sum(parts, F(0))
        ends = [(v, v) if isinstance(v, F) else (F(v.lower), F(v.upper)) for v in parts]
        return rl.Enclosure(sum((a for a, _ in ends), F(0)), sum((b for _, b in ends), F(0)))

    @property
    def equalities(self) -> list[int]:
        """2 for yes, 1 for no: is (Σu)² = Σu², and is (Σu)² = M·Σu²?  A sum of square roots of rationals is
        rational only if all of them are, so irrational ones decide both once their bounds exclude equality.
        """
        most = (self.x.M - 1) * sum(self.u2, F(0))
        if isinstance(self.cross, F):
            return [1 + int(self.cross == 0), 1 + int(self.cross == most)]
        if not 0 < F(self.cross.lower) <= F(self.cross.upper) < most:
            raise ArithmeticError("equality undecided; raise the precision")
        return [1, 1]

    def apart(self) -> Any:
        """(Σu_i)²."""
        total = sum(self.u2, F(0))
        if isinstance(self.cross, F):
            return total + self.cross
        return rl.Enclosure(total + F(self.cross.lower), total + F(self.cross.upper))


def joint(read: UnitReader) -> Joint:
    """Random."""
    x = logged(read)
    k = x.phi.shape[3]
    return Joint(
        x, F(1 + read.below(8), 4), tuple(tuple(F(3 - read.below(7), 4) for _ in range(k)) for _ in x.logs)
    )


def fresh(*rows: Vector, lam: F = F(1), theta: tuple[Vector, ...] | None = None, extra: F = F(0)) -> Logged:
    """No data; task i is in context i, whose first action has feature rows[i]; the second is minus that."""
    phi = table([[[row, [-v for v in row]] for row in rows]])
    heads = theta if theta is not None else tuple(rows)
    return Logged(phi, heads, ((),) * len(rows), tuple(range(len(rows))), lam, extra)


UNIT = (F(1), F(0))
ALIKE = Joint(fresh(UNIT, UNIT), F(1), (UNIT, UNIT))
ALONE = Joint(fresh(UNIT, (F(0), F(0))), F(1), (UNIT, (F(0), F(0))))

shared_radius: Claim[Joint] = Claim(
    statement="max{Σφ_i·w_i : Σ‖w_i − ŵ_i‖²_{A_i} ≤ r²} = Σφ_i·ŵ_i + r√(Σu²), at ŵ_i + rA_i⁻¹φ_i/√(Σu²)",
    source=PAPER.at("derived; Cauchy and Schwarz across tasks"),
    let=decoded(joint),
    assume=[],
    then=Eq(
        lhs=lambda x: [x.value(x.maximiser), x.spread(x.maximiser)],
        rhs=lambda x: [sum(x.known[0], F(0)) + x.c * sum(x.u2, F(0)), x.squared_radius],
    ),
    tight=Tight([ALIKE, ALONE], within=0),
    mutants=[
        Mutant(
            "u² = φᵀAφ",
            then=Eq(
                lambda x: x.value(x.maximiser),
                lambda x: sum(x.known[0], F(0)) + x.c * x.in_design,
            ),
        ),
    ],
    expect=CERTIFIED,
    draws=80,
)

shared_radius_bounds: Claim[Joint] = Claim(
    statement="no heads do better: (Σφ_i·d_i)² ≤ Σu²·Σ‖d_i‖²_{A_i}; (Σu)²/M ≤ Σu² ≤ (Σu)²",
    source=PAPER.at("derived; Cauchy and Schwarz across tasks"),
    let=decoded(joint),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.gain, x.cross, sum(x.u2, F(0))],
        rhs=lambda x: [sum(x.u2, F(0)) * x.spread(x.moved), (x.x.M - 1) * sum(x.u2, F(0)), x.apart()],
    ),
    tight=Tight([ALIKE, ALONE], within=0),
    mutants=[
        Mutant("r/√M·Σu is an upper bound", then=Leq(lambda x: x.x.M * sum(x.u2, F(0)), lambda x: x.apart())),
        Mutant("the radius is shared for nothing", then=Leq(lambda x: x.apart(), lambda x: sum(x.u2, F(0)))),
    ],
    expect=CERTIFIED,
    draws=80,
)


shared_radius_equality: Claim[Joint] = Claim(
    statement="Σu² = (Σu)² iff at most one u_i ≠ 0; M·Σu² = (Σu)² iff the u_i are equal",
    source=PAPER.at("derived; the cases of equality of Cauchy and Schwarz"),
    let=decoded(joint),
    assume=[],
    then=Eq(
        lhs=lambda x: x.equalities,
        rhs=lambda x: [1 + int(sum(u != 0 for u in x.u2) <= 1), 1 + int(len(set(x.u2)) == 1)],
    ),
    tight=Tight([ALIKE, ALONE], within=0),
    named={"three tasks": Joint(fresh(UNIT, UNIT, (F(0), F(0))), F(1), (UNIT,) * 3)},
    mutants=[
        Mutant("both iff M = 1", rhs=lambda x: [1 + int(x.x.M == 1)] * 2),
        Mutant(
            "the first iff the u_i are equal",
            then=Eq(lambda x: x.equalities[0], lambda x: 1 + int(len(set(x.u2)) == 1)),
        ),
    ],
    expect=CERTIFIED,
    draws=80,
)


# ---- optimism --------------------------------------------------------------------------------
def chosen(x: Logged) -> Any:
    """The library's optimistic value."""
    return x.confidence.optimistic(x.contexts).value


def without_ridge(x: Logged) -> Any:
    """The optimistic value with λMB_θ² taken from B (least value if the set is empty)."""
    return value_at(x, x.truth + x.extra - x.lam * x.M)


def scale_zero(x: Logged) -> Any:
    """The optimistic value at B = min_φ Σρ."""
    return value_at(x, min(F(r) for r in x.confidence.rho.sum(axis=1)))


def value_at(x: Logged, radius: F) -> Any:
    """The optimistic value at another radius; −M if the set is empty."""
    c = x.at_radius(radius)
    return (
        c.optimistic(x.contexts).value
        if any(c.squared_radius(f) >= 0 for f in range(len(x.phi)))
        else F(-x.M)
    )


CERTAIN = fresh(UNIT, UNIT)
"""No data, λ = 1: the value is √2·√2 = 2, the truth's best is 2."""

optimism: Claim[Logged] = Claim(
    statement="Σ_iL_i(φ_*, θ_i) ≤ B: the optimistic value is at least Σ_i max_a f*_i(x_i, a)",
    source=PAPER.at("derived; deterministic on the event"),
    let=decoded(logged),
    assume=[
        Assumption(
            "the truth is in the set",
            lambda x: x.extra >= 0,
            Logged(table([[[[1], [1]]]]), ((F(1),),), (((0, 0, F(-1)),) * 8,), (0,), F(1), F(-30)),
        ),
        Assumption(
            "‖θ_i‖ ≤ B_θ",
            lambda x: all(dot(w, w) <= 1 for w in x.theta),
            fresh(UNIT, theta=((F(3), F(0)),)),
        ),
    ],
    then=Leq(lhs=lambda x: x.best, rhs=chosen),
    tight=Tight(CERTAIN, within=0),
    mutants=[
        Mutant("without λMB_θ² in r²", rhs=without_ridge),
        Mutant("B = min_φ Σρ (scale 0)", rhs=scale_zero),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- one round with a known representation ----------------------------------------------------
def alone(read: UnitReader) -> Logged:
    """Random logs, |Φ| = 1; or no data, all heads opposite to the first action's feature."""
    if read.below(6) == 1:
        M, row = 1 + read.below(3), read.unit(2)
        return fresh(*(row,) * M, lam=F(1 + read.below(4)), theta=(tuple(-v for v in row),) * M)
    x = logged(read)
    return Logged(x.phi[:1], x.theta, x.logs, x.contexts, x.lam, x.extra)


def squared_regret(x: Logged) -> F:
    """(Σ_i max_a f*_i(x_i, a) − f*_i(x_i, a_i))², a the library's optimistic actions."""
    acts = x.confidence.optimistic(x.contexts).actions
    paid = sum((dot(x.phi[0, s, a], w) for s, a, w in zip(x.contexts, acts, x.theta, strict=True)), F(0))
    return (x.best - paid) ** 2


def squared_width(x: Logged, less: F = F(0)) -> F:
    """(r² − less)Σ_i u_i² at the actions played."""
    c = x.confidence
    u2 = c.widths(0, x.contexts)[1]
    played = c.optimistic(x.contexts).actions
    return (F(c.squared_radius(0)) - less) * sum((F(u2[i, a]) for i, a in enumerate(played)), F(0))


WRONG = fresh(UNIT, theta=((F(-1), F(0)),))
"""No data: both actions are worth 1, the first is played and pays −1, the second pays 1."""

known_phi_round: Claim[Logged] = Claim(
    statement="|Φ| = 1, Σ_iL_i(φ, θ_i) ≤ B_t: the regret of round t is at most 2r_t√(Σ_iu_i²)",
    source=PAPER.at("derived; optimism and the shared radius, both squared"),
    let=decoded(alone),
    assume=[
        Assumption(
            "the truth is in the set",
            lambda x: x.extra >= 0,
            Logged(table([[[[1], [-1]]]]), ((F(1),),), (((0, 0, F(-1)),) * 8,), (0,), F(1), F(-32)),
        ),
        Assumption(
            "‖θ_i‖ ≤ B_θ",
            lambda x: all(dot(w, w) <= 1 for w in x.theta),
            fresh(UNIT, theta=((F(-3), F(0)),)),
        ),
    ],
    then=Leq(lhs=squared_regret, rhs=lambda x: 4 * squared_width(x)),
    tight=Tight(
        [WRONG, fresh(UNIT, UNIT, theta=WRONG.theta * 2)],
        within=0,
    ),
    mutants=[
        Mutant("r_t√(Σu²): the centre is right", rhs=squared_width),
        Mutant("without λMB_θ² in r²", rhs=lambda x: 4 * squared_width(x, x.lam * x.M)),
        Mutant("r_t/√M a task", rhs=lambda x: 4 * squared_width(x) / x.M),
    ],
    expect=CERTIFIED,
    draws=80,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
