"""`doctor`: check what the program needs, one line each with the fix. No line contains a secret."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import click

from tiktok_pinned_videos.commands import stop
from tiktok_pinned_videos.commands.clients import configuration, endpoint, instructions
from tiktok_pinned_videos.observability.logs import configure_logging

from .checks import Mark, examine


def run(env: Mapping[str, str], *, sandbox: bool, offline: bool, client: str | None, url: str | None) -> None:
    """Print the findings and end with 0 or 1; or print the configuration of `client`."""
    if client is None and url is not None:
        stop("--url needs --client NAME: it is the server that the client connects to.")
    if client is None:
        configure_logging("CRITICAL", "text")  # the findings say what is wrong
        raise SystemExit(asyncio.run(_print_findings(env, sandbox=sandbox, offline=offline)))
    try:
        url = "" if url is None else endpoint(url)
    except ValueError as fault:
        stop(f"--url {fault}.")
    click.echo(instructions(client, sandbox=sandbox, url=url), err=True)
    click.echo(configuration(client, sandbox=sandbox, url=url))


async def _print_findings(env: Mapping[str, str], *, sandbox: bool, offline: bool) -> int:
    """Return the exit status: 1 if a check failed, otherwise 0."""
    failed = 0
    async for finding in examine(env, sandbox=sandbox, offline=offline):
        click.echo(str(finding))
        failed |= finding.mark is Mark.FAIL
    return failed
