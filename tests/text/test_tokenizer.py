import inspect
import pickle
import re
import string
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils._param_validation import InvalidParameterError

from sknn.text import Tokenizer

UNKNOWN = "<unknown>"
TEXTS = ["The dog sat on the cat.", "the sat_, the\tsat,"]
# Counted by hand: "the" three times, "," and "sat" twice, the others once, each group in the order
# of code points: punctuation, upper case, lower case.
IDS = {"the": 1, ",": 2, "sat": 3, ".": 4, "The": 5, "cat": 6, "dog": 7, "on": 8, "sat_": 9}


def random_texts(n: int = 60, seed: int = 0) -> list[str]:
    """Return texts of letters, digits, punctuation, white space and further alphabets."""
    rng = np.random.default_rng(seed)
    alphabet = list("abcABC01_,.;!?'-\"()  \n\täßЖ猫🐈é")
    return ["x" + "".join(rng.choice(alphabet, rng.integers(1, 80))) for _ in range(n)]


def split_words(text: str) -> list[str]:
    """Return what the default pattern should find, character by character and without `re`."""
    tokens: list[str] = []
    inside = False
    for character in text:
        is_word = character.isalnum() or character == "_"
        if is_word and inside and character != "猫":  # which is of a script without spaces
            tokens[-1] += character
        elif not character.isspace():
            tokens.append(character)
        inside = is_word and character != "猫"
    return tokens


def lists(X: Any) -> list[list[int]]:
    return [sequence.tolist() for sequence in X]


# ------------------------------------------------------------------------------------ vocabulary


def test_the_most_frequent_words_have_the_smallest_ids() -> None:
    tokenizer = Tokenizer().fit(TEXTS)
    assert tokenizer.vocabulary_ == {UNKNOWN: 0, **IDS}
    assert list(tokenizer.vocabulary_) == [UNKNOWN, *IDS]
    assert tokenizer.n_tokens_ == 10
    names = tokenizer.get_feature_names_out()
    assert isinstance(names, np.ndarray) and names.dtype == object
    assert names.tolist() == [UNKNOWN, *IDS]
    assert_array_equal(tokenizer.get_feature_names_out(["ignored"]), names)


def test_words_become_their_ids() -> None:
    X = Tokenizer().fit(TEXTS).transform([*TEXTS, "a cat"])
    assert isinstance(X, np.ndarray) and X.dtype == object and X.shape == (3,)
    assert all(sequence.dtype == np.int64 and sequence.ndim == 1 for sequence in X)
    assert lists(X) == [[5, 7, 3, 8, 1, 6, 4], [1, 9, 2, 1, 3, 2], [0, 6]]


def test_characters_become_their_ids() -> None:
    tokenizer = Tokenizer(analyzer="char").fit(["abba", "b c"])
    assert tokenizer.vocabulary_ == {UNKNOWN: 0, "b": 1, "a": 2, " ": 3, "c": 4}
    assert lists(tokenizer.transform(["cab", "b b", "Ab"])) == [[4, 2, 1], [1, 3, 1], [0, 1]]


def test_texts_of_equal_length_are_still_sequences() -> None:
    X = Tokenizer(analyzer="char").fit_transform(["ab", "ba"])
    assert X.shape == (2,)
    assert lists(X) == [[1, 2], [2, 1]]


@pytest.mark.parametrize("unit", ["word", "char"])
@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("min_count", [1, 3])
@pytest.mark.parametrize("max_features", [None, 5])
def test_vocabulary_and_sequences_equal_those_of_plain_python(
    unit: Any, lowercase: bool, min_count: int, max_features: int | None
) -> None:
    texts = random_texts()
    tokenizer = Tokenizer(
        analyzer=unit, lowercase=lowercase, min_count=min_count, max_features=max_features
    ).fit(texts)
    split = split_words if unit == "word" else list
    documents = [split(text.lower() if lowercase else text) for text in texts]
    flat = [token for document in documents for token in document]
    kept = sorted(token for token in set(flat) if flat.count(token) >= min_count)
    kept = sorted(kept, key=flat.count, reverse=True)[:max_features]  # a stable sort keeps ties
    assert list(tokenizer.vocabulary_) == [UNKNOWN, *kept]
    expected = [[kept.index(t) + 1 if t in kept else 0 for t in each] for each in documents]
    assert lists(tokenizer.transform(texts)) == expected


