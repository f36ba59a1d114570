"""The stored data of an account: its answer, its observations and its name, each for a limited time.

A stored answer serves any subset of its fields. "Nothing pinned" and "no such account" are stored for at most a minute,
other failures never. The observations of an account are the first of each UTC day and the latest. The values
are cleaned texts and counts as TikTok sent them; none is secret.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Annotated, Final, NamedTuple, TypeAlias, TypeVar
from urllib.parse import unquote

from pydantic import Field, TypeAdapter, ValidationError

from tiktok_pinned_videos.research.errors import NotFoundError, TikTokError
from tiktok_pinned_videos.research.models import Snapshot
from tiktok_pinned_videos.research.names import in_key
from tiktok_pinned_videos.state.base import Entry, Store

from .history import Changes, Observation, changes_between

_DAY: Final = 86_400
_MAX_DAYS: Final = 15
_SHORT_TTL: Final = 60.0
_SEEN_TTL: Final = 15.0 * _DAY
_CLOCK_SKEW: Final = 60.0
"""Seconds by which another server's clock may be ahead. Answers further in the future are ignored."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CachedSnapshot(Snapshot):
    """A snapshot as it is stored, with the changes at that time."""

    changes: Changes | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """The stored form of the answer that TikTok found no account with this name."""

    username: str
    retrieved_at: float
    code: str | None
    log_id: str | None
    sandbox: bool

    def serves(self, _fields: tuple[str, ...]) -> bool:
        """Whether it answers a call for these fields: always."""
        return True

    def error(self) -> NotFoundError:
        """Return the error of this answer."""
        what = "TikTok found no account with this name."
        return NotFoundError(what, code=self.code, log_id=self.log_id, sandbox=self.sandbox)


Stored: TypeAlias = CachedSnapshot | Missing
_STORED: Final = TypeAdapter[Stored](Annotated[Stored, Field(union_mode="left_to_right")])
_OBSERVATION: Final = TypeAdapter(Observation)


class Known(NamedTuple):
    """The stored data of an account when a request begins; observations oldest first."""

    stored: Stored | None
    observations: tuple[Observation, ...]
    outdated: tuple[str, ...]
    """Keys of observations that are too old or in the future, to be deleted with the next write."""


class Accounts:
    """Accounts in a `Store`: answers for `cache_ttl` seconds, observations for `history_days` days; 0 stores none."""

    def __init__(self, store: Store, *, cache_ttl: float, history_days: int, clock: Callable[[], float]) -> None:
        self._store = store
        self._cache_ttl = cache_ttl
        self._history = float(history_days * _DAY)
        self._clock = clock

    @property
    def cached(self) -> bool:
        """Whether answers are stored."""
        return self._cache_ttl > 0

    async def answer(self, username: str) -> Stored | None:
        """Return the stored answer, if it is still current."""
        (value,) = await self._store.get(_answer_key(in_key(username)))
        return self._current(value)

    async def load(self, username: str) -> Known:
        """Read the answer and the observations at once."""
        answer, *days, _ = account_keys(username, self._clock())
        value, *values = await self._store.get(answer, *days)
        found: list[Observation] = []
        outdated: list[str] = []
        for key, one in zip(days, (decoded(_OBSERVATION, value) for value in values), strict=True):
            if one is not None and not self._in_history(one.seen_at):
                outdated.append(key)
            elif one is not None and (not found or (found[-1] != one and found[-1].seen_at <= one.seen_at)):
                found.append(one)
        return Known(self._current(value), tuple(found), tuple(outdated))

    async def save(self, snapshot: Snapshot, known: Known) -> CachedSnapshot:
        """Store everything about a new answer in one write, and return the answer with the changes.

        An answer in `known` with more fields of the same account is kept.
        """
        account, stored, observation = in_key(snapshot.username), known.stored, Observation.of(snapshot)
        changes = changes_between(known.observations, observation)
        values = {field.name: getattr(snapshot, field.name) for field in fields(snapshot)}
        new = CachedSnapshot(**values, changes=changes)
        entries = [Entry(_seen_key(account), b"1", _SEEN_TTL)]
        richer = isinstance(stored, CachedSnapshot) and stored.videos and len(stored.fields) > len(new.fields)
        if self.cached and not richer:
            entries.append(self._entry(new))
        if self._history:
            day, value = observation.seen_at // _DAY, _OBSERVATION.dump_json(observation)
            days = ["latest"] if any(one.seen_at // _DAY == day for one in known.observations) else ["latest", day]
            entries += [Entry(_observation_key(account, day), value, self._history) for day in days]
        await self._store.put(*entries, delete=known.outdated)
        return new

    async def remove(self, username: str, error: TikTokError) -> None:
        """Delete what is stored of an account that is gone, except the name, and store a `NotFoundError`."""
        now = self._clock()
        missing = Missing(username, now, error.code, error.log_id, error.sandbox)
        entries = [self._entry(missing)] if self.cached and isinstance(error, NotFoundError) else []
        await self._store.put(*entries, delete=account_keys(username, now)[:-1])

    async def seen(self, prefix: str, *, limit: int) -> list[str]:
        """Return the usernames of earlier answers that begin with `prefix`, in lower case."""
        keys = await self._store.find(_seen_key(in_key(prefix)), limit)
        return sorted(unquote(key.removeprefix("seen:")) for key in keys)

    async def count(self) -> int:
        """Return how many answers are stored (at most a thousand are counted)."""
        return len(await self._store.find("pinned:", 1000))

    def _entry(self, stored: Stored) -> Entry:
        ttl = self._ttl_of(stored)
        if isinstance(stored, CachedSnapshot) and stored.changes is not None:
            # Changes contain ids of the oldest observation, so they expire with it.
            ttl = min(ttl, stored.changes.since + self._history - stored.retrieved_at)
        return Entry(_answer_key(in_key(stored.username)), _STORED.dump_json(stored), ttl)

    def _current(self, value: bytes | None) -> Stored | None:
        """Decode an answer; None if it is too old: another server may have a longer TTL, or its clock may be wrong."""
        stored = decoded(_STORED, value)
        if stored is None or not self.cached:
            return None
        if not -_CLOCK_SKEW <= self._clock() - stored.retrieved_at < self._ttl_of(stored):
            return None
        if isinstance(stored, CachedSnapshot) and stored.changes and not self._in_history(stored.changes.since):
            return replace(stored, changes=None)
        return stored

    def _ttl_of(self, stored: Stored) -> float:
        lasting = isinstance(stored, CachedSnapshot) and stored.videos
        return self._cache_ttl if lasting else min(_SHORT_TTL, self._cache_ttl)

    def _in_history(self, seen_at: int) -> bool:
        now = self._clock()
        return now - self._history < seen_at <= now


def account_keys(username: str, now: float) -> list[str]:
    """Return every key of an account: the answer, all days and the latest observation, and last the name."""
    account, today = in_key(username), int(now // _DAY)
    days = [*range(today - _MAX_DAYS, today + _MAX_DAYS + 1), "latest"]
    return [_answer_key(account), *(_observation_key(account, day) for day in days), _seen_key(account)]


def _answer_key(account: str) -> str:
    return f"pinned:{account}"


def _observation_key(account: str, day: int | str) -> str:
    return f"observation:{account}:{day}"


def _seen_key(account: str) -> str:
    return f"seen:{account}"


def decoded(form: TypeAdapter[T], value: bytes | None) -> T | None:
    """Decode a value; None if there is none, or another version wrote it in another format."""
    try:
        return form.validate_json(value) if value is not None else None
    except ValidationError:
        return None
