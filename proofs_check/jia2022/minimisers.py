"""Where minimising the mean-square TD error leads, in families that contain the truth.

W1  X = x0 + sW, r = ax, J^θ = θxτ, truth a.
W3  mean–variance wealth dy = −ρσφ y dt − σφ y dW, h = y², J^θ = y²e^{−θτ}, truth θ° = 2ρσφ − σ²φ².
W4  dX = a'X dt + c'X dW, running reward −wx² for ever, J^θ = −θx², truth p = w/η, η = β − 2a' − c'².
(W2, an option price, is in `black_scholes`.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction as F
from functools import cached_property
from typing import Any

from flint import arb, arb_series

import rltheory as rl
from rltheory.checks import CERTIFIED, Claim, Eq, Every, Leq, Mutant, Reader, Tight, decoded, run_module
from rltheory.models.processes import PolynomialDiffusion
from rltheory.operators import coordinates, diffusion
from rltheory.operators.time_polynomial import precise
from rltheory.solvers import CTDRoot, MartingaleLossRoot, MeanSquareTDRoot, ValueFamily

from .setting import PAPER, SIZES, mixed, numbers


# ---- W1 --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Line:
    """Let X = x0 + √s2·W, r = ax, J^θ = θxτ on n steps."""

    a: F
    s2: F
    x0: F
    T: F
    n: int

    @cached_property
    def family(self) -> ValueFamily:
        """The family."""
        _, x, tau = coordinates(self.T)
        return ValueFamily(PolynomialDiffusion(0, 0, self.s2), self.x0, self.T, [tau * x], self.a * x)

    @property
    def formula(self) -> F:
        """aΔΣ(x0² + s²t_i)/(ΔΣ(x0² + s²t_i) + s²Στ_{i+1}²)."""
        dt = self.T / self.n
        weight = sum((dt * (self.x0**2 + self.s2 * dt * i) for i in range(self.n)), F(0))
        noise = self.s2 * sum(((self.T - dt * (i + 1)) ** 2 for i in range(self.n)), F(0))
        return self.a * weight / (weight + noise)

    def root(self, solver: Any) -> F:
        """θ of a solver of this family."""
        return F(solver.run(self.family).theta[0])


def line(read: Reader) -> Line:
    """n from 2 (with x0 = 0, one step is 0/0) to 9."""
    a = read.number(2)
    return Line(
        a if a else F(1), read.pick(SIZES), read.number(2), read.pick((F(1), F(1, 2))), 2 + read.below(8)
    )


mstde_argmin: Claim[Line] = Claim(
    statement=(
        "W1: the minimiser of MSTDE_n is aΔΣ(x0² + s²t_i)/(ΔΣ(x0² + s²t_i) + s²Στ_{i+1}²), on the grid "
        "where ML_n and CTD(0)_n give a"
    ),
    source=PAPER.at("minimisers of the mean-square TD error (seen); example derived"),
    let=decoded(line, 8),
    assume=[],
    then=Eq(
        lhs=lambda x: [
            x.root(MeanSquareTDRoot(n=x.n)), x.root(MartingaleLossRoot(n=x.n)), x.root(CTDRoot(n=x.n))
        ],
        rhs=lambda x: [x.formula, x.a, x.a],
    ),
    tight=Tight(Line(F(13, 10), F(1), F(0), F(1), 10), within=0),
    mutants=[
        Mutant("θ*_n is the truth", rhs=lambda x: [x.a, x.a, x.a]),
        Mutant("ML_n is drawn away as well", rhs=lambda x: [x.formula, x.formula, x.a]),
    ],
    expect=CERTIFIED,
)  # fmt: skip


def from_zero(read: Reader) -> Line:
    """x0 = 0, any horizon."""
    x = line(read)
    return Line(x.a, x.s2, F(0), x.T, 2 + read.below(12))


mstde_argmin_to_zero: Claim[Line] = Claim(
    statement="W1, x0 = 0: θ*_n = 3a/(2(n+1)) for n ≥ 2, every s > 0 and T: it tends to 0, not to a",
    source=PAPER.at("derived"),
    let=decoded(from_zero, 8),
    assume=[],
    then=Eq(lhs=lambda x: x.root(MeanSquareTDRoot(n=x.n)), rhs=lambda x: 3 * x.a / (2 * (x.n + 1))),
    tight=Tight(Line(F(13, 10), F(1), F(0), F(1), 100), within=0),
    mutants=[
        Mutant("3a/(2n)", rhs=lambda x: 3 * x.a / (2 * x.n)),
        Mutant(
            "within a/2 of the truth",
            then=Leq(lambda x: abs(x.root(MeanSquareTDRoot(n=x.n)) - x.a), lambda x: abs(x.a) / 2),
        ),
    ],
    expect=CERTIFIED,
)


# ---- W3 --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Wealth:
    """Let y be the wealth with ρ, σ, φ on n steps of [0, T], y0 = 1."""

    rho: F
    sigma: F
    phi: F
    T: F
    n: int

    @property
    def truth(self) -> F:
        """θ°."""
        return 2 * self.rho * self.sigma * self.phi - self.sigma**2 * self.phi**2

    @property
    def lead(self) -> F:
        """2σφ/√T of the law 2σφ√(n/T)."""
        return 2 * self.sigma * self.phi

    def cost(self, theta: Any, *, flat: bool = False) -> Any:
        """Σ m4^i[m4 e^{−2θτ_{i+1}} − 2m2 e^{−θ(τ_i+τ_{i+1})} + e^{−2θτ_i}], a geometric series."""
        dt, T = arb(to(self.T)) / self.n, arb(to(self.T))
        m2 = (-arb(to(self.truth)) * dt).exp()
        s = self.sigma * self.phi
        m4 = m2 * m2 if flat else (arb(to(-4 * self.rho * s + 6 * s * s)) * dt).exp()
        up = (theta * dt).exp()
        q = up * up * m4
        rest = (theta * (-2 * T)).exp()
        few = self.n <= 16  # q may be 1
        ratio = sum((q**i for i in range(self.n)), 0 * q) if few else (q**self.n - 1) / (q - 1)
        return rest * ratio * (m4 * up * up - up * (2 * m2) + 1)

    def slope(self, theta: F) -> arb:
        """Derivative of the cost."""
        return self.cost(arb_series([arb(to(theta)), arb(1)], 2))[1]

    def directly(self, theta: F) -> Any:
        """E ΣD² step by step, from moments of the geometric Brownian motion."""
        s = self.sigma * self.phi
        process = PolynomialDiffusion(0, -self.rho * s, 0, 0, s * s)
        dt = self.T / self.n
        step = diffusion.semigroup_matrix(process, dt, 4)
        total, fourth = arb(0), arb(1)
        for i in range(self.n):
            now = (-arb(to(theta * (self.T - dt * i)))).exp()
            after = (-arb(to(theta * (self.T - dt * (i + 1))))).exp()
            total = total + fourth * (after * after * step[4, 4] - 2 * now * after * step[2, 2] + now * now)
            fourth = fourth * step[4, 4]
        return total

    @cached_property
    def minimiser(self) -> rl.Enclosure:
        """A zero of the derivative, from − to +, by bisection from [0, 4σφ√(n/T) + 1]."""
        with precise():
            low, high = F(0), self.lead * (int((self.n / self.T) ** F(1, 2)) + 1) + 1
            for _ in range(60):
                mid = (low + high) / 2
                low, high = (mid, high) if self.slope(mid) < 0 else (low, mid)
            if not (self.slope(low) < 0 and self.slope(high) > 0):
                raise ArithmeticError("no change of sign")
            return rl.Enclosure(low, high)


def to(q: F) -> Any:
    """fmpq."""
    return mixed(q)


def wealth(read: Reader) -> Wealth:
    """Small parameters."""
    return Wealth(
        F(1 + read.below(4), 4), F(1 + read.below(4), 8), F(1 + read.below(4)), read.pick((F(1), F(1, 2))),
        1 + read.below(12),
    )  # fmt: skip


mstde_argmin_wealth: Claim[Wealth] = Claim(
    statement=(
        "W3: E ΣD² = Σ_i m4^i[m4 e^{−2θτ_{i+1}} − 2m2 e^{−θ(τ_i+τ_{i+1})} + e^{−2θτ_i}]; "
        "its slope at θ° is 0 for n = 1"
    ),
    source=PAPER.at("mean–variance portfolio example; closed form derived"),
    let=decoded(wealth, 8),
    assume=[],
    then=Eq(
        lhs=numbers(
            lambda x: [x.cost(arb(to(t))) for t in (x.truth, F(1, 3))] + [1 + replace(x, n=1).slope(x.truth)]
        ),
        rhs=numbers(lambda x: [x.directly(t) for t in (x.truth, F(1, 3))] + [1]),
        within=F(1, 10**30),
    ),
    tight=Tight(Wealth(F(2, 5), F(1, 5), F(2), F(1), 4), within=0),
    mutants=[
        Mutant(
            "θ° is stationary for every n",
            lhs=numbers(lambda x: [*[x.directly(t) for t in (x.truth, F(1, 3))], 1 + x.slope(x.truth)]),
        ),
        Mutant(
            "m4 = m2²",
            rhs=numbers(lambda x: [*[x.cost(arb(to(t)), flat=True) for t in (x.truth, F(1, 3))], 1]),
        ),
    ],
    expect=CERTIFIED,
)

PUBLIC = [
    Wealth(F(2, 5), F(1, 5), F(2), F(1), n) for n in (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
]


def shortfall(x: Wealth) -> list[Any]:
    """1 − θ*_n/(.8√n), and its opposite."""
    m = x.minimiser
    middle = arb(to(F(m.mid)), float(m.width) + 1e-30)
    gap = 1 - middle / (arb(to(x.lead)) * arb(x.n).sqrt())
    return [gap, -gap]


mstde_argmin_wealth_rate: Claim[Wealth] = Claim(
    statement=(
        "W3, ρ = .4, σ = .2, φ = 2, T = 1: 0 ≤ 1 − θ*_n/(.8√n) ≤ .2/√n for n = 32, …, 16384: "
        "θ*_n → ∞, θ° = .16"
    ),
    source=PAPER.at("derived; the constant term −3σ²φ² + 2ρσφ of θ*_n was fitted"),
    let=Every("n = 32, 64, …, 16384", len(PUBLIC), PUBLIC),
    assume=[],
    then=Leq(lhs=numbers(shortfall), rhs=numbers(lambda x: [arb(to(F(1, 5))) / arb(x.n).sqrt(), arb(0)])),
    tight=Tight(PUBLIC[-1], within=0.003),
    mutants=[
        Mutant(
            "order .55",
            rhs=numbers(
                lambda x: [arb(to(F(1, 5))) / arb(32).sqrt() * (arb(32) / x.n) ** arb(to(F(11, 20))), arb(0)]
            ),
        ),
        Mutant("θ*_n stays below 100·θ°", then=Leq(lambda x: x.minimiser.lower, lambda x: 100 * x.truth)),
        Mutant("√n with .7 for .8", then=Leq(lambda x: x.minimiser.lower**2, lambda x: F(49, 100) * x.n)),
    ],
    expect=CERTIFIED,
)


# ---- W4 --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Forever:
    """Let dX = aX dt + cX dW from x0 = 1, running reward −wx², J^θ = −θx²; steps of length 1/n for ever."""

    a: F
    c: F
    beta: F
    w: F
    n: int

    @property
    def eta(self) -> F:
        """β − 2a − c²."""
        return self.beta - 2 * self.a - self.c**2

    @property
    def truth(self) -> F:
        """w/η."""
        return self.w / self.eta

    @cached_property
    def steps(self) -> tuple[arb, arb]:
        """e^{−βΔ}E X_Δ², e^{−2βΔ}E X_Δ⁴."""
        dt = F(1, self.n)
        step = diffusion.semigroup_matrix(PolynomialDiffusion(0, self.a, 0, 0, self.c**2), dt, 4)
        fall = (-arb(to(self.beta * dt))).exp()
        return fall * step[2, 2], fall * fall * step[4, 4]

    @property
    def minimiser(self) -> arb:
        """Of E Σ (θ(x_i² − e^{−βΔ}x_{i+1}²) − wΔx_i²)²e^{−2βt_i}: wΔ(1 − m2)/(1 − 2m2 + m4)."""
        m2, m4 = self.steps
        return arb(to(self.w)) / self.n * (1 - m2) / (1 - 2 * m2 + m4)

    @property
    def bound(self) -> arb:
        """wηΔe^{2ηΔ}/(4c²)."""
        grown = (2 * arb(to(self.eta)) / self.n).exp()
        return arb(to(self.w * self.eta / (4 * self.c**2 * self.n))) * grown

    def cost(self, theta: Any) -> arb:
        """E Σ D² for θ, up to the factor Σ e^{−2βt_i}E X_i⁴."""
        m2, m4 = self.steps
        w = arb(to(self.w)) / self.n
        return theta * theta * (1 - 2 * m2 + m4) - 2 * theta * w * (1 - m2) + w * w


def forever(read: Reader) -> Forever:
    """η ≥ 1/4 and finite fourth moments."""
    return Forever(
        -F(1 + read.below(4), 4),
        F(2 + read.below(3), 4),
        F(1 + read.below(3)),
        F(1 + read.below(3)),
        2 + read.below(30),
    )


LQ = Forever(F(-1, 2), F(1, 2), F(1, 2), F(1), 1 << 12)

mstde_argmin_lq: Claim[Forever] = Claim(
    statement="W4: 0 < θ*_Δ ≤ wηΔe^{2ηΔ}/(4c²) → 0: QV is least at θ = 0, whatever the truth w/η",
    source=PAPER.at("linear-quadratic example; closed form derived"),
    let=decoded(forever, 8),
    assume=[],
    then=Leq(
        lhs=numbers(lambda x: [x.minimiser, -x.minimiser, x.cost(x.minimiser)]),
        rhs=numbers(lambda x: [x.bound, arb(0), x.cost(arb(to(x.truth)))]),
    ),
    tight=Tight(LQ, within=0.001),
    mutants=[
        Mutant(
            "θ*_Δ is at least half the truth",
            then=Leq(numbers(lambda x: arb(to(x.truth / 2))), numbers(lambda x: x.minimiser)),
        ),
        Mutant(
            "half of it",
            rhs=numbers(lambda x: [x.bound / 2, arb(0), x.cost(arb(to(x.truth)))]),
        ),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
