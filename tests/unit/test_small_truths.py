"""Small and true all the same: masks in any encoding, marks that nobody can forge, codes of refusals."""

from __future__ import annotations

import json
import logging
import re
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from pydantic import TypeAdapter

from kit import settings
from tiktok_pinned_videos.app import build_server
from tiktok_pinned_videos.observability.record import CallRecord
from tiktok_pinned_videos.presentation.text import cell, table
from tiktok_pinned_videos.presentation.untrusted import PHRASE_LIMIT, Clipping, UntrustedJSON
from tiktok_pinned_videos.research.refusals import shown

SECRET = "a&b=c d+e%f/é\"<'Zz9"


def every_character(secret: str, form: str) -> str:
    return "".join(form.format(ord(char)) for char in secret)


@pytest.mark.parametrize(
    "echo",
    [
        SECRET,
        SECRET.upper(),
        SECRET.lower(),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET),
        quote(quote(SECRET, safe=""), safe=""),
        escape(SECRET),
        escape(escape(SECRET)),
        escape(SECRET, quote=False),
        every_character(SECRET, "&#{};"),
        every_character(SECRET, "&#x{:x};"),
        every_character(SECRET, "&#X{:04X};"),
        every_character(SECRET, "\\u{:04x}"),
        every_character(SECRET, "\\u{:04X}"),
        every_character(SECRET, "\\x{:02x}"),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(json.dumps(SECRET)),
        json.dumps(SECRET).replace("/", "\\/"),
        escape(quote(SECRET, safe="")),
        "".join(quote(char, safe="") if at % 2 else f"&#{ord(char)};" for at, char in enumerate(SECRET)),
    ],
)
def test_a_secret_is_masked_in_whatever_encoding_it_comes_back(echo: str) -> None:
    told = shown(f"bad value: {echo} - sorry", 300, (SECRET,))

    assert told.replace('"', "").replace("\\", "") == "bad value: [secret] - sorry"


@pytest.mark.parametrize("before", [0, 15_990, 99_990, 99_999])
def test_no_half_of_an_encoded_secret_is_told_however_long_the_message(before: int) -> None:
    told = shown("\u200b" * before + every_character("Sup3rSecret", "\\u{:04x}") + "x" * 200_000, 300, ("Sup3rSecret",))

    assert "u0053" not in told


@pytest.mark.parametrize("flood", ["\\", "%25", "&amp;", "&#0", "+", "%2525\\\\"])
def test_a_flood_of_escapes_is_searched_in_bounded_time(flood: str) -> None:
    assert len(shown(flood * 1_000_000, 300, ("Sup3rSecret", SECRET))) <= 300


def test_what_only_resembles_a_secret_is_told() -> None:
    assert shown("100% of a & b, c:\\users", 300, ("Sup3rSecret",)) == "100% of a & b, c:\\users"


# Log lines


def logged(account: str) -> str:
    from tiktok_pinned_videos.observability.logs import _TextFormatter  # pyright: ignore[reportPrivateUsage]

    record = logging.LogRecord("x", logging.INFO, "", 0, "call", (), None)
    record.call = CallRecord(tool="get_pinned_videos", accounts=(account,), requests=1, milliseconds=1.0, log_id="L1")
    return _TextFormatter().format(record)


@pytest.mark.parametrize(
    "name",
    [
        "x status=found",
        "x\u3164status\uff1dfound",
        "x\u2800status=found",
        'x" status="found',
        "x\nstatus=found",
        "x\\",
        "\u202ex",
        "",
    ],
)
def test_no_account_name_forges_a_field_of_a_log_line(name: str) -> None:
    line = logged(name)

    outside_quotes = re.sub(r'"(?:[^"\\]|\\.)*"', "", line)
    assert line.isascii()
    assert outside_quotes.count("status") == 1
    assert "\n" not in line


def test_a_plain_name_is_logged_as_it_is() -> None:
    assert " account=nasa.gov_1 " in logged("nasa.gov_1")


# Text


def clipped(value: Any) -> Any:
    return TypeAdapter(UntrustedJSON).validate_python(value, context=Clipping())


@pytest.mark.parametrize("digit", ["\u0663", "\u00b2", "\uff11", "\u0967"])
def test_digits_of_other_scripts_are_text_and_clipped(digit: str) -> None:
    assert len(clipped([digit * 5000])[0]) == PHRASE_LIMIT
    assert clipped(["7" * 150]) == ["7" * 150]


@pytest.mark.parametrize("text", ["?", "what ? now", '"?"', "a?b", '" ? "'])
def test_a_question_mark_that_was_sent_is_not_taken_for_not_sent(text: str) -> None:
    (_, row) = table(["region_code"], [[cell(text)]])

    assert json.loads(row) == text


def test_what_was_not_sent_is_said_to_be_so_beside_somebodys_question_mark() -> None:
    assert table(["a", "b"], [[cell("?"), cell(None)]])[-1] == "? = not sent by TikTok"


# Refusals


@pytest.mark.anyio
@pytest.mark.parametrize(("mode", "code"), [("legacy", -32002), ("2026-07-28", -32602)])
@pytest.mark.parametrize("uri", ["tiktok://pinned/nasa", "tiktok://history/nasa", "tiktok://pinned/no%20name", "x://y"])
async def test_a_resource_that_is_not_there_has_the_code_of_the_revision(mode: Any, code: int, uri: str) -> None:
    async with Client(build_server(settings(None)), mode=mode) as client:
        with pytest.raises(MCPError) as refused:
            await client.read_resource(uri)

        assert (refused.value.error.code, refused.value.error.data) == (code, {"uri": uri})


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_an_unknown_prompt_is_invalid_params_and_no_fault_of_the_server(
    mode: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with Client(build_server(settings(None)), mode=mode) as client:
        with pytest.raises(MCPError, match="pinned_videos_report, compare_creators") as refused:
            await client.get_prompt("nonesuch", {})
        names = [prompt.name for prompt in (await client.list_prompts()).prompts]

    assert refused.value.error.code == -32602
    assert names == ["pinned_videos_report", "compare_creators"]
    assert [record for record in caplog.records if record.exc_info] == []
