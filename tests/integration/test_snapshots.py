"""Snapshots of first answers: which are trusted, whose each is, and how they stay small and whole."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kit import COMMAND, message, running
from kit.conversations import CALL, INITIALIZED, hello, home, snapshots, talk
from tiktok_pinned_videos.transports import handshake_file as snapshot

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pipes of Windows cannot be waited for")

# --- snapshots that are not as they should be ------------------------------------------------------------------------


def broken(path: Path, how: str) -> None:
    match how:
        case "cut":
            path.write_bytes(path.read_bytes()[:999])
        case "empty":
            path.write_bytes(b"")
        case "no JSON":
            path.write_bytes(b"\xff" * 99)
        case "a list":
            path.write_text("[1]", encoding="utf-8")
        case "numbers":
            path.write_text('{"a": 1}', encoding="utf-8")
        case "nested":
            path.write_text("[" * 99_999, encoding="utf-8")
        case "too long":
            path.write_text('{"a": "' + "x" * 300_000 + '"}', encoding="utf-8")
        case "for all to write":
            path.chmod(0o666)
        case "a link":
            path.rename(path.with_suffix(".else"))
            path.symlink_to(path.with_suffix(".else"))
        case "a pipe":
            path.unlink()
            os.mkfifo(path)
        case "a folder":
            path.unlink()
            path.mkdir()
        case _:
            os.chown(path, 12345, 12345)


MORE = ["empty", "no JSON", "a list", "numbers", "nested", "too long", "for all to write", "a pipe", "a folder",
        "somebody else's"]  # fmt: skip
HOW = ["cut", "a link", *(pytest.param(how, marks=pytest.mark.processes) for how in MORE)]


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[bytes], bytes]:
    sent = [hello(), INITIALIZED, message("tools/list", 1)]
    return sent, talk(home(tmp_path_factory.mktemp("usual"), TIKTOK_INSTANT="0"), sent)[0]


@pytest.mark.parametrize("how", HOW)
def test_a_snapshot_that_cannot_be_trusted_is_not_used(
    how: str, tmp_path: Path, usual: tuple[list[bytes], bytes]
) -> None:
    if how == "somebody else's" and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    sent, expected = usual
    talk(home(tmp_path), sent)
    (path,) = snapshots(tmp_path)
    broken(path, how)
    assert snapshot.read_snapshot(str(path)) == {}

    assert talk(home(tmp_path), sent) == (expected, b"", 0)


@pytest.mark.processes
@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null", "relative", ""])
def test_without_a_folder_to_keep_it_in_the_start_is_the_ordinary_one(
    place: str, tmp_path: Path, usual: tuple[list[bytes], bytes]
) -> None:
    sent, expected = usual
    env = home(tmp_path) | {"XDG_CACHE_HOME": place, "HOME": "/proc/nowhere"}

    for _ in range(2):
        assert talk(env, sent) == (expected, b"", 0)


def test_an_answer_that_is_out_of_date_is_found_out_told_once_and_forgotten(
    tmp_path: Path, usual: tuple[list[bytes], bytes]
) -> None:
    sent, expected = usual
    talk(home(tmp_path), sent)
    (path,) = snapshots(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("pinned", "penned"), encoding="utf-8")

    written, said, code = talk(home(tmp_path), [*sent, message("tools/call", 2, CALL)])

    assert written.count(b"\n") == 3
    assert b"penned" in written
    assert said.count(b"\n") == 1
    assert b"WARNING" in said
    assert b"outdated" in said
    assert code == 0
    assert b"penned" not in b"".join(each.read_bytes() for each in snapshots(tmp_path))
    assert talk(home(tmp_path), sent) == (expected, b"", 0)


# --- which snapshot is whose -----------------------------------------------------------------------------------------


def file_for(*arguments: str, **env: str) -> str:
    return snapshot.snapshot_file(list(arguments), {"XDG_CACHE_HOME": "/cache"} | env)


def test_another_program_other_settings_another_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        file_for(),
        file_for("--sandbox"),
        file_for(TIKTOK_SANDBOX="1"),
        file_for(TIKTOK_DAILY_QUOTA="5"),
        file_for(TIKTOK_DAILY_QUOTA="six"),
        file_for(MCP_RESULT_CHANNELS="text"),
        file_for(LOG_LEVEL="ERROR"),
        file_for(TIKTOK_CLIENT_SECRET="s3cr3t"),
    }
    monkeypatch.setattr(sys, "version", "4.0")
    files.add(file_for())

    assert len(files) == 9
    assert all(Path(each).parent == Path("/cache/tiktok-pinned-videos-mcp") for each in files)


def test_no_secret_decides_the_name_of_a_file() -> None:
    for name in ("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET", "TIKTOK_STATE", "MCP_BEARER_TOKEN"):
        assert file_for(**{name: "one"}) == file_for(**{name: "another"})


def test_a_changed_source_is_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package"
    (package / "serve").mkdir(parents=True)
    (package / "surface").mkdir()
    page = package / "surface" / "view.html"
    page.write_text("one", encoding="utf-8")
    monkeypatch.setattr(snapshot, "__file__", str(package / "transports" / "handshake_file.py"))
    before = file_for()
    os.utime(page, ns=(1, page.stat().st_mtime_ns + 1))

    assert file_for() != before


@pytest.mark.skipif(sys.platform == "darwin", reason="there the variable is not heeded")
def test_the_folder_is_the_one_that_platformdirs_names(monkeypatch: pytest.MonkeyPatch) -> None:
    platformdirs = pytest.importorskip("platformdirs")
    for value in (None, "/elsewhere"):
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        if value:
            monkeypatch.setenv("XDG_CACHE_HOME", value)
        expected = platformdirs.user_cache_path("tiktok-pinned-videos-mcp", appauthor=False)

        assert Path(snapshot.snapshot_file([], os.environ)).parent == expected


# --- kept small, kept whole ------------------------------------------------------------------------------------------


def test_a_snapshot_stays_small_and_so_does_their_number(tmp_path: Path) -> None:
    known = {f"{number}": "x" * 1000 for number in range(400)}
    for number in range(30):
        file = tmp_path / "tiktok" / f"start-{number}.json"
        snapshot.write_snapshot(str(file), dict(known))
        os.utime(file, (number, number))

    kept = snapshots(tmp_path)
    assert len(kept) <= 21
    assert all(path.stat().st_size <= 256 * 1024 for path in kept)
    newest = snapshot.read_snapshot(str(tmp_path / "tiktok" / "start-29.json"))
    assert "399" in newest
    assert "0" not in newest
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


@pytest.mark.processes
@pytest.mark.timeout(900)
def test_killed_at_any_moment_it_leaves_what_the_next_start_can_use(
    tmp_path: Path, usual: tuple[list[bytes], bytes]
) -> None:
    sent, expected = usual
    chance = random.Random(15)

    def start(number: int) -> None:
        others = message("prompts/list", 2, {"_meta": {"progressToken": number}})  # something new to learn each time
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with running([*COMMAND, "--sandbox"], env=home(tmp_path), **pipes) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(b"".join([*sent, others]))
                process.stdin.flush()
            for _ in range(chance.randrange(4)):
                process.stdout.readline()
            threading.Event().wait(chance.random() * 0.05)
            process.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM]))
            process.communicate(timeout=60)

    with ThreadPoolExecutor(2) as both:  # two that write at once are a matter of this test, too
        list(both.map(start, range(80)))

    assert talk(home(tmp_path), sent) == (expected, b"", 0)
    assert talk(home(tmp_path), sent) == (expected, b"", 0)
    assert len(snapshots(tmp_path)) <= 21
