"""What operators see: exported to a collector of the test's own, by the process as users start it; and the log."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import httpx
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from kit.mcp_http import address
from kit.processes import COMMAND, environment, http_client, http_server, yardstick
from kit.redis_server import RedisServer
from kit.upstream import EXAMPLE_VIDEOS, refusal, serving, videos

pytestmark = [pytest.mark.anyio, pytest.mark.processes]


class Collector:
    """Takes OTLP over HTTP and keeps it as plain values."""

    def __init__(self) -> None:
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        self.spans: list[dict[str, Any]] = []
        self.points: dict[str, list[tuple[dict[str, Any], Any]]] = {}
        self.units: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        """Of each histogram, the sum of what was recorded."""
        self.resource: dict[str, Any] = {}
        self.raw = b""
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.raw += body
                if self.path == "/v1/traces":
                    collector.take_spans(ExportTraceServiceRequest.FromString(body))
                else:
                    collector.take_metrics(ExportMetricsServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named so by the library
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def take_spans(self, request: Any) -> None:
        for resource in request.resource_spans:
            self.resource = values(resource.resource.attributes)
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        {
                            "name": span.name,
                            "kind": span.kind,
                            "id": span.span_id,
                            "parent": span.parent_span_id,
                            "failed": span.status.code == 2,
                            **values(span.attributes),
                        }
                    )

    def take_metrics(self, request: Any) -> None:
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    kind = metric.WhichOneof("data")
                    # Sums are cumulative: the last one told is the whole.
                    self.points[metric.name] = [
                        (values(point.attributes), point.count if kind == "histogram" else point.as_int)
                        for point in getattr(metric, kind).data_points
                    ]
                    if kind == "histogram":
                        self.units[metric.name] = metric.unit
                        self.seconds[metric.name] = sum(point.sum for point in metric.histogram.data_points)

    def value(self, name: str, **attributes: Any) -> Any:
        return sum(value for found, value in self.points.get(name, []) if attributes.items() <= found.items())

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def values(attributes: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    collector = Collector()
    yield collector
    collector.close()


CREDENTIALS = {"TIKTOK_CLIENT_KEY": "awkey123", "TIKTOK_CLIENT_SECRET": "hunter2-hunter2", "TIKTOK_STATE": "memory:"}


async def test_a_call_over_http_is_seen_whole_and_nothing_secret_with_it(collector: Collector) -> None:
    async with serving() as upstream:
        env = CREDENTIALS | {"TIKTOK_API_BASE_URL": upstream.url, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        with http_server(env=env, sandbox=False) as server:
            async with http_client(server.url) as client:
                began = time.monotonic()
                upstream.answer(videos(EXAMPLE_VIDEOS, delay=0.25))
                await client.call_tool("get_pinned_videos", {"username": "some_body"})
                await client.call_tool("get_pinned_videos", {"username": "some_body"})
                upstream.answer(refusal(500, "internal_error"))
                await client.call_tool("get_pinned_videos", {"username": "other_body"})
                took = time.monotonic() - began
            server.terminate()
            assert server.wait() == 0

    calls = [span for span in collector.spans if span["name"] == "tools/call get_pinned_videos"]
    requests = [span for span in collector.spans if span["kind"] == 3]
    research = [span for span in requests if span["name"] == "POST /v2/research/user/pinned_videos/"]
    assert len(calls) == 3
    assert [span["http.response.status_code"] for span in research] == [200, 500, 500, 500]
    assert [span.get("http.request.resend_count") for span in research] == [None, None, 1, 2]
    assert [span["failed"] for span in research] == [False, True, True, True]
    assert [span["parent"] for span in research] == [calls[0]["id"]] + [calls[2]["id"]] * 3
    assert research[0]["url.full"] == upstream.url + "/v2/research/user/pinned_videos/"
    assert research[0]["server.address"] == "127.0.0.1"
    assert [span["name"] for span in requests if span not in research] == ["POST /v2/oauth/token/"]
    assert collector.resource["service.name"] == "tiktok-pinned-videos-mcp"

    own = "tiktok_pinned_videos."
    assert collector.value(own + "calls", tool="get_pinned_videos", status="found") == 2
    assert collector.value(own + "calls", status="upstream_error") == 1
    assert collector.value(own + "call.duration") == 3
    for name in (own + "call.duration", "http.client.request.duration"):
        assert collector.units[name] == "s"
        assert 0.25 < collector.seconds[name] < took  # one after the other
    assert collector.value(own + "requests") == 4
    assert collector.value(own + "cache.hits") == 1
    assert collector.value(own + "quota.used") == 4
    assert collector.value("http.client.request.duration", **{"http.response.status_code": 200}) == 2
    for secret in (b"hunter2", b"awkey123", b"clt.", b"some_body", b"other_body"):
        assert secret not in collector.raw
    assert all("traceparent" not in request.headers for request in upstream.received)


async def test_names_and_texts_of_strangers_are_in_no_span(collector: Collector) -> None:
    with http_server(env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}) as server:
        async with http_client(server.url) as client:
            with contextlib.suppress(MCPError):
                await client.read_resource("tiktok://pinned/some_body")
            with contextlib.suppress(MCPError):
                await client.call_tool("a_tool_of_somebody", {"username": "some_body"})
            with contextlib.suppress(MCPError):
                await client.get_prompt("a_prompt_of_somebody", {})
        server.terminate()
        assert server.wait() == 0

    assert {span["name"] for span in collector.spans} >= {"resources/read", "tools/call other", "prompts/get other"}
    for word in (b"some_body", b"somebody"):
        assert word not in collector.raw


@pytest.fixture
def errlog(tmp_path: Path) -> Iterator[TextIO]:
    with (tmp_path / "stderr").open("w", encoding="utf-8") as file:
        yield file


async def test_a_call_over_stdio_is_exported_before_the_process_ends(collector: Collector, errlog: TextIO) -> None:
    env = environment(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="mine", OTEL_METRICS_EXPORTER="none")
    parameters = StdioServerParameters(command=COMMAND[0], args=[*COMMAND[1:], "--sandbox"], env=env)
    async with Client(stdio_client(parameters, errlog=errlog)) as client:
        await client.call_tool("get_pinned_videos", {"username": "nasa"})

    assert "tools/call get_pinned_videos" in [span["name"] for span in collector.spans]
    assert collector.resource["service.name"] == "mine"
    assert collector.points == {}


def test_a_collector_that_is_not_there_delays_the_end_by_two_seconds_at_most() -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    with http_server(env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}) as server:
        started = time.monotonic()
        server.terminate()
        assert server.wait() == 0

    assert time.monotonic() - started < 3 + 20 * yardstick()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither signal")
@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP"])
def test_a_stop_takes_below_8_seconds_though_collector_redis_and_tiktok_hang(
    redis_server: RedisServer, number: str
) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "get_pinned_videos", "arguments": {"username": "nasa"}}}  # fmt: skip
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        env = CREDENTIALS | {
            "TIKTOK_API_BASE_URL": url, "OTEL_EXPORTER_OTLP_ENDPOINT": url, "TIKTOK_STATE": redis_server.url,
        }  # fmt: skip
        with http_server(env=env, sandbox=False) as server, socket.create_connection(address(server)) as connection:
            assert httpx.get(server.base + "/readyz", timeout=60).json()["state"] == "ok"
            redis_server.send_signal(signal.SIGSTOP)
            content = json.dumps(body).encode()
            head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            head += f"Accept: application/json, text/event-stream\r\nContent-Length: {len(content)}\r\n\r\n"
            connection.sendall(head.encode() + content)
            silent.accept()[0].close()  # the call has begun
            began = time.monotonic()
            server.terminate(getattr(signal, number))
            assert server.wait(30) == 0
            took = time.monotonic() - began
        redis_server.send_signal(signal.SIGCONT)

    assert took < 8 + 10 * yardstick()


COUNT = """
import asyncio, sys
from mcp.client import Client
from tiktok_pinned_videos.app import build_server
from tiktok_pinned_videos.observability.metrics import configure_telemetry
from tiktok_pinned_videos.settings import Settings

