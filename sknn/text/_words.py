"""The words of a text, whatever its script."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# Scripts that put no spaces between words: Thai, Lao, Myanmar, Khmer, kana, Chinese characters.
SPACELESS = (
    *((0x0E00, 0x0E7F), (0x0E80, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x19E0, 0x19FF)),
    *((0x3001, 0x3011), (0x3041, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF)),
    *((0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0xF900, 0xFAFF), (0xFF66, 0xFF9F)),
    (0x20000, 0x3FFFF),
)
# Where combining marks are in Unicode; planes without any are left out.
WITH_MARKS = (range(0x300, 0x20000), range(0xE0100, 0xE01F0))
JOINERS = "\u200c\u200d"  # within words of Indic scripts and Persian, and within emoji


@cache
def word_pattern() -> re.Pattern[str]:
    r"""Return the pattern of a word.

    - A letter or digit of a script without spaces, with its marks.
    - A run of others (``\w``), marks and joiners included.
    - Any other character that is no white space, with what is joined to it.
    """
    spaceless, marks = _ranges(SPACELESS), _ranges(_mark_ranges())
    alone = rf"(?=[{spaceless}])\w[{marks}]*"
    run = rf"(?:(?![{spaceless}])\w[{marks}{JOINERS}]*)+"
    other = rf"[^\w\s](?:[{marks}]|\u200d(?=\S)[^\w\s])*"
    return re.compile(f"{alone}|{run}|{other}")


def find_words(text: str) -> list[str]:
    """Return the words of a text, and the signs between them."""
    if text.isascii():
        return ASCII_WORD.findall(text)
    return word_pattern().findall(text)


# The same for texts of ASCII alone, which is faster.
ASCII_WORD = re.compile(r"\w+|[^\w\s]")


def join_words(words: list[str]) -> str:
    """Join words by spaces, where their script has spaces."""
    text = " ".join(words)
    return text if text.isascii() else _needless_space().sub(r"\1", text)


@cache
def _needless_space() -> re.Pattern[str]:
    """Return the pattern of a space between two words of scripts without spaces."""
    spaceless, marks = _ranges(SPACELESS), _ranges(_mark_ranges())
    return re.compile(rf"([{spaceless}][{marks}]*) (?=[{spaceless}])")


@cache
def _mark_ranges() -> tuple[tuple[int, int], ...]:
    """Return first and last code point of each run of combining marks."""
    points = [
        point
        for block in WITH_MARKS
        for point in block
        if unicodedata.category(chr(point)).startswith("M")
    ]
    firsts = [p for p, before in zip(points, [-1, *points], strict=False) if p != before + 1]
    lasts = [p for p, after in zip(points, [*points[1:], -1], strict=True) if after != p + 1]
    return tuple(zip(firsts, lasts, strict=True))


def _ranges(pairs: tuple[tuple[int, int], ...]) -> str:
    """Return code points as they stand between brackets in a pattern."""
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in pairs)
