"""The accept queue of `http`, held in the process: who sends a token comes in before all who send none.

The kernel hands out connections in the order in which they came, so a caller would wait for each of a thousand
strangers to be accepted, parsed and refused. To take one out of the kernel and to look at its first bytes, without
reading them, costs a hundredth of that. A token that is claimed may be invented: that is judged afterwards, as ever.
"""

from __future__ import annotations

import select
import socket
from typing import Any, Final, TypeAlias

_AT_ONCE: Final = 64
"""Connections taken out of the kernel, and looked at, in one turn of the loop: about a millisecond."""
_LOOKED_AT: Final = 4096
"""Bytes, of which the kernel keeps all."""
_CLAIM: Final = b"\nauthorization:"
_FILES_FOR_OTHERS: Final = 512
"""File descriptors that are left for connections that are in, for the store and for TikTok."""
_WANTED_FILES: Final = 4096

_Waiting: TypeAlias = dict[int, tuple[socket.socket, Any]]
"""What `accept` returns, by file descriptor, in the order in which they came."""


class AcceptQueue(socket.socket):
    """A listening socket, taken over from `listener`, with an order of its own. Linux only."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(listener.family, listener.type, listener.proto, fileno=listener.detach())
        self._most = _places()
        self._unheard = select.epoll()
        self._claiming: _Waiting = {}
        self._others: _Waiting = {}
        self._may_come: list[_Waiting] = []
        self._claimed: set[int] = set()
        self._fault: OSError | None = None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._claiming) + len(self._others)

    def let_in(self, *, claiming: int, others: int) -> None:
        """So many of either kind may be accepted until the next time."""
        self._take_in()
        for fd, _ in self._unheard.poll(0, _AT_ONCE):
            if _claims(self._others[fd][0]):  # told once of each, so it is still among these
                self._claiming[fd] = self._others.pop(fd)
        self._may_come = [self._others] * min(others, len(self._others))
        self._may_come += [self._claiming] * min(claiming, len(self._claiming))

    def accept(self) -> tuple[socket.socket, Any]:
        """The next; `BlockingIOError` when nobody more may come in yet."""
        if not self._may_come:
            fault, self._fault = self._fault or BlockingIOError(), None
            raise fault
        waiting = self._may_come.pop()
        fd = next(iter(waiting))
        (self._claimed.add if waiting is self._claiming else self._claimed.discard)(fd)
        self._unheard.unregister(fd)
        return waiting.pop(fd)

    def claimed(self, fd: int) -> bool:
        """Whether this connection, just accepted, claims a token; asked once."""
        found = fd in self._claimed
        self._claimed.discard(fd)
        return found

    def close(self) -> None:
        """Hang up on all who still wait."""
        self._may_come.clear()
        for waiting in (self._claiming, self._others):
            while waiting:
                waiting.popitem()[1][0].close()
        self._unheard.close()
        super().close()

    def _take_in(self) -> None:
        try:
            for _ in range(min(_AT_ONCE, self._most - len(self))):
                came = super().accept()
                self._others[came[0].fileno()] = came
                self._unheard.register(came[0], select.EPOLLIN | select.EPOLLONESHOT)
        except BlockingIOError:
            pass
        except OSError as fault:  # no more files, say: asyncio knows what to do then
            self._fault = fault


def _claims(connection: socket.socket) -> bool:
    try:
        return _CLAIM in connection.recv(_LOOKED_AT, socket.MSG_PEEK | socket.MSG_DONTWAIT).lower()
    except OSError:  # it has gone
        return False


def _places() -> int:
    """How many may wait, after the limit on open files has been raised as far as is useful and allowed."""
    import resource  # noqa: PLC0415 - not on Windows, where none of this is used

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _WANTED_FILES:
        soft = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(_WANTED_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(64, min(2048, soft - _FILES_FOR_OTHERS))
