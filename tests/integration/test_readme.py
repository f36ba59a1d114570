"""What README and docs show is generated from the program or compared with it. A failure shows what to write."""

from __future__ import annotations

import asyncio
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.cli import run_now
from kit.configurations import variables
from kit.pages import PAGES, ROOT, blocks, inline, prose
from kit.processes import environment
from tiktok_pinned_videos.app import build_service
from tiktok_pinned_videos.mcp_server.resources import field_reference
from tiktok_pinned_videos.research import errors
from tiktok_pinned_videos.settings import Settings, load_settings

# What differs from one run, or one machine, to the next.
_VARIES = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC", "TIME"),
    (r"\b20\d{12}[0-9A-F]{18}\b", "LOG_ID"),
    (r"(?m)^(ok +(?:Python|packages): ).*", r"\1…"),
)


def marked(name: str) -> str:
    found = re.findall(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", "\n".join(PAGES.values()), re.DOTALL)
    assert len(found) == 1, f"one page should have one part between <!-- {name} --> and <!-- /{name} -->"
    return re.sub(r"^```\w*\n|\n```$", "", found[0])


def lasting(text: str) -> str:
    for pattern, instead in _VARIES:
        text = re.sub(pattern, instead, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def printed(line: str, **env: str) -> str:
    """What a terminal of 110 columns shows for this command line, stdout and stderr as they come."""
    program, *arguments = shlex.split(line)
    assert program == "tiktok-pinned-videos-mcp"
    return run_now(tuple(arguments), environment(COLUMNS="110", NO_COLOR="1", **env)).shown


def test_the_table_and_the_answer_shown_are_what_the_command_prints() -> None:
    assert lasting(printed("tiktok-pinned-videos-mcp get nasa --sandbox --format table")) == lasting(marked("table"))
    assert lasting(printed("tiktok-pinned-videos-mcp get nasa --sandbox")) == lasting(marked("answer"))


def test_the_terminal_session_is_what_a_terminal_shows() -> None:
    parts = re.split(r"(?m)^\$ (.*)\n", marked("session"))[1:]
    assert len(parts) == 6

    for line, output in zip(parts[::2], parts[1::2], strict=True):
        assert lasting(printed(line)) == lasting(output), line


def test_the_second_command_of_the_changes_shows_what_was_pinned_and_unpinned(tmp_path: Path) -> None:
    first, second = next(block for block in blocks("docs/changes.md", "sh") if "TIKTOK_STATE" in block).splitlines()
    assert second == f"{first} --refresh"
    state = f"sqlite:///{(tmp_path / 'changes.sqlite3').as_posix()}"

    async def a_minute_ago() -> None:
        service = build_service(Settings(sandbox=True, state=state), clock=lambda: time.time() - 61)
        await service.answer("sandbox_changing", ("id", "view_count"))
        await service.aclose()

    asyncio.run(a_minute_ago())
    command = second.partition(" ")[2] + " --format table"
    output = printed(command, TIKTOK_STATE=state)

    for text in (output, marked("changes")):
        assert re.search(r"(?m)^\W*(changes|since).*", text, re.IGNORECASE), text
        assert len(re.findall(r"\b(?:un)?pinned\b[^\n]*\b\d{19}\b", text)) >= 2, text


def test_the_field_table_is_the_field_reference() -> None:
    assert marked("fields") == field_reference()


def error_classes(root: type[errors.TikTokError] = errors.TikTokError) -> Iterator[type[errors.TikTokError]]:
    for error in root.__subclasses__():
        if error.__module__ == errors.__name__ and error is not errors.APIStatusError:
            yield error
        yield from error_classes(error)


def test_the_page_of_errors_explains_every_status_and_quotes_every_next_step() -> None:
    sections = dict(re.findall(r"(?ms)^## `(\w+)`\n(.*?)(?=^## )", PAGES["docs/errors.md"]))

    assert set(sections) == set(errors.Status) - {errors.Status.FOUND, errors.Status.NOTHING_PINNED}
    for status, section in sections.items():
        assert re.findall(r"(?m)^- \*\*(.*?):\*\*", section) == [
            "What happened", "Why", "What to do", "The message says",
        ], status  # fmt: skip
    for error in error_classes():
        assert " ".join(error.next_step.split()) in " ".join(sections[error.status].split()), error.__name__


def test_the_environment_table_names_what_the_settings_read_and_their_defaults() -> None:
    rows = {line.split("|")[1]: line for line in marked("environment").splitlines()[2:]}
    defaults = load_settings({})

    assert sorted(re.findall(r"`([A-Z_]+)`", "\n".join(rows))) == sorted(variables())
    for name in ("api_base_url", "timeout", "max_concurrency", "cache_ttl", "daily_quota", "history_days"):
        value = getattr(defaults, name)
        row = rows[f" `TIKTOK_{name.upper()}` "]
        assert re.search(rf"default `?{re.escape(value if isinstance(value, str) else f'{value:g}')}\b", row), row


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_only_variables_files_and_sections_that_exist(page: str) -> None:
    named = set(re.findall(r"\b(?:TIKTOK|MCP|LOG)_[A-Z_]*[A-Z]\b", PAGES[page]))
    examples = {"MCP_URL", "MCP_TOKEN"}  # of our scripts
    assert named - variables() - examples == set()

    links = re.findall(r"\]\((?!https?://)([^)]+)\)|(?:src|srcset)=\"([^\"]+)\"", prose(page))
    for path, _, anchor in (target.partition("#") for link in links for target in link if target):
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), path
        headings = re.findall(r"(?m)^#+ (.*)$", prose(file.resolve().relative_to(ROOT).as_posix())) if anchor else []
        slugs = {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
        assert not anchor or anchor in slugs, f"{path}#{anchor}"


# Paths on a reader's machine: settings of clients, what the build makes, a data set.
_READERS = re.compile(
    r"[./](?:vscode|cursor|mcp|bashrc|zshrc|venv|uv)|~|%|dist/|DIR/|/(?:path|healthz|readyz|tiktok|mcp|\.)|.*MODULE"
)


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    paths = re.compile(r"[\w.-]*(?:/[\w.-]*)+|[\w.-]+\.(?:py|md|toml|cff|ya?ml|svg|png)")
    named = {code for code in inline(page) if paths.fullmatch(code) and not _READERS.match(code)}
    named |= set(re.findall(r"[\w/]*\w\.py\b", "\n".join(blocks(page, "", "mermaid"))))
    package = ROOT / "server" / "tiktok_pinned_videos"
    places = (ROOT, (ROOT / page).parent, package, ROOT / ".github" / "workflows", ROOT / "deploy")

    missing = {name for name in named if not any((place / name).exists() for place in places)}
    assert {name for name in missing if name.endswith("/") or not list(package.rglob(name))} == set()


def test_the_pages_are_short_enough_to_be_read() -> None:
    lines = {page: len(text.splitlines()) for page, text in PAGES.items()}
    decisions = {page: len(text.split()) for page, text in PAGES.items() if page.startswith("docs/adr/")}

    assert lines["README.md"] <= 170
    assert sum(count for page, count in lines.items() if re.match(r"docs/[^/]+$", page)) <= 1200
    assert [page for page, words in decisions.items() if words > 200] == []


def test_the_lines_for_frameworks_are_those_of_the_examples() -> None:
    shown = blocks("docs/frameworks.md", "python")[:3]

    for name, lines in zip(("pydantic_ai_agent", "openai_agents", "langgraph_agent"), shown, strict=True):
        assert lines in (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8"), name
