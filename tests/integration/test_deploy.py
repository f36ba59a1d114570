"""Dockerfile, compose.yaml and deploy/, checked with the makers' own tools and against the program."""

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

from kit.built import run, uv_environment, uv_program
from kit.configurations import variables
from kit.processes import COMMAND, environment, http_server
from kit.programs import need
from tiktok_pinned_videos.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes.yaml"
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")
AUTHENTICATED = {"MCP_BEARER_TOKEN": "correct-horse-battery-staple"}
SECONDS_TO_STOP = 8
"""The longest time that the server takes to end after SIGTERM."""


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, with continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def final_stage() -> dict[str, str]:
    """The last of each instruction in the stage that becomes the image."""
    every = instructions()
    start = max(index for index, (word, _) in enumerate(every) if word == "FROM")
    return dict(every[start:])


def test_the_build_gets_the_files_it_copies_and_no_secret() -> None:
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    sent = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = [rest.split() for word, rest in instructions() if word == "COPY" and "--from=" not in rest]

    assert rules[0] == "*"
    assert {source.removeprefix("./") for *given, _target in copied for source in given} == sent
    assert all((ROOT / source).exists() for source in sent)
    assert not any(fnmatch(".env", rule) for rule in sent)
    assert not re.search(
        r"(?i)(token|secret|key|password)\w*=", "\n".join(rest for w, rest in instructions() if w == "ENV")
    )


def test_the_image_has_its_extras_and_labels_and_does_not_run_as_root() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [extras] = re.findall(r'"\.\[([a-z,]+)\]"', "\n".join(rest for word, rest in instructions() if word == "RUN"))
    labels = dict(re.findall(r'(\S+)="([^"]*)"', final_stage()["LABEL"]))

    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    assert int(final_stage()["USER"]) > 0
    server = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
    assert labels["io.modelcontextprotocol.server.name"] == server["name"]


@pytest.mark.slow
def test_the_command_of_the_image_serves_and_its_health_check_sees_it() -> None:
    _script, command, *options = json.loads(final_stage()["CMD"])
    check = json.loads(final_stage()["HEALTHCHECK"].partition("CMD ")[2])[1:]
    with http_server(*options, env=AUTHENTICATED) as server:
        port = server.base.rpartition(":")[2]
        probe = [sys.executable, *(part.replace("8000", port) for part in check)]
        healthy = subprocess.run(probe, check=False)
        server.kill()
        dead = subprocess.run(probe, check=False, stderr=subprocess.DEVNULL)
    open_to_all = run([*COMMAND, command, *options, "--port", "0"])

    assert (healthy.returncode, dead.returncode) == (0, 1)
    assert (open_to_all.returncode, "MCP_BEARER_TOKEN" in open_to_all.stderr) == (2, True)


def test_compose_passes_every_variable_and_the_server_understands_them(tmp_path: Path) -> None:
    block = COMPOSE.partition("    environment:\n")[2].partition("    secrets:\n")[0]
    passed = dict(re.findall(r"^ {6}(\w+): (.*)$", block, flags=re.MULTILINE))
    secret = tmp_path / "secret"
    secret.write_text("the-secret-of-a-project", encoding="utf-8")
    given = {"TIKTOK_CLIENT_KEY": "awkey123"} | AUTHENTICATED
    filled = {
        name: re.sub(r"\$\{(\w+):-([^}]*)\}", lambda match: given.get(match[1], match[2]), value)
        for name, value in passed.items()
    }
    settings = load_settings(filled | {"TIKTOK_CLIENT_SECRET_FILE": str(secret)})

    # The secret comes as a file; the last is for stdio.
    assert variables() - set(passed) == {"TIKTOK_CLIENT_SECRET", "TIKTOK_INSTANT"}
    assert settings.configured
    assert (settings.state, settings.log_format) == ("redis://redis:6379/0", "json")
    assert passed["TIKTOK_CLIENT_SECRET_FILE"] == "/run/secrets/tiktok_client_secret"
    assert "file: ./tiktok_client_secret.txt" in COMPOSE
    assert f"sudo chown {final_stage()['USER']} tiktok_client_secret.txt" in COMPOSE


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes of files")
def test_the_line_for_the_secret_writes_a_file_that_only_its_user_can_read(tmp_path: Path) -> None:
    [line] = re.findall(r"#   (\(umask.*?\))", COMPOSE)
    subprocess.run([need("bash"), "-c", line], cwd=tmp_path, env=environment(SECRET="s3cret"), check=True)
    written = tmp_path / "tiktok_client_secret.txt"
    assert (written.read_text(encoding="utf-8"), written.stat().st_mode & 0o777) == ("s3cret", 0o600)


