"""Output is complete or the exit status is not 0, whatever the standard streams are."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import click
import pytest

from kit.processes import COMMAND, environment
from tiktok_pinned_videos.commands.streams import owned_streams

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs /dev/full, pipes and terminals of POSIX")

NAMES = ("sandbox_hostile", "sandbox_missing", "nasa")
FULL = "Cannot write to standard output: No space left on device. The output is not complete."
COMMANDS = {
    **{f"get {form}": ("get", *NAMES, "--format", form) for form in ("table", "text", "json", "csv", "raw", "html")},
    **{f"compare {form}": ("compare", *NAMES, "--format", form) for form in ("table", "csv")},
    "doctor": ("doctor", "--offline"),
    "help": ("get", "--help"),
}
_CHANGING = re.compile(r"20\d{6}[0-9A-F]{8,}|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:Z|\+00:00)?|\d+\.\d+ ms")


def run_all(*kinds: str, commands: tuple[str, ...] = tuple(COMMANDS)) -> list[dict[str, dict[str, str | int]]]:
    """These commands with each of these kinds of stdout."""
    wanted = [{"arguments": [*COMMANDS[name]], "stdout": kind} for kind in kinds for name in commands]
    done = subprocess.run(
        [sys.executable, "-m", "kit.forking"],
        input="\n".join(map(json.dumps, wanted)),
        env=environment(TIKTOK_SANDBOX="1", PYTHONPATH=str(Path(__file__).parents[1]), COLUMNS="100"),
        capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    results = map(json.loads, done.stdout.splitlines())
    return [{name: next(results) for name in commands} for _ in kinds]


def run(line: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command in a shell, which opens or closes the streams that `line` says."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {line}', "sh", *COMMAND, *arguments],
        env=environment(TIKTOK_SANDBOX="1", **env), capture_output=True, encoding="utf-8", check=False, timeout=60,
    )  # fmt: skip


def test_a_full_disk_is_one_line_on_stderr_and_exit_1() -> None:
    (results,) = run_all("full")
    last = {name: str(said["err"]).splitlines()[-1:] for name, said in results.items()}

    assert {said["code"] for said in results.values()} == {1}
    assert [name for name, line in last.items() if line != [FULL]] == []
    assert [name for name, said in results.items() if len(str(said["err"]).splitlines()) > 3] == []


def test_a_reader_that_leaves_ends_every_command_with_1_and_no_message() -> None:
    (results,) = run_all("leaves", commands=("get json", "get html", "compare table", "help"))

    assert {said["code"] for said in results.values()} == {1}
    assert "standard output" not in str(results)
    assert "Traceback" not in str(results)


def test_a_pipe_in_nonblocking_mode_gets_everything() -> None:
    larger_than_a_pipe = ("get json", "get csv", "get html")
    expected, results = run_all("pipe", "nonblocking", commands=larger_than_a_pipe)

    assert {name: said["code"] for name, said in results.items()} == {
        name: said["code"] for name, said in expected.items()
    }
    assert len(str(results["get html"]["out"])) > 20_000
    for name, said in results.items():
        assert _CHANGING.sub("", str(said["out"])) == _CHANGING.sub("", str(expected[name]["out"])), name


@pytest.mark.parametrize(
    ("line", "arguments", "code"),
    [
        (">&-", ("get", "nasa"), 1),
        pytest.param(">&- 2>&-", ("compare", "nasa", "esa"), 1, marks=pytest.mark.slow),
        pytest.param("<&-", ("get", "nasa"), 0, marks=pytest.mark.slow),
        ("<&-", ("get", "-"), 2),
        pytest.param(">&-", ("--help",), 1, marks=pytest.mark.slow),
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


def test_a_terminal_of_zero_columns_gets_the_whole_table() -> None:
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
    env = environment(TIKTOK_SANDBOX="1", TERM="xterm-256color", COLUMNS="0")
    with subprocess.Popen([*COMMAND, "get", "nasa"], stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):
            while part := os.read(ours, 65_536):
                shown += part
    os.close(ours)

    assert process.returncode == 0
    assert b"41,872,310" in shown
    assert b"https://www.tiktok.com/@nasa/video/" in shown


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
