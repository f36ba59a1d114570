"""A Redis that can never work is rejected with a reason; one that cannot be reached now is not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from kit.cli import run
from kit.stores import Opened, RedisServer, running_redis
from tiktok_pinned_videos.state.base import Counter, Entry, StateStoreError, UnusableStoreError
from tiktok_pinned_videos.state.open import check_usable, open_primary, open_store

pytestmark = pytest.mark.anyio
PREFIX = "tpv:{0}:"


async def test_a_user_without_a_permission_is_refused_and_its_password_shown_to_no_one(
    redis_server: RedisServer,
) -> None:
    await redis_server.command("ACL", "SETUSER", "mcp", "on", ">s3cret", "~tpv:*", "+@all", "-eval")
    url = redis_server.url.replace("//", "//mcp:s3cret@")
    with pytest.raises(UnusableStoreError, match="NOPERM") as refused:
        await check_usable(url, prefix=PREFIX)
    said = await run(
        "get", "nasa", env={"TIKTOK_STATE": url, "TIKTOK_CLIENT_KEY": "key", "TIKTOK_CLIENT_SECRET": "secret"}
    )

    with pytest.raises(UnusableStoreError, match="does not accept the user name and password"):
        await check_usable(url.replace("s3cret", "wrong"), prefix=PREFIX)

    assert "s3cret" not in str(refused.value)
    assert said.code == 2
    assert said.err.startswith("not_configured: @nasa: The state store of TIKTOK_STATE cannot work: ")


async def test_a_user_of_one_prefix_without_dangerous_commands_is_enough(redis_server: RedisServer) -> None:
    await redis_server.command("ACL", "SETUSER", "mcp", "on", ">s3cret", "~tpv:*", "+@all", "-@dangerous")

    await check_usable(redis_server.url.replace("//", "//mcp:s3cret@"), prefix=PREFIX)


async def test_a_redis_without_a_command_is_refused_until_it_has_it(opened: Opened) -> None:
    with running_redis("--rename-command", "EVAL", "") as server:
        store = opened(open_store(server.url, prefix=PREFIX))
        for _ in range(2):
            with pytest.raises(UnusableStoreError, match=r"unknown command 'EVAL'$"):
                await store.check_usable()


async def test_a_cluster_of_one_node_works_and_a_node_of_several_is_refused() -> None:
    with clustered() as (one, bus), clustered() as (other, _):
        await one.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        await ready(one)
        await check_usable(one.url, prefix=PREFIX)
        await other.command("CLUSTER", "MEET", "127.0.0.1", str(one.port), bus)
        await ready(other)
        with pytest.raises(UnusableStoreError, match="MOVED"):
            await check_usable(other.url, prefix=PREFIX)
        # Now it has the slot of the prefix, and not that of the list of prefixes.
        await one.command("FLUSHALL")
        for node in (other, one):
            owner = (await other.command("CLUSTER", "MYID")).decode()
            slot = await node.command("CLUSTER", "KEYSLOT", PREFIX)
            await node.command("CLUSTER", "SETSLOT", str(slot), "NODE", owner)
        await ready(other)
        with pytest.raises(UnusableStoreError, match="MOVED"):
            await check_usable(other.url, prefix=PREFIX)


@contextlib.contextmanager
def clustered() -> Iterator[tuple[RedisServer, str]]:
    """A node of a cluster, and the port on which it speaks with other nodes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        bus = str(free.getsockname()[1])
    with running_redis("--cluster-enabled", "yes", "--cluster-port", bus) as node:
        yield node, bus


async def ready(node: RedisServer) -> None:
    while b"cluster_state:ok" not in await node.command("CLUSTER", "INFO"):  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.05)


async def test_a_redis_before_6_2_is_refused() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if line.strip().upper() == b"INFO":
                info = b"# Server\r\nredis_version:6.0.16\r\n"
                writer.write(b"$%d\r\n%s\r\n" % (len(info), info))
            elif line.strip().upper() in (b"CLIENT", b"SELECT"):
                writer.write(b"+OK\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(UnusableStoreError, match=r"Redis 6\.0\.16 is too old"):
            await check_usable(f"redis://127.0.0.1:{port}", prefix=PREFIX)


async def test_an_error_that_repeats_the_password_is_shown_without_it() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"-ERR what is s3cret?\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"redis://:s3cret@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(StateStoreError, match=r"what is \*\*\*"):
            await open_primary(url).get("a")


async def test_a_redis_that_takes_no_writes_or_is_not_there_may_still_work(
    redis_server: RedisServer, opened: Opened
) -> None:
    for name, value in (("min-replicas-to-write", "3"), ("maxmemory", "1")):
        await redis_server.command("CONFIG", "SET", name, value)
        with pytest.raises(StateStoreError):
            await opened(open_primary(redis_server.url)).check(PREFIX)
        await check_usable(redis_server.url, prefix=PREFIX)
        await redis_server.command("CONFIG", "SET", name, "0")
    redis_server.kill()
    await check_usable(redis_server.url, prefix=PREFIX)


async def test_every_key_expires(redis_server: RedisServer, opened: Opened) -> None:
    store = opened(open_store(redis_server.url, prefix=PREFIX))
    await store.put(Entry("a", b"1", 60), Entry("b", b"1", 60))
    await store.add(Entry("c", b"1", 60))
    await store.count([Counter("used", 9, time.time() + 60)])
    keys = await redis_server.command("KEYS", "*")

    assert len(keys) == 5
    assert all([await redis_server.command("PTTL", key.decode()) > 0 for key in keys])
