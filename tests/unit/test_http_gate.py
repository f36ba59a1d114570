"""The bounds of the gate that a test over sockets would have to work hard for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from kit import until
from tiktok_pinned_videos.transports.auth import SharedSecret
from tiktok_pinned_videos.transports.bounds import MAX_BODY, MAX_IN_FLIGHT
from tiktok_pinned_videos.transports.guard import Gate, SecretAuthenticator
from tiktok_pinned_videos.transports.origins import AllowedAddresses

pytestmark = pytest.mark.anyio


class Application:
    """Answers once it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.bodies.append((await receive())["body"])
        await self.may.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


def client(application: Application, *, secret: SharedSecret | None = None) -> httpx.AsyncClient:
    gate = Gate(
        {"both": application, "text": application},
        {},
        default_channels="both",
        addresses=AllowedAddresses("127.0.0.1"),
        authenticate=SecretAuthenticator(secret) if secret else None,
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://localhost")


async def test_the_call_too_many_is_refused_at_once_and_the_others_are_answered() -> None:
    application = Application()
    async with client(application) as http:
        calls = [asyncio.create_task(http.post("/mcp", content=b"{}")) for _ in range(MAX_IN_FLIGHT)]
        while len(application.bodies) < MAX_IN_FLIGHT:  # noqa: ASYNC110 - it counts, and tells nobody
            await asyncio.sleep(0.01)
        refused = await http.post("/mcp", content=b"{}")
        application.may.set()
        answered = await asyncio.gather(*calls)
        later = await http.post("/mcp", content=b"{}")

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert {response.status_code for response in answered} == {200}
    assert later.status_code == 200


async def test_calls_of_both_channels_share_the_places() -> None:
    application = Application()
    async with client(application) as http:
        paths = ["/mcp", "/mcp?channels=text"] * (MAX_IN_FLIGHT // 2)
        calls = [asyncio.create_task(http.post(path, content=b"{}")) for path in paths]
        await until(lambda: len(application.bodies) == MAX_IN_FLIGHT)
        refused = [await http.post(path, content=b"{}") for path in paths[:2]]
        application.may.set()
        answered = await asyncio.gather(*calls)

    assert [response.status_code for response in refused] == [503, 503]
    assert {response.status_code for response in answered} == {200}


async def test_a_body_that_does_not_come_is_given_up_and_reaches_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiktok_pinned_videos.transports.bounds._BODY_TIME", 0.1)
    application = Application()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(1)
        yield b"}"

    async with client(application) as http:
        response = await http.post("/mcp", content=slowly())

    assert response.status_code == 408
    assert application.bodies == []


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY, 200), (MAX_BODY + 1, 413)])
async def test_the_bound_of_a_body_is_exact_however_it_comes(size: int, status: int) -> None:
    application = Application()
    application.may.set()

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, 1000):
            yield b" " * min(1000, size - start)

    async with client(application) as http:
        whole, pieces = await http.post("/mcp", content=b" " * size), await http.post("/mcp/", content=in_pieces())

    assert (whole.status_code, pieces.status_code) == (status, status)
    assert application.bodies == ([b" " * size] * 2 if status == 200 else [])


async def test_whoever_does_not_know_the_secret_is_answered_before_the_body_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tiktok_pinned_videos.transports.bounds._FINISH_TIME", 0.05)
    application = Application()
    told: list[Any] = []
    seen_first: list[int] = []

    async def body() -> Any:
        seen_first.append(len(told))
        return await asyncio.Event().wait()

    async def tell(message: Any) -> None:
        told.append(message)

    scope: Any = {
        "type": "http", "method": "POST", "path": "/mcp", "raw_path": b"/mcp", "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }  # fmt: skip
    gate = Gate(
        {"both": application}, {}, default_channels="both", addresses=AllowedAddresses("127.0.0.1"),
        authenticate=SecretAuthenticator(SharedSecret("correct-horse-battery-staple")),
    )  # fmt: skip
    await gate(scope, body, tell)

    assert told[0]["status"] == 401
    assert (b"connection", b"close") in told[0]["headers"]
    assert seen_first == [2]  # status and body have been sent when the first byte is looked for
    assert application.bodies == []


async def test_a_client_that_is_still_writing_reads_why_it_was_refused() -> None:
    left = 40

    async def much() -> AsyncIterator[bytes]:
        nonlocal left
        while left:
            left -= 1
            yield bytes(MAX_BODY // 2)

    async with client(Application()) as http:
        refused = await http.post("/mcp", content=much(), headers={"Content-Length": str(20 * MAX_BODY)})

    assert refused.status_code == 413
    assert left == 0
