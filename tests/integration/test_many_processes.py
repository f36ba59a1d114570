"""Real servers in processes of their own, sharing one Redis or one file: one budget, one token, one request each."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import signal
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from kit.calls import ERAS, KEY, SECRET, Era, ask, data
from kit.processes import COMMAND, environment, http_server, yardstick
from kit.programs import until
from kit.redis_server import RedisServer
from kit.tiktok import MANY, Asked, TikTok, pinned, tiktok
from kit.upstream import Reply

pytestmark = [pytest.mark.anyio, pytest.mark.processes]


class Server:
    """`tiktok-pinned-videos-mcp stdio` in a process of its own, spoken to in JSON-RPC."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.log: list[str] = []
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._readers = [asyncio.create_task(self._read()), asyncio.create_task(self._read_log())]

    async def greet(self) -> None:
        greeting = {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
        }  # fmt: skip
        await self.request("initialize", greeting)
        self._send({"method": "notifications/initialized"})

    async def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        number = next(self._ids)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send({"id": number, "method": method, "params": params})
        return await answer

    async def get(self, username: str, **arguments: Any) -> str:
        """The status of an account."""
        called = {"name": "get_pinned_videos", "arguments": {"username": username, **arguments}}
        result = (await self.request("tools/call", called))["result"]
        if result.get("isError"):
            return result["content"][0]["text"].partition(":")[0]
        return result["structuredContent"]["status"]

    async def status(self) -> dict[str, Any]:
        result = (await self.request("resources/read", {"uri": "tiktok://status"}))["result"]
        return json.loads(result["contents"][0]["text"])

    def end(self) -> None:
        """SIGKILL."""
        if self.process.returncode is None:
            self.process.kill()

    async def closed(self) -> None:
        """Wait until nothing of it is left, its pipes included."""
        await self.process.wait()
        await asyncio.gather(*self._readers, return_exceptions=True)
        for waiting in self._waiting.values():
            waiting.cancel()
        self.process._transport.close()  # type: ignore[attr-defined]  # pyright: ignore  # it has no public way

    async def kill(self) -> None:
        """Both."""
        self.end()
        await self.closed()

    def lines(self, word: str) -> list[str]:
        return [line for line in self.log if word in line]

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            message = json.loads(line)
            if "id" in message and "method" not in message:
                self._waiting.pop(message["id"]).set_result(message)

    async def _read_log(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.log.append(line.decode("utf-8", errors="replace").rstrip("\n"))


@contextlib.asynccontextmanager
async def servers(upstream: TikTok, count: int, state: str, **env: str) -> AsyncGenerator[list[Server]]:
    """So many of them, ready to be called; killed in the end."""
    told = environment(
        TIKTOK_CLIENT_KEY=KEY, TIKTOK_CLIENT_SECRET=SECRET, TIKTOK_API_BASE_URL=upstream.url, TIKTOK_STATE=state, **env
    )
    started: list[Server] = []
    try:
        for _ in range(count):
            pipe = asyncio.subprocess.PIPE
            process = await asyncio.create_subprocess_exec(
                *COMMAND, "stdio", stdin=pipe, stdout=pipe, stderr=pipe, env=told, limit=1 << 20
            )
            started.append(Server(process))
        async with asyncio.timeout(60):
            await asyncio.gather(*(server.greet() for server in started))
        yield started
    finally:
        # All of them, even when the test is cancelled while it waits for the first.
        for server in started:
            server.end()
        await asyncio.shield(asyncio.gather(*(server.closed() for server in started), return_exceptions=True))


def spread(fleet: Sequence[Server], names: Sequence[str]) -> list[tuple[Server, str]]:
    """Each name with a server, in turn."""
    return list(zip(itertools.cycle(fleet), names, strict=False))


async def test_three_servers_on_one_redis_ask_once_for_each_account_with_one_token(
    redis_server: RedisServer,
) -> None:
    async with tiktok(latency=0.05) as upstream, servers(upstream, 3, redis_server.url) as fleet:
        # Ten accounts, each asked for six times, twice by every server.
        calls = [(server, name) for name in MANY[:10] for server in fleet * 2]
        told = await asyncio.gather(*(server.get(name) for server, name in calls))

        assert told == ["found"] * 60
        assert sorted(upstream.names) == sorted(MANY[:10])
        assert len(upstream.wire.token_requests) == 1
        assert [(await server.status())["quota"]["used_today"] for server in fleet] == [10, 10, 10]


async def test_a_daily_quota_holds_for_three_servers_together(
    redis_server: RedisServer,
) -> None:
    async with tiktok() as upstream, servers(upstream, 3, redis_server.url, TIKTOK_DAILY_QUOTA="25") as fleet:
        told = await asyncio.gather(*(server.get(name) for server, name in spread(fleet, MANY[:45])))

        assert sorted(told) == ["found"] * 25 + ["quota_exceeded"] * 20
        assert len(upstream.asked) == 25


async def test_when_redis_is_killed_every_call_is_answered_and_when_it_is_back_it_is_shared_again(
    redis_server: RedisServer,
) -> None:
    async with tiktok(latency=0.02) as upstream, servers(upstream, 2, redis_server.url) as fleet:
        one, other = fleet
        calls = [asyncio.create_task(server.get(name)) for server, name in spread(fleet, MANY[:30])]
        await upstream.first.wait()
        redis_server.kill()
        during = await asyncio.gather(*calls)
        during += await asyncio.gather(*(server.get(name) for server, name in spread(fleet, MANY[30:40])))
        redis_server.start()
        await shared_again(one, other)
        asked = len(upstream.asked)
        after = [await one.get("after"), await other.get("after")]
        used = [(await server.status())["quota"]["used_today"] for server in fleet]

        assert during == ["found"] * 40
        assert after == ["found", "found"]
        assert len(upstream.asked) == asked + 1
        assert used[0] == used[1] >= len(upstream.asked)
        for server in fleet:
            assert len(server.lines("State store lost")) == 1, server.log
            assert server.lines("Traceback") == []


async def shared_again(one: Server, other: Server) -> None:
    """Wait until both use the store."""
    while True:
        states = [(await server.status())["state"] for server in (one, other)]
        if not any("degraded" in state for state in states):
            return
        await asyncio.sleep(0.1)


@pytest.mark.skipif(sys.platform == "win32", reason="redis-server does not run there")
async def test_idle_servers_use_a_redis_that_is_back_within_three_seconds_and_then_ask_once_together(
    redis_server: RedisServer,
) -> None:
    env = {"LOG_LEVEL": "INFO"}
    async with tiktok(latency=0.05) as upstream, servers(upstream, 3, redis_server.url, **env) as fleet:
        for number, server in enumerate(fleet):
            await server.get(f"before{number}")
        redis_server.kill()
        # Nobody calls: they notice when they compare their counters.
        await until(lambda: all(server.lines("State store lost") for server in fleet))
        await asyncio.to_thread(redis_server.start)
        started, allowed = time.monotonic(), 3 + 20 * await asyncio.to_thread(yardstick)
        await until(lambda: all(server.lines("State store back") for server in fleet), within=60)
        took = time.monotonic() - started
        asked = len(upstream.asked)
        told = await asyncio.gather(*(server.get("after") for server in fleet * 3))

        assert took < allowed
        assert told == ["found"] * 9
        assert len(upstream.asked) == asked + 1
        assert [(await server.status())["quota"]["used_today"] for server in fleet] == [asked + 1] * 3


@pytest.mark.skipif(sys.platform == "win32", reason="there a process ends without a word")
@pytest.mark.parametrize("after", [False, True], ids=["during", "after"])
async def test_a_server_that_is_told_to_stop_says_first_what_it_counted_in_an_outage(
    redis_server: RedisServer, after: bool
) -> None:
    env = {"LOG_LEVEL": "INFO"}
    async with tiktok() as upstream, servers(upstream, 1, redis_server.url, **env) as (server,):
        await asyncio.gather(*(server.get(name) for name in MANY[:2]))
        redis_server.kill()
        await asyncio.gather(*(server.get(name) for name in MANY[2:7]))
        await asyncio.to_thread(redis_server.start)
        if after:
            await until(lambda: server.lines("State store back"))
        server.process.send_signal(signal.SIGTERM)
        code = await server.process.wait()
        (counter,) = await redis_server.command("KEYS", "tpv:*:used:*")

        assert code == 0
        assert int(await redis_server.command("GET", counter)) == len(upstream.asked) == 7


async def test_a_redis_user_of_one_prefix_is_enough_for_a_server(redis_server: RedisServer) -> None:
    await redis_server.command("ACL", "SETUSER", "mcp", "on", ">word", "~tpv:*", "+@all", "-scan")
    url = redis_server.url.replace("127", "mcp:word@127")
    async with tiktok() as upstream, servers(upstream, 2, url, LOG_LEVEL="INFO") as fleet:
        told = await asyncio.gather(*(server.get(name) for server, name in spread(fleet, MANY[:20])))
        again = await asyncio.gather(*(server.get(name) for server, name in spread(fleet, MANY[1:21])))
        states = [(await server.status())["state"] for server in fleet for _ in range(2)]

        assert told + again == ["found"] * 40
        assert len(upstream.asked) == 21
        assert not [state for state in states if "degraded" in state]
        for server in fleet:
            assert server.lines("State store") == []
            (line,) = server.lines("WARNING")
            assert "scan" in line.casefold()


@pytest.mark.soak
async def test_twelve_hundred_accounts_at_once_are_no_outage_and_paid_once(redis_server: RedisServer) -> None:
    names = [f"account{number}" for number in range(1200)]
    env = {"TIKTOK_DAILY_QUOTA": "5000", "TIKTOK_MAX_CONCURRENCY": "32", "TIKTOK_TIMEOUT": "100"}
    async with tiktok() as upstream, servers(upstream, 1, redis_server.url, **env) as (server,):
        for _ in range(2):
            told = await asyncio.gather(*(server.get(name) for name in names))

            assert told == ["found"] * 1200
            assert len(upstream.asked) == 1200
        assert (await server.status())["quota"]["used_today"] == 1200
        assert server.lines("WARNING") == []


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("way", ["stdio", "http"])
async def test_a_caller_that_has_left_finds_the_answer_it_has_paid_for(way: str, era: Era) -> None:
    async with tiktok(latency=1.2) as upstream, contextlib.AsyncExitStack() as stack:
        env = environment(
            TIKTOK_CLIENT_KEY=KEY, TIKTOK_CLIENT_SECRET=SECRET, TIKTOK_API_BASE_URL=upstream.url,
            TIKTOK_STATE="memory:",
        )  # fmt: skip
        place: Any
        if way == "http":
            place = stack.enter_context(http_server(env=env, sandbox=False)).url
        else:
            place = stdio_client(StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=env))
        client = await stack.enter_async_context(Client(place, mode=era))
        for _ in range(2):  # once on its way, and once more while it is
            call = asyncio.create_task(ask(client, "nasa"))
            await upstream.first.wait()
            await asyncio.sleep(0.2)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        await asyncio.sleep(2)
        told = data(await ask(client, "nasa"))

        assert told["cached"] is True
        assert upstream.names == ["nasa"]


