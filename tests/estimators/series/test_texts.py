"""Texts by way of a tokenizer: short and unseen ones, unknown words, empty texts."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

import sknn
from sknn import (
    AttentionClassifier,
    ConvSeriesClassifier,
    RecurrentClassifier,
    RecurrentRegressor,
)
from sknn.estimators.series._family import automatic_embedding_size, unknown_rates
from sknn.nn import Embedding, TokenEmbedding
from sknn.sequences import EncoderDecoderClassifier, SequenceGenerator, StepClassifier
from sknn.text import Tokenizer
from tests.helpers import assert_same_weights

GOOD, BAD = ["good", "fine", "great"], ["bad", "poor", "awful"]
TEXTS = [f"it was {(GOOD, BAD)[i % 2][i // 2 % 3]} word{i}" for i in range(48)]
y = np.arange(48) % 2
FAMILIES = [RecurrentClassifier, AttentionClassifier]


def make(estimator: Any = RecurrentClassifier, **parameters: Any) -> Any:
    small = {"hidden_size": 8, "max_iter": 2, "random_state": 0}
    return estimator(**(small | parameters))


@pytest.mark.parametrize("estimator", FAMILIES)
def test_defaults_learn_texts_in_searches_and_folds(estimator: Any) -> None:
    pipeline = make_pipeline(Tokenizer(), make(estimator, max_iter=15, learning_rate_init=0.02))
    assert cross_val_score(pipeline, TEXTS, y, cv=3).mean() > 0.9
    search = GridSearchCV(pipeline, {"tokenizer__max_length": [2, None]}, cv=2).fit(TEXTS, y)
    assert search.best_params_ == {"tokenizer__max_length": None}
    assert search.best_score_ > 0.9


@pytest.mark.parametrize("estimator", FAMILIES)
@pytest.mark.parametrize(
    "tokenizer", [Tokenizer(max_length=1), Tokenizer(vocabulary=["it", "was", "never", "seen"])]
)
def test_the_network_has_all_tokens_of_the_tokenizer(estimator: Any, tokenizer: Any) -> None:
    pipeline = make_pipeline(tokenizer, make(estimator)).fit(TEXTS, y)
    network = pipeline[-1]
    assert network.n_tokens_ == pipeline[0].n_tokens_ == len(network.module_.input.weight)
    for texts in (["seen never was it"], ["word40 word41", "it"], [TEXTS[-1].split()[-1]]):
        assert pipeline.predict(texts).shape == (len(texts),)


def test_tokens_that_training_never_read_are_unknown_words() -> None:
    tokenizer = Tokenizer().fit(TEXTS)
    model = make(max_iter=12).fit(tokenizer.transform(TEXTS[:20]), y[:20])
    unseen, unknown = (
        model.predict_proba(tokenizer.transform([f"it was {word}"])) for word in ("word40", "new")
    )
    assert_array_equal(unseen, unknown)
    known = model.module_.input.is_known.numpy()
    seen = {0, *np.concatenate([np.asarray(each) for each in tokenizer.transform(TEXTS[:20])])}
    assert_array_equal(np.flatnonzero(known), sorted(seen))


def test_the_vector_of_unknown_words_is_learned() -> None:
    X = Tokenizer().fit_transform(TEXTS)
    assert bool((make().fit(X, y).module_.input.weight[0] != 0).any())
    model = make(solver="lbfgs", dropout=0.0, alpha=0.0, max_iter=500, tol=1e-3).fit(X, y)
    assert not model.module_.input.weight[0].any()  # which takes no random numbers


def test_rare_words_are_taken_for_unknown_ones_at_their_rates() -> None:
    tokens = np.array([[1, 1, 2, 1], [1, 0, 3, 3]])
    expected = [0, 0.25 / 4.25, 0.25 / 1.25, 0.25 / 2.25, 0.25 / 1.25]
    rates = unknown_rates(tokens, 5)
    assert_allclose(rates, expected)
    layer = TokenEmbedding(5, 1, rates)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(5.0)[:, None])
    torch.manual_seed(0)
    drawn = layer.train()(torch.full((100_000,), 2))[:, 0]
    assert set(drawn.tolist()) == {0.0, 2.0}
    assert float((drawn == 0).float().mean()) == pytest.approx(0.2, abs=0.01)
    # 1, 3 and 4 were not read
    assert layer.eval()(torch.arange(5))[:, 0].tolist() == [0, 0, 2, 0, 0]


@pytest.mark.parametrize("estimator", FAMILIES)
def test_an_empty_text_has_the_answer_of_an_unknown_word(estimator: Any) -> None:
    pipeline = make_pipeline(Tokenizer(), make(estimator)).fit([*TEXTS, ""], [*y, 1])
    empty, unknown, beside = (
        pipeline.predict_proba(texts) for texts in ([""], ["new"], ["", TEXTS[0]])
    )
    assert_array_equal(empty, unknown)
    assert_allclose(beside[0], empty[0], atol=1e-6)


def test_numbers_stay_numbers_and_n_tokens_makes_tokens() -> None:
    counts = np.arange(96).reshape(48, 2) % 7
    numbers = make().fit(counts, y)
    assert numbers.n_tokens_ is None
    tokens = make(n_tokens=9).fit(counts, y)
    assert type(tokens.module_.input) is Embedding
    assert tokens.module_.input.weight.shape == (9, automatic_embedding_size(9))
    assert_same_weights(tokens, make(n_tokens=9, embedding_size=8).fit(counts, y))


@pytest.mark.parametrize(("n_tokens", "size"), [(2, 8), (100, 24), (500, 48), (30_000, 64)])
def test_the_size_of_an_embedding_follows_from_the_number_of_tokens(
    n_tokens: int, size: int
) -> None:
    assert automatic_embedding_size(n_tokens) == size


def test_tokens_are_no_numbers_and_of_one_tokenizer() -> None:
    first, second = (Tokenizer(max_features=n).fit_transform(TEXTS) for n in (5, 9))
    with pytest.raises(ValueError, match='embedding_size=None is for series of numbers.*"auto"'):
        make(embedding_size=None).fit(first, y)
    with pytest.raises(ValueError, match=r"tokenizers of different sizes: \[6, 10\]"):
        make().fit([*first[:24], *second[24:]], y)
    model = make().fit(first, y)
    with pytest.raises(ValueError, match="a tokenizer that has 10, but .* one that has 6"):
        model.predict(second)
    assert model.predict([[1, 2], []]).shape == (2,)  # by hand


def test_regressors_decoders_and_generators_know_the_tokenizer() -> None:
    tokenizer = Tokenizer(max_length=2).fit(TEXTS)
    X = tokenizer.transform(TEXTS)
    n_tokens = tokenizer.n_tokens_
    values = make(RecurrentRegressor).fit(X, y)
    steps = make(StepClassifier).fit(X, [[int(label)] * 2 for label in y])
    decoder = make(EncoderDecoderClassifier).fit(X, X)
    generator = make(SequenceGenerator).fit(X)
    for model in (values, steps, decoder, generator):
        assert model.n_tokens_ == n_tokens
        assert type(model.module_.input) is TokenEmbedding
    later = Tokenizer(vocabulary=tokenizer.vocabulary_).fit_transform(["word40 awful great"])
    assert np.isfinite(generator.perplexity(later))
    for model in (values, steps, decoder):
        assert len(model.predict(later)) == 1
    with pytest.raises(ValueError, match=r"X\[0\] has no steps"):
        steps.predict(tokenizer.transform([""]))


def test_partial_fit_learns_the_words_of_later_texts() -> None:
    tokenizer = Tokenizer().fit(TEXTS)
    X = tokenizer.transform(TEXTS)
    model = make(normalization="layer").partial_fit(X[:24], y[:24], classes=[0, 1])
    before = int(model.module_.input.is_known.sum())
    model.partial_fit(X[24:], y[24:])
    assert int(model.module_.input.is_known.sum()) > before


RAW: dict[str, Any] = {
    "a list": TEXTS,
    "an array": np.array(TEXTS),
    "a Series": pd.Series(TEXTS),
    "lists of words": [text.split() for text in TEXTS],
    "lists of words of different lengths": [
        text.split()[: 2 + i % 2] for i, text in enumerate(TEXTS)
    ],
    "a column": np.array(TEXTS)[:, np.newaxis],
    "a table": pd.DataFrame({"text": TEXTS}),
}


@pytest.mark.parametrize("form", RAW)
@pytest.mark.parametrize(
    "estimator", [*FAMILIES, RecurrentRegressor, StepClassifier, SequenceGenerator]
)
def test_raw_texts_are_refused_with_the_lines_that_take_them(estimator: Any, form: str) -> None:
    labels = [[0]] * 48 if estimator is StepClassifier else y
    lines = (
        rf"Tokenizer\n    model = make_pipeline\(Tokenizer\(\), {estimator.__name__}\(\.\.\.\)\)"
    )
    column = "the column of texts, not a table" if form in ("a column", "a table") else ""
    with pytest.raises(ValueError, match=f"(?s)X holds texts.*{column}.*{lines}"):
        make(estimator).fit(RAW[form], labels)
    model = make().fit(Tokenizer().fit_transform(TEXTS), y)
    with pytest.raises(ValueError, match="X holds texts, but RecurrentClassifier takes tokens"):
        model.predict(RAW[form])


def test_texts_are_nothing_for_estimators_of_numbers_and_texts_of_numbers_are_numbers() -> None:
    with pytest.raises(
        ValueError, match="X holds texts, but ConvSeriesClassifier is for series of"
    ):
        ConvSeriesClassifier().fit(TEXTS, y)
    numbers = np.random.default_rng(0).normal(size=(48, 3))
    model = make().fit(numbers, y)
    written = numbers.astype(str).astype(object)
    assert_allclose(model.predict_proba(written), model.predict_proba(numbers))
    assert_same_weights(make().fit(written, y), model)


def test_words_begin_short_where_a_text_has_one_answer() -> None:
    texts = [f"word{i} word{i + 1}" for i in range(300)]
    X, labels = Tokenizer().fit_transform(texts), np.arange(300) % 2
    fixed = {"embedding_size": 64, "max_iter": 1, "learning_rate_init": 1e-9}
    model, tagger = make(**fixed).fit(X, labels), make(StepClassifier, **fixed)
    tagger.fit(X, [[label] * 2 for label in labels])
    plain = make(n_tokens=302, **fixed).fit([np.asarray(each) for each in X], labels)
    for each, deviation in ((model, 0.1), (tagger, 1), (plain, 1)):
        weight = each.module_.input.weight.detach().numpy()
        assert weight[1:].std() == pytest.approx(deviation, rel=0.05)


@pytest.mark.parametrize(
    ("n_texts", "batch_size", "expected"),
    [(96, "auto", 300 // 6), (48, 1, 8), (24, "auto", 80), (96, 500, 80)],
)
def test_the_epochs_of_texts_follow_from_their_number(
    n_texts: int, batch_size: Any, expected: int
) -> None:
    texts, labels = TEXTS * 2, np.tile(y, 2)
    X = Tokenizer().fit_transform(texts)[:n_texts]
    settings: Any = {"batch_size": batch_size, "max_iter": "auto", "hidden_size": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a batch that is larger than X
        model = make(**settings).fit(X, labels[:n_texts])
    assert model.n_iter_ == expected


def test_numbers_and_sequences_have_eighty_epochs() -> None:
    X, small = Tokenizer(max_length=2).fit_transform(TEXTS), {"max_iter": "auto", "hidden_size": 2}
    assert make(**small).fit(np.arange(96).reshape(48, 2) / 96, y).n_iter_ == 80
    assert make(StepClassifier, **small).fit(X, [[label] * 2 for label in y]).n_iter_ == 80


@pytest.mark.parametrize("estimator", FAMILIES)
def test_a_pipeline_from_raw_texts_is_an_estimator_like_any_other(
    estimator: Any, tmp_path: Path
) -> None:
    frame = pd.DataFrame({"text": TEXTS}, index=range(100, 148))
    pipeline = make_pipeline(Tokenizer(), make(estimator, max_iter=15, learning_rate_init=0.02))
    name = f"{estimator.__name__.lower()}__hidden_size"
    grid = {"tokenizer__lowercase": [True, False], name: [4, 8]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(frame["text"], y)
    assert search.best_score_ > 0.8
    with config_context(transform_output="pandas"):
        inside = clone(pipeline).fit(frame["text"], y)
    plain = clone(pipeline).fit(TEXTS, y)
    assert_array_equal(inside.predict_proba(frame["text"]), plain.predict_proba(TEXTS))
    sknn.save(plain, tmp_path / "texts.sknn")
    again = sknn.load(tmp_path / "texts.sknn")  # without trust
    assert_array_equal(again.predict_proba(TEXTS), plain.predict_proba(TEXTS))
    calibrated = CalibratedClassifierCV(pipeline, cv=2).fit(TEXTS, y)
    assert calibrated.score(TEXTS, y) > 0.8
