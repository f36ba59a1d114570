"""Every command of every page in a clean clone with an empty home; the README's two lines with nothing else there.

A command that cannot be run as it stands is in INSTEAD, with the reason and with what is run in its place.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from kit import need
from kit.built import uv_environment, uv_program
from kit.pages import PAGES, ROOT, blocks, commands, inline
from tiktok_pinned_videos.cli import cli


@dataclass(frozen=True)
class Instead:
    because: str
    command: str = ""


LONG = "it runs for minutes"
UV, BARE = "With uv", "Without uv"
INSTEAD = {
    "uv run python -m tests.mutants": Instead(LONG, 'uv run python -c "import tests.mutants"'),
    "uv run --group bench python -m benchmarks": Instead(LONG, "uv run --group bench python -m benchmarks --help"),
    "sudo apt install python3-venv": Instead("it changes the machine; .ci/run installs it"),
    ".ci/run": Instead("it runs this test", "bash -n .ci/run"),
    **{
        f"npm install --no-package-lock --prefix tests/{folder}": Instead(
            ".ci/run has run it, and tests use what it has installed", f"test -f tests/{folder}/package.json"
        )
        for folder in ("browser", "packaging", "conformance")
    },
    "uv venv --clear": Instead("the environment of these commands is in use", "uv venv --clear build/again"),
    "uv pip sync --require-hashes constraints.txt": Instead(
        ".ci/run has run it", "uv pip sync --require-hashes --dry-run constraints.txt"
    ),
    'pip install ".[redis]"': Instead(
        "the machine's own Python is left alone", 'uv pip install --dry-run ".[redis]"'
    ),
    "frictionless validate pinned/datapackage.json": Instead(
        "it comes with a group", "uv run --group data frictionless validate pinned/datapackage.json"
    ),
    "docker compose up --build": Instead("no engine runs here; tests/test_http_image.py tries what it would do"),
    'uv run --with "pydantic-ai-slim[anthropic]" evals/run.py --model anthropic:claude-sonnet-4-5': Instead(
        "it takes a key", 'uv run --with "pydantic-ai-slim[anthropic]" evals/run.py --help'
    ),
    "tiktok-pinned-videos-mcp forget NAME": Instead("NAME stands for one", "tiktok-pinned-videos-mcp forget nasa"),
}  # fmt: skip
FAILS = {"tiktok-pinned-videos-mcp get nasa sandbox_private --sandbox --format csv --fields id,view_count": 1}
"""Exit codes that are not 0: an account that cannot be answered."""
OTHERS = {"--no-sync", "--model"}
"""Options of uv and of a script."""
FIRST_LINES = [line for block in blocks("README.md", "sh")[:2] for line in block.splitlines()]
ELSEWHERE = [command for command in commands("README.md") if command.startswith("py ")]


def run_for(command: str) -> str:
    """Return the command that is run instead: pytest only collects, parts of the benchmarks are only loaded."""
    if re.search(r" pytest\b", command):
        return f"{command} --collect-only -q -n 0"
    if part := re.search(r"python -m benchmarks(?:\.| )(\w+)$", command):
        return f'uv run --group bench python -c "import benchmarks.{part[1]}"'
    return INSTEAD[command].command if command in INSTEAD else command


def _shown_first() -> dict[str, list[str]]:
    """Of each page the commands that no page before it shows; without those that other tests run, or another system."""
    seen = {*FIRST_LINES, *ELSEWHERE} - {*INSTEAD}
    told: dict[str, list[str]] = {}
    for page in PAGES:
        told[page] = [command for command in dict.fromkeys(commands(page)) if command not in seen]
        seen |= {*told[page]}
    return {page: lines for page, lines in told.items() if lines}


COMMANDS = _shown_first()


# --- Where they run


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as git hands it out, with what has been changed and not committed."""
    git, folder = need("git"), tmp_path_factory.mktemp("clone") / "tiktok-pinned-videos-mcp"
    if not (ROOT / ".git").exists():
        need("a checkout by git")
    subprocess.run([git, "clone", "--quiet", ROOT, folder], check=True)
    changed = subprocess.run(
        [git, "ls-files", "--modified", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, encoding="utf-8", check=True,
    ).stdout  # fmt: skip
    for name in changed.splitlines():
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def stranger(home: Path, path: str, **env: str) -> dict[str, str]:
    """The environment of somebody who has just arrived: an empty home, and the programs in `path`."""
    home.mkdir(exist_ok=True)
    ours = ("UV_CACHE_DIR", "UV_PYTHON", "XDG_", "CI", "PYTEST_", "VIRTUAL_ENV", "PYENV_")
    kept = {name: value for name, value in uv_environment().items() if not name.startswith(ours)}
    return kept | {"HOME": str(home), "PATH": path} | env


def shell(line: str, folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [need("bash"), "-c", line],
        cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False, timeout=500,
    )  # fmt: skip


def served(line: str, folder: Path, env: Mapping[str, str]) -> str:
    """Start a server, on a free port; end it when it says where it is. What was wrong, if anything."""
    with subprocess.Popen(
        [need("bash"), "-c", f"exec env {line} --port 0"],
        cwd=folder, env=env, stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True,
    ) as server:  # fmt: skip
        assert server.stderr is not None
        said: list[str] = []
        try:
            for said_line in server.stderr:
                said.append(said_line)
                if "MCP server on http://" in said_line:
                    os.killpg(server.pid, signal.SIGTERM)
                    break
            code = server.wait(60)
        finally:
            server.kill()
    return "" if code == 0 and any("MCP server on" in each for each in said) else f"ends with {code}: {''.join(said)}"


# --- The first two lines of the README


@pytest.mark.builds
@pytest.mark.timeout(600)
@pytest.mark.parametrize("own", [True, False], ids=["the system's Python and nothing else", "uv and nothing else"])
def test_the_main_job_and_the_tests_are_two_lines_away(own: bool, clone: Path, tmp_path: Path) -> None:
    folder, tools = tmp_path / "clone", tmp_path / "tools"
    shutil.copytree(clone, folder, ignore=shutil.ignore_patterns(".venv", ".uv", "build", "dist"))
    tools.mkdir()
    if own:
        if shutil.which("python3", path="/usr/bin:/bin") is None:
            need("a Python of the system's own, with venv")
    else:
        for name in ("uv", "uvx"):
            (tools / name).symlink_to(Path(uv_program()).with_name(name))
    env = stranger(tmp_path / "home", f"{tools}:/usr/bin:/bin")
    job, suite = [line for line in FIRST_LINES if ("venv" in line or ".uv" in line) is own]

    answer = shell(job, folder, env)
    installed = {path.name for path in tmp_path.rglob("site-packages/*")} | {
        path.name for path in (tmp_path / "home").rglob("archive-v0/*/*")
    }
    one_file = shell(f"{suite} tests/test_names.py", folder, env)
    all_files = shell(f"{suite} --collect-only -q -n 0", folder, env)

    assert answer.returncode == 0, answer.stderr
    assert "@nasa: 3 pinned videos (SANDBOX " in answer.stdout
    assert "mcp" in installed
    assert "pytest" not in installed  # what only tests need
    assert one_file.returncode == 0, one_file.stdout + one_file.stderr
    assert re.search(r"(?m)^=+ \d+ passed", one_file.stdout)
    assert all_files.returncode == 0, all_files.stdout + all_files.stderr
    collected = int(re.findall(r"(?m)^=* ?(\d+)/\d+ tests collected", all_files.stdout)[0])
    told = [int(number.replace(",", "")) for number in re.findall(r"about ([\d,]+) tests", PAGES["CONTRIBUTING.md"])]
    assert [abs(number - collected) <= 0.1 * collected for number in told] == [True], collected


# --- All others


@pytest.fixture(scope="module")
def readers(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A reader's environment. The sandbox takes the place of credentials."""
    # No UV_PYTHON: `uv pip` would take it for the environment to change.
    pythons = Path(sys.base_prefix) / "bin"
    path = f"{clone / '.venv' / 'bin'}:{Path(uv_program()).parent}:{pythons}:/usr/bin:/bin"
    home, cache = tmp_path_factory.mktemp("readers") / "home", uv_environment()["UV_CACHE_DIR"]
    env = stranger(home, path, TIKTOK_SANDBOX="1", UV_CACHE_DIR=cache)
    (clone / "accounts.txt").write_text("nasa\nesa\n", encoding="utf-8")
    made = shell("uv sync --quiet --extra otel && uv build --quiet", clone, env)
    assert made.returncode == 0, made.stderr
    return env


@pytest.mark.builds
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", COMMANDS)
def test_every_command_of_a_page_does_its_work(page: str, clone: Path, readers: dict[str, str]) -> None:
    failed: list[str] = []
    for command in COMMANDS[page]:
        line = run_for(command).replace("TOKEN=…", "TOKEN=" + "x" * 16)
        if re.search(r"-mcp http\b", line):
            if fault := served(re.sub(r" --port \d+", "", line), clone, readers):
                failed.append(f"$ {command}\n{fault}")
            continue
        done = shell(line, clone, readers)
        if done.returncode != FAILS.get(command, 0):
            failed.append(
                f"$ {command}\n{line} ends with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
    assert not failed, "\n\n".join(failed)


@pytest.mark.builds
@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "examples").glob("*.py")))
def test_an_example_without_arguments_answers_or_says_what_it_wants(
    script: str, clone: Path, readers: dict[str, str]
) -> None:
    done = shell(f"uv run examples/{script}", clone, readers)

    assert "Traceback" not in done.stderr
    if done.returncode == 0:
        assert done.stdout.strip()
    else:
        assert done.returncode == 2
        assert f"Usage: uv run examples/{script} " in done.stderr


