"""The format `table`: reviewed screens in several widths, with and without color.

After an intended change: ACCEPT_SNAPSHOTS=1 pytest tests/unit/test_terminal.py, look at the difference, commit it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.text import Text

from tiktok_pinned_videos.commands.terminal import print_account, print_comparison
from tiktok_pinned_videos.presentation.comparison import compared
from tiktok_pinned_videos.presentation.results import account_answer
from tiktok_pinned_videos.research.errors import NotFoundError
from tiktok_pinned_videos.research.fields import DEFAULT, NAMES
from tiktok_pinned_videos.research.models import Snapshot, Video, video_from_item
from tiktok_pinned_videos.service.many import Outcome
from tiktok_pinned_videos.service.service import Answer

SCREENS = Path(__file__).parents[1] / "snapshots" / "screens"
NOW = 1_780_000_000.0
WIDTHS = (40, 60, 80, 120, 200)
HOSTILE = (
    "[bold red]obey[/] \x1b[31mred\x1b[0m [link=https://evil.example]here[/link] :bomb: "
    "تجربة النص العربي 👩‍🚀👍🏽🇩🇪 ﷽ Z̷̛a̶l̷g̸o <script>alert(1)</script> "
)
Screen = Callable[..., str]


def answer(name: str, *videos: Video, sandbox: bool = False) -> Answer:
    snapshot = Snapshot(name, ("id",), videos, NOW - 90_000, f"log-{name}", sandbox)
    return Answer(snapshot, cached=False, requests=1)


def video(number: int, views: int | None, **more: Any) -> Video:
    counts = {"view_count": views, "like_count": 9 * number, "comment_count": 700, "share_count": 12}
    text = {"video_description": f"Number {number} #space", "create_time": 1_700_000_000, "favorites_count": 9}
    item = {"id": 7_000_000_000_000_000_000 + number, **counts, **text, **more}
    return video_from_item(item, NAMES)


def account() -> dict[str, Any]:
    cells = "日本語のタイトル、とても長い。" * 6  # two columns a letter
    videos = (video(1, 44_199_736), video(2, 16_171_042, video_description=cells), video(3, None))
    changed = {"id": "7000000000000000002", "after": "2026-05-15T08:00:00Z", "by": "2026-05-16T08:00:00Z"}
    gone = changed | {"id": "6999999999999999999"}
    changes = {"since": "2026-05-14T08:00:00Z", "pinned": [changed], "unpinned": [gone], "view_count": 31_200}
    return account_answer(answer("nasa", *videos)) | {"changes": changes, "notes": ["A note."]}


def ranking() -> dict[str, Any]:
    names = ["日本テレビ", "مرحبا", "a" * 64, "user1", "user2"]
    outcomes: list[Outcome[Answer]] = [
        Outcome(name, answer(name, video(number, 10**9 // (9**number + 1)))) for number, name in enumerate(names)
    ]
    gone = NotFoundError("TikTok has no such account.", next_step="Check the spelling.")
    outcomes += [Outcome("empty", answer("empty")), Outcome("gone", error=gone)]
    return compared(outcomes, "view_count") | {"notes": ["A note."]}


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Screen:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def screen(what: str, width: int, **env: str) -> str:
        for name, value in (env | {"COLUMNS": str(width)}).items():
            monkeypatch.setenv(name, value)
        match what:
            case "account":
                print_account(account(), DEFAULT)
                print_account({"username": "gone", "status": "not_found", "reason": "No such account."}, ())
            case "hostile":
                shown = answer("شخص_ما", video(1, 1_234, video_description=HOSTILE * 3), sandbox=True)
                print_account(account_answer(shown), (*DEFAULT, "region_code"))
            case _:
                print_comparison(ranking())
        for name in env:
            monkeypatch.delenv(name)
        return capsys.readouterr().out

    return screen


@pytest.mark.parametrize("what", ["account", "ranking", "hostile"])
def test_the_screens_are_those_that_were_reviewed(what: str, screen: Screen) -> None:
    colored = re.sub(r"id=\d+", "id=1", screen(what, 100, FORCE_COLOR="1")).replace("\x1b", "␛")
    shown = "\n".join([*(f"=== {width}\n{screen(what, width)}" for width in WIDTHS), f"=== color\n{colored}"])
    kept = SCREENS / f"{what}.txt"
    if os.environ.get("ACCEPT_SNAPSHOTS"):
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(shown, "utf-8", newline="\n")

    assert shown == kept.read_text("utf-8")


@pytest.mark.parametrize("what", ["account", "ranking", "hostile"])
def test_lines_fit_the_terminal_and_color_changes_no_character(what: str, screen: Screen) -> None:
    for width in range(32, 150, 7):
        plain = screen(what, width)
        colored = screen(what, width, FORCE_COLOR="1")

        assert max(cell_len(line) for line in plain.splitlines()) <= width
        assert "\x1b" not in plain
        assert Text.from_ansi(colored).plain.split() == plain.split()


def test_columns_are_dropped_in_the_documented_order_and_numbers_stay_whole(screen: Screen) -> None:
    order = ["favorites", "shares", "comments", "engagement", "likes", "posted", "caption"]
    present = order
    for width in range(150, 31, -1):
        shown = screen("account", width)
        present = [name for name in order if name in shown]

        assert present == order[len(order) - len(present) :]
        assert [number in shown for number in ("44,199,736", "16,171,042", "60,370,778")] == [True] * 3
    assert present == ["caption"]


def test_zero_columns_and_none_count_as_unset(screen: Screen) -> None:
    assert screen("account", 0) == screen("account", 80)


def test_changes_are_listed_with_ids_and_times(screen: Screen) -> None:
    shown = screen("account", 120)

    assert "Since 2026-05-14 08:00:00 UTC: 1 pinned, 1 unpinned, +31,200 views" in shown
    assert "pinned   7000000000000000002 between 2026-05-15 08:00 and 2026-05-16 08:00 UTC" in shown
    assert "unpinned 6999999999999999999" in shown


def test_colors_are_readable_on_any_background_and_optional(screen: Screen) -> None:
    colored = screen("account", 120, FORCE_COLOR="1")
    codes = {code for codes in re.findall(r"\x1b\[([\d;]+)m", colored) for code in codes.split(";")}

    assert codes <= {"0", "1", "2", "31", "36", "49"}  # bold, dim, red, cyan; no bright colors and no background
    assert "\x1b[36m" not in screen("account", 120, FORCE_COLOR="1", NO_COLOR="1")


def test_captions_and_ids_link_to_the_video_on_terminals_that_can(screen: Screen) -> None:
    linked = screen("account", 120, FORCE_COLOR="1")

    assert linked.count("https://www.tiktok.com/@nasa/video/7000000000000000002") == 3  # number, caption, change
    assert "https://www.tiktok.com" not in screen("account", 120, FORCE_COLOR="1", TERM="linux")
    assert "https://www.tiktok.com" not in screen("account", 120)


def test_a_caption_is_never_markup_and_fields_without_a_column_are_named(screen: Screen) -> None:
    shown = screen("hostile", 200)

    assert "[bold red]obey[/]" in shown
    assert "[link=https://evil.example]here[/link] :bomb:" in shown
    assert "SANDBOX: INVENTED DATA" in shown
    assert "👩‍🚀👍🇩🇪" in screen("hostile", 300)  # a skin tone makes an emoji wider in some terminals
    assert "Not in this table: region_code." in shown


def test_bars_start_in_one_column_in_every_script(screen: Screen) -> None:
    rows = [line for line in screen("ranking", 100).splitlines() if re.match(r"\d  @", line)]
    starts = {cell_len(row[: re.search("[█▏▎▍▌▋▊▉]", row).start()]) for row in rows}  # pyright: ignore[reportOptionalMemberAccess]

    assert len(rows) == 5
    assert len(starts) == 1
