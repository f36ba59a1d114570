"""Metrics of tool calls through the OpenTelemetry API.

The OpenTelemetry SDK is started only when the standard OTEL_* variables ask for an export (extra `otel`). Otherwise
nothing is imported or counted. The MCP SDK makes the spans.
"""

from __future__ import annotations

import logging
import sys
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Final

from tiktok_pinned_videos.about import how_to_add

from .record import CallRecord

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Observation

_log = logging.getLogger(__name__)
NAME: Final = "tiktok_pinned_videos"
_METRICS_API: Final = "opentelemetry.metrics"
_quota: list[weakref.WeakMethod[Callable[[], int]]] = []
"""The method that reads the count of requests of the last service; empty before the first one."""


def configure_telemetry(env: Mapping[str, str]) -> Callable[[], None]:
    """Start the exporters that `env` requires; the returned function sends the rest. A failure is one warning."""
    if signals := _asked_for(env):
        names = ", ".join(sorted(name for name in env if name.startswith("OTEL_")))
        logger = logging.getLogger("opentelemetry")
        logger.handlers, logger.propagate = [_Complaints(names)], False
        try:
            from .export import start

            return start(signals, env)
        except ImportError:
            _log.warning("The environment asks for OpenTelemetry, but its SDK is not installed; %s", how_to_add("otel"))
        except Exception as fault:
            _log.warning("OpenTelemetry could not be started: %s. Check %s.", fault, names)
    return lambda: None


class _Complaints(logging.Handler):
    """Logs what OpenTelemetry logs, without tracebacks and with the variables that may be wrong."""

    def __init__(self, names: str) -> None:
        super().__init__()
        self._names = names

    def emit(self, record: logging.LogRecord) -> None:
        _log.log(record.levelno, "OpenTelemetry: %s. Check %s.", record.getMessage().rstrip("."), self._names)


def meter_call(record: CallRecord) -> None:
    """Count one tool call."""
    # Without this API loaded there cannot be an exporter, and loading it takes 10 ms.
    if _METRICS_API in sys.modules:
        _call_meters()(record)


def watch_quota(read: Callable[[], int]) -> None:
    """Set the method from which the quota gauge reads today's requests. A later one replaces it."""
    _quota[:] = [weakref.WeakMethod(read)]


@cache
def _call_meters() -> Callable[[CallRecord], None]:
    from opentelemetry import metrics

    meter = metrics.get_meter(NAME)
    calls = meter.create_counter(f"{NAME}.calls", "{call}", "Tool calls")
    duration = meter.create_histogram(f"{NAME}.call.duration", "s", "Duration of tool calls")
    requests = meter.create_counter(f"{NAME}.requests", "{request}", "Research requests sent for tool calls")
    hits = meter.create_counter(f"{NAME}.cache.hits", "{account}", "Accounts answered from the cache")

    def used(_: CallbackOptions) -> Iterable[Observation]:
        for reference in _quota:
            if (read := reference()) is not None:
                yield metrics.Observation(read())

    meter.create_observable_gauge(f"{NAME}.quota.used", [used], "{request}", "Requests of today's quota used")

    def count(record: CallRecord) -> None:
        facts = {"tool": record.tool, "status": str(record.status)}
        calls.add(1, facts)
        duration.record(record.milliseconds / 1000, facts)
        requests.add(record.requests, {"tool": record.tool})
        hits.add(record.cached, {"tool": record.tool})

    return count


def _asked_for(env: Mapping[str, str]) -> list[str]:
    """Return `traces`, `metrics`, both or none, by the variables of the OpenTelemetry specification."""
    signals: list[str] = []
    for signal in ("traces", "metrics") if env.get("OTEL_SDK_DISABLED", "").strip().lower() != "true" else ():
        variable = f"OTEL_{signal.upper()}_EXPORTER"
        exporters = {name.strip().lower() for name in env.get(variable, "").split(",")} - {""}
        if unknown := exporters - {"otlp", "none"}:
            _log.warning("%s: only otlp and none are supported, not %s", variable, ", ".join(sorted(unknown)))
        endpoints = (env.get(f"OTEL_EXPORTER_OTLP_{part}ENDPOINT", "") for part in ("", f"{signal.upper()}_"))
        if "otlp" in exporters or (not exporters and any(endpoint.strip() for endpoint in endpoints)):
            signals.append(signal)
    return signals
