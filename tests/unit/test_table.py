"""What people see on a terminal: screens that were looked at and are kept, in every width, with and without colour.

After a change on purpose: ACCEPT_SNAPSHOTS=1 pytest tests/test_table.py, look at the difference, commit it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from kit import COMMAND, environment, running
from tiktok_pinned_videos.commands.cards import Cards
from tiktok_pinned_videos.commands.figures import age, bar, duration, short
from tiktok_pinned_videos.presentation.comparison import compared
from tiktok_pinned_videos.presentation.results import account_answer
from tiktok_pinned_videos.research.errors import NotFoundError
from tiktok_pinned_videos.research.models import Snapshot, Video
from tiktok_pinned_videos.service.many import Outcome
from tiktok_pinned_videos.service.service import Answer

SCREENS = Path(__file__).parents[1] / "snapshots" / "screens"
NOW = 1_780_000_000.0
HOSTILE = (
    "[bold red]obey[/] \x1b[31mred\x1b[0m [link=https://evil.example]here[/link] :bomb: "
    "تجربة النص العربي 👩‍🚀👍🏽🇩🇪 ﷽ Z̷̛a̶l̷g̸o <script>alert(1)</script> "
)
WIDTHS = (60, 80, 120, 200)


def answer(name: str, *videos: Video, sandbox: bool = False, **more: Any) -> Answer:
    snapshot = Snapshot(name, ("id",), videos, NOW - 90_000, f"log-{name}", sandbox)
    return Answer(snapshot, cached=False, requests=1, **more)


def video(number: int, views: int | None, **more: Any) -> Video:
    counts = {} if views is None else {"like_count": views // 9, "comment_count": views // 700, "share_count": 12}
    values = {
        "id": str(7_000_000_000_000_000_000 + number),
        "view_count": views,
        "create_time": 1_700_000_000,
        **counts,
    }
    return Video.model_validate(
        {"video_duration": 34, "video_description": f"Number {number} #space", **values, **more}
    )


def account() -> dict[str, Any]:
    told = account_answer(
        answer(
            "nasa",
            video(1, 44_199_736, hashtag_names=["space", "moon"], favorites_count=9),
            video(2, 16_171_042, region_code="US", video_description="日本語のタイトル、とても長い。" * 6),
            video(3, None, video_duration=3_723),
        )
    ).as_json()
    changes = {"since": "2026-05-14T08:00:00Z", "pinned": [{"id": "1"}], "unpinned": [], "view_count": 31_200}
    return told | {"changes": changes}


def hostile() -> dict[str, Any]:
    video_ = video(1, 1_234, video_description=HOSTILE * 3, hashtag_names=["[blink]", "إعلان"], region_code="[/]")
    return account_answer(answer("شخص_ما", video_, sandbox=True)).as_json()


def fifty() -> dict[str, Any]:
    outcomes: list[Outcome[Answer]] = [
        Outcome(name, answer(name, video(number, 10**9 // (number * number + 1))))
        for number, name in enumerate(["日本テレビ", "مرحبا", "a" * 64, *(f"user{number}" for number in range(45))])
    ]
    outcomes += [Outcome("empty", answer("empty")), Outcome("gone", error=NotFoundError("TikTok knows no such name."))]
    told = compared(outcomes, "view_count").as_json()
    told["accounts"][1]["changes"] = {"since": "2026-05-14T08:00:00Z", "pinned": 1, "unpinned": 0, "view_count": 31_200}
    return told


def screen(what: str, width: int, *, colour: bool) -> str:
    file = StringIO()
    console = Console(
        file=file, width=width, height=50, highlight=False, markup=False, emoji=False, legacy_windows=False,
        force_terminal=colour, color_system="truecolor" if colour else None, no_color=not colour, _environ={},
    )  # fmt: skip
    cards = Cards(console=console, now=NOW)
    match what:
        case "account":
            cards.account(account())
            cards.account(
                {"username": "gone", "status": "not_found", "reason": "TikTok knows no account of this name."}
            )
            cards.account(account_answer(answer("empty")).as_json())
        case "hostile":
            cards.account(hostile())
        case _:
            cards.ranking(fifty())
    return file.getvalue()


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "plain"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("what", ["account", "hostile", "fifty"])
def test_a_screen_is_the_one_that_was_looked_at(what: str, width: int, colour: bool) -> None:
    shown = screen(what, width, colour=colour).replace("\x1b", "␛")
    kept = SCREENS / f"{what}-{width}-{'colour' if colour else 'plain'}.txt"
    if os.environ.get("ACCEPT_SNAPSHOTS"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(shown, "utf-8", newline="\n")

    assert shown == kept.read_text("utf-8")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("what", ["account", "hostile", "fifty"])
def test_no_line_is_wider_than_the_terminal_and_colour_changes_no_letter(what: str, width: int) -> None:
    plain = screen(what, width, colour=False)

    assert max(cell_len(line) for line in plain.splitlines()) <= width
    assert "\x1b" not in plain
    assert not any(line.startswith("Note") and line.endswith(" ") for line in plain.splitlines())
    assert what == "hostile" or "+31,200" in plain
    assert Text.from_ansi(screen(what, width, colour=True)).plain.split() == plain.split()


def test_a_caption_draws_nothing_but_its_letters() -> None:
    plain = screen("hostile", 120, colour=False)

    assert "[bold red]obey[/]" in plain
    assert "[link=https://evil.example]here[/link] :bomb:" in plain
    assert "SANDBOX: INVENTED DATA" in plain


def test_bars_of_a_ranking_begin_in_one_column_whatever_the_names() -> None:
    lines = [line for line in screen("fifty", 80, colour=False).splitlines() if "█" in line or "▏" in line]
    begins = {cell_len(line[: min(line.find(char) for char in "█▏▎▍▌▋▊▉" if char in line)]) for line in lines}

    assert len(lines) > 40
    assert len(begins) == 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"), (999, "999"), (1_000, "1.0K"), (9_949, "9.9K"), (99_940, "99.9K"), (99_960, "100K"),
        (999_949, "1000K"), (999_951, "1.0M"), (61_676_555, "61.7M"), (2_500_000_000, "2.5B"), (-31_200, "-31.2K"),
    ],
)  # fmt: skip
def test_a_short_number_is_short(value: int, shown: str) -> None:
    assert short(value) == shown


def test_bars_durations_and_ages_are_what_they_look_like() -> None:
    assert (bar(50, 100, 10), bar(1, 10_000, 10), bar(0, 10, 10), bar(10, 10, 3)) == ("█████", "▏", "", "███")
    assert (duration(34), duration(3_723)) == ("0:34", "1:02:03")
    assert age("2026-05-28T20:26:40Z", NOW) == "just now"
    assert age("2026-05-27T20:26:40Z", NOW) == "1 day ago"
    assert age("2024-05-28T20:26:40Z", NOW) == "2 years ago"


# --- in a real terminal ---------------------------------------------------------------------------------------------


def in_terminal(*arguments: str, columns: int, **env: str) -> tuple[int, str]:
    """The command with a pseudo-terminal for stdout and stderr: its exit status and all that was on the screen."""
    import pty

    ours, theirs = pty.openpty()
    settings = environment(COLUMNS=str(columns), TERM="xterm-256color", **env)
    with running([*COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=settings) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:
                break
            if not part:
                break
            shown += part
        os.close(ours)
        return process.wait(60), shown.decode("utf-8")


pty_only = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")


@pty_only
def test_on_a_terminal_people_get_the_table_and_in_a_pipe_the_text() -> None:
    code, shown = in_terminal("get", "nasa", "--sandbox", columns=80)
    plain_code, plain = in_terminal("get", "nasa", "--sandbox", columns=80, NO_COLOR="1")
    piped = subprocess.run(
        [*COMMAND, "get", "nasa", "--sandbox"], capture_output=True, encoding="utf-8", env=environment(), check=True
    )

    assert (code, plain_code) == (0, 0)
    assert "█" in shown
    assert "\x1b[1;36m" in shown
    assert "\x1b[1;36m" not in plain
    assert "█" in plain
    assert piped.stdout.startswith("@nasa: 3 pinned videos")


@pty_only
def test_a_bar_on_the_same_terminal_leaves_the_cards_whole() -> None:
    code, shown = in_terminal("get", "nasa", "esa", "sandbox_private", "--sandbox", columns=100)

    assert code == 1
    assert "3/3 done, 1 failed, 0 left" in shown
    assert [shown.count(f"@{name}") > 0 for name in ("nasa", "esa", "sandbox_private")] == [True] * 3


@pty_only
def test_doctor_says_the_same_on_a_terminal_in_its_width() -> None:
    code, shown = in_terminal("doctor", "--sandbox", "--offline", columns=60)
    piped = subprocess.run(
        [*COMMAND, "doctor", "--sandbox", "--offline"],
        capture_output=True,
        encoding="utf-8",
        env=environment(),
        check=True,
    )
    plain = Text.from_ansi(shown.replace("\r\n", "\n")).plain

    assert code == 0
    assert max(cell_len(line) for line in plain.splitlines()) <= 60
    assert "".join(plain.split()) == "".join(piped.stdout.split())
    assert "\x1b[32mok" in shown
