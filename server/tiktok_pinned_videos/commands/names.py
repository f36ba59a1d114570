"""Which accounts a command is asked about: names as arguments, in a file, on stdin; each account once."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tiktok_pinned_videos.research.errors import InvalidArgumentError
from tiktok_pinned_videos.research.names import parse_username, same_account

from . import stop

_HEADER: Final = "username"


def names_written(usernames: Iterable[str], source: Path | None, column: str | None) -> list[str]:
    """Everything that was written, in its order; `-` among `usernames` or as `source` is stdin. Ends with 2 if the
    file cannot be read.
    """
    names: list[str] = []
    for name in usernames:
        names += _listed(sys.stdin.buffer.read()) if name == "-" else [name]
    if source is None:
        return names
    if str(source) == "-":
        return names + _listed(sys.stdin.buffer.read())
    try:
        return names + _listed(source.read_bytes())
    except OSError as error:
        stop(f"--from {source}: {error.strerror or error}.")


def distinct(written: Iterable[str]) -> list[str]:
    """Each account once, as it was first written; what can be no name stays, to be told as such."""
    names: dict[str, str] = {}
    for text in written:
        try:
            names.setdefault(key_of(text), parse_username(text))
        except InvalidArgumentError:
            names.setdefault(key_of(text), text)
    return list(names.values())


def key_of(text: str) -> str:
    """The same for every spelling of one account; what can be no name is only like itself."""
    try:
        return same_account(parse_username(text))
    except InvalidArgumentError:
        return f"invalid {text}"


def _listed(content: bytes) -> list[str]:
    """The names of a list, one a line; `#` begins a comment, and a column's header at the top is no account."""
    # Windows' own shells write UTF-16, with a mark at the beginning.
    utf16 = content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    text = content.decode("utf-16" if utf16 else "utf-8-sig", errors="replace")
    names = [name for line in text.splitlines() if (name := line.partition("#")[0].strip())]
    return names[1:] if names and names[0].strip('"').casefold() == _HEADER else names
