"""What this program is called, and which version of it is installed."""

from __future__ import annotations

from typing import Final

NAME: Final = "tiktok-pinned-videos-mcp"
"""Distribution and console script."""


def version() -> str:
    """The installed version."""
    from importlib.metadata import version as installed

    return installed(NAME)


def how_to_add(extra: str) -> str:
    """How an extra is installed: from a copy of the repository, for the name is on no index and may be anybody's."""
    return f'in a copy of the repository: pip install ".[{extra}]", or start with: uv run --extra {extra} {NAME}'
