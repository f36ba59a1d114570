"""Read stdin from the start of the process, and answer the first requests from a cache before the SDK is loaded.

The cache is a file in the user's cache folder. It contains the SDK's answers to the same messages from an earlier start
of the same program with the same settings. When the SDK is loaded, it gets all messages, also those already answered.
Its answers to these are compared with the cached ones and not sent again. ADR 9 has the reasons.

pathlib, platformdirs and typing are not imported, because that would take longer than the rest of this module.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, Final

MAX_LENGTH: Final = 16 * 1024 * 1024
"""Maximum size of a message in bytes."""
_CACHEABLE: Final = {"initialize", "server/discover", "ping"} | {
    f"{what}/list" for what in ("tools", "prompts", "resources", "resources/templates")
}
"""Requests whose answer depends only on the program, its settings and the earlier messages."""
_SIMPLE_ID: Final = re.compile(r'-?\d{1,15}|"[\w .:/+-]{0,100}"|null', re.ASCII)
"""Ids that every JSON library writes in the same way; null if a message has no id."""
_DECODER: Final = json.JSONDecoder()
_PREFIX: Final = '{"jsonrpc":"2.0","id":'
"""The beginning of the SDK's answers. The text after the id is stored."""
_MAX_ANSWERS: Final = 64
_SECRETS: Final = ("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET", "TIKTOK_STATE", "MCP_BEARER_TOKEN")
"""Variables with secrets: the cache key contains only whether they are set. No answer depends on their values."""


def begin(arguments: Sequence[str], env: Mapping[str, str], ready: Callable[[Input], None]) -> Input | None:
    """Call `ready` and read stdin if the command is the stdio server. `TIKTOK_INSTANT=0` switches the cache off."""
    if not set(arguments) <= {"stdio", "--sandbox"} or sys.__stdin__ is None or sys.__stdout__ is None:
        return None
    cache = None
    if env.get("TIKTOK_INSTANT", "").strip().lower() not in ("0", "false", "no", "off"):
        with contextlib.suppress(OSError):
            cache = HandshakeCache(answers_file(arguments, env))
    stdin = Input(cache)
    ready(stdin)
    threading.Thread(target=stdin.read, name="stdin", daemon=True).start()
    return stdin


def split_answer(line: str) -> tuple[str, str] | None:
    """Split an answer of the SDK into its id, as JSON, and the text after it; None for any other message."""
    if not line.startswith(_PREFIX):
        return None
    request_id, end = _DECODER.raw_decode(line, len(_PREFIX))
    return str(request_id) if isinstance(request_id, int) else json.dumps(request_id), line[end:]


def write_all(descriptor: int, text: bytes) -> None:
    """Write everything. Raises OSError."""
    while text:
        text = text[os.write(descriptor, text) :]


class Input:
    """The lines of stdin, read by a daemon thread until an event loop can. For all other code stdin is empty."""

    def __init__(self, cache: HandshakeCache | None = None) -> None:
        self.cache = cache
        with contextlib.suppress(OSError, AttributeError):  # not a pipe; Windows before Python 3.12
            os.set_blocking(0, True)
            os.set_blocking(1, True)
        nothing = os.open(os.devnull, os.O_RDWR)  # becomes descriptor 2 if stderr is closed, so that no pipe does
        self.descriptor = os.dup(0)
        os.dup2(nothing, 0)
        self.lines: list[bytearray | None] = []
        self.chunks = self._read_chunks()
        self._deliver: Callable[[Sequence[bytearray | None]], bool] | None = None
        self._lock = threading.RLock()  # a signal handler may need it again

    def attach(self, deliver: Callable[[Sequence[bytearray | None]], bool]) -> list[bytearray | None]:
        """Return the lines so far, and deliver the others. Stop answering from the cache."""
        with self._lock:
            self._deliver = deliver
            return self.lines

    def read(self) -> None:
        """Read until the end of the input, or until `deliver` returns True."""
        any(map(self.take, self.chunks))

    def _read_chunks(self) -> Iterator[Sequence[bytearray | None]]:
        """Yield the lines that each read completes; at the end of the input the last one and None."""
        unfinished = bytearray()
        with contextlib.suppress(OSError):
            for chunk in iter(lambda: os.read(self.descriptor, 65536), b""):
                unfinished += chunk
                *lines, unfinished = unfinished.split(b"\n") if b"\n" in chunk else [unfinished]
                del unfinished[MAX_LENGTH + 1 :]
                yield lines
        yield [unfinished, None]

    def take(self, lines: Sequence[bytearray | None]) -> bool:
        """Deliver lines, or keep them and answer from the cache. None ends the input."""
        with self._lock:
            if (deliver := self._deliver) is None:
                self.lines += lines
                if self.cache is not None:
                    self.cache.answer(lines)
        return deliver is not None and deliver(lines)


