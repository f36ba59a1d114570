"""The OpenTelemetry SDK, set up from the standard OTEL_* variables: OTLP over HTTP. Imported only when asked for.

The exporters read endpoint, headers and timeouts from the environment themselves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status

from tiktok_pinned_videos.about import NAME, version
from tiktok_pinned_videos.research.wire import PINNED_VIDEOS_PATH, TOKEN_PATH

from .telemetry import LAST_WORDS

_KNOWN: Final = frozenset(
    {
        *("POST", PINNED_VIDEOS_PATH, TOKEN_PATH),
        *("get_pinned_videos", "compare_pinned_videos", "pinned_videos_report", "compare_creators"),
        *("initialize", "ping", "server/discover", "tools/list", "tools/call", "prompts/list", "prompts/get"),
        *("resources/list", "resources/templates/list", "resources/read", "completion/complete", "logging/setLevel"),
        *("notifications/initialized", "notifications/cancelled", "notifications/progress"),
    }
)
"""What may stand in the name of a span."""
_NAMING: Final = ("mcp.method.name", "gen_ai.tool.name", "gen_ai.prompt.name")
# The SDK's own bounds are made for milliseconds.
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 240)


def start(signals: Sequence[str], env: Mapping[str, str]) -> Callable[[], None]:
    """Export `signals` from now on; what is returned sends the rest and ends it."""
    named = "OTEL_SERVICE_NAME" in env or "service.name=" in env.get("OTEL_RESOURCE_ATTRIBUTES", "")
    ours = {"service.version": version()} | ({} if named else {"service.name": NAME})
    resource = Resource.create(ours)
    stops: list[Callable[[], None]] = []
    # At exit the SDK would wait for an endpoint that does not answer; `stop` does not.
    if "traces" in signals:
        tracing = TracerProvider(resource=resource, shutdown_on_exit=False)
        tracing.add_span_processor(BatchSpanProcessor(_Discreet(OTLPSpanExporter())))
        trace.set_tracer_provider(tracing)
        stops.append(tracing.shutdown)
    if "metrics" in signals:
        seconds = View(instrument_unit="s", aggregation=ExplicitBucketHistogramAggregation(_SECONDS))
        metering = MeterProvider(
            [PeriodicExportingMetricReader(OTLPMetricExporter())],
            resource=resource,
            shutdown_on_exit=False,
            views=[seconds],
        )
        metrics.set_meter_provider(metering)
        stops.append(metering.shutdown)

    def stop() -> None:
        threads = [threading.Thread(target=each, daemon=True) for each in stops]
        deadline = time.monotonic() + LAST_WORDS
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    return stop


class _Discreet(SpanExporter):
    """Passes spans on without a stranger's words: names that are ours or MCP's, and no texts of errors.

    The SDK puts the names of unknown tools into spans' names, and messages with usernames into their status.
    """

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See `SpanExporter`."""
        return self._inner.export([_discreet(span) for span in spans])

    def shutdown(self) -> None:
        """See `SpanExporter`."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See `SpanExporter`."""
        return self._inner.force_flush(timeout_millis)


def _discreet(span: ReadableSpan) -> ReadableSpan:
    attributes = {key: value for key, value in (span.attributes or {}).items() if _is_known(key, value)}
    return ReadableSpan(
        name=" ".join(word if word in _KNOWN else "other" for word in span.name.split(" ")[:3]),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _is_known(key: str, value: object) -> bool:
    if key == "jsonrpc.request.id":
        return str(value).isdecimal()  # a client may choose any text
    return key not in _NAMING or str(value) in _KNOWN