# --- What needs no index


def test_nothing_is_excused_that_no_page_shows() -> None:
    shown = {command for page in PAGES for command in commands(page)}

    assert {*INSTEAD, *FAILS} - shown == set()


def _own_words() -> dict[str, list[str]]:
    """Of each page the commands of this program, whole or from their name on, without `tiktok-pinned-videos-mcp`."""
    assert isinstance(cli, click.Group)
    told: dict[str, list[str]] = {}
    for page in PAGES:
        whole = [command.partition("tiktok-pinned-videos-mcp ")[2] for command in commands(page)]
        parts = [code for code in inline(page) if code.split()[0] in cli.commands and " -" in code]
        told[page] = [words for words in (*whole, *parts) if words.split()[:1] and words.split()[0] in cli.commands]
    return told


@pytest.mark.parametrize("page", PAGES)
def test_every_option_that_a_page_shows_is_one(page: str) -> None:
    assert isinstance(cli, click.Group)
    unknown: list[str] = []
    for words in _own_words()[page]:
        command = cli.commands[words.split()[0]]
        options = {name for option in command.params for name in option.opts} | {"--help"}
        unknown += [f"{words}: {name}" for name in re.findall(r"(?<=\s)--[a-z-]+", words) if name not in options]
    every = {name for command in [cli, *cli.commands.values()] for option in command.params for name in option.opts}
    alone = {code.split()[0] for code in inline(page) if re.fullmatch(r"--[a-z-]+( [A-Z]+)?", code)}

    assert unknown == []
    assert alone - every - {"--help"} - OTHERS == set()
