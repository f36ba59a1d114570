"""`python -m benchmarks [NAME…]`: run some or all, print Markdown, write JSON, put the summary into the README."""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import platform
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from . import homes
from .measured import Result, table

_NAMES: Final = ("cold-start", "calls", "history", "throughput", "many-accounts", "tokens", "clients")
_BEGIN: Final = "<!-- performance -->"
_END: Final = "<!-- /performance -->"


def main() -> None:
    """Parse the arguments and do it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(_NAMES)}; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write all tables as Markdown")
    parser.add_argument("--readme", type=Path, metavar="FILE", help=f"put the summary between {_BEGIN} and {_END}")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in _NAMES]
    if unknown:
        parser.error(f"unknown benchmark {', '.join(unknown)}; there are {', '.join(_NAMES)}")
    results = [_run(name) for name in arguments.names or _NAMES]
    report = _report(results)
    print(report)
    if arguments.markdown:
        arguments.markdown.write_text(report + "\n", encoding="utf-8")
    if arguments.json:
        told = {"run": _run_facts(), "results": {result.name: result.as_json() for result in results}}
        arguments.json.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if arguments.readme:
        _put_into(arguments.readme, _summary(results))


def _run(name: str) -> Result:
    print(f"{name} …", file=sys.stderr, flush=True)
    result: Result = importlib.import_module(f"benchmarks.{name.replace('-', '_')}").run()
    return result


def _report(results: Sequence[Result]) -> str:
    parts = ["# Measured", "", _summary(results), "", *(result.as_markdown() + "\n" for result in results)]
    return "\n".join(parts).rstrip()


def _summary(results: Sequence[Result]) -> str:
    facts = _run_facts()
    told = (
        f"Output of `uv run --group bench python -m benchmarks`, {facts['date']}: {facts['machine']}, "
        f"{facts['python']}, {facts['versions']}. Medians of interleaved runs; the ratios travel better than the times."
    )
    lines = [*textwrap.wrap(told, 120, break_long_words=False, break_on_hyphens=False), ""]
    claims = [claim.row() for result in results for claim in result.claims]
    return "\n".join(lines + table(["what", "this server", "compared with", "ratio", "promised"], claims))


def _run_facts() -> dict[str, str]:
    home = homes.ours()
    versions = [f"{name} {home.version(name)}" for name in (homes.DISTRIBUTION, "mcp", "httpx", "uvicorn", "pydantic")]
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} processors, {platform.machine()}, {platform.system()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": ", ".join(versions),
        "load": ", ".join(f"{each:.1f}" for each in os.getloadavg()) if hasattr(os, "getloadavg") else "",
    }


def _put_into(path: Path, summary: str) -> None:
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise SystemExit(f"{path} has no {_BEGIN} … {_END}")
    path.write_text(f"{before}{begin}\n{summary}\n{end}{after}", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
