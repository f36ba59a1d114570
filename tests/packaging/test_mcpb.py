"""The bundle for Claude Desktop: validated by its makers' tool, then started as its manifest says."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from kit.built import client_of, uv_environment
from kit.pages import ROOT
from kit.programs import need

pytestmark = [pytest.mark.anyio, pytest.mark.builds]

TOOL = ROOT / "tests" / "packaging" / "node_modules" / "@anthropic-ai" / "mcpb" / "dist" / "cli" / "cli.js"


def mcpb(*arguments: str | Path) -> str:
    node = need("node")
    if not TOOL.exists():
        need("the bundle tool: npm install --no-package-lock --prefix tests/packaging")
    done = subprocess.run([node, TOOL, *arguments], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(folder: Path) -> Path:
    command = [sys.executable, ROOT / "packaging" / "bundle.py", folder]
    return Path(subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.strip())


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def unpacked(bundle: Path) -> Path:
    folder = bundle.parent / "unpacked"
    mcpb("unpack", bundle, folder)
    return folder


def test_the_tool_of_mcpb_finds_the_bundle_valid(unpacked: Path) -> None:
    assert "Manifest schema validation passes!" in mcpb("validate", unpacked)
    manifest = json.loads((unpacked / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["user_config"]["client_secret"]["sensitive"] is True


def test_the_bundle_contains_what_the_server_needs_and_is_reproducible(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle) as files:
        names = files.namelist()
    package = [name for name in names if name.startswith("server/tiktok_pinned_videos/")]

    assert sorted(set(names) - set(package)) == ["LICENSE", "README.md", "icon.png", "manifest.json", "pyproject.toml"]
    assert {Path(name).suffix for name in package} == {".py", ".html", ".json", ".typed"}
    assert build(tmp_path).read_bytes() == bundle.read_bytes()


@pytest.mark.parametrize("sandbox", ["true", "false", None])
async def test_the_unpacked_bundle_answers_by_its_own_command(unpacked: Path, sandbox: str | None) -> None:
    manifest = json.loads((unpacked / "manifest.json").read_text(encoding="utf-8"))
    launch = manifest["server"]["mcp_config"]
    # Claude Desktop leaves what the user did not fill in as it is.
    filled = {"client_key": "", "client_secret": "", "sandbox": sandbox} if sandbox else {}

    def fill(text: str) -> str:
        for name, value in {
            "__dirname": str(unpacked),
            **{f"user_config.{key}": v for key, v in filled.items()},
        }.items():
            text = text.replace(f"${{{name}}}", str(value))
        return text

    env = uv_environment() | {name: fill(value) for name, value in launch["env"].items()}
    async with client_of(launch["command"], [fill(argument) for argument in launch["args"]], env) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        result = await client.call_tool("get_pinned_videos", {"username": "nasa"})

    text = getattr(result.content[0], "text", "")
    assert text.startswith("@nasa: 3 pinned videos" if sandbox == "true" else "not_configured: ")
    assert {tool["name"] for tool in manifest["tools"]} == set(tools)
