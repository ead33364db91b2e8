"""`njit` for the kernels: keeps compiled code where there is a place for it, and has no C entry point.

Nothing calls that entry point, and it costs compile time.  Numba keeps compiled code next to the package,
or in the user's cache folder, or in `NUMBA_CACHE_DIR`; where none of them can be written it refuses to
compile, and a package in a read-only image could not even be imported.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numba

NOWHERE = (
    "compiled code cannot be kept: neither the package's folder nor the user's cache folder can be written, "
    "so each process compiles for some seconds; set NUMBA_CACHE_DIR to a folder that can be written"
)
_told: list[str] = []


def njit(*, cache: bool = False, **options: Any) -> Callable[[Any], Any]:
    """`numba.njit` to be called with keywords; with `cache`, compiled code is kept if there is a place.

    Warns once, as RuntimeWarning, if there is none.
    """

    def compiled(function: Any) -> Any:
        try:
            return numba.njit(cache=cache, no_cfunc_wrapper=True, **options)(function)
        except RuntimeError as exc:
            if not cache or "cannot cache" not in str(exc):
                raise
        if not _told:
            _told.append(NOWHERE)
            warnings.warn(NOWHERE, RuntimeWarning, stacklevel=2)
        return numba.njit(no_cfunc_wrapper=True, **options)(function)

    return compiled
