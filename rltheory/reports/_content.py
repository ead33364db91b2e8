"""What a run depends on, as text: the code of its function, and its arguments, by content."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import json
import math
import sys
import types
from collections.abc import Callable, Mapping
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidArgument


def digest(parts: Any) -> str:
    """32 hex digits of nested lists of text."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def content(value: Any, where: str) -> Any:
    """Nested lists of text that are equal when values are.

    Raises
    ------
    InvalidArgument
        For a value that has no content to go by.
    """
    if value is None or isinstance(value, (bool, str)):
        return [type(value).__name__, str(value)]
    if isinstance(value, (int, np.integer)) and not isinstance(value, Enum):
        return ["int", str(int(value))]
    if isinstance(value, (float, np.floating)):
        return ["float", float(value).hex()]
    if isinstance(value, (Fraction, complex)):
        return [type(value).__name__, str(value)]
    if isinstance(value, Enum):
        return ["enum", type(value).__qualname__, value.name]
    if isinstance(value, np.bool_):
        return ["bool", str(bool(value))]
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            entries = [content(v, where) for v in value.reshape(-1).tolist()]
            return ["array", list(map(str, value.shape)), entries]
        data = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return ["array", str(value.dtype), list(map(str, value.shape)), data]
    if isinstance(value, (list, tuple, range)):
        return ["list", [content(v, where) for v in value]]
    if isinstance(value, (set, frozenset)):
        return ["set", sorted(json.dumps(content(v, where)) for v in value)]
    if isinstance(value, Mapping):
        return ["map", sorted([json.dumps(content(k, where)), content(v, where)] for k, v in value.items())]
    hashed = getattr(value, "content_hash", None)
    if hashed is not None and not isinstance(value, type):
        return ["model", type(value).__qualname__, str(hashed() if callable(hashed) else hashed)]
    if isinstance(value, functools.partial):
        inner = [content(v, where) for v in (value.args, value.keywords)]
        return ["partial", content(value.func, where), inner]
    if isinstance(value, (types.FunctionType, types.MethodType, type)):
        return ["code", code(value)]
    if isinstance(value, (types.BuiltinFunctionType, np.ufunc)):
        return ["builtin", str(getattr(value, "__module__", "")), value.__name__]
    if dataclasses.is_dataclass(value):
        fields = [
            [f.name, content(getattr(value, f.name), where)] for f in dataclasses.fields(value) if f.init
        ]
        return ["dataclass", code(type(value)), fields]
    raise InvalidArgument(
        f"sweep: {where}={value!r} of type {type(value).__name__} has no content to key it by; use numbers, "
        "text, arrays, models, functions or dataclasses of them, or an object with a `content_hash`"
    )


