"""`doctor`: check what the program needs, one line each with the fix. No line contains a secret."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any, Final

import click

from tiktok_pinned_videos.commands import stop
from tiktok_pinned_videos.commands.clients import (
    configuration,
    endpoint,
    instructions,
    remote_configuration,
    this_program,
)
from tiktok_pinned_videos.observability.logs import configure_logging

from .checks import examine
from .findings import Finding, Mark

_STYLES: Final[Mapping[Mark, dict[str, Any]]] = {
    Mark.OK: {"fg": "green"},
    Mark.WARN: {"fg": "yellow"},
    Mark.FAIL: {"fg": "red", "bold": True},
}


def run(env: Mapping[str, str], *, sandbox: bool, offline: bool, client: str | None, url: str | None) -> None:
    """Print the findings and end with 0 or 1; or print the configuration of `client`."""
    if client is None and url is not None:
        stop("--url needs --client NAME: it is the server that the client connects to.")
    if client is not None:
        _print_configuration(client, url, sandbox=sandbox)
        return
    configure_logging("CRITICAL", "text")  # the findings say what is wrong
    try:
        failed = asyncio.run(_print_findings(env, sandbox=sandbox, offline=offline))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    raise SystemExit(1 if failed else 0)


def _print_configuration(client: str, url: str | None, *, sandbox: bool) -> None:
    if url is not None:
        try:
            url = endpoint(url)
        except ValueError as fault:
            stop(f"--url {fault}.")
    click.echo(instructions(client, sandbox=sandbox, url=url), err=True)
    text = configuration(client, this_program(), sandbox=sandbox) if url is None else remote_configuration(client, url)
    click.echo(text)


async def _print_findings(env: Mapping[str, str], *, sandbox: bool, offline: bool) -> bool:
    """Whether a check failed."""
    failed = False
    try:
        async for finding in examine(env, sandbox=sandbox, offline=offline):
            _print(finding)
            failed = failed or finding.mark is Mark.FAIL
    except Exception as fault:  # its text could be anything, also a secret
        _print(Finding(Mark.FAIL, "doctor", f"stopped by {type(fault).__name__}.", "Please report it."))
        return True
    return failed


def _print(finding: Finding) -> None:
    """Print one line; its mark has a color on a terminal."""
    mark = click.style(f"{finding.mark:<5}", **_STYLES.get(finding.mark, {}))
    click.echo(f"{mark} {finding.text}", color=False if os.environ.get("NO_COLOR") else None)
