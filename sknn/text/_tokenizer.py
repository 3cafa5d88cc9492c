"""Texts to sequences of tokens and back."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Set
from itertools import repeat
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import metadata_routing
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from sknn._documentation import links_to_documentation
from sknn._drafts import draft_of
from sknn._validation import POSITIVE_INTEGER

# The token of id 0, which stands for all that the vocabulary lacks.
UNKNOWN = "<unknown>"


# Sequences are no frame of features. Without the keyword, which mypy does not see because
# scikit-learn has no types, there would be a `set_output` for them.
@links_to_documentation
class Tokenizer(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    r"""Turn texts into sequences of integer tokens, and back.

    The tokens are the words or the characters of the text. Unlike
    :class:`~sklearn.feature_extraction.text.CountVectorizer`, which counts them, this transformer
    keeps their order: a text becomes the array of its tokens' ids, which estimators with an
    embedding layer take.

    Id 0 is ``"<unknown>"``, which stands for every token that the vocabulary lacks. The ids from 1
    on are the tokens of the texts from the most to the least frequent, and those that are equally
    frequent in alphabetical order (that of their code points).

    Parameters
    ----------
    unit : {"word", "character"}, default="word"
        What a token is. A word is what `token_pattern` finds. A character is any Unicode character,
        white space included.
    token_pattern : str, default=r"\\w+|[^\\w\\s]"
        Regular expression of a token, only used with ``unit="word"``. The default finds runs of
        letters, digits and underscores, and makes every other character a token of its own, except
        for white space, which separates tokens. If it has a group in parentheses, the token is the
        content of that group.
    lowercase : bool, default=False
        Whether to convert the texts to lowercase first. This makes a smaller vocabulary;
        `inverse_transform` cannot restore the case. CountVectorizer does it by default.
    min_count : int, default=1
        Smallest number of occurrences in all texts for a token to be in the vocabulary. With 2 or
        more, the texts of `fit` have unknown tokens themselves, so that an estimator trained on
        them learns what to make of those. Ignored if `vocabulary` is given.
    max_features : int, default=None
        Largest number of tokens in the vocabulary, ``"<unknown>"`` not counted; the most frequent
        ones are kept. If None, all. Ignored if `vocabulary` is given.
    vocabulary : array-like of str or Mapping, default=None
        Tokens to use instead of those of the texts. They have the ids from 1 on in the order in
        which they are given (a set in alphabetical order), or those of a mapping from token to id,
        like `vocabulary_`. ``"<unknown>"``, which is always id 0, may come first or be left out.
    max_length : int, default=None
        Largest number of tokens in a sequence. Of longer texts, `transform` keeps the first ones.
        `fit` counts the tokens of whole texts. If None, sequences are as long as their texts.

    Attributes
    ----------
    vocabulary_ : dict
        The id of each token, ``"<unknown>"`` included, in the order of the ids.
    n_tokens_ : int
        Number of ids, which are 0 to ``n_tokens_ - 1``.

    See Also
    --------
    sklearn.feature_extraction.text.CountVectorizer : How often each token occurs in a text.

    Notes
    -----
    The sequences are of different lengths, so the output is no matrix, and there is no
    ``set_output``.

    Examples
    --------
    >>> from sknn.text import Tokenizer
    >>> texts = ["the cat sat.", "the dog sat, too"]
    >>> tokenizer = Tokenizer().fit(texts)
    >>> tokenizer.get_feature_names_out()
    array(['<unknown>', 'sat', 'the', ',', '.', 'cat', 'dog', 'too'], dtype=object)
    >>> X = tokenizer.transform(["the cat, the bird."])
    >>> X[0]
    array([2, 5, 3, 2, 0, 4])
    >>> tokenizer.inverse_transform(X)
    array(['the cat , the <unknown> .'], dtype=object)

    Characters come back as they were:

    >>> tokenizer = Tokenizer(unit="character")
    >>> X = tokenizer.fit_transform(texts)
    >>> tokenizer.n_tokens_, X[0].shape, X[1].shape
    (13, (12,), (16,))
    >>> tokenizer.inverse_transform(X)
    array(['the cat sat.', 'the dog sat, too'], dtype=object)
    """

    # The argument is X by another name, and no metadata to route.
    __metadata_request__fit: ClassVar = {"raw_documents": metadata_routing.UNUSED}
    __metadata_request__transform: ClassVar = {"raw_documents": metadata_routing.UNUSED}

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "unit": [StrOptions({"word", "character"})],
        "token_pattern": [str],
        "lowercase": ["boolean"],
        "min_count": [POSITIVE_INTEGER],
        "max_features": [POSITIVE_INTEGER, None],
        "vocabulary": ["array-like", Mapping, None],
        "max_length": [POSITIVE_INTEGER, None],
    }

    vocabulary_: dict[str, int]
    n_tokens_: int

    def __init__(
        self,
        *,
        unit: Literal["word", "character"] = "word",
        token_pattern: str = r"\w+|[^\w\s]",
        lowercase: bool = False,
        min_count: int = 1,
        max_features: int | None = None,
        vocabulary: Collection[str] | Mapping[str, int] | None = None,
        max_length: int | None = None,
    ) -> None:
        self.unit = unit
        self.token_pattern = token_pattern
        self.lowercase = lowercase
        self.min_count = min_count
        self.max_features = max_features
        self.vocabulary = vocabulary
        self.max_length = max_length

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, raw_documents: Iterable[str], y: Any = None) -> Tokenizer:
        """Learn the vocabulary.

        Parameters
        ----------
        raw_documents : iterable of str
            The texts. Those without any token add nothing.
        y : None
            Ignored.

        Returns
        -------
        self : Tokenizer
            The fitted tokenizer.

        Raises
        ------
        TypeError
            If a text or a token of `vocabulary` is not a str.
        ValueError
            If there are no texts, or a str stands where several texts are expected; if no token is
            left; if `token_pattern` is not a regular expression with at most one group; or if
            `vocabulary` has a token twice, or ids with gaps.
        """
        documents = _check_documents(raw_documents)
        pattern = self._compile()
        if self.vocabulary is None:
            tokens = self._count(documents, pattern)
        else:
            tokens = _check_vocabulary(self.vocabulary)
            self._check_reachable(tokens)
        self.vocabulary_ = {token: i for i, token in enumerate([UNKNOWN, *tokens])}
        self.n_tokens_ = len(self.vocabulary_)
        return self

    def transform(self, raw_documents: Iterable[str]) -> NDArray[np.object_]:
        """Turn texts into sequences of tokens.

        Parameters
        ----------
        raw_documents : iterable of str
            The texts.

        Returns
        -------
        X : ndarray of shape (n_documents,), dtype object
            For each text an int64 array of shape (n_tokens_i,) with the ids of its tokens, 0 for
            those that are not in the vocabulary. It has at least one token, and at most
            `max_length`.

        Raises
        ------
        TypeError
            If a text is not a str.
        ValueError
            If there are no texts, a str stands where several texts are expected, or a text has no
            token, because an empty sequence is nothing that a network could be given.
        """
        check_is_fitted(self, "vocabulary_")
        documents = _check_documents(raw_documents)
        pattern = self._compile()
        X = np.empty(len(documents), dtype=object)
        for i, document in enumerate(documents):
            tokens = self._split(document, pattern)[: self.max_length]
            if not tokens:
                raise ValueError(
                    f"raw_documents[{i}] has no token: it is {document[:40]!r}. Drop texts that "
                    "are empty or, with unit='word', have nothing that token_pattern finds."
                )
            ids = map(self.vocabulary_.get, tokens, repeat(0))
            X[i] = np.fromiter(ids, dtype=np.int64, count=len(tokens))
        return X

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, raw_documents: Iterable[str], y: Any = None) -> NDArray[np.object_]:
        """Learn the vocabulary and turn the texts into sequences of tokens.

        Parameters
        ----------
        raw_documents : iterable of str
            The texts.
        y : None
            Ignored.

        Returns
        -------
        X : ndarray of shape (n_documents,), dtype object
            As from `transform`.

        Raises
        ------
        TypeError, ValueError
            Those of `fit` and `transform`.
        """
        documents = _check_documents(raw_documents)  # a generator can be read only once
        with draft_of(self) as draft:
            X = draft.fit(documents).transform(documents)
        return X

    def inverse_transform(self, X: Iterable[ArrayLike]) -> NDArray[np.object_]:
        """Turn sequences of tokens into texts.

        Parameters
        ----------
        X : iterable of array-like of int, or ndarray of shape (n_documents, n_tokens)
            For each text the ids of its tokens.

        Returns
        -------
        raw_documents : ndarray of shape (n_documents,), dtype object
            The texts. Characters are joined as they are, which restores texts whose characters are
            all known and that were neither cut nor converted to lowercase. Words, and the
            characters that are tokens between them, are joined by single spaces, whatever
            separated them before. Unknown tokens become ``"<unknown>"``.

        Raises
        ------
        TypeError
            If ids are not integers.
        ValueError
            If an id is not in 0 to ``n_tokens_ - 1``, or X is not a sequence of sequences.
        """
        check_is_fitted(self, "vocabulary_")
        if not isinstance(X, Iterable):
            raise ValueError(f"X must be a sequence of sequences of tokens; got {X!r}.")
        names = self.get_feature_names_out()
        separator = " " if self.unit == "word" else ""
        texts = [
            separator.join(names[_check_sequence(sequence, i, len(names))].tolist())
            for i, sequence in enumerate(X)
        ]
        return np.array(texts, dtype=object)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the vocabulary.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of shape (`n_tokens_`,), dtype object
            The token of each id, the first one ``"<unknown>"``.
        """
        check_is_fitted(self, "vocabulary_")
        return np.array(list(self.vocabulary_), dtype=object)

    def _compile(self) -> re.Pattern[str]:
        try:
            pattern = re.compile(self.token_pattern)
        except re.error as error:
            raise ValueError(
                f"token_pattern={self.token_pattern!r} is not a regular expression: {error}."
            ) from error
        if pattern.groups > 1:
            raise ValueError(
                f"token_pattern={self.token_pattern!r} has {pattern.groups} groups; at most one is "
                "allowed. Write (?:...) for those that only hold things together."
            )
        return pattern

    def _split(self, document: str, pattern: re.Pattern[str]) -> str | list[str]:
        """Return the tokens of a text; a text is the sequence of its characters itself."""
        if self.lowercase:
            document = document.lower()
        if self.unit == "character":
            return document
        # A pattern or a group that can be empty finds "" between the tokens.
        return list(filter(None, pattern.findall(document)))

    def _count(self, documents: list[str], pattern: re.Pattern[str]) -> list[str]:
        """Return the tokens that are frequent enough, in the order of their ids."""
        counts: Counter[str] = Counter()
        for document in documents:
            counts.update(self._split(document, pattern))
        counts.pop(UNKNOWN, None)  # has its id already
        frequent = [token for token, count in counts.items() if count >= self.min_count]
        if not frequent:
            raise ValueError(
                f"Empty vocabulary: no token occurs min_count={self.min_count} times or more."
                if counts
                else "Empty vocabulary: no text of raw_documents has a token."
            )
        frequent.sort(key=lambda token: (-counts[token], token))
        return frequent[: self.max_features]

    def _check_reachable(self, tokens: list[str]) -> None:
        """Complain about given tokens that no text can have."""
        if self.unit == "character":
            for token in tokens:
                if len(token) != 1:
                    raise ValueError(
                        f"vocabulary has the token {token!r}; with unit='character', tokens are "
                        "single characters."
                    )
        if self.lowercase and any(token != token.lower() for token in tokens):
            warnings.warn(
                "Upper case characters found in vocabulary while 'lowercase' is True. These "
                "entries will not be matched with any documents.",
                stacklevel=4,  # the caller of `fit`, which scikit-learn wraps
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags


def _check_documents(raw_documents: Iterable[str]) -> list[str]:
    """Return the texts as a list."""
    if isinstance(raw_documents, str | bytes) or not isinstance(raw_documents, Iterable):
        kind = "string" if isinstance(raw_documents, str) else type(raw_documents).__name__
        raise ValueError(f"Iterable over raw text documents expected, {kind} object received.")
    # A DataFrame would give the names of its columns.
    shape = getattr(raw_documents, "shape", (0,))
    if len(shape) != 1:
        raise ValueError(
            f"raw_documents has shape {shape}; texts are expected in one dimension. Pass one "
            "column of a table."
        )
    documents = list(raw_documents)
    if not documents:
        raise ValueError("raw_documents is empty; at least one text is required.")
    for i, document in enumerate(documents):
        if not isinstance(document, str):
            raise TypeError(
                f"raw_documents[{i}] is of type {type(document).__name__}, but a text must be a "
                "str. Decode bytes, and fill or drop missing values."
            )
    return documents


def _check_vocabulary(vocabulary: Collection[str] | Mapping[str, int]) -> list[str]:
    """Return the given tokens, without the one for unknown, in the order of their ids."""
    for token in vocabulary:
        if not isinstance(token, str):
            raise TypeError(
                f"vocabulary has {token!r} of type {type(token).__name__}; tokens must be str."
            )
    if isinstance(vocabulary, Mapping):
        first = 0 if UNKNOWN in vocabulary else 1
        if set(vocabulary.values()) != set(range(first, first + len(vocabulary))):
            raise ValueError(
                "vocabulary must give its tokens the ids from 1 on, each once and without gaps; "
                f"0 is the id of {UNKNOWN!r}."
            )
        tokens = sorted(vocabulary, key=lambda token: vocabulary[token])
    elif isinstance(vocabulary, Set):
        tokens = sorted(vocabulary, key=lambda token: (token != UNKNOWN, token))
    else:
        tokens = list(vocabulary)
    if UNKNOWN in tokens[1:]:
        raise ValueError(f"vocabulary has {UNKNOWN!r} behind other tokens; it is always id 0.")
    tokens = tokens[1:] if tokens[:1] == [UNKNOWN] else tokens
    if not tokens:
        raise ValueError(f"Empty vocabulary: vocabulary has no token beside {UNKNOWN!r}.")
    if len(set(tokens)) < len(tokens):
        twice = next(token for token, count in Counter(tokens).items() if count > 1)
        raise ValueError(f"vocabulary has the token {twice!r} more than once.")
    return tokens


def _check_sequence(sequence: ArrayLike, i: int, n_tokens: int) -> NDArray[np.int64]:
    """Return the ids of a text."""
    ids = np.asarray(sequence)
    if ids.ndim != 1:
        raise ValueError(
            f"X[{i}] has shape {ids.shape}, but each sequence of tokens has one dimension. Put a "
            "single sequence into a list: [X]."
        )
    if ids.size == 0:
        return np.empty(0, dtype=np.int64)
    if not np.issubdtype(ids.dtype, np.integer):
        raise TypeError(f"X[{i}] is of dtype {ids.dtype}; the ids of tokens are integers.")
    if ids.min() < 0 or ids.max() >= n_tokens:
        wrong = ids[(ids < 0) | (ids >= n_tokens)][0]
        raise ValueError(f"X[{i}] has the id {wrong}; there are {n_tokens}, from 0 on.")
    return ids.astype(np.int64)
