"""Clients of the protocol's own SDKs, from the oldest version in use to the newest.

The scripts are in `tests/conformance`, one for each major version; npm installs what Node runs there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kit.built import uv_environment, uv_program
from kit.processes import COMMAND, TOKEN, HTTPServer, environment
from kit.programs import need

pytestmark = [pytest.mark.tools, pytest.mark.timeout(300)]

FOLDER = Path(__file__).parents[1] / "conformance"
OLDEST = "mcp==1.8.0"
CLIENTS = (OLDEST, "mcp==1.30.0", "mcp>=2.3,<3", "typescript_1.mjs", "typescript_2.mjs")


def report(client: str, *way: str) -> dict[str, Any]:
    """Run a client and return what it prints."""
    if client.endswith(".mjs"):
        node = need("node")
        if not (FOLDER / "node_modules" / "@modelcontextprotocol" / "sdk").is_dir():
            need("the TypeScript SDK, installed by: npm install --no-package-lock --prefix tests/conformance")
        command, env = [node, FOLDER / client], environment()
    else:
        # uv's own cache: these packages are not built from this tree.
        env = {name: value for name, value in uv_environment().items() if name != "UV_CACHE_DIR"}
        script = FOLDER / ("python_1.py" if "==1." in client else "python_2.py")
        packages = ["--with", client] + (["--with", "pydantic<2.12"] if client == OLDEST else [])
        isolated = ["run", "--quiet", "--isolated", "--no-project", "--python", sys.executable]
        command = [uv_program(), *isolated, *packages, "python", script]
    done = subprocess.run(
        [*command, *way], env=env, capture_output=True, encoding="utf-8", check=False, timeout=200, cwd=os.sep
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_lists_calls_fails_and_reads_over_stdio_and_http(client: str, guarded_server: HTTPServer) -> None:
    for way in (["stdio", *COMMAND, "--sandbox"], ["http", guarded_server.url, TOKEN]):
        result = report(client, *way)

        assert result["server"] == "tiktok-pinned-videos"
        assert result["tools"] == ["compare_pinned_videos", "get_pinned_videos"]
        assert result["found"][0] is False
        assert result["found"][1].startswith("@nasa: 3 pinned videos (SANDBOX ")
        assert result["failed"][0] is True
        assert result["failed"][1].startswith("not_found: @sandbox_missing: ")
        assert len(json.loads(result["resource"])["videos"]) == 3
