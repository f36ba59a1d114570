"""`get --out DIR`: what a run makes, whom it asks again, what it keeps of them, and what it refuses before it asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kit import FILES, Asked, DataSet, Reply, by_name, html, pinned, quota_spent, refusal, unknown_account, videos

pytestmark = [pytest.mark.anyio, pytest.mark.processes]

# --- what a run makes ------------------------------------------------------------------------------------------------


async def test_a_first_run_makes_four_files_that_say_the_same(data: DataSet) -> None:
    data.upstream.reply = by_name(gone=unknown_account, empty=lambda _: videos([]))
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


async def test_a_name_that_is_none_is_said_and_forgotten_once_it_is_corrected(data: DataSet) -> None:
    wrong = await data.run("nasa", "no name")
    right = await data.run("nasa", "noname")

    assert (wrong.code, right.code) == (1, 0)
    assert "no usernames: no name: correct them" in wrong.err
    assert data.statuses == {"nasa": "found", "noname": "found"}
    assert data.upstream.names == ["nasa", "noname"]


# --- whom another run asks -------------------------------------------------------------------------------------------


async def test_the_same_command_again_asks_nobody_and_touches_nothing(data: DataSet) -> None:
    await data.run("nasa", "esa")
    before = {name: (data.path / name).stat().st_mtime_ns for name in FILES}
    again = await data.run("nasa", "esa")
    without_names = await data.run()

    assert (again.code, without_names.code) == (0, 0)
    assert data.upstream.names == ["nasa", "esa"]
    assert {name: (data.path / name).stat().st_mtime_ns for name in FILES} == before


async def test_only_what_is_new_failed_or_old_is_asked_again(data: DataSet) -> None:
    data.upstream.reply = by_name(odd=lambda _: refusal(400, "never_heard_of"), gone=unknown_account)
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
    data.upstream.reply = by_name(nasa=lambda _: refusal(400, "never_heard_of"))
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
    data.upstream.reply = by_name(nasa=refused)
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


# --- what is refused before any request ------------------------------------------------------------------------------


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
