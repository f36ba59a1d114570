"""What each command of the console script does."""

from __future__ import annotations

import gc
from typing import NoReturn

import click


def loaded() -> None:
    """Everything needed is imported: from now on collect garbage again, but not among the modules."""
    # Without a collection before: looking at all there is costs an eighth of the start, and finds next to nothing.
    gc.freeze()
    gc.enable()


def stop(message: str, code: int = 2) -> NoReturn:
    """End with one line on stderr."""
    click.echo(message, err=True)
    raise SystemExit(code)
