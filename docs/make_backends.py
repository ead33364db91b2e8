"""Write docs/backends.md from the support table:  python docs/make_backends.py."""

from __future__ import annotations

from pathlib import Path

from rltheory.kernels.support import table

INTRO = """# Which kernel runs where

`device="cuda"` is an argument of `solve`, `ValueIteration`, `ModifiedPolicyIteration`, `solve_batch` and `evaluate`;
there is no global switch. Kernels of laws (`categorical`, `quantile`) are called directly. The iteration runs on the card, the certificate always on the CPU, so the bounds mean the same and a
wrong result of a card cannot be reported as solved. Missing packages or a missing card raise `MissingBackend` with the
remedy, `pip install rltheory[gpu]`. See [the page on cards](gpu.md) for how to check and time one.

This table drives the tests: every kernel with a *yes* under cuda is compared with its CPU twin, under Numba's simulator
of a card; rows that need CuPy are compared over NumPy arrays instead.

"""

if __name__ == "__main__":
    Path(__file__).with_name("backends.md").write_text(INTRO + table(), encoding="utf-8")
