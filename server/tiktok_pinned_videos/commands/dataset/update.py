"""Update a data set: choose the accounts to request, store the responses, write the tables, report the result."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from tiktok_pinned_videos.research.errors import Status, TikTokError
from tiktok_pinned_videos.research.fields import DEFAULT
from tiktok_pinned_videos.service.many import Outcome
from tiktok_pinned_videos.settings import DEFAULT_BASE_URL, Settings

from .. import stop
from ..ask import INTERRUPTED, ask_accounts, need_credentials
from ..formats import raw_line
from ..names import key_of
from . import package as described
from .folder import PACKAGE, RESPONSES, Folder, UnusableError
from .journal import FINAL, SANDBOX, Journal, Record

_CHOOSE_FOLDER: Final = "Choose a new or empty folder."
_MIXED: Final = f"data of the sandbox and of TikTok cannot be in one data set. {_CHOOSE_FOLDER}"


def run(
    settings: Settings,
    *,
    directory: Path,
    names: Sequence[str],
    fields: tuple[str, ...] | None,
    max_age: float,
) -> NoReturn:
    """Create or update the data set. Exits with 0 if no account is left, 1 if some are, 2 for unsuitable arguments.

    `names`: if empty, the accounts of the data set. `fields`: if None, its fields. `max_age`: seconds.
    """
    if not all(name.strip() for name in names):
        stop("A username is empty. Correct the list.")
    if not names and not (directory / RESPONSES).exists():
        stop("No username given. Try: tiktok-pinned-videos-mcp get nasa --sandbox --out pinned")
    need_credentials(settings)
    folder = Folder(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with folder.locked():
            code = _load(settings, folder, fields, names).update(names, max_age)
    except UnusableError as error:
        stop(f"--out {directory}: {error}")
    except FileExistsError:
        stop(f"--out {directory}: this is a file. Choose a folder.")
    except OSError as error:
        stop(f"--out {directory}: {_why(error)}. Nothing was requested. Choose a folder that can be written.")
    raise SystemExit(code)


def _load(settings: Settings, folder: Folder, fields: tuple[str, ...] | None, names: Sequence[str]) -> _DataSet:
    """Return the data set in the folder, or a new one. Raises `UnusableError` if folder, names or fields do not fit."""
    content = folder.read(PACKAGE)
    package = described.facts_of(content) if content is not None else ((), "")
    if package is None:
        raise UnusableError(f"its datapackage.json describes something else. {_CHOOSE_FOLDER}")
    others = sorted(path.name for path in folder.path.iterdir() if not path.name.startswith("."))
    # A run writes the journal first. Without a journal, the files belong to something else and are not replaced.
    if folder.read(RESPONSES) is None and others:
        raise UnusableError(f"contains other files ({', '.join(others[:3])}) and no {RESPONSES}. {_CHOOSE_FOLDER}")
    journal = Journal(folder)
    if not names and not journal.records:
        raise UnusableError("the data set has no accounts yet. Give usernames or --from FILE.")
    answers = [record for record in journal.records.values() if record.failure is None]
    in_package, address = package
    known = answers[0].fields if answers else in_package
    if any(set(record.fields) != set(answers[0].fields) for record in answers):
        raise UnusableError(f"the lines of {RESPONSES} have different fields. Keep only lines with the same fields.")
    if known and fields and set(known) != set(fields):
        raise UnusableError(f"the data set has the fields {','.join(known)}. Omit --fields, or choose a new folder.")
    if journal.sources:
        # TIKTOK_BASE_URL may be the address of a sandbox. The package contains that address.
        same = settings.base_url != DEFAULT_BASE_URL and (content is None or address.startswith(settings.base_url))
        now = settings.sandbox or (same and SANDBOX in journal.sources)
        if len(journal.sources) > 1 or now != (SANDBOX in journal.sources):
            raise UnusableError(_MIXED)
    return _DataSet(settings, folder, journal, known or fields or DEFAULT)


@dataclass(frozen=True)
class _DataSet:
    settings: Settings
    folder: Folder
    journal: Journal
    fields: tuple[str, ...]
    failed: dict[str, TikTokError | None] = field(default_factory=dict[str, "TikTokError | None"])
    """The accounts requested in this run: a temporary failure, or None."""

    def update(self, names: Sequence[str], max_age: float) -> int:
        """Request missing and old accounts, write all files, return the exit status. Raises OSError before requests."""
        known = self.journal.records
        listed = {key_of(name): name for name in names} or {key: record.username for key, record in known.items()}
        # An invalid name disappears once it is no longer in the list.
        accounts = {
            key: record.username
            for key, record in known.items()
            if key in listed or record.status != Status.INVALID_ARGUMENT
        } | listed
        started = time.time()
        wanted = [name for key, name in accounts.items() if _is_wanted(known.get(key), started, max_age)]
        if wanted:
            self.folder.probe()
        self.journal.tidy(accounts)
        code, faults = 0, list[Exception]()
        try:
            self._request(wanted)
        except SystemExit:  # Ctrl-C or SIGTERM
            code = INTERRUPTED
        except (UnusableError, OSError) as error:
            faults.append(error)
        try:
            self.journal.tidy(accounts)
            self._derive()
        except OSError as error:
            faults.append(error)
        if faults:
            return self._report(faults[0], code)
        left = self._summarize(len(accounts), len(wanted))
        return code or left

    def _request(self, names: Sequence[str]) -> None:
        """Append a line for each account as its answer arrives."""
        unsent: list[Record] = []

        def each(outcome: Outcome[Any]) -> None:
            key, error = key_of(outcome.username), outcome.error
            before = self.journal.records.get(key)
            # If an account is gone, delete its data and keep only the reason.
            gone = error is not None and error.status in FINAL and before is not None and before.failure is None
            line = raw_line(outcome, body=not gone)
            record = Record.read(line.encode("utf-8", "replace").decode("utf-8"))
            if record.source and self.journal.sources - {record.source}:
                raise UnusableError(_MIXED)
            if error is not None and error.for_every_account and not error.requests:
                # These accounts were not requested. There may be thousands, so they are written together.
                unsent.append(record)
            else:
                self.journal.append([record])
            self.failed[key] = None if record.final else error

        if names:
            ask_accounts(self.settings, names, self.fields, raw=True, each=each)
        if unsent:
            self.journal.append(unsent)

    def _derive(self) -> None:
        """Write the tables and then the package, if they have changed."""
        records = list(self.journal.records.values())
        if not records:
            return
        tables = described.tables(records, self.fields)
        base_url = "" if self.settings.sandbox else self.settings.base_url
        package = described.package(records, self.fields, {RESPONSES: self.journal.content(), **tables}, base_url)
        changed = {name: content for name, content in tables.items() if self.folder.read(name) != content}
        if self.folder.read(PACKAGE) != package or changed:
            for name, content in (changed | {PACKAGE: package}).items():
                self.folder.replace(name, content)

    def _summarize(self, accounts: int, requested: int) -> int:
        """Print one line about the data set. Return 0 if nothing is left to do, otherwise 1."""
        records = self.journal.records.values()
        line = f"{self.folder.path}: {_number(accounts, 'account')} ({_counted(record.status for record in records)})"
        invalid = [repr(record.username) for record in records if record.status == Status.INVALID_ARGUMENT]
        failed = [error for error in self.failed.values() if error is not None]
        left = [str(error.status) for error in failed] + ["not answered"] * (requested - len(self.failed))
        if not left and not invalid:
            click.echo(f"{line}; all answered and fresh, {requested} requested now.")
            return 0
        if left:
            verb = "is" if len(left) == 1 else "are"
            line += f"; {_number(len(left), 'account')} {verb} left ({_counted(left)}): {_next_step(failed)}"
        if invalid:
            shown = ", ".join(invalid[:5]) + (", …" if len(invalid) > 5 else "")
            line += f"; {_number(len(invalid), 'invalid username')} ({shown}): correct the list"
        click.echo(f"{line}.", err=True)
        return 1

    def _report(self, fault: Exception, code: int) -> int:
        what = str(fault)
        if isinstance(fault, OSError):
            what = f"{_why(fault)}. Earlier answers are kept. Fix the cause, then run the same command again."
        click.echo(f"--out {self.folder.path}: {what}", err=True)
        return code or (1 if isinstance(fault, OSError) else 2)


def _is_wanted(record: Record | None, now: float, max_age: float) -> bool:
    """Return whether to request an account: it is new, failed for a temporary reason, or is too old."""
    if record is None or not record.final:
        return True
    # A negative age comes from a wrong clock.
    return record.status != Status.INVALID_ARGUMENT and not 0 <= now - record.retrieved_at < max_age


def _counted(values: Iterable[str]) -> str:
    return ", ".join(f"{count} {value}" for value, count in sorted(Counter(values).items())) or "none answered"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _next_step(errors: Sequence[TikTokError]) -> str:
    if any(error.status is Status.QUOTA_EXCEEDED for error in errors):
        return "the daily quota is used up; run the same command again after 00:00 UTC"
    again = "run the same command again"
    common = next((error for error in errors if error.for_every_account), None)
    return f"{common.next_step.rstrip('.')}, then {again}" if common else again


def _why(error: OSError) -> str:
    return f"{error.strerror or error}" + (f" ({Path(str(error.filename)).name})" if error.filename else "")
