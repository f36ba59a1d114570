"""What each MCP client wants to read to start this server: JSON or TOML, and where the file lives.

Knows the clients' formats and how this very program can be started again; reads no credentials, and writes no file.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

SCRIPT: Final = "tiktok-pinned-videos-mcp"
SERVER: Final = "tiktok-pinned-videos"
_CREDENTIALS: Final = ("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET")
# Folders of uv's cache: what runs from there may be gone tomorrow.
_PASSING: Final = ("archive-v", "environments-v", "builds-v")


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start this program from anywhere."""

    command: str
    """An absolute path."""
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Client:
    title: str
    place: str | Mapping[str, str]
    """Where the file lives: everywhere, or by system."""
    secrets: str
    """What is left to do about the credentials."""


_HOME_CURSOR: Final = ".cursor/mcp.json in the project, or ~/.cursor/mcp.json for all"
_CLIENTS: Final = {
    "claude-desktop": _Client(
        "Claude Desktop",
        {
            "macOS": "~/Library/Application Support/Claude/claude_desktop_config.json",
            "Windows": r"%APPDATA%\Claude\claude_desktop_config.json",
            "Linux": "~/.config/Claude/claude_desktop_config.json",
        },
        "Replace the two placeholders, then quit Claude Desktop and start it again.",
    ),
    "claude-code": _Client(
        "Claude Code",
        ".mcp.json in the project",
        "Set both variables in the environment that Claude Code is started from.",
    ),
    "vscode": _Client(
        "VS Code",
        {
            "macOS": ".vscode/mcp.json in the workspace, or ~/Library/Application Support/Code/User/mcp.json for all",
            "Windows": r".vscode\mcp.json in the workspace, or %APPDATA%\Code\User\mcp.json for all",
            "Linux": ".vscode/mcp.json in the workspace, or ~/.config/Code/User/mcp.json for all",
        },
        "VS Code asks for both once and keeps them.",
    ),
    "cursor": _Client(
        "Cursor",
        {
            "macOS": _HOME_CURSOR,
            "Windows": r".cursor\mcp.json in the project, or %USERPROFILE%\.cursor\mcp.json for all",
            "Linux": _HOME_CURSOR,
        },
        "Set both variables in the environment that Cursor is started from.",
    ),
    "codex": _Client(
        "Codex",
        "~/.codex/config.toml, or .codex/config.toml in a trusted project",
        "Set both variables in the environment that Codex is started from.",
    ),
    "gemini-cli": _Client(
        "Gemini CLI",
        "~/.gemini/settings.json, or .gemini/settings.json in the project",
        "Set both variables in the environment that Gemini CLI is started from.",
    ),
    "zed": _Client(
        "Zed",
        {
            "macOS": "~/.config/zed/settings.json",
            "Windows": r"%APPDATA%\Zed\settings.json",
            "Linux": "~/.config/zed/settings.json",
        },
        "Replace the two placeholders.",
    ),
    "opencode": _Client(
        "opencode",
        "~/.config/opencode/opencode.json, or opencode.json in the project",
        "Set both variables in the environment that opencode is started from.",
    ),
}
NAMES: Final = tuple(_CLIENTS)
"""The choices of `doctor --client`."""


def configuration(client: str, launch: Launch, *, sandbox: bool) -> str:
    """The text for `client` (one of `NAMES`), TOML for Codex, else JSON. With `sandbox` it needs no credentials."""
    args = [*launch.args, *(["--sandbox"] if sandbox else [])]
    given = {} if sandbox else {name: _reference(client, name) for name in _CREDENTIALS}
    entry: dict[str, Any] = {"command": launch.command, "args": args} | ({"env": given} if given else {})
    match client:
        case "codex":
            return _toml(entry, forwarded=tuple(given))
        case "opencode":
            entry = {"type": "local", "command": [launch.command, *args]}
            document: dict[str, Any] = {"mcp": {SERVER: entry | ({"environment": given} if given else {})}}
        case "zed":
            document = {"context_servers": {SERVER: entry}}
        case "vscode":
            inputs = {"inputs": [_input(name) for name in given]} if given else {}
            document = {**inputs, "servers": {SERVER: {"type": "stdio", **entry}}}
        case "claude-code":
            document = {"mcpServers": {SERVER: {"type": "stdio", **entry}}}
        case _:
            document = {"mcpServers": {SERVER: entry}}
    return json.dumps(document, indent=2, ensure_ascii=False)


