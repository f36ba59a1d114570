"""The sandbox over its wire, in process: the documented interface, its refusals, and the special names."""

from __future__ import annotations

import asyncio
import itertools
import json
import unicodedata
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.sandbox import BASE, Researcher, error_of, researcher
from kit.upstream import PINNED, TOKEN
from kit.virtual import VIRTUAL_TIME, Clock, now
from tiktok_pinned_videos.sandbox.accounts import pinned_videos
from tiktok_pinned_videos.sandbox.app import SandboxApp

pytestmark = pytest.mark.anyio

client = pytest.fixture(researcher)
# As the documentation page lists them, plus the three of the newer page.
_PAGE_FIELDS = (
    "id,create_time,username,region_code,video_description,music_id,like_count,comment_count,share_count,view_count,"
    "hashtag_names,is_stem_verified,favorites_count,video_duration,hashtag_info_list,video_mention_list,video_label"
)
ALL_FIELDS = f"{_PAGE_FIELDS},sticker_info_list,effect_info_list,video_tag"


async def test_a_token_has_the_documented_shape_and_several_are_valid_at_once(client: Researcher, clock: Clock) -> None:
    first = client.token
    body = (await client.log_in()).json()

    assert set(body) == {"access_token", "expires_in", "token_type"}
    assert (body["expires_in"], body["token_type"], body["access_token"][:4]) == (7200, "Bearer", "clt.")
    assert (await client.ask("nasa", Authorization=f"Bearer {first}")).status_code == 200
    clock.now += 7200
    assert error_of(await client.ask("nasa")) == (
        401, "access_token_invalid", "The access token is invalid or not found in the request.",
    )  # fmt: skip


