"""The first answers over stdio from the handshake cache: identical to the SDK's, and sent before it is loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.processes import COMMAND, HELLO, META, PIPES, environment, message, running
from tiktok_pinned_videos.transports.handshake import answers_file, read_answers, write_answers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pipes of Windows cannot be waited for")
LISTS = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
INITIALIZED = message("notifications/initialized")
HELLO_LINE = message("initialize", 0, HELLO)
CALL = {"name": "get_pinned_videos", "arguments": {"username": "a b"}}  # the same words at any time
CONVERSATIONS: dict[str, list[bytes]] = {
    "legacy": [HELLO_LINE, INITIALIZED, *(message(each, n) for n, each in enumerate(LISTS, 1))],
    "modern": [message("server/discover", "a", META), *(message(each, f"b{n}", META) for n, each in enumerate(LISTS))],
    "calls": [HELLO_LINE, INITIALIZED, message("tools/list", 1), message("tools/call", 2, CALL), message("ping", 3)],
    "odd": [
        message("ping", 1), message("initialize", 1, HELLO), b"{\n", INITIALIZED, b'{"jsonrpc":"2.0","id":5}\n',
        message("tools/list", 1), message("ping", 2**70), message("tools/lost", 2),
        b'{"jsonrpc":"2.0","id":9,"result":{}}\n', message("tools/list", "\u00e9"),
    ],
}  # fmt: skip


def home(folder: Path, **more: str) -> dict[str, str]:
    return environment(XDG_CACHE_HOME=str(folder), HOME=str(folder), **more)


def talk(env: dict[str, str], sent: list[bytes]) -> tuple[list[str], bytes, int]:
    """Every line that the server writes, sorted; stderr; exit status."""
    done = subprocess.run(
        [*COMMAND, "--sandbox"], input=b"".join(sent), capture_output=True, env=env, timeout=60, check=False
    )
    return sorted(done.stdout.decode().splitlines()), done.stderr, done.returncode


@pytest.mark.slow
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_is_word_for_word_the_same_with_and_without_a_snapshot(name: str, tmp_path: Path) -> None:
    sent = CONVERSATIONS[name]
    without = talk(home(tmp_path, TIKTOK_INSTANT="0"), sent)
    assert not list(tmp_path.rglob("*.json"))
    first, second = talk(home(tmp_path), sent), talk(home(tmp_path), sent)

    assert list(tmp_path.rglob("start-*.json")) or name == "odd"
    assert without[1:] == (b"", 0)
    assert first == second == without


def test_requests_are_answered_while_the_sdk_is_being_imported_and_after_a_signal_then(tmp_path: Path) -> None:
    """The SDK's import is held up until the client has all the cached answers and has sent the signal."""
    gate, site = tmp_path / "gate", tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import sys, os, time\n"
        "class Held:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        while name == 'mcp' and not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
        "if os.environ.get('HELD'): sys.meta_path.insert(0, Held())\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = home(tmp_path / "cache", PYTHONPATH=path)
    expected = talk(env, CONVERSATIONS["legacy"])[0]
    with running([*COMMAND, "--sandbox"], env=env | {"HELD": "1"}, **PIPES) as process:
        process.stdin.write(b"".join([*CONVERSATIONS["legacy"], message("tools/call", 9, CALL)]))
        process.stdin.flush()
        answers = sorted(process.stdout.readline().decode().strip() for _ in expected)
        process.terminate()
        gate.touch()  # only now can the SDK be imported
        called = json.loads(process.stdout.readline())
        rest, said = process.communicate(timeout=60)

    assert answers == expected
    assert called["id"] == 9
    assert (rest, said, process.returncode) == (b"", b"", 0)


@pytest.mark.slow
def test_an_outdated_answer_is_detected_reported_and_replaced(tmp_path: Path) -> None:
    env = home(tmp_path)
    talk(env, CONVERSATIONS["legacy"])
    (file,) = tmp_path.rglob("start-*.json")
    known = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(
        json.dumps({key: rest.replace("pinned", "PINNED") for key, rest in known.items()}), encoding="utf-8"
    )
    with running([*COMMAND, "--sandbox"], env=env, **PIPES) as process:
        process.stdin.write(b"".join(CONVERSATIONS["legacy"]))
        process.stdin.flush()
        lines = [process.stdout.readline() for _ in range(5)]
        _, said = process.communicate(message("tools/call", 9, CALL), timeout=60)

    assert any(b"PINNED" in line for line in lines)
    assert b"outdated cache" in said
    assert json.loads(file.read_text(encoding="utf-8")) == known


def test_a_broken_snapshot_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "start.json"
    write_answers(str(file), {"key": "value"})
    assert read_answers(str(file)) == {"key": "value"}
    for content in ("", "[]", '{"key":5}', "[" * 10_000, "\u00ff"):
        file.write_text(content, encoding="latin-1")
        assert read_answers(str(file)) == {}


def test_other_settings_are_another_snapshot_and_no_secret_decides_its_name(tmp_path: Path) -> None:
    def name(*arguments: str, **env: str) -> str:
        return answers_file(arguments, {"XDG_CACHE_HOME": str(tmp_path), **env})

    assert len({name(), name("--sandbox"), name(TIKTOK_DAILY_QUOTA="5"), name(TIKTOK_CLIENT_SECRET="a")}) == 4
    assert name(TIKTOK_CLIENT_SECRET="a") == name(TIKTOK_CLIENT_SECRET="b")
    assert name(OTHER="a") == name()
