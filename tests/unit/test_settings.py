"""The settings: which values count as set, which are rejected, and with which message."""

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
    assert str(caught.value).startswith(variable)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_an_empty_environment_is_not_configured_and_has_the_documented_defaults() -> None:
    loaded = load_settings({})

    assert not loaded.configured
    assert (loaded.base_url, loaded.timeout, loaded.max_concurrency) == ("https://open.tiktokapis.com", 30, 8)
    assert (loaded.cache_ttl, loaded.daily_quota, loaded.history_days) == (300, 1000, 15)
    assert (loaded.result_channels, loaded.sandbox, loaded.log_format, loaded.log_level) == ("both", False, "text", "")
    assert loaded.state.startswith("sqlite:///")


@pytest.mark.parametrize("form", [" {}\n", '"{}"', "'{}'", '" {} "'])
def test_white_space_and_quotes_around_a_value_are_removed(form: str) -> None:
    loaded = load_settings({name: form.format(value) for name, value in {**GOOD, "TIKTOK_TIMEOUT": "5"}.items()})

    assert (loaded.configured, loaded.credentials, loaded.timeout) == (True, ("awkey", SECRET), 5)


NOT_SET = {
    "empty": ["", " ", '""', "''"],
    "unexpanded": ["${KEY}", "${KEY:-x}", "$KEY", "%KEY%", "{{KEY}}", "{{ key }}", "$env:KEY", "$Env:Key", "{env:KEY}",
                   "${{ secrets.KEY }}", "$(cat key)", '"${KEY}"'],
    "placeholder": ["your_client_secret", "YOUR-CLIENT-SECRET", "your key", "<client secret>", "xxx", "changeme"],
    "template": ["undefined", "null", "None"],
}  # fmt: skip


