"""Whom the HTTP server answers: hosts, origins, the shared secret; and health, which it tells anybody."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from kit.mcp_http import ACCEPT, LIST, address, answer, call
from kit.processes import HTTPServer, http_client, http_server

pytestmark = pytest.mark.anyio

SECRET = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def guarded() -> Iterator[HTTPServer]:
    """A server with a bearer token, on loopback, with a host and an origin of the operator's."""
    env = {
        "MCP_BEARER_TOKEN": SECRET,
        "MCP_ALLOWED_HOSTS": "MCP.Example.org,other.example.org:*",
        "MCP_ALLOWED_ORIGINS": "https://app.example.org,https://ported.example.org:8443",
    }
    with http_server(env=env) as server:
        yield server


# Hosts and origins


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil:80"])
def test_a_foreign_host_is_misdirected(shared_http_server: HTTPServer, host: str) -> None:
    response = httpx.post(shared_http_server.url, json=LIST, headers=ACCEPT | {"Host": host}, timeout=60)

    assert response.status_code == 421


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://localhost.evil.example",
        "https://app.example.org.evil.example",
        "https://app.example.org:8443",
        "https://ported.example.org",
        "https://ported.example.org:9443",
    ],
)
def test_a_foreign_origin_is_forbidden_and_gets_no_cors(guarded: HTTPServer, origin: str) -> None:
    headers = ACCEPT | {"Origin": origin, "Authorization": f"Bearer {SECRET}"}
    response = httpx.post(guarded.url, json=LIST, headers=headers, timeout=60)

    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("host", ["mcp.example.org", "other.example.org", "other.example.org:8443", "localhost", None])
def test_hosts_that_the_operator_named_are_answered(guarded: HTTPServer, host: str | None) -> None:
    headers = ACCEPT | {"Authorization": f"Bearer {SECRET}"} | ({"Host": host} if host else {})
    response = httpx.post(guarded.url, json=LIST, headers=headers, timeout=60)

    assert len(answer(response)["result"]["tools"]) == 2


def test_a_host_named_without_a_port_is_not_every_port(guarded: HTTPServer) -> None:
    headers = ACCEPT | {"Authorization": f"Bearer {SECRET}", "Host": "mcp.example.org:8443"}

    assert httpx.post(guarded.url, json=LIST, headers=headers, timeout=60).status_code == 421


@pytest.mark.parametrize(
    "origin",
    ["https://app.example.org", "https://ported.example.org:8443", "http://localhost:5173", "http://127.0.0.1"],
)
def test_a_page_on_an_allowed_origin_can_ask_first_without_a_token(guarded: HTTPServer, origin: str) -> None:
    wanted = "authorization, content-type, mcp-protocol-version, mcp-method, mcp-name, mcp-session-id, last-event-id"
    preflight = httpx.options(
        guarded.url,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": wanted,
        },
    )

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == origin
    allowed = preflight.headers["access-control-allow-headers"].lower()
    assert all(name in allowed for name in wanted.split(", "))

    refused = httpx.post(guarded.url, json=LIST, headers=ACCEPT | {"Origin": origin}, timeout=60)
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == origin
    assert "WWW-Authenticate" in refused.headers["access-control-expose-headers"]

    served = httpx.post(
        guarded.url, json=LIST, headers=ACCEPT | {"Origin": origin, "Authorization": f"Bearer {SECRET}"}, timeout=60
    )
    assert served.headers["access-control-allow-origin"] == origin
    assert len(answer(served)["result"]["tools"]) == 2


def test_a_foreign_page_is_told_no_when_it_asks_first(guarded: HTTPServer) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = httpx.options(guarded.url, headers=headers)

    assert preflight.status_code == 403
    assert "access-control-allow-origin" not in preflight.headers


# The shared secret


@pytest.mark.parametrize(
    "authorization",
    [None, "Bearer", "Bearer wrong-horse-battery-staple", f"Bearer {SECRET}x", f"Basic {SECRET}", SECRET, "Bearer é"],
)
def test_whoever_does_not_know_the_secret_is_refused(guarded: HTTPServer, authorization: str | None) -> None:
    headers = [(name.encode(), value.encode()) for name, value in ACCEPT.items()]
    if authorization is not None:
        headers.append((b"Authorization", authorization.encode("utf-8")))
    response = httpx.post(guarded.url, json=LIST, headers=headers, timeout=60)

    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/mcp", 401), ("/mcp/", 401), ("/mcp?x=1", 401), ("/mcp%0A", 404), ("//mcp", 404), ("/mcp%2F", 404),
        ("/MCP", 404), ("/./mcp", 404), ("/", 404), ("/docs", 404),
    ],
)  # fmt: skip
def test_no_spelling_of_the_path_leads_around_authentication(guarded: HTTPServer, path: str, status: int) -> None:
    with contextlib.closing(http.client.HTTPConnection(*address(guarded))) as connection:
        connection.request("POST", path, json.dumps(LIST), ACCEPT)

        assert connection.getresponse().status == status


