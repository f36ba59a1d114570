"""Who is let in with a token of an authorization server, and what everybody else is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from mcp.client import Client
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from kit.authority import AUDIENCE, Authority, authority_of_a_test
from kit.mcp_http import ACCEPT, LIST
from kit.processes import HTTPServer, http_client, http_server

pytestmark = pytest.mark.anyio

authority = pytest.fixture(authority_of_a_test)


@pytest.fixture(scope="module")
def shared_authority() -> Iterator[Authority]:
    authority = Authority()
    authority.add("curve", ec.generate_private_key(ec.SECP256R1()))
    authority.add("edwards", ed25519.Ed25519PrivateKey.generate())
    yield authority
    authority.close()


@pytest.fixture(scope="module")
def server(shared_authority: Authority) -> Iterator[HTTPServer]:
    env = {"MCP_JWT_ISSUER": shared_authority.issuer, "MCP_JWT_AUDIENCE": AUDIENCE}
    with http_server(env=env) as server:
        yield server


def status(server: HTTPServer, token: str | None) -> int:
    headers = ACCEPT | ({"Authorization": f"Bearer {token}"} if token is not None else {})
    return httpx.post(server.url, json=LIST, headers=headers, timeout=60).status_code


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(("kid", "algorithm"), [("first", "RS256"), ("curve", "ES256"), ("edwards", "EdDSA")])
async def test_a_token_of_the_issuer_for_this_server_is_accepted(
    server: HTTPServer, shared_authority: Authority, kid: str, algorithm: str, mode: str
) -> None:
    token = shared_authority.token(kid, algorithm, aud=["https://other.example.org", AUDIENCE])
    async with http_client(server.url, mode=mode, headers={"Authorization": f"Bearer {token}"}) as client:
        result = await client.call_tool("get_pinned_videos", {"username": "nasa"})

    assert not result.is_error


class CachedSnapshot:
    """Where the SDK's client keeps its token: here."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        raise AssertionError("nobody is registered here")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_program_with_client_credentials_finds_its_way_from_the_address_of_the_server_alone(
    authority: Authority, mode: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/mcp"
    env = {"MCP_JWT_ISSUER": authority.issuer, "MCP_JWT_AUDIENCE": url}
    with http_server("--port", str(port), env=env) as server:
        auth = ClientCredentialsOAuthProvider(url, CachedSnapshot(), "lab", "s3cret", issuer=authority.issuer)
        async with (
            httpx2.AsyncClient(auth=auth, timeout=30) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode) as client,
        ):
            results = [await client.call_tool("get_pinned_videos", {"username": "nasa"}) for _ in range(2)]
        server.wait_for(r"account=nasa .*caller=lab")

    assert not any(result.is_error for result in results)
    # One token for all calls, asked for this server.
    assert authority.forms == [{"grant_type": "client_credentials", "resource": url}]


def unsigned(authority: Authority) -> str:
    return jwt.encode(authority.claims(), "", "none", headers={"kid": "first"})


def signed_with_the_public_key(authority: Authority) -> str:
    """The classic: the public key used as a shared secret."""
    pem = authority.keys["first"].public_key()
    secret = pem.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    parts = [{"alg": "HS256", "typ": "JWT", "kid": "first"}, authority.claims()]
    signed = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    mac = base64.urlsafe_b64encode(hmac.digest(secret, signed, hashlib.sha256)).rstrip(b"=")
    return (signed + b"." + mac).decode()


def tampered(authority: Authority) -> str:
    head, _, mac = authority.token().split(".")
    claims = base64.urlsafe_b64encode(json.dumps(authority.claims(sub="root")).encode()).rstrip(b"=").decode()
    return f"{head}.{claims}.{mac}"