@pytest.mark.parametrize(
    ("own", "theirs"),
    [
        (
            {"token_pattern": r"\w+|[^\w\s]"},
            {"analyzer": "word", "token_pattern": r"\w+|[^\w\s]"},
        ),
        ({"token_pattern": r"\b\w\w+\b"}, {"token_pattern": r"\b\w\w+\b"}),
        ({"token_pattern": r"(\w+)[.,]"}, {"token_pattern": r"(\w+)[.,]"}),
        (
            {"token_pattern": r"\w+|[^\w\s]", "lowercase": True},
            {"token_pattern": r"\w+|[^\w\s]", "lowercase": True},
        ),
        ({"analyzer": str.split}, {"analyzer": str.split}),
    ],
    ids=str,
)
def test_counts_of_words_equal_those_of_count_vectorizer(
    own: dict[str, Any], theirs: dict[str, Any]
) -> None:
    texts = [f"{text} word. last," for text in random_texts()]
    tokenizer = Tokenizer(**own)
    X = tokenizer.fit_transform(texts)
    vectorizer = CountVectorizer(**{"lowercase": False, **theirs})
    counts = vectorizer.fit_transform(texts).toarray()
    assert set(tokenizer.vocabulary_) == {UNKNOWN, *vectorizer.vocabulary_}
    columns = [vectorizer.vocabulary_[token] for token in tokenizer.get_feature_names_out()[1:]]
    ours = [np.bincount(sequence, minlength=tokenizer.n_tokens_)[1:] for sequence in X]
    assert_array_equal(ours, counts[:, columns])
    assert (np.diff(counts.sum(0)[columns]) <= 0).all()


def test_max_features_keeps_the_tokens_that_count_vectorizer_keeps() -> None:
    texts = ["a a a b b c c d", "e f a b"]
    own = Tokenizer(max_features=3).fit(texts).get_feature_names_out()
    theirs = CountVectorizer(token_pattern=r"\w+", max_features=3).fit(texts)
    assert own.tolist() == [UNKNOWN, "a", "b", "c"]
    assert set(own[1:]) == set(theirs.vocabulary_)


def test_ties_are_broken_by_the_alphabet_also_at_the_limit() -> None:
    tokenizer = Tokenizer(analyzer="char", max_features=2)
    assert list(tokenizer.fit(["zyxZ"]).vocabulary_) == [UNKNOWN, "Z", "x"]


def test_min_count_counts_occurrences_and_not_texts() -> None:
    tokenizer = Tokenizer(min_count=2)
    assert lists(tokenizer.fit_transform(["a a b", "c"])) == [[1, 1, 0], [0]]


def test_the_order_of_the_texts_does_not_matter() -> None:
    texts = random_texts()
    forward, backward = (Tokenizer().fit(each) for each in (texts, texts[::-1]))
    assert list(forward.vocabulary_.items()) == list(backward.vocabulary_.items())


def test_the_text_for_unknown_is_not_learnt_as_a_token() -> None:
    tokenizer = Tokenizer(token_pattern=r"\S+").fit([f"{UNKNOWN} {UNKNOWN} a"])
    assert tokenizer.vocabulary_ == {UNKNOWN: 0, "a": 1}
    assert lists(tokenizer.transform([f"a {UNKNOWN}"])) == [[1, 0]]


# -------------------------------------------------------------------------------------- patterns


def test_a_pattern_that_can_match_nothing_gives_no_empty_tokens() -> None:
    tokenizer = Tokenizer(token_pattern=r"\w*")
    assert lists(tokenizer.fit_transform(["a, b"])) == [[1, 2]]
    assert "" not in tokenizer.vocabulary_


