"""Runs of `get --out DIR` that end early: signals, kills, full disks, and files that somebody has changed."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from dataclasses import replace

import pytest

from kit import FILES, DataSet, by_name, pinned, unknown_account, until

pytestmark = [pytest.mark.anyio, pytest.mark.processes]

# --- signals ---------------------------------------------------------------------------------------------------------

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


def deaf_to_signals() -> None:
    """As a shell starts what a script runs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_run_keeps_what_was_answered_and_describes_it(
    data: DataSet, number: signal.Signals
) -> None:
    names = [f"user{number}" for number in range(40)]
    # After six answers there are no more: the run cannot come to its end by itself.
    data.upstream.reply = lambda asked: replace(pinned(asked), delay=60 if asked.number > 6 else 0)
    two_at_once = {"TIKTOK_MAX_CONCURRENCY": "2"}
    async with data.started(*names, env=two_at_once, preexec_fn=deaf_to_signals) as process:
        done = asyncio.ensure_future(process.communicate())
        journal = data.path / "responses.jsonl"
        await until(lambda: done.done() or (journal.exists() and journal.read_bytes().count(b"\n") == 6))
        process.send_signal(number)
        _, err = await done
    files, known = data.files, data.lines
    data.check()
    data.upstream.reply = pinned
    rest = await data.run(*names)

    assert (process.returncode, files, len(known)) == (130, FILES, 6)
    assert err.decode() == (
        f"{data.path}: 40 accounts (6 found); 34 left (34 not answered): run the same command again.\n"
    )
    assert rest.code == 0
    assert 40 <= len(data.upstream.asked) <= 40 + 2
    assert len(data.lines) == 40


SIGNALLED = """
import atexit, signal, sys
from tiktok_pinned_videos.__main__ import main

def at_event(name, number):
    came = []
    def seen(event, arguments):
        if event == name and not came:
            came.append(event)
            signal.raise_signal(number)
    sys.addaudithook(seen)

"""
"""Before `main()`: has the process signal itself once, when it does something to a file."""


@POSIX
@pytest.mark.parametrize(
    "when",
    [
        # While the tables are written, and while the interpreter takes itself apart.
        "at_event('os.rename', signal.SIGINT)",
        "atexit.register(signal.raise_signal, signal.SIGTERM)",
    ],
)
async def test_a_signal_after_the_last_answer_leaves_everything_whole_and_says_no_more_than_usual(
    data: DataSet, when: str
) -> None:
    ran = await data.run("nasa", "esa", command=(sys.executable, "-c", f"{SIGNALLED}{when}; main()"))

    assert (ran.code, ran.err) == (130, "")
    assert ran.out.endswith("2 accounts (2 found); all answered and fresh, 2 asked now.\n")
    assert data.files == FILES
    data.check()


# --- kills and full disks --------------------------------------------------------------------------------------------


async def killed_after(data: DataSet, requests: int, *arguments: str, later: float = 0) -> None:
    """A run that is killed `later` seconds after so many requests have arrived, if it has not come to its end."""
    wanted = len(data.upstream.asked) + requests
    async with data.started(*arguments) as process:
        done = asyncio.ensure_future(process.communicate())
        while not done.done() and len(data.upstream.asked) < wanted:
            await asyncio.wait([done], timeout=0.005)
        await asyncio.wait([done], timeout=later)
        if not done.done():
            process.kill()
        await done


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
async def test_twenty_kills_over_300_accounts_cost_no_more_than_what_was_on_its_way(data: DataSet) -> None:
    names = data.path.with_name("names.txt")
    names.write_text("username\n" + "".join(f"user{number} # of 300\n" for number in range(300)), "utf-8")
    data.upstream.latency = 0.02
    luck = random.Random(14)
    known, journal = 0, data.path / "responses.jsonl"
    for _ in range(20):
        # Counted in requests, not in seconds: the same on every machine.
        await killed_after(data, luck.randrange(1, 26), "--from", str(names), later=luck.random() / 20)
        data.check()
        lines = journal.read_bytes().count(b"\n") if journal.exists() else 0
        assert lines >= known
        known = lines
    last = await data.run("--from", str(names))

    assert last.code == 0, last.err
    assert 100 < known < 300
    assert data.files == FILES
    assert data.statuses == {f"user{number}": "found" for number in range(300)}
    assert len(data.lines) == 300
    assert 300 <= len(data.upstream.asked) <= 300 + 8 * 20
    data.check()


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
async def test_a_kill_while_the_files_are_written_leaves_none_that_is_untrue(data: DataSet) -> None:
    names = [f"user{number}" for number in range(60)]
    await data.run(*names)
    data.upstream.reply = by_name(user7=unknown_account)
    luck = random.Random(15)
    seen: set[tuple[str, ...]] = set()
    for _ in range(20):
        await killed_after(data, 60, *names, "--max-age", "0", later=luck.random() / 10)
        data.check()
        seen.add(tuple(data.files))
    last = await data.run(*names)

    assert last.code == 0, last.err
    assert any("datapackage.json" not in files for files in seen)
    assert data.files == FILES
    assert data.statuses["user7"] == "not_found"
    assert b"By user7" not in b"".join((data.path / name).read_bytes() for name in FILES)
    data.check()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
@pytest.mark.parametrize("room", [700, 5_000, 9_000])
async def test_a_full_disk_ends_a_run_and_the_next_one_goes_on(data: DataSet, room: int) -> None:
    import resource

    names = [f"user{number}" for number in range(20)]

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    full = await data.run(*names, preexec_fn=little_room)
    left_over = data.files
    known = len(data.lines)
    asked = len(data.upstream.asked)
    data.check()
    rest = await data.run(*names)

    assert full.code == 1
    assert "make room, then run the same command again" in full.err
    assert [name for name in left_over if name.startswith(".")] == []
    assert rest.code == 0
    assert len(data.upstream.asked) == asked + 20 - known
    assert asked - known <= 8
    assert (data.files, len(data.lines)) == (FILES, 20)
    data.check()


async def test_a_line_that_a_kill_cut_off_is_cut_away_and_asked_again(data: DataSet) -> None:
    await data.run("nasa", "esa")
    journal = data.path / "responses.jsonl"
    journal.write_bytes(journal.read_bytes()[:-40])
    (data.path / ".videos.csv.unfinished").write_bytes(b"half")
    data.upstream.asked.clear()
    ran = await data.run("nasa", "esa")

    assert ran.code == 0
    assert data.upstream.names == ["esa"]
    assert (data.files, [line["username"] for line in data.lines]) == (FILES, ["nasa", "esa"])
    data.check()


# --- files that are put in place -------------------------------------------------------------------------------------


async def test_tables_that_somebody_changed_are_derived_anew(data: DataSet) -> None:
    await data.run("nasa")
    table = data.path / "videos.csv"
    true = table.read_bytes()
    table.write_bytes(true.replace(b"7000000000000000001", b"7000000000000000000"))
    ran = await data.run()

    assert ran.code == 0
    assert table.read_bytes() == true
    data.check()


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
"""Says of each file that is put in place whether there is a package then."""


async def test_there_is_no_package_while_a_table_is_put_in_its_place(data: DataSet) -> None:
    await data.run("nasa")
    (data.path / "videos.csv").write_bytes(b"mine")
    derived = await data.run(command=(sys.executable, "-c", WATCHED))
    asked = await data.run("esa", "--max-age", "0", command=(sys.executable, "-c", WATCHED))

    assert derived.err == "videos.csv False\n"
    assert asked.err == "responses.jsonl False\nvideos.csv False\naccounts.csv False\n"
    data.check()
