"""Every configuration that a reader may copy is parsed as its client would, and launched as it is written."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from kit.built import ROOT, SCRIPT, client_of, distributions, uv_environment
from tiktok_pinned_videos.commands.clients import Launch, configuration

pytestmark = [pytest.mark.anyio, pytest.mark.builds]

CLIENTS = ("claude-desktop", "claude-code", "vscode", "cursor")
CHECKOUT = "/path/to/tiktok-pinned-videos-mcp"
EXAMPLE = ROOT / "claude_desktop_config.example.json"


def _in_readme(client: str) -> dict[str, Any]:
    pages = (ROOT / "README.md", ROOT / "docs" / "assistants.md")
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    found = re.findall(rf"<!-- config {client} -->\n```json\n(.*?)```", text, re.DOTALL)
    assert len(found) == 1, f"{client} has {len(found)} configurations in README.md and docs/assistants.md"
    return json.loads(found[0])


def _server(document: dict[str, Any]) -> dict[str, Any]:
    servers = document.get("mcpServers") or document["servers"]
    assert list(servers) == ["tiktok-pinned-videos"]
    return servers["tiktok-pinned-videos"]


async def _first_words(server: dict[str, Any], args: list[str], **env: str) -> str:
    # References such as ${TIKTOK_CLIENT_KEY} stay as they are, as some clients pass them on when nothing is set.
    async with client_of(server["command"], args, uv_environment() | server["env"] | env) as client:
        result = await client.call_tool("get_pinned_videos", {"username": "nasa"})
    return getattr(result.content[0], "text", "")


async def test_the_example_file_is_launched_untouched_and_says_what_to_set() -> None:
    server = _server(json.loads(EXAMPLE.read_text(encoding="utf-8")))

    said = await _first_words(server, server["args"], UV_FIND_LINKS=str(distributions().wheel.parent))

    assert said.startswith("not_configured: No TikTok credentials are set. Set TIKTOK_CLIENT_KEY")


def test_the_example_file_differs_from_the_readme_only_by_the_checkout() -> None:
    example = _server(json.loads(EXAMPLE.read_text(encoding="utf-8")))

    assert _server(_in_readme("claude-desktop")) == example | {"args": ["--from", CHECKOUT, SCRIPT]}


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_configuration_of_the_readme_is_launched_and_says_what_to_set(client: str) -> None:
    server = _server(_in_readme(client))
    assert CHECKOUT in server["args"]

    said = await _first_words(server, [arg.replace(CHECKOUT, str(ROOT)) for arg in server["args"]])

    assert said.startswith("not_configured: ")


async def test_the_sandbox_is_one_argument_away() -> None:
    server = _server(_in_readme("claude-desktop"))

    said = await _first_words(server, [*(arg.replace(CHECKOUT, str(ROOT)) for arg in server["args"]), "--sandbox"])

    assert said.startswith("@nasa: 3 pinned videos (SANDBOX, ")


@pytest.mark.parametrize("client", CLIENTS)
def test_the_readme_shows_what_doctor_prints(client: str) -> None:
    printed = configuration(client, Launch("uvx", ("--from", CHECKOUT, SCRIPT)), sandbox=False)

    assert _in_readme(client) == json.loads(printed)
