"""Any response of TikTok and any arguments of a caller: a correct answer or a named error, never a crash."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, Final

import anyio.from_thread
import httpx
import pytest
from hypothesis import event, example, given, note
from hypothesis import strategies as st
from mcp.client import Client
from mcp_types import CallToolResult

from kit.calls import ask, connected, settings, status, text
from kit.upstream import EXAMPLE_VIDEOS, OK, TOKEN, issued
from tiktok_pinned_videos.research.errors import Status
from tiktok_pinned_videos.research.fields import NAMES

LIST_KEYS: Final = ("pinned_videos_list", "user_pinned_videos", "pinned_video_list")
FAILURES: Final = {status.value for status in Status} - {"found", "nothing_pinned", "internal_error"}
EXACT: Final = 2**53 - 1

TEXT = st.text(st.characters(codec=None), max_size=12) | st.sampled_from(["", "ok", "7", "#a", "=1+1", "x" * 400])
NUMBER = st.integers() | st.sampled_from([EXACT, EXACT + 1, -EXACT, 2**63, 10**40, 0, -1])
SCALAR = st.none() | st.booleans() | NUMBER | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)
COUNT = st.integers(0, 10**12) | st.sampled_from([EXACT, EXACT // 2])
LABEL: dict[str, st.SearchStrategy[Any]] = {
    "type": st.integers(0, 9), "content": TEXT, "vote": st.booleans(), "more": JSON, "\u200btype": JSON,
}  # fmt: skip
HASHTAG: dict[str, st.SearchStrategy[Any]] = {"hashtag_id": st.integers(0), "hashtag_name": TEXT, "other": JSON}
DOCUMENTED: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("id", "music_id"), st.integers(0, 10**25) | st.integers(0, 10**25).map(str)),
    "create_time": st.integers(0, 253_402_300_799),
    **dict.fromkeys(("username", "region_code", "video_description"), TEXT),
    **dict.fromkeys(("like_count", "comment_count", "share_count", "view_count", "favourites_count"), COUNT),
    "video_duration": st.integers(0, 3600),
    **dict.fromkeys(("hashtag_names", "video_mention_list"), st.lists(TEXT, max_size=4)),
    "is_stem_verified": st.booleans(),
    "hashtag_info_list": st.lists(st.fixed_dictionaries({}, optional=HASHTAG), max_size=3),
    "video_label": st.fixed_dictionaries({}, optional=LABEL),
    **dict.fromkeys(("sticker_info_list", "effect_info_list", "video_tag"), JSON),
}


def mostly(likely: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What is documented, and sometimes anything at all."""
    return st.integers(0, 14).flatmap(lambda chance: JSON if chance == 0 else likely)


VIDEO = st.fixed_dictionaries(
    {"id": DOCUMENTED["id"]},
    optional={name: mostly(kind | st.none()) for name, kind in DOCUMENTED.items() if name != "id"} | {"unknown": JSON},
)
VIDEOS = st.lists(mostly(VIDEO), max_size=4)
DATA = st.dictionaries(st.sampled_from([*LIST_KEYS, "cursor"]), mostly(VIDEOS), max_size=3)
ERROR = st.fixed_dictionaries({"code": mostly(st.just("ok"))}, optional={"message": JSON, "log_id": JSON})
BODY = mostly(st.fixed_dictionaries({"data": mostly(DATA), "error": mostly(ERROR)}, optional={"extra": JSON}))
STATUS_CODES = st.sampled_from([200, 200, 200, 200, 200, 201, 302, 400, 401, 403, 404, 418])


class Asking:
    """One server and one client for all examples, on a loop of their own; TikTok answers as hypothesis says.

    Every example has a day of its own, so that none spoils the next.
    """

    def __init__(self) -> None:
        self.response: tuple[int, bytes] = (200, b"")
        self.now = 1_800_000_000.0
        self.client: Client | None = None
        self.portal: anyio.from_thread.BlockingPortal

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == TOKEN:
            return httpx.Response(200, content=issued("clt.x").body)
        return httpx.Response(self.response[0], content=self.response[1])

    def answer(self, status_code: int, body: bytes, **arguments: Any) -> CallToolResult:
        self.response = (status_code, body)
        self.now += 86_400

        async def call() -> CallToolResult:
            assert self.client is not None
            return await ask(self.client, **arguments)

        return self.portal.call(call)


