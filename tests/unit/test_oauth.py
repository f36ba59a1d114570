"""Client credentials step by step: when an access token is fetched, kept, renewed and given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest

from kit import BASE, KEY, SECRET, Clock, settings
from tiktok_pinned_videos.research import errors
from tiktok_pinned_videos.research.oauth import AccessToken, ClientCredentialsAuth, TokenState

pytestmark = pytest.mark.anyio

Flow = AsyncGenerator[httpx.Request, httpx.Response]


@pytest.fixture
def auth(clock: Clock) -> ClientCredentialsAuth:
    return ClientCredentialsAuth(token_url=f"{BASE}/v2/oauth/token/", client_key=KEY, client_secret=SECRET, clock=clock)


def research() -> httpx.Request:
    return httpx.Request("POST", f"{BASE}/v2/research/user/pinned_videos/?fields=id", json={"username": "nasa"})


def token(value: str, expires_in: float = 7200) -> httpx.Response:
    return httpx.Response(200, json={"access_token": value, "expires_in": expires_in, "token_type": "Bearer"})


def ok() -> httpx.Response:
    return httpx.Response(200, json={"data": {}, "error": {"code": "ok"}})


def refused(code: str = "access_token_invalid", status_code: int = 401) -> httpx.Response:
    return httpx.Response(status_code, json={"data": {}, "error": {"code": code, "message": "", "log_id": "L"}})


def bearer(request: httpx.Request) -> str:
    return request.headers["Authorization"]


async def finish(flow: Flow, response: httpx.Response) -> None:
    with pytest.raises(StopAsyncIteration):
        await flow.asend(response)


async def held(auth: ClientCredentialsAuth, value: str, expires_in: float = 7200) -> None:
    """Have the flow fetch this token."""
    flow = auth.async_auth_flow(research())
    await anext(flow)
    await flow.asend(token(value, expires_in))
    await finish(flow, ok())


async def test_the_first_request_is_for_a_token_and_carries_the_documented_form(auth: ClientCredentialsAuth) -> None:
    flow = auth.async_auth_flow(research())
    request = await anext(flow)

    assert (request.method, str(request.url)) == ("POST", f"{BASE}/v2/oauth/token/")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.content == f"client_key={KEY}&client_secret={SECRET}&grant_type=client_credentials".encode()
    assert "Authorization" not in request.headers
    await flow.aclose()


async def test_a_secret_with_awkward_characters_is_encoded_as_a_form(clock: Clock) -> None:
    secret = "a&b=c d+e%f/é"
    auth = ClientCredentialsAuth(token_url=f"{BASE}/t", client_key=KEY, client_secret=secret, clock=clock)
    flow = auth.async_auth_flow(research())
    request = await anext(flow)

    assert dict(httpx.QueryParams(request.content.decode()))["client_secret"] == secret
    await flow.aclose()


async def test_the_token_is_put_on_the_research_request_and_kept_for_the_next(auth: ClientCredentialsAuth) -> None:
    flow = auth.async_auth_flow(research())
    await anext(flow)
    sent = await flow.asend(token("clt.one"))
    await finish(flow, ok())
    flow = auth.async_auth_flow(research())
    again = await anext(flow)
    await finish(flow, ok())

    assert (sent.url.path, bearer(sent), bearer(again)) == (
        "/v2/research/user/pinned_videos/",
        "Bearer clt.one",
        "Bearer clt.one",
    )


async def test_a_revoked_token_is_replaced_once(auth: ClientCredentialsAuth) -> None:
    await held(auth, "clt.one")
    flow = auth.async_auth_flow(research())
    first = bearer(await anext(flow))
    renewal = await flow.asend(refused())
    second = await flow.asend(token("clt.two"))
    await finish(flow, refused())

    assert (first, renewal.url.path, bearer(second)) == ("Bearer clt.one", "/v2/oauth/token/", "Bearer clt.two")


async def test_a_refusal_inside_a_200_renews_too(auth: ClientCredentialsAuth) -> None:
    await held(auth, "clt.one")
    flow = auth.async_auth_flow(research())
    await anext(flow)
    renewal = await flow.asend(refused(status_code=200))

    assert renewal.url.path == "/v2/oauth/token/"
    await flow.aclose()


@pytest.mark.parametrize("code", ["scope_not_authorized", "scope_permission_missed", "rate_limit_exceeded", "unknown"])
async def test_no_other_401_renews_the_token(auth: ClientCredentialsAuth, code: str) -> None:
    await held(auth, "clt.one")
    flow = auth.async_auth_flow(research())
    await anext(flow)
    await finish(flow, refused(code))

    assert auth.token is not None
    assert auth.token.value == "clt.one"


@pytest.mark.parametrize(
    "body",
    [
        b"<html>access_token_invalid</html>",
        b'{"data":{"note":"access_token_invalid"},"error":{"code":"ok"}}',
        b'{"error":"access_token_invalid"}',
        b'["access_token_invalid"]',
        b'{"error":{"message":"access_token_invalid"}}',
    ],
)
async def test_the_words_elsewhere_in_a_body_do_not_renew_the_token(auth: ClientCredentialsAuth, body: bytes) -> None:
    await held(auth, "clt.one")
    flow = auth.async_auth_flow(research())
    await anext(flow)

    await finish(flow, httpx.Response(401, content=body))


async def test_a_refusal_of_an_older_token_does_not_throw_the_newer_away(auth: ClientCredentialsAuth) -> None:
    await held(auth, "clt.one")
    late, quick = auth.async_auth_flow(research()), auth.async_auth_flow(research())
    await anext(late)
    await anext(quick)
    await quick.asend(refused())
    await quick.asend(token("clt.two"))
    await finish(quick, ok())
    again = await late.asend(refused())
    await finish(late, ok())

    assert bearer(again) == "Bearer clt.two"


@pytest.mark.parametrize(
    ("expires_in", "passed", "renews"),
    [
        (7200, 0, False),
        (7200, 6899, False),
        (7200, 6901, True),
        (7200, 7200, True),
        (100, 49, False),
        (100, 51, True),
        (2, 0.9, False),
        (2, 1.1, True),
    ],
)
async def test_a_token_is_renewed_before_it_expires_by_a_buffer_of_at_most_half_its_life(
    auth: ClientCredentialsAuth, clock: Clock, expires_in: float, passed: float, renews: bool
) -> None:
    await held(auth, "clt.one", expires_in)
    clock.now += passed
    flow = auth.async_auth_flow(research())
    request = await anext(flow)
    await flow.aclose()

    assert (request.url.path == "/v2/oauth/token/") is renews


async def test_while_one_call_renews_a_token_that_is_still_good_the_others_use_it(
    auth: ClientCredentialsAuth, clock: Clock
) -> None:
    await held(auth, "clt.one")
    clock.now += 7000
    renewing, other = auth.async_auth_flow(research()), auth.async_auth_flow(research())
    renewal = await anext(renewing)
    meanwhile = await anext(other)
    await finish(other, ok())
    renewed = await renewing.asend(token("clt.two"))
    await finish(renewing, ok())

    assert renewal.url.path == "/v2/oauth/token/"
    assert (bearer(meanwhile), bearer(renewed)) == ("Bearer clt.one", "Bearer clt.two")


@pytest.mark.parametrize(
    ("issued_for", "now", "state"),
    [
        (7200, 0, TokenState.FRESH),
        (7200, 6900, TokenState.STALE),
        (7200, 7200, TokenState.INVALID),
        (7200, 1e9, TokenState.INVALID),
        (10, 5, TokenState.STALE),
        (10, 4.9, TokenState.FRESH),
    ],
)
def test_the_state_of_a_token_follows_the_clock(issued_for: float, now: float, state: TokenState) -> None:
    assert AccessToken("clt.x", issued_at=0, expires_at=issued_for).state(now) is state


async def test_a_flow_given_up_while_it_fetches_lets_the_next_one_fetch(auth: ClientCredentialsAuth) -> None:
    abandoned = auth.async_auth_flow(research())
    await anext(abandoned)
    await abandoned.aclose()
    flow = auth.async_auth_flow(research())
    request = await asyncio.wait_for(anext(flow), 30)
    await flow.aclose()

    assert request.url.path == "/v2/oauth/token/"


async def test_a_refused_secret_is_an_error_and_the_next_call_tries_again(auth: ClientCredentialsAuth) -> None:
    flow = auth.async_auth_flow(research())
    await anext(flow)
    with pytest.raises(errors.AuthenticationError, match="no access token"):
        await flow.asend(httpx.Response(200, json={"error": "invalid_client", "error_description": "wrong"}))

    flow = auth.async_auth_flow(research())
    assert (await anext(flow)).url.path == "/v2/oauth/token/"
    await flow.aclose()


async def test_nothing_secret_is_in_a_repr(auth: ClientCredentialsAuth) -> None:
    await held(auth, "clt.one-and-only")
    shown = f"{auth!r} {auth} {auth.token!r} {auth.token} {settings()!r} {settings()}"

    assert [part for part in (SECRET, KEY, "one-and-only") if part in shown] == []
