"""Standard input, output and error of every command: read whole, written whole, in UTF-8, or reported as a failure."""

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

MAX_INPUT: Final = 64 * 1024 * 1024
"""Bytes of a list of usernames."""
_PAUSE: Final = 0.005
"""Seconds before trying again a stream in non-blocking mode that is full or empty."""
_STDERR_TIMEOUT: Final = 1.0


class OutputError(Exception):
    """Standard output could not be written. Not an OSError, so that it is never taken for a fault of another file."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(why)
        self.reader_left = number == errno.EPIPE or (os.name == "nt" and number == errno.EINVAL)


@contextlib.contextmanager
def owned_streams() -> Generator[None]:
    """Replace sys.stdout and sys.stderr by streams that write everything or fail; end with 1 if stdout fails.

    A reader that leaves (`| head`) is not reported. Failures of stderr are ignored.
    """
    _occupy_closed_descriptors()
    before = sys.stdout, sys.stderr
    stdout, stderr = _Stdout(sys.stdout), _Stderr(sys.stderr)
    sys.stdout, sys.stderr = _text(stdout), _text(stderr)
    try:
        try:
            yield
        finally:
            stdout.check_written()
    except OutputError as fault:
        if not fault.reader_left:
            click.echo(f"Cannot write to standard output: {fault}. The output is not complete.", err=True)
        raise SystemExit(1) from None
    except Exception as fault:
        _log.debug("unexpected fault", exc_info=True)
        click.echo(
            f"internal_error: unexpected {type(fault).__name__}. Please report it with LOG_LEVEL=DEBUG.", err=True
        )
        raise SystemExit(1) from None
    finally:
        sys.stdout, sys.stderr = before


def require_stdout() -> None:
    """Raise OutputError if standard output is closed, before anything is requested for it."""
    sys.stdout.buffer.write(b"")


def width() -> int:
    """Columns of the terminal: COLUMNS, else what stdout or stderr has, else 80; 0 counts as unset."""
    named = os.environ.get("COLUMNS", "").strip()
    columns = [int(named)] if named.isdecimal() and len(named) < 6 else []
    for number in (1, 2):
        with contextlib.suppress(OSError):
            columns.append(os.get_terminal_size(number).columns)
    return min(next((each for each in columns if each), 80), 1_000)


def read_stdin() -> bytes:
    """Return all of standard input. Raises OSError."""
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - it is None if it was closed at the start
        raise OSError(errno.EBADF, "standard input is closed")
    if sys.stdin.isatty():
        end = "Ctrl-Z and Enter" if os.name == "nt" else "Ctrl-D"
        click.echo(f"Enter usernames, one per line. {end} ends the list.", err=True)
    return read_all(sys.stdin.buffer)


def read_all(file: Any) -> bytes:
    """Return what a binary file holds, also in non-blocking mode. Raises OSError."""
    raw, content = getattr(file, "raw", file), bytearray()
    while (part := raw.read(65_536)) != b"":
        if part is None:
            time.sleep(_PAUSE)
            continue
        content += part
        if len(content) > MAX_INPUT:
            raise OSError(errno.EFBIG, f"larger than {MAX_INPUT // 2**20} MiB")
    return bytes(content)


class _Stream(io.RawIOBase):
    """Writes to the raw stream under a text stream, None if that was closed at the start."""

    name = "standard stream"

    def __init__(self, text: Any) -> None:
        buffer = getattr(text, "buffer", None)
        self._raw: Any = getattr(buffer, "raw", buffer)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._raw is not None and self._raw.isatty()

    def fileno(self) -> int:
        if self._raw is None:
            raise OSError(errno.EBADF, "it is closed")
        return self._raw.fileno()

    def flush(self) -> None:
        if self._raw is not None and not self._raw.closed:
            self._raw.flush()

    def _write_all(self, data: Buffer, timeout: float) -> int:
        """Raises OSError."""
        if self._raw is None:
            raise OSError(errno.EBADF, "it is closed")
        left, until = memoryview(data).cast("B"), time.monotonic() + timeout
        size = len(left)
        while left:
            written = self._raw.write(left)
            if written is None:  # non-blocking, and its reader is slower
                if time.monotonic() > until:
                    raise TimeoutError
                time.sleep(_PAUSE)
            else:
                left = left[written:]
        return size


class _Stdout(_Stream):
    def write(self, data: Buffer, /) -> int:
        try:
            return self._write_all(data, float("inf"))
        except OSError as fault:
            raise OutputError(fault.errno or 0, fault.strerror or str(fault)) from None

    def check_written(self) -> None:
        """Some network file systems report a full disk only when a descriptor is closed."""
        try:
            number = self.fileno()
        except OSError:  # closed, which a write would have reported; or in memory
            return
        try:
            os.close(os.dup(number))
        except OSError as fault:
            raise OutputError(fault.errno or 0, fault.strerror or str(fault)) from None


class _Stderr(_Stream):
    def write(self, data: Buffer, /) -> int:
        with contextlib.suppress(OSError):
            self._write_all(data, _STDERR_TIMEOUT)
        return memoryview(data).nbytes


def _text(stream: _Stream) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="\n", write_through=True)


def _occupy_closed_descriptors() -> None:
    """Open the null device where a standard descriptor is closed: a database opened next must not get its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
