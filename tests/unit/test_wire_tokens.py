"""Replies of the token endpoint: a token, or the right error."""

from __future__ import annotations

import pytest

from kit.upstream import Reply, issued, raw
from tiktok_pinned_videos.research import errors, refusals, wire


def token_failure(reply: Reply) -> errors.TikTokError:
    with pytest.raises(errors.TikTokError) as caught:
        wire.parse_token(refusals.Reply(reply.status, reply.body))
    return caught.value


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
def test_a_token_error_is_understood_with_any_status(http_status: int, code: str, word: str, retryable: bool) -> None:
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
