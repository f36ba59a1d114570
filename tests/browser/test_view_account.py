"""One account's pinned videos in the view: cards, table, and someone else's words."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from browser import samples
from browser.harness import Host
from browser.reading import MEASURES, order_of_glyphs, texts

Open = Callable[..., Host]


def test_a_card_shows_what_was_sent_about_a_video(host: Host) -> None:
    host.result(samples.FULL)
    card = host.view.locator(".card").first

    assert card.locator("h2").inner_text().startswith("Video 1, posted")
    expect(card).to_contain_text("Nov 7, 2023")
    expect(card).to_contain_text("years ago")
    expect(card).to_contain_text("0:58")
    expect(card).to_contain_text("Rye bread in nine steps")
    assert card.get_by_role("list", name="Hashtags").get_by_role("listitem").all_inner_texts() == ["#sourdough"]
    assert card.locator("dt").all_inner_texts() == list(MEASURES)
    assert card.locator("dd .sr").all_text_contents() == ["11,904,822", "902,311", "11,873", "20,114", "214,905"]
    assert card.locator("dd .n").last.inner_text() == "7.85%"
    assert texts(host, ".card .mono")[0].endswith("7298412345678901241")


def test_bars_measure_against_the_accounts_own_best(host: Host) -> None:
    host.result(samples.FULL)
    expect(host.view.locator(".card")).to_have_count(2)
    widths = host.view.evaluate(
        "() => [...document.querySelectorAll('.card')].map(card => {"
        "  const bar = card.querySelector('.bar'); return bar.firstChild.offsetWidth / bar.offsetWidth; })"
    )

    assert widths == [pytest.approx(1, abs=0.02), pytest.approx(0.5, abs=0.02)]


def test_the_header_says_totals_source_age_and_cache_and_the_footer_the_rest(host: Host) -> None:
    host.result(samples.FULL)

    assert texts(host, "h1") == ["@slow_oven"]
    assert re.fullmatch(
        r"2 pinned videos\s*TikTok Research API\s*Retrieved .+\s*From cache", " ".join(texts(host, "header p"))
    )
    assert host.view.locator(".totals .sr").first.text_content() == "17,857,233"
    assert texts(host, "footer li, footer p") == ["User texts are untrusted data.", "log_id 20261122101512C0FFEE"]
    expect(host.view.get_by_role("note")).to_have_count(0)


def test_a_sandbox_answer_cannot_be_mistaken(host: Host) -> None:
    host.result({**samples.FULL, "source": "sandbox", "notes": ["Sandbox: invented data.", "Something else."]})

    expect(host.view.get_by_role("note")).to_contain_text("Sandbox. All of this is invented")
    expect(host.view.locator("header")).not_to_contain_text("TikTok Research API")
    assert texts(host, "footer li") == ["Something else."]


def test_what_was_not_sent_is_absent_and_never_nought(host: Host) -> None:
    host.result(samples.SPARSE)
    first, second = host.view.locator(".card").all()

    assert first.locator("dt").all_inner_texts() == ["Views"]
    assert second.locator(".facts").count() == 0
    assert host.view.locator(".totals dt").all_inner_texts() == ["Views"]
    assert re.findall(r"\b0\b|NaN|undefined|null|Invalid", host.view.locator("main").inner_text()) == []
    second.get_by_text("More: 3 fields").click()
    assert second.locator("details dt").all_inner_texts() == ["Is stem verified", "Music id", "Video mention list"]
    assert second.locator("details dd").all_inner_texts() == ["yes", "7011223344556677889", "none"]


def test_the_table_has_the_same_in_exact_numbers(host: Host) -> None:
    host.result(samples.FULL)
    host.view.get_by_role("button", name="Table").press("Space")
    table = host.view.get_by_role("table", name="Pinned videos in TikTok\u2019s order, with exact numbers")

    expect(host.view.locator(".cards")).to_be_hidden()
    expect(host.view.get_by_role("status")).to_have_text("Shown as table.")
    assert [head.inner_text() for head in table.get_by_role("columnheader").all()] == [
        "Video",
        "Posted",
        "Description",
        "Duration",
        *MEASURES,
        "Hashtags",
    ]
    assert table.locator("tbody th[scope=row]").first.inner_text().startswith("7298412345678901241")
    row = table.locator("tbody tr").nth(1)
    assert row.locator("td.num").all_inner_texts() == [
        "Jan 17, 2024",
        "1:01:11",
        "5,952,411",
        "451,155",
        "5,936",
        "10,057",
        "107,452",
        "7.85%",
    ]
    assert "17,857,233" in table.locator("tfoot").inner_text()


def test_numbers_and_dates_follow_the_hosts_language(host: Host) -> None:
    host.result(samples.FULL)
    host.send("changeContext", {"locale": "de-DE"})
    expect(host.view.locator(".totals dd").first).to_contain_text("17,9\u00a0Mio.")

    expect(host.view.locator(".card").first).to_contain_text("07.11.2023")
    host.send("changeContext", {"locale": "not a language", "timeZone": "Nowhere/Else"})
    expect(host.view.locator(".totals dd").first).to_contain_text("17.9M")


# ---- Someone else's words ----


def test_hostile_captions_inject_no_element(host: Host) -> None:
    host.result(samples.HOSTILE)
    host.view.get_by_text("More: 1 field").click()

    assert host.view.locator("main").locator("img, b, u, i:not(:empty), script, iframe").count() == 0
    expect(host.view.locator(".card").first).to_contain_text("<img src=x onerror=alert(1)><b>ignore all</b>")
    expect(host.view.locator(".card").first).to_contain_text("#<script>alert(1)</script>")
    expect(host.view.locator("details")).to_contain_text("<iframe src=//evil.example></iframe>")
    host.result(samples.COMPARED)
    expect(host.view.get_by_role("region", name="Not answered")).to_contain_text("<i>Ask</i>")
    host.error("refused: <img src=x onerror=alert(1)>")
    expect(host.view.locator(".state")).to_contain_text("<img src=x onerror=alert(1)>")


def test_hostile_captions_reverse_no_text(host: Host) -> None:
    host.result(samples.HOSTILE)

    for words in ("abc def", "tagtail", "@slow_oven", "<u>note</u>"):
        places = order_of_glyphs(host, words)
        assert len(places) == len(words), words
        assert places == sorted(places), f"{words} is drawn in another order"


def test_right_to_left_captions_and_joined_emoji_stay_as_written(host: Host) -> None:
    host.result(samples.HOSTILE)
    caption = host.view.locator(".text bdi").nth(3)

    assert caption.text_content() == samples.HOSTILE["videos"][1]["video_description"]
    assert caption.evaluate("node => getComputedStyle(node).direction") == "rtl"
    places = order_of_glyphs(host, "\u05dc\u05d7\u05dd")
    assert places == sorted(places, reverse=True)


def test_every_text_from_outside_is_isolated_from_its_surroundings(host: Host) -> None:
    host.result(samples.HOSTILE)
    loose = host.view.evaluate(
        """words => {
          const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
          const found = [];
          while (walker.nextNode()) {
            const node = walker.currentNode;
            const foreign = words.some(word => node.data.includes(word));
            if (foreign && !node.parentElement.closest("bdi")) found.push(node.data);
          }
          return found;
        }""",
        ["ignore all", "<script", "evil", "note", "slow", "xxx", "\u05dc\u05d7\u05dd"],
    )

    assert loose == []


def test_only_addresses_of_tiktok_become_links(host: Host) -> None:
    host.result(samples.HOSTILE)

    assert [link.get_attribute("href") for link in host.view.get_by_role("link").all()] == [
        samples.HOSTILE["videos"][0]["url"],
        samples.HOSTILE["videos"][1]["url"],
    ]
