"""Cart-pole at the published size, 10⁴ states × 1000 actions: `python -m proofs_check.shah2020.large`.

Arguments: points an axis, actions.  γ = .9, ten anchor states and actions, rank 3, 40 next states an entry,
60 sweeps; Q* from value iteration.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import rltheory as rl
from rltheory.solvers import LowRankQ

from .experiments import Task


@dataclass(frozen=True)
class Large:
    """Errors relative to the range of Q*, draws, pairs, and CPU seconds to build, solve and estimate."""

    sup: float
    mean: float
    draws: int
    pairs: int
    build_s: float
    exact_s: float
    low_rank_s: float


def large_cart_pole(points: int = 10, actions: int = 1000, *, T: int = 60) -> Large:
    """One run, seed 0, its progress on stderr."""
    clock = [time.process_time()]
    mdp = rl.gallery.cart_pole((points,) * 4, actions)
    clock.append(time.process_time())
    Q = rl.q_values(mdp, rl.solve(mdp, rl.ValueIteration(tol=1e-6)).V)
    clock.append(time.process_time())

    def told(t: int, of: int) -> None:
        sys.stderr.write(f"\rsweep {t}/{of}" + ("\n" if t == of else ""))
        sys.stderr.flush()

    run = LowRankQ(3, 10, 10, samples=40, T=T).run(mdp, 0, progress=told)
    clock.append(time.process_time())
    spent = [b - a for a, b in zip(clock, clock[1:], strict=False)]
    return Large(*Task("cart_pole", mdp, Q, T).errors(run.Q), run.samples, mdp.N, *spent)


if __name__ == "__main__":
    sys.stdout.write(f"{large_cart_pole(*[int(x) for x in sys.argv[1:3]])}\n")
