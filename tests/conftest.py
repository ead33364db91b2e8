"""Shared by all tests: a Numba cache that cannot go stale.

Numba keys a cached kernel by its own file only, so a kernel can be served with a stale copy of a callee
edited elsewhere.  The cache directory is therefore named after the contents of all of `kernels/`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHES = ROOT / ".pytest_cache" / "numba"
KEEP = 3


def kernels_digest(root: Path = ROOT) -> str:
    """First 16 hex digits of the SHA-256 over every file of `rltheory/kernels`, names included."""
    h = hashlib.sha256()
    for path in sorted((root / "rltheory" / "kernels").rglob("*.py")):
        h.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return h.hexdigest()[:16]


def _key_numba_cache() -> None:
    here = CACHES / kernels_digest()
    here.mkdir(parents=True, exist_ok=True)
    os.utime(here)
    for old in sorted(CACHES.iterdir(), key=lambda p: p.stat().st_mtime)[:-KEEP]:
        shutil.rmtree(old, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = str(here)
    if "numba" in sys.modules:
        sys.modules["numba"].core.config.reload_config()


_key_numba_cache()
os.environ.setdefault("MPLBACKEND", "agg")
