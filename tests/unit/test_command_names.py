"""Lists of usernames as people, spreadsheets and scripts write them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.cli import run_now
from tiktok_pinned_videos.commands.names import accounts_named, key_of


def listed(tmp_path: Path, content: str | bytes, column: str | None = None) -> list[str]:
    file = tmp_path / "names.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return accounts_named((), file, column)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("# mine\nesa # the agency, Europe\r\n\n  @NASA  \n", ["esa", "NASA"]),
        ("https://www.tiktok.com/@jaxa?x=1#top\r日本\r", ["jaxa", "日本"]),
        ("Username\nnasa\nusername\n", ["nasa", "username"]),
        ('"na\n"a","b"\n=1+1\n', ["na", '"a","b"', "=1+1"]),
        ("", []),
    ],
    ids=["comments", "links", "header", "stray quotes", "nothing"],
)
def test_a_list_has_one_username_per_line(tmp_path: Path, content: str, names: list[str]) -> None:
    assert listed(tmp_path, content) == names


@pytest.mark.parametrize(
    "content",
    [
        '"","username"\n"1","nasa"\n"2","esa"\n',
        ",username\n0,nasa\n1,esa\n",
        '\ufeffid;caption;"username"\r\n1;"a ""b"";\r\n#fyp\r\n# x";nasa\r\n# note;;\r\n2;c #d;esa\r\n',
        "\ufeffusername\r\nnasa\ufeffusername\r\nesa",
        '\ufeff"username"\n\ufeff"nasa"\n"esa"  # here\n',
    ],
    ids=["R", "pandas", "Excel", "cat of two files", "a mark on each line"],
)
def test_the_username_column_is_found_in_csv_of_other_programs(tmp_path: Path, content: str) -> None:
    assert listed(tmp_path, content) == ["nasa", "esa"]
    assert listed(tmp_path, content.replace(";", "\t").encode("utf-16")) == ["nasa", "esa"]


def test_column_chooses_one_of_several_by_its_header(tmp_path: Path) -> None:
    table = "Name,Account name,username\nNASA, nasa ,x\nESA,esa,y\nshort\n"

    assert listed(tmp_path, table, "account NAME ") == ["nasa", "esa"]
    assert listed(tmp_path, "account\nnasa\n", "account") == ["nasa"]


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (b"a,b\nnasa,1\n", (), "several columns (a, b). Choose one with --column NAME"),
        (b"a,b\nnasa,1\n", ("--column", "c"), "no column 'c'. Its first line is: a, b."),
        ("müller\nnasa".encode("latin-1"), (), "is not UTF-8"),
        (b'username,bio\nnasa,"not closed\nesa,1\n', (), "not a valid CSV file"),
        (b"a,b\n" + b"x" * 140_000 + b",1\n", ("--column", "a"), "not a valid CSV file"),
    ],
    ids=["several columns", "unknown column", "Latin-1", "an open quotation mark", "a huge cell"],
)
def test_a_list_that_cannot_be_read_ends_with_2_and_one_line(
    tmp_path: Path, content: bytes, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "list").write_bytes(content)
    csv.field_size_limit(131_072)  # the default, which other libraries in this process may have raised
    from_file = run_now(("get", "--from", str(tmp_path / "list"), *arguments, "--sandbox"), {})
    from_stdin = run_now(("get", "-", *arguments, "--sandbox"), {}, content)

    assert [(done.code, done.out, done.err.count("\n")) for done in (from_file, from_stdin)] == [(2, "", 1)] * 2
    assert said in from_file.err
    assert said in from_stdin.err


def test_a_missing_list_and_a_column_without_a_list_end_with_2(tmp_path: Path) -> None:
    missing = run_now(("get", "--from", str(tmp_path / "missing"), "--sandbox"), {})
    folder = run_now(("get", "--from", str(tmp_path), "--sandbox"), {})
    column = run_now(("get", "nasa", "--column", "x", "--sandbox"), {})

    assert [done.code for done in (missing, folder, column)] == [2] * 3
    assert "missing: No such file" in missing.err
    assert column.err == "--column needs a list: add --from FILE, or - for stdin.\n"


def test_arguments_and_lists_together_name_each_account_once(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("esa\n@NASA\nna sa\nna sa\n", "utf-8")
    names = accounts_named(("nasa", "@Nasa"), tmp_path / "list", None)

    assert names == ["nasa", "esa", "na sa"]
    assert key_of("https://tiktok.com/@NASA") == key_of("nasa")


@given(
    st.lists(st.text(st.sampled_from('ab"#,;\n é日'), max_size=8), min_size=2, max_size=4),
    st.sampled_from(",;\t"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_usernames_are_read_independent_of_the_other_columns(
    tmp_path_factory: pytest.TempPathFactory, captions: list[str], separator: str, encoding: str
) -> None:
    text = io.StringIO()
    rows = [["x" + caption, f"user{number}"] for number, caption in enumerate(captions)]
    csv.writer(text, delimiter=separator).writerows([["caption", "username"], *rows])

    names = listed(tmp_path_factory.mktemp("list"), text.getvalue().encode(encoding))
    assert names == [name for _, name in rows]
