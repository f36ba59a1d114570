"""`doctor` as a newcomer runs it: the command, its exit status, and every line it says."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from kit import COMMAND, Upstream, environment, html, raw, refusal, serving
from kit.configurations import server_of
from tiktok_pinned_videos.cli import doctor as command
from tiktok_pinned_videos.commands.clients import NAMES, Launch, configuration, launch_of
from tiktok_pinned_videos.commands.doctor.checks import examine

pytestmark = [pytest.mark.anyio, pytest.mark.processes]

KEY = "aw-client-key-7"
SECRET = "s3cr3t-Of-The-Project"


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    def line(self, subject: str) -> str:
        """The one finding about `subject`; what is said beforehand does not count."""
        found = [line for line in self.out.splitlines() if line[6:].startswith(f"{subject}: ") and line[:3] != "..."]
        assert len(found) == 1, self.out
        return found[0]

    def marks(self) -> dict[str, str]:
        return {line[6:].partition(":")[0]: line[:5].strip() for line in self.out.splitlines()}


async def doctor(*arguments: str, **env: str) -> Said:
    done = await anyio.run_process(
        [*COMMAND, "doctor", *arguments],
        env=environment(TIKTOK_STATE=env.pop("TIKTOK_STATE", "memory:"), **env),
        check=False,
    )
    said = Said(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))
    assert "Traceback" not in said.out + said.err
    for line in said.out.splitlines():
        assert re.match(r"(ok|warn|fail|skip|\.\.\.) +\S", line), line
    for secret in (KEY, SECRET, "clt."):
        assert secret not in said.out + said.err
    return said


async def ask(upstream: Upstream, *arguments: str, **env: str) -> Said:
    """With credentials, at this upstream."""
    return await doctor(
        *arguments,
        **{"TIKTOK_API_BASE_URL": upstream.url, "TIKTOK_CLIENT_KEY": KEY, "TIKTOK_CLIENT_SECRET": SECRET} | env,
    )


async def test_in_the_sandbox_everything_is_well() -> None:
    said = await doctor("--sandbox")

    assert (said.code, said.err) == (0, "")
    assert said.marks() == {
        "Python": "ok",
        "packages": "ok",
        "configuration": "ok",
        "credentials": "ok",
        "base URL": "ok",
        "state store": "ok",
        "token": "ok",
        "endpoint": "ok",
    }
    assert "invented data" in said.line("base URL")
    assert said.line("token").startswith("ok    token: the sandbox gave one")


async def test_without_credentials_it_says_what_to_set_and_exits_with_1() -> None:
    said = await doctor()

    assert said.code == 1
    assert said.line("credentials") == (
        "fail  credentials: TIKTOK_CLIENT_KEY is not set; TIKTOK_CLIENT_SECRET is not set. Set them to the client key "
        "and secret of an approved Research API project, or use --sandbox."
    )
    assert said.line("token") == "skip  token: nothing sent without credentials."


async def test_placeholders_and_unexpanded_variables_are_told_apart() -> None:
    said = await doctor(TIKTOK_CLIENT_KEY="your-client-key", TIKTOK_CLIENT_SECRET="${SECRET_OF_MINE}")

    assert said.code == 1
    assert "TIKTOK_CLIENT_KEY still holds the placeholder of an example" in said.line("credentials")
    assert "TIKTOK_CLIENT_SECRET holds a variable's name that was passed on literally" in said.line("credentials")


async def test_a_working_project_costs_one_token_and_one_research_request_said_beforehand() -> None:
    async with serving() as upstream:
        said = await ask(upstream)

        assert said.code == 0
        assert (len(upstream.token_requests), len(upstream.research)) == (1, 1)
        assert upstream.research[0].json == {"username": "tiktok"}
    before, after = said.out.split("ok    token: ")
    assert "sending one research request about @tiktok, which counts as one of today's quota (0 of 1000" in before
    assert after.startswith("TikTok gave one, good for 120 minutes.\nok    endpoint: answered: @tiktok has 3 pinned")
    assert said.line("base URL").startswith("warn  ")


async def test_offline_nothing_is_sent() -> None:
    async with serving() as upstream:
        said = await ask(upstream, "--offline")

        assert upstream.received == []
    assert said.code == 0
    assert said.marks()["token"] == said.marks()["endpoint"] == "skip"


async def test_a_wrong_secret_fails_at_the_token_and_sends_no_research_request() -> None:
    async with serving() as upstream:
        upstream.answer_token(raw({"error": "invalid_client", "error_description": f"bad {SECRET}", "log_id": "L1"}))
        said = await ask(upstream)

        assert upstream.research == []
    assert said.code == 1
    assert said.line("token").startswith("fail  token: auth_failed: ")
    assert "[invalid_client; log_id L1]" in said.line("token")
    assert said.line("endpoint") == "skip  endpoint: nothing sent without a token."


async def test_a_project_without_the_scope_has_a_token_and_fails_at_the_endpoint() -> None:
    async with serving() as upstream:
        upstream.answer(refusal(401, "scope_not_authorized", "The user did not authorize the scope."))
        said = await ask(upstream)

    assert said.code == 1
    assert said.line("token").startswith("ok    ")
    assert said.line("endpoint").startswith("fail  endpoint: scope_missing: ")


async def test_a_spent_quota_is_a_warning_because_nothing_is_broken() -> None:
    async with serving() as upstream:
        upstream.answer(refusal(429, "daily_quota_limit_exceeded", "The API daily quota limit exceeded."))
        said = await ask(upstream)

    assert said.code == 0
    assert said.line("endpoint").startswith("warn  endpoint: quota_exceeded: ")


async def test_an_upstream_that_is_down_is_told_in_words() -> None:
    async with serving() as upstream:
        upstream.answer(html())
        broken = await ask(upstream, TIKTOK_TIMEOUT="1")
    gone = await ask(upstream, TIKTOK_TIMEOUT="1")

    assert (broken.code, gone.code) == (1, 1)
    assert broken.line("token").startswith("ok    ")
    assert broken.line("endpoint").startswith("fail  endpoint: upstream_error: ")
    assert "html" not in broken.out
    assert gone.line("token").startswith("fail  token: unreachable: ")


async def test_every_malformed_value_is_named_the_rest_is_examined_and_nothing_is_sent() -> None:
    async with serving() as upstream:
        said = await ask(
            upstream, TIKTOK_TIMEOUT="soon", TIKTOK_MAX_CONCURRENCY="99", TIKTOK_STATE="redis://u:hunter2@h:port/0"
        )

        assert upstream.received == []
    assert said.code == 1
    faults = [line for line in said.out.splitlines() if line.startswith("fail  configuration: ")]
    assert [fault.split()[2] for fault in faults] == ["TIKTOK_TIMEOUT", "TIKTOK_MAX_CONCURRENCY", "TIKTOK_STATE"]
    assert "hunter2" not in said.out
    assert said.line("credentials").startswith("ok    ")
    assert said.line("state store") == "skip  state store: not tried before TIKTOK_STATE is put right."


async def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "nothing here"
    said = await doctor(TIKTOK_CLIENT_KEY=KEY, TIKTOK_CLIENT_SECRET_FILE=str(missing))

    assert said.code == 1
    assert str(missing)[:60] in said.out  # a value is cut where it gets long
    assert said.line("credentials").startswith("fail  ")


async def test_the_source_of_the_secret_is_told_and_the_secret_is_not(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n", encoding="utf-8")
    said = await doctor("--offline", TIKTOK_CLIENT_KEY=KEY, TIKTOK_CLIENT_SECRET_FILE=str(file))

    assert said.code == 0
    assert said.line("credentials") == (
        "ok    credentials: key from TIKTOK_CLIENT_KEY, secret from TIKTOK_CLIENT_SECRET_FILE (not shown)."
    )


async def test_a_mistyped_variable_is_told_with_the_nearest_one() -> None:
    said = await doctor("--sandbox", TIKTOK_CLIENT_SECERT=SECRET)

    assert said.code == 0
    assert "warn  configuration: TIKTOK_CLIENT_SECERT is no variable" in said.out
    assert "Did you mean TIKTOK_CLIENT_SECRET?" in said.out


async def test_a_dead_redis_is_degraded_and_its_password_stays_untold() -> None:
    said = await doctor("--sandbox", TIKTOK_STATE="redis://u:hunter2@127.0.0.1:1/0")

    assert said.code == 1
    assert "is degraded: " in said.line("state store")
    assert "hunter2" not in said.out
    assert said.line("endpoint").startswith("ok    ")


async def test_a_file_of_another_program_is_not_taken_for_a_state_store(tmp_path: Path) -> None:
    file = tmp_path / "letters.sqlite3"
    file.write_text("not a database at all, but a letter " * 40, encoding="utf-8")
    said = await doctor("--sandbox", TIKTOK_STATE=f"sqlite:///{file.as_posix()}")

    assert said.code == 1
    assert said.line("state store").startswith("fail  ")


async def test_without_a_home_folder_the_state_store_is_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_state_path", lambda *_, **__: Path("~/state"))
    env = {"TIKTOK_CLIENT_KEY": KEY, "TIKTOK_CLIENT_SECRET": SECRET, "TIKTOK_CLIENT_SECERT": SECRET}
    said = [str(finding) async for finding in examine(env, sandbox=False, offline=True)]

    assert any(line.startswith("fail  configuration: TIKTOK_STATE is not set, and") for line in said)
    assert "warn  configuration: TIKTOK_CLIENT_SECERT is no variable" in "\n".join(said)


def test_the_command_offers_every_client_that_it_knows() -> None:
    (option,) = (each for each in command.params if each.name == "client")

    assert tuple(getattr(option.type, "choices", ())) == NAMES


@pytest.mark.parametrize("client", NAMES)
async def test_the_configuration_for_a_client_starts_this_server(client: str) -> None:
    said = await _configuration(client, "--sandbox")
    server = server_of(client, said.out)

    assert Path(server.command).is_absolute()
    assert (server.env, server.forwarded) == ({}, ())
    async with Client(
        stdio_client(StdioServerParameters(command=server.command, args=server.args, env=environment()))
    ) as connected:
        info = connected.server_info
        assert info is not None
        assert (info.name, info.title) == ("tiktok-pinned-videos", "TikTok pinned videos (sandbox)")
    assert (".toml" if client == "codex" else ".json") in said.err


async def _configuration(client: str, *arguments: str) -> Said:
    done = await anyio.run_process(
        [*COMMAND, "doctor", "--client", client, *arguments],
        env=environment(TIKTOK_CLIENT_KEY=KEY, TIKTOK_CLIENT_SECRET=SECRET),
        check=False,
    )
    said = Said(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))
    assert said.code == 0
    assert SECRET not in said.out + said.err
    return said


@pytest.mark.parametrize("client", NAMES)
async def test_the_configuration_for_a_client_holds_a_reference_in_place_of_the_secret(client: str) -> None:
    said = await _configuration(client)
    server = server_of(client, said.out)
    held = {
        "claude-desktop": "your-client-secret",
        "claude-code": "${TIKTOK_CLIENT_SECRET}",
        "vscode": "${input:tiktok-client-secret}",
        "cursor": "${env:TIKTOK_CLIENT_SECRET}",
        "gemini-cli": "$TIKTOK_CLIENT_SECRET",
        "zed": "your-client-secret",
        "opencode": "{env:TIKTOK_CLIENT_SECRET}",
    }

    assert server.env.get("TIKTOK_CLIENT_SECRET") == held.get(client)
    assert server.forwarded == (("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET") if client == "codex" else ())
    if client == "vscode":
        document = json.loads(said.out)
        asked = {entry["id"]: entry.get("password", False) for entry in document["inputs"]}
        assert asked == {"tiktok-client-key": False, "tiktok-client-secret": True}


def _script(folder: Path) -> Path:
    folder.mkdir(parents=True)
    script = folder / "tiktok-pinned-videos-mcp"
    script.touch()
    return script


def _launch(tmp_path: Path, **changes: object) -> Launch:
    told: dict[str, object] = {
        "prefix": str(tmp_path / "venv"),
        "scripts": tmp_path / "venv" / "bin",
        "argv0": "-m",
        "executable": str(tmp_path / "venv" / "bin" / "python"),
        "uv": None,
        "origin": None,
        "suffix": "",
    }
    return launch_of(**(told | changes))  # pyright: ignore[reportArgumentType] - names and types as above


async def test_an_environment_of_its_own_is_started_by_its_script(tmp_path: Path) -> None:
    script = _script(tmp_path / "venv" / "bin")

    assert _launch(tmp_path, uv="/usr/bin/uv") == Launch(str(script))


async def test_a_user_install_is_started_by_the_script_that_was_called(tmp_path: Path) -> None:
    script = _script(tmp_path / ".local" / "bin")

    assert _launch(tmp_path, argv0=str(script)) == Launch(str(script))


async def test_without_a_script_the_interpreter_starts_the_package(tmp_path: Path) -> None:
    python = str(tmp_path / "venv" / "bin" / "python")

    assert _launch(tmp_path, argv0=str(tmp_path / "__main__.py")) == Launch(python, ("-m", "tiktok_pinned_videos"))


async def test_what_runs_from_the_cache_of_uv_is_started_by_uv_again(tmp_path: Path) -> None:
    cached = tmp_path / "uv" / "archive-v0" / "Xyz"
    _script(cached / "bin")
    uv = str(tmp_path / "uv.exe")

    launch = _launch(tmp_path, prefix=str(cached), scripts=cached / "bin", uv=uv, origin=str(tmp_path))

    assert launch == Launch(uv, ("tool", "run", "--from", str(tmp_path), "tiktok-pinned-videos-mcp"))


async def test_what_came_from_an_index_is_never_started_by_its_name_alone(tmp_path: Path) -> None:
    cached = tmp_path / "uv" / "archive-v0" / "Xyz"
    script = _script(cached / "bin")

    launch = _launch(tmp_path, prefix=str(cached), scripts=cached / "bin", uv="/usr/bin/uv", origin=None)

    assert launch == Launch(str(script))


@pytest.mark.parametrize("client", NAMES)
async def test_a_path_of_windows_survives_the_configuration(client: str) -> None:
    path = r"C:\Users\Zoë B\AppData\Local\uv\tools\tiktok-pinned-videos-mcp\Scripts\tiktok-pinned-videos-mcp.exe"

    assert server_of(client, configuration(client, Launch(path), sandbox=False)).command == path
