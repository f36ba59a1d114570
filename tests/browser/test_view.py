"""The view in a real browser, inside a real MCP Apps host, under a policy as strict as any host's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from browser import harness, samples
from browser.harness import Host
from browser.reading import colours, serious, texts

Open = Callable[..., Host]

LIMIT = 40_000


def test_the_view_is_one_small_file_without_any_remote_asset() -> None:
    raw = harness.VIEW.read_bytes()
    text = raw.decode()

    assert len(raw) < LIMIT
    assert re.findall(r"(?:src|href)\s*=|@import|url\(|fetch\(|https?://(?!www\.tiktok\.com)", text) == []
    assert re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function", text) == []


def test_the_hosts_modules_are_pinned_to_exact_versions() -> None:
    package = json.loads(Path(harness.HERE, "package.json").read_text(encoding="utf-8"))

    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in package["dependencies"].values())


# ---- The protocol ----


def test_the_view_introduces_itself_and_says_when_it_is_ready(host: Host) -> None:
    seen = host.seen

    assert seen["initialized"] == 1
    assert seen["app"] == {"name": "tiktok-pinned-videos-view", "version": "1.0.0"}
    assert seen["capabilities"] == {"availableDisplayModes": ["inline", "fullscreen"]}


def test_ping_and_teardown_are_answered_and_anything_else_is_method_not_found(host: Host) -> None:
    asked = {method: host.page.evaluate("method => window.ask(method)", method) for method in ("ping", "tools/list")}

    assert asked == {"ping": {"result": {}}, "tools/list": {"code": -32601}}
    assert host.page.evaluate("() => window.teardown()") == {}


def test_a_message_from_anyone_but_the_host_is_ignored(host: Host) -> None:
    host.result(samples.FULL)
    forged = {"content": [{"type": "text", "text": "forged"}], "isError": True}
    message = {"jsonrpc": "2.0", "method": "ui/notifications/tool-result", "params": forged}
    host.view.evaluate("message => window.postMessage(message, '*')", message)
    host.page.wait_for_timeout(100)

    assert texts(host, "h1") == ["@slow_oven"]


def test_a_link_is_opened_by_the_host(host: Host) -> None:
    host.result(samples.FULL)
    host.view.get_by_role("link", name="Open on TikTok (video 2)").click()
    host.page.wait_for_function("() => window.seen.links.length")

    assert host.seen["links"] == [samples.FULL["videos"][1]["url"]]


def test_a_link_the_host_refuses_is_told_with_its_address(show: Open) -> None:
    host = show().open(accept_links=False).result(samples.FULL)
    host.view.get_by_role("link", name="Open on TikTok (video 1)").press("Enter")

    expect(host.view.get_by_role("status")).to_contain_text(samples.FULL["videos"][0]["url"])


def test_the_host_hears_every_size_once_and_the_frame_then_fits(show: Open) -> None:
    host = show(width=1200).open({"displayMode": "fullscreen"}).result(samples.FULL)
    host.fits(1200)
    wide = host.seen["sizes"]
    host.page.set_viewport_size({"width": 400, "height": 900})
    host.fits(400)
    narrow = host.seen["sizes"][len(wide) :]
    host.page.wait_for_timeout(300)

    assert wide[-1]["width"] == 1200
    assert narrow[-1]["width"] == 400
    assert narrow[-1]["height"] > wide[-1]["height"]
    assert host.seen["sizes"] == [*wide, *narrow], "a size that was told brought on another"
    assert len(wide) + len(narrow) <= 6
    root = host.view.evaluate("() => [document.documentElement.scrollHeight, window.innerHeight]")
    assert root[0] == root[1] == narrow[-1]["height"]


# ---- Themes ----


def test_the_hosts_theme_decides_also_when_it_changes(show: Open) -> None:
    host = show(scheme="dark").open({"theme": "light"}).result(samples.FULL)
    light = colours(host)
    host.send("changeContext", {"theme": "dark"})

    assert light == ["rgb(255, 255, 255)", "rgb(23, 25, 28)"]
    assert colours(host) == ["rgb(27, 28, 30)", "rgb(240, 241, 242)"]


@pytest.mark.parametrize(("scheme", "background"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(27, 28, 30)")])
def test_without_a_theme_the_readers_preference_decides(show: Open, scheme: str, background: str) -> None:
    host = show(scheme=scheme).open()

    assert colours(host)[0] == background


def test_the_hosts_variables_win_over_our_own(show: Open) -> None:
    variables = {"--color-background-primary": "rgb(1, 2, 3)", "--color-text-primary": "rgb(250, 240, 230)"}
    host = show().open({"theme": "dark", "styles": {"variables": variables}})

    assert colours(host) == ["rgb(1, 2, 3)", "rgb(250, 240, 230)"]


# ---- States ----


def test_while_a_call_runs_the_view_says_what_it_waits_for(host: Host) -> None:
    main = host.view.get_by_role("main")
    expect(main).to_have_attribute("aria-busy", "true")
    host.send("sendPartialInput", {"usernames": ["nasa", "es"]})
    expect(main).to_contain_text("Comparing the pinned videos of 2 accounts…")
    host.send("sendInput", {"username": "nasa"})
    expect(main).to_contain_text("Reading pinned videos of nasa…")
    host.result(samples.FULL)

    expect(main).to_have_attribute("aria-busy", "false")
    expect(host.view.get_by_role("status")).to_have_text("slow_oven: 2 pinned videos.")


def test_a_late_input_does_not_hide_its_answer_and_a_second_call_starts_anew(host: Host) -> None:
    host.result(samples.FULL)
    host.send("sendInput", {"username": "slow_oven"})
    expect(host.view.locator("h1")).to_have_text("@slow_oven")
    host.send("sendInput", {"username": "other"})

    expect(host.view.get_by_role("main")).to_contain_text("Reading pinned videos of other…")


def test_an_account_that_pins_nothing_is_no_failure(host: Host) -> None:
    host.result(samples.EMPTY)

    assert texts(host, "h1, h2") == ["@quiet", "No pinned videos"]
    expect(host.view.get_by_role("status")).to_have_text("quiet: 0 pinned videos.")


def test_an_error_says_its_status_its_words_and_its_references(host: Host) -> None:
    host.error(samples.ERROR)

    assert texts(host, ".state") == [
        "Quota exceeded\nThe daily quota is spent. Try again after 00:00 UTC.\ndaily_quota_limit_exceeded; log_id 2026"
    ]
    expect(host.view.get_by_role("status")).to_contain_text("Quota exceeded.")
    host.error("Error executing tool get_pinned_videos")
    assert texts(host, ".state") == ["Error\nError executing tool get_pinned_videos"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"username": "@gone"}, "not_found: TikTok knows no account of this name."),
        ({"username": "Gone"}, "not_found: @gone: TikTok knows no account of this name."),
        (None, "not_found: @gone: TikTok knows no account of this name. [invalid_params; log_id 2026]"),
    ],
)
def test_an_error_names_the_account_that_was_asked_for(host: Host, asked: dict[str, str] | None, told: str) -> None:
    if asked:
        host.send("sendInput", asked)
    host.error(told)

    assert texts(host, ".state")[0].startswith("Not found\n@gone: TikTok knows no account of this name.")
    expect(host.view.get_by_role("status")).to_contain_text("Not found. gone: TikTok knows")


def test_an_error_from_the_sandbox_says_so(host: Host) -> None:
    host.error("not_found: No such account. [invalid_params; log_id 2026; sandbox]")

    expect(host.view.get_by_role("note")).to_contain_text("Sandbox.")


def test_a_cancelled_call_says_so(host: Host) -> None:
    host.send("sendInput", {"username": "nasa"}).send("sendCancelled", "stopped by the user")

    assert texts(host, ".state") == ["Cancelled\nstopped by the user"]


@pytest.mark.parametrize(
    "answer",
    [
        {"content": [{"type": "text", "text": "only text"}]},
        {"content": [{"type": "text", "text": "x"}], "structuredContent": {"videos": [None]}},
        {"content": [], "structuredContent": {"accounts": "many"}},
        {"content": [], "structuredContent": {"anything": 1}},
    ],
)
def test_an_answer_of_another_shape_still_leaves_words_on_the_page(host: Host, answer: dict[str, Any]) -> None:
    host.send("sendResult", answer)

    assert re.search(r"only text|cannot be shown|Pinned videos", host.view.get_by_role("main").inner_text())


# ---- Everyone, everywhere ----

FEEDS: dict[str, Callable[[Host], object]] = {
    "loading": lambda host: host.send("sendInput", {"username": "nasa"}),
    "cards": lambda host: host.result({**samples.FULL, "source": "sandbox"}),
    "table": lambda host: host.result(samples.FULL).view.get_by_role("button", name="Table").click(),
    "sparse": lambda host: host.result(samples.SPARSE),
    "hostile": lambda host: host.result(samples.HOSTILE),
    "changed": lambda host: host.result(samples.CHANGED),
    "unchanged": lambda host: host.result(samples.UNCHANGED),
    "changed table": lambda host: host.result(samples.CHANGED).view.get_by_role("button", name="Table").click(),
    "growth": lambda host: host.result(samples.GROWN).view.get_by_role("button", name="Growth").click(),
    "growth table": lambda host: host.result(samples.GROWN).view.get_by_role("button", name="Table").click(),
    "empty": lambda host: host.result(samples.EMPTY),
    "chart": lambda host: host.result(samples.COMPARED),
    "ranking": lambda host: host.result(samples.COMPARED).view.get_by_role("button", name="Table").click(),
    "error": lambda host: host.error(samples.ERROR),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("feed", FEEDS)
def test_axe_finds_nothing_serious(show: Open, feed: str, theme: str) -> None:
    host = show(reduced_motion="reduce").open({"theme": theme})
    FEEDS[feed](host)

    assert serious(host) == []


def test_no_width_makes_the_page_scroll_sideways(show: Open) -> None:
    host = show().open()
    overflowing: list[str] = []
    for name, feed in FEEDS.items():
        for width in (320, 560, 720, 940, 1200):
            host.resize(width)
            feed(host)
            if host.view.evaluate("() => document.documentElement.scrollWidth > window.innerWidth"):
                overflowing.append(f"{name} at {width}")

    assert overflowing == []
