"""`doctor`: check what the program needs, one line each with the fix. No line contains a secret."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Final

import click

from tiktok_pinned_videos.commands import stop
from tiktok_pinned_videos.commands.clients import configuration, endpoint, instructions
from tiktok_pinned_videos.observability.logs import configure_logging

from .checks import Finding, Mark, examine

_COLORS: Final = {Mark.OK: "green", Mark.WARN: "yellow", Mark.FAIL: "red"}


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
    try:
        async for finding in examine(env, sandbox=sandbox, offline=offline):
            _print(finding)
            failed |= finding.mark is Mark.FAIL
    except Exception as fault:  # its text could be anything, also a secret
        _print(Finding(Mark.FAIL, "doctor", f"stopped by {type(fault).__name__}.", "Please report it."))
        return 1
    return failed


def _print(finding: Finding) -> None:
    """Print one line; its mark has a color on a terminal."""
    line = str(finding)
    mark = click.style(line[:5], fg=_COLORS.get(finding.mark))
    click.echo(f"{mark}{line[5:]}", color=False if os.environ.get("NO_COLOR") else None)