def test_the_pattern_is_for_words_only() -> None:
    tokenizer = Tokenizer(analyzer="char", token_pattern="b")
    assert list(tokenizer.fit(["aab"]).vocabulary_) == [UNKNOWN, "a", "b"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("(", "is not a regular expression"), (r"(a)(b)", "has 2 groups")],
)
def test_wrong_patterns_are_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"token_pattern={pattern!r} {message}")):
        Tokenizer(token_pattern=pattern).fit(["ab"])


# ---------------------------------------------------------------------------- lowercase, cutting


def test_case_is_kept_unless_lowercase_is_set() -> None:
    texts = ["The THE the"]
    assert set(Tokenizer().fit(texts).vocabulary_) == {UNKNOWN, "The", "THE", "the"}
    tokenizer = Tokenizer(lowercase=True).fit(texts)
    assert tokenizer.vocabulary_ == {UNKNOWN: 0, "the": 1}
    assert lists(tokenizer.transform(["tHe X"])) == [[1, 0]]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("word", [[1, 2], [3]]),  # aa 2, b 2, c 1
        ("char", [[1, 1], [4]]),  # a 4, space 3, b 2, c 1
    ],
)
def test_max_length_keeps_the_first_tokens(unit: Any, expected: list[list[int]]) -> None:
    tokenizer = Tokenizer(analyzer=unit, max_length=2)
    assert lists(tokenizer.fit_transform(["aa b aa b", "c"])) == expected


def test_what_is_cut_counts_for_the_vocabulary() -> None:
    tokenizer = Tokenizer(max_length=1)
    assert lists(tokenizer.fit_transform(["a b b", "b"])) == [[2], [1]]


# ------------------------------------------------------------------------------ given vocabulary


@pytest.mark.parametrize(
    "vocabulary",
    [
        ["b", "a"],
        ("b", "a"),
        [UNKNOWN, "b", "a"],
        np.array(["b", "a"]),
        np.array(["b", "a"], dtype=object),
        {"a": 2, "b": 1},
        {"a": 2, UNKNOWN: 0, "b": 1},
    ],
    ids=repr,
)
@pytest.mark.parametrize("unit", ["word", "char"])
def test_given_tokens_have_the_ids_in_their_order(vocabulary: Any, unit: Any) -> None:
    tokenizer = Tokenizer(analyzer=unit, vocabulary=vocabulary, min_count=9, max_features=1)
    X = tokenizer.fit(["c"]).transform(["a"])
    assert list(tokenizer.vocabulary_.items()) == [(UNKNOWN, 0), ("b", 1), ("a", 2)]
    assert tokenizer.n_tokens_ == 3
    assert lists(X) == [[2]]
    assert lists(tokenizer.transform(["c"])) == [[0]]


def test_a_set_of_tokens_is_sorted() -> None:
    vocabulary = {*string.ascii_letters, "!", UNKNOWN}
    tokenizer = Tokenizer(vocabulary=vocabulary).fit(["a"])
    assert list(tokenizer.vocabulary_) == [UNKNOWN, "!", *sorted(string.ascii_letters)]


