"""Clean untrusted text: remove characters that a reader cannot see. `presentation.untrusted` clips it."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

ZWNJ: Final = "\u200c"
ZWJ: Final = "\u200d"
_VARIATION: Final = "\ufe0e\ufe0f"
_KEYCAP: Final = "\u20e3"
_DROPPED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co"})

# Invisible characters in visible categories: fillers, joiners, variation selectors, the blank Braille pattern, format
# controls of shorthand and music, tags, noncharacters.
_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2065\u2800\u3164\uffa0\ufe00-\ufe0d\ufff0-\ufff8\ufdd0-\ufdef"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
    + "]"
)


def clean(text: str) -> str:
    """Return one line without control, bidirectional, invisible or tag characters.

    Line breaks and other white space become one space. Zero-width joiners stay where they join something: between
    emoji, and between letters of scripts that use them (Persian, Hindi …).
    """
    # Nearly every text is clean: printable, without invisible characters and variation selectors.
    if text.isprintable() and (text.isascii() or not (_UNSEEN.search(text) or "\ufe0e" in text or "\ufe0f" in text)):
        return " ".join(text.split())
    kept: list[str] = []
    for index, char in enumerate(text):
        if char.isspace():
            kept.append(" ")
        elif char in (ZWJ, ZWNJ):
            if kept and _joins(char, kept[-1], text[index + 1 : index + 2]):
                kept.append(char)
        elif char in _VARIATION:
            # After an emoji or a keycap's digit only; anywhere else it draws nothing and can carry hidden bits.
            if kept and (_is_symbol(kept[-1]) or kept[-1] in "0123456789#*©®"):
                kept.append(char)
        elif unicodedata.category(char) not in _DROPPED_CATEGORIES and not _UNSEEN.match(char):
            kept.append(char)
    return " ".join("".join(kept).split())


def _joins(joiner: str, before: str, after: str) -> bool:
    if not after or before in (ZWJ, ZWNJ):
        return False
    if joiner == ZWJ and (_is_symbol(before) or before in _VARIATION) and _is_symbol(after):
        return True
    return _takes_joiners(before) and _takes_joiners(after)


def _is_symbol(char: str) -> bool:
    # Emoji modifiers (skin tones) are Sk; hearts, gender signs and most emoji are So, some arrows Sm.
    return unicodedata.category(char) in ("So", "Sk", "Sm") or char == _KEYCAP


def _takes_joiners(char: str) -> bool:
    """Letters and marks of Arabic, Syriac, N'Ko, the Indic and Southeast Asian scripts, Mongolian."""
    code = ord(char)
    joining = 0x0600 <= code <= 0x08FF or 0x0900 <= code <= 0x109F or 0x1780 <= code <= 0x18AF
    joining = joining or 0xA800 <= code <= 0xABFF or 0xFB50 <= code <= 0xFDCF or 0xFE70 <= code <= 0xFEFE
    return (joining or 0x11000 <= code <= 0x11FFF) and unicodedata.category(char)[0] in "LM"
