"""The checks of `doctor`: installation, configuration, credentials, network, state store, and one research request."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Final

from tiktok_pinned_videos.about import how_to_add
from tiktok_pinned_videos.app import build_service
from tiktok_pinned_videos.environment import SettingsError
from tiktok_pinned_videos.observability.telemetry import drop_unusable
from tiktok_pinned_videos.presentation.text import reason
from tiktok_pinned_videos.research.errors import Status, TikTokError
from tiktok_pinned_videos.research.network import network_transport
from tiktok_pinned_videos.service.service import PinnedVideosService
from tiktok_pinned_videos.settings import DEFAULT_BASE_URL, Settings, load_settings
from tiktok_pinned_videos.state.base import StateStoreError

_PACKAGES: Final = ("tiktok-pinned-videos-mcp", "mcp", "httpx", "pydantic", "click", "uvicorn")
_EXTRAS: Final = {"redis": "redis", "otel": "opentelemetry-sdk"}
_ACCOUNT: Final = "tiktok"
"""The account of the research request: TikTok's own."""


class Mark(StrEnum):
    """The first word of a line. `NEXT` announces a request."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"
    NEXT = "..."


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: a mark, a subject, what was found and what to do."""

    mark: Mark
    subject: str
    found: str
    to_do: str = ""

    def __str__(self) -> str:
        return f"{self.mark:<5} {self.subject}: {self.found} {self.to_do}".rstrip()


_MARKS: Final = {
    Status.NOT_FOUND: Mark.OK, Status.REFUSED: Mark.OK,  # about this account; the endpoint itself works
    Status.QUOTA_EXCEEDED: Mark.WARN, Status.RATE_LIMITED: Mark.WARN,
}  # fmt: skip


async def examine(env: Mapping[str, str], *, sandbox: bool, offline: bool) -> AsyncIterator[Finding]:
    """Run every check, in the order of setting up the program. The last ones send a request, unless `offline`."""
    yield Finding(Mark.OK, "Python", f"{platform.python_version()} on {platform.system()}, {sys.executable}")
    packages = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    extras = ", ".join(f"{extra} ({_version(name) or 'not installed'})" for extra, name in _EXTRAS.items())
    yield Finding(Mark.OK, "packages", f"{packages}; extras: {extras}")
    settings, faults = _settings(env, sandbox=sandbox)
    for finding in _configuration(env, faults):
        yield finding
    yield _credentials(env, settings, faults)
    network = _network(settings)
    yield network
    service = build_service(settings)
    try:
        yield await _state(service, settings, faults, offline=offline)
        obstacle = _obstacle(settings, faults, network, offline=offline)
        if obstacle:
            yield Finding(Mark.SKIP, "token", obstacle)
            yield Finding(Mark.SKIP, "endpoint", obstacle)
            return
        async for finding in _request(service, sandbox=settings.sandbox):
            yield finding
    finally:
        await service.aclose()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _settings(env: Mapping[str, str], *, sandbox: bool) -> tuple[Settings, dict[str, str]]:
    """The settings without the malformed values, and what is wrong with those, by variable."""
    rest, faults = dict(env), dict[str, str]()
    while True:
        try:
            return load_settings(rest, sandbox=sandbox), faults
        except SettingsError as fault:
            faults[fault.variable] = str(fault)
            if rest.pop(fault.variable, None) is None:
                # TIKTOK_STATE is required if the user has no home folder.
                rest["TIKTOK_STATE"] = "memory:"


def _configuration(env: Mapping[str, str], faults: Mapping[str, str]) -> Iterator[Finding]:
    for fault in faults.values():
        yield Finding(Mark.FAIL, "configuration", fault)
    for warning in drop_unusable(dict(env)):
        yield Finding(Mark.WARN, "configuration", warning)
    exports = [name for name in env if name.startswith("OTEL_") and name.endswith(("_ENDPOINT", "_EXPORTER"))]
    if exports and find_spec("opentelemetry.sdk") is None:
        no_sdk = f"{exports[0]} has no effect without the OpenTelemetry SDK; {how_to_add('otel')}."
        yield Finding(Mark.WARN, "configuration", no_sdk)
    if not faults:
        ours = sorted(name for name in env if name.startswith(("TIKTOK_", "MCP_", "LOG_")))
        found = f"set: {', '.join(ours)}" if ours else "no variable set, all defaults"
        yield Finding(Mark.OK, "configuration", found)


