"""The examples and the evals as a reader runs them: `uv run`, each in its own environment, against the sandbox."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.built import uv_environment, uv_program
from kit.pages import ROOT
from kit.processes import TOKEN, HTTPServer
from kit.upstream import Loopback, Received, Reply, raw
from tiktok_pinned_videos.app import build_service
from tiktok_pinned_videos.settings import Settings

pytestmark = pytest.mark.builds

EXAMPLES = ROOT / "examples"
AGENTS = ("pydantic_ai_agent.py", "openai_agents.py", "langgraph_agent.py")
CALLS = [("get_pinned_videos", {"username": "nasa"}), ("get_pinned_videos", {"username": "sandbox_private"})]


def run(*arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [uv_program(), "run", *arguments],
        cwd=ROOT, env=uv_environment() | env, capture_output=True, encoding="utf-8", check=False, timeout=300,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_every_example_is_listed_and_tested() -> None:
    scripts = {path.name for path in EXAMPLES.glob("*.py")}
    listed = re.findall(r"\[`(\w+\.py)`\]", (EXAMPLES / "README.md").read_text(encoding="utf-8"))

    assert scripts == set(listed)
    assert scripts <= set(re.findall(r'["/](\w+\.py)"', Path(__file__).read_text(encoding="utf-8")))


# Agents: the model is replaced, everything else is as a reader has it.


def reply(request: Received) -> Reply:
    """Play a provider of models: two calls, then a text that quotes what the tools returned."""
    asked = request.json
    finished = "sandbox_private" in json.dumps(asked.get("messages") or asked.get("input"))
    facts = ("61676555", "refused: @sandbox_private", "daily quota")
    text = "; ".join(fact for fact in facts if fact in json.dumps(asked)) if finished else ""
    message = (anthropic if "/messages" in request.path else openai)(asked, text)
    if not asked.get("stream"):
        return raw(message)
    stream = "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in events(message))
    return Reply(200, stream.encode(), {"Content-Type": "text/event-stream"})


def events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The message as Anthropic streams it."""
    yield {"type": "message_start", "message": message | {"content": [], "stop_reason": None}}
    for index, block in enumerate(message["content"]):
        empty = {"text": ""} if block["type"] == "text" else {"input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": block | empty}
        delta = (
            {"type": "text_delta", "text": block["text"]}
            if "text" in block
            else {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        )
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": message["stop_reason"]}, "usage": message["usage"]}
    yield {"type": "message_stop"}


def anthropic(asked: dict[str, Any], text: str) -> dict[str, Any]:
    calls = [{"type": "tool_use", "id": f"call_{n}", "name": c, "input": a} for n, (c, a) in enumerate(CALLS)]
    content = [{"type": "text", "text": text}] if text else calls
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": asked["model"], "content": content}
    usage = {"input_tokens": 1, "output_tokens": 1}
    return message | {"stop_reason": "end_turn" if text else "tool_use", "stop_sequence": None, "usage": usage}


def openai(asked: dict[str, Any], text: str) -> dict[str, Any]:
    said = {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [said]}
    calls = [
        {"type": "function_call", "id": f"fc_{n}", "call_id": f"call_{n}", "name": c, "arguments": json.dumps(a)}
        for n, (c, a) in enumerate(CALLS)
    ]
    response = {"id": "resp_1", "object": "response", "created_at": 0, "model": asked["model"]}
    return response | {
        "status": "completed", "output": [message] if text else calls, "parallel_tool_calls": True,
        "tool_choice": "auto", "tools": [], "error": None, "incomplete_details": None, "instructions": None,
        "metadata": {},
    }  # fmt: skip


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_passes_answers_and_failures_to_its_model(name: str, guarded_server: HTTPServer) -> None:
    provider = Loopback(reply)
    env = {"ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": provider.url, "OPENAI_AGENTS_DISABLE_TRACING": "1"}
    env |= {"OPENAI_API_KEY": "key", "OPENAI_BASE_URL": f"{provider.url}/v1"}
    done = run(f"examples/{name}", "What has nasa pinned?", MCP_URL=guarded_server.url, MCP_TOKEN=TOKEN, **env)
    provider.close()

    assert done.returncode == 0, done.stderr
    found = done.stdout.strip().split("; ")
    assert found[:2] == ["61676555", "refused: @sandbox_private"]
    if name != "openai_agents.py":  # this SDK does not read a server's instructions
        assert "TikTok" in json.dumps(provider.received[0].json["system"])


# Scripts without a model


def test_the_weakest_pin_is_the_last_of_all_pinned_videos_and_a_failure_is_not_an_empty_answer() -> None:
    names = ("nasa", "sandbox_missing", "sandbox_empty")
    done, missing, empty = (run("examples/weakest_pin.py", name) for name in names)

    assert [each.returncode for each in (done, missing, empty)] == [0, 1, 0]
    *videos, last = done.stdout.splitlines()
    rates = [int(line.split()[0].replace(",", "")) for line in videos]
    assert len(rates) == 3
    assert rates == sorted(rates, reverse=True)
    assert last == "The last of these 3 gets the fewest views per day (sandbox)."
    assert "not_found: " in missing.stderr
    assert empty.stdout == "@sandbox_empty has no pinned videos that can be compared.\n"


def test_creators_are_ranked_over_http_and_a_failure_keeps_its_reason() -> None:
    done = run("examples/rank_over_http.py")

    assert done.returncode == 0, done.stderr
    first, second, failed = done.stdout.splitlines()
    assert (first, second) == ("1. @nasa: 13.2% engagement", "2. @esa: 10.7% engagement")
    assert failed.startswith("-  @sandbox_private: refused. ")
    assert "3 of 3: " in done.stderr


def seen_a_day_ago(file: Path, *names: str) -> None:
    """Store the sandbox's accounts as they were a day and a minute ago."""

    async def ask() -> None:
        settings = Settings(sandbox=True, state=f"sqlite:///{file.as_posix()}")
        service = build_service(settings, clock=lambda: time.time() - 86_460)
        for name in names:
            await service.answer(name, ("id",))
        await service.aclose()

    asyncio.run(ask())


def test_the_watch_prints_what_was_pinned_and_unpinned_and_prints_it_once(tmp_path: Path) -> None:
    accounts, memory = tmp_path / "accounts.txt", tmp_path / "watch.sqlite3"
    accounts.write_text("nasa\n@sandbox_changing\n\n# a comment\nsandbox_private\n", encoding="utf-8")
    seen_a_day_ago(memory, "nasa", "sandbox_changing")

    # The second run within the cache's time sees the same answers, whatever the minute.
    first, again = (run("examples/nightly_watch.py", accounts, memory) for _ in range(2))

    # On a slow machine the pins have changed more than once.
    assert {re.sub(r"\d{19}|\d{4}-.*", "…", line) for line in first.stdout.splitlines()} == {
        "@sandbox_changing: pinned … since …",
        "@sandbox_changing: unpinned … since …",
    }
    assert "@sandbox_private: " in first.stderr
    assert again.stdout == ""
    assert (first.returncode, again.returncode) == (1, 1)


def test_the_watch_continues_after_the_quota_was_spent(tmp_path: Path) -> None:
    accounts, memory = tmp_path / "accounts.txt", tmp_path / "watch.sqlite3"
    accounts.write_text("nasa\nesa\nsandbox_changing\n", encoding="utf-8")

    first = run("examples/nightly_watch.py", accounts, memory, TIKTOK_DAILY_QUOTA="2")
    second = run("examples/nightly_watch.py", accounts, memory, TIKTOK_DAILY_QUOTA="3")

    assert (first.returncode, second.returncode) == (1, 0)
    assert len(re.findall(r"(?m)^@\w+: Today's quota of 2", first.stderr)) == 1
    assert second.stderr == ""


def test_a_scripted_model_answers_all_questions_and_one_without_knowledge_does_not() -> None:
    scripted = run("evals/run.py", "--model", "scripted", "--channels", "text")
    # As for a model of this provider.
    ignorant = run("--with", "pydantic-ai-slim[anthropic]", "evals/run.py", "--model", "test")

    assert scripted.returncode == 0, scripted.stdout + scripted.stderr
    assert scripted.stdout.splitlines()[-1].startswith("40 of 40 right, 42 calls, ")
    assert ignorant.returncode == 1
    assert "(61676555)" in ignorant.stdout
