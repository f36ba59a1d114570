"""One line of `doctor`: a mark, a subject, what was found and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """The first word of a line. `NEXT` announces a request."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"
    NEXT = "..."


@dataclass(frozen=True, slots=True)
class Finding:
    """One line."""

    mark: Mark
    subject: str
    found: str
    to_do: str = ""

    def __str__(self) -> str:
        return f"{self.mark:<5} {self.subject}: {self.found} {self.to_do}".rstrip()
