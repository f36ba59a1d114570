"""The caller of the current request: set by authentication over HTTP, read by the ledger and the log."""

from __future__ import annotations

from contextvars import ContextVar

CALLER: ContextVar[str | None] = ContextVar("caller", default=None)
"""The subject of the caller's token; None without one."""
