"""The sandbox against the wire documents: tokens, requests, and accounts that nobody told it about."""

from __future__ import annotations

import re

import httpx
import pytest

from kit import ALL_FIELDS, BASE, GOOD_CLIENT, PINNED, TOKEN, Clock, Researcher, error_of, researcher
from tiktok_pinned_videos.sandbox.transport import SandboxTransport

pytestmark = pytest.mark.anyio

client = pytest.fixture(researcher)


# The token


async def test_a_token_is_granted_as_documented(client: Researcher) -> None:
    response = await client.log_in()

    body = response.json()
    assert response.status_code == 200
    assert body.pop("access_token").startswith("clt.")
    assert body == {"expires_in": 7200, "token_type": "Bearer"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "invalid_request"),
        ({"client_key": ""}, "invalid_request"),
        ({"client_secret": ""}, "invalid_request"),
    ],
)
async def test_a_refused_token_is_an_error_inside_http_200(
    client: Researcher, changes: dict[str, str], code: str
) -> None:
    response = await client.log_in(**changes)

    body = response.json()
    assert response.status_code == 200
    assert set(body) == {"error", "error_description", "log_id"}
    assert body["error"] == code
    assert body["error_description"]


async def test_the_token_endpoint_takes_forms_and_nothing_else(client: Researcher) -> None:
    response = await client.http.post(TOKEN, json=GOOD_CLIENT)

    assert (response.status_code, response.json()["error"]) == (200, "invalid_request")


async def test_several_tokens_live_at_once(client: Researcher) -> None:
    first = client.token
    await client.log_in()
    second = client.token

    assert first != second
    for client.token in (first, second):
        assert (await client.ask("nasa")).status_code == 200


async def test_a_token_ends_after_two_hours(client: Researcher, clock: Clock) -> None:
    clock.now += 7199
    assert (await client.ask("nasa")).status_code == 200
    clock.now += 1

    assert error_of(await client.ask("nasa"))[:2] == (401, "access_token_invalid")

    await client.log_in()
    assert (await client.ask("nasa")).status_code == 200


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer clt.invented", "Basic YTpi"])
async def test_whoever_has_no_token_of_ours_is_told_so(client: Researcher, authorization: str) -> None:
    response = await client.ask("nasa", Authorization=authorization)

    message = "The access token is invalid or not found in the request."
    assert error_of(response) == (401, "access_token_invalid", message)


async def test_a_token_can_be_revoked_before_its_time() -> None:
    transport = SandboxTransport()
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        client = Researcher(http)
        await client.log_in()
        transport.upstream.tokens.revoke_all()

        assert (await client.ask("nasa")).status_code == 401


# The request


