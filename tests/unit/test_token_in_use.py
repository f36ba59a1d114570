"""A valid token is used although the token endpoint is down; a list under a new name is not an empty answer."""

from __future__ import annotations

import pytest

from kit.calls import ask as asked
from kit.calls import connected, data, settings, status, text
from kit.clock import Clock
from kit.upstream import Reply, serving, videos

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("down", [Reply(503, b"down"), Reply(200, b"<html>")], ids=["503", "html"])
async def test_in_a_tokens_last_minutes_a_token_endpoint_that_is_down_fails_no_call(down: Reply) -> None:
    clock = Clock()
    async with serving() as upstream, connected(settings(upstream.url), clock=clock) as client:
        upstream.answer(videos([{"id": 1, "view_count": 5}]))
        assert status(await asked(client, "nasa")) == "found"
        clock.now += 7200 - 120  # two minutes left
        upstream.answer_token(*[down] * 50)

        for name in ("esa", "jaxa", "isro"):
            assert status(await asked(client, name)) == "found"
        clock.now += 121
        assert status(await asked(client, "csa")) in ("upstream_error", "auth_failed")


@pytest.mark.parametrize("name", ["pinned_video_infos", "videos"])
async def test_a_list_that_is_not_empty_under_an_unknown_name_is_an_error_that_names_it(name: str) -> None:
    async with serving() as upstream, connected(settings(upstream.url)) as client:
        body = '{"data": {"NAME": [{"id": 1}]}, "error": {"code": "ok", "message": "", "log_id": "L"}}'
        body = body.replace("NAME", name)
        upstream.answer(Reply(200, body.encode()))
        result = await asked(client, "nasa")
        upstream.answer(Reply(200, body.replace('[{"id": 1}]', "[]").encode()))
        empty = await asked(client, "nasa")

    assert text(result).startswith("upstream_error: ")
    assert name in text(result)
    assert data(empty)["status"] == "nothing_pinned"
