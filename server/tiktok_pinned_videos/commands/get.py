"""`get`: the same answers on a terminal or in a script."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from tiktok_pinned_videos.accounts.many import Outcome, ask_many
from tiktok_pinned_videos.accounts.names import parse_username, same_account
from tiktok_pinned_videos.app import build_service
from tiktok_pinned_videos.research.errors import ConfigurationError, InvalidArgumentError, Status
from tiktok_pinned_videos.research.fields import parse_fields
from tiktok_pinned_videos.settings import Settings

from . import loaded, stop
from .formats import Printer, printer_for


def run(
    settings: Settings,
    *,
    usernames: tuple[str, ...],
    source: Path | None,
    fields: str | None,
    refresh: bool,
    output: str,
) -> None:
    """Print an answer for each account, in the order asked; ends the process with the documented status."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="replace", newline="\n")
    try:
        wanted = parse_fields(fields)
    except InvalidArgumentError as error:
        stop(f"{error.status}: {error}")
    written = [*_from_arguments(usernames), *_from_file(source)]
    names = _distinct(written)
    if not names:
        stop("No username given. Try: tiktok-pinned-videos-mcp get nasa --sandbox")
    if not settings.configured:
        error = ConfigurationError("no TikTok credentials are set.")
        stop(f"{error.status}: {error}")
    loaded()
    printer = printer_for(output, wanted, alone=len(written) == 1)
    try:
        failed = asyncio.run(_run(settings, names, wanted, printer, refresh=refresh))
        printer.finish()
        sys.stdout.flush()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        # Whoever read has seen enough; the interpreter's own flush would complain.
        with contextlib.suppress(OSError):
            sys.stdout.close()
        raise SystemExit(1) from None
    raise SystemExit(1 if failed else 0)


async def _run(
    settings: Settings, names: list[str], fields: tuple[str, ...], printer: Printer, *, refresh: bool
) -> int:
    service = build_service(settings)
    show_progress = len(names) > 1 and sys.stderr.isatty()
    waiting: dict[str, Outcome[Any]] = {}
    order = iter(names)
    current = next(order, None)

    async def ask(name: str) -> Any:
        name = parse_username(name)
        return await (service.ask(name, fields) if printer.raw else service.answer(name, fields, refresh=refresh))

    async def fallback(name: str) -> Any:
        return await service.from_cache(parse_username(name), fields)

    async def progress(done: int, outcome: Outcome[Any]) -> None:
        nonlocal current
        waiting[outcome.username] = outcome
        while current is not None and current in waiting:
            printer.write(waiting.pop(current))
            current = next(order, None)
        if show_progress:
            click.echo(f"\r{done}/{len(names)} ", nl=done == len(names), err=True)

    try:
        outcomes = await ask_many(
            names,
            ask=ask,
            fallback=None if refresh or printer.raw else fallback,
            max_concurrency=settings.max_concurrency,
            time_limit=None,
            progress=progress,
        )
    finally:
        await service.aclose()
    _say_how_to_go_on(outcomes)
    return sum(outcome.error is not None for outcome in outcomes)


def _say_how_to_go_on(outcomes: list[Outcome[Any]]) -> None:
    left = [outcome.username for outcome in outcomes if outcome.error and outcome.error.status is Status.QUOTA_EXCEEDED]
    if not left or len(outcomes) == 1:
        return
    click.echo(
        f"The daily quota ended: {len(outcomes) - len(left)} of {len(outcomes)} accounts are done, {len(left)} are "
        f"left, from {left[0]} on. After 00:00 UTC go on with those whose status is quota_exceeded "
        "(put their names in a file, one a line, and use --from FILE).",
        err=True,
    )


def _from_arguments(usernames: Iterable[str]) -> list[str]:
    names: list[str] = []
    for name in usernames:
        names += _lines(sys.stdin.buffer.read()) if name == "-" else [name]
    return names


def _from_file(source: Path | None) -> list[str]:
    if source is None:
        return []
    if str(source) == "-":
        return _lines(sys.stdin.buffer.read())
    try:
        return _lines(source.read_bytes())
    except OSError as error:
        stop(f"--from {source}: {error.strerror or error}.")


def _lines(content: bytes) -> list[str]:
    # Windows' own shells write UTF-16, with a mark at the beginning.
    utf16 = content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    text = content.decode("utf-16" if utf16 else "utf-8-sig", errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _distinct(written: Iterable[str]) -> list[str]:
    """Each account once, as it was first written; what can be no name stays, to be told as such."""
    names: dict[str, str] = {}
    for text in written:
        try:
            name = parse_username(text)
        except InvalidArgumentError:
            names.setdefault(f"invalid {text}", text)
        else:
            names.setdefault(same_account(name), name)
    return list(names.values())
