"""Over a real socket: connections, redirects, responses without end, compressed bombs."""

from __future__ import annotations

import gzip

import pytest

from kit.calls import ask, compare, connected, data, settings, status, statuses, text
from kit.tiktok import MANY
from kit.upstream import EXAMPLE_VIDEOS, Reply, Upstream, serving, videos

pytestmark = pytest.mark.anyio

MIB = 1 << 20


async def test_a_comparison_of_fifty_is_fifty_requests_on_few_connections_and_none_the_second_time(
    upstream: Upstream,
) -> None:
    async with connected(settings(upstream, cache_ttl=300, max_concurrency=8)) as client:
        for _ in range(2):
            answer = await compare(client, MANY)

            assert set(statuses(answer).values()) == {"found"}
            assert len(upstream.research) == 50
    assert len(upstream.token_requests) == 1
    assert upstream.connections <= 8 + 1  # the token's


async def test_a_redirect_is_never_followed(upstream: Upstream) -> None:
    path = "/v2/research/user/pinned_videos/?fields=id"
    async with serving() as elsewhere, connected(settings(upstream)) as client:
        for status_code in (301, 302, 303, 307, 308):
            for place in (elsewhere.url, ""):
                upstream.answer(Reply(status_code, b"", {"Location": place + path}))
                assert status(await ask(client)) == "upstream_error"

        assert elsewhere.received == []
        assert len(upstream.research) == 10


async def test_a_redirected_token_request_does_not_carry_the_secret_away(upstream: Upstream) -> None:
    async with serving() as elsewhere:
        upstream.answer_token(Reply(307, b"", {"Location": elsewhere.url + "/v2/oauth/token/"}))
        async with connected(settings(upstream)) as client:
            answer = await ask(client)

        assert (status(answer), elsewhere.received) == ("upstream_error", [])


@pytest.mark.parametrize(
    "reply",
    [
        Reply(endless=b" " * 65536),
        Reply(200, gzip.compress(b"{}"), {"Content-Encoding": "gzip"}, endless=b"\0" * 65536),
    ],
    ids=["endless", "rubbish after gzip"],
)
async def test_a_response_beyond_8_mib_is_dropped_while_it_arrives(upstream: Upstream, reply: Reply) -> None:
    upstream.answer(reply)
    async with connected(settings(upstream)) as client:
        answer = await ask(client)

    assert status(answer) == "upstream_error"
    assert "8 MiB" in text(answer)
    assert upstream.sent_bytes < 24 * MIB  # what was already in the sockets' buffers
    assert len(upstream.research) == 1


async def test_a_token_response_without_end_is_dropped_too(upstream: Upstream) -> None:
    upstream.answer_token(Reply(endless=b" " * 65536))
    async with connected(settings(upstream)) as client:
        answer = await ask(client)

    assert (status(answer), upstream.research) == ("upstream_error", [])
    assert upstream.sent_bytes < 24 * MIB


async def test_a_compressed_answer_is_read_and_a_damaged_one_is_requested_again(upstream: Upstream) -> None:
    packed = gzip.compress(videos(EXAMPLE_VIDEOS).body)
    headers = {"Content-Encoding": "gzip"}
    upstream.answer(Reply(200, b"damaged", headers), Reply(200, packed[:40], headers), Reply(200, packed, headers))
    async with connected(settings(upstream)) as client:
        answer = await ask(client)

    assert data(answer)["totals"]["view_count"] == 61676555
    assert len(upstream.research) == 3
