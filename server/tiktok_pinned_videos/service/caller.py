"""On whose behalf a request is sent: known to whoever authenticates, asked by the ledger and the log."""

from __future__ import annotations

from contextvars import ContextVar

CALLER: ContextVar[str | None] = ContextVar("caller", default=None)
"""The subject of the caller's token, where `http` knows one."""
