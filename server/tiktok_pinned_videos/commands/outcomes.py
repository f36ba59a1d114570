"""What became of one account, as the commands print and store it. A failure never looks like an empty answer."""

from __future__ import annotations

import json
from typing import Any

import click

from tiktok_pinned_videos.presentation.results import account_answer, source_of
from tiktok_pinned_videos.presentation.text import failure_text, reason
from tiktok_pinned_videos.presentation.times import iso
from tiktok_pinned_videos.research.client import Fetched
from tiktok_pinned_videos.research.text import clean
from tiktok_pinned_videos.service.many import Outcome
from tiktok_pinned_videos.service.service import Answer


def result_of(outcome: Outcome[Answer], *, whole: bool = True) -> dict[str, Any]:
    """The structured result, its texts `whole` or clipped, or the failure."""
    return failure(outcome) if outcome.answer is None else account_answer(outcome.answer, whole=whole).as_json()


def failure(outcome: Outcome[Any]) -> dict[str, str]:
    """`username`, `status` and `reason` of an account that failed."""
    error = outcome.error
    if error is None:
        raise ValueError("an outcome has an answer or an error")
    return {"username": outcome.username, "status": str(error.status), "reason": reason(error)}


def provenance(outcome: Outcome[Any]) -> dict[str, str]:
    """Where a failure came from, as far as somebody answered."""
    error = outcome.error
    if error is None or (error.status_code is None and not error.sandbox):
        return {}
    return {"source": source_of(sandbox=error.sandbox)} | ({"log_id": error.log_id} if error.log_id else {})


def say_failure(outcome: Outcome[Any]) -> None:
    """One line on stderr."""
    if outcome.error is not None:
        # What can be no name is shown as far as a terminal can show it.
        click.echo(failure_text(clean(outcome.username), outcome.error.status, reason(outcome.error)), err=True)


def raw_line(outcome: Outcome[Fetched], *, failed_at: float | None = None, body: bool = True) -> str:
    """An account with TikTok's body as it came, on one line of JSON.

    `failed_at`: Unix seconds to tell of a failure, with TikTok's code. `body`: whether that behind a failure is told.
    """
    answer = outcome.answer
    if answer is None:
        at = {} if failed_at is None else {"retrieved_at": iso(failed_at), **_code(outcome)}
        return _with_body({**failure(outcome), **at, **provenance(outcome)}, _json_or_nothing(outcome) if body else b"")
    snapshot = answer.snapshot
    head: dict[str, Any] = {
        "username": snapshot.username,
        "retrieved_at": iso(snapshot.retrieved_at),
        "log_id": snapshot.log_id,
        "fields": list(snapshot.fields),
    }
    if snapshot.sandbox:
        head["source"] = source_of(sandbox=True)
    return _with_body(head, answer.body)


def _code(outcome: Outcome[Any]) -> dict[str, str]:
    return {"code": outcome.error.code} if outcome.error is not None and outcome.error.code else {}


def _with_body(head: dict[str, Any], content: bytes) -> str:
    opened = json.dumps(head, ensure_ascii=False, separators=(",", ":"))
    if not content:
        return opened
    # TikTok's body stays as it came, digit for digit; only line breaks between its values go, to stay on one line.
    # Read as the parser reads it: another Unicode encoding, a byte order mark or half a character is no surprise.
    body = content.decode(json.detect_encoding(content), "surrogatepass").translate({10: " ", 13: " "}).strip()
    return f'{opened[:-1]},"response":{body}}}'


def _json_or_nothing(outcome: Outcome[Any]) -> bytes:
    """The body behind a failure, if it fits into a line of JSON: an HTML page does not."""
    body = outcome.error.body if outcome.error is not None else b""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return b""
    return body
