"""Asking for a cache line ahead of its use.

Loads that miss the cache wait in a short queue next to the core, so a loop over scattered values runs at
the length of that queue over the latency.  A request to fetch into the second-level cache does not wait
there.  Measured on garnets of 10⁶ states: 1.5 to 1.8 ns a non-zero where plain loads take 2.7 to 3.8;
asking for the first level is slower than not asking.

Rows are read in order, which the processor sees, but it stops at the end of each page of 4 KiB.  Asking
two pages ahead takes .55 ns a non-zero where it took .69 (local garnet of 10⁵ states), and costs 5 to
10 % where rows stay in the cache.  Both are asked for some 128 entries at a time: a test a state, which
passes now and then, spoils the guesses at the branches of its rows.

Kernels are cached by their own file: see `_dot`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from ._jit import njit

LINES = np.uint64(128)
"""Entries ahead at which a value is asked for."""
STREAMED, CACHED = 1 << 16, 1 << 17
"""Values that stay in the second-level cache by themselves, beside all rows and beside one policy's."""
PROBES = 64
"""Places at which columns are looked at."""
AHEAD, BLOCK, LINE = np.uint64(1024), np.uint64(16), 64
"""Entries ahead at which rows are asked for, how many `touch_block` asks for, and bytes of a line."""
LARGE = 900_000
"""Entries from which rows, some 16 MB, do not stay in the cache of the last level."""


def _ask(context: Any, b: Any, array: Any, value: Any, i: Any) -> None:
    """Emit a request for the line of value[i], of Numba type `array`."""
    byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
    prefetch = cgutils.get_or_insert_function(b.module, kind, "llvm.prefetch.p0")
    spot = b.gep(context.make_array(array)(context, b, value).data, [i])
    b.call(prefetch, [b.bitcast(spot, byte), *(word(v) for v in (0, 2, 1))])  # read, second level, data


@intrinsic
def _touch(typingctx: Any, x: Any, i: Any) -> Any:
    """Ask for the line of x[i]; changes nothing, and i may lie outside."""

    def emit(context: Any, b: Any, signature: Any, args: Any) -> Any:
        _ask(context, b, signature.args[0], *args)
        return context.get_dummy_value()

    return types.void(x, i), emit


@intrinsic
def _touch_block(typingctx: Any, x: Any, y: Any, j: Any) -> Any:
    """Ask for the `BLOCK` entries from j of two arrays; returns j + BLOCK."""

    def emit(context: Any, b: Any, signature: Any, args: Any) -> Any:
        word, j, size = ir.IntType(64), args[2], int(BLOCK)
        for array, value in zip(signature.args[:2], args[:2], strict=True):
            for i in range(0, size, LINE * 8 // array.dtype.bitwidth):
                _ask(context, b, array, value, b.add(j, word(i)))
        return b.add(j, word(size))

    return types.uint64(x, y, types.uint64), emit


def _nothing(x: Any, i: Any) -> None:
    """The same where nothing is compiled."""


def _no_block(x: Any, y: Any, j: Any) -> Any:
    """The same where nothing is compiled."""
    return j + BLOCK


touch: Any = _nothing if config.DISABLE_JIT else _touch
"""Ask for the cache line of x[i], i unsigned."""
touch_block: Any = _no_block if config.DISABLE_JIT else _touch_block
"""Ask for the lines of x[j:j + BLOCK] and y[j:j + BLOCK], j unsigned; returns j + BLOCK."""


@njit(cache=True)
def asking(indices: Any, size: Any, n: Any, cached: Any) -> Any:
    """What to ask for in a loop over n states with `size` entries in all.

    Returns
    -------
    (value, rows, states): the first entry whose value is asked for, 0 or beyond all of them; whether rows
    are asked for; how many states have some `LINES` entries, all where nothing is asked for.

    Notes
    -----
    Values are asked for where n > `cached` and they are read in no order, which `PROBES` pairs of
    neighbouring entries tell; rows from `LARGE` entries on.
    """
    far, never = 0, np.uint64(2**63)
    if n > cached and size > 2 * PROBES:
        for i in range(PROBES):
            at = np.uint64(i) * np.uint64(size // PROBES)
            a, b = np.int64(indices[at]), np.int64(indices[at + np.uint64(1)])
            if abs(a - b) > 4096:
                far += 1
    value, rows = np.uint64(0) if 2 * far > PROBES else never, size > LARGE
    states, one = np.uint64(n), np.uint64(1)
    if rows or value != never:
        states = max(one, LINES * states // np.uint64(size))
    return value, rows, states
