"""What changed since: marks, growth, what is gone, and that nothing has changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from browser import samples
from browser.harness import Host
from browser.reading import chart, serious, texts

Open = Callable[..., Host]
LOOKS = "between Nov 12, 2026, 8:00 AM and Nov 13, 2026, 9:30 AM"


def plain(text: str | None) -> str:
    """With blanks for whatever white space a browser's language data puts into times."""
    return " ".join((text or "").split())


def wide_open(show: Open, theme: str, width: int) -> Host:
    context = {"theme": theme, "locale": "en-US", "timeZone": "UTC", "displayMode": "fullscreen"}
    return show(width=width, scheme=theme).open(context)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1200])
def test_what_is_new_is_marked_what_grew_says_so_and_what_is_gone_is_listed(show: Open, theme: str, width: int) -> None:
    host = wide_open(show, theme, width).result(samples.CHANGED)
    first, second = host.view.locator(".card").all()

    assert plain(first.locator(".mark").text_content()) == f"New: pinned {LOOKS}"
    expect(second.locator(".mark")).to_have_count(0)
    assert [text.split("\n") for text in texts(host, ".totals div")] == [
        ["Views", "17.9M", "17,857,233", "+31.2K", "+31,200"],
        ["Likes", "1.4M", "1,353,466", "-12"],
        ["Comments", "17.8K", "17,809"],
        ["Shares", "30.2K", "30,171", "+44"],
        ["Favorites", "322.4K", "322,357"],
        ["Engagement", "7.85%"],
    ]
    past = host.view.get_by_role("region", name="What changed")
    expect(past).to_contain_text("1 newly pinned, 1 unpinned since Nov 10, 2026, 8:00 AM")
    gone = past.get_by_role("list", name="Unpinned").get_by_role("listitem")
    assert (
        "".join(gone.all_inner_texts()).replace("\n", " ").split()
        == f"Unpinned {samples.GONE} on TikTok ↗ {LOOKS}".split()
    )
    assert gone.get_by_role("link").get_attribute("href") == f"https://www.tiktok.com/@slow_oven/video/{samples.GONE}"
    assert not host.view.evaluate("() => document.documentElement.scrollWidth > window.innerWidth")
    assert serious(host) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1200])
def test_that_nothing_has_changed_is_said(show: Open, theme: str, width: int) -> None:
    host = wide_open(show, theme, width).result(samples.UNCHANGED)
    past = host.view.get_by_role("region", name="What changed")

    expect(past).to_have_text("Nothing has changed since Nov 10, 2026, 8:00 AM.")
    assert host.view.locator(".mark, .grown").count() == 0
    assert serious(host) == []


def test_growth_alone_is_no_change_of_pins(host: Host) -> None:
    changes = {"since": "2026-11-10T08:00:00Z", "pinned": [], "unpinned": [], "view_count": 7}
    host.result({**samples.FULL, "changes": changes})

    expect(host.view.get_by_role("region", name="What changed")).to_contain_text(
        "The same videos are pinned since Nov 10"
    )
    assert texts(host, ".grown") == ["+7"]


def test_an_account_that_unpinned_everything_still_says_what_is_gone(host: Host) -> None:
    host.result({**samples.EMPTY, "changes": {**samples.CHANGED["changes"], "pinned": []}})

    expect(host.view.get_by_role("list", name="Unpinned")).to_contain_text(samples.GONE)


def test_without_a_past_nothing_is_said_of_changes(host: Host) -> None:
    host.result(samples.FULL)
    assert host.view.locator(".past, .mark, .grown").count() == 0

    host.result(samples.COMPARED)
    expect(host.view.get_by_role("button", name="Growth")).to_have_count(0)


def test_the_table_marks_what_is_new(host: Host) -> None:
    host.result(samples.CHANGED)
    host.view.get_by_role("button", name="Table").click()
    rows = host.view.locator("tbody tr")

    assert [row.locator(".mark").count() for row in rows.all()] == [1, 0]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1200])
def test_a_comparison_is_ranked_by_growth(show: Open, theme: str, width: int) -> None:
    host = wide_open(show, theme, width).result(samples.GROWN)
    assert chart(host) == [("1", "@alpha", "3M"), ("2", "@beta", "2M"), ("3", "@gamma", "1K")]
    assert [plain(text) for text in texts(host, ".row .since")] == [
        "+31.2K +31,200 , 1 newly pinned, 2 unpinned since Nov 10, 2026, 8:00 AM",
        "+131.2K +131,200 since Nov 11, 2026, 8:00 AM",
        "-3 since Nov 11, 2026, 8:00 AM",
    ]
    host.view.get_by_role("button", name="Growth").press("Enter")

    assert chart(host) == [("1", "@beta", "+131.2K"), ("2", "@alpha", "+31.2K"), ("3", "@gamma", "-3")]
    expect(host.view.get_by_role("status")).to_have_text("Ranked by growth of views. First: beta, +131,200.")
    expect(host.view.get_by_role("list", name="Accounts ranked by growth of views")).to_be_visible()
    host.view.get_by_role("button", name="Likes").click()
    assert chart(host) == [("1", "@alpha", "+5"), ("", "@beta", "unknown"), ("", "@gamma", "unknown")]
    assert not host.view.evaluate("() => document.documentElement.scrollWidth > window.innerWidth")
    assert serious(host) == []


def test_the_engagement_rate_has_no_growth_to_rank_by(host: Host) -> None:
    host.result(samples.GROWN)
    host.view.get_by_role("button", name="Engagement").click()
    host.view.get_by_role("button", name="Growth").click()

    expect(host.view.get_by_role("group", name="Rank by").get_by_role("button", name="Engagement")).to_have_count(0)
    assert [row[1] for row in chart(host)] == ["@beta", "@alpha", "@gamma"]
    host.view.get_by_role("button", name="Totals").click()
    assert [row[:2] for row in chart(host)] == [("1", "@alpha"), ("2", "@beta"), ("3", "@gamma")]


def test_the_comparisons_table_says_growth_and_since_when(host: Host) -> None:
    host.result(samples.GROWN)
    host.view.get_by_role("button", name="Growth").click()
    host.view.get_by_role("button", name="Table").click()
    rows = [row.all_inner_texts() for row in (row.locator("td, th") for row in host.view.locator("tbody tr").all())]

    assert [cells[:4] for cells in rows[:3]] == [
        ["1", "@beta", "3", "+131,200"],
        ["2", "@alpha", "3", "+31,200"],
        ["3", "@gamma", "3", "-3"],
    ]
    assert plain(rows[1][9]) == "Nov 10, 2026, 8:00 AM: 1 newly pinned, 2 unpinned"
