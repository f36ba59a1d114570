"""Every configuration that a reader may copy is parsed as its client would, and launched as it is written."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from kit.built import ROOT, SCRIPT, client_of, uv_environment
from kit.configurations import Configured, server_of
from tiktok_pinned_videos.commands.clients import NAMES, Launch, configuration

pytestmark = [pytest.mark.anyio, pytest.mark.builds]

CHECKOUT = "/path/to/tiktok-pinned-videos-mcp"
EXAMPLE = ROOT / "claude_desktop_config.example.json"
# A tool that asks an index, and the name alone.
_NAME_ALONE = re.compile(
    rf"""(pip\ install | pipx\ (run|install) | uv\ (add|tool\ (run|install)) | uvx | --with)\s
    (-\S+\s)*["']?{SCRIPT}
    | "uvx?"[,\s]+"args":\s*\["(tool",\s*"run",\s*")?{SCRIPT}""",
    re.VERBOSE,
)


def _shown(client: str) -> str:
    """As it stands in the README or in docs/assistants.md."""
    pages = (ROOT / "README.md", ROOT / "docs" / "assistants.md")
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    found = re.findall(rf"<!-- config {client} -->\n```(?:json|toml)\n(.*?)```", text, re.DOTALL)
    assert len(found) == 1, f"{client} has {len(found)} configurations in README.md and docs/assistants.md"
    return found[0]


async def _first_words(server: Configured, *more: str) -> str:
    # References such as ${TIKTOK_CLIENT_KEY} stay as they are, as some clients pass them on when nothing is set.
    args = [*(arg.replace(CHECKOUT, str(ROOT)) for arg in server.args), *more]
    async with client_of(server.command, args, uv_environment() | server.env) as client:
        result = await client.call_tool("get_pinned_videos", {"username": "nasa"})
    return getattr(result.content[0], "text", "")


def test_the_example_file_is_the_configuration_of_the_readme() -> None:
    assert json.loads(EXAMPLE.read_text(encoding="utf-8")) == json.loads(_shown("claude-desktop"))


@pytest.mark.parametrize("client", NAMES)
async def test_a_configuration_of_the_pages_is_launched_and_says_what_to_set(client: str) -> None:
    server = server_of(client, _shown(client))
    assert CHECKOUT in server.args

    said = await _first_words(server)

    assert said.startswith("not_configured: No TikTok credentials are set. Set TIKTOK_CLIENT_KEY")
    assert "`env` of this server's entry" in said


async def test_the_sandbox_is_one_argument_away() -> None:
    said = await _first_words(server_of("claude-desktop", _shown("claude-desktop")), "--sandbox")

    assert said.startswith("@nasa: 3 pinned videos (SANDBOX ")


@pytest.mark.parametrize("client", NAMES)
def test_the_pages_show_what_doctor_prints(client: str) -> None:
    launch = Launch("uvx", ("--from", CHECKOUT, SCRIPT))
    printed = configuration(client, launch, sandbox=False)

    assert server_of(client, _shown(client)) == server_of(client, printed)
    if client == "codex":
        assert _shown(client).strip() == printed
    else:
        assert json.loads(_shown(client)) == json.loads(printed)


def test_nothing_tells_anybody_to_install_the_name_that_is_not_published() -> None:
    """Whoever registers it on an index would be handed credentials."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, encoding="utf-8", check=True,
    ).stdout.splitlines()  # fmt: skip
    texts = {name: _text(ROOT / name) for name in listed if (ROOT / name).is_file()}
    found = {name: match[0] for name, text in texts.items() if (match := _NAME_ALONE.search(text))}

    assert len(texts) > 200
    assert found == {}


@pytest.mark.parametrize(
    "advice",
    [
        f"pip install {SCRIPT}",
        f'pip install "{SCRIPT}[redis]"',
        f"uvx {SCRIPT} get nasa",
        f"uv tool install {SCRIPT}",
        f"uv run --with {SCRIPT} python",
        f'"command": "uvx",\n  "args": ["{SCRIPT}"]',
    ],
)
def test_such_advice_would_be_found(advice: str) -> None:
    assert _NAME_ALONE.search(advice)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path != Path(__file__) else ""
    except UnicodeDecodeError:
        return ""
