"""Runs of `get --out DIR` that end early, and file systems that cannot do everything."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit import cli
from kit.dataset import FILES, DataSet
from kit.processes import COMMAND, running_async
from kit.programs import until
from kit.tiktok import by_name, pinned, unknown_account, video
from kit.upstream import videos

pytestmark = pytest.mark.anyio
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="uses signals, limits and calls of POSIX")


@asynccontextmanager
async def started(data: DataSet, *arguments: str, **how: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command in a process of its own."""
    command = (*how.pop("command", COMMAND), *data.command(*arguments))
    env = cli.there(data.upstream.wire, **how.pop("env", {}))
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    async with running_async(*command, env=env, **pipes, **how) as process:
        yield process


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    """Status, stdout and stderr, without a traceback."""
    out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return process.returncode, out.decode(), err.decode()


# --- signals ---------------------------------------------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_run_keeps_answers_that_were_requested_and_describes_them(
    data: DataSet, number: signal.Signals
) -> None:
    # Six answers at once, then two requests that take a second: they are answered after the signal.
    names = [f"user{number}" for number in range(40)]
    data.upstream.reply = lambda asked: replace(pinned(asked), delay=1 if asked.number > 6 else 0)
    ignored = lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)  # noqa: E731 - as shells start background processes
    async with started(data, *names, env={"TIKTOK_MAX_CONCURRENCY": "2"}, preexec_fn=ignored) as process:
        await until(lambda: len(data.upstream.asked) == 8)
        process.send_signal(number)
        code, _, err = await ended(process)
    data.check()
    known, files = len(data.lines), data.files
    data.upstream.reply = pinned
    rest = await data.run(*names)

    assert (code, files, known) == (130, FILES, 8)
    assert err == (
        f"{data.path}: 40 accounts (8 found); 32 accounts are left (32 not answered): run the same command again.\n"
    )
    assert (rest.code, len(data.upstream.asked), len(data.lines)) == (0, 40, 40)


SIGNALLED = """
import signal, sys
from tiktok_pinned_videos.__main__ import main

came = []
def seen(event, arguments):
    if event == "os.rename" and not came:
        came.append(event)
        signal.raise_signal(signal.SIGINT)
sys.addaudithook(seen)
main()
"""
"""The command, with a signal while it writes the tables."""


@POSIX
async def test_a_signal_while_the_tables_are_written_waits_for_them(data: DataSet) -> None:
    async with started(data, "nasa", "esa", command=(sys.executable, "-c", SIGNALLED)) as process:
        code, out, err = await ended(process)

    assert (code, err, data.files) == (130, "", FILES)
    assert out.endswith("2 accounts (2 found); all answered and fresh, 2 requested now.\n")
    data.check()


async def test_of_two_runs_at_once_the_second_ends_with_2(data: DataSet) -> None:
    data.upstream.latency = 60
    async with started(data, "nasa", env={"TIKTOK_TIMEOUT": "120"}) as first:
        await data.upstream.first.wait()
        second = await data.run("esa")
        first.kill()
        await first.wait()
    data.upstream.latency = 0
    third = await data.run("nasa")

    assert (second.code, third.code, data.upstream.names) == (2, 0, ["nasa", "nasa"])
    assert "another run is using this folder" in second.err
    assert data.files == FILES


# --- kills -----------------------------------------------------------------------------------------------------------


async def killed_after(data: DataSet, requests: int, *arguments: str, later: float = 0) -> None:
    """A run that is killed `later` seconds after so many requests have arrived, unless it has ended."""
    wanted = len(data.upstream.asked) + requests
    async with started(data, *arguments) as process:
        done = asyncio.ensure_future(process.communicate())
        while not done.done() and len(data.upstream.asked) < wanted:
            await asyncio.wait([done], timeout=0.005)
        await asyncio.wait([done], timeout=later)
        if not done.done():
            process.kill()
        await done


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize(
    ("kills", "accounts"), [(2, 60), pytest.param(50, 700, marks=[pytest.mark.soak, pytest.mark.timeout(900)])]
)
async def test_a_kill_repeats_only_requests_that_were_in_flight(data: DataSet, kills: int, accounts: int) -> None:
    names = data.path.with_name("names.txt")
    names.write_text("username\n" + "".join(f"user{number} # a comment\n" for number in range(accounts)), "utf-8")
    data.upstream.latency = 0.02
    chance, known = random.Random(14), 0
    for _ in range(kills):
        await killed_after(data, chance.randrange(1, 26), "--from", str(names), later=chance.random() / 20)
        data.check()
        lines = data.journal.read_bytes().count(b"\n") if data.journal.exists() else 0
        assert lines >= known
        known = lines
    last = await data.run("--from", str(names))

    assert (last.code, data.files) == (0, FILES)
    assert data.statuses == {f"user{number}": "found" for number in range(accounts)}
    assert accounts <= len(data.upstream.asked) <= accounts + 8 * kills
    data.check()


