"""`doctor`: checks what a working set-up needs, a line each, with what to do. Shows no secret, whatever is wrong."""

from __future__ import annotations

import asyncio
import difflib
import platform
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import click

from tiktok_pinned_videos.app import build_service
from tiktok_pinned_videos.environment import SettingsError
from tiktok_pinned_videos.research.errors import Status, TikTokError
from tiktok_pinned_videos.serve.logs import configure_logging
from tiktok_pinned_videos.settings import DEFAULT_BASE_URL, Settings, load_settings
from tiktok_pinned_videos.state.base import StateStore, StateStoreError
from tiktok_pinned_videos.state.open import open_store
from tiktok_pinned_videos.surface.words import reason

from .clients import configuration, instructions, this_program

if TYPE_CHECKING:
    from tiktok_pinned_videos.accounts.service import PinnedVideosService

ACCOUNT: Final = "tiktok"
"""Whom the one request is about: TikTok's own account."""
_PACKAGES: Final = ("tiktok-pinned-videos-mcp", "mcp", "httpx", "pydantic", "click", "uvicorn")
_EXTRAS: Final = {"redis": "redis", "otel": "opentelemetry-sdk"}
_PATIENCE: Final = 2.0
"""Seconds for closing what was opened."""


class Mark(StrEnum):
    """How a line begins."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"
    NEXT = "..."
    """Said before something is sent."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line."""

    mark: Mark
    subject: str
    found: str
    to_do: str = ""

    def __str__(self) -> str:
        return f"{self.mark:<5} {self.said}"

    @property
    def said(self) -> str:
        """The line without its mark."""
        return f"{self.subject}: {self.found} {self.to_do}".rstrip()


