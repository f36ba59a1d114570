"""Answer a client's first requests over stdio from a cache while the SDK is being imported.

The cache is a file in the user's cache folder. It has the SDK's answers to the same messages from an earlier start of
the same program with the same settings. After the import the SDK gets all messages from the first on. Its answers to
messages already answered are compared with those that were sent, and not sent again. ADR 9 has the reasons.

pathlib, platformdirs and typing are not imported, because that would take longer than the rest of this module.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import select
import stat
import sys
import threading
from importlib.machinery import PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Final

_STARTS: Final = ((), ("--sandbox",), ("stdio",), ("stdio", "--sandbox"), ("--sandbox", "stdio"))
_LISTS: Final = {f"{what}/list" for what in ("tools", "prompts", "resources", "resources/templates")}
_CACHEABLE: Final = {"initialize", "server/discover", "ping"} | _LISTS
"""Requests whose answer depends only on the program, its settings and the messages before."""
_SIMPLE_ID: Final = re.compile(r'-?\d{1,15}|"[\w .:/+-]{0,100}"', re.ASCII)
"""Ids that every JSON library writes in the same way."""
_PREFIX: Final = '{"jsonrpc":"2.0","id":'
"""The beginning of the SDK's answers. The text after the id is stored."""
_MAX_RECEIVED: Final = 64 * 1024
_MAX_FILE: Final = 256 * 1024
_MAX_FILES: Final = 20
_SECRETS: Final = ("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET", "TIKTOK_STATE", "MCP_BEARER_TOKEN")
"""Variables that can hold a secret: only whether they are set counts. None of them changes an answer."""


def begin(arguments: Sequence[str], env: Mapping[str, str], load: Callable[[], object]) -> HandshakeCache | None:
    """Call `load` in a thread and answer known requests until it returns. Without cached answers, do neither.

    Returns None if the command is not the stdio server, if stdin is not a pipe, if the cache is switched off, and on
    Windows, where `select` does not work on pipes.
    """
    off = env.get("TIKTOK_INSTANT", "").strip().lower() in ("0", "false", "no", "off")
    if sys.platform == "win32" or off or tuple(arguments) not in _STARTS:
        return None
    try:
        kind = os.fstat(0).st_mode
        if not stat.S_ISFIFO(kind) and not stat.S_ISSOCK(kind):
            return None
        cache = HandshakeCache(answers_file(arguments, env))
    except OSError:
        return None
    if cache.known:
        cache.answer_while(load)
    return cache


def split_answer(text: str) -> tuple[str, str] | None:
    """Split an answer of the SDK into its id, as JSON, and the text after it; None for any other message."""
    if not text.startswith(_PREFIX):
        return None
    number, end = json.JSONDecoder().raw_decode(text, len(_PREFIX))
    return json.dumps(number), text[end:]


class HandshakeCache:
    """The first messages of a conversation: those received, the known answers, and the answers sent."""

    def __init__(self, file: str) -> None:
        self.received = b""
        self.known = read_answers(file)
        self._file = file
        self._outdated = False
        self._before, self._after = _Conversation(), _Conversation()  # as answered here, as given to the SDK
        self._sent: dict[str, str] = {}  # by id
        self._open: dict[str, str] = {}  # by id: the key of the answer that the SDK will give

    def answer_while(self, load: Callable[[], object]) -> None:
        """Answer while `load` runs in a thread. An exception of `load` is ignored: the next import raises it again."""
        ready, done = os.pipe()

        def run() -> None:
            with contextlib.suppress(BaseException):
                load()
            os.close(done)

        usual = sys.getswitchinterval()
        sys.setswitchinterval(0.001)  # how long an answer waits for the importing thread, in seconds
        threading.Thread(target=run, daemon=True).start()
        watched = [ready, 0]
        while ready not in (readable := select.select(watched, [], [])[0]):
            if readable and not self._receive(os.read(0, 65536)):
                watched = [ready]
        os.close(ready)
        sys.setswitchinterval(usual)

    def received_message(self, message: dict[str, Any], number: str | None) -> None:
        """Note a message that the SDK gets. `number`: its id as JSON if it is a request."""
        key = self._after.key(message)
        if number is not None:
            self._open.pop(number, None)  # an id used twice: the answers cannot be told apart
            if key:
                self._open[number] = key

    def was_sent(self, number: str, rest: str) -> bool:
        """Return whether this answer of the SDK (see `split_answer`) was sent from the cache; add it if it is new."""
        key, sent = self._open.pop(number, None), self._sent.get(number)
        if sent is not None and (key or sent == rest):
            del self._sent[number]
            if sent != rest and not self._outdated:
                self._outdated = True
                self._forget()
            return True
        if key and rest.startswith(',"result":') and self.known.get(key) != rest:
            self.known[key] = rest
            write_answers(self._file, self.known)
        return False

    def _forget(self) -> None:
        import logging

        logging.getLogger(__name__).warning(
            "An answer came from an outdated cache, which was deleted. Restart the client."
        )
        self.known = {}
        with contextlib.suppress(OSError):
            os.unlink(self._file)

    def _receive(self, piece: bytes) -> bool:
        """Answer the messages received if all answers are known; False if the SDK has to answer from here on."""
        if not piece and self.received[-1:] in (b"", b"\n"):
            os._exit(0)  # end of input, everything is answered
        lines = (self.received.rpartition(b"\n")[2] + piece).split(b"\n")[:-1]
        self.received += piece
        answers: dict[str, str] = {}
        try:
            for line in lines:
                message = json.loads(line.decode())
                key = self._before.key(message)
                if key is None:
                    return False
                if "id" in message:
                    answers[json.dumps(message["id"])] = self.known[key]
            _send("".join(f"{_PREFIX}{number}{rest}\n" for number, rest in answers.items()).encode())
        except BrokenPipeError:
            os._exit(0)  # the client has closed stdout
        except (OSError, ValueError, LookupError, RecursionError):
            return False
        self._sent |= answers
        return piece != b"" and len(self.received) < _MAX_RECEIVED


