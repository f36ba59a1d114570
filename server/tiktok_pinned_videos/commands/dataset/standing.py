"""Where a data set stands after a run, in one line: how many are answered, what is left, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

import click

from tiktok_pinned_videos.research.errors import Status, TikTokError

from .record import Record


def is_failure(record: Record, status: Status) -> bool:
    """Whether an account failed with this status."""
    return record.failure is not None and record.failure[0] == status


def stand(
    folder: Path,
    records: Collection[Record],
    *,
    everyone: Mapping[str, str],
    asked: Mapping[str, str],
    failed: Mapping[str, TikTokError],
    missing: Collection[str],
) -> int:
    """One line on where the data set stands; 0 when nothing is left to do, else 1. `missing`: not answered."""
    wrong = [one.username for one in records if is_failure(one, Status.INVALID_ARGUMENT)]
    count = Counter(record.status for record in records)
    standing = ", ".join(f"{number} {status}" for status, number in sorted(count.items())) or "none answered"
    where = f"{folder}: {len(everyone)} account{'s' if len(everyone) != 1 else ''} ({standing})"
    if not failed and not missing and not wrong:
        click.echo(f"{where}; all answered and fresh, {len(asked)} asked now.")
        return 0
    parts: list[str] = []
    if failed or missing:
        why = Counter(str(error.status) for error in failed.values())
        causes = [f"{number} {status}" for status, number in sorted(why.items())]
        causes += [f"{len(missing)} not answered"] if missing else []
        parts.append(f"{len(failed) + len(missing)} left ({', '.join(causes)}): {_what_to_do(failed.values())}")
    if wrong:
        parts.append(f"no usernames: {', '.join(wrong[:5])}{' …' if len(wrong) > 5 else ''}: correct them in the list")
    click.echo(f"{where}; {'; '.join(parts)}.", err=True)
    return 1


def _what_to_do(errors: Collection[TikTokError]) -> str:
    if any(error.status is Status.QUOTA_EXCEEDED for error in errors):
        return "the daily quota ended; run the same command after 00:00 UTC"
    common = next((error for error in errors if error.for_every_account), None)
    if common is not None:
        return f"{common.next_step.rstrip('.')}, then run the same command again"
    return "run the same command again"


def left_by(error: OSError) -> str:
    """What a fault of the disk means for the data set."""
    return (
        f"{error.strerror or error}. What was answered before is kept; make room, then run the same command again "
        "to go on."
    )
