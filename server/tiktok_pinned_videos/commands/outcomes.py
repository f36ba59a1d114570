"""The result for one account, as the commands print and store it. A failure never looks like an empty answer."""

from __future__ import annotations

import json
from typing import Any

import click

from tiktok_pinned_videos.presentation.results import account_answer, source_of
from tiktok_pinned_videos.presentation.text import failure_text, reason
from tiktok_pinned_videos.presentation.times import iso
from tiktok_pinned_videos.research.client import Fetched
from tiktok_pinned_videos.research.errors import TikTokError
from tiktok_pinned_videos.research.text import clean
from tiktok_pinned_videos.service.many import Outcome
from tiktok_pinned_videos.service.service import Answer


def result_of(outcome: Outcome[Answer]) -> dict[str, Any]:
    """Return the structured result with unclipped texts, or the failure."""
    return failure(outcome) if outcome.answer is None else account_answer(outcome.answer, whole=True).as_json()


def failure(outcome: Outcome[Any]) -> dict[str, str]:
    """Return `username`, `status` and `reason` of an account that failed."""
    error = error_of(outcome)
    return {"username": outcome.username, "status": str(error.status), "reason": reason(error)}


def provenance(outcome: Outcome[Any]) -> dict[str, str]:
    """Return the source and `log_id` of a failure; empty if no response was received."""
    error = error_of(outcome)
    if error.status_code is None and not error.sandbox:
        return {}
    return {"source": source_of(sandbox=error.sandbox)} | ({"log_id": error.log_id} if error.log_id else {})


def print_failure(outcome: Outcome[Any]) -> None:
    """Print a failure as one line on stderr."""
    if outcome.error is not None:
        click.echo(failure_text(clean(outcome.username), outcome.error.status, reason(outcome.error)), err=True)


def raw_line(outcome: Outcome[Fetched], *, failed_at: float, body: bool = True) -> str:
    """Return one line of JSON with TikTok's body as it came.

    `failed_at`: the time of a failure in Unix seconds. `body`: whether a failure includes its body, if that is JSON.
    """
    answer = outcome.answer
    if answer is None:
        error = error_of(outcome)
        code = {"code": error.code} if error.code else {}
        head: dict[str, Any] = {**failure(outcome), "retrieved_at": iso(failed_at), **code, **provenance(outcome)}
        return _with_body(head, _json_or_nothing(error.body) if body else b"")
    snapshot = answer.snapshot
    head = {
        "username": snapshot.username,
        "retrieved_at": iso(snapshot.retrieved_at),
        "log_id": snapshot.log_id,
        "fields": list(snapshot.fields),
    }
    if snapshot.sandbox:
        head["source"] = source_of(sandbox=True)
    return _with_body(head, answer.body)


def error_of(outcome: Outcome[Any]) -> TikTokError:
    """Return the error of an account that failed."""
    if outcome.error is None:
        raise ValueError("an outcome has an answer or an error")
    return outcome.error


def _with_body(head: dict[str, Any], content: bytes) -> str:
    opened = json.dumps(head, ensure_ascii=False, separators=(",", ":"))
    if not content:
        return opened
    # Digit for digit, only line breaks between values become spaces. Decoded as the parser does it: another Unicode
    # encoding, a byte order mark or half a surrogate pair may occur.
    body = content.decode(json.detect_encoding(content), "surrogatepass").translate({10: " ", 13: " "}).strip()
    return f'{opened[:-1]},"response":{body}}}'


def _json_or_nothing(body: bytes) -> bytes:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return b""
    return body
