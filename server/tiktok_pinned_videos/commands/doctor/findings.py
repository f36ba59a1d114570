"""What `doctor` says: a line of a mark, a subject, what was found and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """How a line begins."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"
    NEXT = "..."
    """Said before something is sent."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line."""

    mark: Mark
    subject: str
    found: str
    to_do: str = ""

    def __str__(self) -> str:
        return f"{self.mark:<5} {self.said}"

    @property
    def said(self) -> str:
        """The line without its mark."""
        return f"{self.subject}: {self.found} {self.to_do}".rstrip()
