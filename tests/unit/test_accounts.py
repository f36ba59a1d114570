"""Stored accounts: what is stored, for how long, and which calls it answers without a request."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kit.calls import KEY, SECRET, compare, get, service, settings, talking
from kit.stores import Opened
from kit.tiktok import SANDBOX, Asked, TikTok, pinned, tiktok, too_fast, unknown_account, video
from kit.upstream import Reply, html, refusal, videos
from kit.virtual import VIRTUAL_TIME, Clock, wall_clock
from tiktok_pinned_videos.state.base import Entry
from tiktok_pinned_videos.state.open import open_primary

pytestmark = [pytest.mark.anyio, VIRTUAL_TIME]


def fields_asked(upstream: TikTok) -> list[set[str]]:
    return [set(asked.fields) for asked in upstream.asked]


async def test_a_cached_answer_keeps_its_time_and_log_id_until_its_time_is_over(clock: Clock) -> None:
    async with tiktok() as upstream, talking(upstream, clock=clock, cache_ttl=300.0) as client:
        first = await get(client, "nasa")
        clock.now += 299
        second = await get(client, "@NASA")
        asked = list(upstream.names)
        clock.now += 1
        third = await get(client, "nasa")

        assert [one["cached"] for one in (first, second, third)] == [False, True, False]
        assert second["retrieved_at"] == "2026-06-01T12:00:00Z"
        assert second["log_id"] == first["log_id"] == "log-1"
        assert second["videos"][0]["view_count"] == first["videos"][0]["view_count"]
        assert asked == ["nasa"]
        assert third["retrieved_at"] == "2026-06-01T12:05:00Z"


async def test_a_username_is_remembered_for_fifteen_days(clock: Clock) -> None:
    async with tiktok() as upstream, service(upstream, clock=clock) as asking:
        await asking.answer("nasa", ("id",))
        clock.now += 15 * 86_400 - 1
        before = await asking.accounts.seen("", limit=9)
        clock.now += 1

        assert (before, await asking.accounts.seen("", limit=9)) == (["nasa"], [])


async def test_without_a_cache_every_call_asks() -> None:
    async with tiktok() as upstream, talking(upstream, cache_ttl=0) as client:
        answers = [await get(client, "nasa"), await get(client, "nasa")]
        await compare(client, ["nasa", "esa"])

        assert [answer["cached"] for answer in answers] == [False, False]
        assert len(upstream.asked) == 4


async def test_a_stored_answer_serves_any_subset_of_its_fields_and_nothing_more() -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        await get(client, "nasa", fields="view_count,like_count,region_code")
        part = await get(client, "nasa", fields="like_count")
        more = await get(client, "nasa", fields="music_id")
        all_of_them = await get(client, "nasa", fields="like_count,music_id,region_code")

        assert set(part["videos"][0]) == {"id", "url", "like_count"}
        assert part["totals"] == {"videos": 1, "like_count": part["videos"][0]["like_count"]}
        assert set(more["videos"][0]) == {"id", "url", "music_id"}
        assert (part["cached"], more["cached"], all_of_them["cached"]) == (True, False, True)
        assert fields_asked(upstream) == [
            {"id", "view_count", "like_count", "region_code"},
            {"id", "view_count", "like_count", "region_code", "music_id"},
        ]


async def test_a_refresh_renews_all_stored_fields_and_a_failed_one_keeps_them(clock: Clock) -> None:
    async with tiktok() as upstream, talking(upstream, clock=clock) as client:
        await get(client, "nasa", fields="view_count,region_code")
        clock.now += 10
        answer = await get(client, "nasa", fields="view_count", refresh=True)
        upstream.reply = lambda _: refusal(400, "invalid_params", "bad")
        failed = await get(client, "nasa", refresh=True)
        stored = await get(client, "nasa", fields="region_code")

        assert failed["error"].startswith("upstream_error: ")
        assert (answer["cached"], answer["retrieved_at"]) == (False, "2026-06-01T12:00:10Z")
        assert set(answer["videos"][0]) == {"id", "url", "view_count"}
        assert (stored["cached"], stored["retrieved_at"]) == (True, "2026-06-01T12:00:10Z")
        assert fields_asked(upstream)[:2] == [{"id", "view_count", "region_code"}] * 2


async def test_a_raw_answer_with_fewer_fields_keeps_the_stored_fields() -> None:
    async with tiktok() as upstream, service(upstream) as asking:
        await asking.answer("nasa", ("id", "view_count", "region_code"))
        raw = await asking.fetch_raw("nasa", ("id", "view_count"))
        stored = await asking.answer("nasa", ("id", "region_code"))

        assert raw.snapshot.fields == ("id", "view_count")
        assert stored.cached
        assert fields_asked(upstream) == [{"id", "view_count", "region_code"}, {"id", "view_count"}]
        await asking.fetch_raw("nasa", ("id", "like_count", "share_count"))
        assert (await asking.answer("nasa", ("id", "share_count"))).cached


@pytest.mark.parametrize(
    "reply", [unknown_account, lambda _: videos([]), lambda _: videos(None)], ids=["not_found", "empty", "null"]
)
@pytest.mark.parametrize(("ttl", "kept"), [(300.0, 60), (20.0, 20)])
async def test_that_there_is_nothing_is_remembered_for_at_most_a_minute(
    reply: Callable[[Asked], Reply], ttl: float, kept: int, clock: Clock
) -> None:
    async with tiktok(reply) as upstream, talking(upstream, clock=clock, cache_ttl=ttl) as client:
        first = await get(client, "gone")
        clock.now += kept - 1
        remembered = await get(client, "gone", fields="region_code")
        asked = len(upstream.asked)
        clock.now += 1
        await get(client, "gone")

        assert asked == 1
        assert len(upstream.asked) == 2
        assert first.get("status") == remembered.get("status")
        assert first.get("error", "").startswith("not_found: ") is (reply is unknown_account)
        assert remembered.get("error", "").endswith("log_id L0G]") is (reply is unknown_account)


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (lambda _: refusal(400, "invalid_params", "this account is private"), "refused"),
        (lambda _: refusal(400, "invalid_params", "bad"), "upstream_error"),
        (lambda _: html(404), "upstream_error"),
        (lambda _: videos([{"id": "x"}]), "upstream_error"),
        (lambda _: too_fast("100"), "rate_limited"),
    ],
)
async def test_no_other_failure_is_ever_remembered(reply: Callable[[Asked], Reply], status: str, clock: Clock) -> None:
    async with tiktok(reply) as upstream, talking(upstream, clock=clock) as client:
        failed = await get(client, "nasa")
        clock.now += 61  # a pause for the rate limit is over by then
        upstream.reply = pinned
        answer = await get(client, "nasa")

        assert failed["error"].startswith(f"{status}: ")
        assert (answer["status"], answer["cached"]) == ("found", False)


# Different fields at once


async def test_calls_for_different_fields_at_once_each_get_theirs_with_two_requests() -> None:
    async with tiktok(latency=0.05) as upstream, talking(upstream) as client:
        first, second, third = await asyncio.gather(
            get(client, "nasa", fields="view_count"),
            get(client, "nasa", fields="region_code"),
            get(client, "nasa", fields="id"),
        )
        both = await get(client, "nasa", fields="view_count,region_code")

        assert set(first["videos"][0]) == {"id", "url", "view_count"}
        assert set(second["videos"][0]) == {"id", "url", "region_code"}
        assert set(third["videos"][0]) == {"id", "url"}
        assert both["cached"] is True
        assert fields_asked(upstream) == [{"id", "view_count"}, {"id", "view_count", "region_code"}]


# Several servers


@pytest.mark.parametrize(
    ("one", "other"),
    [({}, {"client_key": "aw-another-key"}), ({"sandbox": True}, {})],
    ids=["client keys", "sandbox and real"],
)
async def test_two_sources_never_share_an_answer_or_a_count(
    tmp_path: Path, one: dict[str, Any], other: dict[str, Any]
) -> None:
    state = f"sqlite:///{tmp_path}/state.db"
    async with tiktok() as upstream:
        async with talking(upstream, state=state, **one) as client:
            await get(client, "nasa")
        async with talking(upstream, state=state, **other) as client, service(upstream, state=state, **other) as asking:
            answer = await get(client, "nasa")

            assert answer["cached"] is False
            assert answer["source"] == "tiktok_research_api"
            assert (await asking.ledger.status()).used == 1


async def test_every_key_begins_with_the_hash_of_the_source_and_no_secret_reaches_the_disk(tmp_path: Path) -> None:
    async with tiktok() as upstream:
        configured = settings(upstream, cache_ttl=300, state=f"sqlite:///{tmp_path}/state.db")
        async with talking(upstream, state=configured.state) as client:
            upstream.reply = lambda asked: unknown_account(asked) if asked.username == "gone" else pinned(asked)
            await compare(client, ["nasa", "gone", "esa"])
            upstream.reply = lambda _: too_fast("100")
            await get(client, "new")
            with closing(sqlite3.connect(tmp_path / "state.db")) as file:
                keys = {key for (key,) in file.execute("SELECT key FROM entries")}
            on_disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())

        assert len(keys) >= 4
        assert [key for key in keys if not key.startswith(configured.namespace + ":")] == []
        assert b"nasa" in on_disk
        for secret in (SECRET, KEY, "clt."):
            assert secret.encode() not in on_disk


async def test_an_answer_stored_with_a_longer_lifetime_is_used_for_our_own_lifetime(
    tmp_path: Path, clock: Clock
) -> None:
    state = f"sqlite:///{tmp_path}/state.db"
    async with (
        tiktok() as upstream,
        talking(upstream, clock=clock, state=state, cache_ttl=1000.0) as long,
        talking(upstream, clock=clock, state=state, cache_ttl=100.0) as short,
    ):
        await get(long, "nasa")
        clock.now += 99
        young = await get(short, "nasa")
        clock.now += 1
        old = await get(short, "nasa")

        assert (young["cached"], old["cached"]) == (True, False)


async def test_the_sandbox_header_marks_an_answer_for_as_long_as_it_is_remembered() -> None:
    def rehearsed(asked: Asked) -> Reply:
        return videos([video(asked)], headers={"Content-Type": "application/json", **SANDBOX})

    async with tiktok(rehearsed) as upstream, talking(upstream) as client:
        answers = [await get(client, "nasa"), await get(client, "nasa")]

        assert [(answer["source"], answer["cached"]) for answer in answers] == [("sandbox", False), ("sandbox", True)]


async def test_an_entry_that_cannot_be_read_is_a_miss(tmp_path: Path, opened: Opened) -> None:
    state = f"sqlite:///{tmp_path}/state.db"
    async with tiktok() as upstream, service(upstream, state=state) as asking:
        await asking.answer("nasa", ("id",))
        store = opened(open_primary(state, clock=wall_clock()))
        (key,) = await store.find(f"{settings(upstream).namespace}:pinned:", 9)
        for spoiled in (b"", b"{}", b"[1]", b"null", b"\xff"):
            await store.put(Entry(key, spoiled, 60))
            answer = await asking.answer("nasa", ("id",))

            assert answer.cached is False
        assert len(upstream.asked) == 6
