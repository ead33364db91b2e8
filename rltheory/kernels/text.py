"""Text models, a block of bytes at a time: tokens with their values, and the lines of a DRN body.

Decimals.  Up to 15 significant digits times 10ᵏ, |k| ≤ 22, is one correctly rounded product or quotient
of two exact doubles.  With 16 to 18 digits m and −22 ≤ k < 0 the quotient q of the leading part is corrected
by r/10⁻ᵏ, r its exact remainder plus the rest of m: q + r/10⁻ᵏ misses the number by less than 2⁻¹⁰⁰q, so
it is rounded right if moving it by that much either way rounds to the same double.  Everything else is
marked for a conversion that is right for all.
What is not plain, the kernels leave alone: a line they do not take is read by the caller, in Python,
which also words the errors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit

WORD, INTEGER, NUMBER, PENDING = 0, 1, 2, 3
"""Kinds of tokens: text, a plain integer ≥ 0, a decimal with its value, a decimal to be converted.

Marks, if asked for, are tokens whose kind is their character.
"""
STATE, TARGET, FRESH, CHOICES, ENTRIES, OPEN, LABELS = 0, 1, 2, 3, 4, 5, 6
"""Places in the memory of `drn_lines`: last state and target, whether the state has no choice yet,
choices and entries taken, entries in the choice at hand, labels taken."""
WIDE = 40
"""Longest decimal read here."""


@njit(cache=True, error_model="numpy")
def tokenise(
    raw: Any, marks: Any, powers: Any, kind: Any, start: Any, end: Any, line: Any, integer: Any, value: Any
) -> Any:
    """Tokens of ASCII bytes, separated by blanks, tabs and line ends.

    Parameters
    ----------
    raw
        (n,) uint8.
    marks
        True makes tokens of : [ ] and comma.
    powers
        (23,) 10⁰..10²².
    kind, start, end, line, integer, value
        (n,) outputs: kinds, places, line numbers from 0, values of integers and of decimals.

    Returns
    -------
    Number of tokens.
    """
    n, i, count, row = raw.size, 0, 0, 0
    while i < n:
        c = raw[i]
        if c == 32 or c == 9 or c == 10:
            row += c == 10
            i += 1
            continue
        start[count], line[count], integer[count], value[count] = i, row, -1, 0.0
        if marks and (c == 58 or c == 91 or c == 93 or c == 44):
            i += 1
            kind[count], end[count] = c, i
            count += 1
            continue
        first = i
        negative = c == 45
        if negative or c == 43:
            i += 1
        head, digits, mantissa, scale, seen = i, 0, np.int64(0), 0, 0
        point, good = False, True
        while i < n:
            c = raw[i]
            if c >= 48 and c <= 57:
                seen += 1
                if digits > 0 or c != 48:
                    digits += 1
                if digits <= 18:
                    mantissa = mantissa * 10 + (c - 48)
                scale -= point
            elif c == 46 and not point:
                point = True
            else:
                break
            i += 1
        whole = seen > 0 and not point and head == first and (seen == 1 or raw[head] != 48)
        if seen > 0 and i < n and (raw[i] == 101 or raw[i] == 69):
            whole = False
            j = i + 1
            down = j < n and raw[j] == 45
            if j < n and (raw[j] == 45 or raw[j] == 43):
                j += 1
            begin, power = j, 0
            while j < n and raw[j] >= 48 and raw[j] <= 57 and j - begin < 3:
                power = power * 10 + (raw[j] - 48)
                j += 1
            good = j > begin and j - begin < 3
            scale += -power if down else power
            i = j
        good = good and seen > 0
        while i < n:
            c = raw[i]
            if c == 32 or c == 9 or c == 10 or (marks and (c == 58 or c == 91 or c == 93 or c == 44)):
                break
            good = False
            i += 1
        end[count] = i
        if not good or i - first > WIDE:
            kind[count] = WORD
        elif whole and digits <= 15:
            kind[count], integer[count], value[count] = INTEGER, mantissa, np.float64(mantissa)
        elif digits <= 15 and scale >= -22 and scale <= 22:
            x = np.float64(mantissa)
            x = x * powers[scale] if scale >= 0 else x / powers[-scale]
            kind[count], value[count] = NUMBER, -x if negative else x
        else:
            kind[count] = PENDING
            if digits <= 18 and scale >= -22 and scale < 0:
                d, top = powers[-scale], np.float64(mantissa)
                q = top / d
                a, b = 134217729.0 * q, 134217729.0 * d  # 2²⁷ + 1: halves of the bits
                q1, d1 = a - (a - q), b - (b - d)
                q2, d2 = q - q1, d - d1
                p = q * d
                r = (top - p) - (((q1 * d1 - p) + q1 * d2 + q2 * d1) + q2 * d2)
                more = (r + np.float64(mantissa - np.int64(top))) / d
                x, far = q + more, 2.0**-100 * q
                if q + (more - far) == x and q + (more + far) == x:
                    kind[count], value[count] = NUMBER, -x if negative else x
        count += 1
    return count


@njit(cache=True, error_model="numpy")
def drn_lines(
    raw: Any, kind: Any, start: Any, end: Any, line: Any, integer: Any, value: Any, at: Any, count: Any,
    S: Any, chain: Any, rewards: Any, column: Any, memory: Any, base: Any, owner: Any, name: Any,
    reward: Any, first: Any, cols: Any, data: Any, labelled: Any, label: Any,
) -> Any:  # fmt: skip
    """Lines of a DRN body from token `at` on, as far as they are plain.

    Parameters
    ----------
    S, chain, rewards, column
        Number of states; True for one choice a state; number of rewards in brackets and the one that
        counts (−1: none).
    memory
        (7,) int64, see `STATE`; changed in place.
    base
        (S,) output: reward of each state.
    owner, name, reward, first
        Outputs, one a choice: state, name (its integer, −1 for none, −2 − token for a word), reward, and
        number of the first entry in this block.
    cols, data
        Outputs, one an entry.
    labelled, label
        Outputs, one a label of a state: the state, the token.

    Returns
    -------
    The token where the first line begins that was not taken; `count` if all were.
    """
    while at < count:
        row, last = line[at], at
        while last < count and line[last] == row:
            last += 1
        size = last - at
        begin = start[at]
        if kind[at] == INTEGER:
            t = integer[at]
            good = size == 3 and kind[at + 1] == 58 and kind[at + 2] >= INTEGER and kind[at + 2] <= PENDING
            if not good or memory[STATE] < 0 or t >= S:
                return at
            if memory[FRESH] == 1:
                k = memory[CHOICES]
                owner[k], name[k], reward[k], first[k] = memory[STATE], -1, 0.0, memory[ENTRIES]
                memory[CHOICES], memory[TARGET], memory[FRESH], memory[OPEN] = k + 1, -1, 0, 0
            if t <= memory[TARGET]:
                return at
            j = memory[ENTRIES]
            cols[j], data[j] = t, value[at + 2]
            memory[TARGET], memory[ENTRIES] = t, j + 1
            memory[OPEN] += 1
            at = last
            continue
        if kind[at] != WORD or size < 2 or start[at + 1] != end[at] + 1 or raw[end[at]] != 32:
            return at
        paid, tail = 0.0, at + 2
        if tail < last and kind[tail] == 91:
            close = tail + 2 * rewards
            good = close < last and start[tail] == end[at + 1] + 1 and raw[end[at + 1]] == 32
            good = good and kind[close] == 93
            tail = close + 1
            for r in range(rewards):
                place = close - 2 * rewards + 1 + 2 * r
                if good:
                    good = kind[place] >= INTEGER and kind[place] <= PENDING
                    good = good and (r == rewards - 1 or kind[place + 1] == 44)
                    if r == column:
                        paid = value[place]
            if not good:
                return at
        length = end[at] - begin
        if length == 5 and raw[begin] == 115:  # state
            good = raw[begin + 1] == 116 and raw[begin + 2] == 97 and raw[begin + 3] == 116
            if not good or raw[begin + 4] != 101 or kind[at + 1] != INTEGER:
                return at
            if integer[at + 1] != memory[STATE] + 1 or integer[at + 1] >= S:
                return at
            for i in range(tail, last):
                if kind[i] > PENDING:
                    return at
                for c in range(start[i], end[i]):
                    if raw[c] == 34:  # a quote
                        return at
            memory[STATE] += 1
            memory[FRESH] = 1
            for i in range(tail, last):
                labelled[memory[LABELS]], label[memory[LABELS]] = memory[STATE], i
                memory[LABELS] += 1
            base[memory[STATE]] = paid
        elif length == 6 and raw[begin] == 97:  # action
            good = raw[begin + 1] == 99 and raw[begin + 2] == 116 and raw[begin + 3] == 105
            if not good or raw[begin + 4] != 111 or raw[begin + 5] != 110 or memory[STATE] < 0:
                return at
            if memory[FRESH] == 0 and (memory[OPEN] == 0 or chain):
                return at
            if tail != last or (kind[at + 1] != WORD and kind[at + 1] != INTEGER):
                return at
            k = memory[CHOICES]
            owner[k], reward[k], first[k] = memory[STATE], paid, memory[ENTRIES]
            name[k] = integer[at + 1] if kind[at + 1] == INTEGER else -2 - (at + 1)
            memory[CHOICES], memory[TARGET], memory[FRESH], memory[OPEN] = k + 1, -1, 0, 0
        else:
            return at
        at = last
    return at
