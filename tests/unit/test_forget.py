"""Everything stored of an account is deleted, for every client key that used the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.calls import service
from kit.cli import run_now
from kit.tiktok import tiktok
from tiktok_pinned_videos.service.forget import forget_accounts

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("medium", ["file", "redis"])
async def test_an_account_is_deleted_for_every_client_key_while_a_server_runs(
    medium: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    state = f"sqlite:///{tmp_path}/state.sqlite3" if medium == "file" else request.getfixturevalue("redis_url")
    async with (
        tiktok() as upstream,
        service(upstream, state=state) as one,
        service(upstream, state=state, client_key="another") as other,
    ):
        for asked in (one, other):
            for name in ("nasa", "esa"):
                await asked.answer(name, ("id", "video_description"))
        forgotten = await forget_accounts(state, ["NASA", "unknown"])
        left = b"".join(file.read_bytes() for file in tmp_path.iterdir())

        assert dict(forgotten.entries) == {"NASA": 8, "unknown": 0}
        assert forgotten.namespaces == 2
        for asked in (one, other):
            assert await asked.accounts.answer("nasa") is None
            assert (await asked.accounts.load("nasa")).observations == ()
            assert await asked.accounts.seen("", limit=9) == ["esa"]
        assert b"By nasa" not in left


async def test_a_store_that_does_not_exist_has_nothing_to_delete(tmp_path: Path) -> None:
    for state in ("memory:", f"sqlite:///{tmp_path}/folder/state.sqlite3"):
        forgotten = await forget_accounts(state, ["nasa"])

        assert (forgotten.namespaces, dict(forgotten.entries)) == (0, {"nasa": 0})


def test_a_file_that_was_moved_aside_and_may_be_of_another_program_is_named(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite3").write_bytes(b"captions")
    said = run_now(("forget", "nasa"), {"TIKTOK_STATE": f"sqlite:///{tmp_path}/state.sqlite3"})

    assert said.code == 1
    assert f"may hold data: {tmp_path}/state.sqlite3.unreadable-" in said.err


def test_a_store_that_cannot_be_reached_is_an_error() -> None:
    said = run_now(("forget", "nasa"), {"TIKTOK_STATE": "redis://127.0.0.1:1"})

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("The state store cannot be used, so something may be left in it: ")
