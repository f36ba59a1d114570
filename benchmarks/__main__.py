"""`python -m benchmarks [NAME…]`: run all benchmarks or some and print Markdown."""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.metadata
import os
import platform
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .measured import TIMES, Section, table
from .servers import DISTRIBUTION

_NAMES: Final = ("start", "calls", "http", "tokens")


def main() -> None:
    """Parse the arguments and run what they name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(_NAMES)}; default: all")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write all tables")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(_NAMES):
        parser.error(f"unknown benchmark {', '.join(unknown)}; there are {', '.join(_NAMES)}")
    sections = [_run(name) for name in arguments.names or _NAMES]
    summary = _summary(sections)
    report = "\n\n".join(["# Measured", summary, *(section.markdown() for section in sections)])
    print(report)
    if arguments.markdown:
        arguments.markdown.write_text(report + "\n", encoding="utf-8", newline="\n")


def _run(name: str) -> Section:
    print(f"{name} …", file=sys.stderr, flush=True)
    return importlib.import_module(f"benchmarks.{name}").run()


def _summary(sections: Sequence[Section]) -> str:
    names = (DISTRIBUTION, "mcp", "httpx", "uvicorn", "pydantic")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    facts = (
        f"Output of `uv run --group bench python -m benchmarks`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}: "
        f"{os.cpu_count()} processors, {platform.machine()}, {platform.system()}, Python {platform.python_version()}, "
        f"{versions}. {TIMES}"
    )
    promised = [row for section in sections for row in section.rows if row.goal is not None]
    lines = textwrap.wrap(facts, 120, break_long_words=False, break_on_hyphens=False)
    return "\n".join([*lines, "", *table(promised)])


if __name__ == "__main__":
    main()
