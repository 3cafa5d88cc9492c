"""Files of word2vec and GloVe: their bytes, what is read, and what is refused."""

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sknn.text import Tokenizer, WordEmbedding

WORDS = ["the", "New_York", "été", "ab"]
VECTORS = np.array(
    [[0.1, -2, 3e-30], [1 / 3, 0, 1e20], [-0.0, 2**-149, 3.4028235e38], [5, 6, 7]], np.float32
)
TEXT = (
    "4 3\nthe 0.1 -2.0 3e-30\nNew_York 0.33333334 0.0 1e+20\nété -0.0 1e-45 3.4028235e+38\n"
    "ab 5.0 6.0 7.0\n"
)
RECORDS = [
    word.encode() + b" " + struct.pack("<3f", *vector.tolist())
    for word, vector in zip(WORDS, VECTORS, strict=True)
]
BINARY = b"4 3\n" + b"".join(RECORDS)


@pytest.fixture
def words() -> WordEmbedding:
    return WordEmbedding._of(WORDS, VECTORS, None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "vectors"


def same(found: WordEmbedding) -> None:
    assert list(found.vocabulary_) == ["<unknown>", *WORDS]
    assert found.vectors_.dtype == np.float32
    assert found.vectors_.tobytes() == b"\0" * 12 + VECTORS.tobytes()


def test_files_byte_for_byte(words: WordEmbedding, file: Path) -> None:
    words.to_word2vec(file)
    assert file.read_text() == TEXT
    words.to_word2vec(file, binary=True)
    assert file.read_bytes() == BINARY
    words.to_glove(file)
    assert file.read_text() == TEXT.partition("\n")[2]


def test_files_come_back(words: WordEmbedding, file: Path) -> None:
    for binary in (False, True):
        words.to_word2vec(file, binary=binary)
        same(WordEmbedding.from_word2vec(file, binary=binary))
    words.to_glove(file)
    same(WordEmbedding.from_glove(file))


def test_files_of_other_programs(file: Path) -> None:
    file.write_bytes(b"4 3\n" + b"".join(record + b"\n" for record in RECORDS))  # word2vec's own
    same(WordEmbedding.from_word2vec(file, binary=True))
    file.write_text(TEXT.replace("\n", " \n"))  # with a space at the end of each line
    same(WordEmbedding.from_word2vec(file))
    file.write_bytes(TEXT.replace("\n", "\r\n").encode())
    same(WordEmbedding.from_word2vec(file))
    words = ["x", ". . .", "at name@domain.com", "1", "1/2", "é\x85"]
    for first in (0, 1):  # words with spaces, as Common Crawl's vectors have
        names = words[first:] + words[:first]
        file.write_text("".join(f"{word} {i} -{i}e-3\n" for i, word in enumerate(names)))
        found = WordEmbedding.from_glove(file)
        assert list(found.vocabulary_) == ["<unknown>", *names]
        assert_array_equal(found.vectors_[1:, 0], range(6))


def test_random_numbers_come_back_bit_for_bit(file: Path) -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 3000, dtype=np.uint32).view(np.float32)
    vectors = bits[np.isfinite(bits)][:2700].reshape(90, 30)
    words = WordEmbedding._of([f"w{i}" for i in range(90)], vectors, None)
    words.to_word2vec(file)
    assert WordEmbedding.from_word2vec(file).vectors_[1:].tobytes() == vectors.tobytes()


def test_the_first_words_alone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for numbers_at_once in (3, 2**24):  # memory grows as words come
        monkeypatch.setattr("sknn.text._word_files.NUMBERS_AT_ONCE", numbers_at_once)
        file.write_text(TEXT)
        for limit in (1, 3, 4, 9):
            found = WordEmbedding.from_word2vec(file, limit=limit)
            assert_array_equal(found.vectors_[1:], VECTORS[:limit])
        file.write_bytes(BINARY[:-30])
        assert_array_equal(
            WordEmbedding.from_word2vec(file, binary=True, limit=2).vectors_[1:], VECTORS[:2]
        )
        file.write_text(TEXT.partition("\n")[2])
        assert_array_equal(WordEmbedding.from_glove(file).vectors_[1:], VECTORS)
        assert_array_equal(WordEmbedding.from_glove(file, limit=3).vectors_[1:], VECTORS[:3])


def test_texts_are_lowered_if_all_words_are(file: Path) -> None:
    file.write_text("a 1 2\nb 3 4\n")
    words = WordEmbedding.from_glove(file)
    assert_array_equal(words.transform(["A b", "B"]), [[2, 3], [3, 4]])
    file.write_text("a 1 2\nB 3 4\n")
    assert_array_equal(WordEmbedding.from_glove(file).transform(["A a b B"]), [[2, 3]])
    own = Tokenizer(analyzer="char")
    assert_array_equal(WordEmbedding.from_glove(file, tokenizer=own).transform(["aB"]), [[2, 3]])


