"""The command line: arguments, settings, logging, exit codes. Imports only the command that is used."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .about import NAME
from .commands import stop

if TYPE_CHECKING:
    from .settings import Settings

_CLIENTS = ("claude-desktop", "claude-code", "vscode", "cursor", "codex", "gemini-cli", "zed", "opencode")
_MEASURES = ("view_count", "like_count", "comment_count", "share_count", "favorites_count", "engagement_rate")
_SECONDS = {"m": 60.0, "h": 3_600.0, "d": 86_400.0}
_IN_SANDBOX = f"{__package__}.sandbox"
"""Key of the context: whether --sandbox was given, before or after the name of the command."""


def _keep(ctx: click.Context, _: click.Parameter, given: bool) -> None:
    ctx.meta[_IN_SANDBOX] = given or ctx.meta.get(_IN_SANDBOX, False)


_sandbox = click.option(
    "--sandbox",
    is_flag=True,
    expose_value=False,
    callback=_keep,
    help="Answer with invented data, without credentials (as TIKTOK_SANDBOX=1).",
)
_usernames = click.argument("usernames", nargs=-1, metavar="USERNAME...")
_from = click.option(
    "--from",
    "source",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Read usernames from FILE, one per line or in a CSV column; # starts a comment; - is stdin.",
)
_column = click.option("--column", metavar="NAME", help="The column of a CSV file that holds the usernames.")
_refresh = click.option("--refresh", is_flag=True, help="Send new requests instead of using stored answers.")


def _format(*choices: str) -> Callable[[Any], Any]:
    said = "Default: table on a terminal, otherwise text."
    return click.option("--format", "output", type=click.Choice(choices), default=_default_format, help=said)


def _default_format() -> str:
    return "table" if sys.stdout.isatty() else "text"


def _port(default: int) -> Callable[[Any], Any]:
    ports = click.IntRange(0, 65535)
    return click.option("--port", default=default, show_default=True, type=ports, help="0 chooses a free port.")


def _seconds(_: click.Context, __: click.Parameter, age: str) -> float:
    """Convert an age such as 14d to seconds."""
    found = re.fullmatch(r"\s*(?:([0-9]{1,6})\s*([mhd])|0+)\s*", age)
    if found is None:
        stop(f"Invalid --max-age {age!r}: write a number and m, h or d, such as 14d, or 0 to request all accounts.")
    return int(found[1] or 0) * _SECONDS[found[2] or "m"]


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=NAME, prog_name=NAME, message="%(prog)s %(version)s", help="Show the version.")
@_sandbox
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Show which videos TikTok accounts have pinned, how they perform, and what changed.

    Without a command, this is an MCP server on stdin and stdout, which an assistant starts. Credentials come from
    TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET (an approved Research API project). To try it without credentials:

        tiktok-pinned-videos-mcp get nasa --sandbox
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(stdio)


@cli.command()
@_sandbox
@click.pass_obj
def stdio(stdin: Any) -> None:
    """Serve MCP on stdin and stdout (the default)."""
    from .commands.stdio import run

    run(_settings(), stdin)


@cli.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Addresses other than loopback require authentication.",
)
@_port(8000)
@_sandbox
def http(host: str, port: int) -> None:
    """Serve MCP on Streamable HTTP at /mcp, with /healthz and /readyz."""
    from .commands.http import run

    run(_settings(log_level="INFO"), host=host, port=port)


@cli.command()
@_usernames
@_from
@_column
@click.option("--fields", metavar="A,B,C", help="Video fields to request, or all. Default: what the statistics need.")
@_refresh
@_format("table", "text", "json", "jsonl", "csv", "raw", "html")
@click.option(
    "--out",
    "directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Create or update a data set in DIR. Without usernames: the accounts of the data set.",
)
@click.option(
    "--max-age",
    default="14d",
    show_default=True,
    metavar="AGE",
    callback=_seconds,
    help="With --out: request accounts again whose answer is older, such as 30m, 12h, 7d; 0: all.",
)
@_sandbox
@click.pass_context
def get(ctx: click.Context, directory: Path | None, **asked: Any) -> None:
    """Print the pinned videos of accounts.

    USERNAME is a name, an @name or a profile link; - reads usernames from stdin.

    Exit status: 0 all accounts answered, 1 some failed, 2 usage or configuration.
    """
    given = [name for name in asked if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if directory is None and "max_age" in given:
        stop("--max-age needs --out DIR: it sets how old the answers of a data set may be.")
    if directory is not None and "output" in given:
        stop("--format cannot be used with --out: a data set has its own files.")
    from .commands.get import run

    run(_settings(), directory=directory, **asked)


@cli.command(context_settings={"token_normalize_func": methodcaller("replace", "favourites", "favorites")})
@_usernames
@_from
@_column
@click.option("--rank-by", type=click.Choice(_MEASURES), default="view_count", show_default=True, help="Metric.")
@_refresh
@_format("table", "text", "json", "csv", "html")
@_sandbox
def compare(**asked: Any) -> None:
    """Rank two or more accounts by their pinned videos.

    USERNAME is a name, an @name or a profile link; - reads usernames from stdin.

    Exit status: 0 all accounts answered, 1 some failed, 2 usage or configuration.
    """
    from .commands.compare import run

    run(_settings(), **asked)


@cli.command()
@click.argument("usernames", nargs=-1, required=True, metavar="USERNAME...")
@_sandbox
def forget(usernames: tuple[str, ...]) -> None:
    """Delete everything stored about accounts. Sends no request and needs no credentials."""
    from .commands.forget import run

    run(_settings(), usernames=usernames)


@cli.command()
@click.option("--offline", is_flag=True, help="Send no request.")
@click.option("--client", type=click.Choice(_CLIENTS), help="Print the configuration for this client instead.")
@click.option("--url", metavar="URL", help="With --client: connect to the server at this URL instead of starting one.")
@_sandbox
@click.pass_context
def doctor(ctx: click.Context, offline: bool, client: str | None, url: str | None) -> None:
    """Check configuration, token, endpoint and state store: one line each, with the fix."""
    from .commands.doctor import run

    run(dict(os.environ), sandbox=ctx.meta[_IN_SANDBOX], offline=offline, client=client, url=url)


@cli.command()
@_port(8765)
def sandbox(port: int) -> None:
    """Serve the sandbox API on a loopback port, for testing any client without credentials."""
    from .commands.sandbox import run

    run(port)


def _settings(*, log_level: str = "WARNING") -> Settings:
    """Load the settings and start logging. `log_level` applies if LOG_LEVEL is not set."""
    from .environment import SettingsError
    from .settings import load_settings

    try:
        settings = load_settings(os.environ, sandbox=click.get_current_context().meta[_IN_SANDBOX])
    except SettingsError as error:
        stop(str(error))
    from .observability.logs import configure_logging

    configure_logging(settings.log_level or log_level, settings.log_format)
    return settings
