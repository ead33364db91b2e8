"""What a check found.  Plain data: picklable, printable, and never true or false by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from .claim import Verdict
from .evidence import Evidence


@dataclass(frozen=True)
class MutantReport:
    """Fate of one mutant: `by` is "search", "named" or "" (it survived)."""

    says: str
    by: str
    draws: int
    witness: str = ""
    lhs: str = ""
    rhs: str = ""
    relation: str = "leq"

    @property
    def killed(self) -> bool:
        """True when an instance refutes the mutant."""
        return self.by != ""


@dataclass(frozen=True)
class Counterexample:
    """An admissible instance at which the claim fails, shrunk, with both sides."""

    literal: str
    lhs: str
    rhs: str
    evidence: Evidence


@dataclass(frozen=True)
class Report:
    """Verdict of one claim with scope, evidence, tightness, search power and seed.

    `bool(report)` raises: write `assert report.as_expected` or compare `report.verdict`.
    """

    id: str
    statement: str
    source: str
    verdict: Verdict
    expect: Verdict
    scope: str
    instances: int
    evaluations: int
    evidence: Evidence
    best_ratio: float
    least_slack: float
    worst_instance: str
    tight_ratio: float
    mutants: tuple[MutantReport, ...]
    findings: tuple[str, ...]
    counterexample: Counterexample | None
    seed: int
    n: int
    seconds: float
    record: dict[str, Any] | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        raise TypeError("a Report is neither true nor false; use report.as_expected or report.verdict")

    @property
    def as_expected(self) -> bool:
        """True when the verdict is exactly the one expected, no better and no worse."""
        return self.verdict is self.expect

    @property
    def power(self) -> str:
        """Mutants killed by search alone / killed / all."""
        search = sum(m.by == "search" for m in self.mutants)
        return f"{search}+{sum(m.by == 'named' for m in self.mutants)}/{len(self.mutants)}"

    def summary(self) -> dict[str, Any]:
        """JSON-ready fields, without the instance record."""
        return {
            "id": self.id,
            "statement": self.statement,
            "source": self.source,
            "verdict": self.verdict.value,
            "expect": self.expect.value,
            "as_expected": self.as_expected,
            "scope": self.scope,
            "instances": self.instances,
            "evaluations": self.evaluations,
            "evidence": self.evidence.name.lower(),
            "best_ratio": _number(self.best_ratio),
            "least_slack": _number(self.least_slack),
            "worst_instance": self.worst_instance,
            "tight_ratio": _number(self.tight_ratio),
            "mutants": [
                {"says": m.says, "killed_by": m.by, "draws": m.draws, "witness": m.witness}
                for m in self.mutants
            ],
            "findings": list(self.findings),
            "counterexample": None
            if self.counterexample is None
            else {
                "instance": self.counterexample.literal,
                "lhs": self.counterexample.lhs,
                "rhs": self.counterexample.rhs,
                "evidence": self.counterexample.evidence.name.lower(),
            },
            "seed": self.seed,
            "n": self.n,
            "seconds": round(self.seconds, 3),
        }

    def __str__(self) -> str:
        lines = [
            f"{self.id}: {self.verdict.value.upper()}"
            + ("" if self.as_expected else f"  (expected {self.expect.value.upper()})"),
            f"  {self.statement}",
            f"  {self.source}",
            f"  {self.scope}; weakest evidence {self.evidence.name.lower()}; seed {self.seed}; "
            f"{self.seconds:.1f} s",
        ]
        if not math.isnan(self.best_ratio):
            lines.append(
                f"  largest lhs/rhs found {self.best_ratio:.6g}; at the tight case {self.tight_ratio:.6g}"
            )
        for m in self.mutants:
            fate = f"refuted by {m.by} after {m.draws} draws" if m.killed else "SURVIVED"
            lines.append(f"  mutant “{m.says}”: {fate}")
        lines += [f"  finding: {f}" for f in self.findings]
        if self.counterexample is not None:
            c = self.counterexample
            lines += [f"  counter-example: {c.literal}", f"    lhs = {c.lhs}", f"    rhs = {c.rhs}"]
        return "\n".join(lines)


def _number(x: float) -> float | None:
    return None if math.isnan(x) or math.isinf(x) else x
