"""The HTTP server with a shared secret, as clients, browsers and proxies use it. One process for the whole file."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from kit.processes import ACCEPT, LIST, META, HTTPServer, answer, call, http_client, http_server

pytestmark = pytest.mark.anyio
SECRET = "correct-horse-battery-staple"
TOKEN = {"Authorization": f"Bearer {SECRET}"}
MODERN = {"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}


@pytest.fixture(scope="module")
def server() -> Iterator[HTTPServer]:
    env = {
        "MCP_BEARER_TOKEN": SECRET,
        "MCP_ALLOWED_HOSTS": "MCP.Example.org",
        "MCP_ALLOWED_ORIGINS": "https://app.example.org,vscode-webview://*",
    }
    with http_server(env=env) as server:
        yield server


def post(server: HTTPServer, content: Any = LIST, path: str = "", **headers: str) -> httpx.Response:
    """POST with the secret; headers are named in Python's way, and an empty one is left out."""
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {**ACCEPT, **TOKEN} | {name.title(): value for name, value in changed.items()}
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    with httpx.Client(headers=[]) as client:
        request = client.build_request("POST", server.url + path, content=body, headers=sent, timeout=60)
        for name in [name for name, value in sent.items() if not value]:
            del request.headers[name]
        return client.send(request)


def raw(server: HTTPServer, head: str, body: bytes = b"") -> bytes:
    """What the server sends to these bytes until it closes the connection."""
    with socket.create_connection(server.address, timeout=30) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        received = b""
        while part := connection.recv(65536):
            received += part
        return received


# Who may call


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer wrong-horse-battery-staple", f"Basic {SECRET}", f"Bearer {SECRET}x"]
)
def test_a_request_without_the_secret_is_401(server: HTTPServer, authorization: str) -> None:
    response = post(server, authorization=authorization)

    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.headers["connection"] == "close"


def test_two_authorization_headers_are_401(server: HTTPServer) -> None:
    headers = [*ACCEPT.items(), *TOKEN.items(), ("Authorization", "Bearer x")]

    assert httpx.post(server.url, json=LIST, headers=headers, timeout=60).status_code == 401


def test_a_rejected_client_that_sends_a_long_body_reads_why(server: HTTPServer) -> None:
    head = "POST /mcp HTTP/1.1\nHost: localhost\nAuthorization: Bearer wrong\nContent-Length: 1000000"
    received = raw(server, head, b"x" * 50_000)

    assert (received[:13], received[-1:]) == (b"HTTP/1.1 401 ", b"}")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_with_the_secret_is_served(server: HTTPServer, mode: str) -> None:
    async with http_client(server.url, mode=mode, headers={"authorization": f"bearer {SECRET}"}) as client:
        result = await client.call_tool("get_pinned_videos", {"username": "nasa"})

    assert not result.is_error


def test_a_rejected_request_leaves_a_line_with_the_reason_and_no_token(server: HTTPServer) -> None:
    post(server, authorization="Bearer invented-token-value")
    server.wait_for("rejected with 401: the token is not MCP_BEARER_TOKEN")
    post(server, host="evil.example")
    server.wait_for("rejected with 421: the Host is 'evil.example', expected one of: .*MCP.Example.org")
    post(server, origin="https://evil.example")
    server.wait_for("rejected with 403: the Origin is 'https://evil.example', expected one of: .*app.example.org")
    post(server, accept="text/html")
    server.wait_for("rejected with 406: POST '/mcp'")

    assert not any("invented" in line or SECRET in line for line in server.lines)


def test_paths_are_exact_and_never_redirect(server: HTTPServer) -> None:
    connection = http.client.HTTPConnection(*server.address)
    for path, status in (("/mcp/", 401), ("/mcp%0A", 404), ("//mcp", 404), ("/%6dcp", 404), ("/MCP", 404)):
        connection.request("POST", path, json.dumps(LIST), ACCEPT)
        response = connection.getresponse()
        assert (response.status, response.read()[:9]) == (status, b'{"error":'), path
    connection.close()


def test_only_post_is_supported_and_a_client_that_tries_others_keeps_its_connection(server: HTTPServer) -> None:
    connection = http.client.HTTPConnection(*server.address)
    connection.connect()
    connection.auto_open = 0  # a closed connection is an error
    for method in ("GET", "DELETE", "PUT", "HEAD"):
        connection.request(method, "/mcp", headers=TOKEN)
        response = connection.getresponse()
        response.read()
        assert (response.status, response.headers["allow"]) == (405, "POST")
    connection.request("POST", "/mcp", json.dumps(LIST), ACCEPT | TOKEN)
    assert connection.getresponse().status == 200
    connection.close()


# Browsers


@pytest.mark.parametrize("origin", ["https://app.example.org", "vscode-webview://0abc", "http://localhost:5173"])
def test_a_page_of_an_allowed_origin_can_ask_first_and_read_everything(server: HTTPServer, origin: str) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,mcp-protocol-version,mcp-method,mcp-name",
    }
    preflight = httpx.options(server.url, headers=asked, timeout=60)
    allowed = preflight.headers["access-control-allow-headers"].lower()

    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, origin)
    assert all(name in allowed for name in asked["Access-Control-Request-Headers"].split(","))
    for response in (post(server, origin=origin), post(server, origin=origin, authorization="")):
        assert response.headers["access-control-allow-origin"] == origin
        assert "WWW-Authenticate" in response.headers["access-control-expose-headers"]


def test_a_page_of_another_origin_is_403_without_cors(server: HTTPServer) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for response in (httpx.options(server.url, headers=asked, timeout=60), post(server, origin="null")):
        assert response.status_code == 403
        assert "access-control-allow-origin" not in response.headers


