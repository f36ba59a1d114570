"""What the view shows of accounts and comparisons, as a page from a file with the network off."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from browser import samples
from browser.conftest import Open, Saved

REASON = {"username": "gone", "status": "not_found", "reason": "TikTok has no account of this name."}


def texts(tab: Page, selector: str) -> list[str]:
    return [re.sub(r"\s+", " ", text) for text in tab.locator(selector).all_inner_texts()]


def table(tab: Page) -> list[list[str]]:
    tab.get_by_role("button", name="Table").click()
    return [row.locator("th, td").all_inner_texts() for row in tab.locator("tr").all()]


def test_a_card_shows_the_values_that_tiktok_sent_and_no_others(saved: Saved) -> None:
    tab = saved(samples.FULL)
    first, _, third = tab.locator(".card").all()

    expect(tab).to_have_title("Pinned videos of @slow_oven")
    assert first.locator("dt").all_inner_texts() == ["Views", "Likes", "Comments", "Shares", "Favorites", "Engagement"]
    assert first.locator("dd .full").all_text_contents() == ["11,904,822", "902,311", "11,873", "20,114", "214,905"]
    assert first.get_by_role("list", name="Hashtags").all_inner_texts() == ["#sourdough"]
    assert third.locator(".facts").count() == 0
    third.get_by_text("More: 3 fields").click()
    assert third.locator("details dd").all_inner_texts() == ["7011223344556677889", "yes", "none"]
    assert re.findall(r"NaN|undefined|null|Invalid", tab.locator("main").inner_text()) == []


def test_a_long_caption_is_clamped_until_show_more(saved: Saved) -> None:
    tab = saved(samples.FULL)
    caption = tab.locator(".text > bdi").first
    short = caption.bounding_box()
    tab.get_by_role("button", name="Show more").click()
    whole = caption.bounding_box()

    assert short is not None
    assert whole is not None
    assert short["height"] < 120 < whole["height"]
    expect(tab.get_by_role("button", name="Show less")).to_have_attribute("aria-expanded", "true")


def test_times_are_labelled_utc_in_every_time_zone_of_the_reader(saved: Saved) -> None:
    tab = saved(samples.FULL)

    expect(tab.locator(".card").first).to_contain_text("Nov 7, 2023")  # the 8th in Tokyo
    expect(tab.locator("header")).to_contain_text("Nov 22, 2026, 11:20 AM UTC")
    expect(tab.get_by_role("region", name="What changed")).to_contain_text(
        "between Nov 12, 2026, 11:00 PM UTC and Nov 13, 2026, 9:30 AM UTC"
    )
    expect(tab.locator("footer")).to_contain_text("Dates and times are in UTC.")


def test_the_notes_are_those_for_people(saved: Saved) -> None:
    assert texts(saved(samples.FULL), "footer li") == [
        "Total view_count covers 2 of 3 videos: TikTok sent no value for 7298412345678901243.",
        "Long texts were cut (…).",
    ]


def test_the_table_has_exact_numbers_a_total_and_only_hashtags_that_captions_lack(saved: Saved) -> None:
    rows = table(saved(samples.FULL))

    assert rows[0][:9] == [
        "Video", "Posted (UTC)", "Duration", "Views", "Likes", "Comments", "Shares", "Favorites", "Engagement",
    ]  # fmt: skip
    assert rows[0][9:11] == ["Description", "Other hashtags"]
    assert rows[2][1:9] == [
        "Jan 17, 2024", "1:01:11", "5,952,411", "451,155", "5,936", "10,057", "107,452", "7.85%",
    ]  # fmt: skip
    assert (rows[1][10], rows[2][10]) == ("#sourdough", "")
    assert (rows[-1][0], rows[-1][3]) == ("Total", "17,857,233")


def test_a_table_that_is_wider_than_the_page_says_so(saved: Saved) -> None:
    tab = saved(samples.COMPARED)
    for width, shown in ((360, True), (1400, False)):
        tab.set_viewport_size({"width": width, "height": 700})
        table(tab)
        assert tab.get_by_text("Scroll sideways for more columns").is_visible() is shown


def test_an_id_can_be_copied_or_is_selected_for_copying(saved: Saved) -> None:
    tab = saved(samples.FULL)
    tab.get_by_role("button", name="Copy id").first.click()

    id_ = samples.FULL["videos"][0]["id"]
    expect(tab.get_by_role("status")).to_have_text(re.compile(rf"Copied {id_}\.|The id is selected"))
    if "selected" in tab.get_by_role("status").inner_text():
        assert tab.evaluate("() => getSelection().toString()") == id_


def test_changes_are_marked_listed_and_summed(saved: Saved) -> None:
    tab = saved(samples.FULL)
    past = tab.get_by_role("region", name="What changed")

    assert [card.locator(".mark").count() for card in tab.locator(".card").all()] == [1, 0, 0]
    expect(past).to_contain_text("1 newly pinned, 1 unpinned since Nov 10, 2026, 8:00 AM UTC")
    expect(past.get_by_role("list", name="Unpinned").get_by_role("link")).to_have_attribute(
        "href", f"https://www.tiktok.com/@slow_oven/video/{samples.GONE}"
    )
    assert tab.locator(".grown .full, .grown:not(:has(.full))").all_text_contents() == ["+31,200", "-12"]
    quiet = {"since": "2026-11-10T08:00:00Z", "pinned": [], "unpinned": [], "view_count": 0}
    expect(saved({**samples.FULL, "changes": quiet}).locator(".past")).to_contain_text("Nothing has changed since")


def test_a_comparison_can_be_ranked_by_any_measure_and_by_growth(saved: Saved) -> None:
    tab = saved(samples.COMPARED)

    def chart() -> list[list[str]]:
        rows = tab.locator(".row").all()
        return [
            [row.locator(each).first.inner_text().split("\n")[0] for each in (".k", ".name bdi", ".n")] for row in rows
        ]

    assert chart() == [["1", "@alpha", "3M"], ["2", "@beta", "2M"], ["3", "@gamma", "1K"]]
    tab.get_by_role("button", name="Likes").press("Enter")
    assert chart() == [["1", "@beta", "90K"], ["2", "@alpha", "20"], ["", "@gamma", "unknown"]]
    expect(tab.get_by_role("status")).to_have_text("Ranked by likes. First: beta, 90,000.")
    tab.get_by_role("button", name="Views").click()
    tab.get_by_role("button", name="Growth").click()
    assert chart() == [["1", "@beta", "+131.2K"], ["2", "@alpha", "+31.2K"], ["3", "@gamma", "0"]]
    assert "1 newly pinned since" in texts(tab, ".row .since")[1]
    assert texts(tab, "section[aria-label='Not answered'] li") == [
        "@gone Not found TikTok has no account of this name.",
        "@shy Refused The account is private. <i>Ask</i> for another.",
    ]


def test_fifty_accounts_and_failures_are_one_page(saved: Saved) -> None:
    accounts = [{**samples.FULL, "source": "sandbox", "username": f"account{number}"} for number in range(48)]
    tab = saved(*accounts, {**samples.EMPTY, "source": "sandbox"}, REASON)

    expect(tab).to_have_title("Pinned videos of 50 accounts")
    assert texts(tab, "article h2")[-3:] == ["@account47", "@quiet", "Not found"]
    expect(tab.get_by_role("note")).to_have_count(1)


def test_hostile_text_is_shown_as_written_runs_nothing_and_reverses_nothing(saved: Saved) -> None:
    tab = saved(samples.HOSTILE)
    tab.wait_for_timeout(200)

    expect(tab).to_have_title("Pinned videos of @slow_oven")
    assert tab.locator(".text > bdi").first.text_content() == f"{samples.ATTACK} abc def"
    assert tab.locator("main").locator("img, script, iframe").count() == 0
    assert [link.get_attribute("href") for link in tab.get_by_role("link").all()] == [
        video["url"] for video in samples.HOSTILE["videos"][:2]
    ]
    assert tab.locator(".text > bdi").nth(1).evaluate("node => getComputedStyle(node).direction") == "rtl"


def test_print_is_light_and_whole_with_exact_numbers_and_without_buttons(saved: Saved) -> None:
    tab = saved(samples.FULL)
    tab.emulate_media(media="print", color_scheme="dark")

    assert tab.locator("button:visible").count() == 0
    assert "11,904,822" in tab.locator(".card").first.inner_text()
    assert "11.9M" not in tab.locator(".card").first.inner_text()
    assert tab.locator(".text > bdi").first.evaluate("node => node.scrollHeight <= node.clientHeight + 1")
    assert tab.evaluate("() => getComputedStyle(document.body).color") == "rgb(23, 25, 28)"
    assert tab.pdf(format="A4").startswith(b"%PDF")


def test_numbers_and_dates_follow_the_hosts_language(show: Open) -> None:
    host = show().result(samples.FULL)
    host.send("changeContext", {"locale": "de-DE"})
    expect(host.view.locator(".totals dd").first).to_contain_text("17,9\u00a0Mio.")
    expect(host.view.locator(".card").first).to_contain_text("07.11.2023")
    host.send("changeContext", {"locale": "not a language"})
    expect(host.view.locator(".totals dd").first).to_contain_text("17.9M")
