"""Upstream requests as OpenTelemetry sees them: a CLIENT span under the call's own, and a duration.

Attributes follow the semantic conventions for HTTP. No query, header, body or username is among them, and no trace
context is sent upstream: it is nobody's business there.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import httpx
from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind, StatusCode

from tiktok_pinned_videos.research.transport import Inquiry
from tiktok_pinned_videos.research.wire import PINNED_VIDEOS_PATH

from .telemetry import NAME

_End = Callable[[int | None, BaseException | None], None]


class TracedTransport(httpx.AsyncBaseTransport):
    """Wraps a transport; a span lasts until the response is read or given up."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self._tracer = trace.get_tracer(NAME)
        self._duration = metrics.get_meter(NAME).create_histogram(
            "http.client.request.duration", "s", "Duration of HTTP client requests"
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request on."""
        end = self._begin(request)
        try:
            response = await self._inner.handle_async_request(request)
        except BaseException as fault:
            end(None, fault)
            raise
        response.stream = _WatchedStream(cast("httpx.AsyncByteStream", response.stream), response.status_code, end)
        return response

    async def aclose(self) -> None:
        """Close the wrapped transport."""
        await self._inner.aclose()

    def _begin(self, request: httpx.Request) -> _End:
        url = request.url
        facts: dict[str, Any] = {
            "http.request.method": request.method,
            "server.address": url.host,
            "server.port": url.port or (443 if url.scheme == "https" else 80),
            "url.template": url.path,  # the paths here have no parts that vary
        }
        more: dict[str, Any] = {"url.full": str(url.copy_with(query=None)), "url.scheme": url.scheme}
        inquiry = request.extensions.get("inquiry")
        if isinstance(inquiry, Inquiry) and inquiry.requests > 1 and url.path.endswith(PINNED_VIDEOS_PATH):
            more["http.request.resend_count"] = inquiry.requests - 1
        span = self._tracer.start_span(f"{request.method} {url.path}", kind=SpanKind.CLIENT, attributes=facts | more)
        started = time.perf_counter()

        def end(status: int | None, fault: BaseException | None) -> None:
            outcome: dict[str, Any] = {} if status is None else {"http.response.status_code": status}
            if fault is not None:
                outcome["error.type"] = type(fault).__qualname__
            elif status is not None and status >= 400:
                outcome["error.type"] = str(status)
            span.set_attributes(outcome)
            if "error.type" in outcome:
                span.set_status(StatusCode.ERROR)
            span.end()
            self._duration.record(time.perf_counter() - started, facts | outcome)

        return end


class _WatchedStream(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, status: int, end: _End) -> None:
        self._inner = inner
        self._status = status
        self._end: _End | None = end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._inner:
                yield chunk
        except BaseException as fault:
            self._finish(fault)
            raise

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            self._finish(None)

    def _finish(self, fault: BaseException | None) -> None:
        end, self._end = self._end, None
        if end is not None:
            end(self._status, None if isinstance(fault, GeneratorExit) else fault)
