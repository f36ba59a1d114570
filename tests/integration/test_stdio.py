"""The server over stdio: odd messages, closed and full pipes, signals, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kit.processes import COMMAND, HELLO, META, PIPES, environment, message, running

SLOW = pytest.mark.slow
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="about POSIX signals and descriptors")
GREETING = message("initialize", 0, HELLO) + message("notifications/initialized")


def call(number: int, username: object) -> bytes:
    return message("tools/call", number, {"name": "get_pinned_videos", "arguments": {"username": username}})


def talk(sent: bytes, **env: str) -> tuple[int, list[dict[str, Any]], str]:
    """Send everything at once and end: exit status, messages, stderr."""
    done = subprocess.run(
        [*COMMAND, "--sandbox"], input=sent, capture_output=True, env=environment(**env), timeout=60, check=False
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def test_the_end_of_input_takes_no_answer_away() -> None:
    legacy = talk(GREETING + call(1, "sandbox_slow") + message("tools/list", 2) + call(3, "nasa"))
    modern = talk(
        message("server/discover", 0, META)
        + message("tools/call", 1, META | {"name": "get_pinned_videos", "arguments": {"username": "sandbox_slow"}})
    )

    for code, _, said in (legacy, modern):
        assert (code, said) == (0, "")
    assert sorted(each["id"] for each in legacy[1]) == [0, 1, 2, 3]
    assert sorted(each["id"] for each in modern[1]) == [0, 1]


def test_each_invalid_line_gets_its_error_and_the_session_continues() -> None:
    odd: list[tuple[bytes, object]] = [
        (b'{"jsonrpc":"2.0","id":10,"method":"tools/list","params":{"x":' + b"1" * 5000 + b"}}", {}),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":null}', {}),
        (call(2, "\ud800").strip(), "invalid_argument"),
        (b'{"jsonrpc":"2.0","id":3,"method":"ping","params":{"x":' + b"1" * 5000 + b"}}", {}),
        (b'{"jsonrpc":"2.0","id":4,"method":"ping","params":{"x":' + b"[" * 250 + b"]" * 250 + b"}}", -32602),
        (b'{"jsonrpc":"2.0","id":5,"method":"ping","params":[]}', -32600),
        (b"{", -32700),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600),
        (b"x" * (17 << 20), -32700),
        (b'{"jsonrpc":"2.0","id":6,"method":"ping","params":{"x":"' + b"y" * (10 << 20) + b'"}}', {}),
    ]
    responses = b'{"jsonrpc":"2.0","id":7,"result":{}}\n{"jsonrpc":"2.0","id":8,"error":{"code":1,"message":"x"}}\n'
    sent = GREETING + b"\n".join(line for line, _ in odd) + b"\n\n\r\n" + responses + message("ping", 9)
    sent += b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":' + b"1" * 5000 + b"}}"
    code, messages, said = talk(sent)
    by_id = {each["id"]: each for each in messages}

    assert (code, said) == (0, "")
    assert len(messages) == 2 + len(odd)  # none to a response
    assert by_id[1]["result"] == by_id[3]["result"] == by_id[6]["result"] == by_id[9]["result"] == {}
    assert "invalid_argument" in by_id[2]["result"]["content"][0]["text"]
    assert (by_id[4]["error"]["code"], by_id[5]["error"]["code"]) == (-32602, -32600)
    assert sorted(each["error"]["code"] for each in messages if each["id"] is None) == [-32700, -32700, -32600]


def test_a_cancelled_call_is_not_waited_for_at_the_end() -> None:
    cancelled = message("notifications/cancelled", None, {"requestId": 1})
    code, messages, _ = talk(GREETING + call(1, "sandbox_slow") + cancelled + message("ping", 2))

    assert (code, {each["id"] for each in messages}) == (0, {0, 2})


@POSIX
@pytest.mark.parametrize("name", ["SIGTERM", pytest.param("SIGINT", marks=SLOW)])
def test_a_signal_lets_received_calls_finish_and_ends_with_0(name: str) -> None:
    with running([*COMMAND, "--sandbox"], env=environment(), **PIPES) as process:
        process.stdin.write(GREETING + call(1, "sandbox_slow") + message("ping", 2))
        process.stdin.flush()
        first = [json.loads(process.stdout.readline())["id"] for _ in range(2)]
        process.send_signal(getattr(signal, name))
        rest = [json.loads(line)["id"] for line in process.stdout]
        code = process.wait(30)

        assert (first, rest, code) == ([0, 2], [1], 0)
        assert process.stderr.read() == b""


@POSIX
def test_a_client_that_closes_stdout_ends_the_process() -> None:
    with running([*COMMAND, "--sandbox"], env=environment(), **PIPES) as process:
        process.stdin.write(GREETING)
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(message("tools/list", 1))
        process.stdin.flush()

        assert process.wait(60) == 0
        assert process.stderr.read() == b""


@POSIX
@SLOW
def test_a_client_that_reads_nothing_cannot_keep_the_process_alive() -> None:
    with running([*COMMAND, "--sandbox"], env=environment(), **PIPES) as process:
        process.stdin.write(GREETING + call(1, "nasa"))
        process.stdin.flush()
        assert [json.loads(process.stdout.readline())["id"] for _ in range(2)] == [0, 1]
        process.stdin.write(b"".join(message("tools/list", number) for number in range(60)))
        process.stdin.flush()
        time.sleep(0.5)
        process.terminate()

        assert process.wait(60) == 0


CLOSED = [(">&-", 1), *(pytest.param(*each, marks=SLOW) for each in ((">/dev/full", 1), ("<&-", 1), ("</dev/null", 0)))]


@POSIX
@pytest.mark.parametrize(("how", "code"), [*CLOSED, ("2>&-", 0)])
def test_a_descriptor_that_cannot_be_used_is_one_line(how: str, code: int) -> None:
    command = " ".join([*COMMAND, "--sandbox", how])
    sent = b"" if "<" in how else GREETING
    done = subprocess.run(["sh", "-c", command], input=sent, capture_output=True, env=environment(), check=False)

    assert (done.returncode, len(done.stderr.splitlines())) == (code, 1 if code else 0)


@POSIX
def test_the_callers_pipes_stay_as_they_were() -> None:
    (theirs_in, ours_in), (ours_out, theirs_out) = os.pipe(), os.pipe()
    with running([*COMMAND, "--sandbox"], stdin=theirs_in, stdout=theirs_out, env=environment()) as process:
        os.write(ours_in, GREETING)
        os.read(ours_out, 10)
        os.close(ours_in)
        process.wait(30)
        modes = os.get_blocking(theirs_in), os.get_blocking(theirs_out)
    for descriptor in (theirs_in, ours_out, theirs_out):
        os.close(descriptor)

    assert modes == (True, True)


@POSIX
def test_on_a_terminal_one_line_says_what_to_type() -> None:
    ours, theirs = os.openpty()
    with running(
        [*COMMAND, "--sandbox"], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        said = process.stderr.readline()
        os.write(ours, GREETING)
        answered = json.loads(process.stdout.readline())
        process.terminate()
        code = process.wait(30)
    os.close(ours)
    os.close(theirs)

    assert b"This is an MCP server" in said
    assert b"get nasa --sandbox" in said
    assert (answered["id"], code) == (0, 0)


@SLOW
def test_a_stderr_that_nobody_reads_stops_nothing() -> None:
    with running([*COMMAND, "--sandbox"], env=environment(LOG_LEVEL="INFO"), **PIPES) as process:
        process.stdin.write(GREETING)
        for number in range(1, 700):  # a log line of 130 bytes each; a pipe holds 64 KiB
            process.stdin.write(call(number, "nasa"))
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number - 1
        process.terminate()

        assert process.wait(30) == 0


@POSIX
@SLOW
def test_output_of_a_library_does_not_reach_the_protocol(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import httpx, os\n"
        "build = httpx.AsyncClient.__init__\n"
        "def chatty(self, *args, **kwargs):\n"
        "    os.write(1, b'a library writes\\n')\n"
        "    assert os.read(0, 1) == b''\n"
        "    build(self, *args, **kwargs)\n"
        "httpx.AsyncClient.__init__ = chatty\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    _, messages, said = talk(GREETING + call(1, "nasa"), PYTHONPATH=path)

    assert ([each["id"] for each in messages], "a library writes" in said) == ([0, 1], True)
