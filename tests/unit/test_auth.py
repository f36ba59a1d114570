"""How settings decide about authentication, and which tokens of an authorization server are accepted."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from kit.authority import AUDIENCE, Authority
from tiktok_pinned_videos.environment import SettingsError
from tiktok_pinned_videos.settings import Settings
from tiktok_pinned_videos.transports.auth import (
    JWTVerifier,
    KeysUnavailableError,
    SharedSecret,
    authentication_for,
)

pytestmark = pytest.mark.anyio
SECRET = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    with closing(Authority()) as running:
        yield running


def verifier_of(authority: Authority, moment: list[float] | None = None) -> JWTVerifier:
    """A verifier of its tokens, whose clock shows `moment`."""
    settings = Settings(jwt_issuer=authority.issuer, jwt_audience=AUDIENCE)
    return JWTVerifier(settings, monotonic=(lambda: moment[0]) if moment else time.monotonic)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (Settings(), "MCP_BEARER_TOKEN"),
        (Settings(bearer_token=SECRET, jwt_issuer="https://issuer"), "is set together with MCP_JWT_ISSUER"),
        (Settings(jwt_issuer="https://issuer"), "MCP_JWT_ISSUER is set.*Set both"),
        (Settings(jwt_required_scopes=("read",)), "MCP_JWT_REQUIRED_SCOPES is set.*Set both"),
    ],
)
def test_incomplete_or_ambiguous_authentication_is_rejected_with_a_reason(settings: Settings, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        authentication_for(settings, loopback=False)
    assert authentication_for(Settings(), loopback=True) is None


async def test_a_shared_secret_accepts_itself_alone_and_is_never_shown() -> None:
    secret = SharedSecret(SECRET)

    assert await secret.verify_token(SECRET)
    for other in ("", SECRET + "x", SECRET[:-1], SECRET.upper(), "é", "\udcff"):
        assert await secret.verify_token(other) is None
    assert SECRET not in repr(secret)


@pytest.mark.parametrize(
    ("claims", "subject"),
    [
        ({"scope": "read write"}, "somebody"),
        ({"sub": None, "azp": "app", "scp": ["read"]}, "app"),
        ({"sub": None, "roles": ["read", "x"]}, "unknown"),
    ],
)
async def test_a_token_names_the_caller_and_its_scopes_in_one_of_the_usual_claims(
    authority: Authority, claims: dict[str, Any], subject: str
) -> None:
    found = await verifier_of(authority).verify_token(authority.token(**claims))

    assert found is not None
    assert (found.subject, found.token, "read" in found.scopes) == (subject, "", True)
    assert found.expires_at
    assert found.expires_at > time.time()


@pytest.mark.parametrize(
    ("kid", "algorithm", "key"),
    [
        ("ps", "PS256", rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        ("es", "ES256", ec.generate_private_key(ec.SECP256R1())),
        ("ed", "EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ],
)
async def test_every_asymmetric_algorithm_works_and_keys_added_later_are_found(
    authority: Authority, kid: str, algorithm: str, key: Any
) -> None:
    moment = [0.0]
    verifier = verifier_of(authority, moment)
    assert await verifier.verify_token(authority.token())
    authority.keys[kid] = key
    moment[0] += 10

    assert await verifier.verify_token(authority.token(kid, algorithm))
    assert await verifier.verify_token(authority.token(None, algorithm, key))


def forged(authority: Authority) -> dict[str, str]:
    """Tokens that must not be accepted, by what is wrong with them."""
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = int(time.time())
    return {
        "audience": authority.token(aud="https://other.example"),
        "issuer": authority.token(iss="https://other.example"),
        "expired": authority.token(exp=now - 1),
        "no expiry": authority.token(exp=None),
        "not yet valid": authority.token(nbf=now + 60),
        "another key": authority.token(key=other),
        "unknown key id": jwt.encode(authority.claims(), other, "RS256", headers={"kid": "x"}),
        "symmetric": jwt.encode(authority.claims(), "x" * 32, "HS256", headers={"kid": "first"}),
        "unsigned": jwt.encode(authority.claims(), "", "none"),
        "cut": authority.token()[:-40],
        "surrogate": authority.token(sub="\ud83d"),
        "nested": base64.urlsafe_b64encode(b'{"kid":' + b"[" * 9000).decode() + ".e30.c2ln",
        "no token": "token",
    }


async def test_no_other_token_is_accepted_and_none_is_logged(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    verifier = verifier_of(authority)
    for name, token in forged(authority).items():
        assert await verifier.verify_token(token) is None, name
        assert name == "no token" or token not in caplog.text, name


@pytest.mark.parametrize(
    ("keys", "metadata"),
    [
        ((500, {}), {}), ((200, b"<html>"), {}), ((200, {"keys": 5}), {}), ((200, {"keys": []}), {}), ((302, {}), {}),
        (None, {"issuer": "https://other.example"}), (None, {"jwks_uri": "http://192.0.2.1/keys"}),
        (None, {"jwks_uri": 5}),
    ],
)  # fmt: skip
async def test_keys_that_cannot_be_fetched_say_nothing_about_a_token(keys: Any, metadata: dict[str, object]) -> None:
    with closing(Authority()) as broken:
        content = broken.metadata()[1] | metadata
        broken.paths["/.well-known/oauth-authorization-server/tenant"] = lambda: (200, content)
        if keys:
            broken.paths["/keys"] = lambda: keys

        with pytest.raises(KeysUnavailableError):
            await verifier_of(broken).verify_token(broken.token())


async def test_known_keys_outlive_an_outage_and_unknown_ones_are_unavailable(authority: Authority) -> None:
    moment = [0.0]
    verifier = verifier_of(authority, moment)
    assert await verifier.verify_token(authority.token())
    working = authority.paths.pop("/keys")
    moment[0] += 10
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    try:
        assert await verifier.verify_token(authority.token())
        with pytest.raises(KeysUnavailableError):
            await verifier.verify_token(jwt.encode(authority.claims(), other, "RS256", headers={"kid": "new"}))
    finally:
        authority.paths["/keys"] = working


async def test_invented_key_ids_cause_one_fetch(authority: Authority) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    tokens = [jwt.encode(authority.claims(), other, "RS256", headers={"kid": str(n)}) for n in range(40)]
    verifier = verifier_of(authority)
    before = [each.path for each in authority.received].count("/keys")
    results = await asyncio.gather(*(verifier.verify_token(token) for token in tokens))

    assert [each.path for each in authority.received].count("/keys") - before == 1
    assert results == [None] * 40


@pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits long")
@pytest.mark.parametrize(("kid", "size"), [("encryption", 2048), ("short", 1024)])
async def test_a_key_for_encryption_or_a_short_one_verifies_no_token(authority: Authority, kid: str, size: int) -> None:
    authority.keys[kid] = rsa.generate_private_key(public_exponent=65537, key_size=size)

    assert await verifier_of(authority).verify_token(authority.token(kid)) is None