async def test_two_servers_on_one_file_count_two_hundred_requests_exactly_and_keep_the_count(tmp_path: Path) -> None:
    state = f"sqlite:///{tmp_path}/state.db"
    names = [f"account{number}" for number in range(200)]
    async with tiktok() as upstream:
        async with servers(upstream, 2, state) as fleet:
            told = await asyncio.gather(*(server.get(name) for server, name in spread(fleet, names)))
            used = [(await server.status())["quota"]["used_today"] for server in fleet]

            assert told == ["found"] * 200
            assert used == [200, 200]
            assert len(upstream.asked) == 200
            assert [server.lines("WARNING") for server in fleet] == [[], []]
        async with servers(upstream, 1, state) as (restarted,):
            cached = await restarted.get("account7")

            assert (await restarted.status())["quota"]["used_today"] == 200
            assert cached == "found"
            assert len(upstream.asked) == 200


async def test_a_server_killed_in_the_middle_of_a_request_blocks_the_others_for_seconds_only(
    redis_server: RedisServer,
) -> None:
    def slow_once(asked: Asked) -> Reply:
        return Reply(200, pinned(asked).body, delay=60 if asked.number == 1 else 0)

    async def killed_in_a_request() -> float:
        async with tiktok(slow_once) as upstream, servers(upstream, 2, redis_server.url) as (leader, other):
            lost = asyncio.create_task(leader.get("nasa"))
            await upstream.first.wait()
            return await told_after_the_end_of(leader, other, lost, "nasa")

    async def killed_while_fetching_the_token() -> float:
        async with tiktok() as upstream, servers(upstream, 2, redis_server.url) as (leader, other):
            upstream.wire.token_delay = 60
            lost = asyncio.create_task(leader.get("nasa"))
            while not upstream.wire.token_requests:  # noqa: ASYNC110 - the wire has no event for it
                await asyncio.sleep(0.01)
            upstream.wire.token_delay = 0
            return await told_after_the_end_of(leader, other, lost, "esa")

    async def told_after_the_end_of(
        leader: Server, other: Server, lost: asyncio.Task[str], name: str = "nasa"
    ) -> float:
        waiting = asyncio.create_task(other.get(name))
        await asyncio.sleep(0.2)
        await leader.kill()
        killed = time.monotonic()
        assert await waiting == "found"
        lost.cancel()
        return time.monotonic() - killed

    async with asyncio.timeout(100):
        took = await asyncio.gather(killed_in_a_request(), killed_while_fetching_the_token())

    assert max(took) < 25  # a lease lives five seconds; the request itself would have taken sixty


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_the_token_and_the_secret_are_never_on_disk(tmp_path: Path) -> None:
    async with tiktok() as upstream, servers(upstream, 2, f"sqlite:///{tmp_path}/state.db") as fleet:
        await asyncio.gather(*(server.get("nasa") for server in fleet), fleet[0].get("esa"))
        on_disk = bytes_of(tmp_path)

        assert b"nasa" in on_disk
        assert SECRET.encode() not in on_disk
        assert upstream.wire.tokens
        assert [token for token in upstream.wire.tokens if token.encode() in on_disk] == []
        for server in fleet:
            assert [line for line in server.log if SECRET in line or "clt." in line] == []
