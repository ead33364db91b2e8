"""The inner product of a sparse row with values, in vector instructions, for kernels over CSR rows.

Entries are taken two by two into two sums, as plain code would, but in the two lanes of one register.
Rows of up to five entries run without a loop, whose end the processor would have to guess: 5 to 20 % less
time a sweep on models of such rows, the same on others.  Where even their number cannot be guessed,
`short_row` reads three entries of any row and masks what is not its own.  Intrinsics for the reasons given
in `_dot`, where the note on caches applies as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

WORD, LANE, REAL = ir.IntType(64), ir.IntType(32), ir.DoubleType()
TWO, BITS = ir.VectorType(REAL, 2), ir.VectorType(WORD, 2)
ONES = 2**64 - 1


class _Row:
    """What both intrinsics emit: products of entries, alone and in pairs, and the sum of two lanes."""

    def __init__(self, context: Any, b: Any, signature: Any, args: Any) -> None:
        self.b = b
        self.data, self.columns, self.values = (
            context.make_array(signature.args[i])(context, b, args[i]).data for i in range(3)
        )
        self.start, self.stop = args[3:]
        self.size = b.sub(self.stop, self.start)
        self.last = b.sub(self.stop, WORD(1))

    def value(self, i: Any) -> Any:
        """V[indices[i]]."""
        column = self.b.zext(self.b.load(self.b.gep(self.columns, [i])), WORD)
        return self.b.load(self.b.gep(self.values, [column]))

    def product(self, i: Any) -> Any:
        """data[i]·V[indices[i]]."""
        return self.b.fmul(self.b.load(self.b.gep(self.data, [i])), self.value(i))

    def pair(self, i: Any) -> Any:
        """The products of entries i and i + 1."""
        b, x = self.b, ir.Constant(TWO, ir.Undefined)
        for k in range(2):
            x = b.insert_element(x, self.value(b.add(i, WORD(k))), LANE(k))
        y = b.load(b.bitcast(b.gep(self.data, [i]), TWO.as_pointer()))
        y.align = 8
        return b.fmul(y, x)

    def plus(self, x: Any, i: Any) -> Any:
        """x with the product of entry i added to its first lane."""
        first = self.b.fadd(self.b.extract_element(x, LANE(0)), self.product(i))
        return self.b.insert_element(x, first, LANE(0))

    def total(self, x: Any) -> Any:
        """The sum of both lanes."""
        return self.b.fadd(self.b.extract_element(x, LANE(0)), self.b.extract_element(x, LANE(1)))

    def four(self) -> Any:
        """The first four products, in two lanes."""
        return self.b.fadd(self.pair(self.start), self.pair(self.b.add(self.start, WORD(2))))


def _signature(*arrays: Any) -> Any:
    """The type of either intrinsic; None if an array is of another type than the kernels' arrays."""
    kinds = (types.float64, types.uint32, types.float64)
    fits = (isinstance(x, types.Array) and x.dtype == k and x.layout == "C" for x, k in zip(arrays, kinds))
    return types.float64(*arrays, types.uint64, types.uint64) if all(fits) else None


@intrinsic
def _row(typingctx: Any, data: Any, indices: Any, V: Any, j: Any, stop: Any) -> Any:
    """Σ_i data[i]·V[indices[i]] over j ≤ i < stop, both uint64."""

    def emit(context: Any, b: Any, signature: Any, args: Any) -> Any:
        r = _Row(context, b, signature, args)
        sums, result = cgutils.alloca_once(b, TWO), cgutils.alloca_once(b, REAL)

        def finish(x: Any) -> None:
            b.store(r.total(x), result)

        def odd() -> None:
            with b.if_then(b.trunc(r.size, ir.IntType(1))):
                b.store(r.plus(b.load(sums), r.last), sums)
            finish(b.load(sums))

        def exactly(count: int) -> Any:
            return b.if_else(b.icmp_unsigned("==", r.size, WORD(count)))

        with b.if_else(b.icmp_unsigned("<", r.size, WORD(4))) as (few, more):
            with few:
                b.store(ir.Constant(TWO, [0.0, 0.0]), sums)
                with b.if_then(b.icmp_unsigned(">", r.size, WORD(1))):
                    b.store(r.pair(r.start), sums)
                odd()
            with more, exactly(5) as (five, others):
                with five:
                    finish(r.plus(r.four(), r.last))
                with others, exactly(4) as (four, many):
                    with four:
                        finish(r.four())
                    with many:
                        b.store(ir.Constant(TWO, [0.0, 0.0]), sums)
                        end = b.add(r.start, b.and_(r.size, WORD(ONES - 1)))
                        with cgutils.for_range_slice(b, r.start, end, WORD(2), inc=True) as (i, _):
                            b.store(b.fadd(b.load(sums), r.pair(i)), sums)
                        odd()
        return b.load(result)

    signature = _signature(data, indices, V)
    return (signature, emit) if signature else None


@intrinsic
def _short_row(typingctx: Any, data: Any, indices: Any, V: Any, j: Any, stop: Any) -> Any:
    """The same for at most three entries, read and masked whatever their number: j + 3 must be inside."""

    def emit(context: Any, b: Any, signature: Any, args: Any) -> Any:
        r = _Row(context, b, signature, args)
        lanes = ir.ArrayType(WORD, 4)
        table = [ir.Constant(lanes, [ONES if i < size else 0 for i in range(4)]) for size in range(4)]
        masks = cgutils.global_constant(b, "row.masks", ir.Constant(ir.ArrayType(lanes, 4), table))

        def own(x: Any, i: int) -> Any:
            mask = b.load(b.bitcast(b.gep(masks, [WORD(0), r.size, WORD(i)]), BITS.as_pointer()))
            mask.align = 8
            return b.bitcast(b.and_(b.bitcast(x, BITS), mask), TWO)

        third = b.insert_element(ir.Constant(TWO, [0.0, 0.0]), r.product(b.add(r.start, WORD(2))), LANE(0))
        return r.total(b.fadd(own(r.pair(r.start), 0), own(third, 2)))

    signature = _signature(data, indices, V)
    return (signature, emit) if signature else None


def _plain(data: Any, indices: Any, V: Any, j: Any, stop: Any) -> Any:
    """The same where nothing is compiled."""
    return np.dot(data[j:stop], V[indices[j:stop]])


row: Any = _plain if config.DISABLE_JIT else _row
"""Σ_i data[i]·V[indices[i]] over j ≤ i < stop, with j and stop uint64 and indices uint32."""
short_row: Any = _plain if config.DISABLE_JIT else _short_row
"""The same for at most three entries, with j + 3 within the arrays."""
