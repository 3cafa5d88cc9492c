"""Word vectors beside gensim's: words a second, and how well they know which words are alike."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
from scipy.stats import spearmanr

from sknn.text import WordEmbedding
from sknn.text._word_training import WordTraining

from ._measure import Options
from ._report import Row
from ._word_corpus import read_corpus

SIZE, WINDOW, NEGATIVE, EPOCHS, WORKERS = 100, 5, 5, 5, 2
GLOVE_EPOCHS = 15
PEER = Path(__file__).with_name("_word_peers.py")


def folder_of_corpus() -> Path:
    """Return where the corpus is kept, which no repository has to hold."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "sknn", "words")


def run_words(options: Options) -> list[Row]:
    """Twelve million words of Debian's dictionaries and books; two threads; WordSim-353."""
    folder = folder_of_corpus()
    try:
        texts = read_corpus(folder)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"  no corpus: it takes apt-get and dpkg-deb, or {folder}/corpus.txt ({error})")
        return []
    if options.quick or options.overview:
        texts = texts[::10]
    n_words, epochs = sum(map(len, texts)), options.epochs or EPOCHS
    print(f"  {len(texts)} paragraphs, {n_words} words; {epochs} epochs, {SIZE} dimensions")
    python: str | None = options.gensim_python or sys.executable
    if options.gensim_python is None and importlib.util.find_spec("gensim") is None:
        python = None
        print("  without gensim: name a Python that has it by --gensim-python")
    _fit("skipgram", texts[:50], 1)  # compiles
    _fit("glove", texts[:50], 1)
    pairs: str | None = None
    with tempfile.TemporaryDirectory() as temporary:
        corpus = Path(temporary, "corpus.txt")
        corpus.write_text("\n".join(map(" ".join, texts)), encoding="ascii")
        for method in ("cbow", "skipgram"):
            rates: dict[str, list[float]] = {"sknn": [], "gensim": []}
            for _ in range(options.rounds(1, 1)):
                words, seconds = _fit(method, texts, epochs)
                rates["sknn"].append(_tell(f"sknn {method}", seconds, n_words * epochs))
                if python is not None:
                    seconds = _fit_gensim(python, corpus, temporary, method, len(texts), epochs)
                    pairs = seconds.pop("pairs")
                    rates["gensim"].append(_tell(f"gensim {method}", seconds, n_words * epochs))
            if python is not None and pairs is not None:
                peer = WordEmbedding.from_word2vec(
                    Path(temporary, f"gensim_{method}.bin"), binary=True
                )
                ratio = median(a / b for a, b in zip(*rates.values(), strict=True))
                print(
                    f"  {method}: {ratio:.2f} times gensim's words a second; Spearman "
                    f"{score(words, pairs):.3f}, gensim {score(peer, pairs):.3f}",
                    flush=True,
                )
        words, seconds = _fit("glove", texts, GLOVE_EPOCHS)
        _tell("sknn glove", seconds, n_words)
        if pairs is not None:
            print(f"  glove, {GLOVE_EPOCHS} epochs: Spearman {score(words, pairs):.3f}")
    return []


def _fit(
    method: str, texts: list[list[str]], epochs: int
) -> tuple[WordEmbedding, dict[str, float]]:
    words = WordEmbedding(
        method,
        vector_size=SIZE,
        window=WINDOW,
        negative=NEGATIVE,
        max_iter=epochs,
        min_count=1 if len(texts) < 100 else 5,
        n_jobs=WORKERS,
        random_state=0,
        device="cpu",
    )
    run, seconds = WordTraining.run, {}

    def timed(training: WordTraining) -> None:
        begun, cpu = time.perf_counter(), time.process_time()
        run(training)
        seconds.update(training=time.perf_counter() - begun, cpu=time.process_time() - cpu)

    start = time.perf_counter()
    with patch.object(WordTraining, "run", timed):
        words.fit(texts)
    seconds["vocabulary"] = time.perf_counter() - start - seconds["training"]
    return words, seconds


def _fit_gensim(
    python: str, corpus: Path, folder: str, method: str, n_texts: int, epochs: int
) -> dict[str, Any]:
    numbers = [n_texts, SIZE, WINDOW, NEGATIVE, epochs, WORKERS]
    command = [python, PEER, corpus, folder, method, *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _tell(name: str, seconds: dict[str, float], n_words: int) -> float:
    """Print seconds, and return words a second of training."""
    rate = n_words / seconds["training"]
    print(
        f"  {name}: {rate:,.0f} words a second in training ({seconds['training']:.1f} s, "
        f"{seconds['cpu']:.1f} s of processors), after {seconds['vocabulary']:.1f} s for the words",
        flush=True,
    )
    return rate


def score(words: WordEmbedding, file: str) -> float:
    """Return Spearman's correlation of cosines with what people said of pairs of words."""
    found, said = [], []
    for line in Path(file).read_text().splitlines():
        if line.startswith("#"):
            continue
        one, other, value = line.split("\t")
        if {one.lower(), other.lower()} <= words.vocabulary_.keys():
            found.append(words.similarity(one.lower(), other.lower()))
            said.append(float(value))
    return float(spearmanr(np.array(found), np.array(said)).statistic)
