"""What somebody without a token can do: cost bounded memory, sockets and time, and nobody else notices."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

import httpx
import pytest

from kit.mcp_http import ACCEPT, LIST, address
from kit.processes import HTTPServer, environment, http_server

SECRET = "correct-horse-battery-staple"
GOOD = ACCEPT | {"Authorization": f"Bearer {SECRET}"}
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def guarded() -> Iterator[HTTPServer]:
    with http_server(env={"MCP_BEARER_TOKEN": SECRET}) as server:
        yield server


def memory(server: HTTPServer) -> int:
    """Resident bytes of the process."""
    psutil = pytest.importorskip("psutil")
    return psutil.Process(server.process.pid).memory_info().rss


def sockets(server: HTTPServer) -> int:
    psutil = pytest.importorskip("psutil")
    return len([each for each in psutil.Process(server.process.pid).net_connections() if each.status == "ESTABLISHED"])


def is_served(server: HTTPServer) -> bool:
    health = httpx.get(server.base + "/healthz", timeout=30).status_code
    return (health, httpx.post(server.url, json=LIST, headers=GOOD, timeout=30).status_code) == (200, 200)


def post(body: bytes = b"", *headers: str, path: str = "/mcp") -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode("utf-8") + body


def flood(server: HTTPServer, start: bytes, piece: bytes, total: int) -> None:
    """Send until it is all sent or the server hangs up."""
    with socket.create_connection(address(server), timeout=30) as connection, contextlib.suppress(OSError):
        connection.sendall(start)
        connection.recv(64)
        for _ in range(total // len(piece)):
            connection.sendall(piece)


@pytest.mark.parametrize(
    "piece", [b"a:\r\n" * 16_384, b"a: " + b"x" * MIB], ids=["trailers without end", "one long trailer"]
)
def test_trailers_cost_no_more_memory_than_a_head_may(guarded: HTTPServer, piece: bytes) -> None:
    assert is_served(guarded)
    before = memory(guarded)

    flood(guarded, post(b"0\r\n", "Transfer-Encoding: chunked"), piece, 24 * MIB)

    assert memory(guarded) - before < 20 * MIB
    assert is_served(guarded)


@pytest.mark.parametrize(
    "sent",
    [
        post(b"x", "Content-Length: 9"),
        b"POST /mcp HTTP/1.1\r\nHost: loc",
        b"",
        post(b"0\r\na:\r\n", "Transfer-Encoding: chunked"),
        b"POST /mcp HTTP/1.1\r\nX: " + b"x" * 63 * 1024,
        b"POST /mcp HTTP/1.1\r\nX: " + b"x" * 63 * 1024 + b"\r\n\0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200,
    ],
    ids=[
        "a refused request that drips",
        "half a head",
        "silence",
        "half a trailer",
        "half a large head",
        "no HTTP",
        "answers that nobody reads",
    ],
)
def test_a_thousand_silent_connections_keep_nobody_else_out(guarded: HTTPServer, sent: bytes) -> None:
    before = memory(guarded)
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            connection = stack.enter_context(socket.create_connection(address(guarded), timeout=30))
            with contextlib.suppress(OSError):
                connection.sendall(sent)

        assert [is_served(guarded) for _ in range(5)] == [True] * 5
        assert sockets(guarded) <= 400
    assert memory(guarded) - before < 40 * MIB
    assert is_served(guarded)


CURL = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"]
JAVA = [
    "Connection: Upgrade, HTTP2-Settings",
    "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA",
    "Upgrade: h2c",
    "User-Agent: Java-http-client/17.0.15",
]
"""As Java's client offers it with each request on a new connection; the body follows in a packet of its own."""
WEBSOCKET = [
    "Connection: keep-alive, Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: x",
]


@pytest.mark.parametrize("offer", [CURL, JAVA, WEBSOCKET], ids=["curl", "Java", "WebSocket"])
@pytest.mark.parametrize("apart", [False, True], ids=["at once", "body apart"])
def test_an_offer_to_upgrade_is_ignored(guarded: HTTPServer, offer: list[str], apart: bool) -> None:
    body = json.dumps(LIST).encode()
    good = [f"{name}: {value}" for name, value in GOOD.items()]
    request = post(body, *offer, *good, f"Content-Length: {len(body)}")
    answers = exchange(guarded, *([request[: -len(body)], body] if apart else [request]))

    assert [answer.split()[1] for answer in answers] == [b"200"]


