"""The transport around the network: no other host, no oversized response, no unknown encoding."""

from __future__ import annotations

import gzip
import zlib

import httpx
import pytest

from kit.calls import KEY, SECRET
from kit.upstream import EXAMPLE_VIDEOS, InMemory, Upstream, videos
from tiktok_pinned_videos.research.budget import PausedError, RequestContext, Reservation, UnwantedError
from tiktok_pinned_videos.research.errors import APIResponseValidationError, TikTokError
from tiktok_pinned_videos.research.transport import MAX_RESPONSE_BYTES, GuardedTransport

pytestmark = pytest.mark.anyio

HOME = "https://open.tiktokapis.com"
BODY = videos(EXAMPLE_VIDEOS).body
MIB = 1 << 20


class Unused:
    """A budget for requests without a context, which are not counted."""

    async def reserve(self, context: RequestContext) -> Reservation:
        raise PausedError(0)

    async def answered(self, reservation: Reservation) -> None:
        raise AssertionError(reservation)

    async def refused(self, reservation: Reservation) -> None:
        raise AssertionError(reservation)

    async def pause(self, seconds: float) -> None:
        raise AssertionError(seconds)


def guarded(inner: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=GuardedTransport(inner, base_url=httpx.URL(HOME), budget=Unused()))


async def received(body: bytes, encoding: str) -> bytes:
    """What a client reads of a response with this encoding."""
    response = httpx.Response(200, headers={"Content-Encoding": encoding}, stream=httpx.ByteStream(body))
    async with guarded(httpx.MockTransport(lambda _: response)) as http:
        return (await http.post(f"{HOME}/v2/oauth/token/")).content


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/v2/oauth/token/",
        "http://open.tiktokapis.com/v2/oauth/token/",
        "https://open.tiktokapis.com:8443/v2/oauth/token/",
        "https://open.tiktokapis.com.elsewhere.example/v2/oauth/token/",
    ],
)
async def test_the_secret_goes_to_no_other_host_scheme_or_port(url: str) -> None:
    upstream = Upstream()
    async with guarded(InMemory(upstream)) as http:
        with pytest.raises(TikTokError, match="another host"):
            await http.post(url, data={"client_key": KEY, "client_secret": SECRET})

    assert upstream.received == []


async def test_a_request_that_no_call_waits_for_is_not_sent() -> None:
    upstream = Upstream()
    async with guarded(InMemory(upstream)) as http:
        with pytest.raises(UnwantedError):
            await http.post(HOME, extensions={"context": RequestContext(wanted=lambda: False)})

    assert upstream.received == []


async def test_compressed_responses_are_unpacked() -> None:
    raw = zlib.compress(BODY)
    for body, encoding in ((BODY, ""), (BODY, "identity"), (gzip.compress(BODY), "gzip"), (raw, "deflate")):
        assert await received(body, encoding) == BODY


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "nonsense"])
async def test_an_encoding_that_was_not_asked_for_is_an_error(encoding: str) -> None:
    with pytest.raises(APIResponseValidationError, match="encoding"):
        await received(BODY, encoding)


async def test_a_body_that_is_not_gzip_as_claimed_is_an_error_that_is_retried() -> None:
    with pytest.raises(APIResponseValidationError, match="damaged") as damaged:
        await received(BODY, "gzip")

    assert damaged.value.retryable


async def test_responses_beyond_8_mib_are_dropped_compressed_or_not() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b" " * MIB) for _ in range(64)) + packer.flush()
    padded = gzip.compress(b"{}") + b"\0" * MAX_RESPONSE_BYTES
    for body, encoding in ((b" " * (MAX_RESPONSE_BYTES + 1), ""), (bomb, "gzip"), (padded, "gzip")):
        with pytest.raises(APIResponseValidationError, match="8 MiB"):
            await received(body, encoding)
    assert len(await received(b" " * MAX_RESPONSE_BYTES, "")) == MAX_RESPONSE_BYTES
