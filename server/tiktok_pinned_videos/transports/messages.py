"""Read JSON-RPC messages before the SDK does, for stdio and HTTP.

The SDK drops or misreads some valid messages, or answers them with `id: null`. So every message is checked here and
written again in a form that the SDK reads correctly. Invalid messages are answered here.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple, cast

from pydantic_core import from_json

from .handshake import MAX_LENGTH

_MAX_DIGITS: Final = 4300  # of an integer that Python converts; longer ones are passed on as text
_DECODER: Final = json.JSONDecoder(parse_int=lambda digits: (int if len(digits) <= _MAX_DIGITS else Decimal)(digits))
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, default=str)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_KINDS: Final = {-32700: "Parse error", -32600: "Invalid Request", -32602: "Invalid params"}


class MessageError(Exception):
    """A message that the SDK must not see; `answer` is the JSON-RPC error to send instead."""

    def __init__(self, what: str, *, id_text: str = "null", code: int = -32600, status: int = 400) -> None:
        super().__init__(what)
        error = json.dumps({"code": code, "message": f"{_KINDS[code]}: {what}."})
        self.answer = f'{{"jsonrpc":"2.0","id":{id_text or "null"},"error":{error}}}'
        self.status = status


class Message(NamedTuple):
    """A valid message. `content` is the client's JSON, `id_text` the id as JSON, `text` the JSON for the SDK."""

    kind: Literal["request", "notification", "response"]
    content: dict[str, Any]
    id_text: str
    text: str


def read_message(line: bytes | bytearray) -> Message:
    """Parse and check one message. Raises `MessageError`."""
    if len(line) > MAX_LENGTH:
        raise MessageError("a message must not be longer than 16 MiB", code=-32700)
    try:
        content: Any = _DECODER.decode(line.removeprefix(BOM_UTF8).decode())
    except (ValueError, RecursionError):
        raise MessageError("the message is not valid JSON in UTF-8", code=-32700) from None
    if not isinstance(content, dict):
        raise MessageError("a message must be one JSON object")
    facts = cast("dict[str, Any]", content)
    if "method" not in facts and "id" in facts and isinstance(facts.get("result", facts.get("error")), dict):
        # Whatever its id is: peers that answer responses never stop. The SDK needs no more than to see a response.
        return Message("response", facts, "", '{"jsonrpc":"2.0","id":0,"result":{}}')
    id_text = _id_of(facts)
    if facts.get("jsonrpc") != "2.0":
        raise MessageError('"jsonrpc" must be "2.0"', id_text=id_text)
    if not isinstance(facts.get("method"), str):
        raise MessageError('"method" must be a string', id_text=id_text)
    if not isinstance(facts.get("params"), dict | None):
        raise MessageError('"params" must be an object', id_text=id_text)
    # Without unknown members and null, in JSON that the SDK's parser accepts.
    kept = {name: facts[name] for name in ("jsonrpc", "id", "method", "params") if facts.get(name) is not None}
    try:
        text = _SURROGATE.sub("\ufffd", _ENCODER.encode(kept))
        from_json(text)
    except (ValueError, RecursionError):
        raise MessageError("nested too deeply", id_text=id_text, code=-32602) from None
    return Message("request" if id_text else "notification", facts, id_text, text)


def _id_of(facts: dict[str, Any]) -> str:
    """Return the id as JSON; empty if there is none."""
    if "id" not in facts:
        return ""
    found = facts["id"]
    if isinstance(found, Decimal):
        raise MessageError("the id has too many digits", id_text=str(found))
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise MessageError("an id must be a string or an integer")
    if isinstance(found, str) and _SURROGATE.search(found):
        raise MessageError("the id is not valid Unicode", id_text=json.dumps(found))
    return str(found) if isinstance(found, int) else json.dumps(found)
