"""What callers write for a username, and what TikTok is asked for.

People paste profile links, write @ before names, and some clients send a name of digits as a number. Real names break
TikTok's published rules, so only what could never be one is refused.
"""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Final
from urllib.parse import quote, unquote

from .errors import InvalidArgumentError

_LINK: Final = re.compile(
    r"(?:[a-z][a-z0-9+.-]*:)?(?://)?(?:[a-z0-9-]+\.)*tiktok\.com(?::\d+)?(/.*)", re.IGNORECASE | re.DOTALL
)
_PROFILE: Final = re.compile(r"/+(?:@|%40)([^/?#]*)(?:[/?#].*)?", re.DOTALL)
_NEXT_STEP: Final = 'Send the name as on the profile page, for example "nasa", or a link such as tiktok.com/@nasa.'


def parse_username(value: object) -> str:
    """The username to send, in the case given.

    Trimmed; taken out of a tiktok.com/@NAME address; one leading @ removed; numbers taken as text. Raises
    `InvalidArgumentError` for what is not then 1 to 64 letters, digits or marks of any script, `_` and `.`.
    """
    value = _as_text(value)
    if not isinstance(value, str):
        what = "is missing" if value is None else "must be text"
        raise InvalidArgumentError(f"username {what}.", next_step=_NEXT_STEP)
    name = value.strip()
    link = _LINK.fullmatch(name)
    name = _from_link(link[1]) if link else name.removeprefix("@")
    if not name:
        raise InvalidArgumentError("username is empty.", next_step=_NEXT_STEP)
    if len(name) > 64:
        what = f"username has {len(name)} characters, at most 64 are possible."
        raise InvalidArgumentError(what, next_step=_NEXT_STEP)
    for char in name:
        if not _belongs(char):
            raise InvalidArgumentError(f"username holds {_named(char)}, which no username has.", next_step=_NEXT_STEP)
    return name


def _as_text(value: object) -> object:
    match value:
        case bool():
            return value
        case int() if abs(value) < 10**64:
            return str(value)
        case float() if value.is_integer() and abs(value) < 2**53:
            return str(int(value))  # JSON knows no difference between 123 and 123.0, and some clients write the latter
        case float() if math.isfinite(value):
            return repr(value)
        case _:
            return value


def _from_link(path: str) -> str:
    profile = _PROFILE.fullmatch(path)
    if profile is None:
        # A short link, a hashtag, a search: whatever its path says, it is no username.
        raise InvalidArgumentError("username is a link that names no account.", next_step=_NEXT_STEP)
    return unquote(profile[1], errors="replace")


def _belongs(char: str) -> bool:
    return char in "_." or unicodedata.category(char)[0] in "LM" or unicodedata.category(char) == "Nd"


def same_account(username: str) -> str:
    """The form under which two spellings of one account are the same: NFC, lower case. `ß` is not `ss`."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", username).lower())


def in_key(username: str) -> str:
    """An account in the key of a store: short ASCII, the same for every spelling."""
    return quote(same_account(username), safe="")


def _named(char: str) -> str:
    if char.isspace():
        return "white space"
    if char.isascii() and char.isprintable():
        return repr(char)
    return f"the character U+{ord(char):04X}"