@pytest.mark.parametrize("kind", NOT_SET)
def test_placeholders_and_empty_values_count_as_not_configured(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "secret"
    for value in NOT_SET[kind]:
        file.write_text(value + "\n", encoding="utf-8")
        for variable in GOOD:
            assert not load_settings({**GOOD, variable: value}).configured, value
        by_file = {"TIKTOK_CLIENT_KEY": "awkey", "TIKTOK_CLIENT_SECRET_FILE": str(file)}
        assert not load_settings(by_file).configured, value


def test_an_unexpanded_variable_elsewhere_is_the_default() -> None:
    for variable in ("TIKTOK_TIMEOUT", "TIKTOK_STATE", "TIKTOK_API_BASE_URL", "LOG_LEVEL", "TIKTOK_SANDBOX"):
        for value in ("", " ", "${X}", "%X%", "{{X}}"):
            assert load_settings({**GOOD, variable: value}) == load_settings(GOOD)
    assert load_settings({**GOOD, "MCP_BEARER_TOKEN": "your-bearer-token"}) == load_settings(GOOD)


@pytest.mark.parametrize("secret", ["$ecret", "a${b}c", "x", "yourself", "100%real%"])
def test_a_secret_that_only_resembles_a_placeholder_is_used(secret: str) -> None:
    assert load_settings({**GOOD, "TIKTOK_CLIENT_SECRET": secret}).credentials[1] == secret


@pytest.mark.parametrize("secret", ["two\nlines", "nul\x7f", "bytes \udcff"])
def test_a_secret_with_control_characters_is_refused_without_being_shown(secret: str) -> None:
    assert secret[:3] not in refusal("TIKTOK_CLIENT_SECRET", secret).removeprefix("TIKTOK_CLIENT_SECRET")


# --- paths ------------------------------------------------------------------------------------------------------------


def test_a_secret_is_read_from_a_file_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    for content in (SECRET, f"\ufeff{SECRET}\r\n", f'"{SECRET}"\n'):
        (tmp_path / "secret").write_text(content, encoding="utf-8")
        for path in ("~/secret", str(tmp_path / "secret")):
            loaded = load_settings({"TIKTOK_CLIENT_KEY": "awkey", "TIKTOK_CLIENT_SECRET_FILE": path})
            assert loaded.credentials == ("awkey", SECRET)


def test_a_secret_file_that_cannot_be_used_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x80" + SECRET.encode())
    reasons = {"missing": "no such file", ".": "cannot be read", "binary": "not UTF-8", "nul\x00": "cannot be read"}
    for name, reason in reasons.items():
        with pytest.raises(SettingsError) as caught:
            load_settings({"TIKTOK_CLIENT_KEY": "k", "TIKTOK_CLIENT_SECRET_FILE": f"{tmp_path}/{name}"})
        assert str(caught.value).startswith("TIKTOK_CLIENT_SECRET_FILE holds ")
        assert reason in str(caught.value)
        assert str(caught.value).isprintable()


def test_a_state_file_may_be_in_the_home_folder_and_its_path_has_no_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    expected = f"sqlite:///{(tmp_path / 'x.db').as_posix()}"

    assert load_settings({"TIKTOK_STATE": "sqlite:///~/x.db"}).state == expected
    for url in ("sqlite:///$HOME/x", "sqlite:///${HOME}/x", "sqlite:////a/%APPDATA%/x", "redis://:${PASSWORD}@h"):
        assert "variables, which are not expanded" in refusal("TIKTOK_STATE", url)


# --- numbers, choices, addresses --------------------------------------------------------------------------------------

TAKEN: dict[str, dict[str, object]] = {
    "TIKTOK_TIMEOUT": {"1": 1.0, " 240 ": 240.0, "2.5": 2.5},
    "TIKTOK_MAX_CONCURRENCY": {"1": 1, "32": 32},
    "TIKTOK_CACHE_TTL": {"0": 0.0, "1296000": 1_296_000.0},
    "MCP_RESULT_CHANNELS": {"TEXT": "text"},
    "LOG_LEVEL": {"debug": "DEBUG", "Warning": "WARNING", "warn": "WARNING", "WARN": "WARNING"},
    "TIKTOK_SANDBOX": {"1": True, "on": True, "0": False},
    "TIKTOK_STATE": {"memory:": "memory:", "sqlite:////tmp/x.db": "sqlite:////tmp/x.db"},
    "TIKTOK_API_BASE_URL": {"https://h.example/t/": "https://h.example/t", "http://[::1]:8765": "http://[::1]:8765"},
    "MCP_JWT_AUDIENCE": {"any text": "any text", "api://x": "api://x", "https://h/mcp?a=1": "https://h/mcp?a=1"},
    "MCP_JWT_REQUIRED_SCOPES": {"read, write": ("read", "write"), ",read,,write,": ("read", "write")},
    "MCP_ALLOWED_HOSTS": {"h.example,h:*": ("h.example", "h:*"), "a,,b": ("a", "b")},
}


def test_documented_values_are_taken() -> None:
    for variable, values in TAKEN.items():
        attribute = variable.lower().removeprefix("tiktok_").removeprefix("mcp_")
        loaded = [getattr(load_settings({**GOOD, variable: value}), attribute) for value in values]
        assert loaded == list(values.values()), variable


BAD = {
    "TIKTOK_TIMEOUT": ["0", "0.99", "241", "-5", "nan", "30s", "1_0", "\u0663\u0660", "30,0", "1e999", "0x10"],
    "TIKTOK_MAX_CONCURRENCY": ["0", "33", "-1", "8.0", "eight", "9" * 5000, "+8"],
    "TIKTOK_CACHE_TTL": ["-1", "1296001", "nan", "5 minutes"],
    "TIKTOK_DAILY_QUOTA": ["0", "-1000", "1e3", "many", "1 000"],
    "TIKTOK_HISTORY_DAYS": ["16", "-1"],
    "TIKTOK_SANDBOX": ["maybe", "2"],
    "MCP_RESULT_CHANNELS": ["none", "both,text"],
    "MCP_CALLER_QUOTA": ["0", "x"],
    "LOG_LEVEL": ["LOUD", "10"],
    "LOG_FORMAT": ["xml"],
    "TIKTOK_STATE": ["file.db", "memory:x", "sqlite:", "sqlite:x.db", "mysql://h/d", "redis://h:70000", "sqlite:///"],
    "TIKTOK_API_BASE_URL": [
        "open.tiktokapis.com", "http://open.tiktokapis.com", "http://127.0.0.1.evil.example", "ftp://h", "https://",
        "https://h?x=1", "https://h/#top", "https://h:port", "https://h:99999", "https://exa mple.org", "https://[::1",
    ],
    "MCP_BEARER_TOKEN": ["short", "x" * 15, "x" * 20 + " y", "é" * 20],
    "MCP_JWT_ISSUER": ["http://issuer.example", "issuer"],
    "MCP_JWKS_URL": ["http://issuer.example/jwks"],
    "MCP_PUBLIC_URL": ["host/mcp"],
    "MCP_ALLOWED_HOSTS": ["http://host", "host:port", "a b", "host/path", ","],
    "MCP_ALLOWED_ORIGINS": ["host", "https://host/path", "*", "null"],
}  # fmt: skip
HOSTILE = ["a\nb\x1b[31m", "\u202ex", "\x00", "/" * 5000, "\udcff"]


@pytest.mark.parametrize("variable", BAD)
def test_a_malformed_value_is_named_in_one_line_with_the_expected_form(variable: str) -> None:
    for value in BAD[variable]:
        said = refusal(variable, value)
        assert "should" in said
        assert len(said) < 400
        if variable == "MCP_BEARER_TOKEN":
            assert value not in said
        elif not value.startswith("redis"):
            assert value[:9].casefold() in said.casefold()
    if variable != "MCP_BEARER_TOKEN":
        assert all(len(refusal(variable, value)) < 600 for value in HOSTILE)


MISPLACED = [
    "/{}", "https://user:{}@host", "https://user:a@{}@host", "ftp://{}/x@host/..", "https://host/?client_secret={}",
    "https://host/#{}", "redis://:{}@host:port/0", "redis://:a/{}@host", "redis:user:{}@host", "rediss://u:a@{}@h:x",
    "{}\n{}", "x {}",
]  # fmt: skip


@pytest.mark.parametrize("variable", ["TIKTOK_API_BASE_URL", "TIKTOK_STATE", "TIKTOK_TIMEOUT", "MCP_ALLOWED_HOSTS"])
def test_a_secret_in_the_wrong_place_is_not_shown(variable: str) -> None:
    for form in MISPLACED:
        assert SECRET not in refusal(variable, form.replace("{}", SECRET)).casefold()


def test_the_password_of_a_malformed_url_is_not_shown() -> None:
    for url in ("redis://:{}@h:port/0", "redis://:a/{}@h", "redis://u:a@{}@h:x", "redis:u:{}@h", "REDIS://:{}/@h/0"):
        assert "url-pass" not in refusal("TIKTOK_STATE", url.format("url-pass"))
    for url in ("https://u:{}@host", "https://u:a/{}@host", "https://a@u:{}@h", "https://h/?k={}"):
        assert "url-pass" not in refusal("TIKTOK_API_BASE_URL", url.format("url-pass"))


def test_nothing_secret_is_in_a_repr() -> None:
    loaded = load_settings({**GOOD, "MCP_BEARER_TOKEN": "b" * 20})

    assert [part for part in (SECRET, "awkey", "b" * 20) if part in f"{loaded!r} {loaded}"] == []


# --- the sandbox, and whose keys are whose ----------------------------------------------------------------------------


def test_the_sandbox_needs_no_credentials_and_does_not_read_them() -> None:
    by_flag = load_settings({**GOOD, "TIKTOK_CLIENT_SECRET_FILE": "/nonexistent"}, sandbox=True)
    by_variable = load_settings({"TIKTOK_SANDBOX": "1"})

    assert by_variable.configured
    assert by_variable.state == by_flag.state == "memory:"
    assert by_flag.credentials == by_variable.credentials == ("sandbox", "sandbox")
    assert "tiktokapis" not in by_flag.base_url


def test_every_source_has_keys_of_its_own() -> None:
    base = load_settings(GOOD)
    others = [
        load_settings(GOOD, sandbox=True),
        load_settings({**GOOD, "TIKTOK_CLIENT_KEY": "other"}),
        load_settings({**GOOD, "TIKTOK_API_BASE_URL": "http://127.0.0.1:8765"}),
    ]

    assert len({base.namespace, *(loaded.namespace for loaded in others)}) == 4
    assert load_settings({**GOOD, "TIKTOK_CLIENT_SECRET": "rotated"}).namespace == base.namespace
    assert "awkey" not in base.namespace


def test_settings_cannot_be_changed_after_the_start() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_settings({}).timeout = 5  # type: ignore[misc] - what the test is about


URLS = st.from_regex(r"\Ahttps?://[a-z0-9.\-\[\]:@%_é]{0,12}(:[0-9]{0,6})?(/[a-z./?#%]{0,6})?\Z")


@given(st.sampled_from(list(BAD)), st.text(st.characters(codec=None), max_size=30) | URLS)
def test_any_value_is_taken_or_refused_in_one_line(variable: str, value: str) -> None:
    try:
        loaded = load_settings({**GOOD, variable: value})
    except SettingsError as error:
        said = str(error)
    else:
        assert isinstance(loaded, Settings)
        httpx.URL(loaded.base_url + "/v2/oauth/token/")
        return
    assert said.isprintable()
