"""Runs of `get --out DIR` that end early, and file systems that cannot do everything."""

from __future__ import annotations

import asyncio
import errno
import os
import random
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


NAMES = [f"user{number}" for number in range(40)]
TWO_AT_ONCE = {"TIKTOK_MAX_CONCURRENCY": "2"}


@asynccontextmanager
async def started(data: DataSet, *arguments: str, **how: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command in a process of its own."""
    command = (*how.pop("command", COMMAND), *data.command(*arguments))
    env = cli.there(data.upstream.wire, **how.pop("env", {}))
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    async with running_async(*command, env=env, **pipes, **how) as process:
        yield process


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    """Status and stderr, without a traceback."""
    _, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return process.returncode, err.decode()


async def finish(data: DataSet, names: list[str]) -> int:
    """Run the same command again, which completes the data set. Return how many requests it sent."""
    requests = len(data.upstream.asked)
    data.upstream.reply = pinned
    ran = await data.run(*names)
    data.check()
    assert (ran.code, data.files) == (0, FILES)
    assert data.statuses == dict.fromkeys(names, "found")
    return len(data.upstream.asked) - requests


# --- signals ---------------------------------------------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
async def test_an_interrupted_run_keeps_answers_that_were_requested_and_describes_them(
    data: DataSet, number: signal.Signals
) -> None:
    # Six answers at once, then two requests that take a second: they are answered after the signal.
    data.upstream.reply = lambda asked: replace(pinned(asked), delay=1 if asked.number > 6 else 0)
    ignoring = ("sh", "-c", 'trap "" INT; exec "$@"', "sh", *COMMAND)  # as shells start background processes
    async with started(data, *NAMES, env=TWO_AT_ONCE, command=ignoring) as process:
        await until(lambda: len(data.upstream.asked) == 8)
        process.send_signal(number)
        code, err = await ended(process)
    data.check()

    assert (code, data.files, len(data.lines)) == (130, FILES, 8)
    assert err == (
        f"{data.path}: 40 accounts (8 found); 32 accounts are left (32 not answered): run the same command again.\n"
    )
    assert await finish(data, NAMES) == 32


async def test_of_two_runs_at_once_the_second_ends_with_2(data: DataSet) -> None:
    data.upstream.latency = 60
    async with started(data, "nasa", env={"TIKTOK_TIMEOUT": "120"}) as first:
        await data.upstream.first.wait()
        second = await data.run("esa")
        first.kill()
        await first.wait()
    data.upstream.latency = 0

    assert second.code == 2
    assert "another run is using this folder" in second.err
    assert await finish(data, ["nasa"]) == 1


# --- kills -----------------------------------------------------------------------------------------------------------


async def killed_after(data: DataSet, requests: int, *arguments: str, later: float) -> None:
    """A run that is killed `later` seconds after so many requests have arrived, unless it has ended.

    Its package, if there is one, is valid.
    """
    wanted = len(data.upstream.asked) + requests
    async with started(data, *arguments) as process:
        done = asyncio.ensure_future(process.communicate())
        while not done.done() and len(data.upstream.asked) < wanted:
            await asyncio.wait([done], timeout=0.005)
        await asyncio.wait([done], timeout=later)
        if not done.done():
            process.kill()
        await done
    data.check()
    if data.path.exists() and "datapackage.json" in data.files:
        assert await data.faults() == []


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize(
    ("kills", "accounts"), [(2, 60), pytest.param(50, 700, marks=[pytest.mark.soak, pytest.mark.timeout(900)])]
)
async def test_a_kill_repeats_only_requests_that_were_in_flight(data: DataSet, kills: int, accounts: int) -> None:
    file, names = data.path.with_name("names.txt"), [f"user{number}" for number in range(accounts)]
    file.write_text("username\n" + "".join(f"{name} # a comment\n" for name in names), "utf-8")
    data.upstream.latency = 0.02
    chance, known = random.Random(14), 0
    for _ in range(kills):
        await killed_after(data, chance.randrange(1, 26), "--from", str(file), later=chance.random() / 20)
        lines = data.journal.read_bytes().count(b"\n") if data.journal.exists() else 0
        assert lines >= known
        known = lines
    await finish(data, names)

    assert await data.faults() == []
    assert accounts <= len(data.upstream.asked) <= accounts + 8 * kills


@POSIX
@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_a_kill_while_files_are_written_leaves_no_untrue_package(data: DataSet) -> None:
    names = [f"user{number}" for number in range(60)]
    await finish(data, names)
    data.upstream.reply = by_name(user7=unknown_account)
    chance = random.Random(15)
    seen: set[tuple[str, ...]] = set()
    for _ in range(30):
        await killed_after(data, 60, *names, "--max-age", "0", later=chance.random() / 10)
        seen.add(tuple(data.files))
    last = await data.run(*names)

    assert any("datapackage.json" not in files for files in seen)
    assert (last.code, data.files, data.statuses["user7"]) == (0, FILES, "not_found")
    assert b"By user7" not in b"".join((data.path / name).read_bytes() for name in FILES)
    assert await data.faults() == []


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
        _, err = await ended(process)

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
@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP])
async def test_a_file_system_without_locks_or_syncs_of_folders_works_with_one_notice_each(
    data: DataSet, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    import fcntl

    monkeypatch.setattr(os, "fsync", failing(os.fsync, number, folders=True))
    monkeypatch.setattr(fcntl, "flock", failing(fcntl.flock, number, folders=False))
    ran = await data.run("nasa", "esa")

    assert (ran.code, data.files) == (0, FILES)
    notices = [line.partition(f"Note: the file system of {data.path} cannot ")[2] for line in ran.err.splitlines()]
    assert [notice.partition(":")[0] for notice in notices] == ["lock files", "confirm that data is on the disk"]


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
    data.upstream.reply = lambda asked: videos([video(asked, video_description="x" * 30_000)])
    limited = ("sh", "-c", 'ulimit -f 586 && exec "$@"', "sh", *COMMAND)  # files of at most 300,032 bytes
    async with started(data, *NAMES, env=TWO_AT_ONCE, command=limited) as process:
        code, err = await ended(process)
    data.check()
    requests = len(data.upstream.asked)

    assert (code, err.count("\n"), len(data.lines)) == (1, 1, 9)
    assert err.endswith("Earlier answers are kept. Fix the cause, then run the same command again.\n")
    assert 9 < requests <= 13
    assert [name for name in data.files if name.startswith(".")] == []
    assert await finish(data, NAMES) == 40 - 9
