"""TikTok's side for benchmarks: canned replies from a process of its own, as fast or as slow as wanted, and counted.

`upstream.py [LATENCY]` says its address and serves until it is ended. The account's name says what
happens: `videos0`, `videos1` and `videos3` (the three of the reference response, also for every other name), and the
names of `CASES`. `GET /count` tells how many requests came since it was last asked.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_plus

REFERENCE: Final = Path(__file__).resolve().parent.parent / "tests" / "data" / "reference-response.json"
PINNED: Final = "/v2/research/user/pinned_videos/"
TOKEN: Final = "/v2/oauth/token/"
CASES: Final[Mapping[str, str]] = {
    "videos3": "three pinned videos",
    "videos0": "nothing pinned",
    "missing": "no such user (400)",
    "refused": "private account (400)",
    "quota": "daily quota spent (429)",
    "flaky": "500 once, then fine",
    "broken": "504 with an HTML page",
    "code_in_200": "200 with an error code",
    "expired": "token expired in mid-run",
    "old_key": "list under `user_pinned_videos`",
    "wrong_secret": "wrong secret (200 with an error)",
}
"""What the clients are compared by. `wrong_secret` is a secret, not a name."""


def reference_body(videos: int = 3) -> bytes:
    """The reference response, compact as it comes over the wire, with its first videos only."""
    reply = json.loads(REFERENCE.read_text(encoding="utf-8"))
    reply["data"]["pinned_videos_list"] = reply["data"]["pinned_videos_list"][:videos]
    return _json(reply)


class Upstream:
    """What was asked, and what to say."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._bodies = {count: reference_body(count) for count in (0, 1, 3)}
        self._asked: Counter[str] = Counter()
        self._failed: set[str] = set()
        self._tokens = 0
        self._expired = ""
        """The token that came first with the name `expired`: no longer valid, while newer ones are."""

    async def serve(self) -> None:
        """Until the process is ended."""
        server = await asyncio.start_server(self._converse, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()[:2]
        print(f"upstream on http://{host}:{port}", file=sys.stderr, flush=True)
        await server.serve_forever()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                path = head[0].split()[1].partition("?")[0]
                status, reply = self._reply(path, headers, body)
                if self._latency and path == PINNED:
                    await asyncio.sleep(self._latency)
                kind = "text/html" if reply[:1] == b"<" else "application/json"
                lines = f"HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {len(reply)}\r\n\r\n"
                writer.write(lines.encode() + reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _reply(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        if path == "/count":
            counted, self._asked = self._asked, Counter()
            return 200, _json(dict(counted))
        self._asked["token" if path == TOKEN else "research"] += 1
        if path == TOKEN:
            if "client_secret=wrong_secret" in unquote_plus(body.decode()):
                return 200, _json({"error": "invalid_client", "error_description": "Client secret is incorrect."})
            self._tokens += 1
            token = f"clt.{self._tokens}"
            return 200, _json({"access_token": token, "expires_in": 7200, "token_type": "Bearer"})
        token = headers.get("authorization", "")
        return self._research(json.loads(body)["username"], token)

    def _research(self, name: str, token: str) -> tuple[int, bytes]:  # noqa: PLR0911 - a table of cases
        match name:
            case "videos0" | "videos1":
                return 200, self._bodies[int(name[-1])]
            case "missing":
                return _error(400, "invalid_params", "`username: missing` is invalid: cannot find the user")
            case "refused":
                return _error(400, "invalid_params", "`username: refused` is private")
            case "quota":
                message = "The API daily quota limit exceeded. Please try again later"
                return _error(429, "daily_quota_limit_exceeded", message)
            case "flaky" if name not in self._failed:
                self._failed.add(name)
                return _error(500, "internal_error", "Something is wrong. Please try again later.")
            case "broken":
                return 504, b"<html><body><h1>504 Gateway Timeout</h1></body></html>"
            case "code_in_200":
                return _error(200, "internal_error", "Something is wrong. Please try again later.")
            case "expired" if self._has_expired(token):
                return _error(401, "access_token_invalid", "The access token is invalid or not found in the request.")
            case "old_key":
                return 200, self._bodies[3].replace(b'"pinned_videos_list"', b'"user_pinned_videos"')
            case _:
                return 200, self._bodies[3]

    def _has_expired(self, token: str) -> bool:
        self._expired = self._expired or token
        return token == self._expired


def _error(status: int, code: str, message: str) -> tuple[int, bytes]:
    return status, _json({"data": {}, "error": {"code": code, "message": message, "log_id": "2026112210151200BENCH"}})


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


if __name__ == "__main__":
    asyncio.run(Upstream(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0).serve())
