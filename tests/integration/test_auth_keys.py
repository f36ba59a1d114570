"""The keys of an authorization server: when they are fetched, how long they are known, which are believed."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import threading
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from kit import Clock, until
from kit.authority import AUDIENCE, Authority, authority_of_a_test
from tiktok_pinned_videos.transports.auth import AuthorizationServer, JWTVerifier
from tiktok_pinned_videos.transports.guard import MAX_JUDGED, TokenAuthenticator
from tiktok_pinned_videos.transports.keys import KeySet

pytestmark = pytest.mark.anyio

authority = pytest.fixture(authority_of_a_test)


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


async def test_the_certificates_of_the_machine_are_read_once_however_often_keys_are_fetched(
    authority: Authority, keys: KeySet, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[None] = []

    read = ssl.SSLContext.load_verify_locations

    def noted(context: ssl.SSLContext, *arguments: Any, **named: Any) -> None:
        reads.append(None)
        read(context, *arguments, **named)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", noted)
    for _ in range(3):
        assert await keys.renewed()
        clock.now += 3

    assert (authority.asked.count("/keys"), len(reads)) == (3, 1)


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
