"""Microseconds an episode of every learner, planning and exact evaluation included, and where they go.

The model is RiverSwim in episodes (tridiagonal, as the chains learners are compared on).  One episode that
replans is a backward recursion over H·S·A pairs and S next states, an evaluation over H·nnz(P_π) entries, and
H + 1 draws.  "Reading P once" is 8·H·S²A bytes from the first-level cache: the floor of a recursion that
visits all next states; where few were seen, only those are visited.

`--python` names an interpreter that has rlberry-scool: its UCBVI (simplified Bernstein bonus, a plan an
episode, no evaluation) then plays the same model.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

import numpy as np

from . import meter, stream

SIZES = {"small": ((4, 10), (10, 20)), "medium": ((20, 40), (50, 50))}
"""(S, H); A = 2."""
EPISODES = 2000
LEVEL = 1 << 15
PEER = """
import json, logging, sys, time, warnings
warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
import numpy as np
from rlberry_scool.agents.ucbvi import UCBVIAgent
from rlberry_scool.envs.finite.chain import FiniteMDP
P, R, H, K = json.loads(sys.stdin.read())
env = FiniteMDP(np.array(R), np.array(P), initial_state_distribution=0)
agent = UCBVIAgent(env, gamma=1.0, horizon=H, bonus_scale_factor=0.01)
agent.fit(budget=2)
start = time.process_time()
agent.fit(budget=K)
print(json.dumps(1e6 * (time.process_time() - start) / K))
"""


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """One row a learner and size."""
    rows = []
    for size in args.size or ["small"]:
        if size not in SIZES:
            raise ValueError(f"--size={size!r}; regret has {', '.join(SIZES)}")
        for S, H in SIZES[size]:
            rows += learners(S, H, args.repeats, args.python)
    return {"table": rows, "stream": stream.measure(), "load": meter.load()}


def agents() -> list[tuple[str, Any]]:
    """Names and learners."""
    from rltheory import solvers as s

    return [
        ("UCBVI, Hoeffding", s.UCBVI(scale=0.02)),
        ("UCBVI, Bernstein", s.UCBVI("bernstein", scale=0.02)),
        ("BernsteinBonus", s.BernsteinBonus()),
        ("EULER", s.EULER(scale=0.1)),
        ("MVP, replans rarely", s.MVP(scale=0.02)),
        ("UCRL2, replans rarely", s.UCRL2(scale=0.05)),
        ("PSRL", s.PSRL()),
        ("Q-learning", s.QUCB(scale=0.05)),
        ("random: play and count only", s.RandomAgent()),
    ]


def learners(S: int, H: int, repeats: int, python: str) -> list[dict[str, Any]]:
    """Time per episode at one size."""
    import rltheory as rl

    model = rl.gallery.river_swim_episodes(S, H).float()
    limit = stream.read(LEVEL)
    floor = 8.0 * H * S * S * 2 / limit * 1e-3  # bytes over GB/s, in µs
    rows = []
    for name, agent in agents():

        def call(agent: Any = agent) -> None:
            rl.regret(agent, model, K=EPISODES, seeds=[0], points=[EPISODES], threads=1, progress=False)

        seconds = meter.per_call(call, repeats=repeats)["least"] / EPISODES
        plans = "rarely" not in name and name not in ("Q-learning", "random: play and count only")
        rows.append(
            {
                "learner": name,
                "S×A×H": f"{S}×2×{H}",
                "µs an episode": seconds * 1e6,
                "reading P once, µs": floor if plans else "",
            }
        )
    us = peer(model, python)
    if us is not None:
        rows.append(
            {
                "learner": "rlberry UCBVI",
                "S×A×H": f"{S}×2×{H}",
                "µs an episode": us,
                "reading P once, µs": floor,
            }
        )
    return rows


def peer(model: Any, python: str, K: int = 300) -> float | None:
    """Microseconds an episode of rlberry's UCBVI; None where it is not installed."""
    stage = model.stage(0)
    text = json.dumps([np.asarray(stage.P).tolist(), np.asarray(stage.R).tolist(), model.H, K])
    try:
        out = subprocess.run(
            [python or sys.executable, "-c", PEER], input=text, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return float(json.loads(out.stdout.splitlines()[-1])) if out.returncode == 0 else None
