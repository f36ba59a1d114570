"""`get`: the same answers on a terminal or in a script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiktok_pinned_videos.presentation.text import error_text
from tiktok_pinned_videos.research.errors import InvalidArgumentError
from tiktok_pinned_videos.research.fields import parse_fields
from tiktok_pinned_videos.service.many import Outcome
from tiktok_pinned_videos.settings import Settings

from . import stop
from .asking import InOrder, ask_accounts, need_credentials, run_to_its_end, say_how_to_go_on, utf_8
from .formats import printer_for
from .names import distinct, names_written


def run(
    settings: Settings,
    *,
    usernames: tuple[str, ...],
    source: Path | None,
    fields: str | None,
    refresh: bool,
    output: str,
    directory: Path | None = None,
    max_age: float = 0,
) -> None:
    """Print an answer for each account, in the order asked; ends the process with the documented status.

    `directory`: a data set to bring up to date instead; `max_age`: seconds that its answers may be old.
    """
    utf_8()
    wanted = fields_named(fields)
    written = names_written(usernames, source)
    names = distinct(written)
    if directory is not None:
        from .dataset.update import run as update

        update(
            settings, directory=directory, names=names, fields=wanted if fields else None,
            max_age=0 if refresh else max_age,
        )  # fmt: skip
    if not names:
        stop("No username given. Try: tiktok-pinned-videos-mcp get nasa --sandbox")
    need_credentials(settings)
    printer = printer_for(output, wanted, alone=len(written) == 1)

    async def asked() -> int:
        outcomes: list[Outcome[Any]] = await ask_accounts(
            settings, names, wanted, refresh=refresh, raw=printer.raw, each=InOrder(names, printer.write)
        )
        say_how_to_go_on(outcomes)
        return sum(outcome.error is not None for outcome in outcomes)

    run_to_its_end(asked, finish=printer.finish)


def fields_named(fields: str | None) -> tuple[str, ...]:
    """The fields of `--fields`; ends with 2 where one is unknown."""
    try:
        return parse_fields(fields)
    except InvalidArgumentError as error:
        stop(error_text(error))
