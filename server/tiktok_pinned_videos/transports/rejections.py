"""Log why HTTP requests were rejected, at a limited rate, because clients without a token can send any number."""

from __future__ import annotations

import logging
import time
from typing import Final

_log = logging.getLogger(__name__)
_BURST: Final = 20.0
_PER_SECOND: Final = 2.0
_MAX_LENGTH: Final = 300


class _Limit:
    """A token bucket that counts the suppressed lines."""

    left, at, suppressed = _BURST, 0.0, 0


def log_rejection(status: int, reason: str) -> None:
    """Log one line for a rejected request. `reason` must not contain a token or a secret."""
    now = time.monotonic()
    _Limit.left, _Limit.at = min(_BURST, _Limit.left + (now - _Limit.at) * _PER_SECOND), now
    if _Limit.left < 1:
        _Limit.suppressed += 1
        return
    more = f" ({_Limit.suppressed} more were not logged)" if _Limit.suppressed else ""
    _Limit.left, _Limit.suppressed = _Limit.left - 1, 0
    _log.info("request rejected with %d: %s%s", status, reason[:_MAX_LENGTH], more)
