"""Update a data set: which accounts are requested, what is kept, and how the process ends."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from tiktok_pinned_videos.presentation.results import Source
from tiktok_pinned_videos.research.errors import Status, TikTokError
from tiktok_pinned_videos.research.fields import DEFAULT
from tiktok_pinned_videos.service.many import Outcome
from tiktok_pinned_videos.settings import DEFAULT_BASE_URL, Settings

from .. import stop
from ..ask import INTERRUPTED, InterruptedByUser, ask_accounts, interruptible, need_credentials
from ..formats import raw_line
from ..names import key_of
from . import package as described
from .folder import PACKAGE, RESPONSES, Folder, LockedError
from .journal import ForeignLineError, Journal
from .record import SANDBOX, Record

_OTHERS: Final = "Choose a new or empty folder."
_MIXED: Final = f"data of the sandbox and of TikTok cannot be in one data set. {_OTHERS}"


class _MixedSourcesError(Exception):
    """An answer of the sandbox in a data set of TikTok's, or the other way round."""


def run(
    settings: Settings,
    *,
    directory: Path,
    names: Sequence[str],
    fields: tuple[str, ...] | None,
    max_age: float,
) -> NoReturn:
    """End with 0 if every account is answered and fresh, 1 if some are left, 2 before any request.

    `names`: none for the accounts of the data set. `fields`: None for its own. `max_age`: seconds.
    """
    where = f"--out {directory}"
    if not all(name.strip() for name in names):
        stop("A username is empty. Correct the list.")
    if not names and not (directory / RESPONSES).exists():
        stop("No username given. Try: tiktok-pinned-videos-mcp get nasa --sandbox --out pinned")
    need_credentials(settings)
    folder = Folder(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with folder.locked():
            code = _opened(settings, folder, fields, names).update(names, max_age)
    except LockedError:
        stop(f"{where}: another run is using this folder. Wait until it ends.")
    except ForeignLineError as error:
        stop(f"{where}: {error}. Correct or delete the line, or choose a new or empty folder.")
    except FileExistsError:
        stop(f"{where}: this is a file. Choose a folder.")
    except OSError as error:
        stop(f"{where}: {_why(error)}. Nothing was requested. Choose a folder that can be written.")
    raise SystemExit(code)


def _opened(settings: Settings, folder: Folder, fields: tuple[str, ...] | None, names: Sequence[str]) -> _DataSet:
    """The data set in the folder, or a new one. Ends with 2 if the folder or the request does not belong to it."""
    where = f"--out {folder.path}"
    content = folder.read(PACKAGE)
    package = described.of_this_program(content) if content is not None else None
    if content is not None and package is None:
        stop(f"{where}: its datapackage.json describes something else. {_OTHERS}")
    others = sorted(path.name for path in folder.path.iterdir() if not path.name.startswith("."))
    # The journal is the first file that a run writes: without it, nothing here may be replaced.
    if folder.read(RESPONSES) is None and others:
        stop(f"{where}: contains other files ({', '.join(others[:3])}) and no {RESPONSES}. {_OTHERS}")
    journal = Journal(folder)
    if not names and not journal.records:
        stop(f"{where}: the data set has no accounts yet. Give usernames or --from FILE.")
    answers = [record for record in journal.records.values() if record.failure is None]
    known = answers[0].fields if answers else tuple(package[0]) if package else None
    if any(set(record.fields) != set(answers[0].fields) for record in answers):
        stop(f"{where}: the lines of {RESPONSES} have different fields. Keep the lines with one list of fields.")
    if known and fields and set(known) != set(fields):
        stop(f"{where}: the data set has the fields {','.join(known)}. Omit --fields, or choose a new folder.")
    if _mixes(settings, {record.source for record in journal.records.values() if record.source}, package):
        stop(f"{where}: {_MIXED}")
    return _DataSet(settings, folder, journal, known or fields or DEFAULT)


def _mixes(settings: Settings, sources: Collection[Source], package: tuple[list[str], str] | None) -> bool:
    """Whether this run would add data of the sandbox to TikTok's, or the other way round."""
    if set(sources) == {SANDBOX}:
        # A sandbox may be used by its address too; the package says by which.
        address = settings.base_url if package is None else package[1]
        same = settings.base_url != DEFAULT_BASE_URL and address.startswith(settings.base_url)
        return not (settings.sandbox or same)
    return len(sources) > 1 or bool(sources and settings.sandbox)


@dataclass(frozen=True)
class _DataSet:
    settings: Settings
    folder: Folder
    journal: Journal
    fields: tuple[str, ...]

    def update(self, names: Sequence[str], max_age: float) -> int:
        """Request what is missing or old, derive the other files; the exit status. `OSError`: nothing was requested."""
        known = self.journal.records
        listed = {key_of(name): name for name in names} or {key: record.username for key, record in known.items()}
        # An invalid name disappears once it is no longer in the list.
        accounts = {
            key: record.username
            for key, record in known.items()
            if key in listed or record.status != Status.INVALID_ARGUMENT
        } | listed
        started = time.time()
        wanted = {key: name for key, name in accounts.items() if _is_wanted(known.get(key), started, max_age)}
        if wanted:
            self.folder.probe()
            self.folder.delete(PACKAGE)
        self.journal.tidy(accounts)
        before = dict(self.journal.records)
        failed: dict[str, TikTokError] = {}
        code = 0
        try:
            if wanted:
                self._request(list(wanted.values()), failed)
        except InterruptedByUser:
            code = INTERRUPTED
        except _MixedSourcesError:
            code = self._report(_MIXED, 2)
        except OSError as error:
            code = self._report(_kept(error), 1)
        try:
            with interruptible() as interrupted:  # the files are written to their end
                self.journal.tidy(accounts)
                self._derive()
        except OSError as error:
            return code or self._report(_kept(error), 1)
        if code in (1, 2):
            return code
        after = self.journal.records
        missing = sum(key not in failed and after.get(key) is before.get(key) for key in wanted)
        left = self._summarize(len(accounts), len(wanted), failed.values(), missing)
        return INTERRUPTED if code or interrupted else left

    def _request(self, names: Sequence[str], failed: dict[str, TikTokError]) -> None:
        """Append a line for each account as its answer arrives. `failed` receives the temporary failures."""
        unsent: list[Record] = []
        sources = {record.source for record in self.journal.records.values() if record.source}

        def each(outcome: Outcome[Any]) -> None:
            line = raw_line(outcome, failed_at=time.time())
            record = Record.read(line.encode("utf-8", "replace").decode("utf-8"))
            before = self.journal.records.get(record.key)
            if record.final and record.failure and before and not before.failure:
                # The account is gone: of what TikTok sent about it, only the reason stays.
                record = Record.read(raw_line(outcome, failed_at=record.retrieved_at, body=False))
            if record.source and sources and record.source not in sources:
                raise _MixedSourcesError
            sources.update([record.source] if record.source else [])
            error = outcome.error
            if error is not None and not record.final:
                failed[record.key] = error
            if error is not None and error.for_every_account and not error.requests:
                # Nothing was sent for these, and there may be thousands: one write for all.
                unsent.append(record)
            else:
                self.journal.append([record])

        ask_accounts(self.settings, names, self.fields, raw=True, each=each)
        if unsent:
            self.journal.append(unsent)

    def _derive(self) -> None:
        """Write the tables and the package, unless they are there already. The package comes last."""
        records = list(self.journal.records.values())
        if not records:
            return
        tables = described.tables(records, self.fields)
        base_url = "" if self.settings.sandbox else self.settings.base_url
        package = described.package(records, self.fields, {RESPONSES: self.journal.content(), **tables}, base_url)
        changed = {name: content for name, content in tables.items() if self.folder.read(name) != content}
        if changed or self.folder.read(PACKAGE) != package:
            self.folder.delete(PACKAGE)
            for name, content in changed.items():
                self.folder.replace(name, content)
            self.folder.replace(PACKAGE, package)

    def _summarize(self, accounts: int, requested: int, failed: Collection[TikTokError], missing: int) -> int:
        """Print one line on the data set; 0 if nothing is left to do, otherwise 1."""
        records = self.journal.records.values()
        counts = _listed(Counter(record.status for record in records)) or "none answered"
        line = f"{self.folder.path}: {_number(accounts, 'account')} ({counts})"
        invalid = [repr(record.username) for record in records if record.status == Status.INVALID_ARGUMENT]
        if not failed and not missing and not invalid:
            click.echo(f"{line}; all answered and fresh, {requested} requested now.")
            return 0
        if left := len(failed) + missing:
            why = _listed(Counter(str(error.status) for error in failed) + Counter({"not answered": missing}))
            line += f"; {_number(left, 'account')} {'is' if left == 1 else 'are'} left ({why}): {_next_step(failed)}"
        if invalid:
            shown = ", ".join(invalid[:5]) + (", …" if len(invalid) > 5 else "")
            line += f"; {_number(len(invalid), 'invalid username')} ({shown}): correct the list"
        click.echo(f"{line}.", err=True)
        return 1

    def _report(self, what: str, code: int) -> int:
        click.echo(f"--out {self.folder.path}: {what}", err=True)
        return code


def _is_wanted(record: Record | None, now: float, max_age: float) -> bool:
    """Whether an account is to be requested: it is new, failed for a temporary reason, or is too old."""
    if record is None or not record.final:
        return True
    # An age below 0 is the mistake of a clock.
    return record.status != Status.INVALID_ARGUMENT and not 0 <= now - record.retrieved_at < max_age


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _next_step(errors: Collection[TikTokError]) -> str:
    if any(error.status is Status.QUOTA_EXCEEDED for error in errors):
        return "the daily quota is used up; run the same command again after 00:00 UTC"
    again = "run the same command again"
    common = next((error for error in errors if error.for_every_account), None)
    return f"{common.next_step.rstrip('.')}, then {again}" if common else again


def _kept(error: OSError) -> str:
    return f"{_why(error)}. The answers before it are kept. Make space, then run the same command again."


def _why(error: OSError) -> str:
    return f"{error.strerror or error}" + (f" ({Path(str(error.filename)).name})" if error.filename else "")
