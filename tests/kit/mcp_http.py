"""MCP over HTTP without an MCP client: post a message and read the message in the response."""

from __future__ import annotations

import json
from typing import Any

import httpx

from kit.processes import HTTPServer

ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
"""The headers that every call needs."""
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    """A complete request of the older era: needs no session here."""
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


def answer(response: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC message in an event stream."""
    assert response.status_code == 200, response.text
    data = [line.removeprefix("data:") for line in response.text.splitlines() if line.startswith("data:")]
    return json.loads(data[-1])


def address(server: HTTPServer) -> tuple[str, int]:
    """Host and port to connect to."""
    host, _, port = server.base.removeprefix("http://").rpartition(":")
    return host, int(port)
