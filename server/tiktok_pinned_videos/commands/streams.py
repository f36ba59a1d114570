"""Standard input, output and error of every command, in UTF-8: read and written completely, or the command fails."""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import sys
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from typing_extensions import Buffer

_log = logging.getLogger(__name__)

_PAUSE: Final = 0.005
"""Seconds before trying again a stream in non-blocking mode that is full or empty."""
_STDERR_TIMEOUT: Final = 1.0


class OutputError(Exception):
    """Standard output could not be written. Not an OSError, so that it is never taken for a fault of another file."""

    def __init__(self, fault: OSError) -> None:
        super().__init__(fault.strerror or str(fault))
        self.reader_left = fault.errno == errno.EPIPE or (os.name == "nt" and fault.errno == errno.EINVAL)


@contextlib.contextmanager
def owned_streams() -> Generator[None]:
    """Replace sys.stdout and sys.stderr by streams that write everything or fail; end with 1 if stdout fails.

    A reader that leaves (`| head`) is not reported. Failures of stderr are ignored.
    """
    _occupy_closed_descriptors()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _text(sys.stdout, required=True), _text(sys.stderr, required=False)
    try:
        try:
            yield
        finally:
            _check_written()
    except OutputError as fault:
        if not fault.reader_left:
            click.echo(f"Cannot write to standard output: {fault}. The output is not complete.", err=True)
        raise SystemExit(1) from None
    except Exception as fault:
        _log.debug("unexpected fault", exc_info=True)
        what = f"internal_error: unexpected {type(fault).__name__}. Please report it with LOG_LEVEL=DEBUG."
        click.echo(what, err=True)
        raise SystemExit(1) from None
    finally:
        sys.stdout, sys.stderr = before


def _check_written() -> None:
    """Raise OutputError if the file system reports only on close that the output is not complete (NFS, quotas)."""
    try:
        duplicate = os.dup(sys.stdout.fileno())
    except (OSError, OutputError):  # it was closed at the start, or it is not a file
        return
    try:
        os.close(duplicate)
    except OSError as fault:
        raise OutputError(fault) from None


def require_stdout() -> None:
    """Raise OutputError if standard output is closed, before anything is requested for it."""
    sys.stdout.buffer.write(b"")


def width() -> int:
    """Columns of the terminal: COLUMNS, else what stdout has, else 80; 0 counts as unset."""
    import shutil

    return min(shutil.get_terminal_size().columns, 1_000)


def read_stdin() -> bytes:
    """Return all of standard input. Raises OSError."""
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - it is None if it was closed at the start
        raise OSError(errno.EBADF, "standard input is closed")
    return read_all(sys.stdin.buffer)


def read_all(file: Any) -> bytes:
    """Return what a binary file holds, also in non-blocking mode. Raises OSError."""
    raw, content = getattr(file, "raw", file), bytearray()
    while (part := raw.read(65_536)) != b"":
        if part is None:
            time.sleep(_PAUSE)
            continue
        content += part
    return bytes(content)


class _Stream(io.RawIOBase):
    """Writes everything to the raw stream under a text stream, which is None if it was closed at the start.

    If it is `required`, a failure raises OutputError; otherwise it is ignored, and so is a reader that has stopped.
    """

    name = "standard stream"

    def __init__(self, text: Any, *, required: bool) -> None:
        buffer = getattr(text, "buffer", None)
        self._raw: Any = getattr(buffer, "raw", buffer)
        self._required = required

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._raw is not None and self._raw.isatty()

    def fileno(self) -> int:
        return self._open().fileno()

    def flush(self) -> None:
        if self._raw is not None and not self._raw.closed:
            self._raw.flush()

    def write(self, data: Buffer, /) -> int:
        left, started = memoryview(data).cast("B"), time.monotonic()
        size = len(left)
        try:
            raw = self._open()
            while left and (self._required or time.monotonic() < started + _STDERR_TIMEOUT):
                written = raw.write(left)
                if written is None:  # non-blocking, and its reader is slower
                    time.sleep(_PAUSE)
                left = left[written or 0 :]
        except OSError as fault:
            if self._required:
                raise OutputError(fault) from None
        return size

    def _open(self) -> Any:
        if self._raw is None:
            raise OSError(errno.EBADF, "it is closed")
        return self._raw


def _text(stream: Any, *, required: bool) -> io.TextIOWrapper:
    raw = _Stream(stream, required=required)
    return io.TextIOWrapper(raw, encoding="utf-8", errors="replace", newline="\n", write_through=True)


def _occupy_closed_descriptors() -> None:
    """Open the null device where a standard descriptor is closed: a database opened next must not get its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
