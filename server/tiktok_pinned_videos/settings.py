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
from urllib.parse import SplitResult, urlsplit

from .about import how_to_add
from .environment import Environment, SettingsError, plain
from .hosts import is_loopback, parse_host, parse_origin
from .state.open import check_url

DEFAULT_BASE_URL: Final = "https://open.tiktokapis.com"
SANDBOX_BASE_URL: Final = "https://sandbox.invalid"
"""A placeholder that is never resolved: the sandbox answers in this process."""
FIFTEEN_DAYS: Final = 15 * 86_400
"""Longest time an answer may be kept (TikTok's Research Tools terms, 2023)."""
MAX_HISTORY_DAYS: Final = 15  # the same for the ids and counts of earlier answers
_PLACEHOLDER: Final = re.compile(
    r"<.*>|x{3,}|\*{3,}|\.{3,}|your[-_ ].*|undefined|null|none|change[-_ ]?me|placeholder|todo", re.IGNORECASE
)
_VARIABLE: Final = re.compile(r"\$\{[^}]*\}|\{\{[^}]*\}\}|\$env:\w+|\$[A-Za-z_]\w*|%[A-Za-z_]\w*%")
_URL_FORM: Final = "should be a URL of scheme, host and at most a path, without credentials"
_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "WARN")

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
    read = Environment(env, secrets=("TIKTOK_CLIENT_SECRET", "MCP_BEARER_TOKEN"))
    in_sandbox = sandbox or read.flag("TIKTOK_SANDBOX")
    read.flag("TIKTOK_INSTANT")  # used before there are settings; here it is only checked
    level = read.choice("LOG_LEVEL", "", _LEVELS)
    return Settings(
        client_key=_credential("TIKTOK_CLIENT_KEY", read.text("TIKTOK_CLIENT_KEY")),
        client_secret="" if in_sandbox else _secret(read),
        sandbox=in_sandbox,
        api_base_url=read.checked("TIKTOK_API_BASE_URL", DEFAULT_BASE_URL, _https_url).rstrip("/"),
        timeout=read.number("TIKTOK_TIMEOUT", 30.0, 1, 240, "seconds"),
        max_concurrency=read.whole("TIKTOK_MAX_CONCURRENCY", 8, 1, 32),
        cache_ttl=read.number("TIKTOK_CACHE_TTL", 300.0, 0, FIFTEEN_DAYS, "seconds"),
        daily_quota=read.whole("TIKTOK_DAILY_QUOTA", 1000, 1, 1_000_000_000),
        history_days=read.whole("TIKTOK_HISTORY_DAYS", MAX_HISTORY_DAYS, 0, MAX_HISTORY_DAYS),
        caller_quota=read.whole("MCP_CALLER_QUOTA", 0, 1, 1_000_000_000),
        state=_state(read, in_sandbox),
        result_channels=cast("Channels", read.choice("MCP_RESULT_CHANNELS", "both", ("both", "text"))),
        log_level="WARNING" if level == "WARN" else level,
        log_format=cast('Literal["text", "json"]', read.choice("LOG_FORMAT", "text", ("text", "json"))),
        bearer_token=_bearer(read),
        jwt_issuer=read.checked("MCP_JWT_ISSUER", "", _https_url),
        jwt_audience=read.checked("MCP_JWT_AUDIENCE", "", _audience),
        jwks_url=read.checked("MCP_JWKS_URL", "", _https_url),
        jwt_required_scopes=read.listed("MCP_JWT_REQUIRED_SCOPES", str),
        public_url=read.checked("MCP_PUBLIC_URL", "", _https_url),
        allowed_hosts=read.listed("MCP_ALLOWED_HOSTS", _host),
        allowed_origins=read.listed("MCP_ALLOWED_ORIGINS", _origin),
    )


def _credential(name: str, value: str) -> str:
    if not value.isprintable():
        raise SettingsError(
            name,
            f"holds {len(value)} characters (not shown) with a line break or another control character among them; it "
            "should be one line of text.",
        )
    return "" if _PLACEHOLDER.fullmatch(value) else value


def _secret(read: Environment) -> str:
    given = _credential("TIKTOK_CLIENT_SECRET", read.text("TIKTOK_CLIENT_SECRET"))
    name = "TIKTOK_CLIENT_SECRET_FILE"
    path = read.text(name)
    if given or not path:
        return given
    try:
        with Path(path).expanduser().open(encoding="utf-8-sig") as file:
            return _credential(name, plain(file.read(4096)))
    except FileNotFoundError:
        why = "which does not exist"
    except UnicodeDecodeError:
        why = "which is not UTF-8 text"
    except (OSError, ValueError, RuntimeError) as fault:  # RuntimeError: ~ without a home folder
        why = f"which cannot be read ({(getattr(fault, 'strerror', None) or 'not a path').lower()})"
    should = f"names a file {why}, and should be the path of a readable text file that contains the client secret"
    raise read.refusal(name, path, should)


def _bearer(read: Environment) -> str:
    token = read.text("MCP_BEARER_TOKEN")
    if token and (len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token):
        raise SettingsError(
            "MCP_BEARER_TOKEN",
            f"holds {len(token)} characters (not shown); it should be at least 16 printable ASCII characters without "
            "spaces.",
        )
    return token


def _state(read: Environment, sandbox: bool) -> str:
    def check(url: str) -> str:
        scheme, _, path = url.partition(":///")
        if scheme.lower() == "sqlite" and path.startswith("~"):
            url = f"sqlite:///{_expanded(path)}"
        in_path = _VARIABLE.search(url) if scheme.lower() == "sqlite" else re.search(r"\$\{|\{\{", url)
        if in_path:
            raise ValueError("should be a URL without variables, which are not expanded here: write the path itself")
        check_url(url)
        return url

    url = read.checked("TIKTOK_STATE", "", check)
    if url.lower().startswith("redis") and find_spec("redis") is None:
        raise SettingsError(
            "TIKTOK_STATE", f"names a Redis, but its client library is not installed; {how_to_add('redis')}"
        )
    if url or sandbox:
        return url or "memory:"
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


def _expanded(path: str) -> str:
    try:
        return Path(path).expanduser().as_posix()
    except RuntimeError:
        raise ValueError("should be a path without ~, because this user has no home folder") from None


def _https_url(url: str) -> str:
    parts = _split(url)
    if parts.username or parts.password or parts.query or parts.fragment or re.search(r"\s", url):
        raise ValueError(_URL_FORM)
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        return url
    raise ValueError("should begin with https:// (plain http only on loopback)")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parse_host(parts.netloc.rpartition("@")[2])
    except ValueError:
        raise ValueError(_URL_FORM) from None
    return parts


def _audience(value: str) -> str:
    # The audience may be any text. If it is a URL, it is also the endpoint's address in the metadata for clients.
    if value.lower().startswith(("http:", "https:")):
        _split(value)
    return value


def _host(value: str) -> str:
    try:
        parse_host(value)
    except ValueError:
        raise ValueError("should be host, host:port or host:*, separated by commas") from None
    return value


def _origin(value: str) -> str:
    try:
        parse_origin(value)
    except ValueError:
        form = "should be full origins such as https://app.example.org or vscode-webview://*, separated by commas"
        raise ValueError(form) from None
    return value
