"""One account's answer in both channels, put together once: a cached one that is asked for again is told as it was.

Knows that telling is a pure function of the `Answer`. What may be told, and for how long, is the cache's to decide:
this is only ever asked with an answer in hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .answers import account_answer
from .words import account_text

if TYPE_CHECKING:
    from tiktok_pinned_videos.accounts.service import Answer

_AT_MOST: Final = 128


@dataclass(frozen=True, slots=True)
class Told:
    """An answer in words and as data. The data is shared: nobody may change it."""

    status: str
    text: str
    data: dict[str, Any]


class ToldAnswers:
    """Tells answers, and remembers the cached ones of the last few accounts."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, tuple[str, ...]], tuple[Answer, Told]] = {}

    def tell(self, answer: Answer, notes: tuple[str, ...] = ()) -> Told:
        """The answer in both channels, `notes` after its own."""
        if notes or not answer.cached:
            return _tell(answer, notes)
        key = (answer.snapshot.username, answer.snapshot.fields)
        remembered = self._told.get(key)
        # Compared as a whole: time, quota note and every value of every video are in it.
        if remembered is not None and remembered[0] == answer:
            return remembered[1]
        told = _tell(answer, ())
        self._told.pop(key, None)
        if len(self._told) >= _AT_MOST:
            self._told.pop(next(iter(self._told)))
        self._told[key] = (answer, told)
        return told


def _tell(answer: Answer, notes: tuple[str, ...]) -> Told:
    told = account_answer(answer)
    told.notes += notes
    return Told(told.status, account_text(told), told.as_json())
