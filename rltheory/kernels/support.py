"""Which kernel exists on which device: drives `tests/backends`, `pick` and the page docs/backends.md."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One kernel.

    Attributes
    ----------
    module, function
        `rltheory.kernels.<module>.<function>`; on a card `rltheory.kernels.gpu.<module>.<function>`.
    cpu, cuda
        Whether it exists there.
    needs
        Package the card's version needs beyond numba-cuda; empty if none.  Such rows are not simulated.
    note
        What differs from the twin, or why there is none.
    """

    module: str
    function: str
    cpu: bool
    cuda: bool
    needs: str = ""
    note: str = ""


SEQUENTIAL = "sweeps in place are sequential"
# bellman_runs has the functions of bellman_csr on the CPU only: cards get the same models as CSR.
BOUNDS = "no bounds: certified on the CPU"
CERTIFIED = "part of the certificate"

SUPPORT: tuple[Row, ...] = tuple(
    row
    for module in ("bellman_csr", "bellman_dense")
    for row in (
        Row(module, "q_values", True, True),
        Row(module, "backup", True, True),
        Row(module, "greedy_backup", True, False, note=BOUNDS),
        Row(module, "chosen_backup", True, True),
        Row(module, "weighted_backup", True, True),
        Row(module, "value_iteration", True, True),
        Row(module, "modified_policy_iteration", True, True, note="looks at all pairs, makes all sweeps"),
        Row(module, "gauss_seidel", True, False, note=SEQUENTIAL),
        Row(module, "gauss_seidel_iteration", True, False, note=SEQUENTIAL),
    )
) + (
    Row("batched", "solve_models", True, True, note=f"{BOUNDS}; sweeps only; a model must fit 48 KiB"),
    Row("batched", "evaluate_models", True, True, note=f"{BOUNDS}; a model must fit 48 KiB"),
    Row("batched", "induct_models", True, True, note="stationary P and R; a model must fit 48 KiB"),
    Row("categorical", "backup_uniform", True, True, note="gathers; the CPU scatters"),
    Row("categorical", "backup_grid", True, True),
    Row("categorical", "mix", True, True),
    Row("categorical", "greedy", True, True),
    Row("categorical", "projection_error", True, False, note=CERTIFIED),
    Row("quantile", "backup", True, True, note="bisects; the CPU merges"),
    Row("quantile", "projection_error", True, False, note=CERTIFIED),
    Row("normals", "normals", True, True, note="words bit for bit"),
    Row("normals", "uniforms", True, True, note="words bit for bit"),
    Row("normals", "gammas", True, True),
    Row("normals", "square_root", True, True),
    Row("paths", "affine", True, True),
    Row("paths", "exponential", True, True),
    Row("paths", "linear", True, True),
    Row("paths", "square_root", True, True),
    Row("evaluate", "solve_discounted", True, True, "cupy", "dense LU or BiCGSTAB and sweeps; no sparse LU"),
)


def table() -> str:
    """The support table in Markdown."""
    head = "| kernel | cpu | cuda | note |\n|---|---|---|---|\n"

    def line(row: Row) -> str:
        note = "; ".join(x for x in (f"needs {row.needs}" if row.needs else "", row.note) if x)
        there = "yes" if row.cuda else "—"
        return f"| `{row.module}.{row.function}` | {'yes' if row.cpu else '—'} | {there} | {note} |\n"

    return head + "".join(line(row) for row in SUPPORT)
