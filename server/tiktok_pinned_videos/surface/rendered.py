"""One account's answer in both channels, rendered once: a cached one that is asked for again is given as it was.

Knows that rendering is a pure function of the `Answer`. What may be answered, and for how long, is the cache's to
decide: this is only ever asked with an answer in hand.
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
class Rendered:
    """An answer as text and as data. The data is shared: nobody may change it."""

    status: str
    text: str
    data: dict[str, Any]


class Renderer:
    """Renders answers, and remembers the cached ones of the last few accounts."""

    def __init__(self) -> None:
        self._rendered: dict[tuple[str, tuple[str, ...]], tuple[Answer, Rendered]] = {}

    def render(self, answer: Answer, notes: tuple[str, ...] = ()) -> Rendered:
        """The answer in both channels, `notes` after its own."""
        if notes or not answer.cached:
            return _render(answer, notes)
        key = (answer.snapshot.username, answer.snapshot.fields)
        remembered = self._rendered.get(key)
        # Compared as a whole: time, quota note and every value of every video are in it.
        if remembered is not None and remembered[0] == answer:
            return remembered[1]
        rendered = _render(answer, ())
        self._rendered.pop(key, None)
        if len(self._rendered) >= _AT_MOST:
            self._rendered.pop(next(iter(self._rendered)))
        self._rendered[key] = (answer, rendered)
        return rendered


def _render(answer: Answer, notes: tuple[str, ...]) -> Rendered:
    result = account_answer(answer)
    result.notes += notes
    return Rendered(result.status, account_text(result), result.as_json())
