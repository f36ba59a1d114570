"""Numbers, times and bars in the few columns of a terminal. Pure: values in, text out."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Final

LABELS: Final = {
    "view_count": "views",
    "like_count": "likes",
    "comment_count": "comments",
    "share_count": "shares",
    "favorites_count": "favorites",
    "engagement_rate": "engagement",
}
"""The six measures as people call them."""
_ISOLATE: Final = ("\u2068", "\u2069")
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_AGES: Final = ((365 * 86400, "year"), (30 * 86400, "month"), (86400, "day"), (3600, "hour"), (60, "minute"))


def short(value: float, measure: str = "") -> str:
    """At most five characters of a count, a rate in percent: `61.7M`, `12.83%`."""
    if measure == "engagement_rate":
        return f"{value:.2%}"
    size = abs(value)
    for unit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        # What would be rounded up to a thousand is one of the next unit.
        if size >= unit * 0.99995 and size >= 1000:
            scaled = value / unit
            return f"{scaled:.1f}{letter}" if abs(scaled) < 99.95 else f"{scaled:.0f}{letter}"
    return f"{value:.0f}"


def exact(value: float, measure: str = "") -> str:
    """Every digit: `61,676,555`; a rate as it was told."""
    return f"{value:.4f}" if measure == "engagement_rate" else f"{value:,}"


def bar(value: float, most: float, width: int) -> str:
    """`value` as blocks, to the eighth, where `most` fills `width` columns; something is seen of all that is more
    than nothing.
    """
    if value <= 0 or most <= 0:
        return ""
    eighths = max(1, min(round(value / most * width * 8), width * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def duration(seconds: int) -> str:
    """`0:34`, `1:02:03`."""
    minutes, rest = divmod(max(seconds, 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def moment(iso: str) -> str:
    """`2026-11-22 20:08:50 UTC`."""
    return iso.replace("T", " ").replace("Z", " UTC")


def age(iso: str, now: float) -> str:
    """How long ago in the largest unit that fits, `now` in Unix seconds: `2 years ago`, `just now`."""
    try:
        seconds = now - datetime.fromisoformat(iso).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return ""
    for length, unit in _AGES:
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now" if seconds > -60 else "in the future"


def isolated(text: str) -> str:
    """Right-to-left text between isolates, so that nothing beside it changes places."""
    if any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in text):
        return f"{_ISOLATE[0]}{text}{_ISOLATE[1]}"
    return text
