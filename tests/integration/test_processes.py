"""How the process behaves when its ends are closed, full or told to stop, and what it says to broken lines."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from kit.processes import COMMAND, HELLO, META, STARTS, environment, remembered, running
from tiktok_pinned_videos.environment import SettingsError
from tiktok_pinned_videos.settings import load_settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="about POSIX signals and descriptors")


@pytest.fixture(params=STARTS, autouse=True)
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """All of this is tried with both."""
    instant = request.param
    monkeypatch = request.getfixturevalue("monkeypatch")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache") if instant else os.devnull)
    if instant:
        remembered(environment(), "--sandbox")


def line(**message: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


LEGACY = (
    line(id=0, method="initialize", params=HELLO)
    + line(method="notifications/initialized")
    + line(id=1, method="tools/list")
    + line(id=2, method="tools/call", params={"name": "get_pinned_videos", "arguments": {"username": "nasa"}})
)
MODERN = (
    line(id=0, method="server/discover", params=META)
    + line(id=1, method="tools/list", params=META)
    + line(
        id=2,
        method="tools/call",
        params={"name": "get_pinned_videos", "arguments": {"username": "nasa"}} | META,
    )
)


def piped(sent: bytes, **env: str) -> tuple[int, list[Any], str]:
    done = subprocess.run(
        [*COMMAND, "--sandbox"], input=sent, capture_output=True, env=environment(**env), timeout=60, check=False
    )
    return done.returncode, [json.loads(written)["id"] for written in done.stdout.splitlines()], done.stderr.decode()


def started() -> AbstractContextManager[subprocess.Popen[bytes]]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return running([*COMMAND, "--sandbox"], env=environment(), **pipes)


@pytest.mark.processes
@pytest.mark.timeout(400)  # eight starts, on a machine that others use
@pytest.mark.parametrize("sent", [LEGACY, MODERN], ids=["legacy", "modern"])
def test_requests_followed_by_the_end_of_input_are_all_answered(sent: bytes) -> None:
    for _ in range(8):
        code, answered, said = piped(sent)

        assert (code, sorted(answered), said) == (0, [0, 1, 2], "")


@pytest.mark.processes
@pytest.mark.timeout(400)  # six starts, on a machine that others use
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("sent", [LEGACY, MODERN, b""], ids=["legacy", "modern", "nothing"])
def test_a_signal_right_behind_a_message_ends_it_well_and_silently(name: str, sent: bytes) -> None:
    for wait in (False, True) * 3:
        with started() as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(sent)
            process.stdin.flush()
            if wait and sent:
                process.stdout.readline()
            else:
                _wait_for_handlers(process)
                time.sleep(random.uniform(0, 0.45))  # any moment will do
            process.send_signal(getattr(signal, name))
            _, said = process.communicate(timeout=60)

        assert (process.returncode, said) == (0, b"")


def _wait_for_handlers(process: subprocess.Popen[bytes]) -> None:
    """Until Python itself has started nobody has them, and how long that takes is the machine's affair."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        time.sleep(2)
        return
    while process.poll() is None:
        (caught,) = (each.split()[1] for each in status.read_text().splitlines() if each.startswith("SigCgt:"))
        if int(caught, 16) >> (signal.SIGTERM - 1) & 1:  # the last that is set; Python itself has none for it
            return
        time.sleep(0.005)


def test_a_client_that_stops_reading_ends_the_process() -> None:
    with started() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(LEGACY)
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()

        assert process.wait(60) == 0  # stdin is still open
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.parametrize(("closed", "code"), [("<&-", 1), (">&-", 1), (">/dev/full", 1), ("</dev/null", 0)])
def test_an_end_that_cannot_be_used_is_one_line(closed: str, code: int) -> None:
    command = " ".join([*COMMAND, "--sandbox", closed])
    sent = b"" if "<" in closed else LEGACY
    done = subprocess.run(
        ["sh", "-c", command], input=sent, capture_output=True, env=environment(), timeout=60, check=False
    )

    assert done.returncode == code
    assert len(done.stderr.decode().splitlines()) == (1 if code else 0)
    assert b"Traceback" not in done.stderr


def test_without_a_home_folder_the_message_says_where_state_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(*_: object, **__: object) -> Path:
        return Path("~/.local/state/tiktok-pinned-videos-mcp")  # as for a user without HOME and passwd entry

    monkeypatch.setattr("platformdirs.user_state_path", homeless)
    with pytest.raises(SettingsError, match=r"^TIKTOK_STATE is not set, .* home folder .*memory:"):
        load_settings({"TIKTOK_CLIENT_KEY": "key", "TIKTOK_CLIENT_SECRET": "secret"})


BROKEN = [
    b"{", b"nonsense", b'{"jsonrpc":"2.0","id":7,"method":"ping"', b"\xff\xfe", b'"text"', b"[]", b"5", b"null",
    b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', b'{"jsonrpc":"2.0","id":7,"method":"ping","params":[]}',
    b'{"jsonrpc":"2.0","id":7,"method":5}', b'{"jsonrpc":"2.0","id":7}', b'{"id":7,"method":"ping"}',
    b'{"jsonrpc":"1.0","id":7,"method":"ping"}', b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":true,"method":"ping"}', b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"x":"\\ud800"}}', b"[" * 5000 + b"]" * 5000,
    b'{"jsonrpc":"2.0","id":7,"method":"ping","params":' + b'{"a":' * 3000 + b"1" + b"}" * 3000 + b"}",
]  # fmt: skip


def test_every_line_that_is_no_message_is_answered_and_the_session_goes_on() -> None:
    chance = random.Random(12)
    lines = [*BROKEN, *(_spoiled(chance) for _ in range(480))]
    sent = b"".join(each.replace(b"\n", b" ") + b"\n" for each in lines)
    done = subprocess.run(
        [*COMMAND, "--sandbox"],
        input=line(id="first", method="initialize", params=HELLO) + sent + line(id="last", method="ping"),
        capture_output=True, env=environment(), timeout=100, check=False,
    )  # fmt: skip
    answers = [json.loads(written) for written in done.stdout.splitlines()]
    errors = [answer["error"]["code"] for answer in answers if "error" in answer]

    assert done.stderr == b""
    assert {answer["id"] for answer in answers if answer["id"] in ("first", "last")} == {"first", "last"}
    assert len(errors) >= len(BROKEN)
    assert len(answers) == 2 + len([each for each in lines if each.strip() and not _is_notification(each)])


def test_a_broken_line_is_answered_with_its_id_where_that_can_be_read() -> None:
    done = subprocess.run(
        [*COMMAND, "--sandbox"], input=b"\n".join(BROKEN) + b"\n", capture_output=True, env=environment(), timeout=60,
        check=False,
    )  # fmt: skip
    answers = [json.loads(written) for written in done.stdout.splitlines()]

    told = {(answer["id"], answer["error"]["code"]) for answer in answers}
    assert told >= {(None, -32700), (7, -32600), (None, -32600)}
    assert len(answers) == len(BROKEN)


def _spoiled(chance: random.Random) -> bytes:
    whole = bytearray(line(id=chance.randrange(99), method="ping", params={"x": "y" * chance.randrange(40)}).strip())
    for _ in range(chance.randrange(1, 5)):
        place = chance.randrange(len(whole))
        whole[place : place + chance.randrange(3)] = bytes([chance.randrange(32, 256)])
    return bytes(whole)


def _is_notification(text: bytes) -> bool:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(message, dict) and message.get("jsonrpc") == "2.0" and "id" not in message and "method" in message
