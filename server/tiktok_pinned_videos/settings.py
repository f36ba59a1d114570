"""Read the environment into frozen settings: names, ranges and defaults. No message and no repr shows a secret.

`environment` parses single variables.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, cast
from urllib.parse import urlsplit

from .about import how_to_add
from .environment import Environment, SettingsError, accepted_by, flag, listed, number, one_of, plain
from .hosts import is_loopback, parse_host, parse_origin
from .state.open import check_url

DEFAULT_BASE_URL: Final = "https://open.tiktokapis.com"
SANDBOX_BASE_URL: Final = "https://sandbox.invalid"
"""A placeholder that is never resolved: the sandbox answers in this process."""
_FIFTEEN_DAYS: Final = 15 * 86_400.0
"""Longest time that data may be kept (TikTok's Research Tools terms, 2023)."""
_PLACEHOLDER: Final = re.compile(
    r"<.*>|x{3,}|\*{3,}|\.{3,}|your[-_ ].*|undefined|null|none|change[-_ ]?me|placeholder|todo", re.IGNORECASE
)
_VARIABLE: Final = re.compile(r"\$\{[^}]*\}|\{\{[^}]*\}\}|\$env:\w+|\$[A-Za-z_]\w*|%[A-Za-z_]\w*%")

Channels = Literal["both", "text"]
"""The channels of a result: text and structured data, or text only."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the program. Times are in seconds."""

    client_key: str = field(default="", repr=False)
    client_secret: str = field(default="", repr=False)
    sandbox: bool = False
    api_base_url: str = DEFAULT_BASE_URL
    timeout: float = 30.0
    max_concurrency: int = 8
    cache_ttl: float = 300.0
    daily_quota: int = 1000
    history_days: int = 15
    """Whole days; 0 keeps no history."""
    caller_quota: int = 0
    """Requests per day that one caller may cause over HTTP; 0: no limit."""
    state: str = "memory:"
    result_channels: Channels = "both"
    log_level: str = ""
    """Empty: the command's own default."""
    log_format: Literal["text", "json"] = "text"
    bearer_token: str = field(default="", repr=False)
    jwt_issuer: str = ""
    jwt_audience: str = ""
    jwks_url: str = ""
    jwt_required_scopes: tuple[str, ...] = ()
    public_url: str = ""
    """URL of the endpoint as clients see it; empty: the audience if it is a URL, else from host and port."""
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()

    @property
    def configured(self) -> bool:
        """Whether requests can be sent: credentials are set, or the sandbox is used."""
        return self.sandbox or bool(self.client_key and self.client_secret)

    @property
    def base_url(self) -> str:
        """The API's URL."""
        return SANDBOX_BASE_URL if self.sandbox else self.api_base_url

    @property
    def credentials(self) -> tuple[str, str]:
        """Client key and secret; the sandbox accepts any."""
        return ("sandbox", "sandbox") if self.sandbox else (self.client_key, self.client_secret)

    @property
    def namespace(self) -> str:
        """The prefix of every key in a store, so that two sources never share an answer, a token or a count."""
        source = f"{self.base_url}\n{self.credentials[0]}".encode()
        # In braces, so that a Redis cluster keeps all keys in one slot.
        return f"tpv:{{{hashlib.sha256(source).hexdigest()[:16]}}}"


def load_settings(env: Mapping[str, str], *, sandbox: bool = False) -> Settings:
    """Read the environment. `sandbox` is the command line's `--sandbox`. Raises `SettingsError`."""
    read = Environment(env, secrets=("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET", "MCP_BEARER_TOKEN")).read
    in_sandbox = sandbox or read("TIKTOK_SANDBOX", False, flag)
    read("TIKTOK_INSTANT", True, flag)  # used before there are settings; here it is only checked
    secret = "" if in_sandbox else read("TIKTOK_CLIENT_SECRET", "", _credential)
    secret = secret if secret or in_sandbox else read("TIKTOK_CLIENT_SECRET_FILE", "", _secret_in)
    url = accepted_by(_check_url, "should be the https URL of a host and at most a path (plain http only on loopback)")
    host = accepted_by(parse_host, "should be host, host:port or host:*, separated by commas")
    origin = accepted_by(parse_origin, "should be full origins such as https://app.example.org or vscode-webview://*")
    level = read("LOG_LEVEL", "", one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "WARN"))
    return Settings(
        client_key=read("TIKTOK_CLIENT_KEY", "", _credential),
        client_secret=secret,
        sandbox=in_sandbox,
        api_base_url=read("TIKTOK_API_BASE_URL", DEFAULT_BASE_URL, url).rstrip("/"),
        timeout=read("TIKTOK_TIMEOUT", 30.0, number(1.0, 240.0, "seconds")),
        max_concurrency=read("TIKTOK_MAX_CONCURRENCY", 8, number(1, 32)),
        cache_ttl=read("TIKTOK_CACHE_TTL", 300.0, number(0.0, _FIFTEEN_DAYS, "seconds")),
        daily_quota=read("TIKTOK_DAILY_QUOTA", 1000, number(1, 1_000_000_000)),
        history_days=read("TIKTOK_HISTORY_DAYS", 15, number(0, 15)),
        caller_quota=read("MCP_CALLER_QUOTA", 0, number(1, 1_000_000_000)),
        state=read("TIKTOK_STATE", "", _state) or ("memory:" if in_sandbox else _default_state()),
        result_channels=cast("Channels", read("MCP_RESULT_CHANNELS", "both", one_of("both", "text"))),
        log_level="WARNING" if level == "WARN" else level,
        log_format=cast('Literal["text", "json"]', read("LOG_FORMAT", "text", one_of("text", "json"))),
        bearer_token=read("MCP_BEARER_TOKEN", "", _bearer),
        jwt_issuer=read("MCP_JWT_ISSUER", "", url),
        jwt_audience=read("MCP_JWT_AUDIENCE", "", accepted_by(_check_audience, "should be a URL or other text")),
        jwks_url=read("MCP_JWKS_URL", "", url),
        jwt_required_scopes=read("MCP_JWT_REQUIRED_SCOPES", (), listed(str)),
        public_url=read("MCP_PUBLIC_URL", "", url),
        allowed_hosts=read("MCP_ALLOWED_HOSTS", (), listed(host)),
        allowed_origins=read("MCP_ALLOWED_ORIGINS", (), listed(origin)),
    )


