"""Word vectors in the files of word2vec and GloVe."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np

from sknn.storage import atomic_write

from ._checks import UNKNOWN

# Longest word of a file, and longest first line: beyond it is another kind of file.
LONGEST_WORD, LONGEST_HEADER = 2**16, 2**10

OTHER_KIND = (
    " Unpack the file first if it is compressed; if it is a binary one of word2vec's, read it with "
    "WordEmbedding.from_word2vec(path, binary=True)."
)

# Most numbers that memory is taken for before they have been read.
NUMBERS_AT_ONCE = 2**24


def write_vectors(
    path: str | os.PathLike[str],
    words: Sequence[str],
    vectors: np.ndarray,  # float32 (n_words, size)
    *,
    has_header: bool,
    binary: bool,
) -> None:
    """Write words and their vectors: a line for each, or its bytes."""
    for word in words:
        if (
            not word
            or any(sign in word for sign in " \n")
            or (not binary and word.split() != [word])
        ):
            raise ValueError(
                f"The word {word!r} has white space in it (or nothing), which these files cannot "
                "tell from the space between a word and its numbers. Use sknn.save instead, or "
                "tokens without spaces."
            )
        if any("\ud800" <= sign <= "\udfff" for sign in word):
            raise ValueError(
                f"The word {word!r} has half a character (a surrogate), which UTF-8 does not "
                "write. Use sknn.save instead, or read the texts with another encoding."
            )
    with atomic_write(path) as file:
        if has_header:
            file.write(f"{len(words)} {vectors.shape[1]}\n".encode())
        for word, vector in zip(words, vectors, strict=True):
            if binary:
                file.write(word.encode() + b" " + vector.astype("<f4").tobytes())
            else:
                # the shortest decimals from which each number of 32 bits comes back
                file.write(f"{word} {' '.join(map(str, vector))}\n".encode())


def read_word2vec(
    path: str | os.PathLike[str], *, binary: bool, limit: int | None
) -> tuple[list[str], np.ndarray]:
    """Return the words of a file of word2vec's, and their vectors float32 (n_words, size)."""
    name = os.fspath(path)
    with open(path, "rb") as file:
        n_words, size = _read_header(file, name)
        wanted = n_words if limit is None else min(limit, n_words)
        if binary:
            records = _binary_records(file, name, size)
        else:
            records = _lines(file, name, size, 2, "its first line says")
        words, vectors, n_read = _collect(records, wanted, size, name)
        if n_read < wanted:
            raise ValueError(
                f"{name} is cut off: its first line says {n_words} words, and there are {n_read}. "
                "Download or write it again."
            )
        if wanted == n_words and next(records, None) is not None:
            raise ValueError(
                f"{name} has more words than its first line says, {n_words}: it is damaged. Pass "
                "limit= to read so many nevertheless."
            )
    return words, vectors


def read_glove(path: str | os.PathLike[str], *, limit: int | None) -> tuple[list[str], np.ndarray]:
    """Return the words of a file of GloVe's, and their vectors float32 (n_words, size)."""
    name = os.fspath(path)
    with open(path, "rb") as file:
        first = file.readline(LONGEST_WORD)
        if len(first.split()) == 2 and all(part.isdigit() for part in first.split()):
            raise ValueError(
                f"{name} begins with a number of words and of dimensions: it is a file of "
                "word2vec's; read it with WordEmbedding.from_word2vec."
            )
        size = _count_numbers(first)
        if size == 0:
            raise ValueError(f"{name}, line 1, is not a word and its numbers.{OTHER_KIND}")
        file.seek(0)
        records = _lines(file, name, size, 1, "its first line has")
        return _collect(records, limit, size, name)[:2]


def _read_header(file: BinaryIO, name: str) -> tuple[int, int]:
    parts = file.readline(LONGEST_HEADER).split()
    is_header = len(parts) == 2 and all(part.isdigit() and int(part) for part in parts)
    if not is_header or int(parts[1]) > NUMBERS_AT_ONCE:
        raise ValueError(
            f"{name} is no file of word2vec's: its first line must have two numbers, of words and "
            "of dimensions. Files of GloVe's have no such line: read them with "
            "WordEmbedding.from_glove. Unpack compressed files first."
        )
    return int(parts[0]), int(parts[1])


