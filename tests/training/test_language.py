from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax, softmax
from scipy.stats import chisquare

from sknn.nn import Embedding, RecurrentEncoder, SeriesNetwork
from sknn.training import _language, sample_tokens, token_log_likelihood

N_TOKENS = 4
MARK = END = N_TOKENS
each_cell = pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])


def make(cell: str = "gru", n_layers: int = 1, dtype: torch.dtype = torch.float64) -> Any:
    def make_encoder(channels: int) -> RecurrentEncoder:
        return RecurrentEncoder(channels, 6, n_layers=n_layers, cell=cell, dropout=0.5)

    network = SeriesNetwork(
        Embedding(N_TOKENS + 1, 3), 3, make_encoder, N_TOKENS + 1, pooling=None, dropout=0.5
    )
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for parameter in network.to(dtype).parameters():
            parameter.copy_(torch.from_numpy(rng.normal(scale=0.7, size=parameter.shape)))
    return network.eval()


def next_logits(network: Any, tokens: Any) -> np.ndarray:
    """The outputs behind each of the tokens, from one pass over the whole sequence."""
    with torch.no_grad():
        return network(torch.tensor([[*tokens]])).numpy()


def log_likelihood(network: Any, tokens: np.ndarray) -> float:
    log_p = log_softmax(next_logits(network, [MARK, *tokens[:-1]]).astype(float), axis=1)
    return float(log_p[np.arange(len(tokens)), tokens].sum())


# ---------------------------------------------------------------------------------- likelihood


@pytest.mark.parametrize("n_layers", [1, 2])
@each_cell
def test_likelihood_is_that_of_one_pass_over_each_sequence(cell: str, n_layers: int) -> None:
    network = make(cell, n_layers)
    rng = np.random.default_rng(0)
    sequences = [rng.integers(0, N_TOKENS, n) for n in (5, 1, 30)]
    expected = sum(log_likelihood(network, tokens) for tokens in sequences)
    assert_allclose(token_log_likelihood(network, sequences, mark=MARK), expected, rtol=1e-12)


@each_cell
def test_states_are_carried_on_from_one_part_to_the_next(
    cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_language, "STEPS_AT_ONCE", 4)
    network = make(cell, n_layers=2)
    rng = np.random.default_rng(0)
    for n in (1, 3, 4, 5, 8, 9, 13):
        tokens = rng.integers(0, N_TOKENS, n)
        found = token_log_likelihood(network, [tokens], mark=MARK)
        assert_allclose(found, log_likelihood(network, tokens), rtol=1e-12)


def test_a_long_sequence_is_read_in_parts_as_a_whole() -> None:
    network = make()
    tokens = np.random.default_rng(0).integers(0, N_TOKENS, _language.STEPS_AT_ONCE + 3)
    found = token_log_likelihood(network, [tokens], mark=MARK)
    assert_allclose(found, log_likelihood(network, tokens), rtol=1e-12)


def test_probabilities_of_all_sequences_of_a_length_sum_to_that_of_no_earlier_end() -> None:
    network = make("lstm")
    pairs = [np.array([i, j]) for i in range(N_TOKENS) for j in range(N_TOKENS)]
    total = sum(np.exp(token_log_likelihood(network, [pair], mark=MARK)) for pair in pairs)
    p_first = softmax(next_logits(network, [MARK])[0])
    ends = [softmax(next_logits(network, [MARK, i])[1])[END] for i in range(N_TOKENS)]
    assert_allclose(total, 1 - p_first[END] - p_first[:END] @ ends)


def test_likelihood_of_a_network_in_float32_is_summed_in_float64() -> None:
    network = make(dtype=torch.float32)
    sequences = [np.zeros(1000, np.uint8)] * 3
    one = token_log_likelihood(network, sequences[:1], mark=MARK)
    assert token_log_likelihood(network, sequences, mark=MARK) == one + one + one
    assert_allclose(one, log_likelihood(network, np.zeros(1000, int)), rtol=1e-6)


# ------------------------------------------------------------------------------------- samples


