"""Every kernel of the support table against its CPU twin under Numba's CUDA simulator.

The simulator is chosen when Numba is first imported, so the cases run in processes of their own
(`cases.py`, `solving.py`), with the CPU kernels uncompiled.  What the simulator cannot show (types,
timing, races between warps) needs a card: ``python -m benchmarks.gpu`` checks all of it there.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from rltheory.errors import InvalidArgument, MissingBackend
from rltheory.kernels import evaluate, pick
from rltheory.kernels.support import SUPPORT, Row, table

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CLOSE = 1e-13


def simulated(program: str, *args: str) -> dict[str, Any]:
    """The JSON a program of this folder prints under the simulator."""
    env = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    out = subprocess.run(
        [sys.executable, str(HERE / program), *args],
        cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert out.returncode == 0, out.stderr[-3000:]
    found: dict[str, Any] = json.loads(out.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return simulated("cases.py")


@pytest.fixture(scope="module")
def solved() -> dict[str, Any]:
    return simulated("solving.py")


@pytest.mark.parametrize("row", SUPPORT, ids=lambda r: f"{r.module}.{r.function}")
def test_kernel_agrees_with_its_twin(row: Row, found: dict[str, Any]) -> None:
    name = f"{row.module}.{row.function}"
    if row.needs:
        pytest.skip(f"needs {row.needs}, which has no simulator; its algebra is tested over NumPy below")
    if not row.cuda:
        assert name not in found
        return
    assert isinstance(found[name], float), found[name]
    assert found[name] <= CLOSE


def defined(path: Path) -> set[str]:
    """Public functions of a module file that are called from outside: no leading underscore."""
    names = [line[4:].partition("(")[0] for line in path.read_text().splitlines() if line.startswith("def ")]
    return {n for n in names if not n.startswith("_")}


@pytest.mark.parametrize("module", sorted({r.module for r in SUPPORT}))
def test_the_table_says_what_exists(module: str) -> None:
    kernels = ROOT / "rltheory" / "kernels"
    cpu, card = defined(kernels / f"{module}.py"), defined(kernels / "gpu" / f"{module}.py")
    for row in SUPPORT:
        if row.module == module:
            assert (row.function in cpu, row.function in card) == (row.cpu, row.cuda), row
    if module.startswith("bellman"):  # whole modules are twins: nothing may be missing from the table
        assert cpu - {"verdict", "far"} == {r.function for r in SUPPORT if r.module == module and r.cpu}
        assert card == {r.function for r in SUPPORT if r.module == module and r.cuda}


CATEGORICAL, QUANTILE = "rltheory.kernels.gpu.categorical", "rltheory.kernels.gpu.quantile"
SWEEPS, BATCHED = "rltheory.kernels.gpu._sweeps", "rltheory.kernels.gpu.batched"
NORMALS, PATHS = "rltheory.kernels.gpu.normals", "rltheory.kernels.gpu.paths"
PICK = "                    best, pick = q, k\n                acc"
MUTANTS = [
    (SWEEPS, f"if q > best:\n{PICK}", f"if q >= best:\n{PICK}", "bellman_csr.backup"),
    (SWEEPS, "                if j < row_end:\n                    break\n", "", "bellman_csr.backup"),
    (SWEEPS, "half = THREADS // 2\n", "half = THREADS // 4\n", "bellman_dense.chosen_backup"),
    (SWEEPS, "if weights[k] != 0.0:", "if weights[k] > 0.5:", "bellman_dense.weighted_backup"),
    (CATEGORICAL, "math.ceil((i + 1.0 - o)", "math.ceil((i + 0.0 - o)", "categorical.backup_uniform"),
    (CATEGORICAL, "elif y < grid[i + 1]:", "elif y < z:", "categorical.backup_grid"),
    (QUANTILE, "<= x:", "< x:", "quantile.backup"),
    (QUANTILE, "+ 0.5 - slack", "+ 0.5 + slack", "quantile.backup"),
    (BATCHED, "tol * max(1.0, max(", "3e3 * tol * max(1.0, max(", "batched.solve_models"),
    (NORMALS, "word = b if j & 1 else a", "word = a if j & 1 else b", "normals.normals"),
    (NORMALS, "low + unit(a) * (high - low)", "low + unit(b) * (high - low)", "normals.normals"),
    (NORMALS, "if n >= 0.0 and (us", "if n >= 9.0 and (us", "normals.square_root"),
    (PATHS, "for j in range(r + 1):", "for j in range(r):", "paths.linear"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "old", "new", "case"), MUTANTS, ids=range(len(MUTANTS)))
def test_a_broken_kernel_is_found(module: str, old: str, new: str, case: str) -> None:
    worst = simulated("cases.py", "--mutate", module, old, new, case)[case]
    assert isinstance(worst, float), worst
    assert worst > CLOSE


CALLS = ["dense chosen", "sparse swept", "dense iterated", "batch", "batch on card"]


LAWS = ["laws uniform", "laws on a grid", "laws by quantiles"]


@pytest.mark.parametrize("name", CALLS + LAWS)
def test_a_solve_on_the_card_is_certified(name: str, solved: dict[str, Any]) -> None:
    got = solved[name]
    assert got["ok"]
    assert got["enclosed"]
    assert got["off"] <= got["error"]


def test_paths_on_the_card_are_those_of_the_cpu() -> None:
    found = simulated("sampling.py")
    assert {"OU", "CIR", "CIR at 0", "linear"} <= set(found)
    assert max(found.values()) <= CLOSE


def test_what_has_no_path_to_the_card_is_refused(solved: dict[str, Any]) -> None:
    assert solved["exact"].startswith("InvalidArgument: device='cuda': the model is rational")
    assert solved["exact laws"].startswith("InvalidArgument: device='cuda': the model is rational")
    assert solved["laws over a horizon"].startswith("InvalidArgument: device='cuda': H=3")
    assert solved["solver"].startswith("InvalidArgument: device='cuda': PolicyIteration has no path")
    assert solved["elimination"].startswith("InvalidArgument: device='cuda', needs sweep='jacobi'")
    assert solved["evaluate exact"].startswith("InvalidArgument: device='cuda': the model is rational")
    if importlib.util.find_spec("cupy") is None:
        assert solved["evaluate"].startswith("MissingBackend: device='cuda': the package cupy")
    assert solved["device"].startswith("InvalidArgument: device='tpu'")


def test_a_wrong_card_is_never_called_solved() -> None:
    """The card finds no value below 99: bounds still hold, and what misses the tolerance is not SOLVED."""
    got = simulated(
        "solving.py",
        "--mutate",
        SWEEPS,
        "best, pick, acc = -math.inf, k, 0.0",
        "best, pick, acc = 99.0, k, 0.0",
    )
    assert not got["sparse swept"]["ok"]
    assert got["sparse swept"]["off"] > 0.1
    for name in CALLS:
        assert got[name]["enclosed"]
        assert got[name]["off"] <= got[name]["error"]


@pytest.mark.parametrize(
    ("module", "old", "new", "name"),
    [
        (CATEGORICAL, "math.ceil((i + 1.0 - o)", "math.ceil((i + 0.0 - o)", "laws uniform"),
        (CATEGORICAL, "elif y < grid[i + 1]:", "elif y < z:", "laws on a grid"),
        (QUANTILE, "+ 0.5 - slack", "+ 1.5 + slack", "laws by quantiles"),
    ],
)
def test_wrong_laws_from_a_card_are_never_called_solved(module: str, old: str, new: str, name: str) -> None:
    assert not simulated("solving.py", "--mutate", module, old, new)[name]["ok"]


def test_the_page_is_generated() -> None:
    assert table() in (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")


def test_pick_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick.pick("batched").__name__ == "rltheory.kernels.batched"
    with pytest.raises(InvalidArgument, match="device='gpu', must be"):
        pick.pick("batched", "gpu")  # type: ignore[arg-type]
    monkeypatch.setattr(pick, "simulated", lambda: False)
    monkeypatch.setattr(pick, "find_spec", lambda name: None)
    with pytest.raises(MissingBackend, match=r"numba-cuda is not installed; pip install rltheory\[gpu\]"):
        pick.pick("batched", "cuda")
    with pytest.raises(MissingBackend, match=r"cupy is not installed; pip install rltheory\[gpu\]"):
        pick.require_cupy()
    with pytest.raises(InvalidArgument, match=r"kernels.roots: no kernels for device='cuda'"):
        pick.pick("roots", "cuda")


def chain(S: int, transposed: bool) -> tuple[Any, Any]:
    rng = np.random.default_rng(S)
    P = sp.random_array((S, S), density=0.05, rng=rng).toarray() + np.eye(S, k=1) + 1e-3 * np.eye(S, k=-1)
    P[:, 0] += 1e-3
    P /= P.sum(axis=1, keepdims=True)
    return sp.csr_array(P.T if transposed else P), rng.normal(size=S)


@pytest.mark.parametrize("gamma", [0.0, 0.9, 1 - 1e-6])
@pytest.mark.parametrize("transposed", [False, True])
def test_krylov_algebra_over_numpy(gamma: float, transposed: bool) -> None:
    card = importlib.import_module("rltheory.kernels.gpu.evaluate")
    P, b = chain(60, transposed)
    x = evaluate.solve_discounted(P, b, gamma, transposed=transposed)
    close = 1e-10 * max(1.0, np.abs(x).max()) / (1 - gamma) ** 0.5
    assert np.abs(card.direct(P.toarray(), b, gamma, np) - x).max() <= close
    assert np.abs(card.iterate(P, b, gamma, np, transposed=transposed) - x).max() <= close
    step = card.bicgstab(lambda y: y - gamma * (P @ y), b, np)
    assert np.abs(b - step + gamma * (P @ step)).max() <= 1e-8 * np.abs(b).max()


def test_krylov_survives_breakdown() -> None:
    card = importlib.import_module("rltheory.kernels.gpu.evaluate")
    P = sp.csr_array(np.roll(np.eye(8), 1, axis=1))  # a cycle: BiCGSTAB can break down, sweeps do not
    b = np.eye(8)[0]
    x = card.iterate(P, b, 0.5, np)
    assert np.abs(b - x + 0.5 * (P @ x)).max() <= 1e-15


def test_the_benchmark_refuses_without_a_card() -> None:
    env = {**os.environ, "NUMBA_ENABLE_CUDASIM": "0"}
    out = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu"],
        cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if out.returncode == 0:
        pytest.skip("there is a card here, and the benchmark ran")
    assert out.returncode == 2
    assert "no CUDA card" in out.stderr or "numba-cuda is not installed" in out.stderr
