"""The client against a scripted TikTok: what is sent, what is tried again, and what is never shown."""

from __future__ import annotations

import asyncio
import logging

import pytest

from kit.calls import KEY, SECRET, ask, connected, data, service, settings, status, talking, text
from kit.tiktok import Asked, by_name, pinned, quota_spent, tiktok, too_fast, unknown_account
from kit.upstream import EXAMPLE_VIDEOS, OK, Reply, Upstream, html, raw, refusal, videos
from kit.virtual import VIRTUAL_TIME, now

pytestmark = pytest.mark.anyio


async def test_the_documented_example_is_sent_and_answered_digit_for_digit(upstream: Upstream) -> None:
    async with connected(settings(upstream)) as client:
        answer = await ask(client, "test_username", fields="id,share_count,view_count,comment_count,like_count")

    token, research = upstream.received
    assert token.form == {"client_key": KEY, "client_secret": SECRET, "grant_type": "client_credentials"}
    assert (research.method, research.path) == ("POST", "/v2/research/user/pinned_videos/")
    assert research.headers["content-type"] == "application/json"
    assert research.headers["authorization"] == "Bearer clt.loopback0001Token"
    assert research.json == {"username": "test_username"}
    # The documented set of fields, without spaces; the order is TikTok's list.
    assert sorted(research.query.removeprefix("fields=").split(",")) == [
        "comment_count", "id", "like_count", "share_count", "view_count",
    ]  # fmt: skip
    assert [video["id"] for video in data(answer)["videos"]] == [str(item["id"]) for item in EXAMPLE_VIDEOS]
    for fact in ("7777777777777777777", "9999999999999999999", "61676555", "0.1283", OK["log_id"]):
        assert fact in text(answer)


FAULTS = {
    "internal": refusal(500, "internal_error"),
    "timeout": refusal(400, "timeout"),
    "in_a_200": refusal(200, "internal_error", "oops"),
    "later": refusal(400, "invalid_params", "Something is wrong. Please try again later."),
    "unknown_503": refusal(503, "never_heard_of"),
    "html": html(504),
    "html_200": html(200),
    "reset": Reply(reset=True),
    "half": videos(EXAMPLE_VIDEOS, send_only=40),
    "empty_500": videos([], status=500),
    "too_fast": too_fast(),
}
FINAL = {
    "rejected": refusal(400, "invalid_params"),
    "missing": refusal(400, "invalid_params", "cannot find the user"),
    "scope": refusal(401, "scope_not_authorized"),
    "forbidden": refusal(403, "blocked"),
    "array": raw([]),
    "negative": videos([{"id": -1}]),
    "redirect": Reply(302, b"", {"Location": "https://elsewhere.example/"}),
}


@VIRTUAL_TIME
@pytest.mark.parametrize("name", FAULTS)
async def test_a_temporary_fault_is_survived_twice_and_not_three_times(name: str) -> None:
    def reply(asked: Asked) -> Reply:
        return FAULTS[name] if asked.username == "always" or asked.number <= 2 else pinned(asked)

    async with tiktok(reply) as upstream, talking(upstream) as client:
        survived = await ask(client, "twice")
        failed = await ask(client, "always")

    assert status(survived) == "found"
    assert failed.is_error
    assert upstream.names == ["twice"] * 3 + ["always"] * 3


@VIRTUAL_TIME
async def test_a_final_refusal_is_requested_once() -> None:
    async with tiktok(lambda asked: FINAL[asked.username]) as upstream, talking(upstream) as client:
        answers = [await ask(client, name) for name in FINAL]

    assert all(answer.is_error for answer in answers)
    assert upstream.names == list(FINAL)


@VIRTUAL_TIME
async def test_a_rate_limit_is_waited_for_by_all_and_one_beyond_the_deadline_ends_the_call() -> None:
    replies = {1: too_fast("3"), 4: too_fast("3600")}
    async with tiktok(lambda asked: replies.get(asked.number, pinned(asked))) as upstream, talking(upstream) as client:
        first = asyncio.create_task(ask(client, "first"))
        await upstream.first.wait()
        answers = [await ask(client, "second"), await first]
        waited = now()
        limited = [await ask(client, "third")]
        await asyncio.sleep(51)  # of the pause of 60 s, which would leave the next call 1 of its 10 s
        limited.append(await ask(client, "fourth"))

    assert [status(answer) for answer in answers] == ["found"] * 2
    assert waited >= 3
    assert [status(answer) for answer in limited] == ["rate_limited"] * 2
    assert upstream.names.count("fourth") == 0
    assert now() - waited < 52


