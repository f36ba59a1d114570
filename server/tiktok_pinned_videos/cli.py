"""The command line: arguments, settings, logging, exit codes. Chooses the command and loads nothing of the others."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .about import NAME
from .commands import stop

if TYPE_CHECKING:
    from .settings import Settings

_SANDBOX = click.option(
    "--sandbox", is_flag=True, help="Answer with invented data, without credentials (TIKTOK_SANDBOX=1)."
)
_FORMATS = ("table", "text", "json", "jsonl", "csv", "raw", "html")
_MEASURES = ("view_count", "like_count", "comment_count", "share_count", "favorites_count", "engagement_rate")
_CLIENTS = ("claude-desktop", "claude-code", "vscode", "cursor", "codex", "gemini-cli", "zed", "opencode")
_FROM = click.option(
    "--from",
    "source",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Read names from a file, one a line, # begins a comment; - is stdin.",
)
_REFRESH = click.option("--refresh", is_flag=True, help="Ask TikTok again instead of the cache.")
_OPENING = f"{__package__}.opening"
"""Where what `__main__` has heard of a client so far waits for the command that serves it."""
_FORTNIGHT = 14 * 86_400.0


def _seconds(_: click.Context, __: click.Parameter, age: str | None) -> float | None:
    """An age such as 14d in seconds."""
    if age is None:
        return None
    found = re.fullmatch(r"\s*(?:(\d{1,6})\s*([mhd])|0+)\s*", age)
    if found is None:
        stop(f"--max-age {age!r}: write a number and m, h or d, as in 14d, or 0 to ask for all.")
    return int(found[1] or 0) * {"m": 60.0, "h": 3600.0, "d": 86_400.0}[found[2] or "m"]


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=NAME, prog_name=NAME, message="%(prog)s %(version)s", help="Show the version.")
@_SANDBOX
@click.pass_context
def cli(ctx: click.Context, sandbox: bool) -> None:
    """What a TikTok account has pinned, for AI assistants and scripts.

    Without a command this is an MCP server on stdin and stdout, to be started by an assistant. Credentials come from
    TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET (an approved Research API project); without any, try:

        tiktok-pinned-videos-mcp get nasa --sandbox
    """
    ctx.meta[_OPENING], ctx.obj = ctx.obj, sandbox
    if ctx.invoked_subcommand is None:
        _serve_stdio(ctx, sandbox)


@cli.command()
@_SANDBOX
@click.pass_context
def stdio(ctx: click.Context, sandbox: bool) -> None:
    """Serve MCP on stdin and stdout (the default)."""
    _serve_stdio(ctx, ctx.obj or sandbox)


@cli.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; any but loopback asks who calls.",
)
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
@_SANDBOX
@click.pass_obj
def http(in_sandbox: bool, host: str, port: int, sandbox: bool) -> None:
    """Serve MCP on Streamable HTTP at /mcp, with /healthz and /readyz."""
    settings = _settings(in_sandbox or sandbox, log_level="INFO")
    from .commands.http import run

    run(settings, host=host, port=port)


@cli.command()
@click.argument("usernames", nargs=-1, metavar="USERNAME...")
@_FROM
@click.option("--fields", metavar="A,B,C", help="Fields of a video to ask for; default: all that the statistics need.")
@_REFRESH
@click.option(
    "--format",
    "output",
    type=click.Choice(_FORMATS),
    help="How to print answers; default: table on a terminal, else text.",
)
@click.option(
    "--out",
    "directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Make a data set in DIR, or bring the one there up to date; without names, about its own accounts.",
)
@click.option(
    "--max-age",
    metavar="AGE",
    callback=_seconds,
    help="With --out: ask again for what is older, as 30m, 12h, 7d; 0 asks for all. Default: 14d.",
)
@_SANDBOX
@click.pass_obj
def get(  # noqa: PLR0917 - click passes what it parsed by name
    in_sandbox: bool, usernames: tuple[str, ...], source: Path | None, fields: str | None, refresh: bool,
    output: str | None, directory: Path | None, max_age: float | None, sandbox: bool,
) -> None:  # fmt: skip
    """Print the pinned videos of accounts: names, @names or profile links; - reads names from stdin.

    Exit status: 0 all answered, 1 some account failed, 2 usage or configuration.
    """
    if directory is None and max_age is not None:
        stop("--max-age belongs to --out DIR: it says how old an answer of a data set may be.")
    if directory is not None and output is not None:
        stop("--format does not go with --out: a data set has files of its own.")
    settings = _settings(in_sandbox or sandbox)
    from .commands.get import run

    run(
        settings,
        usernames=usernames,
        source=source,
        fields=fields,
        refresh=refresh,
        output=output or _default_format(),
        directory=directory,
        max_age=_FORTNIGHT if max_age is None else max_age,
    )


@cli.command()
@click.argument("usernames", nargs=-1, metavar="USERNAME USERNAME...")
@_FROM
@click.option(
    "--rank-by", type=click.Choice(_MEASURES), default="view_count", show_default=True, help="What decides who leads."
)
@_REFRESH
@click.option(
    "--format",
    "output",
    type=click.Choice(("table", "text", "json", "csv", "html")),
    help="How to print the ranking; default: table on a terminal, else text.",
)
@_SANDBOX
@click.pass_obj
def compare(  # noqa: PLR0917 - as above
    in_sandbox: bool, usernames: tuple[str, ...], source: Path | None, rank_by: Any, refresh: bool,
    output: str | None, sandbox: bool,
) -> None:  # fmt: skip
    """Rank two or more accounts by what they have pinned: names, @names or profile links; - reads names from stdin.

    Exit status: 0 all answered, 1 some account failed, 2 usage or configuration.
    """
    settings = _settings(in_sandbox or sandbox)
    from .commands.compare import run

    run(
        settings,
        usernames=usernames,
        source=source,
        rank_by=rank_by,
        refresh=refresh,
        output=output or _default_format(),
    )


@cli.command()
@click.argument("usernames", nargs=-1, required=True, metavar="USERNAME...")
@_SANDBOX
@click.pass_obj
def forget(in_sandbox: bool, usernames: tuple[str, ...], sandbox: bool) -> None:
    """Delete what is kept of accounts: answer, history, name. Sends nothing."""
    settings = _settings(in_sandbox or sandbox)
    from .commands.forget import run

    run(settings, usernames=usernames)


@cli.command()
@click.option("--offline", is_flag=True, help="Send nothing.")
@click.option(
    "--client",
    type=click.Choice(_CLIENTS),
    help="Print the configuration for this client.",
)
@_SANDBOX
@click.pass_obj
def doctor(in_sandbox: bool, offline: bool, client: str | None, sandbox: bool) -> None:
    """Check configuration, token, endpoint and state store, a line each with what to do."""
    from .commands.doctor import run

    run(dict(os.environ), sandbox=in_sandbox or sandbox, offline=offline, client=client)


@cli.command()
@click.option(
    "--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="Loopback port; 0 takes a free one."
)
def sandbox(port: int) -> None:
    """Serve the embedded upstream on a loopback port, for testing any client without credentials."""
    from .commands.sandbox import run

    run(port)


def _default_format() -> str:
    return "table" if sys.stdout.isatty() else "text"


def _settings(sandbox: bool, *, log_level: str = "WARNING") -> Settings:
    """`log_level`: where LOG_LEVEL says none. Clients show a stdio server's stderr to people: faults only."""
    from .environment import SettingsError
    from .settings import load_settings

    try:
        settings = load_settings(os.environ, sandbox=sandbox)
    except SettingsError as error:
        stop(str(error))
    from .observability.logs import configure_logging

    configure_logging(settings.log_level or log_level, settings.log_format)
    return settings


def _serve_stdio(ctx: click.Context, sandbox: bool) -> None:
    settings = _settings(sandbox)
    from .commands.stdio import run

    run(settings, ctx.meta[_OPENING])
