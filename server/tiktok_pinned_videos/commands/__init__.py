"""The commands of the console script, one module or package each."""

from __future__ import annotations

import gc
from typing import NoReturn

import click


def loaded() -> None:
    """Collect garbage again, but exclude the imported modules. Call it when all imports are done."""
    # No collection before: it would take an eighth of the start-up time and find almost nothing.
    gc.freeze()
    # The SDK leaves cycles after each call. Ten times as many at once take a quarter of the time.
    gc.set_threshold(7000)
    gc.enable()


def stop(message: str, code: int = 2) -> NoReturn:
    """End with one line on stderr."""
    click.echo(message, err=True)
    raise SystemExit(code)
