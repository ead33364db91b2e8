"""The needle bandit: one of N arms, uniformly drawn, succeeds w.p. ½ + ε, the others w.p. ½; Bayes regret.

A pull of arm a costs ε·Pr(a is not the needle | data).  With s_a successes and f_a failures of arm a the
needle is arm a with weight (1 + 2ε)^{s_a}(1 − 2ε)^{f_a}.  Arms are exchangeable, and so are contexts: states
are kept sorted.  Numbers may be Fractions, floats or balls.
"""

from __future__ import annotations

from fractions import Fraction as F
from math import comb
from typing import Any

Arm = tuple[int, int]
Arms = tuple[Arm, ...]


def weights(arms: Arms, eps: Any) -> list[Any]:
    """Posterior probability of each arm to be the needle."""
    w = [(1 + 2 * eps) ** s * (1 - 2 * eps) ** f for s, f in arms]
    total = sum(w[1:], w[0])
    return [x / total for x in w]


def add(arms: Arms, a: int, success: bool) -> Arms:
    """One more result of arm a."""
    s, f = arms[a]
    return tuple(sorted([*arms[:a], (s + 1, f) if success else (s, f + 1), *arms[a + 1 :]]))


def least(values: list[Any]) -> Any:
    """Smallest number; of balls, a ball."""
    out = values[0]
    for x in values[1:]:
        out = out.min(x) if hasattr(out, "min") else min(out, x)
    return out


def bayes_regret(N: int, eps: Any, T: int) -> Any:
    """Least expected regret over T pulls when the needle is uniform, by dynamic programming over counts."""
    after: dict[Arms, Any] = {}
    for pulls in reversed(range(T)):
        now: dict[Arms, Any] = {}
        for arms in states(N, pulls):
            post = weights(arms, eps)
            costs = []
            for a in range(N):
                if a and arms[a] == arms[a - 1]:
                    continue
                cost = eps * (1 - post[a])
                if pulls + 1 < T:
                    win = (1 + 2 * eps * post[a]) / 2
                    cost = cost + win * after[add(arms, a, True)] + (1 - win) * after[add(arms, a, False)]
                costs.append(cost)
            now[arms] = least(costs)
        after = now
    return after[((0, 0),) * N] if T else 0


def states(N: int, pulls: int) -> list[Arms]:
    """Sorted counts of N arms with so many pulls in all."""
    out: list[Arms] = []

    def extend(arms: Arms, left: int, most: Arm) -> None:
        if len(arms) == N:
            if left == 0:
                out.append(tuple(reversed(arms)))
            return
        for s in range(min(left, most[0]), -1, -1):
            top = left - s if s < most[0] else min(left - s, most[1])
            for f in range(top, -1, -1):
                extend((*arms, (s, f)), left - s - f, (s, f))

    extend((), pulls, (pulls, pulls))
    return out


def product_regret(M: int, N: int, eps: Any, K: int) -> Any:
    """Least expected regret when each of K episodes draws one of M independent bandits and says which."""
    memo: dict[tuple[tuple[Arms, ...], int], Any] = {}

    def value(contexts: tuple[Arms, ...], left: int) -> Any:
        if left == 0:
            return 0
        key = (contexts, left)
        if key not in memo:
            total: Any = 0
            for i, arms in enumerate(contexts):
                post = weights(arms, eps)
                costs = []
                for a in range(N):
                    if a and arms[a] == arms[a - 1]:
                        continue
                    win = (1 + 2 * eps * post[a]) / 2
                    ahead = [
                        value(tuple(sorted([*contexts[:i], add(arms, a, y), *contexts[i + 1 :]])), left - 1)
                        for y in (True, False)
                    ]
                    costs.append(eps * (1 - post[a]) + win * ahead[0] + (1 - win) * ahead[1])
                total = total + least(costs)
            memo[key] = total / M
        return memo[key]

    return value((((0, 0),) * N,) * M, K)


def symmetrised_regret(M: int, N: int, eps: Any, K: int) -> Any:
    """Σ_m E R*_{N,ε}(K_m), K_m ~ Bin(K, 1/M): what M separate bandits cost."""
    total: Any = F(0)
    for j in range(K + 1):
        total = total + comb(K, j) * F((M - 1) ** (K - j), M**K) * bayes_regret(N, eps, j)
    return M * total
