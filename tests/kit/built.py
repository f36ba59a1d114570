"""Builds that all tests share: sdist, wheel, and environments with only the wheel and its dependencies.

uv has a cache of its own here, so that the tests do not use an earlier build of this project.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from kit.pages import ROOT
from kit.processes import environment
from kit.programs import need

SCRIPT = "tiktok-pinned-videos-mcp"
_OURS = ("VIRTUAL_ENV", "PYTHONPATH", "UV", "UV_NO_SYNC", "UV_CONSTRAINT")


def uv_program() -> str:
    """Return the uv that runs these tests, or any other."""
    return need(os.environ.get("UV") or "uv")


@functools.cache
def workshop() -> Path:
    """Return a folder that is deleted after the tests."""
    folder = tempfile.mkdtemp(prefix="built-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@functools.cache
def _environment() -> Mapping[str, str]:
    env = {name: value for name, value in environment().items() if name not in _OURS} | {
        "UV_CACHE_DIR": str(workshop() / "cache"),
        "UV_PYTHON": sys.executable,
        "UV_NO_PROGRESS": "1",
        "PATH": f"{Path(uv_program()).parent}{os.pathsep}{os.environ['PATH']}",
    }
    answers = run([uv_program(), "pip", "compile", "--quiet", "--no-deps", ROOT / "pyproject.toml"], env)
    return env if answers.returncode == 0 else {}


def uv_environment() -> dict[str, str]:
    """Return a user's environment for uv: no project of ours, nothing that configures the server.

    Without a package index that answers the test is skipped; in CI it fails.
    """
    return dict(_environment()) or {"": need("a package index that answers")}


def run(
    command: Sequence[str | Path], env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command, by default outside the checkout."""
    return subprocess.run(
        list(command), env=env or environment(), cwd=cwd or workshop(), capture_output=True, encoding="utf-8",
        check=False, timeout=100,
    )  # fmt: skip


def uv(*arguments: str | Path) -> str:
    """Run uv and return its stdout."""
    done = run([uv_program(), *arguments], uv_environment())
    assert done.returncode == 0, done.stderr
    return done.stdout


def clone(folder: Path) -> Path:
    """Clone the repository into `folder`, with the changes of its files that are not committed."""
    git = need("git")
    changed = subprocess.run([git, "stash", "create"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    subprocess.run([git, "clone", "--quiet", ROOT, folder], check=True)
    subprocess.run([git, "checkout", "--quiet", changed.stdout.strip() or "HEAD"], cwd=folder, check=True)
    return folder


def newcomer(home: Path, path: str, **env: str) -> dict[str, str]:
    """Return the environment of a user with an empty home and the programs in `path`."""
    home.mkdir(parents=True, exist_ok=True)
    ours = ("UV_CACHE_DIR", "UV_PYTHON", "XDG_", "CI", "PYTEST_", "VIRTUAL_ENV", "PYENV_")
    kept = {name: value for name, value in uv_environment().items() if not name.startswith(ours)}
    return kept | {"HOME": str(home), "USERPROFILE": str(home), "PATH": path, "SHELL": need("bash")} | env


@functools.cache
def distributions() -> tuple[Path, Path]:
    """Return the wheel and the sdist as `uv build` makes them: the sdist from the tree, the wheel from the sdist."""
    folder = workshop() / "dist"
    uv("build", "--quiet", "--out-dir", folder, ROOT)
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


@asynccontextmanager
async def client_of(command: str, args: Sequence[str], env: Mapping[str, str]) -> AsyncIterator[Client]:
    """Connect an MCP client to a server that this command starts outside the checkout."""
    stderr = workshop() / "stderr"
    parameters = StdioServerParameters(command=command, args=list(args), env=dict(env), cwd=workshop())
    try:
        with stderr.open("w", encoding="utf-8") as log:
            async with Client(stdio_client(parameters, errlog=log)) as client:
                yield client
    except BaseException as fault:
        fault.add_note(f"stderr of the server: {stderr.read_text(encoding='utf-8')}")
        raise
