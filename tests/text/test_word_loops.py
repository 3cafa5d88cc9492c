"""The steps of word vectors: compiled, by torch, and as formulas."""

from collections import defaultdict
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional as F

from sknn.text import Tokenizer
from sknn.text import _corpus as corpora
from sknn.text._corpus import Corpus, encode_corpus, learn_corpus
from sknn.text._counts import count_pairs
from sknn.text._noise import alias_table, kept_shares, noise_probabilities
from sknn.text._word_batches import SamplingBatches, find_neighbours, step_counts, step_words
from sknn.text._word_loops import CountLoop, Pairs, SamplingLoop

N_TOKENS, SIZE = 7, 5
needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="of compiled loops")
TEXTS = [[1, 2, 3, 1, 4], [5], [], [6, 1, 2, 2, 5, 3, 1]]


def corpus() -> Corpus:
    ends = np.cumsum([0, *map(len, TEXTS)])
    return Corpus(np.concatenate(TEXTS).astype(np.int32), ends)


def vectors(seed: int, n_more: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(N_TOKENS, SIZE + n_more)).astype(np.float32)
    drawn[0] = 0
    return drawn


# -------------------------------------------------------------------------------------- corpora


@pytest.mark.parametrize("lowercase", [True, False])
def test_texts_are_split_once_as_the_tokenizer_does(lowercase: bool) -> None:
    texts = ["The cat, the dog", ["The", "", "cat"], "", "a dog of the cat's", "<unknown> cat"]
    for arguments in ({}, {"min_count": 2}, {"max_features": 3}, {"vocabulary": ["cat", "dog"]}):
        tokenizer = Tokenizer(lowercase=lowercase, **arguments)
        found, counts = learn_corpus(texts, tokenizer)
        expected = Tokenizer(lowercase=lowercase, **arguments).fit(texts)
        assert tokenizer.vocabulary_ == expected.vocabulary_
        known = [ids[ids > 0] for ids in expected.transform(texts)]
        assert_array_equal(found.tokens, np.concatenate(known))
        assert_array_equal(found.ends, np.cumsum([0, *map(len, known)]))
        assert_array_equal(counts, np.bincount(found.tokens, minlength=tokenizer.n_tokens_))
        again = encode_corpus(texts, tokenizer)
        assert_array_equal(again.tokens, found.tokens)
        assert_array_equal(again.ends, found.ends)


def test_max_length_cuts_what_is_transformed_and_not_what_is_learned_from() -> None:
    tokenizer = Tokenizer(max_length=2)
    found, _ = learn_corpus(["a b c", "c a a"], tokenizer)
    assert_array_equal(tokenizer.get_feature_names_out()[found.tokens], list("abccaa"))
    cut = encode_corpus(["a b c", "c a a"], tokenizer, 2)
    assert_array_equal(tokenizer.get_feature_names_out()[cut.tokens], list("abca"))


def test_long_texts_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "LONGEST_PIECE", 3)
    assert_array_equal(corpus().pieces(), [0, 3, 5, 6, 9, 12, 13])


# --------------------------------------------------------------------------------------- chances


def test_noise_is_drawn_by_powers_of_counts() -> None:
    counts = np.array([9, 100, 50, 10, 3, 1, 1])
    powers = np.array([0, *(counts[1:] ** 0.75)])
    expected = powers / powers.sum()
    assert_allclose(noise_probabilities(counts), expected)
    cuts, others = alias_table(expected)
    shares = cuts / 2**32
    implied = np.zeros(N_TOKENS)
    for word in range(1, N_TOKENS):
        implied[word] += shares[word] / (N_TOKENS - 1)
        implied[others[word]] += (1 - shares[word]) / (N_TOKENS - 1)
    assert_allclose(implied, expected, atol=1e-8)


def test_frequent_words_are_left_out_at_times() -> None:
    counts = np.array([0, 96, 3, 1])
    f = counts[1:] / 100
    expected = np.minimum(1, (np.sqrt(f / 0.02) + 1) * 0.02 / f)  # as word2vec has it
    assert_allclose(kept_shares(counts, 0.02)[1:], expected)
    assert_array_equal(kept_shares(counts, 0), 1)


