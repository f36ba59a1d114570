"""Ask for many accounts from the command line: requests, progress, interruption, exit status."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

import click

from tiktok_pinned_videos.app import build_service
from tiktok_pinned_videos.presentation.text import error_text
from tiktok_pinned_videos.research.errors import ConfigurationError, Status
from tiktok_pinned_videos.research.names import parse_username
from tiktok_pinned_videos.service.many import Outcome, ask_many
from tiktok_pinned_videos.service.service import PinnedVideosService, StoppingError
from tiktok_pinned_videos.settings import Settings

from . import loaded, stop
from .progress import progress_of
from .signals import INTERRUPTED, interruptible

DRAIN: Final = 5.0
"""Seconds that requests already sent may take after Ctrl-C."""
_WRITE_TIMEOUT: Final = 1.0
"""Seconds that writing their answers may take then."""
_CREDENTIALS: Final = (
    "Set TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET to the client key and secret of an approved Research API project, "
    "or add --sandbox to try it with invented data."
)


def need_credentials(settings: Settings) -> None:
    """End with 2, and what to set, if there are no credentials."""
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
    """Return an outcome for each name, in their order. `raw`: send a new request for each and return TikTok's body.

    `each` is called with every outcome as it comes, one at a time, in a thread; what it raises ends the requests.
    Raises KeyboardInterrupt after Ctrl-C or SIGTERM, when requests already sent have ended and `each` has their
    outcomes.
    """
    loaded()

    async def run() -> list[Outcome[Any]] | None:
        service, stopping = build_service(settings), asyncio.Event()

        async def ask(written: str) -> Any:
            name = parse_username(written)
            return await (service.fetch_raw(name, fields) if raw else service.answer(name, fields, refresh=refresh))

        async def fallback(name: str) -> Any:
            return await service.from_cache(parse_username(name), fields)

        async def progress(_: int, outcome: Outcome[Any]) -> None:
            if not isinstance(outcome.error, StoppingError):
                with bar.aside():
                    # In a thread: a reader that pauses (`| less`) must not make requests time out.
                    await asyncio.to_thread(each, outcome)
                bar.done(failed=outcome.error is not None)

        loop = asyncio.get_running_loop()
        with progress_of(len(names)) as bar, interruptible(lambda: loop.call_soon_threadsafe(stopping.set)):
            asking = ask_many(
                names,
                ask=ask,
                fallback=None if refresh or raw else fallback,
                max_concurrency=settings.max_concurrency,
                time_limit=None,
                progress=progress,
            )
            return await _until_stopped(asyncio.create_task(asking), stopping, service)

    outcomes = asyncio.run(run())
    if outcomes is None:
        raise KeyboardInterrupt
    return outcomes


async def _until_stopped(
    asking: asyncio.Task[list[Outcome[Any]]], stopping: asyncio.Event, service: PinnedVideosService
) -> list[Outcome[Any]] | None:
    """Return the outcomes, or None if stopped: then only requests already sent are finished."""
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({asking, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.is_set():
            return await asking
        await service.aclose(drain=DRAIN)
        await asyncio.wait({asking}, timeout=_WRITE_TIMEOUT)
        if not asking.done():
            os._exit(INTERRUPTED)  # the reader of stdout has stopped reading: nothing else ends the thread that writes
        await asking
    finally:
        stopped.cancel()
        if not stopping.is_set():
            await service.aclose()


class InOrder:
    """Passes outcomes on in the order of the names, each as soon as those before it have come."""

    def __init__(self, names: Sequence[str], write: Callable[[Outcome[Any]], None]) -> None:
        self._left = dict.fromkeys(names)
        self._write = write
        self._waiting: dict[str, Outcome[Any]] = {}

    def __call__(self, outcome: Outcome[Any]) -> None:
        """Take one more outcome."""
        self._waiting[outcome.username] = outcome
        while (name := next(iter(self._left), None)) in self._waiting:
            del self._left[name]
            self._write(self._waiting.pop(name))

    def finish(self) -> None:
        """Pass on what still waits for an account that was not asked for."""
        for name in [name for name in self._left if name in self._waiting]:
            self._write(self._waiting.pop(name))


def end(outcomes: Sequence[Outcome[Any]]) -> NoReturn:
    """End with 0, or with 1 if an account failed; say on stderr how to continue after the quota has ended."""
    left = [outcome.username for outcome in outcomes if outcome.error and outcome.error.status is Status.QUOTA_EXCEEDED]
    if left and len(outcomes) > 1:
        click.echo(
            f"The daily quota ended: {len(outcomes) - len(left)} of {len(outcomes)} accounts done, {len(left)} left, "
            f"from {left[0]} on. After 00:00 UTC, ask for those with the status quota_exceeded (write their names "
            "to a file, one per line, and use --from FILE; get --out DIR continues by itself).",
            err=True,
        )
    raise SystemExit(1 if any(outcome.error for outcome in outcomes) else 0)
