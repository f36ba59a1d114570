"""Configurations of MCP clients, read as each client reads its own."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from typing import Any

_SERVERS = {"codex": "mcp_servers", "opencode": "mcp", "vscode": "servers", "zed": "context_servers"}


@dataclass(frozen=True)
class Configured:
    """How a client was told to start this server."""

    command: str
    args: list[str]
    env: dict[str, str]
    forwarded: tuple[str, ...]
    """Variables of its own environment that the client hands on."""


def server_of(client: str, text: str) -> Configured:
    """The one server in the configuration of `client`."""
    document: dict[str, Any] = tomllib.loads(text) if client == "codex" else json.loads(text)
    servers = document[_SERVERS.get(client, "mcpServers")]
    assert list(servers) == ["tiktok-pinned-videos"]
    entry = servers["tiktok-pinned-videos"]
    if client == "opencode":
        assert entry["type"] == "local"
        command, *args = entry["command"]
        return Configured(command, args, entry.get("environment", {}), ())
    return Configured(entry["command"], entry["args"], entry.get("env", {}), tuple(entry.get("env_vars", ())))