@pytest.fixture(scope="module")
def asking() -> Iterator[Asking]:
    """So little time that no retry fits."""
    tiktok = Asking()
    configured = settings(timeout=0.25, daily_quota=10**9)
    server = connected(configured, transport=httpx.MockTransport(tiktok), clock=lambda: tiktok.now)
    with (
        anyio.from_thread.start_blocking_portal() as tiktok.portal,
        tiktok.portal.wrap_async_context_manager(server) as tiktok.client,
    ):
        yield tiktok


def with_list(items: list[Any]) -> dict[str, Any]:
    return {"data": {"pinned_videos_list": items}, "error": OK}


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()


def numbers(value: object) -> Iterator[int | float]:
    match value:
        case bool():
            pass
        case int() | float():
            yield value
        case list():
            for item in value:
                yield from numbers(item)
        case dict():
            yield from numbers(list(value.values()))
        case _:
            pass


def check(answer: CallToolResult) -> str:
    """What must hold for every answer; its status."""
    word, words = status(answer), text(answer)
    event(word)
    if answer.is_error:
        assert word in FAILURES
        assert len(words) < 1200
        return word
    result = answer.structured_content
    assert result is not None
    assert word in ("found", "nothing_pinned")
    assert all(math.isfinite(number) and abs(number) <= EXACT for number in numbers(result))
    assert all(video["id"].isdigit() for video in result["videos"])
    assert result["totals"]["videos"] == len(result["videos"])
    assert (word == "found") is bool(result["videos"])
    assert None not in [value for video in result["videos"] for value in video.values()]
    for channel in (words, json.dumps(result, ensure_ascii=False)):
        channel.encode("utf-8")
        assert not [char for char in "\u202e\u200b\ufeff\x00\x1b" if char in channel]
    return word


@given(STATUS_CODES, BODY)
@example(200, with_list(EXAMPLE_VIDEOS))
@example(200, {"data": {"pinned_videos_list": [{"id": 1, "favourites_count": EXACT}] * 2}, "error": OK})
@example(200, with_list([{"id": 1, "video_label": {"": 1, "\u200b": 2, "self": 3, "model_config": 4}}]))
@example(200, with_list([{"id": 1, "video_tag": [1e308, -1e308, 1e-320]}]))
@example(200, with_list([{"id": 1, "video_description": "\ud83d"}]))
@example(500, {"error": {"code": "daily_quota_limit_exceeded"}})
def test_any_json_is_a_correct_answer_or_a_named_error(asking: Asking, status_code: int, body: object) -> None:
    answer = asking.answer(status_code, encoded(body), username="nasa", fields=list(NAMES), refresh=True)
    note(text(answer))
    word = check(answer)

    if word in ("found", "nothing_pinned"):
        assert isinstance(body, dict)
        assert body["error"]["code"] == "ok"
        assert 200 <= status_code < 300
    if word == "nothing_pinned":
        data = body.get("data") if isinstance(body, dict) else None
        assert not data or not any(data.get(key) for key in LIST_KEYS)


@given(VIDEOS.filter(bool))
def test_an_answer_has_the_values_that_were_sent(asking: Asking, items: list[Any]) -> None:
    answer = asking.answer(200, encoded(with_list(items)), username="nasa", fields=list(NAMES), refresh=True)
    word = check(answer)

    assert word in ("found", "upstream_error")
    if word == "found":
        result = answer.structured_content
        assert result is not None
        assert [video["id"] for video in result["videos"]] == [str(item["id"]) for item in items]
        for name in ("like_count", "view_count"):
            assert [video.get(name) for video in result["videos"]] == [item.get(name) for item in items]
            sent = [item[name] for item in items if item.get(name) is not None]
            assert result["totals"].get(name) == (sum(sent) if sent else None)


PART = BODY.map(encoded).flatmap(lambda whole: st.integers(0, len(whole)).map(lambda end: whole[:end]))


@given(st.binary(max_size=60) | PART)
def test_any_bytes_and_any_part_of_an_answer_are_no_crash(asking: Asking, body: bytes) -> None:
    check(asking.answer(200, body, username="nasa", fields=list(NAMES), refresh=True))
