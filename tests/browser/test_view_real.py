"""The view from end to end: the package's own server over HTTP, its own resource, a real call, a real host."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from browser import harness, serving
from browser.harness import Host, Site
from browser.reading import chart, colours, serious, texts

Open = Callable[..., Host]

ELEMENTS = {
    *("header", "section", "footer", "div", "p", "h1", "h2", "ul", "li", "dl", "dt", "dd", "button", "a"),
    *("bdi", "span", "strong", "time", "i", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"),
}
"""Everything the view itself makes."""


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[None]:
    """The package's own server over HTTP, answering from its sandbox."""
    if not serving.possible():
        harness.leave_out("the view was not tried with a real call: the HTTP server is not in this tree")
    with serving.sandbox_server() as port:
        site.server_port = port
        yield


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(("theme", "background"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(27, 28, 30)")])
def test_a_real_call_is_shown_as_cards(show: Open, theme: str, background: str) -> None:
    host = show()
    answer = host.call("get_pinned_videos", {"username": "nasa"}, {"theme": theme, "locale": "en-US"})
    data = answer["structuredContent"]

    assert texts(host, "h1") == [f"@{data['username']}"]
    assert host.view.locator(".card .mono").all_text_contents() == [f"Video id {one['id']}" for one in data["videos"]]
    assert host.view.locator(".totals dd").first.get_by_text(f"{data['totals']['view_count']:,}").count() == 1
    expect(host.view.get_by_role("note")).to_contain_text("Sandbox.")
    assert colours(host)[0] == background
    assert serious(host) == []


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_real_comparison_is_shown_as_a_chart_and_resorts_without_another_call(show: Open, theme: str) -> None:
    host = show()
    calls: list[str] = []
    names = ["nasa", "slow_oven", "tiny.gardens", "sandbox_empty", "sandbox_missing", "sandbox_private"]
    answer = host.call("compare_pinned_videos", {"usernames": names}, {"theme": theme, "locale": "en-US"})
    accounts = answer["structuredContent"]["accounts"]
    host.page.on("request", lambda request: calls.append(request.url))
    ranked = [f"@{one['username']}" for one in accounts if "rank" in one]

    assert [name for _, name, _ in chart(host)] == ranked
    assert serious(host) == []
    host.view.get_by_role("button", name="Comments").press("Enter")
    by_comments = sorted(
        (one for one in accounts if "rank" in one), key=lambda one: one["totals"]["comment_count"], reverse=True
    )
    assert [name for _, name, _ in chart(host)] == [f"@{one['username']}" for one in by_comments]
    failed = [one for one in accounts if "reason" in one]
    listed = host.view.get_by_role("region", name="Not answered").get_by_role("listitem")
    assert listed.count() == len(failed) == 2
    for row, one in zip(listed.all(), failed, strict=True):
        assert row.locator("bdi").all_text_contents() == [f"@{one['username']}", one["reason"]]
    host.page.wait_for_timeout(100)
    assert calls == []


@pytest.mark.usefixtures("server")
def test_the_sandboxs_hostile_account_is_harmless_in_the_view(show: Open) -> None:
    host = show()
    answer = host.call("get_pinned_videos", {"username": "sandbox_hostile"}, {"theme": "light"})
    written = [one["video_description"] for one in answer["structuredContent"]["videos"]]

    assert host.view.locator(".text > bdi").all_text_contents() == written
    drawn = host.view.evaluate("() => [...document.querySelectorAll('main *')].map(node => node.localName)")
    assert set(drawn) <= ELEMENTS
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b]", host.view.get_by_role("main").inner_text())


@pytest.mark.usefixtures("server")
def test_a_real_error_is_shown_in_its_own_words(show: Open) -> None:
    host = show()
    answer = host.call("get_pinned_videos", {"username": "sandbox_missing"})

    assert answer["isError"] is True
    expect(host.view.locator("h1")).to_have_text("Not found")
    expect(host.view.get_by_role("note")).to_contain_text("Sandbox.")
