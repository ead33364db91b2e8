"""`python -m proofs_check` checks the whole catalogue; the same as `rltheory check`."""

from rltheory.cli import main

raise SystemExit(main(["check"]))
