"""What operators' tools see: spans of upstream requests and metrics of calls, through the OpenTelemetry API.

The SDK behind the API is started only when the standard OTEL_* variables ask for an export (extra `otel`), or by
whoever started this process. Without either nothing is imported, wrapped or counted.
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
LAST_WORDS: Final = 1.0
"""Seconds for what is still to be sent when the server is told to stop."""
_METRICS_API: Final = "opentelemetry.metrics"
_quota: list[weakref.WeakMethod[Callable[[], int]]] = []
"""How to read the last service's ledger; empty before there is one."""


def configure_telemetry(env: Mapping[str, str]) -> Callable[[], None]:
    """Start exporting what `env` asks for; call what this returns at the end, for it sends the rest."""
    signals = _asked_for(env)
    if not signals:
        return _nothing_to_send
    try:
        from .export import start
    except ImportError:
        _log.warning(
            "The environment asks for OpenTelemetry (OTEL_…), but its SDK is not installed; %s", how_to_add("otel")
        )
        return _nothing_to_send
    return start(signals, env)


def meter_call(record: CallRecord) -> None:
    """Count one call of a tool."""
    # Nobody can have chosen where metrics go without loading their API, and loading it takes 10 ms and more.
    if _METRICS_API in sys.modules:
        _call_meters()(record)


def watch_quota(read: Callable[[], int]) -> None:
    """Have the quota gauge read the requests used today by `read`, a method; the last one told is read."""
    _quota[:] = [weakref.WeakMethod(read)]


@cache
def _call_meters() -> Callable[[CallRecord], None]:
    from opentelemetry import metrics

    meter = metrics.get_meter(NAME)
    calls = meter.create_counter(f"{NAME}.calls", "{call}", "Calls of tools")
    duration = meter.create_histogram(f"{NAME}.call.duration", "s", "Duration of calls of tools")
    requests = meter.create_counter(f"{NAME}.requests", "{request}", "Research requests sent for calls of tools")
    hits = meter.create_counter(f"{NAME}.cache.hits", "{account}", "Accounts answered from the cache")

    def used(_: CallbackOptions) -> Iterable[Observation]:
        for known in _quota:
            if (read := known()) is not None:
                yield metrics.Observation(read())

    meter.create_observable_gauge(
        f"{NAME}.quota.used", [used], "{request}", "Requests of today's quota used, as this process last saw it"
    )

    def count(record: CallRecord) -> None:
        facts = {"tool": record.tool, "status": str(record.status)}
        calls.add(1, facts)
        duration.record(record.milliseconds / 1000, facts)
        requests.add(record.requests, {"tool": record.tool})
        hits.add(record.cached, {"tool": record.tool})

    return count


def _asked_for(env: Mapping[str, str]) -> tuple[str, ...]:
    """`traces`, `metrics`, both or none, by the variables of the OpenTelemetry specification."""
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    return tuple(signal for signal in ("traces", "metrics") if _is_asked_for(env, signal.upper()))


def _is_asked_for(env: Mapping[str, str], signal: str) -> bool:
    exporters = [name.strip().lower() for name in env.get(f"OTEL_{signal}_EXPORTER", "").split(",") if name.strip()]
    if not exporters:
        return any(env.get(f"OTEL_EXPORTER_OTLP_{part}ENDPOINT", "").strip() for part in ("", f"{signal}_"))
    if unknown := set(exporters) - {"otlp", "none"}:
        _log.warning("OTEL_%s_EXPORTER: only otlp and none are known here, not %s", signal, ", ".join(sorted(unknown)))
    return "otlp" in exporters


def _nothing_to_send() -> None:
    pass
