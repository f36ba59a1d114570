"""Every command of every page in a clean clone with an empty home; the README's two lines on a bare machine.

A command that cannot run as it stands is in INSTEAD: the reason, and what runs in its place ("" for nothing).
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import pytest

from kit.built import clone, newcomer, uv_environment, uv_program
from kit.pages import PAGES, blocks, commands, inline
from kit.processes import running
from kit.programs import need
from tiktok_pinned_videos.cli import cli

ONE_FILE = "tests/unit/test_fields.py"
ONE_RUN = f"uv run pytest {ONE_FILE} -q -n 0"
NIGHTLY = f"uv run --no-sync pytest {ONE_FILE} -q -n 0 --hypothesis-profile nightly"
OF_ITS_OWN = ""
"""A test of its own runs it."""
POWERSHELL = "py -m pip install uv; py -m uv tool run --from . tiktok-pinned-videos-mcp get nasa --sandbox"
MARKS = ("slow", "builds", "tools", "soak")
WITH_A_MARK = (
    f"""uv run pytest -m "{" or ".join(MARKS)}" --collect-only -q -n 0 tests/integration/test_single_sign_on.py"""
)
INSTEAD = {
    # The suite would run itself. Starting it costs most, so lines that differ little become one.
    ".ci/run": "bash -n .ci/run",
    "uv run pytest": ONE_RUN,
    f"uv run pytest {ONE_FILE}": ONE_RUN,
    "uv run --no-sync pytest": NIGHTLY,
    "uv run pytest --hypothesis-profile nightly": NIGHTLY,
    **{f"uv run pytest -m {mark}": WITH_A_MARK for mark in (*MARKS[:3], "soak -n 0", "builds tests/packaging")},
    "uv run --group dev pytest -m browser": "uv run --group dev pytest -m browser --collect-only -q -n 0 tests/browser",
    "uv run python -m tests.mutants": 'uv run python -c "import tests.mutants"',
    "uv run python -m tests.mutants WORD": "uv run python -m tests.mutants 'texts are clipped at 110'",
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
    POWERSHELL: OF_ITS_OWN,
    "docker compose up --build": "",
    'uv run --with "pydantic-ai-slim[anthropic]" evals/run.py --model anthropic:claude-sonnet-4-5': OF_ITS_OWN,
    "uv run evals/run.py --model scripted": OF_ITS_OWN,
    "uv run examples/weakest_pin.py nasa": OF_ITS_OWN,
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
ELSEWHERE = re.compile(r"(curl|claude|gemini|npx|mcp-publisher) |_TIKTOK_PINNED_VIDEOS_MCP_COMPLETE=")
"""Run by test_single_sign_on and test_example_configs; lines for start-up files, which a test below runs."""
OTHERS = {"--no-sync", "--model", "--channels", "--plugin-dir", "--strict", "--disable-resource-parameter"}
"""Options of other programs that stand alone in a page."""
BARE = [command for command in commands("README.md") if command.startswith("python3 -m venv")]


def shell(line: str, folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [need("bash"), "-c", line],
        cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False, timeout=500,
    )  # fmt: skip


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clone(tmp_path_factory.mktemp("clone") / "tiktok-pinned-videos-mcp")


@pytest.mark.builds
@pytest.mark.timeout(600)
def test_the_lines_of_the_readme_work_on_a_bare_machine(checkout: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    shutil.copytree(checkout, folder, ignore=shutil.ignore_patterns(".venv", ".uv", "build", "dist"))
    if shutil.which("python3", path="/usr/bin:/bin") is None:
        need("a Python of the system's own, with venv")
    env = newcomer(tmp_path / "home", "/usr/bin:/bin")
    job, suite = BARE

    # Both begin in the same way, so each works alone.
    assert job.rpartition("/")[0] == suite.rpartition("/")[0]
    answer = shell(job, folder, env)
    one_file = shell(f"{suite} {ONE_FILE} -n 0", folder, env)
    # `py` is Python on Windows.
    in_powershell = shell(f'py() {{ .uv/bin/python "$@"; }}; {POWERSHELL}', folder, env)

    for done in (answer, in_powershell):
        assert "@nasa: 3 pinned videos (SANDBOX " in done.stdout, done.stderr
    assert re.search(r"(?m)^=+ \d+ passed", one_file.stdout), one_file.stdout + one_file.stderr


@pytest.fixture(scope="module")
def environment(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A reader's environment, with the sandbox in the place of credentials."""
    # No UV_PYTHON: `uv pip` would take it for the environment to change.
    path = f"{checkout / '.venv' / 'bin'}:{Path(uv_program()).parent}:{Path(sys.base_prefix) / 'bin'}:/usr/bin:/bin"
    home, cache = tmp_path_factory.mktemp("reader") / "home", uv_environment()["UV_CACHE_DIR"]
    env = newcomer(home, path, TIKTOK_SANDBOX="1", UV_CACHE_DIR=cache)
    (checkout / "accounts.txt").write_text("nasa\nesa\n", encoding="utf-8")
    made = shell("uv sync --quiet --extra otel", checkout, env)
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


def first_shown() -> dict[str, dict[str, str]]:
    """The lines to run for each page, with the commands they replace. Each runs for the first page that shows it."""
    ran = {"", *BARE}
    shown: dict[str, dict[str, str]] = {}
    for page in PAGES:
        lines = {INSTEAD.get(command, command): command for command in commands(page) if not ELSEWHERE.match(command)}
        shown[page] = {line: command for line, command in lines.items() if line not in ran}
        ran |= {*lines}
    return {page: lines for page, lines in shown.items() if lines}


