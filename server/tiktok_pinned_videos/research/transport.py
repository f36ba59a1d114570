"""A transport that wraps the network and applies the rules that hold for every request."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Final, cast

import httpx

from . import wire
from .budget import Budget, RequestContext, UnwantedError
from .errors import APIResponseValidationError, TikTokError

MAX_RESPONSE_BYTES: Final = 8 * 1024 * 1024


class GuardedTransport(httpx.AsyncBaseTransport):
    """Wraps the network, the sandbox or a test's transport.

    It reserves each research request with `budget`, sends requests to the configured host only, and drops a response as
    soon as it exceeds 8 MiB, compressed or not.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, *, base_url: httpx.URL, budget: Budget) -> None:
        self._inner = inner
        self._origin = (base_url.scheme, base_url.host, base_url.port)
        self._budget = budget

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request if it may be sent."""
        if (request.url.scheme, request.url.host, request.url.port) != self._origin:
            raise TikTokError("a request to another host than the configured one was not sent.")
        context = request.extensions.get("context")
        if isinstance(context, RequestContext):
            await self._reserve(request, context)
        response = await self._inner.handle_async_request(request)
        encoding = response.headers.pop("Content-Encoding", "identity").strip().lower()
        response.headers.pop("Content-Length", None)
        response.stream = _BoundedStream(cast("httpx.AsyncByteStream", response.stream), encoding)
        return response

    async def aclose(self) -> None:
        """Close the wrapped transport."""
        await self._inner.aclose()

    async def _reserve(self, request: httpx.Request, context: RequestContext) -> None:
        if not context.wanted():
            raise UnwantedError
        # From here on the request is completed: what is reserved has been counted, so it is sent.
        context.on_the_wire = True
        if request.url.path.endswith(wire.PINNED_VIDEOS_PATH):
            context.reservation = await self._budget.reserve(context)
            context.requests += 1


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, encoding: str) -> None:
        self._inner = inner
        self._encoding = encoding

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = total = 0
        compressed = self._encoding in ("gzip", "x-gzip", "deflate")
        if not compressed and self._encoding not in ("", "identity"):
            raise APIResponseValidationError("TikTok's response has an encoding that was not asked for.")
        # gzip or zlib, unpacked up to the limit only: a few compressed bytes can hold gigabytes.
        decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        async for chunk in self._inner:
            try:
                data = decoder.decompress(chunk, MAX_RESPONSE_BYTES + 1 - total) if compressed else chunk
            except zlib.error:
                raise APIResponseValidationError("TikTok's compressed response is damaged.", retryable=True) from None
            received, total = received + len(chunk), total + len(data)
            # Compressed bytes count too: what follows the end of a gzip member unpacks to nothing.
            if max(received, total) > MAX_RESPONSE_BYTES:
                raise APIResponseValidationError("TikTok's response was larger than 8 MiB and was dropped.")
            yield data

    async def aclose(self) -> None:
        await self._inner.aclose()