# ----------------------------------------------------------------------------- negative sampling


class Xorshift:
    """The generator of the loops, in Python's integers."""

    def __init__(self, state: int) -> None:
        self.state = state

    def draw(self) -> tuple[int, int]:
        """Return the upper and the lower 32 bits of the next number."""
        x = self.state
        x ^= x >> 12
        x ^= x << 25 & (2**64 - 1)
        x ^= x >> 27
        self.state = x
        return divmod(x * 0x2545F4914F6CDD1D & (2**64 - 1), 2**32)

    def below(self, n: int) -> int:
        return self.draw()[0] * n >> 32

    def noise(self, cuts: np.ndarray, others: np.ndarray) -> int:
        upper, lower = self.draw()
        word = 1 + (upper * (len(cuts) - 1) >> 32)
        return word if lower < cuts[word] else int(others[word])


def step(x: np.ndarray, outputs: np.ndarray, words: list[int], rate: float) -> tuple[Any, float]:
    """Tell the first of words from the others; return what x learns, and the loss."""
    labels = np.array([1, *[0] * (len(words) - 1)])
    shares = 1 / (1 + np.exp(-outputs[words] @ x))
    change = np.zeros_like(x)
    for word, slope in zip(words, rate * (labels - shares), strict=True):
        change += slope * outputs[word]
        outputs[word] += slope * x
    return change, -np.log(np.where(labels, shares, 1 - shares)).sum()


def by_formula(
    state: int, counts: np.ndarray, inputs: np.ndarray, outputs: np.ndarray, *, is_cbow: bool,
    window: int, negative: int, subsample: float, rate: float,
) -> tuple[float, int]:  # fmt: skip
    """Do a pass over the texts in float64; return the sum of losses, and their number."""
    random = Xorshift(state)
    keep = np.minimum(kept_shares(counts, subsample) * 2**32, 2**32 - 1).astype(np.uint32)
    cuts, others = alias_table(noise_probabilities(counts))
    total, n = 0.0, 0
    for text in TEXTS:
        kept = [w for w in text if keep[w] == 2**32 - 1 or random.draw()[0] < keep[w]]
        for i, target in enumerate(kept):
            reach = 1 + random.below(window)
            drawn = [random.noise(cuts, others) for _ in range(negative)]
            words = [target, *(word for word in drawn if word != target)]
            near = [j for j in range(max(0, i - reach), min(len(kept), i + reach + 1)) if j != i]
            for chosen in [near] if is_cbow and near else [[j] for j in near]:
                x = np.mean([inputs[kept[j]] for j in chosen], axis=0)
                change, loss = step(x, outputs, words, rate)
                for j in chosen:
                    inputs[kept[j]] += change
                total, n = total + loss, n + 1
    return total, n


@needs_numba
@pytest.mark.parametrize("is_cbow", [False, True])
@pytest.mark.parametrize("subsample", [0, 0.1])
def test_compiled_steps_are_those_of_the_formula(is_cbow: bool, subsample: float) -> None:
    inputs, outputs = vectors(0), vectors(1)
    expected = inputs.astype(float), outputs.astype(float)
    settings: dict[str, Any] = {
        "is_cbow": is_cbow, "window": 3, "negative": 4, "subsample": subsample,
    }  # fmt: skip
    counts = np.bincount(corpus().tokens, minlength=N_TOKENS)
    random = np.random.RandomState(0)
    loop = SamplingLoop(corpus(), counts, (inputs, outputs), random, **settings, n_workers=1)
    assert loop.n_parts == 1
    state = int(loop.arrays()["states"][0, 0])
    loop.learn(0, 0, 0.1)
    total, n = by_formula(state, counts, *expected, **settings, rate=0.1)
    assert n > 5
    assert_allclose(loop.arrays()["inputs"], expected[0], atol=2e-5)
    assert_allclose(loop.arrays()["outputs"], expected[1], atol=2e-5)
    assert_allclose(loop.sums[0], [total, n], rtol=2e-5)
    assert np.abs(inputs - vectors(0)).max() > 0.05


