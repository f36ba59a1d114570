"""What `get` and `compare` share: asking for many accounts with a bar, and how their process ends."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NoReturn

import click

from tiktok_pinned_videos.app import build_service
from tiktok_pinned_videos.presentation.text import error_text
from tiktok_pinned_videos.research.errors import ConfigurationError, Status
from tiktok_pinned_videos.research.names import parse_username
from tiktok_pinned_videos.service.many import Outcome, ask_many
from tiktok_pinned_videos.settings import Settings

from . import loaded, stop
from .progress import progress_of
from .signals import interruptible


def utf_8() -> None:
    """Print in UTF-8 whatever the locale, with line ends as they are written."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="replace", newline="\n")


def need_credentials(settings: Settings) -> None:
    """End with 2 and what to set, where there are none."""
    if not settings.configured:
        in_a_shell = (
            "Set TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET to the client key and secret of an approved Research API "
            "project, or add --sandbox to try it with invented data."
        )
        stop(error_text(ConfigurationError("no TikTok credentials are set.", next_step=in_a_shell)))


async def ask_accounts(
    settings: Settings,
    names: Sequence[str],
    fields: tuple[str, ...],
    *,
    refresh: bool = False,
    raw: bool = False,
    each: Callable[[Outcome[Any]], None],
) -> list[Outcome[Any]]:
    """An outcome for each name, in their order; `each` has them as they come. `raw`: asked afresh, with the bodies.

    What `each` raises ends the asking.
    """
    service = build_service(settings)

    async def ask(name: str) -> Any:
        name = parse_username(name)
        return await (service.fetch_raw(name, fields) if raw else service.answer(name, fields, refresh=refresh))

    async def fallback(name: str) -> Any:
        return await service.from_cache(parse_username(name), fields)

    with progress_of(len(names)) as bar:

        async def progress(_: int, outcome: Outcome[Any]) -> None:
            with bar.aside():
                each(outcome)
            bar.done(failed=outcome.error is not None)

        try:
            return await ask_many(
                names,
                ask=ask,
                fallback=None if refresh or raw else fallback,
                max_concurrency=settings.max_concurrency,
                time_limit=None,
                progress=progress,
            )
        finally:
            await service.aclose()


class InOrder:
    """Passes outcomes on in the order of the names, each as soon as those before it are there."""

    def __init__(self, names: Sequence[str], write: Callable[[Outcome[Any]], None]) -> None:
        self._order = iter(names)
        self._write = write
        self._waiting: dict[str, Outcome[Any]] = {}
        self._next = next(self._order, None)

    def __call__(self, outcome: Outcome[Any]) -> None:
        """One more outcome."""
        self._waiting[outcome.username] = outcome
        while self._next is not None and self._next in self._waiting:
            self._write(self._waiting.pop(self._next))
            self._next = next(self._order, None)


def run_to_its_end(asked: Callable[[], Coroutine[Any, Any, int]], *, finish: Callable[[], None]) -> NoReturn:
    """Run, print the rest, and end the process: 0, or 1 where `asked` returned how many accounts failed."""
    loaded()
    try:
        with interruptible():
            failed = asyncio.run(asked())
        finish()
        sys.stdout.flush()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        # Whoever read has seen enough; the interpreter's own flush would complain.
        with contextlib.suppress(OSError):
            sys.stdout.close()
        raise SystemExit(1) from None
    raise SystemExit(1 if failed else 0)


def say_how_to_go_on(outcomes: Sequence[Outcome[Any]]) -> None:
    """One line on stderr where the quota ended in the middle of a list."""
    left = [outcome.username for outcome in outcomes if outcome.error and outcome.error.status is Status.QUOTA_EXCEEDED]
    if not left or len(outcomes) == 1:
        return
    click.echo(
        f"The daily quota ended: {len(outcomes) - len(left)} of {len(outcomes)} accounts are done, {len(left)} are "
        f"left, from {left[0]} on. After 00:00 UTC go on with those whose status is quota_exceeded "
        "(put their names in a file, one a line, and use --from FILE; get --out DIR goes on by itself).",
        err=True,
    )
