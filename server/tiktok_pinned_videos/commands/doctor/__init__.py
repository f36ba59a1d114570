"""`doctor`: checks what a working set-up needs, a line each, with what to do. Shows no secret, whatever is wrong."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping

import click

from tiktok_pinned_videos.commands.clients import configuration, instructions, this_program
from tiktok_pinned_videos.observability.logs import configure_logging

from .checks import examine
from .findings import Finding, Mark


def run(env: Mapping[str, str], *, sandbox: bool, offline: bool, client: str | None) -> None:
    """Print the findings, or the configuration of `client` alone, and end with 0 or 1."""
    if client is not None:
        click.echo(instructions(client, sandbox=sandbox), err=True)
        click.echo(configuration(client, this_program(), sandbox=sandbox))
        return
    # What goes wrong is said in the findings, once.
    configure_logging("CRITICAL", "text")
    try:
        failed = asyncio.run(_told(env, sandbox=sandbox, offline=offline))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    raise SystemExit(1 if failed else 0)


def _printer() -> Callable[[Finding], None]:
    """Lines as they are, and on a terminal by the hand that draws the tables."""
    if not sys.stdout.isatty():
        return lambda finding: click.echo(str(finding))
    from tiktok_pinned_videos.commands.terminal import print_finding

    return lambda finding: print_finding(finding.mark, finding.said)


async def _told(env: Mapping[str, str], *, sandbox: bool, offline: bool) -> bool:
    say = _printer()
    failed = False
    try:
        async for finding in examine(env, sandbox=sandbox, offline=offline):
            say(finding)
            failed = failed or finding.mark is Mark.FAIL
    except Exception as fault:  # what an unforeseen error says may be anything, a secret too
        say(Finding(Mark.FAIL, "doctor", f"stopped by a {type(fault).__name__}.", "Please report it."))
        return True
    return failed
