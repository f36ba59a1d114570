"""Dockerfile, compose.yaml and docs/kubernetes.yaml, as far as they can be tried without an engine or a cluster."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from kit import COMMAND, environment, http_server
from kit.built import uv_environment, uv_program
from tiktok_pinned_videos.observability.metrics import LAST_WORDS
from tiktok_pinned_videos.settings import load_settings
from tiktok_pinned_videos.transports.health import HEALTH_PATHS
from tiktok_pinned_videos.transports.http import DRAIN

ROOT = Path(__file__).resolve().parents[2]
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
        server.process.wait(60)
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

    assert int(seconds) >= DRAIN + LAST_WORDS + 3


def test_the_secret_of_compose_is_ignored_by_git_and_readable_by_the_user_of_the_container_alone(
    tmp_path: Path,
) -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    [place] = re.findall(r"file: \./(\S+)", text)
    written, owned = re.findall(rf"^#   (.*? {place}\)?)(?= {{3}}|$)", text, flags=re.MULTILINE)
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    subprocess.run(["sh", "-c", written], cwd=tmp_path, env={**os.environ, "SECRET": "hunter2"}, check=True)
    file = tmp_path / place

    assert any(fnmatch(place, rule) for rule in ignored)
    assert file.read_text(encoding="utf-8") == "hunter2"
    assert file.stat().st_mode & 0o777 == 0o600
    assert owned == f"sudo chown {last_stage()['USER']} {place}"


# Kubernetes

MANIFEST = ROOT / "docs" / "kubernetes.yaml"


def valid(manifest: Path) -> subprocess.CompletedProcess[str]:
    """What a validator says that brings the schemas of Kubernetes with it."""
    command = ["tool", "run", "--quiet", "--from", "kubernetes-validate==1.37.0", "kubernetes-validate", "--strict"]
    return subprocess.run(
        [uv_program(), *command, manifest],
        env=uv_environment(), capture_output=True, encoding="utf-8", check=False, timeout=100,
    )  # fmt: skip


@pytest.mark.builds
def test_the_manifest_is_one_by_the_schemas_of_kubernetes(tmp_path: Path) -> None:
    done = valid(MANIFEST)
    text = MANIFEST.read_text(encoding="utf-8")
    broken = tmp_path / "broken.yaml"

    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("passed for resource") == 2
    for sound, fault in (("replicas: 3", "replicas: three"), ("fsGroup:", "fsgroup:"), ("livenessProbe", "aliveProbe")):
        assert sound in text
        broken.write_text(text.replace(sound, fault), encoding="utf-8")
        assert valid(broken).returncode == 1, fault


def test_the_manifest_says_what_the_image_and_the_server_say() -> None:
    text = MANIFEST.read_text(encoding="utf-8")

    def given(name: str) -> list[str]:
        return re.findall(rf"\b{name}: ([^,}}\n]+?) *(?=[,}}\n])", text)

    assert given("runAsUser") == given("fsGroup") == [last_stage()["USER"]]
    assert given("runAsNonRoot") == given("readOnlyRootFilesystem") == ["true"]
    assert given("containerPort") == [last_stage()["EXPOSE"]]
    assert text.count(f"args: {last_stage()['CMD']}") == 1
    assert {path.partition(",")[0] for path in given("path")} - {"client-secret"} == set(HEALTH_PATHS)
    # The pause before the signal, the calls in flight, the telemetry, and some seconds.
    [pause] = re.findall(r'"sleep", "(\d+)"', text)
    assert int(given("terminationGracePeriodSeconds")[0]) >= int(pause) + DRAIN + LAST_WORDS + 3
    # The file of the secret: group-readable for the fsGroup, where the variable says.
    assert given("defaultMode") == ["0440"]
    assert "value: /run/secrets/tiktok/client-secret" in text
    assert "mountPath: /run/secrets/tiktok," in text
    named = set(re.findall(r"name: ((?:TIKTOK|MCP)_[A-Z_]+)", text))
    assert named <= set(re.findall(r'"((?:TIKTOK|MCP|LOG)_[A-Z_]+)"', _sources()))
    # Each key of the secret is made by the command at the top.
    assert set(given("key")) == set(re.findall(r"--from-literal=([a-z-]+)=", text))
