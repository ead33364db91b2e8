"""Clocks, memory and the machine."""

from __future__ import annotations

import gc
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BLAS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
THREADS = (*BLAS, "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Time:
    """CPU seconds of the process (all threads) and wall seconds."""

    cpu: float
    wall: float

    def asdict(self) -> dict[str, float]:
        return {"cpu": self.cpu, "wall": self.wall}


class Clock:
    """`with Clock() as c: ...` then `c.time`; garbage is not collected meanwhile."""

    def __enter__(self) -> Clock:
        gc.disable()
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *exc: object) -> None:
        self.time = Time(time.process_time() - self._cpu, time.perf_counter() - self._wall)
        gc.enable()


def per_call(call: Callable[[], Any], *, repeats: int = 5, least: float = 0.02) -> dict[str, float]:
    """Median, least and wall seconds of one call; short calls are timed in bundles of `least` seconds."""
    call()
    n = 1
    while True:
        with Clock() as clock:
            for _ in range(n):
                call()
        if clock.time.cpu >= least or n >= 1 << 20:
            break
        n = max(2 * n, int(n * least / max(clock.time.cpu, 1e-9)) + 1)
    times = [clock.time]
    for _ in range(repeats - 1):
        with Clock() as clock:
            for _ in range(n):
                call()
        times.append(clock.time)
    return {
        "cpu": median(t.cpu for t in times) / n,
        "least": min(t.cpu for t in times) / n,
        "wall": median(t.wall for t in times) / n,
        "calls": n,
        "repeats": repeats,
    }


# ---- memory --------------------------------------------------------------------------------
def _status(key: str) -> int | None:
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    return None


def resident() -> int | None:
    """Bytes of memory held now; None where /proc does not say."""
    return _status("VmRSS")


def peak_resident() -> int:
    """Largest number of bytes held so far, or since `reset_peak`."""
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def reset_peak() -> bool:
    """Start the peak anew; False where the system does not allow it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


# ---- machine -------------------------------------------------------------------------------
def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    cpu = {}
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            cpu.setdefault(key.strip(), value.strip())
    except OSError:
        pass
    caches = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = ((index / f).read_text().strip() for f in ("level", "type", "size"))
        except OSError:
            continue
        if kind != "Instruction":
            caches[f"L{level}"] = size
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return {
        "cpu": cpu.get("model name", platform.processor()),
        "avx512": "avx512f" in cpu.get("flags", ""),
        "cores": os.cpu_count(),
        "caches": caches,
        "memory_gb": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "threads": {k: os.environ.get(k, "") for k in THREADS},
        "versions": {p: v for p in ("numpy", "scipy", "numba", "llvmlite") if (v := version(p))},
        "commit": commit(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "load": load(),
    }


def load() -> float:
    """Processes that wanted a core during the last minute; above the number of cores, times are noisy."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else float("nan")


def version(package: str) -> str:
    """Version of a distribution, empty if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def commit() -> str:
    """The commit measured, with + if files under rltheory/ differ from it."""
    import subprocess

    def git(*words: str) -> str:
        out = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return out.stdout.strip() if out.returncode == 0 else ""

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "rltheory") else "")


def environment(threads: int = 1, cache: str | Path | None = None) -> dict[str, str]:
    """Environment of a measured process: threads fixed, Numba's cache keyed by the kernels' source."""
    env = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
    env["NUMBA_CACHE_DIR"] = str(cache or kernel_cache())
    env["PYTHONHASHSEED"] = "0"
    return env


def kernel_cache() -> Path:
    """A cache directory named after the contents of rltheory/kernels: Numba's own check misses callees."""
    import hashlib
    import tempfile

    h = hashlib.sha256(sys.version.encode())
    for path in sorted((ROOT / "rltheory" / "kernels").rglob("*.py")):
        h.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return Path(tempfile.gettempdir()) / f"rltheory-bench-{h.hexdigest()[:16]}"
