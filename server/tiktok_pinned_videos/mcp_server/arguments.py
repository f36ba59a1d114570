"""Validate the arguments of the tools. The error for an invalid argument says what to send.

The published schema is strict, but some clients send numbers as names, lists as JSON text, and arguments of other
tools. These are accepted if the meaning is clear.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from tiktok_pinned_videos.research.errors import InvalidArgumentError
from tiktok_pinned_videos.research.fields import MEASURES, Measure, parse_fields
from tiktok_pinned_videos.research.names import parse_username, same_account

MAX_ACCOUNTS: Final = 50


@dataclass(frozen=True, slots=True)
class GetArguments:
    """The arguments of `get_pinned_videos`."""

    username: str
    fields: tuple[str, ...]
    refresh: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CompareArguments:
    """The arguments of `compare_pinned_videos`: distinct names, and the invalid ones with the reason."""

    names: tuple[str, ...]
    """Distinct names in the order of the call: normalized if valid, otherwise as written."""
    invalid: Mapping[str, InvalidArgumentError]
    rank_by: Measure
    refresh: bool
    notes: tuple[str, ...]


def parse_get(arguments: Mapping[str, Any]) -> GetArguments:
    """Parse the arguments of `get_pinned_videos`. Raises `InvalidArgumentError`."""
    notes = _unknown(arguments, ("username", "fields", "refresh"))
    return GetArguments(
        username=parse_username(arguments.get("username")),
        fields=parse_fields(_from_json(arguments.get("fields"))),
        refresh=_flag(arguments.get("refresh")),
        notes=notes,
    )


def parse_compare(arguments: Mapping[str, Any]) -> CompareArguments:
    """Parse the arguments of `compare_pinned_videos`. Raises `InvalidArgumentError`, but not for an invalid name."""
    notes = _unknown(arguments, ("usernames", "rank_by", "refresh"))
    names: dict[str, str] = {}
    invalid: dict[str, InvalidArgumentError] = {}
    for written in _names(arguments.get("usernames")):
        try:
            name = parse_username(written)
            names.setdefault(same_account(name), name)
        except InvalidArgumentError as error:
            # In parentheses if it is not text, to distinguish null from the name "null".
            shown = _shown(written) if isinstance(written, str) else f"({_shown(written)})"
            names.setdefault(shown, shown)
            invalid[shown] = error
    if len(names) < 2:
        raise InvalidArgumentError(
            f"usernames has {len(names)} distinct account{'' if len(names) == 1 else 's'}, but a comparison needs 2 to "
            f"{MAX_ACCOUNTS}.",
            next_step='Send a list such as ["nasa", "esa"], or use get_pinned_videos for one account.',
        )
    if len(names) > MAX_ACCOUNTS:
        raise InvalidArgumentError(
            f"usernames has {len(names)} distinct accounts, but at most {MAX_ACCOUNTS} are allowed.",
            next_step="Split the list into several calls.",
        )
    return CompareArguments(
        names=tuple(names.values()),
        invalid=invalid,
        rank_by=_measure(arguments.get("rank_by")),
        refresh=_flag(arguments.get("refresh")),
        notes=notes,
    )


def _names(value: object) -> list[object]:
    value = _from_json(value)
    if isinstance(value, str):
        return [part for part in value.replace("\n", ",").split(",") if part.strip()]
    if isinstance(value, list):
        return cast("list[object]", value)
    raise InvalidArgumentError("usernames must be a list of names.", next_step='Send a list such as ["nasa", "esa"].')


def _measure(value: object) -> Measure:
    if value is None or value == "":
        return MEASURES[0]
    name = value.strip().replace("favourites", "favorites") if isinstance(value, str) else ""
    for measure in MEASURES:
        if name == measure:
            return measure
    near = difflib.get_close_matches(name[:60].casefold(), MEASURES, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise InvalidArgumentError(
        f"unknown rank_by {_shown(value)!r}.", next_step=f"{hint}Valid measures: {', '.join(MEASURES)}."
    )


def _flag(value: object) -> bool:
    match value:
        case None | "" | False | 0:
            return False
        case True | 1:
            return True
        case str() if value.strip().lower() in ("true", "1", "yes"):
            return True
        case str() if value.strip().lower() in ("false", "0", "no", "null", "none"):
            return False
        case _:
            raise InvalidArgumentError(f"refresh must be true or false, not {_shown(value)!r}.")


def _from_json(value: object) -> object:
    """Parse a list that a client sent as JSON text."""
    if isinstance(value, str) and (value.strip()[:1] in ("[", '"') or value.strip() == "null"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _unknown(arguments: Mapping[str, Any], known: Sequence[str]) -> tuple[str, ...]:
    unknown = [_shown(name) for name in arguments if name not in known]
    if not unknown:
        return ()
    return (f"Ignored unknown argument {', '.join(unknown[:5])}; known: {', '.join(known)}.",)


def _shown(value: object) -> str:
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=True, default=str)
    except (ValueError, RecursionError):  # an integer of thousands of digits, or thousands of nested lists
        text = "(unreadable)"
    text = "".join(char if char.isprintable() else "?" for char in text).strip()
    return text if len(text) <= 60 else text[:59] + "…"
