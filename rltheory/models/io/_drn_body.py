"""The body of a DRN file: blocks "state i [rewards] labels", "action name [rewards]", "target : probability".

Large files of doubles are read by `kernels.text` a block at a time; every line those kernels leave out
(labels, comments, p/q, placeholders, mistakes) is read here, as are all lines of small or rational files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from ...kernels import text as kernel
from ...kernels.text import CHOICES, ENTRIES, FRESH, LABELS, OPEN, STATE, TARGET
from . import _text
from ._explicit import Listing
from ._text import Column, Reader, Tokens, zeros

_LABEL = re.compile(r'"([^"]+)"|([^\s"]+)')


@dataclass
class Header:
    """What stands before @model."""

    kind: str = ""
    rewards: list[str] = field(default_factory=list)
    S: int = 0
    choices: int | None = None
    places: dict[str, str] = field(default_factory=dict)


def read_body(f: Reader, head: Header, column: int | None, exact: bool) -> Listing:
    """The states, choices and transitions after @model."""
    body = _Body(f, head, column, exact)
    if exact or f.size < _text.BULK:
        for line in f:
            body.line(line)
    else:
        tokens = Tokens(marks=True)
        for block in f.rest():
            body.block(tokens, block)
    return body.listing()


class _Body:
    """Columns that grow line by line or block by block."""

    def __init__(self, f: Reader, head: Header, column: int | None, exact: bool) -> None:
        self.f, self.head, self.column, self.exact = f, head, column, exact
        self.memory = np.array([-1, -1, 0, 0, 0, 0, 0])
        real = object if exact else np.float64
        self.owner, self.name, self.first = Column(np.int64), Column(np.int64), Column(np.int64)
        self.cols, self.data, self.reward = Column(np.int32), Column(real), Column(real)
        self.base = zeros(head.S, exact)
        self.zero: Any = Fraction(0) if exact else 0.0
        self.words: dict[str, int] = {"": 0}
        self.labels: dict[str, list[int]] = {}

    def block(self, tokens: Tokens, block: str) -> None:
        """Whole lines, most of them by the kernels."""
        f, before = self.f, self.f.number
        if not tokens.read(block):
            for line in block[:-1].split("\n"):
                f.number += 1
                if kept := f.kept(line):
                    self.line(kept)
            return
        _, start, _, line_of, _, _ = tokens.arrays
        n = tokens.count // 2 + 1
        ends = np.empty((5, n), dtype=np.int64)
        paid, cols, data = np.empty(n), np.empty(n, dtype=np.int32), np.empty(n)
        at, rewards = 0, max(len(self.head.rewards), 1)
        column = -1 if self.column is None else self.column
        while True:
            self.memory[[CHOICES, ENTRIES, LABELS]] = 0
            at = kernel.drn_lines(
                tokens.raw, *tokens.arrays, at, tokens.count, self.head.S, self.head.kind == "dtmc", rewards,
                column, self.memory, self.base, ends[0], ends[1], paid, ends[2], cols, data,
                ends[3], ends[4],
            )  # fmt: skip
            self._take(tokens, ends, paid, cols, data)
            if at == tokens.count:
                break
            row = line_of[at]
            f.number = before + int(row) + 1
            if kept := f.kept(block[start[at] : block.index("\n", start[at])]):
                self.line(kept)
            at = int(np.searchsorted(line_of[: tokens.count], row, side="right"))
        f.number = before + block.count("\n")

    def _take(self, tokens: Tokens, ends: Any, paid: Any, cols: Any, data: Any) -> None:
        choices, entries, labels = (int(self.memory[i]) for i in (CHOICES, ENTRIES, LABELS))
        owner, name, first = (x[:choices] for x in ends[:3])
        _, start, end, *_ = tokens.arrays
        for s, token in ends[3:, :labels].T.tolist():
            self.labels.setdefault(tokens.text[start[token] : end[token]], []).append(s)
        code = np.where(name < 0, 0, -1 - name)  # integers n are coded as −1 − n
        for k in np.flatnonzero(name < -1).tolist():
            token = -2 - int(name[k])
            code[k] = self._code(tokens.text[start[token] : end[token]])
        first += len(self.cols)
        for to, x in (
            (self.owner, owner),
            (self.name, code),
            (self.first, first),
            (self.reward, paid[:choices]),
        ):
            to.extend(x)
        self.cols.extend(cols[:entries])
        self.data.extend(data[:entries])

    def _code(self, name: str) -> int:
        return self.words.setdefault("" if name == "__NOLABEL__" else name, len(self.words))

    def _choice(self, name: str, reward: Any) -> None:
        self.owner.append(int(self.memory[STATE]))
        self.name.append(self._code(name))
        self.reward.append(reward)
        self.first.append(len(self.cols))
        self.memory[[TARGET, FRESH, OPEN]] = -1, 0, 0

    def line(self, line: str) -> None:
        """One line, stripped, that is no comment."""
        f, head, memory = self.f, self.head, self.memory
        if line.startswith("state "):
            number, _, rest = line[6:].partition(" ")
            s = int(memory[STATE]) + 1
            if f.index(number, head.S, "a state") != s:
                f.fail(number, f"state {s}; states are listed in order without gaps")
            memory[STATE], memory[FRESH] = s, 1
            self.base[s], rest = self._bracket(rest)
            for quoted, bare in _LABEL.findall(rest):
                self.labels.setdefault(quoted or bare, []).append(s)
        elif line.startswith("action "):
            if memory[STATE] < 0:
                f.fail(line, "a line 'state 0 …' first")
            if not memory[FRESH] and memory[OPEN] == 0:
                f.fail(line, f"a transition of the action before, in state {memory[STATE]}")
            if head.kind == "dtmc" and not memory[FRESH]:
                f.fail(line, f"one choice a state in a dtmc; state {memory[STATE]} has another")
            name, _, rest = line[7:].strip().partition(" ")
            reward, rest = self._bracket(rest)
            if rest.strip():
                f.fail(rest, "the end of the line")
            self._choice(name, reward)
        else:
            to, colon, value = line.partition(":")
            if not colon:
                f.fail(line, "'state …', 'action …' or 'target : probability'")
            if memory[STATE] < 0:
                f.fail(line, "a line 'state 0 …' first")
            if memory[FRESH]:  # chains may leave the action line out
                self._choice("", self.zero)
            t = f.index(to.strip(), head.S, "a state")
            if t <= memory[TARGET]:
                f.fail(to.strip(), f"a target above {memory[TARGET]}; targets ascend and are not repeated")
            memory[TARGET] = t
            memory[OPEN] += 1
            self.cols.append(t)
            self.data.append(f.number_of(self._place(value.strip()), self.exact, "a probability"))

    def _bracket(self, rest: str) -> tuple[Any, str]:
        """The reward of a "[r0, r1] …" prefix, and what follows it."""
        f, names = self.f, self.head.rewards
        if not rest.startswith("["):
            return self.zero, rest
        inside, closed, after = rest[1:].partition("]")
        values = inside.split(",")
        if not closed:
            f.fail(rest, "']' after the rewards")
        if len(values) != max(len(names), 1):
            f.fail(f"[{inside}]", f"{len(names)} rewards, as @reward_models says")
        if self.column is None:
            return self.zero, after
        return f.number_of(self._place(values[self.column].strip()), self.exact, "a reward"), after

    def _place(self, token: str) -> str:
        if token.startswith("$"):
            if token not in self.head.places:
                self.f.fail(token, "a name from @placeholders")
            return self.head.places[token]
        return token

    def listing(self) -> Listing:
        """All that was read, its counts checked."""
        f, head = self.f, self.head
        s, choices = int(self.memory[STATE]) + 1, len(self.owner)
        if s != head.S:
            f.fail(f"{s} states", f"{head.S}, as @nr_states says; is the file truncated?")
        if head.choices is not None and choices != head.choices:
            f.fail(f"{choices} choices", f"{head.choices}, as @nr_choices says; is the file truncated?")
        if not choices:
            f.fail("no action", "at least one")
        code = self.name.array()
        names, numbers = list(self.words), np.unique(code[code < 0])
        for x in numbers[::-1].tolist():
            code[code == x] = len(names)
            names.append(str(-1 - x))
        owner = self.owner.array()
        return Listing(
            path=str(f.path),
            S=head.S,
            exact=self.exact,
            choice_state=owner,
            names=names,
            name=code,
            rewards=self.base[owner] + self.reward.array(),
            indptr=np.append(self.first.array(), len(self.cols)),
            indices=self.cols.array(),
            data=self.data.array(),
            labels=self.labels,
        )
