"""Parse usernames. Real ones break TikTok's published rules, so only names that no account can have are rejected."""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import quote, unquote

from .errors import InvalidArgumentError

_LINK: Final = re.compile(
    r"(?:[a-z][a-z0-9+.-]*:)?(?://)?(?:[a-z0-9-]+\.)*tiktok\.com(?::\d+)?(/.*)", re.IGNORECASE | re.DOTALL
)
_PROFILE: Final = re.compile(r"/+(?:@|%40)([^/?#]*)(?:[/?#].*)?", re.DOTALL)


def parse_username(value: object) -> str:
    """Return the username to send, in the case given.

    White space, the address around it (tiktok.com/@NAME) and one leading @ are removed; numbers become text. Raises
    `InvalidArgumentError` if the rest is not 1 to 64 letters, digits or marks of any script, `_` and `.`.
    """
    text = _as_text(value)
    if text is None:
        raise _invalid("username is missing." if value is None else "username must be text.")
    name = text.strip()
    if link := _LINK.fullmatch(name):
        profile = _PROFILE.fullmatch(link[1])
        if profile is None:
            raise _invalid("username is a link that does not name an account.")
        name = unquote(profile[1], errors="replace")
    else:
        name = name.removeprefix("@")
    if not name:
        raise _invalid("username is empty.")
    if len(name) > 64:
        raise _invalid(f"username has {len(name)} characters; at most 64 are allowed.")
    for char in name:
        if not (char in "_." or unicodedata.category(char)[0] in "LM" or unicodedata.category(char) == "Nd"):
            what = "white space" if char.isspace() else ascii(char)
            raise _invalid(f"username contains {what}, which no username has.")
    return name


def same_account(username: str) -> str:
    """Return the form in which all spellings of one account are equal: NFC, lower case. `ß` is not `ss`."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", username).lower())


def in_key(username: str) -> str:
    """Return the form of an account in the keys of a store: short ASCII, the same for every spelling."""
    return quote(same_account(username), safe="")


def _as_text(value: object) -> str | None:
    match value:
        case str():
            return value
        case bool():
            return None
        case float() if value.is_integer() and abs(value) < 2**53:
            return str(int(value))  # 123 and 123.0 are the same number in JSON, and some clients write the latter
        case int() | float() if abs(value) < 10**64:  # a longer number could not be written in digits
            return repr(value)
        case _:
            return None


def _invalid(what: str) -> InvalidArgumentError:
    example = 'Send the name as on the profile page, for example "nasa", or a link such as tiktok.com/@nasa.'
    return InvalidArgumentError(what, next_step=example)
