"""Lines of JSON-RPC between a client and the SDK.

A line that is no message is answered here, since the SDK drops it and a client would wait for ever; and what was asked
is remembered until it is answered, so that the end of stdin takes no answer away.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, Final, cast

from pydantic_core import from_json

from .handshake import Opening, split_answer
from .streams import Read, Write

LAST_ANSWERS: Final = 1.0
"""Seconds after the end of stdin in which what was asked is still answered."""
_PARSE_ERROR: Final = -32700
_INVALID_REQUEST: Final = -32600


class Conversation:
    """Which requests are still to be answered."""

    def __init__(self, opening: Opening | None = None) -> None:
        self._opening = opening
        self._open: set[str] = set()
        self._nothing_open = asyncio.Event()
        self._nothing_open.set()

    def asked(self, message: dict[str, Any]) -> None:
        """A message has come."""
        number = json.dumps(message["id"]) if "method" in message and "id" in message else None
        if self._opening is not None:
            self._opening.asked(message, number)
        if number is not None:
            self._open.add(number)
            self._nothing_open.clear()
        elif message.get("method") == "notifications/cancelled":
            # What was cancelled is not answered.
            cancelled: dict[str, Any] = message.get("params") or {}
            self._close(json.dumps(cancelled.get("requestId")))

    def was_answered(self, number: str, rest: str) -> bool:
        """Whether this answer (see `split_answer`) was sent before the SDK was there."""
        return self._opening is not None and self._opening.was_sent(number, rest)

    def answered(self, number: str) -> None:
        """The answer to the request of this id, as JSON, has been sent."""
        if self._opening is not None:
            self._opening.keep()
        self._close(number)

    async def all_answered(self) -> None:
        """Wait until nothing is open, for as long as an ending client may be kept."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_ANSWERS):
                await self._nothing_open.wait()

    def _close(self, number: str) -> None:
        self._open.discard(number)
        if not self._open:
            self._nothing_open.set()


class Lines:
    """What `stdio_server` needs of stdin: lines of text, each of them a message."""

    def __init__(self, read: Read, out: Out, conversation: Conversation) -> None:
        self._read = read
        self._out = out
        self._conversation = conversation

    def __aiter__(self) -> Lines:
        return self

    async def __anext__(self) -> str:
        while True:
            line = await self._read()
            if line == b"":
                await self._conversation.all_answered()
                raise StopAsyncIteration
            if line is not None and not line.strip():
                continue
            fault = _TOO_LONG if line is None else self._look(line)
            if fault is None:
                return (line or b"").decode("utf-8", errors="replace")
            await self._out.write(fault)
            await self._out.flush()

    def _look(self, line: bytes) -> str | None:
        """Take note of a message; the answer to a line that is none."""
        try:
            message: Any = from_json(line)  # as strict as the SDK's own reader
        except ValueError:
            return _error(None, _PARSE_ERROR, "Parse error: this line is no JSON in UTF-8.")
        fault = _fault_of(message)
        if fault is None:
            self._conversation.asked(message)
            return None
        number = cast("dict[str, Any]", message).get("id") if isinstance(message, dict) else None
        readable = isinstance(number, str | int) and not isinstance(number, bool)
        return _error(number if readable else None, _INVALID_REQUEST, f"Invalid Request: {fault}.")


class Out:
    """What `stdio_server` needs of stdout: `write` and `flush`."""

    def __init__(self, write: Write, conversation: Conversation) -> None:
        self._write = write
        self._conversation = conversation

    async def write(self, text: str) -> None:
        """Send a line, whole."""
        answer = split_answer(text)
        if answer is None or not self._conversation.was_answered(*answer):
            await self._write(text.encode("utf-8", errors="replace"))
        if answer is not None:
            self._conversation.answered(answer[0])

    async def flush(self) -> None:
        """Nothing is held back."""


def _fault_of(message: Any) -> str | None:
    """Why JSON is no JSON-RPC message, or None."""
    if not isinstance(message, dict):
        return "a message is one JSON object"
    facts = cast("dict[str, Any]", message)
    number = facts.get("id")
    if facts.get("jsonrpc") != "2.0":
        return 'a message has "jsonrpc": "2.0"'
    if "id" in facts and (isinstance(number, bool) or not isinstance(number, str | int)):
        return "an id is a string or an integer"
    if "method" in facts:
        if not isinstance(facts["method"], str):
            return "a method is a string"
        return None if isinstance(facts.get("params", {}), dict) else "params are an object"
    return None if "id" in facts and ("result" in facts or "error" in facts) else "there is no method"


def _error(number: str | int | None, code: int, words: str) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": words}}) + "\n"


_TOO_LONG: Final = _error(None, _PARSE_ERROR, "Parse error: a message may have 16 MiB.")
