"""Upstream requests per question: each is one of 1,000 per day."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kit.calls import ask, connected, data, settings, status
from kit.upstream import Received, Reply, html, raw, refusal, serving, videos

pytestmark = pytest.mark.anyio
NO_RETRY_WAIT = {"Retry-After": "0", "Content-Type": "application/json"}


def once(first: Reply, then: Reply) -> Callable[[Received], Reply]:
    replies = [first]
    return lambda _: replies.pop() if replies else then


GOOD = videos([{"id": 1, "view_count": 5}])
CASES: dict[str, tuple[Callable[[Received], Reply], dict[str, Any], str, int]] = {
    "an account": (lambda _: GOOD, {}, "found", 1),
    "nothing pinned": (lambda _: videos([]), {}, "nothing_pinned", 1),
    "all fields": (lambda _: GOOD, {"fields": "id,music_id,hashtag_info_list,video_label"}, "found", 1),
    "an unknown field": (lambda _: GOOD, {"fields": "likes"}, "invalid_argument", 0),
    "an impossible name": (lambda _: GOOD, {"username": "no name"}, "invalid_argument", 0),
    "no such user": (lambda _: refusal(400, "invalid_params", "cannot find the user"), {}, "not_found", 1),
    "a private account": (lambda _: refusal(400, "invalid_params", "the user is private"), {}, "refused", 1),
    "a spent quota": (lambda _: refusal(429, "daily_quota_limit_exceeded"), {}, "quota_exceeded", 1),
    "a scope that is missing": (lambda _: refusal(401, "scope_not_authorized"), {}, "scope_missing", 1),
    "a wrong shape": (lambda _: raw({"data": [], "error": {"code": "ok"}}), {}, "upstream_error", 1),
    "500 once": (once(refusal(500, "internal_error"), GOOD), {}, "found", 2),
    "429 once": (once(refusal(429, "rate_limit_exceeded", headers=NO_RETRY_WAIT), GOOD), {}, "found", 2),
    "a gateway that is down": (lambda _: html(504), {}, "upstream_error", 3),
}


@pytest.mark.parametrize("case", CASES)
async def test_one_question_sends_no_more_requests_than_it_needs(case: str) -> None:
    teller, arguments, expected, requests = CASES[case]
    async with serving() as upstream, connected(settings(upstream.url, cache_ttl=300)) as client:
        upstream.answer_by(teller)
        answer = await ask(client, **{"username": "nasa", **arguments})

        assert status(answer) == expected
        assert len(upstream.research) == requests
        assert len(upstream.token_requests) == min(1, requests)


async def compare(client: Any, *names: str) -> list[str]:
    answer = await client.call_tool("compare_pinned_videos", {"usernames": list(names)})
    return [account["status"] for account in data(answer)["accounts"]]


async def test_a_comparison_of_fifty_is_fifty_requests_on_few_connections_and_none_the_second_time() -> None:
    names = [f"account{number}" for number in range(50)]
    async with serving() as upstream, connected(settings(upstream.url, cache_ttl=300, max_concurrency=8)) as client:
        upstream.answer(GOOD)

        assert await compare(client, *names) == ["found"] * 50
        assert len(upstream.research) == 50
        assert len(upstream.token_requests) == 1
        assert upstream.connections <= 8 + 2
        assert await compare(client, *names) == ["found"] * 50
        assert len(upstream.research) == 50