@needs_numba
def test_likelihoods_too_small_for_a_number_still_count() -> None:
    settings: dict[str, Any] = {"is_cbow": True, "window": 3, "negative": 2000, "subsample": 0}
    counts = np.bincount(corpus().tokens, minlength=N_TOKENS)
    vectors = np.zeros((N_TOKENS, SIZE), np.float32), np.zeros((N_TOKENS, SIZE), np.float32)
    random = np.random.RandomState(0)
    loop = SamplingLoop(corpus(), counts, vectors, random, **settings, n_workers=1)
    state = int(loop.arrays()["states"][0, 0])
    loop.learn(0, 0, 0.1)
    expected = by_formula(state, counts, *vectors, **settings, rate=0.1)
    assert expected[0] > 1000 * np.log(2) * expected[1]
    assert_allclose(loop.sums[0], expected, rtol=1e-6)


@needs_numba
@pytest.mark.parametrize("size", [1, 16, 17, 50])
def test_rows_are_whole_blocks(size: int) -> None:
    counts = np.bincount(corpus().tokens, minlength=N_TOKENS)
    rng = np.random.default_rng(0)
    arrays = tuple(rng.normal(size=(2, N_TOKENS, size)).astype(np.float32))
    wider = tuple(np.pad(each, ((0, 0), (0, 3))) for each in arrays)
    for vectors in (arrays, wider):  # zeros beside the numbers stay, and change nothing
        loop = SamplingLoop(
            corpus(), counts, vectors, np.random.RandomState(0), is_cbow=False, window=2,
            negative=3, subsample=0, n_workers=1,
        )  # fmt: skip
        loop.learn(0, 0, 0.1)
        loop.arrays()
    for narrow, wide in zip(arrays, wider, strict=True):
        assert_allclose(wide[:, :size], narrow, atol=1e-5)
        assert_array_equal(wide[:, size:], 0)


@needs_numba
def test_parts_cover_the_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sknn.text._word_loops.PART", 4)
    counts = np.bincount(corpus().tokens, minlength=N_TOKENS)
    arguments: dict[str, Any] = {"is_cbow": False, "window": 2, "negative": 2, "subsample": 0}
    random = np.random.RandomState(0)
    loop = SamplingLoop(
        corpus(), counts, (vectors(0), vectors(1)), random, **arguments, n_workers=1
    )
    assert loop.n_parts == 2  # the first text and the others: a text is not cut
    monkeypatch.undo()
    arrays = vectors(0), vectors(1)
    whole = SamplingLoop(
        corpus(), counts, arrays, np.random.RandomState(0), **arguments, n_workers=1
    )
    whole.learn(0, 0, 0.1)
    for part in range(2):
        loop.learn(part, 0, 0.1)
    assert_array_equal(loop.arrays()["inputs"], whole.arrays()["inputs"])


@pytest.mark.parametrize("is_cbow", [False, True])
def test_batches_step_along_the_gradient(is_cbow: bool) -> None:
    inputs, outputs = torch.as_tensor(vectors(0)), torch.as_tensor(vectors(1))
    contexts = torch.tensor([[2, 5, 0], [6, 0, 0], [1, 2, 3]] if is_cbow else [[2], [6], [2]])
    targets, noise = torch.tensor([1, 2, 4]), torch.tensor([[3, 1], [5, 5], [6, 3]])
    x, y = inputs.double().requires_grad_(), outputs.double().requires_grad_()
    loss = torch.zeros((), dtype=torch.float64)
    for context, target, others in zip(contexts, targets, noise, strict=True):
        here = x[context[context > 0]]
        mean = here.mean(0)
        if is_cbow:  # every word takes all of the step: the gradient of the sum
            mean = (here.sum(0) - here.sum(0).detach()) + here.mean(0).detach()
        loss = loss - F.logsigmoid(mean @ y[target])
        loss = loss - sum(F.logsigmoid(-mean @ y[o]) for o in others if o != target)
    loss.backward()
    found = step_words(inputs, outputs, contexts, targets, noise, 0.1)
    assert float(found) == pytest.approx(float(loss.detach()), rel=1e-6)
    assert x.grad is not None and y.grad is not None
    assert_allclose(inputs, x.detach() - 0.1 * x.grad, atol=1e-6)
    assert_allclose(outputs, y.detach() - 0.1 * y.grad, atol=1e-6)


