"""What the README claims is generated, or checked against what the commands print. A failure shows what to write."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from kit import COMMAND, environment
from kit.pages import PAGES, ROOT, blocks, inline, prose
from tiktok_pinned_videos.mcp_server.resources import field_reference
from tiktok_pinned_videos.research import errors
from tiktok_pinned_videos.settings import load_settings

README = PAGES["README.md"]
# What differs from one run, or one machine, to the next.
_PASSING = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"\b20\d{12}[0-9A-F]{18}\b", "LOG_ID"),
    (r"(?m)^(ok +Python: ).*", r"\1…"),
    (r"(?m)^(ok +packages: ).*", r"\1…"),
)


def _marked(name: str) -> str:
    found = re.findall(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", "\n".join(PAGES.values()), re.DOTALL)
    assert len(found) == 1, f"one page should have one part between <!-- {name} --> and <!-- /{name} -->"
    return found[0]


def _lasting(text: str) -> str:
    for pattern, instead in _PASSING:
        text = re.sub(pattern, instead, text)
    return text.strip()


def _printed(line: str) -> str:
    """What a terminal shows for this command line, stdout and stderr as they come."""
    program, *arguments = shlex.split(line)
    assert program == "tiktok-pinned-videos-mcp"
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False,
    )  # fmt: skip
    return done.stdout


def test_the_field_table_is_the_field_reference() -> None:
    assert _marked("fields") == field_reference()


def _errors(root: type[errors.TikTokError]) -> Iterator[type[errors.TikTokError]]:
    for error in root.__subclasses__():
        yield error
        yield from _errors(error)


def test_the_error_table_says_what_the_errors_say() -> None:
    rows = ["| status | what happened | what to do |", "|---|---|---|"]
    for error in _errors(errors.TikTokError):
        # The root of a branch is never met itself; others may derive errors of their own, for a whole call.
        if error is errors.APIStatusError or error.__module__ != errors.__name__:
            continue
        what = (error.__doc__ or "").splitlines()[0]
        rows.append(f"| `{error.status}` | {what} | {error.next_step or 'The message says what to send instead.'} |")

    assert _marked("errors") == "\n".join(rows)
    told = set(re.findall(r"^\| `(\w+)`", _marked("errors"), re.MULTILINE))
    assert told == set(errors.Status) - {errors.Status.FOUND, errors.Status.NOTHING_PINNED}


def _variables() -> set[str]:
    """What the settings read of an environment."""

    class Asked(dict[str, str]):
        def get(self, key: str, default: Any = "", /) -> Any:
            self[key] = ""
            return default

    asked = Asked()
    load_settings(asked)
    return set(asked)


def test_the_environment_table_names_what_the_settings_read() -> None:
    named = re.findall(r"`([A-Z_]+)`", "\n".join(line.split("|")[1] for line in _marked("environment").splitlines()))
    assert sorted(named) == sorted(_variables())


@pytest.mark.parametrize("page", PAGES)
def test_every_variable_that_a_page_names_is_read(page: str) -> None:
    named = set(re.findall(r"\b(?:TIKTOK|MCP|LOG)_[A-Z_]*[A-Z]\b", PAGES[page]))

    assert named - _variables() == set()


@pytest.mark.parametrize(
    ("variable", "default"),
    [
        ("TIKTOK_API_BASE_URL", "api_base_url"),
        ("TIKTOK_TIMEOUT", "timeout"),
        ("TIKTOK_MAX_CONCURRENCY", "max_concurrency"),
        ("TIKTOK_CACHE_TTL", "cache_ttl"),
        ("TIKTOK_DAILY_QUOTA", "daily_quota"),
    ],
)
def test_a_default_in_the_environment_table_is_the_one_in_force(variable: str, default: str) -> None:
    value = getattr(load_settings({}), default)
    (row,) = (line for line in _marked("environment").splitlines() if line.startswith(f"| `{variable}`"))

    assert re.search(rf"default `?{re.escape(value if isinstance(value, str) else f'{value:g}')}\b", row)


def test_the_answer_shown_is_the_answer_given() -> None:
    shown = _marked("answer").removeprefix("```text\n").removesuffix("\n```")

    assert _lasting(_printed("tiktok-pinned-videos-mcp get nasa --sandbox")) == _lasting(shown)


def test_the_terminal_session_is_what_a_terminal_shows() -> None:
    shown = _marked("session").removeprefix("```console\n").removesuffix("\n```")
    parts = re.split(r"(?m)^\$ (.*)\n", shown)[1:]
    assert len(parts) == 4

    for line, output in zip(parts[::2], parts[1::2], strict=True):
        assert _lasting(_printed(line)) == _lasting(output), line


def _anchors(page: str) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.*)$", prose(page))
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_section_that_a_page_links_to_is_there(page: str) -> None:
    links = re.findall(r"\]\((?!https?://)([^)]+)\)|(?:src|srcset)=\"([^\"]+)\"", prose(page))

    missing: list[str] = []
    for target in (target for link in links for target in link if target):
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        name = file.resolve().relative_to(ROOT).as_posix()
        if not file.exists() or (anchor and anchor not in _anchors(name)):
            missing.append(target)
    assert missing == []


# Paths of a reader's machine: settings of clients, what the build makes, a data set.
_READERS = re.compile(r"[./](?:vscode|cursor|mcp)|dist/|DIR/|/(?:path|healthz|readyz)")


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    paths = re.compile(r"[\w.-]*(?:/[\w.-]*)+|[\w.-]+\.(?:py|md|toml|cff|ya?ml|svg|png)")
    named = {code for code in inline(page) if paths.fullmatch(code) and not _READERS.match(code)}
    # A picture of the rooms names files too, each by the folder that it stands in.
    named |= set(re.findall(r"[\w/]*\w\.py\b", "\n".join(blocks(page, "", "mermaid"))))
    package = ROOT / "server" / "tiktok_pinned_videos"
    places = (ROOT, (ROOT / page).parent, package, ROOT / ".github" / "workflows")

    missing = {name for name in named if not any((place / name).exists() for place in places)}
    assert {name for name in missing if name.endswith("/") or not list(package.rglob(name))} == set()


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len(README.splitlines()) <= 200


def test_the_bundle_it_names_is_the_one_that_is_built() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

    assert f"`dist/tiktok-pinned-videos-{version}.mcpb`" in PAGES["docs/assistants.md"]


def test_constraints_pin_every_dependency_with_its_hash_and_hold_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [
        *project["project"]["dependencies"],
        *(name for extra in project["project"]["optional-dependencies"].values() for name in extra),
        *(name for group in project["dependency-groups"].values() for name in group if isinstance(name, str)),
    ]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if not line.startswith(("#", " "))]
    others = [line for line in lines if line.startswith(("#", " "))]

    assert [line for line in pinned if not re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; .+)? \\", line)] == []
    assert [line for line in others[2:] if not re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line)] == []
    assert others[:2] == [
        "# This file was autogenerated by uv via the following command:",
        "#    see CONTRIBUTING.md",
    ]
    names = {line.partition("==")[0] for line in pinned}
    assert {re.split(r"[<>=!~\[; ]", name)[0].lower() for name in asked} <= names
