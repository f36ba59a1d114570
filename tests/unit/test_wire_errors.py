"""What each failing reply of TikTok means, how much of its words is told, and how long it asks to wait."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import settings as settings_of
from hypothesis import strategies as st

from kit import (
    EXAMPLE_VIDEOS,
    KEY,
    SECRET,
    Reply,
    Upstream,
    ask,
    connected,
    failure,
    html,
    issued,
    raw,
    refusal,
    settings,
    text,
    videos,
)
from tiktok_pinned_videos.research import wire

pytestmark = pytest.mark.anyio

# --- the error table -------------------------------------------------------------------------------------------------

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


# --- messages --------------------------------------------------------------------------------------------------------

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


# --- Retry-After -----------------------------------------------------------------------------------------------------

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
