"""The name and the installed version of this program."""

from __future__ import annotations

from typing import Final

NAME: Final = "tiktok-pinned-videos-mcp"
"""Distribution and console script."""


def version() -> str:
    """The installed version."""
    from importlib.metadata import version as installed

    return installed(NAME)


def how_to_add(extra: str) -> str:
    """Return how to install an extra from a copy of the repository. The package is not published under its name."""
    return f'in a copy of the repository: pip install ".[{extra}]", or start with: uv run --extra {extra} {NAME}'
