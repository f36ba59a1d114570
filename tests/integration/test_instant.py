"""The first answers over stdio from a snapshot: word for word the SDK's, and sooner."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit import COMMAND, META, message, running
from kit.conversations import CALL, INITIALIZED, hello, home, snapshots, talk
from tiktok_pinned_videos.transports import handshake as instant
from tiktok_pinned_videos.transports.handshake import Opening

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pipes of Windows cannot be waited for")

LISTS = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
MISSING = {"uri": "tiktok://pinned/nobody"}
CONVERSATIONS: dict[str, list[bytes]] = {
    **{
        f"legacy {version}": [hello(version), INITIALIZED, *(message(each, n) for n, each in enumerate(LISTS, 1))]
        for version in ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "1999-01-01")
    },
    "modern": [message("server/discover", "a", META), *(message(each, f"b{n}", META) for n, each in enumerate(LISTS))],
    "modern without discover": [message("tools/list", 7, META), message("tools/call", 8, CALL | META)],
    "a call": [
        hello(),
        INITIALIZED,
        message("tools/list", 1),
        message("tools/call", 2, CALL),
        message("tools/list", 3),
    ],
    "a call first": [hello(), INITIALIZED, message("tools/call", 2, CALL), message("tools/list", 1)],
    "ping first": [message("ping", 1), hello(number=2), message("ping", 3), INITIALIZED, message("ping", 4)],
    "before it is initialized": [message("tools/list", 1), hello(), message("tools/list", 2)],
    "greeted twice": [hello(), INITIALIZED, hello(number=1), INITIALIZED, message("tools/list", 2)],
    "one id for all": [hello(number=1), INITIALIZED, message("tools/list", 1), message("prompts/list", 1)],
    "ids of all kinds": [hello(number='q"\\'), INITIALIZED, *(message("ping", n) for n in ("é", 2**70, -1, "", "a b"))],
    "broken lines": [hello(), b"{\n", INITIALIZED, b'{"jsonrpc":"2.0","id":5}\n', b"\n", message("tools/list", 1)],
    "a broken line first": [b"\xff\n", hello(), INITIALIZED, message("tools/list", 1)],
    "cancelled": [
        hello(),
        INITIALIZED,
        message("tools/list", 1),
        message("notifications/cancelled", None, {"requestId": 9}),
    ],
    "unknown methods": [hello(), INITIALIZED, message("tools/lost", 1), message("tools/list", 2, {"cursor": "x"})],
    "a missing resource": [hello(), INITIALIZED, message("resources/read", 1, MISSING), message("resources/list", 2)],
    "params of the wrong kind": [hello(), INITIALIZED, b'{"jsonrpc":"2.0","id":1,"method":["tools/list"]}\n'],
    "log level": [hello(), INITIALIZED, message("logging/setLevel", 1, {"level": "debug"}), message("tools/list", 2)],
    "no end of the line": [hello(), INITIALIZED, message("tools/list", 1).rstrip()],
}
IN_SHORT = ("legacy 2025-11-25", "modern")


@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "all at once"])
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in IN_SHORT else pytest.mark.processes) for name in CONVERSATIONS],
)
def test_a_conversation_is_word_for_word_the_same(name: str, at_once: bool, tmp_path: Path) -> None:
    sent = CONVERSATIONS[name]
    off, on = home(tmp_path, TIKTOK_INSTANT="0"), home(tmp_path)

    without = talk(off, sent, at_once=at_once)
    assert snapshots(tmp_path) == []
    first, second = talk(on, sent, at_once=at_once), talk(on, sent, at_once=at_once)

    assert without[0].count(b"\n") > 1
    assert first == second == without


def test_what_is_known_is_answered_before_the_sdk_is_loaded(tmp_path: Path) -> None:
    """The SDK's import is held up until the client has all the answers it waits for."""
    sent = CONVERSATIONS["legacy 2025-11-25"]
    gate = tmp_path / "gate"
    (tmp_path / "mcp_gate.pth").write_text("")
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, os, time\n"
        "class Held:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        while name == 'mcp' and not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
        "if os.environ.get('HELD'): sys.meta_path.insert(0, Held())\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = home(tmp_path / "cache", PYTHONPATH=path)
    expected, _, _ = talk(env, sent)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with running([*COMMAND, "--sandbox"], env=env | {"HELD": "1"}, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"".join(sent))
        process.stdin.flush()
        answers = b"".join(process.stdout.readline() for each in sent if b'"id"' in each)
        process.stdin.write(message("tools/call", 9, CALL))
        process.stdin.flush()
        gate.touch()  # only now may the SDK be loaded
        refused = process.stdout.readline()
        rest, said = process.communicate(b"", timeout=60)

    assert answers == expected
    assert json.loads(refused)["id"] == 9
    assert (rest, said, process.returncode) == (b"", b"", 0)