def test_words_that_come_twice_are_told(file: Path) -> None:
    file.write_text("a 1 2\na 3 4\n<unknown> 5 6\nb 7 8\n")
    with pytest.warns(UserWarning, match="has 2 word\\(s\\) a second time") as caught:
        words = WordEmbedding.from_glove(file)
    assert caught[0].filename == __file__
    assert_array_equal(words.vectors_, [[0, 0], [1, 2], [7, 8]])
    file.write_text("4 2\n" + file.read_text())
    with pytest.warns(UserWarning, match="has 2 word\\(s\\) a second time"):
        again = WordEmbedding.from_word2vec(file)
    assert_array_equal(again.vectors_, words.vectors_)


def test_vectors_from_a_file_do_not_learn_on(words: WordEmbedding) -> None:
    with pytest.raises(ValueError, match="cannot go on from vectors that come from a file"):
        words.partial_fit(["the the the"])
    assert words.n_iter_ == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no file of word2vec's: its first line"),
        (TEXT.partition("\n")[2].encode(), "WordEmbedding.from_glove"),
        (b"4 0\n", "no file of word2vec's"),
        (b"\x1f\x8b\x08\x00" + b"\x00" * 40, "Unpack compressed files"),
        (TEXT.encode()[:-20], "is cut off: its first line says 4 words, and there are 3"),
        (
            TEXT.replace(" 0.0 ", " ").encode(),
            "vectors, line 3, has 2 number\\(s\\) behind its word, and its first line says 3",
        ),
        (TEXT.replace("0.0", "zero").encode(), "line 3, has 1 number"),
        (TEXT.replace(" 0.0 ", " 0.0 0.5 ").encode(), "line 3, has 4 number.* first line says 3"),
        (TEXT.encode().replace(b"New", b"\xff\xfe\xff"), "line 3, has a word that is not UTF-8"),
        (BINARY, "read it with WordEmbedding.from_word2vec\\(path, binary=True\\)"),
        (TEXT.replace("4 3", "3 3", 1).encode(), "has more words than its first line says, 3"),
        (TEXT.replace("4 3", "4 2", 1).encode(), "line 2, has 3 number.* says 2"),
        (TEXT.replace("4 3", "4 99999999999", 1).encode(), "no file of word2vec's"),
        (TEXT.replace("0.33333334", "nan").encode(), "not finite"),
        (TEXT.replace("0.33333334", "1e39").encode(), "not finite"),
    ],
)
def test_wrong_text_files(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        WordEmbedding.from_word2vec(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BINARY[:-1], "cut off, or no binary file"),
        (b"4 3\n" + b"".join(RECORDS[:3]), "its first line says 4 words, and there are 3"),
        (TEXT.encode(), "binary"),
        (BINARY.replace(b"4 3", b"3 3", 1), "has more words than its first line says, 3"),
        (BINARY.replace(b"New", b"\xff\xfe\xff"), "not UTF-8"),
    ],
)
def test_wrong_binary_files(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        WordEmbedding.from_word2vec(file, binary=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1, is not a word"),
        (b"PK\x03\x04" + b"\x00" * 40, "Unpack the file first if it is compressed"),
        (TEXT.encode(), "read it with WordEmbedding.from_word2vec"),
        (b"a 1 2\nb 1\n", "vectors, line 2, has 1 number.* and its first line has 2"),
        (b"a 1 2\nb 1 2 3\n", "line 2, has 3 number.* and its first line has 2"),
        (b"a 1 2 3\nb 1 2\n", "line 2, has 2 number.* and its first line has 3"),
        (b"a 1 2\nb c 1 2\nd 1\n", "line 3, has 1 number"),
        (b"a 1 2\n7 1 2\n7 8 1 2\n", "line 3, has 3 number"),
    ],
)
def test_wrong_files_of_glove(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        WordEmbedding.from_glove(file)


def test_words_with_spaces_are_not_written(file: Path) -> None:
    words = WordEmbedding._of(["a", "b c"], np.ones((2, 3), np.float32), None)
    for write in (words.to_word2vec, words.to_glove):
        with pytest.raises(ValueError, match="The word 'b c' has white space in it"):
            write(file)
    assert not file.exists()


def test_words_with_half_a_character_are_named(file: Path) -> None:
    words = WordEmbedding._of(["a", "b\ud800"], np.ones((2, 3), np.float32), None)
    for write in (words.to_word2vec, words.to_glove):
        with pytest.raises(ValueError, match=r"The word 'b\\ud800' has half a character"):
            write(file)
    assert not file.exists()


def test_binary_is_yes_or_no(file: Path) -> None:
    words = WordEmbedding._of(["a"], np.ones((1, 3), np.float32), None)
    for function in (words.to_word2vec, WordEmbedding.from_word2vec):
        with pytest.raises(ValueError, match="'binary' parameter of WordEmbedding"):
            function(file, binary="no")


def test_files_that_are_missing(file: Path) -> None:
    with pytest.raises(FileNotFoundError):
        WordEmbedding.from_glove(file)
    for limit in (0, -1, 2.5):
        with pytest.raises(ValueError, match="'limit' parameter of WordEmbedding.from_word2vec"):
            WordEmbedding.from_word2vec(file, limit=limit)  # type: ignore[arg-type]
