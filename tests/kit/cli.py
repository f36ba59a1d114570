"""The command line as people and scripts run it, and an upstream with accounts of several kinds."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import anyio
from click.testing import CliRunner

from kit.calls import KEY, SECRET
from kit.processes import environment
from kit.upstream import EXAMPLE_VIDEOS, Received, Reply, Upstream, refusal, serving, videos
from tiktok_pinned_videos.cli import cli

_ANSWERS = {
    "missing": refusal(400, "invalid_params", "cannot find the user"),
    "private": refusal(400, "invalid_params", "the account is private"),
    "empty": videos([]),
}


async def several_accounts() -> AsyncIterator[Upstream]:
    """An upstream whose accounts all have the documentation's videos, but `missing`, `private` and `empty`."""

    def tell(request: Received) -> Reply:
        return _ANSWERS.get(request.json["username"], videos(EXAMPLE_VIDEOS))

    async with serving() as running:
        running.answer_by(tell)
        yield running


@dataclass(frozen=True)
class Said:
    """The exit status and what was printed."""

    code: int
    out: str
    err: str
    shown: str = ""
    """Both as they come on a terminal, of a command in this process."""

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Stdout as one JSON document per line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def rows(self) -> list[dict[str, str]]:
        """Stdout as CSV."""
        return list(csv.DictReader(io.StringIO(self.out, newline="")))


def there(upstream: Upstream, **more: str) -> dict[str, str]:
    """The environment of a configured project that uses this upstream."""
    credentials = {"TIKTOK_CLIENT_KEY": KEY, "TIKTOK_CLIENT_SECRET": SECRET, "TIKTOK_API_BASE_URL": upstream.url}
    return environment(**(credentials | {"TIKTOK_STATE": "memory:"} | more))


async def run(*arguments: str, env: dict[str, str], stdin: bytes = b"") -> Said:
    """Run the command in this process."""
    return await anyio.to_thread.run_sync(run_now, arguments, env, stdin)


def run_now(arguments: tuple[str, ...], env: dict[str, str], stdin: bytes = b"") -> Said:
    """Run the command in this process, without an event loop around it."""
    root, ours = logging.getLogger(), logging.getLogger("tiktok_pinned_videos")
    handlers, levels, root.handlers[:] = root.handlers[:], (root.level, ours.level), []
    try:
        result = CliRunner().invoke(cli, arguments, input=stdin, env=env | dict.fromkeys(os.environ.keys() - env))
    finally:
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        ours.setLevel(levels[1])
    assert "Traceback" not in result.output
    assert SECRET not in result.output
    return Said(result.exit_code, result.stdout, result.stderr, result.output)
