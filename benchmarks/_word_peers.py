"""gensim's word vectors, in an environment of its own: run as a script, it imports gensim alone.

``python benchmarks/_word_peers.py CORPUS FOLDER METHOD TEXTS SIZE WINDOW NEGATIVE EPOCHS WORKERS``
writes vectors to FOLDER/gensim_METHOD.bin and prints seconds of the vocabulary and of training.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Train, write and print."""
    import gensim
    from gensim.models import Word2Vec

    corpus, folder, method, *numbers = sys.argv[1:]
    n_texts, size, window, negative, epochs, workers = map(int, numbers)
    lines = Path(corpus).read_text(encoding="ascii").split("\n")[:n_texts]
    texts = [line.split() for line in lines]
    model = Word2Vec(
        vector_size=size,
        window=window,
        negative=negative,
        epochs=epochs,
        workers=workers,
        sg=int(method == "skipgram"),
        min_count=5,
        sample=1e-3,
        alpha=0.025,
        seed=0,
    )
    start = time.perf_counter()
    model.build_vocab(texts)
    middle, cpu = time.perf_counter(), time.process_time()
    model.train(texts, total_examples=model.corpus_count, epochs=epochs)
    end, cpu = time.perf_counter(), time.process_time() - cpu
    model.wv.save_word2vec_format(str(Path(folder, f"gensim_{method}.bin")), binary=True)
    pairs = Path(gensim.__file__).parent / "test" / "test_data" / "wordsim353.tsv"
    seconds = {"vocabulary": middle - start, "training": end - middle, "cpu": cpu}
    print(json.dumps({**seconds, "pairs": str(pairs)}))


if __name__ == "__main__":
    main()
