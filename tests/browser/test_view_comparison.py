"""Several accounts in the view: the ranked chart and its table."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from browser import samples
from browser.harness import Host
from browser.reading import MEASURES, chart, texts

Open = Callable[..., Host]


def test_the_chart_stands_as_the_server_ranked_it(host: Host) -> None:
    host.result(samples.COMPARED)

    assert [row[:2] for row in chart(host)] == [("1", "@alpha"), ("2", "@beta"), ("3", "@gamma")]
    assert host.view.get_by_role("group", name="Rank by").locator("[aria-pressed=true]").all_inner_texts() == ["Views"]
    expect(host.view.get_by_role("list", name="Accounts ranked by views")).to_be_visible()
    expect(host.view.locator("header")).to_contain_text("4 of 6 accounts answered")
    host.view.get_by_role("link", name="The best of beta").click()
    host.page.wait_for_function("() => window.seen.links.length")
    assert host.seen["links"] == [samples.COMPARED["accounts"][1]["top_video"]["url"]]


def test_resorting_works_by_keyboard_and_is_told(host: Host) -> None:
    host.result(samples.COMPARED)
    host.view.get_by_role("button", name="Views").focus()
    host.page.keyboard.press("Tab")
    host.page.keyboard.press("Enter")

    assert [row[:2] for row in chart(host)] == [("1", "@beta"), ("2", "@gamma"), ("3", "@alpha")]
    assert host.view.evaluate("document.activeElement.textContent") == "Likes"
    expect(host.view.get_by_role("button", name="Likes")).to_have_attribute("aria-pressed", "true")
    expect(host.view.get_by_role("status")).to_have_text("Ranked by likes. First: beta, 90,000.")


@pytest.mark.parametrize("measure", MEASURES)
def test_an_unknown_value_comes_last_and_is_called_unknown(host: Host, measure: str) -> None:
    host.result(samples.COMPARED)
    host.view.get_by_role("button", name=measure).press("Space")
    key = {"Engagement": "engagement_rate"}.get(measure, measure.lower().removesuffix("s") + "_count")
    key = "favorites_count" if measure == "Favorites" else key
    found = [one for one in samples.COMPARED["accounts"] if one["status"] == "found"]
    known = sorted((one for one in found if key in one["totals"]), key=lambda one: -one["totals"][key])
    unknown = [one for one in found if key not in one["totals"]]

    assert [name for _, name, _ in chart(host)] == [f"@{one['username']}" for one in [*known, *unknown]]
    assert [(rank, value) for rank, _, value in chart(host)][len(known) :] == [("", "unknown")] * len(unknown)
    assert [rank for rank, _, _ in chart(host)][: len(known)] == [str(i + 1) for i in range(len(known))]
    assert "unknown" not in [value for _, _, value in chart(host)][: len(known)]


def test_accounts_without_an_answer_are_listed_with_status_and_reason(host: Host) -> None:
    host.result(samples.COMPARED)
    failed = host.view.get_by_role("region", name="Not answered").get_by_role("listitem").all_inner_texts()

    assert [re.sub(r"\s+", " ", one) for one in failed] == [
        "@gone Not found TikTok has no account of this name.",
        "@shy Refused The account is private. <i>Ask</i> for another.",
    ]
    assert texts(host, "section[aria-label='Nothing pinned'] li") == ["@quiet"]


def test_the_tables_headings_sort_and_say_so(host: Host) -> None:
    host.result(samples.COMPARED)
    host.view.get_by_role("button", name="Table").click()
    heading = host.view.get_by_role("columnheader", name="Favorites")
    heading.get_by_role("button").press("Enter")

    assert heading.get_attribute("aria-sort") == "descending"
    assert host.view.locator("[aria-sort=descending]").count() == 1
    assert host.view.evaluate("document.activeElement.textContent") == "Favorites"
    assert texts(host, "tbody th") == ["@gamma", "@beta", "@alpha", "@quiet", "@gone", "@shy"]
    assert host.view.locator("tbody tr").nth(2).locator("td.num").all_inner_texts()[:7] == [
        "",
        "3",
        "3,000,000",
        "20",
        "5",
        "7",
        "unknown",
    ]


def test_nothing_moves_for_readers_who_asked_for_stillness(show: Open) -> None:
    # Counted as they begin: on a slow machine they are over before anybody looks.
    count = """() => {
      window.moved = 0;
      document.addEventListener("transitionrun", () => { window.moved += 1; });
      const { animate } = Element.prototype;
      Element.prototype.animate = function (...how) { window.moved += 1; return animate.apply(this, how); };
    }"""
    for motion in ("no-preference", "reduce"):
        host = show(reduced_motion=motion).open().result(samples.COMPARED)
        host.view.evaluate(count)
        host.view.get_by_role("button", name="Likes").click()
        if motion == "no-preference":
            host.view.wait_for_function("() => window.moved > 0")
        else:
            host.page.wait_for_timeout(300)
            assert host.view.evaluate("() => window.moved") == 0
