"""What each way of starting the program imports. Packages that it does not need delay every start."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from kit.processes import environment

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
CALL = {"name": "get_pinned_videos", "arguments": {"username": "nasa"}}
CONVERSATION = [
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
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", OURS, *arguments.split()],
        input="".join(json.dumps(message) + "\n" for message in CONVERSATION),
        env=environment(TIKTOK_INSTANT="0"), capture_output=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip
    imported = set(re.findall(r"(?m)^import time: +\d+ \| +\d+ \| *(\S+)$", done.stderr))

    assert shown in done.stdout
    assert "json" in imported
    assert imported & unneeded == set()
