"""What `doctor` can tell without a request: packages, configuration, credentials, whom it would ask, the store."""

from __future__ import annotations

import asyncio
import difflib
import platform
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from tiktok_pinned_videos.environment import SettingsError
from tiktok_pinned_videos.settings import DEFAULT_BASE_URL, Settings, load_settings
from tiktok_pinned_videos.state.base import StateStoreError
from tiktok_pinned_videos.state.open import open_store

from .findings import Finding, Mark
from .trial import requests

_PACKAGES: Final = ("tiktok-pinned-videos-mcp", "mcp", "httpx", "pydantic", "click", "uvicorn")
_EXTRAS: Final = {"redis": "redis", "otel": "opentelemetry-sdk"}
_PATIENCE: Final = 2.0
"""Seconds for closing what was opened."""


async def examine(env: Mapping[str, str], *, sandbox: bool, offline: bool) -> AsyncIterator[Finding]:
    """Every check, in the order in which a set-up is made; the last ones, unless `offline`, send a request."""
    yield Finding(Mark.OK, "Python", f"{platform.python_version()} on {platform.system()}, {sys.executable}")
    yield _packages()
    settings, faults = _settings(env, sandbox=sandbox)
    for finding in _configuration(env, faults):
        yield finding
    yield _credentials(env, settings, faults)
    yield _base_url(settings)
    if "TIKTOK_STATE" in faults:
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
    async for finding in requests(settings):
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


def _settings(env: Mapping[str, str], *, sandbox: bool) -> tuple[Settings, dict[str, str]]:
    """The settings without the malformed values, and by variable what is wrong with those."""
    rest, faults = dict(env), dict[str, str]()
    while True:
        try:
            return load_settings(rest, sandbox=sandbox), faults
        except SettingsError as fault:
            faults[fault.variable] = str(fault)
            if rest.pop(fault.variable, None) is None:
                # The one variable that has to be set by somebody: by those without a home folder.
                rest["TIKTOK_STATE"] = "memory:"


def _configuration(env: Mapping[str, str], faults: Mapping[str, str]) -> Iterator[Finding]:
    for fault in faults.values():
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
            return "memory:" if key == "TIKTOK_STATE" else default

    asked = Asked()
    load_settings(asked)
    return list(asked)


def _credentials(env: Mapping[str, str], settings: Settings, faults: Mapping[str, str]) -> Finding:
    subject = "credentials"
    if settings.sandbox:
        return Finding(Mark.OK, subject, "none needed in the sandbox.")
    if "TIKTOK_CLIENT_SECRET_FILE" in faults:
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
    if raw.startswith(("$", "{")):
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
    store = open_store(settings.state, prefix=f"{settings.namespace}:")
    try:
        await store.check()
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


def _why_nothing_is_sent(settings: Settings, faults: Mapping[str, str], *, offline: bool) -> str:
    if offline:
        return "nothing sent (--offline)."
    # A request to a default in place of what was meant would take the credentials where they should not go.
    if faults:
        return "nothing sent before the configuration is put right."
    if not settings.configured:
        return "nothing sent without credentials."
    return ""