def _credential(value: str) -> str:
    if not value.isprintable():
        raise ValueError("should be one line of text without control characters")
    return "" if _PLACEHOLDER.fullmatch(value) else value


def _secret_in(path: str) -> str:
    try:
        with Path(path).expanduser().open(encoding="utf-8-sig") as file:
            content = plain(file.read(4096))
        if content.isprintable():
            return _credential(content)
        why = "has several lines or control characters"
    except UnicodeDecodeError:
        why = "is not UTF-8 text"
    except (OSError, ValueError, RuntimeError) as fault:  # RuntimeError: ~ without a home folder
        why = f"cannot be read ({(getattr(fault, 'strerror', None) or 'not a path').lower()})"
    raise ValueError(f"should be the path of a text file with the client secret, but that file {why}")


def _bearer(token: str) -> str:
    if len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("should be at least 16 printable ASCII characters without spaces")
    return "" if token == "your-bearer-token" else token  # noqa: S105 - as `doctor --client` prints it


def _check_audience(text: str) -> None:
    # It may be any text. If it is a URL, it is also the endpoint's address in the metadata for clients.
    if urlsplit(text).scheme in ("http", "https"):
        parse_host(urlsplit(text).netloc)


def _state(url: str) -> str:
    scheme, _, path = url.partition(":///")
    is_file = scheme.lower() == "sqlite"
    if is_file and path.startswith("~"):
        try:
            url = f"sqlite:///{Path(path).expanduser().as_posix()}"
        except RuntimeError:
            raise ValueError("should be a path without ~, because this user has no home folder") from None
    if _VARIABLE.search(url) if is_file else re.search(r"\$\{|\{\{", url):
        raise ValueError("should be a URL without variables, which are not expanded here: write the path itself")
    check_url(url)
    if url.lower().startswith("redis") and find_spec("redis") is None:
        raise ValueError(f"needs the client library of Redis, which is not installed; {how_to_add('redis')}")
    return url


def _default_state() -> str:
    from platformdirs import user_state_path

    # Without HOME and an entry for the user, platformdirs raises or keeps the ~, depending on its version.
    try:
        path = user_state_path("tiktok-pinned-videos-mcp", appauthor=False) / "state.sqlite3"
    except (RuntimeError, KeyError, OSError):
        path = Path("~")
    if str(path).startswith("~"):
        raise SettingsError(
            "TIKTOK_STATE",
            "is not set, and this user has no home folder to keep state in; set it to memory: or to the path of a "
            "file, as in sqlite:////var/lib/tiktok/state.sqlite3.",
        )
    return f"sqlite:///{path.as_posix()}"


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    parse_host(parts.netloc)
    allowed = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not allowed or parts.query or parts.fragment or re.search(r"\s", url):
        raise ValueError("not such a URL")
