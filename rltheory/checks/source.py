"""Where a statement comes from."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """A bibliographic entry; `key` prefixes the ids of its claims (`key.claim-name`)."""

    key: str
    authors: str
    title: str
    year: int
    where: str = ""

    def at(self, locator: str) -> Source:
        """The place `locator` in this paper."""
        return Source(self, locator)

    def bibtex(self) -> str:
        """A BibTeX entry."""
        note = f",\n  howpublished = {{{self.where}}}" if self.where else ""
        return (
            f"@misc{{{self.key},\n  author = {{{self.authors}}},\n  title = {{{self.title}}},\n"
            f"  year = {{{self.year}}}{note}\n}}"
        )


@dataclass(frozen=True)
class Source:
    """A locator inside a paper, as printed: theorem, page, chapter; or how it was derived.

    In a collection a locator may name another work; one that carries a year stands alone when printed.
    """

    paper: Paper
    locator: str

    def __str__(self) -> str:
        if re.search(r"\b(1[89]|20)\d\d\b", self.locator):
            return self.locator
        return f"{self.paper.authors} ({self.paper.year}), {self.locator}"
