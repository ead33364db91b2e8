"""`python -m benchmarks`."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # before NumPy is loaded
    os.environ.setdefault(_name, "1")

from .command import main  # noqa: E402

raise SystemExit(main())
