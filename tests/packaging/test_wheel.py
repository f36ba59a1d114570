"""The wheel is what people install, so it is what is tried here: alone, with each extra, on the oldest and newest."""

from __future__ import annotations

import email
import re
import shutil
import subprocess
import tarfile
import zipfile

import pytest

from kit import RedisServer, environment, http_client
from kit.built import ROOT, SCRIPT, client_of, distributions, installed, run, serving_http

pytestmark = [pytest.mark.anyio, pytest.mark.builds]

EXTRAS = ("", "redis", "otel")
AGES = pytest.mark.parametrize("lowest", [True, False], ids=["lowest", "newest"])


def _files_of_the_package() -> set[str]:
    """Those under version control, or, where there is none, those on disk."""
    if git := shutil.which("git"):
        listed = subprocess.run(
            [git, "ls-files", "--cached", "--others", "--exclude-standard", "server"],
            cwd=ROOT, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        if listed.returncode == 0:
            return {line for line in listed.stdout.splitlines() if (ROOT / line).exists()}
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "server").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def test_the_wheel_holds_the_package_its_licence_and_nothing_else() -> None:
    with zipfile.ZipFile(distributions().wheel) as wheel:
        names = set(wheel.namelist())
    about = {name for name in names if ".dist-info/" in name}

    assert names - about == {name.removeprefix("server/") for name in _files_of_the_package()}
    assert {"tiktok_pinned_videos/py.typed", "tiktok_pinned_videos/presentation/view.html"} < names
    assert {name.partition("/")[2] for name in about} == {
        "METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE",
    }  # fmt: skip


def test_the_sdist_holds_the_sources_and_nothing_else() -> None:
    with tarfile.open(distributions().sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}

    assert names == _files_of_the_package() | {
        ".gitignore", "CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml",
    }  # fmt: skip


def test_the_metadata_says_what_an_index_shows() -> None:
    with zipfile.ZipFile(distributions().wheel) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(wheel.read(name))

    assert metadata["Name"] == SCRIPT
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("Provides-Extra") == ["otel", "redis"]
    assert metadata["Description-Content-Type"] == "text/markdown"


@AGES
@pytest.mark.parametrize("extra", EXTRAS)
async def test_the_installed_wheel_answers_over_stdio(extra: str, lowest: bool) -> None:
    script = installed(extra, lowest=lowest) / SCRIPT

    async with client_of(str(script), ["--sandbox"], environment()) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("get_pinned_videos", {"username": "nasa"})
        (view,) = (await client.read_resource("ui://tiktok-pinned-videos/view.html")).contents

    assert tools == {"get_pinned_videos", "compare_pinned_videos"}
    assert result.structured_content is not None
    assert result.structured_content["totals"]["view_count"] == 61676555
    assert "<html" in getattr(view, "text", "")


@AGES
def test_redis_without_its_extra_stops_the_start_with_the_command_that_installs_it(lowest: bool) -> None:
    done = run(
        [installed("", lowest=lowest) / SCRIPT, "get", "nasa", "--sandbox"], TIKTOK_STATE="redis://127.0.0.1:1/0"
    )

    assert done.returncode == 2
    assert done.stderr.rstrip("\n") == (
        "TIKTOK_STATE names a Redis, but its client library is not installed; in a copy of the repository: pip install "
        '".[redis]", or start with: uv run --extra redis tiktok-pinned-videos-mcp'
    )


@AGES
def test_redis_with_its_extra_holds_the_state(lowest: bool, shared_redis: RedisServer) -> None:
    done = run([installed("redis", lowest=lowest) / SCRIPT, "doctor", "--sandbox"], TIKTOK_STATE=shared_redis.url)

    assert done.returncode == 0, done.stdout
    assert re.search(r"^ok +state store: redis at 127\.0\.0\.1:\d+.*, works\.$", done.stdout, re.MULTILINE)


@AGES
@pytest.mark.parametrize("extra", ["", "otel"])
async def test_the_installed_wheel_serves_http(extra: str, lowest: bool) -> None:
    with serving_http(installed(extra, lowest=lowest) / SCRIPT) as url:
        async with http_client(url) as client:
            result = await client.call_tool("get_pinned_videos", {"username": "nasa"})

    assert not result.is_error
