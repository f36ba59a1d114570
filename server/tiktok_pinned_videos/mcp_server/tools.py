"""The two tools: raw arguments in, `CallToolResult` out, one record per call for logs and metrics.

Their definitions are in `tools.json`, as `tools/list` publishes them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import ConfigDict

from tiktok_pinned_videos.observability.logs import CallRecord
from tiktok_pinned_videos.research.errors import APITimeoutError, InternalError, TikTokError
from tiktok_pinned_videos.service.caller import CALLER

from .arguments import parse_compare, parse_get
from .backend import Backend

if TYPE_CHECKING:
    from tiktok_pinned_videos.service.service import Answer
    from tiktok_pinned_videos.settings import Settings

_log = logging.getLogger(__name__)
WHOLE_CALL: Final = 235.0
"""Seconds for a call; clients wait 240 to 300."""


class _Raw(ArgModelBase):
    """Any arguments, unchanged, because the SDK's validation answers with a message and a link of pydantic."""

    model_config = ConfigDict(extra="allow")

    def model_dump_one_level(self) -> dict[str, Any]:
        return {"arguments": self.model_extra or {}}


def build_tools(
    backend: Backend, settings: Settings, *, on_call: Callable[[CallRecord], None], meta: dict[str, Any]
) -> list[Tool]:
    """`get_pinned_videos` and `compare_pinned_videos`. `meta` is the `_meta` of both definitions."""
    both_channels = settings.result_channels == "both"

    async def get_pinned_videos(arguments: dict[str, Any]) -> CallToolResult:
        record = CallRecord("get_pinned_videos")
        return await _recorded(record, on_call, both_channels, _get(backend, arguments, record))

    async def compare_pinned_videos(arguments: dict[str, Any], ctx: Context) -> CallToolResult:
        record = CallRecord("compare_pinned_videos")
        call = _compare(backend, arguments, record, ctx, settings.max_concurrency)
        return await _recorded(record, on_call, both_channels, call)

    functions: dict[str, Callable[..., Awaitable[CallToolResult]]] = {
        "get_pinned_videos": get_pinned_videos,
        "compare_pinned_videos": compare_pinned_videos,
    }
    return [
        Tool(
            fn=functions[definition["name"]],
            name=definition["name"],
            title=definition["title"],
            description=definition["description"],
            parameters=definition["inputSchema"],
            fn_metadata=FuncMetadata(
                arg_model=_Raw, output_schema=definition["outputSchema"] if both_channels else None
            ),
            is_async=True,
            context_kwarg="ctx" if definition["name"] == "compare_pinned_videos" else None,
            annotations=ToolAnnotations.model_validate(definition["annotations"]),
            meta=meta,
        )
        for definition in json.loads(files(__package__ or "").joinpath("tools.json").read_text(encoding="utf-8"))
    ]


async def _recorded(
    record: CallRecord,
    on_call: Callable[[CallRecord], None],
    both_channels: bool,
    call: Awaitable[tuple[str, dict[str, Any]]],
) -> CallToolResult:
    """Return the result of the call, or its error as text. Pass the record on in both cases."""
    started = time.perf_counter()
    try:
        text, data = await _in_time(record, call)
        return CallToolResult(
            content=[TextContent(type="text", text=text)], structured_content=data if both_channels else None
        )
    except TikTokError as error:
        from tiktok_pinned_videos.presentation.text import error_text

        record.status, record.log_id = error.status, error.log_id
        record.requests = record.requests or error.requests
        account = record.accounts[0] if record.tool == "get_pinned_videos" and record.accounts else ""
        return CallToolResult(content=[TextContent(type="text", text=error_text(error, account))], is_error=True)
    except asyncio.CancelledError:
        record.status = "cancelled"
        raise
    finally:
        record.caller = CALLER.get()
        record.milliseconds = (time.perf_counter() - started) * 1000
        on_call(record)


async def _in_time(record: CallRecord, call: Awaitable[tuple[str, dict[str, Any]]]) -> tuple[str, dict[str, Any]]:
    """Raises `TikTokError` and nothing else."""
    try:
        async with asyncio.timeout(WHOLE_CALL):
            return await call
    except TimeoutError:
        raise APITimeoutError("the call took longer than a client waits.", next_step="Call again.") from None
    except TikTokError:
        raise
    except Exception as fault:
        _log.exception("unexpected fault in %s", record.tool)
        raise InternalError from fault


async def _get(backend: Backend, arguments: dict[str, Any], record: CallRecord) -> tuple[str, dict[str, Any]]:
    from tiktok_pinned_videos.presentation.results import account_answer
    from tiktok_pinned_videos.presentation.text import account_text

    asked = parse_get(arguments)
    record.accounts = (asked.username,)
    answer = await backend.service().answer(asked.username, asked.fields, refresh=asked.refresh)
    record.requests, record.cached, record.log_id = answer.requests, int(answer.cached), answer.snapshot.log_id
    result = account_answer(answer)
    result["notes"] += asked.notes
    record.status = result["status"]
    return account_text(result), dict(result)


async def _compare(
    backend: Backend, arguments: dict[str, Any], record: CallRecord, ctx: Context, max_concurrency: int
) -> tuple[str, dict[str, Any]]:
    from tiktok_pinned_videos.presentation.comparison import compared, comparison_text
    from tiktok_pinned_videos.research.fields import DEFAULT
    from tiktok_pinned_videos.service.many import Outcome, ask_many

    asked = parse_compare(arguments)
    record.accounts = asked.names
    valid = [name for name in asked.names if name not in asked.invalid]
    service = backend.service()
    total, offset = len(asked.names), len(asked.invalid)

    async def progress(done: int, outcome: Outcome[Answer]) -> None:
        answered = outcome.answer
        record.requests += answered.requests if answered else (outcome.error.requests if outcome.error else 0)
        record.cached += int(answered is not None and answered.cached)
        await ctx.report_progress(offset + done, total, outcome.username)

    for done in range(1, offset + 1):
        await ctx.report_progress(done, total)
    outcomes = await ask_many(
        valid,
        ask=lambda name: service.answer(name, DEFAULT, refresh=asked.refresh),
        fallback=None if asked.refresh else (lambda name: service.from_cache(name, DEFAULT)),
        max_concurrency=max_concurrency,
        time_limit=WHOLE_CALL - 5,
        progress=progress,
    )
    by_name = {outcome.username: outcome for outcome in outcomes}
    by_name |= {name: Outcome(name, error=error) for name, error in asked.invalid.items()}
    comparison = compared([by_name[name] for name in asked.names], asked.rank_by)
    comparison["notes"] += asked.notes
    return comparison_text(comparison), dict(comparison)
