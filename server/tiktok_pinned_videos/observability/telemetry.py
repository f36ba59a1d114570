"""Metrics of tool calls, and exporters of traces and metrics over OTLP/HTTP (extra `otel`).

Exporters are started if the standard OTEL_* variables ask for them. Otherwise nothing is imported or counted. The MCP
SDK makes the spans. The exporters read endpoint, headers and timeouts from the environment themselves.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, MutableMapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final

from tiktok_pinned_videos.about import NAME, how_to_add, version

from .logs import CallRecord

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

_log = logging.getLogger(__name__)
_PREFIX: Final = "tiktok_pinned_videos"
_counters: Final[list[Callable[[CallRecord], None]]] = []  # one as soon as metrics are exported
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 240)
"""Bounds of durations. The default bounds are meant for milliseconds."""
_GROUPS: Final = {
    "OTEL_PROPAGATORS": "opentelemetry_propagator",
    "OTEL_PYTHON_CONTEXT": "opentelemetry_context",
    "OTEL_PYTHON_TRACER_PROVIDER": "opentelemetry_tracer_provider",
    "OTEL_PYTHON_METER_PROVIDER": "opentelemetry_meter_provider",
}
"""By variable: the entry points among which OpenTelemetry searches its values. A wrong one would end the import."""


def drop_unusable(env: MutableMapping[str, str]) -> list[str]:
    """Remove the variables that would end the program while the MCP SDK is imported; one line for each."""
    lines: list[str] = []
    for variable, group in _GROUPS.items():
        known = {"", "none", *entry_points(group=group).names}
        wrong = [name for part in env.get(variable, "").split(",") if (name := part.strip()).lower() not in known]
        if wrong:
            lines.append(f"{variable} is ignored: {wrong[0]!r} is not installed. Install it, or unset the variable.")
            del env[variable]
    return lines


def configure_telemetry(env: Mapping[str, str]) -> Callable[[], None]:
    """Start the exporters that `env` requires; the returned function sends the rest. A failure is one warning."""
    signals: list[str] = []
    for signal in ("TRACES", "METRICS") if env.get("OTEL_SDK_DISABLED", "").strip().lower() != "true" else ():
        endpoint = env.get("OTEL_EXPORTER_OTLP_ENDPOINT") or env.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
        exporter = env.get(f"OTEL_{signal}_EXPORTER", "").strip() or ("otlp" if endpoint else "none")
        if exporter == "otlp":
            signals.append(signal)
        elif exporter != "none":
            _log.warning("OTEL_%s_EXPORTER: only otlp and none are supported, not %s", signal, exporter)
    try:
        return _started(signals) if signals else lambda: None
    except ImportError:
        _log.warning("The environment asks for OpenTelemetry, but its SDK is not installed; %s", how_to_add("otel"))
    except Exception as fault:
        logging.getLogger("opentelemetry").warning("OpenTelemetry could not be started: %s.", fault)
    return lambda: None


def _started(signals: list[str]) -> Callable[[], None]:
    from opentelemetry import metrics, trace
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    ours = Resource.create({"service.name": NAME, "service.version": version()})
    resource = ours.merge(OTELResourceDetector().detect())
    stops: list[Callable[[], None]] = []
    # shutdown_on_exit would wait for an endpoint that does not answer.
    if "TRACES" in signals:
        tracing = TracerProvider(resource=resource, shutdown_on_exit=False)
        tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(tracing)
        stops.append(tracing.shutdown)
    if "METRICS" in signals:
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        metering = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        metrics.set_meter_provider(metering)
        _counters[:] = [_counter(metering.get_meter(_PREFIX))]
        stops.append(metering.shutdown)

    def stop() -> None:
        thread = threading.Thread(target=lambda: [each() for each in stops], daemon=True)
        thread.start()
        thread.join(1.0)

    return stop


def meter_call(record: CallRecord) -> None:
    """Count one tool call."""
    for count in _counters:
        count(record)


def _counter(meter: Meter) -> Callable[[CallRecord], None]:
    calls = meter.create_counter(f"{_PREFIX}.calls", "{call}", "Tool calls")
    requests = meter.create_counter(f"{_PREFIX}.requests", "{request}", "Research requests sent for tool calls")
    hits = meter.create_counter(f"{_PREFIX}.cache.hits", "{account}", "Accounts answered from the cache")
    duration = meter.create_histogram(
        f"{_PREFIX}.call.duration", "s", "Duration of tool calls", explicit_bucket_boundaries_advisory=_SECONDS
    )

    def count(record: CallRecord) -> None:
        facts = {"tool": record.tool, "status": str(record.status)}
        calls.add(1, facts)
        duration.record(record.milliseconds / 1000, facts)
        requests.add(record.requests, {"tool": record.tool})
        hits.add(record.cached, {"tool": record.tool})

    return count