@pytest.mark.parametrize("attribute", ["vocabulary_", "names"])
def test_a_fitted_vocabulary_can_be_given_to_another_tokenizer(attribute: str) -> None:
    first = Tokenizer().fit(TEXTS)
    given = first.vocabulary_ if attribute == "vocabulary_" else first.get_feature_names_out()
    second = Tokenizer(vocabulary=given).fit(["other texts"])
    assert second.vocabulary_ == first.vocabulary_
    assert second.vocabulary_ is not first.vocabulary_


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        ([], "Empty vocabulary"),
        ({}, "Empty vocabulary"),
        ([UNKNOWN], "Empty vocabulary"),
        ({UNKNOWN: 0}, "Empty vocabulary"),
        (["a", "b", "a"], "the token 'a' more than once"),
        (["a", UNKNOWN], "behind other tokens"),
        ([UNKNOWN, "a", UNKNOWN], "behind other tokens"),
        ({"a": 0, "b": 1}, "from 1 on"),
        ({"a": 1, "b": 3}, "without gaps"),
        ({"a": 1, "b": 1}, "each once"),
        ({"a": 1, "b": "2"}, "each once"),
        ({"a": 1, UNKNOWN: 2}, "0 is the id of '<unknown>'"),
    ],
)
def test_wrong_vocabularies_are_refused(vocabulary: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Tokenizer(vocabulary=vocabulary).fit(["a"])


@pytest.mark.parametrize("vocabulary", [["a", 1], {1: 1}, {"a", None}, np.array([[1, 2]])])
def test_tokens_that_are_not_strings_are_refused(vocabulary: Any) -> None:
    with pytest.raises(TypeError, match="tokens must be str"):
        Tokenizer(vocabulary=vocabulary).fit(["a"])


def test_a_string_of_characters_is_no_vocabulary() -> None:
    with pytest.raises(InvalidParameterError, match="'vocabulary' parameter of Tokenizer"):
        Tokenizer(vocabulary="abc").fit(["a"])


def test_given_characters_are_single() -> None:
    with pytest.raises(ValueError, match="the token 'ab'; with analyzer=.char."):
        Tokenizer(analyzer="char", vocabulary=["a", "ab"]).fit(["a"])


def test_upper_case_that_no_text_can_have_is_warned_about() -> None:
    with pytest.warns(UserWarning, match="Upper case characters found") as record:
        Tokenizer(vocabulary=["a", "B"], lowercase=True).fit(["a"])
    assert record[0].filename == __file__


# ------------------------------------------------------------------------------------- and back


def test_texts_of_known_characters_come_back_exactly() -> None:
    texts = [*random_texts(), "\r\n\x00 \ud800\u200b"]
    tokenizer = Tokenizer(analyzer="char").fit(texts)
    back = tokenizer.inverse_transform(tokenizer.transform(texts))
    assert back.dtype == object and back.shape == (61,)
    assert back.tolist() == texts
    assert all(type(text) is str for text in back)


def test_words_come_back_with_single_spaces_between_them() -> None:
    tokenizer = Tokenizer().fit(TEXTS)
    back = tokenizer.inverse_transform(tokenizer.transform(TEXTS))
    assert back.tolist() == ["The dog sat on the cat .", "the sat_ , the sat ,"]
    texts = random_texts()
    tokenizer.fit(texts)
    X = tokenizer.transform(texts)
    joined = [" ".join(split_words(text)) for text in texts]
    expected = [re.sub("(?<=猫) (?=猫)", "", text) for text in joined]
    assert tokenizer.inverse_transform(X).tolist() == expected
    # What came back has the same tokens.
    assert lists(tokenizer.transform(tokenizer.inverse_transform(X))) == lists(X)


def test_unknown_tokens_come_back_as_such() -> None:
    words = Tokenizer(vocabulary=["a"]).fit(["a"])
    assert words.inverse_transform(words.transform(["b a c"])).tolist() == ["<unknown> a <unknown>"]
    characters = Tokenizer(analyzer="char", vocabulary=["a"]).fit(["a"])
    assert characters.inverse_transform([[1, 0]]).tolist() == ["a<unknown>"]


@pytest.mark.parametrize(
    "X",
    [
        [[1, 2], [2, 1]],
        np.array([[1, 2], [2, 1]]),
        np.array([[1, 2], [2, 1]], dtype=np.uint8),
        ([1, 2], np.array([2, 1], dtype=np.int32)),
        (each for each in [[1, 2], [2, 1]]),
    ],
    ids=["lists", "matrix", "bytes", "tuple", "generator"],
)
def test_sequences_come_in_many_forms(X: Any) -> None:
    tokenizer = Tokenizer(analyzer="char", vocabulary=["a", "b"]).fit(["a"])
    assert tokenizer.inverse_transform(X).tolist() == ["ab", "ba"]


def test_empty_sequences_are_empty_texts() -> None:
    tokenizer = Tokenizer().fit(["a"])
    assert tokenizer.inverse_transform([[], [1], np.empty(0, int)]).tolist() == ["", "a", ""]
    assert tokenizer.inverse_transform([]).shape == (0,)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([[1], [0, 3]], ValueError, r"X\[1\] has the id 3; there are 3, from 0 on"),
        ([[-1, 1]], ValueError, r"X\[0\] has the id -1"),
        ([np.array([2**63], dtype=np.uint64)], ValueError, "has the id 9223372036854775808"),
        ([1, 2], ValueError, r"X\[0\] has shape \(\)"),
        (np.ones((1, 2, 3), int), ValueError, r"X\[0\] has shape \(2, 3\)"),
        ("ab", ValueError, r"X\[0\] has shape \(\)"),
        (None, ValueError, "must be a sequence of sequences"),
        (3, ValueError, "must be a sequence of sequences"),
        ([[1.0, 2.0]], TypeError, r"X\[0\] is of dtype float64"),
        ([[1], ["a"]], TypeError, r"X\[1\] is of dtype <U1"),
        ([[True]], TypeError, "dtype bool"),
    ],
)
def test_wrong_sequences_are_refused(X: Any, error: type[Exception], message: str) -> None:
    tokenizer = Tokenizer().fit(["a b"])
    with pytest.raises(error, match=message):
        tokenizer.inverse_transform(X)


