"""The HTTP server as users start it: who may ask, what it bounds, how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import httpx
import pytest
from mcp.client import Client

from kit import COMMAND, HTTPServer, environment, http_client, http_server, yardstick
from tiktok_pinned_videos.app import LazyBackend, build_server
from tiktok_pinned_videos.listening import listen
from tiktok_pinned_videos.serve.auth import NoAuthentication, SharedSecret
from tiktok_pinned_videos.serve.http import address_of, build_app, serve
from tiktok_pinned_videos.settings import Settings

pytestmark = pytest.mark.anyio

SECRET = "correct-horse-battery-staple"
ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to answer")


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    """A complete request of the older era: needs no session here."""
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


def raw(body: object, *headers: str) -> bytes:
    """A request, byte by byte."""
    content = json.dumps(body).encode()
    every = [f"{name}: {value}" for name, value in ACCEPT.items()]
    head = ["POST /mcp HTTP/1.1", "Host: localhost", *every, f"Content-Length: {len(content)}", *headers, "", ""]
    return "\r\n".join(head).encode() + content


KEPT_ALIVE = raw(LIST)


def answer(response: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC message in an event stream."""
    assert response.status_code == 200, response.text
    data = [line.removeprefix("data:") for line in response.text.splitlines() if line.startswith("data:")]
    return json.loads(data[-1])


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
    response = httpx.post(shared_http_server.url, json=LIST, headers=ACCEPT | {"Host": host})

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
    response = httpx.post(guarded.url, json=LIST, headers=headers)

    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("host", ["mcp.example.org", "other.example.org", "other.example.org:8443", "localhost", None])
def test_hosts_that_the_operator_named_are_answered(guarded: HTTPServer, host: str | None) -> None:
    headers = ACCEPT | {"Authorization": f"Bearer {SECRET}"} | ({"Host": host} if host else {})
    response = httpx.post(guarded.url, json=LIST, headers=headers)

    assert len(answer(response)["result"]["tools"]) == 2


