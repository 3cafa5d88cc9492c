"""Word vectors: what is learned, what they answer, and how fits end."""

import os
import pickle
import signal
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks as checks

import sknn
from sknn.text import Tokenizer, WordEmbedding
from sknn.text import _word_embedding as module
from sknn.text._word_loops import SamplingLoop

METHODS = ["skipgram", "cbow", "glove"]
needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="of compiled loops")


def topics(n: int = 300, seed: int = 0) -> list[list[str]]:
    """Return texts, each with words of one of two topics and words that all have."""
    rng = np.random.default_rng(seed)
    themes = [["cat", "dog", "cow", "pig", "hen"], ["car", "bus", "van", "tram", "bike"]]
    common = ["the", "a", "of"]
    return [list(rng.choice(themes[i % 2] + common, size=12)) for i in range(n)]


def make(method: str = "skipgram", **arguments: Any) -> WordEmbedding:
    arguments = {
        "vector_size": 8, "min_count": 1, "subsample": 0, "max_iter": 10, "random_state": 0,
        "learning_rate_init": 0.05,
    } | arguments  # fmt: skip
    return WordEmbedding(method, **arguments)


@pytest.fixture(scope="module")
def words() -> WordEmbedding:
    return make().fit(topics())


def without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_available", lambda: False)