# ----------------------------------------------------------------------------------- wrong texts


@pytest.mark.parametrize("method", ["fit", "transform", "fit_transform"])
@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        (
            "a text",
            ValueError,
            "^Iterable over raw text documents expected, string object received.$",
        ),
        (b"bytes", ValueError, "raw text documents expected, bytes object received"),
        (None, ValueError, "raw text documents expected, NoneType object received"),
        (1.5, ValueError, "raw text documents expected, float object received"),
        ([], ValueError, "raw_documents is empty"),
        (np.array("text"), ValueError, r"raw_documents has shape \(\)"),
        (np.array([["a"], ["b"]]), ValueError, r"raw_documents has shape \(2, 1\)"),
        (["a", b"b"], TypeError, r"raw_documents\[1\] is of type bytes"),
        (["a", "b", None], TypeError, r"raw_documents\[2\] is of type NoneType"),
        (["a", float("nan")], TypeError, r"raw_documents\[1\] is of type float"),
        ([3], TypeError, r"raw_documents\[0\] is of type int"),
        ([["a", 3]], TypeError, r"raw_documents\[0\] has the token 3 of type int"),
        (np.arange(3), TypeError, r"raw_documents\[0\] is of type int64"),
    ],
    ids=repr,
)
def test_wrong_texts_are_refused(
    method: str, texts: Any, error: type[Exception], message: str
) -> None:
    tokenizer = Tokenizer().fit(["a"])
    with pytest.raises(error, match=message):
        getattr(tokenizer, method)(texts)
    assert tokenizer.vocabulary_ == {UNKNOWN: 0, "a": 1}


def test_the_message_for_a_single_string_is_that_of_scikit_learn() -> None:
    messages = []
    for transformer in (Tokenizer(), CountVectorizer()):
        with pytest.raises(ValueError) as error:
            transformer.fit("a text")
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_frames_are_refused_and_their_columns_are_texts() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": ["x y", "y"]}, index=[7, 3])
    with pytest.raises(ValueError, match=r"shape \(2, 1\)"):
        Tokenizer().fit(frame)
    assert lists(Tokenizer().fit_transform(frame["a"])) == [[2, 1], [1]]
    frame.loc[3, "a"] = None
    with pytest.raises(TypeError, match=r"raw_documents\[1\] is of type"):
        Tokenizer().fit(frame["a"])


@pytest.mark.parametrize(
    "make",
    [tuple, np.array, lambda texts: np.array(texts, dtype=object), iter],
    ids=["tuple", "array", "objects", "generator"],
)
def test_texts_come_in_many_forms(make: Any) -> None:
    expected = lists(Tokenizer().fit(TEXTS).transform(TEXTS))
    tokenizer = Tokenizer()
    assert lists(tokenizer.fit_transform(make(TEXTS))) == expected
    assert all(type(token) is str for token in tokenizer.vocabulary_)
    assert lists(tokenizer.fit(make(TEXTS)).transform(make(TEXTS))) == expected