@POSIX
@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_a_kill_while_files_are_written_leaves_no_untrue_package(data: DataSet) -> None:
    names = [f"user{number}" for number in range(60)]
    await data.run(*names)
    data.upstream.reply = by_name(user7=unknown_account)
    chance = random.Random(15)
    seen: set[tuple[str, ...]] = set()
    for _ in range(30):
        await killed_after(data, 60, *names, "--max-age", "0", later=chance.random() / 10)
        data.check()
        seen.add(tuple(data.files))
    last = await data.run(*names)

    assert any("datapackage.json" not in files for files in seen)
    assert (last.code, data.files, data.statuses["user7"]) == (0, FILES, "not_found")
    assert b"By user7" not in b"".join((data.path / name).read_bytes() for name in FILES)


WATCHED = """
import sys
from pathlib import Path
from tiktok_pinned_videos.__main__ import main

def seen(event, arguments):
    if event == "os.rename" and not str(arguments[1]).endswith("datapackage.json"):
        print(Path(arguments[1]).name, Path(arguments[1]).with_name("datapackage.json").exists(), file=sys.stderr)

sys.addaudithook(seen)
main()
"""
"""The command, which says of each file that is replaced whether there is a package then."""


async def test_there_is_no_package_while_a_file_is_replaced(data: DataSet) -> None:
    await data.run("nasa")
    async with started(data, "esa", "--max-age", "0", command=(sys.executable, "-c", WATCHED)) as process:
        _, _, err = await ended(process)

    assert err == "responses.jsonl False\nvideos.csv False\naccounts.csv False\n"
    data.check()


# --- file systems ----------------------------------------------------------------------------------------------------


def failing(function: Callable[..., Any], number: int, *, folders: bool) -> Callable[..., Any]:
    """The function of the operating system, with an error for folders or for files."""

    def call(handle: int, *arguments: Any) -> Any:
        if Path(f"/dev/fd/{handle}").is_dir() == folders:
            raise OSError(number, os.strerror(number))
        return function(handle, *arguments)

    return call


@POSIX
@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EACCES])
async def test_a_file_system_that_cannot_sync_folders_works_with_one_notice(
    data: DataSet, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "fsync", failing(os.fsync, number, folders=True))
    ran = await data.run("nasa", "esa")

    assert (ran.code, data.files) == (0, FILES)
    assert re.fullmatch(r"Note: the file system of \S+ cannot confirm that data is on the disk: .*\n", ran.err)


@POSIX
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
async def test_a_file_system_without_locks_works_with_one_notice(
    data: DataSet, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    import fcntl

    monkeypatch.setattr(fcntl, "flock", failing(fcntl.flock, number, folders=False))
    ran = await data.run("nasa", "esa")

    assert (ran.code, data.files) == (0, FILES)
    assert re.fullmatch(r"Note: the file system of \S+ cannot lock files: .*\n", ran.err)


@POSIX
async def test_a_disk_that_is_full_is_found_before_any_request(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    await data.run("nasa")
    monkeypatch.setattr(os, "fsync", failing(os.fsync, errno.ENOSPC, folders=False))
    ran = await data.run("nasa", "esa")

    assert ran.code == 2
    assert ran.err.endswith(": No space left on device. Nothing was requested. Choose a folder that can be written.\n")
    assert (data.upstream.names, data.files, data.statuses) == (["nasa"], FILES, {"nasa": "found"})


async def test_a_file_in_the_way_is_found_before_any_request(data: DataSet) -> None:
    await data.run("nasa")
    (data.path / "videos.csv").unlink()
    (data.path / "videos.csv").mkdir()
    ran = await data.run("esa")
    data.path.with_name("file").touch()
    file = await DataSet(data.path.with_name("file"), data.upstream).run("nasa")

    assert (ran.code, file.code, data.upstream.names) == (2, 2, ["nasa"])
    assert ran.err.endswith(" (videos.csv). Nothing was requested. Choose a folder that can be written.\n")
    assert file.err.endswith(": this is a file. Choose a folder.\n")


@POSIX
async def test_after_the_first_failed_write_nothing_more_is_requested(data: DataSet) -> None:
    import resource

    data.upstream.reply = lambda asked: videos([video(asked, video_description="x" * 30_000)])
    names = [f"user{number}" for number in range(40)]
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # noqa: E731
    async with started(data, *names, env={"TIKTOK_MAX_CONCURRENCY": "2"}, preexec_fn=limit) as process:
        code, _, err = await ended(process)
    known, requests, files = len(data.lines), len(data.upstream.asked), data.files
    data.check()
    rest = await data.run(*names)

    assert (code, err.count("\n")) == (1, 1)
    assert err.endswith("The answers before it are kept. Make space, then run the same command again.\n")
    assert known == 9
    assert known < requests <= known + 4
    assert [name for name in files if name.startswith(".")] == []
    assert (rest.code, len(data.upstream.asked), len(data.lines)) == (0, requests + 40 - known, 40)
