"""Any response of TikTok and any arguments: a true answer or a named error, never a crash."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from typing import Any, Final

import anyio
import anyio.from_thread
import httpx
import pytest
from hypothesis import HealthCheck, event, example, given, note
from hypothesis import settings as effort
from hypothesis import strategies as st
from mcp.client import Client
from mcp_types import CallToolResult

from kit import EXAMPLE_VIDEOS, OK, TOKEN, ask, connected, issued, settings, status, text
from tiktok_pinned_videos.research.errors import Status
from tiktok_pinned_videos.research.fields import NAMES

LIST_KEYS: Final = ("pinned_videos_list", "user_pinned_videos", "pinned_video_list")
FAILURES: Final = {status.value for status in Status} - {"found", "nothing_pinned"}
EXACT: Final = 2**53 - 1

TEXT = st.text(st.characters(codec=None), max_size=12) | st.sampled_from(["", "ok", "7", "#a", "=1+1", "x" * 400])
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
NUMBER = st.integers() | st.sampled_from([EXACT, EXACT + 1, -EXACT, 2**63, 10**40, 0, -1]) | FLOAT
SCALAR = st.none() | st.booleans() | NUMBER | TEXT
JSON = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)
COUNT = st.integers(0, 10**12) | st.sampled_from([EXACT, EXACT // 2])


def mostly(likely: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Generate what is documented, and sometimes any JSON."""
    return st.integers(0, 14).flatmap(lambda chance: JSON if chance == 0 else likely)


DOCUMENTED: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("id", "music_id"), st.integers(0, 10**25) | st.integers(0, 10**25).map(str)),
    "create_time": st.integers(0, 253_402_300_799),
    **dict.fromkeys(("username", "region_code", "video_description"), TEXT),
    **dict.fromkeys(
        ("like_count", "comment_count", "share_count", "view_count", "favorites_count", "favourites_count"), COUNT
    ),
    "video_duration": st.integers(0, 3600),
    **dict.fromkeys(("hashtag_names", "video_mention_list"), st.lists(TEXT, max_size=4)),
    "is_stem_verified": st.booleans(),
    "hashtag_info_list": st.lists(
        st.fixed_dictionaries({}, optional={"hashtag_id": st.integers(0), "hashtag_name": TEXT, "other": JSON}),
        max_size=3,
    ),
    "video_label": st.fixed_dictionaries(
        {},
        optional={"type": st.integers(0, 9), "content": TEXT, "vote": st.booleans(), "more": JSON, "\u200btype": JSON},
    ),
    **dict.fromkeys(("sticker_info_list", "effect_info_list", "video_tag"), JSON),
}
VIDEO = st.fixed_dictionaries(
    {"id": DOCUMENTED["id"]},
    optional={name: mostly(kind | st.none()) for name, kind in DOCUMENTED.items() if name != "id"} | {"unknown": JSON},
)
VIDEOS = st.lists(mostly(VIDEO), max_size=4)
DATA = st.dictionaries(st.sampled_from([*LIST_KEYS, "cursor"]), mostly(VIDEOS), max_size=3)
ERROR = st.fixed_dictionaries({"code": mostly(st.just("ok"))}, optional={"message": JSON, "log_id": JSON})
BODY = mostly(st.fixed_dictionaries({"data": mostly(DATA), "error": mostly(ERROR)}, optional={"extra": JSON}))
STATUS_CODES = st.sampled_from([200, 200, 200, 200, 200, 201, 302, 400, 401, 403, 404, 418])


class TikTok:
    """TikTok's side as hypothesis generates it, and a clock: every example has a UTC day of its own."""

    def __init__(self) -> None:
        self.response: tuple[int, bytes] = (200, b"")
        self.now = 1_800_000_000.0

    def clock(self) -> float:
        return self.now

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == TOKEN:
            return httpx.Response(200, content=issued("clt.x").body)
        return httpx.Response(self.response[0], content=self.response[1])


class Asking:
    """One server and one client for all examples, on a loop in a thread of its own."""

    def __init__(self, portal: anyio.from_thread.BlockingPortal, client: Client, tiktok: TikTok) -> None:
        self._portal = portal
        self._client = client
        self._tiktok = tiktok

    def answer(self, status_code: int, body: bytes, **arguments: Any) -> CallToolResult:
        self._tiktok.response = (status_code, body)
        self._tiktok.now += 86_400

        async def call() -> CallToolResult:
            return await ask(self._client, **arguments)

        return self._portal.call(call)


@pytest.fixture(scope="module")
def asking() -> Iterator[Asking]:
    with served(timeout=30) as patient:
        yield patient


@pytest.fixture(scope="module")
def hasty() -> Iterator[Asking]:
    """So little time that no retry fits: a body that is not JSON costs one request."""
    with served(timeout=0.25) as impatient:
        yield impatient


@contextlib.contextmanager
def served(timeout: float) -> Iterator[Asking]:
    tiktok = TikTok()
    configured = settings(timeout=timeout, daily_quota=10**9)
    server = connected(configured, transport=httpx.MockTransport(tiktok), clock=tiktok.clock)
    with (
        anyio.from_thread.start_blocking_portal() as portal,
        portal.wrap_async_context_manager(server) as client,
    ):
        yield Asking(portal, client, tiktok)


