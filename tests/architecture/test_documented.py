"""Every public name has a docstring, every module opens with one, and the doctests run."""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import rltheory

from .test_imports import modules

ROOT = Path(__file__).resolve().parents[2]
MODULES = [
    m for m in modules("rltheory") if not m.startswith("rltheory.kernels.gpu.") and "__main__" not in m
]


def undocumented(module: ModuleType | SimpleNamespace) -> list[str]:
    """Public functions, classes and members defined in `module` that lack a docstring."""
    missing = [] if (module.__doc__ or "").strip() else [module.__name__]
    for name, obj in vars(module).items():
        if name.startswith("_") or getattr(obj, "__module__", None) != module.__name__:
            continue
        if not (inspect.isroutine(obj) or inspect.isclass(obj) or hasattr(obj, "py_func")):
            continue
        obj = getattr(obj, "py_func", obj)
        if not (obj.__doc__ or "").strip() or (inspect.isclass(obj) and obj.__doc__.startswith(name + "(")):
            missing.append(f"{module.__name__}.{name}")
        if inspect.isclass(obj):
            missing += [f"{module.__name__}.{name}.{member}" for member in _bare_members(obj)]
    return missing


def _bare_members(cls: type) -> list[str]:
    bare = []
    for name, raw in vars(cls).items():
        if name.startswith("_"):
            continue
        obj = raw.__func__ if isinstance(raw, classmethod | staticmethod) else raw
        obj = getattr(obj, "func", getattr(obj, "fget", obj))  # cached_property, property
        # A field or an override documented once above needs no second text.
        if inspect.isroutine(obj) and not (inspect.getdoc(getattr(cls, name)) or inspect.getdoc(obj)):
            bare.append(name)
    return bare


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_documented(name: str) -> None:
    assert undocumented(importlib.import_module(name)) == []


def test_a_bare_name_is_found() -> None:
    def bare() -> None: ...

    class Held:
        """Documented, with a member that is not."""

        def member(self) -> None: ...

    bare.__module__ = Held.__module__ = "m"
    fake = SimpleNamespace(__name__="m", __doc__="Text.", bare=bare, Held=Held)
    assert undocumented(fake) == ["m.bare", "m.Held.member"]


def test_top_level_names_are_explicit_and_few() -> None:
    assert len(rltheory.__all__) <= 60
    assert len(set(rltheory.__all__)) == len(rltheory.__all__)
    missing = [name for name in rltheory.__all__ if not hasattr(rltheory, name)]
    assert missing == []
    bare = [name for name in rltheory.__all__ if not (getattr(rltheory, name).__doc__ or "").strip()]
    assert bare == []


@pytest.mark.parametrize("name", MODULES)
def test_doctests(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0, f"{name}: python -m doctest shows the difference"


def test_a_wrong_doctest_is_found() -> None:
    module = ModuleType("m")
    exec('def f():\n    """\n    >>> 1 + 1\n    3\n    """\n', module.__dict__)
    module.f.__module__ = "m"
    assert doctest.testmod(module, report=False, verbose=False).failed == 1


def test_files_are_one_idea() -> None:
    sizes = {
        m: len((ROOT / m.replace(".", "/")).with_suffix(".py").read_text().splitlines())
        for m in modules("rltheory")
        if (ROOT / m.replace(".", "/")).with_suffix(".py").exists()
    }
    assert {m: n for m, n in sizes.items() if n > 600} == {}