class _Conversation:
    """A digest of the messages so far, as long as only cacheable ones arrived."""

    def __init__(self) -> None:
        self._digest: str | None = ""
        self._numbers: set[str] = set()

    def key(self, message: Any) -> str | None:
        """Return the key of the answer: a digest of all messages up to this one. None after an unusual message."""
        if self._digest is not None and self._is_usual(message):
            self._digest = _digest(self._digest, {name: message[name] for name in message if name != "id"})
        else:
            self._digest = None
        return self._digest

    def _is_usual(self, message: Any) -> bool:
        facts: dict[str, Any] = {**message} if isinstance(message, dict) else {}
        if facts.get("jsonrpc") != "2.0":
            return False
        if "id" not in facts:
            return facts.get("method") == "notifications/initialized"
        number = json.dumps(facts["id"])
        usual = number not in self._numbers and _SIMPLE_ID.fullmatch(number) is not None
        self._numbers.add(number)
        return usual and str(facts.get("method")) in _CACHEABLE


def _send(text: bytes) -> None:
    while text:
        try:
            text = text[os.write(1, text) :]
        except BlockingIOError:
            select.select([], [1], [])


def answers_file(arguments: Sequence[str], env: Mapping[str, str]) -> str:
    """Return the path of the cache file. Its name is a digest of program, dependencies and settings.

    Raises OSError if there is no cache folder.
    """
    home = os.path.expanduser("~")
    caches = f"{home}/Library/Caches" if sys.platform == "darwin" else env.get("XDG_CACHE_HOME") or f"{home}/.cache"
    sdk = PathFinder.find_spec("mcp")
    if sdk is None or not sdk.submodule_search_locations or not caches.startswith("/"):
        raise OSError
    installed = os.listdir(os.path.dirname(sdk.submodule_search_locations[0]))
    packages = sorted(name for name in installed if name.endswith(".dist-info"))
    # In a copy of the repository the code changes while the version stays.
    tree = os.walk(os.path.dirname(os.path.dirname(__file__)))
    files = (f"{folder}/{name}" for folder, _, names in tree for name in names if not name.endswith(".pyc"))
    changed = max(os.stat(file).st_mtime_ns for file in files)
    ours = (name for name in env if name.startswith(("TIKTOK_", "MCP_", "LOG_")))
    settings = sorted((name, "" if name in _SECRETS else env[name]) for name in ours)
    key = _digest(sys.version, sys.path, packages, changed, arguments, settings)
    return f"{caches}/tiktok-pinned-videos-mcp/start-{key}.json"


def _digest(*facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def read_answers(file: str) -> dict[str, str]:
    """Read the answers by key; none if the file is missing, broken, too large or writable by another user."""
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:
            facts = os.fstat(opened.fileno())
            if facts.st_uid != os.geteuid() or facts.st_mode & 0o022 or facts.st_size > _MAX_FILE:
                return {}
            known = json.loads(opened.read())
            return known if all(isinstance(rest, str) for rest in known.values()) else {}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def write_answers(file: str, known: dict[str, str]) -> None:
    """Replace the file atomically, and delete the oldest if there are too many. Failures are ignored."""
    while len(text := json.dumps(known).encode()) > _MAX_FILE:
        del known[next(iter(known))]
    folder, unfinished = os.path.dirname(file), f"{file}.{os.getpid()}"
    with contextlib.suppress(OSError):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        files = sorted((entry.stat().st_mtime, entry.path) for entry in os.scandir(folder))
        for _, oldest in files[:-_MAX_FILES]:
            os.unlink(oldest)
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(text)
        os.replace(unfinished, file)
