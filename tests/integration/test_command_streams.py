"""Output is complete or the exit status is not 0, whatever the standard streams are."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from kit.cli import Said
from kit.processes import COMMAND, environment
from tiktok_pinned_videos.commands.streams import owned_streams

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs /dev/full, pipes and terminals of POSIX")

NAMES = ("sandbox_hostile", "sandbox_missing", "nasa")
FORMATS = {
    "get": ("table", "text", "json", "jsonl", "csv", "raw", "html"),
    "compare": ("table", "text", "json", "csv", "html"),
}
COMMANDS = {
    **{f"{name} {form}": (name, *NAMES, "--format", form) for name, forms in FORMATS.items() for form in forms},
    "get --out": ("get", *NAMES, "--out", "{}"),
    "doctor": ("doctor", "--offline"),
    "doctor --client": ("doctor", "--client", "zed"),
    "forget": ("forget", "nasa"),
    "help": ("get", "--help"),
    "version": ("--version",),
}
FROM_STDIN = {f"{name} {form}": (name, "-", "--format", form) for name, forms in FORMATS.items() for form in forms}
FULL = "Cannot write to standard output: No space left on device. The output is not complete."
CLOSED = "Cannot write to standard output: it is closed. The output is not complete."
_CHANGING = re.compile(
    r"20\d{6}[0-9A-F]{8,}|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:Z|\+00:00)?|\d+\.\d+ ms|/\S*streams\d+/\w+"
    r"|\x1b\[[0-9;]*m|\x1b\]8;[^\x1b]*\x1b\\|\r"  # styles and links of a terminal
)


def normalized(result: dict[str, Any]) -> Said:
    """What was printed, without what changes from run to run."""
    return Said(result["code"], _CHANGING.sub("", result["out"]), _CHANGING.sub("", result["err"]))


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Said]]:
    """What every command says with every kind of stdout, and those that read stdin with every kind of that."""
    folder = tmp_path_factory.mktemp("streams")
    wanted = {
        (kind, name): {"stdin": "null", "stdout": kind, "arguments": [word.format(folder / kind) for word in words]}
        for kind in ("pipe", "nonblocking", "terminal", "full", "closed", "leaves")
        for name, words in COMMANDS.items()
    } | {
        (f"from {kind}", name): {"stdin": kind, "stdout": "pipe", "arguments": words}
        for kind in ("terminal", "closed", "latin-1")
        for name, words in FROM_STDIN.items()
    }
    done = subprocess.run(
        [sys.executable, "-m", "integration.forking"],
        input="\n".join(map(json.dumps, wanted.values())),
        env=environment(
            TIKTOK_SANDBOX="1", PYTHONPATH=str(Path(__file__).parents[1]), COLUMNS="0", TERM="xterm-256color"
        ),
        capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    results: dict[str, dict[str, Said]] = {}
    for (kind, name), line in zip(wanted, done.stdout.splitlines(), strict=True):
        results.setdefault(kind, {})[name] = normalized(json.loads(line))
    return results


def run(line: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command in a shell, which opens or closes the streams that `line` says."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {line}', "sh", *COMMAND, *arguments],
        env=environment(TIKTOK_SANDBOX="1", **env), capture_output=True, encoding="utf-8", check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["nonblocking", "terminal"])
def test_every_command_and_format_is_printed_whole(kind: str, said: dict[str, dict[str, Said]]) -> None:
    assert len(said[kind]["get html"].out) > 20_000  # more than the pipe holds
    for name, result in said[kind].items():
        assert result == said["pipe"][name], name


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "message"), [("full", [FULL]), ("closed", [CLOSED]), ("leaves", [])])
def test_every_command_and_format_that_cannot_be_printed_ends_with_1_and_at_most_one_more_line(
    kind: str, message: list[str], said: dict[str, dict[str, Said]]
) -> None:
    for name, result in said[kind].items():
        usual, lines = said["pipe"][name].err.splitlines(), result.err.splitlines()
        assert result.code == 1, name
        assert [line for line in lines if line not in usual] == message, name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [
        ("closed", 2, "Cannot read stdin: standard input is closed."),
        ("latin-1", 2, "is not UTF-8"),
        ("terminal", 0, ""),
    ],
)
def test_usernames_are_read_from_any_stdin_or_it_says_why_not(
    kind: str, code: int, message: str, said: dict[str, dict[str, Said]]
) -> None:
    for name, result in said[f"from {kind}"].items():
        assert (result.code, len(result.err.splitlines())) == (code, 1 if message else 0), name
        assert message in result.err, name
        assert ("nasa" in result.out and "esa" in result.out) == (not message), name


@pytest.mark.parametrize(
    ("line", "arguments", "code"),
    [
        (">&-", ("get", "nasa"), 1),
        ("<&-", ("get", "-"), 2),
        pytest.param(">&- 2>&-", ("compare", "nasa", "esa"), 1, marks=pytest.mark.slow),
        pytest.param("<&-", ("get", "nasa"), 0, marks=pytest.mark.slow),
        ("> /dev/full", ("--help",), 1),
    ],
)
def test_closed_streams_give_a_documented_status(
    tmp_path: Path, line: str, arguments: tuple[str, ...], code: int
) -> None:
    store = tmp_path / "state.sqlite3"
    done = run(line, *arguments, TIKTOK_STATE=f"sqlite:///{store.as_posix()}")

    assert done.returncode == code
    assert done.stderr.count("\n") <= 1
    assert "Traceback" not in done.stderr
    with contextlib.suppress(FileNotFoundError):  # no output in the database that got the descriptor's number
        assert store.read_bytes()[:15] in (b"", b"SQLite format 3")


@pytest.mark.parametrize(
    "locale",
    [
        pytest.param({"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}, id="ascii"),
        pytest.param({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, id="C", marks=pytest.mark.slow),
        pytest.param(
            {"PYTHONIOENCODING": "latin-1:strict", "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "0"},
            id="latin-1",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_output_is_utf_8_in_every_locale(locale: dict[str, str]) -> None:
    done = run("<<END\n日本\nsandbox_hostile\nEND", "get", "-", "--format", "json", **locale)

    assert [one["username"] for one in json.loads(done.stdout)] == ["日本", "sandbox_hostile"]


def test_a_disk_that_is_found_full_on_close_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def close(number: int) -> None:
        real(number)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    real = os.close
    with (tmp_path / "out").open("w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        monkeypatch.setattr(os, "close", close)
        with pytest.raises(SystemExit) as ended, owned_streams():
            click.echo("answer")
        monkeypatch.undo()

    assert ended.value.code == 1
    assert (tmp_path / "out").read_text() == "answer\n"
    assert capsys.readouterr().err == f"{FULL}\n"
