"""The error table: TikTok's codes, messages and statuses; and what an error may never show."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from kit.upstream import Reply, html, raw, refusal
from tiktok_pinned_videos.research import errors, refusals, wire

# The reply, the status of the error, and whether it is worth another try.
TABLE: dict[str, tuple[Reply, str, bool]] = {
    "token": (refusal(401, "access_token_invalid"), "auth_failed", False),
    "no scope": (refusal(401, "scope_not_authorized"), "scope_missing", False),
    "scope missed": (refusal(400, "scope_permission_missed"), "scope_missing", False),
    "rate": (refusal(429, "rate_limit_exceeded"), "rate_limited", True),
    "rate in a 200": (refusal(200, "rate_limit_exceeded"), "rate_limited", True),
    "quota": (refusal(429, "daily_quota_limit_exceeded", "Please try again later"), "quota_exceeded", False),
    "quota in a 500": (refusal(500, "daily_quota_limit_exceeded"), "quota_exceeded", False),
    "internal": (refusal(500, "internal_error"), "upstream_error", True),
    "internal in a 200": (refusal(200, "internal_error"), "upstream_error", True),
    "timeout": (refusal(400, "timeout"), "upstream_error", True),
    "not found": (refusal(400, "invalid_params", "`username: x` is invalid: cannot find the user"), "not_found", False),
    "private": (refusal(400, "invalid_params", "`username: x` is private"), "refused", False),
    "withheld": (refusal(400, "invalid_params", "API cannot return this user's information"), "refused", False),
    "typographic": (refusal(400, "invalid_params", "API cannot return this user\u2019s information"), "refused", False),
    "not returned": (refusal(400, "invalid_params", "The user information cannot be returned."), "refused", False),
    "rejected": (refusal(400, "invalid_params", "`fields` is invalid"), "upstream_error", False),
    "again later": (refusal(400, "invalid_params", "Something is wrong. Try again later."), "upstream_error", True),
    "again later 404": (refusal(404, "odd", "Try again later"), "upstream_error", True),
    "bare 401": (refusal(401, "odd"), "auth_failed", False),
    "bare 403": (refusal(403, ""), "upstream_error", False),
    "odd 403": (refusal(403, "blocked_by_policy"), "upstream_error", False),
    "private 403": (refusal(403, "invalid_params", "is private"), "refused", False),
    "bare 429": (refusal(429, ""), "rate_limited", True),
    "odd 500": (refusal(500, "odd"), "upstream_error", True),
    "html 401": (html(401), "auth_failed", True),
    "html 403": (html(403), "upstream_error", True),
    "html 429": (html(429), "rate_limited", True),
    "html 504": (html(504), "upstream_error", True),
    "redirect": (raw(b"", 302), "upstream_error", False),
    "no code": (raw({"data": {}}), "upstream_error", False),
}  # fmt: skip


def test_every_row_of_the_table_has_its_status_and_is_retried_only_where_that_can_help() -> None:
    found = {name: (str(failure(reply).status), failure(reply).retryable) for name, (reply, *_) in TABLE.items()}

    assert found == {name: (status, retryable) for name, (_, status, retryable) in TABLE.items()}
    assert {name for name, (reply, *_) in TABLE.items() if failure(reply).for_every_account} == {
        "token", "no scope", "scope missed", "quota", "quota in a 500", "bare 401", "html 401",
    }  # fmt: skip


def test_errors_say_what_a_reader_must_know() -> None:
    assert "aged 18 or over" in str(failure(TABLE["not found"][0]))
    assert "gateway or proxy refused" in str(failure(TABLE["bare 403"][0]))
    assert "Something is wrong" in str(failure(TABLE["again later"][0]))
    waiting = refusals.Reply(429, refusal(429, "rate_limit_exceeded").body, retry_after=600)
    assert "Wait 600 s" in str(_error(waiting))


def test_a_used_up_quota_names_the_reset_and_the_sandbox_says_that_it_is_simulated() -> None:
    body = refusal(429, "daily_quota_limit_exceeded").body
    real = _error(refusals.Reply(429, body, received_at=1_800_000_000.0))
    simulated = _error(refusals.Reply(429, body, received_at=1_800_000_000.0, sandbox=True))

    assert "resets at 2027-01-16 00:00 UTC" in str(real)
    assert "simulates" in str(simulated)
    assert "this account only" in str(simulated)
    assert (real.for_every_account, simulated.for_every_account) == (True, False)


SECRET = 'pa55&w"rd/of é'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        SECRET.upper(),
        quote(SECRET, safe=""),
        json.dumps(SECRET),
        "".join(f"%{octet:02x}" for octet in SECRET.encode()),
    ],
)
def test_a_secret_is_masked_in_plain_percent_and_json_form(form: str) -> None:
    for message in (
        f"the key {form} is bad",
        form * 20,
        "x" * 99_990 + form,
        " " * 99_990 + form,
        form[:3] + "\u200b" + form[3:],
    ):
        shown = refusals.shown(message, 300, (SECRET,))
        assert not [part for part in ("pa55", "PA55", "w%22rd", "%70%61", "rd/of") if part in shown]


def test_a_message_is_shown_without_markup_tokens_and_addresses_and_is_clipped() -> None:
    message = "<b>Bad</b> clt.abc123 see https://tiktok.example/x?y " + "\u202ezz " * 300
    shown = refusals.shown(message, 300)

    assert shown.startswith("Bad [token] see [link]")
    assert len(shown) == 300
    assert shown.endswith("…")
    assert "<" not in shown


def failure(reply: Reply) -> errors.TikTokError:
    return _error(refusals.Reply(reply.status, reply.body))


def _error(reply: refusals.Reply) -> errors.TikTokError:
    with pytest.raises(errors.TikTokError) as caught:
        wire.parse_pinned_videos(reply, ("id",))
    return caught.value
