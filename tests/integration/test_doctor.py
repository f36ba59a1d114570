"""`doctor` as a new user runs it: the exit status and every line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from kit import cli
from kit.calls import KEY, SECRET
from kit.configurations import command_of
from kit.processes import environment
from kit.upstream import Reply, Upstream, html, raw, refusal
from tiktok_pinned_videos.commands.doctor.checks import examine

pytestmark = pytest.mark.anyio


class Lines:
    """What a run of `doctor` printed."""

    def __init__(self, said: cli.Said) -> None:
        self.code, self.out, self.err = said.code, said.out, said.err
        for line in self.out.splitlines():
            assert re.match(r"(ok|warn|fail|skip|\.\.\.) +\S", line), line
        assert "clt." not in self.out + self.err

    def about(self, subject: str) -> str:
        """The one finding about `subject`."""
        found = [line for line in self.out.splitlines() if line[6:].startswith(f"{subject}: ") and line[:3] != "..."]
        assert len(found) == 1, self.out
        return found[0]

    @property
    def marks(self) -> dict[str, str]:
        return {line[6:].partition(":")[0]: line[:5].strip() for line in self.out.splitlines()}


async def doctor(*arguments: str, **env: str) -> Lines:
    """Without credentials."""
    return Lines(await cli.run("doctor", *arguments, env=environment(**{"TIKTOK_STATE": "memory:"} | env)))


async def configured(upstream: Upstream, *arguments: str, **env: str) -> Lines:
    return Lines(await cli.run("doctor", *arguments, env=cli.there(upstream, **env)))


# --- setups that work ------------------------------------------------------------------------------------------------


async def test_in_the_sandbox_everything_is_ok() -> None:
    ran = await doctor("--sandbox")

    assert (ran.code, ran.err) == (0, "")
    assert list(ran.marks) == [
        "Python", "packages", "configuration", "credentials", "base URL", "state store", "endpoint", "token",
    ]  # fmt: skip
    assert set(ran.marks.values()) == {"ok"}
    assert "invented data" in ran.about("base URL")
    assert ran.about("token") == "ok    token: the sandbox issued one, valid for 120 minutes."


async def test_a_working_project_costs_one_announced_request(upstream: Upstream) -> None:
    ran = await configured(upstream)

    assert ran.code == 0
    assert (len(upstream.token_requests), len(upstream.research)) == (1, 1)
    assert upstream.research[0].json == {"username": "tiktok"}
    before, after = ran.out.split("ok    token: ")
    assert "sending one research request about @tiktok, which counts as one of today's quota (0 of 1000" in before
    assert after == (
        "TikTok issued one, valid for 120 minutes.\nok    endpoint: answered: @tiktok has 3 pinned videos.\n"
    )
    assert ran.about("credentials") == (
        "ok    credentials: key from TIKTOK_CLIENT_KEY, secret from TIKTOK_CLIENT_SECRET (not shown)."
    )
    assert ran.about("base URL").startswith("warn  ")


async def test_offline_nothing_is_sent(upstream: Upstream) -> None:
    ran = await configured(upstream, "--offline", TIKTOK_STATE="redis://u:hunter2@127.0.0.1:1/0")

    assert (ran.code, upstream.received) == (0, [])
    assert ran.marks["token"] == ran.marks["endpoint"] == ran.marks["state store"] == "skip"
    assert "hunter2" not in ran.out


# --- credentials and configuration -----------------------------------------------------------------------------------


async def test_without_credentials_it_says_what_to_set() -> None:
    ran = await doctor()

    assert ran.code == 1
    assert ran.about("credentials") == (
        "fail  credentials: TIKTOK_CLIENT_KEY is not set; TIKTOK_CLIENT_SECRET is not set. Set them to the client key "
        "and secret of an approved Research API project, or use --sandbox."
    )
    assert ran.about("token") == "skip  token: nothing sent without credentials."


async def test_a_placeholder_is_not_a_credential_and_neither_is_a_file_without_a_secret(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("your-client-secret\n", encoding="utf-8")
    ran = await doctor(TIKTOK_CLIENT_KEY="${KEY_OF_MINE}", TIKTOK_CLIENT_SECRET_FILE=str(tmp_path / "secret"))

    assert ran.code == 1
    assert ran.about("credentials").startswith(
        "fail  credentials: TIKTOK_CLIENT_KEY holds a placeholder or a variable that was not expanded; "
        "TIKTOK_CLIENT_SECRET is not set; TIKTOK_CLIENT_SECRET_FILE holds no secret."
    )


async def test_a_secret_may_come_from_a_file_which_must_be_readable(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    missing = await doctor(TIKTOK_CLIENT_KEY=KEY, TIKTOK_CLIENT_SECRET_FILE=str(file))
    file.write_text(SECRET + "\n", encoding="utf-8")
    ran = await doctor("--offline", TIKTOK_CLIENT_KEY=KEY, TIKTOK_CLIENT_SECRET_FILE=str(file))

    assert (missing.code, ran.code) == (1, 0)
    assert "fail  configuration: TIKTOK_CLIENT_SECRET_FILE " in missing.out
    assert ran.about("credentials").endswith("secret from TIKTOK_CLIENT_SECRET_FILE (not shown).")


async def test_every_malformed_value_is_named_and_nothing_is_sent(upstream: Upstream) -> None:
    ran = await configured(
        upstream, TIKTOK_TIMEOUT="soon", TIKTOK_MAX_CONCURRENCY="99", TIKTOK_STATE="redis://u:hunter2@h:port/0",
        TIKTOK_CLIENT_KEY="two\nlines",
    )  # fmt: skip

    faults = [line.split()[2] for line in ran.out.splitlines() if line.startswith("fail  configuration: ")]
    assert (ran.code, upstream.received) == (1, [])
    assert sorted(faults) == ["TIKTOK_CLIENT_KEY", "TIKTOK_MAX_CONCURRENCY", "TIKTOK_STATE", "TIKTOK_TIMEOUT"]
    assert "hunter2" not in ran.out
    assert ran.about("state store") == "skip  state store: not checked before TIKTOK_STATE is correct."


async def test_no_credentials_are_sent_before_every_value_is_correct(upstream: Upstream) -> None:
    ran = await configured(upstream, TIKTOK_TIMEOUT="soon")

    assert (ran.code, upstream.received) == (1, [])
    assert ran.about("endpoint") == "skip  endpoint: nothing sent before the configuration is correct."


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SSL_CERT_FILE", "/missing.pem"),
        ("HTTPS_PROXY", "socks9://h:1"),
        ("OTEL_PROPAGATORS", "bogus"),
    ],
)
async def test_a_variable_of_another_library_that_is_wrong_is_named(variable: str, value: str) -> None:
    ran = await doctor("--offline", TIKTOK_CLIENT_KEY=KEY, TIKTOK_CLIENT_SECRET=SECRET, **{variable: value})

    (line,) = (line for line in ran.out.splitlines() if line.startswith(("warn", "fail")))
    assert (ran.code, variable in line) == (0 if line.startswith("warn") else 1, True)


async def test_without_a_home_folder_the_state_store_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_state_path", lambda *_, **__: Path("~/state"))
    env = {"TIKTOK_CLIENT_KEY": KEY, "TIKTOK_CLIENT_SECRET": SECRET}
    lines = [str(finding) async for finding in examine(env, sandbox=False, offline=True)]

    assert any(line.startswith("fail  configuration: TIKTOK_STATE is not set, and") for line in lines)


# --- TikTok and the state store --------------------------------------------------------------------------------------


async def test_a_wrong_secret_fails_at_the_token(upstream: Upstream) -> None:
    upstream.answer_token(raw({"error": "invalid_client", "error_description": f"bad {SECRET}", "log_id": "L1"}))
    ran = await configured(upstream)

    assert (ran.code, upstream.research) == (1, [])
    assert ran.about("token").startswith("fail  token: auth_failed: ")
    assert "invalid_client; log_id L1]" in ran.about("token")
    assert ran.about("endpoint") == "skip  endpoint: nothing sent without a token."


@pytest.mark.parametrize(
    ("reply", "code", "line"),
    [
        (refusal(401, "scope_not_authorized", "No."), 1, "fail  endpoint: scope_missing: "),
        (refusal(429, "daily_quota_limit_exceeded", "Over."), 0, "warn  endpoint: quota_exceeded: "),
        (refusal(400, "invalid_params", "cannot find the user"), 0, "ok    endpoint: answered about @tiktok: "),
        (html(), 1, "fail  endpoint: upstream_error: "),
    ],
    ids=["scope", "quota", "account", "html"],
)
async def test_an_error_of_the_endpoint_fails_unless_the_endpoint_works(
    upstream: Upstream, reply: Reply, code: int, line: str
) -> None:
    upstream.answer(reply)
    ran = await configured(upstream, TIKTOK_TIMEOUT="1")

    assert ran.code == code
    assert ran.about("token").startswith("ok    ")
    assert ran.about("endpoint").startswith(line)
    assert "<" not in ran.out


async def test_a_server_that_cannot_be_reached_fails_at_the_token() -> None:
    ran = await doctor(
        TIKTOK_CLIENT_KEY=KEY, TIKTOK_CLIENT_SECRET=SECRET, TIKTOK_API_BASE_URL="http://127.0.0.1:1", TIKTOK_TIMEOUT="1"
    )

    assert ran.code == 1
    assert ran.about("token").startswith("fail  token: unreachable: ")


async def test_a_store_that_does_not_work_fails_and_its_password_is_not_shown(tmp_path: Path) -> None:
    dead = await doctor("--sandbox", TIKTOK_STATE="redis://u:hunter2@127.0.0.1:1/0")
    folder = await doctor("--sandbox", TIKTOK_STATE=f"sqlite:///{tmp_path.as_posix()}")

    assert (dead.code, folder.code) == (1, 1)
    assert dead.about("state store").startswith("fail  ")
    assert folder.about("state store").startswith("fail  ")
    assert "hunter2" not in dead.out
    assert dead.about("endpoint").startswith("ok    ")


# --- configurations of clients ---------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_the_printed_configuration_starts_this_server() -> None:
    said = await cli.run("doctor", "--client", "cursor", "--sandbox", env=environment())
    (command, *arguments), env = command_of("cursor", said.out)

    assert (said.code, env, Path(command).is_absolute()) == (0, {}, True)
    parameters = StdioServerParameters(command=command, args=arguments, env=environment())
    async with Client(stdio_client(parameters)) as client:
        assert client.server_info is not None
        assert client.server_info.name == "tiktok-pinned-videos"


async def test_a_configuration_never_contains_a_secret_of_the_environment() -> None:
    env = environment(TIKTOK_CLIENT_KEY=KEY, TIKTOK_CLIENT_SECRET=SECRET, MCP_BEARER_TOKEN="t" * 20)
    said = await cli.run("doctor", "--client", "zed", env=env)
    remote = await cli.run("doctor", "--client", "zed", "--url", "https://h.example/mcp", env=env)

    assert (said.code, remote.code) == (0, 0)
    for text in (said.out, said.err, remote.out, remote.err):
        assert all(secret not in text for secret in (KEY, SECRET, "t" * 20))


async def test_a_url_that_cannot_be_used_ends_with_2_and_one_line() -> None:
    alone = await cli.run("doctor", "--url", "https://h.example/mcp", env=environment())
    wrong = await cli.run("doctor", "--client", "zed", "--url", "https://user:pw@h.example", env=environment())

    assert (alone.code, alone.err.count("\n"), wrong.code, wrong.err.count("\n")) == (2, 1, 2, 1)
    assert "pw" not in wrong.err
