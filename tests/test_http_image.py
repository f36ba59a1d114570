"""Dockerfile and compose.yaml, as far as they can be tried without an engine: their commands run, their names exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from kit import COMMAND, environment, http_server
from tiktok_pinned_videos.serve.http import DRAIN
from tiktok_pinned_videos.settings import load_settings

ROOT = Path(__file__).resolve().parents[1]
DOOR = {"MCP_BEARER_TOKEN": "correct-horse-battery-staple"}


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile: each instruction and what follows it, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def last_stage() -> dict[str, str]:
    """The last of each instruction in the stage that becomes the image."""
    every = instructions()
    start = max(index for index, (word, _) in enumerate(every) if word == "FROM")
    return dict(every[start:])


def compose_environment() -> dict[str, str]:
    """What compose.yaml gives the server, before any variable is filled in."""
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    block = text.partition("    environment:\n")[2].partition("    secrets:\n")[0]
    return dict(re.findall(r"^ {6}(\w+): (.*)$", block, flags=re.MULTILINE))


def test_what_is_copied_is_there_and_reaches_the_build() -> None:
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    sent = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = [rest.split() for word, rest in instructions() if word == "COPY" and "--from=" not in rest]
    sources = [source.removeprefix("./") for *given, _target in copied for source in given]

    assert rules[0] == "*"
    assert set(sources) == sent
    assert all((ROOT / source).exists() for source in sources)
    assert not any(fnmatch(".env", rule) for rule in sent)


def test_the_extras_and_the_script_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [extras] = re.findall(r'"\.\[([a-z,]+)\]"', "\n".join(rest for word, rest in instructions() if word == "RUN"))

    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    assert json.loads(last_stage()["CMD"])[0] in project["scripts"]


def test_the_image_runs_as_nobody_in_particular_and_is_compiled() -> None:
    assert int(last_stage()["USER"]) > 0
    assert any("--compile-bytecode" in rest for word, rest in instructions() if word == "RUN")
    assert last_stage()["EXPOSE"] == "8000"


def test_no_secret_is_in_either_file() -> None:
    for word, rest in instructions():
        if word in ("ENV", "ARG"):
            assert not re.search(r"(?i)(token|secret|key|password)\w*=", rest)
    for name, value in compose_environment().items():
        if re.search("TOKEN|SECRET|KEY", name):
            assert value.startswith(("${", "/run/secrets/")), name


def test_the_command_of_the_image_serves_and_its_health_check_tells(tmp_path: Path) -> None:
    _script, command, *options = json.loads(last_stage()["CMD"])
    assert command == "http"
    check = json.loads(last_stage()["HEALTHCHECK"].partition("CMD ")[2])[1:]
    with http_server(*options, env=DOOR) as server:
        port = server.base.rpartition(":")[2]
        healthy = subprocess.run([sys.executable, *(part.replace("8000", port) for part in check)], check=False)
        server.process.kill()
        server.process.wait(10)
        dead = subprocess.run(
            [sys.executable, *(part.replace("8000", port) for part in check)], check=False, stderr=subprocess.DEVNULL
        )

    assert (healthy.returncode, dead.returncode) == (0, 1)


def test_the_command_of_the_image_does_not_start_open_to_everybody() -> None:
    _script, *arguments = json.loads(last_stage()["CMD"])
    done = subprocess.run(
        [*COMMAND, *arguments, "--port", "0"],
        env=environment(), capture_output=True, encoding="utf-8", timeout=20, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert "MCP_BEARER_TOKEN" in done.stderr


def test_the_environment_of_both_files_is_understood(tmp_path: Path) -> None:
    pytest.importorskip("redis")
    secret = tmp_path / "secret"
    secret.write_text("the-secret-of-a-project", encoding="utf-8")
    composed = compose_environment()
    given = {"TIKTOK_CLIENT_KEY": "awkey123"} | DOOR
    filled = {
        name: re.sub(r"\$\{(\w+):[^}]*\}", lambda match: given.get(match[1], ""), value)
        for name, value in composed.items()
    }
    of_image = dict(part.split("=", 1) for part in last_stage()["ENV"].split() if not part.startswith("PATH="))
    settings = load_settings(of_image | filled | {"TIKTOK_CLIENT_SECRET_FILE": str(secret)})

    assert composed["TIKTOK_CLIENT_SECRET_FILE"] == "/run/secrets/tiktok_client_secret"
    assert settings.configured
    assert settings.state == "redis://redis:6379/0"
    assert settings.log_format == "json"
    assert settings.bearer_token == DOOR["MCP_BEARER_TOKEN"]
    known = set(re.findall(r'"((?:TIKTOK|MCP|LOG)_[A-Z_]+)"', _sources()))
    assert {*composed, *of_image} - {"PYTHONDONTWRITEBYTECODE"} <= known
    assert load_settings(of_image).state == "sqlite:////data/state.sqlite3"


def _sources() -> str:
    package = ROOT / "server" / "tiktok_pinned_videos"
    return "".join((package / name).read_text(encoding="utf-8") for name in ("settings.py", "environment.py"))


def test_the_engine_waits_longer_than_the_server_does() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    [seconds] = re.findall(r"stop_grace_period: (\d+)s", text)

    assert int(seconds) >= DRAIN + 3
