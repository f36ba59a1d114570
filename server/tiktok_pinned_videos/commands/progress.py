"""How many accounts are done: one line with a bar on stderr, if that is a terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Generator

from .streams import width

_BAR = 24


@contextlib.contextmanager
def progress_of(total: int) -> Generator[Progress]:
    """A bar for `total` accounts; nothing is shown for a single one."""
    progress = Progress(total, shown=total > 1 and sys.stderr.isatty())
    try:
        progress.draw()
        yield progress
    finally:
        progress.erase()


class Progress:
    """Counts accounts."""

    def __init__(self, total: int, *, shown: bool) -> None:
        self._total = total
        self._shown = shown
        self._done = self._failed = self._drawn = 0
        self._started = time.monotonic()

    @contextlib.contextmanager
    def aside(self) -> Generator[None]:
        """Remove the bar while something else is printed on the same terminal."""
        if self._shown and sys.stdout.isatty():
            self.erase()
        yield

    def done(self, *, failed: bool) -> None:
        """Count one more account."""
        self._done += 1
        self._failed += failed
        self.draw()

    def draw(self) -> None:
        """Write the line again."""
        if not self._shown:
            return
        left = self._total - self._done
        filled = "━" * (_BAR * self._done // self._total)
        said = f"{filled:<{_BAR}} {self._done}/{self._total} done, {self._failed} failed, {left} left"
        if self._done and left:
            said += f", about {round((time.monotonic() - self._started) / self._done * left)} s"
        said = said[: width() - 1]
        self._write(f"\r{said:<{self._drawn}}")
        self._drawn = len(said)

    def erase(self) -> None:
        """Remove the line."""
        if self._drawn:
            self._write(f"\r{'':<{self._drawn}}\r")
            self._drawn = 0

    def _write(self, text: str) -> None:
        # Blanks instead of escape sequences work on every terminal.
        sys.stderr.write(text)
        sys.stderr.flush()
