"""Whose turn it is on the event loop of `http`: a known caller waits for few strangers, each stranger has its turn."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import selectors
import socket
import threading
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from kit import http_server, until
from tiktok_pinned_videos.listening import Server, listen
from tiktok_pinned_videos.serve.connections import Connection, admit
from tiktok_pinned_videos.serve.turns import (
    ACCEPTED,
    CALLERS_FOR_A_STRANGER,
    CLAIMANTS_FOR_A_CALLER,
    LOOP,
    Turns,
    queued,
)

pytestmark = pytest.mark.skipif(LOOP is None, reason="asyncio's own event loop elsewhere")


@pytest.fixture
def turns() -> Iterator[Turns]:
    with contextlib.closing(Turns()) as made:
        yield made


@pytest.fixture
def ready() -> Iterator[list[int]]:
    """Sockets with something to read."""
    with contextlib.ExitStack() as stack:
        pairs = [socket.socketpair() for _ in range(24)]
        for end in (end for pair in pairs for end in pair):
            stack.enter_context(end)
        for ours, theirs in pairs:
            ours.setblocking(False)
            theirs.send(b"x")
        yield [ours.fileno() for ours, _ in pairs]


def seen(turns: Turns) -> list[Any]:
    """What is reported where the loop has nothing else to do."""
    return [key.data for key, _ in turns.select(0.001)]


def test_of_the_strangers_that_are_ready_few_are_reported_at_a_time_and_each_in_its_turn(
    turns: Turns, ready: list[int]
) -> None:
    for fd in ready:
        turns.defer(fd)
        turns.register(fd, selectors.EVENT_READ, fd)

    rounds = [[fd for _ in ready for fd in seen(turns)] for _ in range(3)]

    assert [sorted(each) for each in rounds] == [sorted(ready)] * 3


def test_while_the_loop_has_something_to_do_every_second_turn_is_without_strangers(
    turns: Turns, ready: list[int]
) -> None:
    turns.defer(ready[0])
    turns.register(ready[0], selectors.EVENT_READ, "stranger")
    turns.register(ready[1], selectors.EVENT_READ, "known")
    with_a_caller = [len(turns.select(0)) for _ in range(3)]
    turns.unregister(ready[1])

    assert with_a_caller == [2, 2, 2]
    assert [len(turns.select(0)) for _ in range(5)] == [0, 1, 0, 1, 0]


def test_who_is_known_is_reported_in_every_turn_and_who_is_admitted_from_then_on(
    turns: Turns, ready: list[int]
) -> None:
    known, *strangers = ready
    turns.register(known, selectors.EVENT_READ, known)
    for fd in strangers:
        turns.defer(fd)
        turns.register(fd, selectors.EVENT_READ, fd)

    before = [seen(turns) for _ in range(4)]
    turns.admit(strangers[-1])
    after = [seen(turns) for _ in range(4)]

    assert all(known in each and len(each) == 2 for each in before)
    assert all({known, strangers[-1]} <= set(each) and len(each) == 3 for each in after)


class Door:
    """A listening socket whose queue is heard, and who comes to it."""

    def __init__(self, turns: Turns, stack: contextlib.ExitStack) -> None:
        self._turns = turns
        self._stack = stack
        self.queue = stack.enter_context(turns.accept_queue(listen("127.0.0.1", 0)))
        self.queue.setblocking(False)
        self.queue.listen(128)
        turns.register(self.queue.fileno(), selectors.EVENT_READ, "door")

    def comes(self, *said: bytes) -> None:
        for words in said:
            connection = self._stack.enter_context(socket.create_connection(self.queue.getsockname()))
            connection.sendall(words)

    def accept_all(self) -> list[int]:
        """Those who may be accepted in this turn, as connections that are waited for."""
        found = [connection.fileno() for connection in self._accepted()]
        for fd in found:
            self._turns.defer(fd)
            self._turns.register(fd, selectors.EVENT_READ, fd)
        return found

    def let_in(self, *, admits: bytes | None = None) -> list[bytes]:
        """What those have said who may be accepted in this turn. Who says `admits` is, all others are refused."""
        found: list[bytes] = []
        for connection in self._accepted():
            found.append(connection.recv(100))
            self._turns.defer(connection.fileno())
            if found[-1] == admits:
                self._turns.admit(connection.fileno())
            self._turns.forget(connection.fileno())
        return found

    def _accepted(self) -> Iterator[socket.socket]:
        told = seen(self._turns)
        with contextlib.suppress(BlockingIOError):
            while "door" in told:
                yield self._stack.enter_context(self.queue.accept()[0])


@pytest.fixture
def door(turns: Turns) -> Iterator[Door]:
    with contextlib.ExitStack() as stack:
        yield Door(turns, stack)


def test_who_claims_a_token_is_let_in_before_all_who_claim_none(door: Door) -> None:
    claims = [b"POST / HTTP/1.1\r\n%s: Bearer %d\r\n" % (b"aUTHORIZATION", number) for number in range(3)]
    strangers = [b"POST / HTTP/1.1\r\nHost: %d; authorization: no\r\n" % number for number in range(3)]
    door.comes(*strangers, *claims)

    assert [door.let_in() for _ in range(4)] == [
        [claims[0], strangers[0]],
        [claims[1], strangers[1]],
        [claims[2], strangers[2]],
        [],
    ]


def test_whose_token_was_good_before_is_let_in_before_all_others_until_it_is_refused(door: Door) -> None:
    good, *invented = [b"POST / HTTP/1.1\r\nAuthorization: Bearer %d\r\n" % number for number in range(4)]
    door.comes(good)
    assert door.let_in(admits=good) == [good]

    door.comes(*invented, good, good)
    assert [door.let_in(admits=good) for _ in range(4)] == [[good, good, invented[0]], [invented[1]], [invented[2]], []]
    door.comes(invented[0], good)
    assert door.let_in() == [good, invented[0]]
    door.comes(invented[0], good)
    assert [door.let_in(), door.let_in()] == [[invented[0]], [good]]  # it was refused


def test_whose_token_was_good_before_is_heard_in_every_turn(door: Door, turns: Turns) -> None:
    good, *invented = [b"\nAuthorization: Bearer %d\r\n" % number for number in range(9)]
    door.comes(good)
    door.let_in(admits=good)
    door.comes(*invented)
    strangers = [fd for _ in invented for fd in door.accept_all()]
    door.comes(good)
    newcomer = door.accept_all()[0]

    assert len(strangers) == len(invented)
    assert all(newcomer in seen(turns) for _ in invented)


def test_a_token_that_is_claimed_after_a_while_is_seen_as_well(door: Door, turns: Turns) -> None:
    door.comes(b"a", b"b", b"c")
    assert door.let_in() == [b"a"]
    door.comes(b"POST / HTTP/1.1\r\nAuthorization: x")

    assert door.let_in() == [b"POST / HTTP/1.1\r\nAuthorization: x", b"b"]
    assert turns.select(600) != []  # somebody still waits: the loop does not sleep
    assert door.let_in() == [b"c"]


def test_somebody_comes_in_though_strangers_who_are_in_speak_all_the_time(
    door: Door, turns: Turns, ready: list[int]
) -> None:
    for fd in ready:
        turns.defer(fd)
        turns.register(fd, selectors.EVENT_READ, fd)
    door.comes(b"x", b"y")

    assert list(chain.from_iterable(door.let_in() for _ in range(5))) == [b"x", b"y"]


def test_that_there_are_no_files_left_is_told_once_to_asyncio_which_waits_then(door: Door, turns: Turns) -> None:
    import resource

    door.comes(b"x", b"\nauthorization: y")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as next_one:
        most = next_one.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        assert seen(turns) == ["door"]
        with pytest.raises(OSError, match="Too many open files"):
            door.queue.accept()
        with pytest.raises(BlockingIOError):
            door.queue.accept()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert door.let_in() == [b"\nauthorization: y", b"x"]


def test_the_more_callers_the_more_come_in_and_are_heard_who_claim_a_token(
    door: Door, turns: Turns, ready: list[int]
) -> None:
    for fd in ready[:4]:
        turns.register(fd, selectors.EVENT_READ, "known")
    places = 4 * CLAIMANTS_FOR_A_CALLER
    door.comes(*[b"\nauthorization: y"] * (places + 4))

    assert len(door.accept_all()) == places
    heard = seen(turns)
    assert (heard.count("known"), len(set(heard) - {"known", "door"})) == (4, places)
    assert len(door.accept_all()) == 4


@pytest.mark.parametrize(
    ("callers", "at_once"), [(1, 1), (CALLERS_FOR_A_STRANGER + 1, 1), (CALLERS_FOR_A_STRANGER * 2, 2)]
)
def test_two_strangers_are_heard_for_each_that_comes_in_few_for_many_callers(
    door: Door, turns: Turns, ready: list[int], callers: int, at_once: int
) -> None:
    known, strangers = ready[:callers], ready[callers:]
    for fd in known:
        turns.register(fd, selectors.EVENT_READ, "known")
    for fd in strangers:
        turns.defer(fd)
        turns.register(fd, selectors.EVENT_READ, fd)
    door.comes(*[b"x"] * 10)

    come_in = [len(door.let_in()) for _ in range(9)]
    heard = [len(set(strangers) & set(seen(turns))) for _ in range(9)]

    assert sorted(come_in) == [0] * 6 + [at_once] * 3
    assert sorted(heard) == [0] * 3 + [at_once] * 6


def test_a_stranger_is_waited_for_as_it_is_told(turns: Turns, ready: list[int]) -> None:
    fd = ready[0]
    turns.defer(fd)
    turns.register(fd, selectors.EVENT_READ | selectors.EVENT_WRITE, "both")
    assert [(key.data, events) for key, events in turns.select(0.001)] == [("both", 3)]
    turns.modify(fd, selectors.EVENT_WRITE, "writes")
    assert [(key.data, events) for key, events in turns.select(0.001)] == [("writes", selectors.EVENT_WRITE)]
    assert turns.get_key(fd).data == "writes"
    turns.unregister(fd)
    assert (seen(turns), fd in turns.get_map()) == ([], False)
    turns.forget(fd)
    turns.register(fd, selectors.EVENT_READ, "somebody else")
    turns.defer(ready[1])
    turns.register(ready[1], selectors.EVENT_READ, "a stranger")
    assert sorted(seen(turns)) == ["a stranger", "somebody else"]
    turns.modify(ready[0], selectors.EVENT_WRITE, "now writes")
    turns.unregister(ready[1])
    assert seen(turns) == ["now writes"]


@pytest.mark.parametrize(("secret", "epolls"), [("", 1), ("correct-horse-battery-staple", 5)])
def test_where_callers_are_not_authenticated_nobody_is_a_stranger(secret: str, epolls: int) -> None:
    with http_server(env={"MCP_BEARER_TOKEN": secret}) as server:
        files = [str(each.readlink()) for each in Path(f"/proc/{server.process.pid}/fd").iterdir()]

    assert files.count("anon_inode:[eventpoll]") == epolls


class Served:
    """A server that admits whoever asks for `/known`, notes who asks, and stands still when told to."""

    _accepting: socket.socket

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.port = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/known":
            admit(scope)
        self.asked.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        config = uvicorn.Config(self, http=Connection, lifespan="off", ws="none", log_config=None, backlog=ACCEPTED)
        started = threading.Event()
        server = Server(config, started.set)
        with listen("127.0.0.1", 0) as listener:
            self.port = listener.getsockname()[1]

            async def run() -> None:
                self._loop = asyncio.get_running_loop()
                self._accepting = queued(listener)
                await server.serve(sockets=[self._accepting])

            def run_here() -> None:
                with asyncio.Runner(loop_factory=LOOP) as runner:
                    runner.run(run())

            thread = threading.Thread(target=run_here)
            thread.start()
            assert started.wait(30)
            self._accepting.listen(1024)
            try:
                yield
            finally:
                server.should_exit = True
                thread.join(30)

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """What arrives meanwhile is there in the next turn."""
        assert self._loop is not None
        stands, goes_on = threading.Event(), threading.Event()

        def stand() -> None:
            stands.set()
            goes_on.wait(30)

        self._loop.call_soon_threadsafe(stand)
        assert stands.wait(30)
        try:
            yield
        finally:
            goes_on.set()

    def connect(self, stack: contextlib.ExitStack) -> socket.socket:
        return stack.enter_context(socket.create_connection(("127.0.0.1", self.port), timeout=30))


def ask(connection: socket.socket, path: str, *more: str) -> None:
    connection.sendall("\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *more, "", ""]).encode())


def is_answered(connection: socket.socket) -> bool:
    return connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_known_caller_waits_for_few_of_the_strangers_who_spoke_before() -> None:
    server = Served()
    with server.running(), contextlib.ExitStack() as stack:
        known, *strangers = connections = [server.connect(stack) for _ in range(60)]
        for number, connection in enumerate(connections):
            ask(connection, f"/{number or 'known'}")
            assert is_answered(connection)
        server.asked.clear()

        with server.standing_still():
            for stranger in strangers:
                ask(stranger, "/stranger")
            ask(known, "/known")

        assert all(map(is_answered, connections))

    assert server.asked.index("/known") <= 1
    assert server.asked.count("/stranger") == len(strangers)


def test_a_newcomer_that_has_spoken_is_heard_before_others_push_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiktok_pinned_videos.serve.connections.MOST_STRANGERS", 16)
    server = Served()
    with server.running(), contextlib.ExitStack() as stack:
        strangers = [server.connect(stack) for _ in range(16)]
        for stranger in strangers:
            ask(stranger, "/stranger")
            assert is_answered(stranger)

        with server.standing_still():
            for stranger in strangers:
                ask(stranger, "/stranger")
            newcomer = server.connect(stack)
            ask(newcomer, "/known")
            for _ in range(64):
                server.connect(stack)

        assert is_answered(newcomer)


def test_a_newcomer_whose_token_was_good_before_waits_for_few_who_invent_one() -> None:
    server = Served()
    good = "Authorization: Bearer good"
    with server.running(), contextlib.ExitStack() as stack:
        first = server.connect(stack)
        ask(first, "/known", good)
        assert is_answered(first)
        server.asked.clear()
        with server.standing_still():
            strangers = [server.connect(stack) for _ in range(100)]
            for number, stranger in enumerate(strangers):
                ask(stranger, "/stranger", f"Authorization: Bearer {number}")
            newcomers = [server.connect(stack) for _ in range(5)]
            for newcomer in newcomers:
                ask(newcomer, "/known", good)

        assert all(map(is_answered, [*newcomers, *strangers]))

    assert server.asked[:20].count("/known") == len(newcomers)
    assert server.asked.count("/stranger") == len(strangers)


def test_who_has_gone_leaves_nothing_to_the_garbage_collector_which_takes_long_among_thousands() -> None:
    def kept() -> int:
        names = {"_SelectorSocketTransport", "Connection", "BlockingIOError"}
        return len([each for each in gc.get_objects() if type(each).__name__ in names])

    server = Served()
    gc.collect()
    before = kept()
    gc.disable()
    try:
        with server.running():
            for said in ("/stranger", "/known", ""):
                with contextlib.ExitStack() as stack:
                    for connection in [server.connect(stack) for _ in range(20)]:
                        if said:
                            ask(connection, said)
                            assert is_answered(connection)
                        else:
                            connection.sendall(b"half a he")
            asyncio.run(until(lambda: kept() <= before))
    finally:
        gc.enable()


@pytest.mark.parametrize("are_in", [True, False])
def test_a_newcomer_with_a_token_waits_for_few_of_the_strangers_who_spoke_before(are_in: bool) -> None:
    server = Served()
    with server.running(), contextlib.ExitStack() as stack:
        strangers = [server.connect(stack) for _ in range(100 if are_in else 0)]
        for stranger in strangers:
            ask(stranger, "/before")
            assert is_answered(stranger)
        server.asked.clear()
        with server.standing_still():
            strangers += [server.connect(stack) for _ in range(0 if are_in else 100)]
            for stranger in strangers:
                ask(stranger, "/stranger")
            newcomer = server.connect(stack)
            ask(newcomer, "/newcomer", "Authorization: Bearer any")

        assert is_answered(newcomer)
        assert all(map(is_answered, strangers))

    assert server.asked.index("/newcomer") < 20
    assert server.asked.count("/stranger") == len(strangers)
