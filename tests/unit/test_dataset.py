"""`get --out DIR`: what a run writes, which accounts it requests again, and what it refuses before any request."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

import pytest

from kit.dataset import FILES, DataSet
from kit.tiktok import Asked, by_name, pinned, quota_spent, unknown_account, video
from kit.upstream import Reply, html, raw, refusal, videos
from tiktok_pinned_videos.presentation.times import iso

pytestmark = pytest.mark.anyio


def private(_: Asked) -> Reply:
    return refusal(400, "invalid_params", "the account is private")


def odd(_: Asked) -> Reply:
    return refusal(400, "never_heard_of")


def dated(data: DataSet, moment: str, *usernames: str) -> None:
    """Write another time of retrieval into the journal's lines about these accounts."""
    lines = data.journal.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if json.loads(line)["username"] in usernames:
            lines[number] = re.sub(r'"retrieved_at":"[^"]*"', f'"retrieved_at":"{moment}"', line)
    data.journal.write_text("".join(f"{line}\n" for line in lines), "utf-8")


# --- what a run writes -----------------------------------------------------------------------------------------------


async def test_a_first_run_writes_four_files_that_agree(data: DataSet) -> None:
    data.upstream.reply = by_name(gone=unknown_account, empty=lambda _: videos([]))
    ran = await data.run("nasa", "gone", "empty", TIKTOK_MAX_CONCURRENCY="1")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"{data.path}: 3 accounts (1 found, 1 not_found, 1 nothing_pinned); all answered and fresh, 3 requested now.\n"
    )
    assert data.files == FILES
    data.check()
    assert data.statuses == {"nasa": "found", "gone": "not_found", "empty": "nothing_pinned"}
    assert [row["videos"] for row in data.rows("accounts.csv")] == ["1", "", "0"]
    assert [list(line) for line in data.lines] == [
        ["username", "retrieved_at", "log_id", "fields", "response"],
        ["username", "status", "reason", "retrieved_at", "code", "source", "log_id", "response"],
        ["username", "retrieved_at", "log_id", "fields", "response"],
    ]
    (row,) = data.rows("videos.csv")
    assert (row["username"], row["id"], row["log_id"]) == ("nasa", "7000000000000000001", data.lines[0]["log_id"])


async def test_the_package_describes_columns_accounts_and_times(data: DataSet) -> None:
    await data.run("nasa", "no name", "--fields", "id,view_count,music_id,username")

    assert list(data.rows("videos.csv")[0]) == [
        "username", "status", "source", "retrieved_at", "log_id", "url",
        "id", "view_count", "music_id", "video_username", "engagement_rate",
    ]  # fmt: skip
    assert list(data.rows("accounts.csv")[0]) == [
        "username", "status", "reason", "videos", "retrieved_at", "source", "log_id",
    ]  # fmt: skip
    package = data.package
    schema = package["resources"][0]["schema"]
    types = {field["name"]: field["type"] for field in schema["fields"]}
    assert {types[name] for name in ("id", "music_id", "log_id", "video_username")} == {"string"}
    assert (types["view_count"], types["retrieved_at"], schema["missingValues"]) == ("integer", "datetime", [""])
    assert package["requested_fields"] == ["id", "view_count", "music_id", "username"]
    assert package["accounts"] == {"found": 1, "invalid_argument": 1}
    assert package["first_retrieved_at"] == package["last_retrieved_at"] == data.lines[0]["retrieved_at"]
    assert package["refresh_by"] > package["first_retrieved_at"][:10]
    assert package["program"]["name"] == "tiktok-pinned-videos-mcp"


async def test_an_invalid_name_is_reported_and_disappears_once_it_is_corrected(data: DataSet) -> None:
    wrong = await data.run("nasa", "no name")
    right = await data.run("nasa", "noname")

    assert (wrong.code, right.code) == (1, 0)
    assert wrong.err.endswith("; 1 invalid username ('no name'): correct the list.\n")
    assert data.statuses == {"nasa": "found", "noname": "found"}
    assert data.upstream.names == ["nasa", "noname"]