def test_a_host_named_without_a_port_is_not_every_port(guarded: HTTPServer) -> None:
    headers = ACCEPT | {"Authorization": f"Bearer {SECRET}", "Host": "mcp.example.org:8443"}

    assert httpx.post(guarded.url, json=LIST, headers=headers).status_code == 421


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

    refused = httpx.post(guarded.url, json=LIST, headers=ACCEPT | {"Origin": origin})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == origin
    assert "WWW-Authenticate" in refused.headers["access-control-expose-headers"]

    served = httpx.post(
        guarded.url, json=LIST, headers=ACCEPT | {"Origin": origin, "Authorization": f"Bearer {SECRET}"}
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
    response = httpx.post(guarded.url, json=LIST, headers=headers)

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
    with contextlib.closing(http.client.HTTPConnection(*_address(guarded))) as connection:
        connection.request("POST", path, json.dumps(LIST), ACCEPT)

        assert connection.getresponse().status == status


def test_two_authorization_headers_are_none(guarded: HTTPServer) -> None:
    headers = [*ACCEPT.items(), ("Authorization", "Bearer x"), ("Authorization", f"Bearer {SECRET}")]

    assert httpx.post(guarded.url, json=LIST, headers=headers).status_code == 401


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_with_the_secret_is_served(guarded: HTTPServer, mode: str) -> None:
    async with http_client(guarded.url, mode=mode, headers={"authorization": f"bearer {SECRET}"}) as client:
        result = await client.call_tool("get_pinned_videos", {"username": "nasa"})

    assert not result.is_error


def test_the_secret_is_in_no_line_of_the_log(guarded: HTTPServer) -> None:
    httpx.post(guarded.url, json=LIST, headers=ACCEPT | {"Authorization": f"Bearer {SECRET}"})

    assert not any(SECRET in line for line in guarded.lines)


# Bounds


def _address(server: HTTPServer) -> tuple[str, int]:
    host, _, port = server.base.removeprefix("http://").rpartition(":")
    return host, int(port)


def test_a_body_of_a_megabyte_is_too_large(shared_http_server: HTTPServer) -> None:
    response = httpx.post(shared_http_server.url, content=b" " * 1_000_000, headers=ACCEPT)

    assert response.status_code == 413


def test_a_large_body_of_undeclared_length_is_cut(shared_http_server: HTTPServer) -> None:
    connection = http.client.HTTPConnection(*_address(shared_http_server))
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
    with socket.create_connection(_address(shared_http_server), timeout=5) as connection:
        connection.sendall(start)
        with pytest.raises(OSError, match=r"(?i)reset|broken|abort"):
            _send_for_ever(connection, filler)


def _send_for_ever(connection: socket.socket, filler: bytes) -> None:
    for _ in range(2000):
        connection.sendall(filler)
        time.sleep(0.0005)


@contextlib.asynccontextmanager
async def here(secret: str = "") -> AsyncIterator[tuple[str, int]]:
    """The server in this process, so that its bounds can be moved; its address."""
    settings = Settings(sandbox=True)
    backend = LazyBackend(settings, transport=None, clock=time.time)
    started = asyncio.Event()
    with listen("127.0.0.1", 0) as listener:
        host, port = address_of(listener)
        app = build_app(
            lambda _: build_server(settings, backend=backend),
            settings,
            backend,
            SharedSecret(secret) if secret else NoAuthentication(),
            host=host,
            port=port,
        )
        serving = asyncio.create_task(serve(app, listener, ready=started.set))
        try:
            await started.wait()
            yield host, port
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


@contextlib.asynccontextmanager
async def connection(address: tuple[str, int]) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield reader, writer
    finally:
        writer.close()


CONNECTIONS = "tiktok_pinned_videos.serve.connections."


@pytest.mark.parametrize("sent", [b"", b"POST /mcp HTTP/1.1\r\nHost: x", KEPT_ALIVE, KEPT_ALIVE + b"POST"])
async def test_a_head_that_does_not_come_is_not_waited_for(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CONNECTIONS + "HEAD_TIME", 0.4)
    monkeypatch.setattr(CONNECTIONS + "IDLE", 0.6)
    async with here() as address, connection(address) as (reader, writer):
        for piece in (sent[: len(KEPT_ALIVE)], sent[len(KEPT_ALIVE) :]):
            writer.write(piece)
            await asyncio.sleep(0.1)
        heard = await asyncio.wait_for(_until_closed(reader), 30)

    assert heard.startswith(b"HTTP/1.1 200 OK") == sent.startswith(KEPT_ALIVE)


async def test_a_connection_between_two_calls_is_kept_for_longer_than_a_head_may_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(CONNECTIONS + "HEAD_TIME", 0.1)
    async with here() as address, connection(address) as (reader, writer):
        for _ in range(2):
            writer.write(KEPT_ALIVE)
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
            await reader.readuntil(b"\r\n0\r\n\r\n")
            await asyncio.sleep(0.4)


async def test_strangers_push_each_other_out_and_nobody_who_has_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CONNECTIONS + "MOST_STRANGERS", 3)
    monkeypatch.setattr(CONNECTIONS + "MOST_CONNECTIONS", 5)
    request = raw(LIST, f"Authorization: Bearer {SECRET}")
    async with here(SECRET) as address, contextlib.AsyncExitStack() as stack:

        async def one() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await stack.enter_async_context(connection(address))

        async def is_served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
            writer.write(request)
            try:
                return b'"tools"' in await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), 30)
            except (ConnectionError, asyncio.IncompleteReadError):
                return False

        known = [await one() for _ in range(2)]
        assert [await is_served(*each) for each in known] == [True, True]
        strangers = [await one() for _ in range(10)]
        for reader, _ in strangers[:7]:
            assert await asyncio.wait_for(_until_closed(reader), 30) == b""
        assert [await is_served(*each) for each in known] == [True, True]
        # Those who call are no strangers any more; then whoever has not called for longest goes.
        assert [await is_served(*each) for each in strangers[7:]] == [True] * 3
        assert await is_served(*await one())
        assert [await is_served(*each) for each in known] == [False, True]