# ------------------------------------------------------------------------------------- learning


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("is_compiled", [True, False])
def test_words_of_a_topic_become_neighbours(
    method: str, is_compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_compiled:
        without_numba(monkeypatch)
    words = make(method, learning_rate_init=0.1, max_iter=20).fit(topics())
    assert {word for word, _ in words.most_similar("cat", 4)} == {"dog", "cow", "pig", "hen"}
    assert {word for word, _ in words.most_similar("bus", 4)} == {"car", "van", "tram", "bike"}
    assert words.n_iter_ == 20
    assert words.vectors_.dtype == np.float32
    assert_array_equal(words.vectors_[0], 0)


def test_ids_are_the_tokenizers(words: WordEmbedding) -> None:
    texts = topics()
    tokenizer = Tokenizer(lowercase=True).fit(texts)
    assert words.vocabulary_ == tokenizer.vocabulary_ == words.tokenizer_.vocabulary_
    counted = {word: sum(text.count(word) for text in texts) for word in words.vocabulary_}
    assert_array_equal(words.counts_, list(counted.values()))


def test_texts_and_lists_of_their_words_are_the_same() -> None:
    texts = [" ".join(words) for words in topics(20)]
    by_text, by_list = make().fit(texts), make().fit(iter(topics(20)))
    assert_array_equal(by_text.vectors_, by_list.vectors_)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_of_texts_and_of_lists_of_words(library: str) -> None:
    series = pytest.importorskip(library).Series
    expected = make().fit(topics(20)).vectors_
    for column in (topics(20), [" ".join(words) for words in topics(20)]):
        assert_array_equal(make().fit(series(column)).vectors_, expected)
    apart = [series(words) for words in topics(20)]
    assert_array_equal(make().fit(apart).vectors_, expected)


def test_what_is_no_column_of_texts() -> None:
    with pytest.raises(ValueError, match="raw text documents expected, dict object received"):
        make().fit({"a text": "b"})
    with pytest.raises(TypeError, match=r"raw_documents\[1\] is of type set"):
        make().fit([["a"], {"a"}])
    with pytest.raises(TypeError, match=r"raw_documents\[0\] is of type bytes"):
        make().fit([b"a"])


def test_min_count_is_that_of_the_vectors() -> None:
    tokenizer = Tokenizer(analyzer="char", min_count=1)
    words = make(min_count=3, tokenizer=tokenizer).fit(["aaab", "bbcc"])
    assert list(words.vocabulary_) == ["<unknown>", "a", "b"]
    assert tokenizer.min_count == 1 and not hasattr(tokenizer, "vocabulary_")
    with pytest.raises(ValueError, match="min_count=5 times or more; .* one, 'a', occurs 2 times"):
        make(min_count=5).fit(["a b", "a"])


@pytest.mark.parametrize("method", METHODS)
def test_one_thread_is_reproducible_and_two_learn_as_well(method: str) -> None:
    one, again = (make(method).fit(topics(60)) for _ in range(2))
    assert_array_equal(one.vectors_, again.vectors_)
    other = make(method, random_state=1).fit(topics(60))
    assert np.abs(one.vectors_ - other.vectors_).max() > 1e-3
    two = make(method, n_jobs=2, learning_rate_init=0.1, max_iter=20).fit(topics())
    assert {word for word, _ in two.most_similar("cat", 4)} == {"dog", "cow", "pig", "hen"}


@pytest.mark.parametrize("method", ["skipgram", "cbow"])
def test_partial_fit_goes_on_with_the_same_words(method: str) -> None:
    words = make(method).partial_fit(topics(60))
    first, counts = words.vectors_.copy(), words.counts_.copy()
    words.partial_fit([["cat", "dog", "zebra"]])
    assert "zebra" not in words.vocabulary_
    assert words.counts_.sum() == counts.sum() + 2
    assert np.abs(words.vectors_ - first).max() > 0
    assert words.n_iter_ == 2
    words.set_params(vector_size=9)
    with pytest.raises(ValueError, match="vector_size=9, but the vectors have 8 dimensions"):
        words.partial_fit(topics(6))


def test_glove_has_no_partial_fit() -> None:
    assert not hasattr(make("glove"), "partial_fit")
    assert hasattr(make("cbow"), "partial_fit")
    with pytest.raises(AttributeError, match="needs the counts of all"):
        make("glove").partial_fit(topics(6))


def test_partial_fit_does_not_go_on_from_glove() -> None:
    words = make("glove").fit(topics(6))
    first = words.vectors_.copy()
    with pytest.raises(ValueError, match="cannot go on from vectors of method='glove'"):
        words.set_params(method="cbow").partial_fit(topics(6))
    assert_array_equal(words.vectors_, first)


def test_partial_fit_of_unknown_words_says_that_it_learned_nothing() -> None:
    words = make().fit(topics(6))
    first = words.vectors_.copy()
    with pytest.warns(UserWarning, match="Nothing was learned"):
        words.partial_fit([["zebra", "gnu"]])
    assert_array_equal(words.vectors_, first)


@pytest.mark.parametrize("method", METHODS)
def test_texts_of_one_word_teach_nothing(method: str) -> None:
    with pytest.warns(UserWarning, match="Nothing was learned") as caught:
        words = make(method).fit([["a"], ["b"], []])
    assert caught[0].filename == __file__
    assert words.loss_curve_ == [0.0] * 10


def test_progress_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    make(max_iter=2, verbose=True).fit(topics(6))
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["Iteration 1/2", "Iteration 2/2"]
    make(max_iter=2, verbose="bar").fit(topics(6))
    assert "2/2 epochs" in capsys.readouterr().err


@pytest.mark.parametrize("method", METHODS)
def test_a_rate_that_is_too_large_is_named(method: str) -> None:
    words = make(method, learning_rate_init=1e38)
    with pytest.raises(ValueError, match="no longer finite; use a smaller learning_rate_init"):
        words.fit(topics(60))
    assert not hasattr(words, "vectors_")


# ------------------------------------------------------------------------ interrupts, checkpoints


class Interrupt:
    """Stands for Ctrl-C after so many parts of the corpus."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
        self.n_left, self.learn = after, SamplingLoop.learn
        monkeypatch.setattr(SamplingLoop, "learn", lambda *each: self(*each))
        monkeypatch.setattr("sknn.text._word_loops.PART", 100)

    def __call__(self, *arguments: Any) -> None:
        if self.n_left == 0:
            raise KeyboardInterrupt
        self.n_left -= 1
        self.learn(*arguments)


@needs_numba
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_interrupt_leaves_what_has_been_learned(
    n_jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    Interrupt(monkeypatch, 12)
    words = make(n_jobs=n_jobs)
    with pytest.raises(KeyboardInterrupt):
        words.fit(topics(60))
    assert words.n_iter_ == 1
    assert words.transform([["cat"]]).shape == (1, 8)


@needs_numba
@pytest.mark.serial
@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c(n_jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    words, learn = make(max_iter=100_000, n_jobs=n_jobs), SamplingLoop.learn
    timers: list[threading.Timer] = []

    def begin(*arguments: Any) -> None:
        learn(*arguments)
        if not timers:  # compiled by now
            timers.append(threading.Timer(0.5, signal.raise_signal, [signal.SIGINT]))
            timers[0].start()

    monkeypatch.setattr(SamplingLoop, "learn", begin)
    with pytest.raises(KeyboardInterrupt):
        words.fit(topics())
    assert 0 <= words.n_iter_ < 100_000
    for thread in threading.enumerate():  # the interrupt may have come while they were waited for
        if thread.name.startswith("sknn-fits"):
            thread.join(10)
            assert not thread.is_alive()
    assert words.transform([["cat"]]).shape == (1, 8)


@needs_numba
@pytest.mark.parametrize("method", ["skipgram", "cbow"])
def test_an_interrupted_fit_goes_on(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sknn.text._word_loops.PART", 100)
    whole = make(method).fit(topics(60))
    arguments = {"checkpoint": tmp_path, "checkpoint_minutes": 1e-9}
    interrupt = Interrupt(monkeypatch, 12)
    with pytest.raises(KeyboardInterrupt):
        make(method, **arguments).fit(topics(60))
    assert sknn.load(tmp_path / "checkpoint.sknn").n_iter_ == 1
    interrupt.n_left = 1000
    resumed = make(method, **arguments).fit(topics(60))
    assert 0 < 1000 - interrupt.n_left < 75
    assert_array_equal(resumed.vectors_, whole.vectors_)
    assert resumed.loss_curve_ == whole.loss_curve_
    interrupt.n_left = 0  # one that is over is found so
    over = make(method, **arguments).fit(topics(60))
    assert_array_equal(over.vectors_, whole.vectors_)
    with pytest.raises(ValueError, match="other data"):
        make(method, **arguments).fit(topics(61))
    with pytest.raises(ValueError, match="window=5 there and 3 here"):
        make(method, window=3, **arguments).fit(topics(60))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("is_compiled", [True, False])
def test_epochs_go_on(
    method: str, is_compiled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_compiled:
        without_numba(monkeypatch)
    whole = make(method, max_iter=4).fit(topics(60))

    def end_after_two(training: Any, checkpoint: Any = module.Checkpoint.after_epoch) -> None:
        checkpoint(training.checkpoint, training)
        if training.n_epochs_run == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module.Checkpoint, "after_epoch", lambda _, training: end_after_two(training))
        with pytest.raises(KeyboardInterrupt):
            make(method, max_iter=4, checkpoint=tmp_path).fit(topics(60))
    resumed = make(method, max_iter=4, checkpoint=tmp_path).fit(topics(60))
    assert_array_equal(resumed.vectors_, whole.vectors_)
    assert [epoch["epoch"] for epoch in resumed.history_] == [1, 2, 3, 4]


# ------------------------------------------------------------------------------------- answers


def test_texts_become_means(words: WordEmbedding) -> None:
    ids, vectors = words.vocabulary_, words.vectors_.astype(np.float64)
    X = words.transform(["the cat", "The bus of zebras and cats", ["dog", "dog", "bus"]])
    expected = [
        vectors[[ids["the"], ids["cat"]]].mean(0),
        vectors[[ids["the"], ids["bus"], ids["of"]]].mean(0),
        vectors[[ids["dog"], ids["dog"], ids["bus"]]].mean(0),
    ]
    assert X.dtype == np.float32
    assert_allclose(X, expected, atol=1e-6)


def test_texts_without_known_words_are_zeros_with_one_warning(words: WordEmbedding) -> None:
    with pytest.warns(UserWarning, match="2 of 3 texts have no word") as caught:
        X = words.transform(["zebra", "cat", ""])
    assert len(caught) == 1 and caught[0].filename == __file__
    assert_array_equal(X[[0, 2]], 0)
    assert np.abs(X[1]).max() > 0


def test_neighbours_are_those_of_the_cosines(words: WordEmbedding) -> None:
    vectors = words.vectors_[1:].astype(np.float64)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    names, place = list(words.vocabulary_)[1:], words.vocabulary_["cat"] - 1
    cosines = unit @ unit[place]
    order = [i for i in np.argsort(-cosines) if i != place]
    found = words.most_similar("Cat", n=100)
    assert [word for word, _ in found] == [names[i] for i in order]
    assert_allclose([cosine for _, cosine in found], cosines[order], atol=1e-6)
    assert words.most_similar(words.vectors_[place + 1].tolist(), 1)[0][0] == "cat"
    dog = names.index("dog")
    assert words.similarity("cat", "dog") == pytest.approx(cosines[dog], abs=1e-6)


def test_cosines_of_vectors_of_any_length(words: WordEmbedding) -> None:
    vector = words.vector("cat").astype(np.float64)
    for size in (1e-300, 1.0, 1e300):
        (best, cosine), *_ = words.most_similar(size * vector)
        assert best == "cat" and cosine == pytest.approx(1, abs=1e-6) and cosine <= 1


def test_an_analogy_is_a_sum_of_unit_vectors() -> None:
    words = make()._of(
        ["man", "king", "woman", "queen", "car"],
        np.array([[2, 0, 0], [2, 2, 0], [0, 0, 1], [0, 3, 3], [-1, 0, 0]], np.float32),
        None,
    )
    (best, cosine), *_ = words.analogy("man", "king", "woman", n=2)
    assert best == "queen"
    wanted = np.array([1, 1, 0]) / np.sqrt(2) - [1, 0, 0] + [0, 0, 1]
    expected = wanted @ [0, 1, 1] / np.sqrt(2) / np.linalg.norm(wanted)
    assert cosine == pytest.approx(expected, abs=1e-6)
    assert {word for word, _ in words.analogy("man", "king", "woman")} == {"queen", "car"}


def test_bad_questions(words: WordEmbedding) -> None:
    with pytest.raises(ValueError, match="no word 'zebra'"):
        words.most_similar("zebra")
    with pytest.raises(ValueError, match="no word '<unknown>'"):
        words.similarity("cat", "<unknown>")
    with pytest.raises(TypeError, match="got 3 of type int"):
        words.similarity("cat", 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a vector of 8 numbers; got an array of shape \\(7,\\)"):
        words.most_similar(np.ones(7))
    with pytest.raises(ValueError, match="not finite"):
        words.most_similar(np.full(8, np.nan))
    with pytest.raises(ValueError, match="'n' parameter of WordEmbedding.most_similar must"):
        words.most_similar("cat", n=0)
    with pytest.raises(ValueError, match="string object received"):
        words.transform("cat")


# ---------------------------------------------------------------------------------- as estimator


def test_copies_and_files(words: WordEmbedding, tmp_path: Path) -> None:
    sknn.save(words, tmp_path / "words.sknn")
    assert sknn.file_info(tmp_path / "words.sknn").untrusted == []
    for copied in (sknn.load(tmp_path / "words.sknn"), pickle.loads(pickle.dumps(words))):
        assert_array_equal(copied.vectors_, words.vectors_)
        assert copied.most_similar("cat") == words.most_similar("cat")
        assert copied.loss_curve_ == words.loss_curve_
        one, other = (clone(words).fit(topics()).partial_fit(topics(6)) for _ in range(2))
        assert_array_equal(one.vectors_, other.vectors_)
    assert clone(words).get_params() == words.get_params()


def test_before_a_classifier() -> None:
    texts, labels = topics(), np.arange(300) % 2
    model = make_pipeline(make(), LogisticRegression())
    assert model.fit(texts[:200], labels[:200]).score(texts[200:], labels[200:]) > 0.95
    assert list(model[:-1].get_feature_names_out()) == [f"wordembedding{i}" for i in range(8)]


def test_output_as_a_table(words: WordEmbedding) -> None:
    pytest.importorskip("pandas")
    table = clone(words).set_output(transform="pandas").fit_transform(topics(20))
    assert list(table.columns) == [f"wordembedding{i}" for i in range(8)]
    assert table.shape == (20, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vector_size": 0}, "'vector_size' parameter"),
        ({"method": "fasttext"}, "'method' parameter"),
        ({"window": 0}, "'window' parameter"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"device": "meta"}, "device='meta'"),
        ({"checkpoint": ""}, "checkpoint is an empty string"),
    ],
)
def test_bad_parameters(arguments: dict[str, Any], message: str) -> None:
    words = make().set_params(**arguments)
    with pytest.raises(ValueError, match=message):
        words.fit(topics(6))
    assert not hasattr(words, "vectors_")


def test_generators_are_drawn_from_by_fits_that_are_not_refused() -> None:
    random = np.random.RandomState(0)
    make(random_state=random).fit(topics(6))
    after = random.get_state()[2]
    refused = make(random_state=random, device="meta")
    with pytest.raises(ValueError, match="device='meta'"):
        refused.fit(topics(6))
    assert random.get_state()[2] == after
    one, other = (make(random_state=random).fit(topics(6)) for _ in range(2))
    assert np.abs(one.vectors_ - other.vectors_).max() > 0
    np.random.seed(0)  # noqa: NPY002 - the global generator is meant
    one, other = (make(random_state=None).fit(topics(6)) for _ in range(2))
    assert np.abs(one.vectors_ - other.vectors_).max() > 0
    np.random.seed(0)  # noqa: NPY002 - the global generator is meant
    assert_array_equal(make(random_state=None).fit(topics(6)).vectors_, one.vectors_)


def test_texts_without_words_of_a_given_vocabulary() -> None:
    words = make(tokenizer=Tokenizer(vocabulary=["zebra"]))
    with pytest.raises(ValueError, match="No text has a word of the tokenizer's vocabulary"):
        words.fit(topics(6))


@pytest.mark.parametrize(
    "check",
    [
        checks.check_no_attributes_set_in_init,
        checks.check_parameters_default_constructible,
        checks.check_get_params_invariance,
        checks.check_set_params,
        checks.check_estimator_repr,
        checks.check_estimator_tags_renamed,
        checks.check_valid_tag_types,
        checks.check_param_validation,
    ],
)
def test_checks_of_scikit_learn_that_need_no_matrix(check: Any) -> None:
    check("WordEmbedding", WordEmbedding())


def test_names_of_other_libraries_are_explained() -> None:
    with pytest.raises(TypeError, match="workers.*n_jobs"):
        WordEmbedding(workers=2)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="Did you mean 'skipgram'"):
        make("sg").fit(topics(6))
