"""Cleaning of text written by strangers: what a reader cannot see has no place in an answer.

Knows Unicode, nothing of TikTok. Clipping is the reader's side and lives with the answers.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

ZWNJ: Final = "\u200c"
ZWJ: Final = "\u200d"
_VARIATION: Final = "\ufe0e\ufe0f"
_KEYCAP: Final = "\u20e3"

# Letters and marks that Unicode calls "default ignorable" or that draw nothing, though their category looks harmless:
# combining grapheme joiner, Hangul fillers, Khmer inherent vowels, Mongolian and other variation selectors.
_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\u2065")
# What str.isprintable lets pass though it may have to go: the above, and the blocks of `_is_unseen` and `_VARIATION`.
_DOUBTFUL: Final = re.compile(
    "[" + "".join(sorted(_UNSEEN)) + "\ufe00-\ufe0f\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_DROPPED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co"})


def clean(text: str) -> str:
    """One line without control, bidirectional, invisible or tag characters.

    Line breaks and other white space become one space. Zero-width joiners stay where they join something: between
    emoji, and between letters of scripts that use them (Persian, Hindi …).
    """
    # Nearly every text is clean: no white space but blanks, no control, format, private or unassigned character.
    if text.isprintable() and (text.isascii() or not _DOUBTFUL.search(text)):
        return " ".join(text.split()) if "  " in text or text[:1] == " " or text[-1:] == " " else text
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
        elif not _is_unseen(char):
            kept.append(char)
    return " ".join("".join(kept).split())


def _is_unseen(char: str) -> bool:
    code = ord(char)
    return (
        unicodedata.category(char) in _DROPPED_CATEGORIES
        or char in _UNSEEN
        or 0xFE00 <= code <= 0xFE0D  # variation selectors without a use in running text
        or 0xFFF0 <= code <= 0xFFF8  # unassigned, but default ignorable
        or 0xE0000 <= code <= 0xE0FFF  # tags and the variation selectors supplement
        or 0x1BCA0 <= code <= 0x1BCA3  # shorthand format controls
        or 0x1D173 <= code <= 0x1D17A  # musical format controls
        or code & 0xFFFE == 0xFFFE  # noncharacters
        or 0xFDD0 <= code <= 0xFDEF
    )


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