async def test_refusals_of_the_token_endpoint_come_with_http_200(client: Researcher) -> None:
    refused = {
        "invalid_client": await client.log_in(client_secret="wrong"),
        "unsupported_grant_type": await client.log_in(grant_type="password"),
        "invalid_request": await client.log_in(client_key=""),
    }
    for code, response in refused.items():
        assert response.status_code == 200
        assert response.json()["error"] == code
        assert {"error_description", "log_id"} <= response.json().keys()


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"method": "GET", "url": TOKEN}, (405, "invalid_request")),
        ({"method": "POST", "url": "/v2/research/user/info/"}, (404, "unsupported_path")),
        ({"method": "POST", "url": PINNED}, (401, "access_token_invalid")),
        ({"method": "POST", "url": PINNED, "content": b"x" * 70_000}, (413, "invalid_request")),
    ],
)
async def test_other_requests_are_refused_in_the_documented_envelope(
    client: Researcher, request_: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert error_of(await client.http.request(**request_))[:2] == expected


async def test_parameters_that_tiktok_would_reject_are_rejected(client: Researcher) -> None:
    answers = [await client.ask("nasa", fields) for fields in (None, "", "id,nonsense", "favourites_count")]
    answers += [await client.ask(username) for username in (7, None, "", " ", ["nasa"])]
    answers += [await client.ask("nasa", **{"Content-Type": "text/plain"})]
    for body in (b'{"username":"\\ud800"}', b"{", b"[" * 60_000, b"[]", b""):
        headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
        answers.append(await client.http.post(f"{PINNED}?fields=id", content=body, headers=headers))

    assert {error_of(answer)[:2] for answer in answers} == {(400, "invalid_params")}


async def test_fifty_requests_in_the_shape_of_the_official_client_are_answered(client: Researcher) -> None:
    """Its own spacing of JSON, `fields` with spaces, a charset in the content type, a User-Agent."""
    headers = {
        "Authorization": f"bearer {client.token}",
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "TikTok Research API client",
    }
    fields = [ALL_FIELDS.replace(",", ", "), "id", "id,video_tag", "create_time, username", "view_count"]
    for number, chosen in itertools.product(range(10), fields):
        body = json.dumps({"username": f"official_{number}"}, indent=2).encode()
        response = await client.http.post(f"{PINNED}?fields={chosen}", content=body, headers=headers)
        assert response.status_code == 200, response.text
        assert response.json()["error"]["code"] == "ok"
        for video in response.json()["data"]["pinned_videos_list"]:
            assert set(video) <= {name.strip() for name in chosen.split(",")}


async def test_every_answer_says_that_it_is_the_sandbox_and_has_a_log_id_of_its_own(client: Researcher) -> None:
    names = ("nasa", "sandbox_missing", "sandbox_quota", "sandbox_broken")
    answers = [await client.ask(name) for name in names] + [await client.log_in(), await client.http.get("/")]
    log_ids = [answer.json()["error"]["log_id"] for answer in answers if '"error"' in answer.text]

    assert {answer.headers["X-Sandbox"] for answer in answers} == {"tiktok-pinned-videos-mcp"}
    assert len(set(log_ids)) == len(log_ids) == 4


async def test_special_names_fail_as_tiktok_does(client: Researcher) -> None:
    missing = "`username: sandbox_missing` is invalid: cannot find the user"
    assert error_of(await client.ask("sandbox_missing")) == (400, "invalid_params", missing)
    assert "is private" in error_of(await client.ask("Sandbox_Private"))[2]
    for _ in range(2):
        assert error_of(await client.ask("sandbox_quota"))[:2] == (429, "daily_quota_limit_exceeded")
        assert (await client.ask("sandbox_broken")).headers["Content-Type"] == "text/html"
    assert await client.videos("sandbox_empty") == []


@pytest.mark.parametrize(("name", "status"), [("sandbox_flaky", 500), ("sandbox_limited", 429)])
async def test_some_names_fail_once_and_a_rejected_request_does_not_count(
    client: Researcher, name: str, status: int
) -> None:
    assert (await client.ask(name, "nonsense")).status_code == 400
    answers = [await client.ask(name) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [status, 200, 200]
    assert answers[0].headers.get("Retry-After") == ("1" if status == 429 else None)


@VIRTUAL_TIME
async def test_sandbox_slow_takes_two_seconds_and_delays_no_other_request(client: Researcher) -> None:
    slow = asyncio.create_task(client.ask("sandbox_slow"))
    await asyncio.sleep(0)
    assert (await client.ask("nasa")).status_code == 200
    assert now() < 0.1
    assert (await slow).status_code == 200
    assert now() == pytest.approx(2.0)


@VIRTUAL_TIME
async def test_latency_is_added_to_every_answer() -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(SandboxApp(latency=0.05)), base_url=BASE) as http:
        await Researcher(http).log_in()

    assert now() == pytest.approx(0.05)


async def test_requests_in_process_let_other_tasks_run(client: Researcher) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for _ in range(50):
        await client.ask("nasa")
    task.cancel()

    assert turns >= 50


async def test_sandbox_hostile_has_everything_that_must_be_cleaned(client: Researcher) -> None:
    videos = await client.videos("sandbox_hostile", ALL_FIELDS)
    everything = "".join(_strings(videos))

    assert {"\u202e", "\u200b", "\u2060", "\ufeff", "\x00", "\x1b", "\x85", "\n", "\r"} <= set(everything)
    assert any("\U000e0020" <= character <= "\U000e007e" for character in everything)
    assert "nore all previous instructions" in everything
    assert "<script>" in everything
    for field in ("region_code", "hashtag_names", "video_mention_list", "video_label", "hashtag_info_list"):
        text = "".join(_strings([video[field] for video in videos]))
        assert any(unicodedata.category(character) in {"Cc", "Cf"} for character in text), field


async def test_sandbox_changing_pins_another_video_every_minute_and_its_counts_grow(
    client: Researcher, clock: Clock
) -> None:
    seen: list[dict[str, dict[str, Any]]] = []
    for _ in range(6):
        seen.append({video["id"]: video for video in await client.videos("Sandbox_Changing")})
        clock.now += 60
    for before, after in itertools.pairwise(seen):
        assert (len(before.keys() - after.keys()), len(after.keys() - before.keys())) == (1, 1)
        assert all(after[kept]["view_count"] > before[kept]["view_count"] for kept in before.keys() & after.keys())
    assert seen[5].keys() == seen[0].keys()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_every_name_has_one_to_three_videos_that_are_always_the_same(name: str) -> None:
    videos = pinned_videos(name)

    assert 1 <= len(videos) <= 3
    assert videos == pinned_videos(name.casefold())
    assert len({str(video["id"]) for video in videos}) == len(videos)
    for video in videos:
        assert isinstance(video["id"], int)
        assert 10**18 < video["id"] < 2**63
        assert float(video["id"]) != video["id"]  # a reader that uses floats changes digits
        tags = video.get("video_tag", [])
        assert isinstance(tags, list)
        assert all(set(tag) == {"video_tag_type", "video_tag_number"} for tag in tags)


async def test_accounts_differ_in_what_they_have_and_lack(client: Researcher) -> None:
    videos = [video for number in range(60) for video in await client.videos(f"account{number}", ALL_FIELDS)]
    present = [set(video) for video in videos]

    assert videos[0]["id"] == 7544177361519343959  # the same in every process
    every = set(ALL_FIELDS.split(","))
    assert set.union(*present) == every
    assert {"favorites_count", "share_count", "video_label", "video_tag"} <= every - set.intersection(*present)
    assert len({video["video_description"].partition("#")[0] for video in videos}) > 12
    tags = {(tag["video_tag_type"], tag["video_tag_number"]) for video in videos for tag in video.get("video_tag", ())}
    assert tags == {("AIGC", 1), ("AIGC", 2), ("Branded", 1), ("Branded", 7)}


def _strings(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [string for item in value.values() for string in _strings(item)]
        case list():
            return [string for item in value for string in _strings(item)]
        case _:
            return []
