"""The examples as a reader runs them: `uv run`, each in the environment that it declares, against the sandbox."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from kit import Received, Reply, refusal, serving, videos
from kit.built import ROOT, uv_environment, uv_program
from tiktok_pinned_videos.app import build_service
from tiktok_pinned_videos.settings import Settings

pytestmark = pytest.mark.builds

EXAMPLES = ROOT / "examples"


def run(name: str, *arguments: str | Path, extra: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """The command that the script's own docstring shows; with `extra` the one that installs that, too."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert f'uv run --with "{extra}" examples/{name}' in text if extra else f"uv run examples/{name}" in text
    done = subprocess.run(
        [uv_program(), "run", *(["--with", extra] if extra else []), f"examples/{name}", *arguments],
        cwd=ROOT, env=uv_environment() | env, capture_output=True, encoding="utf-8", check=False, timeout=300,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_every_example_is_in_the_list_of_examples_and_tried_here() -> None:
    scripts = {path.name for path in EXAMPLES.glob("*.py")}
    listed = re.findall(r"\[`(\w+\.py)`\]", (EXAMPLES / "README.md").read_text(encoding="utf-8"))

    assert scripts == set(listed)
    assert scripts <= set(re.findall(r'"(\w+\.py)"', Path(__file__).read_text(encoding="utf-8")))


def test_the_weakest_pin_is_the_last_of_all_pinned_videos() -> None:
    done = run("weakest_pin.py", "nasa")

    assert done.returncode == 0, done.stderr
    *videos, last = done.stdout.splitlines()
    rates = [int(line.split()[0].replace(",", "")) for line in videos]
    assert len(rates) == 3
    assert rates == sorted(rates, reverse=True)
    assert all("https://www.tiktok.com/@nasa/video/" in line for line in videos)
    assert last == "The last of these 3 earns its place least (sandbox)."


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("sandbox_missing", 1, "not_found: "),
        ("sandbox_empty", 0, "@sandbox_empty has nothing pinned that could be compared."),
    ],
)
def test_a_failure_and_an_empty_answer_are_told_apart(name: str, code: int, said: str) -> None:
    done = run("weakest_pin.py", name)

    assert done.returncode == code
    assert said in (done.stderr if code else done.stdout)


def test_creators_are_ranked_over_http_and_a_failure_is_told() -> None:
    done = run("rank_over_http.py")

    assert done.returncode == 0, done.stderr
    first, second, failed = done.stdout.splitlines()
    assert (first, second) == ("1. @nasa: 13.2% engagement", "2. @esa: 10.7% engagement")
    assert failed.startswith("-  @sandbox_private: refused. The account is private. ")
    assert "3 of 3: " in done.stderr


def test_an_agent_answers_from_the_structured_data() -> None:
    done = run("agent.py")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "@nasa leads with 61676555 views, 6.0 times the other's.",
        "Its best pinned video: https://www.tiktok.com/@nasa/video/7298740294892660705",
        "Not answered: refused: @sandbox_private, not_found: @sandbox_missing",
    ]


