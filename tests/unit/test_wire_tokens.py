"""Replies of the token endpoint: a token, or the right error."""

from __future__ import annotations

import pytest

from kit.upstream import Reply, issued, raw
from tiktok_pinned_videos.research import errors, refusals, wire


def token_failure(reply: Reply) -> errors.TikTokError:
    with pytest.raises(errors.TikTokError) as caught:
        wire.parse_token(refusals.Reply(reply.status, reply.body))
    return caught.value


CODES = {
    **dict.fromkeys(
        ("access_denied", "invalid_client", "invalid_grant", "invalid_request", "unauthorized_client",
         "unsupported_grant_type", "unsupported_response_type"),
        ("auth_failed", False),
    ),
    "invalid_scope": ("scope_missing", False),
    **dict.fromkeys(("server_error", "temporarily_unavailable"), ("upstream_error", True)),
}  # fmt: skip
UNUSABLE: list[object] = [
    {}, [], {"access_token": "clt.x"}, {"access_token": "clt.x", "expires_in": 7200, "error": "brand_new_code"},
    *({"access_token": token, "expires_in": 7200} for token in ("", "clt.x\r\nX-Evil: 1", "clt.\u00e9", " clt.x", 5)),
    *({"access_token": "clt.x", "expires_in": lifetime} for lifetime in (0, -5, "7200", True, None)),
]  # fmt: skip


@pytest.mark.parametrize("http_status", [200, 400, 401])
def test_a_token_error_is_understood_with_any_status(http_status: int) -> None:
    for code, (word, retryable) in CODES.items():
        error = token_failure(raw({"error": code, "error_description": "Because.", "log_id": "L1"}, http_status))

        assert (error.status, error.retryable, error.code, error.log_id) == (word, retryable, code, "L1")
        assert "Because." in error.what


def test_an_unusable_token_is_an_upstream_error() -> None:
    for body in UNUSABLE:
        error = token_failure(raw(body))

        assert error.status == "upstream_error", body
        assert "clt.x" not in str(error)


def test_a_token_is_read_with_its_lifetime_of_at_most_a_day() -> None:
    for seconds, used in ((7200, 7200.0), (10**9, 86_400.0), (10**30, 86_400.0)):
        assert wire.parse_token(refusals.Reply(200, issued("clt.x", seconds).body)) == ("clt.x", used)