def _toml(entry: Mapping[str, Any], *, forwarded: Sequence[str]) -> str:
    """A table of Codex, which takes the variables named in `forwarded` from its own environment."""
    # A string or a list of strings of JSON is one of TOML.
    values = {name: entry[name] for name in ("command", "args")} | ({"env_vars": list(forwarded)} if forwarded else {})
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    return "\n".join([f"[mcp_servers.{SERVER}]", *lines])


def instructions(client: str, *, sandbox: bool) -> str:
    """Where the text goes and what is left to do, in a few lines."""
    about = _CLIENTS[client]
    if isinstance(about.place, str):
        where = [f"  {about.place}"]
    else:
        where = [f"  {system + ':':9}{place}" for system, place in about.place.items()]
    lines = [f"Configuration for {about.title}. It goes into this file (merge it with what is there):", *where]
    return "\n".join([*lines, *([] if sandbox else [about.secrets])])


def this_program() -> Launch:
    """The command that starts what is running now, however it was installed."""
    return launch_of(
        prefix=sys.prefix,
        scripts=Path(sysconfig.get_path("scripts")),
        argv0=sys.argv[0],
        executable=sys.executable,
        uv=os.environ.get("UV") or shutil.which("uv"),
        origin=_origin(),
        suffix=".exe" if os.name == "nt" else "",
    )


def launch_of(
    *, prefix: str, scripts: Path, argv0: str, executable: str, uv: str | None, origin: str | None, suffix: str
) -> Launch:
    """Decide from where Python lives (`prefix`) and its scripts; `origin` is the folder it was installed from."""
    # Never by the name alone: on an index it may be anybody's, and whoever has it would be given credentials.
    if uv is not None and origin is not None and any(part.startswith(_PASSING) for part in Path(prefix).parts):
        return Launch(str(Path(uv).absolute()), ("tool", "run", "--from", origin, SCRIPT))
    # Beside the interpreter (a virtual environment, uv tool, pipx), or wherever it was started (pip install --user).
    for script in (scripts / (SCRIPT + suffix), Path(argv0)):
        if script.stem == SCRIPT and script.is_file():
            return Launch(str(script.absolute()))
    return Launch(str(Path(executable).absolute()), ("-m", "tiktok_pinned_videos"))


def _origin() -> str | None:
    try:
        record = distribution(SCRIPT).read_text("direct_url.json")
        url = urlsplit(str(json.loads(record)["url"]) if record else "")
    except (PackageNotFoundError, ValueError, KeyError, TypeError):
        return None
    return url2pathname(unquote(url.path)) if url.scheme == "file" else None


def _reference(client: str, name: str) -> str:
    """How the client is told to find a credential: its own form of "from the environment", or a placeholder."""
    match client:
        case "claude-code":
            return f"${{{name}}}"
        case "cursor":
            return f"${{env:{name}}}"
        case "gemini-cli":
            return f"${name}"
        case "opencode":
            return f"{{env:{name}}}"
        case "vscode":
            return f"${{input:{_dashed(name)}}}"
        case _:
            return f"your-{_dashed(name).removeprefix('tiktok-')}"


def _input(name: str) -> dict[str, Any]:
    what = name.removeprefix("TIKTOK_").replace("_", " ").capitalize()
    asked = {"type": "promptString", "id": _dashed(name), "description": f"{what} of the TikTok Research API project"}
    return asked | ({"password": True} if name == "TIKTOK_CLIENT_SECRET" else {})


def _dashed(name: str) -> str:
    return name.lower().replace("_", "-")
