"""The one-click bundle: validated and packed by its own tool, then started as its manifest says."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client

from kit.built import ROOT, client_of, uv_environment
from kit.programs import need
from tiktok_pinned_videos.app import build_server
from tiktok_pinned_videos.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.builds]

MANIFEST: dict[str, Any] = json.loads((ROOT / "packaging" / "manifest.json").read_text(encoding="utf-8"))


def mcpb(*arguments: str | Path) -> str:
    """Run the tool of the format's makers; needs `npm install --no-package-lock --prefix tests/packaging`."""
    tool = ROOT / "tests" / "packaging" / "node_modules" / "@anthropic-ai" / "mcpb" / "dist" / "cli" / "cli.js"
    node = need("node")
    if not tool.exists():
        need("the bundle tool, installed by: npm install --no-package-lock --prefix tests/packaging")
    done = subprocess.run([node, tool, *arguments], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    done = subprocess.run(
        [sys.executable, ROOT / "packaging" / "bundle.py", folder], capture_output=True, encoding="utf-8", check=True
    )
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def unpacked(bundle: Path) -> Path:
    folder = bundle.parent / "unpacked"
    mcpb("unpack", bundle, folder)
    return folder


def command_of(folder: Path, **config: str) -> tuple[str, list[str], dict[str, str]]:
    """Return command, arguments and environment as Claude Desktop fills them in from the manifest."""

    def filled(text: str) -> str:
        for name, value in {"__dirname": str(folder), **{f"user_config.{key}": v for key, v in config.items()}}.items():
            text = text.replace(f"${{{name}}}", value)
        return text

    config_of_server = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["server"]["mcp_config"]
    environment = uv_environment() | {name: filled(value) for name, value in config_of_server["env"].items()}
    return config_of_server["command"], [filled(argument) for argument in config_of_server["args"]], environment


def test_the_makers_tool_finds_the_bundle_valid_and_packs_it_again(unpacked: Path, tmp_path: Path) -> None:
    assert "Manifest schema validation passes!" in mcpb("validate", unpacked)

    packed = tmp_path / "again.mcpb"
    mcpb("pack", unpacked, packed)
    assert packed.stat().st_size > 100_000


def test_the_bundle_holds_what_the_server_needs_and_nothing_else(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as files:
        names = files.namelist()
    package = [name for name in names if name.startswith("server/tiktok_pinned_videos/")]

    assert sorted(set(names) - set(package)) == ["LICENSE", "README.md", "icon.png", "manifest.json", "pyproject.toml"]
    assert {Path(name).suffix for name in package} == {".py", ".html", ".json", ".typed"}
    assert MANIFEST["server"]["entry_point"] in package


def test_the_same_sources_make_the_same_bundle(bundle: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "packaging" / "bundle.py", tmp_path], capture_output=True, check=True)

    assert (tmp_path / bundle.name).read_bytes() == bundle.read_bytes()


async def test_the_unpacked_bundle_answers_by_its_own_command(unpacked: Path) -> None:
    command, args, environment = command_of(unpacked, client_key="", client_secret="", sandbox="true")

    async with client_of(command, args, environment) as client:
        result = await client.call_tool("get_pinned_videos", {"username": "nasa"})

    assert result.structured_content is not None
    assert result.structured_content["source"] == "sandbox"


@pytest.mark.parametrize("config", [{}, {"client_key": "", "client_secret": "", "sandbox": "false"}])
async def test_an_unconfigured_bundle_says_so_in_words(unpacked: Path, config: dict[str, str]) -> None:
    command, args, environment = command_of(unpacked, **config)

    async with client_of(command, args, environment) as client:
        result = await client.call_tool("get_pinned_videos", {"username": "nasa"})

    assert result.is_error
    assert getattr(result.content[0], "text", "").startswith("not_configured: ")


async def test_the_manifest_keeps_the_secret_and_names_what_there_is() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    async with Client(build_server(Settings(sandbox=True))) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]

    assert MANIFEST["user_config"]["client_secret"]["sensitive"] is True
    assert MANIFEST["version"] == version
    assert [tool["name"] for tool in MANIFEST["tools"]] == tools
