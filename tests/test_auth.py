"""Tokens of an authorization server: a real one of the test's own, with its keys over HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import http.server
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import httpx
import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from mcp.client import Client
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from kit import Clock, HTTPServer, http_client, http_server, until
from tiktok_pinned_videos.serve.auth import AuthorizationServer, JWTVerifier, SharedSecret
from tiktok_pinned_videos.serve.gate import MAX_JUDGED, TokenAuthenticator
from tiktok_pinned_videos.serve.keys import KeySet

pytestmark = pytest.mark.anyio

AUDIENCE = "https://mcp.example.org/mcp"
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


class Authority:
    """An authorization server: metadata, keys, and tokens for whoever asks the test."""

    def __init__(self) -> None:
        self.paths: dict[str, Callable[[], tuple[int, Any]]] = {}
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        """What was sent to the token endpoint."""
        self.keys: dict[str, Any] = {}
        authority = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                authority.asked.append(self.path)
                status, content = authority.paths.get(self.path, lambda: (404, {}))()
                body = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                authority.forms.append(form)
                known = self.headers["Authorization"] == "Basic " + base64.b64encode(b"lab:s3cret").decode()
                if self.path == "/token" and form.get("grant_type") == "client_credentials" and known:
                    claims = {"aud": form["resource"], "sub": "lab", "client_id": "lab"}
                    status, content = 200, {"access_token": authority.token(**claims), "token_type": "Bearer"}
                else:
                    status, content = 401, {"error": "invalid_client"}
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named so by the library
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}/tenant"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.paths["/.well-known/oauth-authorization-server/tenant"] = self.metadata
        self.paths["/keys"] = lambda: (200, {"keys": self.public_keys()})
        self.add("first", rsa.generate_private_key(public_exponent=65537, key_size=2048))

    def metadata(self) -> tuple[int, Any]:
        root = self.issuer.removesuffix("/tenant")
        return 200, {
            "issuer": self.issuer, "jwks_uri": root + "/keys", "token_endpoint": root + "/token",
            "authorization_endpoint": root + "/authorize", "response_types_supported": ["code"],
            "grant_types_supported": ["client_credentials"],
        }  # fmt: skip

    def add(self, kid: str, key: Any) -> None:
        self.keys[kid] = key

    def public_keys(self) -> list[dict[str, Any]]:
        published: list[dict[str, Any]] = []
        for kid, key in self.keys.items():
            public = key.public_key()
            match public:
                case rsa.RSAPublicKey():
                    described = RSAAlgorithm.to_jwk(public, as_dict=True)
                case ec.EllipticCurvePublicKey():
                    described = ECAlgorithm.to_jwk(public, as_dict=True)
                case _:
                    described = OKPAlgorithm.to_jwk(public, as_dict=True)
            published.append({**described, "kid": kid, "use": "sig"})
        return published

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": AUDIENCE, "sub": "somebody", "iat": now, "exp": now + 60, **changed}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, kid: str | None = "first", algorithm: str = "RS256", key: Any = None, **changed: Any) -> str:
        signing = key or self.keys[kid or "first"]
        return jwt.encode(self.claims(**changed), signing, algorithm, headers={"kid": kid} if kid else {})

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def authority() -> Iterator[Authority]:
    authority = Authority()
    yield authority
    authority.close()


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
    return httpx.post(server.url, json=LIST, headers=headers).status_code


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(("kid", "algorithm"), [("first", "RS256"), ("curve", "ES256"), ("edwards", "EdDSA")])
async def test_a_token_of_the_issuer_for_this_server_is_accepted(
    server: HTTPServer, shared_authority: Authority, kid: str, algorithm: str, mode: str
) -> None:
    token = shared_authority.token(kid, algorithm, aud=["https://other.example.org", AUDIENCE])
    async with http_client(server.url, mode=mode, headers={"Authorization": f"Bearer {token}"}) as client:
        result = await client.call_tool("get_pinned_videos", {"username": "nasa"})

    assert not result.is_error


class Kept:
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
        auth = ClientCredentialsOAuthProvider(url, Kept(), "lab", "s3cret", issuer=authority.issuer)
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
    refused = httpx.post(server.url, json=LIST, headers=ACCEPT)
    path = "/.well-known/oauth-protected-resource/mcp"
    metadata = httpx.get(server.base + path).json()

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

        deadline = time.monotonic() + 8
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
        assert httpx.get(server.base + "/healthz").status_code == 200
        server.wait_for(r"WARNING .*keys of .* cannot be had: .* answered 404")


# The keys, closer


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def keys(authority: Authority, clock: Clock) -> KeySet:
    return KeySet(authority.issuer, "", monotonic=clock)


async def candidates(keys: KeySet) -> list[jwt.PyJWK]:
    """The keys for one token, as it is judged."""
    return keys.known("first", "RS256") or (await keys.renewed() and keys.known("first", "RS256")) or []


async def test_invented_key_ids_cause_one_fetch_and_no_more(authority: Authority, keys: KeySet, clock: Clock) -> None:
    verifier = JWTVerifier(AuthorizationServer(authority.issuer, AUDIENCE, ""), keys)
    tokens = [authority.token(f"invented {number}", key=authority.keys["first"]) for number in range(40)]
    assert await asyncio.gather(*map(verifier.verify_token, tokens)) == [None] * 40
    assert authority.asked.count("/keys") == 1

    clock.now += 3
    await asyncio.gather(*map(verifier.verify_token, tokens))
    assert authority.asked.count("/keys") == 2
    assert await verifier.verify_token(authority.token()) is not None


@pytest.mark.parametrize(
    ("claims", "caller"),
    [
        ({"client_id": "lab"}, "somebody"),
        ({"sub": None, "client_id": "lab", "azp": "app"}, "lab"),
        ({"sub": "", "azp": "app"}, "app"),
        ({"sub": None}, "unknown"),
    ],
)
async def test_a_token_says_who_calls(authority: Authority, keys: KeySet, claims: dict[str, Any], caller: str) -> None:
    verifier = JWTVerifier(AuthorizationServer(authority.issuer, AUDIENCE, ""), keys)

    assert await verifier.verify_token(authority.token(**claims)) == caller


async def test_refused_tokens_fill_no_log(authority: Authority, keys: KeySet, caplog: pytest.LogCaptureFixture) -> None:
    verifier = JWTVerifier(AuthorizationServer(authority.issuer, AUDIENCE, ""), keys)
    with caplog.at_level(logging.INFO):
        began = time.monotonic()
        for _ in range(50):
            assert await verifier.verify_token("x") is None
        took = time.monotonic() - began

    assert 1 <= len([line for line in caplog.messages if "a token was refused: DecodeError" in line]) <= 1 + took


async def test_known_keys_outlive_an_authority_that_is_away(authority: Authority, keys: KeySet, clock: Clock) -> None:
    assert await candidates(keys)
    authority.paths["/keys"] = lambda: (503, {})
    clock.now += 4000

    assert keys.known("first", "RS256")  # at once: whether the issuer answers is found out in the background
    await until(lambda: authority.asked.count("/keys") == 2)
    assert keys.known("first", "RS256")


async def test_keys_older_than_an_hour_are_fetched_again(authority: Authority, keys: KeySet, clock: Clock) -> None:
    assert await candidates(keys)
    authority.keys.clear()
    clock.now += 3601
    keys.known("first", "RS256")

    await until(lambda: not keys.known("first", "RS256"))


async def test_a_token_without_a_key_id_is_tried_with_every_key(authority: Authority, keys: KeySet) -> None:
    authority.add("other", rsa.generate_private_key(public_exponent=65537, key_size=2048))
    verifier = JWTVerifier(AuthorizationServer(authority.issuer, AUDIENCE, ""), keys)

    assert await verifier.verify_token(authority.token(None, key=authority.keys["other"])) is not None


async def test_openid_metadata_does_as_well(authority: Authority, keys: KeySet) -> None:
    authority.paths["/tenant/.well-known/openid-configuration"] = authority.paths.pop(
        "/.well-known/oauth-authorization-server/tenant"
    )

    assert await candidates(keys)


async def test_one_who_gives_up_waiting_takes_the_keys_from_nobody(authority: Authority, keys: KeySet) -> None:
    authority.paths["/keys"] = lambda: (time.sleep(0.3), (200, {"keys": authority.public_keys()}))[1]
    impatient = asyncio.create_task(candidates(keys))
    patient = asyncio.create_task(candidates(keys))
    await asyncio.sleep(0.15)
    impatient.cancel()

    assert await patient
    assert authority.asked.count("/keys") == 1


@pytest.mark.parametrize(
    ("path", "served", "said"),
    [
        ("/keys", (200, b" " * 600_000), "more than"),
        ("/keys", (200, b"<html>"), "no JSON"),
        ("/keys", (200, {"keys": {}}), "no list"),
        ("/keys", (302, {}), "answered 302"),
        ("", (200, {"issuer": "https://evil.example", "jwks_uri": "https://evil.example/keys"}), "another issuer"),
        ("", (200, {"jwks_uri": "http://evil.example/keys"}), "no jwks_uri with https"),
    ],
)
async def test_what_cannot_be_trusted_gives_no_keys(  # noqa: PLR0917 - fixtures come by name
    authority: Authority,
    keys: KeySet,
    path: str,
    served: tuple[int, Any],
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if path:
        authority.paths[path] = lambda: served
    else:
        status, content = served
        for place in ("/.well-known/oauth-authorization-server/tenant", "/.well-known/openid-configuration/tenant"):
            authority.paths[place] = lambda: (status, {"issuer": authority.issuer} | content)
    with caplog.at_level(logging.WARNING):
        assert await candidates(keys) == []

    assert said in caplog.text


async def test_a_symmetric_key_in_the_set_is_never_used(authority: Authority) -> None:
    shared = base64.urlsafe_b64encode(b"k" * 32).rstrip(b"=").decode()
    authority.paths["/keys"] = lambda: (200, {"keys": [{"kty": "oct", "kid": "first", "k": shared}, "junk", None]})
    keys = KeySet(authority.issuer, authority.issuer.removesuffix("/tenant") + "/keys")
    verifier = JWTVerifier(AuthorizationServer(authority.issuer, AUDIENCE, ""), keys)

    assert await verifier.verify_token(authority.token(algorithm="HS256", key=b"k" * 32)) is None


def test_a_shared_secret_is_shown_to_nobody() -> None:
    secret = SharedSecret("correct-horse-battery-staple")

    assert "horse" not in repr(secret)
    assert secret.admits("Bearer correct-horse-battery-staple")
    assert not secret.admits("")


async def test_a_token_that_fits_no_key_is_refused_after_one_fetch_and_the_next_at_once(
    authority: Authority, keys: KeySet
) -> None:
    verifier = JWTVerifier(AuthorizationServer(authority.issuer, AUDIENCE, ""), keys)
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for _ in range(3):
        assert await verifier.verify_token(authority.token(key=foreign)) is None

    assert authority.asked.count("/keys") == 1


@pytest.mark.parametrize("exp", ["9999999999", True, None])
async def test_an_expiry_that_is_no_number_is_not_believed(authority: Authority, keys: KeySet, exp: object) -> None:
    verifier = JWTVerifier(AuthorizationServer(authority.issuer, AUDIENCE, ""), keys)

    assert await verifier.verify_token(authority.token(exp=exp)) is None


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")  # which is the point
async def test_short_keys_and_keys_for_encryption_are_not_believed(authority: Authority, keys: KeySet) -> None:
    authority.add("short", rsa.generate_private_key(public_exponent=65537, key_size=1024))
    published = authority.public_keys
    authority.add("enc", rsa.generate_private_key(public_exponent=65537, key_size=2048))
    authority.paths["/keys"] = lambda: (
        200,
        {"keys": [{**key, "use": "enc"} if key["kid"] == "enc" else key for key in published()]},
    )
    verifier = JWTVerifier(AuthorizationServer(authority.issuer, AUDIENCE, ""), keys)

    assert await verifier.verify_token(authority.token("first")) is not None
    assert await verifier.verify_token(authority.token("short")) is None
    assert await verifier.verify_token(authority.token("enc")) is None


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


async def test_few_tokens_wait_for_the_keys_and_the_others_are_told_at_once(authority: Authority, keys: KeySet) -> None:
    released = threading.Event()
    authority.paths["/keys"] = lambda: (released.wait(30), (200, {"keys": authority.public_keys()}))[1]
    verifier = JWTVerifier(AuthorizationServer(authority.issuer, AUDIENCE, ""), keys)
    judge = TokenAuthenticator(verifier, metadata_url="https://mcp.example.org/metadata")
    statuses: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    def knock(token: str) -> asyncio.Task[bool]:
        scope = {"type": "http", "headers": [(b"authorization", f"Bearer {token}".encode())]}
        return asyncio.create_task(judge(scope, receive, send))

    tasks = [knock(authority.token()) for _ in range(MAX_JUDGED + 8)]
    await until(lambda: len(statuses) == 8)
    released.set()
    admitted = await asyncio.gather(*tasks)

    assert statuses == [503] * 8
    assert admitted == [True] * MAX_JUDGED + [False] * 8


def test_the_caller_is_named_in_the_log_and_has_a_share_of_the_day(authority: Authority) -> None:
    env = {"MCP_JWT_ISSUER": authority.issuer, "MCP_JWT_AUDIENCE": AUDIENCE, "MCP_CALLER_QUOTA": "2"}

    def said(name: str, sub: str) -> str:
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                "params": {"name": "get_pinned_videos", "arguments": {"username": name}}}  # fmt: skip
        headers = ACCEPT | {"Authorization": f"Bearer {authority.token(sub=sub)}"}
        return httpx.post(server.url, json=body, headers=headers).text

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
        told = httpx.get(server.base + path)

        assert told.json()["authorization_servers"] == [shared_authority.issuer]
        assert told.json()["resource"] == AUDIENCE
    assert httpx.get(server.base + path, headers={"Host": "evil.example"}).status_code == 421


def test_two_authorization_headers_are_none(server: HTTPServer, shared_authority: Authority) -> None:
    headers = [*ACCEPT.items(), ("Authorization", "Bearer x"), ("Authorization", f"Bearer {shared_authority.token()}")]

    assert httpx.post(server.url, json=LIST, headers=headers).status_code == 401
