"""The Markdown pages of the repository and the commands that they show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8")
    for pattern in ("*.md", "docs/**/*.md", "examples/*.md", "benchmarks/*.md", "evals/*.md", ".github/**/*.md")
    for page in sorted(ROOT.glob(pattern))
}
_FENCE = re.compile(r"(?ms)^```(\w*)\n(.*?)^```")
_PROGRAM = re.compile(
    r"(?:[A-Z_]+=\S+ )*(?:uvx?|tiktok-pinned-videos-mcp|python3?|py|pip|pipx|npm|npx|docker|git|sudo|curl|frictionless"
    r"|claude|gemini|codex|mcp-publisher|\.uv\S*|\.ci/run)(?: |$)"
)
_OF_TWO_WORDS = (".ci", "tiktok-pinned-videos-mcp ", "mcp-publisher ")


def prose(page: str) -> str:
    """Return the page without its blocks of code."""
    return _FENCE.sub("", PAGES[page])


def blocks(page: str, *languages: str) -> list[str]:
    """Return the blocks of code in these languages."""
    return [body for language, body in _FENCE.findall(PAGES[page]) if language in languages]


def inline(page: str) -> list[str]:
    """Return the code within the text."""
    return [re.sub(r"\s+", " ", code) for code in re.findall(r"`([^`]+)`", prose(page))]


def commands(page: str) -> Iterator[str]:
    """Yield every command line of the page: all of the blocks, those of the text that begin with a program.

    `uv` and `git clone` in the text are names, not commands. Of a console session only the typed lines count.
    """
    for block in blocks(page, "sh", "powershell"):
        for line in block.replace("\\\n", " ").splitlines():
            if command := re.sub(r"\s+", " ", re.sub(r"\s+#.*", "", line)).strip():
                yield command
    for session in blocks(page, "console"):
        yield from re.findall(r"(?m)^\$ (.*)$", session)
    for code in inline(page):
        if _PROGRAM.match(code) and (len(code.split()) > 2 or code.startswith(_OF_TWO_WORDS)):
            yield code