def test_a_refused_client_that_sends_its_body_apart_reads_the_refusal_to_its_end(guarded: HTTPServer) -> None:
    body = json.dumps(LIST).encode()
    with socket.create_connection(address(guarded), timeout=30) as connection:
        connection.sendall(post(b"", *JAVA, f"Content-Length: {len(body)}"))
        heard = connection.recv(65536)
        connection.sendall(body)
        while piece := connection.recv(65536):  # a reset would raise
            heard += piece

    assert heard.startswith(b"HTTP/1.1 401 ")
    assert heard.endswith(b'{"error": "a bearer token is required"}')


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_that_offers_http2_is_answered(guarded: HTTPServer) -> None:
    headers = [word for name, value in GOOD.items() for word in ("-H", f"{name}: {value}")]
    command = ["curl", "--http2", "-s", "-S", "-w", " %{http_code}", "-d", json.dumps(LIST), *headers, guarded.url]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)
    if "doesn't support" in done.stderr or "libcurl" in done.stderr:
        pytest.skip("this curl was built without HTTP/2")

    assert done.stdout.endswith(" 200"), done.stderr
    assert "get_pinned_videos" in done.stdout


JAVA_CLIENT = """
import java.net.http.*;
var client = HttpClient.newHttpClient();
var request = HttpRequest.newBuilder(java.net.URI.create(System.getenv("ADDRESS"))).
    header("Authorization", System.getenv("AUTHORIZATION")).header("Content-Type", "application/json").
    header("Accept", "application/json, text/event-stream").
    POST(HttpRequest.BodyPublishers.ofString(System.getenv("BODY"))).build();
for (int i = 0; i < 2; i++) System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
/exit
"""


@pytest.mark.skipif(shutil.which("jshell") is None, reason="needs a JDK")
def test_java_is_answered(guarded: HTTPServer) -> None:
    more = {"ADDRESS": guarded.url, "AUTHORIZATION": GOOD["Authorization"], "BODY": json.dumps(LIST)}
    done = subprocess.run(
        ["jshell", "-s", "-"], input=JAVA_CLIENT, env=environment(**more),
        capture_output=True, encoding="utf-8", timeout=100, check=False,
    )  # fmt: skip

    assert done.stdout.split() == ["200", "200"], done.stdout + done.stderr


@pytest.mark.parametrize(
    "path", ["/mcp%0a", "/mcp%0A/", "/mcp%2f", "/%6dcp", "/mcp;x", "//mcp", "/mcp/x", "/", "/healthz/"]
)
def test_what_is_not_exactly_a_path_of_ours_is_not_found(guarded: HTTPServer, path: str) -> None:
    answers = exchange(guarded, post(b"", *(f"{name}: {value}" for name, value in GOOD.items()), path=path))

    assert [answer.split()[1] for answer in answers] == [b"404"]


def test_a_connection_may_choose_its_channels(guarded: HTTPServer) -> None:
    def told(query: str) -> tuple[int, bool, bool]:
        listed = httpx.post(f"{guarded.url}{query}", json=LIST, headers=GOOD, timeout=60)
        call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call",
                "params": {"name": "get_pinned_videos", "arguments": {"username": "nasa"}}}  # fmt: skip
        answered = httpx.post(f"{guarded.url}{query}", json=call, headers=GOOD, timeout=30)
        return listed.status_code, "outputSchema" in listed.text, "structuredContent" in answered.text

    assert told("") == told("?channels=both") == (200, True, True)
    assert told("?channels=text") == (200, False, False)
    for wrong in ("?channels=", "?channels=data", "?channels=text&channels=both"):
        assert told(wrong) == (400, False, False)


# One request, one answer


