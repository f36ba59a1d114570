"""Entries in a Redis that a fleet shares. Knows what each step means there; how commands are sent is `redis_link`'s.

Each step is one command; what Redis has none for is a small script. Every key is written with an expiry.
"""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any

from . import steps
from .base import CounterLostError, StateStore
from .redis_link import Command, ForbiddenError, RedisLink

# SCAN walks the whole database, which may hold other programs' millions of keys: no more than these are looked at.
SCAN_STEPS = 10
SCAN_STEP_SIZE = 1000

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
    """A `StateStore` on `redis://` or `rediss://`; `url` has passed `check_url`. Connects on first use."""

    shared = True
    holds_secrets = True

    def __init__(self, url: str) -> None:
        self._link = RedisLink(url)
        self._may_scan = True

    async def run(self, *todo: steps.Step[Any]) -> list[Any]:
        """See `StateStore.run`.

        In a database of more than 10,000 keys `Find` may miss some. For a user that may not SCAN it finds nothing: said
        once in the log, and no reason to do without Redis.
        """
        if isinstance(find := todo[0], steps.Find):
            return [await self._find(find)]
        replies = await self._link.run(lambda now: [_command(step, now) for step in todo])
        if isinstance(increment := todo[0], steps.Increment):
            return [await self._counted(increment, replies[0])]
        return [_result(step, reply) for step, reply in zip(todo, replies, strict=True)]

    def describe(self) -> str:
        """What holds the state, in words and without credentials."""
        return self._link.describe()

    async def aclose(self) -> None:
        """See `StateStore.aclose`."""
        await self._link.aclose()

    async def _counted(self, step: steps.Increment, total: int) -> int | None:
        """One command where nothing stands against it: what speaks against it is dealt with afterwards."""
        (key,), before = step.keys, total - step.amount
        if before == 0:  # a key that was just made has no expiry yet
            await self.raise_to(key, 0, ttl=step.ttl)
        if before < step.least:
            # What was added is left: taken back from a counter that others have restored by now, it would be missing.
            raise CounterLostError(f"{before} instead of {step.least} or more")
        if step.ceiling is None or total <= step.ceiling:
            return total
        await self._link.run(lambda _: [("EVAL", _TAKE_BACK, 1, key, step.amount, step.ceiling or 0)])
        return None

    async def _find(self, step: steps.Find) -> list[str]:
        found: set[str] = set()
        cursor: Any = 0
        pattern = "".join(f"\\{char}" if char in "*?[]\\" else char for char in step.keys[0]) + "*"
        for _ in range(SCAN_STEPS if self._may_scan else 0):
            scan: Command = ("SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_STEP_SIZE)
            try:
                ((cursor, batch),) = await self._link.run(lambda _, scan=scan: [scan])
            except ForbiddenError as error:
                self._may_scan = False
                _log.warning("Redis refuses a command; no key can be found without it: %s.", error)
                break
            found.update(key.decode("ascii", "replace") for key in batch)
            if not cursor or len(found) >= step.limit:
                break
            await asyncio.sleep(0)
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
        case steps.Increment(keys=(key,), amount=amount):
            return "INCRBY", key, amount
        case steps.RaiseTo(keys=(key,), least=least, ttl=ttl):
            return "EVAL", _RAISE, 1, key, least, _milliseconds(ttl)
        case _:
            raise TypeError(f"not among other steps: {step!r}")


def _result(step: steps.Step[Any], reply: Any) -> Any:
    match step:
        case steps.Read(keys=(_,)):
            return [reply]
        case steps.Write():
            return bool(reply)
        case steps.Renew() | steps.Delete() | steps.Hold():
            return reply > 0
        case steps.Remaining():
            return max(0, reply) / 1000
        case _:
            return reply


def _milliseconds(ttl: float) -> int:
    return max(1, math.ceil(ttl * 1000))