async def test_control_characters_of_names_and_journals_never_reach_the_tables(data: DataSet) -> None:
    await data.run("nasa", "bad\0name", "tab\tname")
    log_id = data.lines[0]["log_id"]
    data.journal.write_bytes(data.journal.read_bytes().replace(log_id.encode(), b"a\\u0000b\\u202ec"))
    await data.run()

    tables = b"".join((data.path / name).read_bytes() for name in ("videos.csv", "accounts.csv")).decode()
    assert re.findall(r"[^\n -~]", tables) == []
    assert set(data.statuses) == {"nasa", r"bad\x00name", r"tab\tname"}


# --- which accounts are requested again ------------------------------------------------------------------------------


async def test_the_same_command_again_requests_and_changes_nothing(data: DataSet) -> None:
    await data.run("nasa", "esa")
    before = {name: (data.path / name).stat().st_mtime_ns for name in FILES}
    (data.path / ".videos.csv.unfinished").touch()  # of a run that was killed
    again = await data.run("nasa", "esa")
    without_names = await data.run()

    assert (again.code, without_names.code) == (0, 0)
    assert sorted(data.upstream.names) == ["esa", "nasa"]
    assert {name: (data.path / name).stat().st_mtime_ns for name in data.files} == before


async def test_only_new_failed_and_old_accounts_are_requested(data: DataSet) -> None:
    data.upstream.reply = by_name(odd=odd, gone=unknown_account)
    first = await data.run("nasa", "odd", "gone")
    data.upstream.asked.clear()
    second = await data.run("nasa", "odd", "gone", "new")
    third = await data.run("--max-age", "0")

    assert (first.code, second.code, third.code) == (1, 1, 1)
    assert first.err.endswith("; 1 account is left (1 upstream_error): run the same command again.\n")
    assert sorted(data.upstream.names[:2]) == ["new", "odd"]
    assert sorted(data.upstream.names[2:]) == ["gone", "nasa", "new", "odd"]


@pytest.mark.parametrize(
    ("moment", "max_age", "requested"),
    [
        ("2001-01-01T00:00:00Z", "999999d", []),
        ("2089-01-01T00:00:00Z", "30m", ["nasa"]),
    ],
)
async def test_an_answer_is_old_by_its_age_or_if_it_is_dated_in_the_future(
    data: DataSet, moment: str, max_age: str, requested: list[str]
) -> None:
    await data.run("nasa", "esa")
    dated(data, moment, "nasa")
    data.upstream.asked.clear()
    ran = await data.run("--max-age", max_age)

    assert (ran.code, data.upstream.names) == (0, requested)
    assert (data.lines[0]["retrieved_at"] == moment) == (data.package["refresh_by"] == "2001-01-16") == (not requested)
    data.check()


async def test_an_answer_is_old_after_fourteen_days_unless_another_age_is_given(data: DataSet) -> None:
    await data.run("nasa", "esa")
    for days, name in ((13.9, "nasa"), (14.1, "esa")):
        dated(data, iso(time.time() - days * 86_400), name)
    data.upstream.asked.clear()
    await data.run()

    assert data.upstream.names == ["esa"]


async def test_a_refresh_that_fails_keeps_the_answer(data: DataSet) -> None:
    await data.run("nasa", "esa")
    before = (data.path / "videos.csv").read_bytes()
    data.upstream.reply = by_name(nasa=odd, esa=lambda _: html(403))
    ran = await data.run("--max-age", "0")

    assert ran.code == 1
    assert "2 accounts are left (2 upstream_error)" in ran.err
    assert (data.path / "videos.csv").read_bytes() == before
    data.check()


@pytest.mark.parametrize(("refused", "status"), [(unknown_account, "not_found"), (private, "refused")])
async def test_an_account_that_is_gone_keeps_only_the_reason(
    data: DataSet, refused: Callable[[Asked], Reply], status: str
) -> None:
    await data.run("nasa", "esa")
    data.upstream.reply = by_name(nasa=refused)
    ran = await data.run("--max-age", "0")

    everything = b"".join((data.path / name).read_bytes() for name in data.files)
    gone, line = data.rows("accounts.csv")[0], data.lines[0]
    assert (ran.code, data.files) == (0, FILES)
    assert (b"By nasa" in everything, b"By esa" in everything) == (False, True)
    assert (gone["status"], gone["videos"], "response" in line) == (status, "", False)
    assert "invalid_params; log_id " in gone["reason"]
    data.check()


