"""`get --out DIR`: a data set that survives kills, quotas and full disks, and keeps nothing it may not keep."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from kit import (
    COMMAND,
    KEY,
    SECRET,
    Asked,
    Reply,
    TikTok,
    environment,
    html,
    pinned,
    quota_spent,
    raw,
    refusal,
    running_async,
    tiktok,
    unknown_account,
    until,
    video,
    videos,
)  # fmt: skip

pytestmark = [pytest.mark.anyio, pytest.mark.processes]

FILES = ["accounts.csv", "datapackage.json", "responses.jsonl", "videos.csv"]
DAY = 86_400


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


class DataSet:
    """A folder, the upstream its answers come from, and the command that brings it up to date."""

    def __init__(self, path: Path, upstream: TikTok) -> None:
        self.path = path
        self.upstream = upstream

    def started(self, *arguments: str, **more: Any) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
        env = environment(
            TIKTOK_CLIENT_KEY=KEY,
            TIKTOK_CLIENT_SECRET=SECRET,
            TIKTOK_API_BASE_URL=self.upstream.url,
            TIKTOK_STATE="memory:",
            **more.pop("env", {}),
        )
        command = (*more.pop("command", COMMAND), "get", *arguments, "--out", str(self.path))
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return running_async(*command, env=env, **pipes, **more)

    async def run(self, *arguments: str, **more: Any) -> Ran:
        async with self.started(*arguments, **more) as process:
            out, err = await process.communicate()
        assert process.returncode is not None
        assert b"Traceback" not in err, err.decode()
        assert SECRET.encode() not in out + err
        return Ran(process.returncode, out.decode(), err.decode())

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir())

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.path / "responses.jsonl").read_text("utf-8").splitlines()]

    def rows(self, name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO((self.path / name).read_text("utf-8"), newline="")))

    @property
    def statuses(self) -> dict[str, str]:
        return {row["username"]: row["status"] for row in self.rows("accounts.csv")}

    @property
    def package(self) -> dict[str, Any]:
        return json.loads((self.path / "datapackage.json").read_bytes())

    def check(self) -> None:
        """Where there is a package, every word of it about the files is true."""
        try:
            package = self.package
        except FileNotFoundError:
            return
        for resource in package["resources"]:
            content = (self.path / resource["path"]).read_bytes()
            assert resource["bytes"] == len(content)
            assert resource["hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
            if "schema" in resource:
                columns = [field["name"] for field in resource["schema"]["fields"]]
                assert next(csv.reader([content.decode().splitlines()[0]])) == columns


@pytest.fixture
async def data(tmp_path: Path) -> AsyncIterator[DataSet]:
    async with tiktok() as upstream:
        yield DataSet(tmp_path / "pinned", upstream)


def answers(**by_name: Callable[[Asked], Reply]) -> Callable[[Asked], Reply]:
    return lambda asked: by_name.get(asked.username, pinned)(asked)


# --- what a run makes ----------------------------------------------------------------------------------------------


async def test_a_first_run_makes_four_files_that_say_the_same(data: DataSet) -> None:
    data.upstream.reply = answers(gone=unknown_account, empty=lambda _: videos([]))
    ran = await data.run("nasa", "gone", "empty")

    assert (ran.code, ran.err) == (0, "")
    assert data.files == FILES
    data.check()
    assert data.statuses == {"nasa": "found", "gone": "not_found", "empty": "nothing_pinned"}
    assert [row["videos"] for row in data.rows("accounts.csv")] == ["1", "", "0"]
    assert [(row["username"], row["id"], row["log_id"]) for row in data.rows("videos.csv")] == [
        ("nasa", "7000000000000000001", next(line["log_id"] for line in data.lines if line["username"] == "nasa"))
    ]
    assert list(data.lines[0]) == ["username", "retrieved_at", "log_id", "fields", "response"]
    assert [line["username"] for line in data.lines] == ["nasa", "gone", "empty"]
    assert data.package["accounts"] == {"found": 1, "not_found": 1, "nothing_pinned": 1}


async def test_the_tables_have_the_columns_that_are_documented(data: DataSet) -> None:
    await data.run("nasa", "--fields", "id,view_count,music_id,username")

    assert list(data.rows("videos.csv")[0]) == [
        "username", "status", "source", "retrieved_at", "log_id", "url",
        "id", "view_count", "music_id", "video_username", "engagement_rate",
    ]  # fmt: skip
    assert list(data.rows("accounts.csv")[0]) == [
        "username", "status", "reason", "videos", "retrieved_at", "source", "log_id",
    ]  # fmt: skip
    types = {field["name"]: field["type"] for field in data.package["resources"][0]["schema"]["fields"]}
    assert {types[name] for name in ("id", "music_id", "log_id")} == {"string"}
    assert (types["view_count"], types["retrieved_at"]) == ("integer", "datetime")


async def test_the_same_command_again_asks_nobody_and_touches_nothing(data: DataSet) -> None:
    await data.run("nasa", "esa")
    before = {name: (data.path / name).stat().st_mtime_ns for name in FILES}
    again = await data.run("nasa", "esa")
    without_names = await data.run()

    assert (again.code, without_names.code) == (0, 0)
    assert data.upstream.names == ["nasa", "esa"]
    assert {name: (data.path / name).stat().st_mtime_ns for name in FILES} == before


async def test_only_what_is_new_failed_or_old_is_asked_again(data: DataSet) -> None:
    data.upstream.reply = answers(odd=lambda _: refusal(400, "never_heard_of"), gone=unknown_account)
    first = await data.run("nasa", "odd", "gone")
    data.upstream.asked.clear()
    second = await data.run("nasa", "odd", "gone", "new")
    third = await data.run("--max-age", "0")

    assert (first.code, second.code) == (1, 1)
    assert "1 left (1 upstream_error): run the same command again" in first.err
    assert sorted(data.upstream.names[:2]) == ["new", "odd"]
    assert sorted(data.upstream.names[2:]) == ["gone", "nasa", "new", "odd"]
    assert third.code == 1


async def test_answers_older_than_the_age_given_are_asked_again(data: DataSet) -> None:
    await data.run("nasa", "esa")
    journal = data.path / "responses.jsonl"
    lines = journal.read_text("utf-8").splitlines()
    old = json.loads(lines[0])["retrieved_at"]
    # As if @nasa had been asked in the year before.
    lines[0] = lines[0].replace(old, f"{int(old[:4]) - 1}{old[4:]}")
    journal.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    data.upstream.asked.clear()
    ran = await data.run()

    assert ran.code == 0
    assert data.upstream.names == ["nasa"]
    assert data.lines[0]["retrieved_at"] >= old
    data.check()


async def test_a_refresh_that_fails_takes_nothing_away(data: DataSet) -> None:
    await data.run("nasa")
    data.upstream.reply = answers(nasa=lambda _: refusal(400, "never_heard_of"))
    ran = await data.run("--max-age", "0")

    assert ran.code == 1
    assert data.statuses == {"nasa": "found"}
    assert len(data.rows("videos.csv")) == 1
    data.check()


@pytest.mark.parametrize(
    "refused", [unknown_account, lambda _: refusal(400, "invalid_params", "the account is private")]
)
async def test_of_an_account_that_vanished_only_the_reason_stays(
    data: DataSet, refused: Callable[[Asked], Reply]
) -> None:
    await data.run("nasa", "esa")
    data.upstream.reply = answers(nasa=refused)
    ran = await data.run("--max-age", "0")

    everything = b"".join((data.path / name).read_bytes() for name in data.files)
    gone = next(row for row in data.rows("accounts.csv") if row["username"] == "nasa")
    assert ran.code == 0
    assert b"By nasa" not in everything
    assert b"By esa" in everything
    assert gone["status"] in ("not_found", "refused")
    assert "[invalid_params" in gone["reason"]
    assert "response" not in next(line for line in data.lines if line["username"] == "nasa")
    assert (data.files, len(data.lines), gone["videos"]) == (FILES, 2, "")
    data.check()


async def test_a_gateway_that_forbids_everything_costs_no_data(data: DataSet) -> None:
    await data.run("nasa", "esa")
    before = (data.path / "videos.csv").read_bytes()
    data.upstream.reply = lambda _: html(403)
    ran = await data.run("--max-age", "0")

    assert ran.code == 1
    assert "2 left (2 refused)" in ran.err
    assert (data.path / "videos.csv").read_bytes() == before
    data.check()


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


async def test_a_name_that_is_none_is_said_and_forgotten_once_it_is_corrected(data: DataSet) -> None:
    wrong = await data.run("nasa", "no name")
    right = await data.run("nasa", "noname")

    assert (wrong.code, right.code) == (1, 0)
    assert "no usernames: no name: correct them" in wrong.err
    assert data.statuses == {"nasa": "found", "noname": "found"}
    assert data.upstream.names == ["nasa", "noname"]


# --- what is refused before any request ----------------------------------------------------------------------------


async def test_other_fields_or_a_folder_of_something_else_are_refused_before_any_request(
    data: DataSet, tmp_path: Path
) -> None:
    await data.run("nasa")
    data.upstream.asked.clear()
    other_fields = await data.run("nasa", "esa", "--fields", "id")
    thesis = DataSet(tmp_path / "thesis", data.upstream)
    thesis.path.mkdir()
    (thesis.path / "chapter1.tex").write_text("…", "utf-8")
    foreign = await thesis.run("nasa")
    (thesis.path / "chapter1.tex").unlink()
    (thesis.path / "videos.csv").write_text("mine", "utf-8")
    table = await thesis.run("nasa")
    (thesis.path / "videos.csv").unlink()
    (thesis.path / "responses.jsonl").write_text('{"a":1}\n', "utf-8")
    lines = await thesis.run("nasa")
    (thesis.path / "responses.jsonl").write_text("precious", "utf-8")
    torn = await thesis.run("nasa")
    a_file = await DataSet(thesis.path / "responses.jsonl", data.upstream).run("nasa")

    assert [ran.code for ran in (other_fields, foreign, table, lines, torn, a_file)] == [2] * 6
    assert "view_count" in other_fields.err
    assert "chapter1.tex" in foreign.err
    assert (thesis.path / "responses.jsonl").read_text("utf-8") == "precious"
    assert thesis.files == ["responses.jsonl"]
    assert data.upstream.names == []


async def test_invented_answers_and_tiktoks_never_share_a_data_set(data: DataSet) -> None:
    await data.run("nasa", "--sandbox")
    data.upstream.asked.clear()
    real = await data.run("esa")
    invented = await data.run("esa", "--sandbox")
    other = DataSet(data.path.with_name("real"), data.upstream)
    await other.run("nasa")
    mixed = await other.run("esa", "--sandbox")

    assert (real.code, invented.code, mixed.code) == (2, 0, 2)
    assert "sandbox" in real.err
    assert data.upstream.names == ["nasa"]
    assert {row["source"] for row in data.rows("accounts.csv")} == {"sandbox"}
    assert other.statuses == {"nasa": "found"}


async def test_of_two_runs_at_once_the_second_ends_with_2(data: DataSet) -> None:
    data.upstream.latency = 60
    async with data.started("nasa", env={"TIKTOK_TIMEOUT": "120"}):
        await data.upstream.first.wait()
        second = await data.run("esa")
    data.upstream.latency = 0
    third = await data.run("nasa")

    assert second.code == 2
    assert "another run is at work" in second.err
    assert third.code == 0
    assert data.upstream.names == ["nasa", "nasa"]
    assert data.files == FILES


@pytest.mark.parametrize("arguments", [("--max-age", "2 weeks"), ("--max-age", "14"), ("--format", "csv"), ()])
async def test_what_cannot_be_meant_ends_with_2_and_one_line(data: DataSet, arguments: tuple[str, ...]) -> None:
    ran = await data.run(*arguments, *(("nasa",) if arguments else ()))

    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert not data.path.exists()


# --- ends that nobody wished for -----------------------------------------------------------------------------------


async def test_a_list_longer_than_the_quota_is_finished_by_the_same_line_on_later_days(data: DataSet) -> None:
    names = [f"user{number}" for number in range(7)]
    days = [await data.run(*names, env={"TIKTOK_DAILY_QUOTA": "3"}) for _ in range(3)]

    assert [ran.code for ran in days] == [1, 1, 0]
    assert "4 left (4 quota_exceeded): the daily quota ended; run the same command after 00:00 UTC" in days[0].err
    assert sorted(data.upstream.names) == names
    assert [line["username"] for line in data.lines] == names
    data.check()


async def test_tiktoks_own_end_of_the_quota_is_no_reason_to_ask_for_the_others(data: DataSet) -> None:
    names = [f"user{number}" for number in range(30)]
    data.upstream.reply = lambda asked: quota_spent() if asked.number > 5 else pinned(asked)
    first = await data.run(*names, env={"TIKTOK_MAX_CONCURRENCY": "1"})
    asked = len(data.upstream.asked)
    data.upstream.reply = pinned
    second = await data.run()

    assert (first.code, asked) == (1, 6)
    assert second.code == 0
    assert len(data.upstream.asked) == asked + 25
    assert set(data.statuses) == set(names)


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
    known = 0
    for _ in range(20):
        # Counted in requests, not in seconds: the same on every machine.
        await killed_after(data, luck.randrange(1, 26), "--from", str(names), later=luck.random() / 20)
        data.check()
        lines = (data.path / "responses.jsonl").read_bytes().count(b"\n") if data.path.exists() else 0
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
    data.upstream.reply = answers(user7=unknown_account)
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


# --- read by others ------------------------------------------------------------------------------------------------


def _hard(asked: Asked) -> Reply:
    """What other readers stumble over: large ids, formulas, quotes, the word for a missing value."""
    text = '=SUM(1)"\u2028,;\tNA'
    return videos([
        video(asked, id=2**63 - 1, music_id=9_007_199_254_740_993, video_description=text, view_count=0),
        {"id": 7_298_740_294_892_660_705, "video_description": "NA", "hashtag_names": ["two words", "null"]},
    ])  # fmt: skip


EVERY_FIELD = (
    "id,create_time,username,region_code,video_description,music_id,like_count,comment_count,share_count,view_count,"
    "favorites_count,hashtag_names,hashtag_info_list,video_mention_list,video_label,video_duration,is_stem_verified,"
    "sticker_info_list,effect_info_list,video_tag"
)


async def test_frictionless_finds_nothing_wrong(data: DataSet) -> None:
    frictionless = pytest.importorskip("frictionless", reason="uv sync --group data")
    data.upstream.reply = answers(hard=_hard, gone=unknown_account, empty=lambda _: videos([]))
    await data.run("nasa", "hard", "gone", "empty", "no name", "--fields", EVERY_FIELD)
    report = await asyncio.to_thread(frictionless.validate, str(data.path / "datapackage.json"))

    assert report.flatten(["type", "message"]) == []
    assert report.valid
    assert len(report.tasks) == 3


async def test_pandas_and_duckdb_read_every_digit_by_the_schema(data: DataSet) -> None:
    pandas = pytest.importorskip("pandas", reason="uv sync --group data")
    data.upstream.reply = _hard
    await data.run("hard", "--fields", EVERY_FIELD)
    kinds = {"string": "string", "datetime": "string", "integer": "Int64", "number": "Float64", "boolean": "boolean"}
    schema = data.package["resources"][0]["schema"]["fields"]
    table = pandas.read_csv(
        data.path / "videos.csv",
        dtype={field["name"]: kinds[field["type"]] for field in schema},
        keep_default_na=False,
        na_values=[""],
    )
    duckdb = pytest.importorskip("duckdb", reason="uv sync --group data")
    ids = duckdb.sql(f"SELECT id FROM read_csv('{data.path / 'videos.csv'}', all_varchar=true)").fetchall()

    assert list(table["id"]) == ["9223372036854775807", "7298740294892660705"]
    assert table["music_id"][0] == "9007199254740993"
    assert table["view_count"][0] == 0
    assert pandas.isna(table["view_count"][1])
    assert list(table["video_description"])[1] == "NA"
    assert table["video_description"][0].startswith("'=SUM(1)")
    assert [row[0] for row in ids] == list(table["id"])


async def test_a_body_of_any_encoding_is_kept_and_read(data: DataSet) -> None:
    body = {"data": {"pinned_videos_list": [{"id": 5, "video_description": "日本"}]}, "error": {"code": "ok"}}
    data.upstream.reply = lambda _: raw(json.dumps(body, indent=1, ensure_ascii=False).encode("utf-16"))
    ran = await data.run("nasa")

    assert ran.code == 0
    assert data.lines[0]["response"] == body
    assert data.rows("videos.csv")[0]["video_description"] == "日本"
