"""A picture of the results: time over the best peer's, and over one backup at memory speed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .table import alone, ratio, summary

AHEAD, BEHIND, NEUTRAL = "#2a9d8f", "#e76f51", "#8d99ae"


def draw(result: dict[str, Any], path: str | Path) -> None:
    """Two panels of horizontal bars, one bar an instance, both on log scales; needs matplotlib."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    rows = summary(result["rows"])
    y = list(range(len(rows)))[::-1]
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11, 1.2 + 0.28 * len(rows)), sharey=True, constrained_layout=True
    )
    for i, r in zip(y, rows, strict=True):
        if r["gain"]:
            left.barh(i, r["gain"] - 1, left=1, color=AHEAD if r["gain"] >= 1 else BEHIND)
            left.annotate(
                f" {ratio(r['gain'])} {r['peer']} ",
                (max(r["gain"], 1), i),
                va="center",
                fontsize=7,
            )
        else:
            said = "no peer finished" if alone(r) else "" if r["ours"] else r["status"]
            left.annotate(f" {said}", (1, i), va="center", fontsize=7, color=NEUTRAL)
        if r["backups"]:
            right.barh(i, r["backups"] - 1, left=1, color=NEUTRAL)
            right.annotate(f" {r['backups']:.3g}", (max(r["backups"], 1), i), va="center", fontsize=7)
    for axis in (left, right):
        axis.set_xscale("log")
        axis.axvline(1, color="black", lw=0.8)
        axis.spines[["top", "right"]].set_visible(False)
    left.set_yticks(y, [r["instance"] for r in rows], fontsize=8)
    left.set_xlabel("time of the best peer ÷ time of rl.solve (right of 1: ahead)", fontsize=8)
    right.set_xlabel("time of rl.solve ÷ one backup at measured read bandwidth", fontsize=8)
    for axis in (left, right):
        low, high = axis.get_xlim()
        axis.set_xlim(low / 3 if axis is left else low, high * 6)
    figure.savefig(path, dpi=150)
    plt.close(figure)
