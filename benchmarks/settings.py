"""How the servers under test are set up, and how ours and the bare one are started."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import homes
from .wire import SECRET, Era, Listening, StdioServer, listening

FIELDS: Final = (
    "id,create_time,video_description,video_duration,view_count,like_count,comment_count,share_count,favorites_count,"
    "hashtag_names"
)
"""What our tool asks for when nothing else is said."""
ACCOUNT: Final = "slow_oven"
_REFERENCES: Final = homes.ROOT / "benchmarks" / "references"
COMMAND: Final = "tiktok-pinned-videos-mcp"
BARE_START: Final = str(_REFERENCES / "bare_start.py")


@dataclass(frozen=True, slots=True)
class Pair:
    """Ours and the bare server, both warm, and the upstream both ask."""

    ours: Listening
    bare: Listening
    upstream: Listening


@contextlib.contextmanager
def upstream(latency: float = 0.0) -> Iterator[Listening]:
    """The canned upstream, each answer taking `latency` seconds."""
    script = str(homes.ROOT / "benchmarks" / "upstream.py")
    with listening([sys.executable, script, str(latency)], said="upstream on") as server:
        yield server


def configured(address: str, *, state: str = "memory:", **more: str) -> dict[str, str]:
    """Environment of our server with `address` in TikTok's place."""
    return {
        "TIKTOK_API_BASE_URL": address,
        "TIKTOK_CLIENT_KEY": "a-client-key",
        "TIKTOK_CLIENT_SECRET": "a-client-secret",
        "TIKTOK_STATE": state,
        "TIKTOK_DAILY_QUOTA": "1000000000",
        **more,
    }


@contextlib.contextmanager
def stdio(address: str, *, era: Era = "2025-11-25", state: str = "memory:", **variables: str) -> Iterator[StdioServer]:
    """Our server on standard input and output, with everything loaded and `ACCOUNT` in its cache."""
    command = [homes.ours().script(COMMAND)]
    with StdioServer(command, era=era, variables=configured(address, state=state, **variables)) as server:
        server.open()
        server.call("get_pinned_videos", {"username": ACCOUNT})
        yield server


@contextlib.contextmanager
def bare_stdio(address: str, answer: Path, *, era: Era = "2025-11-25") -> Iterator[StdioServer]:
    """The bare server on standard input and output, with both of its tools called once."""
    with StdioServer(
        bare_command(answer, "stdio"), era=era, variables={"UPSTREAM": address, "FIELDS": FIELDS}
    ) as server:
        server.open()
        for tool in ("answer", "ask"):
            server.call(tool, {"username": ACCOUNT})
        yield server


@contextlib.contextmanager
def http_pair(state: str = "memory:") -> Iterator[Pair]:
    """Both servers on HTTP; ours asks for the secret, as it has to on a network."""
    with upstream() as source, answer_file(source.address) as answer:
        ours = [homes.ours().script(COMMAND), "http", "--port", "0"]
        variables = configured(source.address, state=state, MCP_BEARER_TOKEN=SECRET)
        with (
            listening(ours, said="MCP server on", variables=variables) as mine,
            listening(
                bare_command(answer, "http"),
                said="bare server on",
                variables={"UPSTREAM": source.address, "FIELDS": FIELDS},
            ) as bare,
        ):
            yield Pair(mine, bare, source)


@contextlib.contextmanager
def answer_file(address: str) -> Iterator[Path]:
    """Our cached answer about `ACCOUNT`, for the bare server to return as many bytes."""
    with stdio(address) as server, tempfile.TemporaryDirectory() as folder:
        result = server.call("get_pinned_videos", {"username": ACCOUNT})
        path = Path(folder) / "answer.json"
        path.write_text(
            json.dumps({"text": result["content"][0]["text"], "data": result["structuredContent"]}), encoding="utf-8"
        )
        yield path


def bare_command(answer: Path, way: str) -> list[str]:
    """The command of the bare server: `way` is `stdio` or `http`."""
    return [str(homes.ours().python), str(_REFERENCES / "bare.py"), str(answer), way]
