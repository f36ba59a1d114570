"""20,000 calls over HTTP while three in ten responses of the upstream are broken: none is lost or mixed up."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from typing import Any

import pytest

from kit.processes import ACCEPT, HTTPServer, http_server
from kit.programs import need_module
from kit.upstream import Received, Reply, Upstream, html, refusal, serving, videos
from tiktok_pinned_videos.research.errors import Status

pytestmark = [pytest.mark.anyio, pytest.mark.soak]

psutil = need_module("psutil")

CALLS = 20_000
AT_ONCE = 64
ACCOUNTS = 1000
SHARE = 0.3
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "soak", "version": "1"},
}
MODERN = {"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "get_pinned_videos"}
FAULTS = [
    refusal(500, "internal_error", "Something is wrong."),
    html(504),
    Reply(reset=True),
    Reply(body=b'{"data": {"pinned_videos_list": [', send_only=9),
    Reply(delay=3),
    refusal(200, "internal_error", "Something is wrong."),
    refusal(400, "invalid_params", "user not found"),
    refusal(401, "access_token_invalid"),
]


ALLOWED = {
    Status.FOUND, Status.UPSTREAM_ERROR, Status.NOT_FOUND, Status.TIMEOUT, Status.UNREACHABLE, Status.AUTH_FAILED,
}  # fmt: skip


def views(username: str) -> int:
    return 1000 + int(username.rpartition("_")[2])


def answering(upstream: Upstream) -> None:
    """The truth or a fault; what was received is forgotten, to keep the tests' memory out of this."""
    chance = random.Random(11)

    def tell(request: Received) -> Reply:
        upstream.received.clear()
        if chance.random() < SHARE:
            return chance.choice(FAULTS)
        count = views(request.json["username"])
        return videos([{"id": 7_000_000_000_000_000_000 + count, "view_count": count}])

    upstream.answer_by(tell)


class Line:
    """One connection that is kept; leaner than a client library, since the server shall be the slow one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def post(self, body: object, headers: dict[str, str]) -> tuple[str, str]:
        """Status and body of one request."""
        content = json.dumps(body).encode()
        every = ["POST /mcp HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
        self._writer.write("\r\n".join([*every, f"Content-Length: {len(content)}", "", ""]).encode() + content)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = head.partition("content-length: ")[2].partition("\r\n")[0]
        if length:
            return head.split()[1], (await self._reader.readexactly(int(length))).decode()
        content = b""
        while size := int(await self._reader.readline(), 16):
            content += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readline()
        return head.split()[1], content.decode()

    def close(self) -> None:
        self._writer.close()


async def ask(line: Line, number: int, *, modern: bool) -> str:
    """The status of one call, after looking whether it is the answer to this one and true."""
    # Two at a time want the same account, and may share a request. All of them come again when they are forgotten.
    username = f"account_{number // 2 % ACCOUNTS}"
    params: dict[str, Any] = {"name": "get_pinned_videos", "arguments": {"username": username}}
    if modern:
        params["_meta"] = META
    body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
    code, said = await line.post(body, ACCEPT | (MODERN if modern else {}))
    assert code == "200", said
    lines = said.splitlines()
    streamed = [each.removeprefix("data:") for each in lines if each.startswith("data:")]
    [message] = [json.loads(each) for each in streamed or [said] if each.strip()]
    assert message["id"] == number
    result = message["result"]
    if result.get("isError"):
        text = result["content"][0]["text"]
        assert text.startswith("auth_failed: ") or f"@{username}:" in text
        assert not any(word in text for word in ("<html", "clt.", "Traceback", "httpx"))
        return Status(text.partition(":")[0])
    [video] = result["structuredContent"]["videos"]
    assert result["structuredContent"]["username"] == username
    assert (video["view_count"], video["id"]) == (views(username), str(7_000_000_000_000_000_000 + views(username)))
    return Status.FOUND


def resident(server: HTTPServer) -> int:
    return psutil.Process(server.process.pid).memory_info().rss


@pytest.mark.timeout(1800)
async def test_twenty_thousand_calls_are_each_answered_truly_and_leave_nothing_behind() -> None:
    outcomes: Counter[str] = Counter()
    numbers = itertools.count()
    seen: list[int] = []
    async with serving() as upstream:
        answering(upstream)
        env = {
            "TIKTOK_CLIENT_KEY": "awkey123", "TIKTOK_CLIENT_SECRET": "hunter2-hunter2", "TIKTOK_STATE": "memory:",
            "TIKTOK_API_BASE_URL": upstream.url, "TIKTOK_DAILY_QUOTA": "10000000", "TIKTOK_MAX_CONCURRENCY": "32",
            "TIKTOK_CACHE_TTL": "1", "LOG_LEVEL": "WARNING",
        }  # fmt: skip
        with http_server(env=env, sandbox=False) as server:
            host, _, port = server.base.removeprefix("http://").rpartition(":")

            async def work(modern: bool) -> None:
                line = Line(*await asyncio.open_connection(host, int(port)))
                while (number := next(numbers)) < CALLS:
                    outcomes[await ask(line, number, modern=modern)] += 1
                    if number % (CALLS // 10) == CALLS // 10 - 1:
                        seen.append(resident(server))
                line.close()

            await asyncio.gather(*(work(turn % 2 == 0) for turn in range(AT_ONCE)))
            lines = [line for line in server.lines if "ERROR" in line or "Traceback" in line]

    assert outcomes.total() == CALLS
    assert set(outcomes) <= ALLOWED
    assert outcomes[Status.FOUND] > 0.5 * CALLS
    assert outcomes[Status.UPSTREAM_ERROR] > 0
    assert lines == []
    # What is remembered of accounts is bounded; after a third of the way it has come.
    assert max(seen[4:]) - seen[3] < 24 * 1024 * 1024, seen
