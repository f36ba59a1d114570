"""The command as people and scripts run it, and an upstream with accounts of every kind."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import logging
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import anyio
from click.testing import CliRunner

from kit.calls import KEY, SECRET
from kit.processes import COMMAND, environment
from kit.upstream import EXAMPLE_VIDEOS, OK, Received, Reply, Upstream, raw, refusal, serving, videos
from tiktok_pinned_videos.cli import cli

FIELDS = "id,view_count,video_description,hashtag_names,video_mention_list,region_code"
_ANSWERS: dict[str, Reply] = {
    "missing": refusal(400, "invalid_params", "cannot find the user"),
    "private": refusal(400, "invalid_params", "the account is private"),
    "broken": refusal(400, "never_heard_of", "odd"),
    "empty": videos([]),
    "formula": videos(
        [
            {
                "id": 7777777777777777777,
                "view_count": -5,
                "video_description": '=HYPERLINK("https://evil.example";"x"),\nnext "line"',
                "hashtag_names": ["=cmd", "b"],
                "video_mention_list": ["@oma_erna"],
                "region_code": "+DE",
            }
        ],
        log_id="-LOG",
    ),
    "words": videos([{"id": 1, "video_description": "日本語 日本 🐈", "hashtag_names": ["two words", "b"]}]),
    "utf16": raw(json.dumps({"data": {"pinned_videos_list": [{"id": 5}]}, "error": OK}).encode("utf-16")),
    "pretty": raw(json.dumps({"data": {"pinned_videos_list": EXAMPLE_VIDEOS}, "error": OK}, indent=2).encode()),
    "half": raw(b'{"data":{"pinned_videos_list":[{"id":1,"x":"\xed\xa0\xbd"}]},"error":{"code":"ok"}}'),
}


async def of_every_kind() -> AsyncIterator[Upstream]:
    """The upstream: a fixture by `upstream = pytest.fixture(of_every_kind)`."""

    def tell(request: Received) -> Reply:
        return _ANSWERS.get(request.json["username"], videos(EXAMPLE_VIDEOS))

    async with serving() as running:
        running.answer_by(tell)
        yield running


@dataclass(frozen=True)
class Said:
    """How the command ended, and what it said where."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as one JSON document."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Stdout as JSON, a document a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def rows(self) -> list[dict[str, str]]:
        """Stdout as CSV."""
        return list(csv.DictReader(io.StringIO(self.out, newline="")))


def there(upstream: Upstream, **more: str) -> dict[str, str]:
    """The environment of a configured project that asks this upstream."""
    told = {
        "TIKTOK_CLIENT_KEY": KEY,
        "TIKTOK_CLIENT_SECRET": SECRET,
        "TIKTOK_API_BASE_URL": upstream.url,
        "TIKTOK_STATE": "memory:",
    }
    return environment(**(told | more))


async def run(*arguments: str, env: dict[str, str], stdin: bytes = b"") -> Said:
    """The command in this process: the same arguments, environment, streams and exit status."""

    def invoke() -> Said:
        with _logging_as_before():
            left_out = dict.fromkeys(os.environ.keys() - env.keys())
            result = CliRunner().invoke(cli, arguments, input=stdin, env=env | left_out)
        return Said(result.exit_code, result.stdout, result.stderr)

    return _checked(await anyio.to_thread.run_sync(invoke))


async def start(*arguments: str | bytes, env: dict[str, str], stdin: bytes = b"") -> Said:
    """The command in a process of its own."""
    done = await anyio.run_process([*COMMAND, *arguments], input=stdin, env=env, check=False)
    return _checked(Said(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")))


async def each(env: dict[str, str], *calls: tuple[str, ...]) -> list[Said]:
    """Several commands in this process, one after the other."""
    return [await run(*call, env=env) for call in calls]


def _checked(said: Said) -> Said:
    assert "Traceback" not in said.err + said.out
    assert SECRET not in said.err + said.out
    return said


@contextlib.contextmanager
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    # What the command logs goes where it set it up, not to pytest.
    root.handlers[:] = []
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