def _credentials(env: Mapping[str, str], settings: Settings, faults: Mapping[str, str]) -> Finding:
    if settings.sandbox:
        return Finding(Mark.OK, "credentials", "none needed in the sandbox.")
    if any(name.startswith("TIKTOK_CLIENT_") for name in faults):
        return Finding(Mark.FAIL, "credentials", "they cannot be read.", "See configuration above.")
    if settings.configured:
        from_file = _is_missing(env, "TIKTOK_CLIENT_SECRET")
        secret = "TIKTOK_CLIENT_SECRET_FILE" if from_file else "TIKTOK_CLIENT_SECRET"
        return Finding(Mark.OK, "credentials", f"key from TIKTOK_CLIENT_KEY, secret from {secret} (not shown).")
    missing = [name for name in ("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET") if _is_missing(env, name)]
    what = [
        f"{name} holds a placeholder or a variable that was not expanded" if env.get(name, "").strip()
        else f"{name} is not set"
        for name in missing
    ]  # fmt: skip
    if env.get("TIKTOK_CLIENT_SECRET_FILE", "").strip() and "TIKTOK_CLIENT_SECRET" in missing:
        what.append("TIKTOK_CLIENT_SECRET_FILE holds no secret")
    return Finding(
        Mark.FAIL, "credentials", f"{'; '.join(what)}.",
        "Set them to the client key and secret of an approved Research API project, or use --sandbox.",
    )  # fmt: skip


def _is_missing(env: Mapping[str, str], name: str) -> bool:
    """Whether the variable's value counts as not configured."""
    other = "TIKTOK_CLIENT_SECRET" if name == "TIKTOK_CLIENT_KEY" else "TIKTOK_CLIENT_KEY"
    return not load_settings({name: env.get(name, ""), other: "any", "TIKTOK_STATE": "memory:"}).configured


def _network(settings: Settings) -> Finding:
    """Whether TikTok is the server, and the variables of proxies and certificates can be used."""
    if settings.sandbox:
        return Finding(Mark.OK, "base URL", "the embedded sandbox: invented data, nothing leaves this machine.")
    try:
        network_transport(settings.base_url)
    except TikTokError as error:
        return Finding(Mark.FAIL, "base URL", f"{settings.base_url} cannot be requested: {reason(error)}")
    if settings.base_url == DEFAULT_BASE_URL:
        return Finding(Mark.OK, "base URL", settings.base_url)
    what = f"{settings.base_url} is not TikTok's."
    return Finding(Mark.WARN, "base URL", what, "Unset TIKTOK_API_BASE_URL unless this is intended.")


async def _state(
    service: PinnedVideosService, settings: Settings, faults: Mapping[str, str], *, offline: bool
) -> Finding:
    if "TIKTOK_STATE" in faults:
        return Finding(Mark.SKIP, "state store", "not checked before TIKTOK_STATE is correct.")
    if offline and settings.state.startswith("redis"):
        return Finding(Mark.SKIP, "state store", "Redis not contacted (--offline).")
    try:
        await service.check_usable()
        await service.store.check()
        return Finding(Mark.OK, "state store", f"{service.store.describe()}, works.")
    except TikTokError as error:
        return Finding(Mark.FAIL, "state store", reason(error))
    except StateStoreError as fault:
        return Finding(
            Mark.FAIL, "state store", f"{service.store.describe()}: {str(fault).rstrip('.')}.",
            "Correct it, or set TIKTOK_STATE.",
        )  # fmt: skip


def _obstacle(settings: Settings, faults: Mapping[str, str], network: Finding, *, offline: bool) -> str:
    """Return the reason why no request is sent; empty if one is."""
    if offline:
        return "nothing sent (--offline)."
    # With a default instead of the intended value, credentials could be sent to the wrong server.
    if faults:
        return "nothing sent before the configuration is correct."
    if not settings.configured:
        return "nothing sent without credentials."
    return "nothing sent before the base URL can be requested." if network.mark is Mark.FAIL else ""


async def _request(service: PinnedVideosService, *, sandbox: bool) -> AsyncIterator[Finding]:
    """Announce one research request, send it, and report on the token and the endpoint."""
    quota = await service.ledger.status()
    cost = "" if sandbox else ", which counts as one of today's quota"
    announced = f"requesting a token and sending one research request about @{_ACCOUNT}{cost}"
    yield Finding(Mark.NEXT, "endpoint", f"{announced} ({quota.used} of {quota.quota} used so far).")
    try:
        pinned = len((await service.fetch_raw(_ACCOUNT, ("id",))).snapshot.videos)
        answered = f"answered: @{_ACCOUNT} has {pinned or 'no'} pinned video{'' if pinned == 1 else 's'}."
        endpoint = Finding(Mark.OK, "endpoint", answered)
    except TikTokError as error:
        said = f"{error.status}: {reason(error)}"
        # A research request is sent only with a token.
        if not error.requests and service.token is None:
            yield Finding(Mark.FAIL, "token", said)
            yield Finding(Mark.SKIP, "endpoint", "nothing sent without a token.")
            return
        mark = _MARKS.get(error.status, Mark.FAIL)
        endpoint = Finding(mark, "endpoint", f"answered about @{_ACCOUNT}: {said}" if mark is Mark.OK else said)
    minutes = round((service.token.expires_at - time.time()) / 60) if service.token else 0
    valid = f", valid for {max(0, minutes)} minutes" if service.token else ""
    yield Finding(Mark.OK, "token", f"{'the sandbox' if sandbox else 'TikTok'} issued one{valid}.")
    yield endpoint