def test_a_word_of_many_steps_moves_by_a_multiple_of_their_mean() -> None:
    n = 64
    inputs, outputs = torch.as_tensor(vectors(0)), torch.as_tensor(vectors(1))
    x, y = inputs[1].clone(), outputs[2].clone()
    contexts, targets = torch.ones((n, 1), dtype=torch.long), torch.full((n,), 2)
    step_words(inputs, outputs, contexts, targets, torch.full((n, 1), 2), 0.1)
    share = 0.1 * torch.sigmoid(-x @ y)
    assert_allclose(inputs[1], x + 32 * share * y, rtol=1e-5)
    assert_allclose(outputs[2], y + 32 * share * x, rtol=1e-5)


def test_neighbours_are_within_reach_and_the_text() -> None:
    tokens = torch.tensor([1, 2, 3, 4, 5])
    found = find_neighbours(tokens, torch.tensor([0, 0, 0, 0, 1]), torch.tensor([1, 2, 1, 2, 2]), 2)
    near = [sorted(row[row > 0].tolist()) for row in found]
    assert near == [[2], [1, 3, 4], [2, 4], [2, 3], []]


def test_batches_draw_words_as_often_as_they_should() -> None:
    counts = np.array([0, 100, 50, 10, 3, 1, 1])
    batches = SamplingBatches(
        corpus(), counts, (vectors(0), vectors(1)), np.random.RandomState(0), is_cbow=False,
        window=2, negative=5, subsample=0, device=torch.device("cpu"),
    )  # fmt: skip
    drawn = np.bincount(batches._draw_noise(20_000).flatten().numpy(), minlength=N_TOKENS) / 1e5
    assert_allclose(drawn, noise_probabilities(counts), atol=0.01)


def test_batches_tell_all_neighbours_of_a_word_from_the_same_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: defaultdict[int, list[list[int]]] = defaultdict(list)

    def record(
        inputs: Any, outputs: Any, contexts: Any, targets: Any, noise: Any, rate: Any
    ) -> Any:
        for target, others in zip(targets.tolist(), noise.tolist(), strict=True):
            told[target].append(others)
        return torch.zeros(())

    monkeypatch.setattr("sknn.text._word_batches.step_words", record)
    text = Corpus(np.arange(1, N_TOKENS, dtype=np.int32), np.array([0, N_TOKENS - 1]))
    batches = SamplingBatches(
        text, np.ones(N_TOKENS, int), (vectors(0), vectors(1)), np.random.RandomState(0),
        is_cbow=False, window=3, negative=8, subsample=0, device=torch.device("cpu"),
    )  # fmt: skip
    batches.learn(0, 0, 0.1)
    assert sorted(told) == list(range(1, N_TOKENS))
    assert max(map(len, told.values())) > 2
    assert all(others == rows[0] for rows in told.values() for others in rows)
    assert len({tuple(rows[0]) for rows in told.values()}) == N_TOKENS - 1


# ------------------------------------------------------------------------------------------ GloVe


@pytest.mark.parametrize("pairs_at_once", [1, 6, 1000])
@pytest.mark.parametrize("window", [1, 3, 20])
def test_counts_are_those_of_all_pairs(window: int, pairs_at_once: int) -> None:
    expected: defaultdict[tuple[int, int], float] = defaultdict(float)
    for text in TEXTS:
        for i in range(len(text)):
            for j in range(len(text)):
                if 0 < abs(i - j) <= window:
                    expected[text[i], text[j]] += 1 / abs(i - j)
    rows, columns, counts = count_pairs(corpus(), N_TOKENS, window, pairs_at_once)
    assert (rows <= columns).all()
    found = dict(zip(zip(rows.tolist(), columns.tolist(), strict=True), counts, strict=True))
    assert found == pytest.approx({k: v for k, v in expected.items() if k[0] <= k[1]})


