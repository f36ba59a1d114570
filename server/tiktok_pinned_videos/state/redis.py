"""Entries in a Redis that a fleet shares. Knows what each step means there, and when a Redis is to be given up.

Each step is one command; what Redis has none for is a small script. Every key is written with an expiry. Nothing is
tried twice. Waiting for one of our own connections is not bounded and is no failure; from then on steps take a few
seconds at most.
"""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import suppress
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

from . import steps
from .base import CounterLostError, StateStore, StateStoreError
from .redis_client import Lookup, connect_later

MAX_CONNECTIONS = 16
CLOSING_WAIT = 0.2

# SCAN walks the whole database, which may hold other programs' millions of keys: no more than these are looked at.
SCAN_STEPS = 10
SCAN_STEP_SIZE = 1000

Command: TypeAlias = tuple[str | bytes | int, ...]
"""Name and arguments."""
_log = logging.getLogger(__name__)

_DELETE_EXPECTED = """
local gone = 0
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then gone = gone + redis.call('DEL', key) end
end
return gone
"""
_RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""
_HOLD = """
if redis.call('PTTL', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return 1
"""
_RAISE = """
local held = redis.call('GET', KEYS[1])
if not held or tonumber(held) < tonumber(ARGV[1]) then
  local left = redis.call('PTTL', KEYS[1])
  redis.call('SET', KEYS[1], ARGV[1], 'PX', left > 0 and left or ARGV[2])
  return tonumber(ARGV[1])
end
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return tonumber(held)
"""
# What was counted beyond the ceiling. A counter that was flushed or restored meanwhile is not beyond it any more.
_TAKE_BACK = """
local held = redis.call('GET', KEYS[1])
if held and tonumber(held) > tonumber(ARGV[2]) then redis.call('DECRBY', KEYS[1], ARGV[1]) end
"""


