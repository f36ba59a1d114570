"""The protocol's own judges, against the server as users start it: the conformance suite and the Inspector.

They are JavaScript; `npm install --no-package-lock --prefix tests/conformance` installs them and the Node they need.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit import COMMAND, HTTPServer, environment, http_server

pytestmark = pytest.mark.tools

MODULES = Path(__file__).parents[1] / "conformance" / "node_modules"
CONFORMANCE = MODULES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
INSPECTOR = MODULES / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build" / "index.js"

BOTH = ("tools-list", "resources-list", "prompts-list", "completion-complete", "dns-rebinding-protection")
# Those that mean something without the suite's fixture tools; tools-call-* would pass without having called anything.
SCENARIOS = [("2025-11-25", scenario) for scenario in (*BOTH, "server-initialize", "ping")] + [
    ("2026-07-28", scenario)
    for scenario in (
        *BOTH,
        "caching",
        "http-header-validation",
        "sep-2164-resource-not-found",
        "server-sse-multiple-streams",
        "input-required-result-unsupported-methods",
        "server-stateless",
    )
]
NEED_A_FIXTURE_TOOL = {"sep-2575-server-rejects-undeclared-capability", "sep-2575-missing-capability-http-400"}
"""They call `test_missing_capability`, a tool of the suite's reference server."""


@pytest.fixture(scope="module")
def node() -> str:
    """A Node new enough for the judges, installed with them."""
    found = shutil.which("node", path=str(MODULES / "node" / "bin"))
    if found and CONFORMANCE.is_file() and INSPECTOR.is_file():
        return found
    reason = "the protocol's judges were left out: npm install --no-package-lock --prefix tests/conformance"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def server(node: str) -> Iterator[HTTPServer]:
    assert node
    with http_server() as server:
        yield server


@pytest.mark.parametrize(("version", "scenario"), SCENARIOS, ids=lambda part: part)
def test_the_conformance_suite_finds_no_failure(
    node: str, server: HTTPServer, version: str, scenario: str, tmp_path: Path
) -> None:
    command = [node, str(CONFORMANCE), "server", "--url", server.url, "--scenario", scenario]
    done = subprocess.run(
        [*command, "--spec-version", version, "--output-dir", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    results = list(tmp_path.rglob("checks.json"))
    assert len(results) == 1, done.stdout + done.stderr
    checks: list[dict[str, Any]] = json.loads(results[0].read_text(encoding="utf-8"))

    failed = {check["id"]: check.get("errorMessage") for check in checks if check["status"] in ("FAILURE", "WARNING")}
    expected = NEED_A_FIXTURE_TOOL if scenario == "server-stateless" else set()
    assert failed.keys() == expected, failed
    assert any(check["status"] == "SUCCESS" for check in checks)


@pytest.mark.parametrize("era", ["modern", "auto", "legacy"])
@pytest.mark.parametrize("way", ["stdio", "http"])
def test_the_inspectors_strict_listing_finds_no_error(
    node: str, server: HTTPServer, way: str, era: str, tmp_path: Path
) -> None:
    target = [*COMMAND, "--sandbox"] if way == "stdio" else [server.url]
    options = ["--method", "tools/list", "--strict", "--format", "json", "--protocol-era", era]
    done = subprocess.run(
        [node, str(INSPECTOR), "--cli", *target, *options],
        cwd=tmp_path,
        env=environment(HOME=str(tmp_path), USERPROFILE=str(tmp_path)),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "compare_pinned_videos" in done.stdout
