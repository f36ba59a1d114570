"""`get`: the same answers on a terminal or in a script."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tiktok_pinned_videos.presentation.text import error_text
from tiktok_pinned_videos.research.errors import InvalidArgumentError
from tiktok_pinned_videos.research.fields import parse_fields
from tiktok_pinned_videos.settings import Settings

from . import stop
from .ask import InOrder, ask_accounts, end, need_credentials
from .formats import PRINTERS
from .names import distinct, names_written
from .signals import INTERRUPTED
from .streams import require_stdout

DEFAULT_MAX_AGE: Final = 14 * 86_400.0


def run(
    settings: Settings,
    *,
    usernames: tuple[str, ...],
    source: Path | None,
    column: str | None,
    fields: str | None,
    refresh: bool,
    output: str,
    directory: Path | None,
    max_age: float | None,
) -> None:
    """Print an answer for each account, in the order asked; ends the process with the documented status.

    `directory`: a data set to bring up to date instead; `max_age`: seconds that its answers may be old.
    """
    wanted = fields_named(fields)
    written = names_written(usernames, source, column)
    names = distinct(written)
    if directory is not None:
        from .dataset.update import run as update

        update(
            settings, directory=directory, names=names, fields=wanted if fields else None,
            max_age=0 if refresh else DEFAULT_MAX_AGE if max_age is None else max_age,
        )  # fmt: skip
    if not names:
        stop("No username given. Try: tiktok-pinned-videos-mcp get nasa --sandbox")
    need_credentials(settings)
    require_stdout()
    # A list may have one username today and two tomorrow: its JSON is always an array.
    alone = len(usernames) == 1 and source is None and usernames != ("-",)
    printer = PRINTERS[output](wanted, alone=alone)
    in_order = InOrder(names, printer.write)
    try:
        outcomes = ask_accounts(settings, names, wanted, refresh=refresh, raw=printer.raw, each=in_order)
    except KeyboardInterrupt:
        in_order.finish()
        printer.finish()
        raise SystemExit(INTERRUPTED) from None
    printer.finish()
    end(outcomes)


def fields_named(fields: str | None) -> tuple[str, ...]:
    """The fields of `--fields`; ends with 2 where one is unknown."""
    try:
        return parse_fields(fields)
    except InvalidArgumentError as error:
        stop(error_text(error))
