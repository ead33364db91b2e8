"""The command line: `rltheory check | list | show | worst | verify | solve | regret | bench`.

Exit codes: 0 all as expected; 1 a verdict that was not expected, or a rejected certificate; 2 a mistake in
the request (one line on stderr); 3 the accuracy asked for was not reached; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ..errors import NotConverged, RLTheoryError
from .parser import parser

OK, SURPRISE, USAGE, NOT_CONVERGED, INTERRUPTED = 0, 1, 2, 3, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; mistakes of the user end in one line, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    args, extra = parser().parse_known_args(argv)
    try:
        if extra and not args.takes_options:
            args.parser.error(f"unrecognised arguments: {' '.join(extra)}")
        args.extra = extra
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    except NotConverged as exc:
        return _say(f"rltheory: not converged: {exc}", NOT_CONVERGED)
    except (RLTheoryError, OSError) as exc:
        return _say(f"rltheory: error: {_one_line(exc)}", USAGE)


def _one_line(exc: Exception) -> str:
    if isinstance(exc, OSError) and exc.strerror and not isinstance(exc, RLTheoryError):
        return f"{exc.filename}: {exc.strerror}" if exc.filename else exc.strerror
    return " ".join(str(exc).split())


def _say(line: str, code: int) -> int:
    sys.stderr.write(line + "\n")
    return code
