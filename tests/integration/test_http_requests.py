"""Requests to the HTTP server: how large, how spelled, how many at once, and what comes while they are under way."""

from __future__ import annotations

import http.client
import json
import socket
import time

import anyio
import httpx
import pytest
from mcp.client import Client

from kit.mcp_http import ACCEPT, LIST, address, answer, call
from kit.processes import HTTPServer, http_client
from kit.programs import fastest

pytestmark = pytest.mark.anyio

# How large they may be


def test_a_body_of_a_megabyte_is_too_large(shared_http_server: HTTPServer) -> None:
    response = httpx.post(shared_http_server.url, content=b" " * 1_000_000, headers=ACCEPT, timeout=60)

    assert response.status_code == 413


def test_a_large_body_of_undeclared_length_is_cut(shared_http_server: HTTPServer) -> None:
    connection = http.client.HTTPConnection(*address(shared_http_server))
    connection.putrequest("POST", "/mcp")
    for name, value in (*ACCEPT.items(), ("Transfer-Encoding", "chunked")):
        connection.putheader(name, value)
    connection.endheaders()
    for _ in range(5):
        connection.send(b"4000\r\n" + b" " * 0x4000 + b"\r\n")

    assert connection.getresponse().status == 413
    connection.close()


def test_the_largest_sensible_call_fits(shared_http_server: HTTPServer) -> None:
    names = [f"{number:02}" + "\N{OLD ITALIC LETTER A}" * 62 for number in range(50)]
    response = httpx.post(
        shared_http_server.url, json=call("compare_pinned_videos", usernames=names), headers=ACCEPT, timeout=30
    )

    assert not answer(response)["result"].get("isError")


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\n"])
def test_a_head_without_end_is_hung_up_on(shared_http_server: HTTPServer, start: bytes) -> None:
    filler = (b"X-Filler: " + b"x" * 1000 + b"\r\n") if start.endswith(b"\n") else b"x" * 1012
    with socket.create_connection(address(shared_http_server), timeout=60) as connection:
        connection.sendall(start)
        with pytest.raises(OSError, match=r"(?i)reset|broken|abort"):
            _send_for_ever(connection, filler)


def _send_for_ever(connection: socket.socket, filler: bytes) -> None:
    for _ in range(2000):
        connection.sendall(filler)
        time.sleep(0.0005)


# How they are spelled


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_there_is_no_stream_to_listen_to_and_no_session_to_end(shared_http_server: HTTPServer, method: str) -> None:
    response = httpx.request(method, shared_http_server.url, headers={"Accept": "text/event-stream"}, timeout=60)

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


def test_the_path_with_a_slash_is_the_same_place(shared_http_server: HTTPServer) -> None:
    response = httpx.post(shared_http_server.url + "/", json=LIST, headers=ACCEPT, timeout=60)

    assert len(answer(response)["result"]["tools"]) == 2


def test_white_space_around_a_header_value_is_no_part_of_it(shared_http_server: HTTPServer) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    body = call("get_pinned_videos", username="nasa")
    body["params"]["_meta"] = meta
    connection = http.client.HTTPConnection(*address(shared_http_server))
    connection.putrequest("POST", "/mcp")
    content = json.dumps(body).encode()
    for name, value in (
        *ACCEPT.items(),
        ("Content-Length", str(len(content))),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call \t"),
        ("Mcp-Name", "  get_pinned_videos  "),
    ):
        connection.putheader(name, value)
    connection.endheaders(content)

    assert connection.getresponse().status == 200
    connection.close()


# While they are under way


async def test_twenty_clients_at_once_lose_no_call(shared_http_server: HTTPServer) -> None:
    answered: list[str] = []

    async def work(number: int) -> None:
        async with http_client(shared_http_server.url, mode="auto" if number % 2 else "legacy") as client:
            for turn in range(10):
                name = f"crowd_{number}_{turn}"
                result = await client.call_tool("get_pinned_videos", {"username": name})
                assert not result.is_error
                assert result.structured_content is not None
                answered.append(result.structured_content["username"])

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(work, number)

    assert sorted(answered) == sorted(f"crowd_{number}_{turn}" for number in range(20) for turn in range(10))


async def test_a_client_that_goes_away_ends_its_call(shared_http_server: HTTPServer) -> None:
    async with http_client(shared_http_server.url) as client:
        with anyio.move_on_after(0.5) as limit:
            await client.call_tool("get_pinned_videos", {"username": "sandbox_slow", "refresh": True})

    assert limit.cancelled_caught
    shared_http_server.wait_for(r"account=sandbox_slow status=cancelled", within=30)


async def test_progress_arrives_while_the_call_is_under_way(shared_http_server: HTTPServer) -> None:
    seen: list[bool] = []
    under_way = True

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        assert (total, message is None) == (2, False)
        seen.append(under_way)

    async with Client(shared_http_server.url) as client:
        arguments = {"usernames": ["nasa", "sandbox_slow"], "refresh": True}
        await client.call_tool("compare_pinned_videos", arguments, progress_callback=on_progress)
        under_way = False

    assert seen == [True, True]


async def test_a_small_answer_is_not_held_back_by_the_network_stack(shared_http_server: HTTPServer) -> None:
    async with httpx.AsyncClient(timeout=60) as http:
        first, _, later = [
            await fastest(times, lambda: http.post(shared_http_server.url, json=LIST, headers=ACCEPT))
            for times in (5, 30, 15)
        ]

    # Nagle and delayed acknowledgements together would cost 40 ms each, once a connection is past its first replies.
    assert later < first + 0.03
