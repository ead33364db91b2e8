"""Benchmarks: this library against its peers at equal certified accuracy, and against the memory.

`python -m benchmarks --help`, or `rltheory bench --help`; `docs/benchmarks.md` says what is counted.
Nothing here imports a peer, or the library itself, before it is measured.
"""
