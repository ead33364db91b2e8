"""`python -m proofs_check` checks the whole catalogue; the same as `rltheory check`."""

import sys

from rltheory.cli import main

if __name__ == "__main__":
    sys.exit(main(["check", *sys.argv[1:]]))
