"""One run at a time in a folder: an operating system's lock, which ends with the process that holds it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from pathlib import Path

NAME = ".lock"


class LockedError(Exception):
    """Another process holds it."""


@contextlib.contextmanager
def held(folder: Path) -> Generator[None]:
    """Hold the lock of `folder`, and leave no file behind. Raises `LockedError`, or the file system's `OSError`."""
    path = folder / NAME
    handle = _opened(path)
    try:
        yield
    finally:
        if sys.platform != "win32":
            with contextlib.suppress(OSError):
                path.unlink()
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _opened(path: Path) -> int:
        # Windows deletes the file itself with the last handle, however the process ends.
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TEMPORARY)
        except PermissionError:
            if path.exists():
                raise LockedError from None
            raise
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            os.close(handle)
            raise LockedError from None
        return handle

else:
    import fcntl

    def _opened(path: Path) -> int:
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                raise LockedError from None
            except OSError:
                os.close(handle)
                raise
            # Whoever held it before may have deleted the file between our opening and our locking it.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), path.stat()):
                    return handle
            os.close(handle)
