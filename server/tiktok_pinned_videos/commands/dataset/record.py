"""One line of `responses.jsonl`: what happened to one account, with TikTok's body as it came."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from tiktok_pinned_videos.presentation.results import Source, account_answer, source_of
from tiktok_pinned_videos.research.errors import Status, TikTokError
from tiktok_pinned_videos.research.fields import BY_NAME
from tiktok_pinned_videos.research.models import Snapshot
from tiktok_pinned_videos.research.names import parse_username
from tiktok_pinned_videos.research.refusals import Reply
from tiktok_pinned_videos.research.wire import parse_pinned_videos
from tiktok_pinned_videos.service.service import Answer

from ..names import key_of

SANDBOX: Final = source_of(sandbox=True)
_FINAL: Final = frozenset({Status.NOT_FOUND, Status.REFUSED, Status.INVALID_ARGUMENT})
"""Failures that the same request tomorrow would meet again."""
_RESPONSE: Final = re.compile(r'"response"\s*:\s*')
_DECODER: Final = json.JSONDecoder(parse_int=str, parse_float=str)
"""Does not read numbers: those in TikTok's body may have any number of digits."""


class NotARecordError(ValueError):
    """A line that does not describe an account."""


@dataclass(frozen=True)
class Record:
    """One line and its meaning. `retrieved_at` is in Unix seconds; for a failure it is when the failure happened."""

    line: str
    username: str
    retrieved_at: float
    source: Source | None
    """None for a failure without a response."""
    log_id: str | None
    fields: tuple[str, ...]
    """The requested fields; empty for a failure."""
    failure: tuple[Status, str] | None
    """Status and reason."""

    @classmethod
    def read(cls, line: str) -> Record:
        """Raises `NotARecordError`. Spaces and the order of keys do not matter."""
        try:
            values: Any = _DECODER.decode(line)
            failure = (Status(values["status"]), values["reason"]) if "status" in values else None
            moment = datetime.fromisoformat(values["retrieved_at"])
            has_source = failure is None or "source" in values
            record = cls(
                line=line,
                username=values["username"],
                retrieved_at=(moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(),
                source=source_of(sandbox=values.get("source") == SANDBOX) if has_source else None,
                log_id=values.get("log_id"),
                fields=tuple(values["fields"]) if failure is None else (),
                failure=failure,
            )
            texts = (record.username, record.log_id or "", failure[1] if failure else record.result["status"])
            if not all(isinstance(text, str) for text in texts) or not record.username.strip():
                raise NotARecordError
            if not 2000 <= moment.year <= 9000 or (failure is None and not parse_username(record.username)):
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
        return self.failure[0] if self.failure else self.result["status"]

    @property
    def final(self) -> bool:
        """Whether the record is valid until it is too old: an answer, or a failure that would repeat."""
        return self.failure is None or self.failure[0] in _FINAL

    @cached_property
    def result(self) -> dict[str, Any]:
        """The structured result of an answer, with unclipped texts."""
        if not self.fields or not set(self.fields) <= BY_NAME.keys():
            raise NotARecordError
        # Digit for digit, wherever in the line it is.
        found = _RESPONSE.search(self.line)
        if found is None:
            raise NotARecordError
        body = self.line[found.end() : _DECODER.raw_decode(self.line, found.end())[1]].encode("utf-8")
        sandbox = self.source == SANDBOX
        videos, _ = parse_pinned_videos(Reply(200, body, sandbox=sandbox), self.fields)
        snapshot = Snapshot(self.username, self.fields, videos, self.retrieved_at, self.log_id, sandbox)
        return account_answer(Answer(snapshot, cached=False, requests=0), whole=True).as_json()
