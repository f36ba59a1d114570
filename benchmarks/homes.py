"""Environments like a user's, made by uv and kept between runs: ours without developers' tools, and the references'.

Where uv cannot make one (not installed, no network, no such package) the answer is None or this interpreter, and the
benchmark says so.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

ROOT: Final = Path(__file__).resolve().parent.parent
DISTRIBUTION: Final = "tiktok-pinned-videos-mcp"
_CLEARED: Final = ("PYTHON", "TIKTOK_", "MCP_", "LOG_", "OTEL_", "VIRTUAL_ENV", "UV_PROJECT")


@dataclass(frozen=True, slots=True)
class Home:
    """One environment with Python and packages."""

    folder: Path
    python: Path
    own: bool
    """Whether it was made for this purpose; else it is the interpreter that runs the benchmarks."""

    def script(self, name: str) -> str:
        """Path of a console script."""
        return str(self.python.parent / (name + (".exe" if os.name == "nt" else "")))

    def version(self, distribution: str) -> str:
        """The installed version of a package."""
        code = f"import importlib.metadata as m; print(m.version({distribution!r}))"
        return _output([str(self.python), "-c", code]) or "?"

    def packages(self) -> Path:
        """Where packages are installed."""
        return Path(_output([str(self.python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]))


@functools.cache
def ours() -> Home:
    """The project as a user installs it: built from this tree, bytecode compiled."""
    return _made("ours", str(ROOT), fresh=DISTRIBUTION) or Home(Path(sys.prefix), Path(sys.executable), own=False)


@functools.cache
def package(name: str, *more: str) -> Home | None:
    """An environment with this package and what it needs; `more` is what it needs without saying so."""
    return _made(name.lower(), name, *more)


def environment(**variables: str) -> dict[str, str]:
    """This process's variables without those that would change what is measured, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_CLEARED)}
    return kept | variables


def _made(folder_name: str, *requirements: str, fresh: str | None = None) -> Home | None:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        return None
    version = f"{sys.implementation.name}-{sys.version_info.major}.{sys.version_info.minor}"
    folder = user_cache_path(f"{DISTRIBUTION}-benchmarks", appauthor=False) / version / folder_name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
    install += ["--reinstall-package", fresh] if fresh else []
    for command in (
        [uv, "venv", "--quiet", "--allow-existing", "--no-project", "--python", sys.executable, str(folder)],
        [*install, *requirements],
    ):
        try:
            subprocess.run(command, check=True, capture_output=True, env=environment(), timeout=300)
        except (OSError, subprocess.SubprocessError) as fault:
            said = getattr(fault, "stderr", None) or b""
            print(
                f"no environment for {requirements[0]}: {fault} {said.decode(errors='replace')[-300:]}", file=sys.stderr
            )
            return None
    return Home(folder, python, own=True)


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment(), check=False)
    return done.stdout.strip()
