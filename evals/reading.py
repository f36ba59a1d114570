"""What can be read from an answer, from either channel alone: the same facts in one shape.

Knows how answers are written, and nothing of the program that writes them.
"""

from __future__ import annotations

import json
import re
from typing import Any

Reading = dict[str, Any]
_HEAD = re.compile(r"@(\S+): (?:(\d+) pinned videos?|nothing pinned) \(([^,]+), ([^,)]+)")
_ERROR = re.compile(r"([a-z_]+): (?:@(\S+): )?")
_FAILED = re.compile(r"@(\S+): ([a-z_]+): ")
_SOURCES = {"TikTok Research API": "tiktok_research_api", "SANDBOX": "sandbox"}
_COUNTED = {"rank", "videos", "view_count", "like_count", "comment_count", "share_count", "favorites_count"}
_COUNTED |= {"video_duration", "engagement_rate"}


def read_data(data: Reading | None, text: str) -> Reading:
    """From the structured result; an error has none, and is text in both channels."""
    return read_text(text) if data is None else data


def read_text(text: str) -> Reading:
    """From the text an assistant reads."""
    lines = text.splitlines()
    notes = [line.removeprefix("Note: ") for line in lines if line.startswith("Note: ")]
    if head := _HEAD.match(text):
        found = {"username": head[1], "source": _SOURCES[head[3]], "retrieved_at": head[4], "notes": notes}
        rows = _table(lines, "id")
        totals = next((row for row in rows if row["id"] == "total"), {})
        videos = [row for row in rows if row["id"] != "total"]
        url = next((line.removeprefix("url: ") for line in lines if line.startswith("url: ")), "")
        for video in videos:
            video["url"] = url.replace("{id}", video["id"])
        status = "found" if videos else "nothing_pinned"
        return {**found, "status": status, "videos": videos, "totals": {**totals, "videos": len(videos)}}
    if rows := _table(lines, "rank"):
        accounts = [{"username": row["username"], "rank": row.get("rank"), "totals": row} for row in rows]
        failed = [{"username": line[1], "status": line[2]} for line in map(_FAILED.match, lines) if line]
        return {"accounts": accounts + failed, "notes": notes}
    error = _ERROR.match(text)
    return {"status": error[1] if error else "?", "username": error[2] if error else None, "error": text}


def _table(lines: list[str], first: str) -> list[Reading]:
    start = next((place for place, line in enumerate(lines) if line.startswith(f"{first}\t")), None)
    if start is None:
        return []
    # A heading says after the field's name how it is written.
    names = [name.removeprefix("more ").split(":")[0].split(" ")[0] for name in lines[start].split("\t")]
    rows: list[Reading] = []
    for line in lines[start + 1 :]:
        if "\t" not in line:
            break
        cells = zip(names, line.split("\t"), strict=False)
        rows.append({name: _value(name, cell) for name, cell in cells if cell not in ("?", "-", "")})
    return rows


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
