"""`compare`: the second tool on a terminal, without its bound of fifty."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kit import COMMAND, environment
from tiktok_pinned_videos.cli import cli

COLUMNS = (
    "rank,username,status,reason,videos,view_count,like_count,comment_count,share_count,favorites_count,"
    "engagement_rate,top_video_id,source,retrieved_at,log_id"
)


def run(*arguments: str, stdin: bytes = b"", command: str = "compare") -> Result:
    result = CliRunner().invoke(cli, [command, *arguments, "--sandbox"], input=stdin)
    assert "Traceback" not in result.output
    return result


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_every_format_ranks_the_same_accounts_in_the_same_order() -> None:
    names = ("sandbox_empty", "sandbox_private", "esa", "nasa", "jaxa")
    text, data, table, lines, page = (
        run(*names, "--rank-by", "like_count", "--format", form) for form in ("text", "json", "table", "csv", "html")
    )
    (told,) = json.loads(re.findall(r'id="data">(.*?)</script>', page.stdout, re.DOTALL)[0])
    order = ["nasa", "jaxa", "esa", "sandbox_empty", "sandbox_private"]

    assert [result.exit_code for result in (text, data, table, lines, page)] == [1] * 5
    assert [account["username"] for account in json.loads(data.stdout)["accounts"]] == order
    assert [row["username"] for row in rows(lines.stdout)] == order
    assert [account["username"] for account in told["accounts"]] == order
    for shown in (text, table):
        places = [shown.stdout.index(name, shown.stdout.index("\n")) for name in order]
        assert places == sorted(places)


def test_csv_has_a_row_an_account_with_the_columns_documented() -> None:
    lines = run("nasa", "sandbox_empty", "sandbox_missing", "--format", "csv")
    first, empty, missing = rows(lines.stdout)

    assert lines.stdout.splitlines()[0] == COLUMNS
    assert (first["rank"], first["videos"], first["view_count"]) == ("1", "3", "61676555")
    assert (first["top_video_id"], first["engagement_rate"]) == ("7298740294892660705", "0.1322")
    assert {row["source"] for row in (first, empty, missing)} == {"sandbox"}
    assert all(row["log_id"] for row in (first, empty, missing))
    assert (empty["status"], empty["videos"], empty["rank"]) == ("nothing_pinned", "0", "")
    assert missing["reason"].startswith("TikTok knows no account")
    assert "not_found: @sandbox_missing: " in lines.stderr


def test_more_than_fifty_accounts_are_ranked_and_all_answered_is_0(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("Username\n" + "".join(f"user{number}  # no. {number}\n" for number in range(60)), "utf-8")
    result = run("--from", str(names), "--format", "json")

    assert result.exit_code == 0
    assert sorted(account["rank"] for account in json.loads(result.stdout)["accounts"]) == list(range(1, 61))


def test_texts_of_json_are_whole() -> None:
    told = json.loads(run("sandbox_hostile", "nasa", "--rank-by", "comment_count", "--format", "json").stdout)
    account: list[dict[str, Any]] = [
        json.loads(run("sandbox_hostile", "--format", form, command="get").stdout) for form in ("json", "jsonl")
    ]
    table = rows(run("sandbox_hostile", "--format", "csv", command="get").stdout)
    longest = [max(len(video["video_description"]) for video in each["videos"]) for each in account]

    assert "were cut" not in str(told["notes"])
    assert min(longest) > 2_000
    assert max(len(row["video_description"]) for row in table) == longest[0]
    assert "…" not in str(account)


@pytest.mark.parametrize("names", [(), ("nasa",), ("nasa", "@NASA")])
def test_fewer_than_two_accounts_are_no_comparison(names: tuple[str, ...]) -> None:
    result = run(*names)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("form", ["text", "json", "table", "csv", "html"])
def test_when_every_account_failed_each_says_why(form: str) -> None:
    result = run("sandbox_missing", "sandbox_private", "--format", form)

    assert result.exit_code == 1
    assert "not_found: @sandbox_missing: " in result.stderr
    assert "refused: @sandbox_private: " in result.stderr
    assert "ranked" not in result.stdout or "0 of 2 accounts ranked" in result.stdout


def test_without_credentials_it_exits_with_2_and_says_what_to_set() -> None:
    done = subprocess.run(
        [*COMMAND, "compare", "nasa", "esa"], capture_output=True, encoding="utf-8", env=environment(), check=False
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("not_configured: ")


def test_a_comment_ends_a_name_and_a_header_is_no_account() -> None:
    listed = b"username\nnasa # the agency\n#esa\nusername\n"
    result = run("-", "--format", "jsonl", stdin=listed, command="get")
    argument = run("username", "--format", "jsonl", command="get")

    assert [json.loads(line)["username"] for line in result.stdout.splitlines()] == ["nasa", "username"]
    assert json.loads(argument.stdout)["username"] == "username"
