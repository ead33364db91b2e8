"""One `load` and one `save` for every format, chosen by the name.

load("gallery:river_swim?S=6&gamma=99/100")      a gallery model
load("gymnasium:FrozenLake-v1?map_name=8x8", gamma=0.99)
load("model.npz"), load("model.drn"), load("model.tra", gamma=0.9)
"""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from ...arrays import Real
from ...errors import InvalidArgument, InvalidFile
from .. import gallery
from ..mdp import MDP
from ..outcomes import OutcomeMDP
from ._text import parse_number
from .drn import from_drn, to_drn
from .gymnasium import from_gymnasium
from .npz import Model, load_npz, save_npz
from .prism import from_prism, to_prism

_FORMS = "a .npz, .drn or .tra file, 'gallery:NAME?key=value' or 'gymnasium:ID?key=value'"


def load(source: str | os.PathLike[str], gamma: Real | None = None, **options: Any) -> Model:
    """The model a file or address names.

    Parameters
    ----------
    source
        A .npz, .drn or .tra file (or another file of a PRISM set); "gallery:NAME?key=value&…";
        "gymnasium:ID?key=value&…".  Values in an address are integers, p/q, decimals, true, false,
        none, or words.
    gamma
        Discount; replaces the one stored or the default.  Needed for .tra and Gymnasium.
    options
        Passed on to `from_prism`, `from_drn`, `from_gymnasium` or the gallery function.

    Returns
    -------
    MDP, SSP, FiniteHorizonMDP, OutcomeMDP, StockMDP or LatentMDP
        As stored, or as the gallery function returns.

    Raises
    ------
    InvalidFile
        See the reader of the format.
    InvalidArgument
        An address or option that means nothing; a model that is a pair; no γ where it is needed.

    Examples
    --------
    >>> load("gallery:river_swim?S=6&gamma=9/10")
    MDP(S=6, A=2, gamma=9/10, csr, exact)
    """
    text = os.fspath(source)
    scheme, colon, rest = text.partition(":")
    if colon and scheme == "gallery":
        return _gallery(rest, gamma, options)
    if colon and scheme == "gymnasium":
        name, options = _address(rest, options)
        return from_gymnasium(name, _needed(text, options.pop("gamma", gamma)), **options)
    suffix = Path(text).suffix.lower()
    if suffix == ".npz":
        model = load_npz(text)
        if options:
            raise InvalidArgument(f"load: {sorted(options)} mean nothing for {text}; drop them")
        if gamma is None:
            return model
        if not isinstance(model, (MDP, OutcomeMDP)):
            raise InvalidArgument(f"load: gamma={gamma} for {model!r}, which keeps its own; drop it")
        return model.replace(gamma=gamma)
    if suffix == ".drn":
        return from_drn(text, gamma, **options)
    if suffix in (".tra", ".srew", ".trew", ".lab", ".sta", ".nm", ".pm", ".sm", ".prism", ".jani"):
        return from_prism(text, _needed(text, gamma), **options)
    raise InvalidFile(f"{text}: unknown kind of model {suffix!r}, expected {_FORMS}")


def save(model: Model, path: str | os.PathLike[str]) -> Path:
    """Write a model: .npz (any model), .drn or .tra (an `MDP`); the file appears complete or not at all.

    Raises
    ------
    InvalidArgument
        Unknown suffix, or a model the format cannot hold.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".npz":
        return save_npz(model, path)
    if suffix not in (".drn", ".tra"):
        raise InvalidArgument(f"save: path={os.fspath(path)!r}, must end in .npz, .drn or .tra")
    if not isinstance(model, MDP):
        raise InvalidArgument(f"save: {suffix} holds an MDP, not {model!r}; write .npz")
    return to_drn(model, path) if suffix == ".drn" else to_prism(model, path)[0]


def _address(rest: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    name, _, query = rest.partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError as exc:
        raise InvalidArgument(f"load: {rest!r}: {exc}; write key=value&key=value after '?'") from exc
    return name, {key: _value(text) for key, text in pairs} | options


def _value(text: str) -> Any:
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    if text.lstrip("+-").isdigit():
        return int(text)
    number = parse_number(text, exact="/" in text)
    return text if number is None else number


def _needed(text: str, gamma: Any) -> Real:
    if gamma is None:
        raise InvalidArgument(f"load: {text} names no discount; pass gamma=...")
    return gamma  # type: ignore[no-any-return]


def _gallery(rest: str, gamma: Real | None, options: dict[str, Any]) -> Model:
    name, options = _address(rest, options)
    make = getattr(gallery, gallery.check_name(name))
    known = inspect.signature(make).parameters
    if gamma is not None:
        options["gamma"] = gamma
    for key in options:
        if key not in known:
            raise InvalidArgument(f"load: gallery:{name} has no parameter {key!r}; it has {', '.join(known)}")
    missing = [k for k, p in known.items() if p.default is p.empty and k not in options]
    if missing:
        raise InvalidArgument(
            f"load: gallery:{name} needs {', '.join(missing)}; write gallery:{name}?{missing[0]}=…"
        )
    model = make(**options)
    if not isinstance(model, Model):
        what = "a pair of models" if isinstance(model, tuple) else f"an {type(model).__name__}"
        raise InvalidArgument(f"load: gallery:{name} is {what}; call gallery.{name}() instead")
    return model
