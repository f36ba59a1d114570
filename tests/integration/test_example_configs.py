"""Configurations in the docs are what `doctor` prints; clients read them and connect with them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from kit.built import ROOT, SCRIPT, client_of, uv_environment
from kit.configurations import command_of, entry_of
from kit.processes import environment, http_server
from kit.programs import need
from tiktok_pinned_videos.commands.clients import configuration

CHECKOUT = "/path/to/tiktok-pinned-videos-mcp"
URL = "https://mcp.example.org/tiktok/mcp"
LOCAL = configuration("claude-desktop", ["uvx", "--from", CHECKOUT, SCRIPT])
BIN = str(ROOT / "tests" / "clients" / "node_modules" / ".bin")
TOKEN = "a-token-of-sixteen-or-more"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
# A tool that asks an index, and the name alone.
_NAME_ALONE = re.compile(
    rf"""(pip\ install | pipx\ (run|install) | uv\ (add|tool\ (run|install)) | uvx | --with)\s
    (-\S+\s)*["']?{SCRIPT}
    | "uvx?"[,\s]+"args":\s*\["(tool",\s*"run",\s*")?{SCRIPT}""",
    re.VERBOSE,
)


def shown() -> list[tuple[str, str, str]]:
    """Every marked configuration of the pages: `config` or `remote`, the client, the text."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    return re.findall(r"<!-- (config|remote) (\S+) -->\n```(?:json|toml)\n(.*?)```", text, re.DOTALL)


def test_the_pages_show_what_doctor_prints() -> None:
    launch = ["uvx", "--from", CHECKOUT, SCRIPT]
    different = {
        f"{kind} {client}"
        for kind, client, text in shown()
        if text.strip()
        and entry_of(client, text)
        != entry_of(client, configuration(client, launch, url="" if kind == "config" else URL))
    }

    assert different == set()
    assert ("config", "claude-desktop") in {(kind, client) for kind, client, _ in shown()}


def test_the_example_file_is_the_configuration_for_claude_desktop() -> None:
    example = (ROOT / "claude_desktop_config.example.json").read_text(encoding="utf-8")

    assert json.loads(example) == json.loads(LOCAL)


@pytest.mark.anyio
@pytest.mark.builds
async def test_a_configuration_of_the_pages_starts_the_server_which_says_what_to_set() -> None:
    (command, *arguments), env = command_of("claude-desktop", LOCAL)
    arguments = [argument.replace(CHECKOUT, str(ROOT)) for argument in arguments]
    async with client_of(command, arguments, uv_environment() | env) as client:
        result = await client.call_tool("get_pinned_videos", {"username": "nasa"})

    text = getattr(result.content[0], "text", "")
    assert text.startswith("not_configured: No TikTok credentials are set. Set TIKTOK_CLIENT_KEY")


# --- programs of other makers ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server that requires a token."""
    with http_server(env={"MCP_BEARER_TOKEN": TOKEN}) as server:
        yield server.url


def program(name: str) -> str | None:
    """A program that npm has installed in tests/clients, or any other."""
    return shutil.which(name, path=BIN) or shutil.which(name)


def if_installed(name: str) -> pytest.MarkDecorator:
    """For programs of several hundred megabytes, which tests/clients/package.json leaves out."""
    return pytest.mark.skipif(program(name) is None, reason=f"{name} is not installed")


@pytest.mark.tools
@pytest.mark.anyio
async def test_mcp_remote_connects_claude_desktop_with_a_token(endpoint: str) -> None:
    (_, _, _, *arguments), env = command_of("claude-desktop", configuration("claude-desktop", url=endpoint))
    env = {name: value.replace("your-bearer-token", TOKEN) for name, value in env.items()}
    command = program("mcp-remote") or need("mcp-remote")
    parameters = StdioServerParameters(command=command, args=arguments, env=environment(**env))
    async with Client(stdio_client(parameters)) as client:
        result = await client.call_tool("get_pinned_videos", {"username": "nasa"})

    assert getattr(result.content[0], "text", "").startswith("@nasa: 3 pinned videos")


@pytest.mark.tools
@pytest.mark.parametrize(
    ("client", "file", "connected"),
    [
        ("gemini-cli", ".gemini/settings.json", r"✓ tiktok-pinned-videos: .* - Connected"),
        pytest.param(
            "opencode", ".config/opencode/opencode.json", r"✓ tiktok-pinned-videos .*connected",
            marks=if_installed("opencode"),
        ),
        pytest.param(
            "claude-code", "project/.mcp.json", r"tiktok-pinned-videos: .* - ✔ Connected",
            marks=if_installed("claude"),
        ),
        pytest.param(
            "codex", ".codex/config.toml", r"tiktok-pinned-videos +http\S+ +MCP_BEARER_TOKEN +enabled +Bearer",
            marks=if_installed("codex"),
        ),
    ],
)  # fmt: skip
def test_a_client_lists_the_server_as_connected(
    endpoint: str, tmp_path: Path, client: str, file: str, connected: str
) -> None:
    command = {"gemini-cli": "gemini", "claude-code": "claude"}.get(client, client)
    settings = {
        file: configuration(client, url=endpoint),
        # Without it, Claude Code asks before it connects.
        ".claude/settings.json": '{"enableAllProjectMcpServers": true}',
    }
    for name, text in settings.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "project").mkdir(exist_ok=True)
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "GEMINI_CLI_TRUST_WORKSPACE": "true"}
    kept = {name: value for name, value in environment(**home).items() if not name.startswith("XDG_")}
    done = subprocess.run(
        [program(command) or need(command), "mcp", "list"],
        env=kept | {"MCP_BEARER_TOKEN": TOKEN}, cwd=tmp_path / "project", capture_output=True, encoding="utf-8",
        check=False, timeout=110, stdin=subprocess.DEVNULL,
    )  # fmt: skip

    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    assert re.search(connected, text), text


# --- the name on an index --------------------------------------------------------------------------------------------


def test_no_page_tells_anyone_to_install_the_name_that_is_not_published() -> None:
    """Anyone could register it on an index, and would receive the credentials."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, encoding="utf-8", check=True,
    ).stdout.splitlines()  # fmt: skip
    found: dict[str, str] = {}
    for name in listed:
        path = ROOT / name
        if (
            path.is_file()
            and path != Path(__file__)
            and (match := _NAME_ALONE.search(path.read_text("utf-8", "ignore")))
        ):
            found[name] = match[0]

    assert len(listed) > 100
    assert found == {}
