"""What TikTok's bytes mean: the documents' error table, shapes, types and sizes; then the same over a real socket."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as settings_of
from hypothesis import strategies as st

from kit import (
    EXAMPLE_VIDEOS,
    KEY,
    OK,
    SECRET,
    Reply,
    Upstream,
    ask,
    connected,
    data,
    html,
    issued,
    raw,
    refusal,
    serving,
    settings,
    status,
    text,
    videos,
)
from tiktok_pinned_videos.research import errors, refusals, wire
from tiktok_pinned_videos.research.fields import NAMES
from tiktok_pinned_videos.research.models import MAX_SAFE_INTEGER, Video

pytestmark = pytest.mark.anyio
LIST_KEYS = ("pinned_videos_list", "user_pinned_videos", "pinned_video_list")
COUNTS = ("like_count", "comment_count", "share_count", "view_count", "favorites_count", "video_duration")


def parsed(reply: Reply) -> tuple[Video, ...]:
    return wire.parse_pinned_videos(refusals.Reply(reply.status, reply.body), NAMES)[0]


def parsed_list(items: object, key: str = "pinned_videos_list") -> tuple[Video, ...]:
    return parsed(videos(items, key=key))


def failure(reply: Reply) -> errors.TikTokError:
    with pytest.raises(errors.TikTokError) as caught:
        parsed(reply)
    return caught.value


def token_failure(reply: Reply) -> errors.TikTokError:
    with pytest.raises(errors.TikTokError) as caught:
        wire.parse_token(refusals.Reply(reply.status, reply.body))
    return caught.value


# --- the error table ---------------------------------------------------------------------------------------------

INVALID = "The access token is invalid or not found in the request."
TABLE: list[tuple[Reply, str, bool]] = [
    (refusal(401, "access_token_invalid", INVALID), "auth_failed", False),
    (refusal(401, "scope_not_authorized", "The user did not authorize the scope."), "scope_missing", False),
    (refusal(400, "scope_permission_missed", "some fields need additional scopes."), "scope_missing", False),
    (refusal(400, "invalid_params", "fields: what is this?"), "upstream_error", False),
    (refusal(400, "invalid_param"), "upstream_error", False),
    (refusal(400, "invalid_request"), "upstream_error", False),
    (refusal(429, "rate_limit_exceeded", "The API rate limit was exceeded."), "rate_limited", True),
    (refusal(429, "daily_quota_limit_exceeded", "The API daily quota limit exceeded."), "quota_exceeded", False),
    (refusal(500, "internal_error"), "upstream_error", True),
    (refusal(500, "internal_error", "Something is wrong. Please try again later."), "upstream_error", True),
    (html(504), "upstream_error", True),
    (refusal(400, "timeout"), "upstream_error", True),
    (refusal(400, "invalid_params", "`username: X` is invalid: cannot find the user"), "not_found", False),
    (refusal(400, "invalid_params", "API cannot return this user's information"), "refused", False),
    (refusal(400, "invalid_params", "API cannot return this user\u2019s information"), "refused", False),
    (refusal(400, "invalid_params", "This user is private"), "refused", False),
    # A body that names no known code: the status speaks.
    (refusal(401, "never_heard_of"), "auth_failed", False),
    (refusal(403, "never_heard_of"), "refused", False),
    (refusal(429, "never_heard_of"), "rate_limited", True),
    (refusal(404, "never_heard_of"), "upstream_error", False),
    (refusal(418, 17), "upstream_error", False),
    (html(401), "auth_failed", True),
    (html(403), "refused", True),
    (html(429), "rate_limited", True),
    (raw({}, 401), "auth_failed", False),
    (raw([], 403), "upstream_error", False),
]


@pytest.mark.parametrize(("reply", "word", "retryable"), TABLE, ids=lambda value: None)
def test_each_row_of_the_error_table_has_its_status_word(reply: Reply, word: str, retryable: bool) -> None:
    error = failure(reply)

    assert (error.status, error.retryable) == (word, retryable)


@pytest.mark.parametrize("reply", [row[0] for row in TABLE if row[0].body.startswith(b'{"data"')])
def test_an_error_code_inside_a_200_means_the_same_where_the_code_is_known(reply: Reply) -> None:
    code = json.loads(reply.body)["error"]["code"]
    inside = failure(Reply(200, reply.body))

    assert (
        inside.status == failure(reply).status
        if code not in ("never_heard_of", 17)
        else inside.status == "upstream_error"
    )


@pytest.mark.parametrize("status_code", [400, 401, 404, 429, 500, 503])
def test_a_body_that_says_ok_under_a_failing_status_is_no_answer(status_code: int) -> None:
    error = failure(videos(EXAMPLE_VIDEOS, status=status_code))

    assert error.status in ("upstream_error", "auth_failed", "rate_limited")
    assert error.retryable is (status_code == 429 or status_code >= 500)


@pytest.mark.parametrize("status_code", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_upstream_error_that_is_not_retried(status_code: int) -> None:
    assert [(e.status, e.retryable) for e in (failure(html(status_code)), failure(raw({}, status_code)))] == [
        ("upstream_error", False)
    ] * 2


@pytest.mark.parametrize("code", [None, 0, 200, True, [], {}, "", "OK ", "Ok", "success", 1e400])
def test_only_the_code_ok_is_success(code: object) -> None:
    error = failure(raw({"data": {"pinned_videos_list": EXAMPLE_VIDEOS}, "error": {"code": code}}))

    assert error.status == "upstream_error"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": {"pinned_videos_list": []}},
        {"data": {}, "error": None},
        {"data": {}, "error": "ok"},
        {"data": {}, "error": []},
        {"data": {}, "error": {}},
        [],
        [EXAMPLE_VIDEOS],
        None,
        True,
        "ok",
        7,
    ],
    ids=repr,
)
def test_json_without_a_documented_error_object_is_an_upstream_error_and_not_asked_again(body: object) -> None:
    error = failure(raw(body))

    assert (error.status, error.retryable) == ("upstream_error", False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"data":{"pinned_videos_list":[]},"error":{"code":"ok"}',
        b"<html></html>",
        b"\xff\xfe\xfd",
        b'{"data":NaN,"error":{"code":"ok"}}',
        b'{"data":{"pinned_videos_list":[{"id":1,"view_count":-Infinity}]},"error":{"code":"ok"}}',
        b"[" * 100_000,
    ],
    ids=lambda body: body[:20],
)
def test_what_is_no_json_is_an_upstream_error_that_is_worth_another_try(body: bytes) -> None:
    error = failure(Reply(200, body))

    assert (error.status, error.retryable) == ("upstream_error", True)


# --- the list ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", LIST_KEYS)
def test_every_list_key_is_read(key: str) -> None:
    assert [video.id for video in parsed_list(EXAMPLE_VIDEOS, key)] == [
        "7777777777777777777",
        "3333333333333333333",
        "9999999999999999999",
    ]


@pytest.mark.parametrize(
    "data",
    [None, {}, *({key: empty} for key in LIST_KEYS for empty in (None, [])), {"has_more": False, "cursor": 3}],
    ids=repr,
)
def test_an_absent_null_or_empty_list_is_nothing_pinned(data: object) -> None:
    assert parsed(raw({"data": data, "error": OK})) == ()


def test_a_200_with_the_code_ok_but_no_data_is_nothing_pinned() -> None:
    assert parsed(raw({"error": OK})) == ()


def test_of_several_lists_the_first_that_holds_something_counts() -> None:
    first, second = [{"id": 1}], [{"id": 2}]
    both = {"user_pinned_videos": second, "pinned_videos_list": first}
    late = {"pinned_videos_list": [], "user_pinned_videos": None, "pinned_video_list": second}

    assert [video.id for video in parsed(raw({"data": both, "error": OK}))] == ["1"]
    assert [video.id for video in parsed(raw({"data": late, "error": OK}))] == ["2"]


@pytest.mark.parametrize("data", [[], [{"id": 1}], "x", "", 0, False, True, 1.5], ids=repr)
def test_data_that_is_no_object_is_an_upstream_error(data: object) -> None:
    assert failure(raw({"data": data, "error": OK})).status == "upstream_error"


@pytest.mark.parametrize("key", LIST_KEYS)
@pytest.mark.parametrize("items", [{}, {"id": 1}, "", "x", 0, 1, False, True], ids=repr)
def test_a_list_that_is_no_list_is_an_upstream_error(key: str, items: object) -> None:
    assert failure(videos(items, key=key)).status == "upstream_error"


@pytest.mark.parametrize("garbage", [{"id": 1}, "x", 5, [3], [None], [{"no": "id"}]], ids=repr)
def test_an_empty_list_does_not_hide_garbage_under_another_key(garbage: object) -> None:
    body = {"data": {"pinned_videos_list": [], "user_pinned_videos": garbage}, "error": OK}

    assert failure(raw(body)).status == "upstream_error"


@pytest.mark.parametrize("item", [None, [], "x", 7, True, {}, {"view_count": 3}], ids=repr)
def test_one_item_that_is_no_video_spoils_the_whole_answer(item: object) -> None:
    error = failure(videos([*EXAMPLE_VIDEOS, item]))

    assert (error.status, error.retryable) == ("upstream_error", False)


# --- values ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (7777777777777777777, "7777777777777777777"),
        (9999999999999999999, "9999999999999999999"),
        (2**53 + 1, "9007199254740993"),
        (10**60 + 1, "1" + "0" * 59 + "1"),
        ("9999999999999999999", "9999999999999999999"),
        ("007", "007"),
        ("1" * 400, "1" * 400),
        (0, "0"),
    ],
)
def test_an_id_keeps_every_digit(sent: object, told: str) -> None:
    item = {"id": sent, "music_id": sent, "hashtag_info_list": [{"hashtag_id": sent}]}
    (video,) = parsed_list([item])
    hashtags = video.hashtag_info_list or []

    assert [video.id, video.music_id, *(tag.hashtag_id for tag in hashtags)] == [told] * 3


@pytest.mark.parametrize(
    "sent", [None, "", " ", "12 ", "0x1F", "1e5", "-3", "\u0663", "abc", 1.0, 7.5, True, False, [], {}, [1]], ids=repr
)
def test_what_is_neither_an_integer_nor_digits_is_no_id(sent: object) -> None:
    assert failure(videos([{"id": sent}])).status == "upstream_error"


WRONG: list[tuple[str, list[Any]]] = [
    *((name, ["5", 5.0, True, [5], {}, MAX_SAFE_INTEGER + 1, -MAX_SAFE_INTEGER - 1, 10**30]) for name in COUNTS),
    ("create_time", ["1699370400", 1.5, False, [], 253_402_300_800, 10**25]),
    ("username", [5, True, [], {}]),
    ("region_code", [49, ["DE"]]),
    ("video_description", [5, False, ["a"], {"text": "a"}]),
    ("music_id", [1.5, "x", True, [1]]),
    ("hashtag_names", ["baking", {"0": "a"}, [1], [None], [["a"]], 5]),
    ("video_mention_list", ["@a", [5], {}, True]),
    ("is_stem_verified", [0, 1, "true", "false", []]),
    ("hashtag_info_list", ["x", 5, [5], [None], [[]], [{"hashtag_id": "x"}], [{"hashtag_name": 5}]]),
    ("video_label", ["x", 5, [], [{}], {"type": "0"}, {"vote": 0}, {"content": 5}, {"type": 2**60}]),
]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG for value in values])
def test_a_documented_value_of_the_wrong_type_spoils_the_whole_answer(name: str, value: object) -> None:
    error = failure(videos([{"id": 1}, {"id": 2, name: value}]))

    assert (error.status, error.retryable) == ("upstream_error", False)
    assert name in error.what


def test_the_largest_exact_count_is_still_an_answer() -> None:
    item = dict.fromkeys(("view_count", "favorites_count"), MAX_SAFE_INTEGER) | {"like_count": 5}

    (video,) = parsed_list([{"id": 1, **item}])
    assert video.as_json() == {"id": "1", **item}


@pytest.mark.parametrize("name", ["view_count", "like_count", "favorites_count", "favourites_count"])
def test_counts_whose_sum_no_reader_keeps_exact_are_an_upstream_error(name: str) -> None:
    item = {name: MAX_SAFE_INTEGER}

    assert failure(videos([{"id": 1, **item}, {"id": 2, **item}])).status == "upstream_error"


def test_an_engagement_beyond_exact_numbers_is_an_upstream_error() -> None:
    item = {
        "id": 1,
        "view_count": 1,
        "like_count": MAX_SAFE_INTEGER,
        "comment_count": MAX_SAFE_INTEGER,
        "share_count": 1,
    }

    assert failure(videos([item])).status == "upstream_error"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "id"])
def test_a_null_is_as_if_it_had_not_been_sent(name: str) -> None:
    (video,) = parsed_list([{"id": 1, name: None}])

    assert video.as_json() == {"id": "1"}


def test_nulls_inside_hashtags_and_labels_are_absent() -> None:
    item = {
        "id": 1,
        "hashtag_info_list": [{"hashtag_id": 5, "hashtag_description": None}],
        "video_label": {"vote": None},
    }
    (video,) = parsed_list([item])

    assert video.as_json() == {"id": "1", "hashtag_info_list": [{"hashtag_id": "5"}], "video_label": {}}


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"favorites_count": 5}, 5),
        ({"favourites_count": 5}, 5),
        ({"favorites_count": None, "favourites_count": 5}, 5),
        ({"favorites_count": 0, "favourites_count": 5}, 0),
        ({}, None),
    ],
)
def test_both_spellings_of_favorites_are_read(item: dict[str, Any], told: int | None) -> None:
    (video,) = parsed_list([{"id": 1, **item}])

    assert video.favorites_count == told


def test_a_single_hashtag_struct_is_read_as_a_list_of_one() -> None:
    (video,) = parsed_list([{"id": 1, "hashtag_info_list": {"hashtag_id": 5, "hashtag_name": "a"}}])

    assert video.as_json()["hashtag_info_list"] == [{"hashtag_id": "5", "hashtag_name": "a"}]


def test_unknown_keys_are_ignored_everywhere_but_in_labels() -> None:
    item = {
        "id": 1,
        "voice_to_text": "x",
        "hashtag_info_list": [{"hashtag_id": 1, "new": 2}],
        "video_label": {"new": 2},
    }
    (video,) = parsed(raw({"data": {"pinned_videos_list": [item], "cursor": 1}, "error": OK, "extra": []}))

    assert video.as_json() == {"id": "1", "hashtag_info_list": [{"hashtag_id": "1"}], "video_label": {"new": 2}}


@pytest.mark.parametrize("name", ["sticker_info_list", "effect_info_list", "video_tag", "video_label"])
def test_numbers_that_readers_would_round_become_text_where_nothing_is_documented(name: str) -> None:
    body = (
        b'{"data":{"pinned_videos_list":[{"id":1,"%s":{"big":9007199254740993,"low":-9007199254740992,"fits":'
        b'9007199254740991,"half":0.5,"huge":1e400,"round":1e20,"deep":[[9223372036854775807]]}}]},"error":{"code":"ok"}}'
    )
    (video,) = parsed(Reply(200, body % name.encode()))

    assert video.as_json()[name] == {
        "big": "9007199254740993",
        "low": "-9007199254740992",
        "fits": 9007199254740991,
        "half": 0.5,
        "huge": "1e400",
        "round": "1e20",
        "deep": [["9223372036854775807"]],
    }


def test_untyped_values_nested_without_end_are_an_upstream_error_not_a_crash() -> None:
    nested: object = 1
    for _ in range(200):
        nested = [nested]

    assert failure(videos([{"id": 1, "video_tag": nested}])).status == "upstream_error"


@pytest.mark.parametrize("seconds", [0, 1, 253_402_300_799])
def test_times_to_the_end_of_year_9999_are_read(seconds: int) -> None:
    assert [video.create_time for video in parsed_list([{"id": 1, "create_time": seconds}])] == [seconds]


@pytest.mark.parametrize(("log_id", "told"), [("2026X", "2026X"), (None, None), ("", None), (7, None), ({}, None)])
def test_a_log_id_is_told_only_where_tiktok_sent_one_as_text(log_id: object, told: str | None) -> None:
    reply = refusals.Reply(200, videos([], log_id=log_id).body)

    assert wire.parse_pinned_videos(reply, NAMES) == ((), told)


def test_a_byte_order_mark_does_not_spoil_an_answer() -> None:
    assert len(parsed(Reply(200, b"\xef\xbb\xbf" + videos(EXAMPLE_VIDEOS).body))) == 3


def test_half_a_surrogate_pair_in_a_caption_is_dropped() -> None:
    body = b'{"data":{"pinned_videos_list":[{"id":1,"video_description":"a\\ud83db"}]},"error":{"code":"ok"}}'
    (video,) = parsed(Reply(200, body))

    assert video.video_description == "ab"


# --- messages ----------------------------------------------------------------------------------------------------

HTML = '<script>alert("x")</script><b>bad</b> <img src=x onerror=y> see <a href="https://evil.example/p?q=1">this</a>'


@pytest.mark.parametrize(
    ("message", "forbidden"),
    [
        (HTML, ["<", ">", "evil.example", "script>"]),
        ("<div class='" + "x" * 5000 + "'>page</div>", ["<", ">", "class="]),
        ("see https://errors.pydantic.dev/2/v/x and HTTP://EVIL.EXAMPLE/y now", ["pydantic.dev", "EVIL.EXAMPLE"]),
        ("token clt.abcDEF123.-_~!* is bad", ["abcDEF123"]),
        ("a\u202eb\u200bc\x00d\ne\u0007", ["\u202e", "\u200b", "\x00", "\n", "\u0007"]),
        ("x" * 5000, ["x" * 301]),
    ],
    ids=["html", "long tag", "addresses", "token", "invisible", "long"],
)
@pytest.mark.parametrize("status_code", [200, 400, 403, 500])
def test_tiktoks_words_are_shown_clean(message: str, forbidden: list[str], status_code: int) -> None:
    error = failure(refusal(status_code, "invalid_params", message))

    assert [part for part in forbidden if part in str(error)] == []


def test_a_long_message_is_cut_with_a_mark() -> None:
    assert "x…" in str(failure(refusal(400, "invalid_params", "x" * 301)))
    assert "…" not in str(failure(refusal(400, "invalid_params", "x" * 300)))


@pytest.mark.parametrize("message", [None, 7, [], {}, True])
def test_a_message_that_is_no_text_is_left_out(message: object) -> None:
    assert failure(refusal(400, "invalid_params", message)).what == "TikTok rejected the request."


@pytest.mark.parametrize("place", ["message", "code", "log_id"])
@pytest.mark.parametrize(
    "echo", ["{}", "<b>{}</b>", "x" * 290 + "{}", "x" * 3995 + "<" + "y" * 3 + "{}", "see https://h/?s={}", "'{}'"]
)
async def test_a_secret_or_token_that_tiktok_quotes_back_is_not_told(upstream: Upstream, place: str, echo: str) -> None:
    said = [SECRET, KEY, "clt.loopback0001Token", SECRET[:6] + "\u200b" + SECRET[6:]]
    upstream.answer_by(lambda request: refusal_saying(place, echo.format(said[int(request.json["username"])])))
    async with connected(settings(upstream.url)) as client:
        answers = [text(await ask(client, str(index))) for index in range(len(said))]

    hidden = [SECRET, SECRET[:5], KEY, KEY[:5], "loopback", "0001Token"]
    assert [part for part in hidden for answer in answers if part in answer] == []


@pytest.mark.parametrize("token", ["tok-without-prefix-123", "clt.a+b/c=="])
async def test_a_token_of_any_form_is_not_told(upstream: Upstream, token: str) -> None:
    upstream.answer_token(issued(token))
    upstream.tokens.add(token)
    upstream.answer(refusal(403, "never_heard_of", f"the token {token} may not"))
    async with connected(settings(upstream.url)) as client:
        answer = text(await ask(client))

    assert answer.startswith("refused: ")
    assert token not in answer
    assert "a+b/c" not in answer


def refusal_saying(place: str, words: str) -> Reply:
    error = {"code": "invalid_params", "message": "m", "log_id": "L"} | {place: words}
    return raw({"data": {}, "error": error}, 400)


@pytest.mark.parametrize("place", ["error_description", "error", "log_id"])
async def test_the_token_endpoint_quoting_the_secret_is_not_told(upstream: Upstream, place: str) -> None:
    body = {"error": "invalid_client", "error_description": "no", "log_id": "L"} | {place: f"bad {SECRET} of {KEY}"}
    upstream.answer_token(raw(body))
    async with connected(settings(upstream.url)) as client:
        answer = text(await ask(client))

    assert SECRET not in answer
    assert KEY not in answer


# --- tokens ------------------------------------------------------------------------------------------------------

CREDENTIALS = (
    "access_denied",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
)


@pytest.mark.parametrize("http_status", [200, 400, 401])
@pytest.mark.parametrize(
    ("code", "word", "retryable"),
    [
        *((code, "auth_failed", False) for code in CREDENTIALS),
        ("invalid_scope", "scope_missing", False),
        ("server_error", "upstream_error", True),
        ("temporarily_unavailable", "upstream_error", True),
    ],
)
def test_a_token_error_is_understood_whatever_the_status(
    http_status: int, code: str, word: str, retryable: bool
) -> None:
    reply = raw({"error": code, "error_description": "Because.", "log_id": "L1"}, http_status)
    error = token_failure(reply)

    assert (error.status, error.retryable, error.code, error.log_id) == (word, retryable, code, "L1")
    assert "Because." in error.what


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"access_token": "clt.x"},
        {"access_token": "", "expires_in": 7200},
        {"access_token": "clt.x\r\nX-Evil: 1", "expires_in": 7200},
        {"access_token": "clt.\u00e9", "expires_in": 7200},
        {"access_token": " clt.x", "expires_in": 7200},
        {"access_token": 5, "expires_in": 7200},
        {"access_token": "clt.x", "expires_in": 0},
        {"access_token": "clt.x", "expires_in": -5},
        {"access_token": "clt.x", "expires_in": "7200"},
        {"access_token": "clt.x", "expires_in": True},
        {"access_token": "clt.x", "expires_in": None},
        {"access_token": "clt.x", "expires_in": 7200, "error": "brand_new_code"},
    ],
    ids=repr,
)
def test_an_unusable_token_is_an_upstream_error(body: object) -> None:
    error = token_failure(raw(body))

    assert error.status == "upstream_error"
    assert "clt.x" not in str(error)


def test_a_token_that_lives_for_ever_is_believed_for_a_day() -> None:
    assert wire.parse_token(refusals.Reply(200, issued("clt.x", 10**30).body)) == ("clt.x", 86_400.0)


# --- Retry-After -------------------------------------------------------------------------------------------------

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("7", 7.0),
        (" 120 ", 120.0),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Fri, 15 Jan 2027 08:00:30 -0000", 30.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("\u0663", None),
        ("Fri, 99 Jan 2027 08:00:30 GMT", None),
        ("Fri, 15 Jan 99999 08:00:30 GMT", None),
        ("Fri, 15 Jan 2027 08:00:30 +99999999999999999999", None),
    ],
)
def test_both_forms_of_retry_after_are_read_and_nonsense_is_ignored(value: str | None, seconds: float | None) -> None:
    assert wire.parse_retry_after(value, NOW) == seconds


DATES = st.from_regex(r"\A[0-9]{1,2} (Jan|Feb) [0-9]{1,12} [0-9]{1,12}:[0-9]{1,3}(:[0-9]{1,3})?( [+-][0-9]{1,22})?\Z")


@settings_of(max_examples=300)
@given(st.one_of(st.text(max_size=40), DATES))
def test_no_retry_after_header_is_a_crash(value: str) -> None:
    seconds = wire.parse_retry_after(value, NOW)

    assert seconds is None or seconds >= 0


# --- over a real socket ------------------------------------------------------------------------------------------


async def test_the_request_is_sent_exactly_as_documented(upstream: Upstream) -> None:
    async with connected(settings(upstream.url)) as client:
        await ask(client, "NaSa.Real_1", fields="view_count, favourites_count,id")

    token, research = upstream.received
    assert (token.method, token.path, token.query) == ("POST", "/v2/oauth/token/", "")
    assert token.headers["content-type"] == "application/x-www-form-urlencoded"
    assert token.form == {
        "client_key": "aw-client-key-7",
        "client_secret": SECRET,
        "grant_type": "client_credentials",
    }
    assert (research.method, research.path) == ("POST", "/v2/research/user/pinned_videos/")
    assert sorted(research.query.removeprefix("fields=").split(",")) == ["favorites_count", "id", "view_count"]
    assert research.headers["content-type"] == "application/json"
    assert research.headers["authorization"] == "Bearer clt.loopback0001Token"
    assert research.json == {"username": "NaSa.Real_1"}


async def test_connections_are_kept_alive_between_calls(upstream: Upstream) -> None:
    async with connected(settings(upstream.url)) as client:
        for _ in range(3):
            await ask(client)

    assert upstream.connections == 1


@pytest.mark.parametrize("status_code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed_and_the_token_stays_at_home(upstream: Upstream, status_code: int) -> None:
    async with serving() as elsewhere:
        location = {"Location": elsewhere.url + "/v2/research/user/pinned_videos/?fields=id"}
        upstream.answer(Reply(status_code, b"", location))
        async with connected(settings(upstream.url)) as client:
            answer = await ask(client)

        assert status(answer) == "upstream_error"
        assert elsewhere.received == []
        assert len(upstream.research) == 1


@pytest.mark.parametrize("status_code", [302, 307])
async def test_a_redirect_within_the_same_host_is_not_followed_either(upstream: Upstream, status_code: int) -> None:
    again = {"Location": "/v2/research/user/pinned_videos/?fields=id"}
    upstream.answer(Reply(status_code, b"", again), videos(EXAMPLE_VIDEOS))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "upstream_error"
    assert len(upstream.received) == 2  # the token, and what was redirected


async def test_a_redirected_token_request_does_not_carry_the_secret_away(upstream: Upstream) -> None:
    async with serving() as elsewhere:
        upstream.answer_token(Reply(307, b"", {"Location": elsewhere.url + "/v2/oauth/token/"}))
        async with connected(settings(upstream.url)) as client:
            answer = await ask(client)

        assert status(answer) == "upstream_error"
        assert elsewhere.received == []


MIB = 1 << 20


async def test_a_body_without_end_is_dropped_at_8_mib(upstream: Upstream) -> None:
    upstream.answer(Reply(endless=b" " * 65536))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "upstream_error"
    assert "8 MiB" in text(answer)
    assert 8 * MIB < upstream.sent_bytes < 24 * MIB  # what the sockets' buffers hold is on its way already
    assert len(upstream.research) == 1


async def test_a_token_response_without_end_is_dropped_at_8_mib(upstream: Upstream) -> None:
    upstream.answer_token(Reply(endless=b" " * 65536))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "upstream_error"
    assert upstream.sent_bytes < 24 * MIB
    assert upstream.research == []


async def test_forty_megabytes_of_honest_json_are_dropped(upstream: Upstream) -> None:
    item = json.dumps({"id": 1, "video_description": "x" * (40 * MIB)}).encode()
    upstream.answer(Reply(200, b'{"data":{"pinned_videos_list":[' + item + b']},"error":{"code":"ok"}}'))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "upstream_error"
    assert "8 MiB" in text(answer)


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(b" " * MIB) for _ in range(size)) + packer.flush()


@pytest.mark.parametrize("path", ["research", "token"])
async def test_a_gzip_bomb_is_dropped_while_it_unfolds(upstream: Upstream, path: str) -> None:
    reply = Reply(200, bomb(512), {"Content-Encoding": "gzip"})
    (upstream.answer if path == "research" else upstream.answer_token)(reply)
    before = _peak_kib()
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "upstream_error"
    assert _peak_kib() - before < 100 * 1024


async def test_rubbish_after_a_small_gzip_body_is_bounded_too(upstream: Upstream) -> None:
    small = gzip.compress(b"{}")
    upstream.answer(Reply(200, small, {"Content-Encoding": "gzip"}, endless=b"\0" * 65536))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "upstream_error"
    assert upstream.sent_bytes < 24 * MIB


def _peak_kib() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def test_a_gzipped_answer_is_an_answer(upstream: Upstream) -> None:
    upstream.answer(Reply(200, gzip.compress(videos(EXAMPLE_VIDEOS).body), {"Content-Encoding": "gzip"}))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert data(answer)["totals"]["view_count"] == 61676555


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "nonsense"])
async def test_an_encoding_nobody_asked_for_is_an_upstream_error(upstream: Upstream, encoding: str) -> None:
    upstream.answer(Reply(200, videos([]).body, {"Content-Encoding": encoding}))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "upstream_error"


async def test_a_body_that_is_not_gzip_as_claimed_is_a_fault_that_is_told(upstream: Upstream) -> None:
    upstream.answer(Reply(200, videos([]).body, {"Content-Encoding": "gzip"}), videos(EXAMPLE_VIDEOS))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert (status(answer), len(upstream.research)) == ("found", 2)


async def test_an_empty_list_does_not_hide_a_full_one_under_the_same_key(upstream: Upstream) -> None:
    twice = b'{"data":{"pinned_videos_list":[{"id":1}],"pinned_videos_list":[]},"error":{"code":"ok"}}'
    upstream.answer(Reply(200, twice))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "upstream_error"
    assert len(upstream.research) == 1


async def test_a_rate_limit_says_how_long_tiktok_asks_to_wait(upstream: Upstream) -> None:
    limited = b'{"data":{},"error":{"code":"rate_limit_exceeded","message":"","log_id":"1"}}'
    upstream.answer(Reply(429, limited, {"Retry-After": "600"}))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client)

    assert status(answer) == "rate_limited"
    assert "Wait 600 s" in text(answer)


async def test_an_id_of_thousands_of_digits_keeps_them_all(upstream: Upstream) -> None:
    long_id = "9" * 5000
    upstream.answer(Reply(200, b'{"data":{"pinned_videos_list":[{"id":%s}]},"error":{"code":"ok"}}' % long_id.encode()))
    async with connected(settings(upstream.url)) as client:
        answer = await ask(client, fields="id")

    assert data(answer)["videos"][0]["id"] == long_id