@pytest.mark.parametrize(("unit", "empty"), [("word", " \n"), ("word", ""), ("char", "")])
def test_a_text_without_tokens_is_an_empty_sequence(unit: Any, empty: str) -> None:
    tokenizer = Tokenizer(analyzer=unit).fit(["a", empty])
    X = tokenizer.transform(["a", empty])
    assert lists(X) == [[1], []]
    assert X[1].dtype == np.int64
    assert tokenizer.inverse_transform(X).tolist() == ["a", ""]
    with pytest.raises(ValueError, match="Empty vocabulary: no text of raw_documents has a token"):
        tokenizer.fit([empty, empty])


def test_a_vocabulary_without_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="no token occurs min_count=3 times or more"):
        Tokenizer(min_count=3).fit(["a b", "b"])


@pytest.mark.parametrize(
    ("parameters", "method", "texts"),
    [
        ({}, "fit", ["a", None]),
        ({}, "fit", "a"),
        ({"min_count": 9}, "fit", ["a b"]),
        ({"min_count": 0}, "fit", ["a b"]),
        ({"token_pattern": "("}, "fit", ["a b"]),
        ({"vocabulary": ["a", "a"]}, "fit", ["a b"]),
        ({"vocabulary": ["a", 1]}, "fit", ["a b"]),
        ({"analyzer": "char", "vocabulary": ["ab"]}, "fit", ["a b"]),
        ({"analyzer": len}, "fit", ["a b"]),
        ({}, "transform", ["a", None]),
        ({}, "fit_transform", ["a new text", None]),
    ],
)
def test_a_refused_call_changes_nothing(
    parameters: dict[str, Any], method: str, texts: Any
) -> None:
    for tokenizer in (Tokenizer(), Tokenizer().fit(TEXTS)):
        tokenizer.set_params(**parameters)
        before = dict(vars(tokenizer))
        with pytest.raises((TypeError, ValueError)):
            getattr(tokenizer, method)(texts)
        assert list(vars(tokenizer)) == list(before)
        assert all(vars(tokenizer)[name] is value for name, value in before.items())


@pytest.mark.parametrize("method", ["transform", "inverse_transform", "get_feature_names_out"])
@pytest.mark.parametrize("parameters", [{}, {"vocabulary": ["a"]}], ids=str)
def test_an_unfitted_tokenizer_says_so(method: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(Tokenizer(**parameters), method)(["a"])


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("unit", "char"),
        ("analyzer", "character"),
        ("analyzer", None),
        ("normalize", "nfc"),
        ("token_pattern", 3),
        ("lowercase", "yes"),
        ("min_count", 0),
        ("min_count", 0.5),
        ("max_features", 0),
        ("max_features", 2.0),
        ("vocabulary", 3),
        ("max_length", 0),
        ("max_length", -1),
    ],
)
def test_wrong_parameters_are_refused(parameter: str, value: Any) -> None:
    with pytest.raises(InvalidParameterError, match=f"'{parameter}' parameter of Tokenizer"):
        Tokenizer(**{parameter: value}).fit(["a"])


# ------------------------------------------------- normal forms, callables, texts that are split


def test_accents_are_one_character_however_they_are_stored() -> None:
    composed, decomposed = (unicodedata.normalize(form, "tiếng Việt") for form in ("NFC", "NFD"))
    assert composed != decomposed
    for analyzer in ("word", "char"):
        tokenizer = Tokenizer(analyzer=analyzer).fit([composed])
        X = tokenizer.transform([composed, decomposed])
        assert_array_equal(*X)
        assert tokenizer.inverse_transform(X).tolist() == [composed] * 2
    as_they_are = Tokenizer(normalize=None).fit([composed])
    assert lists(as_they_are.transform([decomposed])) == [[0, 0]]
    assert lists(Tokenizer(normalize="NFKC").fit_transform(["ﬁne fine"])) == [[1, 1]]


def test_given_tokens_in_another_normal_form_are_warned_about() -> None:
    token = unicodedata.normalize("NFD", "é")
    with pytest.warns(UserWarning, match="no text has in the normal form 'NFC'"):
        Tokenizer(vocabulary=[token]).fit(["a"])


