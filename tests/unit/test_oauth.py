"""Client credentials step by step: when an access token is fetched, kept, renewed, shared and given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest

from kit.calls import KEY, SECRET
from kit.sandbox import BASE
from kit.upstream import issued, refusal
from kit.virtual import Clock
from tiktok_pinned_videos.research import errors
from tiktok_pinned_videos.research.oauth import AccessToken, ClientCredentialsAuth

pytestmark = pytest.mark.anyio

Flow = AsyncGenerator[httpx.Request, httpx.Response]


class Shared:
    """A token store in memory."""

    def __init__(self) -> None:
        self.token: AccessToken | None = None

    async def load(self) -> AccessToken | None:
        return self.token

    async def save(self, token: AccessToken) -> None:
        self.token = token

    async def discard(self, token: AccessToken) -> None:
        if self.token == token:
            self.token = None


def auth_for(clock: Clock, *, secret: str = SECRET, shared: Shared | None = None) -> ClientCredentialsAuth:
    url = f"{BASE}/v2/oauth/token/"
    return ClientCredentialsAuth(token_url=url, client_key=KEY, client_secret=secret, clock=clock, shared=shared)


@pytest.fixture
def auth(clock: Clock) -> ClientCredentialsAuth:
    return auth_for(clock)


def research(auth: ClientCredentialsAuth) -> Flow:
    url = f"{BASE}/v2/research/user/pinned_videos/?fields=id"
    return auth.async_auth_flow(httpx.Request("POST", url, json={"username": "nasa"}))


def token(value: str, expires_in: float = 7200) -> httpx.Response:
    return httpx.Response(200, content=issued(value, expires_in).body)


OK = httpx.Response(200, json={"data": {}, "error": {"code": "ok"}})


def rejected(code: str = "access_token_invalid", status_code: int = 401) -> httpx.Response:
    return httpx.Response(status_code, content=refusal(status_code, code).body)


def sent(request: httpx.Request) -> str:
    """The token of a research request; `token` for a token request."""
    is_token = request.url.path == "/v2/oauth/token/"
    return "token" if is_token else request.headers["Authorization"].removeprefix("Bearer ")


async def end(flow: Flow, response: httpx.Response = OK) -> None:
    with pytest.raises(StopAsyncIteration):
        await flow.asend(response)


async def hold(auth: ClientCredentialsAuth, value: str, expires_in: float = 7200) -> None:
    """Have the flow fetch this token."""
    flow = research(auth)
    await anext(flow)
    await flow.asend(token(value, expires_in))
    await end(flow)


async def first_request(auth: ClientCredentialsAuth) -> str:
    flow = research(auth)
    request = await asyncio.wait_for(anext(flow), 30)
    await flow.aclose()
    return sent(request)


async def test_the_first_request_is_for_a_token_and_carries_the_documented_form(auth: ClientCredentialsAuth) -> None:
    flow = research(auth)
    request = await anext(flow)
    await flow.aclose()

    assert (request.method, str(request.url)) == ("POST", f"{BASE}/v2/oauth/token/")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.content == f"client_key={KEY}&client_secret={SECRET}&grant_type=client_credentials".encode()
    assert "Authorization" not in request.headers


async def test_a_secret_with_awkward_characters_is_encoded_as_a_form(clock: Clock) -> None:
    secret = "a&b=c d+e%f/é"
    request = await anext(research(auth_for(clock, secret=secret)))

    assert dict(httpx.QueryParams(request.content.decode()))["client_secret"] == secret


async def test_a_token_is_kept_for_the_next_request(auth: ClientCredentialsAuth) -> None:
    await hold(auth, "clt.one")

    assert await first_request(auth) == "clt.one"


@pytest.mark.parametrize("status_code", [401, 200])
async def test_a_rejected_token_is_renewed_once(auth: ClientCredentialsAuth, status_code: int) -> None:
    await hold(auth, "clt.one")
    flow = research(auth)
    requests = [
        sent(await anext(flow)),
        sent(await flow.asend(rejected(status_code=status_code))),
        sent(await flow.asend(token("clt.two"))),
    ]
    await end(flow, rejected())

    assert requests == ["clt.one", "token", "clt.two"]


@pytest.mark.parametrize("code", ["scope_not_authorized", "scope_permission_missed", "rate_limit_exceeded", "unknown"])
async def test_no_other_401_renews_the_token(auth: ClientCredentialsAuth, code: str) -> None:
    await hold(auth, "clt.one")
    flow = research(auth)
    await anext(flow)
    await end(flow, rejected(code))

    assert await first_request(auth) == "clt.one"


async def test_a_late_rejection_of_an_old_token_keeps_the_new_one(auth: ClientCredentialsAuth) -> None:
    await hold(auth, "clt.one")
    late, quick = research(auth), research(auth)
    await anext(late)
    await anext(quick)
    await quick.asend(rejected())
    await quick.asend(token("clt.two"))
    await end(quick)

    assert sent(await late.asend(rejected())) == "clt.two"
    await end(late)


@pytest.mark.parametrize(("expires_in", "kept", "renewed"), [(7200, 6899, 6901), (100, 49, 51), (2, 0.9, 1.1)])
async def test_a_token_is_renewed_five_minutes_but_at_most_half_its_life_before_it_expires(
    auth: ClientCredentialsAuth, clock: Clock, expires_in: float, kept: float, renewed: float
) -> None:
    await hold(auth, "clt.one", expires_in)
    start = clock.now
    clock.now = start + kept
    before = await first_request(auth)
    clock.now = start + renewed

    assert (before, await first_request(auth)) == ("clt.one", "token")


async def test_while_one_call_renews_a_valid_token_the_others_use_it(auth: ClientCredentialsAuth, clock: Clock) -> None:
    await hold(auth, "clt.one")
    clock.now += 7000
    renewing = research(auth)
    requests = [sent(await anext(renewing)), await first_request(auth), sent(await renewing.asend(token("clt.two")))]
    await end(renewing)

    assert requests == ["token", "clt.one", "clt.two"]


async def test_while_renewal_fails_for_a_temporary_reason_a_valid_token_is_used(
    auth: ClientCredentialsAuth, clock: Clock
) -> None:
    await hold(auth, "clt.one")
    clock.now += 7000
    flow = research(auth)
    await anext(flow)
    fault = httpx.Response(200, json={"error": "temporarily_unavailable"})
    requests = [sent(await flow.asend(fault)), await first_request(auth)]
    clock.now += 21

    assert [*requests, await first_request(auth)] == ["clt.one", "clt.one", "token"]
    clock.now += 300
    assert await first_request(auth) == "token"


async def test_a_flow_cancelled_while_it_fetches_lets_the_next_one_fetch(auth: ClientCredentialsAuth) -> None:
    assert [await first_request(auth), await first_request(auth)] == ["token", "token"]


async def test_a_rejected_secret_fails_every_call_that_waited_and_the_next_tries_again(
    auth: ClientCredentialsAuth,
) -> None:
    fetching = research(auth)
    await anext(fetching)
    waiting = asyncio.create_task(first_request(auth))
    for _ in range(20):  # the task runs until it waits
        await asyncio.sleep(0)
    with pytest.raises(errors.AuthenticationError, match="no access token"):
        await fetching.asend(httpx.Response(200, json={"error": "invalid_client", "error_description": "wrong"}))
    with pytest.raises(errors.AuthenticationError, match="no access token"):
        await waiting

    assert await first_request(auth) == "token"


async def test_replicas_share_a_token_and_one_rejection_replaces_it_for_all(clock: Clock) -> None:
    shared = Shared()
    first, second = auth_for(clock, shared=shared), auth_for(clock, shared=shared)
    await hold(first, "clt.one")
    found = await first_request(second)
    flow = research(first)
    await anext(flow)
    await flow.asend(rejected())
    await flow.asend(token("clt.two"))
    await end(flow)
    late = research(second)
    await anext(late)
    replaced = sent(await late.asend(rejected()))
    await end(late)

    assert (found, replaced) == ("clt.one", "clt.two")
    assert shared.token is not None
    assert shared.token.value == "clt.two"


async def test_a_shared_token_near_its_end_is_not_taken(clock: Clock) -> None:
    shared = Shared()
    await hold(auth_for(clock, shared=shared), "clt.one")
    clock.now += 7000

    assert await first_request(auth_for(clock, shared=shared)) == "token"


async def test_nothing_secret_is_in_a_repr(auth: ClientCredentialsAuth) -> None:
    await hold(auth, "clt.one-and-only")
    shown = f"{auth!r} {auth} {auth.token!r} {auth.token}"

    assert [part for part in (SECRET, KEY, "one-and-only") if part in shown] == []
