"""A data set of the command `get --out DIR`, in a folder of the test's, and what its files say."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import subprocess
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.calls import KEY, SECRET
from kit.processes import COMMAND, environment, running_async
from kit.tiktok import TikTok

FILES = ["accounts.csv", "datapackage.json", "responses.jsonl", "videos.csv"]
"""What is in a data set whose command has come to its end."""


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


class DataSet:
    """A folder, the upstream its answers come from, and the command that brings it up to date."""

    def __init__(self, path: Path, upstream: TikTok) -> None:
        self.path = path
        self.upstream = upstream

    def started(self, *arguments: str, **more: Any) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
        """The command, running; `env` is added to its environment."""
        env = environment(
            TIKTOK_CLIENT_KEY=KEY,
            TIKTOK_CLIENT_SECRET=SECRET,
            TIKTOK_API_BASE_URL=self.upstream.url,
            TIKTOK_STATE="memory:",
            **more.pop("env", {}),
        )
        command = (*more.pop("command", COMMAND), "get", *arguments, "--out", str(self.path))
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return running_async(*command, env=env, **pipes, **more)

    async def run(self, *arguments: str, **more: Any) -> Ran:
        """The command from start to end, which leaves no trace of an error in our code and no secret."""
        async with self.started(*arguments, **more) as process:
            out, err = await process.communicate()
        assert process.returncode is not None
        assert b"Traceback" not in err, err.decode()
        assert SECRET.encode() not in out + err
        return Ran(process.returncode, out.decode(), err.decode())

    @property
    def files(self) -> list[str]:
        """Names."""
        return sorted(path.name for path in self.path.iterdir())

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The journal, `responses.jsonl`."""
        return [json.loads(line) for line in (self.path / "responses.jsonl").read_text("utf-8").splitlines()]

    def rows(self, name: str) -> list[dict[str, str]]:
        """A table, as text."""
        return list(csv.DictReader(io.StringIO((self.path / name).read_text("utf-8"), newline="")))

    @property
    def statuses(self) -> dict[str, str]:
        return {row["username"]: row["status"] for row in self.rows("accounts.csv")}

    @property
    def package(self) -> dict[str, Any]:
        return json.loads((self.path / "datapackage.json").read_bytes())

    def check(self) -> None:
        """Where there is a package, every word of it about the files is true."""
        try:
            package = self.package
        except FileNotFoundError:
            return
        for resource in package["resources"]:
            content = (self.path / resource["path"]).read_bytes()
            assert resource["bytes"] == len(content)
            assert resource["hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
            if "schema" in resource:
                columns = [field["name"] for field in resource["schema"]["fields"]]
                assert next(csv.reader([content.decode().splitlines()[0]])) == columns
