"""Storm's direct encoding (DRN) of Markov chains and MDPs.

A header (`@type`, `@value_type`, `@reward_models`, `@nr_states`, `@nr_choices`, `@model`) is followed
by blocks "state i [rewards] labels", "action name [rewards]", "target : probability".  R(s, a) is the
state reward plus the action reward of one reward model.  Numbers may be decimals or p/q, or $name
from `@placeholders`; parametric, interval and continuous-time models are refused.

γ, action labels, state labels and a start law that initial states cannot express are kept in comment
lines "//rltheory key json", which Storm skips.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...arrays import Real
from ...errors import InvalidArgument, InvalidFile
from .._build import is_rational
from ..mdp import MDP
from ._drn_body import Header, read_body
from ._explicit import Listing, build
from ._text import Reader, atomic, clip, parse_number, spell, zeros


def from_drn(
    path: str | os.PathLike[str],
    gamma: Real | None = None,
    *,
    reward: str | int | None = None,
    terminal: str | None = None,
    deadlocks: str = "refuse",
    mu: ArrayLike | None = None,
    actions: Sequence[str] | None = None,
) -> MDP:
    """The MDP (or Markov chain) of a DRN file.

    Parameters
    ----------
    path
        The .drn file.
    gamma
        Discount in [0, 1); may be left out if the file was written by `to_drn`.  An int or
        `Fraction` reads an exact model (0.1 is 1/10), a float doubles.
    reward
        Name or number (from 0) of the reward model; needed only if there are several.
    terminal, deadlocks, mu, actions
        As for `from_prism`.

    Returns
    -------
    MDP
        CSR.

    Raises
    ------
    InvalidFile
        Malformed, truncated, binary or unsupported files, with file:line, the text found and what
        was expected.
    InvalidArgument
        No γ; an unknown reward model, label or action.

    Complexity
    ----------
    One pass; about 0.2 µs a line in doubles, 2 µs in rationals.
    """
    with Reader(path, comments="//", keep="//rltheory ") as f:
        head = _header(f)
        notes = _notes(f)
        gamma = _gamma(f, gamma, notes)
        column = _column(f, head, reward)
        listing = read_body(f, head, column, is_rational(gamma))
        states, law = _state_notes(f, listing)
    listing.states = states
    mu = law if mu is None else mu
    if actions is None and isinstance(notes.get("actions"), list):
        actions = [str(a) for a in notes["actions"]]
    return build(listing, gamma, terminal=terminal, deadlocks=deadlocks, mu=mu, actions=actions)


def _header(f: Reader) -> Header:
    head = Header()
    for line in f:
        if line == "@model":
            if not head.kind or not head.S:
                f.fail(line, "@type and @nr_states (at least one state) before it")
            return head
        key, _, value = line.partition(":")
        value = value.strip()
        if key == "@type":
            head.kind = value.lower()
            if head.kind not in ("mdp", "dtmc"):
                f.fail(value, "type mdp or dtmc; continuous-time and partially observed models are not read")
        elif key == "@value_type":
            if value not in ("double", "rational"):
                f.fail(value, "value type double or rational; instantiate parameters and intervals first")
        elif line == "@parameters":
            if names := f.raw():
                f.fail(names, "no parameters; instantiate the model first")
        elif line == "@reward_models":
            head.rewards = f.raw().split()
        elif line == "@nr_states":
            head.S = f.count(f.line("the number of states"), "a number of states")
        elif line == "@nr_choices":
            head.choices = f.count(f.line("the number of choices"), "a number of choices")
        elif line == "@placeholders":
            continue
        elif line.startswith("$") and " : " in line:
            name, _, value = line.partition(" : ")
            head.places[name.strip()] = value.strip()
        else:
            f.fail(line, "a header line (@type: …, @reward_models, @nr_states, @nr_choices, @model)")
    raise InvalidFile(f"{f.path}:{f.number}: the file ends here, expected @model; is it truncated?")


def _notes(f: Reader) -> dict[str, Any]:
    """{key: value} of the comments "//rltheory key json" in the header."""
    return dict(_note(f, note) for note in f.notes)


def _note(f: Reader, note: str) -> tuple[str, Any]:
    key, _, text = note.removeprefix("//rltheory ").partition(" ")
    try:
        return key, json.loads(text)
    except ValueError as exc:
        raise InvalidFile(f"{f.path}: the comment {clip(note)!r} is not JSON; delete it") from exc


def _state_notes(f: Reader, x: Listing) -> tuple[list[str] | None, Any]:
    """State labels and start law from the comments between the states."""
    labels, law = [], zeros(x.S, x.exact)
    for key, value in (_note(f, note) for note in f.notes):
        if key == "state":
            labels.append(str(value))
        elif key == "mu":
            ok = isinstance(value, list) and len(value) == 2 and type(value[0]) is int
            p = parse_number(str(value[1]), x.exact) if ok else None
            if p is None or not 0 <= value[0] < x.S:
                raise InvalidFile(
                    f"{f.path}: the comment 'mu {clip(str(value))}' is not [state, number]; delete it"
                )
            law[value[0]] += p
    if labels and len(labels) != x.S:
        raise InvalidFile(f"{f.path}: {len(labels)} comments name a state, expected {x.S}; delete them")
    return labels or None, law if any(law != 0) else None


def _gamma(f: Reader, gamma: Real | None, notes: dict[str, Any]) -> Real:
    if gamma is not None:
        return gamma
    if "gamma" not in notes:
        raise InvalidArgument(f"from_drn: {f.path} names no discount; pass gamma=...")
    text = str(notes["gamma"])
    value = parse_number(text, exact="/" in text or text.isdigit())
    if value is None:
        raise InvalidFile(f"{f.path}: the comment says gamma {text!r}, expected a number; pass gamma=...")
    return value


def _column(f: Reader, head: Header, reward: str | int | None) -> int | None:
    names = head.rewards
    if reward is None:
        if len(names) > 1:
            raise InvalidArgument(f"from_drn: {f.path} has several rewards; pass reward= one of {names}")
        return 0 if names else None
    if reward in names:
        return names.index(str(reward))
    if isinstance(reward, int) and 0 <= reward < len(names):
        return reward
    raise InvalidArgument(f"from_drn: reward={reward!r}, {f.path} has {names}; pass one of them")


def to_drn(mdp: MDP, path: str | os.PathLike[str], *, reward: str = "reward") -> Path:
    """Write an MDP as DRN; `from_drn` returns an equal model.

    Doubles are written with as many digits (at most 17) as read back to the same double, rationals
    as p/q.

    Raises
    ------
    InvalidArgument
        If `reward` is not one word.
    """
    if not re.fullmatch(r"[^\s\[\]]+", reward):
        raise InvalidArgument(f"to_drn: reward={reward!r}, must be one word without brackets")
    init = np.flatnonzero(mdp.mu != 0)
    flat = bool((mdp.mu[init] == mdp.mu[init[0]]).all()) and (
        mdp.is_exact or mdp.mu[init[0]] == 1.0 / init.size
    )
    notes: dict[str, Any] = {"gamma": spell(mdp.gamma)}
    if mdp.actions is not None:
        notes["actions"] = list(mdp.actions)
    data, indices, indptr = mdp.csr
    ptr, cols, probs = indptr.tolist(), indices.tolist(), data.tolist()
    rewards, ids, first = mdp.R_pairs.tolist(), mdp.pair_action.tolist(), mdp.state_ptr.tolist()
    starts, ends = set(init.tolist()), set(np.flatnonzero(mdp.terminal).tolist())
    with atomic(path) as out:
        out.write(f"@type: {'DTMC' if mdp.N == mdp.S and mdp.A == 1 else 'MDP'}\n")
        out.write(f"@value_type: {'rational' if mdp.is_exact else 'double'}\n@parameters\n\n")
        out.writelines(f"//rltheory {k} {json.dumps(v, ensure_ascii=False)}\n" for k, v in notes.items())
        out.write(f"@reward_models\n{reward}\n@nr_states\n{mdp.S}\n@nr_choices\n{mdp.N}\n@model\n")
        for s in range(mdp.S):
            tags = (" init" if s in starts else "") + (" terminal" if s in ends else "")
            out.write(f"state {s} [0]{tags}\n")
            if mdp.states is not None:
                out.write(f"//rltheory state {json.dumps(mdp.states[s], ensure_ascii=False)}\n")
            if not flat and s in starts:
                out.write(f'//rltheory mu [{s}, "{spell(mdp.mu[s])}"]\n')
            for k in range(first[s], first[s + 1]):
                out.write(f"\taction {ids[k]} [{spell(rewards[k])}]\n")
                out.writelines(f"\t\t{cols[j]} : {spell(probs[j])}\n" for j in range(ptr[k], ptr[k + 1]))
    return Path(path)
