"""Read the usernames of a command from its arguments, a file or stdin; each account once."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tiktok_pinned_videos.research.errors import InvalidArgumentError
from tiktok_pinned_videos.research.names import parse_username, same_account

from . import stop
from .streams import read_all, read_stdin

_HEADER: Final = "username"
_STDIN: Final = "-"
_INVALID: Final = "invalid "


def accounts_named(usernames: Iterable[str], source: Path | None, column: str | None) -> list[str]:
    """Return each account once, in the order first written. Invalid usernames stay as written, to be reported.

    `-` in `usernames` or as `source` is stdin; `column` names a CSV column. Ends with 2 if a list cannot be read.
    """
    written: list[str | Path] = [*usernames, *([] if source is None else [source])]
    lists = [each for each in written if isinstance(each, Path) or each == _STDIN]
    if column is not None and not lists:
        stop("--column needs a list: add --from FILE, or - for stdin.")
    names: dict[str, str] = {}
    for each in written:
        for text in _names_in(each, column) if each in lists else [str(each)]:
            key = key_of(text)
            names.setdefault(key, text if key.startswith(_INVALID) else parse_username(text))
    return list(names.values())


def key_of(text: str) -> str:
    """Return the same key for every spelling of an account. An invalid username equals only itself."""
    try:
        return same_account(parse_username(text))
    except InvalidArgumentError:
        return _INVALID + text


def _names_in(source: str | Path, column: str | None) -> list[str]:
    where = "stdin" if str(source) == _STDIN else f"--from {source}"
    try:
        if str(source) == _STDIN:
            content = read_stdin()
        else:
            with Path(source).open("rb", buffering=0) as file:
                content = read_all(file)
        return _listed(content, where, column)
    except OSError as error:
        stop(f"Cannot read {where}: {error.strerror or error}.")
    except csv.Error as error:
        stop(f"{where} is not a valid CSV file: {error}.")


def _listed(content: bytes, where: str, column: str | None) -> list[str]:
    # Excel and the shells of Windows write UTF-16 with a byte order mark.
    utf16 = content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    text = content.decode("utf-16" if utf16 else "utf-8", errors="replace")
    wanted, index, names = (column or _HEADER).strip().casefold(), None, list[str]()
    # `cat` of several files leaves a byte order mark, and perhaps a header, at the start of each.
    for part in text.split("\ufeff"):
        rows = _rows(part)
        header = [cell.strip().casefold() for cell in rows[0]] if rows else []
        if wanted in header:
            index, rows = header.index(wanted), rows[1:]
        elif rows and index is None:
            columns = ", ".join(rows[0][:8])
            if column is not None:
                stop(f"{where} has no column {column!r}. Its first line is: {columns}.")
            if len(header) > 1:
                stop(f"{where} has several columns ({columns}). Choose one with --column NAME.")
            index = 0
        names += [row[index] for row in rows if index is not None and index < len(row)]
    names = [name for each in names if (name := each.partition("#")[0].strip())]
    for name in names:
        if "\ufffd" in name or "\0" in name:
            stop(f"{where}: {name[:40]!r} is not UTF-8. Save the list as UTF-8 (in Excel as CSV UTF-8).")
    return names


def _rows(text: str) -> list[list[str]]:
    """Split a list or a CSV file at its separator, which its first line shows; without comments and blank lines."""
    lines = list(io.StringIO(text, newline=None))
    first = next((content for line in lines if (content := line.partition("#")[0].strip())), "")
    separator = max(",;\t", key=lambda each: len(_cells(first, each)))
    if len(_cells(first, separator)) < 2:
        # No CSV file, or one with a single column: a comment may follow the username.
        names = [content for line in lines if (content := line.partition("#")[0].strip())]
        return [cells if len(cells := _cells(name, ",")) == 1 else [name] for name in names]
    rows = csv.reader(_without_comments(lines), delimiter=separator, strict=True)
    return [row for row in rows if any(cell.strip() for cell in row) and not row[0].lstrip().startswith("#")]


def _cells(line: str, separator: str) -> list[str]:
    return next(iter(csv.reader([line], delimiter=separator)))


def _without_comments(lines: Iterable[str]) -> Iterator[str]:
    """Leave out lines that start with `#`, but not inside a quoted cell: captions have lines of hashtags."""
    quotes = 0
    for line in lines:
        if quotes % 2 or not line.lstrip().startswith("#"):
            quotes += line.count('"')
            yield line
