# /// script
# requires-python = ">=3.11"
# dependencies = ["tiktok-pinned-videos-mcp"]
#
# [tool.uv.sources]
# tiktok-pinned-videos-mcp = { path = ".." }
# ///
"""What did the accounts on my list pin and unpin since I last looked? For cron, and lists longer than a day's quota.

    uv run examples/nightly_watch.py accounts.txt watch.json

Asks for a list of accounts, one name a line. When the daily quota ends it stops in good order; run again, it goes on
where it stopped, and begins anew only after the whole list was done. Ends with 0 when the round is complete, with 75
(try again later, as in sysexits.h) when something is left. Take --sandbox away once the credentials are set.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

COMMAND = ["tiktok-pinned-videos-mcp", "get", "--sandbox", "--from", "-", "--format", "jsonl", "--fields", "id"]
# TikTok's terms: what was collected is refreshed or deleted within 15 days.
KEEP = timedelta(days=15)
# Asking again tonight would not help; any other failure is of the day, of the network or of TikTok's side.
ABOUT_THE_ACCOUNT = ("not_found", "refused", "invalid_argument")


def load(path: Path) -> dict[str, Any]:
    """`done` are the accounts of this round, `pins` what each had pinned, and when that was seen."""
    state = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"done": [], "pins": {}}
    oldest = (datetime.now(UTC) - KEEP).isoformat()
    state["pins"] = {name: pins for name, pins in state["pins"].items() if pins["seen"] >= oldest}
    return state


def save(path: Path, state: dict[str, Any]) -> None:
    """Whole or not at all, whenever the power fails."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(state, indent=1), encoding="utf-8")
    draft.replace(path)


def tell_changes(name: str, before: dict[str, Any] | None, now: list[str]) -> None:
    """What is new on this profile, and what is gone."""
    if before is None:
        print(f"@{name}: first seen, {len(now)} pinned")
        return
    for video in sorted(set(now) - set(before["videos"])):
        print(f"@{name}: pinned {video}")
    for video in sorted(set(before["videos"]) - set(now)):
        print(f"@{name}: unpinned {video}")


def answers(names: list[str]) -> Iterator[dict[str, Any]]:
    """An answer for each name, as soon as it is there; SystemExit where the configuration is wrong."""
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as process:
        process.stdin.write("\n".join(names))
        process.stdin.close()
        yield from map(json.loads, process.stdout)
    if process.returncode == 2:
        raise SystemExit(2)  # stderr has said what is wrong


def main(accounts: Path, path: Path) -> int:
    """Ask for what is left of the round; returns the exit code."""
    state = load(path)
    lines = (line.strip().removeprefix("@") for line in accounts.read_text(encoding="utf-8").splitlines())
    names = [line for line in lines if line and not line.startswith("#")]
    left = [name for name in names if name not in state["done"]]
    unanswered = 0
    for answer in answers(left) if left else ():
        name, status = answer["username"], answer["status"]
        if status in ("found", "nothing_pinned"):
            videos = [video["id"] for video in answer["videos"]]
            tell_changes(name, state["pins"].get(name), videos)
            state["pins"][name] = {"seen": datetime.now(UTC).isoformat(), "videos": videos}
        elif status in ABOUT_THE_ACCOUNT:
            # A failure is not an empty answer: what was known of the account stays as it was.
            print(f"@{name}: {answer['reason']}", file=sys.stderr)
        else:
            unanswered += 1
            continue
        state["done"].append(name)
        save(path, state)
    if unanswered:
        print(f"{unanswered} of {len(names)} are left for the next run", file=sys.stderr)
        return 75
    save(path, state | {"done": []})
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2])))
