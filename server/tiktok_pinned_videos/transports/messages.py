"""Read JSON-RPC messages before the SDK does, for stdio and HTTP.

The SDK drops or misreads some valid messages, or answers them with `id: null`. So every message is checked here and
written again in a form that the SDK reads correctly. Invalid messages are answered here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, cast

from pydantic_core import from_json

from .handshake import MAX_LENGTH

_MAX_DIGITS: Final = 4300
"""Digits of an integer that Python converts; longer ones are passed on as text."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_KINDS: Final = {-32700: "Parse error", -32600: "Invalid Request", -32602: "Invalid params"}


class MessageError(Exception):
    """A message that the SDK must not see; `answer` is the JSON-RPC error to send instead."""

    def __init__(self, words: str, *, number: str = "null", code: int = -32600, status: int = 400) -> None:
        super().__init__(words)
        error = json.dumps({"code": code, "message": f"{_KINDS[code]}: {words}."})
        self.answer = f'{{"jsonrpc":"2.0","id":{number or "null"},"error":{error}}}'
        self.status = status


@dataclass(frozen=True, slots=True)
class Message:
    """A valid message. `content` is the client's JSON, `number` the id as JSON, `text` the JSON for the SDK."""

    kind: Literal["request", "notification", "response"]
    content: dict[str, Any]
    number: str
    text: str


def read_message(line: bytes | bytearray) -> Message:
    """Parse and check one message. Raises `MessageError`."""
    if len(line) > MAX_LENGTH:
        raise MessageError("a message must not be longer than 16 MiB", code=-32700)
    try:
        content: Any = json.loads(line.decode("utf-8-sig"), parse_int=_integer)
    except (ValueError, RecursionError):
        raise MessageError("the message is not valid JSON in UTF-8", code=-32700) from None
    if not isinstance(content, dict):
        raise MessageError("a message must be one JSON object")
    facts = cast("dict[str, Any]", content)
    number = _number_of(facts)
    if "method" not in facts and "id" in facts and isinstance(facts.get("result", facts.get("error")), dict):
        # This server sends no requests: the SDK only has to see that it is a response.
        return Message("response", facts, number, f'{{"jsonrpc":"2.0","id":{number or 0},"result":{{}}}}')
    if facts.get("jsonrpc") != "2.0":
        raise MessageError('"jsonrpc" must be "2.0"', number=number)
    if not isinstance(facts.get("method"), str):
        raise MessageError('"method" must be a string', number=number)
    if not isinstance(facts.get("params"), dict | None):
        raise MessageError('"params" must be an object', number=number)
    # Without unknown members and null, in JSON that the SDK's parser accepts.
    kept = {name: facts[name] for name in ("jsonrpc", "id", "method", "params") if facts.get(name) is not None}
    try:
        text = _SURROGATE.sub("\ufffd", json.dumps(kept, ensure_ascii=False, default=str))
        from_json(text)
    except (ValueError, RecursionError):
        raise MessageError("nested too deeply", number=number, code=-32602) from None
    return Message("request" if number else "notification", facts, number, text)


def _number_of(facts: dict[str, Any]) -> str:
    """Return the id as JSON; empty if there is none."""
    number = facts.get("id")
    if "id" not in facts or (number is None and "error" in facts and "method" not in facts):
        return ""  # an error without an id answers a message that had no valid id
    if isinstance(number, Decimal):
        raise MessageError("the id has too many digits", number=str(number))
    if isinstance(number, bool) or not isinstance(number, str | int):
        raise MessageError("an id must be a string or an integer")
    if _SURROGATE.search(str(number)):
        raise MessageError("the id is not valid Unicode", number=json.dumps(number))
    return json.dumps(number)


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _MAX_DIGITS else Decimal(digits)
