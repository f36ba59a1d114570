# /// script
# requires-python = ">=3.11"
# dependencies = ["tiktok-pinned-videos-mcp"]
#
# [tool.uv.sources]
# tiktok-pinned-videos-mcp = { path = ".." }
# ///
"""What did the accounts on my list pin and unpin since the night before? For cron.

    uv run examples/nightly_watch.py accounts.txt watch.sqlite3

Asks for a list of accounts, one name a line. The server itself remembers what was pinned, in the file named last, for
15 days, as TikTok's terms want. When the daily quota ends, run it again after 00:00 UTC: accounts answered in the last
20 hours are not asked again. Ends with 0 when all were answered. Take --sandbox away once the credentials are set.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

if len(sys.argv) != 3:
    print("Usage: uv run examples/nightly_watch.py ACCOUNTS MEMORY", file=sys.stderr)
    sys.exit(2)
accounts, memory = sys.argv[1:]
command = ["tiktok-pinned-videos-mcp", "get", "--sandbox", "--from", accounts, "--format", "jsonl", "--fields", "id"]
env = {"TIKTOK_STATE": f"sqlite:///{Path(memory).absolute().as_posix()}", "TIKTOK_CACHE_TTL": str(20 * 3600)}

with subprocess.Popen(command, env=env | os.environ, stdout=subprocess.PIPE, encoding="utf-8") as process:
    for answer in map(json.loads, process.stdout):
        if "reason" in answer:
            print(f"@{answer['username']}: {answer['reason']}", file=sys.stderr)
        elif not answer["cached"]:
            changes = answer.get("changes", {"pinned": [], "unpinned": []})
            for what in ("pinned", "unpinned"):
                for video in changes[what]:
                    # Older changes were told in an earlier night.
                    if video["by"] == answer["retrieved_at"]:
                        print(f"@{answer['username']}: {what} {video['id']} since {video['after']}")
raise SystemExit(process.returncode)