class HandshakeCache:
    """The stored answers to the first messages of a session, and which of them were sent.

    The key of an answer is a digest of all messages up to its request, without their ids.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._known = read_answers(file)
        self._digest: str | None = ""  # of the messages so far; None after one that is not cacheable
        self._not_in_sdk = 0  # messages handled here that the SDK has not received
        self._open: dict[str, str] = {}  # by id: the key of the answer that the SDK will give
        self._sent: set[str] = set()  # ids
        self._sdk_answers = not self._known  # whether the SDK answers all further messages

    def answer(self, lines: Sequence[bytearray | None]) -> None:
        """Answer these lines up to the first without a stored answer. End the process at the end of the input."""
        for line in lines:
            if self._sdk_answers:
                return
            if line is None:
                os._exit(0)
            try:
                message = json.loads(line.decode())
                key = self._next_key(message)
                self._not_in_sdk += 1
                if key is None or "id" in message:
                    id_text = json.dumps(message["id"])
                    write_all(1, f"{_PREFIX}{id_text}{self._known[key or '']}".encode())
                    self._sent.add(id_text)
            except BrokenPipeError:
                os._exit(0)  # the client has closed stdout
            except (OSError, ValueError, LookupError, TypeError, RecursionError):
                self._sdk_answers = bool(line.strip())

    def received_message(self, message: dict[str, Any]) -> None:
        """Handle a message that the SDK receives."""
        if self._not_in_sdk:
            self._not_in_sdk -= 1
        else:
            with contextlib.suppress(RecursionError):  # in a member that the SDK ignores
                self._next_key(message)

    def was_sent(self, id_text: str, rest: str) -> bool:
        """Return whether this answer of the SDK (see `split_answer`) was sent from the cache; store it if it is new."""
        key, sent = self._open.pop(id_text, None), id_text in self._sent
        self._sent.discard(id_text)
        if key and self._known.get(key) != rest:
            if sent:
                import logging

                logging.getLogger(__name__).warning("An answer came from an outdated cache. Restart the client.")
            if len(self._known) >= _MAX_ANSWERS:
                self._known.clear()
            self._known[key] = rest
            write_answers(self._file, self._known)
        return sent

    def _next_key(self, message: Any) -> str | None:
        """Return the key of the answer to the next message; None after a message that is not cacheable."""
        if self._digest is None and not self._open:
            return None
        facts: dict[str, Any] = {**message} if isinstance(message, dict) else {}
        method, id_text = facts.get("method"), json.dumps(facts.pop("id", None))
        cacheable = method == "notifications/initialized" if id_text == "null" else method in _CACHEABLE
        usable_id = _SIMPLE_ID.fullmatch(id_text) and id_text not in {*self._open, *self._sent}
        if not cacheable or not usable_id or facts.get("jsonrpc") != "2.0":
            self._digest = None
        elif self._digest is not None:
            self._digest = _digest(self._digest, facts)
        self._open.pop(id_text, None)  # an id used twice: the answers cannot be distinguished
        if id_text != "null" and self._digest:
            self._open[id_text] = self._digest
        return self._digest


def answers_file(arguments: Sequence[str], env: Mapping[str, str]) -> str:
    """Return the path of the cache file. Its name is a digest of program, dependencies and settings."""
    caches = os.path.join(os.path.expanduser("~/.cache"), env.get("XDG_CACHE_HOME", ""))
    installed = sorted(name for folder in filter(os.path.isdir, sys.path) for name in os.listdir(folder))
    packages = [name for name in installed if name.endswith(".dist-info")]
    # In a copy of the repository the code changes without a new version.
    tree = os.walk(os.path.dirname(os.path.dirname(__file__)))
    files = (f"{folder}/{name}" for folder, _, names in tree for name in names if not name.endswith(".pyc"))
    changed = max(os.stat(file).st_mtime_ns for file in files)
    ours = (name for name in env if name.startswith(("TIKTOK_", "MCP_", "LOG_")))
    settings = sorted((name, "" if name in _SECRETS else env[name]) for name in ours)
    key = _digest(sys.version, sys.path, packages, changed, arguments, settings)
    return f"{caches}/tiktok-pinned-videos-mcp/start-{key}.json"


def _digest(*facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def read_answers(file: str) -> dict[str, str]:
    """Return the stored answers by key; {} if the file is missing or broken."""
    with contextlib.suppress(OSError, ValueError, AttributeError, RecursionError), open(file, "rb") as opened:
        known = json.loads(opened.read())
        return known if all(isinstance(rest, str) for rest in known.values()) else {}
    return {}


def write_answers(file: str, known: dict[str, str]) -> None:
    """Replace the file atomically. Failures are ignored."""
    folder, unfinished = os.path.dirname(file), f"{file}.{os.getpid()}"
    with contextlib.suppress(OSError):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
            opened.write(json.dumps(known).encode())
        os.replace(unfinished, file)
