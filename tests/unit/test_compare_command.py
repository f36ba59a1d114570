"""`compare`: the second tool on a terminal, without a limit of fifty accounts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kit.cli import Said, run_now

FORMATS = ("text", "json", "table", "csv", "html")
COLUMNS = (
    "rank,username,status,reason,videos,view_count,like_count,comment_count,share_count,favorites_count,"
    "engagement_rate,top_video_id,source,retrieved_at,log_id"
)


def compare(*arguments: str, stdin: bytes = b"") -> Said:
    return run_now(("compare", *arguments, "--sandbox"), {}, stdin)


def test_every_format_ranks_the_same_accounts_in_the_same_order() -> None:
    names = ("sandbox_empty", "sandbox_private", "esa", "nasa", "jaxa")
    text, data, table, lines, page = [compare(*names, "--rank-by", "like_count", "--format", form) for form in FORMATS]
    (shown,) = json.loads(re.findall(r'id="data">(.*?)</script>', page.out, re.DOTALL)[0])
    order = ["nasa", "esa", "jaxa", "sandbox_empty", "sandbox_private"]

    assert [said.code for said in (text, data, table, lines, page)] == [1] * 5
    for accounts in (data.json["accounts"], lines.rows, shown["accounts"]):
        assert [account["username"] for account in accounts] == order
    for words in (text.out, table.out):
        places = [words.index(name, words.index("\n")) for name in order]
        assert places == sorted(places)


def test_csv_has_one_row_per_account_with_the_documented_columns() -> None:
    lines = compare("nasa", "sandbox_empty", "sandbox_missing", "--format", "csv")
    first, empty, missing = lines.rows

    assert lines.out.splitlines()[0] == COLUMNS
    assert (first["rank"], first["videos"], first["view_count"]) == ("1", "3", "61676555")
    assert (first["top_video_id"], first["engagement_rate"]) == ("7298740294892660705", "0.1322")
    assert {row["source"] for row in lines.rows} == {"sandbox"}
    assert all(row["log_id"] for row in lines.rows)
    assert all(row["retrieved_at"] for row in lines.rows)
    assert (empty["status"], empty["videos"], empty["rank"]) == ("nothing_pinned", "0", "")
    assert missing["reason"]
    assert "not_found: @sandbox_missing: " in lines.err


def test_more_than_fifty_accounts_of_a_list_are_ranked(tmp_path: Path) -> None:
    names = tmp_path / "names.csv"
    names.write_text("n,account\n" + "".join(f"{number},user{number}\n" for number in range(60)), "utf-8")
    said = compare("--from", str(names), "--column", "account", "--format", "json")

    assert said.code == 0
    assert sorted(account["rank"] for account in said.json["accounts"]) == list(range(1, 61))


def test_both_spellings_of_favorites_rank() -> None:
    american, british = [compare("nasa", "esa", "--rank-by", f"{name}_count") for name in ("favorites", "favourites")]

    assert american.code == british.code == 0
    assert "by favorites_count" in american.out
    assert "by favorites_count" in british.out


def test_texts_are_whole() -> None:
    data = compare("sandbox_hostile", "nasa", "--rank-by", "engagement_rate", "--format", "json").json

    assert "were cut" not in str(data["notes"])
    assert len(data["accounts"][1]["top_video"]["video_description"]) > 300


@pytest.mark.parametrize("form", FORMATS)
def test_when_every_account_failed_each_says_why(form: str) -> None:
    said = compare("sandbox_missing", "sandbox_private", "--format", form)

    assert said.code == 1
    assert "not_found: @sandbox_missing: " in said.err
    assert "refused: @sandbox_private: " in said.err
    assert "ranked" not in said.out or "0 of 2 accounts ranked" in said.out
