"""Configurations of MCP clients: how they start this program, refer to secrets and connect to a server elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.configurations import NAMES, command_of, entry_of
from tiktok_pinned_videos.cli import doctor
from tiktok_pinned_videos.commands.clients import (
    command_line,
    configuration,
    endpoint,
    instructions,
    remote_configuration,
)

SCRIPT = "tiktok-pinned-videos-mcp"
URL = "https://mcp.example.org/tiktok/mcp"
BEARER = {
    "claude-code": "Bearer ${MCP_BEARER_TOKEN}",
    "vscode": "Bearer ${input:mcp-bearer-token}",
    "cursor": "Bearer ${env:MCP_BEARER_TOKEN}",
    "gemini-cli": "Bearer $MCP_BEARER_TOKEN",
    "zed": "Bearer your-bearer-token",
    "opencode": "Bearer {env:MCP_BEARER_TOKEN}",
}


def test_the_command_offers_every_client() -> None:
    (option,) = (each for each in doctor.params if each.name == "client")

    assert tuple(getattr(option.type, "choices", ())) == NAMES


@pytest.mark.parametrize("client", NAMES)
def test_secrets_are_references_or_placeholders(client: str) -> None:
    text = configuration(client, ["/bin/server"], sandbox=False)
    command, env = command_of(client, text)
    secrets = {
        "claude-code": "${TIKTOK_CLIENT_SECRET}",
        "vscode": "${input:tiktok-client-secret}",
        "cursor": "${env:TIKTOK_CLIENT_SECRET}",
        "codex": None,
        "gemini-cli": "$TIKTOK_CLIENT_SECRET",
        "opencode": "{env:TIKTOK_CLIENT_SECRET}",
    }

    assert command == ["/bin/server"]
    assert env.get("TIKTOK_CLIENT_SECRET") == secrets.get(client, "your-client-secret")
    if client == "codex":
        assert entry_of(client, text)["env_vars"] == ["TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET"]
    if client == "vscode":
        asked = {entry["id"]: entry.get("password", False) for entry in json.loads(text)["inputs"]}
        assert asked == {"tiktok-client-key": False, "tiktok-client-secret": True}


@pytest.mark.parametrize("client", NAMES)
def test_the_sandbox_needs_no_secret_and_a_windows_path_survives(client: str) -> None:
    path = rf"C:\Users\Zoë B\uv\tools\{SCRIPT}\Scripts\{SCRIPT}.exe"
    text = configuration(client, [path], sandbox=True)

    assert command_of(client, text) == ([path, "--sandbox"], {})
    assert "TIKTOK_" not in text + instructions(client, sandbox=True)


@pytest.mark.parametrize("client", NAMES)
def test_a_server_elsewhere_is_configured_in_the_clients_own_format(client: str) -> None:
    text = remote_configuration(client, URL)
    entry = entry_of(client, text)

    assert "TIKTOK_" not in text
    assert ("inputs" in text) == (client == "vscode")
    match client:
        case "claude-desktop":
            assert entry == {
                "command": "npx",
                "args": ["-y", "mcp-remote", URL, "--header", "Authorization:${AUTHORIZATION}"],
                "env": {"AUTHORIZATION": "Bearer your-bearer-token"},
            }
        case "codex":
            assert entry == {"url": URL, "bearer_token_env_var": "MCP_BEARER_TOKEN"}
        case _:
            url = "httpUrl" if client == "gemini-cli" else "url"
            kind = {"claude-code": "http", "vscode": "http", "opencode": "remote"}.get(client)
            assert (entry[url], entry.get("type")) == (URL, kind)
            assert entry["headers"] == {"Authorization": BEARER[client]}


@pytest.mark.parametrize("client", NAMES)
def test_the_instructions_name_the_file_and_what_is_left_to_do(client: str) -> None:
    local, remote = instructions(client, sandbox=False), instructions(client, sandbox=False, url=URL)

    assert (".toml" if client == "codex" else ".json") in local
    assert "Replace " in local or "Set TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET" in local or "asks for" in local
    assert "Replace your-bearer-token." in remote or "Set MCP_BEARER_TOKEN in" in remote or "asks for" in remote
    assert "unencrypted" not in remote
    assert "unencrypted" in instructions(client, sandbox=False, url="http://mcp.example.org/mcp")
    assert "unencrypted" not in instructions(client, sandbox=False, url="http://127.0.0.1:8000/mcp")


def test_an_endpoint_without_a_path_gets_that_of_the_server() -> None:
    assert endpoint(" https://h.example ") == endpoint("https://h.example/") == "https://h.example/mcp"
    assert endpoint("http://[::1]:8000/x/mcp?channels=text") == "http://[::1]:8000/x/mcp?channels=text"


@pytest.mark.parametrize(
    "url", ["h.example/mcp", "ftp://h.example", "https://u:p@h.example", "https://[h", "http://h:x"]
)
def test_what_is_not_an_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="should be the URL of a server's endpoint"):
        endpoint(url)


# --- how this program is started -------------------------------------------------------------------------------------


def script_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    script = folder / SCRIPT
    script.touch()
    return script


def launch(tmp_path: Path, **changes: object) -> list[str]:
    facts: dict[str, object] = {
        "prefix": str(tmp_path / "venv"),
        "scripts": tmp_path / "venv" / "bin",
        "argv0": "-m",
        "executable": str(tmp_path / "python"),
        "uv": None,
        "origin": None,
    }
    return command_line(**(facts | changes))  # pyright: ignore[reportArgumentType] - names and types as above


def test_an_environment_of_its_own_is_started_by_its_script(tmp_path: Path) -> None:
    script = script_in(tmp_path / "venv" / "bin")

    assert launch(tmp_path, uv="/usr/bin/uv") == [str(script)]


def test_another_installation_is_started_as_it_was_started(tmp_path: Path) -> None:
    script = script_in(tmp_path / ".local" / "bin")
    module = [str(tmp_path / "python"), "-m", "tiktok_pinned_videos"]

    assert launch(tmp_path, argv0=str(script)) == [str(script)]
    assert launch(tmp_path, argv0=str(tmp_path / "__main__.py")) == module


def test_what_runs_from_the_cache_of_uv_is_started_by_uv_and_never_by_its_name_alone(tmp_path: Path) -> None:
    cached = tmp_path / "uv" / "archive-v0" / "Xyz"
    script = script_in(cached / "bin")
    uv = str(tmp_path / "uv.exe")
    where = {"prefix": str(cached), "scripts": cached / "bin", "uv": uv}

    assert launch(tmp_path, **where, origin=str(tmp_path)) == [uv, "tool", "run", "--from", str(tmp_path), SCRIPT]
    assert launch(tmp_path, **where) == [str(script)]
