"""`python -m proofs_check.<paper>`: check one module's claims and print the reports."""

from __future__ import annotations

import sys

from .check import check, check_erratum
from .claim import Claim
from .discover import claims_in


def run_module(name: str, *, n: int = 100, seed: int = 0) -> int:
    """Check every claim of the module called `name`, print each report, return 1 on a surprise, else 0."""
    surprises = 0
    for found in claims_in(sys.modules[name]):
        if isinstance(found.claim, Claim):
            report = check(found.claim, n=n, seed=seed, id=found.id)
        else:
            report = check_erratum(found.claim, seed=seed, id=found.id)
        sys.stdout.write(f"{report}\n")
        sys.stdout.flush()
        surprises += not report.as_expected
    return 1 if surprises else 0