async def main():
    async with Client(build_server(Settings(sandbox=True))) as client:
        assert not (await client.call_tool("get_pinned_videos", {"username": "nasa"})).is_error

before = set(sys.modules)
configure_telemetry({ENV})()
asyncio.run(main())
print(*(name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.metrics",
    "opentelemetry.exporter", "tiktok_pinned_videos.serve.spans", "tiktok_pinned_videos.observability.export"))))
"""


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none",
         "OTEL_METRICS_EXPORTER": "none"},
    ],
)  # fmt: skip
def test_without_being_asked_nothing_is_loaded_for_it(env: dict[str, str]) -> None:
    code = COUNT.replace("{ENV}", repr(env))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=30, check=False, env=environment()
    )

    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_asked_for_but_not_installed_is_said_once_and_costs_no_start() -> None:
    code = (
        "import sys; sys.modules['opentelemetry.sdk'] = None\n"
        "from tiktok_pinned_videos.observability.metrics import configure_telemetry\n"
        "import logging; logging.basicConfig(format='%(levelname)s %(message)s')\n"
        "configure_telemetry({'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT': 'http://127.0.0.1:9'})()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=30, check=False, env=environment()
    )

    assert done.returncode == 0, done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith("WARNING")
    assert 'in a copy of the repository: pip install ".[otel]", or start with: uv run --extra otel ' in line


# The log


@pytest.mark.parametrize("log_format", ["json", "text"])
async def test_a_call_is_one_line_of_the_log_without_anything_secret(log_format: str) -> None:
    async with serving() as upstream:
        env = CREDENTIALS | {"TIKTOK_API_BASE_URL": upstream.url, "LOG_FORMAT": log_format}
        with http_server(env=env, sandbox=False) as server:
            async with http_client(server.url) as client:
                await client.call_tool("get_pinned_videos", {"username": "nasa"})
                await client.call_tool("get_pinned_videos", {"username": "nasa"})
            server.wait_for("get_pinned_videos")
            server.wait_for("get_pinned_videos")
            lines = [line for line in server.lines if "get_pinned_videos" in line]

    assert len(lines) == 2
    if log_format == "json":
        first, second = map(json.loads, lines)
        assert first["ms"] > 0
        assert {name: first[name] for name in ("tool", "account", "status", "requests", "cached", "log_id")} == {
            "tool": "get_pinned_videos", "account": "nasa", "status": "found", "requests": 1, "cached": 0,
            "log_id": "20261122101512C0FFEE",
        }  # fmt: skip
        assert (second["requests"], second["cached"]) == (0, 1)
    else:
        assert "tool=get_pinned_videos account=nasa status=found requests=1 cached=0 ms=" in lines[0]
        assert lines[0].endswith("log_id=20261122101512C0FFEE")
    for secret in ("hunter2", "awkey123", "clt."):
        assert not any(secret in line for line in server.lines)
