"""Configurations: of MCP clients, read as each client reads its own, and of the server."""

from __future__ import annotations

import inspect
import json
import re
import tomllib
from typing import Any

from tiktok_pinned_videos import settings

_SECTIONS = {"codex": "mcp_servers", "opencode": "mcp", "vscode": "servers", "zed": "context_servers"}


def entry_of(client: str, text: str) -> dict[str, Any]:
    """The one server in the configuration of `client`."""
    document: dict[str, Any] = tomllib.loads(text) if client == "codex" else json.loads(text)
    servers = document[_SECTIONS.get(client, "mcpServers")]
    assert list(servers) == ["tiktok-pinned-videos"]
    return servers["tiktok-pinned-videos"]


def command_of(client: str, text: str) -> tuple[list[str], dict[str, str]]:
    """The command and the variables with which `client` starts the server."""
    entry = entry_of(client, text)
    if client == "opencode":
        return entry["command"], entry.get("environment", {})
    return [entry["command"], *entry["args"]], entry.get("env", {})


def variables() -> set[str]:
    """The variables that the settings read."""
    return set(re.findall(r'\bread\("([A-Z_]+)"', inspect.getsource(settings)))
