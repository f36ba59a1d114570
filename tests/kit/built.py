"""What is built once for all tests: sdist, wheel, and environments with nothing but the wheel in them.

uv gets a cache of its own, so that nothing built before is taken for what is here now.
"""

from __future__ import annotations

import atexit
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from kit.processes import environment
from kit.programs import need

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "tiktok-pinned-videos-mcp"


@dataclass(frozen=True)
class Distributions:
    wheel: Path
    sdist: Path


def uv_program() -> str:
    """The uv that runs these tests, or any other."""
    return need(os.environ.get("UV") or "uv")


def uv_environment() -> dict[str, str]:
    """As a user's: no project of ours, nothing that would configure the server.

    Without a package index to install from the test is left out, in CI it fails.
    """
    if not _index_answers():
        need("a package index that answers")
    return _environment()


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in environment().items()
        if name not in ("VIRTUAL_ENV", "PYTHONPATH", "UV", "UV_NO_SYNC", "UV_CONSTRAINT")
    }
    return kept | {
        "UV_CACHE_DIR": str(workshop() / "cache"),
        "UV_PYTHON": sys.executable,
        "UV_NO_PROGRESS": "1",
        "PATH": f"{Path(uv_program()).parent}{os.pathsep}{os.environ['PATH']}",
    }


def uv(*arguments: str | Path, cwd: Path | None = None) -> str:
    """Its stdout."""
    done = subprocess.run(
        [uv_program(), *arguments],
        cwd=cwd or workshop(),
        env=uv_environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def _index_answers() -> bool:
    done = subprocess.run(
        [uv_program(), "pip", "compile", "--quiet", "--no-deps", "-"],
        input="hatchling", cwd=workshop(), env=_environment(), capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    return done.returncode == 0


@functools.cache
def workshop() -> Path:
    """A folder that is gone when the tests are."""
    folder = tempfile.mkdtemp(prefix="built-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@functools.cache
def distributions() -> Distributions:
    """Built as `uv build` does it: the sdist from here, the wheel from the sdist."""
    folder = workshop() / "dist"
    uv("build", "--quiet", "--out-dir", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    return Distributions(wheel, sdist)


@functools.cache
def installed(extra: str, *, lowest: bool) -> Path:
    """The folder of scripts of an environment with the wheel, an extra of it, and what it depends on."""
    home = workshop() / f"venv-{extra or 'bare'}-{'lowest' if lowest else 'newest'}"
    wheel = distributions().wheel
    uv("venv", "--quiet", home)
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    versions = home / "versions.txt"
    extras = ["--extra", extra] if extra else []
    resolution = "lowest-direct" if lowest else "highest"
    uv(
        "pip", "compile", "--quiet", ROOT / "pyproject.toml", *extras, "--resolution", resolution,
        "--output-file", versions,
    )  # fmt: skip
    uv("pip", "sync", "--quiet", "--python", python, versions)
    # The names of the extras come from the wheel: one that it does not know would be a warning here, and is a failure.
    uv("pip", "install", "--quiet", "--python", python, "--no-deps", wheel)
    uv("pip", "check", "--quiet", "--python", python)
    return python.parent


def run(command: Sequence[str | Path], **env: str) -> subprocess.CompletedProcess[str]:
    """One command of an environment."""
    return subprocess.run(
        list(command),
        env=environment(**env),
        cwd=workshop(),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


@asynccontextmanager
async def client_of(command: str, args: Sequence[str], env: Mapping[str, str]) -> AsyncIterator[Client]:
    """An MCP client of a server that is started like this, from a folder that is not the checkout."""
    said = workshop() / "stderr"
    parameters = StdioServerParameters(command=command, args=list(args), env=dict(env), cwd=workshop())
    try:
        with said.open("w", encoding="utf-8") as log:
            async with Client(stdio_client(parameters, errlog=log)) as client:
                yield client
    except BaseException as fault:
        fault.add_note(f"The server said: {said.read_text(encoding='utf-8')}")
        raise


@contextmanager
def serving_http(script: Path) -> Iterator[str]:
    """The address of a sandbox server of this script."""
    with subprocess.Popen(
        [script, "http", "--port", "0", "--sandbox"],
        env=environment(), cwd=workshop(), stderr=subprocess.PIPE, encoding="utf-8",
    ) as server:  # fmt: skip
        assert server.stderr is not None
        try:
            said = ""
            for line in server.stderr:
                said += line
                if found := re.search(r"MCP server on (http://\S+)", line):
                    yield found[1]
                    break
            else:
                pytest.fail(f"the server did not start: {said}")
        finally:
            server.kill()
