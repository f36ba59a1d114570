"""`get --format html`: a page that needs nothing but itself."""

from __future__ import annotations

import json
import re
from typing import Any

from click.testing import CliRunner, Result

from tiktok_pinned_videos.cli import cli

DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


def printed(*names: str) -> tuple[Result, list[dict[str, Any]]]:
    """What the command said, and the answers in its page."""
    done = CliRunner().invoke(cli, ["get", *names, "--sandbox", "--format", "html"])
    (data,) = DATA.findall(done.stdout)
    return done, json.loads(data)


def test_a_page_holds_every_account_in_the_order_asked_and_those_that_failed() -> None:
    done, results = printed("nasa", "sandbox_missing", "sandbox_empty")

    assert done.exit_code == 1
    assert done.stdout.startswith("<!doctype html>")
    assert done.stdout.rstrip().endswith("</html>")
    assert [(one["username"], one["status"]) for one in results] == [
        ("nasa", "found"),
        ("sandbox_missing", "not_found"),
        ("sandbox_empty", "nothing_pinned"),
    ]
    assert set(results[1]) == {"username", "status", "reason"}


def test_its_texts_are_whole_and_cannot_leave_the_data() -> None:
    done, (result,) = printed("sandbox_hostile")
    texts = [video["video_description"] for video in result["videos"]]

    assert done.exit_code == 0
    assert max(map(len, texts)) > 2_000
    assert any("<script>" in text for text in texts)
    assert "were cut" not in str(result["notes"])
    assert done.stdout.count("<script") == 2
    assert done.stdout.count("</script>") == 2


def test_it_names_no_address_but_those_of_the_videos() -> None:
    done, _ = printed("nasa")

    addresses = set(re.findall(r"https?://[^/\s\"'`]+", done.stdout))
    assert {address.replace("\\", "") for address in addresses} == {"https://www.tiktok.com"}
