"""Configurations in the docs are what `doctor` prints; clients read them and connect with them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from kit.built import SCRIPT, client_of, clone, newcomer, uv_environment, uv_program
from kit.configurations import command_of, entry_of
from kit.pages import PAGES, ROOT, blocks, commands
from kit.processes import TOKEN, HTTPServer, environment
from kit.programs import need
from tiktok_pinned_videos.commands.clients import configuration

CHECKOUT = "/path/to/tiktok-pinned-videos-mcp"
URL = "https://mcp.example.org/tiktok/mcp"
LOCAL = configuration("claude-desktop", ["uvx", "--from", CHECKOUT, SCRIPT])
BIN = str(ROOT / "tests" / "clients" / "node_modules" / ".bin")
ADD = f'claude mcp add --transport http tiktok-pinned-videos {URL} --header "Authorization: Bearer $MCP_BEARER_TOKEN"'
NO_RESOURCE = "npx mcp-remote URL --disable-resource-parameter"
CLAUDE_CONNECTED = r"tiktok-pinned-videos: .* - ✔ Connected"
# A tool that asks an index, and the name alone.
_NAME_ALONE = re.compile(
    rf"""(pip\ install | pipx\ (run|install) | uv\ (add|tool\ (run|install)) | uvx | --with)\s
    (-\S+\s)*["']?{SCRIPT}
    | "uvx?"[,\s]+"args":\s*\["(tool",\s*"run",\s*")?{SCRIPT}""",
    re.VERBOSE,
)


def shown() -> list[tuple[str, str, str]]:
    """Every marked configuration of the pages: `config` or `remote`, the client, the text."""
    marked = r"<!-- (config|remote) (\S+) -->\n```(?:json|toml)\n(.*?)```"
    return re.findall(marked, "\n".join(PAGES.values()), re.DOTALL)


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


def test_the_lines_for_langgraph_over_stdio_start_the_same_server() -> None:
    [lines] = [block for block in blocks("docs/frameworks.md", "python") if '"stdio"' in block]
    names: dict[str, Any] = {"os": os}
    exec(lines, names)
    command, _ = command_of("claude-desktop", LOCAL)

    assert [names["server"]["command"], *names["server"]["args"]] == [*command, "--sandbox"]
    assert names["server"]["transport"] == "stdio"


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


def user(home: Path, **env: str) -> dict[str, str]:
    """The environment of a user with an empty home, for the clients that npm has installed in tests/clients."""
    programs = [BIN, Path(uv_program()).parent, Path(need("node")).parent, "/usr/bin", "/bin"]
    path = os.pathsep.join(map(str, programs))
    return newcomer(home, path, GEMINI_CLI_TRUST_WORKSPACE="true", MCP_BEARER_TOKEN=TOKEN, **env)


def typed(line: str, env: dict[str, str], folder: Path) -> str:
    """What the line prints, without colors."""
    done = subprocess.run(
        [need("bash"), "-c", line], env=env, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
        encoding="utf-8", check=False, timeout=200,
    )  # fmt: skip
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


@pytest.mark.tools
@pytest.mark.anyio
async def test_mcp_remote_connects_claude_desktop_with_a_token(guarded_server: HTTPServer) -> None:
    (_, _, _, *arguments), env = command_of("claude-desktop", configuration("claude-desktop", url=guarded_server.url))
    env = {name: value.replace("your-bearer-token", TOKEN) for name, value in env.items()}
    program = need("mcp-remote", path=BIN)
    for options in ([], [NO_RESOURCE.rsplit(maxsplit=1)[-1]]):
        parameters = StdioServerParameters(command=program, args=[*arguments, *options], env=environment(**env))
        async with Client(stdio_client(parameters)) as client:
            result = await client.call_tool("get_pinned_videos", {"username": "nasa"})

        assert getattr(result.content[0], "text", "").startswith("@nasa: 3 pinned videos")


@pytest.mark.tools
@pytest.mark.parametrize(
    ("client", "file", "connected"),
    [
        ("gemini-cli", ".gemini/settings.json", r"✓ tiktok-pinned-videos: .* - Connected"),
        ("opencode", ".config/opencode/opencode.json", r"✓ tiktok-pinned-videos .*connected"),
        ("claude-code", "project/.mcp.json", CLAUDE_CONNECTED),
        ("codex", ".codex/config.toml", r"tiktok-pinned-videos +http\S+ +MCP_BEARER_TOKEN +enabled +Bearer"),
    ],
)
def test_a_client_lists_the_server_as_connected(
    guarded_server: HTTPServer, tmp_path: Path, client: str, file: str, connected: str
) -> None:
    program = need({"gemini-cli": "gemini", "claude-code": "claude"}.get(client, client), path=BIN)
    settings = {
        file: configuration(client, url=guarded_server.url),
        # Without it, Claude Code asks before it connects.
        ".claude/settings.json": '{"enableAllProjectMcpServers": true}',
    }
    for name, text in settings.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "project").mkdir(exist_ok=True)

    shown = typed(f"{program} mcp list", user(tmp_path), tmp_path / "project")

    assert re.search(connected, shown), shown


