"""The examples as a reader runs them: `uv run`, each in the environment that it declares, against the sandbox."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kit.built import ROOT, uv_environment, uv_program

pytestmark = pytest.mark.builds

EXAMPLES = ROOT / "examples"


def run(name: str, *arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    """The command that the script's own docstring shows."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert f"uv run examples/{name}" in text
    done = subprocess.run(
        [uv_program(), "run", f"examples/{name}", *arguments],
        cwd=ROOT, env=uv_environment() | env, capture_output=True, encoding="utf-8", check=False, timeout=300,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_every_example_is_in_the_list_of_examples_and_tried_here() -> None:
    scripts = {path.name for path in EXAMPLES.glob("*.py")}
    listed = re.findall(r"\[`(\w+\.py)`\]", (EXAMPLES / "README.md").read_text(encoding="utf-8"))

    assert scripts == set(listed)
    assert scripts <= set(re.findall(r'run\(\s*"(\w+\.py)"', Path(__file__).read_text(encoding="utf-8")))


def test_the_weakest_pin_is_the_last_of_all_pinned_videos() -> None:
    done = run("weakest_pin.py", "nasa")

    assert done.returncode == 0, done.stderr
    *videos, last = done.stdout.splitlines()
    rates = [int(line.split()[0].replace(",", "")) for line in videos]
    assert len(rates) == 3
    assert rates == sorted(rates, reverse=True)
    assert all("https://www.tiktok.com/@nasa/video/" in line for line in videos)
    assert last == "The last of these 3 earns its place least (sandbox)."


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("sandbox_missing", 1, "not_found: "),
        ("sandbox_empty", 0, "@sandbox_empty has nothing pinned that could be compared."),
    ],
)
def test_a_failure_and_an_empty_answer_are_told_apart(name: str, code: int, said: str) -> None:
    done = run("weakest_pin.py", name)

    assert done.returncode == code
    assert said in (done.stderr if code else done.stdout)


def test_creators_are_ranked_over_http_and_a_failure_is_told() -> None:
    done = run("rank_over_http.py")

    assert done.returncode == 0, done.stderr
    first, second, failed = done.stdout.splitlines()
    assert (first, second) == ("1. @nasa: 13.2% engagement", "2. @esa: 10.7% engagement")
    assert failed.startswith("-  @sandbox_private: refused. The account is private. ")
    assert "3 of 3: " in done.stderr


def test_an_agent_answers_from_the_structured_data() -> None:
    done = run("agent.py")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "@nasa leads with 61676555 views, 6.0 times the other's.",
        "Its best pinned video: https://www.tiktok.com/@nasa/video/7298740294892660705",
    ]


def test_a_watch_stops_when_the_quota_ends_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    accounts, state = tmp_path / "accounts.txt", tmp_path / "watch.json"
    accounts.write_text(
        "nasa\n@esa\n\n# a comment\nsandbox_private\nsandbox_empty\nsandbox_missing\n", encoding="utf-8"
    )
    # In the sandbox state lives in memory, so each run has two requests: as if each were another day.
    first, second, third = (run("nightly_watch.py", accounts, state, TIKTOK_DAILY_QUOTA="2") for _ in range(3))

    assert (first.returncode, second.returncode, third.returncode) == (75, 75, 0)
    assert first.stdout.splitlines() == ["@nasa: first seen, 3 pinned", "@esa: first seen, 3 pinned"]
    assert "3 of 5 are left for the next run" in first.stderr
    assert second.stdout.splitlines() == ["@sandbox_empty: first seen, 0 pinned"]
    assert "@sandbox_private: The account is private. " in second.stderr
    assert third.stdout == ""
    assert "@sandbox_missing: TikTok knows no account of this name. " in third.stderr
    told = json.loads(state.read_text(encoding="utf-8"))
    assert told["done"] == []
    assert set(told["pins"]) == {"nasa", "esa", "sandbox_empty"}


def test_a_watch_tells_what_was_pinned_and_unpinned_and_forgets_what_is_old(tmp_path: Path) -> None:
    accounts, state = tmp_path / "accounts.txt", tmp_path / "watch.json"
    accounts.write_text("nasa\n", encoding="utf-8")
    now = datetime.now(UTC)
    pins = {
        "nasa": {
            "seen": now.isoformat(),
            "videos": ["7298740294892660705", "7369256783397659115", "7000000000000000001"],
        },
        "esa": {"seen": (now - timedelta(days=16)).isoformat(), "videos": ["7000000000000000002"]},
    }
    state.write_text(json.dumps({"done": [], "pins": pins}), encoding="utf-8")

    done = run("nightly_watch.py", accounts, state)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["@nasa: pinned 7484231339734681845", "@nasa: unpinned 7000000000000000001"]
    assert set(json.loads(state.read_text(encoding="utf-8"))["pins"]) == {"nasa"}


def test_a_watch_that_is_not_configured_stops_and_changes_nothing(tmp_path: Path) -> None:
    accounts, state = tmp_path / "accounts.txt", tmp_path / "watch.json"
    accounts.write_text("nasa\n", encoding="utf-8")

    done = run("nightly_watch.py", accounts, state, TIKTOK_TIMEOUT="soon")

    assert done.returncode == 2
    assert "TIKTOK_TIMEOUT holds 'soon'" in done.stderr
    assert not state.exists()