def test_a_callable_gets_the_text_as_it_is() -> None:
    def pairs(text: str) -> list[str]:
        return [text[i : i + 2] for i in range(len(text) - 1)]

    tokenizer = Tokenizer(analyzer=pairs, lowercase=True)
    assert lists(tokenizer.fit_transform(["AbAb", "bA", ""])) == [[1, 2, 1], [2], []]
    assert list(tokenizer.vocabulary_) == [UNKNOWN, "Ab", "bA"]
    for returned, message in (("ab", "returned 'ab'"), ([1], "has the token 1 of type int")):
        with pytest.raises(TypeError, match=message):
            Tokenizer(analyzer=lambda _, returned=returned: returned).fit(["a"])


@pytest.mark.parametrize("make", [list, tuple, np.array], ids=["list", "tuple", "array"])
def test_lists_of_tokens_are_not_split_again(make: Any) -> None:
    texts = [make(["New York", "is"]), make(["big", "New York"]), "is big"]
    tokenizer = Tokenizer(lowercase=True)
    assert lists(tokenizer.fit_transform(texts)) == [[3, 2], [1, 3], [2, 1]]
    assert list(tokenizer.vocabulary_) == [UNKNOWN, "big", "is", "new york"]


@pytest.mark.parametrize(("unit", "analyzer"), [("word", "word"), ("character", "char")])
def test_the_former_name_of_analyzer_warns(unit: Any, analyzer: Any) -> None:
    former, tokenizer = Tokenizer(unit=unit), Tokenizer(analyzer=analyzer)
    with pytest.warns(FutureWarning, match="unit is now called analyzer"):
        former.fit(TEXTS)
    X = former.transform(TEXTS)
    assert lists(X) == lists(tokenizer.fit_transform(TEXTS))
    assert_array_equal(former.inverse_transform(X), tokenizer.inverse_transform(X))


def test_a_tokenizer_that_an_earlier_version_has_stored_splits_as_it_did() -> None:
    tokenizer = Tokenizer(token_pattern=r"\w+|[^\w\s]").fit(["caf\u00e9 猫猫"])
    for name in ("analyzer", "normalize"):
        del vars(tokenizer)[name]
    tokenizer.unit = "word"
    stored = pickle.loads(pickle.dumps(tokenizer))
    assert lists(stored.transform(["cafe\u0301 猫猫"])) == [[0, 0, 2]]
    assert clone(stored).get_params() == stored.get_params()


# -------------------------------------------------------------------------- scikit-learn contract


@pytest.mark.filterwarnings("ignore:Can't test estimator::sklearn")
def test_estimator_checks_of_scikit_learn() -> None:
    """Those for texts: scikit-learn has as many for its own vectorizers."""
    results = [
        [(result["check_name"], result["status"]) for result in estimator_checks.check_estimator(e)]
        for e in (Tokenizer(), CountVectorizer())
    ]
    assert results[0] == results[1] == [("check_estimator_cloneable", "passed")]


@pytest.mark.parametrize(
    "check",
    [
        "do_not_raise_errors_in_init_or_set_params",
        "estimator_repr",
        "estimator_tags_renamed",
        "get_params_invariance",
        "mixin_order",
        "no_attributes_set_in_init",
        "param_validation",
        "parameters_default_constructible",
        "set_params",
        "valid_tag_types",
    ],
)
def test_further_checks_of_scikit_learn(check: str) -> None:
    """Those that need no table of numbers."""
    getattr(estimator_checks, f"check_{check}")("Tokenizer", Tokenizer())


def test_tags_are_those_of_count_vectorizer() -> None:
    tags = get_tags(Tokenizer())
    assert tags.input_tags == get_tags(CountVectorizer()).input_tags
    assert tags.input_tags.string and not tags.input_tags.two_d_array
    assert tags.transformer_tags is not None and tags.requires_fit


def test_there_is_no_set_output() -> None:
    assert not hasattr(Tokenizer(), "set_output")
    assert not hasattr(HashingVectorizer(), "set_output")
    pytest.importorskip("pandas")
    with config_context(transform_output="pandas"):
        assert isinstance(Tokenizer().fit_transform(TEXTS), np.ndarray)


