"""`import rltheory` is light: nothing optional or heavy comes along, and every module stands alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OPTIONAL = (
    "gymnasium",
    "pandas",
    "cupy",
    "numba_cuda",
    "dask",
    "distributed",
    "mpi4py",
    "quantecon",
    "mdptoolbox",
    "highspy",
    "nbformat",
    "nbclient",
    "IPython",
    "sphinx",
    "pytest",
    "mypy",
)
HEAVY = ("matplotlib", "cvxpy", "sympy", "cma", "hypothesis", "rich")

LOADED = "import json, sys\n{code}\nprint(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
ALONE = """
import json, os, sys
import numpy, scipy.sparse.linalg, scipy.sparse.csgraph, numba, flint, hypothesis.strategies  # paid once
failed = {}
for name in json.loads(sys.argv[1]):
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            __import__(name)
        except BaseException as exc:
            os.write(w, f"{type(exc).__name__}: {exc}".encode()[:500])
        os._exit(0)
    os.close(w)
    with os.fdopen(r) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    if said:
        failed[name] = said
print(json.dumps(failed))
"""


def loaded(code: str, cwd: Path = ROOT) -> set[str]:
    """Top-level packages in `sys.modules` after running `code` in a fresh interpreter."""
    out = subprocess.run(
        [sys.executable, "-c", LOADED.format(code=code)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return set(json.loads(out.stdout))


def import_failures(names: list[str], cwd: Path = ROOT) -> dict[str, str]:
    """{module: error} for those of `names` that fail when imported first in a fresh process."""
    out = subprocess.run(
        [sys.executable, "-c", ALONE, json.dumps(names)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    failed: dict[str, str] = json.loads(out.stdout.splitlines()[-1])
    return failed


def modules(package: str, root: Path = ROOT) -> list[str]:
    """Dotted names of all modules of a package, from the files."""
    names = []
    for path in sorted((root / package).rglob("*.py")):
        parts = list(path.relative_to(root).with_suffix("").parts)
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def test_nothing_optional_is_imported() -> None:
    assert not loaded("import rltheory") & set(OPTIONAL)


def test_nothing_heavy_is_imported() -> None:
    assert not loaded("import rltheory") & set(HEAVY)


def test_the_first_names_do_not_load_sparse_matrices() -> None:
    code = (
        "import rltheory as rl, sys\nrl.MDP, rl.solve, rl.gallery\nassert 'scipy.sparse' not in sys.modules\n"
        "assert not rl.arrays.is_sparse([[1.0]])\nimport scipy.sparse as sp\n"
        "assert rl.arrays.is_sparse(sp.eye_array(2)) and rl.arrays.is_sparse(sp.csr_matrix([[1.0]]))"
    )
    assert "scipy" in loaded(code)


def test_an_optional_import_is_found(tmp_path: Path) -> None:
    (tmp_path / "leaky.py").write_text("import rltheory\nimport mypy\n")
    (tmp_path / "mypy.py").write_text("")
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; import leaky"
    assert loaded(code) & set(OPTIONAL) == {"mypy"}


@pytest.mark.skipif(not hasattr(sys, "getdlopenflags"), reason="needs os.fork")
def test_every_module_is_importable_alone() -> None:
    names = [m for m in modules("rltheory") if not m.startswith("rltheory.kernels.gpu.")]
    assert len(names) > 10
    assert import_failures(names) == {}


@pytest.mark.skipif(not hasattr(sys, "getdlopenflags"), reason="needs os.fork")
def test_a_module_that_needs_another_first_is_found(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "a.py").write_text("import pkg.b\nX = 1\n")
    (tmp_path / "pkg" / "b.py").write_text("from pkg.a import X\n")
    failed = import_failures(modules("pkg", tmp_path), cwd=tmp_path)
    assert list(failed) == ["pkg.a"]
    assert "ImportError" in failed["pkg.a"]
