"""`forget`: delete everything that is stored about accounts, without credentials and without a request to TikTok."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from tiktok_pinned_videos.presentation.text import error_text
from tiktok_pinned_videos.research.errors import InvalidArgumentError
from tiktok_pinned_videos.research.names import parse_username
from tiktok_pinned_videos.settings import Settings
from tiktok_pinned_videos.state.base import StateStoreError, UnusableStoreError
from tiktok_pinned_videos.state.open import check_url

from . import stop


def run(settings: Settings, *, usernames: tuple[str, ...]) -> None:
    """Delete answers, history and names for every client key that used the store; ends with 1 if that failed."""
    from tiktok_pinned_videos.service.forget import forget_accounts

    try:
        names = [parse_username(name) for name in usernames]
    except InvalidArgumentError as error:
        stop(error_text(error))
    try:
        forgotten = asyncio.run(forget_accounts(settings.state, names))
    except StateStoreError as fault:
        then = fault.next_step if isinstance(fault, UnusableStoreError) else "Run forget again later."
        stop(f"The state store cannot be used, so something may be left in it: {fault}. {then}", 1)
    for name, count in forgotten.entries.items():
        what = f"deleted {count} stored values" if count else "nothing was stored"
        click.echo(f"@{name}: {what} ({forgotten.state}, client keys that used it: {forgotten.namespaces}).")
    path = check_url(settings.state)["path"]
    # What was moved aside and may be of another program is named, not deleted.
    if path and (unreadable := sorted(Path(path).parent.glob(f"{Path(path).name}.unreadable-*"))):
        files = ", ".join(map(str, unreadable))
        stop(f"An earlier state file could not be read and may hold data: {files}. Delete it if you do not need it.", 1)