def test_texts_are_no_metadata() -> None:
    with config_context(enable_metadata_routing=True):
        tokenizer = Tokenizer()
        assert not hasattr(tokenizer, "set_fit_request")
        assert not hasattr(tokenizer, "set_transform_request")
        assert lists(tokenizer.fit_transform(["b a b"])) == [[1, 2, 1]]


@pytest.mark.parametrize("round_trip", ["pickle", "joblib"])
def test_a_stored_tokenizer_does_the_same(round_trip: str, tmp_path: Any) -> None:
    tokenizer = Tokenizer(analyzer="char", max_length=5).fit(TEXTS)
    if round_trip == "pickle":
        loaded = pickle.loads(pickle.dumps(tokenizer))
    else:
        joblib.dump(tokenizer, tmp_path / "tokenizer.joblib")
        loaded = joblib.load(tmp_path / "tokenizer.joblib")
    assert list(loaded.vocabulary_.items()) == list(tokenizer.vocabulary_.items())
    assert lists(loaded.transform(TEXTS)) == lists(tokenizer.transform(TEXTS))
    assert loaded.get_params() == tokenizer.get_params()


def test_a_clone_is_unfitted_and_has_the_parameters() -> None:
    tokenizer = Tokenizer(analyzer="char", min_count=2, vocabulary={"a": 1}).fit(["a"])
    cloned = clone(tokenizer)
    assert cloned.get_params() == tokenizer.get_params()
    assert not hasattr(cloned, "vocabulary_")


def test_pipeline_and_search() -> None:
    """Texts with many a against texts with many b, by the mean id of their tokens."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    texts = ["".join(rng.choice(["a", "b"], 30, p=[0.2 + 0.6 * k, 0.8 - 0.6 * k])) for k in y]
    mean = FunctionTransformer(lambda X: np.array([[sequence.mean()] for sequence in X]))
    pipeline = make_pipeline(Tokenizer(), mean, LogisticRegression())
    train, test, y_train, y_test = train_test_split(texts, y, random_state=0)
    search = GridSearchCV(
        pipeline, {"tokenizer__analyzer": ["word", "char"], "tokenizer__max_length": [None, 20]}
    ).fit(train, y_train)
    assert search.best_params_["tokenizer__analyzer"] == "char"
    assert search.score(test, y_test) > 0.9
    names = search.best_estimator_[0].get_feature_names_out()
    assert set(names) == {UNKNOWN, "a", "b"}


def test_all_parameters_are_keywords_and_documented_in_order() -> None:
    parameters = inspect.signature(Tokenizer).parameters
    assert all(each.kind is inspect.Parameter.KEYWORD_ONLY for each in parameters.values())
    section = (inspect.getdoc(Tokenizer) or "").partition("Attributes\n")[0]
    documented = re.findall(r"^(\w+) : .*default=(.*)$", section, flags=re.MULTILINE)
    expected = [(name, str(each.default)) for name, each in parameters.items()]
    # reStructuredText has two backslashes for one.
    texts = [text.removeprefix("r").strip('"').replace(r"\\", "\\") for _, text in documented]
    assert list(zip((name for name, _ in documented), texts, strict=True)) == expected


def test_the_module_imports_neither_torch_nor_skorch() -> None:
    """Itself: the package around it does."""
    code = (
        "import sys, importlib.machinery, types\n"
        "package = types.ModuleType('sknn')\n"
        f"package.__path__ = [{str(inspect.getfile(Tokenizer)).rpartition('/text/')[0]!r}]\n"
        "sys.modules['sknn'] = package\n"
        "import sknn.text\n"
        "print(sorted({'torch', 'skorch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.serial
def test_a_long_text_is_quick() -> None:
    """A fifth of a second where it was written; the bound is for what grows faster than texts."""
    rng = np.random.default_rng(0)
    text = "".join(rng.choice(list(string.printable), 1_000_000))
    start = time.perf_counter()
    tokenizer = Tokenizer(analyzer="char")
    X = tokenizer.fit_transform([text])
    seconds = time.perf_counter() - start
    assert Counter(X[0].tolist())[1] == max(Counter(text).values())
    assert tokenizer.inverse_transform(X)[0] == text
    assert seconds < 5
