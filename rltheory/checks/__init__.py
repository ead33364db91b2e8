"""Claims: theorems as typed Python, their search, verdicts and certificates."""

from .check import check, check_erratum
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
from .discover import discover
from .evidence import Evidence, Outcome, Sample
from .literal import fingerprint, literal
from .main import run_module
from .reader import Reader, decoded
from .report import Counterexample, MutantReport, Report
from .runner import run
from .source import Paper, Source
from .worst_case import WorstCase, worst_case

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
    "Reader",
    "Report",
    "Sample",
    "Source",
    "Tight",
    "Verdict",
    "WorstCase",
    "check",
    "check_erratum",
    "decoded",
    "discover",
    "fingerprint",
    "literal",
    "run",
    "run_module",
    "worst_case",
]
