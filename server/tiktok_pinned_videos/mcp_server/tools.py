"""The two tools: raw arguments in, `CallToolResult` out, one record per call for the log and the meters."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import ConfigDict

from tiktok_pinned_videos.observability.record import CallRecord
from tiktok_pinned_videos.research.errors import APITimeoutError, InternalError, TikTokError
from tiktok_pinned_videos.service.caller import CALLER

from . import schemas
from .arguments import parse_compare, parse_get

if TYPE_CHECKING:
    from tiktok_pinned_videos.service.service import Answer, PinnedVideosService


_log = logging.getLogger(__name__)
WHOLE_CALL: Final = 235.0
"""Seconds; clients give a call 240 to 300."""


class Backend(Protocol):
    """Where the service comes from. Raises `ConfigurationError` while there is nobody to ask."""

    def service(self) -> PinnedVideosService:
        """The service, built on first use."""
        ...


@dataclass(frozen=True, slots=True)
class ToolSettings:
    """How the tools answer."""

    channels: Literal["both", "text"]
    max_concurrency: int
    on_call: Callable[[CallRecord], None]
    meta: dict[str, Any] | None = None
    """`_meta` of both definitions: the binding to the interactive view."""


class _Raw(ArgModelBase):
    """Any arguments, untouched: the SDK's own validation answers with a validator's words and a link."""

    model_config = ConfigDict(extra="allow")

    def model_dump_one_level(self) -> dict[str, Any]:
        return {"arguments": self.model_extra or {}}


def build_tools(backend: Backend, settings: ToolSettings) -> list[Tool]:
    """`get_pinned_videos` and `compare_pinned_videos`."""

    async def get_pinned_videos(arguments: dict[str, Any]) -> CallToolResult:
        record = CallRecord("get_pinned_videos")
        return await _recorded(record, settings, _get(backend, settings, arguments, record))

    async def compare_pinned_videos(arguments: dict[str, Any], ctx: Context) -> CallToolResult:
        record = CallRecord("compare_pinned_videos")
        return await _recorded(record, settings, _compare(backend, settings, arguments, record, ctx))

    return [
        _tool(
            get_pinned_videos,
            title="Get pinned videos",
            description="Videos a TikTok account has pinned, their statistics, and what changed. "
            "Costs one request of the daily quota, none when cached.",
            parameters=schemas.get_input(),
            output=schemas.get_output() if settings.channels == "both" else None,
            meta=settings.meta,
        ),
        _tool(
            compare_pinned_videos,
            title="Compare pinned videos",
            description="Rank 2 to 50 TikTok accounts by their pinned videos. One request per account not cached.",
            parameters=schemas.compare_input(),
            output=schemas.compare_output() if settings.channels == "both" else None,
            meta=settings.meta,
            context_kwarg="ctx",
        ),
    ]


def _tool(
    fn: Callable[..., Awaitable[CallToolResult]],
    *,
    title: str,
    description: str,
    parameters: dict[str, Any],
    output: dict[str, Any] | None,
    meta: dict[str, Any] | None,
    context_kwarg: str | None = None,
) -> Tool:
    return Tool(
        fn=fn,
        name=fn.__name__,  # pyright: ignore[reportAttributeAccessIssue] - the two functions above have names
        title=title,
        description=description,
        parameters=parameters,
        fn_metadata=FuncMetadata(arg_model=_Raw, output_schema=output),
        is_async=True,
        context_kwarg=context_kwarg,
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True
        ),
        meta=meta,
    )


async def _recorded(record: CallRecord, settings: ToolSettings, call: Awaitable[CallToolResult]) -> CallToolResult:
    started = time.perf_counter()
    try:
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
    except TikTokError as error:
        from tiktok_pinned_videos.presentation.text import error_text

        record.status, record.log_id = error.status, error.log_id
        record.requests = record.requests or error.requests
        asked = record.accounts[0] if record.tool == "get_pinned_videos" and record.accounts else None
        return CallToolResult(content=[TextContent(type="text", text=error_text(error, asked))], is_error=True)
    except asyncio.CancelledError:
        record.status = "cancelled"
        raise
    finally:
        record.caller = CALLER.get()
        record.milliseconds = (time.perf_counter() - started) * 1000
        settings.on_call(record)


async def _get(
    backend: Backend, settings: ToolSettings, arguments: dict[str, Any], record: CallRecord
) -> CallToolResult:
    from tiktok_pinned_videos.presentation.results import account_answer
    from tiktok_pinned_videos.presentation.text import account_text

    asked = parse_get(arguments)
    record.accounts = (asked.username,)
    answer = await backend.service().answer(asked.username, asked.fields, refresh=asked.refresh)
    record.requests, record.cached, record.log_id = answer.requests, int(answer.cached), answer.snapshot.log_id
    result = account_answer(answer)
    result.notes += asked.notes
    record.status = result.status
    return _result(settings, account_text(result), result.as_json())


async def _compare(
    backend: Backend, settings: ToolSettings, arguments: dict[str, Any], record: CallRecord, ctx: Context
) -> CallToolResult:
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
        max_concurrency=settings.max_concurrency,
        time_limit=WHOLE_CALL - 5,
        progress=progress,
    )
    by_name = {outcome.username: outcome for outcome in outcomes}
    by_name |= {name: Outcome(name, error=error) for name, error in asked.invalid.items()}
    comparison = compared([by_name[name] for name in asked.names], asked.rank_by)
    comparison.notes += asked.notes
    return _result(settings, comparison_text(comparison), comparison.as_json())


def _result(settings: ToolSettings, text: str, data: dict[str, Any]) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=data if settings.channels == "both" else None,
    )
