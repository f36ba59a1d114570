"""What a model reads: the definitions of the tools, and answers beside TikTok's raw response."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .measured import RATIO, Row, Section
from .servers import Stdio, configured, ours, upstream
from .upstream import reference_body


def run() -> Section:
    """Count the tokens of definitions and answers."""
    tokens = _counter()
    section = Section(
        "Tokens (o200k)",
        "Reference: TikTok's raw response, compact, with every field; for the definitions, the promised maximum. Text "
        "and data say the same: some clients pass one of them to the model, some both. " + RATIO,
    )

    def add(what: str, answer: dict[str, Any], raw: str, text_goal: float | None, data_goal: float | None) -> None:
        whole = tokens(raw)
        for channel, content, goal in (
            ("text", answer["content"][0]["text"], text_goal),
            ("data", _compact(answer["structuredContent"]), data_goal),
        ):
            count = tokens(content)
            section.rows.append(Row(f"{what}, {channel}", str(count), str(whole), count / whole, goal))

    with upstream() as tiktok, Stdio(ours(), env=configured(tiktok.address)) as server:
        server.open()
        definitions = server.ask("tools/list")["tools"]
        count = tokens(_compact(definitions))
        section.rows.append(Row("definitions of both tools", str(count), "1250", count / 1250, 1.0))
        # A different account for each answer: a second answer also says what has changed.
        for videos, name, goals in ((0, "videos0", (None, None)), (1, "videos1", (None, None)), (3, "a", (0.46, 0.67))):
            answer = server.call("get_pinned_videos", {"username": name})
            add(
                f"{videos} video{'' if videos == 1 else 's'}, default fields",
                answer,
                reference_body(videos).decode(),
                *goals,
            )
        # Those that the reference has: three fields are newer, and a note would say that they are missing.
        fields = list(json.loads(reference_body(1))["data"]["pinned_videos_list"][0])
        answer = server.call("get_pinned_videos", {"username": "b", "fields": fields})
        add("3 videos, all fields", answer, reference_body().decode(), 0.8, 1.2)
        names = [f"account{number}" for number in range(50)]
        answer = server.call("compare_pinned_videos", {"usernames": names})
        add("comparison of 50 accounts", answer, reference_body().decode() * 50, None, None)
    return section


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _counter() -> Callable[[str], int]:
    try:
        from rs_bpe.bpe import openai
    except ImportError:
        raise SystemExit(
            "Counting tokens needs rs-bpe, which has wheels for Python 3.11 to 3.13: run with `uv run --group bench`."
        ) from None
    encoding = openai.o200k_base()
    return lambda text: len(encoding.encode(text))
