"""What stands between the client and any network: counts, bounds and keeps the token at home.

A wrapping transport sees every request there is, renewals and retries included, so what must hold for all of them
is decided here. The size bound is here because an auth flow reads a whole body before anyone else sees it.
"""

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

    Research requests are reserved with `budget` and counted; requests to any host but the configured one are never
    sent; a response is dropped as soon as it exceeds 8 MiB, compressed or not.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, *, base_url: httpx.URL, budget: Budget) -> None:
        self._inner = inner
        self._origin = (base_url.scheme, base_url.host, base_url.port)
        self._budget = budget

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request on, if it may be sent."""
        if (request.url.scheme, request.url.host, request.url.port) != self._origin:
            raise TikTokError("a request to another host than the configured one was refused.")
        context = request.extensions.get("context")
        if isinstance(context, RequestContext):
            await self._admit(request, context)
        response = await self._inner.handle_async_request(request)
        encoding = response.headers.pop("Content-Encoding", "identity").strip().lower()
        response.headers.pop("Content-Length", None)
        response.stream = _BoundedStream(cast("httpx.AsyncByteStream", response.stream), encoding)
        return response

    async def aclose(self) -> None:
        """Close the wrapped transport."""
        await self._inner.aclose()

    async def _admit(self, request: httpx.Request, context: RequestContext) -> None:
        if not context.wanted():
            raise UnwantedError
        # From here on it is finished: what is reserved has been counted, so it is sent.
        context.on_the_wire = True
        if request.url.path.endswith(wire.PINNED_VIDEOS_PATH):
            quota_state, context.quota_state = context.quota_state, None
            context.reservation = await self._budget.reserve(quota_state)
            context.requests += 1


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, encoding: str) -> None:
        self._inner = inner
        self._encoding = encoding

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = total = 0
        inflate = _Inflate() if self._encoding in ("gzip", "x-gzip", "deflate") else None
        if inflate is None and self._encoding not in ("", "identity"):
            raise APIResponseValidationError("TikTok's answer came in an encoding that was not asked for.")
        async for chunk in self._inner:
            data = chunk if inflate is None else inflate(chunk, MAX_RESPONSE_BYTES + 1 - total)
            received, total = received + len(chunk), total + len(data)
            # Compressed bytes count too: what follows the end of a gzip member unfolds to nothing.
            if max(received, total) > MAX_RESPONSE_BYTES:
                raise APIResponseValidationError("TikTok's answer was larger than 8 MiB and was dropped.")
            yield data

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Inflate:
    """gzip or zlib, never more than the caller's bound at once: a few compressed bytes can hold gigabytes."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)

    def __call__(self, chunk: bytes, limit: int) -> bytes:
        try:
            return self._decoder.decompress(chunk, limit)
        except zlib.error:
            raise httpx.DecodingError("the compressed answer is damaged") from None
