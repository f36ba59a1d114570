"""Configurations of MCP clients: how they start this program, refer to secrets and connect to a server elsewhere."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import sysconfig
from pathlib import Path

import pytest

from kit.configurations import command_of, entry_of
from tiktok_pinned_videos.cli import doctor
from tiktok_pinned_videos.commands.clients import configuration, endpoint, instructions, this_program

NAMES = ("claude-desktop", "claude-code", "vscode", "cursor", "codex", "gemini-cli", "zed", "opencode")
SCRIPT = "tiktok-pinned-videos-mcp"
URL = "https://mcp.example.org/tiktok/mcp"


def test_the_command_offers_every_client() -> None:
    (option,) = (each for each in doctor.params if each.name == "client")

    assert tuple(getattr(option.type, "choices", ())) == NAMES


@pytest.mark.parametrize("client", NAMES)
def test_the_configuration_starts_the_command_and_refers_to_the_credentials(client: str) -> None:
    text = configuration(client, ["/bin/server"])
    command, env = command_of(client, text)
    values = list(env.values()) or entry_of(client, text)["env_vars"]

    assert command == ["/bin/server"]
    assert len(values) == 2
    for name, value in zip(("client-key", "client-secret"), values, strict=True):
        variable = f"TIKTOK_{name.upper().replace('-', '_')}"
        assert value in (f"your-{name}", variable) or re.fullmatch(
            rf"\$\{{?{variable}\}}?|\$?\{{env:{variable}\}}|\$\{{input:tiktok-{name}\}}", value
        )


@pytest.mark.parametrize("client", NAMES)
def test_the_sandbox_needs_no_secret_and_a_windows_path_survives(client: str) -> None:
    path = rf"C:\Users\Zoë B\uv\tools\{SCRIPT}\Scripts\{SCRIPT}.exe"
    text = configuration(client, [path], sandbox=True)

    assert command_of(client, text) == ([path, "--sandbox"], {})
    assert "TIKTOK_" not in text + instructions(client, sandbox=True)
    assert "inputs" not in text


@pytest.mark.parametrize("client", NAMES)
def test_a_server_elsewhere_needs_its_url_and_a_token(client: str) -> None:
    text = configuration(client, url=URL)
    entry = entry_of(client, text)
    bearer = [*entry.get("headers", entry.get("env", {})).values()]

    assert "TIKTOK_" not in text
    assert URL in (entry.get("url"), entry.get("httpUrl"), *entry.get("args", []))
    assert entry.get("bearer_token_env_var") == "MCP_BEARER_TOKEN" or (
        len(bearer) == 1 and re.fullmatch(r"Bearer \S*(MCP_BEARER_TOKEN|bearer-token)\}?", bearer[0])
    )
    assert ("--allow-http" in configuration(client, url="http://h.example/mcp")) == (client == "claude-desktop")


@pytest.mark.parametrize("client", NAMES)
def test_the_instructions_name_the_file_and_what_is_left_to_do(client: str) -> None:
    local, remote = instructions(client), instructions(client, url=URL)

    assert (".toml" if client == "codex" else ".json") in local
    assert "Replace " in local or "Set TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET" in local or "asks for" in local
    assert "Replace your-bearer-token." in remote or "Set MCP_BEARER_TOKEN in" in remote or "asks for" in remote
    assert "unencrypted" not in remote
    assert "unencrypted" in instructions(client, url="http://mcp.example.org/mcp")
    assert "unencrypted" not in instructions(client, url="http://127.0.0.1:8000/mcp")


def test_an_endpoint_without_a_path_gets_that_of_the_server() -> None:
    assert endpoint(" https://h.example ") == endpoint("https://h.example/") == "https://h.example/mcp"
    assert endpoint("http://[::1]:8000/x/mcp?channels=text") == "http://[::1]:8000/x/mcp?channels=text"


@pytest.mark.parametrize(
    "url", ["h.example/mcp", "ftp://h.example", "https://u:p@h.example", "https://[h", "http://h:x"]
)
def test_a_url_that_is_not_an_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="should be the URL of a server's endpoint"):
        endpoint(url)


# --- how this program is started -------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment that the program runs in, with its script."""
    scripts = tmp_path / "archive-v0" / "bin"
    scripts.mkdir(parents=True)
    (scripts / SCRIPT).touch()
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(scripts))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setattr(sys, "argv", ["-m"])
    monkeypatch.setenv("UV", str(tmp_path / "uv.exe"))
    return tmp_path


def test_an_environment_of_its_own_is_started_by_its_script(folder: Path) -> None:
    assert this_program() == [str(folder / "archive-v0" / "bin" / SCRIPT)]


def test_another_installation_is_started_as_it_was_started(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = folder / "archive-v0" / "bin" / SCRIPT
    moved = script.rename(folder / SCRIPT)
    module = this_program()
    monkeypatch.setattr(sys, "argv", [str(moved)])

    assert module == [sys.executable, "-m", "tiktok_pinned_videos"]
    assert this_program() == [str(moved)]


def test_a_program_in_the_cache_of_uv_is_started_by_uv_and_never_by_its_name_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(folder / "archive-v0"))
    *begin, checkout, script = this_program()
    monkeypatch.setattr(importlib.metadata.PathDistribution, "read_text", lambda *_: None)

    assert [*begin, script] == [str(folder / "uv.exe"), "tool", "run", "--from", SCRIPT]
    assert (Path(checkout) / "pyproject.toml").is_file()
    assert this_program() == [str(folder / "archive-v0" / "bin" / SCRIPT)]
