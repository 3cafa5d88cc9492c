"""What can be done with word vectors: means of texts, neighbours, files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils import metadata_routing
from sklearn.utils.validation import check_is_fitted

from sknn._validation import POSITIVE_INTEGER, validated

from ._checks import check_documents
from ._corpus import encode_corpus
from ._tokenizer import Tokenizer
from ._word_files import read_glove, read_word2vec, write_vectors

COUNT = {"n": [POSITIVE_INTEGER]}
LIMIT = {"limit": [POSITIVE_INTEGER, None]}
BINARY = {"binary": ["boolean"]}


class WordVectors(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """What can be done with vectors, wherever they come from."""

    # The argument is X by another name, and no metadata to route.
    __metadata_request__transform: ClassVar = {"raw_documents": metadata_routing.UNUSED}

    tokenizer_: Tokenizer
    vectors_: np.ndarray
    counts_: np.ndarray
    history_: list[dict[str, Any]]

    @property
    def vocabulary_(self) -> dict[str, int]:
        """The row of each word in `vectors_`: that of `tokenizer_`."""
        return self.tokenizer_.vocabulary_

    @property
    def _n_features_out(self) -> int:
        return self.vectors_.shape[1]

    def transform(self, raw_documents: Iterable[Any]) -> np.ndarray:
        """Return the mean vector of the known words of each text.

        Parameters
        ----------
        raw_documents : iterable of str, or of lists of str
            The texts, or their words.

        Returns
        -------
        X : ndarray of shape (n_documents, vector_size), dtype float32
            Means; zeros for texts without a known word, of which a warning tells.

        Raises
        ------
        TypeError
            If a text or a word is not a str.
        ValueError
            If there are no texts, or a str stands where several texts are expected.
        """
        check_is_fitted(self, "vectors_")
        documents, tokenizer = check_documents(raw_documents), self.tokenizer_
        corpus = encode_corpus(documents, tokenizer, tokenizer.max_length)
        lengths = np.diff(corpus.ends)
        if not lengths.all():
            warnings.warn(
                f"{np.count_nonzero(lengths == 0)} of {len(lengths)} texts have no word that the "
                "vocabulary knows; their vectors are zeros.",
                stacklevel=3,  # the caller of `transform`, which scikit-learn wraps
            )
        shares = np.repeat(1 / np.maximum(lengths, 1), lengths).astype(np.float32)
        shape = len(lengths), len(self.vectors_)
        means = sparse.csr_array((shares, corpus.tokens, corpus.ends), shape=shape)
        return means @ self.vectors_

    # ----------------------------------------------------------------------------- neighbours

    def vector(self, word: str) -> np.ndarray:
        """Return the vector of a word.

        Parameters
        ----------
        word : str
            The word.

        Returns
        -------
        ndarray of shape (vector_size,), dtype float32
            A copy of its row in `vectors_`.

        Raises
        ------
        ValueError
            If the word is not in the vocabulary.
        """
        check_is_fitted(self)
        return self.vectors_[self._row(word)].copy()

    @validated(COUNT)
    def most_similar(self, word: str | ArrayLike, n: int = 10) -> list[tuple[str, float]]:
        """Return the words that are most like a word, or like a vector.

        Parameters
        ----------
        word : str or array-like of shape (vector_size,)
            The word, which is not among the answers; or any vector.
        n : int, default=10
            Number of answers, as far as there are so many words.

        Returns
        -------
        list of (str, float)
            Words and the cosines of the angles between the vectors, the largest first.

        Raises
        ------
        ValueError
            If the word is not in the vocabulary, or the vector has another size.
        """
        check_is_fitted(self)
        if isinstance(word, str):
            row = self._row(word)
            return self._nearest(self.vectors_[row], {row}, n)
        vector = np.asarray(word)
        if vector.shape != self.vectors_.shape[1:] or vector.dtype.kind not in "fiub":
            raise ValueError(
                f"word must be a str or a vector of {self.vectors_.shape[1]} numbers; got an array "
                f"of shape {vector.shape} and dtype {vector.dtype}."
            )
        if not np.isfinite(vector).all():
            raise ValueError("word is a vector with numbers that are not finite.")
        return self._nearest(vector, set(), n)

    def similarity(self, a: str, b: str) -> float:
        """Return the cosine of the angle between the vectors of two words.

        Parameters
        ----------
        a, b : str
            The words.

        Returns
        -------
        float
            Between -1 and 1.

        Raises
        ------
        ValueError
            If a word is not in the vocabulary.
        """
        check_is_fitted(self)
        x, y = _unit(self.vectors_[[self._row(a), self._row(b)]])
        return float(np.clip(x @ y, -1, 1))

    @validated(COUNT)
    def analogy(self, a: str, b: str, c: str, n: int = 10) -> list[tuple[str, float]]:
        """Return the words that are to `c` what `b` is to `a`.

        The answers are most like the vector b - a + c, each of length 1 before.

        Parameters
        ----------
        a, b, c : str
            The words, which are not among the answers.
        n : int, default=10
            Number of answers, as far as there are so many words.

        Returns
        -------
        list of (str, float)
            Words and the cosines of the angles between the vectors, the largest first.

        Raises
        ------
        ValueError
            If a word is not in the vocabulary.
        """
        check_is_fitted(self)
        rows = [self._row(word) for word in (a, b, c)]
        x, y, z = _unit(self.vectors_[rows])
        return self._nearest(y - x + z, set(rows), n)

    def _row(self, word: Any) -> int:
        """Return the row of a word, which is looked up as texts would have it."""
        if not isinstance(word, str):
            raise TypeError(f"Words must be str; got {word!r} of type {type(word).__name__}.")
        vocabulary = self.vocabulary_
        row = vocabulary.get(word) or vocabulary.get(self.tokenizer_._prepare(word))
        if not row:
            raise ValueError(
                f"The vocabulary has no word {word!r}. It has the words that occurred at least "
                "min_count times in the texts of fit, or those of the file; see vocabulary_."
            )
        return row

    def _nearest(self, vector: np.ndarray, without: set[int], n: int) -> list[tuple[str, float]]:
        """Return the n words whose vectors are nearest to one (size,) by angle."""
        vector = vector / (np.abs(vector).max() or 1)  # whose squares do not overflow
        cosines = self.vectors_ @ (vector / (np.linalg.norm(vector) or 1)).astype(np.float32)
        lengths = np.linalg.norm(self.vectors_, axis=1)
        cosines = np.divide(cosines, lengths, out=np.zeros_like(cosines), where=lengths > 0)
        np.clip(cosines, -1, 1, out=cosines)
        cosines[[0, *without]] = -np.inf
        n = min(n, len(cosines) - len(without | {0}))
        if n <= 0:
            return []
        best = np.argpartition(-cosines, n - 1)[:n]
        best = best[np.lexsort((best, -cosines[best]))]
        names = list(self.vocabulary_)
        return [(names[row], float(cosines[row])) for row in best]

    # ----------------------------------------------------------------------------- files

    @classmethod
    @validated(LIMIT | BINARY)
    def from_word2vec(
        cls,
        path: str | os.PathLike[str],
        *,
        binary: bool = False,
        limit: int | None = None,
        tokenizer: Tokenizer | None = None,
    ) -> Self:
        """Read vectors from a file of word2vec's.

        Parameters
        ----------
        path : str or os.PathLike
            The file, unpacked.
        binary : bool, default=False
            Whether it is a binary file.
        limit : int, default=None
            Largest number of words to read, which are the most frequent in most files.
        tokenizer : Tokenizer, default=None
            What splits texts for `transform`. None is one without normal form that lowers texts if
            no word of the file has a capital letter.

        Returns
        -------
        WordEmbedding
            A fitted one, which cannot learn on.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is another kind of file, or cut off.
        """
        return cls._of(*read_word2vec(path, binary=binary, limit=limit), tokenizer)

    @classmethod
    @validated(LIMIT)
    def from_glove(
        cls,
        path: str | os.PathLike[str],
        *,
        limit: int | None = None,
        tokenizer: Tokenizer | None = None,
    ) -> Self:
        """Read vectors from a text file of GloVe's, which has no first line with sizes.

        A line has as many numbers as the first one; what is before them is the word, which may have
        spaces in it.

        Parameters
        ----------
        path : str or os.PathLike
            The file, unpacked.
        limit : int, default=None
            Largest number of words to read, which are the most frequent in most files.
        tokenizer : Tokenizer, default=None
            What splits texts for `transform`, as in `from_word2vec`.

        Returns
        -------
        WordEmbedding
            A fitted one, which cannot learn on.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is another kind of file, or a line has more or fewer numbers than the first.
        """
        return cls._of(*read_glove(path, limit=limit), tokenizer)

    @classmethod
    def _of(cls, words: list[str], vectors: np.ndarray, tokenizer: Tokenizer | None) -> Self:
        """Return words with vectors (n_words, size) as a fitted transformer."""
        if tokenizer is None:
            lowercase = all(word == word.lower() for word in words)
            tokenizer = Tokenizer(lowercase=lowercase, normalize=None)
        kind: Any = cls
        model = kind(vector_size=vectors.shape[1], tokenizer=tokenizer)
        model.tokenizer_ = clone(tokenizer)
        model.tokenizer_._take(words)
        model.tokenizer_._keep()
        model.vectors_ = np.concatenate([np.zeros_like(vectors[:1]), vectors])
        model.history_ = []
        return model

    @validated(BINARY)
    def to_word2vec(self, path: str | os.PathLike[str], *, binary: bool = False) -> None:
        """Write the vectors to a file of word2vec's, which other programs read.

        Parameters
        ----------
        path : str or os.PathLike
            The file, which is replaced as a whole or not at all.
        binary : bool, default=False
            Whether to write a binary file. Either kind has every bit of the numbers.

        Raises
        ------
        OSError
            If the file cannot be written.
        ValueError
            If a word has white space or half a character in it.
        """
        self._write(path, has_header=True, binary=binary)

    def to_glove(self, path: str | os.PathLike[str]) -> None:
        """Write the vectors to a text file of GloVe's: word2vec's without its first line.

        Parameters
        ----------
        path : str or os.PathLike
            The file, which is replaced as a whole or not at all.

        Raises
        ------
        OSError
            If the file cannot be written.
        ValueError
            If a word has white space or half a character in it.
        """
        self._write(path, has_header=False, binary=False)

    def _write(self, path: str | os.PathLike[str], *, has_header: bool, binary: bool) -> None:
        check_is_fitted(self, "vectors_")
        names = list(self.vocabulary_)[1:]
        write_vectors(path, names, self.vectors_[1:], has_header=has_header, binary=binary)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (n, size) of length 1; zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
