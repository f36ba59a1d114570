"""The accept queue of `http`, held in the process: first comes in who sends a token that was good before, then who
sends any, then all others.

The kernel hands out connections in the order in which they came, so a caller would wait for each of a thousand
strangers to be accepted, parsed and refused. To take one out of the kernel and to look at its first bytes, without
reading them, costs a hundredth of that. Whether a token is good is judged afterwards, as ever: this is only about who
comes first. A token is remembered as a number, its hash.
"""

from __future__ import annotations

import select
import socket
from typing import Any, Final, TypeAlias

_AT_ONCE: Final = 64
"""Connections taken out of the kernel, and looked at, in one turn of the loop: about a millisecond."""
_LOOKED_AT: Final = 4096
"""Bytes, of which the kernel keeps all."""
_HEADER: Final = b"\nauthorization:"
_REMEMBERED: Final = 1024
"""Tokens that were good, those that were used last on a new connection."""
_FILES_FOR_OTHERS: Final = 512
"""File descriptors that are left for connections that are in, for the store and for TikTok."""
_WANTED_FILES: Final = 4096

_Waiting: TypeAlias = dict[int, tuple[socket.socket, Any]]
"""What `accept` returns, by file descriptor, in the order in which they came."""


class Tokens:
    """Which connections that are not admitted yet have sent a token, and which tokens were good before."""

    def __init__(self) -> None:
        self._sent: dict[int, int] = {}
        self._good: dict[int, None] = {}

    def sent(self, fd: int, token: int) -> None:
        """This connection has sent the token with that hash."""
        self._sent[fd] = token

    def any(self, fd: int) -> bool:
        """Whether it has sent one."""
        return fd in self._sent

    def known(self, fd: int) -> bool:
        """Whether it has sent one that was good before."""
        return self._sent.get(fd) in self._good

    def admit(self, fd: int) -> None:
        """The one it has sent is good."""
        token = self._sent.pop(fd, None)
        if token is not None:
            self._good.pop(token, None)
            self._good[token] = None
            if len(self._good) > _REMEMBERED:
                del self._good[next(iter(self._good))]

    def forget(self, fd: int) -> None:
        """This connection has gone; if it was not admitted, the one it has sent is no longer known to be good."""
        token = self._sent.pop(fd, None)
        if token is not None:
            self._good.pop(token, None)


class AcceptQueue(socket.socket):
    """A listening socket, taken over from `listener`, with an order of its own. Linux only."""

    def __init__(self, listener: socket.socket, tokens: Tokens) -> None:
        super().__init__(listener.family, listener.type, listener.proto, fileno=listener.detach())
        self._tokens = tokens
        self._most = _places()
        self._unheard = select.epoll()
        self._known: _Waiting = {}
        self._claiming: _Waiting = {}
        self._others: _Waiting = {}
        self._may_come: list[_Waiting] = []
        self._fault: OSError | None = None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._known) + len(self._claiming) + len(self._others)

    def let_in(self, *, claiming: int, others: int) -> None:
        """So many who claim a token and who claim none may be accepted until the next time, and all who are known."""
        self._take_in()
        for fd, _ in self._unheard.poll(0, _AT_ONCE):
            token = _token(self._others[fd][0])  # told once of each, so it is still among these
            if token is not None:
                self._tokens.sent(fd, token)
                (self._known if self._tokens.known(fd) else self._claiming)[fd] = self._others.pop(fd)
        self._may_come = [self._others] * min(others, len(self._others))
        self._may_come += [self._claiming] * min(claiming, len(self._claiming))
        self._may_come += [self._known] * len(self._known)

    def accept(self) -> tuple[socket.socket, Any]:
        """The next; `BlockingIOError` when nobody more may come in yet."""
        if not self._may_come:
            raise self._why_nobody()
        waiting = self._may_come.pop()
        fd = next(iter(waiting))
        self._unheard.unregister(fd)
        return waiting.pop(fd)

    def _why_nobody(self) -> OSError:
        # Not in `accept`: a frame that holds what it raises stays, with all it knows, until garbage is collected.
        fault, self._fault = self._fault or BlockingIOError(), None
        return fault

    def close(self) -> None:
        """Hang up on all who still wait."""
        self._may_come.clear()
        for waiting in (self._known, self._claiming, self._others):
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


def _token(connection: socket.socket) -> int | None:
    """The hash of what it sends as `Authorization`; None: nothing."""
    try:
        seen = connection.recv(_LOOKED_AT, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:  # it has gone
        return None
    at = seen.lower().find(_HEADER)
    return None if at < 0 else hash(seen[at + len(_HEADER) :].partition(b"\n")[0].strip())


def _places() -> int:
    """How many may wait, after the limit on open files has been raised as far as is useful and allowed."""
    import resource  # noqa: PLC0415 - not on Windows, where none of this is used

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _WANTED_FILES:
        soft = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(_WANTED_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(64, min(2048, soft - _FILES_FOR_OTHERS))
