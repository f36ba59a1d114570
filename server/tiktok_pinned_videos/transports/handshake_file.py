"""What the SDK answered in an earlier start, in a file of the user's cache folder.

Loaded before anything else: pathlib, platformdirs and typing would take longer than all that is done here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from importlib.machinery import PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Final

_SECRET: Final = ("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET", "TIKTOK_STATE", "MCP_BEARER_TOKEN")
"""Variables that can hold a secret: that they are set counts, not what they hold. None changes an answer."""
_MOST: Final = 256 * 1024
"""Bytes of a snapshot; what was learned first goes first."""
_MAX_FILES: Final = 20
"""One for each version and each set of settings that was started; the oldest goes first."""


def snapshot_file(arguments: Sequence[str], env: Mapping[str, str]) -> str:
    """Where the snapshot of this program with these settings is, or would be. OSError where that cannot be told."""
    home = os.path.expanduser("~")
    caches = f"{home}/Library/Caches" if sys.platform == "darwin" else env.get("XDG_CACHE_HOME") or f"{home}/.cache"
    sdk = PathFinder.find_spec("mcp")
    if sdk is None or not sdk.submodule_search_locations or not caches.startswith("/"):
        raise OSError
    installed = os.listdir(os.path.dirname(sdk.submodule_search_locations[0]))
    packages = sorted(name for name in installed if name.endswith(".dist-info"))
    # A checkout changes without changing its version.
    tree = os.walk(os.path.dirname(os.path.dirname(__file__)))
    files = (f"{folder}/{name}" for folder, _, names in tree for name in names if not name.endswith(".pyc"))
    changed = max(os.stat(file).st_mtime_ns for file in files)
    ours = (name for name in env if name.startswith(("TIKTOK_", "MCP_", "LOG_")))
    settings = sorted((name, "" if name in _SECRET else env[name]) for name in ours)
    key = digest(sys.version, sys.path, packages, changed, arguments, settings)
    return f"{caches}/tiktok-pinned-videos-mcp/start-{key}.json"


def digest(*facts: Any) -> str:
    """Of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def read_snapshot(file: str) -> dict[str, str]:
    """What is known, by key; nothing where the file is missing, broken or could be somebody else's."""
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:
            facts = os.fstat(opened.fileno())
            if facts.st_uid != os.geteuid() or facts.st_mode & 0o022 or facts.st_size > _MOST:
                return {}
            known = json.loads(opened.read())
            return known if all(isinstance(rest, str) for rest in known.values()) else {}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def write_snapshot(file: str, known: dict[str, str]) -> None:
    """Replace the file, whole or not at all, and delete the oldest of too many. Where that cannot be, do nothing."""
    while len(text := json.dumps(known).encode()) > _MOST:
        del known[next(iter(known))]
    folder, unfinished = os.path.dirname(file), f"{file}.{os.getpid()}"
    with contextlib.suppress(OSError):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        files = sorted((entry.stat().st_mtime, entry.path) for entry in os.scandir(folder))
        for _, oldest in files[:-_MAX_FILES]:
            os.unlink(oldest)
        try:
            with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
                opened.write(text)
            os.replace(unfinished, file)
        except OSError:
            os.unlink(unfinished)
