"""Configurations of MCP clients, JSON or TOML: to start this program, or to connect to a server that runs elsewhere."""

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

from tiktok_pinned_videos.hosts import is_loopback

SCRIPT: Final = "tiktok-pinned-videos-mcp"
SERVER: Final = "tiktok-pinned-videos"
_CREDENTIALS: Final = ("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET")
_TOKEN: Final = "MCP_BEARER_TOKEN"  # noqa: S105 - the name of a variable
_DESCRIPTIONS: Final = {
    "TIKTOK_CLIENT_KEY": "Client key of the TikTok Research API project",
    "TIKTOK_CLIENT_SECRET": "Client secret of the TikTok Research API project",
    _TOKEN: "Bearer token of the TikTok pinned videos server",
}
_STDIO_HTTP: Final = ({"type": "stdio"}, {"type": "http"})
_TEMPORARY: Final = ("archive-v", "environments-v", "builds-v")
"""Folders in uv's cache. uv may delete them, so a configuration must not contain such a path."""


@dataclass(frozen=True, slots=True)
class _Client:
    title: str
    files: tuple[str, ...]
    """Where the configuration belongs: one for every system, or one each."""
    reference: str = ""
    """How the client refers to a variable of its environment; empty if it cannot, then values are placeholders."""
    section: str = "mcpServers"
    note: str = ""
    types: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {})
    """How the client marks a server that it starts, and one elsewhere."""


_CLIENTS: Final = {
    "claude-desktop": _Client(
        "Claude Desktop",
        (
            "macOS:   ~/Library/Application Support/Claude/claude_desktop_config.json",
            r"Windows: %APPDATA%\Claude\claude_desktop_config.json",
            "Linux:   ~/.config/Claude/claude_desktop_config.json",
        ),
        note="Then quit Claude Desktop and start it again.",
    ),
    "claude-code": _Client("Claude Code", (".mcp.json in the project",), "${NAME}", types=_STDIO_HTTP),
    "vscode": _Client(
        "VS Code",
        (
            ".vscode/mcp.json in the workspace, or for all workspaces:",
            "macOS:   ~/Library/Application Support/Code/User/mcp.json",
            r"Windows: %APPDATA%\Code\User\mcp.json",
            "Linux:   ~/.config/Code/User/mcp.json",
        ),
        "${input:NAME}",
        "servers",
        types=_STDIO_HTTP,
    ),
    "cursor": _Client("Cursor", (".cursor/mcp.json in the project, or in your home folder for all",), "${env:NAME}"),
    "codex": _Client("Codex", ("~/.codex/config.toml, or .codex/config.toml in a trusted project",), "NAME"),
    "gemini-cli": _Client("Gemini CLI", ("~/.gemini/settings.json, or .gemini/settings.json in the project",), "$NAME"),
    "zed": _Client(
        "Zed",
        ("macOS and Linux: ~/.config/zed/settings.json", r"Windows: %APPDATA%\Zed\settings.json"),
        section="context_servers",
    ),
    "opencode": _Client(
        "opencode",
        ("~/.config/opencode/opencode.json, or opencode.json in the project",),
        "{env:NAME}",
        "mcp",
        "This is the format of opencode 1; in opencode 2 the entry belongs under mcp.servers.",
        ({"type": "local"}, {"type": "remote"}),
    ),
}
NAMES: Final = tuple(_CLIENTS)
"""The choices of `doctor --client`."""


def configuration(client: str, command: Sequence[str] = (), *, sandbox: bool) -> str:
    """The text for `client` to start this program with `command`. With `sandbox` it needs no credentials."""
    program, *args = [*(command or this_program()), *(["--sandbox"] if sandbox else [])]
    names = () if sandbox else _CREDENTIALS
    if client == "codex":
        return _toml({"command": program, "args": args} | ({"env_vars": list(names)} if names else {}))
    entry: dict[str, Any] = {"command": program, "args": args}
    if client == "opencode":
        entry = {"command": [program, *args]}
    env = {name: _reference(client, name) for name in names}
    env_key = "environment" if client == "opencode" else "env"
    return _json(client, dict(_CLIENTS[client].types[0]) | entry | ({env_key: env} if env else {}), names)


def remote_configuration(client: str, url: str) -> str:
    """The text for `client` to connect to the endpoint `url` with a bearer token, which the user supplies."""
    if client == "codex":
        return _toml({"url": url, "bearer_token_env_var": _TOKEN})
    bearer = f"Bearer {_reference(client, _TOKEN)}"
    entry: dict[str, Any] = {"httpUrl" if client == "gemini-cli" else "url": url, "headers": {"Authorization": bearer}}
    if client == "claude-desktop":
        # It connects to remote servers only through an account. Its arguments must not contain spaces on Windows.
        args = ["-y", "mcp-remote", url, "--header", "Authorization:${AUTHORIZATION}"]
        args += ["--allow-http"] if url.startswith("http:") else []
        entry = {"command": "npx", "args": args, "env": {"AUTHORIZATION": bearer}}
    elif client == "opencode":
        entry["oauth"] = False
    return _json(client, dict(_CLIENTS[client].types[1]) | entry, [_TOKEN])