def _collect(
    records: Iterator[tuple[str, np.ndarray]], wanted: int | None, size: int, name: str
) -> tuple[list[str], np.ndarray, int]:
    """Return up to so many records, each word once, and how many there were; vectors grow."""
    n_rows = max(1, NUMBERS_AT_ONCE // size)
    vectors = np.empty((n_rows if wanted is None else min(wanted, n_rows), size), np.float32)
    places: dict[str, int] = {}
    n = n_left_out = 0
    for n, (word, vector) in enumerate(records, 1):
        if word in places or word == UNKNOWN:
            n_left_out += 1
        else:
            if len(places) == len(vectors):
                rows = 2 * len(vectors) if wanted is None else min(wanted, 2 * len(vectors))
                vectors.resize((rows, size), refcheck=False)
            vectors[len(places)] = vector
            places[word] = len(places)
        if n == wanted:
            break
    if not places:
        raise ValueError(f"{name} has no word.")
    if not np.isfinite(vectors[: len(places)]).all():
        raise ValueError(
            f"{name} has numbers that are not finite; it is damaged, or binary= is not what it is."
        )
    if n_left_out:
        warnings.warn(
            f"{name} has {n_left_out} word(s) a second time, or {UNKNOWN!r}, which stands for "
            "unknown words; these vectors are left out.",
            stacklevel=6,  # the caller of `from_glove`, which is wrapped twice
        )
    return list(places), vectors[: len(places)].copy(), n


def _lines(
    file: BinaryIO, name: str, size: int, number: int, source: str
) -> Iterator[tuple[str, np.ndarray]]:
    """Go through lines of a word and its numbers, as many as the first line has or says.

    The word may have spaces in it, but a part of it just before the numbers is no number: that
    would be one too many.
    """
    longest = LONGEST_WORD + 64 * size
    while line := file.readline(longest):
        word, *numbers = line.rstrip().rsplit(b" ", size)
        if len(numbers) < size or (b" " in word and _count_numbers(line) > size):
            raise ValueError(_another_size(line, name, size, number, source))
        try:
            with np.errstate(over="ignore"):  # which is refused as a number that is not finite
                vector = np.array(numbers, np.float32)
        except ValueError as error:
            raise ValueError(_another_size(line, name, size, number, source)) from error
        yield _decoded(word, f"{name}, line {number},"), vector
        number += 1


def _count_numbers(line: bytes) -> int:
    """Return how many numbers a line ends with, behind its word, which may be one itself."""
    n = 0
    for part in reversed(line.rstrip().split(b" ")[1:]):
        try:
            float(part)
        except ValueError:
            break
        n += 1
    return n


def _another_size(line: bytes, name: str, size: int, number: int, source: str) -> str:
    n = _count_numbers(line)
    return (
        f"{name}, line {number}, has {n} number(s) behind its word, and {source} {size}: it is cut "
        f"off or damaged.{OTHER_KIND if n == 0 else ''}"
    )


def _binary_records(file: BinaryIO, name: str, size: int) -> Iterator[tuple[str, np.ndarray]]:
    """Go through words, each with a space and the bytes of its numbers behind it."""
    buffer, end = b"", False
    while True:
        buffer = buffer.lstrip(b"\n")  # word2vec's own program ends each record with one
        while not end and len(buffer) < LONGEST_WORD + 4 * size:
            block = file.read(2**20)
            buffer, end = buffer + block, not block
            buffer = buffer.lstrip(b"\n")
        if not buffer:
            return
        place = buffer.find(b" ")
        stop = place + 1 + 4 * size
        if place < 0 or len(buffer) < stop or b"\n" in buffer[:place]:
            raise ValueError(
                f"{name} is cut off, or no binary file of word2vec's: pass binary=False if it is "
                "one of text."
            )
        yield _decoded(buffer[:place], name), np.frombuffer(buffer[place + 1 : stop], "<f4")
        buffer = buffer[stop:]


def _decoded(word: bytes, source: str) -> str:
    try:
        return word.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{source} has a word that is not UTF-8, {word[:60]!r}; the file is damaged, or of "
            "another kind."
        ) from error