LINES = first_shown()


@pytest.mark.builds
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", LINES)
def test_every_command_of_a_page_works(page: str, checkout: Path, environment: dict[str, str]) -> None:
    failed: list[str] = []
    for shown, command in LINES[page].items():
        line = shown.replace("TOKEN=…", "TOKEN=" + "x" * 16)
        if re.search(r"-mcp http\b", line):
            if fault := serve(re.sub(r" --port \d+", "", line).removeprefix("uv run "), checkout, environment):
                failed.append(f"$ {command}\n{fault}")
            continue
        done = shell(line, checkout, environment)
        if done.returncode != (command in FAILING):
            failed.append(f"$ {command}\n{line} ends with {done.returncode}: {done.stdout[-900:]}{done.stderr[-900:]}")
    assert not failed, "\n\n".join(failed)


def after_a_tab(command: Sequence[str], typed: str, env: Mapping[str, str]) -> str:
    """What an interactive shell shows after this was typed at its prompt, `ready>`, and Tab was pressed."""
    ours, theirs = os.openpty()
    shown = ""
    with running(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=env["HOME"], start_new_session=True):
        for expected, keys in (("ready> ", f"{typed}\t"), (f"{typed}are ", "")):
            while expected not in shown and select.select([ours], [], [], 30)[0]:
                shown += os.read(ours, 4096).decode(errors="replace")
            os.write(ours, keys.encode())
    os.close(ours)
    os.close(theirs)
    return shown


@pytest.mark.builds
@pytest.mark.parametrize(
    ("name", "file"),
    [("bash", ".bashrc"), ("zsh", ".zshrc"), ("fish", ".config/fish/completions/tiktok-pinned-videos-mcp.fish")],
)
def test_the_line_for_a_start_up_file_completes_a_command(
    name: str, file: str, environment: dict[str, str], tmp_path: Path
) -> None:
    codes = [code.replace("\\|", "|") for code in inline("docs/install.md")]
    needed = ("compinit", "zsh_source") if name == "zsh" else (f"{name}_source",)
    lines = [code for words in needed for code in codes if words in code]
    assert len(lines) == len(needed)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text("\n".join([*lines, "PS1='ready> '" if name != "fish" else ""]), encoding="utf-8")
    typed, env = "tiktok-pinned-videos-mcp comp", environment | {"HOME": str(tmp_path), "TERM": "dumb"}

    if name == "fish":  # It has no line editor without a controlling terminal.
        shown = shell(f"{need('fish')} -c 'complete -C \"{typed}\"'", tmp_path, env).stdout
    else:
        shown = after_a_tab([need(name), "-i"], typed, env)

    assert "compare" in shown


@pytest.mark.builds
def test_the_code_for_readers_of_a_data_set_reads_it(checkout: Path, environment: dict[str, str]) -> None:
    made = shell("tiktok-pinned-videos-mcp get nasa esa --out pinned", checkout, environment)
    assert made.returncode == 0, made.stderr
    (checkout / "all_videos.csv").write_text(
        "id,video_id\n7298740294892660705,7298740294892660705\n1,1\n", encoding="utf-8"
    )
    # The columns by name: a header is the same in every language.
    check = """ids = videos["id"]
assert "7298740294892660705" in str(ids.fetchall() if hasattr(ids, "fetchall") else list(ids))
"""
    python = "import duckdb, pandas, polars\n" + check.join([*blocks("docs/dataset.md", "python"), ""])
    *r, with_types, drop = blocks("docs/dataset.md", "r")
    # R parses all lines before it runs the first. The package is not in Debian.
    with_types = f'if (requireNamespace("frictionless", quietly = TRUE)) {{\n{with_types}}}\n'
    check = (
        'stopifnot("7298740294892660705" %in% videos$id, is.numeric(videos$view_count), sum(videos$view_count) > 7e7)\n'
    )
    (checkout / "read.R").write_text(
        check.join([*r, with_types, ""]) + drop + "stopifnot(unpinned$video_id == 1)\n", encoding="utf-8"
    )
    (checkout / "read.py").write_text(python + 'assert list(unpinned["id"]) == ["1"]\n', encoding="utf-8")

    readers = shell("uv run --with pandas --with polars --with duckdb python read.py", checkout, environment)
    in_r = shell(f"{need('Rscript')} --vanilla read.R", checkout, environment)

    assert readers.returncode == 0, readers.stderr
    assert in_r.returncode == 0, in_r.stderr


def test_nothing_is_excused_that_no_page_shows() -> None:
    shown = {command for page in PAGES for command in commands(page)}

    assert {*INSTEAD, *FAILING} - shown == set()


def test_the_marks_that_the_pages_name_are_those_of_pytest(pytestconfig: pytest.Config) -> None:
    named = {mark for page in PAGES for command in commands(page) for mark in re.findall(r"pytest -m (\w+)", command)}

    registered = {line.partition(":")[0] for line in pytestconfig.getini("markers")}
    assert named == {*MARKS, "browser"} <= registered


@pytest.mark.parametrize("page", PAGES)
def test_every_option_that_a_page_shows_is_one(page: str) -> None:
    assert isinstance(cli, click.Group)
    every = {name for command in [cli, *cli.commands.values()] for option in command.params for name in option.opts}
    ours = [code for code in inline(page) if code.startswith("--") or code.split()[0] in cli.commands]
    shown = {name for code in ours for name in re.findall(r"(?<!\S)--[a-z-]+", code)}

    assert shown - every - {"--help"} - OTHERS == set()
