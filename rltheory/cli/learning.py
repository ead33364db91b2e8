"""`rltheory regret`: play learners on a model and print their exact regret, or draw it under its theorem."""

from __future__ import annotations

import argparse
import inspect
import json
import math
import re
import sys
from pathlib import Path
from typing import Any

from .. import solvers
from ..errors import InvalidArgument
from ..models import MDP, FiniteHorizonMDP
from ..solvers import RegretCurve
from .solving import _literal, _options

AGENTS = (
    "UCBVI",
    "MVP",
    "BernsteinBonus",
    "EULER",
    "UCRL2",
    "PSRL",
    "QUCB",
    "ExploreThenCommit",
    "RandomAgent",
)


def regret_of_agents(args: argparse.Namespace) -> int:
    """Load, play, report."""
    _check_files(args)
    model = _model(args)
    agents = [make_agent(text) for text in args.agent or ["ucbvi", "bernstein-bonus", "psrl"]]
    curves = [
        solvers.regret(
            agent,
            model,
            K=args.episodes,
            seeds=range(args.seeds),
            vmax=args.vmax,
            rewards="unknown" if args.learn_rewards else "known",
            verify=True,
            progress=False if args.quiet or args.json else None,
        )
        for agent in agents
    ]
    if args.out:
        _write(curves, Path(args.out))
    if args.plot:
        draw(curves, args.plot, bound=args.bound, log=args.log)
    if args.json:
        sys.stdout.write(json.dumps([_facts(c) for c in curves], ensure_ascii=False, indent=2) + "\n")
        return 0
    if not args.quiet:
        c = curves[0]
        sys.stdout.write(
            f"{args.model}: {c.task.S} states, {c.task.A} actions, H = {c.task.H}, V* = {c.optimum:.6g}; "
            f"{c.K} episodes, seeds 0..{args.seeds - 1}, bands at 95 %\n"
            + (f"rewards shifted by {c.shift:.6g}, which changes no regret\n" if c.shift else "")
        )
    sys.stdout.write(f"{solvers.regret_table(curves)!r}\n")
    if args.bound:
        sys.stdout.write("".join(f"{_bound(c)}\n" for c in curves))
    return 0


def make_agent(text: str) -> Any:
    """`mvp`, `ucbvi:bonus=bernstein,scale=0.02`: case and hyphens do not matter in the name."""
    name, _, options = text.partition(":")
    plain = re.sub(r"[-_]", "", name).lower()
    found = {a.lower(): a for a in AGENTS} | {"random": "RandomAgent", "bernstein": "BernsteinBonus"}
    if plain not in found:
        raise InvalidArgument(f"agent {name!r}: no such agent; there are {', '.join(AGENTS)}")
    make: Any = getattr(solvers, found[plain])
    known = list(inspect.signature(make).parameters)
    given: dict[str, Any] = {}
    for part in filter(None, options.split(",")):
        key, equals, value = part.partition("=")
        if not equals or key not in known:
            raise InvalidArgument(
                f"agent {text!r}: {part!r} is no setting of {found[plain]}; "
                + (f"write e.g. {name}:{known[0]}=…, settings {', '.join(known)}" if known else "it has none")
            )
        given[key] = _literal(value)
    try:
        return make(**given)
    except TypeError as exc:
        raise InvalidArgument(f"agent {text!r}: {exc}") from exc


def _model(args: argparse.Namespace) -> FiniteHorizonMDP:
    from ..models.io import load

    options = _options(args)
    try:
        model = load(args.model, **options)
    except TypeError as exc:
        raise InvalidArgument(f"{args.model}: {exc}") from exc
    if isinstance(model, FiniteHorizonMDP):
        if args.horizon is not None:
            raise InvalidArgument(f"--horizon {args.horizon}: {args.model} has its own, H={model.H}")
        return model
    if not isinstance(model, MDP):
        raise InvalidArgument(f"{args.model}: a {type(model).__name__} is not played in episodes; use an MDP")
    if args.horizon is None:
        raise InvalidArgument(f"{args.model}: an MDP has no horizon; add --horizon H")
    return FiniteHorizonMDP.from_mdp(model, args.horizon)


def _bound(c: RegretCurve) -> str:
    name = type(c.agent).__name__
    if not hasattr(c.agent, "bound"):
        return f"{name}: no theorem with explicit constants"
    bound, most = c.bound(), c.largest * c.K
    said = "vacuous: " if bound >= most else ""
    return f"{name}: theorem {bound:.4g}, {said}the worst policy loses {most:.4g}"


def _facts(c: RegretCurve) -> dict[str, Any]:
    (row,) = solvers.regret_table([c]).rows
    finite = {k: v if not isinstance(v, float) or math.isfinite(v) else None for k, v in row.items()}
    bound = c.bound() if hasattr(c.agent, "bound") and c.task.vmax == c.task.H else None
    return {**finite, "final": c.final.tolist(), "error": float(c.error[-1]), "theorem": bound}


def _check_files(args: argparse.Namespace) -> None:
    """Before anything is played."""
    if args.out and Path(args.out).suffix != ".csv":
        raise InvalidArgument(f"--out {args.out}: write a .csv")
    if args.plot and Path(args.plot).suffix not in (".png", ".pdf", ".svg"):
        raise InvalidArgument(f"--plot {args.plot}: use .png, .pdf or .svg")


def _write(curves: list[RegretCurve], path: Path) -> None:
    import pandas as pd

    pd.concat([c.to_dataframe() for c in curves]).to_csv(path, index=False)


def draw(curves: list[RegretCurve], path: str, *, bound: bool = False, log: bool = False) -> None:
    """All curves on one picture, with the theorems of those that have one."""
    from ..reports.plot import save

    ax = None
    for c in curves:
        own = bound and hasattr(c.agent, "bound")
        ax = c.plot(ax, bound=own, log=log or bound)
    if ax is not None:
        save(ax.figure, path)
