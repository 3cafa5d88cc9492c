"""Texts to sequences of tokens and back."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
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

from ._checks import UNKNOWN, check_documents, check_sequence, check_tokens, check_vocabulary
from ._tokens import Tokens
from ._words import find_words, join_words


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
    analyzer : {"word", "char"} or callable, default="word"
        What a token is. A word is what `token_pattern` finds. A character is any Unicode character,
        white space included. A callable gets the text as it is and returns its tokens, strings.
        Texts that come as lists of tokens are not split again.
    token_pattern : str or None, default=None
        Regular expression of a token, only used with ``analyzer="word"``. If it has a group in
        parentheses, the token is the content of that group. None finds runs of letters, digits,
        underscores and combining marks, and makes every other character a token of its own, except
        for white space, which separates tokens; in scripts without spaces (Chinese, Japanese, Thai,
        Lao, Khmer and Burmese) each letter is a token, with its marks.
    lowercase : bool, default=False
        Whether to convert the texts to lowercase first. This makes a smaller vocabulary;
        `inverse_transform` cannot restore the case. CountVectorizer does it by default. Not for
        callables.
    normalize : {"NFC", "NFKC", "NFD", "NFKD"} or None, default="NFC"
        Unicode normal form that texts are brought to first, so that a letter with an accent is
        the same whether it is stored as one character or as two. Not for callables.
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
    unit : {"word", "character"}, default=None
        The former name of `analyzer`.

        .. deprecated:: 0.1
            Use `analyzer`, of which ``"char"`` is the former ``"character"``.

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
    Tokens([2, 5, 3, 2, 0, 4])
    >>> tokenizer.inverse_transform(X)
    array(['the cat , the <unknown> .'], dtype=object)

    Characters come back as they were:

    >>> tokenizer = Tokenizer(analyzer="char")
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
        "analyzer": [StrOptions({"word", "char"}), callable],
        "token_pattern": [str, None],
        "lowercase": ["boolean"],
        "normalize": [StrOptions({"NFC", "NFKC", "NFD", "NFKD"}), None],
        "min_count": [POSITIVE_INTEGER],
        "max_features": [POSITIVE_INTEGER, None],
        "vocabulary": ["array-like", Mapping, None],
        "max_length": [POSITIVE_INTEGER, None],
        "unit": [StrOptions({"word", "character"}), None],
    }

    vocabulary_: dict[str, int]
    n_tokens_: int

    # of tokenizers that were stored when there was `unit` alone
    analyzer: Any = "word"
    normalize: Any = None

    def __init__(
        self,
        *,
        analyzer: Literal["word", "char"] | Callable[[str], Iterable[str]] = "word",
        token_pattern: str | None = None,
        lowercase: bool = False,
        normalize: Literal["NFC", "NFKC", "NFD", "NFKD"] | None = "NFC",
        min_count: int = 1,
        max_features: int | None = None,
        vocabulary: Collection[str] | Mapping[str, int] | None = None,
        max_length: int | None = None,
        unit: Literal["word", "character"] | None = None,
    ) -> None:
        self.analyzer = analyzer
        self.token_pattern = token_pattern
        self.lowercase = lowercase
        self.normalize = normalize
        self.min_count = min_count
        self.max_features = max_features
        self.vocabulary = vocabulary
        self.max_length = max_length
        self.unit = unit

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, raw_documents: Iterable[str], y: Any = None) -> Tokenizer:
        """Learn the vocabulary.

        Parameters
        ----------
        raw_documents : iterable of str, or of lists of str
            The texts, or their tokens. Those without any token add nothing.
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
        if self.unit is not None:
            warnings.warn(
                "unit is now called analyzer, which is 'word' or 'char'; unit will be removed in "
                "version 0.3.",
                FutureWarning,
                stacklevel=3,  # the caller of `fit`, which scikit-learn wraps
            )
        documents = check_documents(raw_documents)
        pattern = self._compile()
        counts: Counter[str] = Counter()
        if self.vocabulary is None:
            for document in documents:
                counts.update(self._split(document, pattern))
        self._learn(counts)
        return self

    def _learn(self, counts: Mapping[str, int]) -> None:
        """Learn the vocabulary from how often each token occurs."""
        if self.vocabulary is None:
            tokens = self._choose(counts)
        else:
            tokens = check_vocabulary(self.vocabulary)
            self._check_reachable(tokens)
        self._take(tokens)

    def _take(self, tokens: list[str]) -> None:
        """Take tokens, without the one for unknown, in the order of their ids."""
        self.vocabulary_ = {token: i for i, token in enumerate([UNKNOWN, *tokens])}
        self.n_tokens_ = len(self.vocabulary_)

    def _keep(self) -> None:
        """Have fits to other texts, in a pipeline say, keep the ids, which vectors belong to."""
        self.vocabulary = self.vocabulary_

    def transform(self, raw_documents: Iterable[str]) -> NDArray[np.object_]:
        """Turn texts into sequences of tokens.

        Parameters
        ----------
        raw_documents : iterable of str, or of lists of str
            The texts, or their tokens.

        Returns
        -------
        X : ndarray of shape (n_documents,), dtype object
            For each text an array :class:`Tokens` of int64 and shape (n_tokens_i,) with the ids of
            its tokens, 0 for those that are not in the vocabulary. It has at most `max_length`,
            and none for an empty text.

        Raises
        ------
        TypeError
            If a text is not a str.
        ValueError
            If there are no texts, or a str stands where several texts are expected.
        """
        check_is_fitted(self, "vocabulary_")
        documents = check_documents(raw_documents)
        pattern = self._compile()
        X = np.empty(len(documents), dtype=object)
        for i, document in enumerate(documents):
            tokens = self._split(document, pattern)[: self.max_length]
            ids = map(self.vocabulary_.get, tokens, repeat(0))
            known = np.fromiter(ids, dtype=np.int64, count=len(tokens))
            X[i] = Tokens(known, self.n_tokens_)
        return X

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, raw_documents: Iterable[str], y: Any = None) -> NDArray[np.object_]:
        """Learn the vocabulary and turn the texts into sequences of tokens.

        Parameters
        ----------
        raw_documents : iterable of str, or of lists of str
            The texts, or their tokens.
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
        documents = check_documents(raw_documents)  # a generator can be read only once
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
            all known and that were neither cut nor converted to lowercase (nor to another normal
            form). Words, and the characters that are tokens between them, are joined by single
            spaces, whatever separated them before; no space comes between two words of scripts
            without spaces. Unknown tokens become ``"<unknown>"``.

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
        join = "".join if self._analyzer() == "char" else join_words
        texts = [
            join(names[check_sequence(sequence, i, len(names))].tolist())
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

    def _analyzer(self) -> Any:
        """Return what a token is, by whichever name it was given."""
        if self.unit is None:
            return self.analyzer
        return "char" if self.unit == "character" else "word"

    def _compile(self) -> re.Pattern[str] | None:
        if self.token_pattern is None:
            return None
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

    def _prepare(self, text: str) -> str:
        """Return a text in the case and the normal form that tokens have."""
        text = text.lower() if self.lowercase else text
        return text if self.normalize is None else unicodedata.normalize(self.normalize, text)

    def _split(self, document: str | list[str], pattern: re.Pattern[str] | None) -> str | list[str]:
        """Return the tokens of a text; a text is the sequence of its characters itself."""
        if isinstance(document, list):
            return [self._prepare(token) for token in document if token]
        analyzer = self._analyzer()
        if callable(analyzer):
            return check_tokens(analyzer(document), analyzer)
        document = self._prepare(document)
        if analyzer == "char":
            return document
        if pattern is None:
            return find_words(document)
        # A pattern or a group that can be empty finds "" between the tokens.
        return list(filter(None, pattern.findall(document)))

    def _choose(self, counts: Mapping[str, int]) -> list[str]:
        """Return the tokens that are frequent enough, in the order of their ids."""
        # "<unknown>" has its id already
        found = {token: count for token, count in counts.items() if token != UNKNOWN}
        frequent = [token for token, count in found.items() if count >= self.min_count]
        if not found:
            raise ValueError("Empty vocabulary: no text of raw_documents has a token.")
        if not frequent:
            most = max(found, key=lambda token: found[token])
            raise ValueError(
                f"Empty vocabulary: no token occurs min_count={self.min_count} times or more; the "
                f"most frequent one, {most!r}, occurs {found[most]} times. Use a smaller min_count "
                "or more texts."
            )
        frequent.sort(key=lambda token: (-counts[token], token))
        return frequent[: self.max_features]

    def _check_reachable(self, tokens: list[str]) -> None:
        """Complain about given tokens that no text can have."""
        analyzer = self._analyzer()
        if callable(analyzer):
            return
        if analyzer == "char":
            for token in tokens:
                if len(token) != 1:
                    raise ValueError(
                        f"vocabulary has the token {token!r}; with analyzer='char', tokens are "
                        "single characters."
                    )
        if self.normalize is not None:
            for token in tokens:
                if token != unicodedata.normalize(self.normalize, token):
                    warnings.warn(
                        f"vocabulary has the token {token!r}, which no text has in the normal form "
                        f"{self.normalize!r}. Normalize the tokens, or set normalize=None.",
                        stacklevel=5,
                    )
                    break
        if self.lowercase and any(token != token.lower() for token in tokens):
            warnings.warn(
                "Upper case characters found in vocabulary while 'lowercase' is True. These "
                "entries will not be matched with any documents.",
                stacklevel=5,  # the caller of `fit`, which scikit-learn wraps
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags
