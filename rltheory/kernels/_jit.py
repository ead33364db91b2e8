"""`njit` for the kernels: without the C entry point, which nothing calls and which costs compile time."""

from __future__ import annotations

from functools import partial
from typing import Any

import numba

njit: Any = partial(numba.njit, no_cfunc_wrapper=True)
"""`numba.njit` to be called with keywords, such as cache=True."""
