"""Log to stderr as text or JSON, without waiting for stderr.

Stdout is only for the protocol. No secret and no caption is logged. Lines go through a bounded queue to a daemon thread
that writes to descriptor 2. If the pipe is full, lines are dropped and counted.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import queue
import re
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

_MAX_LINES: Final = 1000  # that wait to be written
_NOTICE: Final = 60
_calls: Final = logging.getLogger("tiktok_pinned_videos.calls")
_PLAIN: Final = re.compile(r"[\w.,:/@+-]+", re.ASCII)


@dataclass(slots=True)
class CallRecord:
    """One tool call that has ended. It contains no untrusted text, no token and no secret."""

    tool: str
    accounts: tuple[str, ...] = ()
    status: str = "found"
    requests: int = 0
    cached: int = 0  # accounts answered from the cache
    milliseconds: float = 0.0
    log_id: str | None = None
    caller: str | None = None

    def facts(self) -> dict[str, Any]:
        """Return the fields to log."""
        facts = {"tool": self.tool, "account": ",".join(self.accounts), "status": str(self.status)}
        facts |= {"requests": self.requests, "cached": self.cached, "ms": round(self.milliseconds, 1)}
        return facts | {"log_id": self.log_id} | ({"caller": self.caller} if self.caller else {})


def configure_logging(level: str, log_format: Literal["text", "json"]) -> None:
    """Configure the root logger. Call this before the SDK configures it."""
    logging.basicConfig(level=level, handlers=[_Handler(as_json=log_format == "json")], force=True)
    logging.getLogger("tiktok_pinned_videos").setLevel(level)
    logging.getLogger().setLevel(max(logging.WARNING, logging.getLogger().level))  # httpx logs every URL
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # any client can cause its warnings
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # no line needs them: save the time


def notice(line: str) -> None:
    """Print a line for the person who starts a server, at any log level."""
    _calls.log(_NOTICE, line)


def log_call(record: CallRecord) -> None:
    """Log one line for one call of a tool."""
    if _calls.isEnabledFor(logging.INFO):  # `info` would also search for the line of code that called it
        _calls.handle(logging.LogRecord(_calls.name, logging.INFO, "", 0, record, None, None))


class _Handler(logging.Handler):
    """Writes one line per record, text or a JSON object, to descriptor 2 from a daemon thread."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json
        self._queue: queue.SimpleQueue[logging.LogRecord | None] = queue.SimpleQueue()
        self._dropped = 0
        self._thread = threading.Thread(target=self._write_all, name="stderr", daemon=True)
        self._thread.start()
        atexit.register(self._flush)

    def emit(self, record: logging.LogRecord) -> None:
        if self._queue.qsize() < _MAX_LINES:
            self._queue.put(record)
        else:
            self._dropped += 1

    def format(self, record: logging.LogRecord) -> str:
        if record.levelno == _NOTICE:
            return str(record.msg)
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        facts = record.msg.facts() if isinstance(record.msg, CallRecord) else {"message": _message(record)}
        if self._as_json:
            head = {"time": when, "level": record.levelname, "logger": record.name}
            return json.dumps(head | facts, ensure_ascii=False)
        words = " ".join(f"{name}={_quoted(value)}" for name, value in facts.items() if value not in (None, ""))
        return f"{when} {record.levelname} " + (f"{record.name}: {facts['message']}" if "message" in facts else words)

    def _write_all(self) -> None:
        while True:
            records, text = [self._queue.get()], ""
            while not self._queue.empty():
                records.append(self._queue.get())
            dropped, self._dropped = self._dropped, 0
            if dropped:
                what = f"{dropped} log lines were dropped because nothing read stderr."
                level = logging.WARNING if self._as_json else _NOTICE
                records.append(logging.LogRecord(__name__, level, "", 0, what, None, None))
            for record in filter(None, records):
                with contextlib.suppress(Exception):  # other code may log what cannot be formatted
                    text += f"{self.format(record)}\n"
            _write(text)
            if None in records:  # the program ends
                return
            time.sleep(0.02)  # write in batches: each write takes time from the calls

    def _flush(self) -> None:
        self._queue.put(None)
        self._thread.join(0.5)


def _write(text: str) -> None:
    rest = text.encode("utf-8", errors="backslashreplace")
    while rest:
        try:
            rest = rest[os.write(2, rest) :]
        except BlockingIOError:  # another process has put the pipe into non-blocking mode
            time.sleep(0.05)
        except OSError:  # closed
            return


def _message(record: logging.LogRecord) -> str:
    """Return the message on one line, without control characters."""
    message = record.getMessage()
    if record.name.startswith("opentelemetry"):
        # OpenTelemetry does not name the wrong variable, repeats secret headers, and logs long tracebacks.
        names = sorted(name for name in os.environ if name.startswith("OTEL_"))
        for secret in re.split("[,=]", ",".join(os.environ[name] for name in names if "HEADERS" in name)):
            message = message.replace(secret.strip() or "\0", "...")
        message += f" Check {', '.join(names)}."
    elif record.exc_info:
        message += " | " + logging.Formatter().formatException(record.exc_info).replace("\n", " | ")
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in message)


def _quoted(value: object) -> str:
    # Usernames come from callers and must not imitate the next field or a separator.
    return str(value) if not isinstance(value, str) or _PLAIN.fullmatch(value) else json.dumps(value)
