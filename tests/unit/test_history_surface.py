"""What is remembered as people meet it: in answers, in the resource, in the sandbox, and how it is deleted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from mcp.client import Client
from mcp.shared.exceptions import MCPError

from kit import ERAS, Clock, Era, compare, connected, counts, get, pinned, talking, tiktok
from tiktok_pinned_videos.cli import cli
from tiktok_pinned_videos.settings import Settings

pytestmark = pytest.mark.anyio


async def read(client: Client, username: str) -> dict[str, object]:
    result = await client.read_resource(f"tiktok://history/{username}")
    return json.loads(result.contents[0].text)  # pyright: ignore[reportAttributeAccessIssue] - it is text


@pytest.mark.parametrize("era", ERAS)
async def test_the_sandboxs_changing_account_shows_all_of_it_without_credentials(era: Era) -> None:
    clock = Clock()
    async with connected(Settings(sandbox=True), era=era, clock=clock) as client:
        first = await get(client, "sandbox_changing")
        clock.now += 60
        second = await get(client, "sandbox_changing", refresh=True)
        both = await compare(client, ["sandbox_changing", "nasa"])
        observations = await read(client, "@Sandbox_Changing")

    before, after = ([video["id"] for video in each["videos"]] for each in (first, second))
    assert "changes" not in first
    turn = {"after": first["retrieved_at"], "by": second["retrieved_at"]}
    assert second["changes"]["since"] == first["retrieved_at"]
    assert second["changes"]["pinned"] == [{"id": after[2], **turn}]
    assert second["changes"]["unpinned"] == [{"id": before[0], **turn}]
    assert second["changes"]["view_count"] > 0
    compared = {account["username"]: account.get("changes") for account in both["accounts"]}
    assert compared == {
        "sandbox_changing": {**second["changes"], "pinned": 1, "unpinned": 1},
        "nasa": None,
    }
    assert observations["source"] == "sandbox"
    assert observations["username"] == "Sandbox_Changing"
    seen = observations["observations"]
    assert isinstance(seen, list)
    assert [observation["retrieved_at"] for observation in seen] == [first["retrieved_at"], second["retrieved_at"]]
    assert [list(observation["videos"][0]) for observation in seen] == [
        ["id", "view_count", "like_count", "comment_count", "share_count", "favorites_count"]
    ] * 2
    assert [[video["id"] for video in observation["videos"]] for observation in seen] == [before, after]


@pytest.mark.parametrize(("name", "why"), [("nobody", "Call get_pinned_videos"), ("no name!", "can exist")])
async def test_a_history_that_is_not_there_says_what_to_do_and_asks_nobody(name: str, why: str) -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        with pytest.raises(MCPError, match=why):
            await read(client, name)

        assert upstream.asked == []


async def test_the_history_holds_no_text() -> None:
    async with tiktok() as upstream, talking(upstream) as client:
        await get(client, "nasa")

        assert (await read(client, "nasa"))["observations"] == [
            {
                "retrieved_at": (await get(client, "nasa"))["retrieved_at"],
                "videos": [{"id": "7000000000000000001", **counts("nasa"), "favorites_count": 7}],
            }
        ]


async def test_without_history_days_no_answer_has_a_past() -> None:
    clock = Clock()
    async with tiktok(pinned) as upstream, talking(upstream, clock=clock, history_days=0) as client:
        await get(client, "nasa")
        clock.now += 60

        assert "changes" not in await get(client, "nasa", refresh=True)


def test_forget_deletes_what_is_kept_of_an_account(tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite3"
    env = {"TIKTOK_SANDBOX": "1", "TIKTOK_STATE": f"sqlite:///{file.as_posix()}"}
    assert CliRunner().invoke(cli, ["get", "nasa", "esa"], env=env).exit_code == 0
    assert b":nasa" in _written(tmp_path)
    done = CliRunner().invoke(cli, ["forget", "tiktok.com/@NASA"], env=env)

    assert done.exit_code == 0, done.output
    assert done.output.startswith("@NASA: nothing is kept any more")
    assert b":nasa" not in _written(tmp_path)
    assert b":esa" in _written(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        ([], {"TIKTOK_SANDBOX": "1"}, "Missing argument"),
        (["no name!"], {"TIKTOK_SANDBOX": "1"}, "invalid_argument: "),
        (["nasa"], {}, "not_configured: "),
    ],
)
def test_forget_says_what_is_wrong(arguments: list[str], env: dict[str, str], said: str) -> None:
    done = CliRunner().invoke(cli, ["forget", *arguments], env=env)

    assert done.exit_code == 2
    assert said in done.output


def _written(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())
