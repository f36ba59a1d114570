"""What may leave this process at all: requests to the configured host, and to no other."""

from __future__ import annotations

import httpx
import pytest

from kit import KEY, SECRET, InMemory, Upstream
from tiktok_pinned_videos.research.budget import PausedError
from tiktok_pinned_videos.research.errors import TikTokError
from tiktok_pinned_videos.research.transport import GuardedTransport

pytestmark = pytest.mark.anyio


class Nothing:
    """A budget that nobody asks."""

    async def reserve(self) -> None:
        raise PausedError(0)

    async def pause(self, seconds: float) -> None:
        raise AssertionError(seconds)


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/v2/oauth/token/",
        "http://open.tiktokapis.com/v2/oauth/token/",
        "https://open.tiktokapis.com:8443/v2/oauth/token/",
        "https://open.tiktokapis.com.elsewhere.example/v2/oauth/token/",
    ],
)
async def test_the_secret_goes_to_no_other_host_scheme_or_port(url: str) -> None:
    upstream = Upstream()
    home = httpx.URL("https://open.tiktokapis.com")
    guarded = GuardedTransport(InMemory(upstream), base_url=home, budget=Nothing())  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=guarded) as http:
        with pytest.raises(TikTokError, match="another host"):
            await http.post(url, data={"client_key": KEY, "client_secret": SECRET})
        sent_elsewhere = list(upstream.received)
        await http.post("https://open.tiktokapis.com/v2/oauth/token/", data={"client_key": KEY})

    assert sent_elsewhere == []
    assert len(upstream.received) == 1
