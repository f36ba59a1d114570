"""Every command of every page in a clean clone with an empty home; the README's two lines on a bare machine.

A command that cannot run as it stands is in INSTEAD: the reason, and what runs in its place ("" for nothing).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from kit.built import uv_environment, uv_program
from kit.pages import PAGES, ROOT, blocks, commands, inline
from kit.programs import need
from tiktok_pinned_videos.cli import cli

ONE_FILE = "tests/unit/test_fields.py"
COLLECT = "--collect-only -q -n 0"
INSTEAD = {
    # The suite would run itself.
    ".ci/run": "bash -n .ci/run",
    "uv run pytest": f"uv run pytest {ONE_FILE} -q -n 0",
    "uv run --no-sync pytest": f"uv run --no-sync pytest {ONE_FILE} -q -n 0",
    "uv run pytest --hypothesis-profile nightly": f"uv run pytest {ONE_FILE} -q -n 0 --hypothesis-profile nightly",
    **{
        command: f"{command} {COLLECT}"
        for command in (
            "uv run pytest -m builds", "uv run pytest -m builds tests/packaging", "uv run pytest -m tools",
            "uv run pytest -m slow",
            "uv run pytest -m soak -n 0", "uv run --group dev pytest -m browser",
        )
    },
    "uv run python -m tests.mutants": 'uv run python -c "import tests.mutants"',
    # They take minutes.
    "uv run --group bench python -m benchmarks": "uv run --group bench python -m benchmarks --help",
    "uv run --group bench python -m benchmarks --markdown benchmarks/RESULTS.md": "",
    # They change the machine, the checkout or this environment; .ci/run has done what is needed.
    "sudo apt install python3-venv": "",
    "git pull": "git pull --help > /dev/null",
    "uv venv --clear": "uv venv --clear build/again",
    "uv pip sync --require-hashes constraints.txt": "uv pip sync --require-hashes --dry-run constraints.txt",
    "pipx install .": "uv tool install --reinstall .",
    **{f"npm install --no-package-lock --prefix tests/{folder}": f"test -f tests/{folder}/package.json"
       for folder in ("browser", "clients", "conformance", "packaging")},
    # Another system, an engine, a key, somebody's values.
    "py -m pip install uv; py -m uv tool run --from . tiktok-pinned-videos-mcp get nasa --sandbox": "",
    "docker compose up --build": "",
    'uv run --with "pydantic-ai-slim[anthropic]" evals/run.py --model anthropic:claude-sonnet-4-5':
        'uv run --with "pydantic-ai-slim[anthropic]" evals/run.py --help',
    "uvx --from /path/to/tiktok-pinned-videos-mcp tiktok-pinned-videos-mcp get nasa --sandbox":
        'uvx --from "$PWD" tiktok-pinned-videos-mcp get nasa --sandbox',
    "tiktok-pinned-videos-mcp forget NAME": "tiktok-pinned-videos-mcp forget nasa",
    "frictionless validate pinned/datapackage.json":
        "uv run --group data frictionless validate pinned/datapackage.json",
}  # fmt: skip
FAILING = {  # An account that cannot be answered.
    "tiktok-pinned-videos-mcp get nasa sandbox_private --sandbox --format csv --fields id,view_count",
    "tiktok-pinned-videos-mcp compare nasa esa sandbox_private --sandbox --format table",
}
ELSEWHERE = re.compile(r"curl |_TIKTOK_PINNED_VIDEOS_MCP_COMPLETE=")
"""Requests to the authorization server of a reader; lines for start-up files, which a test of their own runs."""
OTHERS = {"--no-sync", "--model", "--channels", "--plugin-dir", "--strict", "--disable-resource-parameter"}
"""Options of other programs that stand alone in a page."""
BARE = [command for command in commands("README.md") if command.startswith("python3 -m venv")]


def shell(line: str, folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [need("bash"), "-c", line],
        cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False, timeout=500,
    )  # fmt: skip


def newcomer(home: Path, path: str, **env: str) -> dict[str, str]:
    """The environment of a user with an empty home and the programs in `path`."""
    home.mkdir(exist_ok=True)
    ours = ("UV_CACHE_DIR", "UV_PYTHON", "XDG_", "CI", "PYTEST_", "VIRTUAL_ENV", "PYENV_")
    kept = {name: value for name, value in uv_environment().items() if not name.startswith(ours)}
    return kept | {"HOME": str(home), "PATH": path, "SHELL": need("bash")} | env


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the repository, with the files that are changed and not committed."""
    git, folder = need("git"), tmp_path_factory.mktemp("clone") / "tiktok-pinned-videos-mcp"
    subprocess.run([git, "clone", "--quiet", ROOT, folder], check=True)
    listed = [git, "ls-files", "--modified", "--others", "--exclude-standard"]
    changed = subprocess.run(listed, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
    for name in changed.splitlines():
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.mark.builds
@pytest.mark.timeout(600)
def test_each_of_the_two_lines_of_the_readme_works_on_a_bare_machine(clone: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    shutil.copytree(clone, folder, ignore=shutil.ignore_patterns(".venv", ".uv", "build", "dist"))
    if shutil.which("python3", path="/usr/bin:/bin") is None:
        need("a Python of the system's own, with venv")
    env = newcomer(tmp_path / "home", "/usr/bin:/bin")
    job, suite = BARE

    one_file = shell(f"{suite} {ONE_FILE}", folder, env)
    shutil.rmtree(folder / ".uv")
    answer = shell(job, folder, env)

    assert re.search(r"(?m)^=+ \d+ passed", one_file.stdout), one_file.stdout + one_file.stderr
    assert "@nasa: 3 pinned videos (SANDBOX " in answer.stdout, answer.stderr


@pytest.fixture(scope="module")
def environment(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A reader's environment, with the sandbox in the place of credentials."""
    # No UV_PYTHON: `uv pip` would take it for the environment to change.
    path = f"{clone / '.venv' / 'bin'}:{Path(uv_program()).parent}:{Path(sys.base_prefix) / 'bin'}:/usr/bin:/bin"
    home, cache = tmp_path_factory.mktemp("reader") / "home", uv_environment()["UV_CACHE_DIR"]
    env = newcomer(home, path, TIKTOK_SANDBOX="1", UV_CACHE_DIR=cache)
    (clone / "accounts.txt").write_text("nasa\nesa\n", encoding="utf-8")
    made = shell("uv sync --quiet --extra otel && uv build --quiet", clone, env)
    assert made.returncode == 0, made.stderr
    return env


def serve(line: str, folder: Path, env: Mapping[str, str]) -> str:
    """Start a server on a free port and end it when it says where it listens. Return what it logged if it did not."""
    with subprocess.Popen(
        [need("bash"), "-c", f"exec env {line} --port 0"],
        cwd=folder, env=env, stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True,
    ) as server:  # fmt: skip
        assert server.stderr is not None
        logged: list[str] = []
        for logged_line in server.stderr:
            logged.append(logged_line)
            if "MCP server on http://" in logged_line:
                os.killpg(server.pid, signal.SIGTERM)
        code = server.wait(60)
    return "" if code == 0 and any("MCP server on" in each for each in logged) else f"{code}: {''.join(logged)}"


def first_shown() -> dict[str, list[str]]:
    """The commands of each page that no page before it shows."""
    seen = {*BARE}
    shown: dict[str, list[str]] = {}
    for page in PAGES:
        new = [command for command in dict.fromkeys(commands(page)) if command not in seen]
        shown[page] = [command for command in new if not ELSEWHERE.match(command)]
        seen |= {*new}
    return {page: lines for page, lines in shown.items() if lines}


COMMANDS = first_shown()


@pytest.mark.builds
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", COMMANDS)
def test_every_command_of_a_page_works(page: str, clone: Path, environment: dict[str, str]) -> None:
    failed: list[str] = []
    for command in COMMANDS[page]:
        line = INSTEAD.get(command, command).replace("TOKEN=…", "TOKEN=" + "x" * 16)
        if re.search(r"-mcp http\b", line):
            if fault := serve(re.sub(r" --port \d+", "", line).removeprefix("uv run "), clone, environment):
                failed.append(f"$ {command}\n{fault}")
            continue
        done = shell(line, clone, environment)
        if done.returncode != (command in FAILING):
            failed.append(f"$ {command}\n{line} ends with {done.returncode}: {done.stdout[-900:]}{done.stderr[-900:]}")
    assert not failed, "\n\n".join(failed)


@pytest.mark.builds
def test_the_lines_for_the_start_up_file_complete_a_command(clone: Path, environment: dict[str, str]) -> None:
    [line] = [code for code in inline("docs/install.md") if "bash_source" in code]
    typed = "COMP_WORDS=(tiktok-pinned-videos-mcp comp); COMP_CWORD=1; _tiktok_pinned_videos_mcp_completion"

    done = shell(f'{line}; {typed} tiktok-pinned-videos-mcp; echo "${{COMPREPLY[0]}}"', clone, environment)

    assert done.stdout.strip() == "compare", done.stderr


@pytest.mark.builds
def test_the_code_for_readers_of_a_data_set_reads_it(clone: Path, environment: dict[str, str]) -> None:
    made = shell("tiktok-pinned-videos-mcp get nasa esa --out pinned", clone, environment)
    assert made.returncode == 0, made.stderr
    (clone / "all_videos.csv").write_text(
        "id,video_id\n7298740294892660705,7298740294892660705\n1,1\n", encoding="utf-8"
    )
    # The columns by name: a header is the same in every language.
    check = """ids = videos["id"]
assert "7298740294892660705" in str(ids.fetchall() if hasattr(ids, "fetchall") else list(ids))
"""
    python = "import duckdb, pandas, polars\n" + check.join([*blocks("docs/dataset.md", "python"), ""])
    *r, drop = [block for block in blocks("docs/dataset.md", "r") if "frictionless" not in block]
    check = (
        'stopifnot("7298740294892660705" %in% videos$id, is.numeric(videos$view_count), sum(videos$view_count) > 7e7)\n'
    )
    (clone / "read.R").write_text(check.join([*r, ""]) + drop + "stopifnot(unpinned$video_id == 1)\n", encoding="utf-8")
    (clone / "read.py").write_text(python + 'assert list(unpinned["id"]) == ["1"]\n', encoding="utf-8")

    readers = shell("uv run --with pandas --with polars --with duckdb python read.py", clone, environment)
    in_r = shell(f"{need('Rscript')} --vanilla read.R", clone, environment)

    assert readers.returncode == 0, readers.stderr
    assert in_r.returncode == 0, in_r.stderr


def test_nothing_is_excused_that_no_page_shows() -> None:
    shown = {command for page in PAGES for command in commands(page)}

    assert {*INSTEAD, *FAILING} - shown == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_option_that_a_page_shows_is_one(page: str) -> None:
    assert isinstance(cli, click.Group)
    whole = [command.partition("tiktok-pinned-videos-mcp ")[2] for command in commands(page)]
    parts = [code for code in inline(page) if code.split()[0] in cli.commands and " -" in code]
    unknown: list[str] = []
    for words in (words for words in (*whole, *parts) if words.split()[:1] and words.split()[0] in cli.commands):
        options = {name for option in cli.commands[words.split()[0]].params for name in option.opts} | {"--help"}
        unknown += [f"{words}: {name}" for name in re.findall(r"(?<=\s)--[a-z-]+", words) if name not in options]
    every = {name for command in [cli, *cli.commands.values()] for option in command.params for name in option.opts}
    alone = {code.split()[0] for code in inline(page) if re.fullmatch(r"--[a-z-]+( [A-Z]+)?", code)}

    assert unknown == []
    assert alone - every - {"--help"} - OTHERS == set()
