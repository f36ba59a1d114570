# /// script
# requires-python = ">=3.11"
# dependencies = ["tiktok-pinned-videos-mcp"]
#
# [tool.uv.sources]
# tiktok-pinned-videos-mcp = { path = ".." }
# ///
"""What did the accounts on my list pin and unpin since the last night? For cron.

    uv run examples/nightly_watch.py accounts.txt watch.sqlite3

Reads usernames, one per line. The server keeps what was pinned for 15 days in the SQLite file. If the daily quota ends,
run the script again after 00:00 UTC: it does not request accounts again that were answered in the last 20 hours. Ends
with 0 if every account was answered. Remove --sandbox when the credentials are set.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

if len(sys.argv) != 3:
    print("Usage: uv run examples/nightly_watch.py ACCOUNTS STATE_FILE", file=sys.stderr)
    sys.exit(2)
accounts, state_file = sys.argv[1:]
command = ["tiktok-pinned-videos-mcp", "get", "--sandbox", "--from", accounts, "--format", "jsonl", "--fields", "id"]
env = {"TIKTOK_STATE": f"sqlite:///{Path(state_file).absolute().as_posix()}", "TIKTOK_CACHE_TTL": str(20 * 3600)}

with subprocess.Popen(command, env=env | os.environ, stdout=subprocess.PIPE, encoding="utf-8") as process:
    for answer in map(json.loads, process.stdout):
        if "reason" in answer:
            print(f"@{answer['username']}: {answer['reason']}", file=sys.stderr)
        elif not answer["cached"]:
            changes = answer.get("changes", {"pinned": [], "unpinned": []})
            for what in ("pinned", "unpinned"):
                for video in changes[what]:
                    # Print only changes that this answer is the first to show.
                    if video["by"] == answer["retrieved_at"]:
                        print(f"@{answer['username']}: {what} {video['id']} since {video['after']}")
raise SystemExit(process.returncode)
