"""Helpers for tests of `get --out DIR`: a data set in a folder, its upstream, and readers of its files."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

from kit import cli
from kit.programs import need_module
from kit.tiktok import TikTok

FILES = ["accounts.csv", "datapackage.json", "responses.jsonl", "videos.csv"]
"""What the folder contains when the command has ended."""


class DataSet:
    """A folder that does not exist yet, and the command that updates it."""

    def __init__(self, path: Path, upstream: TikTok) -> None:
        self.path = path
        self.journal = path / "responses.jsonl"
        self.upstream = upstream

    def command(self, *arguments: str) -> tuple[str, ...]:
        return ("get", *arguments, "--out", str(self.path))

    async def run(self, *arguments: str, **env: str) -> cli.Said:
        """Run the command in this process."""
        return await cli.run(*self.command(*arguments), env=cli.there(self.upstream.wire, **env))

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir())

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The journal."""
        return [json.loads(line) for line in self.journal.read_bytes().splitlines()]

    def rows(self, name: str) -> list[dict[str, str]]:
        """A table, as text."""
        return list(csv.DictReader(io.StringIO((self.path / name).read_text("utf-8"), newline="")))

    @property
    def statuses(self) -> dict[str, str]:
        return {row["username"]: row["status"] for row in self.rows("accounts.csv")}

    @property
    def package(self) -> dict[str, Any]:
        return json.loads((self.path / "datapackage.json").read_bytes())

    async def faults(self) -> list[Any]:
        """What Frictionless finds wrong with the package and its files."""
        frictionless = need_module("frictionless")
        report = await asyncio.to_thread(frictionless.validate, str(self.path / "datapackage.json"))
        assert len(report.tasks) == 3
        return report.flatten(["type", "message"])

    def check(self) -> None:
        """If there is a package, what it says about the files is true."""
        for resource in self.package["resources"] if (self.path / "datapackage.json").exists() else []:
            content = (self.path / resource["path"]).read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            assert (resource["bytes"], resource["hash"]) == (len(content), f"sha256:{digest}")
            if "schema" in resource:
                columns = [field["name"] for field in resource["schema"]["fields"]]
                assert next(csv.reader([content.decode().splitlines()[0]])) == columns