def exchange(server: HTTPServer, *sent: bytes) -> list[bytes]:
    """Each response that comes, by its first line, until the server hangs up or nothing follows for a while."""
    with socket.create_connection(address(server), timeout=30) as connection:
        for number, piece in enumerate(sent):
            time.sleep(0.1 * bool(number))
            with contextlib.suppress(OSError):
                connection.sendall(piece)
        heard = b""
        with contextlib.suppress(OSError):
            while piece := connection.recv(65536):
                heard += piece
                connection.settimeout(0.3)
    return [line for line in heard.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")] or [b""]


INNER = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
SMUGGLED = [
    # What each says about its length, and then a request that must be taken for part of it, or never be read.
    *(
        [f"Content-Length: {length}", f"Transfer-Encoding: {coding}"]
        for length, coding in itertools.product(
            (0, 5, 44), ("chunked", "Chunked", "chunked ", "identity", "xchunked", "gzip, chunked")
        )
    ),
    *(["Content-Length: 0", f"Content-Length: {length}"] for length in ("5", "44", "x", "")),
    *(
        [f"Content-Length: {length}"]
        for length in ("+0", "-1", "0x0", "0,5", "0 0", "1e1", "\u0660", "0\x0b", "99999999999999999999")
    ),
    *(
        [f"Transfer-Encoding: {coding}"]
        for coding in ("chunked, chunked", "chunked;q=1", "\x0bchunked", "chunked\x00", "identity")
    ),
    *([f"Transfer-Encoding{space}: chunked"] for space in (" ", "\t", "\x0b")),
    ["Transfer-Encoding:", " chunked"],
    ["X: y", " Content-Length: 44"],
    ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
    ["Content-Length: 0\nTransfer-Encoding: chunked"],
    ["X: y\nContent-Length: 44"],
    ["X: y\rContent-Length: 44"],
    ["Host: evil.example"],
    ["Content-Length : 0"],
    ["Content-Length\x00: 0"],
]
CHUNKS = [
    b"0\r\n\r\n", b"0;x\r\n\r\n", b"00000000000000000\r\n\r\n", b"0x0\r\n\r\n", b"-1\r\n\r\n",
    b"1\r\nxx\r\n0\r\n\r\n", b"1\nx\n0\n\n", b"1 \r\nx\r\n0\r\n\r\n", b"1\r\nx0\r\n\r\n",
    b"ffffffffffffffff1\r\nx\r\n0\r\n\r\n", b"\r\n0\r\n\r\n", b"g\r\n\r\n",
]  # fmt: skip


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(SMUGGLED) + len(CHUNKS) >= 60


@pytest.mark.parametrize("headers", SMUGGLED, ids=repr)
def test_a_request_of_doubtful_length_hides_no_other(guarded: HTTPServer, headers: list[str]) -> None:
    answers = exchange(guarded, post(b"0\r\n\r\n" + INNER, *headers))

    # The inner request may follow an outer one that has clearly ended; then the outer one was not taken to be doubtful.
    statuses = [answer.split()[1] if answer else b"" for answer in answers]
    assert statuses.count(b"200") <= 1
    assert len(answers) <= 2
    assert statuses[0] in (b"400", b"401", b"413", b"421", b"501", b"")


@pytest.mark.parametrize("chunks", CHUNKS, ids=repr)
def test_odd_chunks_end_where_everybody_sees_them_end(guarded: HTTPServer, chunks: bytes) -> None:
    answers = exchange(guarded, post(chunks, "Transfer-Encoding: chunked", "Connection: close"))

    assert len(answers) == 1


def test_what_strangers_send_fills_no_log(guarded: HTTPServer) -> None:
    before = len(guarded.lines)
    long = "\x9b31m\x85" * 10_000
    good = f"Authorization: {GOOD['Authorization']}"
    start = b"POST /mcp HTTP/1.1\r\n"
    for sent in (
        start + f"Host: {long}\r\n\r\n".encode("latin-1"),
        *(
            start + f"Host: localhost\r\n{name}: {long}\r\n\r\n".encode("latin-1")
            for name in ("Origin", "Authorization", "Content-Type", "Mcp-Protocol-Version", "Content-Length")
        ),
        post(b"", good, f"Origin: http://{long}", "Content-Length: 0"),
        post(b"{}", good, *(f"{name}: {long}" for name in ("Mcp-Method", "Mcp-Name")), "Content-Length: 2"),
        b"\x16\x03\x01\0\xa5 no HTTP\r\n\r\n",
        post(b"", f"X: {'x' * 80_000}"),
    ):  # fmt: skip
        for _ in range(5):
            exchange(guarded, sent)

    assert is_served(guarded)
    assert sum(map(len, guarded.lines[before:])) < 1000, guarded.lines[before:]
    assert all(line.isprintable() for line in guarded.lines[before:])


def test_the_time_a_good_call_takes_hardly_changes_under_a_flood(guarded: HTTPServer) -> None:
    def one() -> float:
        started = time.perf_counter()
        assert is_served(guarded)
        return time.perf_counter() - started

    quiet = sorted(one() for _ in range(9))[4]
    with contextlib.ExitStack() as stack:
        for _ in range(600):
            connection = stack.enter_context(socket.create_connection(address(guarded), timeout=30))
            with contextlib.suppress(OSError):
                connection.sendall(post(b"x", "Content-Length: 9"))
        loaded = sorted(one() for _ in range(9))[4]

    assert loaded < 10 * quiet + 0.1
