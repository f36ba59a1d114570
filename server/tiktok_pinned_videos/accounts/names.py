"""What callers write for a username, and what TikTok is asked for.

People paste profile links, write @ before names, and some clients send a name of digits as a number. Real names break
TikTok's published rules, so only what could never be one is refused.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from tiktok_pinned_videos.research.errors import InvalidArgumentError

_LINK: Final = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?(?:[a-z0-9-]+\.)*tiktok\.com(?::\d+)?/+@?([^/?#\s]*)", re.IGNORECASE
)
_ADVICE: Final = 'Send the name as on the profile page, for example "nasa", or a link such as tiktok.com/@nasa.'


def parse_username(value: object) -> str:
    """The username to send, in the case given.

    Trimmed; taken out of a tiktok.com/@NAME address; one leading @ removed; numbers taken as text. Raises
    `InvalidArgumentError` for what is not then 1 to 64 letters, digits or marks of any script, `_` and `.`.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        what = "is missing" if value is None else "must be text"
        raise InvalidArgumentError(f"username {what}.", advice=_ADVICE)
    name = value.strip()
    link = _LINK.match(name)
    name = link[1] if link else name.removeprefix("@")
    if not name:
        raise InvalidArgumentError("username is empty.", advice=_ADVICE)
    if len(name) > 64:
        raise InvalidArgumentError(f"username has {len(name)} characters, at most 64 are possible.", advice=_ADVICE)
    for char in name:
        if char not in "_." and unicodedata.category(char)[0] not in "LMN":
            raise InvalidArgumentError(f"username holds {_named(char)}, which no username has.", advice=_ADVICE)
    return name


def same_account(username: str) -> str:
    """The form under which two spellings of one account are the same: compared without case."""
    return unicodedata.normalize("NFC", username).casefold()


def _named(char: str) -> str:
    if char.isspace():
        return "white space"
    if char.isascii() and char.isprintable():
        return repr(char)
    return f"the character U+{ord(char):04X}"
