"""What is known of a call when it has ended. Apart from the tools: who logs it for a command needs no MCP SDK."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CallRecord:
    """What operators may know of a call: never a text of TikTok's, a token or a secret."""

    tool: str
    accounts: tuple[str, ...] = ()
    status: str = "found"
    requests: int = 0
    cached: int = 0
    """How many accounts were answered from the cache."""
    milliseconds: float = 0.0
    log_id: str | None = None
    caller: str | None = None
    """Whose token it came with, where `http` knows."""
