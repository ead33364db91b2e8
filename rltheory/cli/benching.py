"""`rltheory bench`: hand over to the benchmarks of the source tree, which are not installed."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module, util
from pathlib import Path

from ..errors import InvalidArgument


def bench(args: argparse.Namespace) -> int:
    """Run `python -m benchmarks` of this source tree with the same options."""
    root = Path(__file__).resolve().parents[2]
    if not (root / "benchmarks" / "command.py").exists():
        raise InvalidArgument(
            "bench: benchmarks/ is not installed with the package; clone the repository, "
            "pip install -e '.[bench]' there, and run it again"
        )
    if util.find_spec("benchmarks") is None or str(root) not in sys.path:
        sys.path.insert(0, str(root))
    flags = ["--quiet"] * args.quiet + ["--json"] * args.json
    code: int = import_module("benchmarks.command").main([*args.extra, *flags])
    return code
