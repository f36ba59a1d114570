"""Traces, metrics and logs as operators get them, from processes as they start them."""

from __future__ import annotations

import gzip
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from kit.processes import COMMAND, HELLO, PIPES, environment, http_client, http_server, message, running
from kit.programs import need_module
from kit.upstream import EXAMPLE_VIDEOS, Loopback, Received, Reply, refusal, serving, videos
from tiktok_pinned_videos.observability.logs import CallRecord, configure_logging

pytestmark = pytest.mark.anyio
CREDENTIALS = {"TIKTOK_CLIENT_KEY": "awkey123", "TIKTOK_CLIENT_SECRET": "hunter2-hunter2", "TIKTOK_STATE": "memory:"}
CALL = {"name": "get_pinned_videos", "arguments": {"username": "nasa"}}
SENT = message("initialize", 0, HELLO) + message("notifications/initialized") + message("tools/call", 1, CALL)


class Collector:
    """Receives OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list[str] = []
        self.totals: dict[str, Any] = {}
        self.seconds = 0.0
        """The duration of all calls."""
        self.raw = b""
        need_module("opentelemetry.proto")
        self._server = Loopback(self._reply)
        self.url = self._server.url

    def _reply(self, request: Received) -> Reply:
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
        self.raw += body
        if request.path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.spans += [span.name for scope in resource.scope_spans for span in scope.spans]
        else:
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.take([metric for scope in resource.scope_metrics for metric in scope.metrics])
        return Reply()

    def take(self, metrics: list[Any]) -> None:
        for metric in metrics:
            kind = metric.WhichOneof("data")
            points = getattr(metric, kind).data_points
            self.seconds = sum(point.sum for point in points) if kind == "histogram" else self.seconds
            self.totals[metric.name] = sum(point.count if kind == "histogram" else point.as_int for point in points)

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


async def test_calls_are_exported_without_secrets_and_leave_one_log_line_each(collector: Collector) -> None:
    async with serving() as upstream:
        env = CREDENTIALS | {"TIKTOK_API_BASE_URL": upstream.url, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        with http_server(env=env | {"LOG_FORMAT": "json", "OTEL_SERVICE_NAME": "my-name"}, sandbox=False) as server:
            async with http_client(server.url) as client:
                upstream.answer(videos(EXAMPLE_VIDEOS))
                await client.call_tool("get_pinned_videos", {"username": "some_body"})
                await client.call_tool("get_pinned_videos", {"username": "some_body"})
                upstream.answer(refusal(500, "internal_error"))
                await client.call_tool("get_pinned_videos", {"username": "other_body"})
            server.terminate()
            assert server.wait() == 0
            logged = [json.loads(line) for line in server.lines if '"tool"' in line]
        received = upstream.received

    assert collector.spans.count("tools/call get_pinned_videos") == 3
    assert {name.removeprefix("tiktok_pinned_videos."): value for name, value in collector.totals.items()} == {
        "calls": 3, "call.duration": 3, "requests": 4, "cache.hits": 1,
    }  # fmt: skip
    assert 1 < collector.seconds < 1000
    assert b"my-name" in collector.raw
    assert not any(secret in collector.raw for secret in (b"hunter2", b"awkey123", b"clt."))
    assert all("traceparent" not in request.headers for request in received)
    assert [(each["status"], each["requests"], each["cached"]) for each in logged] == [
        ("found", 1, 0), ("found", 0, 1), ("upstream_error", 3, 0),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_PROPAGATORS", "tracecontext,bogus"),
        ("OTEL_TRACES_SAMPLER", "bogus"),
        ("OTEL_BSP_SCHEDULE_DELAY", "bogus"),
        ("OTEL_PYTHON_CONTEXT", "bogus"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
    ],
)
def test_a_wrong_variable_of_opentelemetry_is_named_and_stops_nothing(variable: str, value: str) -> None:
    need_module("opentelemetry.sdk")
    env = environment(**{variable: value, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9"})
    env["OTEL_EXPORTER_OTLP_TIMEOUT"] = "1"
    done = subprocess.run([*COMMAND, "--sandbox"], input=SENT, capture_output=True, env=env, timeout=60, check=False)

    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
    assert variable in done.stderr.decode().splitlines()[0]
    assert not any(word in done.stderr for word in (b"Traceback", b"hunter2"))


def test_without_being_asked_for_the_sdk_of_opentelemetry_is_not_imported() -> None:
    disabled = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}
    code = (
        "import sys\n"
        "from tiktok_pinned_videos.observability.telemetry import CallRecord, configure_telemetry, meter_call\n"
        f"for env in ({{}}, {disabled!r}): configure_telemetry(env)(); meter_call(CallRecord('t'))\n"
        "import tiktok_pinned_videos.commands.stdio\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", env=environment(), check=False
    )

    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_dropped_lines_are_counted_when_stderr_is_read_again(log_format: str) -> None:
    code = (
        "import logging, os, sys, time\n"
        "from tiktok_pinned_videos.observability.logs import configure_logging\n"
        f"configure_logging('INFO', {log_format!r})\n"
        "for number in range(5000): logging.getLogger('x').warning('line %d %s', number, 'y' * 100)\n"
        "print('done', flush=True); sys.stdin.read(1)\n"
    )
    with running([sys.executable, "-c", code], env=environment(), **PIPES) as process:
        assert process.stdout.readline() == b"done\n"  # though nobody reads stderr
        lines: list[bytes] = []
        while not lines or b"dropped" not in lines[-1]:
            lines.append(process.stderr.readline())
        lines += process.communicate(b"x", timeout=30)[1].splitlines()

        assert process.wait(30) == 0
    messages = [json.loads(line)["message"] if log_format == "json" else line.decode() for line in lines]
    dropped = [int(message.split()[0]) for message in messages if "dropped" in message]
    assert sum(dropped) + len(lines) - len(dropped) == 5000


def test_a_line_of_the_log_has_one_record_even_if_it_quotes_line_breaks(capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    facts = {"name": "any", "levelname": "INFO"}
    try:
        configure_logging("INFO", "text")
        formatted = root.handlers[0].format(
            logging.makeLogRecord(facts | {"msg": CallRecord("t", accounts=("a b\n status=found",))})
        )
        message = root.handlers[0].format(logging.makeLogRecord(facts | {"msg": "a\nb\x1b[31m\u202e"}))
    finally:
        root.handlers[:], root.level = handlers, level
        logging.getLogger("tiktok_pinned_videos").setLevel(logging.NOTSET)

    assert 'account="a b\\n status=found"' in formatted
    assert not {"\n", "\x1b", "\u202e"} & set(message)
