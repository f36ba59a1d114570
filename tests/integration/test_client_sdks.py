"""Clients of the protocol's own SDKs, from the oldest version in use to the newest: each lists, calls, fails and reads.

The scripts are in `conformance`, one for each major version; what Node runs is installed there by npm.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit import COMMAND, HTTPServer, environment, http_server, need
from kit.built import uv_environment, uv_program

pytestmark = [pytest.mark.tools, pytest.mark.timeout(300)]

FOLDER = Path(__file__).parents[1] / "conformance"
TOKEN = "a-token-of-sixteen-or-more"
PYTHON = ("mcp==1.8.0", "mcp==1.12.4", "mcp==1.20.0", "mcp==1.30.0", "mcp>=2.3,<3")
OF_ITS_TIME = PYTHON[:3]
"""They import what newer versions of pydantic no longer have, so they get one of their time."""
TYPESCRIPT = ("typescript_1.mjs", "typescript_2.mjs")


@pytest.fixture(scope="module")
def guarded() -> Iterator[HTTPServer]:
    with http_server(env={"MCP_BEARER_TOKEN": TOKEN}) as server:
        yield server


def started(client: str, *way: str) -> dict[str, Any]:
    """What the client said."""
    if client in TYPESCRIPT:
        node = need("node")
        if not (FOLDER / "node_modules" / "@modelcontextprotocol" / "sdk").is_dir():
            need("the TypeScript SDK, installed by: npm install --no-package-lock --prefix tests/conformance")
        command, env = [node, FOLDER / client], environment()
    else:
        # The packages are other makers': whatever uv has of them already is as good.
        env = {name: value for name, value in uv_environment().items() if name != "UV_CACHE_DIR"}
        script = FOLDER / ("python_1.py" if "==1." in client else "python_2.py")
        with_it = ["run", "--quiet", "--isolated", "--no-project", "--python", sys.executable, "--with", client]
        with_it += ["--with", "pydantic<2.12"] if client in OF_ITS_TIME else []
        command = [uv_program(), *with_it, "python", script]
    done = subprocess.run(
        [*command, *way], env=env, capture_output=True, encoding="utf-8", check=False, timeout=200, cwd=os.sep
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("way", ["stdio", "http"])
@pytest.mark.parametrize("client", [*PYTHON, *TYPESCRIPT])
def test_a_client_lists_calls_fails_and_reads(client: str, way: str, guarded: HTTPServer) -> None:
    told = (
        started(client, "stdio", *COMMAND, "--sandbox")
        if way == "stdio"
        else started(client, "http", guarded.url, TOKEN)
    )

    assert told["server"] == "tiktok-pinned-videos"
    assert told["tools"] == ["compare_pinned_videos", "get_pinned_videos"]
    assert told["found"][0] is False
    assert told["found"][1].startswith("@nasa: 3 pinned videos (SANDBOX ")
    assert told["failed"][0] is True
    assert told["failed"][1].startswith("not_found: @sandbox_missing: ")
    assert len(json.loads(told["resource"])["videos"]) == 3
