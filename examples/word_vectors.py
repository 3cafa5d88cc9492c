"""Words of the documentation that is installed anyway: neighbours, analogies, a map.

The corpus are the docstrings of NumPy, SciPy, scikit-learn, torch and what else there is beside
them, so nothing is downloaded. Reading them takes half a minute; skip-gram learns a vector for each
word that occurs often enough in ten seconds on two cores. The map is written to examples/output/.
"""

from __future__ import annotations

import ast
import importlib.util
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np

from sknn.inspection import plot_words
from sknn.text import Tokenizer, WordEmbedding

matplotlib.use("Agg")  # figures go to files, no window is needed
import matplotlib.pyplot as plt

OUTPUT = Path(__file__).parent / "output"
PACKAGES = ["numpy", "scipy", "sklearn", "torch", "matplotlib", "pandas", "sknn"]
ANALOGIES = [("rows", "columns", "row"), ("min", "max", "minimum"), ("sin", "cos", "sine")]
GROUPS = {
    "colours": ["red", "green", "blue", "black", "white", "yellow", "grey"],
    "numbers": ["one", "two", "three", "four", "five", "six", "ten"],
    "functions": ["sin", "cos", "tan", "exp", "log", "sqrt", "tanh", "sinh"],
    "types": ["int", "float", "bool", "str", "complex", "int64", "float32", "float64"],
    "models": ["classifier", "regressor", "transformer", "estimator", "clustering", "forest"],
    "time": ["day", "week", "month", "year", "hour", "minute", "second"],
    "shapes": ["circle", "line", "rectangle", "polygon", "ellipse", "triangle"],
}


def read_docstrings(package: str) -> Iterator[str]:
    """Go through the paragraphs of a package's docstrings."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return
    for file in sorted(Path(found.origin).parent.rglob("*.py")):
        if "test" in file.as_posix():
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                tree = ast.parse(file.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            # those that are added to functions of C stand in calls, not below a def
            value = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and len(value) > 100:
                yield from value.split("\n\n")


def main() -> None:
    """Read, learn, ask and draw."""
    texts = list(dict.fromkeys(text for name in PACKAGES for text in read_docstrings(name)))
    tokenizer = Tokenizer(token_pattern=r"[^\W\d_][\w-]+", lowercase=True)
    words = WordEmbedding(
        tokenizer=tokenizer, min_count=10, n_jobs=-1, random_state=0, verbose="bar"
    )
    start = time.perf_counter()
    words.fit(texts)
    seconds = time.perf_counter() - start
    print(
        f"{len(texts)} paragraphs of {words.counts_.sum()} words, {len(words.vocabulary_) - 1} "
        f"different ones: learned in {seconds:.0f} s\n"
    )

    print("neighbours")
    for word in ("classifier", "red", "gradient", "matrix", "year", "error"):
        print(f"  {word}: {', '.join(other for other, _ in words.most_similar(word, 6))}")
    print("\nanalogies")
    for a, b, c in ANALOGIES:
        answers = ", ".join(answer for answer, _ in words.analogy(a, b, c, n=3))
        print(f"  {a} is to {b} as {c} is to: {answers}")

    titles = ["Compute the eigenvalues of a matrix", "Inverse of an array", "Draw a red line"]
    X = words.transform(titles)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    print("\ncosines of texts")
    for title, cosine in zip(titles[1:], X[1:] @ X[0], strict=True):
        print(f"  {titles[0]!r}, {title!r}: {cosine:.2f}")

    OUTPUT.mkdir(exist_ok=True)
    known = {
        name: [word for word in group if word in words.vocabulary_]
        for name, group in GROUPS.items()
    }
    (ax,) = plot_words(words, known)
    ax.figure.savefig(OUTPUT / "word_vectors.png", dpi=150)
    plt.close(ax.figure)
    words.to_word2vec(OUTPUT / "word_vectors.txt")
    print(f"map: {OUTPUT / 'word_vectors.png'}; vectors: {OUTPUT / 'word_vectors.txt'}")


if __name__ == "__main__":
    main()
