"""`rltheory solve` of a latent MDP: V* between bounds, and how the policy begins."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from ..errors import InvalidArgument
from ..reports import text
from ..results.latent import LatentSolution


def report(args: argparse.Namespace, sol: LatentSolution) -> int:
    """Print; 3 if the gap asked for was not reached."""
    refuse_files(args)
    if args.tol is not None and not sol.gap <= args.tol:
        sys.stderr.write(f"rltheory: not converged: gap {float(sol.gap):.2g}; see solvers.PointBased\n")
    if args.json:
        sys.stdout.write(json.dumps(facts(args.model, sol), ensure_ascii=False, indent=2) + "\n")
    elif args.quiet:
        sys.stdout.write(text.number(sol.value) + "\n")
    else:
        sys.stdout.write("\n".join(lines(args.model, sol)) + "\n")
    return 0 if sol.status.ok and (args.tol is None or sol.gap <= args.tol) else 3


def lines(name: str, sol: LatentSolution) -> list[str]:
    """The report."""
    x = sol.model
    exact = sol.gap == 0
    bounds = "0, exact" if exact else f"{float(sol.lower):.9g} ≤ V* ≤ {float(sol.upper):.9g}"
    out = [
        f"model    {name}: {x.M} contexts, {x.S} states, {x.A} actions, H = {x.H}, rewards "
        f"{'observed' if x.observe_rewards else 'hidden'}, {'rational' if x.is_exact else 'double'} "
        "arithmetic",
        f"solver   {sol.solver}" + (f" ({sol.reason})" if sol.reason else ""),
        f"status   {sol.status.name}",
        f"value    V* = {text.number(sol.value)}",
        f"error    {bounds}",
        f"policy   a graph of {sol.policy.nodes} nodes over histories",
    ]
    first = {s: sol.policy.action(sol.policy.start(s)) for s in sol.policy.starts}
    return out + [f"         start in s = {s}: action {a}" for s, a in first.items()]


def facts(name: str, sol: LatentSolution) -> dict[str, Any]:
    """The same as data; rationals as text."""
    x = sol.model
    return {
        "model": name,
        "contexts": x.M,
        "states": x.S,
        "actions": x.A,
        "horizon": x.H,
        "value": _number(sol.value),
        "lower": _number(sol.lower),
        "upper": _number(sol.upper),
        "solver": sol.solver,
        "reason": sol.reason,
        "status": sol.status.name,
        "nodes": sol.policy.nodes,
        "first_actions": {str(s): sol.policy.action(sol.policy.start(s)) for s in sol.policy.starts},
    }


def _number(x: Any) -> Any:
    return x if isinstance(x, float) else str(x)


def refuse_files(args: argparse.Namespace) -> None:
    """Tables of values and policies are for models whose policies are tables."""
    for option in ("out", "plot", "certificate"):
        if getattr(args, option, None):
            raise InvalidArgument(
                f"--{option}: the policy of a latent MDP depends on the history; solve it in Python and keep "
                "solve(model).policy"
            )
