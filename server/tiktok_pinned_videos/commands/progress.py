"""How far a command has come with its accounts: a bar on stderr, where that is a terminal and it is worth one."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator
from typing import Protocol

import click


class Progress(Protocol):
    """Told of each account that is done."""

    def aside(self) -> contextlib.AbstractContextManager[None]:
        """Around anything that is printed meanwhile."""
        ...

    def done(self, *, failed: bool) -> None:
        """One more account."""
        ...


@contextlib.contextmanager
def progress_of(total: int) -> Generator[Progress]:
    """A bar for `total` accounts; nothing for a single one, or where nobody looks."""
    if total < 2 or not sys.stderr.isatty():
        yield _Silent()
        return
    bar = _Bar(total)
    try:
        yield bar
    finally:
        bar.close()


class _Silent:
    def aside(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def done(self, *, failed: bool) -> None:
        pass


class _Bar:
    def __init__(self, total: int) -> None:
        # Loaded here alone: scripts, and the server above all, do without.
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._total = total
        self._done = self._failed = 0
        console = Console(stderr=True, highlight=False)
        self._plain = console.is_dumb_terminal
        self._bar = Progress(
            BarColumn(bar_width=24),
            TextColumn("{task.description}", markup=False),
            TimeRemainingColumn(),
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task(self._said(), total=total)
        if not self._plain:
            self._bar.start()

    @contextlib.contextmanager
    def aside(self) -> Generator[None]:
        if self._plain or not sys.stdout.isatty():
            yield
            return
        # The same screen: the bar steps aside.
        self._bar.stop()
        try:
            yield
            sys.stdout.flush()
        finally:
            self._bar.start()

    def done(self, *, failed: bool) -> None:
        self._done += 1
        self._failed += failed
        if self._plain:
            click.echo(f"\r{self._said()} ", nl=self._done == self._total, err=True)
        else:
            self._bar.update(self._task, advance=1, description=self._said(), refresh=True)

    def close(self) -> None:
        if not self._plain:
            self._bar.stop()

    def _said(self) -> str:
        return f"{self._done}/{self._total} done, {self._failed} failed, {self._total - self._done} left"
