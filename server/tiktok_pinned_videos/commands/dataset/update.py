"""Bring a data set up to date: who is asked, what is kept, and how the process ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from tiktok_pinned_videos.presentation.results import Source, source_of
from tiktok_pinned_videos.research.errors import Status, TikTokError
from tiktok_pinned_videos.research.fields import DEFAULT
from tiktok_pinned_videos.service.many import Outcome
from tiktok_pinned_videos.settings import DEFAULT_BASE_URL, Settings

from .. import stop
from ..ask import ask_accounts, need_credentials
from ..names import key_of
from ..outcomes import raw_line
from ..signals import put_off
from . import package as described
from .folder import PACKAGE, RESPONSES, Folder
from .journal import Journal
from .lock import LockedError, held
from .record import ForeignLineError, Record
from .standing import is_failure, left_by, stand

_OTHERS: Final = "Choose a new or empty folder."
_INTERRUPTED: Final = 130


class MixedSourcesError(Exception):
    """An answer of the sandbox among TikTok's, or the other way round."""


def run(
    settings: Settings,
    *,
    directory: Path,
    names: Sequence[str],
    fields: tuple[str, ...] | None,
    max_age: float,
    clock: Callable[[], float] = time.time,
) -> NoReturn:
    """Ends with 0 when every account is answered and fresh, with 1 when some are left, with 2 before any request.

    `names`: none for those of the data set. `fields`: None for its own. `max_age`: seconds.
    """
    if not names and not (directory / RESPONSES).exists():
        stop("No username given. Try: tiktok-pinned-videos-mcp get nasa --sandbox --out pinned")
    need_credentials(settings)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with held(directory):
            data = _opened(settings, Folder(directory), fields, names)
            code = _update(data, names, max_age, clock)
    except LockedError:
        stop(f"--out {directory}: another run is at work there. Wait for its end.")
    except OSError as error:
        stop(f"--out {directory}: {error.strerror or error}. Choose a folder that can be written.")
    raise SystemExit(code)


class _DataSet:
    def __init__(self, settings: Settings, folder: Folder, journal: Journal, fields: tuple[str, ...]) -> None:
        self.settings = settings
        self.folder = folder
        self.journal = journal
        self.fields = fields

    @property
    def source(self) -> Source | None:
        """Where its answers come from, as far as there are any."""
        return next((record.source for record in self.journal.records.values() if record.source), None)

    def publish(self) -> None:
        """Derive all that is derived; does nothing where it is there already."""
        records = list(self.journal.records.values())
        tables = described.tables(records, self.fields)
        files = {RESPONSES: self.journal.content(), **tables}
        base_url = None if self.settings.sandbox else self.settings.base_url
        content = described.package(records, self.fields, files, base_url=base_url)
        self.folder.publish(tables, content)


def _opened(settings: Settings, folder: Folder, fields: tuple[str, ...] | None, names: Sequence[str]) -> _DataSet:
    """The data set in `folder`, or an empty one; ends with 2 where it is somebody else's, or not to be mixed with."""
    where = f"--out {folder.path}"
    present, told = folder.read(RESPONSES), folder.read(PACKAGE)
    before = described.of_this_program(told) if told is not None else None
    if told is not None and before is None:
        stop(f"{where}: holds a datapackage.json of something else. {_OTHERS}")
    # The journal is the first file that a run makes: where it is missing, nothing here is ours to replace.
    if present is None and (others := folder.visible()):
        stop(f"{where}: holds something else ({', '.join(others[:3])}) and no {RESPONSES}. {_OTHERS}")
    try:
        journal = Journal(folder)
    except ForeignLineError:
        stop(f"{where}: its responses.jsonl is not one that this command wrote. {_OTHERS}")
    if not names and not journal.records:
        stop(f"{where}: the data set names no account yet. Give usernames or --from FILE.")
    known = next((record.fields for record in journal.records.values() if record.fields), None)
    if known is None and before is not None:
        known = tuple(before.get("requested_fields", ()))
    if known is not None and fields is not None and set(known) != set(fields):
        stop(f"{where}: the data set has the fields {','.join(known)}. Leave out --fields, or choose a new folder.")
    data = _DataSet(settings, folder, journal, known or fields or DEFAULT)
    _refuse_to_mix(where, data.source, settings, before)
    folder.clean_up()
    return data


