"""What can be read from an answer, from either channel alone: the same facts in one shape.

Knows how answers are written, and nothing of the program that writes them.
"""

from __future__ import annotations

import json
import re
from typing import Any

Reading = dict[str, Any]
_HEAD = re.compile(r"@(\S+): (?:(\d+) pinned videos?|nothing pinned) \((\w+) ([^ )]+)")
_ERROR = re.compile(r"([a-z_]+): (?:@(\S+): )?")
_FAILED = re.compile(r"([a-z_]+): @(\S+): ")
_SOURCES = {"TikTok": "tiktok_research_api", "SANDBOX": "sandbox"}
_COUNTED = {"rank", "videos", "view_count", "like_count", "comment_count", "share_count", "favorites_count"}
_COUNTED |= {"video_duration", "engagement_rate"}


def read_data(data: Reading | None, text: str) -> Reading:
    """From the structured result; an error has none, and is text in both channels."""
    return read_text(text) if data is None else data


def read_text(text: str) -> Reading:
    """From the text an assistant reads."""
    lines = text.splitlines()
    if head := _HEAD.match(text):
        found = {"username": head[1], "source": _SOURCES[head[3]], "retrieved_at": head[4]}
        rows, notes = _table(lines, "http")
        totals = next((row for row in rows if row["id"] == "total"), {})
        videos = [row for row in rows if row["id"] != "total"]
        status = "found" if videos else "nothing_pinned"
        totals = {**totals, "videos": len(videos)}
        return {**found, "status": status, "videos": videos, "totals": totals, "notes": notes}
    rows, notes = _table(lines, "rank\t")
    if rows:
        accounts = [{"username": row["username"], "rank": row.get("rank"), "totals": row} for row in rows]
        failed = [{"username": line[2], "status": line[1]} for line in map(_FAILED.match, lines) if line]
        return {"accounts": accounts + failed, "notes": notes}
    error = _ERROR.match(text)
    return {"status": error[1] if error else "?", "username": error[2] if error else None, "error": text}


def _table(lines: list[str], first: str) -> tuple[list[Reading], list[str]]:
    """The rows of the table whose heading begins with `first`, and the lines below it."""
    start = next((place for place, line in enumerate(lines) if line.startswith(first)), None)
    if start is None:
        return [], lines[1:]
    headings = lines[start].split("\t")
    names = [_name(heading) for heading in headings]
    rows: list[Reading] = []
    for line in lines[start + 1 :]:
        cells = line.split("\t")
        if not (cells[0].isdigit() or cells[0] in ("total", "-")):
            break
        row = zip(names, cells, strict=False)
        rows.append({name: _value(name, cell) for name, cell in row if cell not in ("?", "-", "")})
        # The heading of the ids is the address of a video.
        if headings[0].startswith("http") and cells[0] != "total":
            rows[-1]["url"] = headings[0].replace("{id}", cells[0])
    return rows, lines[start + 1 + len(rows) :]


def _name(heading: str) -> str:
    """The field's name; a heading says after it how it is written."""
    if heading.startswith("http"):
        return "id"
    return "hashtag_names" if heading == "more hashtags" else re.split("[: ]", heading, maxsplit=1)[0]


def _value(name: str, cell: str) -> Any:
    if name in _COUNTED:
        return float(cell) if "." in cell else int(cell)
    if cell.startswith('"'):
        return json.loads(cell)
    match name:
        case "create_time":
            return cell.replace(" ", "T") + "Z"
        case "hashtag_names" | "video_mention_list":
            return cell.split(" ")
        case "video_label":
            kind, *_, vote, warn, sink = cell.split(" ")
            return {"type": int(kind), "vote": vote == "true", "warn": warn == "true", "sink": sink == "true"}
        case _:
            return cell
