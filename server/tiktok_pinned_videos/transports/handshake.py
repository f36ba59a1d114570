"""Answers a client's first requests over stdio while the SDK is still being loaded.

The answers are those that the SDK itself gave to the same messages in an earlier start of the same program with the
same settings (`snapshot` keeps them). Once the SDK is loaded it is given the conversation from its beginning, and what
it says to a message already answered is compared and not sent again. Why, and what keeps this right: ADR 9.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import stat
import sys
import threading

from .handshake_file import digest, read_snapshot, snapshot_file, write_snapshot

TYPE_CHECKING = False  # typing itself takes too long here
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Final

_PLAIN: Final = ((), ("--sandbox",), ("stdio",), ("stdio", "--sandbox"), ("--sandbox", "stdio"))
_LISTS: Final = {f"{what}/list" for what in ("tools", "prompts", "resources", "resources/templates")}
_ANSWERED: Final = {"initialize", "server/discover", "ping"} | _LISTS
"""Requests whose answer depends on the program, its settings and the messages before, and on nothing else."""
_NUMBER: Final = re.compile(r'-?\d{1,15}|"[\w .:/+-]{0,100}"', re.ASCII)
"""Ids that everybody writes alike."""
_HEAD: Final = '{"jsonrpc":"2.0","id":'
"""How the SDK begins an answer. What follows the id is kept."""
_MOST: Final = 64 * 1024
"""Bytes of a conversation; then the SDK has to speak."""


def begin(arguments: Sequence[str], env: Mapping[str, str], load: Callable[[], object]) -> Opening | None:
    """Call `load` in a thread and answer what is known until it is done; without a snapshot do neither.

    None where this is no server with a client on a pipe, is switched off, or is on Windows, whose pipes cannot be
    waited for. What comes back learns for the next start.
    """
    off = env.get("TIKTOK_INSTANT", "").strip().lower() in ("0", "false", "no", "off")
    if sys.platform == "win32" or off or tuple(arguments) not in _PLAIN:
        return None
    try:
        kind = os.fstat(0).st_mode
        if not stat.S_ISFIFO(kind) and not stat.S_ISSOCK(kind):
            return None
        opening = Opening(snapshot_file(arguments, env))
    except OSError:
        return None
    if opening.known:
        opening.answer_during(load)
    return opening


def split_answer(text: str) -> tuple[str, str] | None:
    """The id of an answer as the SDK writes it, as JSON, and what follows; None for any other message."""
    if not text.startswith(_HEAD):
        return None
    number, end = json.JSONDecoder().raw_decode(text, len(_HEAD))
    return json.dumps(number), text[end:]


class Opening:
    """The beginning of a conversation: what was said, what is known to answer it, what was answered."""

    def __init__(self, file: str) -> None:
        self.received = b""
        self.known = read_snapshot(file)
        self._file = file
        self._news = self._outdated = False
        self._heard, self._given = _Course(), _Course()
        self._sent: dict[str, str] = {}  # by id: what was sent before the SDK had an answer
        self._open: dict[str, str] = {}  # by id: the key under which the SDK's answer is known
        self._repeated: set[str] = set()  # ids of more than one request

    def answer_during(self, load: Callable[[], object]) -> None:
        """Answer while `load` runs in a thread. A fault of `load` is met again by whoever needs what it loads."""
        ready, done = os.pipe()

        def run() -> None:
            with contextlib.suppress(BaseException):
                load()
            os.close(done)

        usual = sys.getswitchinterval()
        sys.setswitchinterval(0.001)  # seconds that an answer waits for its turn beside the thread
        threading.Thread(target=run, daemon=True).start()
        watched = [ready, 0]
        while ready not in (readable := select.select(watched, [], [])[0]):
            if readable and not self._hear(os.read(0, 65536)):
                watched = [ready]
        os.close(ready)
        sys.setswitchinterval(usual)

    def asked(self, message: dict[str, Any], number: str | None) -> None:
        """The SDK is given a message; `number`: its id as JSON, when it is a request."""
        key = self._given.key(message)
        if number is None:
            return
        if key:
            self._open[number] = key
        elif number in self._open:
            self._repeated.add(number)

    def was_sent(self, number: str, rest: str) -> bool:
        """Whether this answer of the SDK's (see `split_answer`) was sent before; else the next start may know it."""
        if number not in self._open:
            return False
        if number in self._repeated and self._sent.get(number) != rest:
            return False  # it answers the later request
        key, sent = self._open.pop(number), self._sent.pop(number, None)
        if sent is not None and sent != rest:
            self._forget()
        elif rest.startswith(',"result":') and self.known.get(key) != rest:
            self.known[key], self._news = rest, True
        return sent is not None

    def keep(self) -> None:
        """Write down what is new, if anything is."""
        if self._news:
            self._news = False
            write_snapshot(self._file, self.known)

    def _forget(self) -> None:
        if not self._outdated:
            import logging

            logging.getLogger(__name__).warning("the client was answered by an outdated snapshot: start it again")
        self._outdated, self.known = True, {}
        with contextlib.suppress(OSError):
            os.unlink(self._file)

    def _hear(self, piece: bytes) -> bool:
        """Answer what has come, if all of it is known; False when it and all that follows has to wait for the SDK."""
        if not piece and self.received[-1:] in (b"", b"\n"):
            os._exit(0)  # stdin has ended, and all that was asked is answered
        lines = (self.received.rpartition(b"\n")[2] + piece).split(b"\n")[:-1]
        self.received += piece
        try:
            answers = self._answers_to(lines)
            _send("".join(f"{_HEAD}{number}{rest}" for number, rest in answers.items()).encode())
        except BrokenPipeError:
            os._exit(0)  # nobody reads stdout
        except (OSError, ValueError, LookupError, RecursionError):
            return False
        self._sent |= answers
        return piece != b"" and len(self.received) < _MOST

    def _answers_to(self, lines: list[bytes]) -> dict[str, str]:
        """By id, as JSON, what follows it. LookupError when one is not known, ValueError for what is no JSON."""
        answers: dict[str, str] = {}
        for line in lines:
            message = json.loads(line.decode())
            key = self._heard.key(message)
            if key is None:
                raise LookupError
            if "id" in message:
                answers[json.dumps(message["id"])] = self.known[key]
        return answers


class _Course:
    """How a conversation went, as one digest, as long as it goes as many begin."""

    def __init__(self) -> None:
        self._digest: str | None = ""
        self._numbers: set[str] = set()

    def key(self, message: Any) -> str | None:
        """What a message's answer is known by: all that was said up to it. None from the first unusual one on."""
        if self._digest is not None and self._is_usual(message):
            self._digest = digest(self._digest, {name: message[name] for name in message if name != "id"})
        else:
            self._digest = None
        return self._digest

    def _is_usual(self, message: Any) -> bool:
        facts: dict[str, Any] = {} if not isinstance(message, dict) else {**message}
        method = str(facts.get("method"))
        if "id" not in facts:
            return facts.get("jsonrpc") == "2.0" and method == "notifications/initialized"
        number = json.dumps(facts["id"])
        usual = number not in self._numbers and _NUMBER.fullmatch(number) is not None
        self._numbers.add(number)
        return usual and facts.get("jsonrpc") == "2.0" and method in _ANSWERED


def _send(line: bytes) -> None:
    while line:
        try:
            line = line[os.write(1, line) :]
        except BlockingIOError:
            select.select([], [1], [])
