"""Arguments of every verb.  The verbs' own modules are imported when they run, so `--help` is instant."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from fractions import Fraction
from importlib import import_module, metadata
from typing import Any

USUAL, LEAST = 100, 50
"""Random instances a claim: by default, and at least."""

EPILOG = """\
exit codes: 0 as expected, 1 an unexpected verdict or a rejected certificate, 2 a mistake in the request,
3 accuracy not reached, 130 interrupted.  NO_COLOR=1 switches colours off."""


def parser() -> argparse.ArgumentParser:
    """The parser; every verb sets `run`, the function that takes the parsed arguments."""
    top = argparse.ArgumentParser(
        prog="rltheory",
        description="Exact objects, certified solvers and checkable theorems for reinforcement learning.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"rltheory {_version()}")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    _check(verbs)
    _list(verbs)
    _show(verbs)
    _worst(verbs)
    _verify(verbs)
    _solve(verbs)
    _regret(verbs)
    _bench(verbs)
    return top


def _version() -> str:
    try:
        return metadata.version("rltheory")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _verb(verbs: Any, name: str, where: str, help: str, **options: Any) -> argparse.ArgumentParser:
    takes_options = options.pop("takes_options", False)
    sub: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=help,
        description=help[0].upper() + help[1:] + ".",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )
    module, function = where.split(":")

    def run(args: argparse.Namespace) -> int:
        verb: Callable[[argparse.Namespace], int] = getattr(
            import_module(f".{module}", __package__), function
        )
        return verb(args)

    sub.set_defaults(run=run, parser=sub, takes_options=takes_options)
    sub.add_argument("-q", "--quiet", action="store_true", help="print as little as possible")
    sub.add_argument("--json", action="store_true", help="print JSON on stdout and nothing else there")
    return sub


def _ids(sub: argparse.ArgumentParser, *, nargs: str = "*") -> None:
    sub.add_argument(
        "ids", nargs=nargs, metavar="ID", help="claim ids or globs, e.g. 'exact-mdp.*'; all if none"
    )
    sub.add_argument(
        "--package", default=None, metavar="NAME", help="package or module that holds the claims"
    )


def _draws(sub: argparse.ArgumentParser, usual: int) -> None:
    sub.add_argument(
        "--n", type=_at_least(LEAST), default=usual, metavar="N", help=f"random instances (default {usual})"
    )
    sub.add_argument(
        "--seed", type=_at_least(0), default=0, metavar="SEED", help="seed of the search (default 0)"
    )


def _check(verbs: Any) -> None:
    sub = _verb(verbs, "check", "checking:check", "check claims and print their verdicts")
    _ids(sub)
    _draws(sub, USUAL)
    sub.add_argument(
        "--jobs",
        type=_at_least(1),
        default=os.cpu_count() or 1,
        metavar="J",
        help="worker processes (one a core)",
    )
    sub.add_argument(
        "--save", default=".rltheory", metavar="DIR", help="where verdicts are kept (default .rltheory)"
    )
    sub.add_argument(
        "--resume", action="store_true", help="reuse saved verdicts of the same claim, code, n and seed"
    )
    sub.add_argument("--html", metavar="FILE", help="write the atlas of claims")
    sub.add_argument("--certificates", metavar="DIR", help="write one re-checkable certificate a claim")


def _list(verbs: Any) -> None:
    sub = _verb(verbs, "list", "catalogue:list_claims", "list claims")
    _ids(sub)


def _show(verbs: Any) -> None:
    sub = _verb(verbs, "show", "catalogue:show", "show claims: statement, source, code, last verdict")
    _ids(sub, nargs="+")
    sub.add_argument(
        "--save", default=".rltheory", metavar="DIR", help="where verdicts are kept (default .rltheory)"
    )
    sub.add_argument("--bibtex", action="store_true", help="print the papers' BibTeX entries only")


def _worst(verbs: Any) -> None:
    sub = _verb(verbs, "worst", "worst:worst", "search the instance nearest to equality")
    _ids(sub, nargs="+")
    sub.add_argument(
        "--n", type=_at_least(100), default=5_000, metavar="N", help="evaluations (default 5000)"
    )
    sub.add_argument(
        "--seed", type=_at_least(0), default=0, metavar="SEED", help="seed of the search (default 0)"
    )
    sub.add_argument("--plot", metavar="FILE", help="draw best ratio against evaluations")


def _verify(verbs: Any) -> None:
    sub = _verb(
        verbs, "verify", "checking:verify", "re-check saved certificates with the independent verifier"
    )
    sub.add_argument("files", nargs="+", metavar="FILE")


def _solve(verbs: Any) -> None:
    sub = _verb(
        verbs,
        "solve",
        "solving:solve_model",
        "solve a model and print its value between rigorous bounds",
        takes_options=True,
        usage="rltheory solve MODEL [--gamma G] [options] [--OPTION-OF-THE-MODEL VALUE ...]",
        epilog="MODEL is gymnasium:NAME, gallery:NAME or a file; options not listed go to it,\n"
        "e.g.  rltheory solve gymnasium:FrozenLake-v1 --map-name 8x8 --gamma 0.99",
    )
    sub.add_argument("model", metavar="MODEL")
    sub.add_argument(
        "--gamma", type=_rational, metavar="G", help="discount, decimal or p/q; files may hold their own"
    )
    sub.add_argument("--exact", action="store_true", help="solve in rational arithmetic")
    sub.add_argument("--tol", type=_positive, metavar="TOL", help="largest error accepted")
    sub.add_argument(
        "--solver", metavar="NAME", help="value-iteration, policy-iteration, …; chosen if not given"
    )
    sub.add_argument("--out", metavar="FILE", help="write values, bounds and policy (.npz or .csv)")
    sub.add_argument("--plot", metavar="FILE", help="draw the policy (.png, .pdf, .svg)")
    sub.add_argument("--certificate", metavar="FILE", help="write bounds that `rltheory verify` re-checks")


def _regret(verbs: Any) -> None:
    sub = _verb(
        verbs,
        "regret",
        "learning:regret_of_agents",
        "play learners on a model and print their exact regret",
        takes_options=True,
        usage="rltheory regret MODEL [--agent NAME[:SETTING=VALUE,...] ...] [options] "
        "[--OPTION-OF-THE-MODEL VALUE ...]",
        epilog="agents: ucbvi, mvp, bernstein-bonus, euler, ucrl2, psrl, qucb, explore-then-commit,\n"
        "random-agent; e.g.\n"
        "  rltheory regret gallery:river_swim_episodes --S 4 --H 10 --agent psrl\n"
        "      --agent ucbvi:bonus=bernstein,scale=0.02 --episodes 2000 --seeds 50 --plot regret.png",
    )
    sub.add_argument("model", metavar="MODEL")
    sub.add_argument("--agent", action="append", metavar="NAME", help="an agent; again for more")
    sub.add_argument("--episodes", type=_at_least(1), default=1000, metavar="K", help="episodes (1000)")
    sub.add_argument("--seeds", type=_at_least(1), default=20, metavar="N", help="runs of each agent (20)")
    sub.add_argument("--horizon", type=_at_least(1), metavar="H", help="steps an episode, for models without")
    sub.add_argument(
        "--vmax", type=_positive, metavar="V", help="largest total reward (H: rewards in [0, 1])"
    )
    sub.add_argument("--learn-rewards", action="store_true", help="rewards are not told, but learned")
    sub.add_argument("--bound", action="store_true", help="the agent's own theorem, where it has constants")
    sub.add_argument("--log", action="store_true", help="logarithmic axes")
    sub.add_argument("--out", metavar="FILE", help="write every run (.csv)")
    sub.add_argument("--plot", metavar="FILE", help="draw the curves with 95 %% bands (.png, .pdf, .svg)")


def _bench(verbs: Any) -> None:
    _verb(
        verbs,
        "bench",
        "benching:bench",
        "measure this library against its peers (from a source tree)",
        takes_options=True,
        add_help=False,
    )


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        try:
            n = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if n < least:
            raise argparse.ArgumentTypeError(f"{n}, must be at least {least}")
        return n

    return number


def _rational(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number; write 0.99 or 99/100") from None


def _positive(text: str) -> float:
    try:
        x = float(text)
    except ValueError:
        x = float("nan")
    if not 0 < x < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}, must be a positive number such as 1e-8")
    return x
