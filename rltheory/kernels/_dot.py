"""The inner product of two runs of memory, as vector instructions, for kernels over rows stored in full.

A compiler may not reorder a sum by itself, and a compiled function with array arguments would count
references on every row: so this is an intrinsic, inlined into each kernel that uses it.  Kernels are
cached by their own file: after an edit here, delete the caches (the tests key theirs by all files).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def _dot(typingctx: Any, data: Any, j: Any, V: Any, t: Any, n: Any) -> Any:
    """Σ_i data[j+i]·V[t+i] over i < n, all uint64: four sums of four lanes, then the rest one by one."""

    def emit(context: Any, b: Any, signature: Any, args: Any) -> Any:
        word, vector = ir.IntType(64), ir.VectorType(ir.DoubleType(), 4)
        left, right = (
            b.gep(context.make_array(signature.args[at])(context, b, args[at]).data, [args[at + 1]])
            for at in (0, 2)
        )

        def lanes(i: Any) -> Any:
            x, y = (b.load(b.bitcast(b.gep(p, [i]), vector.as_pointer())) for p in (left, right))
            x.align = y.align = 8
            return b.fmul(x, y)

        def add(total: Any, x: Any) -> None:
            b.store(b.fadd(b.load(total), x), total)

        sums = [cgutils.alloca_once_value(b, ir.Constant(vector, [0.0] * 4)) for _ in range(4)]
        count, ends = args[4], [word(0)]
        for step in (16, 4, 1):
            ends.append(b.and_(count, word(2**64 - step)))
        for start, end, width in zip(ends, ends[1:], (4, 1), strict=False):
            with cgutils.for_range_slice(b, start, end, word(4 * width), inc=True) as (i, _):
                for k in range(width):
                    add(sums[k], lanes(b.add(i, word(4 * k))))
        w, x, y, z = (b.load(total) for total in sums)
        four = b.fadd(b.fadd(w, x), b.fadd(y, z))
        w, x, y, z = (b.extract_element(four, word(k)) for k in range(4))
        rest = cgutils.alloca_once_value(b, b.fadd(b.fadd(w, x), b.fadd(y, z)))
        with cgutils.for_range_slice(b, ends[2], count, word(1), inc=True) as (i, _):
            add(rest, b.fmul(b.load(b.gep(left, [i])), b.load(b.gep(right, [i]))))
        return b.load(rest)

    if not all(
        isinstance(x, types.Array) and x.dtype == types.float64 and x.layout == "C" for x in (data, V)
    ):
        return None
    return types.float64(data, types.uint64, V, types.uint64, types.uint64), emit


def _plain(data: Any, j: Any, V: Any, t: Any, n: Any) -> Any:
    """The same where nothing is compiled."""
    return np.dot(data[j : j + n], V[t : t + n])


dot: Any = _plain if config.DISABLE_JIT else _dot
"""Σ_i data[j+i]·V[t+i] over i < n, with j, t and n uint64."""
