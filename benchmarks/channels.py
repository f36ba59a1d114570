"""`python -m benchmarks.channels [--page FILE]`: what agent frameworks let their model read, and what text alone saves.

Each framework calls the sandbox from a throw-away environment of its own, with its own code (`frameworks/`), once as it
is and once with MCP_RESULT_CHANNELS=text. Needs uv and a package index.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .counting import tokens

_FOLDER: Final = Path(__file__).parent / "frameworks"
_SERVER: Final = (sys.executable, "-m", "tiktok_pinned_videos", "--sandbox")
_MARK: Final = re.compile(r"(<!-- channels -->\n).*?(<!-- /channels -->)", re.DOTALL)
SETTINGS: Final = {
    "pydantic_ai": '`MCPToolset(…, init_timeout=60, tool_error_behavior="failed")`: by default it waits 5 seconds for '
    "the start, and a second failed account ends the run",
    "openai_agents": "`client_session_timeout_seconds=240`: by default it waits 5 seconds",
    "langchain": "one `session(…)` for all calls: by default it starts the server anew for each; "
    "`tool.handle_tool_error = True`",
    "llama_index": "`MCP_RESULT_CHANNELS=text`",
    "google_adk": "`MCP_RESULT_CHANNELS=text`; `StdioConnectionParams(timeout=240)`: by default it waits 5 seconds",
    "haystack": "`MCP_RESULT_CHANNELS=text`; `invocation_timeout=240`: by default it waits 30 seconds",
    "agent_framework": "`MCP_RESULT_CHANNELS=text`",
    "smolagents": "`mcp<2` in its environment, so the server in one of its own, as `uvx --from` does it",
    "strands": "none",
}
"""The one setting that each needs, in the order of the table."""


@dataclass(frozen=True, slots=True)
class Row:
    """One framework."""

    name: str
    version: str
    reads: str
    both: int
    """Tokens of one account as the model reads it by default."""
    text: int
    """The same with text alone."""

    def __str__(self) -> str:
        saved = f"{1 - self.text / self.both:.0%}" if self.text < 0.97 * self.both else "nothing"
        cells = (f"{self.name} {self.version}", self.reads, self.both, self.text, saved, SETTINGS[self.key])
        return f"| {' | '.join(str(cell) for cell in cells)} |"

    @property
    def key(self) -> str:
        """What its script is called by."""
        return next(key for key in SETTINGS if titled(key)[0] == self.name)


@functools.cache
def ran(key: str, channels: str) -> dict[str, Any]:
    """What the script of a framework said: `tools`, the schemas its model is given, and `seen`, what it reads."""
    kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    env = kept | {"MCP_RESULT_CHANNELS": channels}
    command = [os.environ.get("UV") or "uv", "run", "--quiet", "--python", sys.executable, _script(key), *_SERVER]
    done = subprocess.run(command, env=env, capture_output=True, encoding="utf-8", check=False, timeout=300)
    if done.returncode:
        raise SystemExit(f"{key} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def titled(key: str) -> tuple[str, str]:
    """A framework's name and version, as its script says."""
    text = _script(key).read_text(encoding="utf-8")
    found = re.search(r'dependencies = \["[^"=]+==([\d.]+)".*?\n"""([^:,]+)', text, re.DOTALL)
    if found is None:
        raise ValueError(f"{key} does not say its version and name")
    return found[2].removesuffix(" in its strict mode"), found[1]


def measured(key: str) -> Row:
    """The row of a framework."""
    both, text = (str(ran(key, channels)["seen"]) for channels in ("both", "text"))
    # The first is of the text alone, the second a key of the data, whichever way it is quoted.
    has_text, has_data = "pinned videos (SANDBOX" in both, re.search(r"""["']totals\\?["']""", both) is not None
    reads = {(True, True): "both", (True, False): "the text", (False, True): "the data"}[has_text, has_data]
    return Row(*titled(key), reads, tokens(both), tokens(text))


def table() -> str:
    """All of them, as Markdown."""
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(measured, SETTINGS))
    head = ["| framework | its model reads | tokens | text alone | saved | set |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *map(str, rows)]) + "\n"


def _script(key: str) -> Path:
    return _FOLDER / f"with_{key}.py"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, metavar="FILE", help="put the table between <!-- channels --> and its end")
    page = parser.parse_args().page
    made = table()
    print(made, end="")
    if page is not None:
        page.write_text(_MARK.sub(lambda found: f"{found[1]}{made}{found[2]}", page.read_text("utf-8")), "utf-8")