async def test_a_client_that_stops_reading_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CONNECTIONS + "WRITE_TIME", 0.3)
    loop = asyncio.get_running_loop()

    async def send_for_ever(connection: socket.socket) -> None:
        while True:
            await loop.sock_sendall(connection, KEPT_ALIVE)
            await asyncio.sleep(0)  # the server is in this loop

    async with here() as address:
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.setblocking(False)
            await loop.sock_connect(connection, address)
            with pytest.raises(OSError, match=r"(?i)reset|broken|abort"):
                await asyncio.wait_for(send_for_ever(connection), 60)


@pytest.mark.parametrize("sent", [b"zz\r\n", b"4\r\nabcdXX"])
def test_broken_chunks_are_no_fault_of_ours(guarded: HTTPServer, sent: bytes) -> None:
    start = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    before = len(guarded.lines)
    for more in (b"", f"Authorization: Bearer {SECRET}\r\n".encode()):
        for pause in (0, 0.2):
            with socket.create_connection(_address(guarded), timeout=30) as connection, contextlib.suppress(OSError):
                connection.sendall(start + more + b"\r\n")
                time.sleep(pause)
                connection.sendall(sent)
                connection.recv(64)

    assert httpx.get(guarded.base + "/healthz").status_code == 200
    assert [line for line in guarded.lines[before:] if "caller" not in line] == []


async def _until_closed(reader: asyncio.StreamReader) -> bytes:
    heard = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := await reader.read(65536):
            heard += piece
    return heard


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_there_is_no_stream_to_listen_to_and_no_session_to_end(shared_http_server: HTTPServer, method: str) -> None:
    response = httpx.request(method, shared_http_server.url, headers={"Accept": "text/event-stream"})

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


def test_the_path_with_a_slash_is_the_same_place(shared_http_server: HTTPServer) -> None:
    response = httpx.post(shared_http_server.url + "/", json=LIST, headers=ACCEPT)

    assert len(answer(response)["result"]["tools"]) == 2


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
    async with httpx.AsyncClient() as http:
        await http.post(shared_http_server.url, json=LIST, headers=ACCEPT)
        durations: list[float] = []
        for _ in range(30):
            started = time.monotonic()
            await http.post(shared_http_server.url, json=LIST, headers=ACCEPT)
            durations.append(time.monotonic() - started)

    # Nagle and delayed acknowledgements together would cost 40 ms each; a busy machine does not delay every one.
    assert min(durations) < 0.035


def test_white_space_around_a_header_value_is_no_part_of_it(shared_http_server: HTTPServer) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    body = call("get_pinned_videos", username="nasa")
    body["params"]["_meta"] = meta
    connection = http.client.HTTPConnection(*_address(shared_http_server))
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


# Health


def test_alive_and_ready_are_told_to_anybody(guarded: HTTPServer) -> None:
    alive, ready = (httpx.get(guarded.base + path, headers={"Host": "10.0.0.7"}) for path in ("/healthz", "/readyz"))

    foreign = [httpx.get(guarded.base + path, headers={"Host": "evil.example"}) for path in ("/healthz", "/readyz")]

    assert [response.status_code for response in foreign] == [421, 421]
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "state": "ok", "source": "sandbox"})


