"""One line of `responses.jsonl`: what became of one account, with TikTok's body as it came."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from tiktok_pinned_videos.presentation.results import Source, account_answer, source_of
from tiktok_pinned_videos.research.errors import Status, TikTokError
from tiktok_pinned_videos.research.models import Snapshot
from tiktok_pinned_videos.research.refusals import Reply
from tiktok_pinned_videos.research.wire import parse_pinned_videos
from tiktok_pinned_videos.service.service import Answer

from ..names import key_of

_BODY: Final = ',"response":'
_GONE: Final = frozenset({Status.NOT_FOUND, Status.REFUSED})
"""Failures that asking again tomorrow would not change."""


class ForeignLineError(ValueError):
    """A line that no run of this command has written."""


@dataclass(frozen=True)
class Record:
    """A line and what it says. `retrieved_at`: Unix seconds, of a failure when it was met."""

    line: str
    username: str
    retrieved_at: float
    source: Source | None
    """None where nobody answered."""
    log_id: str | None
    fields: tuple[str, ...]
    """Those that were asked for; of a failure none."""
    failure: tuple[str, str] | None
    """Status and reason."""
    by_tiktok: bool
    """Of a failure: whether TikTok's own code stands behind it, not a gateway's status alone."""

    @classmethod
    def read(cls, line: str) -> Record:
        """Raises `ForeignLineError`."""
        try:
            # Only what stands before the body is read here; its numbers are the parser's.
            told: Any = json.loads(line, parse_int=str)
            failure = (_text(told["status"]), _text(told["reason"])) if "status" in told else None
            record = cls(
                line=line,
                username=_text(told["username"]),
                retrieved_at=datetime.fromisoformat(_text(told["retrieved_at"])).timestamp(),
                source=_source(told.get("source"), answered=failure is None),
                log_id=told.get("log_id"),
                fields=tuple(told.get("fields", ())),
                failure=failure,
                by_tiktok="code" in told,
            )
            if failure is None and not record.result["status"]:
                raise ForeignLineError
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError, TikTokError):
            raise ForeignLineError from None
        return record

    @property
    def key(self) -> str:
        """The same for every spelling of one account."""
        return key_of(self.username)

    @property
    def status(self) -> str:
        """The word of an answer or a failure."""
        return self.result["status"] if self.failure is None else self.failure[0]

    @property
    def answered(self) -> bool:
        """Whether TikTok said what is pinned."""
        return self.failure is None

    @property
    def lasting(self) -> bool:
        """Whether it stands until it is too old: an answer, or a failure whose reason does not pass."""
        if self.failure is None or self.failure[0] == Status.INVALID_ARGUMENT:
            return True
        # A firewall's 403 says nothing about an account: nothing is thrown away for it.
        return self.failure[0] in _GONE and self.by_tiktok

    @cached_property
    def result(self) -> dict[str, Any]:
        """The structured result, its texts whole. Only of an answer."""
        body = self.line[self.line.index(_BODY) + len(_BODY) : -1].encode("utf-8")
        sandbox = self.source == source_of(sandbox=True)
        videos, _ = parse_pinned_videos(Reply(200, body, sandbox=sandbox), self.fields)
        snapshot = Snapshot(self.username, self.fields, videos, self.retrieved_at, self.log_id, sandbox)
        return account_answer(Answer(snapshot, cached=False, requests=0), whole=True).as_json()


def _source(value: object, *, answered: bool) -> Source | None:
    """A failure may have none; an answer that does not say otherwise is TikTok's."""
    if value is None:
        return source_of(sandbox=False) if answered else None
    return source_of(sandbox=value == source_of(sandbox=True))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