def sample(network: Any, n_samples: int = 1, prompt: Any = (), **options: Any) -> list[np.ndarray]:
    options = {"max_length": 8, "temperature": 1.0, "end": END, "seed": 0} | options
    return sample_tokens(network, np.array([MARK, *prompt]), n_samples, **options)


def frequencies(tokens: Any) -> np.ndarray:
    return np.bincount(tokens, minlength=N_TOKENS + 1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@each_cell
def test_tokens_are_drawn_with_the_probabilities_after_those_before(
    cell: str, temperature: float
) -> None:
    network = make(cell)
    drawn = sample(network, 4000, max_length=2, temperature=temperature, seed=1)
    expected = softmax(next_logits(network, [MARK])[0] / temperature)
    first = frequencies([each[0] if len(each) else END for each in drawn])
    assert chisquare(first, 4000 * expected).pvalue > 1e-3
    assert chisquare(first, 4000 * np.full(5, 0.2)).pvalue < 1e-6  # the test can fail
    likeliest = int(first[:END].argmax())
    begun = [
        each[1] if len(each) > 1 else END for each in drawn if len(each) and each[0] == likeliest
    ]
    expected = softmax(next_logits(network, [MARK, likeliest])[1] / temperature)
    assert len(begun) == first[likeliest] > 400
    assert chisquare(frequencies(begun), len(begun) * expected).pvalue > 1e-3


def test_after_a_prompt_tokens_are_drawn_with_the_probabilities_after_it() -> None:
    network, prompt = make("gru", n_layers=2), [2, 0, 0, 3, 1]
    drawn = sample(network, 4000, prompt, max_length=1)
    expected = softmax(next_logits(network, [MARK, *prompt])[-1])
    first = frequencies([each[0] if len(each) else END for each in drawn])
    assert chisquare(first, 4000 * expected).pvalue > 1e-3


def test_lengths_follow_the_probability_of_the_end() -> None:
    """Without weights but the output's bias, lengths are geometrically distributed."""
    network = make()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.head[-1].bias[END] = np.log(N_TOKENS / 3)  # probability 1/4
    lengths = np.array([len(each) for each in sample(network, 4000, max_length=5)])
    p = 0.25 * 0.75 ** np.arange(6)
    p[5] = 0.75**5  # cut off
    assert chisquare(np.bincount(lengths, minlength=6), 4000 * p).pvalue > 1e-3


@pytest.mark.parametrize("prompt", [[], [1, 3]])
@each_cell
def test_temperature_zero_takes_the_likeliest(cell: str, prompt: list[int]) -> None:
    network = make(cell)
    with torch.no_grad():
        network.head[-1].bias[END] -= 100  # never
    read = [MARK, *prompt]
    for _ in range(8):
        read.append(int(next_logits(network, read)[-1].argmax()))
    expected = read[1 + len(prompt) :]
    for found in sample(network, 3, prompt, temperature=0):
        assert found.tolist() == expected
    # so does nearly zero, without an overflow
    for temperature in (1e-6, 1e-310):
        assert sample(network, 1, prompt, temperature=temperature)[0].tolist() == expected


def test_samples_hold_no_end_and_are_no_longer_than_allowed() -> None:
    drawn = sample(make("lstm"), 300, max_length=6)
    lengths = np.array([len(each) for each in drawn])
    assert set(lengths) == set(range(7))
    assert set(np.concatenate(drawn)) == set(range(N_TOKENS))
    assert all(each.dtype == np.int64 for each in drawn)


def test_a_network_that_ends_at_once_writes_nothing() -> None:
    network = make()
    with torch.no_grad():
        network.head[-1].bias[END] = 1e4
    for found in sample(network, 3, max_length=10**9):
        assert found.shape == (0,)


def test_seeds_decide_and_global_generators_do_not() -> None:
    network = make()
    with torch.no_grad():
        network.head[-1].bias[END] -= 100
    one = sample(network, 5, max_length=30, seed=1)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    for first, second in zip(one, sample(network, 5, max_length=30, seed=1), strict=True):
        assert_array_equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)
    assert len({tuple(each) for each in one + sample(network, 5, max_length=30, seed=2)}) == 10
