"""Ways from raw texts to labels: what each costs, and what it scores."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import AttentionClassifier, NeuralClassifier, RecurrentClassifier
from sknn.text import Tokenizer, WordEmbedding

from ._measure import Options, quiet
from ._report import Row, format_duration
from ._text_sets import SETS, read_set
from ._word_corpus import read_corpus
from ._words import folder_of_corpus

# Training texts at most, and with --quick.
N_TRAIN, N_QUICK = 3000, 500
# Words of other texts that the vectors are learned from, and with --quick.
N_WORDS, N_WORDS_QUICK = 4_000_000, 200_000


def other_texts(n_words: int) -> list[list[str]]:
    """Return paragraphs of dictionaries and books, so many words of them."""
    paragraphs = read_corpus(folder_of_corpus())
    order = np.random.default_rng(0).permutation(len(paragraphs))
    lengths = np.array([len(paragraphs[i]) for i in order])
    return [paragraphs[i] for i in order[: int(np.searchsorted(lengths.cumsum(), n_words))]]


def learn_words(texts: Any) -> WordEmbedding:
    """Learn vectors of 64 numbers."""
    words = WordEmbedding(vector_size=64, min_count=2, max_iter=2, n_jobs=1, random_state=0)
    return words.fit(texts)


def ways(words: WordEmbedding) -> dict[str, Callable[[int], Any]]:
    """Return what makes each pipeline from a seed; `words` are learned beforehand."""
    dense: dict[str, Any] = {"learning_rate_init": 0.003, "max_iter": 10}
    begun = {"embedding": words.vectors_}
    return {
        "tf-idf, logistic regression": lambda seed: make_pipeline(
            TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=3)
        ),
        "tf-idf, dense": lambda seed: make_pipeline(
            TfidfVectorizer(sublinear_tf=True), NeuralClassifier(random_state=seed, **dense)
        ),
        "mean of word vectors, dense": lambda seed: make_pipeline(
            FrozenEstimator(words), StandardScaler(), NeuralClassifier(random_state=seed, **dense)
        ),
        "recurrent": lambda seed: make_pipeline(
            Tokenizer(lowercase=True), RecurrentClassifier(random_state=seed)
        ),
        "recurrent, word vectors": lambda seed: make_pipeline(
            words.tokenizer_, RecurrentClassifier(random_state=seed, **begun)
        ),
        "recurrent, frozen word vectors": lambda seed: make_pipeline(
            words.tokenizer_,
            RecurrentClassifier(random_state=seed, freeze_embedding=True, **begun),
        ),
        "attention": lambda seed: make_pipeline(
            Tokenizer(lowercase=True), AttentionClassifier(random_state=seed)
        ),
        "attention, word vectors": lambda seed: make_pipeline(
            words.tokenizer_, AttentionClassifier(random_state=seed, **begun)
        ),
    }


def run_texts(options: Options) -> list[Row]:
    """Fit, predict and score the ways from texts to labels, with their defaults, one seed each.

    Word vectors are learned from the training texts and from several million words of other texts,
    which is timed apart. Seconds of fits are the wall's; "prediction" is of one text of many.
    """
    is_short = options.quick or options.overview
    n_train, n_words = (N_QUICK, N_WORDS_QUICK) if is_short else (N_TRAIN, N_WORDS)
    others = other_texts(n_words)
    NeuralClassifier(max_iter=1, batch_size=10).fit(np.eye(20), np.arange(20) % 2)  # compiles
    rows = []
    for name in options.sets or SETS:
        data = read_set(name, n_train)
        start = time.perf_counter()
        words = learn_words([*others, *data.X])
        rows.append(_row(name, "(learning the word vectors)", time.perf_counter() - start))
        for way, make in ways(words).items():
            model = make(0)
            start, cpu = time.perf_counter(), time.process_time()
            with quiet():
                model.fit(data.X, data.y)
            seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
            start = time.perf_counter()
            score = np.mean(model.predict(data.X_test) == data.y_test)
            latency = (time.perf_counter() - start) / len(data.X_test)
            rows.append(_row(name, way, seconds, f"{score:.3f}", format_duration(latency)))
            print(f"{name}, {way}: {score:.4f}, {seconds:.1f} s, {cpu:.1f} s of CPU", flush=True)
    return rows


def _row(name: str, way: str, seconds: float, score: str = "", latency: str = "") -> Row:
    return Row(name, way, seconds=[seconds], score=score, latency=latency)
