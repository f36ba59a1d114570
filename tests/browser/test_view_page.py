"""The view as a page of its own: opened from a file, with the network off, with somebody else's words in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browser import samples
from browser.harness import PATIENCE
from browser.reading import AXE
from kit import yardstick
from tiktok_pinned_videos.presentation.view import page

GONE = {"username": "gone", "status": "not_found", "reason": "TikTok knows no account of this name."}
ATTACK = "</script><script>document.title='owned'</script><!--<script><img src=x onerror=document.title='owned'>"
HOSTILE = samples.account(
    samples.video(1, video_description=ATTACK, hashtag_names=[ATTACK], video_label={"content": ATTACK}),
    samples.video(2, url="javascript:document.title='owned'", video_description="\u2028<!-- \\u003c &lt; ]]>"),
    username=ATTACK,
    notes=[ATTACK],
)
Saved = Callable[..., Page]


@pytest.fixture
def heard() -> list[str]:
    """What pages asked for, and complained of."""
    return []


@pytest.fixture
def saved(chromium: Browser, tmp_path: Path, heard: list[str]) -> Iterator[Saved]:
    """Opens a page from a file, offline; at the end it has asked for nothing and complained of nothing."""
    context = chromium.new_context(offline=True, viewport={"width": 900, "height": 700})
    context.set_default_timeout(PATIENCE)

    def start(*results: samples.Json) -> Page:
        file = tmp_path / "page.html"
        file.write_text(page(results), encoding="utf-8")
        tab = context.new_page()
        tab.on("console", lambda message: heard.append(message.text))
        tab.on("pageerror", lambda error: heard.append(str(error)))
        tab.on("request", lambda request: heard.append(request.url))
        tab.goto(file.as_uri())
        assert heard.pop(0) == file.as_uri()
        return tab

    yield start
    context.close()
    assert heard == []


def serious(tab: Page) -> list[str]:
    # By a way that the page's policy does not forbid: what a debugger evaluates is no script of the page.
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = tab.evaluate("() => axe.run(document, { preload: false })")
    assert found["passes"], "axe looked at nothing"
    return [rule["id"] for rule in found["violations"] if rule["impact"] in {"serious", "critical"}]


def test_one_account_is_shown_whole_without_a_host(saved: Saved) -> None:
    tab = saved(samples.CHANGED)

    expect(tab).to_have_title("Pinned videos of @slow_oven")
    expect(tab.locator("h1")).to_have_text("@slow_oven")
    expect(tab.locator(".card")).to_have_count(2)
    expect(tab.get_by_role("button", name="Show all")).to_have_count(0)
    expect(tab.locator("header")).to_contain_text("Nov 22, 2026")
    tab.get_by_role("button", name="Table").click()
    expect(tab.get_by_role("table")).to_contain_text("11,904,822")
    assert serious(tab) == []


def test_a_comparison_is_shown_and_ranked_anew(saved: Saved) -> None:
    tab = saved(samples.GROWN)
    tab.get_by_role("button", name="Growth").click()

    expect(tab).to_have_title("Pinned videos compared")
    assert tab.locator(".row .name bdi").all_inner_texts() == ["@beta", "@alpha", "@gamma"]
    assert serious(tab) == []


def test_several_accounts_stand_one_below_the_other_with_those_that_failed(saved: Saved) -> None:
    sandbox = {**samples.FULL, "source": "sandbox"}
    tab = saved(sandbox, {**samples.EMPTY, "source": "sandbox"}, GONE)

    expect(tab).to_have_title("Pinned videos of 3 accounts")
    assert tab.locator("article").count() == 3
    assert [re.sub(r"\s+", " ", text) for text in tab.locator("article h2").all_inner_texts()] == [
        "@slow_oven",
        "@quiet",
        "Not found",
    ]
    expect(tab.locator("article").last).to_contain_text("@gone: TikTok knows no account of this name.")
    expect(tab.get_by_role("note")).to_have_count(1)
    assert serious(tab) == []


def test_no_script_of_a_caption_runs_and_none_is_hidden(saved: Saved) -> None:
    tab = saved(HOSTILE, samples.HOSTILE)
    tab.wait_for_timeout(200)

    expect(tab).to_have_title("Pinned videos of 2 accounts")
    assert tab.locator(".text > bdi").first.text_content() == ATTACK
    assert tab.locator(".text > bdi").nth(1).text_content() == "<!-- \\u003c &lt; ]]>"
    assert tab.locator("main").locator("img, script, iframe").count() == 0
    assert [link.get_attribute("rel") for link in tab.get_by_role("link").all()] == ["noopener noreferrer"] * 3


def test_the_pages_policy_lets_nothing_run_but_the_view(saved: Saved, heard: list[str]) -> None:
    tab = saved(samples.FULL)
    policy = tab.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")

    assert policy is not None
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert tab.evaluate(
        """() => new Promise((resolve) => {
          document.addEventListener("securitypolicyviolation", ({ violatedDirective }) => resolve(violatedDirective));
          const script = document.createElement("script");
          script.textContent = "document.title = 'owned'";
          document.head.append(script);
          setTimeout(() => resolve("ran"), 500);
        })"""
    ) in {"script-src", "script-src-elem"}
    expect(tab).to_have_title("Pinned videos of @slow_oven")
    assert "Content Security Policy" in heard.pop()


def test_it_prints_light_and_whole_without_its_buttons(saved: Saved) -> None:
    tab = saved(samples.CHANGED)
    tab.emulate_media(media="print", color_scheme="dark")

    assert tab.locator("button:visible").count() == 0
    assert tab.locator(".card:visible").count() == 2
    assert tab.evaluate("() => getComputedStyle(document.body).color") == "rgb(23, 25, 28)"
    assert tab.pdf(format="A4").startswith(b"%PDF")


def test_fifty_accounts_open_in_less_than_two_seconds(saved: Saved) -> None:
    account = samples.account(
        *({**samples.CHANGED["videos"][0], "video_description": "long " * 400} for _ in range(3)),
        totals=samples.FULL["totals"],
    )
    tab = saved(*({**account, "username": f"account{number}"} for number in range(50)))
    expect(tab.locator("article")).to_have_count(50)

    # By the page's own clock: how long the browser took to open a tab is not its matter.
    took = tab.evaluate("() => performance.getEntriesByType('navigation')[0].domComplete")
    assert took < 2_000 + 20_000 * yardstick()
