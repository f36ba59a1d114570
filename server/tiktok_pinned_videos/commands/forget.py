"""`forget`: what is kept of single accounts is deleted at once. Sends nothing."""

from __future__ import annotations

import asyncio

import click

from tiktok_pinned_videos.app import build_service
from tiktok_pinned_videos.presentation.text import error_text
from tiktok_pinned_videos.research.errors import InvalidArgumentError
from tiktok_pinned_videos.research.names import parse_username
from tiktok_pinned_videos.settings import Settings
from tiktok_pinned_videos.state.base import StateStoreError

from . import stop
from .ask import need_credentials


def run(settings: Settings, *, usernames: tuple[str, ...]) -> None:
    """Delete answer, history and name of each account, in the store of these settings; ends with 1 if it failed."""
    try:
        names = [parse_username(name) for name in usernames]
    except InvalidArgumentError as error:
        stop(error_text(error))
    # What is kept is kept for one client key.
    need_credentials(settings)
    raise SystemExit(asyncio.run(_forget(settings, names)))


async def _forget(settings: Settings, names: list[str]) -> int:
    service = build_service(settings)
    try:
        state = await service.check_state()
        for name in names:
            await service.forget(name)
            click.echo(f"@{name}: nothing is kept any more ({state}).")
        await service.check_state()
    except StateStoreError as fault:
        click.echo(f"the state store cannot be used, so something may be left in it: {fault}.", err=True)
        return 1
    else:
        return 0
    finally:
        await service.aclose()