def objective(inputs: np.ndarray, outputs: np.ndarray, pairs: list[tuple[int, int, float]]) -> Any:
    """Return GloVe's objective, with half of the squares, and the gradients of both vectors."""
    loss, gx, gy = 0.0, np.zeros_like(inputs), np.zeros_like(outputs)
    for i, j, count in pairs:
        error = inputs[i, :-1] @ outputs[j, :-1] + inputs[i, -1] + outputs[j, -1] - np.log(count)
        weight = min(1, (count / 3) ** 0.75)
        loss += 0.5 * weight * error**2
        gx[i] += weight * error * np.append(outputs[j, :-1], 1)
        gy[j] += weight * error * np.append(inputs[i, :-1], 1)
    return loss, gx, gy


def test_the_gradient_is_that_of_the_objective() -> None:
    inputs, outputs = (vectors(seed, 1).astype(float) for seed in (0, 1))
    pairs = [(1, 2, 5.0), (2, 1, 0.5), (3, 3, 2.0)]
    _, gradient, _ = objective(inputs, outputs, pairs)
    for place in [(1, 0), (2, 4), (3, 5)]:
        ahead, behind = inputs.copy(), inputs.copy()
        ahead[place] += 1e-5
        behind[place] -= 1e-5
        slope = objective(ahead, outputs, pairs)[0] - objective(behind, outputs, pairs)[0]
        assert slope / 2e-5 == pytest.approx(gradient[place], abs=1e-7)


def test_batches_do_adagrads_step() -> None:
    start = [vectors(0, 1), vectors(1, 1)]
    arrays = [torch.as_tensor(each.copy()) for each in [*start, *map(np.ones_like, start)]]
    pairs = [(1, 2, 5.0), (2, 1, 0.5), (1, 3, 2.0), (3, 3, 1.5)]
    loss, gx, gy = objective(start[0].astype(float), start[1].astype(float), pairs)
    rows, columns, counts = (torch.tensor(each) for each in zip(*pairs, strict=True))
    found = step_counts(arrays, rows, columns, counts, 3.0, 0.75, 0.1)
    assert float(found) == pytest.approx(loss, rel=1e-6)
    for before, after, squares, g in zip(start, arrays[:2], arrays[2:], (gx, gy), strict=True):
        assert_allclose(squares, 1 + g**2, rtol=1e-4)
        assert_allclose(after, before - 0.1 * g / np.sqrt(1 + g**2), atol=1e-5)


@needs_numba
def test_compiled_steps_are_adagrads() -> None:
    start = [vectors(0, 1), vectors(1, 1)]
    expected = [each.astype(float) for each in [*start, *map(np.ones_like, start)]]
    counts = [(1, 2, 5.0), (3, 3, 1.5), (2, 4, 0.5)]
    total = 0.0
    for pair in [(1, 2, 5.0), (2, 1, 5.0), (3, 3, 1.5), (2, 4, 0.5), (4, 2, 0.5)]:
        loss, *gradients = objective(*expected[:2], [pair])
        total += loss
        for place, g in enumerate(gradients):
            expected[place + 2] += g**2
            expected[place] -= 0.1 * g / np.sqrt(expected[place + 2])
    rows, columns, values = (np.array(each) for each in zip(*counts, strict=True))
    pairs = Pairs(rows.astype(np.int32), columns.astype(np.int32), values.astype(np.float32))
    loop = CountLoop(pairs, (start[0], start[1]), x_max=3.0, power=0.75, n_workers=1)
    loop.learn(0, 0, 0.1)
    for found, wanted in zip(loop.arrays().values(), expected, strict=True):
        assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert_allclose(loop.sums[0], [total, 5], rtol=1e-5)
