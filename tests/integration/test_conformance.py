"""The protocol's conformance suite and its Inspector, run against the server as users start it.

They are JavaScript: `npm install --no-package-lock --prefix tests/conformance` installs them and the Node they need.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kit.processes import COMMAND, HTTPServer, environment
from kit.programs import need

pytestmark = [pytest.mark.tools, pytest.mark.timeout(300)]

MODULES = Path(__file__).parents[1] / "conformance" / "node_modules"
CONFORMANCE = MODULES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
INSPECTOR = MODULES / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build" / "index.js"

# Scenarios that mean something without the suite's fixture tools; tools-call-* would pass without calling anything.
BOTH = ("tools-list", "resources-list", "prompts-list", "completion-complete", "dns-rebinding-protection")
SCENARIOS = {
    "2025-11-25": (*BOTH, "server-initialize", "ping"),
    "2026-07-28": (
        *BOTH, "caching", "http-header-validation", "sep-2164-resource-not-found", "server-sse-multiple-streams",
        "input-required-result-unsupported-methods", "server-stateless",
    ),
}  # fmt: skip
NEED_A_FIXTURE_TOOL = {"sep-2575-server-rejects-undeclared-capability", "sep-2575-missing-capability-http-400"}
"""They call `test_missing_capability`, a tool of the suite's reference server."""


@pytest.fixture(scope="module")
def node() -> str:
    """Return a Node new enough for both, which npm installs with them."""
    found = shutil.which("node", path=str(MODULES / "node" / "bin"))
    if found and CONFORMANCE.is_file() and INSPECTOR.is_file():
        return found
    return need("the conformance suite, installed by: npm install --no-package-lock --prefix tests/conformance")


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment(HOME=str(folder), USERPROFILE=str(folder)),
        capture_output=True, encoding="utf-8", timeout=240, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr if done.returncode == 0 else f"FAILED {done.stdout + done.stderr}"


@pytest.mark.parametrize("version", SCENARIOS)
def test_the_conformance_suite_finds_no_failure(
    node: str, shared_server: HTTPServer, version: str, tmp_path: Path
) -> None:
    for scenario in SCENARIOS[version]:
        folder = tmp_path / scenario
        folder.mkdir()
        command = [node, str(CONFORMANCE), "server", "--url", shared_server.url, "--scenario", scenario]
        output = run([*command, "--spec-version", version, "--output-dir", str(folder)], folder)
        results = list(folder.rglob("checks.json"))
        assert len(results) == 1, output
        checks: list[dict[str, Any]] = json.loads(results[0].read_text(encoding="utf-8"))

        failed = {check["id"]: check for check in checks if check["status"] in ("FAILURE", "WARNING")}
        expected = NEED_A_FIXTURE_TOOL if scenario == "server-stateless" else set()
        assert failed.keys() == expected, failed
        assert any(check["status"] == "SUCCESS" for check in checks), scenario


@pytest.mark.parametrize("era", ["modern", "auto", "legacy"])
def test_the_inspectors_strict_listing_finds_no_error(
    node: str, shared_server: HTTPServer, era: str, tmp_path: Path
) -> None:
    options = ["--method", "tools/list", "--strict", "--format", "json", "--protocol-era", era]
    options += ["--connect-timeout", "120000"]
    for target in ([*COMMAND, "--sandbox"], [shared_server.url]):
        output = run([node, str(INSPECTOR), "--cli", *target, *options], tmp_path)

        assert not output.startswith("FAILED"), output
        assert "compare_pinned_videos" in output