def test_a_server_without_credentials_is_alive_lists_its_tools_and_is_not_ready() -> None:
    with http_server(sandbox=False) as server:
        alive, ready = httpx.get(server.base + "/healthz"), httpx.get(server.base + "/readyz")
        listed = answer(httpx.post(server.url, json=LIST, headers=ACCEPT))
        called = answer(httpx.post(server.url, json=call("get_pinned_videos", username="nasa"), headers=ACCEPT))

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
            called = answer(httpx.post(server.url, json=call("get_pinned_videos", username="nasa"), headers=ACCEPT))

    assert (ready.status_code, ready.json()["state"]) == (200, "degraded")
    assert "hunter2" not in ready.text
    assert not called["result"].get("isError")
    assert not any("hunter2" in line for line in server.lines)


# Starting and stopping


def refused(*arguments: str, **env: str) -> tuple[int, list[str]]:
    """Exit code and stderr of a start that fails."""
    done = subprocess.run(
        [*COMMAND, "http", "--sandbox", *arguments],
        env=environment(**env),
        capture_output=True,
        encoding="utf-8",
        timeout=20,
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_without_authentication_only_loopback_is_served(host: str) -> None:
    code, lines = refused("--host", host, "--port", "0")

    assert code == 2
    assert len(lines) == 2
    assert "MCP_BEARER_TOKEN" in lines[1]


JWT = {"MCP_JWT_ISSUER": "https://id.example.org", "MCP_JWT_AUDIENCE": "https://mcp.example.org/mcp"}


@pytest.mark.parametrize(
    ("env", "named"),
    [
        (JWT | {"MCP_BEARER_TOKEN": SECRET}, "Two ways"),
        ({"MCP_JWT_ISSUER": JWT["MCP_JWT_ISSUER"]}, "MCP_JWT_AUDIENCE"),
        ({"MCP_JWT_AUDIENCE": JWT["MCP_JWT_AUDIENCE"]}, "MCP_JWT_ISSUER"),
        ({"MCP_JWKS_URL": "https://id.example.org/keys"}, "MCP_JWT_ISSUER and MCP_JWT_AUDIENCE"),
        ({"MCP_JWKS_URL": "https://id.example.org/keys", "MCP_BEARER_TOKEN": SECRET}, "Two ways"),
    ],
)
def test_two_ways_to_authenticate_or_half_a_way_do_not_start(env: dict[str, str], named: str) -> None:
    code, lines = refused("--port", "0", **env)

    assert code == 2
    assert len(lines) == 2
    assert named in " ".join(lines)
    assert SECRET not in " ".join(lines)


@pytest.mark.parametrize("host", [".", "a" * 64 + ".example", "a..b"])
def test_a_host_that_can_be_none_is_one_line(host: str) -> None:
    code, lines = refused("--host", host, "--port", "0")

    assert code == 1
    assert len(lines) == 1
    assert "--host" in lines[0]


def test_a_short_secret_does_not_start() -> None:
    code, lines = refused("--port", "0", MCP_BEARER_TOKEN="too short")

    assert code == 2
    assert len(lines) == 1
    assert "MCP_BEARER_TOKEN" in lines[0]
    assert "too short" not in lines[0]


def test_a_taken_port_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, lines = refused("--port", port)

    assert code == 1
    assert len(lines) == 1
    assert port in lines[0]


def test_any_address_with_a_secret_is_served_and_asks_for_it() -> None:
    with http_server("--host", "0.0.0.0", env={"MCP_BEARER_TOKEN": SECRET}) as server:
        here = server.url.replace("0.0.0.0", "127.0.0.1")
        without = httpx.post(here, json=LIST, headers=ACCEPT)
        served = httpx.post(here, json=LIST, headers=ACCEPT | {"Authorization": f"Bearer {SECRET}"})

    assert without.status_code == 401
    assert len(answer(served)["result"]["tools"]) == 2


@POSIX
@pytest.mark.parametrize(
    ("mode", "number"),
    [
        ("auto", "SIGTERM"),
        pytest.param("legacy", "SIGTERM", marks=pytest.mark.processes),
        pytest.param("auto", "SIGHUP", marks=pytest.mark.processes),
    ],
)
async def test_a_call_in_flight_is_answered_although_the_server_is_told_to_stop(mode: str, number: str) -> None:
    with http_server() as server:
        async with Client(server.url, mode=mode) as client:
            await client.list_tools()  # it wants the schema afterwards, when nobody is there any more
            call = asyncio.create_task(client.call_tool("get_pinned_videos", {"username": "sandbox_slow"}))
            await asyncio.sleep(0.7)
            told = time.monotonic()
            server.terminate(getattr(signal, number))
            await asyncio.sleep(0.3)
            with pytest.raises(OSError, match="refused"):
                socket.create_connection(_address(server), timeout=1)
            result = await call
        code = await asyncio.to_thread(server.wait)

    assert result.structured_content is not None
    assert result.structured_content["status"] == "found"
    assert code == 0
    assert time.monotonic() - told < 8 + 20 * yardstick()
    assert [line for line in server.lines if "ERROR" in line or "Traceback" in line] == []


@POSIX
@pytest.mark.processes
def test_a_server_that_shall_outlive_its_terminal_does() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with http_server() as server:
            server.terminate(signal.SIGHUP)
            time.sleep(0.5)
            assert httpx.get(server.base + "/healthz").status_code == 200
            server.terminate()
            assert server.wait() == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@POSIX
@pytest.mark.processes
@pytest.mark.parametrize("era", ["2025-11-25", "2026-07-28"])
def test_a_call_that_takes_longer_than_the_stop_may_ends_without_a_traceback(era: str) -> None:
    env = {"TIKTOK_CLIENT_KEY": "awkey123", "TIKTOK_CLIENT_SECRET": "hunter2-hunter2", "TIKTOK_STATE": "memory:"}
    body = call("get_pinned_videos", username="nasa")
    headers = ACCEPT
    if era == "2026-07-28":
        body["params"]["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": era, "io.modelcontextprotocol/clientCapabilities": {},
        }  # fmt: skip
        headers = ACCEPT | {"Mcp-Protocol-Version": era, "Mcp-Method": "tools/call", "Mcp-Name": "get_pinned_videos"}
    said: list[str] = []

    def ask() -> None:
        try:
            said.append(str(httpx.post(server.url, json=body, headers=headers, timeout=60).status_code))
        except httpx.RemoteProtocolError:
            said.append("cut")

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        env["TIKTOK_API_BASE_URL"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with http_server(env=env, sandbox=False) as server:
            asking = threading.Thread(target=ask)
            asking.start()
            silent.accept()[0].close()  # it has begun
            server.terminate()
            assert server.wait(30) == 0
            asking.join()

    # An event stream has begun by then; a single answer has not.
    assert said == ["cut" if era == "2025-11-25" else "503"]
    assert not any("Traceback" in line for line in server.lines)


@POSIX
@pytest.mark.processes
def test_a_stop_ends_in_time_whatever_clients_do() -> None:
    with http_server() as server, contextlib.ExitStack() as stack:
        host, port = _address(server)
        _idle, unfinished = (stack.enter_context(socket.create_connection((host, port))) for _ in range(2))
        head = f"POST /mcp HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\nContent-Length: 10\r\n"
        unfinished.sendall(f"{head}Accept: {ACCEPT['Accept']}\r\n\r\n{{".encode())
        httpx.get(server.base + "/healthz")
        told = time.monotonic()
        server.terminate()
        code = server.wait()

    assert code == 0
    assert time.monotonic() - told < 8 + 20 * yardstick()


@POSIX
async def test_an_idle_server_stops_at_once() -> None:
    with http_server() as server:
        async with Client(server.url) as client:
            await client.list_tools()
            told = time.monotonic()
            server.terminate()
            code = await asyncio.to_thread(server.wait)

    assert code == 0
    assert time.monotonic() - told < 1 + 20 * yardstick()
    assert len(server.lines) == 1
