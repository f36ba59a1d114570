"""Moments as they are written in answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def iso(seconds: float) -> str:
    """Unix seconds as UTC in ISO 8601, whole seconds. No library call of a platform: Windows refuses some years."""
    return (_EPOCH + timedelta(seconds=int(seconds))).strftime("%Y-%m-%dT%H:%M:%SZ")
