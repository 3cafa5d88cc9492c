"""Vectors that networks of tokens begin with: their scale, unread words, freezing, refusals."""

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

import sknn
from sknn import AttentionClassifier, AttentionRegressor, RecurrentClassifier, RecurrentRegressor
from sknn.nn import Embedding, TokenEmbedding
from sknn.sequences import EncoderDecoderClassifier, StepClassifier
from sknn.text import Tokenizer, WordEmbedding
from tests.helpers import assert_same_weights

TEXTS = [f"it was {('good', 'bad')[i % 2]} word{i % 7}" for i in range(28)]
y = np.arange(28) % 2
TOKENIZER = Tokenizer(vocabulary=["it", "was", "good", "bad", "fine", "poor"]).fit(TEXTS)
X = TOKENIZER.transform(TEXTS)
VECTORS = np.random.default_rng(0).normal(size=(7, 6)) * 0.01
VECTORS[0] = 0.0  # unknown words
FAMILIES = [RecurrentClassifier, AttentionClassifier]


class Words(BaseEstimator):
    """An estimator with vectors."""

    def fit(self, X: Any, y: Any = None) -> Any:
        self.vectors_ = VECTORS
        return self


def make(estimator: Any = RecurrentClassifier, **parameters: Any) -> Any:
    small = {"hidden_size": 8, "max_iter": 2, "random_state": 0, "embedding": VECTORS}
    return estimator(**(small | parameters))


def scaled() -> np.ndarray:
    return VECTORS / np.sqrt((VECTORS**2).mean())


def weight_of(model: Any) -> np.ndarray:
    return model.module_.input.weight.detach().numpy()


@pytest.mark.filterwarnings("ignore:lbfgs ended before it converged")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(
    "estimator", [*FAMILIES, RecurrentRegressor, AttentionRegressor, StepClassifier]
)
def test_frozen_vectors_are_those_of_the_user_at_the_scale_of_random_ones(
    estimator: Any, solver: str
) -> None:
    labels: Any = [[int(label)] * 4 for label in y] if estimator is StepClassifier else y
    options = {"dropout": 0.0} if solver == "lbfgs" else {}
    model = make(estimator, freeze_embedding=True, solver=solver, alpha=0.1, **options)
    model.fit(X, labels)
    assert_allclose(weight_of(model), scaled(), rtol=1e-6)
    assert weight_of(model)[1:].std() == pytest.approx(1, abs=0.2)
    free = make(estimator, solver=solver, alpha=0.1, **options).fit(X, labels)
    assert free.n_parameters_ - model.n_parameters_ == VECTORS.size
    start = scaled() * (1 if estimator is StepClassifier else 0.1)
    moved = np.abs(weight_of(free) - start).max(1)
    assert (moved[1:5] > 0).all()
    assert_allclose(weight_of(free)[5:], start[5:], atol=0.03)  # unread: the penalty alone


@pytest.mark.parametrize("estimator", FAMILIES)
def test_words_that_training_never_reads_have_their_vectors(estimator: Any) -> None:
    vectors = VECTORS.copy()
    vectors[5], vectors[6] = vectors[3], 0.0  # "fine" means "good"; "poor" has no vector
    model = make(estimator, embedding=vectors, freeze_embedding=True, max_iter=20).fit(X, y)
    good, fine, poor, new = model.predict_proba(
        TOKENIZER.transform(["it was good", "it was fine", "it was poor", "it was new"])
    )
    assert_allclose(good, fine, rtol=1e-5)
    assert_allclose(poor, new, rtol=1e-5)
    assert abs(good - new).max() > 0.01


def test_plain_integers_have_a_vector_each() -> None:
    tokens = np.arange(56).reshape(28, 2) % 5
    model = make(freeze_embedding=True).fit(tokens, y)
    assert type(model.module_.input) is Embedding
    assert model.n_tokens_ == 7
    assert_allclose(weight_of(model), scaled(), rtol=1e-6)
    assert model.predict([[6, 5]]).shape == (1,)


def test_the_vectors_of_the_user_are_never_written_to() -> None:
    vectors = (VECTORS / np.sqrt((VECTORS**2).mean())).astype(np.float32)
    before = vectors.copy()
    model = make(embedding=vectors).fit(X, y)
    assert_array_equal(vectors, before)
    assert not np.shares_memory(weight_of(model), vectors)
    assert model.embedding is vectors


def test_without_any_number_but_zeros_nothing_is_divided() -> None:
    model = make(embedding=np.zeros((7, 3)), freeze_embedding=True).fit(X, y)
    assert_array_equal(weight_of(model), np.zeros((7, 3)))


@pytest.mark.parametrize("words", [Words().fit(None), FrozenEstimator(Words().fit(None))])
def test_a_fitted_estimator_stands_for_its_vectors(words: Any) -> None:
    assert_same_weights(make(embedding=words).fit(X, y), make().fit(X, y))


