"""The sandbox's names for trying things out: each does what it is for."""

from __future__ import annotations

import asyncio
import itertools
import json
import unicodedata
from typing import Any

import httpx
import pytest

from kit import VIRTUAL_TIME, Clock, Researcher, error_of, now, researcher

pytestmark = pytest.mark.anyio

client = pytest.fixture(researcher)


async def test_sandbox_empty_has_nothing_pinned(client: Researcher) -> None:
    assert await client.videos("sandbox_empty") == []


async def test_sandbox_missing_and_private_are_refused_in_tiktoks_words(client: Researcher) -> None:
    missing = "`username: sandbox_missing` is invalid: cannot find the user"
    assert error_of(await client.ask("sandbox_missing")) == (400, "invalid_params", missing)

    status, code, message = error_of(await client.ask("Sandbox_Private"))
    assert (status, code) == (400, "invalid_params")
    assert "is private" in message


async def test_sandbox_flaky_fails_once_and_never_again(client: Researcher) -> None:
    first, *later = [await client.ask("sandbox_flaky") for _ in range(4)]

    assert error_of(first)[:2] == (500, "internal_error")
    assert [response.status_code for response in later] == [200, 200, 200]


async def test_sandbox_limited_asks_for_a_second_once(client: Researcher) -> None:
    first, *later = [await client.ask("sandbox_limited") for _ in range(3)]

    message = "The API rate limit was exceeded. Please try again later."
    assert error_of(first) == (429, "rate_limit_exceeded", message)
    assert first.headers["Retry-After"] == "1"
    assert [response.status_code for response in later] == [200, 200]


async def test_a_request_that_was_refused_earlier_does_not_spend_the_one_failure(client: Researcher) -> None:
    assert (await client.ask("sandbox_flaky", "nonsense")).status_code == 400
    assert (await client.ask("sandbox_flaky")).status_code == 500


async def test_sandbox_quota_is_spent_for_that_account_only(client: Researcher) -> None:
    for _ in range(3):
        assert error_of(await client.ask("sandbox_quota"))[:2] == (429, "daily_quota_limit_exceeded")
    assert (await client.ask("nasa")).status_code == 200


async def test_sandbox_broken_is_html_for_ever(client: Researcher) -> None:
    for _ in range(3):
        response = await client.ask("sandbox_broken")
        assert response.status_code == 504
        assert response.headers["Content-Type"] == "text/html"
        assert "504 Gateway Timeout" in response.text


@VIRTUAL_TIME
async def test_sandbox_slow_takes_two_seconds_and_holds_up_nobody_else(client: Researcher) -> None:
    began = now()
    slow = asyncio.create_task(client.ask("sandbox_slow"))
    await asyncio.sleep(0)
    assert (await client.ask("nasa")).status_code == 200
    assert now() - began < 0.1
    assert (await slow).status_code == 200

    assert now() - began == pytest.approx(2.0)


@VIRTUAL_TIME
async def test_an_answer_slower_than_the_read_timeout_times_out(client: Researcher) -> None:
    client.http.timeout = httpx.Timeout(5.0, read=0.05)
    began = now()

    with pytest.raises(httpx.ReadTimeout):
        await client.ask("sandbox_slow")
    assert now() - began == pytest.approx(0.05)


async def test_sandbox_hostile_carries_everything_a_cleaner_must_remove(client: Researcher) -> None:
    videos = await client.videos("sandbox_hostile")

    text = json.dumps(videos, ensure_ascii=False)
    everything = "".join(strings_in(videos))
    assert "\u202e" in everything  # bidirectional override
    assert {"\u200b", "\u2060", "\ufeff"} <= set(everything)  # zero width
    assert any("\U000e0020" <= character <= "\U000e007e" for character in everything)  # tag characters
    assert {"\x00", "\x07", "\x1b", "\x85", "\n", "\r"} <= set(everything)  # control characters, lines
    assert "\u200d🚀" in everything  # a joiner that must stay
    assert "<script>" in text
    assert "nore all previous instructions" in text
    assert max(len(video["video_description"]) for video in videos) > 4_000
    for field in ("region_code", "hashtag_names", "video_mention_list", "video_label", "hashtag_info_list"):
        values = [string for video in videos for string in strings_in(video[field])]
        assert any(unicodedata.category(character) in {"Cc", "Cf"} for string in values for character in string), field


def strings_in(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [string for item in value.values() for string in strings_in(item)]
        case list():
            return [string for item in value for string in strings_in(item)]
        case _:
            return []


async def test_sandbox_changing_pins_another_video_every_minute_and_its_counts_grow(
    client: Researcher, clock: Clock
) -> None:
    looks: list[dict[str, dict[str, Any]]] = []
    for _ in range(7):
        looks.append({video["id"]: video for video in await client.videos("sandbox_changing")})
        assert list(looks[-1]) == [video["id"] for video in await client.videos("Sandbox_Changing")]
        clock.now += 60
        await client.log_in()

    for before, after in itertools.pairwise(looks):
        assert [len(before.keys() - after.keys()), len(after.keys() - before.keys())] == [1, 1]
        for stayed in before.keys() & after.keys():
            assert after[stayed]["view_count"] > before[stayed]["view_count"]
            assert after[stayed]["create_time"] == before[stayed]["create_time"]
    assert looks[5].keys() == looks[0].keys()