async def test_a_list_longer_than_the_quota_is_finished_by_the_same_command_on_later_days(data: DataSet) -> None:
    names = [f"user{number}" for number in range(7)]
    days = [await data.run(*names, TIKTOK_DAILY_QUOTA="3") for _ in range(3)]

    assert [ran.code for ran in days] == [1, 1, 0]
    assert days[0].err.endswith(
        "; 4 accounts are left (4 quota_exceeded): the daily quota is used up; run the same command again after "
        "00:00 UTC.\n"
    )
    assert sorted(data.upstream.names) == names
    assert [line["username"] for line in data.lines] == names
    data.check()


async def test_after_tiktoks_own_end_of_the_quota_no_further_request_is_sent(data: DataSet) -> None:
    data.upstream.reply = lambda asked: quota_spent() if asked.number > 5 else pinned(asked)
    first = await data.run(*(f"user{number}" for number in range(30)), TIKTOK_MAX_CONCURRENCY="1")
    requests = len(data.upstream.asked)
    data.upstream.reply = pinned
    second = await data.run()

    assert (first.code, requests, second.code) == (1, 6, 0)
    assert (len(data.upstream.asked), len(data.statuses)) == (6 + 25, 30)


# --- journals edited by hand -----------------------------------------------------------------------------------------


def reformatted(content: bytes) -> bytes:
    return b"".join(json.dumps(json.loads(line), sort_keys=True).encode() + b"\n" for line in content.splitlines())


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: content.removesuffix(b"\n"),
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: b"\xef\xbb\xbf\n" + content.replace(b"\n", b"\n \n\n"),
        reformatted,
        lambda content: content + content.splitlines()[0],
    ],
    ids=["no final newline", "CRLF", "BOM and blank lines", "reformatted", "a line twice"],
)  # fmt: skip
async def test_an_edited_journal_is_read_like_any_other(data: DataSet, edit: Callable[[bytes], bytes]) -> None:
    data.upstream.reply = lambda asked: videos([video(asked, id=2**63 - 1, video_description="a\u2028b")])
    await data.run("nasa", "esa")
    tables = [(data.path / name).read_bytes() for name in ("videos.csv", "accounts.csv")]
    data.journal.write_bytes(edit(data.journal.read_bytes()))
    ran = await data.run()
    more = await data.run("new")

    assert (ran.code, ran.err, more.code, more.err) == (0, "", 0, "")
    assert sorted(data.upstream.names) == ["esa", "nasa", "new"]
    assert [line["username"] for line in data.lines if line["username"] != "new"] == ["nasa", "esa"]
    for name, table in zip(("videos.csv", "accounts.csv"), tables, strict=True):
        assert set(table.splitlines()) < set((data.path / name).read_bytes().splitlines())
    data.check()


@pytest.mark.parametrize("rest", [b"", b"\n", b"\0\0\0"], ids=["cut off", "with a newline", "with NUL bytes"])
async def test_an_incomplete_last_line_is_dropped_with_a_notice_and_requested_again(data: DataSet, rest: bytes) -> None:
    body = {"data": {"pinned_videos_list": [{"id": 5, "video_description": "日本"}]}, "error": {"code": "ok"}}
    data.upstream.reply = lambda _: raw(json.dumps(body, ensure_ascii=False).encode())
    await data.run("nasa", "esa", TIKTOK_MAX_CONCURRENCY="1")
    content = data.journal.read_bytes()
    data.journal.write_bytes(content[: content.rindex("本".encode()) + 1] + rest)
    data.upstream.asked.clear()
    ran = await data.run("nasa", "esa")

    assert (ran.code, data.upstream.names) == (0, ["esa"])
    assert ran.err == "Note: line 2 of responses.jsonl was not complete and is dropped.\n"
    assert [line["username"] for line in data.lines] == ["nasa", "esa"]
    data.check()


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (b"my notes", 0),
        (b'{"username":"na', 0),
        (b'{"username":" ","status":"timeout","reason":"","retrieved_at":"2026-01-01T00:00:00Z"}', 2),
        (b'{"username":"x","retrieved_at":"2026-01-01T00:00:00Z","log_id":null,"fields":["id"],"response":{}} {}', 2),
        (b'{"username":"x","status":"fine","reason":"","retrieved_at":"9999-12-31T23:59:59Z"}', 1),
    ],
)
async def test_a_line_that_is_not_a_record_is_refused_by_its_number(data: DataSet, line: bytes, place: int) -> None:
    await data.run("nasa", "esa")
    lines = data.journal.read_bytes().splitlines()
    content = b"\n".join([*lines[:place], line, *lines[place:]])
    data.journal.write_bytes(content)
    data.upstream.asked.clear()
    ran = await data.run("nasa", "esa", "new")

    assert ran.code == 2
    assert f": line {place + 1} of responses.jsonl is not a record" in ran.err
    assert (data.journal.read_bytes(), data.files, data.upstream.names) == (content, FILES, [])


