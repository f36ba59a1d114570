"""Exporters of traces and metrics over OTLP/HTTP. Imported only when the environment asks for them.

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
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tiktok_pinned_videos.about import NAME, version

# The SDK's default bounds are meant for milliseconds.
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 240)
_STOP_TIMEOUT: Final = 1.0


def start(signals: Sequence[str], env: Mapping[str, str]) -> Callable[[], None]:
    """Export `signals` from now on; the returned function sends the rest within a second."""
    named = "OTEL_SERVICE_NAME" in env or "service.name=" in env.get("OTEL_RESOURCE_ATTRIBUTES", "")
    ours = {"service.version": version()} | ({} if named else {"service.name": NAME})
    resource = Resource.create(ours)
    stops: list[Callable[[], None]] = []
    # shutdown_on_exit would wait for an endpoint that does not answer.
    if "traces" in signals:
        tracing = TracerProvider(resource=resource, shutdown_on_exit=False)
        tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(tracing)
        stops.append(tracing.shutdown)
    if "metrics" in signals:
        seconds = View(instrument_unit="s", aggregation=ExplicitBucketHistogramAggregation(_SECONDS))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        metering = MeterProvider([reader], resource=resource, shutdown_on_exit=False, views=[seconds])
        metrics.set_meter_provider(metering)
        stops.append(metering.shutdown)

    def stop() -> None:
        threads = [threading.Thread(target=each, daemon=True) for each in stops]
        deadline = time.monotonic() + _STOP_TIMEOUT
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    return stop
