"""PRISM explicit model files: .tra (transitions), .srew and .trew (rewards), .lab, .sta.

An MDP's `.tra` starts with "states choices transitions" and lists "s choice s' p [action]"; a Markov
chain's starts with "states transitions" and lists "s s' p".  R(s, a) is the state reward of s plus
Σ p·(transition reward).  γ is not part of the format.  Numbers may be decimals or p/q.

With an exact `gamma` (int or `Fraction`) decimals are read as the rationals they spell: 0.1 is 1/10.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ...arrays import Real
from ...errors import InvalidArgument, InvalidFile
from .._build import is_rational
from ..mdp import MDP
from ._explicit import Listing, build, labels_of
from ._text import Reader, Rows, atomic, read_rows, spell, zeros

_SUFFIXES = {".tra", ".srew", ".trew", ".lab", ".sta"}
_SOURCES = {".nm", ".pm", ".sm", ".prism", ".jani"}


def from_prism(
    path: str | os.PathLike[str],
    gamma: Real,
    *,
    reward: str | int | None = None,
    terminal: str | None = None,
    deadlocks: str = "refuse",
    mu: ArrayLike | None = None,
    actions: Sequence[str] | None = None,
) -> MDP:
    """The MDP (or Markov chain) of a set of PRISM explicit files.

    Parameters
    ----------
    path
        The .tra file, any companion, or their common stem.  Companions that exist are read.
    gamma
        Discount in [0, 1); an int or `Fraction` reads an exact model, a float doubles.
    reward
        Reward structure: its name (from the header comments) or its number k in stem<k>.srew.
        Needed only if there are several.  No reward files: reward 0.
    terminal
        Label whose states end the episode: their rows become self-loops without reward.  The label
        "terminal" is used if it is there and none is named.
    deadlocks
        What to do with states without choices: "refuse", or "terminal".
    mu
        (S,) start law; uniform over the states labelled init if not given.
    actions
        Action names in the order of their ids; order of first appearance if not given.

    Returns
    -------
    MDP
        CSR; state labels from .sta.

    Raises
    ------
    InvalidFile
        Malformed, truncated, binary or contradictory files, with file:line, the text found and what
        was expected.
    InvalidArgument
        An unknown reward structure, label or action.

    Complexity
    ----------
    One pass; about 2 µs and 40 bytes a transition.
    """
    stem, tra = _locate(path)
    exact = is_rational(gamma)
    listing = _read_tra(tra, exact)
    lab, sta = stem.with_name(stem.name + ".lab"), stem.with_name(stem.name + ".sta")
    for suffix, file in _reward_files(stem, reward):
        (_add_state_rewards if suffix == ".srew" else _add_transition_rewards)(file, listing)
    if lab.exists():
        listing.labels = _read_labels(lab, listing.S)
    if sta.exists():
        listing.states = _read_states(sta, listing.S)
    return build(listing, gamma, terminal=terminal, deadlocks=deadlocks, mu=mu, actions=actions)


def _locate(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    p = Path(path)
    if p.suffix in _SOURCES:
        raise InvalidFile(
            f"{p}: is a model in a modelling language, expected explicit files; export them with "
            f"`prism {p.name} -exportmodel {p.stem}.all` and read {p.stem}.tra"
        )
    stem = p.with_suffix("") if p.suffix in _SUFFIXES else p
    if p.suffix in (".srew", ".trew") and not stem.with_name(stem.name + ".tra").exists():
        stem = stem.with_name(re.sub(r"\d+$", "", stem.name))
    return stem, stem.with_name(stem.name + ".tra")


def _read_tra(path: Path, exact: bool) -> Listing:
    with Reader(path, comments="#") as f:
        head = f.line("the sizes 'states choices transitions' or 'states transitions'").split()
        if len(head) not in (2, 3):
            f.fail(" ".join(head), "'states choices transitions' (MDP) or 'states transitions' (chain)")
        mdp = len(head) == 3
        sizes = [f.count(t, "a number of states, choices or transitions") for t in head]
        S, T = sizes[0], sizes[-1]
        if S == 0 or T == 0:
            f.fail(" ".join(head), "at least one state and one transition")
        state = (S, "a state")
        fields = [state, (sizes[1], "a choice"), state] if mdp else [state, state]
        form = "'s choice s' p [action]'" if mdp else "'s s' p [action]'"
        rows = read_rows(f, fields, form, exact, "a probability", word=True)
        if rows.lines.size != T:
            f.fail(f"{rows.lines.size} transitions", f"{T}, as line 1 says; is the file truncated?")
    if not mdp:
        rows.integers.insert(1, np.zeros(T, dtype=np.int64))
    return _group(path, S, sizes[1] if mdp else None, rows)


def _group(path: Path, S: int, declared: int | None, rows: Rows) -> Listing:
    """Transitions sorted by state, choice, target, and their choices; checks numbering and repeats."""
    order = np.lexsort(rows.integers[::-1])
    s, c, t = (x[order] for x in rows.integers)
    line, word, data = rows.lines[order], rows.word[order], rows.values[order]
    new = np.ones(s.size, dtype=np.bool_)
    new[1:] = (np.diff(s) != 0) | (np.diff(c) != 0)
    twice = np.flatnonzero(~new[1:] & (np.diff(t) == 0)) + 1
    if twice.size:
        k = int(twice[0])
        raise InvalidFile(
            f"{path}:{line[k]}: found a second transition of state {s[k]}, choice {c[k]} to {t[k]}, expected "
            "one; add the probabilities up"
        )
    first = np.flatnonzero(new)
    odd = np.flatnonzero(word != word[first][np.cumsum(new) - 1])
    if odd.size:
        k = int(odd[0])
        raise InvalidFile(
            f"{path}:{line[k]}: found action {rows.words[word[k]]!r} in state {s[k]}, choice {c[k]}, "
            "expected one name for all transitions of a choice"
        )
    state, number = s[first], c[first]
    local = np.arange(first.size) - np.searchsorted(state, state)
    if (number != local).any():
        k = int(np.argmax(number != local))
        raise InvalidFile(
            f"{path}:{line[first[k]]}: found choice {number[k]} of state {state[k]}, expected {local[k]}; "
            "choices of a state are numbered 0, 1, … without gaps"
        )
    if declared is not None and first.size != declared:
        raise InvalidFile(f"{path}:1: found {declared} choices declared, expected the {first.size} listed")
    exact = data.dtype == object
    return Listing(
        path=str(path),
        S=S,
        exact=exact,
        choice_state=state,
        names=rows.words,
        name=word[first],
        rewards=zeros(first.size, exact),
        indptr=np.append(first, s.size),
        indices=t,
        data=data,
        chain=declared is None,
    )


def _reward_files(stem: Path, reward: str | int | None) -> list[tuple[str, Path]]:
    """The .srew and .trew files of the structure asked for."""
    plain = [(s, stem.with_name(stem.name + s)) for s in (".srew", ".trew")]
    plain = [(s, p) for s, p in plain if p.exists()]
    numbered: dict[int, list[tuple[str, Path]]] = {}
    if stem.parent.is_dir():
        pattern = re.compile(re.escape(stem.name) + r"(\d+)(\.[st]rew)")
        for p in sorted(stem.parent.iterdir()):
            if match := pattern.fullmatch(p.name):
                numbered.setdefault(int(match[1]), []).append((match[2], p))
    sets = {str(k): files for k, files in numbered.items()} or ({"1": plain} if plain else {})
    titles = {k: _title(files[0][1]) for k, files in sets.items()}
    if reward is None:
        if plain or len(sets) <= 1:
            return plain or next(iter(sets.values()), [])
    else:
        for k, files in sets.items():
            if str(reward) in (k, titles[k]):
                return files
    have = ", ".join(f"{k} ({titles[k]!r})" if titles[k] else k for k in sets) or "none"
    raise InvalidArgument(
        f"from_prism: reward={reward!r} with {stem.name}; pass one of the structures: {have}"
    )


def _title(path: Path) -> str:
    """Name of a reward structure, from its header comment."""
    with Reader(path, comments="#", keep="#") as f:
        next(iter(f), None)
        match = re.search(r'"([^"]*)"', " ".join(f.notes))
    return match[1] if match else ""


def _reward_rows(path: Path, x: Listing, sizes: list[int], form: str, fields: list[tuple[int, str]]) -> Rows:
    """Rows of a reward file; checks header and row count."""
    with Reader(path, comments="#") as f:
        head = f.line("the sizes of the reward file").split()
        if len(head) != len(sizes) + 1:
            f.fail(" ".join(head), "the sizes 'states rewards' (.srew) or 'states choices rewards' (.trew)")
        for token, size, what in zip(head, sizes, ("states", "choices"), strict=False):
            if f.count(token, f"a number of {what}", held=False) != size:
                f.fail(token, f"{size} {what}, as in {x.path}")
        declared = f.count(head[-1], "a number of rewards", held=False)
        rows = read_rows(f, fields, form, x.exact, "a reward", word=len(sizes) == 2)
        if rows.lines.size != declared:
            f.fail(f"{rows.lines.size} rewards", f"{declared}, as the header says; is the file truncated?")
    return rows


def _add_state_rewards(path: Path, x: Listing) -> None:
    rows = _reward_rows(path, x, [x.S], "'s reward'", [(x.S, "a state")])
    rewards = zeros(x.S, x.exact)
    np.add.at(rewards, rows.integers[0], rows.values)
    x.rewards = x.rewards + rewards[x.choice_state]


def _add_transition_rewards(path: Path, x: Listing) -> None:
    C, state = x.choice_state.size, (x.S, "a state")
    if x.chain and _peek(path) == 2:
        rows = _reward_rows(path, x, [x.S], "'s s' reward'", [state, state])
        rows.integers.insert(1, np.zeros(rows.lines.size, dtype=np.int64))
    else:
        fields = [state, (C, "a choice"), state]
        rows = _reward_rows(path, x, [x.S, C], "'s choice s' reward'", fields)
    s, c, t = rows.integers
    starts = np.searchsorted(x.choice_state, np.arange(x.S + 1))
    choice = np.minimum(starts[s] + c, C - 1)
    key = np.repeat(np.arange(C), np.diff(x.indptr)) * x.S + x.indices
    at = np.minimum(np.searchsorted(key, choice * x.S + t), key.size - 1)
    bad = (starts[s] + c >= starts[s + 1]) | (key[at] != choice * x.S + t)
    if bad.any():
        k = int(np.argmax(bad))
        raise InvalidFile(
            f"{path}:{rows.lines[k]}: found a reward on state {s[k]}, choice {c[k]}, target {t[k]}, "
            f"expected a transition of {Path(x.path).name}"
        )
    paid = zeros(x.data.size, x.exact)
    np.add.at(paid, at, rows.values)
    first = x.indptr[:-1]
    least, most = np.minimum.reduceat(paid, first), np.maximum.reduceat(paid, first)
    # a reward on every transition alike belongs to the choice: no rounding by Σ p
    x.rewards = x.rewards + np.where(least == most, least, np.add.reduceat(x.data * paid, first))


def _peek(path: Path) -> int:
    with Reader(path, comments="#") as f:
        return len(f.line("the sizes").split())


def _read_labels(path: Path, S: int) -> dict[str, list[int]]:
    with Reader(path, comments="#") as f:
        head = f.line('label declarations such as 0="init" 1="deadlock"')
        parts = re.findall(r'(\d+)="([^"]*)"', head)
        if not parts or re.sub(r'\d+="[^"]*"|\s', "", head):
            f.fail(head, 'label declarations such as 0="init" 1="deadlock"')
        names = dict(parts)
        out: dict[str, list[int]] = {name: [] for name in names.values()}
        for line in f:
            state, colon, tokens = line.partition(":")
            if not colon:
                f.fail(line, "'state: label numbers'")
            s = f.index(state.strip(), S, "a state")
            for token in tokens.split():
                if token not in names:
                    f.fail(token, f"a label number declared on line 1 ({', '.join(names)})")
                out[names[token]].append(s)
    return out


def _read_states(path: Path, S: int) -> list[str]:
    out: list[str | None] = [None] * S
    with Reader(path, comments="#") as f:
        head = f.line("the variables, such as (x,y)")
        if not (head.startswith("(") and head.endswith(")")):
            f.fail(head, "the variables, such as (x,y)")
        for line in f:
            state, colon, value = line.partition(":")
            if not colon or not (value.startswith("(") and value.endswith(")")):
                f.fail(line, "'state:(values)'")
            out[f.index(state, S, "a state")] = value[1:-1]
        for s, label in enumerate(out):
            if label is None:
                f.fail(f"no line for state {s}", f"all {S} states; is the file truncated?")
    return [label for label in out if label is not None]


def to_prism(mdp: MDP, path: str | os.PathLike[str]) -> list[Path]:
    """Write stem.tra, stem.trew, stem.lab and, with state labels, stem.sta; return their paths.

    Doubles are written with as many digits (at most 17) as read back to the same double, rationals
    as p/q, so `from_prism` returns an equal model; pass it `actions=mdp.actions` if action labels
    first appear in another order.  γ is not written.  The expected reward of a choice stands on
    each of its transitions.

    Raises
    ------
    InvalidArgument
        If the start law is not uniform on its support, or a label holds a blank, quote or line end.
    """
    stem = Path(path).with_suffix("") if Path(path).suffix in _SUFFIXES else Path(path)
    labels = labels_of(mdp, "to_prism")
    for name in mdp.actions or ():
        if not re.fullmatch(r"[^\s\"]+", name):
            raise InvalidArgument(
                f"to_prism: action label {name!r} has blanks or quotes; rename it or use .drn"
            )
    for name in mdp.states or ():
        if "\n" in name or "\r" in name:
            raise InvalidArgument(f"to_prism: state label {name!r} has a line end; rename it")
    data, indices, indptr = mdp.csr
    ptr, cols, probs = indptr.tolist(), indices.tolist(), data.tolist()
    local = (np.arange(mdp.N) - mdp.state_ptr[mdp.pair_state]).tolist()
    names = [mdp.actions[a] if mdp.actions else f"a{a}" for a in range(mdp.A)]
    pairs = list(zip(mdp.pair_state.tolist(), local, mdp.pair_action.tolist(), strict=True))
    files = [stem.with_name(stem.name + suffix) for suffix in (".tra", ".trew", ".lab")]
    with atomic(files[0]) as out:
        out.write(f"{mdp.S} {mdp.N} {len(cols)}\n")
        for k, (s, c, a) in enumerate(pairs):
            for j in range(ptr[k], ptr[k + 1]):
                out.write(f"{s} {c} {cols[j]} {spell(probs[j])} {names[a]}\n")
    rewards = mdp.R_pairs.tolist()
    with atomic(files[1]) as out:
        paying = [k for k, r in enumerate(rewards) if r != 0]
        out.write(f"# Transition rewards\n{mdp.S} {mdp.N} {sum(ptr[k + 1] - ptr[k] for k in paying)}\n")
        for k in paying:
            s, c, _ = pairs[k]
            for j in range(ptr[k], ptr[k + 1]):
                out.write(f"{s} {c} {cols[j]} {spell(rewards[k])}\n")
    with atomic(files[2]) as out:
        out.write(" ".join(f'{i}="{name}"' for i, name in enumerate(labels)) + "\n")
        held: dict[int, list[str]] = {}
        for i, states in enumerate(labels.values()):
            for s in states:
                held.setdefault(s, []).append(str(i))
        out.writelines(f"{s}: {' '.join(held[s])}\n" for s in sorted(held))
    if mdp.states:
        files.append(stem.with_name(stem.name + ".sta"))
        with atomic(files[-1]) as out:
            out.write("(state)\n")
            out.writelines(f"{s}:({label})\n" for s, label in enumerate(mdp.states))
    return files
