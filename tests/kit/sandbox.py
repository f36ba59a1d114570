"""Send requests to the sandbox over HTTP and read its responses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx

from kit.upstream import PINNED, TOKEN
from kit.virtual import Clock
from tiktok_pinned_videos.sandbox.app import SandboxApp

BASE = "https://open.tiktokapis.com"


class Researcher:
    """Has a token and asks about accounts."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.token = ""

    async def log_in(self, **changes: str) -> httpx.Response:
        """Ask for a token, and keep it."""
        response = await self.http.post(
            TOKEN, data={"client_key": "any", "client_secret": "any", "grant_type": "client_credentials"} | changes
        )
        self.token = response.json().get("access_token", self.token)
        return response

    async def ask(self, username: object, fields: str | None = "id", **headers: str) -> httpx.Response:
        """Whatever comes back."""
        return await self.http.post(
            PINNED,
            params={} if fields is None else {"fields": fields},
            json={"username": username},
            headers={"Authorization": f"Bearer {self.token}", **headers},
        )

    async def videos(self, username: str, fields: str = "id,view_count,video_description") -> list[dict[str, Any]]:
        """The list of a good answer."""
        response = await self.ask(username, fields)
        assert response.status_code == 200, response.text
        return response.json()["data"]["pinned_videos_list"]


async def researcher(clock: Clock) -> AsyncIterator[Researcher]:
    """One who has logged in to a sandbox with this clock: a fixture by `client = pytest.fixture(researcher)`."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(SandboxApp(clock=clock)), base_url=BASE) as http:
        client = Researcher(http)
        await client.log_in()
        yield client


def error_of(response: httpx.Response) -> tuple[int, str, str]:
    """Status, code and message of an error, which has the documented shape."""
    body = response.json()
    assert set(body) == {"data", "error"}
    assert body["data"] == {}
    assert set(body["error"]) == {"code", "message", "log_id"}
    return response.status_code, body["error"]["code"], body["error"]["message"]
