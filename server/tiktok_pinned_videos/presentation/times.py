"""The format of times in answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1)


def iso(seconds: float) -> str:
    """Format Unix seconds as UTC in ISO 8601, without the platform's functions: on Windows they reject some years."""
    return f"{(_EPOCH + timedelta(seconds=int(seconds))).isoformat()}Z"
