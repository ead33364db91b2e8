"""Whole samplers on the card against the same on the CPU, as JSON.

Run as a program under NUMBA_ENABLE_CUDASIM=1:  python sampling.py
prints {process: worst difference relative to max(1, |x|)}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    from rltheory.models.processes import CIR, GBM, OU, BrownianMotion, LinearSDE, PolynomialDiffusion

    found = {}
    for name, process, x0 in (
        ("BM", BrownianMotion(0.3, 1.1), 0.2),
        ("OU", OU(0.8, 0.1, 0.6), 0.4),
        ("GBM", GBM(0.05, 0.2), 1.0),
        ("CIR", CIR(2.0, 0.5, 0.6), 0.4),
        ("CIR at 0", CIR(0.5, 0.2, 1.0), 0.4),
        ("mirrored", PolynomialDiffusion(0.3, -0.6, 1.0, -0.5, 0.0), 1.0),
        ("linear", LinearSDE([[-1.0, 0.5], [0.2, -0.3]], sigma=[[0.5, 0.0], [0.1, 0.4]]), [1.0, 0.0]),
    ):
        a = process.sample(x0, 1.0, 20, 9, seed=5, first=3)
        b = process.sample(x0, 1.0, 20, 9, seed=5, first=3, device="cuda")
        found[name] = float(np.abs(a - b).max() / max(1.0, np.abs(a).max()))
    print(json.dumps(found))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
