"""The view inside a real MCP Apps host: the protocol, themes, states, and what fits on the screen."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from browser import harness, samples
from browser.conftest import Open
from browser.harness import Host, Site
from kit.processes import http_server

FEEDS: dict[str, Callable[[Host], object]] = {
    "loading": lambda host: host.send("sendInput", {"username": "nasa"}),
    "cards": lambda host: host.result(samples.FULL),
    "table": lambda host: host.result(samples.FULL).view.get_by_role("button", name="Table").click(),
    "hostile": lambda host: host.result(samples.HOSTILE),
    "hostile table": lambda host: host.result(samples.HOSTILE).view.get_by_role("button", name="Table").click(),
    "empty": lambda host: host.result(samples.EMPTY),
    "chart": lambda host: host.result(samples.COMPARED),
    "ranking": lambda host: host.result(samples.COMPARED).view.get_by_role("button", name="Table").click(),
    "error": lambda host: host.error(samples.ERROR),
}


def test_the_view_is_one_small_file_without_remote_assets_or_markup_from_text() -> None:
    raw = harness.VIEW.read_bytes()

    assert len(raw) < 45_000
    assert re.findall(rb"(?:src|href)\s*=|@import|url\(|fetch\(|https?://(?!www\.tiktok\.com)", raw) == []
    assert re.findall(rb"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function", raw) == []


def test_the_view_introduces_itself_answers_the_host_and_opens_links_through_it(show: Open) -> None:
    host = show().result(samples.FULL)
    asked = {method: host.page.evaluate("method => window.ask(method)", method) for method in ("ping", "tools/list")}
    forged = {"jsonrpc": "2.0", "method": "ui/notifications/tool-result", "params": {"isError": True}}
    host.view.evaluate("message => window.postMessage(message, '*')", forged)
    host.view.get_by_role("link", name="Open on TikTok (video 2)").click()
    host.page.wait_for_function("() => window.seen.links.length")

    assert host.seen["app"] == {"name": "tiktok-pinned-videos-view", "version": "1.0.0"}
    assert asked == {"ping": {"result": {}}, "tools/list": {"code": -32601}}
    assert host.seen["links"] == [samples.FULL["videos"][1]["url"]]
    expect(host.view.locator("h1")).to_have_text("@slow_oven")
    assert host.page.evaluate("() => window.teardown()") == {}


def test_a_link_the_host_refuses_is_shown_as_text(show: Open) -> None:
    host = show(accept_links=False).result(samples.FULL)
    host.view.get_by_role("link", name="Open on TikTok (video 1)").press("Enter")

    expect(host.view.get_by_role("status")).to_contain_text(samples.FULL["videos"][0]["url"])


def test_the_theme_is_the_hosts_or_else_the_readers(show: Open) -> None:
    background = "() => getComputedStyle(document.documentElement).backgroundColor"
    host = show({"theme": "light"}, scheme="dark")
    light = host.view.evaluate(background)
    host.send("changeContext", {"theme": "dark"})

    assert (light, host.view.evaluate(background)) == ("rgb(255, 255, 255)", "rgb(27, 28, 30)")
    assert show({"theme": None}, scheme="dark").view.evaluate(background) == "rgb(27, 28, 30)"
    variables = {"--color-background-primary": "rgb(1, 2, 3)"}
    assert show({"styles": {"variables": variables}}).view.evaluate(background) == "rgb(1, 2, 3)"


def test_every_state_of_a_call_has_a_message(show: Open) -> None:
    host = show()
    main = host.view.get_by_role("main")
    host.send("sendPartialInput", {"usernames": ["nasa", "es"]})
    expect(main).to_contain_text("Comparing the pinned videos of 2 accounts…")
    host.send("sendInput", {"username": "nasa"})
    expect(main).to_contain_text("Reading pinned videos of nasa…")
    host.result(samples.EMPTY)
    expect(main).to_contain_text("No pinned videos")
    host.error(samples.ERROR)
    expect(main).to_contain_text("Not found")
    expect(main).to_contain_text("@gone: No account of this name.")
    expect(host.view.get_by_role("note")).to_contain_text("Sandbox.")
    host.send("sendCancelled", "stopped by the user")
    expect(main).to_contain_text("stopped by the user")
    host.send("sendResult", {"content": [], "structuredContent": {"accounts": "many"}})
    expect(main).to_contain_text("This answer cannot be shown")


def test_in_a_conversation_the_view_is_short_until_asked_for_more(show: Open) -> None:
    height = "() => window.seen.sizes.length && window.seen.sizes.at(-1).height"
    host = show({"displayMode": "inline"}).result(samples.FULL)
    host.page.wait_for_function(f"{height} <= 500")
    host.view.get_by_role("button", name="Show all").press("Enter")
    host.page.wait_for_function(f"{height} > 500")
    host.view.get_by_role("button", name="Show less").press("Enter")
    host.page.wait_for_function(f"{height} <= 500")
    before = len(host.seen["sizes"])
    host.page.wait_for_timeout(300)

    assert len(host.seen["sizes"]) == before, "a size that was sent caused another"


def test_no_width_font_or_content_makes_the_page_scroll_sideways(show: Open) -> None:
    wide = "body { font-family: 'DejaVu Sans', Verdana, sans-serif; letter-spacing: .06em }"
    host = show({"locale": "de-DE", "styles": {"css": {"fonts": wide}}})
    overflowing: list[str] = []
    for width in (320, 360, 560, 800, 1400):
        host.resize(width)
        for name, feed in FEEDS.items():
            feed(host)
            if host.view.evaluate("() => document.documentElement.scrollWidth > window.innerWidth"):
                overflowing.append(f"{name} at {width}")

    assert overflowing == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(show: Open, theme: str) -> None:
    host = show({"theme": theme}, reduced_motion="reduce")
    host.view.evaluate(harness.AXE.read_text(encoding="utf-8"))
    for name, feed in FEEDS.items():
        feed(host)
        found = host.view.evaluate("() => axe.run(document, { preload: false })")
        serious = [rule["id"] for rule in found["violations"] if rule["impact"] in {"serious", "critical"}]
        assert (name, serious, bool(found["passes"])) == (name, [], True)


def test_every_link_and_button_is_large_enough_for_a_finger(show: Open) -> None:
    small = """() => [...document.querySelectorAll("a, button, summary")].filter((node) => {
      const { width, height } = node.getBoundingClientRect();
      return node.offsetParent && (width < 44 || height < 44);
    }).map((node) => node.textContent)"""
    host = show(has_touch=True, is_mobile=True, width=400)
    for feed in FEEDS.values():
        feed(host)
        assert host.view.evaluate(small) == []


def test_real_calls_are_shown_by_the_view_the_server_offers(show: Open, site: Site) -> None:
    with http_server() as server:
        site.server = server.url
        host = show()
        answer = host.call("get_pinned_videos", {"username": "sandbox_hostile"}, {"theme": "light"})
        captions = [one["video_description"] for one in answer["structuredContent"]["videos"]]
        assert host.view.locator(".text > bdi").all_text_contents() == captions
        names = ["nasa", "esa", "sandbox_empty", "sandbox_missing"]
        host.call("compare_pinned_videos", {"usernames": names})
        assert host.view.locator(".row .name bdi").all_inner_texts() == ["@nasa", "@esa"]
        expect(host.view.get_by_role("region", name="Not answered")).to_contain_text("@sandbox_missing")
        expect(host.view.get_by_role("note")).to_contain_text("Sandbox.")
