# /// script
# requires-python = ">=3.11"
# dependencies = ["mcp>=2.3,<3", "tiktok-pinned-videos-mcp"]
#
# [tool.uv.sources]
# tiktok-pinned-videos-mcp = { path = ".." }
# ///
"""Which pinned video should this account replace? A plain MCP client over stdio.

    uv run examples/weakest_pin.py nasa

The server is started by the client and speaks with it through pipes, as it does with an assistant. Views grow with
age, so videos are compared by views a day.
"""

import asyncio
import os
import sys
from datetime import UTC, datetime
from typing import Any

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

# Take --sandbox away once TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET are set.
SERVER = StdioServerParameters(
    command="tiktok-pinned-videos-mcp",
    args=["--sandbox"],
    # Without this the server would not see the credentials: the SDK hands on only a few harmless variables.
    env=dict(os.environ),
)


def views_a_day(video: dict[str, Any], now: datetime) -> float | None:
    """None where TikTok did not send what is needed: an absent count is unknown, not 0."""
    if "view_count" not in video or "create_time" not in video:
        return None
    age = now - datetime.fromisoformat(video["create_time"])
    return video["view_count"] / max(age.total_seconds() / 86_400, 1)


async def main(username: str) -> int:
    """Print the videos, best first; returns the exit code."""
    async with Client(stdio_client(SERVER)) as client:
        result = await client.call_tool("get_pinned_videos", {"username": username})
    if result.is_error:
        # One line that says what happened and what to do, such as "not_found: ..."; never an empty list.
        print(result.content[0].text, file=sys.stderr)
        return 1
    answer = result.structured_content
    now = datetime.now(UTC)
    rated = [(rate, video) for video in answer["videos"] if (rate := views_a_day(video, now)) is not None]
    if not rated:
        print(f"@{answer['username']} has nothing pinned that could be compared.")
        return 0
    for rate, video in sorted(rated, key=lambda pair: pair[0], reverse=True):
        print(f"{rate:>10,.0f} views a day  {video['create_time'][:10]}  {video['url']}")
    print(f"The last of these {len(rated)} earns its place least ({answer['source']}).")
    return 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main(sys.argv[1] if sys.argv[1:] else "nasa")))
