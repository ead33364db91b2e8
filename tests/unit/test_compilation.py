"""What is compiled, and where it is kept."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from rltheory.kernels import _jit

COMPILED = """
import rltheory as rl
from rltheory.kernels import bellman_csr, blocks, short_rows
mdp = rl.gallery.random_garnet(30, 2, 3, 0.9, 0)
names = ["krylov", "banded", "tridiagonal"]
for solver, expected in ((rl.solvers.GaussSeidel(), []), (rl.solvers.InexactPolicyIteration(), ["krylov"])):
    rl.solve(mdp, solver)
    found = [name for name in names if getattr(blocks, name).signatures]
    assert found == expected, (solver, found)
assert bellman_csr._greedy_backup.signatures and not short_rows.short_greedy_backup.signatures
"""


def test_what_a_solver_does_not_use_is_not_compiled(tmp_path: Path) -> None:
    """The first solve after an installation waits for it otherwise."""
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", COMPILED], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1500:]


def sourceless(name: str) -> Any:
    """A function that Numba finds no place for: it has no source file."""
    made: dict[str, Any] = {}
    exec(f"def {name}(x):\n    return 2 * x", made)
    return made[name]


def test_without_a_place_for_compiled_code_functions_run_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A package in a read-only image, used by somebody without a home."""
    monkeypatch.setattr(_jit, "_told", [])
    with pytest.warns(RuntimeWarning, match="set NUMBA_CACHE_DIR to a folder that can be written"):
        double = _jit.njit(cache=True, error_model="numpy")(sourceless("double"))
    assert double(3) == 6 and double.signatures
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _jit.njit(cache=True)(sourceless("again"))(4) == 8  # told once
        assert _jit.njit()(sourceless("plain"))(5) == 10