REFUSED: dict[str, Callable[[Authority], str]] = {
    "another audience": lambda a: a.token(aud="https://other.example.org/mcp"),
    "no audience": lambda a: a.token(aud=None),
    "expired": lambda a: a.token(exp=int(time.time()) - 5),
    "never expires": lambda a: a.token(exp=None),
    "not valid yet": lambda a: a.token(nbf=int(time.time()) + 600),
    "another issuer": lambda a: a.token(iss="https://evil.example"),
    "no issuer": lambda a: a.token(iss=None),
    "the issuer with a slash": lambda a: a.token(iss=a.issuer + "/"),
    "another key": lambda a: a.token(key=rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "an unknown key": lambda a: a.token("never", key=a.keys["first"]),
    "the key of another algorithm": lambda a: a.token("curve", "RS256", key=a.keys["first"]),
    "unsigned": unsigned,
    "the public key as a secret": signed_with_the_public_key,
    "tampered": tampered,
    "no token at all": lambda _: "not.a.token",
    "hardly anything": lambda _: "x",
    "far too long": lambda a: a.token(filler="x" * 20_000),
}


@pytest.mark.parametrize("made", REFUSED.values(), ids=REFUSED.keys())
def test_no_other_token_is_accepted(
    server: HTTPServer, shared_authority: Authority, made: Callable[[Authority], str]
) -> None:
    assert status(server, made(shared_authority)) == 401
    assert status(server, shared_authority.token()) == 200


def test_whoever_has_no_token_is_told_where_to_get_one(server: HTTPServer, shared_authority: Authority) -> None:
    refused = httpx.post(server.url, json=LIST, headers=ACCEPT, timeout=60)
    path = "/.well-known/oauth-protected-resource/mcp"
    metadata = httpx.get(server.base + path, timeout=60).json()

    assert refused.status_code == 401
    assert f'resource_metadata="https://mcp.example.org{path}"' in refused.headers["www-authenticate"]
    assert metadata["resource"] == AUDIENCE
    assert metadata["authorization_servers"] == [shared_authority.issuer]


def test_no_token_is_in_a_line_of_the_log(server: HTTPServer, shared_authority: Authority) -> None:
    for token in (shared_authority.token(), shared_authority.token(aud="https://other.example.org")):
        status(server, token)
        assert not any(token[-20:] in line or "other.example" in line for line in server.lines)


def test_a_key_changed_while_the_server_runs_is_found(authority: Authority) -> None:
    env = {"MCP_JWT_ISSUER": authority.issuer, "MCP_JWT_AUDIENCE": "tiktok-team"}
    with http_server(env=env) as server:
        assert status(server, authority.token(aud="tiktok-team")) == 200
        before = authority.token(aud="tiktok-team")
        authority.keys.clear()
        authority.add("second", rsa.generate_private_key(public_exponent=65537, key_size=2048))
        after = authority.token("second", aud="tiktok-team")

        deadline = time.monotonic() + 60
        while (seen := status(server, after)) != 200 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert seen == 200
        assert status(server, before) == 401
        assert authority.asked.count("/keys") == 2


def test_without_an_authorization_server_nobody_is_let_in_and_the_log_says_why(authority: Authority) -> None:
    token = authority.token()
    authority.paths.clear()
    env = {"MCP_JWT_ISSUER": authority.issuer, "MCP_JWT_AUDIENCE": AUDIENCE}
    with http_server(env=env) as server:
        assert status(server, token) == 401
        assert httpx.get(server.base + "/healthz", timeout=60).status_code == 200
        server.wait_for(r"WARNING .*keys of .* cannot be had: .* answered 404")


def test_a_hanging_issuer_keeps_no_known_token_waiting(authority: Authority) -> None:
    env = {"MCP_JWT_ISSUER": authority.issuer, "MCP_JWT_AUDIENCE": AUDIENCE}
    released = threading.Event()
    with http_server(env=env) as server:
        assert status(server, authority.token()) == 200
        authority.paths["/keys"] = lambda: (released.wait(30), (200, {"keys": []}))[1]
        strangers = [
            threading.Thread(target=status, args=(server, authority.token(f"no {number}", key=authority.keys["first"])))
            for number in range(60)
        ]
        for stranger in strangers:
            stranger.start()
        # Whether it is quick is not the question: it does not wait for the issuer, which answers when we say so.
        assert [status(server, authority.token()) for _ in range(10)] == [200] * 10
        released.set()
        for stranger in strangers:
            stranger.join()


def test_the_caller_is_named_in_the_log_and_has_a_share_of_the_day(authority: Authority) -> None:
    env = {"MCP_JWT_ISSUER": authority.issuer, "MCP_JWT_AUDIENCE": AUDIENCE, "MCP_CALLER_QUOTA": "2"}

    def said(name: str, sub: str) -> str:
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                "params": {"name": "get_pinned_videos", "arguments": {"username": name}}}  # fmt: skip
        headers = ACCEPT | {"Authorization": f"Bearer {authority.token(sub=sub)}"}
        return httpx.post(server.url, json=body, headers=headers, timeout=60).text

    with http_server(env=env) as server:
        answers = [
            said("one", "ann"),
            said("two", "ann"),
            said("three", "ann"),
            said("one", "ann"),
            said("three", "bob"),
        ]
        server.wait_for(r"caller=bob")

    assert ["your share of 2 requests" in answer.casefold() for answer in answers] == [False, False, True, False, False]
    assert "quota_exceeded" in answers[2]


def test_the_metadata_names_the_issuer_as_it_was_given(server: HTTPServer, shared_authority: Authority) -> None:
    for path in ("/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"):
        told = httpx.get(server.base + path, timeout=60)

        assert told.json()["authorization_servers"] == [shared_authority.issuer]
        assert told.json()["resource"] == AUDIENCE
    assert httpx.get(server.base + path, headers={"Host": "evil.example"}, timeout=60).status_code == 421


def test_two_authorization_headers_are_none(server: HTTPServer, shared_authority: Authority) -> None:
    headers = [*ACCEPT.items(), ("Authorization", "Bearer x"), ("Authorization", f"Bearer {shared_authority.token()}")]

    assert httpx.post(server.url, json=LIST, headers=headers, timeout=60).status_code == 401
