"""The first answers over stdio from a snapshot: word for word the SDK's, sooner, and never a wrong one for long."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kit import COMMAND, HELLO, META, environment, message
from tiktok_pinned_videos.serve import instant, snapshot
from tiktok_pinned_videos.serve.instant import Opening

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pipes of Windows cannot be waited for")


def hello(version: str = "2025-11-25", number: object = 0) -> bytes:
    return message("initialize", number, HELLO | {"protocolVersion": version})


INITIALIZED = message("notifications/initialized")
LISTS = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
MISSING = {"uri": "tiktok://pinned/nobody"}
CALL = {"name": "get_pinned_videos", "arguments": {"username": "a b"}}  # refused: the same words at any time

CONVERSATIONS: dict[str, list[bytes]] = {
    **{
        f"legacy {version}": [hello(version), INITIALIZED, *(message(each, n) for n, each in enumerate(LISTS, 1))]
        for version in ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "1999-01-01")
    },
    "modern": [message("server/discover", "a", META), *(message(each, f"b{n}", META) for n, each in enumerate(LISTS))],
    "modern without discover": [message("tools/list", 7, META), message("tools/call", 8, CALL | META)],
    "a call": [
        hello(),
        INITIALIZED,
        message("tools/list", 1),
        message("tools/call", 2, CALL),
        message("tools/list", 3),
    ],
    "a call first": [hello(), INITIALIZED, message("tools/call", 2, CALL), message("tools/list", 1)],
    "ping first": [message("ping", 1), hello(number=2), message("ping", 3), INITIALIZED, message("ping", 4)],
    "before it is initialized": [message("tools/list", 1), hello(), message("tools/list", 2)],
    "greeted twice": [hello(), INITIALIZED, hello(number=1), INITIALIZED, message("tools/list", 2)],
    "one id for all": [hello(number=1), INITIALIZED, message("tools/list", 1), message("prompts/list", 1)],
    "ids of all kinds": [hello(number='q"\\'), INITIALIZED, *(message("ping", n) for n in ("é", 2**70, -1, "", "a b"))],
    "broken lines": [hello(), b"{\n", INITIALIZED, b'{"jsonrpc":"2.0","id":5}\n', b"\n", message("tools/list", 1)],
    "a broken line first": [b"\xff\n", hello(), INITIALIZED, message("tools/list", 1)],
    "cancelled": [
        hello(),
        INITIALIZED,
        message("tools/list", 1),
        message("notifications/cancelled", None, {"requestId": 9}),
    ],
    "unknown methods": [hello(), INITIALIZED, message("tools/lost", 1), message("tools/list", 2, {"cursor": "x"})],
    "a missing resource": [hello(), INITIALIZED, message("resources/read", 1, MISSING), message("resources/list", 2)],
    "params of the wrong kind": [hello(), INITIALIZED, b'{"jsonrpc":"2.0","id":1,"method":["tools/list"]}\n'],
    "log level": [hello(), INITIALIZED, message("logging/setLevel", 1, {"level": "debug"}), message("tools/list", 2)],
    "no end of the line": [hello(), INITIALIZED, message("tools/list", 1).rstrip()],
}


def home(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a user whose cache is this folder."""
    return environment(XDG_CACHE_HOME=str(folder), HOME=str(folder), **more)


def snapshots(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def talk(env: dict[str, str], sent: list[bytes], *, at_once: bool = False) -> tuple[bytes, bytes, int]:
    """What a server writes, says on stderr and ends with, to a client that hangs up when it has all the answers.

    The client says everything at once, or each message after the answer to the last.
    """
    owed = [each.endswith(b"\n") and each != b"\n" and b'"notifications/' not in each for each in sent]
    with subprocess.Popen(
        [*COMMAND, "--sandbox"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        written = b""
        if at_once:
            process.stdin.write(b"".join(sent))
            process.stdin.flush()
        for each, is_owed in zip(sent, owed, strict=True):
            if not at_once:
                process.stdin.write(each)
                process.stdin.flush()
            if is_owed:
                written += process.stdout.readline()
        rest, said = process.communicate(timeout=100)
        return written + rest, said, process.returncode


IN_SHORT = ("legacy 2025-11-25", "modern")


@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "all at once"])
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in IN_SHORT else pytest.mark.processes) for name in CONVERSATIONS],
)
def test_a_conversation_is_word_for_word_the_same(name: str, at_once: bool, tmp_path: Path) -> None:
    sent = CONVERSATIONS[name]
    off, on = home(tmp_path, TIKTOK_INSTANT="0"), home(tmp_path)

    without = talk(off, sent, at_once=at_once)
    assert snapshots(tmp_path) == []
    first, second = talk(on, sent, at_once=at_once), talk(on, sent, at_once=at_once)

    assert without[0].count(b"\n") > 1
    assert first == second == without


