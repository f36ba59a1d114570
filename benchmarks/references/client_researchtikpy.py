"""ResearchTikPy, one account: prints what its caller has in hand afterwards, and what was printed on the way.

`client_researchtikpy.py UPSTREAM SECRET NAME`. Its functions name the host, so every request of `requests` to that host
is turned.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time

from redirected import redirect
from researchtikpy.get_access_token import get_access_token  # pyright: ignore[reportMissingImports] - in an environment of its own
from researchtikpy.get_pinned_videos import get_pinned_videos  # pyright: ignore[reportMissingImports] - in an environment of its own


def main(upstream: str, secret: str, name: str) -> None:
    """Ask once for a good account, say so, then for `name`."""
    redirect(upstream)
    token = None
    printed = io.StringIO()
    if name != "wrong_secret":
        token = get_access_token("a-client-key", "a-client-secret")["access_token"]
        get_pinned_videos(["videos3"], token, verbose=False)
    print("ready", flush=True)
    sys.stdin.readline()
    started = time.perf_counter()
    with contextlib.redirect_stdout(printed):
        try:
            token = token or get_access_token("a-client-key", secret)["access_token"]
            found = get_pinned_videos([name], token)
            outcome = f"{len(found)} videos" if len(found) else "[]"
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
    if outcome == "[]":
        outcome += f" (printed: {printed.getvalue().partition(chr(10))[0]})"
    print(json.dumps({"ms": (time.perf_counter() - started) * 1000, "outcome": outcome}), flush=True)


main(*sys.argv[1:])
