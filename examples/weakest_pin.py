# /// script
# requires-python = ">=3.11"
# dependencies = ["mcp>=2.3,<3", "tiktok-pinned-videos-mcp"]
#
# [tool.uv.sources]
# tiktok-pinned-videos-mcp = { path = ".." }
# ///
"""Which pinned video should this account replace? A plain MCP client over stdio.

    uv run examples/weakest_pin.py nasa

The client starts the server and talks to it over stdio, as an assistant does. Views grow with age, so the script
compares videos by views per day.
"""

import asyncio
import os
import sys
from datetime import UTC, datetime
from typing import Any

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

# Remove --sandbox when TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET are set.
SERVER = StdioServerParameters(
    command="tiktok-pinned-videos-mcp",
    args=["--sandbox"],
    # By default the SDK passes only a few variables to the server, so it would not get the credentials.
    env=dict(os.environ),
)


def views_per_day(video: dict[str, Any], now: datetime) -> float | None:
    """Return views per day, or None if TikTok did not send the values: a missing count is unknown, not 0."""
    if "view_count" not in video or "create_time" not in video:
        return None
    age = now - datetime.fromisoformat(video["create_time"])
    return video["view_count"] / max(age.total_seconds() / 86_400, 1)


async def main(username: str) -> int:
    """Print the videos, best first. Return the exit code."""
    async with Client(stdio_client(SERVER)) as client:
        result = await client.call_tool("get_pinned_videos", {"username": username})
    if result.is_error:
        # One line that says what happened and what to do, such as "not_found: …". It is never an empty list.
        print(result.content[0].text, file=sys.stderr)
        return 1
    answer = result.structured_content
    now = datetime.now(UTC)
    rated = [(rate, video) for video in answer["videos"] if (rate := views_per_day(video, now)) is not None]
    if not rated:
        print(f"@{answer['username']} has no pinned videos that can be compared.")
        return 0
    for rate, video in sorted(rated, key=lambda pair: pair[0], reverse=True):
        print(f"{rate:>10,.0f} views per day  {video['create_time'][:10]}  {video['url']}")
    print(f"The last of these {len(rated)} gets the fewest views per day ({answer['source']}).")
    return 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main(sys.argv[1] if sys.argv[1:] else "nasa")))
