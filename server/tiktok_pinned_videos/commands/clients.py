"""Configurations of MCP clients, JSON or TOML: to start this program, or to connect to a server that runs elsewhere.

`clients.json` has both for each client. PROGRAM, ARGUMENTS, COMMAND (program and arguments) and URL are replaced.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from tiktok_pinned_videos.about import NAME
from tiktok_pinned_videos.hosts import is_loopback

_SERVER: Final = "tiktok-pinned-videos"
_OF_CREDENTIALS: Final = ("env", "environment", "env_vars", "inputs")
"""Keys of the configurations that only credentials need."""
_TEMPORARY: Final = ("archive-v", "environments-v", "builds-v")
"""Folders in uv's cache. uv may delete them, so a configuration must not contain such a path."""


def configuration(client: str, command: Sequence[str] = (), *, sandbox: bool = False, url: str = "") -> str:
    """The text for `client` to start this program with `command`, or to connect to the endpoint `url`.

    With `sandbox` it needs no credentials. No secret of this environment is in it.
    """
    command = [*(command or this_program()), *(["--sandbox"] if sandbox else [])]
    text = json.dumps(_about(client)["remote" if url else "local"])
    values = {'"PROGRAM"': command[0], '["ARGUMENTS"]': command[1:], '["COMMAND"]': command, '"URL"': url}
    for name, value in values.items():
        text = text.replace(name, json.dumps(value))
    document: dict[str, Any] = json.loads(text)
    section, servers = list(document.items())[-1]  # the inputs of VS Code come before it
    entry = servers[_SERVER]
    if sandbox:
        for each in (document, entry):
            for key in _OF_CREDENTIALS:
                each.pop(key, None)
    if url.startswith("http:") and entry.get("command") == "npx":
        entry["args"].append("--allow-http")
    if client == "codex":  # TOML, where strings and lists of strings are written as in JSON
        lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()]
        return "\n".join([f"[{section}.{_SERVER}]", *lines])
    return json.dumps(document, indent=2, ensure_ascii=False)


def instructions(client: str, *, sandbox: bool = False, url: str = "") -> str:
    """Return instructions in a few lines: the file of the configuration, and the remaining steps."""
    about = _about(client)
    lines = [f"Configuration for {about['title']}. Merge it into this file:", *(f"  {file}" for file in about["files"])]
    lines += about["steps"]["remote"] if url else [] if sandbox else about["steps"]["local"]
    if url.startswith("http:") and not is_loopback(urlsplit(url).hostname or ""):
        lines.append("Warning: http sends the token unencrypted. Use https outside of a trusted network.")
    return "\n".join([*lines, *about["steps"].get("last", [])])


def endpoint(url: str) -> str:
    """The URL of a server's endpoint, with `/mcp` if it has no path. Raises ValueError with what is expected."""
    url = url.strip()
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        is_server = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and parts.port != 0
        if is_server and url.isprintable() and " " not in url:
            return parts._replace(path=parts.path if parts.path.strip("/") else "/mcp").geturl()
    raise ValueError("should be the URL of a server's endpoint, such as https://host/mcp, without a user name")


def this_program() -> list[str]:
    """The command that starts this installation of the program from anywhere."""
    uv = os.environ.get("UV") or shutil.which("uv")
    # Never by the name alone: anyone may register it on an index, and would receive the credentials.
    if uv and any(part.startswith(_TEMPORARY) for part in Path(sys.prefix).parts) and (origin := _origin()):
        return [str(Path(uv).absolute()), "tool", "run", "--from", origin, NAME]
    # Beside the interpreter (a virtual environment, uv tool, pipx), or the script that was started (pip --user).
    scripts = Path(sysconfig.get_path("scripts"))
    for script in (scripts / NAME, scripts / f"{NAME}.exe", Path(sys.argv[0])):
        if script.stem == NAME and script.is_file():
            return [str(script.absolute())]
    return [str(Path(sys.executable).absolute()), "-m", "tiktok_pinned_videos"]


def _origin() -> str | None:
    """The folder that the program was installed from."""
    try:
        record = distribution(NAME).read_text("direct_url.json")
        url = urlsplit(str(json.loads(record)["url"]) if record else "")
    except (PackageNotFoundError, ValueError, KeyError, TypeError):
        return None
    return url2pathname(unquote(url.path)) if url.scheme == "file" else None


def _about(client: str) -> Any:
    return json.loads(files(__package__ or "").joinpath("clients.json").read_text("utf-8"))[client]