def test_every_supervisor_waits_longer_than_the_server_takes_to_stop() -> None:
    kubernetes = KUBERNETES.read_text(encoding="utf-8")
    service = (DEPLOY / "tiktok-pinned-videos-mcp@.service").read_text(encoding="utf-8")
    [pause] = re.findall(r'"sleep", "(\d+)"', kubernetes)

    waits = [*re.findall(r"stop_grace_period: (\d+)s", COMPOSE), *re.findall(r"TimeoutStopSec=(\d+)", service)]
    waits += [int(seconds) - int(pause) for seconds in re.findall(r"terminationGracePeriodSeconds: (\d+)", kubernetes)]
    assert len(waits) == 3
    assert all(int(seconds) >= SECONDS_TO_STOP + 2 for seconds in waits)


@pytest.mark.builds
def test_the_kubernetes_manifest_is_valid_and_agrees_with_the_image(tmp_path: Path) -> None:
    def valid(manifest: Path) -> int:
        command = ["tool", "run", "--quiet", "--from", "kubernetes-validate==1.37.0", "kubernetes-validate", "--strict"]
        return run([uv_program(), *command, manifest], uv_environment()).returncode

    text = KUBERNETES.read_text(encoding="utf-8")
    broken = tmp_path / "broken.yaml"
    broken.write_text(text.replace("livenessProbe", "aliveProbe"), encoding="utf-8")

    assert (valid(KUBERNETES), valid(broken)) == (0, 1)
    assert f"args: {final_stage()['CMD']}" in text
    assert {final_stage()["USER"]} == set(re.findall(r"(?:runAsUser|fsGroup): (\d+)", text))
    assert set(re.findall(r"name: ((?:TIKTOK|MCP)_[A-Z_]+)", text)) <= variables()
    # The command at the top creates each key of the secret.
    keys = set(re.findall(r"\bkey: ([a-z-]+)", text))
    assert keys == set(re.findall(r"--from-literal=([a-z-]+)=", text))


@pytest.mark.builds
def test_the_lines_at_the_top_of_the_unit_install_the_program_it_starts(tmp_path: Path) -> None:
    text = (DEPLOY / "tiktok-pinned-videos-mcp@.service").read_text(encoding="utf-8").replace("/opt", str(tmp_path))
    venv, install = re.findall(r"^#.*(uv (?:venv|pip install) .*?)(?: {2,}.*)?$", text, re.MULTILINE)
    [start] = re.findall(r"ExecStart=(\S+)", text)
    env = {name: value for name, value in uv_environment().items() if name != "UV_PYTHON"}

    installed = run([need("bash"), "-c", f"{venv} && {install} && {start} --version"], env, ROOT)

    assert installed.stdout.startswith("tiktok-pinned-videos-mcp "), installed.stderr
    assert (tmp_path / "tiktok-pinned-videos-mcp" / "bin" / "python").exists()


@pytest.mark.tools
def test_systemd_and_caddy_accept_their_files(tmp_path: Path) -> None:
    unit = "tiktok-pinned-videos-mcp@.service"
    text = (DEPLOY / unit).read_text(encoding="utf-8")
    script = "/opt/tiktok-pinned-videos-mcp/bin/tiktok-pinned-videos-mcp"
    assert script in text
    (tmp_path / unit).write_text(text.replace(script, sys.executable), encoding="utf-8")

    analyzed = run([need("systemd-analyze"), "verify", tmp_path / unit])
    caddyfile = ["validate", "--adapter", "caddyfile", "--config", DEPLOY / "Caddyfile"]
    validated = run([need("caddy"), *caddyfile], environment(HOME=str(tmp_path)))

    assert (analyzed.returncode, analyzed.stderr) == (0, "")
    assert validated.returncode == 0, validated.stderr
