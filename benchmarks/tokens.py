"""What a model reads: the definitions of the tools, and answers against TikTok's raw response."""

from __future__ import annotations

from typing import Any

from . import homes, settings
from .counting import compact, tokens
from .measured import Claim, Result
from .upstream import reference_body
from .wire import StdioServer

_PROMISED = {
    "3 videos": ("default answer of 3 videos", 0.40, 0.62),
    "3 videos, all fields": ("answer of 3 videos with all fields", 0.80, 1.20),
}
"""What is claimed of some rows: its words, then the highest share of TikTok's response in text and in data."""


def run() -> Result:
    """The table, a row for each thing that is read."""
    result = Result("tokens", "Tokens (o200k)", ["what", "raw response", "text", "ratio", "data", "ratio"])
    with settings.upstream() as upstream, settings.stdio(upstream.address) as server:
        definitions = server.ask("tools/list")["tools"]
        # Names nobody has asked about: later answers also say what has changed since.
        for count, name in ((0, "videos0"), (1, "videos1"), (3, "fresh_oven")):
            answer = server.call("get_pinned_videos", {"username": name, "refresh": True})
            _add(result, f"{count} video{'' if count == 1 else 's'}", reference_body(count).decode(), answer)
        everything = definitions[0]["inputSchema"]["properties"]["fields"]["items"]["enum"]
        answer = server.call("get_pinned_videos", {"username": "whole_oven", "fields": everything})
        _add(result, "3 videos, all fields", reference_body(3).decode(), answer)
        names = [f"account{number}" for number in range(50)]
        answer = server.call("compare_pinned_videos", {"usernames": names})
        _add(result, "50 accounts of 3 videos", reference_body(3).decode() * 50, answer)
    counted = tokens(compact(definitions))
    result.rows.insert(0, [f"definitions of {len(definitions)} tools", "-", str(counted), "-", "-", "-"])
    result.data["definitions"] = counted
    result.claims.append(
        Claim("definitions of all tools", f"{counted} tokens", "1100 tokens, our bound", counted / 1100, 1.0)
    )
    fetch = homes.package("mcp-server-fetch")
    if fetch is not None:
        with StdioServer([fetch.script("mcp-server-fetch")]) as other:
            other.open()
            theirs = other.ask("tools/list")["tools"]
        counted = tokens(compact(theirs))
        result.rows.insert(
            1, [f"definitions of mcp-server-fetch ({len(theirs)} tool)", "-", str(counted), "-", "-", "-"]
        )
        result.data["definitions of mcp-server-fetch"] = counted
    result.notes = [
        "Definitions as tools/list sends them, output schemas and annotations included. The raw response is TikTok's, "
        "compact, with every field it sends; an answer holds the default fields. Text and data say the same: a client "
        "passes one of them on, some pass both.",
    ]
    return result


def _add(result: Result, what: str, raw: str, answer: dict[str, Any]) -> None:
    text, data = answer["content"][0]["text"], compact(answer["structuredContent"])
    raw_tokens, text_tokens, data_tokens = tokens(raw), tokens(text), tokens(data)
    shares = text_tokens / raw_tokens, data_tokens / raw_tokens
    result.rows.append(
        [what, str(raw_tokens), str(text_tokens), f"{shares[0]:.3f}", str(data_tokens), f"{shares[1]:.3f}"]
    )
    result.data[what] = {"raw": raw_tokens, "text": text_tokens, "data": data_tokens}
    if what in _PROMISED:
        words, *goals = _PROMISED[what]
        told = f"{raw_tokens} tokens, TikTok's response"
        for channel, mine, share, goal in zip(("text", "data"), (text_tokens, data_tokens), shares, goals, strict=True):
            result.claims.append(Claim(f"{words}, {channel}", f"{mine} tokens", told, share, goal))
