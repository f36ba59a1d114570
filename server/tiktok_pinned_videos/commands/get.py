"""`get`: the same answers on a terminal or in a script."""

from __future__ import annotations

from pathlib import Path

from tiktok_pinned_videos.presentation.text import error_text
from tiktok_pinned_videos.research.errors import InvalidArgumentError
from tiktok_pinned_videos.research.fields import parse_fields
from tiktok_pinned_videos.settings import Settings

from . import stop
from .ask import ask_accounts, end, need_credentials
from .formats import Printer
from .names import accounts_named
from .streams import require_stdout


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
    max_age: float,
) -> None:
    """Print an answer for each account, in the order asked; ends the process with the documented status.

    `directory`: a data set to bring up to date instead; `max_age`: seconds that its answers may be old.
    """
    try:
        wanted = parse_fields(fields)
    except InvalidArgumentError as error:
        stop(error_text(error))
    names = accounts_named(usernames, source, column)
    if directory is not None:
        from .dataset.update import run as update

        asked = wanted if fields else None
        update(settings, directory=directory, names=names, fields=asked, max_age=0 if refresh else max_age)
    if not names:
        stop("No username given. Try: tiktok-pinned-videos-mcp get nasa --sandbox")
    need_credentials(settings)
    require_stdout()
    # A list may have one username today and two tomorrow: its JSON is always an array.
    alone = len(usernames) == 1 and source is None and usernames != ("-",)
    printer = Printer(output, names, wanted, alone=alone)
    try:
        outcomes = ask_accounts(settings, names, wanted, refresh=refresh, raw=output == "raw", each=printer.take)
    finally:
        printer.finish()
    end(outcomes)