def instructions(client: str, *, sandbox: bool, url: str | None = None) -> str:
    """Return instructions in a few lines: the file of the configuration, and the remaining steps."""
    about = _CLIENTS[client]
    lines = [f"Configuration for {about.title}. Merge it into this file:", *(f"  {file}" for file in about.files)]
    names = [_TOKEN] if url else [] if sandbox else list(_CREDENTIALS)
    if names and client == "vscode":
        lines.append("VS Code asks for the secrets once and stores them.")
    elif names and about.reference:
        lines.append(f"Set {' and '.join(names)} in the environment that {about.title} is started from.")
    elif names:
        placeholders = " and ".join(_reference(client, name) for name in names)
        lines.append(f"Replace {placeholders}.")
    if url and client == "claude-desktop":
        lines.append("It uses mcp-remote, which needs Node.js 18 or later.")
    if url and url.startswith("http:") and not is_loopback(urlsplit(url).hostname or ""):
        lines.append("Warning: http sends the token unencrypted. Use https outside of a trusted network.")
    return "\n".join([*lines, *([about.note] if about.note else [])])


def endpoint(url: str) -> str:
    """The URL of a server's endpoint, with `/mcp` if it has no path. Raises ValueError with what is expected."""
    expected = "should be the URL of a server's endpoint, such as https://host/mcp, without a user name"
    url = url.strip()
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        raise ValueError(expected) from None
    if not usable or not url.isprintable() or " " in url:
        raise ValueError(expected)
    return parts._replace(path=parts.path if parts.path.strip("/") else "/mcp").geturl()


def this_program() -> list[str]:
    """The command that starts this installation of the program from anywhere."""
    return command_line(
        prefix=sys.prefix,
        scripts=Path(sysconfig.get_path("scripts")),
        argv0=sys.argv[0],
        executable=sys.executable,
        uv=os.environ.get("UV") or shutil.which("uv"),
        origin=_origin(),
    )


def command_line(
    *, prefix: str, scripts: Path, argv0: str, executable: str, uv: str | None, origin: str | None
) -> list[str]:
    """Decide from the folders of Python (`prefix`) and its scripts; `origin` is the folder it was installed from."""
    # Never by the name alone: anyone may register it on an index, and would receive the credentials.
    if uv is not None and origin is not None and any(part.startswith(_TEMPORARY) for part in Path(prefix).parts):
        return [str(Path(uv).absolute()), "tool", "run", "--from", origin, SCRIPT]
    # Beside the interpreter (a virtual environment, uv tool, pipx), or the script that was started (pip --user).
    for script in (scripts / SCRIPT, scripts / f"{SCRIPT}.exe", Path(argv0)):
        if script.stem == SCRIPT and script.is_file():
            return [str(script.absolute())]
    return [str(Path(executable).absolute()), "-m", "tiktok_pinned_videos"]


def _origin() -> str | None:
    try:
        record = distribution(SCRIPT).read_text("direct_url.json")
        url = urlsplit(str(json.loads(record)["url"]) if record else "")
    except (PackageNotFoundError, ValueError, KeyError, TypeError):
        return None
    return url2pathname(unquote(url.path)) if url.scheme == "file" else None


def _reference(client: str, name: str) -> str:
    """Return the reference that the client replaces with the variable's value, or a placeholder."""
    dashed = name.lower().replace("_", "-")
    reference = _CLIENTS[client].reference
    if not reference:
        return f"your-{dashed.removeprefix('tiktok-').removeprefix('mcp-')}"
    return reference.replace("NAME", dashed if client == "vscode" else name)


def _json(client: str, entry: Mapping[str, Any], names: Sequence[str]) -> str:
    document: dict[str, Any] = {_CLIENTS[client].section: {SERVER: entry}}
    if client == "vscode" and names:  # it asks for these values
        asked = [
            {"type": "promptString", "id": name.lower().replace("_", "-"), "description": _DESCRIPTIONS[name]}
            | ({} if name == "TIKTOK_CLIENT_KEY" else {"password": True})
            for name in names
        ]
        document = {"inputs": asked} | document
    return json.dumps(document, indent=2, ensure_ascii=False)


def _toml(entry: Mapping[str, Any]) -> str:
    """A table of Codex. Strings and lists of strings are written as in JSON."""
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in entry.items()]
    return "\n".join([f"[mcp_servers.{SERVER}]", *lines])
