"""How the view fits: short at first in a conversation, any font, any finger, and honest about its age."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from browser import samples
from browser.harness import Host
from browser.reading import texts

Open = Callable[..., Host]
MANY = {**samples.COMPARED, "accounts": [samples.ranked(f"account{n}", n, view_count=1000 - n) for n in range(1, 41)]}
FONTS = {
    "narrow": "body { font-family: 'DejaVu Sans Condensed', 'Arial Narrow', sans-serif; letter-spacing: -.03em }",
    "wide": "body { font-family: 'DejaVu Sans', Verdana, sans-serif; letter-spacing: .06em }",
}


def is_told(host: Host, height: str) -> bool:
    """Whether the view tells its host a height such as "<= 500", and stays with it."""
    host.page.wait_for_function(f"() => window.seen.sizes.length && window.seen.sizes.at(-1).height {height}")
    host.page.wait_for_timeout(150)
    return host.page.evaluate(f"() => window.seen.sizes.at(-1).height {height}")


@pytest.mark.parametrize("data", [samples.CHANGED, {**samples.FULL, "source": "sandbox"}, samples.COMPARED, MANY])
def test_in_a_conversation_the_first_look_is_short_and_shows_all_when_asked(show: Open, data: samples.Json) -> None:
    host = show(width=720).open({"displayMode": "inline"}).result(data)
    assert is_told(host, "<= 500")
    button = host.view.get_by_role("button", name="Show all")
    expect(button).to_have_attribute("aria-expanded", "false")
    button.press("Enter")

    assert is_told(host, "> 500")
    last = host.view.locator("main > :last-child")
    assert last.evaluate("node => node.getBoundingClientRect().bottom <= window.innerHeight")
    host.view.get_by_role("button", name="Show less").press("Enter")
    assert is_told(host, "<= 500")
    host.result(data)
    assert is_told(host, "<= 500")


def test_what_fits_has_nothing_to_show_more(host: Host) -> None:
    host.send("changeContext", {"displayMode": "inline"}).result(samples.EMPTY)

    expect(host.view.get_by_role("button", name="Show all")).to_have_count(0)


def test_a_fullscreen_view_is_whole(show: Open) -> None:
    host = show(width=720).open({"displayMode": "inline"}).result(MANY)
    host.send("changeContext", {"displayMode": "fullscreen"})

    assert is_told(host, "> 500")
    expect(host.view.get_by_role("button", name="Show all")).to_have_count(0)


def test_the_keyboard_reaches_what_lies_below(show: Open) -> None:
    host = show(width=720).open().result(MANY)
    assert is_told(host, "<= 500")
    host.view.get_by_role("button", name="Engagement").focus()
    for _ in range(20):
        host.page.keyboard.press("Tab")

    link = host.view.locator("a:focus")
    assert link.evaluate("node => node.getBoundingClientRect().bottom <= window.innerHeight")
    expect(host.view.get_by_role("button", name="Show less")).to_be_visible()


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("data", ["FULL", "GROWN", "CHANGED"])
def test_no_word_of_ours_breaks_in_two_whatever_the_font(show: Open, font: str, data: str) -> None:
    host = show().open({"displayMode": "fullscreen", "locale": "de-DE", "styles": {"css": {"fonts": FONTS[font]}}})
    host.result(getattr(samples, data))
    broken: list[str] = []
    for width in (320, 400, 560, 720, 940, 1200):
        host.resize(width)
        lines = host.view.evaluate(
            """() => [...document.querySelectorAll("dt, dd, .n, button, thead th, .mark")].flatMap((node) => {
              const range = document.createRange();
              range.selectNodeContents(node);
              const tops = [...range.getClientRects()].filter(({width}) => width > 1).map(({top}) => top);
              const ours = node.offsetParent && !node.querySelector(".bar, .sr");
              return ours && Math.max(...tops) - Math.min(...tops) > 8 ? [node.textContent] : [];
            })"""
        )
        broken += [f"{text} at {width}" for text in lines]
        if host.view.evaluate("() => document.documentElement.scrollWidth > window.innerWidth"):
            broken.append(f"sideways at {width}")

    assert broken == []


@pytest.mark.parametrize(("touch", "least"), [(False, 24), (True, 44)])
@pytest.mark.parametrize("data", ["FULL", "GROWN", "CHANGED", "HOSTILE"])
def test_every_target_is_large_enough(show: Open, touch: bool, least: int, data: str) -> None:
    host = show(has_touch=touch, is_mobile=touch, width=400).open()
    small = []
    for shown in ("first", "table"):
        host.result(getattr(samples, data))
        if shown == "table":
            host.view.get_by_role("button", name="Table").click()
        small += host.view.evaluate(
            """least => [...document.querySelectorAll("a, button, summary")].filter((node) => {
              const { width, height } = node.getBoundingClientRect();
              return node.offsetParent && (width < least || height < least);
            }).map((node) => `${node.textContent} ${node.getBoundingClientRect().height}`)""",
            least,
        )

    assert small == []


@pytest.mark.parametrize(("hours", "told"), [(23, 0), (25, 1)])
def test_data_older_than_a_day_says_so(host: Host, hours: int, told: int) -> None:
    then = (datetime.now(UTC) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for data in (samples.FULL, samples.COMPARED):
        host.result({**data, "retrieved_at": then})

        assert texts(host, ".old:visible") == ["Older than a day: ask again with refresh to see how it is now."] * told


def test_hashtags_that_the_description_shows_are_not_shown_again(host: Host) -> None:
    video = samples.video(
        1,
        video_description="#Baking and #caf\u00e9, not #bakings",
        hashtag_names=["baking", "CAF\u00c9", "bake", "fyp"],
    )
    host.result(samples.account(video))
    assert texts(host, ".text .tags li") == ["#bake", "#fyp"]
    host.result(samples.account(samples.video(1, hashtag_names=["only"])))
    assert texts(host, ".text .tags li") == ["#only"]
