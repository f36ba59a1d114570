"""Which `Host` and `Origin` headers are accepted, however they are written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tiktok_pinned_videos.hosts import is_allowed, parse_host, parse_origin

HOSTS = ["localhost:*", "127.0.0.1:*", "[::1]:*", "MCP.Example.org", "ported.example.org:8443", "any.example.org:*"]
ORIGINS = ["http://localhost:*", "http://[::1]:*", "https://app.example.org", "https://ported.example.org:8443",
           "vscode-webview://*", "app://obsidian.md"]  # fmt: skip


def test_a_host_of_ours_is_accepted_however_it_is_written() -> None:
    for host in (
        "localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]", "[0:0::1]:8000", "mcp.example.org",
        "mcp.example.org.", "mcp.example.org:443", "ported.example.org:8443", "any.example.org", "any.example.org:1",
    ):  # fmt: skip
        assert is_allowed(host, HOSTS, parse_host), host


def test_a_host_that_resembles_ours_is_rejected() -> None:
    for host in (
        None, "", "evil.example", "localhost.evil.example", "127.0.0.1.evil:80", "127.0.0.1:evil.example",
        "localhost@evil.example", "mcp.example.org:8443", "ported.example.org", "localhost:*", "*", "[::1", "a b",
        "localhost:99999", "127.0.0.1:", "xmcp.example.org",
    ):  # fmt: skip
        assert not is_allowed(host, HOSTS, parse_host), host


def test_an_allowed_origin_of_any_scheme_is_accepted() -> None:
    for origin in (
        "http://localhost:5173", "http://localhost", "http://[::1]:9", "https://app.example.org",
        "HTTPS://APP.example.org:443", "https://ported.example.org:8443", "vscode-webview://0abc1", "app://obsidian.md",
    ):  # fmt: skip
        assert is_allowed(origin, ORIGINS, parse_origin), origin


def test_an_origin_that_resembles_an_allowed_one_is_rejected() -> None:
    for origin in (
        "null", "", "https://evil.example", "http://app.example.org", "https://app.example.org.evil.example",
        "https://app.example.org:8443", "https://ported.example.org", "http://localhost:3000@evil.example",
        "app://obsidian.md.evil", "app://evil", "vscode-webview://*", "vscode-webview://", "vscode-webview2://x",
        "https://*", "https://app.example.org/path", "http://localhost:*",
    ):  # fmt: skip
        assert not is_allowed(origin, ORIGINS, parse_origin), origin


@pytest.mark.parametrize(
    ("parse", "texts"),
    [
        (parse_host, ["a b", "-x", "host:port", "[::1", "x" * 254]),
        (parse_origin, ["https:app", "://x", "1x://y", "app://a/b", "https://user@host"]),
    ],
)
def test_text_that_is_not_a_host_or_an_origin_is_refused(parse: Callable[[str], object], texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(ValueError):  # noqa: PT011 - settings write the words
            parse(text)
