"""`rltheory solve`: load a model, solve it, print its value between rigorous bounds and its policy."""

from __future__ import annotations

import argparse
import ast
import csv
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import fields, is_dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from .. import solvers
from ..arrays import sup_norm
from ..errors import InvalidArgument, RLTheoryError
from ..models import MDP, SSP
from ..models.io import load
from ..reports import grid, text
from ..results import LatentSolution, Solution
from . import latent

CONTROL = (
    "ValueIteration",
    "AnchoredValueIteration",
    "ModifiedPolicyIteration",
    "PolicyIteration",
    "InexactPolicyIteration",
    "BandedPolicyIteration",
    "GaussSeidel",
    "Topological",
    "LinearProgram",
    "SSPSolver",
)
TALL, WIDE, ROWS = 100, 100, 12
"""Largest grid drawn in the terminal, and states listed when there is no picture."""


def solve_model(args: argparse.Namespace) -> int:
    """Load, solve, report; 3 if the accuracy asked for was not certified."""
    model = _load(args)
    sol = _solve(model, args)
    if isinstance(sol, LatentSolution):
        return latent.report(args, sol)
    if not isinstance(sol, Solution):
        raise InvalidArgument(
            f"solve: models of type {type(model).__name__} are solved in Python: rl.solve(model)"
        )
    _write_files(sol, args)
    if args.json:
        sys.stdout.write(json.dumps(_facts(args.model, sol), ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(_brief(sol) if args.quiet else _report(args.model, sol)) + "\n")
    if _reached(sol, args.tol):
        return 0
    why = (
        sol.status.value.replace("mdp.exact()", "--exact")
        if not sol.status.ok
        else "the enclosure is as tight as doubles allow; use --exact"
    )
    sys.stderr.write(f"rltheory: not converged: error ≤ {_error(sol)}; {why}\n")
    return 3


# ---- in ----------------------------------------------------------------------------------
def _load(args: argparse.Namespace) -> Any:
    gamma, options = args.gamma, _options(args)
    undiscounted = gamma == 1
    if undiscounted:
        gamma = Fraction(0)
    elif gamma is not None and not 0 <= gamma < 1:
        raise InvalidArgument(
            f"gamma={gamma} is outside [0, 1]; 1 means the total reward until a terminal state"
        )
    if gamma is not None:
        options["gamma"] = gamma if args.exact else float(gamma)
    try:
        model = load(args.model, **options)
    except (RLTheoryError, OSError):
        raise
    except Exception as exc:  # a library that builds the model objects in its own way
        said = " ".join(str(exc).split()) or type(exc).__name__
        raise InvalidArgument(f"{args.model}: cannot be built with {_spelled(options)}: {said}") from exc
    if args.exact and not model.is_exact:
        model = model.exact()
        if isinstance(model, MDP) and gamma is not None:
            model = model.replace(gamma=gamma)
    return SSP.from_mdp(model) if undiscounted and isinstance(model, MDP) else model


def _options(args: argparse.Namespace) -> dict[str, Any]:
    """`--map-name 8x8` as {"map_name": "8x8"}; values are Python literals where they read as such."""
    out: dict[str, Any] = {}
    words = list(args.extra)
    while words:
        word = words.pop(0)
        if not re.fullmatch(r"--[A-Za-z][\w-]*(=.*)?", word, flags=re.DOTALL):
            args.parser.error(f"unrecognised argument: {word}")
        name, equals, value = word[2:].partition("=")
        if not equals:
            if not words or words[0].startswith("--"):
                args.parser.error(f"--{name}: no value; options of the model are written --{name} VALUE")
            value = words.pop(0)
        out[name.replace("-", "_")] = _literal(value)
    return out


def _literal(value: str) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        if re.fullmatch(r"-?\d+/\d+", value):
            return Fraction(value)
        return {"true": True, "false": False, "none": None}.get(value.lower(), value)


def _spelled(options: dict[str, Any]) -> str:
    return ", ".join(f"{k}={v!r}" for k, v in options.items()) or "no options"


# ---- solve -------------------------------------------------------------------------------
def _solve(model: Any, args: argparse.Namespace) -> Any:
    with _spinner(args):
        if args.solver is not None:
            return solvers.solve(model, _named(args.solver, args.tol), throw=False)
        sol = solvers.solve(model, throw=False)
        if not isinstance(sol, Solution) or not isinstance(model, MDP) or _reached(sol, args.tol):
            return sol
        finer = solvers.PolicyIteration(keep_trace=False, tol=args.tol or 1e-8).run(model)
        if finer.error < sol.error:
            return replace(
                finer,
                reason=f"{sol.solver} ended at error {float(sol.error):.1e}, policy iteration refined it",
            )
        return sol


def _named(name: str, tol: float | None) -> Any:
    known = {_dashed(c): getattr(solvers, c) for c in CONTROL if hasattr(solvers, c)}
    cls: Any = known.get(_dashed(name))
    if cls is None:
        raise InvalidArgument(f"solver={name!r}, must be one of {', '.join(known)}")
    options = {}
    if tol is not None:
        if not (is_dataclass(cls) and any(f.name == "tol" for f in fields(cls))):
            raise InvalidArgument(f"solver={name!r} takes no tol; drop --tol or --solver")
        options["tol"] = tol
    return cls(**options)


def _dashed(name: str) -> str:
    """Lower case with dashes: `PolicyIteration` is policy-iteration."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).replace("_", "-").lower()


def _reached(sol: Solution, tol: float | None) -> bool:
    return sol.status.ok and (tol is None or sol.error <= tol * max(1, sup_norm(sol.V)))


def _spinner(args: argparse.Namespace) -> Any:
    if args.quiet or not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status("solving")


# ---- out: text ---------------------------------------------------------------------------
def _start(mdp: MDP) -> str:
    support = np.flatnonzero(mdp.mu != 0)
    if len(support) == 1:
        s = int(support[0])
        return f"V({mdp.states[s] if mdp.states else f's = {s}'})"
    return "average of V over the start law" if len(support) < mdp.S else "average of V"


def _error(sol: Solution) -> str:
    """A bound on the error, rounded up."""
    return f"{text.rounded_up(float(sol.error)):.1e}"


def _brief(sol: Solution) -> list[str]:
    return [text.number(sol.value())]


def _report(name: str, sol: Solution) -> list[str]:
    mdp = grid.pairs_of(sol)
    system = "rational" if mdp.is_exact else "double"
    gamma = "undiscounted" if isinstance(sol.mdp, SSP) else f"γ = {text.decimal(mdp.gamma, 15)}"
    lines = [
        f"model    {name}: {mdp.S:,} states, {mdp.N:,} state-action pairs, {gamma}, {system} arithmetic",
        f"solver   {sol.solver}" + (f" ({sol.reason})" if sol.reason else ""),
        f"status   {sol.status.name}: {sol.status.value}; " + text.count(sol.iterations, "iteration"),
        f"value    {_start(mdp)} = {text.number(sol.value())}",
        f"error    {'0, exact' if sol.error == 0 else f'at most {_error(sol)} in every state'}",
        "",
    ]
    return lines + _policy(mdp, sol)


def _policy(mdp: MDP, sol: Solution) -> list[str]:
    found = grid.find_grid(mdp) if mdp.S <= TALL * WIDE else None
    if found is not None and found.rows <= TALL and found.cols <= WIDE:
        marks = {
            grid.GOAL: "goal",
            grid.STOP: "other end" if found.end is None else "never entered: the episode ends or jumps",
        }
        key = ", ".join(f"{k} {v}" for k, v in marks.items() if k in grid.signs(mdp, found).values())
        return [grid.arrows(mdp, sol.pi, found), *([key] if key else [])]
    table = grid.coordinates(mdp.states) if mdp.states is not None else None
    if table is not None and len(set(table.row)) <= TALL and len(set(table.col)) <= WIDE // 2:
        return [grid.letters(mdp, sol.pi, table)]
    act = grid.likeliest(mdp, sol.pi)
    names = mdp.actions or tuple(str(a) for a in range(mdp.A))
    shown = range(min(mdp.S, ROWS))
    rows = [
        (
            mdp.states[s] if mdp.states else s,
            text.number(sol.value(s)),
            "—" if mdp.terminal[s] else names[int(act[s])],
        )
        for s in shown
    ]
    lines = [text.columns(("state", "V", "action"), rows)]
    if mdp.S > ROWS:
        lines.append(f"… and {mdp.S - ROWS:,} more; --out FILE.csv writes all")
    return lines


# ---- out: files --------------------------------------------------------------------------
def _plain(x: Any) -> Any:
    return str(x) if isinstance(x, Fraction) else float(x)


def _facts(name: str, sol: Solution) -> dict[str, Any]:
    mdp, value = grid.pairs_of(sol), sol.value()
    return {
        "model": name,
        "states": mdp.S,
        "pairs": mdp.N,
        "gamma": "1" if isinstance(sol.mdp, SSP) else _plain(mdp.gamma),
        "exact": mdp.is_exact,
        "hash": mdp.content_hash,
        "solver": sol.solver,
        "reason": sol.reason,
        "status": sol.status.name,
        "iterations": sol.iterations,
        "error": _plain(sol.error),
        "value": {"lower": _plain(value.lower), "upper": _plain(value.upper)},
        "V": [_plain(v) for v in sol.V],
        "lower": [_plain(v) for v in sol.lower],
        "upper": [_plain(v) for v in sol.upper],
        "policy": [[_plain(p) for p in row] if np.ndim(row) else int(row) for row in sol.pi],
        "labels": list(mdp.states) if mdp.states else None,
    }


def _write_files(sol: Solution, args: argparse.Namespace) -> None:
    if args.out:
        writers: dict[str, Callable[[Solution, Path], None]] = {".npz": _write_npz, ".csv": _write_csv}
        suffix = Path(args.out).suffix.lower()
        if suffix not in writers:
            raise InvalidArgument(f"--out {args.out}: unknown suffix {suffix!r}, use .npz or .csv")
        _atomically(Path(args.out), lambda tmp: writers[suffix](sol, tmp))
    if args.certificate:
        if isinstance(sol.mdp, SSP):
            raise InvalidArgument(
                "--certificate: needs a discount below 1; an exact solution needs no certificate"
            )
        from ..checks.certificates import save_solution

        save_solution(sol, args.certificate)
    if args.plot:
        from ..reports import plot

        kinds = (".png", ".pdf", ".svg")
        if Path(args.plot).suffix.lower() not in kinds:
            raise InvalidArgument(f"--plot {args.plot}: unknown suffix, use {', '.join(kinds)}")
        plot.save(plot.policy(sol, title=args.model), args.plot)


def _atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Write through a neighbouring file, so that a killed run leaves the old file or the new one."""
    fd, tmp = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}", suffix=path.suffix)
    os.close(fd)
    try:
        write(Path(tmp))
        os.replace(tmp, path)
    except BaseException:
        Path(tmp).unlink(missing_ok=True)
        raise


def _write_npz(sol: Solution, path: Path) -> None:
    """V, lower, upper, policy; rationals as strings "p/q", so that no pickle is needed."""
    columns = {"V": sol.V, "lower": sol.lower, "upper": sol.upper, "policy": np.asarray(sol.pi)}
    arrays: dict[str, Any] = {
        k: np.array(v.astype(str)) if v.dtype == object else v for k, v in columns.items()
    }
    np.savez_compressed(path, **arrays)


def _write_csv(sol: Solution, path: Path) -> None:
    mdp = grid.pairs_of(sol)
    with open(path, "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f)
        head = ["action"] if sol.pi.is_deterministic else [f"pi_{a}" for a in range(mdp.A)]
        out.writerow(["state", "label", "V", "lower", "upper", *head])
        rows = sol.pi.actions[:, None] if sol.pi.is_deterministic else np.asarray(sol.pi)
        for s in range(mdp.S):
            ends = (repr(_plain(v)).strip("'") for v in (sol.V[s], sol.lower[s], sol.upper[s]))
            out.writerow([s, mdp.states[s] if mdp.states else "", *ends, *rows[s]])
