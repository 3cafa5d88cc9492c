"""Words of many scripts."""

import re
import unicodedata

import pytest

from sknn.text._words import find_words, join_words

DECOMPOSED = unicodedata.normalize("NFD", "tiếng Việt")
WORDS = [
    ("don't stop_1, now", ["don", "'", "t", "stop_1", ",", "now"]),
    ("हिन्दी भाषा।", ["हिन्दी", "भाषा", "।"]),
    ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
    (DECOMPOSED, DECOMPOSED.split()),
    ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
    ("می\u200cخواهم", ["می\u200cخواهم"]),  # noqa: RUF001
    ("한국어 문장.", ["한국어", "문장", "."]),
    ("私は猫です。", ["私", "は", "猫", "で", "す", "。"]),
    ("中文English混合2", ["中", "文", "English", "混", "合", "2"]),
    ("ที่นี่", ["ที่", "นี่"]),
    ("👩\u200d👩\u200d👧 ❤\ufe0f!", ["👩\u200d👩\u200d👧", "❤\ufe0f", "!"]),
]


@pytest.mark.parametrize(("text", "words"), WORDS, ids=[text for text, _ in WORDS])
def test_words_of_a_script(text: str, words: list[str]) -> None:
    assert find_words(text) == words


@pytest.mark.parametrize(("text", "words"), WORDS, ids=[text for text, _ in WORDS])
def test_no_character_but_white_space_is_lost(text: str, words: list[str]) -> None:
    assert "".join(find_words(text)) == re.sub(r"\s", "", text)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["a", "cat", "."], "a cat ."),
        (["私", "は", "猫", "。"], "私は猫。"),
        (["中", "文", "and", "English"], "中文 and English"),
        (["हिन्दी", "भाषा"], "हिन्दी भाषा"),
        ([], ""),
    ],
)
def test_words_are_joined_by_the_spaces_of_their_script(words: list[str], text: str) -> None:
    assert join_words(words) == text
