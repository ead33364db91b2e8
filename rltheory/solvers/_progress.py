"""A progress bar for long runs, on a terminal only."""

from __future__ import annotations

import sys
import time
from typing import Any


class Progress:
    """A bar on a terminal for runs longer than a second or two; silent elsewhere.

    `with Progress(total, "text") as p: p.advance(n)`.
    """

    PATIENCE = 1.5

    def __init__(self, total: int, text: str, enabled: bool | None = None) -> None:
        self.total, self.text, self.done, self.bar, self.task = total, text, 0, None, None
        self.enabled = sys.stderr.isatty() if enabled is None else enabled
        self.start = time.monotonic()

    bar: Any
    task: Any

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def advance(self, n: int = 1, text: str | None = None) -> None:
        """`n` units more are done."""
        self.done += n
        if not self.enabled:
            return
        if self.bar is None:
            if time.monotonic() - self.start < self.PATIENCE:
                return
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            shown = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            self.bar = Bar(*shown, console=Console(stderr=True), transient=True)
            self.task = self.bar.add_task(self.text, total=self.total)
            self.bar.start()
        self.bar.update(self.task, completed=self.done, description=text or self.text)
