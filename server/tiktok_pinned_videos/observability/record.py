"""The record of a tool call for logs and metrics. It is in its own module, so that commands need no MCP SDK."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CallRecord:
    """One tool call that has ended; no text of TikTok's users, no token and no secret."""

    tool: str
    accounts: tuple[str, ...] = ()
    status: str = "found"
    requests: int = 0
    cached: int = 0
    """Accounts answered from the cache."""
    milliseconds: float = 0.0
    log_id: str | None = None
    caller: str | None = None
    """Subject of the caller's token, where `http` verified one."""
