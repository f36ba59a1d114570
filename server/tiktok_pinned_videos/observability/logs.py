"""Logging to stderr, for people or for machines. Stdout belongs to the protocol; no secret and no caption is logged."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, Final, Literal

from .record import CallRecord

_calls: Final = logging.getLogger("tiktok_pinned_videos.calls")
_PLAIN: Final = re.compile(r"[\w.,:/@+-]+", re.ASCII)
# They log addresses, and httpx every single one.
_QUIET: Final = ("httpx", "httpx2", "httpcore", "httpcore2", "mcp", "uvicorn", "opentelemetry", "asyncio")


def configure_logging(level: str, log_format: Literal["text", "json"]) -> None:
    """Set up the root logger, before the SDK does it its own way."""
    stream = sys.stderr
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8", errors="backslashreplace")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_JSONFormatter() if log_format == "json" else _TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Strangers can cause its warnings at will: each request that is none is one.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def log_call(record: CallRecord) -> None:
    """One line for one call of a tool."""
    if _calls.isEnabledFor(logging.INFO):
        # Not by `info`, which would look for the line of code that asks: nobody reads it, and it takes as long again.
        facts = {"name": _calls.name, "levelno": logging.INFO, "levelname": "INFO", "msg": "call", "call": record}
        _calls.handle(logging.makeLogRecord(facts))


def _call_facts(record: CallRecord) -> dict[str, Any]:
    return {
        "tool": record.tool,
        "account": ",".join(record.accounts),
        "status": str(record.status),
        "requests": record.requests,
        "cached": record.cached,
        "ms": round(record.milliseconds, 1),
        "log_id": record.log_id,
        **({"caller": record.caller} if record.caller else {}),
    }


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = _time(record)
        call = getattr(record, "call", None)
        if isinstance(call, CallRecord):
            facts = _call_facts(call)
            words = " ".join(f"{key}={_quoted(value)}" for key, value in facts.items() if value not in (None, ""))
            return f"{time} {record.levelname} {words}"
        return f"{time} {record.levelname} {record.name}: {_message(self, record)}"


class _JSONFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {"time": _time(record), "level": record.levelname, "logger": record.name}
        call = getattr(record, "call", None)
        if isinstance(call, CallRecord):
            entry |= _call_facts(call)
        else:
            entry["message"] = _message(self, record)
        return json.dumps(entry, ensure_ascii=False)


def _quoted(value: Any) -> str:
    # Names are written by callers: none may look like the next field, or like the blank before it.
    if not isinstance(value, str):
        return str(value)
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=True)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def _message(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    message = record.getMessage()
    if record.exc_info:
        message += " | " + formatter.formatException(record.exc_info).replace("\n", " | ")
    # Whatever a message quotes: it is one line, and tells the terminal nothing.
    message = message.replace("\n", " ")
    return (
        message
        if message.isprintable()
        else "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in message)
    )
