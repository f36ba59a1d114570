"""A simulated TikTok API in its own process: `python -m benchmarks.upstream` prints its address and serves.

Every account has the three videos of the reference response, except `videos0` and `videos1`, which have fewer.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

_TESTS: Final = Path(__file__).resolve().parents[1] / "tests"
_REFERENCE: Final = _TESTS / "data" / "reference-response.json"
ANY_TOKEN: Final = "any"
"""An access token that this upstream accepts without having issued it."""

if TYPE_CHECKING:
    from kit.upstream import Received, Reply


def reference_body(videos: int = 3) -> bytes:
    """Return TikTok's response with the first videos of the reference response, compact as TikTok sends it."""
    reply = json.loads(_REFERENCE.read_text(encoding="utf-8"))
    reply["data"]["pinned_videos_list"] = reply["data"]["pinned_videos_list"][:videos]
    return json.dumps(reply, ensure_ascii=False, separators=(",", ":")).encode()


async def _serve() -> None:
    sys.path.insert(0, str(_TESTS))
    from kit.upstream import raw, serving

    replies = {f"videos{count}": raw(reference_body(count)) for count in (0, 1, 3)}

    def reply_to(request: Received) -> Reply:
        upstream.received.clear()
        return replies.get(request.json["username"], replies["videos3"])

    async with serving() as upstream:
        upstream.answer_by(reply_to)
        upstream.tokens.add(ANY_TOKEN)
        print(f"upstream on {upstream.url}", file=sys.stderr, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
