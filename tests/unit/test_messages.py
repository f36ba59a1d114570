"""JSON-RPC messages as clients write them: what reaches the SDK, and which error the others get."""

from __future__ import annotations

import codecs
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import jsonrpc_message_adapter

from tiktok_pinned_videos.transports.messages import MessageError, read_message

_TEXT = st.text(max_size=20)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=10,
)


def request(params: str, number: str = "7") -> bytes:
    return f'{{"jsonrpc":"2.0","id":{number},"method":"ping","params":{params}}}'.encode()


def error_of(line: bytes) -> tuple[Any, int]:
    with pytest.raises(MessageError) as raised:
        read_message(line)
    answer = json.loads(raised.value.answer)
    assert "pydantic" not in raised.value.answer
    assert read_message(raised.value.answer.encode()).kind == "response"  # which a peer does not answer
    return answer["id"], answer["error"]["code"]


@pytest.mark.parametrize(
    "params",
    [
        "null",
        r'{"username":"\ud800"}',
        '{"username":' + "1" * 5000 + "}",
        '{"username":1e400}',
        '{"x":' + "[" * 190 + "]" * 190 + "}",
    ],
    ids=["null", "half a surrogate pair", "5000 digits", "infinite", "190 levels"],
)
def test_an_unusual_but_valid_request_reaches_the_sdk_with_its_id(params: str) -> None:
    message = read_message(codecs.BOM_UTF8 + request(params))

    assert (message.kind, message.id_text) == ("request", "7")
    assert jsonrpc_message_adapter.validate_json(message.text).id == 7  # type: ignore[union-attr]


@pytest.mark.parametrize("levels", [205, 250, 900])
def test_a_request_too_deep_for_the_sdk_is_answered_with_its_id(levels: int) -> None:
    assert error_of(request('{"x":' + "[" * levels + "]" * levels + "}")) == (7, -32602)


@pytest.mark.parametrize(
    ("number", "echoed"), [("1.0", None), ("true", None), ("null", None), (r'"\ud800"', "\ud800"), ("[]", None)]
)
def test_an_invalid_id_is_an_invalid_request(number: str, echoed: object) -> None:
    assert error_of(request("{}", number)) == (echoed, -32600)


def test_an_id_of_five_thousand_digits_is_answered_with_that_id() -> None:
    with pytest.raises(MessageError) as raised:
        read_message(request("{}", "1" * 5000))

    assert raised.value.answer.startswith('{"jsonrpc":"2.0","id":' + "1" * 5000 + ",")
    assert read_message(raised.value.answer.encode()).kind == "response"


@pytest.mark.parametrize("line", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_line_that_is_no_json_is_a_parse_error(line: bytes) -> None:
    assert error_of(line) == (None, -32700)


@pytest.mark.parametrize("line", [b"[]", b'"text"', b"null", b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]'])
def test_a_message_is_one_object(line: bytes) -> None:
    assert error_of(line) == (None, -32600)


@pytest.mark.parametrize(
    "message",
    [
        {"id": 7, "method": "ping"},
        {"jsonrpc": "1.0", "id": 7, "method": "ping"},
        {"jsonrpc": "2.0", "id": 7},
        {"jsonrpc": "2.0", "id": 7, "method": 5},
        {"jsonrpc": "2.0", "id": 7, "method": "ping", "params": []},
    ],
)
def test_an_envelope_that_is_not_json_rpc_is_answered_with_its_id(message: dict[str, Any]) -> None:
    assert error_of(json.dumps(message).encode()) == (7, -32600)


def test_responses_and_notifications_are_distinguished_and_the_sdk_can_read_both() -> None:
    messages = [
        read_message(json.dumps({"jsonrpc": "2.0"} | each).encode())
        for each in ({"id": 1, "result": {}}, {"id": "a", "error": {}}, {"id": None, "error": {}}, {"method": "m"})
    ]

    assert [each.kind for each in messages] == ["response", "response", "response", "notification"]
    for each in messages:
        assert jsonrpc_message_adapter.validate_json(each.text)


@given(st.dictionaries(_TEXT, _JSON, max_size=3), st.integers() | _TEXT)
def test_an_ordinary_request_reaches_the_sdk_unchanged(params: dict[str, Any], number: int | str) -> None:
    sent = {"jsonrpc": "2.0", "id": number, "method": "ping", "params": params}

    assert json.loads(read_message(json.dumps(sent).encode()).text) == sent


@given(st.binary(max_size=80) | _JSON.map(lambda content: json.dumps(content).encode()))
def test_any_line_is_a_message_or_a_json_rpc_error(line: bytes) -> None:
    try:
        answer, message = "", read_message(line)
    except MessageError as error:
        answer, message = error.answer, None

    if message is None:
        assert json.loads(answer)["jsonrpc"] == "2.0"
    else:
        jsonrpc_message_adapter.validate_json(message.text)