@pytest.mark.parametrize("fields", [None, "", " ", "id,nonsense", "id,favourites_count", "id,,like_count", "ID"])
async def test_missing_and_unknown_fields_are_invalid_params(client: Researcher, fields: str | None) -> None:
    assert error_of(await client.ask("nasa", fields))[:2] == (400, "invalid_params")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"username":7}',
        b'{"username":""}',
        b'{"username":" "}',
        b'{"username":"\\ud800"}',
        b'{"username":"\xff"}',
        b"[" * 60_000,
        b'{"username":"nasa","n":' + b"9" * 5_000 + b"}",
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
async def test_a_body_without_a_username_is_invalid_params(client: Researcher, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
    response = await client.http.post(PINNED, params={"fields": "id"}, content=body, headers=headers)

    assert error_of(response)[:2] == (400, "invalid_params")


async def test_the_content_type_is_required_as_documented(client: Researcher) -> None:
    response = await client.ask("nasa", **{"Content-Type": "text/plain"})

    assert error_of(response)[:2] == (400, "invalid_params")


async def test_a_wrong_path_is_404_and_a_wrong_method_405(client: Researcher) -> None:
    assert error_of(await client.http.get("/"))[0] == 404
    assert error_of(await client.http.post(PINNED.rstrip("/")))[0] == 404
    for path in (TOKEN, PINNED):
        response = await client.http.get(path)
        assert error_of(response)[0] == 405
        assert response.headers["Allow"] == "POST"


# The answer


async def test_exactly_the_requested_fields_come_back(client: Researcher) -> None:
    for fields in ("id", "username,view_count", "id, create_time , like_count", ALL_FIELDS):
        for video in await client.videos("nasa", fields):
            assert set(video) == {name.strip() for name in fields.split(",")}


async def test_success_says_ok(client: Researcher) -> None:
    body = (await client.ask("nasa")).json()

    log_id = body["error"].pop("log_id")
    assert re.fullmatch(r"20\d{12}[0-9A-F]{18}", log_id)
    assert set(body) == {"data", "error"}
    assert set(body["data"]) == {"pinned_videos_list"}
    assert body["error"] == {"code": "ok", "message": ""}


@pytest.mark.parametrize("name", ["nasa", "esa", "slow_oven", "some.body", "Юлия", "sandbox_hostile"])
async def test_every_value_has_its_documented_type(client: Researcher, name: str) -> None:
    types = dict.fromkeys(ALL_FIELDS.split(","), int)
    types |= dict.fromkeys(["username", "region_code", "video_description"], str)
    types |= dict.fromkeys(["hashtag_names", "hashtag_info_list", "video_mention_list"], list)
    types |= dict.fromkeys(["sticker_info_list", "effect_info_list"], list)
    types |= {"is_stem_verified": bool, "video_label": dict, "video_tag": dict}

    for video in await client.videos(name):
        for field, value in video.items():
            assert type(value) is types[field], field
        assert [info["hashtag_name"] for info in video["hashtag_info_list"]] == video["hashtag_names"]
        for info in video["hashtag_info_list"]:
            assert set(info) == {"hashtag_id", "hashtag_name", "hashtag_description"}
        if "video_label" in video:
            assert {key: type(value) for key, value in video["video_label"].items()} == {
                "type": int,
                "content": str,
                "vote": bool,
                "warn": bool,
                "sink": bool,
            }


async def test_ids_are_numbers_of_19_digits_that_no_double_holds(client: Researcher) -> None:
    response = await client.ask("nasa", "id,music_id,hashtag_info_list")

    ids = [int(digits) for digits in re.findall(r'"(?:id|music_id|hashtag_id)":(\d+)[,}]', response.text)]
    hashtags = sum(len(video["hashtag_info_list"]) for video in response.json()["data"]["pinned_videos_list"])
    assert len(ids) == 2 * 3 + hashtags
    for number in ids:
        assert len(str(number)) == 19
        assert number < 2**63
        assert int(float(number)) != number


async def test_a_name_has_the_same_videos_always_in_any_case_and_in_any_sandbox(client: Researcher) -> None:
    fields = ALL_FIELDS.replace("username,", "")
    async with httpx.AsyncClient(transport=SandboxTransport(), base_url=BASE) as http:
        elsewhere = Researcher(http)
        await elsewhere.log_in()

        first = await client.videos("Slow_Oven", fields)
        assert await client.videos("Slow_Oven", fields) == first
        assert await elsewhere.videos("sLOW_oVEN", fields) == first
        assert await client.videos("slow_oven2", fields) != first


async def test_an_account_looks_the_same_on_every_machine_and_version(client: Researcher) -> None:
    # Written down once: whoever changes how accounts are invented changes every example that shows one.
    videos = await client.videos("slow_oven", "id,view_count,video_duration")

    assert [(video["id"], video["view_count"], video["video_duration"]) for video in videos] == [
        (7514422784150752075, 18949445, 81),
        (7369237193234069969, 14903395, 66),
        (7331049058513484415, 2714682, 37),
    ]


async def test_the_username_comes_back_as_it_was_asked(client: Researcher) -> None:
    assert {video["username"] for video in await client.videos("NaSa", "username")} == {"NaSa"}


async def test_invented_accounts_are_plausible_and_differ(client: Researcher) -> None:
    accounts = [await client.videos(f"someone{number}") for number in range(200)]

    assert {len(videos) for videos in accounts} == {1, 2, 3}
    videos = [video for account in accounts for video in account]
    assert len({video["id"] for video in videos}) == len(videos)
    for video in videos:
        assert 1_672_531_200 <= video["create_time"] < 1_798_761_600  # 2023 to 2026
        assert video["view_count"] > video["like_count"] > video["comment_count"] >= 0
        assert video["like_count"] > video.get("share_count", 0)
        assert video["like_count"] > video.get("favorites_count", 0)
        assert video["hashtag_names"] == [] or f"#{video['hashtag_names'][0]}" in video["video_description"]
    # What TikTok holds no value for is absent, never null; sometimes, not always.
    for field in ("favorites_count", "region_code", "share_count", "is_stem_verified", "video_label"):
        present = sum(field in video for video in videos)
        assert len(videos) / 2 < present < len(videos), field
    assert any(video["video_mention_list"] for video in videos)
    assert not any(value is None for video in videos for value in video.values())


@pytest.mark.parametrize("name", ["nasa", "ESA"])
async def test_the_space_agencies_have_three_full_videos(client: Researcher, name: str) -> None:
    videos = await client.videos(name)

    assert len(videos) == 3
    for video in videos:
        assert set(video) == set(ALL_FIELDS.split(","))
        assert len(video["hashtag_names"]) >= 3
        assert {f"#{tag}" for tag in video["hashtag_names"]} >= set(re.findall(r"#\w+", video["video_description"]))
