"""The sandbox against the wire documents: what TikTok says, the sandbox says, in process and on a port."""

from __future__ import annotations

import asyncio
import errno
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from kit import VIRTUAL_TIME, Clock, now, running, yardstick
from tiktok_pinned_videos.sandbox.server import serve
from tiktok_pinned_videos.sandbox.transport import SandboxTransport

pytestmark = pytest.mark.anyio

BASE = "https://open.tiktokapis.com"
TOKEN = "/v2/oauth/token/"
PINNED = "/v2/research/user/pinned_videos/"
GOOD_CLIENT = {"client_key": "any", "client_secret": "any", "grant_type": "client_credentials"}
# As the documentation page lists them, plus the three of the newer page.
PAGE_FIELDS = (
    "id,create_time,username,region_code,video_description,music_id,like_count,comment_count,share_count,view_count,"
    "hashtag_names,is_stem_verified,favorites_count,video_duration,hashtag_info_list,video_mention_list,video_label"
)
ALL_FIELDS = f"{PAGE_FIELDS},sticker_info_list,effect_info_list,video_tag"


class Client:
    """A researcher who has a token and asks about accounts."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.token = ""

    async def log_in(self, **changes: str) -> httpx.Response:
        response = await self.http.post(TOKEN, data={**GOOD_CLIENT, **changes})
        self.token = response.json().get("access_token", self.token)
        return response

    async def ask(self, username: object, fields: str | None = "id", **headers: str) -> httpx.Response:
        return await self.http.post(
            PINNED,
            params={} if fields is None else {"fields": fields},
            json={"username": username},
            headers={"Authorization": f"Bearer {self.token}", **headers},
        )

    async def videos(self, username: str, fields: str = ALL_FIELDS) -> list[dict[str, Any]]:
        response = await self.ask(username, fields)
        assert response.status_code == 200, response.text
        return response.json()["data"]["pinned_videos_list"]


@pytest.fixture
def clock() -> Clock:
    return Clock(1_800_000_000.0)


@pytest.fixture
async def client(clock: Clock) -> AsyncIterator[Client]:
    transport = SandboxTransport(clock=clock)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        client = Client(http)
        await client.log_in()
        yield client


@asynccontextmanager
async def served(latency: float = 0.0) -> AsyncIterator[str]:
    """The base URL of a real sandbox on a free port."""
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    running = asyncio.create_task(serve(0, latency=latency, ready=port.set_result, stop=stop))
    await asyncio.wait({port, running}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    try:
        yield f"http://127.0.0.1:{port.result()}"
    finally:
        stop.set()
        await asyncio.wait_for(running, 10)


def error_of(response: httpx.Response) -> tuple[int, str, str]:
    body = response.json()
    assert set(body) == {"data", "error"}
    assert body["data"] == {}
    assert set(body["error"]) == {"code", "message", "log_id"}
    return response.status_code, body["error"]["code"], body["error"]["message"]


# The token


async def test_a_token_is_granted_as_documented(client: Client) -> None:
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
async def test_a_refused_token_is_an_error_inside_http_200(client: Client, changes: dict[str, str], code: str) -> None:
    response = await client.log_in(**changes)

    body = response.json()
    assert response.status_code == 200
    assert set(body) == {"error", "error_description", "log_id"}
    assert body["error"] == code
    assert body["error_description"]


async def test_the_token_endpoint_takes_forms_and_nothing_else(client: Client) -> None:
    response = await client.http.post(TOKEN, json=GOOD_CLIENT)

    assert (response.status_code, response.json()["error"]) == (200, "invalid_request")


async def test_several_tokens_live_at_once(client: Client) -> None:
    first = client.token
    await client.log_in()
    second = client.token

    assert first != second
    for client.token in (first, second):
        assert (await client.ask("nasa")).status_code == 200


async def test_a_token_ends_after_two_hours(client: Client, clock: Clock) -> None:
    clock.now += 7199
    assert (await client.ask("nasa")).status_code == 200
    clock.now += 1

    assert error_of(await client.ask("nasa"))[:2] == (401, "access_token_invalid")

    await client.log_in()
    assert (await client.ask("nasa")).status_code == 200


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer clt.invented", "Basic YTpi"])
async def test_whoever_has_no_token_of_ours_is_told_so(client: Client, authorization: str) -> None:
    response = await client.ask("nasa", Authorization=authorization)

    message = "The access token is invalid or not found in the request."
    assert error_of(response) == (401, "access_token_invalid", message)


async def test_a_token_can_be_revoked_before_its_time() -> None:
    transport = SandboxTransport()
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        client = Client(http)
        await client.log_in()
        transport.upstream.tokens.revoke_all()

        assert (await client.ask("nasa")).status_code == 401


# The request


@pytest.mark.parametrize("fields", [None, "", " ", "id,nonsense", "id,favourites_count", "id,,like_count", "ID"])
async def test_missing_and_unknown_fields_are_invalid_params(client: Client, fields: str | None) -> None:
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
async def test_a_body_without_a_username_is_invalid_params(client: Client, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
    response = await client.http.post(PINNED, params={"fields": "id"}, content=body, headers=headers)

    assert error_of(response)[:2] == (400, "invalid_params")


async def test_the_content_type_is_required_as_documented(client: Client) -> None:
    response = await client.ask("nasa", **{"Content-Type": "text/plain"})

    assert error_of(response)[:2] == (400, "invalid_params")


async def test_a_wrong_path_is_404_and_a_wrong_method_405(client: Client) -> None:
    assert error_of(await client.http.get("/"))[0] == 404
    assert error_of(await client.http.post(PINNED.rstrip("/")))[0] == 404
    for path in (TOKEN, PINNED):
        response = await client.http.get(path)
        assert error_of(response)[0] == 405
        assert response.headers["Allow"] == "POST"


# The answer


async def test_exactly_the_requested_fields_come_back(client: Client) -> None:
    for fields in ("id", "username,view_count", "id, create_time , like_count", ALL_FIELDS):
        for video in await client.videos("nasa", fields):
            assert set(video) == {name.strip() for name in fields.split(",")}


async def test_success_says_ok(client: Client) -> None:
    body = (await client.ask("nasa")).json()

    log_id = body["error"].pop("log_id")
    assert re.fullmatch(r"20\d{12}[0-9A-F]{18}", log_id)
    assert set(body) == {"data", "error"}
    assert set(body["data"]) == {"pinned_videos_list"}
    assert body["error"] == {"code": "ok", "message": ""}


@pytest.mark.parametrize("name", ["nasa", "esa", "slow_oven", "some.body", "Юлия", "sandbox_hostile"])
async def test_every_value_has_its_documented_type(client: Client, name: str) -> None:
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


async def test_ids_are_numbers_of_19_digits_that_no_double_holds(client: Client) -> None:
    response = await client.ask("nasa", "id,music_id,hashtag_info_list")

    ids = [int(digits) for digits in re.findall(r'"(?:id|music_id|hashtag_id)":(\d+)[,}]', response.text)]
    hashtags = sum(len(video["hashtag_info_list"]) for video in response.json()["data"]["pinned_videos_list"])
    assert len(ids) == 2 * 3 + hashtags
    for number in ids:
        assert len(str(number)) == 19
        assert number < 2**63
        assert int(float(number)) != number


async def test_a_name_has_the_same_videos_always_in_any_case_and_in_any_sandbox(client: Client) -> None:
    fields = ALL_FIELDS.replace("username,", "")
    async with httpx.AsyncClient(transport=SandboxTransport(), base_url=BASE) as http:
        elsewhere = Client(http)
        await elsewhere.log_in()

        first = await client.videos("Slow_Oven", fields)
        assert await client.videos("Slow_Oven", fields) == first
        assert await elsewhere.videos("sLOW_oVEN", fields) == first
        assert await client.videos("slow_oven2", fields) != first


async def test_an_account_looks_the_same_on_every_machine_and_version(client: Client) -> None:
    # Written down once: whoever changes how accounts are invented changes every example that shows one.
    videos = await client.videos("slow_oven", "id,view_count,video_duration")

    assert [(video["id"], video["view_count"], video["video_duration"]) for video in videos] == [
        (7514422784150752075, 18949445, 81),
        (7369237193234069969, 14903395, 66),
        (7331049058513484415, 2714682, 37),
    ]


async def test_the_username_comes_back_as_it_was_asked(client: Client) -> None:
    assert {video["username"] for video in await client.videos("NaSa", "username")} == {"NaSa"}


async def test_invented_accounts_are_plausible_and_differ(client: Client) -> None:
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
async def test_the_space_agencies_have_three_full_videos(client: Client, name: str) -> None:
    videos = await client.videos(name)

    assert len(videos) == 3
    for video in videos:
        assert set(video) == set(ALL_FIELDS.split(","))
        assert len(video["hashtag_names"]) >= 3
        assert {f"#{tag}" for tag in video["hashtag_names"]} >= set(re.findall(r"#\w+", video["video_description"]))


# The names for trying things out


async def test_sandbox_empty_has_nothing_pinned(client: Client) -> None:
    assert await client.videos("sandbox_empty") == []


async def test_sandbox_missing_and_private_are_refused_in_tiktoks_words(client: Client) -> None:
    missing = "`username: sandbox_missing` is invalid: cannot find the user"
    assert error_of(await client.ask("sandbox_missing")) == (400, "invalid_params", missing)

    status, code, message = error_of(await client.ask("Sandbox_Private"))
    assert (status, code) == (400, "invalid_params")
    assert "is private" in message


async def test_sandbox_flaky_fails_once_and_never_again(client: Client) -> None:
    first, *later = [await client.ask("sandbox_flaky") for _ in range(4)]

    assert error_of(first)[:2] == (500, "internal_error")
    assert [response.status_code for response in later] == [200, 200, 200]


async def test_sandbox_limited_asks_for_a_second_once(client: Client) -> None:
    first, *later = [await client.ask("sandbox_limited") for _ in range(3)]

    message = "The API rate limit was exceeded. Please try again later."
    assert error_of(first) == (429, "rate_limit_exceeded", message)
    assert first.headers["Retry-After"] == "1"
    assert [response.status_code for response in later] == [200, 200]


async def test_a_request_that_was_refused_earlier_does_not_spend_the_one_failure(client: Client) -> None:
    assert (await client.ask("sandbox_flaky", "nonsense")).status_code == 400
    assert (await client.ask("sandbox_flaky")).status_code == 500


async def test_sandbox_quota_is_spent_for_that_account_only(client: Client) -> None:
    for _ in range(3):
        assert error_of(await client.ask("sandbox_quota"))[:2] == (429, "daily_quota_limit_exceeded")
    assert (await client.ask("nasa")).status_code == 200


async def test_sandbox_broken_is_html_for_ever(client: Client) -> None:
    for _ in range(3):
        response = await client.ask("sandbox_broken")
        assert response.status_code == 504
        assert response.headers["Content-Type"] == "text/html"
        assert "504 Gateway Timeout" in response.text


@VIRTUAL_TIME
async def test_sandbox_slow_takes_two_seconds_and_holds_up_nobody_else(client: Client) -> None:
    began = now()
    slow = asyncio.create_task(client.ask("sandbox_slow"))
    await asyncio.sleep(0)
    assert (await client.ask("nasa")).status_code == 200
    assert now() - began < 0.1
    assert (await slow).status_code == 200

    assert now() - began == pytest.approx(2.0)


@VIRTUAL_TIME
async def test_an_answer_slower_than_the_read_timeout_times_out(client: Client) -> None:
    client.http.timeout = httpx.Timeout(5.0, read=0.05)
    began = now()

    with pytest.raises(httpx.ReadTimeout):
        await client.ask("sandbox_slow")
    assert now() - began == pytest.approx(0.05)


async def test_sandbox_hostile_carries_everything_a_cleaner_must_remove(client: Client) -> None:
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


# What holds for every answer


async def every_kind_of_answer(client: Client) -> list[httpx.Response]:
    names = ("empty", "missing", "private", "flaky", "limited", "quota", "broken", "hostile")
    return [
        await client.ask("nasa"),
        await client.ask("nasa", "nonsense"),
        await client.ask(7),
        await client.ask("nasa", Authorization=""),
        *[await client.ask(f"sandbox_{name}") for name in names],
        await client.log_in(),
        await client.http.post(TOKEN),
        await client.http.post(TOKEN, content=b"x" * 70_000),
        await client.http.get(TOKEN),
        await client.http.get("/"),
    ]


async def test_every_answer_says_that_it_is_the_sandbox(client: Client) -> None:
    async with served() as base, httpx.AsyncClient(base_url=base) as http:
        outside = Client(http)
        await outside.log_in()
        inside_answers = await every_kind_of_answer(client)
        outside_answers = await every_kind_of_answer(outside)

    for response in inside_answers + outside_answers:
        assert response.headers.get_list("X-Sandbox") == ["tiktok-pinned-videos-mcp"], response.url
    assert [answer.status_code for answer in inside_answers] == [answer.status_code for answer in outside_answers]


async def test_no_two_answers_share_a_log_id(client: Client) -> None:
    texts = [response.text for response in await every_kind_of_answer(client)]
    texts += [response.text for response in await every_kind_of_answer(client)]

    log_ids = re.findall(r'"log_id":"([^"]+)"', "".join(texts))
    assert len(log_ids) == len(texts) - 2 - 2  # the HTML pages and the granted tokens carry none
    assert len(set(log_ids)) == len(log_ids)


@VIRTUAL_TIME
async def test_latency_is_added_to_every_answer() -> None:
    async with httpx.AsyncClient(transport=SandboxTransport(latency=0.05), base_url=BASE) as http:
        client = Client(http)
        for ask in (client.log_in, lambda: client.ask("nasa"), lambda: client.ask("sandbox_missing")):
            began = now()
            await ask()
            assert now() - began == pytest.approx(0.05)


# On a port


async def test_the_server_answers_as_the_transport_does(client: Client) -> None:
    async with served() as base, httpx.AsyncClient(base_url=base) as http:
        outside = Client(http)
        await outside.log_in()

        for name in ("nasa", "slow_oven", "sandbox_hostile", "sandbox_empty", "Юлия"):
            assert await outside.videos(name) == await client.videos(name)


async def test_a_body_beyond_64_kib_is_refused_and_the_server_lives_on() -> None:
    async with served() as base, httpx.AsyncClient(base_url=base) as http:
        response = await http.post(PINNED, content=b"x" * 1_000_000)
        assert error_of(response)[0] == 413

        assert (await Client(http).log_in()).status_code == 200


async def test_headers_and_body_do_not_wait_for_each_other() -> None:
    # A server that leaves Nagle's algorithm on pays 40 ms for a reply, once the connection is past its first replies.
    async with served() as base, httpx.AsyncClient(base_url=base) as http:
        client = Client(http)
        await client.log_in()
        for _ in range(30):
            await client.ask("nasa")
        durations: list[float] = []
        for _ in range(15):
            began = time.perf_counter()
            await client.ask("nasa")
            durations.append(time.perf_counter() - began)

    assert min(durations) < 0.03  # the fastest: a busy machine does not delay every one


async def test_a_port_that_is_taken_is_an_os_error() -> None:
    async with served() as base:
        with pytest.raises(OSError) as caught:  # noqa: PT011 - its text is the system's; errno is checked below
            await serve(int(base.rpartition(":")[2]))

    assert caught.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])
async def test_the_sandbox_stands_open_to_nobody(host: str) -> None:
    with pytest.raises(ValueError, match=re.escape(host)):
        await serve(0, host=host)


@pytest.mark.skipif(os.name == "nt", reason="leaves out: signals, which Windows delivers otherwise")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_it_finish_what_is_in_flight_and_exit_0(number: signal.Signals) -> None:
    program = (
        "import asyncio; from tiktok_pinned_videos.sandbox.server import serve\n"
        "asyncio.run(serve(0, latency=0.5, ready=lambda port: print(port, flush=True)))\n"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with running([sys.executable, "-c", program], encoding="utf-8", **pipes) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        body = "client_key=a&client_secret=b&grant_type=client_credentials"
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            head = f"POST {TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            time.sleep(0.1)
            process.send_signal(number)
            began = time.perf_counter()
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        out, err = process.communicate(timeout=60)

    assert b'"access_token":"clt.' in answer
    assert (process.returncode, out, err) == (0, "", "")
    assert time.perf_counter() - began < 8 + 20 * yardstick()


# Where it stands in the house


@pytest.mark.parametrize("module", ["transport", "server"])
def test_the_sandbox_imports_nothing_else_of_the_package(module: str) -> None:
    program = (
        f"import sys, tiktok_pinned_videos.sandbox.{module}\n"
        "print(*(name for name in sys.modules if name.startswith('tiktok_pinned_videos')))\n"
        "print(*({'mcp', 'pydantic', 'uvicorn', 'starlette'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True)

    own, foreign = done.stdout.splitlines()
    strangers = [name for name in own.split() if not name.startswith("tiktok_pinned_videos.sandbox")]
    shared = ["tiktok_pinned_videos.listening"] if module == "server" else []
    assert sorted(strangers) == ["tiktok_pinned_videos", *shared]
    assert foreign == ("uvicorn" if module == "server" else "")


async def test_sandbox_changing_pins_another_video_every_minute_and_its_counts_grow(
    client: Client, clock: Clock
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
