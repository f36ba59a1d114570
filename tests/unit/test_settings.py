"""The environment as one value: what counts as set, what is refused, and in which words."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_pinned_videos.environment import SettingsError
from tiktok_pinned_videos.settings import Settings, load_settings

SECRET = "pa55-w0rd-of-the-project"
GOOD = {"TIKTOK_CLIENT_KEY": "awkey", "TIKTOK_CLIENT_SECRET": SECRET}


def refusal(variable: str, value: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings({**GOOD, variable: value})
    return str(caught.value)


def test_an_empty_environment_is_a_server_that_is_not_configured() -> None:
    told = load_settings({})

    assert not told.configured
    assert (told.base_url, told.timeout, told.max_concurrency, told.cache_ttl, told.daily_quota) == (
        "https://open.tiktokapis.com",
        30,
        8,
        300,
        1000,
    )
    assert (told.result_channels, told.sandbox, told.log_format) == ("both", False, "text")
    assert told.state.startswith("sqlite:///")


def test_key_and_secret_are_a_configured_server() -> None:
    told = load_settings({name: f" {value}\n" for name, value in GOOD.items()})

    assert told.configured
    assert told.credentials == ("awkey", SECRET)


@pytest.mark.parametrize(
    "value",
    [
        "", " ", "${TIKTOK_CLIENT_SECRET}", "${VAR:-default}", "${input:secret}", "$TIKTOK_CLIENT_SECRET", "{env:KEY}",
        "your_client_secret", "YOUR-CLIENT-SECRET", "your client secret", "<client secret>", "xxx", "XXXXXXXX",
    ],
)  # fmt: skip
@pytest.mark.parametrize("variable", list(GOOD))
def test_empty_values_placeholders_and_unexpanded_variables_are_not_configured(variable: str, value: str) -> None:
    assert not load_settings({**GOOD, variable: value}).configured


@pytest.mark.parametrize("value", ["${TIKTOK_TIMEOUT}", "", "  ", "${TIKTOK_TIMEOUT:-}"])
@pytest.mark.parametrize(
    "variable", ["TIKTOK_TIMEOUT", "TIKTOK_STATE", "TIKTOK_API_BASE_URL", "LOG_LEVEL", "TIKTOK_SANDBOX"]
)
def test_an_unexpanded_variable_elsewhere_is_the_default(variable: str, value: str) -> None:
    assert load_settings({**GOOD, variable: value}) == load_settings(GOOD)


@pytest.mark.parametrize("secret", ["$ecret", "a${b}c", "x", "xx", "yourself", "sec$RET", "<", "pass word"])
def test_a_secret_that_only_resembles_a_placeholder_is_one(secret: str) -> None:
    assert load_settings({**GOOD, "TIKTOK_CLIENT_SECRET": secret}).credentials[1] == secret


@pytest.mark.parametrize("secret", ["two\nlines", "nul\x7f", "bytes \udcff"])
def test_a_secret_that_no_form_can_carry_is_refused_without_being_shown(secret: str) -> None:
    told = refusal("TIKTOK_CLIENT_SECRET", secret)

    assert told.startswith("TIKTOK_CLIENT_SECRET ")
    assert secret[:3] not in told.removeprefix("TIKTOK_CLIENT_SECRET")
    assert told.isprintable()


# --- the secret's file -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [SECRET, f"{SECRET}\n", f"\ufeff{SECRET}\r\n", f"  {SECRET}  "])
def test_a_secret_can_stand_in_a_file(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secret"
    file.write_text(content, encoding="utf-8")
    told = load_settings({"TIKTOK_CLIENT_KEY": "awkey", "TIKTOK_CLIENT_SECRET_FILE": str(file)})

    assert told.credentials == ("awkey", SECRET)


def test_an_empty_file_or_one_with_a_placeholder_is_not_configured(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    for content in ("", "\n", "<your secret>"):
        file.write_text(content, encoding="utf-8")
        assert not load_settings({"TIKTOK_CLIENT_KEY": "k", "TIKTOK_CLIENT_SECRET_FILE": str(file)}).configured


def test_a_file_that_cannot_be_read_stops_the_start_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x80" + SECRET.encode())
    for path in (tmp_path / "missing", tmp_path, tmp_path / "binary", "nul\x00byte"):
        with pytest.raises(SettingsError) as caught:
            load_settings({"TIKTOK_CLIENT_KEY": "k", "TIKTOK_CLIENT_SECRET_FILE": str(path)})

        assert str(caught.value).startswith("TIKTOK_CLIENT_SECRET_FILE holds ")
        assert SECRET not in str(caught.value)
        assert str(caught.value).isprintable()


# --- numbers, choices, addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value", "attribute", "expected"),
    [
        ("TIKTOK_TIMEOUT", "1", "timeout", 1.0),
        ("TIKTOK_TIMEOUT", " 240 ", "timeout", 240.0),
        ("TIKTOK_TIMEOUT", "2.5", "timeout", 2.5),
        ("TIKTOK_MAX_CONCURRENCY", "1", "max_concurrency", 1),
        ("TIKTOK_MAX_CONCURRENCY", "32", "max_concurrency", 32),
        ("TIKTOK_CACHE_TTL", "0", "cache_ttl", 0.0),
        ("TIKTOK_CACHE_TTL", "1296000", "cache_ttl", 1_296_000.0),
        ("TIKTOK_DAILY_QUOTA", "100000", "daily_quota", 100_000),
        ("MCP_RESULT_CHANNELS", "TEXT", "result_channels", "text"),
        ("LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("LOG_FORMAT", "json", "log_format", "json"),
        ("TIKTOK_SANDBOX", "1", "sandbox", True),
        ("TIKTOK_SANDBOX", "0", "sandbox", False),
        ("TIKTOK_STATE", "memory:", "state", "memory:"),
        ("TIKTOK_STATE", "sqlite:////tmp/x.sqlite3", "state", "sqlite:////tmp/x.sqlite3"),
        ("TIKTOK_API_BASE_URL", "https://proxy.example/tiktok/", "api_base_url", "https://proxy.example/tiktok"),
        ("TIKTOK_API_BASE_URL", "http://127.0.0.1:8765", "api_base_url", "http://127.0.0.1:8765"),
        ("TIKTOK_API_BASE_URL", "http://localhost:8765", "api_base_url", "http://localhost:8765"),
        ("TIKTOK_API_BASE_URL", "http://[::1]:8765", "api_base_url", "http://[::1]:8765"),
    ],
)
def test_what_should_be_held_is_taken(variable: str, value: str, attribute: str, expected: object) -> None:
    assert getattr(load_settings({**GOOD, variable: value}), attribute) == expected


BAD = {
    "TIKTOK_TIMEOUT": ["0", "0.99", "241", "-5", "nan", "inf", "30s", "1_0", "٣٠", "30,0", "ten", "1e999", "0x10"],
    "TIKTOK_MAX_CONCURRENCY": ["0", "33", "-1", "8.0", "eight", "9" * 5000, "+8", "٨"],
    "TIKTOK_CACHE_TTL": ["-1", "1296001", "nan", "5 minutes"],
    "TIKTOK_DAILY_QUOTA": ["0", "-1000", "1e3", "many", "1 000"],
    "TIKTOK_SANDBOX": ["maybe", "2", "sandbox"],
    "MCP_RESULT_CHANNELS": ["none", "structured", "both,text"],
    "LOG_LEVEL": ["LOUD", "10"],
    "LOG_FORMAT": ["xml"],
    "TIKTOK_STATE": ["file.db", "memory:x", "sqlite:", "sqlite:x.db", "mysql://h/d", "redis://", "sqlite:///"],
    "TIKTOK_API_BASE_URL": [
        "open.tiktokapis.com",
        "http://open.tiktokapis.com",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "ftp://open.tiktokapis.com",
        "https://",
        "https://open.tiktokapis.com?x=1",
        "https://open.tiktokapis.com/#top",
        "https://open.tiktokapis.com:port",
        "https://open.tiktokapis.com:99999",
        "https://exa mple.org",
        "https://[::1",
        "javascript:alert(1)",
    ],
    "MCP_BEARER_TOKEN": ["short", "x" * 15, "x" * 20 + " y", "é" * 20],
    "MCP_JWT_ISSUER": ["http://issuer.example", "issuer"],
    "MCP_JWKS_URL": ["http://issuer.example/jwks"],
    "MCP_ALLOWED_HOSTS": ["http://host", "host:port", "a b", "host/path"],
    "MCP_ALLOWED_ORIGINS": ["host", "https://host/path", "*", "null"],
}


@pytest.mark.parametrize(("variable", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_malformed_value_is_named_in_one_line_with_what_it_should_be(variable: str, value: str) -> None:
    told = refusal(variable, value)

    assert told.startswith(variable)
    assert "should" in told
    assert told.isprintable()
    assert len(told) < 400
    if variable != "MCP_BEARER_TOKEN" and not value.startswith("redis"):
        assert value[:20].casefold() in told.casefold()


@pytest.mark.parametrize("variable", [name for name in BAD if name != "MCP_BEARER_TOKEN"])
@pytest.mark.parametrize("value", ["a\nb\x1b[31m", "\u202ex", "\x00", "/" * 5000, "\udcff"])
def test_hostile_values_are_told_in_one_short_line_that_a_terminal_survives(variable: str, value: str) -> None:
    told = refusal(variable, value)

    assert told.isprintable()
    assert len(told) < 600


@pytest.mark.parametrize(
    "variable",
    ["TIKTOK_API_BASE_URL", "TIKTOK_STATE", "TIKTOK_TIMEOUT", "LOG_LEVEL", "MCP_ALLOWED_HOSTS", "TIKTOK_SANDBOX"],
)
@pytest.mark.parametrize(
    "form",
    [
        "/{}",
        "https://user:{}@host",
        "https://user:a@{}@host",
        "ftp://{}/x@host/..",
        "https://host/?client_secret={}",
        "https://host/#{}",
        "redis://:{}@host:port/0",
        "redis://:a/{}@host",
        "redis://:{}?x@host",
        "redis:user:{}@host",
        "rediss://u:a@{}@h:x",
        "{}\n{}",
        "x {}",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_shown(variable: str, form: str) -> None:
    told = refusal(variable, form.replace("{}", SECRET))

    assert SECRET not in told
    assert SECRET.casefold() not in told.casefold()


@pytest.mark.parametrize(
    "url",
    [
        "redis://:{}@host:port/0",
        "redis://:a/{}@host",
        "redis://:{}?x@host",
        "redis://u:a@{}@h:x",
        "redis://:{}#@h",
        "redis:u:{}@host",
        "REDIS://:{}/@host/0",
    ],
)
def test_the_password_of_a_malformed_redis_url_is_not_shown(url: str) -> None:
    told = refusal("TIKTOK_STATE", url.format("r3dis-pass"))

    assert told.startswith("TIKTOK_STATE")
    assert "r3dis" not in told


@pytest.mark.parametrize("url", ["https://u:{}@host", "https://u:a/{}@host", "https://a@u:{}@h", "https://h/?k={}"])
def test_the_password_of_an_address_is_not_shown(url: str) -> None:
    assert "adr-pass" not in refusal("TIKTOK_API_BASE_URL", url.format("adr-pass"))


def test_nothing_secret_is_in_a_repr() -> None:
    told = load_settings({**GOOD, "MCP_BEARER_TOKEN": "b" * 20})

    assert [part for part in (SECRET, "awkey", "b" * 20) if part in f"{told!r} {told}"] == []


# --- the sandbox, and whose keys are whose ------------------------------------------------------------------------


def test_the_sandbox_needs_no_credentials_and_keeps_its_state_in_memory() -> None:
    by_flag, by_variable = load_settings({}, sandbox=True), load_settings({"TIKTOK_SANDBOX": "1"})

    assert by_flag == by_variable
    assert by_flag.configured
    assert by_flag.state == "memory:"


def test_the_sandbox_neither_reads_nor_sends_the_real_credentials() -> None:
    told = load_settings({**GOOD, "TIKTOK_CLIENT_SECRET_FILE": "/nonexistent"}, sandbox=True)

    assert SECRET not in told.credentials
    assert "awkey" not in told.credentials
    assert "tiktokapis" not in told.base_url


def test_every_source_has_keys_of_its_own() -> None:
    base = load_settings(GOOD)
    others = [
        load_settings(GOOD, sandbox=True),
        load_settings({**GOOD, "TIKTOK_CLIENT_KEY": "other"}),
        load_settings({**GOOD, "TIKTOK_API_BASE_URL": "http://127.0.0.1:8765"}),
    ]

    assert len({base.namespace, *(told.namespace for told in others)}) == 4
    assert load_settings({**GOOD, "TIKTOK_CLIENT_SECRET": "rotated"}).namespace == base.namespace
    assert "awkey" not in base.namespace


def test_settings_cannot_be_changed_after_the_start() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_settings({}).timeout = 5  # type: ignore[misc] - what the test is about


URLS = st.from_regex(r"\Ahttps?://[a-z0-9.\-\[\]:@%_é]{0,12}(:[0-9]{0,6})?(/[a-z./?#%]{0,6})?\Z")


@given(st.sampled_from(list(BAD)), st.text(st.characters(codec=None), max_size=30) | URLS)
def test_any_value_is_taken_or_refused_in_one_line(variable: str, value: str) -> None:
    try:
        told = load_settings({**GOOD, variable: value})
    except SettingsError as error:
        assert str(error).isprintable()  # noqa: PT017 - it may or may not be raised
        return

    assert isinstance(told, Settings)
    httpx.URL(told.base_url + "/v2/oauth/token/")
