# /// script
# requires-python = ">=3.11"
# dependencies = ["mcp>=2.3,<3", "tiktok-pinned-videos-mcp"]
#
# [tool.uv.sources]
# tiktok-pinned-videos-mcp = { path = ".." }
# ///
"""Which of these creators has the highest engagement? A plain MCP client over HTTP, with progress.

    uv run examples/rank_over_http.py nasa esa sandbox_private
    MCP_URL=https://mcp.example.org/mcp MCP_TOKEN=... uv run examples/rank_over_http.py nasa esa

Uses the server at MCP_URL. Without MCP_URL the script starts a sandbox server on a free port.
"""

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Return the URL of the server."""
    if url := os.environ.get("MCP_URL"):
        yield url
        return
    command = ["tiktok-pinned-videos-mcp", "http", "--port", "0", "--sandbox"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as process:
        try:
            # The server logs its URL when it is ready.
            lines = (re.search(r"MCP server on (\S+)", line) for line in process.stderr)
            yield next(found[1] for found in lines if found)
        finally:
            process.terminate()


async def show_progress(done: float, total: float | None, account: str | None) -> None:
    """Print one line after each account."""
    print(f"{done:g} of {total:g}: {account}", file=sys.stderr)


async def main(usernames: list[str]) -> int:
    """Print the ranking. Return the exit code."""
    token = os.environ.get("MCP_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with server() as url:
        async with (
            httpx2.AsyncClient(headers=headers, timeout=300) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            arguments = {"usernames": usernames, "rank_by": "engagement_rate"}
            result = await client.call_tool("compare_pinned_videos", arguments, progress_callback=show_progress)
    if result.is_error:
        print(result.content[0].text, file=sys.stderr)
        return 1
    for account in result.structured_content["accounts"]:
        if "rank" in account:
            print(f"{account['rank']}. @{account['username']}: {account['totals']['engagement_rate']:.1%} engagement")
        else:
            # A failed account has its own status and reason.
            print(f"-  @{account['username']}: {account['status']}. {account.get('reason', '')}")
    return 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main(sys.argv[1:] or ["nasa", "esa", "sandbox_private"])))