def _refuse_to_mix(where: str, source: Source | None, settings: Settings, before: Mapping[str, Any] | None) -> None:
    if source is None:
        return
    invented = source == source_of(sandbox=True)
    if settings.sandbox or not invented:
        mixed = settings.sandbox != invented
    else:
        # A sandbox can be reached by its address as well: the package says by which; after a kill, its first answer.
        reached = str(before["sources"][0].get("path", "")) if before is not None else settings.base_url
        mixed = settings.base_url == DEFAULT_BASE_URL or not reached.startswith(settings.base_url)
    if mixed:
        stop(f"{where}: {_mixed(source)}")


def _mixed(source: Source | None) -> str:
    return (
        "holds invented answers of the sandbox; TikTok's do not belong among them. Choose a new folder."
        if source == source_of(sandbox=True)
        else "holds TikTok's answers; invented ones of the sandbox do not belong among them. Choose a new folder."
    )


def _update(data: _DataSet, names: Sequence[str], max_age: float, clock: Callable[[], float]) -> int:
    """Ask for what is missing or old, put everything in order, say where it stands; the exit status."""
    started = clock()
    journal, where = data.journal, f"--out {data.folder.path}"
    listed = {key_of(name): name for name in names} or {key: one.username for key, one in journal.records.items()}
    # A name that can be none is forgotten once the list has it no more.
    gone = [
        key for key, one in journal.records.items() if key not in listed and is_failure(one, Status.INVALID_ARGUMENT)
    ]
    everyone = {key: one.username for key, one in journal.records.items() if key not in gone} | listed
    asked = {key: name for key, name in everyone.items() if _wants(journal.records.get(key), started, max_age)}
    new = [key for key in everyone if key not in journal.records]
    before = dict(journal.records)
    failed: dict[str, TikTokError] = {}
    code: int | None = None
    try:
        if asked:
            data.folder.retract()
            _ask(data, asked, failed, clock)
    except MixedSourcesError:
        code = 2
        click.echo(f"{where}: {_mixed(data.source)}", err=True)
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except OSError as error:
        code = 1
        click.echo(f"{where}: {left_by(error)}", err=True)
    try:
        with put_off() as interrupted:
            journal.tidy(new, dropped=gone)
            if journal.records:
                data.publish()
    except OSError as error:
        if code is None:
            click.echo(f"{where}: {left_by(error)}", err=True)
        return code or 1
    if code is not None and code != _INTERRUPTED:
        return code
    missing = [key for key in asked if key not in failed and journal.records.get(key) is before.get(key)]
    told = stand(
        data.folder.path, data.journal.records.values(), everyone=everyone, asked=asked, failed=failed, missing=missing
    )
    return _INTERRUPTED if code or interrupted else told


def _ask(data: _DataSet, asked: Mapping[str, str], failed: dict[str, TikTokError], clock: Callable[[], float]) -> None:
    unasked: list[Record] = []

    def each(outcome: Outcome[Any]) -> None:
        key = key_of(outcome.username)
        before = data.journal.records.get(key)
        record = _recorded(outcome, before, clock())
        if record.source and data.source and record.source != data.source:
            raise MixedSourcesError
        if outcome.error is not None and not record.lasting:
            failed[key] = outcome.error
        if outcome.error is not None and _for_all(outcome.error):
            # Nothing was sent for it: lost with a kill it costs nothing, and thousands of them come at once.
            unasked.append(record)
        else:
            data.journal.append([record])

    ask_accounts(data.settings, list(asked.values()), data.fields, raw=True, each=each)
    if unasked:
        data.journal.append(unasked)


def _recorded(outcome: Outcome[Any], before: Record | None, now: float) -> Record:
    line = raw_line(outcome, failed_at=now)
    record = Record.read(line.encode("utf-8", "replace").decode("utf-8"))
    if before is not None and before.answered and record.lasting and not record.answered:
        # It vanished: of what TikTok answered about it nothing stays but the reason.
        record = Record.read(raw_line(outcome, failed_at=now, body=False))
    return record


def _for_all(error: TikTokError) -> bool:
    return error.for_every_account and not error.requests and not error.sandbox


def _wants(record: Record | None, started: float, max_age: float) -> bool:
    """Whether an account is to be asked about: it is new, failed for a reason that may pass, or is too old."""
    if record is None or not record.lasting:
        return True
    return not is_failure(record, Status.INVALID_ARGUMENT) and (not max_age or started - record.retrieved_at >= max_age)