@pytest.mark.tools
def test_the_line_for_claude_code_adds_a_server_that_connects(guarded_server: HTTPServer, tmp_path: Path) -> None:
    need("claude", path=BIN)
    added = typed(ADD.replace(URL, guarded_server.url), user(tmp_path), tmp_path)
    shown = typed("claude mcp list", user(tmp_path), tmp_path)

    assert re.search(CLAUDE_CONNECTED, shown), added + shown


IN_THE_CHECKOUT = {
    # The command of a page, the line to run in a clean clone, and what it prints.
    "claude plugin validate --strict .": ("", "Validation passed"),
    "claude --plugin-dir /path/to/tiktok-pinned-videos-mcp": (
        "for act in 'mcp list' 'plugin configure tiktok-pinned-videos@inline'; do claude --plugin-dir . $act; done",
        r"plugin:tiktok-pinned-videos:.* - ✔ Connected[\s\S]*client_secret — Client secret .*not set",
    ),
    "gemini extensions validate .": ("", "successfully validated"),
    # It asks whether the folder is trusted, then for the settings.
    "gemini extensions install .": (
        "echo y | gemini extensions install . --consent --skip-settings", "installed successfully and enabled",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clone(tmp_path_factory.mktemp("clone") / "tiktok-pinned-videos-mcp")


@pytest.mark.tools
@pytest.mark.parametrize("command", IN_THE_CHECKOUT)
def test_the_checkout_is_a_plugin_and_an_extension(command: str, checkout: Path, tmp_path: Path) -> None:
    need(command.split(maxsplit=1)[0], path=BIN)
    line, printed = IN_THE_CHECKOUT[command]

    shown = typed(line or command, user(tmp_path / "home", TIKTOK_SANDBOX="1"), checkout)

    assert re.search(printed, shown), shown


def test_every_command_of_a_client_is_run_here() -> None:
    shown = {command for page in PAGES for command in commands(page)}
    # What the registry's own program has: no package index has it.
    documented = {f"mcp-publisher {words}" for words in ("init", "login github", "logout", "publish", "validate")}

    others = {line for line in shown if re.match("(claude|codex|gemini|opencode|npx|mcp-publisher) ", line)}
    assert others - documented == {ADD, NO_RESOURCE, *IN_THE_CHECKOUT}


# --- the name on an index --------------------------------------------------------------------------------------------


def test_no_page_tells_anyone_to_install_the_name_that_is_not_published() -> None:
    """Anyone could register it on an index, and would receive the credentials."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
    files = [path for path in map(ROOT.joinpath, listed.splitlines()) if path.is_file() and path != Path(__file__)]

    assert len(files) > 100
    assert [path for path in files if _NAME_ALONE.search(path.read_text("utf-8", "ignore"))] == []
