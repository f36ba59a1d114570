"""The event loop of `http`: in one turn it hears few of the strangers that are ready, and everybody else.

A call takes some twenty turns of the loop, and in each of them waits for whatever else is ready: without a bound, that
is hundreds of strangers who speak at once. Linux only; elsewhere asyncio's own loop hears all.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import socket
import sys
from collections import ChainMap
from collections.abc import Mapping
from typing import Any, Final, cast

ACCEPTED: Final = 1
"""Connections accepted when the listening socket is heard, as asyncio is told; some Pythons accept one more."""
STRANGERS_FOR_A_CALLER: Final = 4
"""Strangers heard in one turn for each of the others that are ready: they take about as long, and few are kept waiting
who come anew while many call."""


class Turns(selectors.BaseSelector):
    """Reports all others that are ready, and few strangers, at least one: those that have waited for longest.

    The listening socket is a stranger as well: it waits for those that it has let in.
    """

    def __init__(self) -> None:
        self._others = selectors.EpollSelector()
        # Of what is ready in one epoll and does not fit into a report, the kernel tells first next time.
        self._ready = select.epoll()
        self._others.register(self._ready, selectors.EVENT_READ)
        self._strangers: set[int] = set()
        self._listener = -1
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def defer(self, fd: int, *, listens: bool = False) -> None:
        """This one, not registered yet, is a stranger (or lets strangers in) until `admit` or `forget`."""
        self._strangers.add(fd)
        if listens:
            self._listener = fd

    def admit(self, fd: int) -> None:
        """This one is a stranger no more."""
        key = self._keys.get(fd)
        if key is not None:
            self.unregister(fd)
        self._strangers.discard(fd)
        if key is not None:
            self.register(fd, key.events, key.data)

    def forget(self, fd: int) -> None:
        """This one, unregistered already, is about to be closed: the next with its number is somebody else."""
        self._strangers.discard(fd)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """See `selectors`."""
        if fileobj not in self._strangers:
            return self._others.register(fileobj, events, data)
        self._ready.register(fileobj, _mask(events))
        self._keys[fileobj] = selectors.SelectorKey(fileobj, fileobj, events, data)
        return self._keys[fileobj]

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """See `selectors`."""
        if fileobj not in self._keys:
            return self._others.unregister(fileobj)
        self._ready.unregister(fileobj)
        return self._keys.pop(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """See `selectors`."""
        if fileobj not in self._keys:
            return self._others.modify(fileobj, events, data)
        self._ready.modify(fileobj, _mask(events))
        self._keys[fileobj] = selectors.SelectorKey(fileobj, fileobj, events, data)
        return self._keys[fileobj]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See `selectors`."""
        told = self._others.select(timeout)
        found = [(key, events) for key, events in told if key.fileobj is not self._ready]
        if len(found) < len(told):
            most = max(1, STRANGERS_FOR_A_CALLER * len(found))
            heard = [self._report(fd, mask) for fd, mask in self._ready.poll(0, most)]
            # Told twice, asyncio accepts twice: it does where fewer have spoken than may be heard.
            more = [each for each in heard if each[0].fd == self._listener] * (most - len(heard))
            found += heard + more
        return found

    def close(self) -> None:
        """See `selectors`."""
        self._others.close()
        self._ready.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """See `selectors`."""
        return ChainMap(self._keys, cast("dict[Any, selectors.SelectorKey]", self._others.get_map()))

    def _report(self, fd: int, mask: int) -> tuple[selectors.SelectorKey, int]:
        # As in `selectors`: a fault is told to whoever waits for either.
        reads, writes = mask & ~select.EPOLLOUT, mask & ~select.EPOLLIN
        events = (selectors.EVENT_READ if reads else 0) | (selectors.EVENT_WRITE if writes else 0)
        return self._keys[fd], events & self._keys[fd].events


def _mask(events: int) -> int:
    reads, writes = events & selectors.EVENT_READ, events & selectors.EVENT_WRITE
    return (select.EPOLLIN if reads else 0) | (select.EPOLLOUT if writes else 0)


class Loop(asyncio.SelectorEventLoop):
    """asyncio's own, with `turns` as its selector."""

    def __init__(self) -> None:
        self.turns = Turns()
        super().__init__(self.turns)


def defer(listener: socket.socket) -> None:
    """Have those whom it lets in wait for their turn; on the running loop, before anybody is accepted."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, Loop):
        loop.turns.defer(listener.fileno(), listens=True)


LOOP: Final = Loop if sys.platform == "linux" else None
"""What makes the loop of `http`; None: asyncio's choice."""
