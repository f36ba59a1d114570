"""What each way of starting the program imports. Packages that it does not need delay every start."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from kit.processes import environment

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
CALL = {"name": "get_pinned_videos", "arguments": {"username": "nasa"}}
CONVERSATION: list[dict[str, Any]] = [
    {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO},
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": CALL},
]
EXTRAS = {"redis", "opentelemetry.sdk"}
OURS = "tiktok_pinned_videos"


@pytest.mark.parametrize(
    ("arguments", "shown", "unneeded"),
    [
        ("--version", "0.1.0", {"asyncio", "mcp", "httpx", "pydantic", "rich", f"{OURS}.app"}),
        ("get nasa --sandbox --format text", "3 pinned videos", {"mcp", "starlette", f"{OURS}.mcp_server", *EXTRAS}),
        (
            "stdio --sandbox",
            "3 pinned videos",
            {
                "jwt",
                f"{OURS}.transports.http",
                *(f"{OURS}.commands.{name}" for name in ("get", "dataset", "doctor")),
                *EXTRAS,
            },
        ),
    ],
)
def test_a_start_imports_nothing_that_only_other_commands_use(arguments: str, shown: str, unneeded: set[str]) -> None:
    said, imported = started(arguments, CONVERSATION)

    assert shown in said
    assert "json" in imported
    assert imported & unneeded == set()


def test_a_server_that_only_lists_its_tools_does_not_import_what_calls_need() -> None:
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    said, imported = started("stdio --sandbox", [*CONVERSATION[:-1], listing])

    assert "outputSchema" in said
    assert (
        imported & {f"{OURS}.{name}" for name in ("service.service", "research.client", "presentation.text")} == set()
    )


def started(arguments: str, messages: list[dict[str, Any]]) -> tuple[str, set[str]]:
    """Run a command with these messages as its input: its output, and the modules it imported."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", OURS, *arguments.split()],
        input="".join(json.dumps(message) + "\n" for message in messages),
        env=environment(TIKTOK_INSTANT="0"), capture_output=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip
    return done.stdout, set(re.findall(r"(?m)^import time: +\d+ \| +\d+ \| *(\S+)$", done.stderr))