def with_list(items: list[Any]) -> dict[str, Any]:
    return {"data": {"pinned_videos_list": items}, "error": OK}


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()


def has_videos(body: object) -> bool:
    if not isinstance(body, dict) or not isinstance(body.get("data"), dict):
        return False
    return any(bool(body["data"].get(key)) for key in LIST_KEYS)


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
            for item in value.values():
                yield from numbers(item)
        case _:
            pass


def check(answer: CallToolResult) -> str:
    """Assert what must hold for every answer, and return its status."""
    word = status(answer)
    words = text(answer)
    event(word)
    if answer.is_error:
        assert word in FAILURES
        assert "a fault inside this server" not in words
        assert len(words) < 1200
        return word
    data = answer.structured_content
    assert data is not None
    assert word in ("found", "nothing_pinned")
    assert all(math.isfinite(number) and abs(number) <= EXACT for number in numbers(data))
    assert all(video["id"].isdigit() or video["id"].startswith("-") for video in data["videos"])
    assert data["totals"]["videos"] == len(data["videos"])
    assert (word == "found") is bool(data["videos"])
    assert None not in [value for video in data["videos"] for value in video.values()]
    for channel in (words, json.dumps(data, ensure_ascii=False)):
        channel.encode("utf-8")
        assert not [char for char in "\u202e\u200b\ufeff\x00\x1b" if char in channel]
    return word


OURS = effort(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@OURS
@given(STATUS_CODES, BODY)
@example(200, {"data": {"pinned_videos_list": EXAMPLE_VIDEOS}, "error": OK})
@example(200, {"data": {"user_pinned_videos": [], "pinned_videos_list": None}, "error": OK})
@example(200, {"data": {"pinned_videos_list": [{"id": 1, "favourites_count": EXACT}] * 2}, "error": OK})
@example(200, {"data": {"pinned_videos_list": [{"id": 1, "video_label": {"model_config": 1, "copy": 2}}]}, "error": OK})
@example(
    200, {"data": {"pinned_videos_list": [{"id": 1, "video_label": {"": 1, "\u200b": 2, "self": 3}}]}, "error": OK}
)
@example(200, {"data": {"pinned_videos_list": [{"id": 1, "video_tag": [1e308, -1e308, 1e-320]}]}, "error": OK})
@example(200, {"data": {"pinned_videos_list": [{"id": 1, "video_description": "\ud83d"}]}, "error": OK})
@example(500, {"error": {"code": "daily_quota_limit_exceeded"}})
def test_any_json_is_a_true_answer_or_a_named_error(asking: Asking, status_code: int, body: object) -> None:
    answer = asking.answer(status_code, encoded(body), username="nasa", fields=list(NAMES), refresh=True)
    note(text(answer))
    word = check(answer)

    if word == "nothing_pinned":
        assert not has_videos(body)
    if word in ("found", "nothing_pinned"):
        assert isinstance(body, dict)
        assert body["error"]["code"] == "ok"
        assert 200 <= status_code < 300
    if status_code == 200 and isinstance(body, dict) and (body.get("error") or {}) == OK:
        assert word in ("found", "nothing_pinned", "upstream_error")


@OURS
@given(VIDEOS.filter(bool))
def test_the_answer_has_the_values_that_were_sent(asking: Asking, items: list[Any]) -> None:
    answer = asking.answer(200, encoded(with_list(items)), username="nasa", fields=list(NAMES), refresh=True)
    word = check(answer)

    assert word in ("found", "upstream_error")
    if word == "found":
        data = answer.structured_content
        assert data is not None
        assert [video["id"] for video in data["videos"]] == [str(item["id"]) for item in items]
        for name in ("like_count", "view_count", "video_duration"):
            assert [video.get(name) for video in data["videos"]] == [item.get(name) for item in items]
            if name != "video_duration":
                sent = [item[name] for item in items if item.get(name) is not None]
                assert data["totals"].get(name) == (sum(sent) if sent else None)


PART = BODY.map(encoded).flatmap(lambda whole: st.integers(0, len(whole)).map(lambda end: whole[:end]))


@OURS
@given(st.binary(max_size=60) | PART)
def test_any_bytes_and_any_part_of_a_response_are_a_named_error(hasty: Asking, body: bytes) -> None:
    check(hasty.answer(200, body, username="nasa", fields=list(NAMES), refresh=True))


ARGUMENT = JSON | st.text(max_size=80) | st.sampled_from(["nasa", "https://www.tiktok.com/@nasa", *NAMES])


@OURS
@given(ARGUMENT, ARGUMENT, ARGUMENT)
def test_any_arguments_are_accepted_or_rejected_in_words(
    asking: Asking, username: object, fields: object, refresh: object
) -> None:
    body = encoded(with_list(EXAMPLE_VIDEOS))
    # Only what a JSON writer can write arrives.
    arguments = json.loads(json.dumps([username, fields, refresh]).encode("utf-8", "replace"))
    name, wanted, fresh = (_writable(value) for value in arguments)
    word = check(asking.answer(200, body, username=name, fields=wanted, refresh=fresh))

    assert word in ("found", "invalid_argument")


def _writable(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case list():
            return [_writable(item) for item in value]
        case dict():
            return {_writable(key): _writable(item) for key, item in value.items()}
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
