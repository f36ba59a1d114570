"""Log why HTTP requests were rejected, at a bounded rate: clients without a token can cause any number."""

from __future__ import annotations

import logging
import time
from typing import Final

_log = logging.getLogger(__name__)
_BURST: Final = 20.0
_PER_SECOND: Final = 2.0
_MAX_LENGTH: Final = 300


class _Limit:
    """A token bucket that counts what it holds back."""

    def __init__(self) -> None:
        self._left = _BURST
        self._at = time.monotonic()
        self.suppressed = 0

    def allows(self) -> bool:
        now = time.monotonic()
        self._left = min(_BURST, self._left + (now - self._at) * _PER_SECOND)
        self._at = now
        if self._left < 1:
            self.suppressed += 1
            return False
        self._left -= 1
        return True


_limit: Final = _Limit()


def log_rejection(status: int, reason: str, *, caller: str | None = None) -> None:
    """One line for one rejected request. `reason` must not contain a token or a secret."""
    if not _log.isEnabledFor(logging.INFO) or not _limit.allows():
        return
    more = f" ({_limit.suppressed} earlier rejections not logged)" if _limit.suppressed else ""
    _limit.suppressed = 0
    by = f" caller={caller}" if caller else ""
    reason = reason if len(reason) <= _MAX_LENGTH else reason[: _MAX_LENGTH - 1] + "…"
    _log.info("request rejected with %d: %s%s%s", status, reason, by, more)