def pack(value: Any, name: str = "value") -> Any:
    """A result as JSON: numbers stay exact, NaN and ∞ included.

    Raises
    ------
    InvalidArgument
        For a value that is not a number, text, an array or a list of those.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, Fraction):
        return {"fraction": str(value)}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return {"array": [pack(v, name) for v in value.reshape(-1).tolist()], "shape": list(value.shape)}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [pack(v, name) for v in value]
    raise InvalidArgument(
        f"sweep: the result {name!r} is of type {type(value).__name__}; return numbers, text, arrays or "
        "lists of them, or a mapping of names to such"
    )


def unpack(value: Any) -> Any:
    """The value that `pack` packed."""
    if isinstance(value, list):
        return [unpack(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "float" in value:
        return float(value["float"])
    if "fraction" in value:
        return Fraction(value["fraction"])
    return np.array([unpack(v) for v in value["array"]]).reshape(value["shape"])


def code(function: Callable[..., Any]) -> str:
    """A hash of a function's code: its own, its defaults and closure, and what it uses of its own package.

    A changed comment, docstring or line number changes nothing.  Installed packages count by their version,
    other modules by their files.
    """
    seen: dict[str, Any] = {}
    _visit(function, seen, _package(function))
    return digest([f"{sys.version_info[:2]}", sorted([k, v] for k, v in seen.items())])


def _package(value: Any) -> str:
    return str(getattr(value, "__module__", "") or "").partition(".")[0]


def _visit(value: Any, seen: dict[str, Any], home: str) -> None:
    if isinstance(value, functools.partial):
        seen[f"partial {len(seen)}"] = repr((value.args, sorted(value.keywords.items())))
        value = value.func
    value = inspect.unwrap(value) if callable(value) else value
    if isinstance(value, types.MethodType):
        _visit(type(value.__self__), seen, home)
        value = value.__func__
    if hasattr(value, "py_func"):  # compiled by Numba
        value = value.py_func
    name = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', repr(value))}"
    if _package(value) == "rltheory":  # the library itself counts as a whole
        seen[name] = _version("rltheory")
        return
    if isinstance(value, types.FunctionType):
        name += f":{value.__code__.co_firstlineno}" if "<lambda>" in name else ""
        if name in seen:
            return
        seen[name] = _code_text(value.__code__)
        seen[name + " defaults"] = repr((value.__defaults__, value.__kwdefaults__))
        for cell_name, cell in zip(value.__code__.co_freevars, value.__closure__ or ()):
            try:
                _note(f"{name}·{cell_name}", cell.cell_contents, seen, home)
            except ValueError:
                continue  # a name not bound yet
        for used in sorted(_names(value.__code__)):
            if used in value.__globals__:
                _note(f"{name}·{used}", value.__globals__[used], seen, home)
    elif isinstance(value, type):
        if name in seen:
            return
        seen[name] = [f"{b.__module__}.{b.__qualname__}" for b in value.__mro__[1:]]
        for key, part in sorted(vars(value).items()):
            part = part.fget if isinstance(part, property) else getattr(part, "func", part)
            part = getattr(part, "__func__", part)
            if isinstance(part, types.FunctionType) and _package(part) == home:
                _visit(part, seen, home)
            elif isinstance(part, (int, float, str, Fraction, tuple)) and not key.startswith("__"):
                seen[f"{name}.{key}"] = repr(part)


def _note(label: str, value: Any, seen: dict[str, Any], home: str) -> None:
    """Something a function refers to: code of its package in full, data by content, the rest by version."""
    if isinstance(value, types.ModuleType):
        seen[label] = ["module", value.__name__, _version(value.__name__)]
    elif isinstance(value, (types.FunctionType, types.MethodType, type)) or hasattr(value, "py_func"):
        if _package(value) == home:
            _visit(value, seen, home)
        else:
            package = _package(value)
            seen[label] = ["elsewhere", package, _version(package), getattr(value, "__qualname__", "")]
    else:
        try:
            seen[label] = content(value, label)
        except InvalidArgument:
            seen[label] = ["object", type(value).__qualname__]


@functools.cache
def _version(module: str) -> str:
    """Version of an installed package; a hash of the files of one that is being worked on."""
    top = module.partition(".")[0]
    found = sys.modules.get(top)
    place = getattr(found, "__file__", None)
    if top in sys.stdlib_module_names or found is None or place is None:
        return ""
    path = Path(place)
    if {"site-packages", "dist-packages"} & set(path.parts):
        return str(getattr(found, "__version__", ""))
    files = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
    h = hashlib.sha256()
    for file in files:
        h.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return h.hexdigest()[:32]


forget = _version.cache_clear
"""Look at the files of modules afresh."""


def _names(block: types.CodeType) -> set[str]:
    out = set(block.co_names)
    for const in block.co_consts:
        if isinstance(const, types.CodeType):
            out |= _names(const)
    return out


def _code_text(block: types.CodeType) -> Any:
    """Instructions and constants, without lines, file and docstring."""
    consts: list[Any] = []
    for c in block.co_consts:
        if isinstance(c, types.CodeType):
            consts.append(_code_text(c))
        else:
            consts.append(sorted(map(repr, c)) if isinstance(c, frozenset) else repr(c))
    if consts and not block.co_name.startswith("<") and isinstance(block.co_consts[0], str):
        consts[0] = "docstring"
    return [block.co_code.hex(), list(block.co_names), list(block.co_varnames), consts]
