"""When to try again: the pure schedule, then the same against a clock and a server."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from kit import (
    EXAMPLE_VIDEOS,
    Received,
    Reply,
    Upstream,
    ask,
    connected,
    data,
    html,
    raw,
    refusal,
    settings,
    status,
    text,
    videos,
)
from tiktok_pinned_videos.research import errors
from tiktok_pinned_videos.research.retry import RetrySchedule

pytestmark = pytest.mark.anyio

FAULT = errors.InternalServerError("down", retryable=True)
LIMIT = errors.RateLimitError("slow down", retryable=True)


def limited(retry_after: float | None) -> errors.RateLimitError:
    return errors.RateLimitError("slow down", retryable=True, retry_after=retry_after)


# --- the schedule -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [FAULT, LIMIT, limited(0), limited(3)])
def test_there_are_at_most_two_retries_however_long_the_deadline(error: errors.TikTokError) -> None:
    schedule = RetrySchedule(lambda: 0.5)
    delays = [schedule.delay_after(error, remaining=1e9) for _ in range(5)]

    assert [delay is not None for delay in delays] == [True, True, False, False, False]


def test_retries_of_different_kinds_are_counted_together() -> None:
    schedule = RetrySchedule(lambda: 0.0)
    delays = [schedule.delay_after(error, remaining=1e9) for error in (FAULT, LIMIT, FAULT, LIMIT)]

    assert [delay is not None for delay in delays] == [True, True, False, False]


def test_what_is_not_retryable_is_never_tried_again() -> None:
    schedule = RetrySchedule(lambda: 0.0)

    assert schedule.delay_after(errors.NotFoundError("nobody"), remaining=1e9) is None
    assert schedule.delay_after(errors.QuotaExceededError("spent"), remaining=1e9) is None
    assert schedule.delay_after(errors.APIResponseValidationError("odd"), remaining=1e9) is None


def test_a_rate_limit_without_a_word_waits_one_second_then_two_and_never_less() -> None:
    for chance in (0.0, 0.5, 0.999):
        schedule = RetrySchedule(lambda chance=chance: chance)
        first, second = (schedule.delay_after(LIMIT, remaining=60) for _ in range(2))

        assert first is not None
        assert second is not None
        assert 1.0 <= first < 1.5
        assert 2.0 <= second < 3.0


def test_jitter_spreads_calls_that_met_the_same_limit() -> None:
    delays = {RetrySchedule(lambda c=c: c / 10).delay_after(limited(3), remaining=60) for c in range(10)}

    assert len(delays) == 10
    assert None not in delays


@pytest.mark.parametrize(("remaining", "fits"), [(0.0, False), (2.9, False), (3.0, False), (3.1, True)])
def test_a_retry_that_would_not_fit_the_deadline_is_not_made(remaining: float, fits: bool) -> None:
    delay = RetrySchedule(lambda: 0.0).delay_after(limited(3), remaining=remaining)

    assert (delay is not None) is fits


def test_retry_after_is_honoured_for_server_faults_too() -> None:
    error = errors.InternalServerError("down", retryable=True, retry_after=5)

    assert RetrySchedule(lambda: 0.0).delay_after(error, remaining=60) == 5


# --- against a server ---------------------------------------------------------------------------------------------

FAULTS = [
    refusal(500, "internal_error"),
    refusal(400, "timeout"),
    refusal(200, "internal_error", "oops"),
    refusal(503, "never_heard_of"),
    html(504),
    html(200),
    Reply(reset=True),
    videos(EXAMPLE_VIDEOS, send_only=40),
    raw(b'{"data":'),
    raw({}, 500),
    videos(EXAMPLE_VIDEOS, status=500),
]


async def test_each_transient_fault_is_survived_twice_and_not_three_times(upstream: Upstream) -> None:
    seen: dict[str, int] = {}

    def tell(request: Received) -> Reply:
        name = request.json["username"]
        seen[name] = seen.get(name, 0) + 1
        kind, index = name.split("_")
        return FAULTS[int(index)] if kind == "always" or seen[name] <= 2 else videos(EXAMPLE_VIDEOS)

    upstream.answer_by(tell)
    cases = range(len(FAULTS))
    async with connected(settings(upstream.url, max_concurrency=32)) as client:
        twice = await asyncio.gather(*(ask(client, f"twice_{index}") for index in cases))
        always = await asyncio.gather(*(ask(client, f"always_{index}") for index in cases))

    assert [status(answer) for answer in twice] == ["found"] * len(FAULTS)
    assert {status(answer) for answer in always} == {"upstream_error", "unreachable"}
    assert set(seen.values()) == {3}


NOT_RETRIED = [
    *(refusal(400, code) for code in ("invalid_params", "invalid_param", "invalid_request", "never_heard_of")),
    refusal(400, "invalid_params", "cannot find the user"),
    refusal(401, "scope_not_authorized"),
    refusal(403, "never_heard_of"),
    raw([]),
    raw({"data": {}}),
    raw({"data": "x", "error": {"code": "ok"}}),
    videos("x"),
    videos([{"id": None}]),
    Reply(302, b"", {"Location": "https://elsewhere.example/"}),
]


async def test_what_will_not_change_is_asked_once(upstream: Upstream) -> None:
    upstream.answer_by(lambda request: NOT_RETRIED[int(request.json["username"])])
    async with connected(settings(upstream.url, max_concurrency=32)) as client:
        answers = await asyncio.gather(*(ask(client, str(index)) for index in range(len(NOT_RETRIED))))

    assert all(answer.is_error for answer in answers)
    assert len(upstream.research) == len(NOT_RETRIED)


async def test_the_daily_quota_is_never_retried(upstream: Upstream) -> None:
    upstream.answer(refusal(429, "daily_quota_limit_exceeded", "limit", headers={"Retry-After": "0"}))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert (status(answer), len(upstream.research)) == ("quota_exceeded", 1)
    assert "00:00 UTC" in text(answer)


async def test_retry_after_is_waited_for(upstream: Upstream) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    upstream.answer(refusal(429, "rate_limit_exceeded", headers={"Retry-After": moment}), videos(EXAMPLE_VIDEOS))
    started = time.monotonic()
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert data(answer)["status"] == "found"
    assert time.monotonic() - started > 0.9


async def test_a_retry_after_beyond_the_deadline_ends_the_call_at_once(upstream: Upstream) -> None:
    upstream.answer(refusal(429, "rate_limit_exceeded", headers={"Retry-After": "3600"}))
    started = time.monotonic()
    async with connected(settings(upstream.url)) as client:
        answers = [await ask(client), await ask(client, "other")]

    assert [status(answer) for answer in answers] == ["rate_limited"] * 2
    assert time.monotonic() - started < 60
    assert len(upstream.research) == 1  # the second call knows already


async def test_a_rate_limit_in_an_undocumented_form_is_retried_as_well(upstream: Upstream) -> None:
    upstream.answer(Reply(429, b"slow down", {"Retry-After": "0"}), videos(EXAMPLE_VIDEOS))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert (status(answer), len(upstream.research)) == ("found", 2)


async def test_a_server_that_says_nothing_is_a_timeout_within_the_time_set(upstream: Upstream) -> None:
    upstream.answer(Reply(delay=60))
    started = time.monotonic()
    async with connected(settings(upstream.url, timeout=0.5)) as client:
        answer = await ask(client)

    assert status(answer) == "timeout"
    assert "0.5 s" in text(answer)
    assert time.monotonic() - started < 20


async def test_a_token_endpoint_that_says_nothing_is_a_timeout_too(upstream: Upstream) -> None:
    upstream.answer_token(Reply(delay=5))
    async with connected(settings(upstream.url, timeout=0.5)) as client:
        answer = await ask(client)

    assert (status(answer), len(upstream.research)) == ("timeout", 0)


async def test_the_deadline_holds_for_all_retries_together(upstream: Upstream) -> None:
    upstream.answer(Reply(500, b"", delay=0.4), Reply(500, b"", delay=60))
    started = time.monotonic()
    async with connected(settings(upstream.url, timeout=1)) as client:
        answer = await ask(client)

    assert status(answer) in ("timeout", "upstream_error")
    assert time.monotonic() - started < 20


async def test_nobody_listening_is_unreachable_and_named(unused_tcp_port: int) -> None:
    async with connected(settings(f"http://127.0.0.1:{unused_tcp_port}")) as client:
        answer = await ask(client)

    assert status(answer) == "unreachable"
    assert "127.0.0.1" in text(answer)


@pytest.fixture
def unused_tcp_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


HOST = "https://open.tiktokapis.invalid"  # never resolved: the proxy would have to


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("http://127.0.0.1:{port}", "no connection to open.tiktokapis.invalid could be made"),
        ("127.0.0.1:{port}", "no connection to open.tiktokapis.invalid could be made"),
        ("http://user:pa55word@127.0.0.1:{port}", "no connection to open.tiktokapis.invalid could be made"),
        ("nonsense://127.0.0.1:{port}", "HTTPS_PROXY"),
        ("http://[broken", "no connection to open.tiktokapis.invalid could be made"),
    ],
)
async def test_a_proxy_that_does_not_work_is_unreachable_not_a_crash(
    no_proxies: pytest.MonkeyPatch, unused_tcp_port: int, proxy: str, said: str
) -> None:
    no_proxies.setenv("HTTPS_PROXY", proxy.format(port=unused_tcp_port))
    async with connected(settings(HOST, timeout=1)) as client:
        answer = await ask(client)

    assert status(answer) == "unreachable"
    assert said.casefold() in text(answer).casefold()
    assert "pa55word" not in text(answer)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["http://", ""])
async def test_the_proxy_of_the_environment_is_used(
    no_proxies: pytest.MonkeyPatch, upstream: Upstream, variable: str, scheme: str
) -> None:
    no_proxies.setenv(variable, scheme + upstream.url.removeprefix("http://"))
    async with connected(settings(HOST, timeout=1)) as client:
        answer = await ask(client)

    assert status(answer) == "unreachable"
    assert {request.method for request in upstream.received} == {"CONNECT"}


async def test_no_proxy_is_honoured(no_proxies: pytest.MonkeyPatch, upstream: Upstream) -> None:
    no_proxies.setenv("HTTPS_PROXY", upstream.url)
    no_proxies.setenv("NO_PROXY", "tiktokapis.invalid")
    async with connected(settings(HOST, timeout=1)) as client:
        answer = await ask(client)

    assert (status(answer), upstream.received) == ("unreachable", [])


async def test_what_goes_to_loopback_in_plain_http_meets_no_proxy(
    no_proxies: pytest.MonkeyPatch, upstream: Upstream, unused_tcp_port: int
) -> None:
    no_proxies.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_tcp_port}")
    no_proxies.setenv("ALL_PROXY", f"http://127.0.0.1:{unused_tcp_port}")
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "found"