def test_what_is_known_is_answered_before_the_sdk_is_loaded(tmp_path: Path) -> None:
    """The SDK's import is held up until the client has all the answers it waits for."""
    sent = CONVERSATIONS["legacy 2025-11-25"]
    gate = tmp_path / "gate"
    (tmp_path / "mcp_gate.pth").write_text("")
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, os, time\n"
        "class Held:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        while name == 'mcp' and not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
        "if os.environ.get('HELD'): sys.meta_path.insert(0, Held())\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = home(tmp_path / "cache", PYTHONPATH=path)
    expected, _, _ = talk(env, sent)
    with subprocess.Popen(
        [*COMMAND, "--sandbox"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=env | {"HELD": "1"},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"".join(sent))
        process.stdin.flush()
        answers = b"".join(process.stdout.readline() for each in sent if b'"id"' in each)
        process.stdin.write(message("tools/call", 9, CALL))
        process.stdin.flush()
        gate.touch()  # only now may the SDK be loaded
        refused = process.stdout.readline()
        rest, said = process.communicate(b"", timeout=60)

    assert answers == expected
    assert json.loads(refused)["id"] == 9
    assert (rest, said, process.returncode) == (b"", b"", 0)


# --- snapshots that are not as they should be -----------------------------------------------------------------------


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


# --- which snapshot is whose ----------------------------------------------------------------------------------------


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
    monkeypatch.setattr(snapshot, "__file__", str(package / "serve" / "snapshot.py"))
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


@pytest.mark.parametrize(
    "arguments", [("get", "nasa"), ("http",), ("--version",), ("--sandbox", "--help"), ("doctor",)]
)
def test_other_commands_have_no_part_in_it(arguments: tuple[str, ...]) -> None:
    assert instant.begin(arguments, {}, lambda: None) is None


@pytest.mark.parametrize("value", ["0", "false", "no", "off", " OFF "])
def test_it_can_be_switched_off(value: str) -> None:
    with conversation([]):
        assert instant.begin((), {"TIKTOK_INSTANT": value}, lambda: None) is None


def test_a_switch_that_is_no_switch_is_refused_as_every_malformed_value(tmp_path: Path) -> None:
    written, said, code = talk(home(tmp_path, TIKTOK_INSTANT="maybe"), [])

    assert (written, code) == (b"", 2)
    assert said.decode().startswith("TIKTOK_INSTANT holds 'maybe'; it should be 1 (on) or 0 (off)")


# --- kept small, kept whole -----------------------------------------------------------------------------------------


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
        with subprocess.Popen(
            [*COMMAND, "--sandbox"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=home(tmp_path),
        ) as process:  # fmt: skip
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
        list(both.map(start, range(200)))

    assert talk(home(tmp_path), sent) == (expected, b"", 0)
    assert talk(home(tmp_path), sent) == (expected, b"", 0)
    assert len(snapshots(tmp_path)) <= 21


# --- the thread and the loop ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def conversation(sent: list[bytes]) -> Iterator[tuple[tuple[int, int], Callable[[], bytes]]]:
    """This process's stdin and stdout as pipes, with this said already; what was written so far."""
    kept = os.dup(0), os.dup(1)
    (their_in, our_in), (our_out, their_out) = os.pipe(), os.pipe()
    os.dup2(their_in, 0)
    os.dup2(their_out, 1)
    os.set_blocking(our_out, False)
    os.write(our_in, b"".join(sent))

    def written() -> bytes:
        with contextlib.suppress(BlockingIOError):
            return os.read(our_out, 1 << 20)
        return b""

    try:
        yield (our_in, our_out), written
    finally:
        os.dup2(kept[0], 0)
        os.dup2(kept[1], 1)
        for number in (*kept, their_in, our_in, our_out, their_out):
            os.close(number)


def opening(tmp_path: Path, *known: tuple[bytes, str]) -> Opening:
    """One that knows these answers to these messages, said in this order."""
    course = instant._Course()
    file = tmp_path / "start.json"
    learned = {str(course.key(json.loads(said))): answer for said, answer in known}
    file.write_text(json.dumps({key: answer for key, answer in learned.items() if answer}), encoding="utf-8")
    file.chmod(0o600)
    return Opening(str(file))


def test_a_fault_while_loading_is_left_to_whoever_needs_what_is_loaded(tmp_path: Path) -> None:
    def load() -> None:
        raise SystemExit(3)

    with conversation([]):
        opening(tmp_path, (hello(), ',"result":{}}\n')).answer_during(load)


def heard(told: Opening, *parts: bytes) -> bytes:
    """What is written while the SDK loads, which takes as long as the client needs to say these parts, one by one."""

    def load() -> None:
        for number, part in enumerate(parts, 1):
            os.write(client, part)
            while told.received != b"".join(parts[:number]):
                time.sleep(0.001)

    with conversation([]) as ((client, _), written):
        told.answer_during(load)
        return written()


def test_what_came_before_the_sdk_is_what_it_is_given_first(tmp_path: Path) -> None:
    told = opening(tmp_path, (hello(), ',"result":{}}\n'))
    later = message("tools/call", 1, CALL)

    answered = heard(told, hello(), INITIALIZED, later)

    assert answered == b'{"jsonrpc":"2.0","id":0,"result":{}}\n'
    assert told.received == hello() + INITIALIZED + later


def test_what_comes_together_with_something_unknown_waits_with_it(tmp_path: Path) -> None:
    told = opening(tmp_path, (hello(), ',"result":{}}\n'))

    assert heard(told, hello() + INITIALIZED + message("tools/call", 1, CALL)) == b""


def test_an_id_used_again_gets_an_answer_of_its_own(tmp_path: Path) -> None:
    told = opening(tmp_path, (hello(), ',"result":{}}\n'))
    assert heard(told, hello(number=5)) == b'{"jsonrpc":"2.0","id":5,"result":{}}\n'
    told.asked(json.loads(hello(number=5)), "5")
    told.asked({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": CALL}, "5")

    assert not told.was_sent("5", ',"result":{"content":[]}}\n')
    assert told.was_sent("5", ',"result":{}}\n')
