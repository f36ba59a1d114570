"""Access tokens under many calls at once: how often one is fetched, what its refusal costs, and that none is shown."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from kit import KEY, SECRET, Received, Reply, Upstream, ask, connected, raw, refusal, settings, status, text, videos
from tiktok_pinned_videos.app import build_service

pytestmark = pytest.mark.anyio

# --- many calls at once ----------------------------------------------------------------------------------------------


async def together(upstream: Upstream, count: int, **told: Any) -> list[str]:
    async with connected(settings(upstream.url, **told)) as client:
        answers = await asyncio.gather(*(ask(client, f"user{index}") for index in range(count)))
    return [status(answer) for answer in answers]


async def test_forty_concurrent_calls_make_one_token_request(upstream: Upstream) -> None:
    upstream.token_delay = 0.1

    assert await together(upstream, 40) == ["found"] * 40
    assert (len(upstream.token_requests), len(upstream.research)) == (1, 40)


async def test_after_all_tokens_are_revoked_twenty_calls_succeed_with_exactly_one_more(upstream: Upstream) -> None:
    upstream.token_delay = 0.05
    async with connected(settings(upstream.url, max_concurrency=20)) as client:
        await ask(client)
        upstream.revoke_all()
        answers = await asyncio.gather(*(ask(client, f"user{index}") for index in range(20)))

    assert [status(answer) for answer in answers] == ["found"] * 20
    assert len(upstream.token_requests) == 2
    assert len({request.token for request in upstream.research}) == 2


async def test_tokens_revoked_while_calls_are_in_the_air_are_replaced_once(upstream: Upstream) -> None:
    fifth = asyncio.Event()

    def tell(_: Received) -> Reply:
        if len(upstream.research) >= 5:
            fifth.set()
        return videos([{"id": 1}], delay=0.01)

    upstream.answer_by(tell)
    async with connected(settings(upstream.url, max_concurrency=20)) as client:
        await ask(client)
        asking = asyncio.gather(*(ask(client, f"user{index}") for index in range(20)))
        await fifth.wait()
        upstream.revoke_all()
        answers = await asking

    assert [status(answer) for answer in answers] == ["found"] * 20
    assert len(upstream.token_requests) == 2


async def test_a_token_that_is_never_accepted_is_given_up_after_one_renewal(upstream: Upstream) -> None:
    upstream.answer(refusal(401, "access_token_invalid", "The access token is invalid"))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "auth_failed"
    assert text(answer).endswith("[access_token_invalid; log_id L0G]")
    assert (len(upstream.token_requests), len(upstream.research)) == (2, 2)


@pytest.mark.parametrize("code", ["scope_not_authorized", "scope_permission_missed"])
async def test_a_missing_scope_never_loops(upstream: Upstream, code: str) -> None:
    upstream.answer(refusal(401, code, "The user did not authorize the scope required for completing this request."))
    async with connected(settings(upstream.url)) as client:
        answers = [await ask(client), await ask(client)]

    assert [status(answer) for answer in answers] == ["scope_missing"] * 2
    assert (len(upstream.token_requests), len(upstream.research)) == (1, 2)


async def test_a_wrong_secret_is_told_and_no_research_request_is_spent(upstream: Upstream) -> None:
    wrong = raw({"error": "invalid_client", "error_description": "Client key or secret is incorrect.", "log_id": "T1"})
    upstream.answer_token(wrong)
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "auth_failed"
    assert "Client key or secret is incorrect." in text(answer)
    assert text(answer).endswith("[invalid_client; log_id T1]")
    assert (len(upstream.token_requests), len(upstream.research)) == (1, 0)


async def test_a_faulty_token_endpoint_is_tried_twice_more(upstream: Upstream) -> None:
    fault = raw({"error": "server_error", "error_description": "oops"})
    upstream.answer_token(fault, raw(b"<html>", 502), raw(b"", 503))
    async with connected(settings(upstream.url)) as client:
        down = await ask(client)
        upstream.answer_token(fault)
        recovered = await ask(client)

    assert (status(down), status(recovered)) == ("upstream_error", "found")
    assert (len(upstream.token_requests), len(upstream.research)) == (5, 1)


async def test_a_call_cancelled_while_it_fetches_the_token_does_not_stop_the_others(upstream: Upstream) -> None:
    upstream.token_delay = 0.2
    service = build_service(settings(upstream.url))
    leader = asyncio.create_task(service.answer("leader", ("id",)))
    await asyncio.sleep(0.05)
    followers = [asyncio.create_task(service.answer(f"user{index}", ("id",))) for index in range(3)]
    await asyncio.sleep(0.05)
    leader.cancel()
    answers = await asyncio.gather(*followers)
    await service.aclose()

    assert [len(answer.snapshot.videos) for answer in answers] == [3, 3, 3]
    assert leader.cancelled()
    assert len(upstream.token_requests) <= 2


# --- secrecy ---------------------------------------------------------------------------------------------------------


async def test_no_secret_or_token_is_in_logs_errors_or_results(
    upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    answers = {
        "good": videos([{"id": 1}]),
        "broken": raw(b"{"),
        "down": refusal(500, "internal_error"),
        "private": refusal(400, "invalid_params", "user is private"),
        "denied": refusal(401, "access_token_invalid"),
    }
    upstream.answer_by(lambda request: answers[request.json["username"]])
    async with connected(settings(upstream.url)) as client:
        for name in answers:
            told.append((await ask(client, name)).model_dump_json())
        told.append(json.dumps((await client.read_resource("tiktok://status")).model_dump(mode="json")))
    everything = "\n".join([*told, caplog.text, *(repr(record.__dict__) for record in caplog.records)])

    assert [part for part in (SECRET, KEY, "clt.", "Bearer", "client_secret=") if part in everything] == []
