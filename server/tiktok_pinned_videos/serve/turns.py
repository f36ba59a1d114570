"""The event loop of `http`: in one turn it hears few of the strangers that are ready, and everybody else.

A call takes some twenty turns of the loop, and in each of them waits for whatever else is ready: without a bound, that
is hundreds of strangers who speak at once. Linux only; elsewhere asyncio's own loop hears all.
"""

from __future__ import annotations

import asyncio
import itertools
import select
import selectors
import socket
import sys
from collections import ChainMap
from collections.abc import Mapping
from typing import Any, Final, TypeAlias, cast

from .accept_queue import AcceptQueue, Tokens

ACCEPTED: Final = 64
"""Connections accepted when the listening socket is heard, as asyncio is told; `AcceptQueue` ends it before that."""
CLAIMANTS_FOR_A_CALLER: Final = 4
"""Strangers who claim a token, as many as are heard in one turn for each of the others that are ready: they take about
as long, and few are kept waiting who come anew while many call."""
CALLERS_FOR_A_STRANGER: Final = 4
"""Others that are ready, for one stranger without a token: under load, probes and preflights get on as well."""

Reports: TypeAlias = list[tuple[selectors.SelectorKey, int]]


class Turns(selectors.BaseSelector):
    """Reports all others that are ready, and few strangers, those that have waited for longest.

    Of strangers that claim no token, the fewest are reported or come in; those that claim one wait apart from them.
    """

    def __init__(self) -> None:
        self._others = selectors.EpollSelector()
        self._silent, self._claiming, self._door = _Strangers(), _Strangers(), _Strangers()
        self._ready = {each.ready for each in (self._silent, self._claiming, self._door)}
        for ready in self._ready:
            self._others.register(ready, selectors.EVENT_READ)
        self._strangers: dict[int, _Strangers] = {}
        self._tokens = Tokens()
        self._queue: AcceptQueue | None = None
        # To come in takes about as long as to be heard. Who came in is heard before others push it out.
        self._comes_in = itertools.cycle((True, False, False))
        self._rests = False

    def accept_queue(self, listener: socket.socket) -> AcceptQueue:
        """The same listening socket, where strangers come from; the one given is not used any more."""
        self._queue = AcceptQueue(listener, self._tokens)
        return self._queue

    def defer(self, fd: int) -> None:
        """This one, not registered yet, is a stranger until `admit` or `forget`, unless its token was good before."""
        if not self._tokens.known(fd):
            self._strangers[fd] = self._claiming if self._tokens.any(fd) else self._silent

    def admit(self, fd: int) -> None:
        """This one is a stranger no more."""
        self._tokens.admit(fd)
        strangers = self._strangers.pop(fd, None)
        if strangers is not None and fd in strangers.keys:
            key = strangers.unregister(fd)
            self.register(fd, key.events, key.data)

    def forget(self, fd: int) -> None:
        """This one, unregistered already, is about to be closed: the next with its number is somebody else."""
        self._strangers.pop(fd, None)
        self._tokens.forget(fd)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """See `selectors`."""
        return self._of(fileobj).register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """See `selectors`."""
        return self._of(fileobj).unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """See `selectors`."""
        return self._of(fileobj).modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> Reports:
        """See `selectors`."""
        queue = self._queue if self._door.keys else None
        waiting = queue is not None and len(queue) > 0
        told = self._others.select(0 if waiting else timeout)
        found = [(key, events) for key, events in told if key.fileobj not in self._ready]
        # Where the loop has something to do, but not for a caller who is ready now, every second turn is without any.
        self._rests = timeout == 0 and not found and not self._rests
        if not self._rests and (waiting or len(found) < len(told)):
            most = max(1, CLAIMANTS_FOR_A_CALLER * len(found))
            fewest = max(1, len(found) // CALLERS_FOR_A_STRANGER)
            silent = self._silent.report(0 if waiting and next(self._comes_in) else fewest)
            found += self._claiming.report(most) + silent
            if queue is not None:
                queue.let_in(claiming=most, others=fewest - len(silent))
                found += [(key, selectors.EVENT_READ) for key in self._door.keys.values()]
        return found

    def close(self) -> None:
        """See `selectors`."""
        self._others.close()
        for ready in self._ready:
            ready.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """See `selectors`."""
        others = cast("dict[Any, selectors.SelectorKey]", self._others.get_map())
        return ChainMap(self._silent.keys, self._claiming.keys, self._door.keys, others)

    def _of(self, fileobj: Any) -> Any:
        """Where it is registered, or is to be."""
        listens = self._queue is not None and fileobj == self._queue.fileno()
        return self._door if listens else self._strangers.get(fileobj, self._others)


class _Strangers:
    """Of what is ready in one epoll and does not fit into a report, the kernel tells first next time."""

    def __init__(self) -> None:
        self.ready = select.epoll()
        self.keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fd: int, events: int, data: Any) -> selectors.SelectorKey:
        self.ready.register(fd, _mask(events))
        self.keys[fd] = selectors.SelectorKey(fd, fd, events, data)
        return self.keys[fd]

    def unregister(self, fd: int) -> selectors.SelectorKey:
        self.ready.unregister(fd)
        return self.keys.pop(fd)

    def modify(self, fd: int, events: int, data: Any) -> selectors.SelectorKey:
        self.ready.modify(fd, _mask(events))
        self.keys[fd] = selectors.SelectorKey(fd, fd, events, data)
        return self.keys[fd]

    def report(self, most: int) -> Reports:
        ready = self.ready.poll(0, most) if most else ()
        return [(self.keys[fd], _events(mask) & self.keys[fd].events) for fd, mask in ready]


def _mask(events: int) -> int:
    reads, writes = events & selectors.EVENT_READ, events & selectors.EVENT_WRITE
    return (select.EPOLLIN if reads else 0) | (select.EPOLLOUT if writes else 0)


def _events(mask: int) -> int:
    # As in `selectors`: a fault is told to whoever waits for either.
    reads, writes = mask & ~select.EPOLLOUT, mask & ~select.EPOLLIN
    return (selectors.EVENT_READ if reads else 0) | (selectors.EVENT_WRITE if writes else 0)


class Loop(asyncio.SelectorEventLoop):
    """asyncio's own, with `turns` as its selector."""

    def __init__(self) -> None:
        self.turns = Turns()
        super().__init__(self.turns)


def queued(listener: socket.socket) -> socket.socket:
    """The same listening socket as this loop accepts from it; the one given is not used any more."""
    loop = asyncio.get_running_loop()
    return loop.turns.accept_queue(listener) if isinstance(loop, Loop) else listener


LOOP: Final = Loop if sys.platform == "linux" else None
"""What makes the loop of `http` where callers are authenticated; None: asyncio's choice."""