# --- which starts it has a part in -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [("get", "nasa"), ("http",), ("--version",), ("--sandbox", "--help"), ("doctor",)]
)
def test_other_commands_have_no_part_in_it(arguments: tuple[str, ...]) -> None:
    assert instant.begin(arguments, {}, lambda: None) is None


@pytest.mark.parametrize("value", ["0", "false", "no", "off", " OFF "])
def test_it_can_be_switched_off(value: str) -> None:
    with conversation([]):
        assert instant.begin((), {"TIKTOK_INSTANT": value}, lambda: None) is None


def test_a_switch_that_is_no_switch_is_refused_as_every_malformed_value(tmp_path: Path) -> None:
    written, said, code = talk(home(tmp_path, TIKTOK_INSTANT="maybe"), [])

    assert (written, code) == (b"", 2)
    assert said.decode().startswith("TIKTOK_INSTANT holds 'maybe'; it should be 1 (on) or 0 (off)")


# --- the thread and the loop -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def conversation(sent: list[bytes]) -> Iterator[tuple[tuple[int, int], Callable[[], bytes]]]:
    """This process's stdin and stdout as pipes, with this said already; what was written so far."""
    kept = os.dup(0), os.dup(1)
    (their_in, our_in), (our_out, their_out) = os.pipe(), os.pipe()
    os.dup2(their_in, 0)
    os.dup2(their_out, 1)
    os.set_blocking(our_out, False)
    os.write(our_in, b"".join(sent))

    def written() -> bytes:
        with contextlib.suppress(BlockingIOError):
            return os.read(our_out, 1 << 20)
        return b""

    try:
        yield (our_in, our_out), written
    finally:
        os.dup2(kept[0], 0)
        os.dup2(kept[1], 1)
        for number in (*kept, their_in, our_in, our_out, their_out):
            os.close(number)


def opening(tmp_path: Path, *known: tuple[bytes, str]) -> Opening:
    """One that knows these answers to these messages, said in this order."""
    course = instant._Course()
    file = tmp_path / "start.json"
    learned = {str(course.key(json.loads(said))): answer for said, answer in known}
    file.write_text(json.dumps({key: answer for key, answer in learned.items() if answer}), encoding="utf-8")
    file.chmod(0o600)
    return Opening(str(file))


def test_a_fault_while_loading_is_left_to_whoever_needs_what_is_loaded(tmp_path: Path) -> None:
    def load() -> None:
        raise SystemExit(3)

    with conversation([]):
        opening(tmp_path, (hello(), ',"result":{}}\n')).answer_during(load)


def heard(told: Opening, *parts: bytes) -> bytes:
    """What is written while the SDK loads, which takes as long as the client needs to say these parts, one by one."""

    def load() -> None:
        for number, part in enumerate(parts, 1):
            os.write(client, part)
            while told.received != b"".join(parts[:number]):
                time.sleep(0.001)

    with conversation([]) as ((client, _), written):
        told.answer_during(load)
        return written()


def test_what_came_before_the_sdk_is_what_it_is_given_first(tmp_path: Path) -> None:
    told = opening(tmp_path, (hello(), ',"result":{}}\n'))
    later = message("tools/call", 1, CALL)

    answered = heard(told, hello(), INITIALIZED, later)

    assert answered == b'{"jsonrpc":"2.0","id":0,"result":{}}\n'
    assert told.received == hello() + INITIALIZED + later


def test_what_comes_together_with_something_unknown_waits_with_it(tmp_path: Path) -> None:
    told = opening(tmp_path, (hello(), ',"result":{}}\n'))

    assert heard(told, hello() + INITIALIZED + message("tools/call", 1, CALL)) == b""


def test_an_id_used_again_gets_an_answer_of_its_own(tmp_path: Path) -> None:
    told = opening(tmp_path, (hello(), ',"result":{}}\n'))
    assert heard(told, hello(number=5)) == b'{"jsonrpc":"2.0","id":5,"result":{}}\n'
    told.asked(json.loads(hello(number=5)), "5")
    told.asked({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": CALL}, "5")

    assert not told.was_sent("5", ',"result":{"content":[]}}\n')
    assert told.was_sent("5", ',"result":{}}\n')