# What a request may look like


@pytest.mark.parametrize("accept", ["", "*/*", "application/*, text/*", "TEXT/Event-Stream, Application/JSON;q=0.9"])
def test_wildcards_and_a_missing_accept_header_are_accepted_in_both_eras(server: HTTPServer, accept: str) -> None:
    assert len(answer(post(server, accept=accept))["result"]["tools"]) == 2
    modern = post(server, LIST | {"params": META}, accept=accept, **MODERN)
    assert len(modern.json()["result"]["tools"]) == 2


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_in_the_2025_era_one_accepted_type_is_enough_and_is_sent(server: HTTPServer, kind: str) -> None:
    response = post(server, accept=kind)

    assert (response.status_code, response.headers["content-type"].split(";")[0]) == (200, kind)
    assert post(server, LIST | {"params": META}, accept=kind, **MODERN).status_code == 406
    refused = post(server, accept="text/html")
    assert (refused.status_code, "Accept must name" in refused.json()["error"]["message"]) == (406, True)


def test_media_types_are_compared_without_case(server: HTTPServer) -> None:
    assert post(server, content_type="Application/JSON; charset=UTF-8").status_code == 200
    for wrong in ("text/plain", "application/jsonp", ""):
        response = post(server, content_type=wrong)
        assert (response.status_code, response.json()["error"]["code"]) == (415, -32600)


@pytest.mark.parametrize("modern", [False, True])
def test_a_body_that_is_not_json_rpc_is_400_without_library_texts(server: HTTPServer, modern: bool) -> None:
    for body, code in (
        (b"{", -32700),
        (b"[]", -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":7,"result":5}', -32600),
    ):
        response = post(server, body, **(MODERN if modern else {}))
        assert (response.status_code, response.json()["error"]["code"]) == (400, code)
        assert "pydantic" not in response.text


def test_an_absolute_target_names_the_host(server: HTTPServer) -> None:
    head = f"POST http://%s/mcp HTTP/1.1\nHost: ignored.example\nConnection: close\nAuthorization: Bearer {SECRET}\n"
    head += f"Content-Type: application/json\nContent-Length: {len(json.dumps(LIST))}"

    assert b" 200 OK" in raw(server, head % "localhost", json.dumps(LIST).encode())
    assert b" 421 " in raw(server, head % "evil.example", json.dumps(LIST).encode())
    assert b" 421 " in raw(server, head.replace("http://%s", "/x://localhost"), json.dumps(LIST).encode())


def test_a_connection_may_choose_its_channels(server: HTTPServer) -> None:
    sent = call("get_pinned_videos", username="nasa")
    both, text = (answer(post(server, sent, f"?channels={name}"))["result"] for name in ("both", "text"))

    assert ("structuredContent" in both, "structuredContent" in text) == (True, False)
    for query in ("?channels=all", "?channels=", "?channels=text&channels=both"):
        assert post(server, sent, query).status_code == 400


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_of_more_than_64_kib_is_413(server: HTTPServer, declared: bool) -> None:
    body = json.dumps(LIST).encode() + b" " * 70_000
    headers = ACCEPT | TOKEN
    sent = body if declared else iter([body])

    assert httpx.post(server.url, content=sent, headers=headers, timeout=60).status_code == 413
    assert post(server, body[: 64 * 1024]).status_code == 200


def test_requests_of_doubtful_length_get_at_most_one_answer(server: HTTPServer) -> None:
    inner = f"POST /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: 0\r\n\r\n".encode()
    for lengths in (
        "Content-Length: 5\nContent-Length: 6", "Content-Length: 5, 6", "Content-Length: +5", "Content-Length: 0x5",
        "Transfer-Encoding: chunked\nContent-Length: 5", "Transfer-Encoding: xchunked", "Transfer-Encoding : chunked",
        "Transfer-Encoding: identity\nContent-Length: 0", " Content-Length: 5", "Content-Length: 5\n Content-Length: 6",
    ):  # fmt: skip
        received = raw(
            server, f"POST /mcp HTTP/1.1\nHost: localhost\nConnection: close\n{lengths}", b"0\r\n\r\n" + inner
        )
        assert received.count(b"HTTP/1.1 ") <= 1, lengths


def test_an_offer_to_upgrade_is_ignored(server: HTTPServer) -> None:
    for offer in ("h2c", "websocket"):
        assert post(server, connection="Upgrade", upgrade=offer).status_code == 200


# Health


def test_probes_need_neither_token_nor_host(server: HTTPServer) -> None:
    ready = httpx.get(server.base + "/readyz", headers={"Host": "10.0.0.7"}, timeout=60)

    assert ready.json() == {"status": "ready", "state": "ok", "source": "sandbox"}
    assert b'{"status":"alive"}' in raw(server, "GET /healthz HTTP/1.0")
    assert b" 400 " in raw(server, "GET /healthz HTTP/1.1")
    assert httpx.post(server.base + "/healthz", timeout=60).status_code == 405


def test_a_server_without_credentials_lists_its_tools_is_not_ready_and_says_what_is_missing() -> None:
    with http_server(sandbox=False, env={"MCP_CALLER_QUOTA": "5"}) as server:
        ready = httpx.get(server.base + "/readyz", timeout=60)
        tools = answer(httpx.post(server.url, json=LIST, headers=ACCEPT, timeout=60))["result"]["tools"]
        server.wait_for("No TikTok credentials are set")
        server.wait_for("MCP_CALLER_QUOTA is ignored")

    assert (ready.status_code, "TIKTOK_CLIENT_KEY" in ready.json()["reason"], len(tools)) == (503, True, 2)
