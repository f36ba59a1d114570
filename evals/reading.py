"""Read an answer from either channel into the same form.

It follows the documented text format and imports nothing of the program: the one independent reader of that format.
"""

from __future__ import annotations

import json
import re
from typing import Any

Reading = dict[str, Any]
_HEAD = re.compile(r"@(\S+): (?:\d+ pinned videos?|nothing pinned) \((\w+) ([^ ;)]+)")
_FAILED = re.compile(r"([a-z_]+): (?:@([^:]+): )?")
_SINCE = re.compile(r"since (\S+): (.+)")
_SOURCES = {"TikTok": "tiktok_research_api", "SANDBOX": "sandbox"}
_COUNTED = {"videos", "view_count", "like_count", "comment_count", "share_count", "favorites_count"}
_COUNTED |= {"video_duration", "engagement_rate"}


def read_data(data: Reading | None, text: str) -> Reading:
    """From the structured result; an error has none and is text in both channels."""
    return read_text(text) if data is None else data


def read_text(text: str) -> Reading:
    """From the text channel."""
    lines = text.splitlines()
    rows = _table(lines)
    if head := _HEAD.match(text):
        totals = next((row for row in rows if row["id"] == "total"), {})
        videos = [row for row in rows if row["id"] != "total"]
        return {
            "username": head[1], "source": _SOURCES[head[2]], "retrieved_at": head[3],
            "status": "found" if videos else "nothing_pinned",
            "videos": videos, "totals": {**totals, "videos": len(videos)}, "notes": lines[1:],
            "changes": next(({"unchanged": line[2] == "unchanged"} for line in map(_SINCE.match, lines) if line), None),
        }  # fmt: skip
    if rows:
        failed = [
            {"username": line[2], "status": line[1], "reason": line.string}
            for line in map(_FAILED.match, lines)
            if line and line[2]
        ]
        return {"accounts": [_account(row) for row in rows] + failed, "notes": lines[1:]}
    error = _FAILED.match(text)
    return {"status": error[1] if error else "?", "username": error[2] if error else None, "error": text}


def _account(row: Reading) -> Reading:
    """One row of a comparison. Accounts without a rank have their status in that column."""
    rank = row.pop("rank")
    top = {name.removeprefix("top video "): value for name, value in row.items() if name.startswith("top video ")}
    return {
        "username": row["username"], "totals": row, "cached": row.get("cached") == "yes",
        "status": rank if rank == "nothing_pinned" else "found", "rank": int(rank) if rank.isdigit() else None,
        **({"top_video": top | {"url": row["url"]}} if top else {}),
    }  # fmt: skip


def _table(lines: list[str]) -> list[Reading]:
    """The rows of the one table, with the url of each video."""
    cells = [line.split("\t") for line in lines if "\t" in line]
    if not cells:
        return []
    url = next((line.removeprefix("url: ") for line in lines if line.startswith("url: ")), "")
    rows: list[Reading] = []
    for line in cells[1:]:
        named = {_name(heading): cell for heading, cell in zip(cells[0], line, strict=False)}
        row = {name: _value(name, cell) for name, cell in named.items() if cell not in ("?", "-", "")}
        row["url"] = re.sub(r"\{([^}]+)\}", lambda key, row=row: str(row.get(key[1], "")), url)
        rows.append(row)
    return rows


def _name(heading: str) -> str:
    """The field's name without what the heading adds about its form."""
    if heading.startswith(("hashtags", "top video ")):
        return "hashtag_names" if heading.startswith("hashtags") else heading
    return re.split("[: ]", heading, maxsplit=1)[0]


def _value(name: str, cell: str) -> Any:
    if name.removeprefix("top video ") in _COUNTED:
        return float(cell) if "." in cell else int(cell)
    if cell.startswith('"'):
        return json.loads(cell)
    match name:
        case "create_time":
            return cell.replace(" ", "T") + "Z"
        case "hashtag_names" | "video_mention_list":
            return [] if cell == "none" else cell.split(" ")
        case "video_label":
            kind, *_, vote, warn, sink = cell.split(" ")
            return {"type": int(kind), "vote": vote == "true", "warn": warn == "true", "sink": sink == "true"}
        case _:
            return cell