def run(env: Mapping[str, str], *, sandbox: bool, offline: bool, client: str | None) -> None:
    """Print the findings, or the configuration of `client` alone, and end with 0 or 1."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="replace")
    if client is not None:
        click.echo(instructions(client, sandbox=sandbox), err=True)
        click.echo(configuration(client, this_program(), sandbox=sandbox))
        return
    # What goes wrong is said in the findings, once.
    configure_logging("CRITICAL", "text")
    try:
        failed = asyncio.run(_examine(env, sandbox=sandbox, offline=offline))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    raise SystemExit(1 if failed else 0)


def _printer() -> Callable[[Finding], None]:
    """Lines as they are, and on a terminal by the hand that draws the tables."""
    if not sys.stdout.isatty():
        return lambda finding: click.echo(str(finding))
    from .cards import Cards  # noqa: PLC0415 - only a terminal pays for it

    cards = Cards()
    return lambda finding: cards.finding(finding.mark, finding.said)


async def _examine(env: Mapping[str, str], *, sandbox: bool, offline: bool) -> bool:
    say = _printer()
    failed = False
    try:
        async for finding in _findings(env, sandbox=sandbox, offline=offline):
            say(finding)
            failed = failed or finding.mark is Mark.FAIL
    except Exception as fault:  # what an unforeseen error says may be anything, a secret too
        say(Finding(Mark.FAIL, "doctor", f"stopped by a {type(fault).__name__}.", "Please report it."))
        return True
    return failed


async def _findings(env: Mapping[str, str], *, sandbox: bool, offline: bool) -> AsyncIterator[Finding]:
    yield Finding(Mark.OK, "Python", f"{platform.python_version()} on {platform.system()}, {sys.executable}")
    yield _packages()
    settings, faults = _settings(env, sandbox=sandbox)
    for finding in _configuration(env, faults):
        yield finding
    yield _credentials(env, settings, faults)
    yield _base_url(settings)
    if any(fault.startswith("TIKTOK_STATE ") for fault in faults):
        yield Finding(Mark.SKIP, "state store", "not tried before TIKTOK_STATE is put right.")
    elif offline and settings.state.startswith("redis"):
        yield Finding(Mark.SKIP, "state store", "Redis not asked (--offline).")
    else:
        yield await _state(settings)
    why_not = _why_nothing_is_sent(settings, faults, offline=offline)
    if why_not:
        yield Finding(Mark.SKIP, "token", why_not)
        yield Finding(Mark.SKIP, "endpoint", why_not)
        return
    async for finding in _requests(settings):
        yield finding


def _packages() -> Finding:
    here = [f"{name} {_version(name)}" for name in _PACKAGES]
    extras = [f"{extra} ({_version(name) or 'not installed'})" for extra, name in _EXTRAS.items()]
    return Finding(Mark.OK, "packages", f"{', '.join(here)}; extras: {', '.join(extras)}")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _settings(env: Mapping[str, str], *, sandbox: bool) -> tuple[Settings, list[str]]:
    """The settings without the malformed values, and what is wrong with each of those."""
    rest, faults = dict(env), list[str]()
    while True:
        try:
            return load_settings(rest, sandbox=sandbox), faults
        except SettingsError as fault:
            faults.append(str(fault))
            if rest.pop(str(fault).split(" ", 1)[0], None) is None:
                rest.clear()


def _configuration(env: Mapping[str, str], faults: list[str]) -> Iterator[Finding]:
    for fault in faults:
        yield Finding(Mark.FAIL, "configuration", fault)
    known = _known_variables()
    ours = [name for name in env if name in known]
    for name in sorted(name for name in env if name.startswith("TIKTOK_") and name not in known):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        yield Finding(Mark.WARN, "configuration", f"{name} is no variable of this server.", f"Did you mean {near[0]}?")
    if not faults:
        found = f"set: {', '.join(sorted(ours))}" if ours else "no variable set, all defaults"
        yield Finding(Mark.OK, "configuration", found)


def _known_variables() -> list[str]:
    class Asked(dict[str, str]):
        """An empty environment that notes what it is asked for."""

        def get(self, key: str, default: str = "", /) -> str:  # pyright: ignore[reportIncompatibleMethodOverride] - all callers give a text
            self[key] = ""
            return default

    asked = Asked()
    load_settings(asked)
    return list(asked)


def _credentials(env: Mapping[str, str], settings: Settings, faults: list[str]) -> Finding:
    subject = "credentials"
    if settings.sandbox:
        return Finding(Mark.OK, subject, "none needed in the sandbox.")
    if any(fault.startswith("TIKTOK_CLIENT_SECRET_FILE ") for fault in faults):
        return Finding(Mark.FAIL, subject, "the file with the secret cannot be read.", "See configuration above.")
    if settings.configured:
        given = env.get("TIKTOK_CLIENT_SECRET", "").strip()
        # The variable wins over the file, unless it is empty or a placeholder.
        secret = "TIKTOK_CLIENT_SECRET" if settings.client_secret == given else "TIKTOK_CLIENT_SECRET_FILE"
        return Finding(Mark.OK, subject, f"key from TIKTOK_CLIENT_KEY, secret from {secret} (not shown).")
    lacking = [
        _lack(env, name)
        for name, value in (
            ("TIKTOK_CLIENT_KEY", settings.client_key),
            ("TIKTOK_CLIENT_SECRET", settings.client_secret),
        )
        if not value
    ]
    return Finding(
        Mark.FAIL,
        subject,
        f"{'; '.join(lacking)}.",
        "Set them to the client key and secret of an approved Research API project, or use --sandbox.",
    )


def _lack(env: Mapping[str, str], name: str) -> str:
    raw = env.get(name, "").strip()
    if not raw:
        with_file = name == "TIKTOK_CLIENT_SECRET" and env.get("TIKTOK_CLIENT_SECRET_FILE", "").strip()
        return f"{name} is not set" + (" and TIKTOK_CLIENT_SECRET_FILE holds no secret" if with_file else "")
    if raw.startswith("$"):
        return f"{name} holds a variable's name that was passed on literally: that variable is not set"
    return f"{name} still holds the placeholder of an example"


def _base_url(settings: Settings) -> Finding:
    subject = "base URL"
    if settings.sandbox:
        return Finding(Mark.OK, subject, "the embedded sandbox: invented data, nothing leaves this machine.")
    url = urlsplit(settings.base_url)
    via = ""
    if not proxy_bypass(url.hostname or "") and (proxy := getproxies().get(url.scheme)):
        via = f", through the proxy {urlsplit(proxy).hostname or '(unreadable)'}"
    if settings.base_url == DEFAULT_BASE_URL:
        return Finding(Mark.OK, subject, f"{settings.base_url}{via}")
    return Finding(
        Mark.WARN,
        subject,
        f"{settings.base_url}{via} is not TikTok's.",
        "Unset TIKTOK_API_BASE_URL unless you mean it.",
    )


async def _state(settings: Settings) -> Finding:
    store: StateStore = open_store(settings.state)
    try:
        await store.ping()
    except StateStoreError as fault:
        return Finding(
            Mark.FAIL,
            "state store",
            f"{store.describe()} is degraded: {str(fault).rstrip('.')}.",
            "The server would go on from memory, shared with nobody; put it right, or set TIKTOK_STATE.",
        )
    else:
        return Finding(Mark.OK, "state store", f"{store.describe()}, works.")
    finally:
        async with asyncio.timeout(_PATIENCE):
            await store.aclose()


def _why_nothing_is_sent(settings: Settings, faults: list[str], *, offline: bool) -> str:
    if offline:
        return "nothing sent (--offline)."
    # A request to a default in place of what was meant would take the credentials where they should not go.
    if faults:
        return "nothing sent before the configuration is put right."
    if not settings.configured:
        return "nothing sent without credentials."
    return ""


async def _requests(settings: Settings) -> AsyncIterator[Finding]:
    service = build_service(settings)
    try:
        quota = await service.quota()
        cost = "" if settings.sandbox else ", which counts as one of today's quota"
        yield Finding(
            Mark.NEXT,
            "endpoint",
            f"asking for a token and sending one research request about @{ACCOUNT}{cost} "
            f"({quota.used} of {quota.quota} used so far).",
        )
        error: TikTokError | None = None
        pinned = 0
        try:
            pinned = len((await service.ask(ACCOUNT, ("id",))).snapshot.videos)
        except TikTokError as fault:
            error = fault
        yield _token(service, error)
        yield _endpoint(service, error, pinned)
    finally:
        await service.aclose()


def _token(service: PinnedVideosService, error: TikTokError | None) -> Finding:
    # A research request is only sent with a token, so one that was sent, or a token at hand, says enough.
    if error is None or error.requests or service.token is not None:
        left = "" if service.token is None else _minutes(service.token.expires_at - time.time())
        return Finding(Mark.OK, "token", f"TikTok gave one{left}.")
    return Finding(Mark.FAIL, "token", f"{error.status}: {reason(error)}")


def _minutes(seconds: float) -> str:
    return f", good for {max(0, round(seconds / 60))} minutes"


def _endpoint(service: PinnedVideosService, error: TikTokError | None, pinned: int) -> Finding:
    subject = "endpoint"
    if error is None:
        return Finding(Mark.OK, subject, f"answered: @{ACCOUNT} has {pinned or 'no'} pinned videos.")
    if not error.requests and service.token is None:
        return Finding(Mark.SKIP, subject, "nothing sent without a token.")
    said = f"{error.status}: {reason(error)}"
    match error.status:
        case Status.NOT_FOUND | Status.REFUSED:
            # About this account; the endpoint itself works.
            return Finding(Mark.OK, subject, f"answered about @{ACCOUNT}: {said}")
        case Status.QUOTA_EXCEEDED | Status.RATE_LIMITED:
            return Finding(Mark.WARN, subject, said)
        case _:
            return Finding(Mark.FAIL, subject, said)
