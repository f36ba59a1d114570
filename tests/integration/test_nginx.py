"""deploy/nginx.conf: a real nginx with TLS and a path prefix, in front of two replicas that share a Redis."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
import subprocess
import textwrap
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mcp.client import Client
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client

from kit.authority import Authority
from kit.pages import blocks
from kit.processes import ACCEPT, HTTPServer, answer, call
from kit.programs import need
from kit.stores import running_redis

pytestmark = [pytest.mark.anyio, pytest.mark.tools]

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf"
SECRET = "correct-horse-battery-staple"
BEARER = {"Authorization": f"Bearer {SECRET}"}


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def certificate(folder: Path) -> ssl.SSLContext:
    """Write a certificate for localhost where the configuration expects it. Return what a client trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    tomorrow = now + datetime.timedelta(days=1)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, tomorrow)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    unencrypted = serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, unencrypted)
    (folder / "privkey.pem").write_bytes(private)
    (folder / "fullchain.pem").write_bytes(built.public_bytes(pem))
    return ssl.create_default_context(cafile=folder / "fullchain.pem")


@dataclass
class Site:
    """nginx and the replicas behind it."""

    folder: Path
    environment: dict[str, str]
    ports: list[int] = field(default_factory=lambda: free_ports(3))
    replicas: list[HTTPServer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.trust = certificate(self.folder)
        self.origin = f"https://localhost:{self.ports[0]}"
        self.url = f"{self.origin}/tiktok/mcp"
        self.environment |= {"MCP_PUBLIC_URL": self.url, "MCP_ALLOWED_HOSTS": "localhost"}

    def start(self, number: int) -> HTTPServer:
        """Start one of the two replicas."""
        return HTTPServer("--port", str(self.ports[number]), env=self.environment)

    def configuration(self) -> Path:
        """deploy/nginx.conf with this machine's names, folders and ports."""
        text = CONFIGURATION.read_text(encoding="utf-8")
        folder = self.folder.as_posix()
        temporary = "".join(
            f" {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        for standing, instead in (
            ("server_tokens off;", f"server_tokens off;{temporary}"),
            ("/run/nginx.pid", f"{folder}/nginx.pid"),
            ("/var/log/nginx/", f"{folder}/"),
            ("/etc/nginx/tiktok-tokens/", f"{folder}/"),
            ("/etc/nginx/tls/", f"{folder}/"),
            ("listen 443", f"listen 127.0.0.1:{self.ports[0]}"),
            ("server_name mcp.example.org", "server_name localhost"),
            ("127.0.0.1:8001", f"127.0.0.1:{self.ports[1]}"),
            ("127.0.0.1:8002", f"127.0.0.1:{self.ports[2]}"),
        ):
            assert standing in text, standing
            text = text.replace(standing, instead)
        (self.folder / "secrets.map").write_text(f'"Bearer {SECRET}" "";\n', encoding="utf-8")
        file = self.folder / "nginx.conf"
        file.write_text(text, encoding="utf-8")
        return file

    @contextlib.contextmanager
    def running(self) -> Iterator[Site]:
        command = [need("nginx"), "-c", str(self.configuration()), "-g", "daemon off;", "-e", str(self.folder / "e")]
        tested = subprocess.run([*command, "-t"], capture_output=True, encoding="utf-8", check=False)
        assert tested.returncode == 0, tested.stderr
        self.replicas += [self.start(1), self.start(2)]
        nginx = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            while subprocess.run([*command, "-s", "reopen"], capture_output=True, check=False).returncode != 0:
                assert nginx.poll() is None, "nginx ended"
            yield self
        finally:
            nginx.terminate()
            nginx.wait(30)
            for replica in self.replicas:
                replica.kill()

    def http(self, **how: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(verify=self.trust, timeout=60, **how)

    @contextlib.asynccontextmanager
    async def client(self, mode: str = "auto", **how: Any) -> AsyncIterator[Client]:
        async with (
            httpx2.AsyncClient(verify=self.trust, timeout=245, **how) as http,
            Client(streamable_http_client(self.url, http_client=http), mode=mode) as client,
        ):
            yield client


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with running_redis() as redis:
        yield redis.url


@pytest.fixture(scope="module")
def site(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    env = {"MCP_BEARER_TOKEN": SECRET, "TIKTOK_STATE": redis_url}
    with Site(tmp_path_factory.mktemp("bearer"), env).running() as running:
        yield running


@pytest.fixture(scope="module")
def single_sign_on(redis_url: str, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("jwt"), {"MCP_JWT_ISSUER": authority.issuer, "TIKTOK_STATE": redis_url})
    site.environment["MCP_JWT_AUDIENCE"] = site.url
    with site.running():
        yield site


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_with_the_shared_secret_calls_under_the_prefix(site: Site, mode: str) -> None:
    async with site.client(mode, headers=BEARER) as client:
        result = await client.call_tool("get_pinned_videos", {"username": "nasa"})

    assert not result.is_error


async def test_progress_passes_before_the_answer(site: Site) -> None:
    order: list[str] = []

    async with site.client(headers=BEARER) as client, site.http(headers=BEARER | ACCEPT) as other:

        async def progress(progress: float, total: float | None, message: str | None) -> None:
            if not order:
                order.append("progress")
                await other.post(site.url, json=call("get_pinned_videos", username="nasa"))
                order.append("another call, made then")

        arguments = {"usernames": ["nasa", "sandbox_slow"]}
        result = await client.call_tool("compare_pinned_videos", arguments, progress_callback=progress)
        order.append("answer")

    assert not result.is_error
    assert order == ["progress", "another call, made then", "answer"]


async def test_nothing_but_the_endpoint_and_the_metadata_is_reachable(site: Site) -> None:
    async with site.http(headers=BEARER | ACCEPT) as http:
        paths = ("/", "/mcp", "/tiktok/", "/tiktok/healthz", "/tiktok/mcp/more", "/.well-known/openid-configuration")
        statuses = {(await http.post(site.origin + path, json={})).status_code for path in paths}
        slash = await http.post(site.url + "/", json=call("get_pinned_videos", username="nasa"))
        large = await http.post(site.url, content=b" " * 70_000)

    assert statuses == {404}
    assert "3 pinned videos" in answer(slash)["result"]["content"][0]["text"]
    assert large.status_code == 413


async def test_requests_without_a_good_token_are_limited_and_do_not_slow_down_the_others(site: Site) -> None:
    async with site.http(headers=ACCEPT) as anonymous, site.http(headers=BEARER | ACCEPT) as good:
        invented = {"Authorization": "Bearer " + "x" * 28}
        bad = [anonymous.post(site.url, json={}, headers=invented) for _ in range(60)]
        calls = [good.post(site.url, json=call("get_pinned_videos", username="nasa")) for _ in range(40)]
        responses = await asyncio.gather(*bad, *calls)

    assert {response.status_code for response in responses[:60]} == {401, 429}
    assert {response.status_code for response in responses[60:]} == {200}


async def calls_without_a_pause(site: Site, until: threading.Event) -> list[int]:
    """Statuses of calls, three at a time, each a new account, until the event is set."""
    statuses: list[int] = []

    async def caller(number: int) -> None:
        async with site.http(headers=BEARER | ACCEPT) as http:
            while not until.is_set() or len(statuses) < 20:
                made = call("get_pinned_videos", username=f"account_{number}_{len(statuses)}")
                response = await http.post(site.url, json=made)
                statuses.append(response.status_code)
                if response.status_code == 200:
                    assert "error" not in answer(response)

    await asyncio.gather(*(caller(number) for number in range(3)))
    return statuses


async def test_a_rolling_restart_loses_no_call(site: Site) -> None:
    done = threading.Event()

    def restart() -> None:
        for number in (1, 2):
            old = site.replicas[number - 1]
            old.terminate()
            assert old.wait() == 0
            old.kill()
            site.replicas[number - 1] = site.start(number)
        done.set()

    statuses, _ = await asyncio.gather(calls_without_a_pause(site, done), asyncio.to_thread(restart))

    assert set(statuses) == {200}


async def test_the_other_replica_answers_while_one_is_dead(site: Site) -> None:
    site.replicas[0].kill()
    done = threading.Event()
    done.set()

    statuses = await calls_without_a_pause(site, done)
    site.replicas[0] = site.start(1)

    assert set(statuses) == {200}


class Tokens:
    """Where the SDK's client keeps its token."""

    tokens: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> None:
        return None


async def test_the_lines_of_the_page_for_a_program_find_its_token_from_the_address_alone(
    single_sign_on: Site, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    [lines] = [block for block in blocks("docs/frameworks.md", "python") if "ClientCredentials" in block]
    function = "async def program(url, storage, client_id, client_secret, issuer):\n"
    names: dict[str, Any] = {
        each.__name__: each for each in (httpx2, Client, ClientCredentialsOAuthProvider, streamable_http_client)
    }
    exec(f"{function}{textwrap.indent(lines, '    ')}    return result\n", names)
    monkeypatch.setenv("SSL_CERT_FILE", str(single_sign_on.folder / "fullchain.pem"))

    result = await names["program"](single_sign_on.url, Tokens(), "lab", "s3cret", authority.issuer)

    assert not result.is_error
    assert [each.form["resource"] for each in authority.received if each.method == "POST"] == [single_sign_on.url]


async def test_the_challenge_names_metadata_that_the_proxy_serves(single_sign_on: Site, authority: Authority) -> None:
    async with single_sign_on.http(headers=ACCEPT) as http:
        challenge = (await http.post(single_sign_on.url, json={})).headers["www-authenticate"]
        place = f"{single_sign_on.origin}/.well-known/oauth-protected-resource/tiktok/mcp"
        metadata = (await http.get(place)).json()

    assert f'resource_metadata="{place}"' in challenge
    assert metadata["resource"] == single_sign_on.url
    assert metadata["authorization_servers"] == [authority.issuer]