def test_searches_and_folds_take_arrays_and_frozen_estimators() -> None:
    for embedding in (VECTORS, FrozenEstimator(Words().fit(None))):
        pipeline = make_pipeline(
            clone(TOKENIZER),
            make(embedding=embedding, max_iter=15, learning_rate_init=0.02),
        )
        assert cross_val_score(pipeline, TEXTS, y, cv=2).mean() > 0.9
    search = GridSearchCV(
        pipeline, {"recurrentclassifier__freeze_embedding": [True, False]}, cv=2
    ).fit(TEXTS, y)
    assert search.best_score_ > 0.9
    with pytest.raises(ValueError, match=r"a Words without vectors_: .*clone\(\).*FrozenEstimator"):
        clone(make(embedding=Words().fit(None))).fit(X, y)


@pytest.mark.parametrize("freeze", [False, True])
def test_files_pickles_and_clones_keep_vectors_and_freezing(freeze: bool, tmp_path: Path) -> None:
    pipeline = make_pipeline(TOKENIZER, make(freeze_embedding=freeze)).fit(TEXTS, y)
    sknn.save(pipeline, tmp_path / "texts.sknn")
    for again in (sknn.load(tmp_path / "texts.sknn"), pickle.loads(pickle.dumps(pipeline))):
        assert_array_equal(again.predict_proba(TEXTS), pipeline.predict_proba(TEXTS))
        assert again[-1].module_.input.weight.requires_grad is not freeze
        assert_array_equal(again[-1].embedding, VECTORS)
        again[-1].partial_fit(X, y)
        assert np.allclose(weight_of(again[-1]), weight_of(pipeline[-1])) is freeze
    assert_same_weights(clone(pipeline).fit(TEXTS, y)[-1], pipeline[-1])
    assert "embedding=array" in repr(pipeline)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("freeze", [False, True])
def test_warm_starts_go_on_with_the_vectors(freeze: bool) -> None:
    model = make(freeze_embedding=freeze, learning_rate="constant", warm_start=True)
    first = weight_of(model.fit(X, y)).copy()
    assert np.allclose(weight_of(model.fit(X, y)), first) is freeze
    assert isinstance(model.module_.input, TokenEmbedding)
    assert model.module_.input.weight.requires_grad is not freeze


@pytest.mark.parametrize("form", ["array", "estimator", "frozen estimator"])
def test_the_tokenizer_of_word_vectors_keeps_its_words_in_pipelines(form: str) -> None:
    words = WordEmbedding(vector_size=6, min_count=2, random_state=0, n_jobs=1)
    words.fit([*TEXTS, "It was fine, it was poor, fine and poor"])
    before = words.transform(TEXTS)
    forms = {
        "array": words.vectors_,
        "estimator": words,
        "frozen estimator": FrozenEstimator(words),
    }
    pipeline = make_pipeline(words.tokenizer_, make(embedding=forms[form], freeze_embedding=True))
    assert pipeline.fit(TEXTS[:8], y[:8])[0].n_tokens_ == len(words.vectors_)
    scale = np.sqrt((words.vectors_**2).mean())
    assert_allclose(weight_of(pipeline[-1]), words.vectors_ / scale, rtol=1e-5)
    assert_array_equal(words.transform(TEXTS), before)
    again = clone(words.tokenizer_).fit(["another text"]).transform(["It was fine"])[0]
    assert [list(words.vocabulary_)[i] for i in again] == ["it", "was", "fine"]
    if form != "estimator":
        assert len(cross_val_score(pipeline, TEXTS, y, cv=2, error_score="raise")) == 2


def test_decoders_begin_with_vectors_too() -> None:
    model = make(EncoderDecoderClassifier, freeze_embedding=True).fit(X, X)
    assert_allclose(weight_of(model), scaled(), rtol=1e-6)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"embedding": VECTORS[1:]}, r"6 rows, .* has 7 tokens.*Tokenizer\(vocabulary="),
        ({"embedding": VECTORS, "embedding_size": 5}, 'vectors of 6 numbers.*size=5.*"auto"'),
        ({"embedding": VECTORS, "embedding_size": None}, "embedding_size=None is for series of"),
        ({"embedding": VECTORS, "n_tokens": 9}, "7 rows, but n_tokens=9"),
        ({"embedding": np.full((7, 2), np.nan)}, "embedding contains NaN"),
        ({"embedding": np.full((7, 2), 1e200)}, "embedding contains infinity or a value too large"),
        ({"embedding": VECTORS[0]}, r"embedding has shape \(6,\); it needs a row for each token"),
        ({"embedding": {"good": 1}}, r"embedding has shape \(\)"),
        ({"embedding": 3}, "'embedding' parameter of RecurrentClassifier must be an array-like"),
        ({"embedding": Words()}, "a Words without vectors_: fit it first"),
        ({"embedding": None, "freeze_embedding": True}, "freeze_embedding=True keeps the vectors"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(parameters: Any, message: str) -> None:
    model = make(embedding=VECTORS).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=message):
        model.set_params(**parameters).fit(X, y)
    assert_array_equal(model.predict_proba(X), before)


def test_vectors_are_for_tokens() -> None:
    with pytest.raises(ValueError, match="embedding was set, so X has to hold tokens, .* float64"):
        make().fit(np.ones((28, 3)), y)
    with pytest.raises(ValueError, match="token 7, but there are 7"):
        make().fit(np.full((28, 3), 7), y)
    with pytest.raises(ValueError, match="must be an array-like"):
        make(embedding=SimpleNamespace(vectors_=VECTORS)).fit(X, y)