def test_two_authorization_headers_are_none(guarded: HTTPServer) -> None:
    headers = [*ACCEPT.items(), ("Authorization", "Bearer x"), ("Authorization", f"Bearer {SECRET}")]

    assert httpx.post(guarded.url, json=LIST, headers=headers, timeout=60).status_code == 401


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_with_the_secret_is_served(guarded: HTTPServer, mode: str) -> None:
    async with http_client(guarded.url, mode=mode, headers={"authorization": f"bearer {SECRET}"}) as client:
        result = await client.call_tool("get_pinned_videos", {"username": "nasa"})

    assert not result.is_error


def test_the_secret_is_in_no_line_of_the_log(guarded: HTTPServer) -> None:
    httpx.post(guarded.url, json=LIST, headers=ACCEPT | {"Authorization": f"Bearer {SECRET}"}, timeout=60)

    assert not any(SECRET in line for line in guarded.lines)


# Health


def test_alive_and_ready_are_told_to_anybody(guarded: HTTPServer) -> None:
    alive, ready = (
        httpx.get(guarded.base + path, headers={"Host": "10.0.0.7"}, timeout=60) for path in ("/healthz", "/readyz")
    )

    foreign = [
        httpx.get(guarded.base + path, headers={"Host": "evil.example"}, timeout=60) for path in ("/healthz", "/readyz")
    ]

    assert [response.status_code for response in foreign] == [421, 421]
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "state": "ok", "source": "sandbox"})


def test_a_server_without_credentials_is_alive_lists_its_tools_and_is_not_ready() -> None:
    with http_server(sandbox=False) as server:
        alive, ready = httpx.get(server.base + "/healthz", timeout=60), httpx.get(server.base + "/readyz", timeout=60)
        listed = answer(httpx.post(server.url, json=LIST, headers=ACCEPT, timeout=60))
        called = answer(
            httpx.post(server.url, json=call("get_pinned_videos", username="nasa"), headers=ACCEPT, timeout=60)
        )

    assert alive.status_code == 200
    assert ready.status_code == 503
    assert "TIKTOK_CLIENT_KEY" in ready.json()["reason"]
    assert len(listed["result"]["tools"]) == 2
    assert called["result"]["content"][0]["text"].startswith("not_configured: ")


def test_a_store_that_cannot_be_reached_is_told_and_the_server_stays_ready() -> None:
    pytest.importorskip("redis")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        url = f"redis://user:hunter2@127.0.0.1:{taken.getsockname()[1]}/0"
        with http_server(env={"TIKTOK_STATE": url}) as server:
            ready = httpx.get(server.base + "/readyz", timeout=10)
            called = answer(
                httpx.post(server.url, json=call("get_pinned_videos", username="nasa"), headers=ACCEPT, timeout=60)
            )

    assert (ready.status_code, ready.json()["state"]) == (200, "degraded")
    assert "hunter2" not in ready.text
    assert not called["result"].get("isError")
    assert not any("hunter2" in line for line in server.lines)


# Whoever asks


@pytest.mark.parametrize("sent", [b"zz\r\n", b"4\r\nabcdXX"])
def test_broken_chunks_are_no_fault_of_ours(guarded: HTTPServer, sent: bytes) -> None:
    start = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    before = len(guarded.lines)
    for more in (b"", f"Authorization: Bearer {SECRET}\r\n".encode()):
        for pause in (0, 0.2):
            with socket.create_connection(address(guarded), timeout=30) as connection, contextlib.suppress(OSError):
                connection.sendall(start + more + b"\r\n")
                time.sleep(pause)
                connection.sendall(sent)
                connection.recv(64)

    assert httpx.get(guarded.base + "/healthz", timeout=60).status_code == 200
    assert [line for line in guarded.lines[before:] if "caller" not in line] == []
