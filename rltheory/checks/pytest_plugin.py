"""pytest collects claims: every module-level `Claim` of the files matched by the `claim_files` option.

    [tool.pytest.ini_options]
    claim_files = ["proofs_check/*.py"]
    claim_draws = "100"

Each claim is one item, its mutants one item each; all share one check.  Ids read
`agarwal2022.py::simulation_lemma[mutant: γ² for γ]`.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .check import check, check_erratum
from .claim import Claim
from .discover import Found, claims_in
from .report import Report


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the ini options and --claim-draws, --claim-seed."""
    parser.addini(
        "claim_files", "globs of files whose module-level claims are collected", type="linelist", default=[]
    )
    parser.addini("claim_draws", "random instances per claim", default="100")
    group = parser.getgroup("rltheory")
    group.addoption("--claim-draws", type=int, default=None, help="random instances per claim")
    group.addoption("--claim-seed", type=int, default=0, help="seed of every claim's search")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a file that matches `claim_files`."""
    globs = parent.config.getini("claim_files")
    relative = (
        file_path.relative_to(parent.config.rootpath)
        if file_path.is_relative_to(parent.config.rootpath)
        else file_path
    )
    if file_path.suffix == ".py" and any(fnmatch.fnmatch(str(relative), g) for g in globs):
        return ClaimFile.from_parent(parent, path=file_path)
    return None


class ClaimFile(pytest.Module):
    """A module whose claims are items."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item a claim, and one a mutant."""
        for found in claims_in(self.obj):
            shared = _Shared(found, self.config)
            yield ClaimItem.from_parent(self, name=found.variable, shared=shared, mutant=None)
            if isinstance(found.claim, Claim):
                for m in found.claim.mutants:
                    name = f"{found.variable}[mutant: {m.says}]"
                    yield ClaimItem.from_parent(self, name=name, shared=shared, mutant=m.says)


class _Shared:
    def __init__(self, found: Found, config: pytest.Config) -> None:
        self.found, self.config = found, config
        self._report: Report | None = None

    def report(self) -> Report:
        if self._report is None:
            draws = self.config.getoption("--claim-draws") or int(self.config.getini("claim_draws"))
            seed = self.config.getoption("--claim-seed")
            claim = self.found.claim
            if isinstance(claim, Claim):
                self._report = check(claim, n=draws, seed=seed, id=self.found.id)
            else:
                self._report = check_erratum(claim, seed=seed, id=self.found.id)
        return self._report


class Surprise(Exception):
    """The verdict differs from the expectation, or a mutant survives."""


class ClaimItem(pytest.Item):
    """One claim's verdict, or one mutant's fate."""

    def __init__(self, *, shared: Any, mutant: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shared, self.mutant = shared, mutant

    def runtest(self) -> None:
        """Fail on a surprise."""
        report = self.shared.report()
        if self.mutant is None:
            if not report.as_expected:
                raise Surprise(str(report))
        elif not next((m.killed for m in report.mutants if m.says == self.mutant), False):
            raise Surprise(f"the mutant “{self.mutant}” survives\n{report}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The report itself, without a traceback."""
        if isinstance(excinfo.value, Surprise):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the item lives."""
        return self.path, None, f"claim: {self.name}"
