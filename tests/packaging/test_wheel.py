"""The wheel as users install it: alone and with its extras, with the oldest and the newest versions it works with."""

from __future__ import annotations

import email
import functools
import os
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from kit.built import SCRIPT, client_of, distributions, run, uv, workshop
from kit.pages import ROOT
from kit.processes import environment, http_client, http_server
from kit.programs import need

pytestmark = [pytest.mark.anyio, pytest.mark.builds, pytest.mark.timeout(300)]

AGES = pytest.mark.parametrize("lowest", [True, False], ids=["lowest", "newest"])


@functools.cache
def installed(*extras: str, lowest: bool) -> Path:
    """Return the folder of scripts of an environment with the wheel, its extras, and what they depend on."""
    home = workshop() / "-".join(["venv", *extras, "lowest" if lowest else "newest"])
    uv("venv", "--quiet", home)
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    versions = home / "versions.txt"
    with_extras = [option for extra in extras for option in ("--extra", extra)]
    resolution = "lowest-direct" if lowest else "highest"
    uv("pip", "compile", "--quiet", ROOT / "pyproject.toml", *with_extras, "--resolution", resolution, "-o", versions)
    uv("pip", "sync", "--quiet", "--python", python, versions)
    uv("pip", "install", "--quiet", "--python", python, "--no-deps", distributions()[0])
    uv("pip", "check", "--quiet", "--python", python)
    return python.parent


def files_of_the_package() -> set[str]:
    done = subprocess.run(
        [need("git"), "ls-files", "--cached", "--others", "--exclude-standard", "server"],
        cwd=ROOT, capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    return {line for line in done.stdout.splitlines() if (ROOT / line).exists()}


def test_the_wheel_has_the_package_and_its_license_and_nothing_else() -> None:
    with zipfile.ZipFile(distributions()[0]) as wheel:
        names = set(wheel.namelist())
    about = {name for name in names if ".dist-info/" in name}

    assert names - about == {name.removeprefix("server/") for name in files_of_the_package()}
    assert {"tiktok_pinned_videos/py.typed", "tiktok_pinned_videos/presentation/view.html"} < names
    assert {name.partition("/")[2] for name in about} == {
        "METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE",
    }  # fmt: skip


def test_the_sdist_has_the_sources_and_nothing_else() -> None:
    with tarfile.open(distributions()[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}

    assert names == files_of_the_package() | {
        ".gitignore", "CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml",
    }  # fmt: skip


def test_the_metadata_has_what_a_package_index_shows() -> None:
    with zipfile.ZipFile(distributions()[0]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(wheel.read(name))

    assert metadata["Name"] == SCRIPT
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("Provides-Extra") == ["otel", "redis"]
    assert metadata["Description-Content-Type"] == "text/markdown"


@AGES
@pytest.mark.parametrize("extras", [(), ("otel", "redis")], ids=["alone", "with extras"])
async def test_the_installed_wheel_answers_over_stdio_and_http(extras: tuple[str, ...], lowest: bool) -> None:
    script = installed(*extras, lowest=lowest) / SCRIPT

    async with client_of(str(script), ["--sandbox"], environment()) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("get_pinned_videos", {"username": "nasa"})
        (view,) = (await client.read_resource("ui://tiktok-pinned-videos/view.html")).contents
    with http_server(program=[str(script)]) as server:
        async with http_client(server.url) as client:
            over_http = await client.call_tool("get_pinned_videos", {"username": "nasa"})

    assert tools == {"get_pinned_videos", "compare_pinned_videos"}
    for answer in (result, over_http):
        assert answer.structured_content is not None
        assert answer.structured_content["totals"]["view_count"] == 61676555
    assert "<html" in getattr(view, "text", "")


def test_redis_without_its_extra_stops_the_start_with_the_command_that_installs_it() -> None:
    script = installed(lowest=False) / SCRIPT
    done = run([script, "get", "nasa", "--sandbox"], environment(TIKTOK_STATE="redis://127.0.0.1:1/0"))

    assert done.returncode == 2
    assert ".[redis]" in done.stderr
    assert "Traceback" not in done.stderr


@AGES
def test_redis_with_its_extra_is_the_state_store(lowest: bool, redis_url: str) -> None:
    script = installed("otel", "redis", lowest=lowest) / SCRIPT
    done = run([script, "doctor", "--sandbox"], environment(TIKTOK_STATE=redis_url))

    assert done.returncode == 0, done.stdout
    assert re.search(r"^ok +state store: redis", done.stdout, re.MULTILINE), done.stdout