class Provider(BaseHTTPRequestHandler):
    """Plays a provider of models: one call, then an answer from nothing."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        names = [tool["name"] for tool in asked["tools"]]
        if len(asked["messages"]) == 1:
            name, given = "compare_pinned_videos", {"usernames": ["esa", "nasa"]}
        else:
            (name,) = set(names) - {"get_pinned_videos", "compare_pinned_videos"}
            told = "61676555" in json.dumps(asked["messages"])
            given = {"account": "nasa", "views": 1, "lead": 2, "best_video": str(told), "not_answered": []}
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {"id": "1", "type": "message", "role": "assistant", "model": asked["model"], "content": []}
        call = {"type": "tool_use", "id": f"call_{len(asked['messages'])}", "name": name, "input": {}}
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": {**message, "stop_reason": None, "usage": usage}},
            {"type": "content_block_start", "index": 0, "content_block": call},
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": json.dumps(given)},
            },
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": usage},
            {"type": "message_stop"},
        ]
        body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


def test_an_agent_takes_a_real_model_by_its_name_as_its_docstring_says() -> None:
    with HTTPServer(("127.0.0.1", 0), Provider) as provider:
        threading.Thread(target=provider.serve_forever, daemon=True).start()
        env = {"ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{provider.server_port}"}
        done = run("agent.py", "anthropic:claude-sonnet-4-5", extra="pydantic-ai-slim[anthropic]", **env)
        provider.shutdown()

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == [
        "@nasa leads with 1 views, 2.0 times the other's.",
        "Its best pinned video: True",
    ]


@pytest.mark.parametrize("name", ["openai_agent.py", "langchain_agent.py"])
def test_an_agent_is_told_a_partial_comparison_and_a_failure(name: str) -> None:
    done = run(name)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["@nasa leads by view_count; @sandbox_private was not answered: refused."]


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["openai_agent.py", "langchain_agent.py"])
async def test_an_agent_that_waits_for_less_than_an_answer_takes_has_it_at_the_second_call(name: str) -> None:
    def slowly(request: Received) -> Reply:
        username = request.json["username"]
        if username == "sandbox_private":
            return refusal(400, "invalid_params", "the user is private")
        return replace(videos([{"id": 1, "view_count": len(username)}]), delay=7)

    async with serving() as upstream:
        upstream.answer_by(slowly)
        real = {"TIKTOK_CLIENT_KEY": "key", "TIKTOK_CLIENT_SECRET": "a-secret", "TIKTOK_API_BASE_URL": upstream.url}
        done = await asyncio.to_thread(run, name, "5", **real, TIKTOK_STATE="memory:")

        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [
            "@nasa leads by view_count; @sandbox_private was not answered: refused. Asked again: 1."
        ]
        # The second call waited for what the first one had sent; only the refusal is not remembered.
        asked = [request.json["username"] for request in upstream.research]
        assert (asked.count("esa"), asked.count("nasa")) == (1, 1)


def minute() -> int:
    """The one at whose end the account that changes does."""
    return int(time.time() // 60)


def seen_before(file: Path, minutes: int, *names: str) -> None:
    """The sandbox's accounts as an earlier night saw them, in the file where the watch remembers."""

    async def look() -> None:
        told = Settings(sandbox=True, state=f"sqlite:///{file.as_posix()}")
        service = build_service(told, clock=lambda: time.time() - 60 * minutes)
        for name in names:
            await service.answer(name, ("id",))
        await service.aclose()

    asyncio.run(look())


def test_a_watch_tells_what_was_pinned_and_unpinned_since_the_night_before_and_tells_it_once(tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.txt"
    accounts.write_text("nasa\n@sandbox_changing\n\n# a comment\nsandbox_private\n", encoding="utf-8")

    def night(memory: Path) -> list[subprocess.CompletedProcess[str]]:
        seen_before(memory, 24 * 60 + 1, "nasa", "sandbox_changing")
        return [run("nightly_watch.py", accounts, memory) for _ in range(2)]

    begun = minute()
    first, again = night(tmp_path / "watch.sqlite3")
    if minute() != begun:  # the account has changed once more meanwhile
        first, again = night(tmp_path / "another.sqlite3")

    assert [re.sub(r"\d{19}|\d{4}-.*", "…", line) for line in first.stdout.splitlines()] == [
        "@sandbox_changing: pinned … since …",
        "@sandbox_changing: unpinned … since …",
    ]
    assert "@sandbox_private: The account is private. " in first.stderr
    assert again.stdout == ""
    assert (first.returncode, again.returncode) == (1, 1)


def test_a_watch_goes_on_where_a_spent_quota_stopped_it(tmp_path: Path) -> None:
    accounts, memory = tmp_path / "accounts.txt", tmp_path / "watch.sqlite3"
    accounts.write_text("nasa\nesa\nsandbox_changing\n", encoding="utf-8")

    first = run("nightly_watch.py", accounts, memory, TIKTOK_DAILY_QUOTA="2")
    second = run("nightly_watch.py", accounts, memory, TIKTOK_DAILY_QUOTA="3")

    assert (first.returncode, second.returncode) == (1, 0)
    assert "@sandbox_changing: " in first.stderr
    assert "are done" in first.stderr
    assert second.stderr == ""


def test_a_watch_that_is_not_configured_stops(tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.txt"
    accounts.write_text("nasa\n", encoding="utf-8")

    done = run("nightly_watch.py", accounts, tmp_path / "watch.sqlite3", TIKTOK_TIMEOUT="soon")

    assert done.returncode == 2
    assert "TIKTOK_TIMEOUT holds 'soon'" in done.stderr