class RedisStore(StateStore):
    """A `StateStore` on `redis://` or `rediss://`; `url` has passed `check_url`. Connects on first use.

    No error's text holds the password.
    """

    shared = True
    holds_secrets = True

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._where = f"{parts.scheme} at {parts.hostname}:{parts.port or 6379}"
        self._password = unquote(parts.password or "")
        self._lookup = Lookup(parts.hostname or "")
        self._client, self._errors, self._forbidden = connect_later(url, self._lookup)
        self._free = asyncio.Semaphore(MAX_CONNECTIONS)
        self._under_way: set[asyncio.Task[Any]] = set()
        self._failed_at = 0.0
        self._failure = ""
        self._may_scan = True

    async def run(self, *todo: steps.Step[Any]) -> list[Any]:
        """See `StateStore.run`.

        In a database of more than 10,000 keys `Find` may miss some. For a user that may not SCAN it finds nothing: said
        once in the log, and no reason to do without Redis.
        """
        # Steps whose caller is cancelled run to their own end, which is near. Cut off in the middle they could leave
        # a connection with an unread answer, or lost to the pool.
        task = asyncio.create_task(self._run(todo))
        self._under_way.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def describe(self) -> str:
        """What holds the state, in words and without credentials."""
        return self._where

    async def aclose(self) -> None:
        """See `StateStore.aclose`. Waits a little for what is under way, then closes all connections."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=CLOSING_WAIT)
            for task in late:
                task.cancel()
        try:
            await self._client.aclose(close_connection_pool=True)
        except self._errors as error:
            raise StateStoreError(self._reason(error)) from None

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # seen, also when nobody waits for it any more

    async def _run(self, todo: tuple[steps.Step[Any], ...]) -> list[Any]:
        now = asyncio.get_running_loop().time
        asked_at = now()
        # Waiting for a connection is done here: redis-py's own blocking pool holds a lock while it connects.
        async with self._free:
            if asked_at < self._failed_at:  # whoever waited behind the one that failed need not wait as long again
                raise StateStoreError(self._failure)
            try:
                await self._lookup.look_up()
                match todo[0]:
                    case steps.Increment() as increment:
                        return [await self._count(increment)]
                    case steps.Find() as find:
                        return [await self._find(find)]
                    case _:
                        replies = await self._send(*(_command(step, now()) for step in todo))
                        return [_result(step, reply) for step, reply in zip(todo, replies, strict=True)]
            except self._forbidden as error:
                raise StateStoreError(self._reason(error)) from None
            except (*self._errors, TimeoutError) as error:
                self._failed_at, self._failure = now(), self._reason(error)
                self._lookup.address = None  # the name may mean another machine now
                # The others have most likely failed too; each would cost an operation to learn.
                with suppress(*self._errors):
                    await self._client.connection_pool.disconnect(inuse_connections=False)
                raise StateStoreError(self._failure) from None

    async def _send(self, *commands: Command) -> list[Any]:
        """The reply to each command, sent together."""
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        for fault in replies:
            if isinstance(fault, Exception):
                raise fault
        return replies

    def _reason(self, error: Exception) -> str:
        text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        return text.replace(self._password, "***") if self._password else text

    async def _count(self, step: steps.Increment) -> int | None:
        """One command where nothing stands against it: what speaks against it is dealt with afterwards."""
        (key,) = step.keys
        (total,) = await self._send(("INCRBY", key, step.amount))
        before = total - step.amount
        if before == 0:  # a key that was just made has no expiry yet
            await self._send(("EVAL", _RAISE, 1, key, 0, _milliseconds(step.ttl)))
        if before < step.least:
            # What was added is left: taken back from a counter that others have restored by now, it would be missing.
            raise CounterLostError(f"{before} instead of {step.least} or more")
        if step.ceiling is None or total <= step.ceiling:
            return total
        await self._send(("EVAL", _TAKE_BACK, 1, key, step.amount, step.ceiling))
        return None

    async def _find(self, step: steps.Find) -> list[str]:
        found: set[str] = set()
        cursor: Any = 0
        pattern = "".join(f"\\{char}" if char in "*?[]\\" else char for char in step.keys[0]) + "*"
        for _ in range(SCAN_STEPS if self._may_scan else 0):
            try:
                ((cursor, batch),) = await self._send(("SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_STEP_SIZE))
            except self._forbidden as error:
                self._may_scan = False
                _log.warning("Redis refuses a command; no key can be found without it: %s.", self._reason(error))
                break
            found.update(key.decode("ascii", "replace") for key in batch)
            if not cursor or len(found) >= step.limit:
                break
        return sorted(found)[: max(0, step.limit)]


def _command(step: steps.Step[Any], now: float) -> Command:  # noqa: PLR0911 - one for each kind of step
    """`now`: on the event loop's clock, as it is sent."""
    match step:
        case steps.Read(keys=(key,)):
            return "GET", key
        case steps.Read(keys=keys):
            return "MGET", *keys
        case steps.Write(keys=(key,), value=value, ttl=ttl, only_if_absent=only_if_absent):
            return "SET", key, value, "PX", _milliseconds(ttl), *(("NX",) if only_if_absent else ())
        case steps.Renew(keys=(key,), value=value, ttl=ttl):
            return "EVAL", _RENEW, 1, key, value, _milliseconds(ttl)
        case steps.Hold(keys=(key,), ttl=ttl):
            return "EVAL", _HOLD, 1, key, _milliseconds(ttl)
        case steps.Remaining(keys=(key,)):
            return "PTTL", key
        case steps.Delete(keys=keys, expected=bytes(expected), sure_until=until) if until <= now:
            return "EVAL", _DELETE_EXPECTED, len(keys), *keys, expected
        case steps.Delete(keys=keys):
            return "DEL", *keys
        case steps.RaiseTo(keys=(key,), least=least, ttl=ttl):
            return "EVAL", _RAISE, 1, key, least, _milliseconds(ttl)
        case _:
            raise TypeError(f"not among other steps: {step!r}")


def _result(step: steps.Step[Any], reply: Any) -> Any:
    match step:
        case steps.Read(keys=(_,)):
            return [reply]
        case steps.Read() | steps.RaiseTo():
            return reply
        case steps.Remaining():
            return max(0, reply) / 1000
        case _:
            return bool(reply)


def _milliseconds(ttl: float) -> int:
    return max(1, math.ceil(ttl * 1000))
