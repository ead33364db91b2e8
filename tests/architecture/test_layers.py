"""Imports point downwards, kernels stay plain, the library does not know the papers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("importlinter")

pytestmark = pytest.mark.fast
ROOT = Path(__file__).resolve().parents[2]
LINT = """
import sys
from importlinter.cli import lint_imports
sys.exit(lint_imports(config_filename="pyproject.toml", no_cache=True))
"""


def lint(root: Path) -> tuple[bool, str]:
    """(all contracts kept, report) of the packages below `root`, which win over installed ones."""
    out = subprocess.run([sys.executable, "-c", LINT], cwd=root, capture_output=True, text=True, check=False)
    return out.returncode == 0, out.stdout + out.stderr


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for package in ("rltheory", "proofs_check"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def test_contracts_are_kept() -> None:
    kept, report = lint(ROOT)
    assert kept, report


@pytest.mark.parametrize(
    ("path", "line", "contract"),
    [
        ("rltheory/kernels/planted.py", "from rltheory.models import MDP", "layers point downwards"),
        ("rltheory/models/planted.py", "from ..solvers import planted", "layers point downwards"),
        ("rltheory/kernels/planted.py", "from ..models import MDP", "kernels know arrays only"),
        ("rltheory/operators/planted.py", "import matplotlib.pyplot", "kernels and operators are free of"),
        ("rltheory/kernels/planted.py", "import hypothesis", "kernels and operators are free of"),
        ("rltheory/reports/planted.py", "import proofs_check", "rltheory does not know proofs_check"),
    ],
)
def test_a_planted_import_is_found(tree: Path, path: str, line: str, contract: str) -> None:
    planted = [tree / path, tree / "rltheory/solvers/planted.py"]
    try:
        planted[1].write_text("X = 1\n")
        planted[0].write_text(line + "\n")
        kept, report = lint(tree)
    finally:
        for p in planted:
            p.unlink(missing_ok=True)
    broken = [ln for ln in report.splitlines() if ln.startswith(contract) and ln.rstrip().endswith("BROKEN")]
    assert not kept
    assert broken, report


def test_an_unplaced_module_is_found(tree: Path) -> None:
    extra = tree / "rltheory" / "misc.py"
    extra.write_text("X = 1\n")
    try:
        kept, report = lint(tree)
    finally:
        extra.unlink()
    assert not kept
    assert "misc" in report
