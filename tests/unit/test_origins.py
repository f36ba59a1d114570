"""Host and Origin are compared as URLs are, and nothing passes that only looks like one."""

from __future__ import annotations

import pytest

from tiktok_pinned_videos.environment import SettingsError
from tiktok_pinned_videos.hosts import parse_host, parse_origin
from tiktok_pinned_videos.settings import load_settings
from tiktok_pinned_videos.transports.origins import AllowedAddresses

ALLOWED = AllowedAddresses(
    "10.1.2.3",
    hosts=("MCP.Example.org", "other.example:8443", "any.example:*", "[2001:DB8::1]"),
    origins=("https://App.Example.org", "http://dev.example:3000", "https://any.example:*"),
)


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost:8000", "LOCALHOST:1", "localhost.", "localhost.:80", "127.0.0.1:9", "[::1]:8000",
        "10.1.2.3:80",
        "[0:0:0:0:0:0:0:1]", "mcp.example.org", "MCP.EXAMPLE.ORG.", "other.example:8443", "other.example:08443",
        "any.example", "any.example:1", "[2001:db8:0::1]",
    ],
)  # fmt: skip
def test_a_host_that_names_us_is_served_however_it_is_written(host: str) -> None:
    assert ALLOWED.host(host)


@pytest.mark.parametrize(
    "host",
    [
        None, "", "evil.example", "localhost.evil.example", "127.0.0.1:evil.example", "localhost:", "localhost:80:80",
        "localhost:99999", "localhost@evil.example", "user@localhost", "localhost/", "localhost\\evil", " localhost",
        "localhost, localhost", "mcp.example.org:8443", "other.example", "other.example:8444", "[::1", "::1",
        "[::1]x", "[::1%25eth0]", "any.example:*", "localhost:٣", "127.1", "0x7f.0.0.1", "10.9.9.9",
    ],
)  # fmt: skip
def test_a_host_that_only_looks_like_ours_is_not(host: str | None) -> None:
    assert not ALLOWED.host(host)


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost", "http://localhost:3000", "http://127.0.0.1:1", "http://[::1]:5", "HTTPS://app.example.org",
        "https://app.example.org:443", "https://app.example.org.", "http://dev.example:3000", "https://any.example:77",
    ],
)  # fmt: skip
def test_a_page_that_may_call_may_however_its_origin_is_written(origin: str) -> None:
    assert ALLOWED.origin(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "", "null", "http://localhost:3000@evil", "http://evil.example", "https://app.example.org:444", "http://app.example.org",
        "http://dev.example", "http://dev.example:3001", "file://localhost", "http://localhost/", "http://localhost:",
        "http://localhost:80:80", "//localhost", "http://", "https://app.example.org.evil.example", "http://any.example",
    ],
)  # fmt: skip
def test_a_page_that_only_looks_allowed_may_not_call(origin: str) -> None:
    assert not ALLOWED.origin(origin)


def test_an_address_is_enough_for_a_probe_and_a_name_is_not() -> None:
    assert ALLOWED.host("10.9.9.9:8000", any_address=True)
    assert not ALLOWED.host("evil.example:8000", any_address=True)


@pytest.mark.parametrize("text", ["a" * 64 + ".example", ".", "a..b", "-a.example", "host:port", "http://x"])
def test_what_can_be_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_host(text)
    with pytest.raises(ValueError, match=r"\S"):
        parse_origin(text + "/")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MCP_JWT_AUDIENCE", "https://"), ("MCP_JWT_AUDIENCE", "http://[bad"), ("MCP_JWT_ISSUER", "https://"),
        ("MCP_JWKS_URL", "https://[bad"), ("MCP_ALLOWED_HOSTS", "http://x"), ("MCP_ALLOWED_ORIGINS", "https://"),
    ],
)  # fmt: skip
def test_a_setting_that_names_no_host_is_refused_in_words(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings({name: value})
