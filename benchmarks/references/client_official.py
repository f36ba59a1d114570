"""TikTok's own Python client, one account: prints what its caller has in hand afterwards.

`client_official.py UPSTREAM SECRET NAME`. The client names its host in its constructor, after which it has already
asked for a token: so the host is put in its place by turning every request of `requests` to it.
"""

from __future__ import annotations

import json
import logging
import sys
import time

from redirected import redirect
from tiktok_research_api import QueryUserPinnedVideosRequest, TikTokResearchAPI  # pyright: ignore[reportMissingImports] - in an environment of its own


def main(upstream: str, secret: str, name: str) -> None:
    """Ask once for a good account, say so, then for `name`."""
    redirect(upstream)
    logging.disable()
    client = None
    if name != "wrong_secret":
        client = TikTokResearchAPI("a-client-key", "a-client-secret")
        client.query_user_pinned_videos(QueryUserPinnedVideosRequest("videos3"))
    print("ready", flush=True)
    sys.stdin.readline()
    started = time.perf_counter()
    try:
        client = client or TikTokResearchAPI("a-client-key", secret)
        found = client.query_user_pinned_videos(QueryUserPinnedVideosRequest(name))
        outcome = f"{len(found)} videos" if found else "[]"
    except Exception as error:
        outcome = f"{type(error).__name__}: {error}"
    print(json.dumps({"ms": (time.perf_counter() - started) * 1000, "outcome": outcome}), flush=True)


main(*sys.argv[1:])
