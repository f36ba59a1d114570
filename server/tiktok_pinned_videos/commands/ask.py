"""Request accounts for the command line, with a progress line, handling of signals and the exit status."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, NoReturn

import click

from tiktok_pinned_videos.app import build_service
from tiktok_pinned_videos.presentation.text import error_text
from tiktok_pinned_videos.research.errors import ConfigurationError, Status
from tiktok_pinned_videos.research.names import parse_username
from tiktok_pinned_videos.service.many import Outcome, ask_many
from tiktok_pinned_videos.service.service import StoppingError
from tiktok_pinned_videos.settings import Settings

from . import loaded, stop
from .streams import width

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C or SIGTERM."""
_DRAIN: Final = 5.0
"""Seconds that requests already sent may take after Ctrl-C or SIGTERM."""
_WRITE_TIMEOUT: Final = 1.0
"""Seconds that writing their answers may take after that."""
_BAR: Final = 24
_CREDENTIALS: Final = (
    "Set TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET to the client key and secret of an approved Research API project, "
    "or add --sandbox to try it with invented data."
)


def need_credentials(settings: Settings) -> None:
    """Exit with 2 and a message about what to set, unless credentials are set."""
    if not settings.configured:
        stop(error_text(ConfigurationError("no TikTok credentials are set.", next_step=_CREDENTIALS)))


def ask_accounts(
    settings: Settings,
    names: Sequence[str],
    fields: tuple[str, ...],
    *,
    refresh: bool = False,
    raw: bool = False,
    each: Callable[[Outcome[Any]], None],
) -> list[Outcome[Any]]:
    """Return an outcome for each name, in the same order. `raw`: send a new request for each and return TikTok's body.

    `each` is called with every outcome as it arrives, one at a time, in a thread. Its exceptions end the requests.
    Ctrl-C and SIGTERM raise SystemExit(130) when requests already sent have ended and `each` has their outcomes.
    """
    loaded()

    async def run() -> list[Outcome[Any]]:
        service, closing = build_service(settings), list[asyncio.Task[None]]()

        async def ask(written: str) -> Any:
            name = parse_username(written)
            return await (service.fetch_raw(name, fields) if raw else service.answer(name, fields, refresh=refresh))

        async def fallback(name: str) -> Any:
            return await service.from_cache(parse_username(name), fields)

        async def done(_: int, outcome: Outcome[Any]) -> None:
            if not isinstance(outcome.error, StoppingError):
                bar.erase()
                # In a thread, so that a paused reader of stdout (`| less`) does not make requests time out.
                await asyncio.to_thread(each, outcome)
                bar.count(failed=outcome.error is not None)

        def interrupt() -> None:
            closing.append(asyncio.create_task(service.aclose(drain=_DRAIN)))
            # The thread that writes to stdout cannot be interrupted if nothing reads from it.
            loop.call_later(_DRAIN + _WRITE_TIMEOUT, os._exit, INTERRUPTED)

        loop, bar = asyncio.get_running_loop(), _Progress(len(names))
        with _interruptible(lambda: loop.call_soon_threadsafe(interrupt)):
            try:
                outcomes = await ask_many(
                    names,
                    ask=ask,
                    fallback=None if refresh or raw else fallback,
                    max_concurrency=settings.max_concurrency,
                    time_limit=None,
                    progress=done,
                )
            finally:
                bar.erase()
                await (closing[0] if closing else service.aclose())
        if closing:
            raise SystemExit(INTERRUPTED)
        return outcomes

    return asyncio.run(run())


def end(outcomes: Sequence[Outcome[Any]]) -> NoReturn:
    """Exit with 0, 1 (an account failed) or 2 (wrong configuration). If the quota is used up, print how to continue."""
    errors = {one.username: one.error for one in outcomes if one.error}
    # The sandbox's simulated quota affects one account only.
    left = [name for name, error in errors.items() if error.status is Status.QUOTA_EXCEEDED and error.for_every_account]
    if left and len(outcomes) > 1:
        click.echo(
            f"The daily quota is used up: {len(outcomes) - len(left)} of {len(outcomes)} accounts done, {len(left)} "
            f"left, from {left[0]} on. After 00:00 UTC, request those with the status quota_exceeded: write the names "
            "to a file, one per line, and use --from FILE. With get --out DIR, run the same command again.",
            err=True,
        )
    statuses = {error.status for error in errors.values()}
    raise SystemExit(2 if Status.NOT_CONFIGURED in statuses else 1 if statuses else 0)


@contextlib.contextmanager
def _interruptible(first: Callable[[], object]) -> Generator[None]:
    """Inside, the first Ctrl-C or SIGTERM calls `first`, and the second exits with 130.

    Before and after, the handlers of `__main__` exit at once. Handlers are set even if a signal was ignored at the
    start, as shells do for background processes.
    """
    interrupted: list[bool] = []

    def handle(*_: object) -> None:
        if interrupted:
            os._exit(INTERRUPTED)
        interrupted.append(True)
        first()

    before: dict[signal.Signals, Any] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(ValueError):  # not in the main thread
                before[number] = signal.signal(number, handle)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Progress:
    """A progress line on stderr, if that is a terminal and there is more than one account.

    It is erased with spaces, because not every terminal supports escape sequences.
    """

    def __init__(self, total: int) -> None:
        self._total = total if total > 1 and sys.stderr.isatty() else 0
        self._done = self._failed = self._drawn = 0
        self._draw()

    def count(self, *, failed: bool) -> None:
        """Count one more account."""
        self._done += 1
        self._failed += failed
        self._draw()

    def erase(self) -> None:
        """Remove the line, at the end and before output that may be on the same terminal."""
        click.echo(f"\r{'':<{self._drawn}}\r" if self._drawn else "", err=True, nl=False)
        self._drawn = 0

    def _draw(self) -> None:
        if self._total:
            filled = "━" * (_BAR * self._done // self._total)
            line = f"{filled:<{_BAR}} {self._done}/{self._total} done, {self._failed} failed"[: width() - 1]
            click.echo(f"\r{line:<{self._drawn}}", err=True, nl=False)
            self._drawn = len(line)
