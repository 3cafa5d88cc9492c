"""A language model of tokens."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax
from sklearn.pipeline import make_pipeline
from sklearn.utils._param_validation import InvalidParameterError

from sknn.data import Ragged
from sknn.estimators.sequences._generator import cut_windows
from sknn.nn import Embedding, RecurrentEncoder, SeriesNetwork
from sknn.sequences import SequenceGenerator
from sknn.text import Tokenizer
from tests.helpers import assert_same_weights, objects

N = 20
rng = np.random.default_rng(0)
TOKENS = [rng.integers(0, 4, size=1 + i % 6) for i in range(N)]
EQUAL = rng.integers(0, 4, size=(N, 5))

ignore_convergence = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def make(**parameters: Any) -> SequenceGenerator:
    small = {
        "hidden_size": 5,
        "embedding_size": 3,
        "max_iter": 2,
        "random_state": 0,
    }
    return SequenceGenerator(**(small | parameters))


def plain(**parameters: Any) -> SequenceGenerator:
    """A fit that depends on neither the order of the sequences nor their number."""
    settings: dict[str, Any] = {
        "batch_size": "all",
        "dropout": 0.0,
        "precision": "float64",
        "alpha": 0.0,
        "learning_rate": "constant",
        "max_grad_norm": None,
        "tol": 0.0,
    }
    return make(**(settings | parameters))


def log_probabilities(model: Any, tokens: Any) -> np.ndarray:
    """Of all tokens behind each of these, from one pass over the whole sequence."""
    with torch.no_grad():
        return log_softmax(model.module_(torch.tensor([[*tokens]])).double().numpy(), axis=1)


# ----------------------------------------------------------------------------------------- input


FORMS: dict[str, Any] = {
    "array": lambda X: X,
    "bytes": lambda X: X.astype(np.uint8),
    "list of lists": lambda X: X.tolist(),
    "list of arrays": list,
    "object array": objects,
    "frame": lambda X: pytest.importorskip("pandas").DataFrame(X),
    "series of arrays": lambda X: pytest.importorskip("pandas").Series(list(X)),
}


@pytest.mark.parametrize("convert", FORMS.values(), ids=FORMS)
def test_sequences_of_equal_length_come_in_any_form(convert: Any) -> None:
    expected, model = make().fit(EQUAL), make().fit(convert(EQUAL), None)
    assert_same_weights(model, expected)
    assert model.score(convert(EQUAL)) == expected.score(EQUAL)
    assert (model.n_tokens_, model.n_outputs_) == (4, 5)  # the end


def test_sequences_of_different_lengths_are_lists_or_object_arrays() -> None:
    models = [make().fit(X) for X in (TOKENS, [e.tolist() for e in TOKENS], objects(TOKENS))]
    for model in models[1:]:
        assert_same_weights(model, models[0])
    assert make(n_tokens=9).fit(TOKENS).n_tokens_ == 9


def test_sequences_are_marked_and_cut_into_windows_that_share_a_token() -> None:
    sequences = Ragged.from_list([np.array([1, 2, 3, 4, 5]), np.array([6]), np.array([7, 8])])
    windows, parents = cut_windows(sequences, 3, mark=9)
    assert [each.tolist() for each in windows] == [
        [9, 1, 2, 3],
        [3, 4, 5, 9],
        [9, 6, 9],
        [9, 7, 8, 9],
    ]
    assert parents.tolist() == [0, 0, 1, 2]
    windows, parents = cut_windows(sequences, 1, mark=9)
    assert [each.tolist() for each in windows][:6] == [
        [9, 1],
        [1, 2],
        [2, 3],
        [3, 4],
        [4, 5],
        [5, 9],
    ]
    assert parents.tolist() == [0] * 6 + [1] * 2 + [2] * 3


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "X is empty; at least one sequence"),
        ([[1, 2], []], r"X\[1\] has no steps"),
        ([1, 2, 3], "Expected 2D array"),
        ([[1, 2], [-1]], "X has the token -1"),
        ([[1.0, 2.0], [3.0]], "integer tokens, .* the first is of type float64"),
        (EQUAL / 2, "integer tokens"),
        (EQUAL[:, :, None], r"integer tokens, .* shape \(5, 1\)"),
        ([EQUAL], r"integer tokens, .* shape \(20, 5\)"),
        (["do re", "mi"], "Tokenizer"),
        (EQUAL[None, None], "4 dimensions"),
    ],
    ids=str,
)
def test_what_is_no_sequence_of_tokens_is_refused(X: Any, message: str) -> None:
    model = make()
    with pytest.raises(ValueError, match=message):
        model.fit(X)
    assert not hasattr(model, "module_")
    model.fit(TOKENS)
    for method in (model.score, model.perplexity):
        with pytest.raises(ValueError, match=message):
            method(X)


def test_unknown_tokens_are_refused() -> None:
    model = make().fit(TOKENS)
    with pytest.raises(ValueError, match="X has the token 4, but there are 4, from 0 to 3"):
        model.score([[0, 4]])
    with pytest.raises(ValueError, match="X_val: X has the token 4"):
        model.fit(TOKENS, X_val=[[0, 4]])
    with pytest.raises(ValueError, match="X has the token 3, but there are 2"):
        make(n_tokens=2).fit(TOKENS)
    with pytest.raises(ValueError, match="sample_weight"):
        make().fit(TOKENS, sample_weight=np.ones(N - 1))
    with pytest.raises(ValueError, match="sample_weight"):
        make().fit(TOKENS, sample_weight=-np.ones(N))


def test_few_sequences_make_one_batch_without_a_warning() -> None:
    models = [make(batch_size=size).fit(TOKENS[:9]) for size in ("auto", "all", 9)]
    for model in models[1:]:
        assert_same_weights(model, models[0])
    auto, number = make().fit(TOKENS * 2), make(batch_size=16).fit(TOKENS * 2)
    assert_same_weights(auto, number)


# ----------------------------------------------------------------------------- scores and losses


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_the_score_is_the_mean_log_probability_of_tokens_without_ends(cell: str) -> None:
    model = make(cell=cell, n_layers=2, window=2).fit(TOKENS)
    logs = []
    for tokens in TOKENS:  # read as a whole, whatever the window
        log_p = log_probabilities(model, [4, *tokens[:-1]])
        logs.extend(log_p[np.arange(len(tokens)), tokens])
    assert_allclose(model.score(TOKENS), np.mean(logs), rtol=1e-5)
    assert_allclose(model.perplexity(TOKENS), math.exp(-np.mean(logs)), rtol=1e-5)


def loss_by_hand(model: Any, X: Any, window: int, weights: Any = None) -> float:
    """Mean cross-entropy of tokens and ends; each window is read from its own first token."""
    losses, counts = 0.0, 0.0
    weights = np.ones(len(X)) if weights is None else weights
    for tokens, weight in zip(X, weights, strict=True):
        marked = [4, *tokens, 4]
        for start in range(0, len(marked) - 1, window):
            piece = marked[start : start + window + 1]
            log_p = log_probabilities(model, piece[:-1])
            losses -= weight * log_p[np.arange(len(piece) - 1), piece[1:]].sum()
            counts += weight * (len(piece) - 1)
    return losses / counts


@ignore_convergence
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("window", [1, 3, 128])
def test_losses_are_means_over_all_tokens_and_ends(window: int, weighted: bool) -> None:
    """The loss of the second epoch is that of the weights after the first."""
    weights = np.random.default_rng(1).uniform(size=N) if weighted else None
    one, two = (plain(max_iter=n, window=window) for n in (1, 2))
    one.fit(TOKENS, sample_weight=weights, X_val=TOKENS[:5])
    two.fit(TOKENS, sample_weight=weights)
    by_hand = loss_by_hand(one, TOKENS, window, weights)
    assert_allclose(two.history_[1]["train_loss"], by_hand, rtol=1e-9)
    by_hand = loss_by_hand(one, TOKENS[:5], window)
    assert_allclose(one.history_[0]["valid_loss"], by_hand, rtol=1e-9)


@ignore_convergence
@pytest.mark.parametrize("window", [2, 128])
def test_weights_are_repetitions_of_sequences(window: int) -> None:
    weights = np.random.default_rng(1).integers(0, 4, N)
    weights[5] = 1  # the longest stays
    repeated = [TOKENS[i] for i in np.repeat(np.arange(N), weights)]
    settings = {"window": window, "max_iter": 5, "n_tokens": 4}
    weighted = plain(**settings).fit(TOKENS, sample_weight=weights)
    assert_same_weights(weighted, plain(**settings).fit(repeated), atol=1e-9)
    with pytest.raises(AssertionError):
        assert_same_weights(weighted, plain(**settings).fit(TOKENS), atol=1e-9)


def test_early_stopping_ends_with_the_best_weights() -> None:
    model = make(early_stopping=True, max_iter=8, learning_rate_init=0.1)
    model.fit(TOKENS, X_val=TOKENS[:7])
    assert model.best_validation_score_ == max(model.validation_scores_)
    right = []
    for tokens in TOKENS[:7]:
        right.extend(log_probabilities(model, [4, *tokens]).argmax(1) == [*tokens, 4])
    assert_allclose(np.mean(right), model.best_validation_score_)
    own = make(early_stopping=True, validation_fraction=0.2).fit(TOKENS)
    assert own.t_ == 16 * own.n_iter_
    # windows are set aside, of which there are more than sequences
    own = make(early_stopping=True, validation_fraction=0.2, window=1).fit(TOKENS)
    n_windows = sum(len(each) + 1 for each in TOKENS)
    assert own.t_ == (n_windows - math.ceil(0.2 * n_windows)) * own.n_iter_


@ignore_convergence
def test_warm_starts_go_on_with_the_same_tokens() -> None:
    straight = plain(max_iter=2, solver="sgd", momentum=0).fit(TOKENS)
    warm = plain(max_iter=1, solver="sgd", momentum=0, warm_start=True).fit(TOKENS).fit(TOKENS)
    assert_same_weights(warm, straight, atol=1e-12)
    assert warm.loss_curve_ == straight.loss_curve_
    before = warm.score(TOKENS)
    with pytest.raises(ValueError, match="X has the token 7, but there are 4"):
        warm.fit([[1, 7]])
    assert (warm.score(TOKENS), warm.n_tokens_) == (before, 4)
    warm.fit([[1, 0]])  # not all of them need to come
    assert warm.n_tokens_ == 4
    assert warm.score(TOKENS) != before
    assert warm.set_params(warm_start=False).fit([[1, 7]]).n_tokens_ == 8


# --------------------------------------------------------------------------------------- samples


def test_samples_are_tokens_in_an_object_array() -> None:
    model = make().fit(TOKENS)
    drawn = model.sample(50, max_length=7, random_state=0)
    assert drawn.dtype == object and drawn.shape == (50,)
    assert all(each.dtype == np.int64 and each.ndim == 1 for each in drawn)
    assert max(map(len, drawn)) == 7 and min(map(len, drawn)) < 7
    assert set(np.concatenate(drawn)) == {0, 1, 2, 3}  # and no end
    assert model.sample(random_state=0).shape == (1,)


@pytest.mark.parametrize("prompt", [[2, 0, 3], np.array([1], np.uint8), (0,), []], ids=str)
def test_samples_begin_with_the_prompt_which_is_not_counted(prompt: Any) -> None:
    model = make().fit(TOKENS)
    drawn = model.sample(40, prompt=prompt, max_length=5, random_state=0)
    n = len(prompt)
    for each in drawn:
        assert each[:n].tolist() == list(prompt)
        assert n <= len(each) <= n + 5
    assert max(map(len, drawn)) == n + 5
    # the probabilities are those after the prompt
    expected = log_probabilities(model, [4, *prompt])[-1].argmax()
    begun = model.sample(prompt=prompt, max_length=1, temperature=0)[0]
    assert begun.tolist() == [*prompt, *([expected] if expected < 4 else [])]


def test_seeds_decide_the_samples() -> None:
    model = make(n_tokens=9).fit(TOKENS)
    lists = [
        [each.tolist() for each in model.sample(5, max_length=30, random_state=seed)]
        for seed in (0, 0, 1, np.random.RandomState(0))
    ]
    assert lists[0] == lists[1] == lists[3] != lists[2]
    generator = np.random.RandomState(0)
    first, second = (model.sample(5, random_state=generator) for _ in range(2))
    assert [each.tolist() for each in first] != [each.tolist() for each in second]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_samples", 0),
        ("n_samples", 2.5),
        ("n_samples", "a"),
        ("max_length", 0),
        ("max_length", 1.5),
        ("temperature", -0.1),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("temperature", "hot"),
        ("random_state", "seed"),
    ],
)
def test_a_bad_parameter_of_sample_is_refused_by_name(name: str, value: Any) -> None:
    model = make(max_iter=1).fit(TOKENS)
    with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter"):
        model.sample(**{name: value})


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (7, r"prompt needs integer tokens.* shape \(\)"),
        ([[1, 2]], r"prompt needs integer tokens.* shape \(1, 2\)"),
        ([1.5], "prompt needs integer tokens.* type float64"),
        ("do", "prompt needs integer tokens"),
        (["do"], "prompt needs integer tokens"),
        ([1, 4], "prompt has the token 4, but there are 4, from 0 to 3"),
        ([-1], "prompt has the token -1"),
    ],
    ids=str,
)
def test_a_bad_prompt_is_refused_by_name(prompt: Any, message: str) -> None:
    model = make(max_iter=1).fit(TOKENS)
    with pytest.raises(ValueError, match=message):
        model.sample(prompt=prompt)


# -------------------------------------------------------------------------------------- learning


def test_perplexity_comes_near_the_entropy_of_a_markov_chain() -> None:
    P = np.array([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.6, 0.2, 0.2]])
    values, vectors = np.linalg.eig(P.T)
    stationary = np.real(vectors[:, np.argmax(values.real)])
    stationary /= stationary.sum()
    entropy = -(stationary[:, None] * P * np.log(P)).sum()
    rng = np.random.default_rng(0)

    def draw(n: int) -> np.ndarray:
        tokens = [0]
        for u in rng.uniform(size=n):
            tokens.append(int((u > P[tokens[-1]].cumsum()).sum()))
        return np.array(tokens)

    X, held_out = [draw(1200) for _ in range(3)], [draw(3000)]
    model = SequenceGenerator(hidden_size=8, embedding_size=4, window=10, max_iter=5)
    model.set_params(learning_rate_init=0.03, dropout=0.0, random_state=0).fit(X)
    without_memory = math.exp(-(stationary * np.log(stationary)).sum())
    assert math.exp(entropy) < 2.2 < 2.9 < without_memory
    assert abs(math.log(model.perplexity(held_out)) - entropy) < 0.05
    # samples have the transitions that the chain has
    (tokens,) = model.sample(max_length=1500, random_state=0)
    if len(tokens) < 1500:  # an end is rare, but there is one in a training sequence
        tokens = np.concatenate(model.sample(30, max_length=200, random_state=0))
    counts = np.zeros((3, 3))
    np.add.at(counts, (tokens[:-1], tokens[1:]), 1)
    assert_allclose(counts / counts.sum(1, keepdims=True), P, atol=0.1)


def test_ends_are_learned() -> None:
    """Words of three and of two tokens, three to one."""
    X = [[0, 1, 2]] * 60 + [[2, 1]] * 20
    model = SequenceGenerator(hidden_size=12, embedding_size=4, max_iter=25, random_state=0)
    model.set_params(learning_rate_init=0.03, dropout=0.0).fit(X)
    drawn = [each.tolist() for each in model.sample(400, random_state=0)]
    shares = [drawn.count([0, 1, 2]) / 400, drawn.count([2, 1]) / 400]
    assert_allclose(shares, [0.75, 0.25], atol=0.08)
    # one choice a word, with the entropy of 3/4 and 1/4
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert_allclose(model.score(X), -entropy * 80 / (180 + 40), atol=0.03)
    assert model.sample(prompt=[2], temperature=0)[0].tolist() == [2, 1]


def test_texts_go_in_and_out_by_a_tokenizer() -> None:
    texts = ["do re mi", "mi re do"] * 20
    generator = SequenceGenerator(hidden_size=12, embedding_size=6, max_iter=20, random_state=0)
    generator.set_params(learning_rate_init=0.03)
    pipeline = make_pipeline(Tokenizer(), generator).fit(texts)
    assert math.exp(-pipeline.score(texts)) < 1.6
    tokenizer, model = pipeline
    assert model.n_tokens_ == tokenizer.n_tokens_
    prompt = tokenizer.transform(["mi"])[0]
    written = model.sample(3, prompt=prompt, temperature=0)
    assert_array_equal(tokenizer.inverse_transform(written), ["mi re do"] * 3)


def test_a_network_of_the_users_is_trained_and_sampled() -> None:
    def build(n_tokens: int, n_outputs: int) -> SeriesNetwork:
        def encoder(channels: int) -> RecurrentEncoder:
            return RecurrentEncoder(channels, 6, cell="rnn")

        table = Embedding(n_tokens + 1, 2)
        network = SeriesNetwork(table, 2, encoder, n_outputs, pooling=None)
        network.initialize(np.random.RandomState(0))
        return network

    model = make(module=build).fit(TOKENS)
    assert model.module_.encoder.width == 6
    assert np.isfinite(model.score(TOKENS))
    assert model.sample(3, random_state=0).shape == (3,)


@pytest.mark.filterwarnings("ignore:lbfgs ended before it converged")
def test_lbfgs_trains_too() -> None:
    model = make(solver="lbfgs", dropout=0.0, max_iter=15).fit(TOKENS)
    assert model.loss_ < 0.9 * model.loss_curve_[0]
