"""Read JSON-RPC messages from the wire before the SDK does, for stdio and HTTP alike.

The SDK drops, misreads or answers with `id: null` some valid messages. So every message is parsed here, checked, and
written again in a form that the SDK reads without surprises. What cannot be a message gets its error here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from pydantic_core import from_json

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
INVALID_PARAMS: Final = -32602
_MAX_DIGITS: Final = 4300
"""Digits of an integer that Python converts; longer ones are passed on as text."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_PART: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)


class _LongInteger(str):
    """An integer of more digits than Python converts, as it was written."""

    __slots__ = ()


class MessageError(Exception):
    """A message that the SDK must not see; `answer` is the JSON-RPC error to send instead."""

    def __init__(self, number: str, code: int, message: str) -> None:
        super().__init__(message)
        error = json.dumps({"code": code, "message": message})
        self.answer = f'{{"jsonrpc":"2.0","id":{number},"error":{error}}}'


@dataclass(frozen=True, slots=True)
class Message:
    """A valid request, notification or response."""

    kind: Literal["request", "notification", "response"]
    content: dict[str, Any]
    """As the client wrote it."""
    number: str
    """The id as JSON; empty for a notification."""
    text: str
    """The same message in one line of JSON, as the SDK is given it."""


def read_message(line: bytes) -> Message:
    """Parse and check one message. Raises `MessageError`."""
    try:
        text = line.decode("utf-8-sig")
        parsed: Any = json.loads(text, parse_int=_integer, parse_constant=_no_constant)
    except ValueError:
        raise MessageError("null", PARSE_ERROR, "Parse error: the message is not valid JSON in UTF-8.") from None
    except RecursionError:
        raise MessageError(_id_in(line), INVALID_PARAMS, "Invalid params: nested too deeply.") from None
    if not isinstance(parsed, dict):
        raise MessageError("null", INVALID_REQUEST, "Invalid Request: a message must be one JSON object.")
    content = cast("dict[str, Any]", parsed)
    number = _number_of(content)
    if content.get("jsonrpc") != "2.0":
        raise MessageError(number or "null", INVALID_REQUEST, 'Invalid Request: "jsonrpc" must be "2.0".')
    if "method" not in content:
        return Message("response", content, _checked_response(content, number), text)
    params = content.get("params")
    if not isinstance(content["method"], str):
        raise MessageError(number or "null", INVALID_REQUEST, 'Invalid Request: "method" must be a string.')
    if not isinstance(params, dict | None):
        raise MessageError(number or "null", INVALID_REQUEST, 'Invalid Request: "params" must be an object.')
    return Message("request" if number else "notification", content, number, _rewritten(content, number))


def _number_of(content: dict[str, Any]) -> str:
    """The id as JSON; empty if there is none."""
    if "id" not in content:
        return ""
    number = content["id"]
    if isinstance(number, bool) or not isinstance(number, str | int):
        raise MessageError("null", INVALID_REQUEST, "Invalid Request: an id must be a string or an integer.")
    if isinstance(number, _LongInteger):
        raise MessageError(str(number), INVALID_REQUEST, "Invalid Request: the id has too many digits.")
    if isinstance(number, str) and _SURROGATE.search(number):
        raise MessageError(json.dumps(number), INVALID_REQUEST, "Invalid Request: the id is not valid Unicode.")
    return json.dumps(number)


def _checked_response(content: dict[str, Any], number: str) -> str:
    error: Any = content.get("error")
    complete = isinstance(content.get("result"), dict) or (isinstance(error, dict) and "code" in error)
    if not number or not complete:
        raise MessageError(number or "null", INVALID_REQUEST, 'Invalid Request: a message must have a "method".')
    return number


def _rewritten(content: dict[str, Any], number: str) -> str:
    """The message without members that the SDK could mistake, in JSON that its parser accepts."""
    names = ("jsonrpc", "id", "method", "params")
    kept = {name: content[name] for name in names if content.get(name) is not None}
    try:
        text = _SURROGATE.sub("\ufffd", json.dumps(kept, ensure_ascii=False))
        from_json(text)
    except (ValueError, RecursionError):
        raise MessageError(number or "null", INVALID_PARAMS, "Invalid params: nested too deeply.") from None
    return text


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else _LongInteger(digits)


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _id_in(line: bytes) -> str:
    """The id, as JSON, of a message too deeply nested to be parsed; `null` if it has no valid one."""
    depth, key, value = 0, "", ""
    for part in (found[0] for found in _PART.finditer(line.decode("utf-8", errors="replace"))):
        if part in "[{":
            depth += 1
        elif part in "]}":
            depth -= 1
        elif depth == 1 and part == ":":
            key = value
        elif depth == 1 and part != ",":
            value = part
            if key == '"id"':
                return part if re.fullmatch(r'-?\d+|".*"', part, re.DOTALL) else "null"
    return "null"
