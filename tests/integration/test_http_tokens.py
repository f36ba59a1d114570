"""The HTTP server with an authorization server: metadata, scopes, caller quotas, and keys that cannot be fetched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from kit.authority import Authority
from kit.processes import ACCEPT, LIST, HTTPServer, answer, call, http_server

AUDIENCE = "api://pinned"  # not a URL, as of some vendors


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[HTTPServer]:
    env = {
        "MCP_JWT_ISSUER": authority.issuer,
        "MCP_JWT_AUDIENCE": AUDIENCE,
        "MCP_JWT_REQUIRED_SCOPES": "pinned.read",
        "MCP_CALLER_QUOTA": "1",
        "ALL_PROXY": "socks5://127.0.0.1:9",
        "NO_PROXY": "[::1]",
    }
    with http_server(env=env) as server:
        yield server


def post(server: HTTPServer, token: str, content: object = LIST) -> httpx.Response:
    headers = ACCEPT | {"Authorization": f"Bearer {token}"}
    return httpx.post(server.url, json=content, headers=headers, timeout=60, trust_env=False)


def test_a_token_with_the_scope_is_served_and_one_without_it_is_403(server: HTTPServer, authority: Authority) -> None:
    served = post(server, authority.token(aud=AUDIENCE, scope="openid pinned.read"))
    refused = post(server, authority.token(aud=AUDIENCE, scope="openid"))

    assert len(answer(served)["result"]["tools"]) == 2
    assert (refused.status_code, 'error="insufficient_scope"' in refused.headers["www-authenticate"]) == (403, True)
    server.wait_for("rejected with 403: the token of 'somebody' lacks pinned.read; its scopes: openid")


def test_a_token_for_another_audience_is_401_and_logged_with_both(server: HTTPServer, authority: Authority) -> None:
    token = authority.token(aud="api://other", scope="pinned.read")

    assert post(server, token).status_code == 401
    server.wait_for("rejected with 401: the token's aud is 'api://other', expected 'api://pinned'")
    assert not any(token[-40:] in line for line in server.lines)


def test_each_caller_has_a_share_of_the_day(server: HTTPServer, authority: Authority) -> None:
    token = authority.token(aud=AUDIENCE, scope="pinned.read", sub="alice")
    first, second = (
        answer(post(server, token, call("get_pinned_videos", username=name)))["result"] for name in ("nasa", "esa")
    )

    assert not first.get("isError")
    assert second["content"][0]["text"].startswith("quota_exceeded: ")
    server.wait_for("caller=alice")


def test_keys_that_cannot_be_fetched_are_503_and_a_garbled_token_is_still_401() -> None:
    with closing(Authority()) as authority:
        authority.paths["/keys"] = lambda: (500, {})
        env = {"MCP_JWT_ISSUER": authority.issuer, "MCP_JWT_AUDIENCE": AUDIENCE}
        with http_server(env=env) as server:
            unavailable = post(server, authority.token(aud=AUDIENCE))
            garbled = post(server, "garbled")
            server.wait_for("Could not fetch the signing keys of http://127.0.0.1")

        assert (unavailable.status_code, unavailable.headers["retry-after"]) == (503, "3")
        assert garbled.status_code == 401