# --- what is refused before any request ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [("chapter1.tex", "…"), ("videos.csv", "mine"), ("responses.jsonl", "precious"), ("datapackage.json", "{}")],
)
async def test_a_folder_of_something_else_is_refused(data: DataSet, name: str, content: str) -> None:
    data.path.mkdir()
    (data.path / name).write_text(content, "utf-8")
    ran = await data.run("nasa")

    assert (ran.code, ran.err.count("\n"), data.upstream.asked) == (2, 1, [])
    assert (data.files, (data.path / name).read_text("utf-8")) == ([name], content)


async def test_other_fields_are_refused(data: DataSet) -> None:
    await data.run("nasa", "--fields", "id,view_count")
    same = await data.run("nasa", "esa", "--fields", "view_count,id")
    other = await data.run("new", "--fields", "id")
    content = data.journal.read_bytes().replace(b'["id","view_count"]', b'["id"]', 1)
    data.journal.write_bytes(content)
    different = await data.run("new")

    assert (same.code, other.code, different.code) == (0, 2, 2)
    assert "has the fields id,view_count" in other.err
    assert (sorted(data.upstream.names), data.journal.read_bytes()) == (["esa", "nasa"], content)


async def test_data_of_the_sandbox_and_of_tiktok_are_never_in_one_data_set(data: DataSet) -> None:
    await data.run("nasa", "--sandbox")
    real = await data.run("esa")
    sandbox = await data.run("esa", "--sandbox")
    other = DataSet(data.path.with_name("real"), data.upstream)
    await other.run("nasa")
    mixed = await other.run("esa", "--sandbox")

    assert (real.code, sandbox.code, mixed.code) == (2, 0, 2)
    assert "cannot be in one data set" in real.err
    assert data.upstream.names == ["nasa"]
    assert {row["source"] for row in data.rows("accounts.csv")} == {"sandbox"}
    assert other.statuses == {"nasa": "found"}


async def test_a_sandbox_behind_the_address_adds_nothing_to_tiktoks_data(data: DataSet) -> None:
    await data.run("nasa")
    headers = {"X-Sandbox": "tiktok-pinned-videos-mcp"}
    data.upstream.reply = lambda _: videos([], headers=headers)
    ran = await data.run("esa")

    assert (ran.code, data.statuses) == (2, {"nasa": "found"})
    data.check()


@pytest.mark.parametrize("arguments", [("nasa", ""), ("nasa", "--max-age", "14"), ()])
async def test_arguments_without_a_meaning_end_with_2_and_one_line(data: DataSet, arguments: tuple[str, ...]) -> None:
    ran = await data.run(*arguments)

    assert (ran.code, ran.err.count("\n"), data.path.exists()) == (2, 1, False)


async def test_tables_that_were_edited_are_derived_again(data: DataSet) -> None:
    await data.run("nasa")
    table = data.path / "videos.csv"
    true = table.read_bytes()
    table.write_bytes(true.replace(b"7000000000000000001", b"7000000000000000000"))
    ran = await data.run()

    assert (ran.code, table.read_bytes(), len(data.upstream.asked)) == (0, true, 1)
    data.check()


async def test_every_digit_of_a_body_is_kept_and_read_again(data: DataSet) -> None:
    digits = "0.12345678901234567890," + "7" * 5000
    body = f'{{"data":{{"pinned_videos_list":[{{"id":5,\n"video_tag":[{digits}]}}]}},"error":{{"code":"ok"}}}}'
    data.upstream.reply = lambda _: raw(b"\xef\xbb\xbf" + body.encode())
    ran = await data.run("nasa", "--fields", "id,video_tag")
    again = await data.run()

    assert (ran.code, again.code, len(data.upstream.asked)) == (0, 0, 1)
    assert digits in data.journal.read_text("utf-8")
    assert "7" * 5000 in data.rows("videos.csv")[0]["video_tag"]
