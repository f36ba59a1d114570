"""Requests and replies over a real socket: what is sent, redirects, replies too large, compressed replies."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from kit import EXAMPLE_VIDEOS, SECRET, Reply, Upstream, ask, connected, data, serving, settings, status, text, videos

pytestmark = pytest.mark.anyio


async def test_the_request_is_sent_exactly_as_documented(upstream: Upstream) -> None:
    async with connected(settings(upstream.url)) as client:
        await ask(client, "NaSa.Real_1", fields="view_count, favourites_count,id")

    token, research = upstream.received
    assert (token.method, token.path, token.query) == ("POST", "/v2/oauth/token/", "")
    assert token.headers["content-type"] == "application/x-www-form-urlencoded"
    assert token.form == {
        "client_key": "aw-client-key-7",
        "client_secret": SECRET,
        "grant_type": "client_credentials",
    }
    assert (research.method, research.path) == ("POST", "/v2/research/user/pinned_videos/")
    assert sorted(research.query.removeprefix("fields=").split(",")) == ["favorites_count", "id", "view_count"]
    assert research.headers["content-type"] == "application/json"
    assert research.headers["authorization"] == "Bearer clt.loopback0001Token"
    assert research.json == {"username": "NaSa.Real_1"}


async def test_connections_are_kept_alive_between_calls(upstream: Upstream) -> None:
    async with connected(settings(upstream.url)) as client:
        for _ in range(3):
            await ask(client)

    assert upstream.connections == 1


@pytest.mark.parametrize("status_code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed_and_the_token_stays_at_home(upstream: Upstream, status_code: int) -> None:
    async with serving() as elsewhere:
        location = {"Location": elsewhere.url + "/v2/research/user/pinned_videos/?fields=id"}
        upstream.answer(Reply(status_code, b"", location))
        async with connected(settings(upstream.url)) as client:
            answer = await ask(client)

        assert status(answer) == "upstream_error"
        assert elsewhere.received == []
        assert len(upstream.research) == 1


@pytest.mark.parametrize("status_code", [302, 307])
async def test_a_redirect_within_the_same_host_is_not_followed_either(upstream: Upstream, status_code: int) -> None:
    again = {"Location": "/v2/research/user/pinned_videos/?fields=id"}
    upstream.answer(Reply(status_code, b"", again), videos(EXAMPLE_VIDEOS))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "upstream_error"
    assert len(upstream.received) == 2  # the token, and what was redirected


async def test_a_redirected_token_request_does_not_carry_the_secret_away(upstream: Upstream) -> None:
    async with serving() as elsewhere:
        upstream.answer_token(Reply(307, b"", {"Location": elsewhere.url + "/v2/oauth/token/"}))
        async with connected(settings(upstream.url)) as client:
            answer = await ask(client)

        assert status(answer) == "upstream_error"
        assert elsewhere.received == []


MIB = 1 << 20


async def test_a_body_without_end_is_dropped_at_8_mib(upstream: Upstream) -> None:
    upstream.answer(Reply(endless=b" " * 65536))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "upstream_error"
    assert "8 MiB" in text(answer)
    assert 8 * MIB < upstream.sent_bytes < 24 * MIB  # what the sockets' buffers hold is on its way already
    assert len(upstream.research) == 1


async def test_a_token_response_without_end_is_dropped_at_8_mib(upstream: Upstream) -> None:
    upstream.answer_token(Reply(endless=b" " * 65536))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "upstream_error"
    assert upstream.sent_bytes < 24 * MIB
    assert upstream.research == []


async def test_forty_megabytes_of_honest_json_are_dropped(upstream: Upstream) -> None:
    item = json.dumps({"id": 1, "video_description": "x" * (40 * MIB)}).encode()
    upstream.answer(Reply(200, b'{"data":{"pinned_videos_list":[' + item + b']},"error":{"code":"ok"}}'))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "upstream_error"
    assert "8 MiB" in text(answer)


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(b" " * MIB) for _ in range(size)) + packer.flush()


@pytest.mark.parametrize("path", ["research", "token"])
async def test_a_gzip_bomb_is_dropped_while_it_unfolds(upstream: Upstream, path: str) -> None:
    reply = Reply(200, bomb(512), {"Content-Encoding": "gzip"})
    (upstream.answer if path == "research" else upstream.answer_token)(reply)
    before = _peak_kib()
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "upstream_error"
    assert _peak_kib() - before < 100 * 1024


async def test_rubbish_after_a_small_gzip_body_is_bounded_too(upstream: Upstream) -> None:
    small = gzip.compress(b"{}")
    upstream.answer(Reply(200, small, {"Content-Encoding": "gzip"}, endless=b"\0" * 65536))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "upstream_error"
    assert upstream.sent_bytes < 24 * MIB


def _peak_kib() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def test_a_gzipped_answer_is_an_answer(upstream: Upstream) -> None:
    upstream.answer(Reply(200, gzip.compress(videos(EXAMPLE_VIDEOS).body), {"Content-Encoding": "gzip"}))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert data(answer)["totals"]["view_count"] == 61676555


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "nonsense"])
async def test_an_encoding_nobody_asked_for_is_an_upstream_error(upstream: Upstream, encoding: str) -> None:
    upstream.answer(Reply(200, videos([]).body, {"Content-Encoding": encoding}))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "upstream_error"


async def test_a_body_that_is_not_gzip_as_claimed_is_a_fault_that_is_told(upstream: Upstream) -> None:
    upstream.answer(Reply(200, videos([]).body, {"Content-Encoding": "gzip"}), videos(EXAMPLE_VIDEOS))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert (status(answer), len(upstream.research)) == ("found", 2)


async def test_an_empty_list_does_not_hide_a_full_one_under_the_same_key(upstream: Upstream) -> None:
    twice = b'{"data":{"pinned_videos_list":[{"id":1}],"pinned_videos_list":[]},"error":{"code":"ok"}}'
    upstream.answer(Reply(200, twice))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "upstream_error"
    assert len(upstream.research) == 1


async def test_a_rate_limit_says_how_long_tiktok_asks_to_wait(upstream: Upstream) -> None:
    limited = b'{"data":{},"error":{"code":"rate_limit_exceeded","message":"","log_id":"1"}}'
    upstream.answer(Reply(429, limited, {"Retry-After": "600"}))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "rate_limited"
    assert "Wait 600 s" in text(answer)


async def test_an_id_of_thousands_of_digits_keeps_them_all(upstream: Upstream) -> None:
    long_id = "9" * 5000
    upstream.answer(Reply(200, b'{"data":{"pinned_videos_list":[{"id":%s}]},"error":{"code":"ok"}}' % long_id.encode()))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client, fields="id")

    assert data(answer)["videos"][0]["id"] == long_id
