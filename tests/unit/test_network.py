"""Connections as the environment wants them: proxies and certificates, and errors that name the variable."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from kit.calls import ask, connected, settings, status, text
from kit.upstream import Upstream
from tiktok_pinned_videos.research.errors import APIConnectionError
from tiktok_pinned_videos.research.network import connection_error, network_transport

pytestmark = pytest.mark.anyio

TIKTOK = "https://open.tiktokapis.invalid"  # never resolved: a proxy would have to


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without proxies and certificates."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


async def answer(url: str = TIKTOK) -> str:
    """The text of a call that cannot succeed."""
    async with connected(settings(api_base_url=url, timeout=3)) as client:
        result = await ask(client)
    assert status(result) == "unreachable", text(result)
    return text(result)


class Proxy:
    """A proxy that answers every CONNECT with one status."""

    def __init__(self, status: str) -> None:
        self.status = status
        self.asked: list[str] = []

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[0])
        writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"])
async def test_a_variable_of_openssl_that_is_wrong_is_named_and_no_request_is_sent(
    environment: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "garbage").write_text("not a certificate", encoding="utf-8")
    wrong = {
        "SSL_CERT_FILE": ["missing", "empty", "garbage", "."],
        "SSL_CERT_DIR": ["missing", "garbage"],
        "SSLKEYLOGFILE": ["missing/keys", "."],
    }
    for name in wrong[variable]:
        environment.setenv(variable, str(tmp_path / name))
        said = await answer()
        assert f"{variable} holds" in said
        assert "report" not in said


async def test_an_empty_variable_counts_as_not_set(environment: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "HTTPS_PROXY"):
        environment.setenv(name, "")

    assert isinstance(network_transport(TIKTOK), httpx.AsyncHTTPTransport)


async def test_a_certificate_that_cannot_be_verified_names_ssl_cert_file() -> None:
    reason = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)"
    said = str(connection_error(httpx.ConnectError(reason), TIKTOK))

    assert "open.tiktokapis.invalid could not be verified (self-signed certificate)" in said
    assert "set SSL_CERT_FILE" in said
    assert "REQUESTS_CA_BUNDLE" in said
    assert "_ssl.c" not in said


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("407 Proxy Authentication Required", "USER:PASSWORD"),
        ("403 Forbidden", "HTTP 403"),
        ("502 Bad Gateway", "HTTP 502"),
    ],
)
async def test_a_proxy_that_refuses_is_named(environment: pytest.MonkeyPatch, reply: str, expected: str) -> None:
    async with Proxy(reply) as proxy:
        environment.setenv("HTTPS_PROXY", f"http://user:pa55word@{proxy.address}")
        said = await answer()

    assert f"http://{proxy.address} (HTTPS_PROXY)" in said
    assert expected in said
    assert "pa55word" not in said
    assert len(proxy.asked) == (3 if reply.startswith("5") else 1)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_the_proxy_of_the_environment_is_used_with_or_without_a_scheme(
    environment: pytest.MonkeyPatch, variable: str
) -> None:
    for scheme in ("http://", ""):
        async with Proxy("403 Forbidden") as proxy:
            environment.setenv(variable, scheme + proxy.address)
            said = await answer()
        assert variable in said
        assert proxy.asked == ["CONNECT open.tiktokapis.invalid:443 HTTP/1.1"]


@pytest.mark.parametrize(
    "address", ["nonsense://h:1", "http://", "socks://h:1", "http://[broken", "ftp://u:pa55word@h:1"]
)
async def test_a_proxy_variable_that_is_wrong_is_named(environment: pytest.MonkeyPatch, address: str) -> None:
    environment.setenv("ALL_PROXY", address)
    said = await answer()

    assert "ALL_PROXY" in said
    assert "pa55word" not in said


async def test_a_socks_proxy_without_its_package_says_what_to_install(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    if find_spec("socksio"):
        assert isinstance(network_transport(TIKTOK), httpx.AsyncHTTPTransport)
    else:
        with pytest.raises(APIConnectionError, match=r"ALL_PROXY cannot be used.*socksio"):
            network_transport(TIKTOK)


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        ("https://open.tiktokapis.invalid", "tiktokapis.invalid"),
        ("https://open.tiktokapis.invalid", "other, OPEN.tiktokapis.invalid:443"),
        ("https://open.tiktokapis.invalid", "*"),
        ("https://[::1]:1", "[::1]"),
        ("https://[::1]:1", "localhost,::1"),
    ],
)
async def test_no_proxy_is_honored(environment: pytest.MonkeyPatch, url: str, no_proxy: str) -> None:
    async with Proxy("403 Forbidden") as proxy:
        environment.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        environment.setenv("NO_PROXY", no_proxy)
        said = await answer(url)

    assert proxy.asked == []
    assert "proxy" not in said.partition(". ")[0]


async def test_plain_http_on_loopback_never_uses_a_proxy(environment: pytest.MonkeyPatch, upstream: Upstream) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "HTTPS_PROXY"):
        environment.setenv(name, "http://127.0.0.1:1")
    async with connected(settings(upstream)) as client:
        assert status(await ask(client)) == "found"


async def test_a_port_without_a_server_is_unreachable_and_the_host_is_named() -> None:
    assert "no connection to 127.0.0.1 could be made" in (await answer("http://127.0.0.1:1")).replace("No ", "no ")