@VIRTUAL_TIME
async def test_one_deadline_holds_for_all_retries_together() -> None:
    async with tiktok(lambda _: Reply(500, b"", delay=4)) as upstream, talking(upstream, timeout=10) as client:
        answer = await ask(client)

    assert status(answer) in ("timeout", "upstream_error")
    assert now() <= 10.5
    assert len(upstream.asked) <= 3


@VIRTUAL_TIME
async def test_a_server_that_never_answers_is_a_timeout() -> None:
    async with tiktok(lambda _: Reply(delay=600)) as upstream, talking(upstream, timeout=10) as client:
        answer = await ask(client)

    assert status(answer) == "timeout"
    assert "10 s" in text(answer)
    assert now() == pytest.approx(10, abs=0.5)


@VIRTUAL_TIME
async def test_the_simulated_quota_of_the_sandbox_does_not_close_the_day() -> None:
    simulated = quota_spent(headers={"X-Sandbox": "tiktok-pinned-videos-mcp"})
    replies = by_name(sandbox_quota=lambda _: simulated, missing=unknown_account)
    async with tiktok(replies) as upstream, talking(upstream) as client:
        answers = [await ask(client, name) for name in ("sandbox_quota", "nasa", "missing")]

    assert [status(answer) for answer in answers] == ["quota_exceeded", "found", "not_found"]
    assert "simulates" in text(answers[0])
    assert "aged 18 or over" in text(answers[2])


@VIRTUAL_TIME
@pytest.mark.parametrize("code", ["access_token_invalid", "scope_not_authorized"])
async def test_a_rejection_that_renewal_cannot_help_never_loops(code: str) -> None:
    async with tiktok(lambda _: refusal(401, code)) as upstream, talking(upstream) as client:
        answer = await ask(client)

    assert status(answer) == ("auth_failed" if code == "access_token_invalid" else "scope_missing")
    assert len(upstream.asked) == (2 if code == "access_token_invalid" else 1)


@VIRTUAL_TIME
async def test_twenty_calls_share_one_token_and_one_renewal() -> None:
    async with tiktok(latency=0.05) as upstream, service(upstream) as accounts:
        upstream.wire.token_delay = 0.1
        await asyncio.gather(*(accounts.answer(f"user{number}", ("id",)) for number in range(20)))
        upstream.wire.revoke_all()
        await asyncio.gather(*(accounts.answer(f"other{number}", ("id",)) for number in range(20)))

    assert len(upstream.wire.token_requests) == 2
    assert len({asked.token for asked in upstream.asked}) == 2


@VIRTUAL_TIME
async def test_a_faulty_token_endpoint_is_tried_twice_more_and_costs_no_research_request() -> None:
    fault = raw({"error": "server_error", "error_description": "oops"})
    async with tiktok() as upstream, talking(upstream) as client:
        upstream.wire.answer_token(fault, raw(b"<html>", 502), raw(b"", 503))
        down = await ask(client)
        upstream.wire.answer_token(raw({"error": "invalid_client", "error_description": "Secret is incorrect."}))
        wrong = await ask(client)

    assert (status(down), status(wrong)) == ("upstream_error", "auth_failed")
    assert "Secret is incorrect." in text(wrong)
    assert (len(upstream.wire.token_requests), upstream.asked) == (4, [])


async def test_no_secret_or_token_is_in_logs_errors_or_results(
    upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = {
        "good": videos([{"id": 1}]),
        "broken": raw(b"{"),
        "echo": refusal(400, "invalid_params", f"client {KEY} with {SECRET} and clt.loopback0001Token is wrong"),
        "denied": refusal(401, "access_token_invalid"),
    }
    upstream.answer_by(lambda request: answers[request.json["username"]])
    async with connected(settings(upstream)) as client:
        texts = [(await ask(client, name)).model_dump_json() for name in answers]
        texts.append((await client.read_resource("tiktok://status")).model_dump_json())
    everything = "\n".join([*texts, caplog.text, *(repr(record.__dict__) for record in caplog.records)])

    assert [part for part in (SECRET, KEY, "clt.", "Bearer", "client_secret=") if part in everything] == []
