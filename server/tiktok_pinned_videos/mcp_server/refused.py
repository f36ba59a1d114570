"""Refusals of the protocol that the SDK words differently: prompts that do not exist, resources that are not there."""

from __future__ import annotations

from typing import Any, Final

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from .prompts import PROMPTS

_FIRST_WITHOUT: Final = "2026-07-28"
"""From this revision on a resource that is not there is invalid params; before, it had a code of its own."""
_RESOURCE_NOT_FOUND: Final = -32002


async def refuse_plainly(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware. Raises `MCPError` with the code that the session's protocol revision documents."""
    if ctx.method == "prompts/get":
        name = (ctx.params or {}).get("name")
        # The SDK raises what is logged with a traceback as a fault of the server. What is no text it refuses well.
        if isinstance(name, str) and name not in PROMPTS:
            raise MCPError(INVALID_PARAMS, f"There is no such prompt. Prompts here: {', '.join(PROMPTS)}.")
    if ctx.method != "resources/read" or ctx.protocol_version >= _FIRST_WITHOUT:
        return await call_next(ctx)
    try:
        return await call_next(ctx)
    except MCPError as error:
        # With an address in its data it is the SDK's word for a resource; bad params of other kinds have none.
        data: Any = error.error.data
        if error.error.code == INVALID_PARAMS and isinstance(data, dict):
            raise MCPError(_RESOURCE_NOT_FOUND, error.error.message, data) from None
        raise
