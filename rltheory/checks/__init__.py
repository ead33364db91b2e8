"""Claims: theorems as typed Python, their search, verdicts and certificates."""

from .check import check
from .claim import (
    CERTIFIED,
    INCONCLUSIVE,
    PROVED,
    REFUTED,
    SUPPORTED,
    VACUOUS,
    Assumption,
    Claim,
    Eq,
    Erratum,
    Every,
    Leq,
    Loose,
    Mutant,
    NotShown,
    Rate,
    Tight,
    Verdict,
)
from .evidence import Evidence, Outcome, Sample
from .literal import fingerprint, literal
from .report import Counterexample, MutantReport, Report
from .source import Paper, Source

__all__ = [
    "CERTIFIED",
    "INCONCLUSIVE",
    "PROVED",
    "REFUTED",
    "SUPPORTED",
    "VACUOUS",
    "Assumption",
    "Claim",
    "Counterexample",
    "Eq",
    "Erratum",
    "Every",
    "Evidence",
    "Leq",
    "Loose",
    "Mutant",
    "MutantReport",
    "NotShown",
    "Outcome",
    "Paper",
    "Rate",
    "Report",
    "Sample",
    "Source",
    "Tight",
    "Verdict",
    "check",
    "fingerprint",
    "literal",
]
