"""One line of `responses.jsonl`: what happened to one account, with TikTok's body as it came."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from tiktok_pinned_videos.presentation.results import Source, account_answer, source_of
from tiktok_pinned_videos.research.errors import Status, TikTokError
from tiktok_pinned_videos.research.fields import BY_NAME
from tiktok_pinned_videos.research.models import Snapshot
from tiktok_pinned_videos.research.refusals import Reply
from tiktok_pinned_videos.research.wire import parse_pinned_videos
from tiktok_pinned_videos.service.service import Answer

from ..names import key_of

_FINAL: Final = frozenset({Status.NOT_FOUND, Status.REFUSED, Status.INVALID_ARGUMENT})
"""Failures that the same request tomorrow would meet again."""


class NotARecordError(ValueError):
    """A line that does not describe an account."""


@dataclass(frozen=True)
class Record:
    """One line and its meaning. `retrieved_at` is in Unix seconds; for a failure it is when the failure happened."""

    line: str
    username: str
    retrieved_at: float
    source: Source | None
    """None for a failure without an answer."""
    log_id: str | None
    fields: tuple[str, ...]
    """The requested fields; empty for a failure."""
    failure: tuple[Status, str] | None
    """Status and reason."""

    @classmethod
    def read(cls, line: str) -> Record:
        """Raises `NotARecordError`. Spaces and the order of keys do not matter."""
        try:
            values: Any = json.loads(line)
            failure = (Status(values["status"]), _text(values["reason"])) if "status" in values else None
            moment = datetime.fromisoformat(_text(values["retrieved_at"]))
            record = cls(
                line=line,
                username=_text(values["username"]),
                retrieved_at=(moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(),
                source=_source(values.get("source"), answered=failure is None),
                log_id=values.get("log_id") and _text(values["log_id"]),
                fields=tuple(values["fields"]) if failure is None else (),
                failure=failure,
            )
            if not 2000 <= moment.year <= 9000 or (failure is None and not (record.fields and record.result)):
                raise NotARecordError
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, TikTokError):
            raise NotARecordError from None
        return record

    @property
    def key(self) -> str:
        """The same for every spelling of one account."""
        return key_of(self.username)

    @property
    def status(self) -> str:
        """The status of the answer or the failure."""
        return self.result["status"] if self.failure is None else self.failure[0]

    @property
    def final(self) -> bool:
        """Whether the record is valid until it is too old: an answer, or a failure that would repeat."""
        return self.failure is None or self.failure[0] in _FINAL

    @cached_property
    def result(self) -> dict[str, Any]:
        """The structured result of an answer with its texts unclipped."""
        if not set(self.fields) <= BY_NAME.keys():
            raise NotARecordError
        body = json.dumps(json.loads(self.line)["response"]).encode("ascii")
        sandbox = self.source == source_of(sandbox=True)
        videos, _ = parse_pinned_videos(Reply(200, body, sandbox=sandbox), self.fields)
        snapshot = Snapshot(self.username, self.fields, videos, self.retrieved_at, self.log_id, sandbox)
        return account_answer(Answer(snapshot, cached=False, requests=0), whole=True).as_json()


def _source(value: object, *, answered: bool) -> Source | None:
    if value is None:
        return source_of(sandbox=False) if answered else None
    return source_of(sandbox=value == source_of(sandbox=True))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
