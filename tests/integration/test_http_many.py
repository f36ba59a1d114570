"""Many connections at the same moment: callers, and clients without a token."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket

import httpx
import pytest

from kit.processes import ACCEPT, LIST, TOKEN, HTTPServer, answer, call

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
CALLERS = 400


def head(token: str, length: int) -> bytes:
    lines = ["POST /mcp HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}", f"Content-Length: {length}"]
    return "\r\n".join(
        [*lines, "Connection: close", *(f"{name}: {value}" for name, value in ACCEPT.items()), "", ""]
    ).encode()


async def test_of_many_callers_that_connect_at_once_none_is_reset(guarded_server: HTTPServer) -> None:
    body = json.dumps(LIST).encode()
    connections = await asyncio.gather(*(asyncio.open_connection(*guarded_server.address) for _ in range(CALLERS)))
    for _, writer in connections:
        writer.write(head(TOKEN, len(body)) + body)
    async with asyncio.timeout(60):
        received = await asyncio.gather(*(reader.read() for reader, _ in connections))
    for _, writer in connections:
        writer.close()

    assert {each.split(b" ", 2)[1] for each in received} <= {b"200", b"503"}
    assert sum(b'"tools"' in each for each in received) > 200


@pytest.mark.parametrize("sent", [b"", b"POST /mcp HTTP/1.1\r\nHost: local", head("wrong", 10**6) + b"x" * 1000])
def test_silent_half_and_rejected_connections_keep_no_caller_out(guarded_server: HTTPServer, sent: bytes) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(CALLERS):
            connection = stack.enter_context(socket.create_connection(guarded_server.address, timeout=30))
            with contextlib.suppress(OSError):
                connection.sendall(sent)
        headers = ACCEPT | {"Authorization": f"Bearer {TOKEN}"}

        listed = httpx.post(guarded_server.url, json=LIST, headers=headers, timeout=60)
        assert len(answer(listed)["result"]["tools"]) == 2
        assert httpx.get(guarded_server.base + "/healthz", timeout=60).status_code == 200


async def test_a_client_that_leaves_does_not_disturb_the_next(guarded_server: HTTPServer) -> None:
    headers = ACCEPT | {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(headers=headers) as client:
        slow = call("get_pinned_videos", username="sandbox_slow")
        with pytest.raises(httpx.ReadTimeout):
            await client.post(guarded_server.url, json=slow, timeout=0.3)
        found = await client.post(guarded_server.url, json=slow, timeout=60)

    assert answer(found)["result"]["structuredContent"]["status"] == "found"
