"""Read JSON-RPC messages before the SDK does, for stdio and HTTP.

The SDK drops or misreads some valid messages, or answers them with `id: null`. So every message is checked here and
written again in a form that the SDK reads correctly. Invalid messages are answered here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from pydantic_core import from_json

_MAX_DIGITS: Final = 4300
"""Digits of an integer that Python converts; longer ones are passed on as text."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class MessageError(Exception):
    """A message that the SDK must not see; `answer` is the JSON-RPC error to send instead."""

    def __init__(self, words: str, *, number: str = "null", code: int = -32600) -> None:
        super().__init__(words)
        kind = {-32700: "Parse error", -32600: "Invalid Request", -32602: "Invalid params"}[code]
        error = json.dumps({"code": code, "message": f"{kind}: {words}."})
        self.answer = f'{{"jsonrpc":"2.0","id":{number or "null"},"error":{error}}}'


@dataclass(frozen=True, slots=True)
class Message:
    """A valid message. `content` is the client's JSON, `number` the id as JSON, `text` the JSON for the SDK."""

    kind: Literal["request", "notification", "response"]
    content: dict[str, Any]
    number: str
    text: str


def read_message(line: bytes) -> Message:
    """Parse and check one message. Raises `MessageError`."""
    try:
        text = line.decode("utf-8-sig")
        content: Any = json.loads(text, parse_int=_integer, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise MessageError("the message is not valid JSON in UTF-8", code=-32700) from None
    if not isinstance(content, dict):
        raise MessageError("a message must be one JSON object")
    facts = cast("dict[str, Any]", content)
    number = _number_of(facts)
    if facts.get("jsonrpc") != "2.0":
        raise MessageError('"jsonrpc" must be "2.0"', number=number)
    if "method" not in facts and number and isinstance(facts.get("result", facts.get("error")), dict):
        return Message("response", facts, number, text)
    if not isinstance(facts.get("method"), str):
        raise MessageError('"method" must be a string', number=number)
    if not isinstance(facts.get("params"), dict | None):
        raise MessageError('"params" must be an object', number=number)
    return Message("request" if number else "notification", facts, number, _rewritten(facts, number))


def _number_of(facts: dict[str, Any]) -> str:
    """Return the id as JSON; empty if there is none."""
    if "id" not in facts:
        return ""
    number = facts["id"]
    if isinstance(number, bool) or not isinstance(number, str | int):
        raise MessageError("an id must be a string or an integer")
    if isinstance(number, str) and _SURROGATE.search(number):
        raise MessageError("the id is not valid Unicode", number=json.dumps(number))
    if isinstance(number, _LongInteger):
        raise MessageError("the id has too many digits", number=number)
    return json.dumps(number)


def _rewritten(facts: dict[str, Any], number: str) -> str:
    """Return the message without unknown members, in JSON that the SDK's parser accepts."""
    kept = {name: facts[name] for name in ("jsonrpc", "id", "method", "params") if facts.get(name) is not None}
    try:
        text = _SURROGATE.sub("\ufffd", json.dumps(kept, ensure_ascii=False))
        from_json(text)
    except (ValueError, RecursionError):
        raise MessageError("nested too deeply", number=number, code=-32602) from None
    return text


class _LongInteger(str):
    """An integer of more digits than Python converts, as it was written."""

    __slots__ = ()


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else _LongInteger(digits)


def _no_constant(name: str) -> float:
    raise ValueError(name)
